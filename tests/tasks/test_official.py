"""Official files and the hub's: the same examples from both, the measured counts, and every mistake by its row."""

from __future__ import annotations

import gzip
import io
import json
import re
import tarfile
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from subarch.tasks import official
from subarch.tasks.official import official_examples
from subarch.tasks.suites import TASKS, BenchmarkTask, Part, find_task
from subarch.text.examples import Example, Split


def read(name: str, part: Part, data: Path) -> Split:
    return official_examples(find_task(name), part, data)


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def jsonl(*rows: object) -> str:
    return "\n".join(json.dumps(row) for row in rows)


# --- one small file of every task, in both layouts --------------------------------------------------------------------

ARTICLE = {
    "id": "high1.txt",
    "article": "Ann ran.",
    "questions": ["_ ran.", "Why?"],
    "options": [["Ann", "Bob", "Eve", "Max"], ["a", "b", "c", "d"]],
    "answers": ["A", "D"],
}
WSC = {"text": "Ann, she said.", "span1_index": 0, "span1_text": "Ann", "span2_index": 1, "span2_text": "she"}
RECORD: dict[str, Any] = {
    "idx": 1,
    "passage": {"text": "Ann met Bob.", "entities": [{"start": 0, "end": 2}, {"start": 8, "end": 10}]},
    "qas": [{"idx": 7, "query": "@placeholder ran", "answers": [{"start": 8, "end": 10, "text": "Bob"}]}],
}
MULTIRC: dict[str, Any] = {
    "idx": 4,
    "passage": {
        "text": "Ann ran.",
        "questions": [{"idx": 5, "question": "Who?", "answers": [{"idx": 6, "text": "Ann", "label": 1}]}],
    },
}
WIC = {"word": "place", "sentence1": "a place", "sentence2": "places", "start1": 2, "end1": 7, "start2": 0, "end2": 6}
COPA = {"premise": "P.", "choice1": "It is.", "choice2": "It was.", "question": "effect"}
MNLI = "index\tpromptID\tpairID\tgenre\tsentence1\tsentence2\tlabel1\tgold_label\n"
STS = "index\tgenre\tsentence1\tsentence2"

Files = dict[str, tuple[Part, str, str]]

# Task: part, official file, its content.
OFFICIAL: Files = {
    "glue/cola": ("train", "glue/CoLA/train.tsv", 'a\t1\t\t"Quoted\na\t0\t*\tNot "a word'),
    "glue/sst-2": ("dev", "glue/SST-2/dev.tsv", "sentence\tlabel\na fine film \t1\nnot one\t0\n"),
    "glue/mrpc": ("dev", "glue/MRPC/dev.tsv", "\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\n1\t7\t8\ta\tb\n"),
    "glue/sts-b": ("dev", "glue/STS-B/dev.tsv", f"{STS}\tscore\n0\tx\ta\tb\t2.250\n1\tx\tc\td\t5.000\n"),
    "glue/qqp": (
        "train",
        "glue/QQP/train.tsv",
        "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n3\t1\t2\ta?\tb?\t1\n4\t1\t2\tcut\nhere?\tb?\t0\n4\t1\t2\ta\tb\t?\t0\n5\t1\t2\t\tc?\t0\n",
    ),
    "glue/mnli-m": ("dev", "glue/MNLI/dev_matched.tsv", f"{MNLI}0\t\t\t\ta\tb\t\t-\n1\t\t\t\tc\td\t\tneutral\n"),
    "glue/mnli-mm": ("dev", "glue/MNLI/dev_mismatched.tsv", f"{MNLI}0\t\t\t\te\tf\t\tcontradiction\n"),
    "glue/qnli": ("train", "glue/QNLI/train.tsv", "index\tquestion\tsentence\tlabel\n9\ta?\tb\tnot_entailment\n"),
    "glue/rte": ("train", "glue/RTE/train.tsv", "index\tsentence1\tsentence2\tlabel\r\n0\ta\tb\tentailment\r\n"),
    "glue/wnli": ("train", "glue/WNLI/train.tsv", "index\tsentence1\tsentence2\tlabel\n0\ta\tb\t1"),
    "glue/ax": ("test", "glue/diagnostic/diagnostic.tsv", "index\tsentence1\tsentence2\n0\ta\tb\n1\tc\td\n"),
    "superglue/boolq": (
        "train",
        "superglue/BoolQ/train.jsonl",
        jsonl({"question": "q", "passage": "p", "idx": 2, "label": True}),
    ),
    "superglue/cb": (
        "dev",
        "superglue/CB/val.jsonl",
        jsonl({"premise": "p", "hypothesis": "h", "idx": 0, "label": "neutral"}),
    ),
    "superglue/copa": ("train", "superglue/COPA/train.jsonl", jsonl({**COPA, "label": 1, "idx": 0})),
    "superglue/multirc": ("train", "superglue/MultiRC/train.jsonl", jsonl(MULTIRC)),
    "superglue/record": ("dev", "superglue/ReCoRD/val.jsonl", jsonl(RECORD)),
    "superglue/rte": ("test", "superglue/RTE/test.jsonl", jsonl({"premise": "p", "hypothesis": "h", "idx": 0})),
    "superglue/wic": ("train", "superglue/WiC/train.jsonl", jsonl({**WIC, "idx": 0, "label": False})),
    "superglue/wsc": (
        "train",
        "superglue/WSC/train.jsonl",
        jsonl({"text": WSC["text"], "target": {k: v for k, v in WSC.items() if k != "text"}, "idx": 0, "label": True}),
    ),
    "superglue/ax-b": (
        "test",
        "superglue/AX-b/AX-b.jsonl",
        jsonl({"idx": "0", "label": "not_entailment", "sentence1": "a", "sentence2": "b", "logic": "Negation"}),
    ),
    "superglue/ax-g": (
        "test",
        "superglue/AX-g/AX-g.jsonl",
        jsonl(
            {"premise": "a", "hypothesis": "h", "label": "entailment", "idx": 0, "pair_id": 9},
            {"premise": "b", "hypothesis": "h", "label": "entailment", "idx": 1, "pair_id": 11},
        ),
    ),
    "race/middle": ("test", "RACE/test/middle/12.txt", jsonl({**ARTICLE, "id": "middle12.txt"})),
    "race/high": ("train", "RACE/train/high/1.txt", jsonl(ARTICLE)),
}

