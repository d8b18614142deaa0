"""What ``verify`` returns: whether a certificate holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from subarch.results.base import Line, Record, Result, Told, absent, rest
from subarch.results.certificate import AuditResult
from subarch.results.wording import decimal


@dataclass(frozen=True, kw_only=True)
class RetrainedResult(Record):
    """A trial that was trained again.

    Attributes:
        trial: its number.
        recorded: its error; None where every training failed.
        again: the error of the training again, likewise.
        allowed: difference that was granted.
    """

    trial: int
    recorded: float | None
    again: float | None
    allowed: float | None = absent()
    more: Mapping[str, Any] = rest()


@dataclass(frozen=True, kw_only=True)
class VerifyResult(Result):
    """Whether the certificate of a run holds when it is derived again.

    Attributes:
        accepted: the verdict.
        reason: why, or why not.
        achieved: the epsilon that the ledger proves.
        retrained: trials that were trained again.
        audit: untrained architectures that were drawn and trained; None where that was not asked for.
        derived: what was derived again and is as it is told.
        not_derived: what was not, and why.
    """

    accepted: bool
    reason: str
    achieved: float | None
    retrained: tuple[RetrainedResult, ...] = ()
    audit: AuditResult | None = absent()
    derived: tuple[str, ...] = ()
    not_derived: tuple[str, ...] = ()
    more: Mapping[str, Any] = rest()

    def told(self) -> Iterator[Told]:
        yield Line(
            self.reason,
            lead="accepted" if self.accepted else "refused",
            tone="good" if self.accepted else "bad",
        )
        for row in self.retrained:
            yield Line(f"  trial {row.trial}: recorded {decimal(row.recorded, 6)}, again {decimal(row.again, 6)}")
        if self.audit is not None:
            yield Line(self.audit.in_words, lead="audit", tone="warning" if self.audit.contradictions else "good")
        yield from (Line(f"  {one}", lead="derived again") for one in self.derived)
        yield from (Line(f"  {one}", lead="not derived") for one in self.not_derived)
