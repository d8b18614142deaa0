"""What demo tells newcomers."""

from __future__ import annotations

import examples
from laws import HOSTILE, changed, holds, shows_words_as_they_are, told

from subarch.results.compress import TargetResult, TargetsResult
from subarch.results.demo import AccuracyResult, DemoResult, LineResult
from subarch.results.report import Page

LATER = {
    **examples.later(),
    "targets": TargetsResult(met=(TargetResult(target="drop", asked=1.0, got=0.5),), missed=()),
    "report": Page("runs/demo/report.html"),
}
RESULT = DemoResult(
    **vars(examples.extract(run="runs/demo")),
    **LATER,
    source_accuracy=AccuracyResult(development=0.95, sealed=0.94, steps=300, task="reviews"),
    verification=examples.verify(),
    table=(
        LineResult(model="BERT-large", accuracy=None, ms=200.0, times_as_fast=1.0, bytes=None),
        LineResult(model="the small network", accuracy=0.905, ms=1.25, times_as_fast=160.0, bytes=4_200_000),
    ),
)


def test_it_is_a_result() -> None:
    holds(RESULT)
    shows_words_as_they_are(changed(RESULT, table=(changed(RESULT.table[1], model=HOSTILE),)))


def test_the_story_is_a_sentence_a_table_and_targets() -> None:
    found = told(RESULT)
    assert found[0] == (
        "Out of 1,080 networks inside the source, 12 were trained to find the best within 10%: certified."
    )
    assert found[1:4] == [
        " | accuracy | ms a text | times as fast | MB",
        "BERT-large |  | 200.00 | 1 | ",
        "the small network | 90.50 | 1.25 | 160 | 4.2",
    ]
    assert found[-2:] == ["met: points lost: at most 1 asked, 0.5 measured", "wrote runs/demo/report.html"]
