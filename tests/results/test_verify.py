"""What verify tells."""

from __future__ import annotations

import pytest
from laws import HOSTILE, changed, holds, shows_words_as_they_are, told

from subarch.results.base import Line
from subarch.results.verify import RetrainedResult, VerifyResult

RESULT = VerifyResult(
    accepted=True,
    reason="it follows from the ledger",
    achieved=0.05,
    retrained=(
        RetrainedResult(trial=7, recorded=0.123456789, again=0.12),
        RetrainedResult(trial=8, recorded=1e-7, again=2.0, allowed=0.001),
        RetrainedResult(trial=9, recorded=None, again=None),
    ),
)


def test_it_is_a_result() -> None:
    holds(RESULT)
    shows_words_as_they_are(changed(RESULT, reason=HOSTILE))


@pytest.mark.parametrize(("accepted", "lead", "tone"), [(True, "accepted", "good"), (False, "refused", "bad")])
def test_the_verdict_comes_with_every_training_that_was_done_again(accepted: bool, lead: str, tone: str) -> None:
    made = changed(RESULT, accepted=accepted)
    assert told(made) == [
        f"{lead}: it follows from the ledger",
        "  trial 7: recorded 0.123457, again 0.12",
        "  trial 8: recorded 1.00000e-07, again 2",
        "  trial 9: recorded not stated, again not stated",
    ]
    first = next(iter(made.told()))
    assert isinstance(first, Line) and first.tone == tone
