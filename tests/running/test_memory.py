"""Memory of a piece of work, in a process that has nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from models import built

from subarch.running.artifacts import answer_once
from subarch.running.conversion import write
from subarch.running.memory import peak_memory


def test_memory_of_a_piece_of_work() -> None:
    size = 200 * 2**20
    found = peak_memory(np.ones, size, np.uint8)
    assert found is None or 0.95 * size <= found < 1.5 * size


def test_a_form_answers_without_what_it_was_made_with(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    write(built("classification"), tmp_path, ["onnx"], [])
    code = (
        "import sys; from pathlib import Path; from subarch.running.artifacts import answer_once\n"
        "answer_once('onnx', Path(sys.argv[1]), 1, 8); print(sorted({'torch', 'transformers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    found = peak_memory(answer_once, "onnx", tmp_path, 1, 8)
    assert found is None or 1 << 20 < found < 400 << 20
