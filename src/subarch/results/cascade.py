"""What ``compress --cascade`` adds: the student where it is sure, its teacher in 8 bits where it is not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from subarch.results.base import Line, Record, Told, rest
from subarch.results.promise import PromiseResult
from subarch.results.wording import decimal, percent


@dataclass(frozen=True, kw_only=True)
class CascadeResult(Record):
    """A cascade, on the sealed rows.

    Attributes:
        folder: that ``subarch predict`` serves.
        first: who is asked about every text.
        second: who is asked about those of which the first is not sure.
        least: confidence of the first that is enough; chosen on development rows that no round has read.
        development_deferred: share of these rows that the second was asked about.
        deferred: the same of the sealed rows.
        metric: of the quality.
        quality: on the sealed rows.
        promise: what is lost against the teacher, with confidence.
        mean_ms: of one text from text to answer, over all lengths.
        p95_ms: of 100 texts 95 take no longer.
        second_ms: the mean of the second alone.
        first_ms: the mean of the first alone.
        texts_per_second: of many texts at once.
        second_per_second: the same of the second alone.
    """

    folder: str
    first: str
    second: str
    least: float
    development_deferred: float
    deferred: float
    metric: str
    quality: float
    promise: PromiseResult
    mean_ms: float
    p95_ms: float
    second_ms: float
    first_ms: float
    texts_per_second: float
    second_per_second: float
    more: Mapping[str, Any] = rest()

    def told(self) -> Iterator[Told]:
        yield Line(self.in_words(), lead="cascade")

    def in_words(self) -> str:
        """One sentence."""
        share = decimal(self.mean_ms / self.second_ms, 2)
        return (
            f"{self.first} where it is sure, {self.second} for the other {percent(self.deferred, 2)} of the sealed "
            f"rows: {self.metric} {100 * self.quality:.1f}, {self.promise.in_words()} points lost against the teacher; "
            f"{decimal(self.mean_ms, 3)} ms a text in the mean ({decimal(self.p95_ms, 3)} for 95 in 100), {share} of "
            f"the {decimal(self.second_ms, 3)} that {self.second} takes; in {self.folder}"
        )
