"""Plain fine-tuning learns, chooses on development data alone, and goes on where it was killed, bit for bit."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tiny import WORDS, encoder

from subarch.learning.checkpoints import open_fitted
from subarch.learning.finetuning import Finetuned, finetune
from subarch.learning.heads import Target, TaskNetwork, from_checkpoint, outputs
from subarch.learning.training import Hyperparameters, Training
from subarch.options.tasks import FinetuneSettings
from subarch.tasks.kinds.table import kind_of
from subarch.tasks.task import Task
from subarch.text.examples import Example, SealedSplit, Split
from subarch.text.tokenizers import train_tokenizer

SETTINGS = FinetuneSettings(learning_rates=(3e-3, 1e-2), batch_size=8, epochs=3, seeds=2)


def sentences(count: int, seed: int) -> Split:
    """Whether more good words than bad ones are in a sentence."""
    rng = random.Random(seed)
    made = []
    while len(made) < count:
        words = rng.choices(WORDS, k=8)
        balance = sum(word in ("good", "fine") for word in words) - sum(word in ("bad", "poor") for word in words)
        if balance:
            made.append(Example(" ".join(words), label=int(balance > 0), id=len(made)))
    return Split(made)


@pytest.fixture(scope="module")
def task() -> Task:
    return Task(
        name="toy",
        label_names=("bad", "good"),
        train=sentences(240, 0),
        development=sentences(40, 1),
        sealed=SealedSplit(sentences(60, 2)),
    )


@pytest.fixture(scope="module")
def learner(tmp_path_factory: pytest.TempPathFactory, task: Task) -> TaskNetwork:
    folder = encoder(tmp_path_factory.mktemp("encoder"))
    return from_checkpoint(folder, Target(kind_of("classification"), task.label_names), task.name, 32)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, task: Task, learner: TaskNetwork) -> tuple[Path, Finetuned]:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("done")
    return folder, finetune(task, learner, SETTINGS, folder)


def test_it_learns_and_the_checkpoint_scores_what_was_reported(done: tuple[Path, Finetuned], task: Task) -> None:
    _, tuned = done
    assert min(one["accuracy"] for one in tuned.sealed) > 0.8
    fitted = open_fitted(tuned.checkpoint)
    sealed = task.sealed.open()
    found = task.kind.score(task.metrics, sealed, task.kind.decide(outputs(fitted.model, fitted.tokens(sealed))))
    assert found in [dict(one) for one in tuned.sealed]
    row = tuned.row("plain")
    assert row.mean == pytest.approx(sum(row.scores) / 2)
    assert row.ci95 == pytest.approx(12.7062 * abs(row.scores[0] - row.scores[1]) / 2, rel=1e-4)  # t(1), 97.5 %
    assert (row.seeds, row.steps) == (2, 90)


def test_the_choice_is_made_on_development_data(done: tuple[Path, Finetuned]) -> None:
    folder, tuned = done
    records = [json.loads(path.read_text()) for path in folder.glob("trainings/*/record.json")]
    assert len(records) == 4 == tuned.trainings
    by_rate: dict[float, list[float]] = {}
    for record in records:
        assert record["development"]["score"] == max(epoch["score"] for epoch in record["history"])
        by_rate.setdefault(record["hyperparameters"]["learning_rate"], []).append(record["development"]["score"])
    means = {rate: sum(scores) / len(scores) for rate, scores in by_rate.items()}
    assert means[tuned.hyperparameters.learning_rate] == max(means.values())
    # The sealed split was scored for the chosen rate alone.
    assert len(list(folder.glob("trainings/*/sealed.json"))) == 2


def test_nothing_is_left_but_records_and_the_checkpoint(done: tuple[Path, Finetuned]) -> None:
    folder, _ = done
    names = {path.name for path in folder.rglob("*") if path.is_file() and "checkpoint" not in path.parts}
    assert names == {"record.json", "sealed.json"}


def test_the_same_call_again_trains_nothing(done: tuple[Path, Finetuned], task: Task, learner: TaskNetwork) -> None:
    folder, tuned = done
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    stages: list[str] = []
    assert finetune(task, learner, SETTINGS, folder, watch=lambda stage, **_: stages.append(stage)) == tuned
    assert stages == []
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


class Killed(BaseException):
    """What a killed process leaves undone."""


@pytest.mark.parametrize("moment", [1, 40, 100, 119, 121, 250, 360])
def test_killed_at_any_step_the_same_call_ends_the_same(
    done: tuple[Path, Finetuned], task: Task, learner: TaskNetwork, tmp_path: Path, moment: int
) -> None:
    calls = 0

    def watch(*_: Any, **__: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == moment:
            raise Killed

    with pytest.raises(Killed):
        finetune(task, learner, SETTINGS, tmp_path, watch=watch)
    tuned = finetune(task, learner, SETTINGS, tmp_path)
    _, undisturbed = done
    assert tuned.sealed == undisturbed.sealed
    weights, wanted = (load_file(one.checkpoint / "model.safetensors") for one in (tuned, undisturbed))
    assert all(torch.equal(weights[name], wanted[name]) for name in wanted)


def test_more_seeds_train_those_alone(
    done: tuple[Path, Finetuned], task: Task, learner: TaskNetwork, tmp_path: Path
) -> None:
    settings = FinetuneSettings(learning_rates=(3e-3,), batch_size=8, epochs=1, seeds=1)
    first = finetune(task, learner, settings, tmp_path)
    stages: set[str] = set()
    wider = FinetuneSettings(learning_rates=(3e-3,), batch_size=8, epochs=1, seeds=3)
    more = finetune(task, learner, wider, tmp_path, watch=lambda stage, **_: stages.add(stage))
    assert more.sealed[0] == first.sealed[0]
    assert not any("training 1 of 3" in stage for stage in stages)


def test_patience_ends_a_training_early(task: Task, learner: TaskNetwork, tmp_path: Path) -> None:
    settings = FinetuneSettings(learning_rates=(3e-3,), batch_size=8, epochs=12, patience=1, seeds=1)
    tuned = finetune(task, learner, settings, tmp_path)
    assert tuned.steps[0] < 12 * 30


def test_divergence_of_one_rate_is_a_record_and_of_all_a_failure(
    task: Task, learner: TaskNetwork, tmp_path: Path
) -> None:
    wild = FinetuneSettings(learning_rates=(1e30, 3e-3), batch_size=8, epochs=1, seeds=1)
    assert finetune(task, learner, wild, tmp_path / "one").hyperparameters.learning_rate == 3e-3
    with pytest.raises(RuntimeError, match="lower them"):
        finetune(
            task, learner, FinetuneSettings(learning_rates=(1e30,), batch_size=8, epochs=1, seeds=1), tmp_path / "all"
        )


def test_parts_of_a_batch_give_the_gradient_of_the_whole(task: Task, learner: TaskNetwork) -> None:
    """The optimiser's own state tells the gradient: after one step AdamW's first moment is a tenth of it."""
    moments = []
    for most in (10**9, 64):
        model = learner.make(0)  # in evaluation mode, so without dropout, whose draws would differ
        tokens = learner.tokens(task.train, model)
        rows = list(range(40))
        parts = list(tokens.by_length(most, rows))
        assert (len(parts) == 1) == (most > 64)
        theta = Hyperparameters(learning_rate=1e-3, warmup=0.0, betas=(0.9, 0.999), clip_gradient=None)
        training = Training(model, learner.target.loss, theta, steps=1)
        training.advance(*map(tokens.batch, parts), shares=[len(part) / len(rows) for part in parts])
        states = training.state()["optimizer"]["state"]
        moments.append([state["exp_avg"] for state in states.values()])
    assert all(torch.allclose(one, other, atol=1e-7) for one, other in zip(*moments, strict=True))
    assert max(float(one.abs().max()) for one in moments[0]) > 1e-4


def test_state_within_an_epoch_is_kept(
    done: tuple[Path, Finetuned], task: Task, learner: TaskNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("subarch.learning.epochs.SAVE_SECONDS", 0.0)
    steps: list[int] = []

    def watch(*_: Any, done: int = 0, **__: Any) -> None:
        steps.append(done)
        if len(steps) == 17:
            raise Killed

    with pytest.raises(Killed):
        finetune(task, learner, SETTINGS, tmp_path, watch=watch)
    assert finetune(task, learner, SETTINGS, tmp_path, watch=watch).sealed == done[1].sealed
    assert steps[:18] == [*range(1, 18), 18]  # the next step, not the first of the epoch again


def test_outputs_that_are_no_numbers_fail_that_rate_alone(task: Task, learner: TaskNetwork, tmp_path: Path) -> None:
    few = Task(
        name="few",
        label_names=task.label_names,
        train=Split(task.train[:40]),
        development=task.development,
        sealed=task.sealed,
    )
    settings = FinetuneSettings(learning_rates=(1e30, 1e-3), batch_size=64, epochs=2, seeds=1)  # an epoch is one step
    assert finetune(few, learner, settings, tmp_path).hyperparameters.learning_rate == 1e-3


def test_another_tokenizer_is_another_training(task: Task, learner: TaskNetwork, tmp_path: Path) -> None:
    settings = FinetuneSettings(learning_rates=(3e-3,), batch_size=8, epochs=1, seeds=1)
    finetune(task, learner, settings, tmp_path)
    other = replace(learner, tokenizer=train_tokenizer([" ".join([*WORDS, "another"])] * 50, 400))
    stages: list[str] = []
    finetune(task, other, settings, tmp_path, watch=lambda stage, **_: stages.append(stage))
    assert any("fine-tuning" in stage for stage in stages)


def test_a_checkpoint_belongs_to_the_call_that_reports_it(task: Task, learner: TaskNetwork, tmp_path: Path) -> None:
    one = FinetuneSettings(learning_rates=(3e-3,), batch_size=8, epochs=1, seeds=1)
    other = FinetuneSettings(learning_rates=(3e-3,), batch_size=8, epochs=2, seeds=1)
    weights: list[dict[str, torch.Tensor]] = []
    for settings in (one, other, one):
        weights.append(load_file(finetune(task, learner, settings, tmp_path).checkpoint / "model.safetensors"))
    assert all(torch.equal(weights[0][name], weights[2][name]) for name in weights[0])
    assert not all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


@pytest.mark.parametrize(
    "given", [{"seeds": 0}, {"learning_rates": ()}, {"epochs": 0}, {"batch_size": 0}, {"patience": -1}]
)
def test_impossible_recipes(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(given)).replace("_", "-")):
        FinetuneSettings(**given)
