"""A choice among candidates: what is taken for granted of a kind, and numbers by hand."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from subarch.tasks.kinds.choice import by_owner
from subarch.tasks.kinds.rows import Units
from subarch.tasks.kinds.table import kind_of
from subarch.testing import KindSuite
from subarch.text.examples import Example


class TestChoice(KindSuite):
    kind = "choice"
    examples = (
        Example("it rained", ("the road is wet", "the road is dry"), 0),
        Example("it is night", ("the sun is up", "the moon is up", "it is noon"), 1),
        Example("he fell", ("he flies", "it hurts"), 1),
    )


KIND = kind_of("choice")
EXAMPLES = [Example("a", ("x", "y", "z"), 0, right=(2,)), Example("b", ("x", "y"), 1)]


def test_all_right_candidates_share_the_label() -> None:
    assert KIND.width((), EXAMPLES) == 3
    rows = KIND.rows(EXAMPLES, 3)
    assert rows.tolist() == [[0.5, 0, 0.5], [0, 1, 0]]
    said = np.array([[0.1, 0.2, 0.7], [0.9, 0.1, 0.0]])
    assert KIND.wrong(rows, said, None).tolist() == [False, True]
    assert KIND.score_rows(["record_f1"], rows, said) == 0.5 and KIND.name_of_score("record_f1") == "accuracy"
    assert KIND.in_words(said[0], (), EXAMPLES[0]) == "z (70%)"


def test_the_loss_is_of_the_right_candidates_together() -> None:
    """Scores 1, 2, 3 of which the first and the last are right; then 0, 4 of which the second is."""
    logits = torch.tensor([[1.0], [2.0], [3.0], [0.0], [4.0]])
    batch = {"owners": torch.tensor([0, 0, 0, 1, 1]), "right": torch.tensor([True, False, True, False, True])}
    e = np.exp
    shares = [(e(1) + e(3)) / (e(1) + e(2) + e(3)), e(4) / (1 + e(4))]
    assert float(KIND.loss(logits, batch, Units())) == pytest.approx(-np.log(shares).mean(), rel=1e-5)
    assert KIND.loss_of(np.array([1.0, 2.0, 3.0]), EXAMPLES[0], Units()) == pytest.approx(-np.log(shares[0]))


def test_candidates_by_example_end_in_nothing() -> None:
    found = by_owner(torch.tensor([1.0, 2.0, 3.0, 4.0]), torch.tensor([0, 0, 0, 1]), (2, 3))
    assert found.tolist() == [[1, 2, 3], [4, -math.inf, -math.inf]]


def test_a_table_has_no_candidates(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="whose candidates no table holds"):
        KIND.parse(SimpleNamespace(path=tmp_path), (), ())  # type: ignore[arg-type]
    assert not KIND.of_tables
