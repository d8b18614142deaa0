"""The command line: a table of commands. Options and their help live in :mod:`subarch.options` and nowhere else.

People read standard error; with ``--json`` exactly one JSON object goes to standard output. Exit status: 0 done,
2 wrong input, 1 a failure of the work, 130 interrupted (the run can be resumed by the same command).

Heavy libraries are imported inside the commands, so that ``subarch --help`` answers at once.
"""

from __future__ import annotations

import json
import logging
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from importlib import import_module
from typing import Annotated, Any, Union

import tyro

from subarch import __version__
from subarch.options.compression import CompressOptions
from subarch.options.pretraining import PretrainOptions
from subarch.options.running import BenchOptions, ExportOptions
from subarch.options.search import (
    CheckOptions,
    DemoOptions,
    ExtractOptions,
    InspectOptions,
    ReportOptions,
    VerifyOptions,
)
from subarch.options.tasks import EvaluateOptions, FinetuneOptions, PredictOptions, SubmitOptions

DESCRIPTION = """Extract the best small network inside a real one, with a certificate of how far from optimal it can be.

Start with: subarch demo (no download), or: subarch compress --data reviews.csv --teacher ./my-bert --speedup 3

subarch --version tells which one this is."""

Result = tuple[dict[str, Any], int]
Handler = Callable[[Any, Any, str], Result]
"""Options, the console, and the command as it was typed, to what ``--json`` prints and the exit status."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given == ["--version"]:
        sys.stdout.write(f"subarch {__version__}\n")
        return 0
    try:
        options: Any = tyro.cli(Options, prog="subarch", description=DESCRIPTION, args=given)  # type: ignore[call-overload]
    except ValueError as error:
        return _fail(str(error), 2)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 2
    from subarch.storage import first_process
    from subarch.surroundings import home
    from subarch.telling import console

    speaks = first_process()
    show = console.Console(quiet=not speaks)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[show.handler()])
    try:
        home()  # before libraries are imported, which look for it
        # What libraries and functions of the user's print is for people: standard output is for the one object.
        with show, redirect_stdout(sys.stderr):
            result, status = _handler(type(options))(options, show, "subarch " + shlex.join(given))
    except KeyboardInterrupt:
        return _fail("interrupted; everything finished is kept: the same command (with the same --run) goes on", 130)
    except (ValueError, OSError, ImportError) as error:
        return _fail(_message(error), 2)
    except SystemExit as stop:  # of a family or an error function of the user's: never taken for this program's own
        return _fail(f"the work failed: something that it called ended the program (exit {stop.code})", 1)
    except Exception as error:
        logging.getLogger(__name__).debug("failed", exc_info=True)
        return _fail(f"the work failed: {type(error).__name__}: {error}", 1)
    if options.json and speaks:
        sys.stdout.write(json.dumps(result, allow_nan=False) + "\n")
    return status


def _message(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def _fail(message: str, status: int) -> int:
    sys.stderr.write(f"subarch: {message}\n")
    return status


def _quiet_libraries() -> None:
    """One progress bar is enough: this program's own."""
    import transformers

    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()


def _job(where: str, told: str, *, recorded: bool = True) -> Handler:
    """The usual command: one function from options to a result, of which the console tells.

    Args:
        where: ``module:function``, imported when the command runs.
        told: the console's method for the result.
        recorded: whether the command goes into a manifest.
    """

    def run(options: Any, show: Any, command: str) -> Result:
        module, _, name = where.partition(":")
        _quiet_libraries()
        typed = {"command": command} if recorded else {}
        result = getattr(import_module(module), name)(options, watch=show.watch, **typed)
        getattr(show, told)(result)
        return result, 0

    return run


def _inspect(options: InspectOptions, show: Any, command: str) -> Result:
    from subarch.networks.inspection import inspect_network

    result = inspect_network(options.name, options.sequence_length)
    show.inspection(result)
    return result, 0


def _check(options: CheckOptions, show: Any, command: str) -> Result:
    from subarch.jobs.extraction import check

    result = check(options)
    show.clauses(result)
    return result, 0


def _verify(options: VerifyOptions, show: Any, command: str) -> Result:
    from subarch.jobs.extraction import verify_run

    _quiet_libraries()
    found = verify_run(
        options.run, retrain=options.retrain, family=options.family, start=options.start, watch=show.watch
    )
    result = {
        "accepted": found.accepted,
        "reason": found.reason,
        "achieved": found.achieved,
        "retrained": [dict(row) for row in found.retrained],
    }
    show.verification(result)
    return result, 0 if found.accepted else 1


def _report(options: ReportOptions, show: Any, command: str) -> Result:
    from subarch.telling.report import write_report

    path = write_report(options.run)
    show.written(path)
    return {"path": str(path)}, 0


COMMANDS: Mapping[str, tuple[type, Handler]] = {
    "compress": (CompressOptions, _job("subarch.pipeline:compress", "compression")),
    "inspect": (InspectOptions, _inspect),
    "check": (CheckOptions, _check),
    "extract": (ExtractOptions, _job("subarch.jobs.extraction:extract", "extraction")),
    "verify": (VerifyOptions, _verify),
    "pretrain": (PretrainOptions, _job("subarch.jobs.pretraining:pretrain", "pretraining")),
    "finetune": (FinetuneOptions, _job("subarch.jobs.finetuning:finetune", "finetuning")),
    "evaluate": (EvaluateOptions, _job("subarch.jobs.evaluation:evaluate", "scores", recorded=False)),
    "predict": (PredictOptions, _job("subarch.jobs.evaluation:predict", "predictions", recorded=False)),
    "submit": (SubmitOptions, _job("subarch.jobs.submissions:submit", "submission", recorded=False)),
    "export": (ExportOptions, _job("subarch.jobs.export:export", "export")),
    "bench": (BenchOptions, _job("subarch.jobs.benchmark:bench", "bench")),
    "report": (ReportOptions, _report),
    "demo": (DemoOptions, _job("subarch.demo:demo", "demonstration")),
}

Options: Any = Union[  # noqa: UP007 (of as many types as the table has)
    tuple(Annotated[options, tyro.conf.subcommand(name, prefix_name=False)] for name, (options, _) in COMMANDS.items())
]


def _handler(options: type) -> Handler:
    return next(handler for kind, handler in COMMANDS.values() if kind is options)


if __name__ == "__main__":
    sys.exit(main())