# Task: file and rows on the hub.
HUB: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "glue/cola": (
        "nyu-mll/glue/cola/train-00000-of-00001.parquet",
        [{"sentence": '"Quoted', "label": 1, "idx": 0}, {"sentence": 'Not "a word', "label": 0, "idx": 1}],
    ),
    "glue/sst-2": (
        "nyu-mll/glue/sst2/validation-00000-of-00001.parquet",
        [{"sentence": "a fine film ", "label": 1, "idx": 0}, {"sentence": "not one", "label": 0, "idx": 1}],
    ),
    "glue/mrpc": (
        "nyu-mll/glue/mrpc/validation-00000-of-00001.parquet",
        [{"sentence1": "a", "sentence2": "b", "label": 1, "idx": 0}],
    ),
    "glue/sts-b": (
        "nyu-mll/glue/stsb/validation-00000-of-00001.parquet",
        [
            {"sentence1": "a", "sentence2": "b", "label": 2.25, "idx": 0},
            {"sentence1": "c", "sentence2": "d", "label": 5.0, "idx": 1},
        ],
    ),
    "glue/qqp": (
        "nyu-mll/glue/qqp/train-00000-of-00001.parquet",
        [
            {"question1": "a?", "question2": "b?", "label": 1, "idx": 3},
            {"question1": "", "question2": "c?", "label": 0, "idx": 5},
        ],
    ),
    "glue/mnli-m": (
        "nyu-mll/glue/mnli/validation_matched-00000-of-00001.parquet",
        [{"premise": "c", "hypothesis": "d", "label": 1, "idx": 1}],
    ),
    "glue/mnli-mm": (
        "nyu-mll/glue/mnli/validation_mismatched-00000-of-00001.parquet",
        [{"premise": "e", "hypothesis": "f", "label": 2, "idx": 0}],
    ),
    "glue/qnli": (
        "nyu-mll/glue/qnli/train-00000-of-00001.parquet",
        [{"question": "a?", "sentence": "b", "label": 1, "idx": 9}],
    ),
    "glue/rte": (
        "nyu-mll/glue/rte/train-00000-of-00001.parquet",
        [{"sentence1": "a", "sentence2": "b", "label": 0, "idx": 0}],
    ),
    "glue/wnli": (
        "nyu-mll/glue/wnli/train-00000-of-00001.parquet",
        [{"sentence1": "a", "sentence2": "b", "label": 1, "idx": 0}],
    ),
    "glue/ax": (
        "nyu-mll/glue/ax/test-00000-of-00001.parquet",
        [
            {"premise": "a", "hypothesis": "b", "label": -1, "idx": 0},
            {"premise": "c", "hypothesis": "d", "label": -1, "idx": 1},
        ],
    ),
    "superglue/boolq": (
        "aps/super_glue/boolq/train-00000-of-00001.parquet",
        [{"question": "q", "passage": "p", "idx": 2, "label": 1}],
    ),
    "superglue/cb": (
        "aps/super_glue/cb/validation-00000-of-00001.parquet",
        [{"premise": "p", "hypothesis": "h", "idx": 0, "label": 2}],
    ),
    "superglue/copa": ("aps/super_glue/copa/train-00000-of-00001.parquet", [{**COPA, "idx": 0, "label": 1}]),
    "superglue/multirc": (
        "aps/super_glue/multirc/train-00000-of-00001.parquet",
        [
            {
                "paragraph": "Ann ran.",
                "question": "Who?",
                "answer": "Ann",
                "idx": {"paragraph": 4, "question": 5, "answer": 6},
                "label": 1,
            }
        ],
    ),
    "superglue/record": (
        "aps/super_glue/record/validation-00000-of-00001.parquet",
        [
            {
                "passage": "Ann met Bob.",
                "query": "@placeholder ran",
                "entities": ["Bob", "Ann"],
                "entity_spans": {"text": ["Ann", "Bob"], "start": [0, 8], "end": [3, 11]},
                "answers": ["Bob"],
                "idx": {"passage": 1, "query": 7},
            }
        ],
    ),
    "superglue/rte": (
        "aps/super_glue/rte/test-00000-of-00001.parquet",
        [{"premise": "p", "hypothesis": "h", "idx": 0, "label": -1}],
    ),
    "superglue/wic": ("aps/super_glue/wic/train-00000-of-00001.parquet", [{**WIC, "idx": 0, "label": 0}]),
    "superglue/wsc": ("aps/super_glue/wsc/train-00000-of-00001.parquet", [{**WSC, "idx": 0, "label": 1}]),
    "superglue/ax-b": (
        "aps/super_glue/axb/test-00000-of-00001.parquet",
        [{"sentence1": "a", "sentence2": "b", "idx": 0, "label": 1}],
    ),
    "superglue/ax-g": (
        "aps/super_glue/axg/test-00000-of-00001.parquet",
        [{"premise": p, "hypothesis": "h", "idx": i, "label": 0} for i, p in enumerate("ab")],
    ),
    "race/middle": (
        "ehovy/race/middle/test-00000-of-00001.parquet",
        [
            {"example_id": "middle12.txt", "article": "Ann ran.", "answer": a, "question": q, "options": o}
            for q, o, a in zip(ARTICLE["questions"], ARTICLE["options"], ARTICLE["answers"], strict=True)
        ],
    ),
    "race/high": (
        "ehovy/race/high/train-00000-of-00001.parquet",
        [
            {"example_id": "high1.txt", "article": "Ann ran.", "answer": a, "question": q, "options": o}
            for q, o, a in zip(ARTICLE["questions"], ARTICLE["options"], ARTICLE["answers"], strict=True)
        ],
    ),
}

