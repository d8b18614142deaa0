"""What the tests of ``compress`` ask for: every stage, as small as it can be."""

from __future__ import annotations

from pathlib import Path

SETTINGS = (
    "extract.steps=2",
    "extract.epsilon=0.5",
    "pretrain.steps=4",
    "pretrain.sequence_length=32",
    "pretrain.batch_size=4",
    "finetune.epochs=1",
    "finetune.seeds=1",
    "finetune.max_length=32",
    "finetune.learning_rates=[3e-3]",
    "teacher.max_length=32",
    "teacher.learning_rates=[3e-3]",
    'ladder.rungs=["constant", "tfidf"]',
    "ladder.rounds=1",
    "agora.weak_teacher=true",
    "agora.rounds=2",
    'export.artifacts=["onnx"]',
    'bench.runtime=["pytorch", "onnxruntime"]',
    'bench.precision=["float32"]',
    "bench.rounds=1",
    "bench.memory=false",
)


def given(inputs: Path, run: Path, *more: str) -> list[str]:
    asked = ["--data", inputs / "reviews.csv", "--teacher", inputs / "encoder", "--run", run, "--threads", "1"]
    return ["compress", *map(str, asked), "--speedup", "1.1", *more, "--set", *SETTINGS]
