"""What candidates learn of a source that answers: what its kind says of the two networks' outputs."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest
import torch
from scipy.spatial.distance import jensenshannon
from scipy.special import rel_entr, softmax
from torch import nn
from transformers import BertConfig, BertForSequenceClassification

from subarch.learning import distances
from subarch.learning.distances import DISTANCES, Answers, Imitation
from subarch.tasks.kinds.table import kind_of

# ---------------------------------------------------------------------- by what outputs are

RNG = np.random.default_rng(1)
LOGITS = [torch.tensor(RNG.normal(size=(2, 4, 5))) for _ in range(2)]  # (batch, sequence, classes)
MASK = torch.tensor([[1, 1, 1, 0], [1, 1, 0, 0]])


class Says(nn.Module):
    """The same, whatever it reads."""

    def __init__(self, value: torch.Tensor) -> None:
        super().__init__()
        self.value = value


def imitated(predicted: Any, source: torch.Tensor, own: torch.Tensor, **batch: torch.Tensor) -> tuple[Any, Any]:
    """Losses and errors."""
    objective = Imitation(Says(source), DISTANCES[predicted], lambda network, _: network.value)
    prepared = objective.prepared({"input_ids": torch.zeros(2, 4), **batch})
    return objective.losses(Says(own), prepared).numpy(), objective.errors(Says(own), prepared).numpy()


def divergences(*places: tuple[int, int]) -> list[float]:
    """Kullback-Leibler divergences at places of the sequences, by SciPy."""
    one, other = (softmax(logits.numpy(), axis=-1) for logits in LOGITS)
    return [float(rel_entr(one[place], other[place]).sum()) for place in places]


def test_every_word_for_outputs_has_a_distance_that_is_zero_for_the_same() -> None:
    from subarch.networks.family import Predicted

    assert {*DISTANCES} == {*get_args(Predicted)}
    for predicted in DISTANCES:
        value = LOGITS[0][:, 0] if predicted in ("classes", "numbers") else LOGITS[0]
        for found in imitated(predicted, value, value, masked=MASK.bool()):
            assert np.abs(found).max() < 1e-12


def test_classes_are_learned_by_one_divergence_and_judged_by_another() -> None:
    losses, errors = imitated("classes", LOGITS[0][:, 0], LOGITS[1][:, 0])
    assert losses == pytest.approx(divergences((0, 0), (1, 0)))
    one, other = (softmax(logits[:, 0].numpy(), axis=-1) for logits in LOGITS)
    assert errors == pytest.approx([jensenshannon(a, b, base=2) ** 2 for a, b in zip(one, other, strict=True)])


def test_numbers_of_any_shape_differ_by_their_mean_square() -> None:
    losses, errors = imitated("numbers", *LOGITS)
    assert losses == pytest.approx((LOGITS[0] - LOGITS[1]).square().mean((1, 2)).numpy()) and (losses == errors).all()
    flat, _ = imitated("numbers", LOGITS[0][:, 0, 0], LOGITS[1][:, 0, 0])
    assert flat == pytest.approx((LOGITS[0] - LOGITS[1]).square()[:, 0, 0].numpy())


def test_tokens_count_where_they_are_no_padding() -> None:
    losses, errors = imitated("tokens", *LOGITS, attention_mask=MASK)
    assert losses == pytest.approx(divergences((0, 0), (0, 1), (0, 2), (1, 0), (1, 1)))
    assert len(errors) == 5 and 0 < errors.min() < errors.max() < 1
    assert len(imitated("tokens", *LOGITS)[0]) == 8


def test_the_next_token_is_judged_where_there_is_one() -> None:
    losses, errors = imitated("causal-lm", *LOGITS, attention_mask=MASK)
    assert losses == pytest.approx(divergences((0, 0), (0, 1), (1, 0))) and (losses == errors).all()
    assert len(imitated("causal-lm", *LOGITS)[0]) == 6


def test_of_an_answer_its_own_mask_counts() -> None:
    """An encoder that reads as many tokens has another one."""
    losses, _ = imitated("causal-lm", *LOGITS, attention_mask=torch.ones(2, 4), decoder_attention_mask=MASK)
    assert losses == pytest.approx(divergences((0, 0), (0, 1), (1, 0)))
    assert len(imitated("tokens", *LOGITS, attention_mask=torch.ones(2, 7))[0]) == 8


def test_masked_tokens_count_alone() -> None:
    where = torch.tensor([[False, True, False, False], [True, False, False, True]])
    losses, errors = imitated("masked-lm", *LOGITS, masked=where)
    assert losses == pytest.approx(divergences((0, 1), (1, 0), (1, 3))) and (losses == errors).all()


def test_states_may_have_any_width_and_padding() -> None:
    wide = torch.cat([LOGITS[0], torch.zeros(2, 4, 3)], -1)
    assert np.abs(imitated("states", LOGITS[0], wide, attention_mask=MASK)[1]).max() < 1e-12
    padded = LOGITS[1] + 9 * (1 - MASK).unsqueeze(-1)
    one, other = (imitated("states", LOGITS[0], own, attention_mask=MASK)[1] for own in (LOGITS[1], padded))
    assert one == pytest.approx(other) and 0 < one.max() <= 1


def test_what_a_source_says_of_a_large_vocabulary_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = imitated("causal-lm", *LOGITS)[0]
    monkeypatch.setattr(distances, "_KEPT", 3)
    objective = Imitation(Says(LOGITS[0]), DISTANCES["causal-lm"], lambda network, _: network.value)
    prepared = objective.prepared({"input_ids": torch.zeros(2, 4)})
    assert [*prepared] == ["input_ids"] and (objective.losses(Says(LOGITS[1]), prepared).numpy() == kept).all()


# ---------------------------------------------------------------------- of tasks


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
