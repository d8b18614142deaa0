"""Which tensors a network wants and which a checkpoint has: against the network's own state."""

from __future__ import annotations

import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification, BertModel

from subarch.networks.comparing import compared, in_encoder

CONFIG = BertConfig(
    num_hidden_layers=1, hidden_size=8, num_attention_heads=2, intermediate_size=8, vocab_size=20, num_labels=2
)


def own() -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        return {name: tuple(one.shape) for name, one in BertForSequenceClassification(CONFIG).state_dict().items()}


def test_its_own_tensors_are_all_that_it_wants() -> None:
    found = compared(BertForSequenceClassification, CONFIG, own())
    assert (found.missing, found.unexpected, found.mismatched) == ((), (), ())
    assert {"embeddings", "encoder"} <= found.parts
    assert CONFIG.num_labels == 2  # the config that was given is as it was


def test_what_lacks_what_is_left_and_what_is_of_another_size() -> None:
    shapes = own()
    del shapes["bert.encoder.layer.0.output.dense.weight"]
    shapes["classifier.weight"] = (3, 8)
    shapes |= {"bert.encoder.layer.1.output.dense.weight": (8, 8), "regressor.weight": (1, 8)}
    found = compared(BertForSequenceClassification, CONFIG, shapes)
    assert found.missing == ("bert.encoder.layer.0.output.dense.weight",)
    assert found.mismatched == (("classifier.weight", (3, 8), (2, 8)),)
    assert found.inside(BertForSequenceClassification) == ["bert.encoder.layer.1.output.dense.weight"]
    assert found.outside(BertForSequenceClassification) == ["regressor.weight"]


@pytest.mark.parametrize(
    "name", ["bert.embeddings.position_ids", "cls.seq_relationship.weight", "cls.predictions.decoder.weight"]
)
def test_what_changes_nothing_is_not_counted(name: str) -> None:
    assert compared(BertForSequenceClassification, CONFIG, {**own(), name: (1, 2)}).unexpected == ()


def test_names_with_and_without_the_encoders_prefix_fit() -> None:
    bare = {name.removeprefix("bert."): shape for name, shape in own().items() if name.startswith("bert.")}
    found = compared(BertModel, CONFIG, bare)
    assert (found.missing, found.unexpected) == ((), ())
    assert in_encoder("bert.x", "bert", found.parts) and in_encoder("encoder.layer", "bert", found.parts)
    assert not in_encoder("classifier.weight", "bert", found.parts)
