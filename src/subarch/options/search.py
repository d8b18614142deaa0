"""The options of the commands around a search.

Light on purpose: importing this module imports no numerical library, so that ``subarch --help`` answers at once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from subarch.errors import InputError
from subarch.options.forms import USUAL, ArtifactName
from subarch.options.ranges import EPSILON, FASTER, FRACTION, POSITIVE, UNSIGNED, at_least, checked
from subarch.options.tasks import Quoting, TaskOptions
from subarch.plugins import NAME

Positional = tyro.conf.Positional

SPLITTING = (
    *("text_columns", "label_column", "label_columns", "label_separator", "kind", "quoting", "missing_label"),
    *("development_data", "test_data", "split_seed"),
)
RUNTIMES = ("pytorch", "served", *USUAL)
"""What times the networks of a search, besides functions of a user's own."""
PiecesOf = Literal["texts", "texts+documentation"]
DEALT = ("task_data", *SPLITTING, "limit")
"""Options that say how labelled data are read and dealt out, of a task as of a search on it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class InspectOptions:
    """Count a network exactly: parameters by convention, operations per token.

    Example: subarch inspect bert-large
    """

    name: Annotated[str, Positional, tyro.conf.arg(metavar="NAME_OR_PATH")]
    """A preset (bort, bort-flipped, bort-2, bert-base, bert-large, roberta-large, distilbert, minilm-l6-h384,
    tinybert-4), a checkpoint folder, a config.json, or a Hugging Face name."""
    sequence_length: Annotated[int, at_least(1)] = 128
    """Tokens of the forward pass whose operations are counted."""
    json: bool = False
    """Print one JSON object on standard output instead of a table."""

    def __post_init__(self) -> None:
        checked(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckOptions:
    """Check whether a network has the ABnC property that the guarantee stands on, clause by clause.

    Example: subarch check bort
    """

    source: Annotated[str, Positional, tyro.conf.arg(metavar="SOURCE")]
    """A preset (bort, mlp), a checkpoint folder, a Hugging Face name, or module.path:Name of a Family."""
    space: Path | None = None
    """JSON file with the search space, instead of the one derived from the source."""
    run: Path | None = None
    """Directory of a finished extraction: its errors are the evidence for the clause about the error."""
    sequence_length: Annotated[int, at_least(1)] = 128
    """Tokens of the forward pass whose operations are counted."""
    json: bool = False
    """Print one JSON object on standard output."""

    def __post_init__(self) -> None:
        checked(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class ExtractOptions:
    """Find the best small network inside a large one, with a certificate of how far from optimal it can be.

    The same command with the same --run goes on where it stopped, however it was stopped.

    Examples:
    subarch extract ./my-bert --speedup 3;
    subarch extract ./my-bert --corpus ./texts --epsilon 0.05 --run runs/mine;
    subarch extract bort --start scratch --steps 3
    """

    source: Annotated[str, Positional, tyro.conf.arg(metavar="SOURCE")]
    """A checkpoint folder or Hugging Face name (its space is derived from its sizes, candidates inherit its weights), a
    preset (bort, mlp), or module.path:Name of a Family."""
    run: Path | None = None
    """Run directory; a new one under runs/ when not given."""
    space: Path | None = None
    """JSON file with the search space: {"num_hidden_layers": [2, 4], "hidden_size": [128, 256], ...}."""
    reference: str | None = None
    """The reference T as JSON, {"num_hidden_layers": 24, ...}, or a file that holds it; the source when not given."""
    claim: Literal["w", "constrained", "front"] | None = None
    """What is certified: the largest W (default), the lowest error under a limit (default where a limit is given), or
    the whole Pareto front."""
    epsilon: float = 0.1
    """How far from optimal the answer may be: between 0 and 1; for --strategy interval an integer, the interval."""
    coarsest_epsilon: float | None = None
    """Where noise or violations of monotony do not let --epsilon be shown, the finest of 0.15, 0.2, 0.3, 0.4, 0.5 (and
    finer ones below 0.1) that they do let, up to this, is what is certified; the certificate tells both."""
    strategy: Literal["certified", "interval", "exhaustive"] = "certified"
    """certified: branch and bound with a guarantee; interval: the published algorithm; exhaustive: everything."""
    start: str | None = None
    """Where a candidate starts: inherit (the source's weights; default where there are any), scratch, or
    module.path:name of your own error function."""
    steps: str = "default"
    """Training steps a candidate: a number, a range such as 60-240 (doubled until the errors are resolved), auto for
    10-640, or default."""
    seeds: Annotated[int, at_least(1)] = 1
    """Seeds a candidate is trained with; its error is their mean."""
    batch_size: Annotated[int | None, at_least(1)] = None
    """Texts a training step; a default that fits the error when not given."""
    held_out: Annotated[int | None, at_least(1)] = None
    """Texts that the error is measured on, the same for all candidates: more of them, less noise."""
    learning_rates: Annotated[tuple[float, ...], POSITIVE] = ()
    """Hyperparameter sets: every candidate is trained with each, the best counts. Defaults fit the start."""
    clip_weights: Annotated[float | None, POSITIVE] = None
    """Keep every weight within this distance of zero during training (the compactness that the theory asks for)."""
    corpus: Path | None = None
    """Text: .txt, .jsonl or .parquet (also .gz, .xz, .zst), or a folder; the installed documentation when not given."""
    texts: Path | None = None
    """Instead of --corpus, for classifiers and encoders: texts as the network will get them, one a line (.txt) or a row
    of a table (text, or sentence1 and sentence2, or what else is usual); each is judged whole."""
    data: str | None = None
    """Labelled text: a CSV, TSV, JSONL or Parquet file, or demo/packages or demo/docs; the error is then its error
    rate."""
    task_data: Path | None = None
    """With --data: folder with a benchmark's files in the official layout; the Hugging Face hub when not given."""
    text_columns: tuple[str, ...] = ()
    """With --data: columns that hold the text, or the two texts; found by their usual names when not given."""
    label_column: str | None = None
    """With --data: column that holds the label; found by its usual names when not given."""
    label_columns: tuple[str, ...] = ()
    """With --data: instead of it, a column for each label, in which 0 or 1 stands."""
    label_separator: str | None = None
    """With --data: what stands between several labels in one cell."""
    kind: str | None = None
    """With --data: what its labels are, as in finetune; seen from the labels when not given."""
    quoting: Quoting | None = None
    """With --data: what quotes are in your CSV or TSV: doubled, backslash, none, or escaped; seen from the whole file
    when not given."""
    missing_label: tuple[str, ...] = ()
    """With --data: words that stand for no label, such as null: rows with them, or with nothing, are left out."""
    development_data: Path | None = None
    """With --data: your own file to judge candidates by; otherwise a part of the data, carved with --split-seed."""
    test_data: Path | None = None
    """With --data: your own test file, whose texts are not learned from; otherwise a part of the data is sealed. Give
    what the fine-tuning gets: the same rows are sealed then, and the search reads none of them."""
    split_seed: int = 0
    """With --data: of the splits that are carved, likewise."""
    rule: Annotated[Literal["relatives", "equal texts"], tyro.conf.Suppress] = "relatives"
    """With --data: what keeps rows in one split; a source that was dealt another way says so."""
    limit: int | None = None
    """With --data: learn from so many examples at most."""
    tokenizer: str | None = None
    """Tokenizer folder or name; the source's own when not given, or one trained on the corpus for presets."""
    vocabulary: PiecesOf | None = None
    """texts: search in a smaller source, with those pieces of its tokenizer alone that your texts use, and with the
    same tokens on these; texts+documentation: those of the installed documentation stay, too. All pieces when not
    given. Give a million characters or more."""
    vocabulary_texts: tuple[Path, ...] = ()
    """With --vocabulary: files of texts that count beside those that the error is measured on, one a line (.txt) or a
    row of a table."""
    sequence_length: Annotated[int, at_least(1)] = 128
    """Tokens of the forward pass that is counted and timed."""
    cost: Literal["macs", "latency_ms"] = "macs"
    """The inference cost in W and on the front: multiply-accumulates (exact), or latency on this machine."""
    runtime: str = "pytorch"
    """What runs the networks that are timed: pytorch, a form that subarch export writes in 32-bit floats or 8-bit
    integers (such as openvino-int8), served (the fastest of these forms here, decided by readings, T in its own fastest
    one), or module.path:name of a function of yours, architecture to milliseconds, where networks run elsewhere."""
    forms: Annotated[tuple[ArtifactName, ...], tyro.conf.Suppress] = USUAL
    """With --runtime served: the candidates."""
    threads: Annotated[int | None, at_least(1)] = None
    """Threads for timing and training; all cores when not given, but for timing with --runtime served, which decides
    on them by readings."""
    speedup: Annotated[float | None, FASTER] = None
    """Limit: at least this many times as fast as the reference (the source when --reference is not given), measured
    here."""
    max_parameters: Annotated[float | None, POSITIVE] = None
    """Limit: parameters of the backbone with its embeddings."""
    max_latency_ms: Annotated[float | None, POSITIVE] = None
    """Limit: milliseconds for one text of --sequence-length tokens, measured here."""
    max_macs: Annotated[float | None, POSITIVE] = None
    """Limit: multiply-accumulates of one forward pass."""
    error_floor: Annotated[float, UNSIGNED] = 0.0
    """A lower bound on every error that you vouch for: named in the certificate as an assumption."""
    delta: Annotated[float, FRACTION] = 0.0
    """Violation of monotony to allow for from the start; at least the largest one seen is always allowed for."""
    executor: str = "serial"
    """Where trainings run: serial, threads:N, processes:N, ray, ray://host:port, dask:host:port, or
    module.path:function that makes an Executor."""
    resources: str | None = None
    """What one training asks of a node of a cluster: cpus=2,gpus=0.25,memory=4GB, or some of these."""
    budget: str | None = None
    """Stop early: a number of trainings (40), or seconds (600s). The certificate then says what was reached. Trainings
    under way when the seconds are over are waited for, as long again at most."""
    training_seconds: Annotated[float | None, POSITIVE] = None
    """A training that takes longer counts as failed: it is ended where the executor can, left out and named."""
    audit: Annotated[int, at_least(0)] = 0
    """When the claim is certified, train so many untrained networks, drawn at random, one by one: what they say of the
    bounds is free of the assumption that larger networks are better. 10 that contradict none leave 26 % at most."""
    json: bool = False
    """Print one JSON object on standard output."""

    def __post_init__(self) -> None:
        checked(self)
        if self.strategy != "interval":
            if not EPSILON.holds(self.epsilon):
                raise InputError(f"--epsilon {EPSILON.words}, got {self.epsilon:g}")
            if self.coarsest_epsilon is not None and not self.epsilon <= self.coarsest_epsilon < 1:
                raise InputError(
                    f"--coarsest-epsilon lies between --epsilon, {self.epsilon:g}, and 1, got {self.coarsest_epsilon:g}"
                )
        elif not (self.epsilon >= 1 and self.epsilon.is_integer()):
            raise InputError(f"--epsilon is an integer from 1 with --strategy interval, got {self.epsilon:g}")
        if not re.fullmatch("[0-9]+(-[0-9]+)?|auto|default", self.steps):
            raise InputError(
                f"--steps is a number from 0, or auto, got {self.steps!r}; a range such as 60-240 doubles them"
            )
        if (steps := self.steps_range) is not None and (steps[0] > steps[1] or ("-" in self.steps and not steps[0])):
            raise InputError(f"--steps is doubled from the first number, at least 1, to the second, got {self.steps!r}")
        if self.runtime not in RUNTIMES and not NAME.fullmatch(self.runtime):
            raise InputError(f"--runtime is one of {', '.join(RUNTIMES)}, or module.path:name, got {self.runtime!r}")
        if self.limits and self.claim not in (None, "constrained"):
            raise InputError(
                f"a limit on {next(iter(self.limits))} makes the claim 'constrained', but --claim {self.claim} "
                "was asked: one claim a run; leave one of them out"
            )
        if self.claim == "constrained" and not self.limits:
            raise InputError(
                "--claim constrained needs a limit: --speedup, --max-parameters, --max-latency-ms or --max-macs"
            )
        self._check_data()
        self._check_vocabulary()

    def _check_vocabulary(self) -> None:
        if self.vocabulary is None and self.vocabulary_texts:
            raise InputError("--vocabulary-texts are read with --vocabulary texts alone: give that, or leave them away")
        given = (self.corpus, self.texts, self.data, *self.vocabulary_texts)
        if self.vocabulary is not None and not any(given):
            raise InputError(
                f"--vocabulary {self.vocabulary} keeps the pieces that your texts use, and there are none: give them "
                "by --corpus, --texts, --data or --vocabulary-texts"
            )
        if self.vocabulary is not None and self.tokenizer is not None:
            raise InputError("--vocabulary cuts the source's own tokenizer, but --tokenizer was given: leave one away")

    def _check_data(self) -> None:
        if self.data is None and (unused := [name for name in DEALT if getattr(self, name)]):
            flags = ", ".join(f"--{name.replace('_', '-')}" for name in unused)
            raise InputError(f"{flags} says how --data is read, which is missing: give --data, or leave that away")
        _ = self.where

    @property
    def where(self) -> TaskOptions | None:
        """Where labelled data come from, and how they are dealt out: as for every other command."""
        if self.data is None:
            return None
        path = Path(self.data)
        named: dict[str, Any] = {"data": path} if path.is_file() else {"task": self.data}
        return TaskOptions(**named, **{name: getattr(self, name) for name in DEALT}, rule=self.rule)

    @property
    def steps_range(self) -> tuple[int, int] | None:
        """From how many steps on they are doubled, up to how many; None: the default of the error."""
        if self.steps == "default":
            return None
        first, _, last = ("10-640" if self.steps == "auto" else self.steps).partition("-")
        return int(first), int(last or first)

    @property
    def limits(self) -> dict[str, float]:
        """The limits that were given, by the names that the certificate uses."""
        given = {
            "speedup": self.speedup,
            "parameters": self.max_parameters,
            "latency_ms": self.max_latency_ms,
            "macs": self.max_macs,
        }
        return {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True, kw_only=True, slots=True)
class VerifyOptions:
    """Derive the certificate of a run again from its ledger; exit 0 when it holds, 1 when it does not.

    Example: subarch verify runs/mine --retrain 2
    """

    run: Annotated[Path, Positional, tyro.conf.arg(metavar="DIR")]
    """Run directory."""
    retrain: Annotated[int, at_least(0)] = 0
    """Train this many random trials again and compare: the only defence against a ledger forged as a whole."""
    audit: Annotated[int, at_least(0)] = 0
    """Train so many untrained networks, drawn at random by you, and compare them with the bounds of the run."""
    family: str | None = None
    """module.path:Name, for a run of a family of your own: code is run only where you name it, whatever the run says,
    and never from the run's own folder."""
    start: str | None = None
    """module.path:name, to train again what an error function of your own has measured."""
    json: bool = False
    """Print one JSON object on standard output."""

    def __post_init__(self) -> None:
        checked(self)
        for option, name in (("--family", self.family), ("--start", self.start)):
            if name is not None and not NAME.fullmatch(name):
                raise InputError(f"{option} is module.path:name, got {name!r}")


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportOptions:
    """Write report.html: one page that opens offline, with the front, the bound, the certificate, the manifest.

    Example: subarch report runs/mine
    """

    run: Annotated[Path, Positional, tyro.conf.arg(metavar="DIR")]
    """Run directory."""
    json: bool = False
    """Print one JSON object on standard output."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DemoOptions:
    """The main story on data that needs no download: train a small source here, extract from it, verify, report.

    Example: subarch demo
    """

    run: Path = Path("runs/demo")
    """Run directory; the same command goes on where it stopped."""
    speedup: Annotated[float, FASTER] = 3.0
    """How many times as fast as the source the pick must be."""
    epsilon: Annotated[float, EPSILON] = 0.1
    """How far from optimal the pick may be."""
    json: bool = False
    """Print one JSON object on standard output."""

    def __post_init__(self) -> None:
        checked(self)
