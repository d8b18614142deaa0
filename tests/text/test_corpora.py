"""Corpora: every format round-trips, the packer loses no token, no document is on both sides, mistakes are named."""

from __future__ import annotations

import gzip
import itertools
import json
import lzma
import tracemalloc
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from subarch.text.corpora import MAX_DOCUMENT_CHARACTERS, Corpus, blocks, is_held_out, open_corpus, packed
from subarch.text.tokenizers import train_tokenizer

DOCUMENTS = [f"Document {i} says that café number {i * i} is open.\nIt has a second line." for i in range(400)]
WORDS = st.text(alphabet="abc .", min_size=1, max_size=40)
SHARED = Path(__file__).parents[3] / "shared" / "data" / "corpus"


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(DOCUMENTS, 500)


def in_memory(documents: list[str], parts: int = 1) -> Corpus:
    return Corpus("memory", "0" * 64, tuple(documents[i::parts].__iter__ for i in range(parts)))


def test_every_format_gives_the_same_documents(tmp_path: Path) -> None:
    text = "\n\n \n".join(DOCUMENTS).encode()
    rows = "\n".join(json.dumps({"text": d, "id": 1}) for d in DOCUMENTS).encode()
    two_frames = zstandard.compress(text[:5000]) + zstandard.compress(text[5000:])
    files = {
        "a.txt": text,
        "windows.txt": b"\xef\xbb\xbf" + text.replace(b"\n \n", b"\r\n\r\n"),
        "a.txt.gz": gzip.compress(text, mtime=0),
        "a.txt.xz": lzma.compress(text),
        "a.txt.zst": two_frames,
        "plain.gz": gzip.compress(text, mtime=0),
        "a.jsonl": rows,
        "a.jsonl.xz": lzma.compress(rows),
        "a.jsonl.zst": zstandard.compress(rows),
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
        assert list(open_corpus(tmp_path / name).documents()) == DOCUMENTS, name
    pyarrow.parquet.write_table(pyarrow.table({"text": DOCUMENTS}), tmp_path / "a.parquet")
    assert list(open_corpus(tmp_path / "a.parquet").documents()) == DOCUMENTS
    (tmp_path / ".hidden.txt").write_text("no")
    (tmp_path / "notes.md").write_text("no")
    folder = open_corpus(tmp_path)
    assert len(list(folder.documents())) == (len(files) + 1) * len(DOCUMENTS)
    (tmp_path / "a.txt").write_bytes(text[:-1])
    assert open_corpus(tmp_path).fingerprint != folder.fingerprint


@settings(max_examples=60, deadline=None)
@given(pieces=st.lists(st.text(alphabet="ab\né", min_size=1, max_size=30), max_size=12), long=st.integers(0, 3))
def test_text_files_keep_every_word(tmp_path_factory, pieces: list[str], long: int) -> None:
    text = "word\n\n" + "\n \n".join(pieces) + " long line" * (long * MAX_DOCUMENT_CHARACTERS // 7)
    path = tmp_path_factory.mktemp("c") / "a.txt"
    path.write_bytes(text.encode())
    documents = list(open_corpus(path).documents())
    assert " ".join(documents).split() == text.split()
    assert all(0 < len(d) <= MAX_DOCUMENT_CHARACTERS for d in documents)


@settings(max_examples=60, deadline=None)
@given(documents=st.lists(WORDS, max_size=20), length=st.integers(3, 20))
def test_packer_accounts_for_every_token(tokenizer, documents: list[str], length: int) -> None:
    start, end = tokenizer.cls_token_id, tokenizer.sep_token_id
    rows = list(packed(documents, tokenizer, length=length))
    assert all(len(row) == length and row[0] == start and row[-1] == end for row in rows)
    stream = [t for d in documents for t in (*tokenizer(d, add_special_tokens=False)["input_ids"], end)]
    inner = list(itertools.chain.from_iterable(row[1:-1] for row in rows))
    assert inner == stream[: len(inner)]
    assert len(stream) - len(inner) < length - 2


def test_blocks_are_deterministic_and_depend_on_the_seed(tokenizer) -> None:
    corpus = in_memory(DOCUMENTS, parts=11)
    first, again, other = (blocks(corpus, tokenizer, length=16, count=40, held_out=False, seed=s) for s in (3, 3, 4))
    assert first.shape == (40, 16) and first.dtype == "int64"
    assert (first == again).all() and (first != other).any()


def test_held_out_blocks_share_no_document_with_the_others(tokenizer) -> None:
    corpus = in_memory(DOCUMENTS)
    sides = []
    for held_out, count in ((True, 30), (False, 250)):
        ids = blocks(corpus, tokenizer, length=24, count=count, held_out=held_out, seed=0)
        text = " ".join(tokenizer.batch_decode(ids[:, 1:-1], clean_up_tokenization_spaces=False))
        # Documents whose number and its square are both to be read in one block.
        sides.append({i for i in range(400) if f"document {i} says that cafe number {i * i} is" in text})
    assert sides[0] and len(sides[1]) > 100
    assert not sides[0] & sides[1]
    assert all(is_held_out(DOCUMENTS[i]) for i in sides[0])
    assert sum(map(is_held_out, DOCUMENTS)) == pytest.approx(50, abs=20)


def test_few_blocks_read_little_and_come_from_many_places(tokenizer) -> None:
    read: list[int] = []

    def part(number: int):
        def documents():
            for i in range(2000):
                read.append(number)
                yield f"part {number} " + " ".join(f"story {i} of {i + j * j}" for j in range(20))

        return documents

    corpus = Corpus("counted", "0" * 64, tuple(part(i) for i in range(4)))
    ids = blocks(corpus, tokenizer, length=32, count=50, held_out=False, seed=0)
    assert len(read) < 1000
    assert {i for i in range(4) if read.count(i) > 5} == {0, 1, 2, 3}
    assert len({tuple(row) for row in ids}) == 50


def test_too_short_says_how_many_blocks_there_were(tokenizer) -> None:
    with pytest.raises(ValueError, match=r"expected 9999 blocks of 64 tokens in its held-out eighth, got \d+: give"):
        blocks(in_memory(DOCUMENTS), tokenizer, length=64, count=9999, held_out=True, seed=0)
    with pytest.raises(ValueError, match="length of at least 3"):
        blocks(in_memory(DOCUMENTS), tokenizer, length=2, count=1, held_out=True, seed=0)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"", "got an empty file"),
        ("a.txt", b" \n\n \n", "got an empty file"),
        ("a.txt", b"text\0text", "binary data"),
        ("a.txt", "text".encode("utf-16"), "UTF-8"),
        ("a.txt", b"caf\xe9 latin", "UTF-8 text, got the byte"),
        ("a.txt", b"cut off \xc3", "UTF-8 text, got the byte"),
        ("a.txt.gz", gzip.compress(b"text" * 99, mtime=0)[:-9], "damaged or cut short"),
        ("a.txt.xz", lzma.compress(b"text" * 99)[:-9], "damaged or cut short"),
        ("a.txt.zst", zstandard.compress(b"text" * 99)[:-3], "damaged or cut short"),
        ("a.txt.xz", b"no xz at all", "damaged or cut short"),
        ("a.txt.zst", b"no zstandard at all", "damaged or cut short"),
        ("a.jsonl", b'{"body": "text"}', "row 1: expected a string under 'text'"),
        ("a.docx", b"text", r"expected \.txt, \.jsonl, \.parquet"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        open_corpus(tmp_path / name)


def test_missing_paths_and_folders_without_text(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="expected a corpus at"):
        open_corpus(tmp_path / "none")
    with pytest.raises(ValueError, match="expected a folder with"):
        open_corpus(tmp_path)
    pyarrow.parquet.write_table(pyarrow.table({"body": ["a"]}), tmp_path / "a.parquet")
    with pytest.raises(ValueError, match="expected a column 'text'"):
        open_corpus(tmp_path / "a.parquet")


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"no real prose at {SHARED}")
def test_real_shards_stream_in_constant_memory() -> None:
    paths = sorted(SHARED.glob("*.xz"))[:3]
    tracemalloc.start()
    documents = characters = 0
    for path in paths:
        for text in open_corpus(path).documents():
            documents += 1
            characters += len(text)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert documents > 1000 and characters > 25_000_000
    assert peak < 14_000_000  # of which the xz format's own window is 8 MiB