OPTIONS = (("Ann ran.", "Bob ran.", "Eve ran.", "Max ran."), ("Why? a", "Why? b", "Why? c", "Why? d"))

EXPECTED: dict[str, list[Example]] = {
    "glue/cola": [Example('"Quoted', label=1, id=0), Example('Not "a word', label=0, id=1)],
    "glue/sst-2": [Example("a fine film ", label=1, id=0), Example("not one", label=0, id=1)],
    "glue/mrpc": [Example("a", ("b",), 1, id=0)],
    "glue/sts-b": [Example("a", ("b",), 2.25, id=0), Example("c", ("d",), 5.0, id=1)],
    "glue/qqp": [Example("a?", ("b?",), 1, id=3), Example("", ("c?",), 0, id=5)],
    "glue/mnli-m": [Example("c", ("d",), 1, id=1)],
    "glue/mnli-mm": [Example("e", ("f",), 2, id=0)],
    "glue/qnli": [Example("a?", ("b",), 1, id=9)],
    "glue/rte": [Example("a", ("b",), 0, id=0)],
    "glue/wnli": [Example("a", ("b",), 1, id=0)],
    "glue/ax": [Example("a", ("b",), id=0), Example("c", ("d",), id=1)],
    "superglue/boolq": [Example("q", ("p",), 1, id=2)],
    "superglue/cb": [Example("p", ("h",), 2, id=0)],
    "superglue/copa": [Example("P.", ("so it is.", "so it was."), 1, id=0)],
    "superglue/multirc": [Example("Ann ran.", ("Who? Ann",), 1, id=(4, 5, 6), group="4-5")],
    "superglue/record": [
        Example("Ann met Bob.", ("Ann ran", "Bob ran"), 1, id=7, answers=(("Ann", "Bob"), ("Bob",))),
    ],
    "superglue/rte": [Example("p", ("h",), id=0)],
    "superglue/wic": [Example("a * place *", ("* places *",), 0, id=0)],
    "superglue/wsc": [Example("# Ann #, * she * said.", label=1, id=0)],
    "superglue/ax-b": [Example("a", ("b",), 1, id=0)],
    "superglue/ax-g": [Example("a", ("h",), 0, id=0, group="0"), Example("b", ("h",), 0, id=1, group="0")],
    "race/middle": [
        Example("Ann ran.", options, label, id=f"middle12.txt-{index}")
        for index, (options, label) in enumerate(zip(OPTIONS, (0, 3), strict=True))
    ],
    "race/high": [
        Example("Ann ran.", options, label, id=f"high1.txt-{index}")
        for index, (options, label) in enumerate(zip(OPTIONS, (0, 3), strict=True))
    ],
}


