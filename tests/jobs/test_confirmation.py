"""The pick's rivals are trained as the pick was, once, and go on where they were stopped."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import examples
import pytest
from compressing import SETTINGS

from subarch.extraction.question import Question
from subarch.jobs.confirmation import confirm
from subarch.jobs.finetuning import finetune
from subarch.jobs.plan import Plan, planned
from subarch.jobs.pretraining import pretrain
from subarch.networks.sources import open_source
from subarch.options.compression import CompressOptions
from subarch.pipeline import write_texts
from subarch.results.extract import ExtractResult, TrainedResult
from subarch.results.finetune import FinetuneResult
from subarch.storage import claimed, write_json

pytest.importorskip("onnxruntime")


SHAPES = ((1, 16, 16), (1, 32, 64), (2, 16, 32), (2, 32, 32))  # layers, hidden, intermediate; the first is the pick
ERRORS = (0.1, 0.2, 0.3, 0.4)


def architecture(shape: Sequence[int]) -> Mapping[str, int]:
    return dict(zip(("num_hidden_layers", "hidden_size", "intermediate_size"), shape, strict=True))


def searched(plan: Plan, pick: int = 0) -> ExtractResult:
    """What a search over these shapes would have found."""
    family = open_source(str(plan.teacher)).family
    question = Question(
        claim="constrained", epsilon=0.5, reference=family.reference, limits={"parameters": 1e9}, sequence_length=16
    )
    trained = tuple(
        TrainedResult(
            architecture=architecture(shape),
            parameters=1000,
            macs=1000,
            latency_ms=None,
            error=error,
            number=n,
            standard_error=None,
            w=1 / error,
            seconds=1.0,
        )
        for n, (shape, error) in enumerate(zip(SHAPES, ERRORS, strict=True))
    )
    certificate = examples.certificate(
        claim="constrained", question=question.to_json(), family=family.to_json(), space=family.space.to_json()
    )
    return examples.extract(
        run=str(plan.run), architecture=architecture(SHAPES[pick]), trained=trained, certificate=certificate
    )


@pytest.fixture(scope="module")
def made(inputs: Path) -> tuple[Plan, FinetuneResult]:
    """A run up to the fine-tuning of the pick, without a search."""
    run = inputs / "confirmed"
    changes = (*SETTINGS, "finetune.seeds=2", "agora.rounds=1", "extract.threads=1", "finetune.threads=1")
    asked = CompressOptions(data=str(inputs / "reviews.csv"), teacher=str(inputs / "encoder"), set=changes, threads=1)
    plan = planned(asked, run)
    run.mkdir()
    finetune(plan.teaching())
    write_texts(plan)
    write_json(run / "manifest.json", {"options": {"source": str(plan.teacher)}})
    write_json(run / "extract.json", {"architecture": architecture(SHAPES[0])})
    write_json(run / "architecture.json", open_source(str(plan.teacher)).family.describe(architecture(SHAPES[0])))
    pretrain(plan.pretraining())
    return plan, finetune(plan.finetuning())


def asking(plan: Plan, rivals: int) -> Plan:
    return replace(plan, options=replace(plan.options, confirm=rivals))


class Counting:
    """Counts the trainings that begin; interrupts the process at one of them."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.begun = Counter[str]()
        self._stop_at = stop_at

    def __call__(self, stage: str, /, *, done: int = 0, total: int | None = None, note: str = "") -> None:
        what = stage.rpartition(", ")[2]
        if what in ("a student", "pre-training") and done == 1:
            self.begun[what] += 1
            if what == "a student" and self.begun[what] == self._stop_at:
                raise KeyboardInterrupt


