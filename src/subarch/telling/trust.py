"""How sure a result is, in plain words: the sections of a report that explain the certificate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from subarch.results.base import Json
from subarch.results.certificate import AuditResult
from subarch.results.wording import claim_in_words, counted, decimal, describe, finite, limits_in_words, percent, whole
from subarch.telling.figures import Figures
from subarch.telling.page import Cell, Html, chart, evidence, number_cell, table, tag

_MOST_VIOLATIONS = 20
_SEPARATING = 3.0  # the public rule: epsilon is at least this many times the relative noise
_TONES = {
    **dict.fromkeys(("checked", "holds", "strong", "passed", "yes"), ("good", "✓ ")),
    **dict.fromkeys(("assumed", "weak", "not shown", "unknown"), ("warn", "? ")),
    **dict.fromkeys(("violated", "fails", "failed", "does not hold", "no"), ("bad", "✕ ")),
}


def bound(certificate: Json, figures: Figures) -> list[Html]:
    """Show how the distance between the best architecture and the proven bound went down."""
    epsilon = finite(certificate.get("epsilon"))
    asked = percent(epsilon) if epsilon is not None and 0 < epsilon < 1 else None
    reached = finite(certificate.get("achieved"))
    first = finite((certificate.get("question") or {}).get("epsilon"))
    words = [f"Distance from optimal that was asked for: at most {asked}."] if asked else []
    if asked and first is not None and epsilon is not None and first < epsilon:
        words = [
            f"Distance from optimal that was asked for: at most {percent(first)}; that these errors can tell: {asked}."
        ]
    words += [f"Reached: {percent(reached)}." if reached is not None else "No bound was reached."]
    content = [tag("p", " ".join(words))]
    if "progress" in figures.plots:
        caption = tag("p", "Each training moves one line or both. Between them lies all that is still unknown.")
        label = "Line chart of the best value found and the proven bound against the number of networks trained."
        title = "Distance from the true front" if certificate.get("claim") == "front" else "Best found and proven bound"
        if certificate.get("claim") == "front":
            caption = tag("p", "How far, at most, any architecture can be better than what the front holds.")
        content.append(chart("progress", title, caption, label))
    last = certificate.get("bound") or {}
    if finite(last.get("value")) is not None and certificate.get("claim") != "front":
        where = f" It is set by {describe(last['architecture'])}." if last.get("architecture") else ""
        content.append(tag("p", f"The bound ended at {decimal(last['value'])}.{where}", class_="note"))
    return content


def resolution(certificate: Json) -> list[Html]:
    """Say whether the measured errors tell architectures apart, and what speaks for and against it."""
    resolved = certificate.get("resolved")
    words = "This was not measured."
    if isinstance(resolved, bool):
        words = (
            "Yes: they tell networks apart, and noise is too small to have decided."
            if resolved
            else "No: the errors do not separate. Size and speed alone decided, or noise, whatever the bound says."
        )
    items = [tag("li", sentence) for sentence in _findings(certificate)]
    return [tag("p", tag("strong", words)), *([tag("ul", *items)] if items else []), *_violations(certificate)]


def _findings(certificate: Json) -> Iterable[str]:
    spread, noise, delta = (finite(certificate.get(key)) for key in ("spread", "noise", "delta"))
    if spread is not None:
        yield f"From the best to the worst trained architecture the error changes by {decimal(spread)}."
    if noise is not None:
        repeats = finite(certificate.get("repeats"))
        times = f" ({counted(round(repeats), 'repeat')})" if repeats else ""
        yield f"The same architecture with other seeds and batches{times} changes it by {decimal(noise, 3)}."
        yield _compared(certificate)
    if delta is not None:
        yield f"Allowed for: a larger network may be up to {percent(delta)} worse (delta)" + _delta(certificate, delta)
    yield from _by_delta(certificate)


def _compared(certificate: Json) -> str:
    """What noise does where errors are compared, against what was asked."""
    relative, epsilon = finite(certificate.get("relative_noise")), finite(certificate.get("epsilon"))
    if relative is None:
        return "How much it changes errors that are compared is not known."
    told = f"Compared with the pick's, under the same seeds and batches, it changes by {percent(relative)} at most"
    if epsilon is None or not 0 < epsilon < 1:
        return f"{told}."
    enough = "enough" if _SEPARATING * relative <= epsilon else "not enough"
    return f"{told}; three times that against epsilon, {percent(epsilon)}: {enough}."


def _by_delta(certificate: Json) -> Iterable[str]:
    """What would be proved if monotony were broken by more than was seen."""
    for one in list(certificate.get("epsilon_by_delta") or [])[1:]:
        delta, reached = finite(one.get("delta")), finite(one.get("epsilon"))
        if delta is not None and reached is not None:
            yield f"Were a larger network up to {percent(delta)} worse, {percent(reached)} would still be proved."


def _delta(certificate: Json, delta: float) -> str:
    epsilon = finite(certificate.get("epsilon"))
    if epsilon is None or not 0 < epsilon < 1:
        return "."
    if delta < epsilon:
        return f": below epsilon, {percent(epsilon)}, as it must be."
    return f": not below epsilon, {percent(epsilon)}, so only training everything could prove anything."


def _violations(certificate: Json) -> list[Html]:
    found = sorted(certificate.get("violations") or [], key=lambda one: -(finite(one.get("size")) or 0))
    if certificate.get("violations") is None:
        return []
    if not found:
        return [tag("p", "No trained network had a higher error than a smaller one that fits inside it.")]
    shown = found[:_MOST_VIOLATIONS]
    rows = [
        [
            Cell(describe(one.get("smaller"))),
            number_cell(one.get("smaller_error"), decimal),
            Cell(describe(one.get("larger"))),
            number_cell(one.get("larger_error"), decimal),
            number_cell(one.get("size"), percent),
        ]
        for one in shown
    ]
    words = (
        "A larger network should not be worse than a smaller one that fits inside it. Where one was, the bounds were "
        "widened to allow for it."
    )
    caption = f"{counted(len(found), 'violation')}, largest first" + (
        f"; the largest {len(shown)} are listed" if len(found) > len(shown) else ""
    )
    header = ("Smaller network", "Its error", "Larger network", "Its error", "Lower by")
    return [tag("p", words), table(caption, header, rows)]


def explanation(certificate: Json) -> list[Html]:
    """Say what is claimed, under which assumptions, with which evidence."""
    limits = limits_in_words(certificate.get("limits"))
    space = f"The space has {whole(certificate.get('space_size'))} architectures."
    within = f" Only those within the limits count: {'; '.join(limits)}." if limits else ""
    assumptions = [one for one in certificate.get("assumptions") or [] if isinstance(one, Mapping)]
    content = [
        tag("p", tag("strong", claim_in_words(certificate))),
        tag("p", f"{space}{within} The error meant here is the one that short training measures, defined at the end."),
        _assumption_table(
            "Assumptions that this rests on", ("Assumption", "Status", "Evidence"), assumptions, "status"
        ),
    ]
    if isinstance(audit := certificate.get("audit"), Mapping):
        content.insert(1, tag("p", tag("strong", "Audited. "), " ".join(_audits(AuditResult.from_json(audit)))))
    if not assumptions:
        content[-1] = tag("p", "The certificate lists no assumptions.", class_="note")
    return [*content, *_abnc(certificate.get("abnc"))]


def _audits(last: AuditResult) -> Iterable[str]:
    """What random untrained networks say, the last audit first."""
    yield last.in_words
    yield from (f"An audit before that, after which the search went on: {one.in_words}" for one in last.earlier)


def _assumption_table(caption: str, header: Sequence[str], rows: Sequence[Json], key: str) -> Html:
    cells = [
        [Cell(str(one.get("name"))), Cell(_chip(one.get(key))), Cell(evidence(one.get("evidence")))] for one in rows
    ]
    return table(caption, header, cells, sortable=False)


def _abnc(abnc: object) -> list[Html]:
    if not isinstance(abnc, Mapping):
        return []
    clauses = [one for one in abnc.get("clauses") or [] if isinstance(one, Mapping)]
    return [
        tag("h3", "Is the network of the kind that the theory is about?"),
        tag(
            "p",
            "The ABnC check: a body of equal blocks between an input and an output part. Verdict: ",
            _chip(abnc.get("verdict")),
        ),
        _assumption_table("Clauses of the ABnC check", ("Clause", "Verdict", "Evidence"), clauses, "verdict"),
    ]


def _chip(status: object) -> Html:
    tone, mark = _TONES.get(str(status).lower(), ("warn", ""))
    return tag("span", f"{mark}{status}", class_=f"chip {tone}")
