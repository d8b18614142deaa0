"""What submit tells."""

from __future__ import annotations

from pathlib import Path

from laws import HOSTILE, changed, goes_through_json, holds, shows_words_as_they_are, told

from subarch.results.submit import SubmitResult

RESULT = SubmitResult(archive=Path("glue.zip"), files=("CoLA.tsv", "RTE.tsv"), accepted=True, placeholders=())


def test_it_is_a_result() -> None:
    holds(RESULT)
    goes_through_json(changed(RESULT, placeholders=None))
    shows_words_as_they_are(changed(RESULT, files=(HOSTILE,)))


def test_an_archive_that_was_made_is_told_apart_from_one_that_was_only_looked_at() -> None:
    assert told(RESULT) == ["accepted: CoLA.tsv, RTE.tsv", "wrote glue.zip"]
    assert told(changed(RESULT, placeholders=("AX.tsv",))) == [
        "accepted: CoLA.tsv, RTE.tsv",
        "placeholders, one answer everywhere: AX.tsv",
        "wrote glue.zip",
    ]
    assert told(changed(RESULT, placeholders=None)) == ["accepted: CoLA.tsv, RTE.tsv"]
    assert "placeholders" not in changed(RESULT, placeholders=None).to_json()