def write_official(folder: Path) -> Path:
    for _, name, content in OFFICIAL.values():
        write(folder / name, content)
    return folder


@pytest.mark.parametrize("name", TASKS)
def test_the_official_layout(name: str, tmp_path: Path) -> None:
    data = write_official(tmp_path)
    part, file, _ = OFFICIAL[name]
    folder = data / file.split("/")[0]
    task = data / "RACE" if name.startswith("race") else (data / file).parent
    for given_folder in (data, folder, task):  # the folder of all suites, the suite's, the task's own
        assert list(read(name, part, given_folder)) == EXPECTED[name], given_folder


@pytest.mark.parametrize("name", TASKS)
def test_the_hub_layout_gives_the_same_examples(name: str, tmp_path: Path) -> None:
    part, (file, rows) = OFFICIAL[name][0], HUB[name]
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    for folder in (tmp_path, path.parent.parent):
        assert list(read(name, part, folder)) == EXPECTED[name]


def test_hub_files_in_several_pieces_with_named_classes(tmp_path: Path) -> None:
    from datasets import ClassLabel, Dataset, Features, Value

    features = Features(
        {
            "premise": Value("string"),
            "hypothesis": Value("string"),
            "idx": Value("int32"),
            "label": ClassLabel(names=["entailment", "not_entailment"]),
        }
    )
    folder = tmp_path / "aps" / "super_glue" / "rte"
    folder.mkdir(parents=True)
    for piece in range(2):
        rows = {"premise": [f"p{piece}"], "hypothesis": ["h"], "idx": [piece], "label": [1 - piece]}
        Dataset.from_dict(rows, features=features).to_parquet(folder / f"train-0000{piece}-of-00002.parquet")
    expected = [Example("p0", ("h",), 1, id=0), Example("p1", ("h",), 0, id=1)]
    assert list(read("superglue/rte", "train", tmp_path)) == expected


def test_folders_in_any_case_a_few_levels_below(tmp_path: Path) -> None:
    content = OFFICIAL["glue/sst-2"][2]
    write(tmp_path / "a" / "GLUE_data" / "sst2" / "dev.tsv", content)
    assert list(read("glue/sst-2", "dev", tmp_path)) == EXPECTED["glue/sst-2"]
    with pytest.raises(ValueError, match=r"a folder SST-2 with dev\.tsv \(glue/SST-2 will do\), got \['deep'\]"):
        write(tmp_path / "b" / "deep" / "2" / "3" / "4" / "sst2" / "dev.tsv", content)
        read("glue/sst-2", "dev", tmp_path / "b")
    write(tmp_path / "a" / "glue2" / "SST-2" / "dev.tsv", content)
    with pytest.raises(ValueError, match=r"one copy of glue/sst-2, got .* and .*: give one"):
        read("glue/sst-2", "dev", tmp_path)


def test_both_suites_in_one_folder(tmp_path: Path) -> None:
    write(tmp_path / "glue" / "RTE" / "train.tsv", "index\tsentence1\tsentence2\tlabel\n0\ta\tb\tentailment\n")
    row = {"premise": "c", "hypothesis": "d", "idx": 0, "label": "not_entailment"}
    write(tmp_path / "superglue" / "RTE" / "train.jsonl", jsonl(row))
    assert list(read("glue/rte", "train", tmp_path)) == [Example("a", ("b",), 0, id=0)]
    assert list(read("superglue/rte", "train", tmp_path)) == [Example("c", ("d",), 1, id=0)]


