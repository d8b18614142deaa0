"""The commands as functions: options as keyword arguments, results as frozen dataclasses.

Each function takes the options of the command of its name, by the names that they have there, or a ready options
object. Data may be a path, rows, a DataFrame or a Dataset; a model a path, a name, a ``(model, tokenizer)`` pair or a
pipeline. No guard is needed around the main part of a script: helpers never run it.
"""

# pyright: reportReturnType=false
# (What runs is made by _command: a function's body is its words alone.)
from __future__ import annotations

import functools
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from inspect import Parameter, cleandoc
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from subarch.commands import COMMANDS, options_class, performed
from subarch.errors import InputError, UnknownOptionError
from subarch.memory import data_file, is_name, model_folder, run_folder
from subarch.options.calling import described, options_from, signature
from subarch.progress import Watch

if TYPE_CHECKING:
    from subarch.results.bench import BenchResult
    from subarch.results.check import CheckResult
    from subarch.results.evaluate import EvaluateResult
    from subarch.results.export import ExportResult
    from subarch.results.extract import ExtractResult
    from subarch.results.finetune import FinetuneResult
    from subarch.results.inspect import InspectResult
    from subarch.results.ladder import LadderResult
    from subarch.results.predict import PredictResult
    from subarch.results.pretrain import PretrainResult
    from subarch.results.verify import VerifyResult
    from subarch.small import SmallModel

Function = TypeVar("Function", bound=Callable[..., Any])

_LABELLED, _UNLABELLED = ("data", "development_data", "test_data"), ("pool", "texts", "corpus")
_MODELS = ("model", "teacher", "source", "name", "language_model", "against", "names")


# ---------------------------------------------------------------------------------------------------- options and watch


def _options(name: str, given: Sequence[Any], named: Mapping[str, Any]) -> Any:
    """The options of a call: a ready object, or one made of what was given by place and by name."""
    kind, places = options_class(name), COMMANDS[name].positional
    if len(given) == 1 and isinstance(given[0], kind):
        if named:
            raise InputError(f"{name}(): expected a {kind.__name__} alone, got {next(iter(named))} too")
        return given[0]
    if places and places[0].startswith("*"):
        by_place: dict[str, Any] = {places[0][1:]: given} if given else {}
    elif len(given) > len(places):
        takes = ", ".join(places) or "nothing"
        raise UnknownOptionError(f"{name}() takes {takes} by place, got {len(given)} values: give the others by name")
    else:
        by_place = dict(zip(places, given, strict=False))
    if twice := sorted(by_place.keys() & named.keys()):
        raise UnknownOptionError(f"{name}(): {twice[0]} was given by place and by name")
    given_by_name = by_place | dict(named)
    _as_files(name, given_by_name)
    return options_from(kind, name, given_by_name)


def _as_files(name: str, given: dict[str, Any]) -> None:
    """What is in memory becomes files, beside the run or under ``runs/``."""
    if "run" in given:
        given["run"] = run_folder(given["run"])
    place = Path(given["run"]).parent if is_name(given.get("run")) else Path("runs")
    for option, value in given.items():
        if value is None or is_name(value):
            continue
        if option == "names":
            given[option] = [one if is_name(one) else model_folder(one, place, option) for one in value]
        elif option in _MODELS:
            given[option] = model_folder(value, place, option)
        elif option in (*_LABELLED, *_UNLABELLED):
            labelled = option in _LABELLED and name != "predict"
            given[option] = data_file(value, place, option, labelled=labelled)


@contextmanager
def _watching(watch: Watch | None) -> Generator[Watch]:
    """The caller's own watch; or one live bar: of a notebook, or of the terminal."""
    if watch is not None:
        yield watch
        return
    from subarch.telling import console, notebook

    with notebook.Notebook() if notebook.is_here() else console.Console() as shown:
        yield shown.watch


def _command(function: Function) -> Function:
    """The function of the command of that name, with the signature and the words of its options."""
    name = function.__name__
    options = options_class(name)
    watching = Parameter("watch", Parameter.KEYWORD_ONLY, annotation=Watch | None, default=None)

    @functools.wraps(function)
    def called(*given: Any, watch: Watch | None = None, command: str = "", **named: Any) -> Any:
        made = _options(name, given, named)
        with _watching(watch) as told:
            return performed(name, made, watch=told, command=command or f"subarch.{name}(...)")

    returns = function.__annotations__["return"]
    made = signature(options, COMMANDS[name].positional, watching).replace(return_annotation=returns)
    cast("Any", called).__signature__ = made
    called.__doc__ = (
        f"{cleandoc(function.__doc__ or '')}\n\nArgs:\n{described(options)}\n"
        "    watch: told what goes on; a bar in the terminal or the notebook when not given.\n\n"
        "Raises:\n    ValueError: for wrong input (an ``InputError``), before anything is written.\n"
        "    OSError: when a file cannot be read or written.\n"
    )
    return cast("Function", called)


