"""How long a dry run of ``compress`` says that it would take."""

from __future__ import annotations

from pathlib import Path

import pytest
from compressing import given
from tiny import reviews, write

from commands import Command

pytest.importorskip("onnxruntime")


def test_a_dry_run_tells_the_plan_and_writes_nothing(inputs: Path, tmp_path: Path, subarch: Command) -> None:
    plan = subarch(*given(inputs, tmp_path / "run", "--dry-run", "--confirm", "3"), "--json").json["plan"]
    assert not (tmp_path / "run").exists()
    stages = ["teacher", "ladder", "extract", "pretrain", "finetune", "export", "bench", "confirm"]
    assert list(plan["stages"]) == stages
    assert all(0 <= low <= high for low, high in plan["stages"].values())
    assert "max_length = 32" in plan["settings"]
    write(inputs / "long.csv", [(" ".join([text] * 12), label) for text, label in reviews(900)])
    free = [one for one in given(inputs, tmp_path / "run", "--dry-run") if "max_length" not in one]
    free[free.index("--data") + 1] = str(inputs / "long.csv")
    longer = subarch(*free, "--json").json["plan"]
    assert "confirm" not in longer["stages"]
    assert longer["sequence_length"] == 64  # positions of this teacher; the texts are longer
    assert all(0 <= low <= high for low, high in longer["stages"].values())
    assert "[pretrain]" in plan["settings"]