def test_compressed_files(tmp_path: Path) -> None:
    write(tmp_path / "SST-2" / "dev.tsv.gz", gzip.compress(OFFICIAL["glue/sst-2"][2].encode(), mtime=0))
    assert list(read("glue/sst-2", "dev", tmp_path)) == EXPECTED["glue/sst-2"]


def test_cola_test_file_has_a_header_and_training_files_may(tmp_path: Path) -> None:
    write(tmp_path / "CoLA" / "test.tsv", "index\tsentence\n4\tA line.\n")
    assert list(read("glue/cola", "test", tmp_path)) == [Example("A line.", id=4)]
    write(tmp_path / "CoLA" / "dev.tsv", "source\tlabel\tstar\tsentence\na\t1\t\tA line.\n")
    assert list(read("glue/cola", "dev", tmp_path)) == [Example("A line.", label=1, id=0)]


@given(st.lists(st.text(st.characters(exclude_characters="\t\r\n\0", exclude_categories=["Cs"])), min_size=1))
def test_texts_come_back_as_they_are(texts: list[str]) -> None:
    content = "".join(f"{number}\t{text}\tx{text}\tentailment\n" for number, text in enumerate(texts))
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / "train.tsv", f"index\tsentence1\tsentence2\tlabel\n{content}")
        found = read("glue/rte", "train", Path(folder))
    assert [(example.first, *example.seconds) for example in found] == [(text, f"x{text}") for text in texts]


# --- RACE in an archive -----------------------------------------------------------------------------------------------


