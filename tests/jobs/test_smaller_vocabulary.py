"""``compress --vocabulary texts``: the student has the pieces of the training rows alone; the teacher stays whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from compressing import given
from tiny import WORDS, config, reviews, write
from transformers import AutoModelForSequenceClassification, AutoTokenizer, BertModel

from commands import Command, refused
from subarch.cli import main
from subarch.text.tokenizers import train_tokenizer

pytest.importorskip("onnxruntime")

MORE = ["zephyr", "quixotic"]


@pytest.fixture(scope="module")
def compressed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    torch.manual_seed(0)
    BertModel(config()).save_pretrained(folder / "encoder")
    tokenizer = train_tokenizer([" ".join([*WORDS, *MORE])] * 50, 400)
    tokenizer.model_input_names = ["input_ids", "token_type_ids", "attention_mask"]
    tokenizer.save_pretrained(folder / "encoder")
    assert all(word in tokenizer.get_vocab() for word in MORE)
    write(folder / "reviews.csv", [*reviews(900)])
    rows = [(f"{text} {MORE[1]}", label) for text, label in reviews(40, seed=5)]
    write(folder / "sealed.csv", rows)
    asked = given(folder, folder / "run", "--vocabulary", "texts")
    assert main([*asked, f"task.test_data={folder / 'sealed.csv'}"]) == 0
    return folder


def test_the_student_knows_the_pieces_of_the_training_rows_alone(compressed: Path) -> None:
    run = compressed / "run"
    result: dict[str, Any] = json.loads((run / "compress.json").read_text(encoding="utf-8"))
    cut = result["extract"]["vocabulary"]
    checkpoint = result["finetune"]["checkpoint"]
    model: Any = AutoModelForSequenceClassification.from_pretrained(checkpoint)
    student: Any = AutoTokenizer.from_pretrained(checkpoint)
    assert model.config.vocab_size == cut["pieces"] == len(student) < cut["pieces_before"]
    known = student.get_vocab()
    # One of the words stands in no row, the other in sealed rows alone: both fall to single letters.
    assert set(WORDS) <= set(known) and not set(MORE) & set(known)
    assert student.tokenize(MORE[1])[:2] == ["q", "##u"]
    assert student.tokenize(" ".join(WORDS)) == WORDS
    assert result["verify"]["accepted"]
    assert json.loads((run / "pretrain" / "config.json").read_text())["vocab_size"] == cut["pieces"]


def test_the_teacher_that_it_is_measured_against_is_whole(compressed: Path) -> None:
    run = compressed / "run"
    result: dict[str, Any] = json.loads((run / "compress.json").read_text(encoding="utf-8"))
    teacher = run / "teacher" / "finetune" / "reviews" / "checkpoint"
    assert json.loads((teacher / "config.json").read_text())["vocab_size"] == 400
    assert result["extract"]["source"]["name"] == str(teacher) == result["extract"]["vocabulary"]["source"]
    rungs = [one["name"] for one in result["ladder"]["rungs"]]
    assert "teacher" in rungs


def test_it_is_told(compressed: Path) -> None:
    run = compressed / "run"
    cut = json.loads((run / "compress.json").read_text(encoding="utf-8"))["extract"]["vocabulary"]
    words = f"{cut['pieces']} of {cut['pieces_before']} pieces"
    card = (run / "README.md").read_text(encoding="utf-8")
    assert "## The vocabulary" in card and words in card and "are taken apart anew" in card
    assert words in (run / "report.html").read_text(encoding="utf-8")
    certificate = json.loads((run / "certificate.json").read_text(encoding="utf-8"))
    assert certificate["objectives"]["error"]["vocabulary"] == cut


def test_it_is_part_of_what_a_run_is(compressed: Path, subarch: Command) -> None:
    sealed = f"task.test_data={compressed / 'sealed.csv'}"
    refused(subarch(*given(compressed, compressed / "run"), sealed), "begun with other settings (--vocabulary;")
    asked = given(compressed, compressed / "other", "--vocabulary", "texts")
    refused(subarch(*asked, "pretrain.logits=1.0"), "pretrain.logits compares what two networks say of one vocabulary")
    assert not (compressed / "other").exists()
