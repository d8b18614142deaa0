"""What ``export`` returns: every form, how fast, how large, what it loses, and which was chosen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from subarch.results.base import Line, Record, Result, Rows, Told, absent, rest
from subarch.results.bench import CpuResult
from subarch.results.classes import ByClass, points
from subarch.results.wording import whole

# Of files that do not say it themselves, and what stands there by a name of one runtime's own.
_CALLED = {"onnxruntime": "ONNX Runtime", "openvino": "OpenVINO"}
_OF_ONE = {"own_operators": "onnxruntime", "oldest_onnxruntime": "onnxruntime", "oldest_openvino": "openvino"}


@dataclass(frozen=True, kw_only=True)
class FormResult(Record):
    """One form beside the network in PyTorch with 32-bit floats.

    Attributes:
        artifact: name of the form.
        metric: its score on development data in [0, 1], many texts a pass or one, whichever is less; None without such
            data.
        drop: points of 100 below PyTorch's; negative where it is better; None without data.
        label_flips: examples that get another label; None where labels are numbers, or without a head.
        examples: how many were compared.
        largest_difference: between outputs, absolute.
        alone: how many examples were also asked one by one.
        alone_flips: those of them that get another label alone than in company; None as of ``label_flips``.
        alone_difference: the largest one between outputs alone and in company, absolute.
        long: how many texts of the greatest length were asked.
        long_flips: those of them that get another label than PyTorch gives; None as of ``label_flips``.
        long_difference: the largest one between outputs of these, absolute.
        lost: names of classes that PyTorch gives and this form never does.
        passed: whether it may be chosen.
        reason: why, in words.
    """

    artifact: str
    metric: float | None
    drop: float | None
    label_flips: int | None
    examples: int
    largest_difference: float
    alone: int = 0
    alone_flips: int | None = None
    alone_difference: float = 0.0
    long: int = 0
    long_flips: int | None = None
    long_difference: float = 0.0
    lost: tuple[str, ...] = ()
    passed: bool
    reason: str
    more: Mapping[str, Any] = rest()


@dataclass(frozen=True, kw_only=True)
class LatencyResult(Record):
    """How long a pass of one form takes.

    Attributes:
        artifact: name of the form, or ``pytorch``.
        p50_ms: median, in milliseconds.
        p95_ms: likewise.
        batch_size: texts a pass.
        sequence_length: tokens a text.
    """

    artifact: str
    p50_ms: float
    p95_ms: float
    batch_size: int
    sequence_length: int
    more: Mapping[str, Any] = rest()


@dataclass(frozen=True, kw_only=True)
class NeedsResult(Record):
    """What the file of a form asks of a runtime.

    Attributes:
        runtime: that opens it.
        called: the runtime's name for people, where that is another.
        ir_version: of its format, where that has one.
        opsets: versions of the operator sets that it has, by name.
        oldest: the oldest version that opens it, where that is known.
        own_operators: those that only ONNX Runtime has.
        oldest_onnxruntime: ``oldest`` of ONNX Runtime, whose files have it by this name; None where that is not known.
        oldest_openvino: likewise.
    """

    runtime: str
    called: str | None = absent()
    ir_version: int | None = absent()
    opsets: Mapping[str, int | None] = field(default_factory=dict[str, int | None])
    oldest: str | None = absent()
    own_operators: tuple[str, ...] = ()
    oldest_onnxruntime: str | None = None
    oldest_openvino: str | None = None
    more: Mapping[str, Any] = rest()

    def to_json(self) -> dict[str, Any]:
        """With what there is to say of its own runtime alone."""
        given = super().to_json()
        return {name: value for name, value in given.items() if _OF_ONE.get(name, self.runtime) == self.runtime}

    def in_words(self) -> str | None:
        """From which version on; None where that is not known."""
        oldest = self.oldest or self.oldest_onnxruntime or self.oldest_openvino
        called = self.called or _CALLED.get(self.runtime, self.runtime)
        form = "" if self.ir_version is None else f" (IR {self.ir_version})"
        return f"it opens with {called} {oldest} and newer{form}" if oldest else None


@dataclass(frozen=True, kw_only=True)
class ReadWith(Record):
    """What the file of a tokenizer does not say of it, and reading depends on."""

    pad_token_id: int | None
    truncation_side: str
    model_input_names: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ExportResult(ByClass, Result):
    """A finished export.

    Attributes:
        run: directory of the run.
        folder: of the export: it serves as it is.
        files: in it.
        parity: each form beside PyTorch.
        latency: of each form, and of PyTorch.
        sizes: bytes of each form.
        chosen: the form that serves.
        reason: why.
        missing: forms that were left out, and why.
        max_drop: points of 100 that a form might lose.
        metric: that decides, if any.
        score: of PyTorch.
        judged_on: which rows decided.
        examples: how many.
        head: what the network is for.
        label_names: of its outputs.
        length: tokens that a text is cut to.
        texts: how many an example has, where that is known.
        tokenizer: what its own file does not say of it.
        inputs: of a form, by name.
        output: its name.
        embedding: how tokens are pooled, where a text is to be one vector.
        activation: what goes over the logits, where the checkpoint says so.
        cpu: features and threads.
        opens_with: oldest runtime of each form.
        sha256: of each form's files.
        model: folder of the checkpoint.
        weights: digest of its weights.
        identity: of everything that this depends on.
        threads: of one pass, where that was decided; otherwise all cores.
        thresholds: above which each label holds, where it has some.
    """

    run: str
    folder: Path
    files: tuple[str, ...]
    parity: tuple[FormResult, ...]
    latency: tuple[LatencyResult, ...]
    sizes: Mapping[str, int]
    chosen: str
    reason: str
    missing: Mapping[str, str]
    max_drop: float
    metric: str | None
    score: float | None
    judged_on: str
    examples: int
    head: str
    label_names: tuple[str, ...]
    length: int
    texts: int | None
    tokenizer: ReadWith
    inputs: tuple[str, ...]
    output: str
    embedding: Mapping[str, Any] | None
    activation: str | None
    cpu: CpuResult
    opens_with: Mapping[str, NeedsResult]
    sha256: Mapping[str, str]
    model: str
    weights: str
    identity: str
    threads: int | None = absent()
    thresholds: tuple[float, ...] | None = absent()
    more: Mapping[str, Any] = rest()

    def told(self) -> Iterator[Told]:
        yield Line(
            f"judged on {whole(self.examples)} examples ({self.judged_on}); timed at "
            f"{self.latency[0].sequence_length} tokens, one text a pass, {self.cpu.threads} threads, "
            f"{', '.join(self.cpu.features)}"
        )
        yield self.table()
        yield Line(self.reason, lead=self.chosen)
        yield from self._needs()
        yield from self.told_by_class()
        for name, why in self.missing.items():
            yield Line(f"{name} is left out: {why}", tone="warning")
        yield Line(f"wrote {self.folder}")

    @property
    def times(self) -> Mapping[str, float]:
        """Milliseconds of a pass, by form."""
        return {row.artifact: row.p50_ms for row in self.latency}

    def table(self) -> Rows:
        """Each form beside PyTorch."""
        times = self.times
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
        if (needs := self.opens_with[self.chosen].in_words()) is not None:
            yield Line(needs)
        for one in self.parity:
            if one.alone_flips:
                yield Line(
                    f"{one.artifact}: {one.alone_flips} of {one.alone} texts get another label alone than with others "
                    "in a pass"
                )
