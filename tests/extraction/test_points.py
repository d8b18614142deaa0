"""What console and report show of a search: front, knee and picks, by brute force."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import examples
import numpy as np
import pytest
from toy import Toy, error

from subarch.extraction.certificate import derive
from subarch.extraction.conclusions import conclusions
from subarch.extraction.points import TIMED_AT_MOST, Points
from subarch.extraction.question import Question
from subarch.extraction.study import Trial
from subarch.networks.fitting import fit_counts
from subarch.results.certificate import CertificateResult
from subarch.results.extract import ExtractResult, StepResult, TimedWith
from subarch.running.stopwatch import timekeeper_of

FAMILY = Toy()
COUNTS = fit_counts(FAMILY, 16)
TRAINED = FAMILY.space.listed()[::3]


def points(**given: Any) -> tuple[Points, CertificateResult]:
    """Every third architecture, trained; the repeat among the trials is for the noise alone."""
    question = Question(
        **({"claim": "w", "epsilon": 0.1, "reference": FAMILY.reference, "sequence_length": 16} | given)
    )
    problem = question.problem(FAMILY, COUNTS, None, 0.0)
    trials = []
    for number, row in enumerate(TRAINED):
        architecture = FAMILY.space.architecture(row)
        p, i = problem.costs(row[None, :])[0]
        trials.append(
            Trial(
                number=number,
                purpose="search",
                architecture=architecture,
                parameters=p,
                cost=i,
                error=error(architecture, 0),
            )
        )
    repeat = Trial(
        number=len(trials),
        purpose="repeat",
        details={"repeat": 1},
        architecture=trials[0].architecture,
        parameters=1,
        cost=1,
        error=9.0,
    )
    errors = {FAMILY.space.index(one.architecture): one.error for one in trials}
    derived = derive(problem, errors)
    made = Points(
        family=FAMILY,
        counts=COUNTS,
        question=question,
        problem=problem,
        trials=[*trials, repeat],
        derived=derived,
    )
    return made, examples.certificate(**vars(conclusions(problem, [*trials, repeat], derived, counts_hold=True)))


STEP = StepResult(trained=1, seconds=0.5, best=None, bound=None, achieved=None)


def shown(made: Points, certificate: CertificateResult) -> dict[str, Any]:
    """What ``extract.json`` holds."""
    found = made.document(certificate, "toy:Toy", Path("runs/toy"), [STEP], TimedWith(runtime="pytorch", threads=1))
    document = found.to_json()
    assert json.loads(json.dumps(document)) == document and ExtractResult.from_json(document) == found
    return document


def listed() -> list[tuple[dict[str, Any], float, float, float]]:
    """Architecture, parameters, operations and error of what was trained."""
    problem = Question(claim="w", epsilon=0.1, reference=FAMILY.reference).problem(FAMILY, COUNTS, None, 0.0)
    return [
        (dict(FAMILY.space.architecture(row)), *cost, error(FAMILY.space.architecture(row), 0))
        for row, cost in zip(TRAINED, problem.costs(TRAINED).tolist(), strict=True)
    ]


def test_the_front_is_what_nothing_beats() -> None:
    made, certificate = points()
    document = shown(made, certificate)
    beaten = [
        any(all(b <= a for a, b in zip(one[1:], other[1:], strict=True)) and one[1:] != other[1:] for other in listed())
        for one in listed()
    ]
    expected = [one for one, worse in zip(listed(), beaten, strict=True) if not worse]
    assert [row["architecture"] for row in document["front"]] == [
        one[0] for one in sorted(expected, key=lambda one: (one[2], one[1]))
    ]
    assert document["run"] == "runs/toy" and document["progress"] == [STEP.to_json()]
    assert document["timed_with"] == {"runtime": "pytorch", "threads": 1}
    assert document["certificate"] == certificate.to_json()
    assert len(document["trained"]) == len(TRAINED)
    assert len(document["untrained"]) == document["untrained_total"] == len(FAMILY.space.listed()) - len(TRAINED)


def test_the_picks_by_brute_force() -> None:
    made, certificate = points()
    document = shown(made, certificate)
    top = {"parameters": document["source"]["parameters"], "macs": document["source"]["macs"]}
    w = [(1 - p / top["parameters"]) * (1 - i / top["macs"]) / e for _, p, i, e in listed()]
    best = listed()[int(np.argmax(w))]
    assert document["architecture"] == document["picks"]["w"]["architecture"] == best[0]
    assert document["w"] == pytest.approx(max(w))
    assert document["picks"]["w"]["certified"] == (certificate.verdict == "certified")
    assert document["picks"]["constrained"] is None
    assert document["picks"]["knee"]["architecture"] in [row["architecture"] for row in document["front"]]


def test_within_a_limit_the_lowest_error_is_picked() -> None:
    limit = 9000.0
    made, certificate = points(claim="constrained", limits={"macs": limit})
    document = shown(made, certificate)
    best = min((one for one in listed() if one[2] <= limit), key=lambda one: one[3])
    assert document["architecture"] == document["picks"]["constrained"]["architecture"] == best[0]
    assert document["picks"]["constrained"]["missed"] == []  # nothing was timed


def test_bounds_of_what_was_not_trained_are_below_its_error() -> None:
    made, certificate = points()
    for row in shown(made, certificate)["untrained"]:
        assert row["error_bound"] is None or row["error_bound"] <= error(row["architecture"], 0) + 1e-12


def test_picks_are_timed_first_and_not_everything() -> None:
    made, certificate = points()
    chosen = [n for n in made.picks.values() if n is not None]
    assert set(chosen) <= set(made.to_time[: len(chosen)]) and len(made.to_time) <= TIMED_AT_MOST
    assert len(set(made.to_time)) == len(made.to_time)
    assert shown(made, certificate)["latency_ms"] is None
    made.time(timekeeper_of(FAMILY, "pytorch", forms=(), threads=1, sequence_length=16))
    document = shown(made, certificate)
    assert document["latency_ms"] > 0 and document["source"]["latency_ms"] > 0


def test_a_latency_that_is_missed_when_it_is_measured_again_is_said() -> None:
    made, certificate = points(claim="constrained", limits={"macs": 9000.0})
    made.time(timekeeper_of(FAMILY, "pytorch", forms=(), threads=1, sequence_length=16))
    question = Question(
        claim="constrained", epsilon=0.1, reference=FAMILY.reference, limits={"latency_ms": 1e-9, "speedup": 1e9}
    )
    made._question = question  # as if these had been asked
    missed = shown(made, certificate)["picks"]["constrained"]["missed"]
    assert len(missed) == 2
    assert missed[0].endswith("ms measured again, at most 1e-09 ms asked")
    assert missed[1].endswith("times as fast measured again, 1e+09 asked")
