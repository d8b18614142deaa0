"""Examples are drawn as often as they are needed, each looked at; whatever is no batch is refused, with the call."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
import torch
from rules import Rule
from torch import Tensor

from subarch.networks.examples import beginning, digest_of, leading, some, to_judge, to_learn
from subarch.networks.space import Parameter, Space

SPACE = Space((Parameter(name="width", choices=(1, 2)),))


class Points(Rule):
    """Held out are 40 points in batches of 16; to learn from there are three batches a seed."""

    def __init__(self) -> None:
        super().__init__(SPACE, lambda width: width)

    def examples(self, seed: int, held_out: bool) -> Iterator[dict[str, Any]]:
        if held_out:
            yield from ({"input": one} for one in (torch.arange(120.0).view(40, 3) + seed).split(16))
        else:
            yield from ({"input": torch.full((4, 3), float(seed + n), dtype=torch.float64)} for n in range(3))


def values(batches: list[dict[str, Tensor]]) -> list[float]:
    return [float(batch["input"][0, 0]) for batch in batches]


def test_as_many_judge_as_are_asked_for_or_there_are() -> None:
    assert [len(batch["input"]) for batch in to_judge(Points(), 30, 0)] == [16, 14]
    assert [len(batch["input"]) for batch in to_judge(Points(), 500, 0)] == [16, 16, 8]
    assert values(to_judge(Points(), 30, 7)) == [7.0, 55.0]


def test_further_rounds_have_seeds_of_their_own() -> None:
    found = values(to_learn(Points(), 7, 5))
    assert found[:3] == [5.0, 6.0, 7.0] and len(found) == 7
    assert len({*found}) == 7 and found == values(to_learn(Points(), 7, 5))
    assert values(to_learn(Points(), 2, 5)) == [5.0, 6.0]


def test_examples_without_end_are_taken_as_needed() -> None:
    class Endless(Points):
        def examples(self, seed: int, held_out: bool) -> Iterator[dict[str, Any]]:
            return ({"input": torch.full((5, 3), float(n))} for n in count())

    assert sum(len(batch["input"]) for batch in to_judge(Endless(), 23, 0)) == 23
    assert values(to_learn(Endless(), 4, 0)) == [0.0, 1.0, 2.0, 3.0]


def test_calibration_has_forwards_arguments_alone() -> None:
    class Masked(Points):
        predicts = "masked-lm"

        def examples(self, seed: int, held_out: bool) -> Iterator[dict[str, Any]]:
            for batch in super().examples(seed, held_out):
                yield {**batch, "masked": torch.ones(len(batch["input"]), 3).bool()}

    found = some(Masked(), 9, 0)
    assert [*found[0]] == ["input"] and sum(len(batch["input"]) for batch in found) == 12
    assert {*to_judge(Masked(), 20, 0)[0]} == {"input", "masked"}


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (torch.ones(2, 3), r"examples\(seed=3, held_out=True\) gave Tensor: expected batches, each a dict of tensors"),
        ({}, "gave dict: expected batches"),
        ({"input": [1, 2]}, "gave dict: expected batches"),
        ({"input": torch.tensor(1.0)}, "gave dict: expected batches"),
        ({"input": torch.ones(2, 3), "mask": torch.ones(3, 3)}, r"a batch of \{'input': 2, 'mask': 3\} examples"),
        ({"input": torch.ones(0, 3)}, "at least one"),
        ({"input": torch.ones(2, 3)}, "gave 2 examples: expected at least 16"),
    ],
)
def test_what_is_no_batch_is_refused(batch: Any, message: str) -> None:
    class Wrong(Points):
        def examples(self, seed: int, held_out: bool) -> Iterator[dict[str, Any]]:
            yield batch

    with pytest.raises(ValueError, match=message):
        to_judge(Wrong(), 100, 3)


def test_other_faults_of_a_family_are_told() -> None:
    class Empty(Points):
        def examples(self, seed: int, held_out: bool) -> Iterator[dict[str, Any]]:
            return iter(())

    class Raising(Points):
        def examples(self, seed: int, held_out: bool) -> Iterator[dict[str, Any]]:
            yield {"input": torch.ones(4, 3)}
            raise KeyError("gone")

    class Unmasked(Points):
        predicts = "masked-lm"

    with pytest.raises(ValueError, match="gave no batch: expected some to learn from"):
        to_learn(Empty(), 1, 0)
    with pytest.raises(ValueError, match=r"family 'rule': examples\(seed=0, held_out=False\) failed: KeyError: 'gone'"):
        to_learn(Raising(), 2, 0)
    with pytest.raises(ValueError, match="gave no 'masked'"):
        to_learn(Unmasked(), 1, 0)


def test_a_digest_tells_values_names_and_shapes_apart() -> None:
    one = [{"a": torch.arange(6.0)}]
    others = [
        [{"b": torch.arange(6.0)}],
        [{"a": torch.arange(6.0).view(2, 3)}],
        [{"a": torch.arange(6)}],
        [{"a": torch.arange(6.0) + 1e-6}],
        one * 2,
    ]
    assert digest_of(one) == digest_of([{"a": torch.arange(12.0)[::2] / 2}])  # whatever lies between them in memory
    assert len({digest_of(one), *map(digest_of, others)}) == 6


def test_the_beginning_of_a_batch() -> None:
    tokens = {"input_ids": torch.arange(80).view(4, 20), "mask": torch.ones(4, 1, 20, 20)}
    assert {name: tuple(one.shape) for name, one in beginning(tokens).items()} == {
        "input_ids": (2, 16),
        "mask": (2, 1, 20, 20),
    }
    assert len(leading(tokens, 41)["input_ids"]) == 3 and len(leading({"x": torch.ones(9, 2)}, 5)["x"]) == 5
