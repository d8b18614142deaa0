"""What ``verify`` returns: whether a certificate holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from subarch.results.base import Line, Result, Told, rest


@dataclass(frozen=True, kw_only=True)
class VerifyResult(Result):
    """Whether the certificate of a run holds when it is derived again.

    Attributes:
        accepted: the verdict.
        reason: why, or why not.
        achieved: the epsilon that the ledger proves.
        retrained: trials that were trained again: ``trial``, the ``recorded`` error and the one ``again``.
    """

    accepted: bool
    reason: str
    achieved: float | None
    retrained: tuple[Mapping[str, Any], ...] = ()
    more: Mapping[str, Any] = rest()

    def told(self) -> Iterator[Told]:
        yield Line(
            self.reason,
            lead="accepted" if self.accepted else "refused",
            tone="good" if self.accepted else "bad",
        )
        for row in self.retrained:
            yield Line(f"  trial {row['trial']}: recorded {row['recorded']:.6g}, again {row['again']:.6g}")
