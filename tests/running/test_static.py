"""Static embeddings in numpy: means of rows, by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from subarch.errors import InputError
from subarch.running.static import StaticProgram

TABLE = np.array([[0, 0], [1, 2], [3, -4]], dtype=np.float32)
BIAS = np.array([0.5, 0], dtype=np.float32)
IDS = {"input_ids": np.array([[1, 2, 0], [1, 1, 2]]), "attention_mask": np.array([[1, 1, 0], [1, 1, 1]])}


def test_a_text_is_the_mean_of_its_tokens() -> None:
    program = StaticProgram(TABLE, BIAS)
    assert program.inputs == ("input_ids", "attention_mask")
    assert program(IDS) == pytest.approx(np.array([[2.5, -1], [5 / 3 + 0.5, 0]]), abs=1e-6)


def test_of_a_pair_the_map_reads_both_means_and_how_they_differ(tmp_path: Path) -> None:
    program = StaticProgram(TABLE, BIAS, np.eye(8, 2, k=-4, dtype=np.float32))  # |u - v| alone
    given = {**IDS, "token_type_ids": np.array([[0, 1, 0], [0, 0, 1]])}
    assert "token_type_ids" in program.inputs
    assert program(given) == pytest.approx(np.array([[2.5, 6], [2.5, 6]]))
    program.write(tmp_path)
    assert np.array_equal(StaticProgram.opened(tmp_path)(given), program(given))
    StaticProgram(TABLE, BIAS).write(tmp_path)
    assert np.array_equal(StaticProgram.opened(tmp_path)(IDS), StaticProgram(TABLE, BIAS)(IDS))


def test_a_text_of_no_token_has_the_bias_alone() -> None:
    given = {"input_ids": np.array([[1]]), "attention_mask": np.array([[0]])}
    assert StaticProgram(TABLE, BIAS)(given) == pytest.approx(BIAS[None])


def test_arrays_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(InputError, match="a map that fits it"):
        StaticProgram(TABLE, np.zeros(3, np.float32))
    with pytest.raises(InputError, match="a map that fits it"):
        StaticProgram(TABLE, BIAS, np.zeros((4, 2), np.float32))
