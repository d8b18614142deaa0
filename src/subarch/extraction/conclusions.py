"""What a derivation means: the verdict, its reason in plain words, and the fields of the certificate that follow."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, cast

from subarch.extraction.audit import told
from subarch.extraction.certificate import Derived, epsilon_by_delta
from subarch.extraction.noise import SEPARATING, noise_of, relative_noise
from subarch.extraction.problem import Claim, Problem
from subarch.extraction.study import EVIDENCE, Trial
from subarch.networks.space import Index
from subarch.results.certificate import (
    Conclusions,
    DeltaResult,
    ExcludedResult,
    FloorResult,
    ValueResult,
    ViolationResult,
)

Verdict = Literal["certified", "unresolved", "no guarantee"]

ROUNDING = 1e-12
"""A factor of exactly 1.1 less 1 is 0.1 and a rounding error: that much is granted."""


NEARLY = 1e-9
"""Relative difference between the same number on two machines."""
_NOTHING = 1e-12
"""Noise that cancels leaves rounding errors, which are others on another machine."""

RESOLVING_FACTOR = 10.0
"""Errors tell networks apart where their spread is at least this many times the repeat noise."""


def resolved(derived: Derived, noise: float | None, epsilon: float, deviation: float = 0.0) -> bool:
    """The public rule: errors tell networks apart, noise cannot have decided, and delta < epsilon.

    They tell networks apart where their spread is ten times what repeats change; otherwise size and speed alone decide.
    Noise cannot have decided where epsilon is at least three times the relative noise: it could not have moved the
    pick's error, or one that bounds others, by a share like epsilon. Where it is not known, nothing is resolved.

    Args:
        derived: what the errors prove.
        noise: relative, as :func:`~subarch.extraction.noise.relative_noise` says.
        epsilon: what was asked.
        deviation: standard deviation of the error of one architecture, as
            :func:`~subarch.extraction.noise.noise_of` says.
    """
    return _separate(derived, noise, epsilon, deviation) and derived.delta < epsilon


def _tell_apart(derived: Derived, deviation: float) -> bool:
    return derived.evaluated > 1 and 0 < derived.spread >= RESOLVING_FACTOR * deviation


def _separate(derived: Derived, noise: float | None, epsilon: float, deviation: float) -> bool:
    return _tell_apart(derived, deviation) and noise is not None and SEPARATING * noise <= epsilon


def verdict(
    derived: Derived,
    *,
    claim: Claim,
    epsilon: float,
    noise: float | None,
    counts_hold: bool,
    error_floor: float = 0.0,
    deviation: float = 0.0,
    asked: float | None = None,
) -> tuple[Verdict, str]:
    """The verdict and the reason for it in plain words.

    Args:
        derived: what the errors prove.
        claim: what it is proved of.
        epsilon: what is to be shown.
        noise: relative, of one error, as :func:`~subarch.extraction.noise.relative_noise` says.
        counts_hold: whether p and i were shown to be monotone, and the clauses of the ABnC check that a program can
            check all hold.
        error_floor: the assumed lower bound on every error that the bounds used; 0 for none.
        deviation: standard deviation of the error of one architecture, as
            :func:`~subarch.extraction.noise.noise_of` says.
        asked: the epsilon that was asked for, where that is a finer one.
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
    if everything and derived.delta >= epsilon and _separate(derived, noise, epsilon, deviation):
        return "unresolved", (
            f"Every architecture of the space was trained and {_EXACT[claim]}, but the errors break "
            f"monotony by up to {derived.delta:.3g}, no less than epsilon = {epsilon:g}: larger is not better here."
        )
    if not resolved(derived, noise, epsilon, deviation):
        measured = _noise_in_words(derived, noise, epsilon, deviation)
        decided = "Noise may have decided." if _tell_apart(derived, deviation) else "Size and speed alone decided."
        return "unresolved", (
            f"The errors do not separate: {measured}, delta {derived.delta:.3g} against epsilon {epsilon:g}. {decided}"
        )
    if everything:
        return "certified", f"Every architecture of the space was trained: {_EXACT[claim]}."
    never = "never worse" + (f" by more than {derived.delta:.3g}" if derived.delta else "")
    floor = f" and no error lies below the {error_floor:g} that was vouched for" if error_floor else ""
    return "certified", (
        f"{_bounded(claim, derived.achieved)} (epsilon {derived.achieved:.3g} was reached, "
        f"{_asked(epsilon, asked)}), given that a larger network is {never}{floor}."
    )


def _noise_in_words(derived: Derived, noise: float | None, epsilon: float, deviation: float) -> str:
    if not _tell_apart(derived, deviation):
        return (
            f"their spread {derived.spread:.3g} against a repeat noise of {deviation:.3g} (at least "
            f"{RESOLVING_FACTOR:g} times is needed)"
        )
    if noise is None:
        return "their noise is not known (repeats gave the very same errors, or there were too few)"
    return (
        f"with other seeds and batches one changes by up to {noise:.2%}, of which {SEPARATING:g} times must be at most "
        f"epsilon, {epsilon:.2%}"
    )


