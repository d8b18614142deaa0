"""The options of the commands around tasks: fine-tuning, evaluation, predictions, submissions.

Light on purpose: importing this module imports no numerical library, so that ``subarch --help`` answers at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro

from subarch.errors import InputError
from subarch.options.forms import ArtifactName
from subarch.options.found import names_in
from subarch.options.ranges import FRACTION, PART, POSITIVE, UNSIGNED, at_least, checked
from subarch.plugins import NAME

Positional = tyro.conf.Positional
Quoting = Literal["doubled", "backslash", "none", "escaped"]


def _require_one(task: str | None, data: Path | None) -> None:
    if task is not None and data is not None:
        raise InputError("--task and --data were both given: one of them says which examples are meant")
    if task is None and data is None:
        raise InputError("--task NAME or --data FILE is needed: for example --task glue/rte, or --data reviews.csv")


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskOptions:
    """What is to be learned, and from where."""

    task: str | None = None
    """A task's name (glue/rte, superglue/copa, race/middle, demo/docs, demo/packages) or the path of a file."""
    data: Path | None = None
    """Your own labelled CSV, TSV, JSONL or Parquet file: the same as a path given to --task."""
    task_data: Path | None = None
    """Folder with the benchmark's files in the official layout; the Hugging Face hub when not given."""
    text_columns: tuple[str, ...] = ()
    """Columns of your file that hold the text, or the two texts; found by their usual names when not given."""
    label_column: str | None = None
    """Column of your file that holds the label; found by its usual names when not given."""
    label_columns: tuple[str, ...] = ()
    """Instead of it, a column for each label, in which 0 or 1 stands: several may hold in a row (multi-label)."""
    label_separator: str | None = None
    """What stands between several labels in one cell, such as "|"; lists are read as they are."""
    kind: str | None = None
    """What the labels of your file are: classification, multilabel, regression, tokens (a tag for each word), or
    module.path:Kind of yours; seen from the labels when not given."""
    metric: str | None = None
    """What your file is scored by, and choices are made on: accuracy, macro_f1 or matthews of classes, micro_f1,
    macro_f1 or exact_match of several labels, pearson or spearman of numbers, entity_f1 or token_accuracy of tags; the
    usual one when not given."""
    quoting: Quoting | None = None
    """What quotes are in your CSV or TSV: doubled or backslash (the table's own, with quotes inside so written), none
    (characters), escaped (characters after backslashes); seen from the whole file when not given."""
    missing_label: tuple[str, ...] = ()
    """Words that stand for no label, such as null: rows with them, or with nothing, are left out; refused when not
    given."""
    development_data: Path | None = None
    """Your own development file; otherwise a part of the data, carved with --split-seed."""
    test_data: Path | None = None
    """Your own test file, for the final score alone; otherwise a part of the data, sealed before anything is read."""
    split_seed: int = 0
    """Of the splits that are carved."""
    limit: Annotated[int | None, at_least(1)] = None
    """Learn from so many examples at most."""
    rule: Annotated[Literal["relatives", "equal texts"], tyro.conf.Suppress] = "relatives"
    """What keeps rows in one split; a checkpoint that was dealt another way says so."""

    def __post_init__(self) -> None:
        _require_one(self.task, self.data)
        if len(self.text_columns) > 2:
            raise InputError(f"--text-columns takes one column or two, got {len(self.text_columns)}")
        checked(self)

    @property
    def name(self) -> str:
        """The task's name or the file's path."""
        return str(self.data) if self.data is not None else str(self.task)


