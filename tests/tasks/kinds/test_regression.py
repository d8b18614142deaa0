"""A number a text: what is taken for granted of a kind, and numbers by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from subarch.tasks.kinds.table import kind_of
from subarch.testing import KindSuite
from subarch.text.examples import Example


class TestRegression(KindSuite):
    kind = "regression"
    examples = (Example("a bad film", label=1.0), Example("a good one", label=4.5), Example("a fine one", label=3.0))
    labels = ("1.5", "4", "3") * 4
    wrong = "many"


KIND = kind_of("regression")
EXAMPLES = [Example("a", label=1.0), Example("b", label=2.0), Example("c", label=6.0)]


def test_numbers_are_learned_in_standard_units() -> None:
    units = KIND.units([1.0, 2.0, 6.0])
    assert units == (3.0, pytest.approx(np.std([1.0, 2.0, 6.0])))
    assert KIND.units([4.0, 4.0]) == (4.0, 1.0)  # nothing to divide by
    logits = torch.tensor([[0.5], [-1.0]])
    batch = {"labels": torch.tensor([1.0, 6.0])}
    by_hand = np.mean([(0.5 - (1 - 3) / units.scale) ** 2, (-1 - (6 - 3) / units.scale) ** 2])
    assert float(KIND.loss(logits, batch, units)) == pytest.approx(by_hand, rel=1e-5)
    assert KIND.loss_of(np.array([0.5]), EXAMPLES[0], units) == pytest.approx((0.5 - (1 - 3) / units.scale) ** 2)
    said = KIND.rows_said([np.array([0.0]), np.array([1.0])], 1, units)
    assert said[:, 0].tolist() == pytest.approx([3.0, 3.0 + units.scale])


def test_splits_get_their_share_of_every_quarter() -> None:
    many = [Example("", label=float(n % 10)) for n in range(400)]
    strata = KIND.strata(many, ())
    assert {name: strata.count(name) for name in set(strata)} == {f"quarter {n}": 100 for n in (1, 2, 3, 4)}
    assert max(one.label for one, name in zip(many, strata, strict=True) if name == "quarter 1") <= 3  # type: ignore[type-var]
    assert KIND.strata(EXAMPLES, ()) == ["all"] * 3


def test_mistakes_are_residuals_above_the_tolerance() -> None:
    labels, said = np.array([[1.0], [2.0], [6.0]]), np.array([[1.0], [4.0], [5.0]])
    assert KIND.tolerance(labels, said) == pytest.approx(np.sqrt(5 / 3))
    assert KIND.wrong(labels, said, None).tolist() == [False, True, False]
    assert KIND.wrong(labels, said, 0.5).tolist() == [False, True, True]
    assert KIND.agreement(labels, said) == pytest.approx(np.corrcoef(labels[:, 0], said[:, 0])[0, 1])
    assert KIND.agreement(labels, np.ones((3, 1))) == 0


def test_a_teacher_in_other_units_is_refused_unless_that_is_wanted() -> None:
    labels = np.array([[1.0], [2.0], [6.0]])
    with pytest.raises(ValueError, match=r"correlation 1\.000\) but in other units"):
        KIND.ability(labels, 10 * labels)
    assert KIND.ability(labels, 10 * labels, override=True).value == pytest.approx(1)


def test_one_output_is_no_two_classes() -> None:
    with pytest.raises(ValueError, match=r"made for regression .it has one output: a number from 0 to 1"):
        kind_of("classification").places("mine", ("0", "1"), of=KIND, among=())
    assert KIND.instead_of(("a", "b")) == "" and KIND.places("mine", (), of=KIND, among=()) is None
    assert KIND.answer(np.array([2.5]), ()) == {"value": 2.5} and KIND.answer(None, ()) == {"value": None}
    assert KIND.in_words(np.array([2.3456]), (), EXAMPLES[0]) == "2.35"
