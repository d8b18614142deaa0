"""The 23 tasks of GLUE, SuperGLUE and RACE as one table.

What differs between tasks stands here as data: files, columns, label words, metrics, names in submissions, places on
the hub. The few encodings that are more than columns are functions in :mod:`subarch.tasks.casting`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from subarch.errors import InputError
from subarch.tasks import casting
from subarch.tasks.casting import Cast, Unfold, Values
from subarch.tasks.kinds.base import Kind
from subarch.tasks.kinds.table import kind_of
from subarch.text.examples import Example

Part = Literal["train", "dev", "test"]
_SPLITS: Mapping[Part, str] = {"train": "train", "dev": "validation", "test": "test"}


@dataclass(frozen=True, kw_only=True)
class Submission:
    """What a portal expects of one task.

    Args:
        file: name of the file in the archive.
        rows: official number of rows in it.
        examples: test examples, where a row of the file holds several.
        words: what stands for class (or candidate) 0, 1, ...; empty for numbers and for entities, which stand for
            themselves.
    """

    file: str
    rows: int
    examples: int | None = None
    words: tuple[str | int | bool, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Hub:
    """Where a task is on the Hugging Face hub, as Parquet files ``<configuration>/<split>-*.parquet``.

    Args:
        repository: of the data set.
        configuration: folder of the task.
        splits: name of each part's files.
        columns: official name of a column by the hub's, where they differ.
        shared_id: whether questions to one text have one number there.
    """

    repository: str
    configuration: str
    splits: Mapping[Part, str] = field(default_factory=lambda: dict(_SPLITS))
    columns: Mapping[str, str] = field(default_factory=dict[str, str])
    shared_id: bool = False


@dataclass(frozen=True, kw_only=True)
class BenchmarkTask:
    """One task of a suite.

    Args:
        name: suite and task, as in ``glue/cola``.
        kind: what is predicted.
        folder: name in the official layout, in any case and with any punctuation; ``folders`` are further ones.
        files: accepted files (RACE: folders) of each part that the task has, in its folder.
        texts: columns of the texts in the official files, after nested records are taken apart.
        label: the column of the label; empty where the cast finds it (ReCoRD).
        labels: word in the files -> name of the class, in the order of class indices; empty for numbers and choices.
        metrics: names of the metrics; the score is their mean.
        submission: what the portal wants.
        hub: where the task is on the hub.
        trained_on: the task whose model answers this one, for those without training data.
        length: tokens of a sequence that do for nearly all of its examples.
        column: which number of the suite's average it counts in, None for diagnostics.
        weight: its weight among the tasks of that column.
        id: the column of the example's number, unless the cast finds it; where it is missing, rows are numbered from 0.
        headless: columns of training and development files that come without a header.
        left_out: the label word of rows to leave out, which nobody agreed on.
        cut_rows: whether labelled files have rows that a line break or a tab cut in two, to be left out.
        unfold: takes a nested record apart.
        cast: makes the example, without label and number; None for the text columns as they are.
    """

    name: str
    kind: Kind = field(default_factory=lambda: kind_of("classification"))
    folder: str
    folders: tuple[str, ...] = ()
    files: Mapping[Part, tuple[str, ...]]
    texts: tuple[str, ...]
    label: str = "label"
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    metrics: tuple[str, ...] = ("accuracy",)
    submission: Submission
    hub: Hub
    trained_on: str | None = None
    length: int = 128
    column: str | None
    weight: float = 1.0
    id: str = "index"
    headless: tuple[str, ...] = ()
    left_out: str | None = None
    cut_rows: bool = False
    unfold: Unfold = casting.as_it_is
    cast: Cast | None = None

    def encode(self, row: Values) -> Example:
        """The example that a flat row holds, without label and number.

        Raises:
            ValueError: for a row that lacks something.
        """
        return (self.cast or casting.plain(*self.texts))(row)

    @property
    def suite(self) -> str:
        """The suite's name."""
        return self.name.partition("/")[0]

    @property
    def label_names(self) -> tuple[str, ...]:
        """Names of the classes in the order of their indices; empty for numbers and choices."""
        return tuple(self.labels.values())

    @property
    def label_words(self) -> tuple[str, ...]:
        """What the files call class or candidate 0, 1, ...; empty for numbers and entities."""
        return tuple(self.labels) or tuple(map(str, self.submission.words))


# --- the table --------------------------------------------------------------------------------------------------------

_TSV: Mapping[Part, tuple[str, ...]] = {part: (f"{part}.tsv",) for part in _SPLITS}
_JSONL: Mapping[Part, tuple[str, ...]] = {
    "train": ("train.jsonl",),
    "dev": ("val.jsonl", "dev.jsonl"),
    "test": ("test.jsonl",),
}
_SENTENCES = ("sentence1", "sentence2")
_PREMISE = ("premise", "hypothesis")
_RENAMED: Mapping[str, str] = dict(zip(_PREMISE, _SENTENCES, strict=True))


