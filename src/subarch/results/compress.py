"""What ``compress`` returns: each stage's own result, and what was asked for beside what came out."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from subarch.results.base import Line, Record, Result, Rows, Told, Tone, absent, rest
from subarch.results.bench import BenchResult, TimedResult
from subarch.results.cascade import CascadeResult
from subarch.results.classes import ByClass, points
from subarch.results.confirm import ConfirmResult
from subarch.results.export import ExportResult
from subarch.results.extract import ExtractResult, told_front
from subarch.results.finetune import FinetuneResult
from subarch.results.ladder import LadderResult
from subarch.results.pretrain import PretrainResult
from subarch.results.promise import DropResult, PromiseResult
from subarch.results.report import Page
from subarch.results.verify import VerifyResult
from subarch.results.wording import relatives, took_in_words, whole

_TARGETS = {"latency_ms": "milliseconds a text", "speedup": "times as fast as the teacher", "drop": "points lost"}


@dataclass(frozen=True, kw_only=True)
class ApartResult(Record):
    """Scores on those sealed rows alone that are not too much like rows that were learned from; None without any."""

    exported: float | None
    teacher: float | None


@dataclass(frozen=True, kw_only=True)
class SealedResult(ByClass):
    """The exported form on the sealed rows, beside the teacher.

    Attributes:
        metric: of the scores.
        examples: sealed rows.
        exported: score of the exported form.
        teacher: of the teacher.
        drop: points of 100 between them.
        related: sealed rows that are too much like rows that were learned from.
        apart: scores on the others.
        identity: of everything that this depends on.
    """

    metric: str
    examples: int
    exported: float
    teacher: float
    drop: float
    related: int | None = None
    apart: ApartResult | None = None
    identity: str | None = None
    more: Mapping[str, Any] = rest()

    def apart_in_words(self) -> str:
        """How many sealed rows are too much like others, and the scores without them; or nothing."""
        return relatives(self.related, self.examples, {} if self.apart is None else self.apart.to_json())


@dataclass(frozen=True, kw_only=True)
class TargetResult(Record):
    """What was asked of a figure (``latency_ms``, ``speedup``, ``drop``), and what was measured.

    Attributes:
        target: the figure.
        asked: of it.
        got: measured.
        ci95: its 95 % interval, where there is one.
        rows_needed: sealed rows that would show what the estimate says, where these do not.
    """

    target: str
    asked: float
    got: float
    ci95: tuple[float, float] | None = absent()
    rows_needed: int | None = absent()

    @property
    def is_met(self) -> bool:
        """Whether that is no worse than was asked."""
        return self.got >= self.asked if self.target == "speedup" else self.got <= self.asked

    @property
    def in_words(self) -> str:
        """Asked and got."""
        limit = "at least" if self.target == "speedup" else "at most"
        words = f"{_TARGETS.get(self.target, self.target)}: {limit} {self.asked:.3g} asked, {self.got:.3g} measured"
        if self.ci95 is not None:
            words += f" (95 % interval {self.ci95[0]:.3g} to {self.ci95[1]:.3g})"
        if self.rows_needed is not None:
            words += f"; about {whole(self.rows_needed)} sealed rows would settle it"
        return words


@dataclass(frozen=True, kw_only=True)
class TargetsResult(Record):
    """What was asked for and what came out; every figure is measured on what was exported.

    Attributes:
        met: targets that are kept; of what is lost with 95 % confidence.
        missed: those that are not, by the estimate.
        not_shown: those that are kept by the estimate alone.
    """

    met: tuple[TargetResult, ...]
    missed: tuple[TargetResult, ...]
    not_shown: tuple[TargetResult, ...] = ()

    @classmethod
    def of(cls, times: Sequence[TargetResult], max_drop: float, drop: DropResult) -> TargetsResult:
        """Times as they were measured, and what is lost with its own verdict.

        Args:
            times: targets of time, each kept or not.
            max_drop: points that may be lost.
            drop: what is.
        """
        lost = TargetResult(
            target="drop", asked=max_drop, got=drop.drop, ci95=drop.drop_ci95, rows_needed=drop.rows_needed
        )
        said = [*(("met" if one.is_met else "missed", one) for one in times), (drop.verdict, lost)]
        met, not_shown, missed = (
            tuple(one for word, one in said if word == name) for name in ("met", "not shown", "missed")
        )
        return cls(met=met, missed=missed, not_shown=not_shown)

    def rows(self) -> Iterator[tuple[str, TargetResult]]:
        """``met``, ``not shown`` or ``missed``, and the target."""
        yield from (("met", one) for one in self.met)
        yield from (("not shown", one) for one in self.not_shown)
        yield from (("missed", one) for one in self.missed)

    def table(self) -> Rows:
        """Each target and its verdict."""
        signs = {"met": "✓ met", "not shown": "≈ not shown", "missed": "✕ missed"}
        return Rows(("target", "verdict"), [(one.in_words, signs[word]) for word, one in self.rows()])

    def told(self) -> Iterator[Line]:
        """Each target, asked and got."""
        tones: Mapping[str, Tone] = {"met": "good", "not shown": "warning", "missed": "bad"}
        yield from (Line(one.in_words, lead=word, tone=tones[word]) for word, one in self.rows())


@dataclass(frozen=True, kw_only=True)
class Later(Record):
    """What came after the search.

    Attributes:
        task: name of the task, or the path of the file.
        data: as it was given.
        given_teacher: likewise.
        finetune: every way of training the student.
        export: its forms.
        bench: their latency beside the teacher's.
        sealed: the exported form on the sealed rows, beside the teacher.
        deployed: what the targets compare: ``student`` and ``teacher``, as they were timed.
        targets: what was met and what was missed, asked and got.
        report: path of the page, which a notebook shows.
        pretrain: the pre-training, where there was one.
        teacher: the teacher's fine-tuning, where there was one.
        confirm: the pick beside its closest rivals after full training, where that was asked for.
        ladder: the plainest rivals, every way of training and every form beside each other.
        promise: what the exported form loses against the teacher, with confidence.
        cascade: the student and the teacher in 8 bits as one, where that was asked for.
        stages: seconds of each stage, over all calls that went on with it.
    """

    task: str
    data: str
    given_teacher: str
    finetune: FinetuneResult
    export: ExportResult
    bench: BenchResult
    sealed: SealedResult
    deployed: Mapping[str, TimedResult]
    targets: TargetsResult
    report: Page
    pretrain: PretrainResult | None = absent()
    teacher: FinetuneResult | None = absent()
    confirm: ConfirmResult | None = absent()
    ladder: LadderResult | None = absent()
    promise: PromiseResult | None = absent()
    cascade: CascadeResult | None = absent()
    stages: Mapping[str, float] | None = absent()


@dataclass(frozen=True, kw_only=True, repr=False)
class CompressResult(Later, Result):
    """A finished compression.

    Attributes:
        run: its directory.
        extract: the search.
        verify: whether its certificate holds.
        seconds: that the search's trainings took, and timing networks for it.
    """

    run: str
    extract: ExtractResult
    verify: VerifyResult
    seconds: Mapping[str, float] | None = absent()
    more: Mapping[str, Any] = rest()

    def told(self) -> Iterator[Told]:
        rows = [
            ("teacher", points(self.sealed.teacher), *_timed(self.deployed.get("teacher"))),
            ("this model", points(self.sealed.exported), *_timed(self.deployed.get("student"))),
        ]
        yield Rows(("", f"{self.sealed.metric}, sealed rows", "ms a text", "runs on", "MB"), rows)
        if told := self.sealed.apart_in_words():
            yield Line(told)
        yield from self.sealed.told_by_class()
        if self.ladder is not None:
            yield from self.ladder.told()
        if self.cascade is not None:
            yield from self.cascade.told()
        certificate = self.extract.certificate
        yield Line(
            f"The search: {certificate.verdict}, {whole(certificate.evaluated)} of {whole(certificate.space_size)} "
            "architectures trained; what that means is in the report."
        )
        if self.extract.vocabulary is not None:
            yield from self.extract.vocabulary.told()
        if self.confirm is not None:
            yield from self.confirm.told()
        if self.stages:
            yield Line(f"It took {took_in_words(self.stages)}.")
        yield from self.targets.told()
        yield from self._advice()
        for path in (self.finetune.checkpoint, self.export.folder, self.report):
            yield Line(f"wrote {path}")
        yield Line(f"go on with: subarch predict {shlex.quote(str(self.finetune.checkpoint))} --data FILE")

    def _advice(self) -> Iterator[Told]:
        if missed := {one.target for one in self.targets.missed}:
            advice = ["more texts (--pool), or a slower network"] if "drop" in missed else []
            advice += ["more speed asked of the search"] if missed - {"drop"} else []
            yield Line(
                f"What may help, in another --run: {'; '.join(advice)}. The networks that are worth choosing among:"
            )
            yield told_front(self.extract.front, self.extract.picks)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.data} in {self.run}>"


def _timed(row: TimedResult | None) -> tuple[str, str, str]:
    if row is None:
        return "", "", ""
    size = "" if row.size_bytes is None else f"{row.size_bytes / 1e6:.1f}"
    return f"{row.ms:.2f}", f"{row.runtime} {row.precision}", size


@dataclass(frozen=True, kw_only=True, repr=False)
class EarlyResult(Result):
    """A compression that has ended on the ladder, with a rung that is enough (``stop_when_met``).

    Attributes:
        run: its directory.
        task: name of the task, or the path of the file.
        ladder: the rungs.
        targets: what was met and what was missed by that rung, asked and got, on the sealed rows.
        folder: of that rung.
        report: path of the page.
    """

    run: str
    task: str
    ladder: LadderResult
    targets: TargetsResult
    folder: str
    report: Page
    more: Mapping[str, Any] = rest()

    def told(self) -> Iterator[Told]:
        yield from self.ladder.told()
        yield from self.targets.told()
        yield Line("ended here, as --stop-when-met asks: the same command without it goes on with the search")
        yield Line(f"wrote {self.report}")
        yield Line(f"go on with: subarch predict {shlex.quote(self.folder)} --data FILE")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.task} in {self.run}: {self.ladder.enough}>"


# ----------------------------------------------------------------------------------------------------------- a dry run


@dataclass(frozen=True, kw_only=True)
class MeasuredResult(Record):
    """Seconds of the teacher here, from which others are estimated."""

    teacher_step_seconds: float
    teacher_pass_seconds: float
    batch_size: int


@dataclass(frozen=True, kw_only=True)
class EstimateResult(Record):
    """What a compression is going to take.

    Attributes:
        stages: seconds of each, from and to.
        seconds: in all.
        peak_memory_bytes: of the hungriest step; None where that cannot be measured.
        measured: what this comes from.
    """

    stages: Mapping[str, tuple[int, int]]
    seconds: tuple[int, int]
    peak_memory_bytes: int | None
    measured: MeasuredResult


@dataclass(frozen=True, kw_only=True)
class Planned(EstimateResult):
    """What a compression is going to do.

    Attributes:
        run: its directory.
        settings: a recipe.
        teaches: whether the teacher is fine-tuned first.
        sequence_length: tokens of the text that is timed.
    """

    run: str
    settings: str
    teaches: bool
    sequence_length: int


@dataclass(frozen=True, kw_only=True)
class PlanResult(Result):
    """What a dry run tells.

    Attributes:
        plan: with its settings, and an estimate of time and memory.
    """

    plan: Planned

    def told(self) -> Iterator[Told]:
        stages = [*self.plan.stages.items(), ("in all", self.plan.seconds)]
        rows = [(name, f"{low / 60:.0f} to {high / 60:.0f}") for name, (low, high) in stages]
        yield Rows(("stage", "minutes, about"), rows)
        if (memory := self.plan.peak_memory_bytes) is not None:
            yield Line(f"peak memory, about: {memory / 1e9:.1f} GB")
        yield Line("settings (a recipe of your own: copy, change, --recipe FILE.toml):\n")
        yield Line(self.plan.settings)
