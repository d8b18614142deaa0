"""Fine-tuned networks as stock checkpoints: saved whole, and opened by what they say they were made for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import config, encoder, tokenizer
from transformers import BertForMaskedLM

from subarch.learning.checkpoints import (
    kind_of_head,
    longest_text,
    open_fitted,
    save_checkpoint,
)
from subarch.learning.heads import Target, from_architecture
from subarch.learning.purposes import PURPOSE, Purpose
from subarch.networks.checkpoints import open_checkpoint
from subarch.tasks.kinds.classification import Classification
from subarch.tasks.kinds.table import kind_of
from subarch.text.examples import Example

LEARNER = from_architecture(config(), tokenizer(), Target(kind_of("classification"), ("bad", "good")), "reviews", 24)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_checkpoint(LEARNER.make(0), LEARNER, tmp_path / "checkpoint", Purpose(kind="classification", seed=3))
    return tmp_path / "checkpoint"


def test_what_is_saved_is_opened_with_all_that_it_says(folder: Path) -> None:
    fitted = open_fitted(folder)
    assert (fitted.kind, fitted.label_names, fitted.length, fitted.task) == (
        "classification",
        ("bad", "good"),
        24,
        "reviews",
    )
    assert Purpose.read(folder) == Purpose(kind="classification", seed=3)
    again = LEARNER.make(0).state_dict()
    assert all(torch.equal(value, again[name]) for name, value in fitted.model.state_dict().items())
    assert not fitted.model.training
    lengths = fitted.tokens([Example("good film"), Example("good " * 60)]).lengths
    assert lengths.tolist() == [4, 24]  # with the marks at both ends, and cut
    assert not fitted.is_nameless and fitted.order_for("mine", kind_of("classification"), ("good", "bad")) == [1, 0]


def test_an_older_one_is_replaced_as_a_whole(folder: Path) -> None:
    (folder / "left-over.txt").write_text("of the older one")
    (folder.parent / "checkpoint.unfinished").mkdir()  # of a process that was killed
    save_checkpoint(LEARNER.make(1), LEARNER, folder)
    assert not (folder / "left-over.txt").exists() and not (folder / PURPOSE).exists()
    assert [path.name for path in folder.parent.iterdir()] == ["checkpoint"]


@pytest.mark.parametrize("content", [None, "{", "[]"])
def test_a_checkpoint_that_does_not_say_what_it_was_made_for(content: str | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / PURPOSE).write_text(content)
    assert Purpose.read(tmp_path) == Purpose()
    assert kind_of_head(tmp_path, "regression") == "regression"


def test_a_kind_of_ones_own_is_not_run_unasked(tmp_path: Path) -> None:
    (tmp_path / PURPOSE).write_text(json.dumps({"kind": "mine:Kind"}))
    with pytest.raises(ValueError, match="was made for the kind mine:Kind, whose code is not run unasked: give --kind"):
        kind_of_head(tmp_path, "classification")
    asked = Classification("mine:Kind")
    assert kind_of_head(tmp_path, "classification", asked) is asked
    with pytest.raises(ValueError, match="made for the kind mine:Kind"):
        kind_of_head(tmp_path, "classification", kind_of("classification"))


@pytest.mark.parametrize(
    ("said", "head", "kind"),
    [
        ("choice", "choice", "choice"),
        ("regression", "classification", "classification"),  # the head is what it is
        ("no such kind", "regression", "regression"),
    ],
)
def test_what_a_folder_says_counts_where_its_head_is_of_that_kind(
    said: str, head: str, kind: str, tmp_path: Path
) -> None:
    (tmp_path / PURPOSE).write_text(json.dumps({"kind": said}))
    assert kind_of_head(tmp_path, head) == kind


def test_networks_without_a_head_for_a_task_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"has no head for a task .*fine-tune it first"):
        open_fitted(encoder(tmp_path / "encoder"))
    BertForMaskedLM(config()).save_pretrained(tmp_path / "speaking")
    tokenizer().save_pretrained(tmp_path / "speaking")
    with pytest.raises(ValueError, match="BertForMaskedLM"):
        open_fitted(tmp_path / "speaking")


@pytest.mark.parametrize(("said", "length"), [(40, 40), (9999, 64), (10**30, 64)])
def test_texts_are_cut_to_what_the_tokenizer_says_as_far_as_there_are_positions(
    said: int, length: int, tmp_path: Path
) -> None:
    made: Any = tokenizer()
    made.model_max_length = said
    assert longest_text(open_checkpoint(encoder(tmp_path)), made) == length
