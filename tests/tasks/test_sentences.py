"""Words with tags out of files of every form, and ten that no one can learn from."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from subarch.tasks.labelled import Table, read_table
from subarch.tasks.sentences import holds_sentences

CONLL = """-DOCSTART- -X- O

# id = 1
Anna NNP B-PER
Berg NNP I-PER
slept VBD O

#Oslo NNP B-LOC
\t
Bob NNP B-PER
left VBD O
"""


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def tags(table: Table) -> list[list[str]]:
    return [[table.label_names[n] for n in one.label] for one in table.examples if isinstance(one.label, tuple)]


def words(table: Table) -> list[list[str]]:
    return [[one.first[start:end] for start, end in one.words or ()] for one in table.examples]


def test_a_file_of_columns(tmp_path: Path) -> None:
    path = written(tmp_path / "a.conll", CONLL)
    assert holds_sentences(path)
    table = read_table(path)
    assert table.kind == "tokens" and table.columns.texts == ("tokens",) and table.columns.label == "tags"
    assert table.label_names == ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
    assert words(table) == [["Anna", "Berg", "slept"], ["#Oslo"], ["Bob", "left"]]
    assert tags(table) == [["B-PER", "I-PER", "O"], ["B-LOC"], ["B-PER", "O"]]
    assert [one.first for one in table.examples] == ["Anna Berg slept", "#Oslo", "Bob left"]
    assert all(one.answers == (table.label_names, ()) for one in table.examples)


def test_another_column_holds_the_tags(tmp_path: Path) -> None:
    table = read_table(written(tmp_path / "a.bio", CONLL), label_column="2")
    assert table.label_names == ("NNP", "VBD") and tags(table)[0] == ["NNP", "NNP", "VBD"]


def test_any_name_where_the_kind_is_said(tmp_path: Path) -> None:
    for name in ("a.txt", "a.tsv", "a.conll.gz"):
        text = CONLL if name != "a.tsv" else CONLL.replace(" ", "\t").replace("#\tid\t=\t1\n", "# id = 1\n")
        path = tmp_path / name
        if name.endswith(".gz"):
            import gzip

            path.write_bytes(gzip.compress(text.encode()))
        else:
            written(path, text)
        assert len(read_table(path, kind="tokens").examples) == 3, name


def test_a_prefix_of_every_word_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    text = "".join(f"en:{word}\t{tag}\n" for word, tag in [("Anna", "B-PER"), (":", "O")] * 15) + "\n"
    assert words(read_table(written(tmp_path / "a.conll", text)))[0][:2] == ["Anna", ":"]
    assert "every word begins with 'en:'" in caplog.text


def test_universal_dependencies(tmp_path: Path) -> None:
    lines = ["# text = vámonos", "1-2\tvámonos\t_\t_", "1\tvamos\tir\tVERB", "2\tnos\tyo\tPRON", "", "1\tno\tno\tADV"]
    table = read_table(written(tmp_path / "a.conllu", "\n".join(lines)))
    assert words(table) == [["vamos", "nos"], ["no"]] and tags(table) == [["VERB", "PRON"], ["ADV"]]


ROWS: list[dict[str, Any]] = [
    {"tokens": ["Anna", "slept"], "ner_tags": ["B-PER", "O"]},
    {"tokens": ["in", "New York"], "ner_tags": ["O", "B-LOC"]},
]


def jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    return written(path, "\n".join(map(json.dumps, rows)))


def test_lists_of_words_and_tags(tmp_path: Path) -> None:
    table = read_table(jsonl(tmp_path / "a.jsonl", ROWS))
    assert words(table) == [["Anna", "slept"], ["in", "New York"]] and tags(table) == [["B-PER", "O"], ["O", "B-LOC"]]


def test_numbers_take_the_names_of_the_features(tmp_path: Path) -> None:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    names = ["O", "B-PER", "I-PER", "B-LOC"]
    feature = {"feature": {"names": names, "_type": "ClassLabel"}, "_type": "Sequence"}
    metadata = {"huggingface": json.dumps({"info": {"features": {"ner_tags": feature}}})}
    made = arrow.table({"tokens": [["Anna", "slept"], ["Rome"]], "ner_tags": [[1, 0], [3]]})
    parquet.write_table(made.replace_schema_metadata(metadata), tmp_path / "a.parquet")
    table = read_table(tmp_path / "a.parquet")
    assert table.label_names == tuple(names) and tags(table) == [["B-PER", "O"], ["B-LOC"]]
    numbers = jsonl(tmp_path / "b.jsonl", [{"tokens": ["Anna"], "ner_tags": [1]}, {"tokens": ["in"], "ner_tags": [0]}])
    assert tags(read_table(numbers, kind="tokens", classes=names)) == [["B-PER"], ["O"]]


def test_numbers_without_names_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    read_table(jsonl(tmp_path / "a.jsonl", [{"tokens": ["a", "b"], "ner_tags": [0, 1]}] * 3))
    assert "tags are numbers without names" in caplog.text


def test_broken_tags_are_counted_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        read_table(written(tmp_path / "a.conll", "a B-X\nb I-X\n\nc B-X\nd O\n\ne O\nf I-X\n"))
    assert "read as BIO (IOB2), 1 entity types" in caplog.text
    assert "row 7: 1 of 6 tags break that scheme, the first is 'I-X' at word 2" in caplog.text


def test_texts_to_predict_need_no_words(tmp_path: Path) -> None:
    table = read_table(written(tmp_path / "a.csv", "text\nAnna slept\n"), kind="tokens", labelled=False)
    assert table.examples[0].first == "Anna slept" and table.examples[0].words is None
    table = read_table(written(tmp_path / "b.conll", "Anna\nslept\n\nno\n"), kind="tokens", labelled=False)
    assert words(table) == [["Anna", "slept"], ["no"]]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.conll", "", "expected rows with a text and a label, got none"),
        ("a.conll", "\n\n", "expected rows with a text and a label, got none"),
        ("a.conll", "a B-X\nb\n", "row 2: expected 2 columns as in the rows before, got 1"),
        ("a.conll", "a\nb\n", "row 1: expected a word and its tag, got 'a' alone"),
        ("a.conll", "a O\nb O\n", "expected at least two tags in column 'tags', got only 'O'"),
        (
            "a.jsonl",
            '{"tokens": ["a"], "ner_tags": ["O", "B-X"]}',
            "row 1: expected a tag for each of the 1 words, got 2",
        ),
        ("a.jsonl", '{"tokens": ["a", ""], "ner_tags": ["O", "O"]}', "row 1: expected a word at place 2"),
        ("a.jsonl", '{"tokens": ["a", 3], "ner_tags": ["O", "O"]}', "row 1: expected a word at place 2 .* got 3"),
        ("a.jsonl", '{"tokens": ["a"], "ner_tags": [null]}', "row 1: expected a tag at place 1"),
        ("a.jsonl", '{"tokens": [], "ner_tags": []}', "row 1: expected a text in column 'tokens'"),
        (
            "a.jsonl",
            '{"words": ["a"], "kinds": ["O"]}',
            r"expected a column of tags \(ner_tags, .*got \['words', 'kinds'\]",
        ),
        ("a.parquet", "PAR1", "not readable as Parquet"),
    ],
)
def test_hopeless_files_are_refused_by_their_rows(name: str, text: str, message: str, tmp_path: Path) -> None:
    if name == "a.parquet":
        pytest.importorskip("pyarrow")
    with pytest.raises(ValueError, match=message):
        read_table(written(tmp_path / name, text), kind="tokens")


def test_tags_of_a_second_file_must_be_known(tmp_path: Path) -> None:
    path = written(tmp_path / "a.conll", "a O\nb B-Z\n")
    with pytest.raises(ValueError, match=r"row 1: expected tags in column 'tags' that are known .* got 'B-Z'"):
        read_table(path, classes=("O", "B-X"))


def test_columns_that_are_no_words_are_no_sentences(tmp_path: Path) -> None:
    assert not holds_sentences(jsonl(tmp_path / "a.jsonl", [{"text": "a", "tags": ["x"]}]))
    assert not holds_sentences(written(tmp_path / "a.csv", "tokens,tags\na,O\n"))
