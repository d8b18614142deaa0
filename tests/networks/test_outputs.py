"""What is behind an encoder: told by the config, or by the tensors."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers

from subarch.networks.outputs import HeadKind, head_of

SIZES = {"num_hidden_layers": 1, "hidden_size": 8, "num_attention_heads": 2, "intermediate_size": 8, "vocab_size": 20}


def read(name: str, *, named: bool = True, word: str | None = None, **given: Any) -> Any:
    """What is read of a network of the stock library, as a file would have it."""
    config = transformers.BertConfig(**SIZES, **given)  # type: ignore[arg-type]
    with torch.device("meta"):
        model = getattr(transformers, name)(config)
    shapes = {tensor: tuple(value.shape) for tensor, value in model.state_dict().items()}
    return head_of({"architectures": [name]} if named else {}, config, shapes, None, word)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("BertForSequenceClassification", "classification"),
        ("BertForMaskedLM", "masked-lm"),
        ("BertModel", "encoder"),
        ("BertForTokenClassification", "tokens"),
        ("BertForQuestionAnswering", "other"),
        ("BertForNextSentencePrediction", "other"),
    ],
)
def test_names_and_tensors_tell_the_same(name: str, kind: HeadKind) -> None:
    for named in (True, False):
        head, left = read(name, named=named)
        assert (head.kind, head.name) == (kind, name)
        assert bool(left) == (kind == "other")
        assert head.opened_by(transformers.BertConfig()) is getattr(transformers, name)


def test_a_choice_is_told_by_its_name() -> None:
    head, left = read("BertForMultipleChoice")
    assert head.kind == "choice" and head.scores_candidates and not left
    assert not read("BertModel")[0].scores_candidates


@pytest.mark.parametrize("prefix", ["TF", "Flax"])
def test_names_of_other_frameworks_mean_the_same(prefix: str) -> None:
    config = transformers.BertConfig(**SIZES)  # type: ignore[arg-type]
    head, _ = head_of({"architectures": [f"{prefix}BertForMaskedLM"]}, config, {}, None, None)
    assert (head.kind, head.name) == ("masked-lm", "BertForMaskedLM")


def test_a_class_that_nobody_knows_is_read_as_its_encoder() -> None:
    config = transformers.BertConfig(**SIZES)  # type: ignore[arg-type]
    head, left = head_of({"architectures": ["BertForThings"]}, config, {}, None, None)
    assert (head.kind, head.stock) == ("other", "AutoModel")
    assert left == ["its head BertForThings (something that the stock library does not know) is not read"]


@pytest.mark.parametrize(
    ("given", "word", "kind", "words"),
    [
        ({"num_labels": 3}, None, "classification", None),
        ({"num_labels": 3}, "Softmax", "classification", None),
        ({"num_labels": 3}, "Tanh", "classification", "go through Tanh, expected a softmax"),
        ({"num_labels": 3}, "Sigmoid", "multilabel", None),
        ({"num_labels": 3, "problem_type": "multi_label_classification"}, "Tanh", "multilabel", "expected a sigmoid"),
        ({"num_labels": 3, "problem_type": "multi_label_classification"}, None, "multilabel", None),
        ({"num_labels": 3, "problem_type": "regression"}, None, "regression", "gives 3 numbers, expected one"),
        ({"num_labels": 1}, None, "regression", None),
        ({"num_labels": 1}, "Sigmoid", "regression", None),
    ],
)
def test_outputs_of_a_classifier(given: dict[str, Any], word: str | None, kind: str, words: str | None) -> None:
    head, left = read("BertForSequenceClassification", word=word, **given)
    assert head.kind == kind
    assert left == [] if words is None else words in left[0]