def _named(*classes: str) -> dict[str, str]:
    return {name: name for name in classes}


def _numbered(*classes: str) -> dict[str, str]:
    return {str(index): name for index, name in enumerate(classes)}


_TWO_WAY = _named("entailment", "not_entailment")
_THREE_WAY = _named("entailment", "neutral", "contradiction")
_BOOLEANS = _named("false", "true")
_CB_WORDS = _named("entailment", "contradiction", "neutral")


def _glue(
    task: str,
    folder: str,
    rows: int,
    texts: tuple[str, ...],
    labels: Mapping[str, str],
    *,
    hub: str,
    columns: Mapping[str, str] | None = None,
) -> BenchmarkTask:
    columns = {"idx": "index", **(columns or {})}
    return BenchmarkTask(
        name=f"glue/{task}",
        folder=folder,
        files=_TSV,
        texts=texts,
        label=columns.get("label", "label"),
        labels=labels,
        submission=Submission(file=f"{folder}.tsv", rows=rows, words=tuple(labels)),
        hub=Hub(repository="nyu-mll/glue", configuration=hub, columns=columns),
        column=folder,
        id=columns["idx"],
    )


def _multi_genre(suffix: str, which: str, rows: int) -> BenchmarkTask:
    columns = {**_RENAMED, "label": "gold_label"}
    task = _glue(f"mnli-{suffix}", f"MNLI-{suffix}", rows, _SENTENCES, _THREE_WAY, hub="mnli", columns=columns)
    files: dict[Part, tuple[str, ...]] = {"dev": (f"dev_{which}.tsv",), "test": (f"test_{which}.tsv",)}
    splits: dict[Part, str] = {"train": "train", "dev": f"validation_{which}", "test": f"test_{which}"}
    return replace(task, folder="MNLI", files=files, hub=replace(task.hub, splits=splits), column="MNLI", left_out="-")


_MATCHED, _MISMATCHED = _multi_genre("m", "matched", 9796), _multi_genre("mm", "mismatched", 9847)

_GLUE = (
    replace(
        _glue("cola", "CoLA", 1063, ("sentence",), _numbered("unacceptable", "acceptable"), hub="cola"),
        metrics=("matthews",),
        headless=("source", "label", "star", "sentence"),
    ),
    _glue("sst-2", "SST-2", 1821, ("sentence",), _numbered("negative", "positive"), hub="sst2"),
    replace(
        _glue(
            "mrpc",
            "MRPC",
            1725,
            ("#1 String", "#2 String"),
            _numbered("not_equivalent", "equivalent"),
            hub="mrpc",
            columns={"sentence1": "#1 String", "sentence2": "#2 String", "label": "Quality"},
        ),
        metrics=("f1", "accuracy"),
    ),
    replace(
        _glue("sts-b", "STS-B", 1379, _SENTENCES, {}, hub="stsb", columns={"label": "score"}),
        kind=kind_of("regression"),
        metrics=("pearson", "spearman"),
    ),
    replace(
        _glue(
            "qqp",
            "QQP",
            390_965,
            ("question1", "question2"),
            _numbered("not_duplicate", "duplicate"),
            hub="qqp",
            columns={"idx": "id", "label": "is_duplicate"},
        ),
        metrics=("f1", "accuracy"),
        cut_rows=True,
    ),
    replace(_MATCHED, files={"train": ("train.tsv",), **_MATCHED.files}),
    replace(_MISMATCHED, trained_on="glue/mnli-m"),
    _glue("qnli", "QNLI", 5463, ("question", "sentence"), _TWO_WAY, hub="qnli"),
    _glue("rte", "RTE", 3000, _SENTENCES, _TWO_WAY, hub="rte"),
    _glue("wnli", "WNLI", 146, _SENTENCES, _numbered("not_entailment", "entailment"), hub="wnli"),
    replace(
        _glue("ax", "AX", 1104, _SENTENCES, _THREE_WAY, hub="ax", columns=_RENAMED),
        metrics=("matthews",),
        folders=("diagnostic",),
        files={"test": ("diagnostic.tsv", "AX.tsv", "test.tsv")},
        trained_on="glue/mnli-m",
        column=None,
    ),
)


def _superglue(
    folder: str,
    rows: int,
    texts: tuple[str, ...],
    labels: Mapping[str, str],
    *,
    words: tuple[str | int | bool, ...] | None = None,
    metrics: tuple[str, ...] = ("accuracy",),
    length: int = 128,
    cast: Cast | None = None,
    unfold: Unfold = casting.as_it_is,
) -> BenchmarkTask:
    words = tuple(labels) if words is None else words
    return BenchmarkTask(
        name=f"superglue/{folder.lower()}",
        folder=folder,
        files=_JSONL,
        texts=texts,
        labels=labels,
        metrics=metrics,
        submission=Submission(file=f"{folder}.jsonl", rows=rows, words=words),
        hub=Hub(repository="aps/super_glue", configuration=folder.lower().replace("-", "")),
        length=length,
        column=folder,
        id="idx",
        cast=cast,
        unfold=unfold,
    )


