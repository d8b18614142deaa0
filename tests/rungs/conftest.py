"""A teacher of a few thousand weights that knows its task, and the ground of a ladder on it: made once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import encoder, reviews, write

from subarch.jobs.finetuning import finetune
from subarch.options.ladder import LadderOptions
from subarch.options.tasks import FinetuneOptions, TaskOptions
from subarch.results.ladder import LadderResult
from subarch.rungs.climbing import ladder
from subarch.rungs.ground import Ground, opened


class Place:
    """Where things lie, and options that name them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.data = write(root / "reviews.csv", [*reviews(500)])
        self.where = TaskOptions(data=self.data)
        self.pool = root / "pool.txt"
        self.pool.write_text("\n".join(text for text, _ in reviews(60, seed=5)), encoding="utf-8")
        tuned = finetune(
            FinetuneOptions(
                model=str(encoder(root / "encoder")),
                run=root / "tuned",
                where=self.where,
                learning_rates=(3e-3,),
                seeds=1,
                epochs=3,
                max_length=16,
            )
        )
        self.teacher = tuned.checkpoint

    def options(self, **given: Any) -> LadderOptions:
        known: dict[str, Any] = {
            "where": self.where,
            "teacher": str(self.teacher),
            "run": self.root / "run",
            "rungs": ("constant", "tfidf", "static", "first-layers", "teacher"),
            "artifacts": ("onnx",),
            "learning_rate": 3e-3,
            "epochs": 2,
            "rounds": 1,
            "threads": 1,
        }
        return LadderOptions(**(known | given))

    def ground(self, **given: Any) -> Ground:
        options = self.options(**given)
        assert options.run is not None
        return opened(options, options.run)


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    pytest.importorskip("onnxruntime")
    torch.set_num_threads(1)
    return Place(tmp_path_factory.mktemp("ladder"))


@pytest.fixture(scope="session")
def climbed(place: Place) -> LadderResult:
    """The whole ladder, climbed once."""
    return ladder(place.options(speedup=1.5), command="subarch ladder ...")
