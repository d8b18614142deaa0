"""A task: told apart by all that it is."""

from __future__ import annotations

from subarch.tasks.task import Task
from subarch.text.examples import (
    Example,
    SealedSplit,
    Split,
)


def test_the_fingerprint_of_a_task_covers_everything() -> None:
    def task(**given: object) -> Task:
        parts = {"train": Split([Example("a", label=0)]), "development": Split(), "sealed": SealedSplit(Split())}
        return Task(name="t", label_names=("x", "y"), **{**parts, **given})  # type: ignore[arg-type]

    changed = [
        task(train=Split([Example("b", label=0)])),
        task(development=Split([Example("c", label=0)])),
        task(sealed=SealedSplit(Split([Example("c", label=0)]))),
    ]
    assert len({one.fingerprint for one in [task(), *changed]}) == 4
    assert task().fingerprint == task().fingerprint
