"""How sure a result is, in words."""

from __future__ import annotations

from typing import Any

import pytest
from outline import Outline

from subarch.telling import trust
from subarch.telling.figures import Figures, draw
from subarch.telling.page import Html, join

NOTHING = draw({"trained": [], "picks": {}}, {})


def text(parts: list[Html]) -> str:
    outline = Outline(join(parts).text)
    assert outline.open == []
    return outline.text


def test_the_bound_says_what_was_asked_and_what_was_reached() -> None:
    said = text(trust.bound({"epsilon": 0.1, "achieved": 0.05, "claim": "w"}, NOTHING))
    assert said == "Distance from optimal that was asked for: at most 10 %. Reached: 5 %."
    assert text(trust.bound({}, NOTHING)) == "No bound was reached."
    last = {"bound": {"value": 2.5, "architecture": {"width": 8}}, "claim": "w"}
    assert text(trust.bound(last, NOTHING)).endswith("The bound ended at 2.5. It is set by width 8.")
    assert "ended" not in text(trust.bound({**last, "claim": "front"}, NOTHING))


def test_a_chart_of_the_progress_has_words_for_who_does_not_see_it() -> None:
    progress = [{"trained": 1, "best": 1.0, "bound": 2.0}, {"trained": 2, "best": 1.5, "bound": 1.6}]
    figures: Figures = draw({"progress": progress, "trained": [], "picks": {}}, {"claim": "w"})
    page = join(trust.bound({"claim": "w"}, figures)).text
    assert Outline(page).labels == [
        "Line chart of the best value found and the proven bound against the number of networks trained."
    ]


@pytest.mark.parametrize(
    ("certificate", "words"),
    [
        ({}, "This was not measured."),
        ({"resolved": True}, "Yes: they tell networks apart, and noise is too small to have decided."),
        ({"resolved": False}, "No: the errors do not separate. Size and speed alone decided, or noise"),
        (
            {"noise": 0.1, "relative_noise": 0.03, "epsilon": 0.1},
            "3 % at most; three times that against epsilon, 10 %: enough.",
        ),
        ({"noise": 0.1, "relative_noise": 0.04, "epsilon": 0.1}, "three times that against epsilon, 10 %: not enough."),
        ({"noise": 0.0, "relative_noise": None}, "How much it changes errors that are compared is not known."),
        (
            {
                "delta": 0.0,
                "epsilon": 0.1,
                "epsilon_by_delta": [{"delta": 0, "epsilon": 0.05}, {"delta": 0.1, "epsilon": 0.15}],
            },
            "Were a larger network up to 10 % worse, 15 % would still be proved.",
        ),
        ({"noise": 0.1, "repeats": 4}, "other seeds and batches (4 repeats) changes it by 0.1."),
        ({"delta": 0.05, "epsilon": 0.1}, "up to 5 % worse (delta): below epsilon, 10 %, as it must be."),
        ({"delta": 0.2, "epsilon": 0.1}, "not below epsilon, 10 %, so only training everything could prove anything."),
        ({"violations": []}, "No trained network had a higher error than a smaller one that fits inside it."),
    ],
)
def test_whether_errors_tell_networks_apart(certificate: dict[str, Any], words: str) -> None:
    assert words in text(trust.resolution(certificate))


def test_violations_stand_in_a_table_the_largest_first() -> None:
    found = [
        {"smaller": {"w": 1}, "larger": {"w": n}, "smaller_error": 0.1, "larger_error": 0.2, "size": n / 100}
        for n in range(2, 27)
    ]
    said = text(trust.resolution({"violations": found}))
    assert "25 violations, largest first; the largest 20 are listed" in said
    assert said.index("w 26") < said.index("w 7") and "w 6 " not in said


def test_assumptions_and_clauses_are_marked_by_how_they_stand() -> None:
    certificate = {
        "claim": "w",
        "verdict": "certified",
        "achieved": 0.05,
        "space_size": 1080,
        "limits": {"speedup": 3.0},
        "assumptions": [{"name": "monotone", "status": "assumed", "evidence": None}],
        "abnc": {"verdict": "weak", "clauses": [{"name": "counts", "verdict": "checked", "evidence": {"degree": 3}}]},
    }
    said = text(trust.explanation(certificate))
    assert "The space has 1,080 architectures. Only those within the limits count: at least 3 times as fast" in said
    assert "monotone ? assumed none" in said and "counts ✓ checked degree 3" in said and "Verdict: ? weak" in said
    bare = text(trust.explanation({"claim": "w", "verdict": "no guarantee"}))
    assert "The certificate lists no assumptions." in bare and "ABnC" not in bare
