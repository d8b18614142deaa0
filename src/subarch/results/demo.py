"""What ``demo`` returns: the whole story in a table for newcomers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from subarch.results.base import Line, Result, Rows, Told, rest
from subarch.results.classes import points
from subarch.results.compress import told_targets
from subarch.results.extract import CertificateResult
from subarch.results.report import Page
from subarch.results.wording import whole


@dataclass(frozen=True, kw_only=True, repr=False)
class DemoResult(Result):
    """The whole story in a table for newcomers.

    Attributes:
        certificate: of the search.
        table: four lines: ``model``, ``accuracy``, ``ms``, ``times_as_fast``, ``bytes``.
        targets: what was met and what was missed.
        report: path of the page.
    """

    certificate: CertificateResult
    table: tuple[Mapping[str, Any], ...]
    targets: Mapping[str, Any]
    report: Page
    more: Mapping[str, Any] = rest()

    def told(self) -> Iterator[Told]:
        certificate = self.certificate
        yield Line(
            f"Out of {whole(certificate.space_size)} networks inside the source, {whole(certificate.evaluated)} were "
            f"trained to find the best within {certificate.epsilon:.0%}: {certificate.verdict}."
        )
        rows = [
            (
                one["model"],
                points(one["accuracy"]),
                f"{one['ms']:.2f}",
                f"{one['times_as_fast']:.0f}",
                "" if one["bytes"] is None else f"{one['bytes'] / 1e6:.1f}",
            )
            for one in self.table
        ]
        yield Rows(("", "accuracy", "ms a text", "times as fast", "MB"), rows)
        yield Line(
            "Accuracy: per cent of the sealed texts, which no network here has learned from. Times: one text, on this "
            "processor, in PyTorch where no other form is named; BERT-large has random weights, its time alone counts."
        )
        yield Line("Asked of the small network, against the source in the same form:")
        yield from told_targets(self.targets)
        yield Line(f"wrote {self.report}")