def test_it_goes_on_where_it_was_stopped_and_trains_nothing_twice(made: tuple[Plan, FinetuneResult]) -> None:
    plan, tuned = made
    found = searched(plan)
    assert confirm(plan, found, tuned) is None  # nobody has asked
    first = Counting(stop_at=2)
    with pytest.raises(KeyboardInterrupt):
        confirm(asking(plan, 2), found, tuned, watch=first)
    assert first.begun == {"pre-training": 1, "a student": 2}
    second = Counting()
    result = confirm(asking(plan, 2), found, tuned, watch=second)
    assert second.begun == {"pre-training": 1, "a student": 1 + 2}  # the one that was stopped, and the other rival's
    assert result is not None
    # Of the pick nothing is trained: it is the row that fine-tuning has told.
    row = tuned.row("distilled")
    pick, *rivals = result.networks
    assert (pick.scores, pick.mean, pick.development) == (row.scores, row.mean, row.development)
    assert [one.architecture for one in rivals] == [architecture(shape) for shape in SHAPES[1:3]]
    assert all(len(one.scores) == 2 and one.difference is not None for one in rivals)
    for one in rivals:
        assert one.difference is not None
        by_hand = sum(theirs - ours for theirs, ours in zip(one.scores, pick.scores, strict=True)) / 2
        assert one.difference.mean == pytest.approx(by_hand)
        assert one.start is not None and (one.start / "model.safetensors").is_file()
        assert not (one.start.parent / "students").exists()  # scores are kept, weights are not
    # The same again, fewer, and none: told as they were. One more: that one alone.
    again = Counting()
    for rivals_asked in (2, 1, 0):
        assert confirm(asking(plan, rivals_asked), found, tuned, watch=again) == result
    assert not again.begun
    more = confirm(asking(plan, 9), found, tuned, watch=again)
    assert again.begun == {"pre-training": 1, "a student": 2}
    assert more is not None and [one.scores for one in more.networks[:3]] == [one.scores for one in result.networks]
    assert "Asked for: 9 rivals; only 3 of the other trained architectures" in more.reason
    # What was told is about this pick and this fine-tuning, and no other.
    assert confirm(plan, found, tuned) == more
    assert confirm(plan, searched(plan, pick=1), tuned) is None
    assert confirm(plan, found, replace(tuned, identity="another")) is None


def elsewhere(plan: Plan, folder: Path, section: str, **settings: Any) -> Plan:
    """The same run in another folder, with other settings of a stage, asked for one rival."""
    changed = deepcopy(plan.settings)
    changed[section] |= settings
    for name in ("manifest.json", "extract.json", "texts.jsonl"):
        shutil.copy(plan.run / name, folder)
    return replace(asking(plan, 1), run=folder, settings=changed)


def test_a_rival_is_trained_as_the_pick_was(made: tuple[Plan, FinetuneResult], tmp_path: Path) -> None:
    """Were the pick a rival, its scores would be those that it has."""
    plan, tuned = made
    result = confirm(elsewhere(plan, tmp_path, "pretrain"), searched(plan, pick=3), tuned)
    assert result is not None
    rival, row = result.networks[1], tuned.row("distilled")
    assert rival.architecture == architecture(SHAPES[0])
    assert (rival.scores, rival.mean, rival.ci95, rival.apart) == (row.scores, row.mean, row.ci95, row.apart)
    assert rival.development == row.development


def test_without_a_pretraining_each_is_the_part_of_the_source_that_fits(
    made: tuple[Plan, FinetuneResult], tmp_path: Path
) -> None:
    plan, tuned = made
    counted = Counting()
    result = confirm(elsewhere(plan, tmp_path, "pretrain", steps=0), searched(plan), tuned, watch=counted)
    assert result is not None and counted.begun == {"a student": 2}
    assert result.networks[1].start is None and len(result.networks[1].scores) == 2


def test_a_rival_that_cannot_be_trained_is_told_and_not_compared(
    made: tuple[Plan, FinetuneResult], tmp_path: Path
) -> None:
    plan, tuned = made
    hopeless = elsewhere(plan, tmp_path, "finetune", learning_rates=(1e38,))
    result = confirm(hopeless, searched(plan), tuned)
    assert result is not None and result.verdict == "not decided"
    assert "failed, and is not compared: the training of every hyperparameter set diverged" in result.reason
    assert result.to_json()["networks"][1]["scores"] == []


def test_two_processes_do_not_share_the_folder(made: tuple[Plan, FinetuneResult], tmp_path: Path) -> None:
    plan, tuned = made
    (tmp_path / "confirm").mkdir()
    with claimed(tmp_path / "confirm"), pytest.raises(ValueError, match="another process is working in"):
        confirm(elsewhere(plan, tmp_path, "pretrain"), searched(plan), tuned)