def archive(path: Path, members: dict[str, bytes], mode: str = "w:xz") -> Path:
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        link = tarfile.TarInfo("RACE/dev/high/0.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    return path


def test_race_is_read_inside_its_archive(tmp_path: Path) -> None:
    articles = {
        f"RACE/dev/high/{number}.txt": jsonl({**ARTICLE, "id": f"high{number}.txt"}).encode() for number in (2, 1)
    }
    others = {"RACE/dev/middle/1.txt": b"{", "RACE/dev/high/._1.txt": b"\0", "RACE/train/high/1.txt": b"{"}
    for name, mode in (("RACE.tar.xz", "w:xz"), ("RACE.tar.gz", "w:gz")):
        folder = tmp_path / mode[2:]
        folder.mkdir()
        path = archive(folder / name, {**others, **articles}, mode)
        for given_path in (path, folder, tmp_path if mode == "w:xz" else folder):
            ids = [example.id for example in read("race/high", "dev", given_path)]
            assert ids == ["high1.txt-0", "high1.txt-1", "high2.txt-0", "high2.txt-1"]
        if mode == "w:xz":
            write(path.with_name("RACE") / "dev" / "high" / "3.txt", jsonl({**ARTICLE, "id": "high3.txt"}))
            assert [e.id for e in read("race/high", "dev", path.with_name("RACE"))] == ["high3.txt-0", "high3.txt-1"]
            path.unlink()


def test_damaged_archives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = jsonl(ARTICLE).encode()
    path = archive(tmp_path / "RACE.tar.xz", {"RACE/dev/high/1.txt": content})
    with pytest.raises(ValueError, match=r"RACE\.tar\.xz: expected rows of race/middle, got none"):
        read("race/middle", "dev", path)
    with monkeypatch.context() as limits:
        limits.setattr(official, "_MAX_ARCHIVE_BYTES", len(content) - 1)
        with pytest.raises(ValueError, match=r"expected at most \d+ bytes of articles"):
            read("race/high", "dev", path)
    for name, mode in (("RACE.tar.xz", "w:xz"), ("RACE.tar.gz", "w:gz")):
        path = archive(tmp_path / name, {f"RACE/dev/high/{n}.txt": content for n in range(30)}, mode)
        whole = path.read_bytes()
        for share in (1, 3, 5, 7):
            path.write_bytes(whole[: len(whole) * share // 8])
            with pytest.raises(ValueError, match="damaged or cut short"):
                read("race/high", "dev", path)
        path.write_bytes(whole[:-4])
        with pytest.raises(ValueError, match="damaged or cut short"):
            read("race/high", "dev", path)
    path.write_bytes(gzip.compress(b"no archive" * 100, mtime=0))
    with pytest.raises(ValueError, match="damaged or cut short"):
        read("race/high", "dev", path)
    archive(path, {"RACE/dev/high/1.txt": bytes(10_000_001)}, "w:gz")
    with pytest.raises(ValueError, match=r"RACE/dev/high/1\.txt: expected one article, got 10,000,001 bytes"):
        read("race/high", "dev", path)
    archive(path, {"RACE/dev/high/1.txt": b"[1]"}, "w:gz")
    with pytest.raises(ValueError, match=r"RACE\.tar\.gz, RACE/dev/high/1\.txt: expected a JSON object, got b'\[1\]'"):
        read("race/high", "dev", path)


# --- mistakes ---------------------------------------------------------------------------------------------------------

RTE = "index\tsentence1\tsentence2\tlabel\n"
LONG = "x" * 10_000_001


@pytest.mark.parametrize(
    ("name", "part", "file", "content", "message"),
    [
        ("glue/rte", "dev", "RTE/dev.tsv", "", r"dev\.tsv: expected rows of glue/rte, got none: the file is empty"),
        ("glue/rte", "dev", "RTE/dev.tsv", RTE, r"dev\.tsv: expected rows"),
        ("superglue/cb", "dev", "CB/val.jsonl", "\n", r"val\.jsonl: expected rows"),
        ("glue/rte", "dev", "RTE/dev.tsv", f"{RTE}0\ta\tb\n", r"row 2: expected 4 columns \(index, sentence1, .*got 3"),
        ("glue/rte", "dev", "RTE/dev.tsv", f"{RTE}0\ta\tb\tx\ty\n", r"row 2: expected 4 columns .*got 5"),
        ("glue/cola", "train", "CoLA/train.tsv", "a\t1\t\tx\nb\t0\ty\n", r"row 2: expected 4 columns .*got 3"),
        ("glue/qqp", "test", "QQP/test.tsv", "id\tquestion1\tquestion2\n0\ta\n", "row 2: expected 3 columns"),
        ("glue/rte", "dev", "RTE/dev.tsv", "index\tsentence1\tlabel\n",
         r"row 1: expected a column 'sentence2' .*'label'\]"),
        ("glue/rte", "dev", "RTE/dev.tsv", "index\tsentence1\tsentence2\n", "row 1: expected a column 'label'"),
        ("glue/rte", "dev", "RTE/dev.tsv", f"{RTE}0\ta\tb\tneutral\n",
         "row 2: expected one of entailment, not_entailment in column 'label', got 'neutral'"),
        ("glue/rte", "dev", "RTE/dev.tsv", f"{RTE}0\ta\tb\t\n", "row 2: expected a label .*'label', got none"),
        ("glue/rte", "dev", "RTE/dev.tsv", f"{RTE}0\ta\tb\t-1\n", "row 2: expected a label .*'label', got none"),
        ("glue/rte", "dev", "RTE/dev.tsv", f"{RTE}zero\ta\tb\tentailment\n", "row 2: expected a whole number"),
        ("glue/sts-b", "dev", "STS-B/dev.tsv", f"{STS}\tscore\n0\tx\ta\tb\tnan\n", "row 2: expected a number .*'nan'"),
        ("glue/sts-b", "dev", "STS-B/dev.tsv", f"{STS}\tscore\n0\tx\ta\tb\thigh\n", "row 2: expected a number"),
        ("glue/rte", "dev", "RTE/dev.tsv", RTE.encode() + b"0\t\xff\tb\tentailment\n", r"row 2: expected UTF-8 text"),
        ("glue/rte", "dev", "RTE/dev.tsv", f"{RTE}{LONG}", r"row 2: longer than 10,000,000 bytes"),
        ("superglue/rte", "dev", "RTE/val.jsonl", '{"premise": "a"', r"row 1: expected a JSON object a line"),
        ("superglue/rte", "dev", "RTE/val.jsonl", '{"premise": "a"}', r"row 1: expected a text in column 'hypothesis'"),
        ("superglue/boolq", "dev", "BoolQ/val.jsonl", '{"question": "q", "passage": "p", "label": 1}',
         "row 1: expected one of false, true in column 'label', got '1'"),
        ("superglue/copa", "dev", "COPA/val.jsonl", jsonl({**COPA, "label": 2}), "row 1: expected one of 0, 1 .*'2'"),
        ("superglue/record", "dev", "ReCoRD/val.jsonl", jsonl({**RECORD, "qas": [{"idx": 1, "query": "@placeholder"}]}),
         "row 1: expected a label in column 'answers', got none"),
        ("race/high", "dev", "RACE/dev/high/1.txt", "{", r"1\.txt: expected a JSON object, got b'\{'"),
        ("race/high", "dev", "RACE/dev/high/1.txt", jsonl({**ARTICLE, "answers": ["A", "E"]}),
         r"1\.txt: expected one of A, B, C, D in column 'answer', got 'E'"),
        ("race/high", "dev", "RACE/dev/high/a.json", "{}", "expected rows of race/high, got none"),
        ("glue/rte", "dev", "RTE/train.tsv", RTE, r"RTE: expected dev\.tsv, got \['train\.tsv'\]"),
        ("superglue/rte", "dev", "RTE/train.tsv", RTE, r"RTE: expected val\.jsonl or dev\.jsonl, got \['train\.tsv'\]"),
        ("glue/rte", "dev", "WNLI/dev.tsv", RTE, r"expected a folder RTE with dev\.tsv .*got \['WNLI'\]"),
        ("glue/mnli-mm", "train", "MNLI/train.tsv", "", "no train part, only dev, test; its model is that of"),
        ("glue/rte", "dev", "nyu-mll/glue/rte/train-0.parquet", "", r"rte: expected validation-\*\.parquet, got"),
        ("glue/rte", "train", "nyu-mll/glue/rte/train-0.parquet", "no", r"train-0\.parquet: not readable as Parquet"),
    ],
)  # fmt: skip
def test_mistakes_name_file_and_row(
    name: str, part: Part, file: str, content: str | bytes, message: str, tmp_path: Path
) -> None:
    write(tmp_path / file, content)
    with pytest.raises(ValueError, match=message):
        read(name, part, tmp_path)


def test_the_folder_of_another_task_is_not_taken_for_this_one(tmp_path: Path) -> None:
    write(tmp_path / "RTE" / "test.tsv", "index\tsentence1\tsentence2\n0\ta\tb\n")
    with pytest.raises(ValueError, match="RTE: expected a folder WNLI"):
        read("glue/wnli", "test", tmp_path / "RTE")
    (tmp_path / "RTE").rename(tmp_path / "mine")
    assert len(read("glue/wnli", "test", tmp_path / "mine")) == 1


def test_paths_that_are_no_folder(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="got nothing there: check the path"):
        read("glue/rte", "dev", tmp_path / "none")
    with pytest.raises(ValueError, match="got a file: give its folder"):
        read("glue/rte", "dev", write(tmp_path / "dev.tsv", RTE))
    with pytest.raises(ValueError, match="got an empty folder"):
        (tmp_path / "empty").mkdir()
        read("glue/rte", "dev", tmp_path / "empty")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"premise": "p", "idx": 0, "label": 0}], "aps/super_glue/rte/train, row 1: .*column 'hypothesis', got only"),
        ([{"premise": "p", "hypothesis": "h", "idx": 0, "label": -1}], "row 1: expected a label in column 'label'"),
        ([{"premise": "p", "hypothesis": "h", "idx": 0, "label": 2}], "row 1: expected one of entailment, not_ent"),
        ([{"premise": "p", "hypothesis": "h", "idx": 0, "label": None}], "row 1: expected a label in column 'label'"),
    ],
)
def test_mistakes_in_hub_files(rows: list[dict[str, Any]], message: str, tmp_path: Path) -> None:
    path = tmp_path / "aps" / "super_glue" / "rte" / "train-00000-of-00001.parquet"
    path.parent.mkdir(parents=True)
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    with pytest.raises(ValueError, match=message):
        read("superglue/rte", "train", tmp_path)


