"""Labels as rows: what holds for every kind that does not say otherwise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.linear_model import Ridge

from subarch.tasks.kinds.table import KINDS, kind_of

NUMBERS = kind_of("regression")


def test_the_plainest_model_of_numbers_is_ridge_regression() -> None:
    rng = np.random.default_rng(0)
    features, rows = csr_matrix(rng.normal(size=(30, 5))), rng.normal(size=(30, 1))
    found = NUMBERS.linear(features, rows, 10.0)
    usual = Ridge(alpha=0.1).fit(features, rows)
    assert found.weights.shape == (5, 1) and found.bias.shape == (1,)
    assert features @ found.weights + found.bias == pytest.approx(usual.predict(features).reshape(-1, 1))


def test_numbers_are_sure_and_have_no_doubt_to_take_away() -> None:
    rows = np.array([[1.5], [2.0]])
    assert NUMBERS.sure(rows).tolist() == [1.0, 1.0] and NUMBERS.hard(rows) is rows
    assert NUMBERS.outputs_of(rows[0]).tolist() == [1.5] and NUMBERS.counts(rows, ()) == {}
    assert NUMBERS.name_of_score("pearson") == "pearson" and NUMBERS.width((), []) == 1


@pytest.mark.parametrize("name", [name for name in KINDS if name != "choice"])
def test_outputs_that_say_a_row_say_it(name: str) -> None:
    kind, row = kind_of(name), np.array([0.2, 0.7, 0.1])
    row = row[:1] if name == "regression" else row
    row = np.stack([row, row[::-1], 0 * row]) if kind.has_words else row
    assert kind.rows_said([kind.outputs_of(row)], len(row))[0] == pytest.approx(row)
