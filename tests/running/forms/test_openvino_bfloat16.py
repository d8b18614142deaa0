"""OpenVINO with products in bfloat16: other arithmetic on the same files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from models import batch, built

from subarch.running.forms import openvino
from subarch.running.forms.openvino_bfloat16 import FORM


def test_it_opens_the_files_of_the_form_in_floats() -> None:
    assert (FORM.name, FORM.precision, FORM.runtime) == ("openvino-bfloat16", "bfloat16", "openvino")
    assert FORM.files() == openvino.FORM.files()


def test_it_says_nearly_the_same(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    graph = built("classification")
    FORM.write(graph, tmp_path, [])
    inputs = batch(graph, 3, 20)
    said, floats = (form.open(tmp_path, threads=1)(inputs) for form in (FORM, openvino.FORM))
    assert np.abs(said - floats).max() < 0.05 * np.abs(floats).max()  # a bfloat16 has 8 bits
