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
from typing import Annotated, Any

import tyro

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

Options = (
    Annotated[CompressOptions, tyro.conf.subcommand("compress", prefix_name=False)]
    | Annotated[InspectOptions, tyro.conf.subcommand("inspect", prefix_name=False)]
    | Annotated[CheckOptions, tyro.conf.subcommand("check", prefix_name=False)]
    | Annotated[ExtractOptions, tyro.conf.subcommand("extract", prefix_name=False)]
    | Annotated[VerifyOptions, tyro.conf.subcommand("verify", prefix_name=False)]
    | Annotated[PretrainOptions, tyro.conf.subcommand("pretrain", prefix_name=False)]
    | Annotated[FinetuneOptions, tyro.conf.subcommand("finetune", prefix_name=False)]
    | Annotated[EvaluateOptions, tyro.conf.subcommand("evaluate", prefix_name=False)]
    | Annotated[PredictOptions, tyro.conf.subcommand("predict", prefix_name=False)]
    | Annotated[SubmitOptions, tyro.conf.subcommand("submit", prefix_name=False)]
    | Annotated[ExportOptions, tyro.conf.subcommand("export", prefix_name=False)]
    | Annotated[BenchOptions, tyro.conf.subcommand("bench", prefix_name=False)]
    | Annotated[ReportOptions, tyro.conf.subcommand("report", prefix_name=False)]
    | Annotated[DemoOptions, tyro.conf.subcommand("demo", prefix_name=False)]
)

DESCRIPTION = """Extract the best small network inside a real one, with a certificate of how far from optimal it can be.

Start with: subarch demo (no download), or: subarch compress --data reviews.csv --teacher ./my-bert --speedup 3"""

Result = tuple[dict[str, Any], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        options: Any = tyro.cli(Options, prog="subarch", description=DESCRIPTION, args=given)  # type: ignore[call-overload]
    except ValueError as error:
        return _fail(str(error), 2)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 2
    from subarch.storage import first_process
    from subarch.telling import console

    speaks = first_process()
    show = console.Console(quiet=not speaks)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[show.handler()])
    try:
        with show:
            result, status = _COMMANDS[type(options)](options, show, "subarch " + shlex.join(given))
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


def _quiet_libraries() -> None:
    """One progress bar is enough: this program's own."""
    import transformers

    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()


def _extract(options: ExtractOptions, show: Any, command: str) -> Result:
    from subarch.jobs.extraction import extract

    _quiet_libraries()

    result = extract(options, watch=show.watch, command=command)
    show.extraction(result)
    return result, 0


def _verify(options: VerifyOptions, show: Any, command: str) -> Result:
    from subarch.jobs.extraction import verify_run

    _quiet_libraries()
    found = verify_run(options.run, retrain=options.retrain, watch=show.watch)
    result = {
        "accepted": found.accepted,
        "reason": found.reason,
        "achieved": found.achieved,
        "retrained": [dict(row) for row in found.retrained],
    }
    show.verification(result)
    return result, 0 if found.accepted else 1


def _pretrain(options: PretrainOptions, show: Any, command: str) -> Result:
    from subarch.jobs.pretraining import pretrain

    _quiet_libraries()
    result = pretrain(options, watch=show.watch, command=command)
    show.pretraining(result)
    return result, 0


def _finetune(options: FinetuneOptions, show: Any, command: str) -> Result:
    from subarch.jobs.finetuning import finetune

    _quiet_libraries()
    result = finetune(options, watch=show.watch, command=command)
    show.finetuning(result)
    return result, 0


def _evaluate(options: EvaluateOptions, show: Any, command: str) -> Result:
    from subarch.jobs.evaluation import evaluate

    _quiet_libraries()
    result = evaluate(options, watch=show.watch)
    show.scores(result)
    return result, 0


def _predict(options: PredictOptions, show: Any, command: str) -> Result:
    from subarch.jobs.evaluation import predict

    _quiet_libraries()
    result = predict(options, watch=show.watch)
    show.written(result["path"])
    return result, 0


def _submit(options: SubmitOptions, show: Any, command: str) -> Result:
    from subarch.jobs.submissions import submit

    _quiet_libraries()
    result = submit(options, watch=show.watch)
    show.submission(result)
    return result, 0


def _export(options: ExportOptions, show: Any, command: str) -> Result:
    from subarch.jobs.export import export

    _quiet_libraries()
    result = export(options, watch=show.watch, command=command)
    show.export(result)
    return result, 0


def _bench(options: BenchOptions, show: Any, command: str) -> Result:
    from subarch.jobs.benchmark import bench

    _quiet_libraries()
    result = bench(options, watch=show.watch, command=command)
    show.bench(result)
    return result, 0


def _compress(options: CompressOptions, show: Any, command: str) -> Result:
    from subarch.pipeline import compress

    _quiet_libraries()
    result = compress(options, watch=show.watch, command=command)
    show.compression(result)
    return result, 0


def _report(options: ReportOptions, show: Any, command: str) -> Result:
    from subarch.telling.report import write_report

    path = write_report(options.run)
    show.written(path)
    return {"path": str(path)}, 0


def _demo(options: DemoOptions, show: Any, command: str) -> Result:
    from subarch.demo import demo

    _quiet_libraries()
    result = demo(options, watch=show.watch, command=command)
    show.demonstration(result)
    return result, 0


_COMMANDS: Mapping[type, Callable[[Any, Any, str], Result]] = {
    CompressOptions: _compress,
    InspectOptions: _inspect,
    CheckOptions: _check,
    ExtractOptions: _extract,
    VerifyOptions: _verify,
    PretrainOptions: _pretrain,
    FinetuneOptions: _finetune,
    EvaluateOptions: _evaluate,
    PredictOptions: _predict,
    SubmitOptions: _submit,
    ExportOptions: _export,
    BenchOptions: _bench,
    ReportOptions: _report,
    DemoOptions: _demo,
}


if __name__ == "__main__":
    sys.exit(main())