# -------------------------------------------------------------------------------------------------------- the functions


@_command
def compress(*given: Any, **options: Any) -> SmallModel:
    """From labelled texts and a teacher to a small, fast, certified, exported model; or the next part of the way there.

    A dry run returns the plan instead, a :class:`~subarch.results.compress.PlanResult`; with ``stop_when_met`` a rung
    of the ladder that is enough comes back, a :class:`~subarch.small.EnoughModel`, which answers texts as well.

    >>> import subarch
    >>> small = subarch.compress("reviews.csv", "./my-bert", speedup=1.1, recipe="tiny.toml", run="runs/small")
    >>> (answer,) = small(["a good film"])
    >>> answer["label"] in ("praise", "blame")
    True
    >>> small.certificate.epsilon, small.ladder.rungs[0].name
    (0.5, 'constant')
    """


@_command
def extract(*given: Any, **options: Any) -> ExtractResult:
    """Find the best small network inside a large one, with a certificate of how far from optimal it can be.

    >>> import subarch
    >>> found = subarch.extract(
    ...     "./my-bert", texts="texts.txt", steps=2, epsilon=0.5, sequence_length=16, run="runs/found"
    ... )
    >>> found.certificate.claim, found.parameters < found.source.parameters
    ('w', True)
    """


@_command
def pretrain(*given: Any, **options: Any) -> PretrainResult:
    """Turn an extracted architecture into a language model, by distillation from a teacher where there is one.

    >>> import subarch
    >>> learned = subarch.pretrain(
    ...     "runs/found", corpus="articles.txt", steps=2, batch_size=2, sequence_length=16, held_out=2
    ... )
    >>> learned.steps, learned.initialize
    (2, 'inherit')
    """


@_command
def finetune(*given: Any, **options: Any) -> FinetuneResult:
    """Fine-tune a network on a task: every rate with every seed, chosen on development data, scored on a sealed split.

    >>> import subarch
    >>> tuned = subarch.finetune("./my-bert", "reviews.csv", seeds=1, epochs=1, learning_rates=3e-3, run="runs/tuned")
    >>> tuned.metric, tuned.rows[0].method
    ('accuracy', 'plain')
    """


@_command
def evaluate(*given: Any, **options: Any) -> EvaluateResult:
    """Score a fine-tuned checkpoint, or an export of one, on a labelled split.

    >>> import subarch
    >>> scores = subarch.evaluate("runs/small/export", [("a good film", "praise"), ("a bad film", "blame")])
    >>> scores.split, scores.examples
    ('all', 2)
    """


@_command
def predict(*given: Any, **options: Any) -> PredictResult:
    """Labels and probabilities for rows without labels, as JSONL or CSV.

    >>> import subarch
    >>> said = subarch.predict("runs/small/export", ["a good film", "a bad film"], output="labels.csv")
    >>> said.examples, str(said.path)
    (2, 'labels.csv')
    """


@_command
def export(*given: Any, **options: Any) -> ExportResult:
    """Write what runs fastest on this processor without losing accuracy.

    >>> import subarch
    >>> exported = subarch.export(run="runs/small", artifacts="onnx")
    >>> exported.chosen, exported.parity[0].passed
    ('onnx', True)
    """


@_command
def bench(*given: Any, **options: Any) -> BenchResult:
    """Time built networks in one run, in turns, against a reference in PyTorch with 32-bit floats.

    >>> import subarch
    >>> timed = subarch.bench("./my-bert", against="./my-bert", runtime="pytorch", precision="float32", rounds=1,
    ...                       sequence_length=16, memory=False, run="runs/timed")
    >>> timed.rows[0].runtime, timed.rows[0].ratio
    ('pytorch', 1.0)
    """


@_command
def ladder(*given: Any, **options: Any) -> LadderResult:
    """Ask the plainest rivals first, from the commonest class to the teacher in 8 bits: is one of them enough?

    >>> import subarch
    >>> climbed = subarch.ladder("reviews.csv", "runs/tuned/finetune/reviews/checkpoint", rungs=["constant", "tfidf"],
    ...                          rounds=1, run="runs/climbed")
    >>> climbed.rung("tfidf").quality > climbed.rung("constant").quality
    True
    """


@_command
def inspect(*given: Any, **options: Any) -> InspectResult:
    """Count a network exactly: parameters by convention, operations per token.

    >>> import subarch
    >>> subarch.inspect("bert-base").parameters["total"]
    108891648
    """


@_command
def check(*given: Any, **options: Any) -> CheckResult:
    """Check whether a network has the ABnC property that the guarantee stands on, clause by clause.

    >>> import subarch
    >>> subarch.check("mlp").verdict
    'weak'
    """


@_command
def verify(*given: Any, **options: Any) -> VerifyResult:
    """Derive the certificate of a run again from its ledger.

    >>> import subarch
    >>> subarch.verify("runs/found").accepted
    True
    """
