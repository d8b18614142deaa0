"""The network that learns: what fits together, and what it begins with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import WORDS, config, encoder, tokenizer
from torch import nn
from transformers import BertForMaskedLM, ElectraConfig, ElectraModel

from subarch.learning.students import Student, open_student
from subarch.learning.teachers import open_teacher
from subarch.text.corpora import open_corpus
from subarch.text.tokenizers import train_tokenizer


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus, a headless source, a teacher that speaks, and another tokenizer."""
    folder = tmp_path_factory.mktemp("students")
    (folder / "texts.txt").write_text("\n\n".join(" ".join(WORDS[n:] + WORDS[:n]) for n in range(20)))
    encoder(folder / "source")
    torch.manual_seed(1)
    BertForMaskedLM(config()).save_pretrained(folder / "speaking")
    tokenizer().save_pretrained(folder / "speaking")
    BertForMaskedLM(config(vocab_size=700)).save_pretrained(folder / "wide")
    many = [f"{a}{b}{c}" for a in "abcdefgh" for b in "ijklmnop" for c in "qrstuvw"]
    train_tokenizer([" ".join(many)], 700).save_pretrained(folder / "wide")
    train_tokenizer(["entirely other words than those"] * 9, 300).save_pretrained(folder / "another")
    return folder


def opened(place: Path, architecture: Any = None, **given: Any) -> Student:
    asked: dict[str, Any] = {
        "initialize": "scratch",
        "source": None,
        "teacher": None,
        "tokenizer": None,
        "corpus": open_corpus(place / "texts.txt"),
        "cache": place / "cache",
    }
    shape = config(num_hidden_layers=1, hidden_size=16).to_dict() if architecture is None else architecture
    return open_student(shape, **(asked | given))


def test_without_anything_a_tokenizer_is_trained_on_the_corpus(place: Path) -> None:
    student = opened(place)
    assert student.source is None and student.longest == 64
    assert student.vocabulary.size <= 400
    assert student.config["pad_token_id"] == student.vocabulary.padding
    unknown = student.tokenizer.unk_token_id
    assert unknown not in student.tokenizer("good film")["input_ids"]


def test_the_teachers_tokenizer_is_taken_where_it_fits(place: Path) -> None:
    teacher = open_teacher(str(place / "speaking"))
    student = opened(place, teacher=teacher)
    assert student.vocabulary.fingerprint == teacher.vocabulary.fingerprint
    wide = open_teacher(str(place / "wide"))
    assert wide.vocabulary.size > 400
    assert opened(place, teacher=wide).vocabulary.fingerprint == opened(place).vocabulary.fingerprint


def test_one_that_inherits_reads_as_its_source_and_is_told_by_it(place: Path) -> None:
    student = opened(place, initialize="inherit", source=str(place / "source"))
    assert student.source is not None and student.source.checkpoint == place / "source"
    scratch = opened(place, tokenizer=place / "source")
    assert student.vocabulary.fingerprint == scratch.vocabulary.fingerprint
    assert student.fingerprint != scratch.fingerprint and scratch.fingerprint["source"] is None
    taught = opened(place, initialize="inherit", teacher=open_teacher(str(place / "speaking")))
    assert taught.source is not None and taught.source.name == str(place / "speaking")


@pytest.mark.parametrize(
    ("width", "narrow", "fits"), [(32, 16, True), (32, 32, False), (24, 24, True), (24, 16, False)]
)
def test_embeddings_are_as_wide_as_by_their_make(
    place: Path, tmp_path: Path, width: int, narrow: int, fits: bool
) -> None:
    """As wide as the layers, however wide these are, where the source has no projection between the two."""
    torch.manual_seed(0)
    shape: dict[str, Any] = {name: value for name, value in config().to_dict().items() if name != "model_type"}
    source = ElectraModel(ElectraConfig(**{**shape, "embedding_size": width}))
    source.save_pretrained(tmp_path)
    tokenizer().save_pretrained(tmp_path)
    smaller = ElectraConfig(**{**shape, "hidden_size": 16, "num_attention_heads": 1, "embedding_size": narrow})
    asked: dict[str, Any] = {"initialize": "inherit", "source": str(tmp_path)}
    if fits:
        assert opened(place, smaller.to_dict(), **asked).source is not None
    else:
        with pytest.raises(ValueError, match="has embeddings of its width"):
            opened(place, smaller.to_dict(), **asked)


def test_random_weights_are_torchs_own_and_dropout_is_for_training_alone(place: Path) -> None:
    student = opened(place)
    made = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        made.append(student.built(None, seed=0, dropout=0.25))  # type: ignore[arg-type]
    one, same, other = (model.get_input_embeddings().weight for model in made)
    assert torch.equal(one, same) and not torch.equal(one, other)
    assert {module.p for module in made[0].modules() if isinstance(module, nn.Dropout)} == {0.25}
    assert made[0].config.hidden_dropout_prob == 0.1
    assert made[0].get_output_embeddings() is not None


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"source": "SOURCE"}, "initialize is 'scratch': leave one of the two out"),
        ({"initialize": "inherit"}, "a source with weights is needed, got none"),
        ({"initialize": "inherit", "source": "bort"}, "expected a source with weights, got the preset 'bort'"),
        (
            {"initialize": "inherit", "source": "SOURCE", "tokenizer": "ANOTHER"},
            "reads with its source's tokenizer, got another one",
        ),
        ({"tokenizer": "SOURCE", "architecture": {"vocab_size": 60}}, "tokens, the architecture's vocab_size is 60"),
        (
            {"initialize": "inherit", "source": "SOURCE", "architecture": {"max_position_embeddings": 32}},
            "has its max_position_embeddings 64, got 32",
        ),
        ({"architecture": {"is_decoder": True}}, "decoder"),
    ],
)
def test_what_does_not_fit_together_is_refused(given: dict[str, Any], words: str, place: Path) -> None:
    names = {"SOURCE": str(place / "source"), "ANOTHER": place / "another"}
    asked = {name: names.get(value, value) if isinstance(value, str) else value for name, value in given.items()}
    shape = config(num_hidden_layers=1, hidden_size=16).to_dict() | asked.pop("architecture", {})
    with pytest.raises(ValueError, match=words):
        opened(place, shape, **asked)
