"""The ABnC check: does a family have the shape for which the search's guarantee was made?

A network ``f = C(B_n(... B_1(A(x))))`` has the property when (1) parameters p and operations i are polynomials in the
architectural parameters, (2) the first part A and the last part C grow no faster than the middle B_1..B_n, (3) p and
i are monotone on the whole grid, and (4) the error e behaves: bounded gradients and weights, ordered by size. The
first three are checked exactly here. Of the fourth a program sees evidence only, and of a finished run at that; the
smoothness and convexity of a real network's loss cannot be proved by a program and are always assumed.

*strong* is all four, *weak* the first three, anything else is *not shown*.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from subarch.networks.countmodels import CountModel
from subarch.networks.family import Family
from subarch.networks.fitting import fit_counts
from subarch.networks.polynomials import Polynomial
from subarch.networks.space import Space
from subarch.results.check import CheckResult, ClauseResult

Verdict = Literal["strong", "weak", "not shown"]
ClauseVerdict = Literal["checked", "assumed", "violated", "not shown"]

_OUTER = {"first": "A", "last": "C", "head": "C (separate head)"}
_RANK_CORRELATION = 0.8  # below it, short training does not predict longer training


@dataclass(frozen=True)
class ErrorEvidence:
    """What a finished run says about the error.

    Args:
        comparable_pairs: trained pairs x <= y.
        violations: sizes ``1 - e(x)/e(y)`` where positive, one for each pair that breaks monotony.
        epsilon: the approximation that was asked for; violations stay below it in a resolved run.
        spread: largest minus smallest trained error.
        noise: standard deviation of the error over repeats.
        resolved: whether the errors stand out from their noise, as the certificate says.
        gradient_norms: largest gradient norms seen; may be empty.
        weight_bound: limit of the clipped weights; None where weights were not clipped.
        rank_correlation: Spearman's, errors at s steps with errors after longer training; None if not measured.
    """

    comparable_pairs: int
    violations: tuple[float, ...]
    epsilon: float
    spread: float
    noise: float
    resolved: bool
    gradient_norms: tuple[float, ...] = ()
    weight_bound: float | None = None
    rank_correlation: float | None = None


def check_abnc(
    family: Family,
    counts: CountModel | None = None,
    error: ErrorEvidence | None = None,
    *,
    sequence_length: int = 128,
    seed: int = 0,
) -> CheckResult:
    """Check a family, with its counts where they were fitted already, and with a run's evidence where there is one.

    Raises:
        ValueError: when the family's networks cannot be built and counted.
    """
    counts = counts or fit_counts(family, sequence_length, seed)
    structure = (_polynomial(counts), _growth(counts), _monotone(counts, family.space))
    behaviour = _error_clauses(error)
    verdict: Verdict = "not shown"
    if all(clause.verdict == "checked" for clause in structure):
        strong = error is not None and all(clause.verdict in ("checked", "assumed") for clause in behaviour)
        verdict = "strong" if strong else "weak"
    return CheckResult(verdict, (*structure, *behaviour))


# ---------------------------------------------------------------------- structure: exact


def _polynomial(counts: CountModel) -> ClauseResult:
    name = "1. parameters and operations are polynomials"
    confirmed = f"confirmed on {counts.confirmed_with(())} networks that were built and counted"
    missing = [what for what in ("parameters", "macs") if counts.polynomials[what] is None]
    if missing:
        off = ", ".join(f"{what} differ by up to {counts.residuals[what]}" for what in missing)
        return ClauseResult(name, "violated", f"no polynomial was found: {off} ({counts.builds} networks were built)")
    return ClauseResult(name, "checked", f"p = {counts.parameters}; i = {counts.macs}; residual 0 ({confirmed})")


def _growth(counts: CountModel) -> ClauseResult:
    name = "2. first and last part grow no faster than the middle"
    parts = [part for part in ("first", "middle", "last", "head") if f"{part}.parameters" in counts.polynomials]
    table: list[str] = []
    outgrown: list[str] = []
    for what in ("parameters", "macs"):
        found = {part: counts.polynomials[f"{part}.{what}"] for part in parts}
        unknown = [part for part, polynomial in found.items() if polynomial is None]
        if unknown:
            return ClauseResult(name, "not shown", f"no polynomial was found for the {what} of {', '.join(unknown)}")
        for parameter in (p.name for p in counts.space.parameters if p.ordered):
            degrees = {part: p.degree(parameter) for part, p in found.items() if p is not None}
            table.append(f"{what} in {parameter}: " + ", ".join(f"{part} {d}" for part, d in degrees.items()))
            outgrown += [
                f"{_OUTER[part]} has degree {degree} in {parameter} ({what}), the middle {degrees['middle']}"
                for part, degree in degrees.items()
                if part != "middle" and degree > degrees["middle"]
            ]
    limits = f"; too few values to be sure of the degree in {', '.join(counts.limited)}" if counts.limited else ""
    if outgrown:
        return ClauseResult(name, "violated", "; ".join(outgrown) + limits)
    # A degree that the values of a parameter cut short may be higher than was seen, so nothing is proved.
    return ClauseResult(name, "not shown" if counts.limited else "checked", "degrees: " + "; ".join(table) + limits)


def _monotone(counts: CountModel, space: Space) -> ClauseResult:
    name = "3. parameters and operations are monotone"
    found: dict[str, Polynomial | None] = {"p": counts.parameters, "i": counts.macs}
    texts: list[str] = []
    verdict: ClauseVerdict = "checked"
    for letter, polynomial in found.items():
        if polynomial is None:
            return ClauseResult(
                name, "not shown", f"{letter} has no polynomial that could be checked on the whole grid"
            )
        proved, evidence = polynomial.order(space)
        texts.append(f"{letter}: {evidence}")
        if proved is False:
            verdict = "violated"
        elif proved is None and verdict == "checked":
            verdict = "not shown"
    return ClauseResult(name, verdict, "; ".join(texts))


# ---------------------------------------------------------------------- the error: evidence


def _error_clauses(error: ErrorEvidence | None) -> tuple[ClauseResult, ...]:
    checks: dict[str, Callable[[ErrorEvidence], tuple[ClauseVerdict, str]]] = {
        "4a. gradients are bounded": _gradients,
        "4b. weights are bounded": _weights,
        "4c. larger networks have no larger error": _order,
        "4d. short training predicts longer training": _prediction,
    }
    clauses = [
        ClauseResult(name, "not shown", "no finished run was given")
        if error is None
        else ClauseResult(name, *check(error))
        for name, check in checks.items()
    ]
    words = "smoothness and convexity of the loss: no program can prove them for a network"
    return (*clauses, ClauseResult("4e. the loss is smooth and convex", "assumed", words))


def _gradients(error: ErrorEvidence) -> tuple[ClauseVerdict, str]:
    if not error.gradient_norms:
        return "not shown", "no gradient norms were recorded"
    largest = max(error.gradient_norms)
    if not all(norm < float("inf") for norm in error.gradient_norms):  # NaN fails the comparison too
        return "violated", "a gradient was infinite or not a number"
    return "checked", f"no gradient norm above {largest:.3g} in {len(error.gradient_norms)} trainings"


def _weights(error: ErrorEvidence) -> tuple[ClauseVerdict, str]:
    if error.weight_bound is None:
        return "not shown", "weights were not clipped, so nothing bounds them"
    return "checked", f"weights were clipped to [-{error.weight_bound:g}, {error.weight_bound:g}]"


def _order(error: ErrorEvidence) -> tuple[ClauseVerdict, str]:
    seen = f"{len(error.violations)} violations among {error.comparable_pairs} trained comparable pairs"
    size = f", the largest {max(error.violations):.1%}" if error.violations else ""
    measured = f"spread {error.spread:.3g} against noise {error.noise:.3g}"
    if not error.comparable_pairs:
        return "not shown", f"no two trained networks were comparable; {measured}"
    if max(error.violations, default=0.0) >= error.epsilon:
        return "violated", f"{seen}{size}, not below epsilon {error.epsilon:g}; {measured}"
    if not error.resolved:
        return "not shown", f"{seen}{size}; {measured}: the errors do not separate"
    return "checked", f"{seen}{size}; {measured}"


def _prediction(error: ErrorEvidence) -> tuple[ClauseVerdict, str]:
    if error.rank_correlation is None:
        return "not shown", "the rank correlation with longer training was not measured"
    verdict: ClauseVerdict = "checked" if error.rank_correlation >= _RANK_CORRELATION else "violated"
    return verdict, f"rank correlation {error.rank_correlation:.2f} with longer training"
