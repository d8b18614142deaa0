"""What ``compress`` will do, and what it refuses to begin: told before anything is written."""

from __future__ import annotations

from pathlib import Path

import pytest
from compressing import given
from tiny import config, reviews, tokenizer, write
from transformers import BertForSequenceClassification

from commands import Command, refused

pytest.importorskip("onnxruntime")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--data", "none.csv"], "no such file"),
        (["--data", "glue/copa"], "glue/copa"),
        (["--data", "superglue/copa"], ""),
        (["--teacher", "{}/none"], "none"),
        (["--teacher", "{}/empty"], "empty"),
        (["--pool", "{}/none.txt"], "none.txt"),
        (["--label-column", "stars"], "stars"),
        (["--text-columns", "words"], "words"),
        (["--recipe", "desktop"], "one of bort"),
        (["--max-latency-ms", "0.00001", "--speedup", "1.1"], "cannot be met"),
        (["--speedup", "100000"], "cannot be met"),
        (["--speedup", "100000", "--dry-run"], "cannot be met"),
        (["--speedup", "-1"], "--speedup"),
        (["--speedup", "0.5"], "--speedup must be a number from 1"),
        (["--max-drop", "200"], "--max-drop"),
        (["--data", "{}/few.csv"], "texts for the search"),
        (["--data", "{}/one.csv"], ""),
        (["--threads", "0"], "--threads"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_written(
    more: list[str], said: str, inputs: Path, tmp_path: Path, subarch: Command
) -> None:
    (inputs / "empty").mkdir(exist_ok=True)
    if not (inputs / "few.csv").is_file():
        write(inputs / "few.csv", [*reviews(60)])
        write(inputs / "one.csv", [row for row in reviews(300) if "praise" in row])
    line = given(inputs, tmp_path / "run")
    place = line.index("--set")
    refused(subarch(*line[:place], *(word.format(inputs) for word in more), *line[place:]), said)
    assert not (tmp_path / "run").exists()


def test_a_teacher_with_as_many_classes_as_there_are_whole_numbers(
    inputs: Path, tmp_path: Path, subarch: Command, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [(f"{text} number {n}", str(n % 25)) for n, (text, _) in enumerate(reviews(900))]
    write(tmp_path / "intents.csv", rows)
    BertForSequenceClassification(config(num_labels=25)).save_pretrained(tmp_path / "teacher")
    tokenizer().save_pretrained(tmp_path / "teacher")
    line = given(inputs, tmp_path / "run", "--dry-run", "--data", str(tmp_path / "intents.csv"))
    place = line.index("--set")
    found = subarch(*line[:place], "--teacher", str(tmp_path / "teacher"), "--json", *line[place:]).json
    assert "taken for classes" in caplog.text
    assert "teacher" not in found["plan"]["stages"]  # it knows them


@pytest.mark.parametrize(("names", "fits"), [(("spam", "ham"), False), (("PRAISE", "BLAME"), True)])
def test_a_teacher_of_other_classes_gets_a_new_head(
    names: tuple[str, str],
    fits: bool,
    inputs: Path,
    tmp_path: Path,
    subarch: Command,
    caplog: pytest.LogCaptureFixture,
) -> None:
    labels = dict(enumerate(names))
    other = BertForSequenceClassification(config(id2label=labels, label2id={name: n for n, name in labels.items()}))
    other.save_pretrained(tmp_path / "other")
    tokenizer().save_pretrained(tmp_path / "other")
    line = given(inputs, tmp_path / "run", "--dry-run", "--teacher", str(tmp_path / "other"))
    found = subarch(*line, "--json")
    assert ("teacher" in found.json["plan"]["stages"]) == (not fits)
    assert ("made for ['spam', 'ham']" in caplog.text and "new head" in caplog.text) == (not fits)