def test_without_a_way_to_the_hub() -> None:
    # The default run is offline, so the library refuses at once.
    with pytest.raises(ValueError, match=r"glue/cola: cannot be read from the Hugging Face hub .*--task-data FOLDER"):
        official_examples(find_task("glue/cola"), "dev", None)


# --- the measurement data ---------------------------------------------------------------------------------------------

# Counts by class (or candidate), as measured by others; of parts without labels the number of rows.
MEASURED: dict[str, dict[Part, tuple[int, ...] | int]] = {
    "glue/cola": {"train": (2528, 6023), "dev": (322, 721), "test": 1063},
    "glue/sst-2": {"train": (29780, 37569), "dev": (428, 444), "test": 1821},
    "glue/mrpc": {"train": (1194, 2474), "dev": (129, 279), "test": 1725},
    "glue/qqp": {"train": (5747, 3252), "dev": (623, 377)},
    "glue/mnli-m": {"train": (3408, 3313, 3278), "dev": (3479, 3123, 3213)},
    "glue/mnli-mm": {"dev": (346, 319, 335)},
    "glue/qnli": {"train": (5027, 4972), "dev": (2702, 2761), "test": 5463},
    "glue/rte": {"train": (1249, 1241), "dev": (146, 131), "test": 3000},
    "glue/wnli": {"train": (323, 312), "dev": (40, 31), "test": 146},
    "glue/ax": {"test": 1104},
    "superglue/boolq": {"train": (27, 37), "dev": (1237, 2033), "test": 3245},
    "superglue/cb": {"train": (115, 119, 16), "dev": (23, 28, 5), "test": 250},
    "superglue/copa": {"train": (195, 205), "dev": (55, 45), "test": 500},
    "superglue/multirc": {"train": (15218, 12025), "dev": (2773, 2075), "test": 9693},
    "superglue/rte": {"train": (1249, 1241), "dev": (146, 131), "test": 3000},
    "superglue/wic": {"train": (2714, 2714), "dev": (319, 319), "test": 1400},
    "superglue/wsc": {"train": (295, 259), "dev": (66, 38), "test": 146},
    "superglue/ax-b": {"test": (460, 644)},
    "superglue/ax-g": {"test": (178, 178)},
}  # fmt: skip
ROWS: dict[str, dict[Part, int]] = {
    "glue/sts-b": {"train": 5749, "dev": 1500, "test": 1379},
    "superglue/record": {"train": 32, "dev": 32},
    "race/middle": {"train": 5738, "dev": 1436, "test": 1436},
    "race/high": {"train": 13731, "dev": 3451, "test": 3498},
}


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_measured_counts(task: BenchmarkTask, measurement_data: Path) -> None:
    for part in task.files:
        expected = MEASURED.get(task.name, {}).get(part, ROWS.get(task.name, {}).get(part))
        if expected is None:  # parts that the folder lacks
            with pytest.raises(ValueError, match=r"expected test.*, got \["):
                official_examples(task, part, measurement_data)
            continue
        split = official_examples(task, part, measurement_data)
        counts = Counter(example.label for example in split)
        if isinstance(expected, tuple):
            assert counts == dict(enumerate(expected)), part
        elif task.name in MEASURED:
            assert counts == {None: expected}, part
        assert len(split) == (sum(expected) if isinstance(expected, tuple) else expected)
        assert len({example.id for example in split}) == len(split)
        if part == "test" and task.submission.examples is None:
            assert len(split) == task.submission.rows


