"""Every tensor is used, harmless, or named."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification, BertModel

from subarch.networks.auditing import audit
from subarch.networks.outputs import Head

SIZES = {"num_hidden_layers": 2, "hidden_size": 8, "num_attention_heads": 2, "intermediate_size": 12, "vocab_size": 20}
CLASSES = Head("classification", "BertForSequenceClassification", "", "AutoModelForSequenceClassification")
PLAIN = Head("encoder", "BertModel", "none", "AutoModel")


def shapes(kind: Any = BertForSequenceClassification, **changes: Any) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        model = kind(BertConfig(**{**SIZES, **changes}))
    return {name: tuple(one.shape) for name, one in model.state_dict().items()}


def audited(found: dict[str, tuple[int, ...]], head: Head = CLASSES, **changes: Any) -> list[str]:
    config = {**SIZES, **changes}
    return audit("mine", config, BertConfig(**config), head, found)


def test_a_network_of_its_own_config_is_accounted_for() -> None:
    assert audited(shapes()) == []
    assert audited(shapes(BertModel), PLAIN) == []


LAYER = "bert.encoder.layer.0.attention.self.query"


@pytest.mark.parametrize(
    ("more", "changes", "words"),
    [
        (
            {},
            {"hidden_size": 16},
            r"embeddings.* has the size .*8 in the weights and .*16 by the config",
        ),
        ({}, {"num_hidden_layers": 3}, r"lack \d+ tensors that its config asks for \(such as bert.encoder.layer.2"),
        ({}, {"num_hidden_layers": 1}, "its weights have 2 layers, its config 1"),
        ({f"{LAYER}.lora_A.weight": (2, 8)}, {}, "an adapter that was not merged"),
        ({"bert.encoder.layer.0.attention.self.distance_embedding.weight": (9, 4)}, {}, "relative positions"),
        ({"bert.encoder.extra.weight": (2, 2)}, {}, "the network would answer otherwise than it was trained to"),
    ],
)
def test_an_encoder_that_does_not_fit_is_refused(
    more: dict[str, tuple[int, ...]], changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        audited({**shapes(), **more}, **changes)


def test_the_names_of_a_wrapper_are_told() -> None:
    wrapped = {f"module.{name}": shape for name, shape in shapes().items()}
    with pytest.raises(ValueError, match=r"begin with the prefix 'module\.'.*removeprefix\('module\.'\)"):
        audited(wrapped)


def test_what_a_head_has_too_much_or_too_little_is_said() -> None:
    three = audited({**shapes(), "classifier.weight": (3, 8), "classifier.bias": (3,)})
    assert len(three) == 2 and all("the tensor classifier." in words for words in three)
    without = {name: shape for name, shape in shapes().items() if not name.startswith("classifier")}
    (lacks,) = audited(without)
    assert lacks.startswith("its weights lack 2 tensors that its head BertForSequenceClassification has")
    (more,) = audited({**shapes(), "regressor.weight": (1, 8)})
    assert "1 tensors that its class BertForSequenceClassification does not ask for (such as regressor.weight)" in more
    # What is left from a pre-training behind another head says nothing.
    assert audited({**shapes(), "cls.predictions.transform.dense.weight": (8, 8)}) == []