PROPOSALS = names_in("learning", "proposals")
"""Ways of making proposals: a file each, which is not opened here."""
_HELP = (
    f"Where new texts come from: {', '.join(PROPOSALS)}, or module.path:function of yours; retrieve with --pool, "
    "otherwise mask_fill with a language model, otherwise swap."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class AgoraOptions:
    """How the student learns from its own mistakes."""

    agora: bool = False
    """Let the student learn from teacher-labelled texts near its own mistakes, and compare that with other ways."""
    teacher: str | None = None
    """With --agora: a checkpoint that was fine-tuned on this task; it labels what is proposed."""
    weak_teacher: bool = False
    """Go on with a teacher that is below the bar on development data."""
    pool: Path | None = None
    """Unlabelled texts to retrieve from: a table with the same text columns, or (single texts) a .txt, a line each."""
    pool_texts: Annotated[int, at_least(1)] = 20_000
    """Texts of the pool that the way 'pool' learns from at most, drawn at random; each is learned from once."""
    ways: tuple[Literal["plain", "distilled", "augmented", "pool", "agora"], ...] = ()
    """Ways of training the student that are tried; the best on development rows is kept. All when not given: on the
    labels, on the teacher's, with texts around random rows, with the whole pool, with texts near its mistakes."""
    proposals: Annotated[tuple[str, ...], tyro.conf.arg(help=_HELP)] = ()
    """Where new texts come from."""
    language_model: str | None = None
    """A checkpoint with a masked-language-model head for mask_fill; the student itself when it has one."""
    per_mistake: Annotated[int, at_least(1)] = 20
    """New texts around each mistake at most."""
    space: str = "teacher"
    """Where distances between texts are taken: the teacher's or the student's mean-pooled states (unit length), or
    module.path:function of yours, from examples to an array."""
    min_distance: Annotated[float, UNSIGNED] = 0.0
    """Of a new text from its mistake; nearer ones teach nothing new. Exact and near copies are always refused."""
    max_distance: float | None = None
    """Likewise; farther ones are about something else. 0.5 of unit vectors is a cosine of 0.88."""
    tolerance: Annotated[float | None, UNSIGNED] = None
    """Of numbers: a larger residual is a mistake; the root mean square residual when not given."""
    near: Literal["taught", "all"] = "taught"
    """Make texts near mistakes that the teacher does not make too, or near all mistakes, as published."""
    balance: Literal["even", "data", "none"] = "even"
    """Of the classes: even numbers (as the theory asks), the training data's own shares, or whatever comes."""
    min_confidence: Annotated[float, FRACTION] = 0.0
    """Of the teacher; less sure labels are not learned from."""
    hard_labels: bool = False
    """Learn the teacher's likeliest class instead of its probabilities."""
    distill: Annotated[float, PART] = 0.0
    """The teacher's share in the labels of the training data: 0 leaves them as they are, 1 takes its own alone."""
    refit: bool = False
    """Train the student that is kept once more, with the development rows among its data: more labels, but no rows are
    left on which it could be judged but the sealed ones."""
    pruning: Literal["halving", "common_subsequence", "common_prefix"] = "halving"
    """Which hyperparameter sets are dropped after a round; the last two are readings of the published rule."""
    rounds: Annotated[int, at_least(1)] = 10
    """Rounds of training at most."""
    replays: Annotated[int, at_least(0)] = 0
    """How often all hyperparameter sets start again with the data gathered so far."""
    budget: Annotated[int | None, at_least(1)] = None
    """Trainings of a loop at most."""
    executor: str = "serial"
    """Where the students of a round are trained: serial, processes:N (with --threads: of each), or
    module.path:function that makes an Executor. The clusters of extract are taken, too, but were not tried with it."""
    resources: str | None = None
    """What one training asks of a node of a cluster: cpus=2,gpus=0.25,memory=4GB, or some of these."""

    def __post_init__(self) -> None:
        checked(self)
        if self.max_distance is not None and not self.min_distance < self.max_distance:
            raise InputError(
                f"--max-distance must be above --min-distance, got {self.max_distance:g} and {self.min_distance:g}"
            )
        self._check_names()

    def _check_names(self) -> None:
        if self.agora and self.teacher is None:
            raise InputError("--agora needs --teacher MODEL: a checkpoint that was fine-tuned on this task")
        if not self.agora and (self.teacher is not None or self.pool is not None or self.refit or self.ways):
            raise InputError("--teacher, --pool, --ways and --refit belong to Agora: give --agora too")
        if "pool" in self.ways and self.pool is None:
            raise InputError("--ways pool learns from unlabelled texts: give --pool FILE, or leave it out")
        if self.space not in ("teacher", "student") and not NAME.fullmatch(self.space):
            raise InputError(f"--space is teacher, student, or module.path:function, got {self.space!r}")
        for name in self.proposals:
            if name not in PROPOSALS and not NAME.fullmatch(name):
                raise InputError(f"--proposals are {', '.join(PROPOSALS)}, or module.path:function, got {name!r}")
        if self.executor.startswith("threads:"):
            raise InputError("--executor threads:N: dropout draws from one generator a process; give processes:N")


@dataclass(frozen=True, kw_only=True)
class FinetuneSettings:
    """How a network is fine-tuned: every learning rate with every seed.

    Raises:
        ValueError: for a value outside its range.
    """

    learning_rates: Annotated[tuple[float, ...], POSITIVE] = (5e-5,)
    """Hyperparameter sets: each is tried with every seed, the best on development data counts."""
    seeds: Annotated[int, at_least(1)] = 3
    """Seeds of head, order and dropout: what the interval is taken over."""
    epochs: Annotated[int, at_least(1)] = 3
    """Passes over the training data at most."""
    batch_size: Annotated[int, at_least(1)] = 32
    """Examples a step."""
    patience: Annotated[int | None, at_least(1)] = None
    """Stop a training after so many epochs without a better development score."""
    warmup: Annotated[float, FRACTION] = 0.1
    """Fraction of the steps over which the learning rate rises."""
    weight_decay: Annotated[float, UNSIGNED] = 0.01
    """Decoupled weight decay on matrices."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of matrix products in training; bfloat16 is faster where the processor has it (AVX512-BF16, AMX)."""

    def __post_init__(self) -> None:
        if not self.learning_rates:
            raise InputError("--learning-rates needs at least one rate, such as 5e-5")
        checked(self)


@dataclass(frozen=True, kw_only=True)
class _Learned:
    """What is fine-tuned on what."""

    model: str | None = None
    """A checkpoint folder, a Hugging Face name, or a config.json (random weights); --run's student when not given."""
    run: Path | None = None
    """Run directory; a new one under runs/ when not given. Without --model, the network that was extracted there."""
    where: Annotated[TaskOptions, tyro.conf.arg(name="")]


@dataclass(frozen=True, kw_only=True)
class FinetuneOptions(FinetuneSettings, _Learned):
    """Fine-tune a network on a task: a linear head, every learning rate with every seed, chosen on development data.

    The score is that of a sealed split, on which nothing is trained and nothing chosen: the mean over the seeds with
    its 95 % interval. The same command with the same --run goes on where it stopped.

    Examples:
    subarch finetune --model ./my-bert --data reviews.csv;
    subarch finetune --model ./my-bert --task glue/rte --task-data ./glue --learning-rates 2e-5 5e-5;
    subarch finetune --run runs/mine --task demo/docs;
    subarch finetune --run runs/mine --data reviews.csv --agora --teacher ./my-bert-reviews --pool more.csv
    """

    max_length: Annotated[int | None, at_least(8)] = None
    """Tokens that a text, or a pair, is cut to; when not given 128, and up to 512 for benchmarks with long texts."""
    loop: Annotated[AgoraOptions, tyro.conf.arg(name="")] = field(default_factory=AgoraOptions)
    threads: Annotated[int | None, at_least(1)] = None
    """Threads; all cores when not given."""
    json: bool = False
    """Print one JSON object on standard output."""

    def __post_init__(self) -> None:
        if self.model is None and self.run is None:
            raise InputError("--model (a checkpoint) or --run (a directory with an extracted network) is needed")
        super().__post_init__()


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluateOptions:
    """Score a fine-tuned checkpoint, or an export of one, on a labelled split.

    Of a benchmark the official development split is scored, of your own file all rows; where the checkpoint was
    fine-tuned on this very file, only the rows that were sealed then.

    How each class fares is told too: a class that is never answered rightly, by its name and count.

    Examples:
    subarch evaluate runs/mine/finetune/reviews/checkpoint --data reviews.csv;
    subarch evaluate runs/mine/export --data reviews.csv
    """

    model: Annotated[str, Positional, tyro.conf.arg(metavar="MODEL")]
    """A fine-tuned checkpoint (a folder, or a Hugging Face name), or the folder of an export."""
    artifact: ArtifactName | None = None
    """Of an export another form than the chosen one."""
    kind: str | None = None
    """What it was fine-tuned for, where that is module.path:Kind of yours: code that a checkpoint names is not run."""
    task: str | None = None
    """A task's name (glue/rte, superglue/ax-b, race/middle, demo/docs) or the path of a file."""
    data: Path | None = None
    """Your own labelled CSV, TSV, JSONL or Parquet file: the same as a path given to --task."""
    task_data: Path | None = None
    """Folder with the benchmark's files in the official layout; the Hugging Face hub when not given."""
    text_columns: tuple[str, ...] = ()
    """Columns of your file that hold the text, or the two texts; those that the checkpoint learned from when not
    given."""
    label_column: str | None = None
    """Column of your file that holds the label; likewise."""
    label_columns: tuple[str, ...] = ()
    """Instead of it, a column for each label, in which 0 or 1 stands; likewise."""
    label_separator: str | None = None
    """What stands between several labels in one cell; likewise."""
    quoting: Quoting | None = None
    """What quotes are in your CSV or TSV: doubled or backslash (the table's own, with quotes inside so written), none
    (characters), escaped (characters after backslashes); seen from the whole file when not given."""
    missing_label: tuple[str, ...] = ()
    """Words that stand for no label, such as null: rows with them, or with nothing, are left out; refused when not
    given."""
    split: Literal["train", "development", "sealed", "test", "all"] | None = None
    """Which examples: all rows of a file, or train, development or sealed of the one that the checkpoint was fine-tuned
    on; of a benchmark train, development (the official one) or, where its labels are public, test."""
    threads: Annotated[int | None, at_least(1)] = None
    """Threads; all cores when not given."""
    json: bool = False
    """Print one JSON object on standard output."""

    def __post_init__(self) -> None:
        _require_one(self.task, self.data)
        checked(self)

    @property
    def name(self) -> str:
        """The task's name or the file's path."""
        return str(self.data) if self.data is not None else str(self.task)


@dataclass(frozen=True, kw_only=True, slots=True)
class PredictOptions:
    """Labels and probabilities for rows without labels, as JSONL or CSV.

    An export answers faster than the checkpoint that it was made of.

    Examples:
    subarch predict runs/mine/export --data new.csv --output labels.csv;
    subarch predict runs/mine/finetune/reviews/checkpoint --data new.csv
    """

    model: Annotated[str, Positional, tyro.conf.arg(metavar="MODEL")]
    """A fine-tuned checkpoint (a folder, or a Hugging Face name), or the folder of an export."""
    artifact: ArtifactName | None = None
    """Of an export another form than the chosen one."""
    kind: str | None = None
    """What it was fine-tuned for, where that is module.path:Kind of yours: code that a checkpoint names is not run."""
    data: Path
    """CSV, TSV, JSONL or Parquet file with the texts."""
    output: Path | None = None
    """Where predictions go, .jsonl or .csv; beside the data when not given."""
    text_columns: tuple[str, ...] = ()
    """Columns that hold the text, or the two texts; found by their usual names when not given."""
    quoting: Quoting | None = None
    """What quotes are in your CSV or TSV: doubled or backslash (the table's own, with quotes inside so written), none
    (characters), escaped (characters after backslashes); seen from the whole file when not given."""
    threads: Annotated[int | None, at_least(1)] = None
    """Threads; all cores when not given."""
    json: bool = False
    """Print one JSON object on standard output."""

    def __post_init__(self) -> None:
        if self.output is not None and self.output.suffix.lower() not in (".jsonl", ".csv"):
            raise InputError(f"--output must end in .jsonl or .csv, got {self.output.name!r}")
        checked(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class SubmitOptions:
    """Write the archive that a benchmark's portal takes, validated; or validate one that was made elsewhere.

    MODEL is a run directory with a fine-tuned checkpoint of every task under finetune/, or one checkpoint. MNLI's model
    also answers the mismatched split and AX, RTE's model AX-b and AX-g.

    Examples:
    subarch submit runs/mine --suite glue --task-data ./glue;
    subarch submit --suite superglue --check archive.zip
    """

    model: Annotated[str | None, Positional, tyro.conf.arg(metavar="MODEL")] = None
    """A run directory, or a fine-tuned checkpoint."""
    suite: Literal["glue", "superglue", "race"]
    """Which benchmark."""
    check: Path | None = None
    """Validate this archive instead of writing one."""
    output: Path | None = None
    """Where the archive goes; MODEL/submissions/SUITE.zip when not given."""
    task_data: Path | None = None
    """Folder with the benchmark's files in the official layout; the Hugging Face hub when not given."""
    placeholders: bool = False
    """For tasks without a model or without test data, write a file with one answer everywhere: portals want
    all files."""
    threads: Annotated[int | None, at_least(1)] = None
    """Threads; all cores when not given."""
    json: bool = False
    """Print one JSON object on standard output."""

    def __post_init__(self) -> None:
        checked(self)
        if (self.model is None) == (self.check is None):
            raise InputError("give MODEL to write an archive, or --check ARCHIVE to validate one")
