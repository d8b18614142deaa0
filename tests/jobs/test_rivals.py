"""Who the pick's rivals are, and what is concluded from their scores: by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import examples
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from subarch.extraction.question import Question
from subarch.jobs.rivals import Concluded, concluded, pick_of, rivals_of
from subarch.networks.space import Parameter, Space
from subarch.results.confirm import ConfirmedResult
from subarch.results.extract import ExtractResult, TrainedResult
from subarch.running.latency_table import LatencyTable

SPACE = Space((Parameter(name="width", choices=(1, 2, 3, 4, 5)),))
MS = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
TABLE = LatencyTable(SPACE, "isotonic", np.arange(5, dtype=np.int16)[:, None], MS, MS, 6.0, (0.0, 0.0), {})


def search(errors: Sequence[float], pick: int, **limits: float) -> ExtractResult:
    """A search over widths 1 to 5: as many thousand parameters, tenfold operations, and milliseconds."""
    trained = tuple(
        TrainedResult(
            architecture={"width": n + 1},
            parameters=1000 * (n + 1),
            macs=10_000 * (n + 1),
            latency_ms=None,
            error=error,
            number=10 + n,
            standard_error=None,
            w=(1 - (n + 1) / 5) ** 2 / error,
            seconds=1.0,
        )
        for n, error in enumerate(errors)
    )
    claim: Any = "constrained" if limits else "w"
    question = Question(claim=claim, epsilon=0.1, reference={"width": 5}, limits=limits)
    certificate = examples.certificate(
        claim=claim, question=question.to_json(), space=SPACE.to_json(), latency_table=TABLE.to_json()
    )
    return examples.extract(architecture={"width": pick}, trained=trained, certificate=certificate)


def widths(found: Sequence[TrainedResult]) -> list[Any]:
    return [one.architecture["width"] for one in found]


ERRORS = (0.5, 0.1, 0.3, 0.2, 0.05)


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"parameters": 4000}, [4, 3, 1]),  # by error
        ({"macs": 30_000}, [3, 1]),
        ({"latency_ms": 3.0}, [3, 1]),
        ({"speedup": 6 / 4}, [4, 3, 1]),  # the reference takes 6 ms: 4 are left
        ({"speedup": 2.0, "parameters": 2000}, [1]),
    ],
)
def test_rivals_meet_the_limits_and_the_nearest_error_comes_first(
    limits: dict[str, float], expected: list[int]
) -> None:
    found = search(ERRORS, 2, **limits)
    assert widths([pick_of(found)]) == [2]
    assert widths(rivals_of(found, 9)) == expected
    assert widths(rivals_of(found, 1)) == expected[:1]


def test_where_the_claim_is_about_w_the_nearest_w_comes_first_and_none_without_any() -> None:
    # W: 0.64/0.5 = 1.28, 0.36/0.1 = 3.6, 0.16/0.3 = 0.53, 0.04/0.2 = 0.2, and 0 of the largest
    assert widths(rivals_of(search(ERRORS, 2), 9)) == [1, 3, 4]


def network(number: int, *scores: float, error: float = 0.1, w: float = 1.0) -> ConfirmedResult:
    mean = sum(scores) / len(scores) if scores else None
    failure = None if scores else "the loss was nan"
    shape = {"num_hidden_layers": number}
    return ConfirmedResult(
        number=number, architecture=shape, parameters=1, error=error, w=w, scores=scores, mean=mean, failure=failure
    )


def judged(*networks: ConfirmedResult, by_w: bool = False, asked: int | None = None) -> Concluded:
    count = len(networks) - 1 if asked is None else asked
    return concluded(networks, by_w=by_w, examples=100, asked=count)


PICK = network(1, 0.90, 0.91, 0.92, error=0.1)
BETTER = network(2, 0.920, 0.931, 0.942, error=0.2)  # by 0.020, 0.021, 0.022
MAYBE = network(3, 0.91, 0.93, 0.95, error=0.3)  # by 0.01, 0.02, 0.03: the half is 4.303 * 0.01 / sqrt(3)
WORSE = network(4, 0.880, 0.889, 0.898, error=0.4)


def test_a_rival_that_is_better_beyond_noise_is_named() -> None:
    found = judged(PICK, MAYBE, BETTER, WORSE)
    assert (found.verdict, found.better) == ("did not hold", 2)
    assert found.reason == (
        "The order did not hold: after full training 2 layers (no. 2) is better than the pick, by 2.10 ± 0.25 points."
    )
    (maybe,) = (one.difference for one in found.networks if one.number == 3)
    assert maybe is not None and maybe.mean == pytest.approx(0.02)
    assert maybe.ci95 == pytest.approx(4.302653 * 0.01 / math.sqrt(3), rel=1e-5)


def test_it_held_where_the_pick_is_better_than_each() -> None:
    found = judged(PICK, WORSE)
    assert (found.verdict, found.better) == ("held", None)
    assert found.reason.startswith("The order held: after full training the pick is better than its rival beyond")
    assert judged(PICK, WORSE, network(5)).verdict == "held"  # one that failed is no rival any more
    assert judged(PICK, WORSE, MAYBE).verdict == "not decided"
    assert "and the pick is better than 1 of its 2 rivals." in judged(PICK, WORSE, MAYBE).reason


def test_what_is_not_there_is_told() -> None:
    alone = judged(PICK, asked=2)
    assert alone.verdict == "not decided" and alone.reason == (
        "There is no rival to compare the pick with. Asked for: 2 rivals; only 0 of the other trained architectures "
        "could have been the answer."
    )
    assert "one seed shows no noise" in judged(network(1, 0.9), network(2, 0.5)).reason
    assert "The training of 5 layers (no. 5) failed, and is not compared: the loss was nan." in (
        judged(PICK, WORSE, network(5)).reason
    )


def test_the_rank_correlation_is_that_of_all_pairs() -> None:
    # Means after full training: 0.910, 0.931, 0.930, 0.889. Of six pairs (1, 2) and (1, 3) changed places.
    assert judged(PICK, BETTER, MAYBE, WORSE).tau == pytest.approx((4 - 2) / 6)
    assert judged(PICK, WORSE).tau is None  # of two it is a coin
    assert judged(PICK, network(2, *PICK.scores), network(3, *PICK.scores)).tau is None


def test_where_the_claim_is_about_w_long_errors_take_the_place_of_short_ones() -> None:
    """g is w times error: 0.5 and 0.2. A larger network with a better score has a lower W after all."""
    pick, large = network(1, 0.90, 0.92, error=0.1, w=5.0), network(2, 0.95, 0.96, error=0.05, w=4.0)
    found = judged(pick, large, by_w=True)
    assert found.networks[0].w_after == pytest.approx((5.0, 6.25))
    assert found.networks[1].w_after == pytest.approx((4.0, 5.0))
    assert found.verdict == "not decided"  # by 1 and 1.25, with two seeds
    perfect = judged(pick, network(2, 1.0, 1.0, error=0.05, w=4.0), by_w=True).networks[1]
    assert perfect.w_after == pytest.approx((0.2 / 0.005,) * 2)  # half of one of 100 rows


scores = st.lists(st.integers(0, 100), min_size=3, max_size=3).map(lambda one: tuple(n / 100 for n in one))


@given(st.lists(scores, min_size=2, max_size=5))
def test_the_verdict_follows_from_the_signs_whatever_the_scores(found: list[tuple[float, ...]]) -> None:
    made = judged(*(network(n, *one) for n, one in enumerate(found)))
    signs = [one.difference.sign for one in made.networks[1:] if one.difference is not None]
    assert len(signs) == len(found) - 1
    expected = "did not hold" if 1 in signs else "held" if set(signs) == {-1} else "not decided"
    assert made.verdict == expected
    assert (made.better is not None) == (expected == "did not hold")
