"""What candidates learn of a source that answers: what its kind says of the two networks' outputs."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification

from subarch.learning.distances import Answers
from subarch.tasks.kinds.table import kind_of


@pytest.mark.parametrize("name", ["classification", "multilabel", "regression"])
def test_a_source_has_no_error_and_what_differs_has_some(name: str) -> None:
    kind, sizes = kind_of(name), {"hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 16}
    more: Any = {"num_hidden_layers": 1, "vocab_size": 50, "num_labels": 1 if name == "regression" else 3}
    source, other = (BertForSequenceClassification(BertConfig(**sizes, **more)).eval() for _ in range(2))
    objective = Answers(source, kind)
    assert objective.words == kind.how_far and objective.zero
    with torch.no_grad():
        batch = objective.prepared({"input_ids": torch.arange(12).view(3, 4)})
        for values in (objective.errors(source, batch), objective.losses(source, batch)):
            assert values.shape == (3,) and values.tolist() == pytest.approx([0.0] * 3, abs=1e-9)
        assert (objective.errors(other, batch) > 0).all() and (objective.losses(other, batch) > 0).all()
