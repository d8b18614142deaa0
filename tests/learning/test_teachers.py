"""What can be learned from whom: defaults, and refusals with their reasons."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import config, encoder, tokenizer
from transformers import BertForMaskedLM

from subarch.learning.teachers import Losses, alike, open_teacher, settled
from subarch.text.tokenizers import train_tokenizer
from subarch.text.vocabulary import Vocabulary

CONFIG: dict[str, Any] = {"hidden_size": 24, "num_hidden_layers": 1}


@pytest.fixture(scope="module")
def speaking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("speaking")
    torch.manual_seed(0)
    BertForMaskedLM(config()).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def headless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return encoder(tmp_path_factory.mktemp("headless"))


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return Vocabulary.of(tokenizer())


@pytest.fixture(scope="module")
def another() -> Vocabulary:
    return Vocabulary.of(train_tokenizer(["entirely other words than those"] * 9, 300))


def test_defaults_follow_what_the_teacher_offers(
    speaking: Path, headless: Path, vocabulary: Vocabulary, another: Vocabulary
) -> None:
    assert settled(None, None, CONFIG, vocabulary) == Losses(mlm=1.0)
    published = Losses(mlm=0.1, logits=0.5, temperature=2.0)
    assert settled(None, open_teacher(str(speaking)), CONFIG, vocabulary) == published
    # 8 divides 24 and 32.
    relations = Losses(mlm=1.0, relations=1.0, relation_heads=8, teacher_layer=2)
    assert settled(None, open_teacher(str(headless)), CONFIG, vocabulary) == relations
    assert settled(None, open_teacher(str(speaking)), CONFIG, another) == relations


def test_tokenizers_are_alike_when_they_make_the_same_tokens(
    speaking: Path, vocabulary: Vocabulary, another: Vocabulary
) -> None:
    assert alike(open_teacher(str(speaking)).vocabulary, vocabulary)
    assert not alike(vocabulary, another)


@pytest.mark.parametrize(
    ("losses", "reason"),
    [
        (Losses(mlm=1.0, logits=1.0), "masked-language-model head"),
        (Losses(mlm=1.0, relations=1.0, relation_heads=5), "relation_heads must divide the hidden sizes 24 and 32"),
        (Losses(mlm=1.0, relations=1.0, teacher_layer=3), "teacher_layer must lie in 1..2"),
        (Losses(mlm=1.0), "no loss learns from it"),
    ],
)
def test_what_a_headless_teacher_cannot_give_is_refused(
    headless: Path, vocabulary: Vocabulary, losses: Losses, reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        settled(losses, open_teacher(str(headless)), CONFIG, vocabulary)


def test_logits_of_another_vocabulary_are_refused(speaking: Path, another: Vocabulary) -> None:
    with pytest.raises(ValueError, match="needs one vocabulary"):
        settled(Losses(logits=1.0), open_teacher(str(speaking)), CONFIG, another)


def test_losses_without_a_teacher_are_refused(vocabulary: Vocabulary) -> None:
    with pytest.raises(ValueError, match="expected a teacher"):
        settled(Losses(mlm=1.0, relations=1.0), None, CONFIG, vocabulary)


@pytest.mark.parametrize(
    "given", [{}, {"relations": 1.0}, {"mlm": -1.0}, {"mlm": 1.0, "temperature": 0.0}, {"mlm": float("nan")}]
)
def test_weights_out_of_range_are_refused(given: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"weight|temperature"):
        Losses(**given)


@pytest.mark.parametrize("name", ["bort", "no/such/folder"])
def test_what_is_no_teacher_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"with weights|no folder"):
        open_teacher(name)
