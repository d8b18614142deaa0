"""Networks that answer: what they say, in which order, and what has no answers to give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny import config, encoder, tokenizer
from transformers import BertForSequenceClassification

from subarch.jobs.answering import opened
from subarch.tasks.kinds.table import kind_of
from subarch.text.examples import Example

TEXTS = ["the film is very good", "bad", "a long story of the actor and the play"]


def network(folder: Path, *names: str) -> Any:
    """A classifier with random weights, as the stock library writes it."""
    torch.manual_seed(0)
    made = BertForSequenceClassification(config(id2label=dict(enumerate(names))))  # type: ignore[arg-type]
    made.save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return made.eval()


def test_it_says_what_the_stock_library_says(tmp_path: Path) -> None:
    stock = network(tmp_path, "blame", "praise")
    found = opened(str(tmp_path), threads=1)
    assert (found.name, found.folder, found.artifact) == (str(tmp_path), tmp_path, None)
    assert (found.kind, found.label_names, found.texts) == (kind_of("classification"), ("blame", "praise"), None)
    seen: list[tuple[int, int]] = []
    said = found.ask([Example(text) for text in TEXTS], lambda done, total: seen.append((done, total)))
    for text, one in zip(TEXTS, said, strict=True):
        with torch.no_grad():
            assert one == pytest.approx(stock(**tokenizer()(text, return_tensors="pt")).logits[0].numpy(), abs=1e-5)
    assert seen[-1][0] == seen[-1][1]
    assert len({tuple(np.round(one, 6)) for one in said}) == 3


def test_outputs_are_found_by_the_names_of_classes(tmp_path: Path) -> None:
    network(tmp_path, "blame", "praise", "neither")
    found = opened(str(tmp_path))
    kind = kind_of("classification")
    assert found.order_for("mine", kind, ("neither", "blame", "praise")) == [2, 0, 1]
    assert not found.is_nameless
    with pytest.raises(ValueError, match=r"mine has the classes \['ham', 'spam'\], the model \['blame'"):
        found.order_for("mine", kind, ("ham", "spam"))
    with pytest.raises(ValueError, match="mine is a regression, the model's head is made for classification"):
        found.order_for("mine", kind_of("regression"), ())


def test_a_model_whose_classes_nobody_named_is_nameless(tmp_path: Path) -> None:
    network(tmp_path, "LABEL_0", "LABEL_1")
    assert opened(str(tmp_path)).is_nameless


def test_a_form_is_only_of_an_export_and_the_kind_is_the_models(tmp_path: Path) -> None:
    network(tmp_path, "blame", "praise")
    with pytest.raises(ValueError, match=r"--artifact onnx is a form of an export, .* is none"):
        opened(str(tmp_path), artifact="onnx")
    with pytest.raises(ValueError, match="was made for classification: leave --kind away"):
        opened(str(tmp_path), kind="regression")
    assert opened(str(tmp_path), kind="classification").label_names == ("blame", "praise")


def test_an_encoder_has_no_answers(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no head"):
        opened(str(encoder(tmp_path)))
