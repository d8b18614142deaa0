"""What ``compress`` returns: each stage's own result, and what was asked for beside what came out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from subarch.results.base import Line, Result, Rows, Told, Tone, absent, rest
from subarch.results.bench import BenchResult
from subarch.results.classes import points, told_by_class
from subarch.results.export import ExportResult
from subarch.results.extract import ExtractResult, told_front
from subarch.results.finetune import FinetuneResult
from subarch.results.pretrain import PretrainResult
from subarch.results.report import Page
from subarch.results.wording import apart_as_exported, target_in_words, whole

_TARGETS: tuple[tuple[str, Tone], ...] = (("met", "good"), ("missed", "bad"))


@dataclass(frozen=True, kw_only=True, repr=False)
class CompressResult(Result):
    """A finished compression.

    Attributes:
        run: its directory.
        task: name of the task, or the path of the file.
        data: as it was given.
        given_teacher: likewise.
        extract: the search.
        verify: whether its certificate holds: ``accepted``, ``reason``, ``achieved``.
        finetune: every way of training the student.
        export: its forms.
        bench: their latency beside the teacher's.
        sealed: the exported form on the sealed rows, beside the teacher.
        deployed: what the targets compare: ``student`` and ``teacher``.
        targets: what was ``met`` and what was ``missed``, asked and got.
        report: path of the page, which a notebook shows.
        pretrain: the pre-training, where there was one.
        teacher: the teacher's fine-tuning, where there was one.
    """

    run: str
    task: str
    data: str
    given_teacher: str
    extract: ExtractResult
    verify: Mapping[str, Any]
    finetune: FinetuneResult
    export: ExportResult
    bench: BenchResult
    sealed: Mapping[str, Any]
    deployed: Mapping[str, Any]
    targets: Mapping[str, Any]
    report: Page
    pretrain: PretrainResult | None = absent()  # noqa: RUF009
    teacher: FinetuneResult | None = absent()  # noqa: RUF009
    more: Mapping[str, Any] = rest()

    def told(self) -> Iterator[Told]:
        rows = [
            ("teacher", points(self.sealed["teacher"]), *_of(self.deployed, "teacher")),
            ("this model", points(self.sealed["exported"]), *_of(self.deployed, "student")),
        ]
        yield Rows(("", f"{self.sealed['metric']}, sealed rows", "ms a text", "runs on", "MB"), rows)
        if told := apart_as_exported(self.sealed):
            yield Line(told)
        yield from told_by_class(self.sealed.get("classes"), self.sealed.get("by_class"))
        certificate = self.extract.certificate
        yield Line(
            f"The search: {certificate.verdict}, {whole(certificate.evaluated)} of {whole(certificate.space_size)} "
            "architectures trained; what that means is in the report."
        )
        yield from told_targets(self.targets)
        yield from self._advice()
        for path in (self.finetune.checkpoint, self.export.folder, self.report):
            yield Line(f"wrote {path}")
        yield Line(f"go on with: subarch predict {self.finetune.checkpoint} --data FILE")

    def _advice(self) -> Iterator[Told]:
        if missed := {one["target"] for one in self.targets["missed"]}:
            advice = ["more texts (--pool), or a slower network"] if "drop" in missed else []
            advice += ["more speed asked of the search"] if missed - {"drop"} else []
            yield Line(
                f"What may help, in another --run: {'; '.join(advice)}. The networks that are worth choosing among:"
            )
            yield told_front(self.extract.front, self.extract.picks)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.data} in {self.run}>"


def _of(deployed: Mapping[str, Any], who: str) -> tuple[str, str, str]:
    row = deployed.get(who)
    if row is None:
        return "", "", ""
    size = row.get("size_bytes")
    return f"{row['p50_ms']:.2f}", f"{row['runtime']} {row['precision']}", "" if size is None else f"{size / 1e6:.1f}"


def told_targets(targets: Mapping[str, Any]) -> Iterator[Line]:
    """Each target, met or missed, asked and got."""
    for word, tone in _TARGETS:
        for one in targets[word]:
            yield Line(target_in_words(one), lead=word, tone=tone)


@dataclass(frozen=True, kw_only=True)
class PlanResult(Result):
    """What a dry run tells: the plan with its settings, and an estimate of time and memory.

    Attributes:
        plan: ``run``, ``settings`` (a recipe), ``stages`` and ``seconds`` (from, to), ``peak_memory_bytes``, ...
    """

    plan: Mapping[str, Any]

    def told(self) -> Iterator[Told]:
        stages = [*self.plan["stages"].items(), ("in all", self.plan["seconds"])]
        rows = [(name, f"{low / 60:.0f} to {high / 60:.0f}") for name, (low, high) in stages]
        yield Rows(("stage", "minutes, about"), rows)
        if (memory := self.plan.get("peak_memory_bytes")) is not None:
            yield Line(f"peak memory, about: {memory / 1e9:.1f} GB")
        yield Line("settings (a recipe of your own: copy, change, --recipe FILE.toml):\n")
        yield Line(self.plan["settings"])
