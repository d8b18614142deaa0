"""What ``check`` returns: the ABnC property, clause by clause."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from subarch.results.base import Line, Record, Result, Rows, Told, Tone, rest

_TONES: Mapping[str, Tone] = {"strong": "good", "weak": "warning"}


@dataclass(frozen=True)
class ClauseResult(Record):
    """One clause.

    Attributes:
        name: of the clause.
        verdict: what was found.
        evidence: and why.
    """

    name: str
    verdict: str
    evidence: str
    more: Mapping[str, Any] = rest()


@dataclass(frozen=True)
class CheckResult(Result):
    """Whether a network has the property that the guarantee stands on.

    Attributes:
        verdict: ``strong``, ``weak`` or ``not shown``.
        clauses: each with its evidence.
    """

    verdict: str
    clauses: tuple[ClauseResult, ...]
    more: Mapping[str, Any] = rest()

    def told(self) -> Iterator[Told]:
        yield Line(self.verdict, lead="ABnC property", tone=_TONES.get(self.verdict, "bad"))
        rows = [(one.name, one.verdict, one.evidence) for one in self.clauses]
        yield Rows(("clause", "verdict", "evidence"), rows)
