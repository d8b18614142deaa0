"""What each command is made of, for the command line and for Python alike: options, work, result.

Light on purpose: libraries are imported when a command runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from subarch.progress import Watch
from subarch.results.base import Result
from subarch.results.report import Page, ReportResult
from subarch.silence import quiet_transformers
from subarch.surroundings import home

if TYPE_CHECKING:
    from subarch.options.search import InspectOptions, ReportOptions, VerifyOptions
    from subarch.results.inspect import InspectResult
    from subarch.results.verify import VerifyResult


@dataclass(frozen=True)
class Command:
    """What a command is made of. ``XOptions`` are the options of ``x`` and ``XResult`` is what it returns.

    Attributes:
        options: the module of its options.
        work: ``module:function`` of options and a watch, imported when the command runs; it returns the result.
        positional: options that a caller in Python may give by place.
        recorded: whether the work is told what was typed, for a manifest.
        quiet: whether libraries that it uses show bars of their own otherwise.
    """

    options: str
    work: str
    positional: tuple[str, ...]
    recorded: bool = True
    quiet: bool = True


_UNRECORDED, _PLAIN = (False, True), (False, False)
COMMANDS: Mapping[str, Command] = {
    "compress": Command("compression", "subarch.pipeline:compress", ("data", "teacher")),
    "ladder": Command("ladder", "subarch.rungs.climbing:ladder", ("data", "teacher")),
    "inspect": Command("search", "subarch.commands:inspected", ("name",), *_PLAIN),
    "check": Command("search", "subarch.jobs.extraction:check", ("source",), *_PLAIN),
    "extract": Command("search", "subarch.jobs.extraction:extract", ("source",)),
    "verify": Command("search", "subarch.commands:verified", ("run",), *_UNRECORDED),
    "pretrain": Command("pretraining", "subarch.jobs.pretraining:pretrain", ("run",)),
    "finetune": Command("tasks", "subarch.jobs.finetuning:finetune", ("model", "data")),
    "evaluate": Command("tasks", "subarch.jobs.evaluation:evaluate", ("model", "data"), *_UNRECORDED),
    "predict": Command("tasks", "subarch.jobs.evaluation:predict", ("model", "data"), *_UNRECORDED),
    "submit": Command("tasks", "subarch.jobs.submissions:submit", ("model",), *_UNRECORDED),
    "export": Command("running", "subarch.jobs.export:export", ("model", "data")),
    "bench": Command("running", "subarch.jobs.benchmark:bench", ("*names",)),
    "report": Command("search", "subarch.commands:reported", ("run",), *_PLAIN),
    "demo": Command("search", "subarch.demo:demo", ()),
}


def options_class(name: str) -> type:
    """The options of a command."""
    return cast(
        "type", getattr(import_module(f"subarch.options.{COMMANDS[name].options}"), f"{name.capitalize()}Options")
    )


def performed(name: str, options: Any, *, watch: Watch, command: str = "") -> Result:
    """Do what a command is there for.

    Args:
        name: of the command.
        options: an object of its options.
        watch: told what goes on.
        command: as it was typed.
    """
    home()  # before libraries are imported, which look for it
    what = COMMANDS[name]
    module, _, function = what.work.partition(":")
    work = getattr(import_module(module), function)
    typed = {"command": command} if what.recorded else {}
    with quiet_transformers() if what.quiet else nullcontext():
        return work(options, watch=watch, **typed)


def inspected(options: InspectOptions, *, watch: Watch) -> InspectResult:
    """The work of ``inspect``."""
    from subarch.networks.inspection import inspect_network

    del watch  # it takes no time
    return inspect_network(options.name, options.sequence_length)


def verified(options: VerifyOptions, *, watch: Watch) -> VerifyResult:
    """The work of ``verify``."""
    from subarch.jobs.verification import verify_run

    return verify_run(
        options.run,
        retrain=options.retrain,
        audit=options.audit,
        family=options.family,
        start=options.start,
        watch=watch,
    )


def reported(options: ReportOptions, *, watch: Watch) -> ReportResult:
    """The work of ``report``."""
    from subarch.telling.report import write_report

    watch("writing the report")
    return ReportResult(path=Page(write_report(options.run)))
