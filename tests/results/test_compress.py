"""What compress tells: the small network beside its teacher, and what was asked beside what came out."""

from __future__ import annotations

import examples
import pytest
from laws import HOSTILE, changed, goes_through_json, holds, shows_words_as_they_are, told

from subarch.results.base import Line
from subarch.results.compress import EarlyResult, MeasuredResult, Planned, PlanResult, TargetResult, TargetsResult
from subarch.results.report import Page


def test_it_is_a_result() -> None:
    made = examples.compress()
    holds(made)
    assert not {"teacher", "pretrain"} & set(made.to_json())  # there were no such stages
    goes_through_json(examples.compress(teacher=examples.finetune()))
    shows_words_as_they_are(examples.compress(sealed=changed(made.sealed, metric=HOSTILE)))


def test_the_small_network_stands_beside_its_teacher() -> None:
    found = told(examples.compress())
    assert found[:3] == [
        " | accuracy, sealed rows | ms a text | runs on | MB",
        "teacher | 95.00 | 8.00 | onnxruntime float32 | 440.0",
        "this model | 90.00 | 2.00 | onnxruntime float32 | 18.0",
    ]
    assert "The search: certified, 12 of 1,080 architectures trained; what that means is in the report." in found
    assert found[-4:] == [
        "wrote runs/mine/finetune/reviews/checkpoint",
        "wrote runs/mine/export",
        "wrote runs/mine/report.html",
        "go on with: subarch predict runs/mine/finetune/reviews/checkpoint --data FILE",
    ]
    untimed = told(examples.compress(deployed={}))
    assert untimed[1:3] == ["teacher | 95.00 |  |  | ", "this model | 90.00 |  |  | "]


def test_short_against_long_is_told_where_it_was_asked_for() -> None:
    assert not any("short against long" in line for line in told(examples.compress()))
    assert "confirm" not in examples.compress().to_json()
    made = examples.compress(confirm=examples.confirm())
    goes_through_json(made)
    assert [line for line in told(made) if line in told(examples.confirm())] == told(examples.confirm())


def test_each_target_is_told_with_what_was_measured() -> None:
    met, missed = examples.compress().targets.told()
    assert (met.lead, met.tone) == ("met", "good") and (missed.lead, missed.tone) == ("missed", "bad")
    assert met.words == "times as fast as the teacher: at least 3 asked, 4 measured"
    assert missed.words == "points lost: at most 1 asked, 5 measured"


def test_what_is_kept_by_the_estimate_alone_says_how_many_rows_would_settle_it() -> None:
    lost = TargetResult(target="drop", asked=1.0, got=0.5, ci95=(-1.0, 2.0), rows_needed=7000)
    targets = TargetsResult(met=(), missed=(), not_shown=(lost,))
    goes_through_json(targets)
    (line,) = targets.told()
    assert (line.lead, line.tone) == ("not shown", "warning")
    assert line.words.endswith("0.5 measured (95 % interval -1 to 2); about 7,000 sealed rows would settle it")
    assert targets.table().rows[0][1] == "≈ not shown"
    assert TargetsResult.from_json({"met": [], "missed": []}).not_shown == ()  # as earlier versions wrote it


def test_one_that_ended_early_says_where_what_is_enough_lies() -> None:
    made = EarlyResult(
        run="runs/mine",
        task="reviews",
        ladder=examples.ladder(enough="tfidf"),
        targets=examples.compress().targets,
        folder="runs/mine/ladder/tfidf/model",
        report=Page("runs/mine/report.html"),
    )
    holds(made)
    assert told(made)[-1] == "go on with: subarch predict runs/mine/ladder/tfidf/model --data FILE"
    assert repr(made) == "<EarlyResult of reviews in runs/mine: tfidf>"


@pytest.mark.parametrize(
    ("missed", "advice"),
    [
        (["drop"], "more texts (--pool), or a slower network"),
        (["speedup"], "more speed asked of the search"),
        (["drop", "latency_ms"], "more texts (--pool), or a slower network; more speed asked of the search"),
    ],
)
def test_what_was_missed_comes_with_what_may_help(missed: list[str], advice: str) -> None:
    targets = TargetsResult(met=(), missed=tuple(TargetResult(target=name, asked=1.0, got=2.0) for name in missed))
    (line,) = [line for line in told(examples.compress(targets=targets)) if "What may help" in line]
    assert line == f"What may help, in another --run: {advice}. The networks that are worth choosing among:"
    without = TargetsResult(met=(), missed=())
    assert not any("What may help" in one for one in told(examples.compress(targets=without)))


def test_it_is_named_by_what_it_was_made_of() -> None:
    assert repr(examples.compress()) == "<CompressResult of reviews.csv in runs/mine>"


def test_a_plan_tells_minutes_and_settings() -> None:
    plan = PlanResult(
        plan=Planned(
            run="runs/mine",
            settings="[extract]\nsteps = 2",
            teaches=False,
            sequence_length=128,
            stages={"extract": (60, 600), "finetune": (120, 240)},
            seconds=(180, 840),
            peak_memory_bytes=2_300_000_000,
            measured=MeasuredResult(teacher_step_seconds=0.5, teacher_pass_seconds=0.1, batch_size=32),
        )
    )
    holds(plan)
    assert told(plan) == [
        "stage | minutes, about",
        "extract | 1 to 10",
        "finetune | 2 to 4",
        "in all | 3 to 14",
        "peak memory, about: 2.3 GB",
        "settings (a recipe of your own: copy, change, --recipe FILE.toml):\n",
        "[extract]\nsteps = 2",
    ]
    assert [one for one in plan.told() if isinstance(one, Line)][-1].words == plan.plan.settings
    without = changed(plan, plan=changed(plan.plan, peak_memory_bytes=None))
    assert not any("memory" in line for line in told(without))
    shows_words_as_they_are(changed(plan, plan=changed(plan.plan, settings=HOSTILE)))