def _diagnostic(task: BenchmarkTask) -> BenchmarkTask:
    return replace(
        task, files={"test": (f"{task.folder}.jsonl", "test.jsonl")}, trained_on="superglue/rte", column=None
    )


_MULTIRC = _superglue(
    "MultiRC",
    166,
    ("paragraph", "question", "answer"),
    _numbered("false", "true"),
    words=(0, 1),
    metrics=("f1a", "em"),
    length=512,
    cast=casting.answer_to_question,
    unfold=casting.unfold_passage,
)
_COPA = _superglue(
    "COPA",
    500,
    ("premise", "choice1", "choice2", "question"),
    {},
    words=(0, 1),
    cast=casting.plausible_alternatives,
)
_RECORD = _superglue(
    "ReCoRD",
    10_000,
    ("passage", "query"),
    {},
    metrics=("record_f1", "record_em"),
    length=512,
    cast=casting.entities_in_passage,
    unfold=casting.unfold_queries,
)

_SUPERGLUE = (
    _superglue("BoolQ", 3245, ("question", "passage"), _BOOLEANS, length=256),
    _superglue("CB", 250, _PREMISE, _CB_WORDS, metrics=("accuracy", "macro_f1"), length=256),
    replace(_COPA, kind=kind_of("choice")),
    replace(_MULTIRC, submission=replace(_MULTIRC.submission, examples=9693)),
    replace(_RECORD, kind=kind_of("choice"), label=""),
    _superglue("RTE", 3000, _PREMISE, _TWO_WAY, length=256),
    _superglue("WiC", 1400, _SENTENCES, _BOOLEANS, cast=casting.word_in_context),
    _superglue(
        "WSC",
        146,
        ("text",),
        _BOOLEANS,
        words=("False", "True"),
        cast=casting.coreference,
        unfold=casting.unfold_target,
    ),
    _diagnostic(_superglue("AX-b", 1104, _SENTENCES, _TWO_WAY, metrics=("matthews",))),
    _diagnostic(
        _superglue("AX-g", 356, _PREMISE, _TWO_WAY, metrics=("accuracy", "gender_parity"), cast=casting.gender_pair)
    ),
)


def _school(level: str, letter: str, rows: int) -> BenchmarkTask:
    # No portal takes RACE: its archive is our own, one {"idx": ..., "label": "A"} a question. The published score of
    # the suite is the accuracy over all questions, so both levels count in one column by their numbers of them.
    return BenchmarkTask(
        name=f"race/{level}",
        kind=kind_of("choice"),
        folder="RACE",
        files={part: (f"{part}/{level}",) for part in _SPLITS},
        texts=("article", "question"),
        label="answer",
        submission=Submission(file=f"RACE-{letter}.jsonl", rows=rows, words=("A", "B", "C", "D")),
        hub=Hub(repository="ehovy/race", configuration=level, columns={"example_id": "id"}, shared_id=True),
        length=512,
        column="RACE",
        weight=rows,
        id="id",
        unfold=casting.unfold_article,
        cast=casting.reading_comprehension,
    )


_RACE = (_school("middle", "M", 1436), _school("high", "H", 3498))

SUITES: Mapping[str, tuple[BenchmarkTask, ...]] = {"glue": _GLUE, "superglue": _SUPERGLUE, "race": _RACE}
TASKS: Mapping[str, BenchmarkTask] = {task.name: task for tasks in SUITES.values() for task in tasks}

_ALIASES = {"glue/mnli": "glue/mnli-m", "race/m": "race/middle", "race/h": "race/high"}


# --- look-up and averages ---------------------------------------------------------------------------------------------


def find_task(name: str) -> BenchmarkTask:
    """The task of a name, in any case and punctuation: ``GLUE/SST2`` is ``glue/sst-2``.

    Raises:
        ValueError: with the nearest names, for an unknown one.
    """
    known = {_key(task): task for task in TASKS} | _ALIASES
    key = _key(name)
    if key in known:
        return TASKS[known[key]]
    near = difflib.get_close_matches(key, known, n=3, cutoff=0.5) or [f"{suite}/..." for suite in SUITES]
    names = " or ".join(dict.fromkeys(known.get(match, match) for match in near))
    raise InputError(f"expected a benchmark task such as {names}, got {name!r}")


def _key(name: str) -> str:
    suite, _, task = (re.sub(r"[\W_]", "", piece) for piece in name.casefold().partition("/"))
    return f"{suite}/{task}"