def test_measured_numbers_and_choices(measurement_data: Path) -> None:
    for part, mean in (("train", 2.701), ("dev", 2.364)):
        labels = read("glue/sts-b", part, measurement_data).labels
        assert sum(labels) / len(labels) == pytest.approx(mean, abs=0.0005)
        assert min(labels) == 0
        assert max(labels) == 5
    for level, articles in (("middle", 368), ("high", 1021)):
        split = read(f"race/{level}", "dev", measurement_data)
        assert len({str(example.id).rpartition("-")[0] for example in split}) == articles
        assert {len(example.seconds) for example in split} == {4}
        assert set(split.labels) == {0, 1, 2, 3}
    split = read("superglue/multirc", "test", measurement_data)
    assert len({example.group for example in split}) == 1820
    assert len({example.first for example in split}) <= 166
    assert split[-1].id == (165, 1819, 9692)


def test_measured_marks(measurement_data: Path) -> None:
    parts: tuple[Part, ...] = ("train", "dev", "test")
    for part in parts:
        for example in read("superglue/wsc", part, measurement_data):
            assert example.first.count("# ") >= 1
            assert example.first.count("* ") >= 1
    pairs = read("superglue/ax-g", "test", measurement_data)
    for first, second in zip(pairs[::2], pairs[1::2], strict=True):
        assert (first.group, first.seconds) == (second.group, second.seconds)
        assert first.first != second.first
    for split in (read("superglue/record", part, measurement_data) for part in parts[:2]):
        for example in split:
            assert example.answers is not None
            entities, right = example.answers
            chosen = (example.label, *example.right)
            assert [entities[int(index)] for index in chosen if index is not None] == list(right)
            assert "@highlight" not in example.first
            assert not any("@placeholder" in text for text in example.seconds)


def test_both_copies_of_rte_agree_row_by_row(measurement_data: Path) -> None:
    parts: tuple[Part, ...] = ("train", "dev", "test")
    for part in parts:
        glue, superglue = (read(f"{suite}/rte", part, measurement_data) for suite in ("glue", "superglue"))
        assert [(e.id, e.label) for e in glue] == [(e.id, e.label) for e in superglue]
        texts = (  # one copy has lost its double quotes, and keeps a control character that the other has lost
            [[re.sub('["\x85]', "", text) for text in example.texts] for example in split]
            for split in (glue, superglue)
        )
        assert next(texts) == next(texts), part
