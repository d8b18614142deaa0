"""What ``demo`` returns: the whole story in a table for newcomers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from subarch.results.base import Line, Record, Rows, Told
from subarch.results.classes import points
from subarch.results.compress import Later
from subarch.results.extract import ExtractResult
from subarch.results.verify import VerifyResult
from subarch.results.wording import whole


@dataclass(frozen=True, kw_only=True)
class AccuracyResult(Record):
    """How well the source learned: on its own development and sealed texts, in so many steps."""

    development: float
    sealed: float
    steps: int
    task: str


@dataclass(frozen=True, kw_only=True)
class LineResult(Record):
    """One line of the table.

    Attributes:
        model: what it is.
        accuracy: on the sealed texts.
        ms: milliseconds a text.
        times_as_fast: as the first line.
        bytes: of its file, where it has one.
    """

    model: str
    accuracy: float | None
    ms: float
    times_as_fast: float
    bytes: int | None


@dataclass(frozen=True, kw_only=True, repr=False)
class DemoResult(Later, ExtractResult):
    """The whole story in a table for newcomers: the search, and what came after it.

    Attributes:
        source_accuracy: how well the source learned.
        verification: whether the certificate holds.
        table: the reference, the source, the small network as it is trained, and what is deployed.
    """

    source_accuracy: AccuracyResult
    verification: VerifyResult
    table: tuple[LineResult, ...]

    def told(self) -> Iterator[Told]:
        certificate = self.certificate
        yield Line(
            f"Out of {whole(certificate.space_size)} networks inside the source, {whole(certificate.evaluated)} were "
            f"trained to find the best within {certificate.epsilon:.0%}: {certificate.verdict}."
        )
        rows = [
            (
                one.model,
                points(one.accuracy),
                f"{one.ms:.2f}",
                f"{one.times_as_fast:.0f}",
                "" if one.bytes is None else f"{one.bytes / 1e6:.1f}",
            )
            for one in self.table
        ]
        yield Rows(("", "accuracy", "ms a text", "times as fast", "MB"), rows)
        yield Line(
            "Accuracy: per cent of the sealed texts, which no network here has learned from. Times: one text, on this "
            "processor, in PyTorch where no other form is named; BERT-large has random weights, its time alone counts."
        )
        if self.ladder is not None:
            yield from self.ladder.told()
        yield Line("Asked of the small network alone, from tokens to scores, against the source in its fastest form:")
        yield from self.targets.told()
        yield Line(f"wrote {self.report}")
