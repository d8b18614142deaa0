"""What a derivation means: the verdict, its reason in plain words, and the fields of the certificate that follow."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from subarch.extraction.certificate import Derived
from subarch.extraction.problem import Claim, Problem
from subarch.networks.space import Architecture, Index

Verdict = Literal["certified", "unresolved", "no guarantee"]

ROUNDING = 1e-12
"""A factor of exactly 1.1 less 1 is 0.1 and a rounding error: that much is granted."""
RESOLVING_FACTOR = 10.0
"""Errors are resolved when their spread is at least this many times the repeat noise, and delta < epsilon."""


def resolved(derived: Derived, noise: float, epsilon: float) -> bool:
    """The public rule: the errors' spread is at least ten times the repeat noise, and delta < epsilon.

    Errors without any spread are not resolved, however small the noise: nothing tells the networks apart.
    """
    separate = derived.evaluated > 1 and 0 < derived.spread >= RESOLVING_FACTOR * noise
    return separate and derived.delta < epsilon


def verdict(
    derived: Derived, *, claim: Claim, epsilon: float, noise: float, counts_hold: bool, error_floor: float = 0.0
) -> tuple[Verdict, str]:
    """The verdict and the reason for it in plain words.

    Args:
        derived: what the errors prove.
        claim: what it is proved of.
        epsilon: what was asked.
        noise: standard deviation of the error of one architecture over other seeds and batches.
        error_floor: the assumed lower bound on every error that the bounds used; 0 for none.
        counts_hold: whether p and i were shown to be monotone, and the clauses of the ABnC check that a program can
            check all hold.
    """
    everything = derived.listed and derived.evaluated + len(derived.excluded) >= derived.space_size
    if not counts_hold:
        return "no guarantee", (
            "A clause of the ABnC check fails (see the clauses): the order that the bound needs is not shown."
        )
    if derived.achieved is None:
        return "no guarantee", "Nothing to choose: no trained architecture qualifies for this claim."
    if not derived.achieved <= epsilon + ROUNDING:
        reason = f"Stopped early: epsilon {derived.achieved:.3g} was reached, {epsilon:g} was asked."
        if derived.delta >= epsilon:
            reason += f" With violations of up to {derived.delta:.3g} only training everything could reach it."
        return "no guarantee", reason
    if derived.delta >= epsilon and not everything:
        return "no guarantee", (
            f"The errors break monotony by up to {derived.delta:.3g}, which is no less than epsilon = {epsilon:g}."
        )
    if everything and derived.delta >= epsilon and derived.spread >= RESOLVING_FACTOR * noise:
        return "unresolved", (
            f"Every architecture of the space was trained and {_EXACT[claim]}, but the errors break "
            f"monotony by up to {derived.delta:.3g}, no less than epsilon = {epsilon:g}: larger is not better here."
        )
    if not resolved(derived, noise, epsilon):
        return "unresolved", (
            f"The errors do not separate: their spread {derived.spread:.3g} against a repeat noise of {noise:.3g} "
            f"(at least {RESOLVING_FACTOR:g} times is needed), delta {derived.delta:.3g} against epsilon {epsilon:g}. "
            "Size and speed alone decided."
        )
    if everything:
        return "certified", f"Every architecture of the space was trained: {_EXACT[claim]}."
    never = "never worse" + (f" by more than {derived.delta:.3g}" if derived.delta else "")
    floor = f" and no error lies below the {error_floor:g} that was vouched for" if error_floor else ""
    return "certified", (
        f"{_bounded(claim, derived.achieved)} (epsilon {derived.achieved:.3g} was reached, {epsilon:g} was asked), "
        f"given that a larger network is {never}{floor}."
    )


_EXACT: Mapping[Claim, str] = {
    "w": "the pick is the best of them",
    "constrained": "the pick has the lowest error of those within the limits",
    "front": "the front is the true one",
}


def _bounded(claim: Claim, achieved: float) -> str:
    if achieved <= ROUNDING and claim != "front":
        best = (
            "within the limits can have a lower error" if claim == "constrained" else "of the space can have a higher W"
        )
        return f"No architecture {best}"
    if claim == "w":
        return f"The pick's W is at least {max(0.0, 1 - achieved):.3g} of the highest that the space can offer"
    if claim == "constrained":
        return (
            f"No architecture within the limits can have an error below {max(0.0, 1 - achieved):.3g} times the pick's"
        )
    return f"For every architecture a trained one is within a factor of {1 + achieved:.3g} in size, cost and error"


def digest(document: Any) -> str:
    """SHA-256 of the canonical JSON form."""
    return hashlib.sha256(json.dumps(document, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def conclusions(problem: Problem, derived: Derived, noise: float, counts_hold: bool) -> dict[str, Any]:
    """Every field of the certificate that follows from the ledger and the question; the verifier compares these."""
    name, reason = verdict(
        derived,
        claim=problem.claim,
        epsilon=problem.epsilon,
        noise=noise,
        counts_hold=counts_hold,
        error_floor=0.0 if derived.floor_void else problem.error_floor,
    )

    def architecture(index: Index | None) -> Architecture | None:
        return None if index is None else problem.space.architecture(index)

    if derived.excluded:
        reason += f" {left_out(problem, derived)}"

    return {
        "claim": problem.claim,
        "verdict": name,
        "reason": reason,
        "epsilon": problem.epsilon,
        "achieved": derived.achieved,
        "delta": derived.delta,
        "e_min": problem.e_min,
        "error_floor": {"assumed": problem.error_floor, "void": derived.floor_void},
        "evaluated": derived.evaluated,
        "space_size": derived.space_size,
        "space_listed": derived.listed,
        "spread": derived.spread,
        "noise": noise,
        "resolved": resolved(derived, noise, problem.epsilon),
        "violations": [
            {
                "smaller": architecture(violation.smaller),
                "larger": architecture(violation.larger),
                "smaller_error": violation.smaller_error,
                "larger_error": violation.larger_error,
                "size": violation.size,
            }
            for violation in derived.violations
        ],
        "best": {"architecture": architecture(derived.best), "value": _number(derived.value)},
        "bound": {"value": _number(derived.bound), "architecture": architecture(derived.bound_at)},
        "excluded": [
            {
                "architecture": architecture(one.index),
                "error_at_least": one.error_at_least or None,
                "w_at_most": one.w_at_most,
            }
            for one in derived.excluded
        ],
        "limits": {limit.name: limit.maximum if limit.asked is None else limit.asked for limit in problem.limits},
        "space_hash": problem.space.hash,
    }


_NAMED = 3


def left_out(problem: Problem, derived: Derived) -> str:
    """What the claim is not about, in a sentence."""
    named = [str(problem.space.architecture(one.index)) for one in derived.excluded[:_NAMED]]
    more = len(derived.excluded) - len(named)
    others = f" and {more} more" if more else ""
    return f"Left out, as every training of it failed: {', '.join(named)}{others}."


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def differences(expected: Mapping[str, Any], found: Mapping[str, Any], keys: Sequence[str]) -> list[str]:
    """Which of ``keys`` differ, and how, in one line each."""
    return [
        f"{key}: the certificate says {_short(found.get(key))}, the ledger gives {_short(expected[key])}"
        for key in keys
        if not _same(expected[key], found.get(key))
    ]


def _same(one: Any, other: Any) -> bool:
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else text[:77] + "..."