def _asked(epsilon: float, asked: float | None) -> str:
    if asked is None or asked == epsilon:
        return f"{epsilon:g} was asked"
    return f"{epsilon:g} is as fine as these errors can tell, {asked:g} was asked"


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


def conclusions(
    problem: Problem, trials: Sequence[Trial], derived: Derived, counts_hold: bool, ask: str = ""
) -> Conclusions:
    """Every field of the certificate that follows from the ledger and the question; the verifier compares these.

    Args:
        problem: what was asked.
        trials: of the ledger.
        derived: what their errors prove.
        counts_hold: whether the clauses of the ABnC check that a program can check all hold.
        ask: digest of the question, which its audits carry.
    """
    at, deviation = decisive(problem, trials, derived), noise_of(trials)
    noise = None if at is None else relative_noise(trials, problem.space, at, problem.e_min)
    epsilon = problem.grade(derived.delta)
    if derived.achieved is not None and derived.achieved <= epsilon + ROUNDING and noise is not None:
        epsilon = problem.grade(derived.delta, SEPARATING * noise)  # reached, and told as fine as noise lets it be
    name, reason = verdict(
        derived,
        claim=problem.claim,
        epsilon=epsilon,
        asked=problem.epsilon,
        noise=noise,
        counts_hold=counts_hold,
        error_floor=0.0 if derived.floor_void else problem.error_floor,
        deviation=deviation,
    )
    if derived.excluded:
        reason += f" {left_out(problem, derived)}"
    architecture = problem.space.architecture

    def of(value: float, index: Index | None) -> ValueResult:
        return ValueResult(value=_number(value), architecture=None if index is None else architecture(index))

    return Conclusions(
        claim=problem.claim,
        verdict=name,
        reason=reason,
        epsilon=epsilon,
        achieved=derived.achieved,
        delta=derived.delta,
        e_min=problem.e_min,
        error_floor=FloorResult(assumed=problem.error_floor, void=derived.floor_void),
        evaluated=derived.evaluated,
        space_size=derived.space_size,
        space_listed=derived.listed,
        spread=derived.spread,
        noise=deviation,
        relative_noise=noise,
        epsilon_by_delta=tuple(
            DeltaResult(delta=delta, epsilon=reached) for delta, reached in epsilon_by_delta(problem.claim, derived)
        ),
        resolved=resolved(derived, noise, epsilon, deviation),
        violations=tuple(
            ViolationResult(
                smaller=architecture(violation.smaller),
                larger=architecture(violation.larger),
                smaller_error=violation.smaller_error,
                larger_error=violation.larger_error,
                size=violation.size,
            )
            for violation in derived.violations
        ),
        best=of(derived.value, derived.best),
        bound=of(derived.bound, derived.bound_at),
        excluded=tuple(
            ExcludedResult(
                architecture=architecture(one.index),
                error_at_least=one.error_at_least or None,
                w_at_most=one.w_at_most,
            )
            for one in derived.excluded
        ),
        audit=told(problem, trials, ask),
        limits={limit.name: limit.maximum if limit.asked is None else limit.asked for limit in problem.limits},
        space_hash=problem.space.hash,
    )


def decisive(problem: Problem, trials: Sequence[Trial], derived: Derived) -> Index | None:
    """Whose error decides: the pick's; of a front the smallest error."""
    if problem.claim != "front":
        return derived.best
    found = [trial for trial in trials if trial.purpose in EVIDENCE]
    least = min(found, key=lambda trial: (trial.error, trial.number), default=None)
    return None if least is None else problem.space.index(least.architecture)


_NAMED = 3


def left_out(problem: Problem, derived: Derived) -> str:
    """What the claim is not about, in a sentence."""
    named = [str(problem.space.architecture(one.index)) for one in derived.excluded[:_NAMED]]
    more = len(derived.excluded) - len(named)
    others = f" and {more} more" if more else ""
    return f"Left out, as every training of it failed: {', '.join(named)}{others}."


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def differences(expected: Any, told: Any, at: str = "it") -> Iterator[str]:
    """Where what is told is not what is derived, in one line each; numbers may differ by what machines differ by."""
    if isinstance(expected, Mapping) and isinstance(told, Mapping):
        ours, theirs = cast("Mapping[str, Any]", expected), cast("Mapping[str, Any]", told)
        for key in [*ours, *(key for key in theirs if key not in ours)]:
            yield from differences(ours.get(key), theirs.get(key), key if at == "it" else f"{at}.{key}")
    elif isinstance(expected, list) and isinstance(told, list) and len(expected) == len(told):  # pyright: ignore[reportUnknownArgumentType]
        for number, (one, other) in enumerate(zip(expected, told, strict=True)):  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
            yield from differences(one, other, f"{at}[{number}]")
    elif not _same(expected, told):
        yield f"{at}: told is {_short(told)}, derived {_short(expected)}"


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, float | int) and isinstance(other, float | int) and not isinstance(one, bool):
        return not isinstance(other, bool) and math.isclose(one, other, rel_tol=NEARLY, abs_tol=_NOTHING)
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else text[:77] + "..."
