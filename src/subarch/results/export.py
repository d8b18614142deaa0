"""What ``export`` returns: every form, how fast, how large, what it loses, and which was chosen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from subarch.results.base import Line, Record, Result, Rows, Told, absent, rest
from subarch.results.classes import points, told_by_class
from subarch.results.wording import whole

_RUNTIMES = {"onnxruntime": "ONNX Runtime", "openvino": "OpenVINO"}


@dataclass(frozen=True, kw_only=True)
class FormResult(Record):
    """One form beside PyTorch.

    Attributes:
        artifact: its name.
        metric: score on the rows that decide; None without labels.
        drop: points of the metric (of 100) that it loses.
        label_flips: rows that get another label; None where there are no labels.
        examples: rows.
        largest_difference: of any output.
        passed: whether it loses no more than was allowed.
        alone_flips: texts that get another label alone than in company.
        alone: of so many that were asked alone.
    """

    artifact: str
    metric: float | None
    drop: float | None
    label_flips: int | None
    examples: int
    largest_difference: float
    passed: bool
    alone_flips: int | None = None
    alone: int | None = None
    more: Mapping[str, Any] = rest()


@dataclass(frozen=True, kw_only=True)
class ExportResult(Result):
    """A finished export.

    Attributes:
        run: directory of the run.
        folder: of the export: it serves as it is.
        files: in it.
        parity: each form beside PyTorch.
        latency: rows of ``artifact``, ``p50_ms``, ``sequence_length``.
        sizes: bytes of each form.
        chosen: the form that serves.
        reason: why.
        missing: forms that were left out, and why.
        metric: that decides, if any.
        score: of PyTorch.
        judged_on: which rows decided.
        examples: how many.
        cpu: features and threads.
        opens_with: oldest runtime of each form.
        classes: how each class fares with the chosen form.
        by_class: measures in which all classes count alike.
    """

    run: str
    folder: Path
    files: tuple[str, ...]
    parity: tuple[FormResult, ...]
    latency: tuple[Mapping[str, Any], ...]
    sizes: Mapping[str, int]
    chosen: str
    reason: str
    missing: Mapping[str, str]
    metric: str | None
    score: float | None
    judged_on: str
    examples: int
    cpu: Mapping[str, Any]
    opens_with: Mapping[str, Any]
    classes: tuple[Mapping[str, Any], ...] | None = absent()
    by_class: Mapping[str, float] | None = absent()
    more: Mapping[str, Any] = rest()

    def told(self) -> Iterator[Told]:
        yield Line(
            f"judged on {whole(self.examples)} examples ({self.judged_on}); timed at "
            f"{self.latency[0]['sequence_length']} tokens, one text a pass, {self.cpu['threads']} threads, "
            f"{', '.join(self.cpu['features'])}"
        )
        yield self._table()
        yield Line(self.reason, lead=self.chosen)
        yield from self._needs()
        yield from told_by_class(self.classes, self.by_class)
        for name, why in self.missing.items():
            yield Line(f"{name} is left out: {why}", tone="warning")
        yield Line(f"wrote {self.folder}")

    def _table(self) -> Rows:
        times = {row["artifact"]: row["p50_ms"] for row in self.latency}
        rows: list[tuple[str, ...]] = [("PyTorch", f"{times['pytorch']:.2f}", "1.0", "", points(self.score), *[""] * 3)]
        for one in self.parity:
            verdict = ("chosen" if one.artifact == self.chosen else "passes") if one.passed else "refused"
            rows.append(
                (
                    one.artifact,
                    f"{times[one.artifact]:.2f}",
                    f"{times['pytorch'] / times[one.artifact]:.1f}",
                    f"{self.sizes[one.artifact] / 1e6:.1f}",
                    points(one.metric),
                    "" if one.label_flips is None else f"{one.label_flips} of {one.examples}",
                    f"{one.largest_difference:.2g}",
                    verdict,
                )
            )
        named = f"{self.metric or 'score'}, points"
        return Rows(("form", "ms", "times as fast", "MB", named, "other labels", "largest difference", ""), rows)

    def _needs(self) -> Iterator[Told]:
        """What the chosen form needs, and what company changes."""
        needs = self.opens_with[self.chosen]
        if oldest := needs.get("oldest_onnxruntime") or needs.get("oldest_openvino"):
            name = _RUNTIMES[needs["runtime"]]
            yield Line(f"it opens with {name} {oldest} and newer (IR {needs['ir_version']})")
        for one in self.parity:
            if one.alone_flips:
                yield Line(
                    f"{one.artifact}: {one.alone_flips} of {one.alone} texts get another label alone than with others "
                    "in a pass"
                )
