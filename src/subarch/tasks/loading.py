"""Labelled data: one name or path in, one task with three splits out.

A task is one of the 23 of the benchmarks, a demo that needs no download, or the user's own table. No example that the
final score is taken on is ever learned from: tables and demos are dealt out so that splits share no text and no near
copy of one (:mod:`~subarch.tasks.dealing`), and what belongs with a file given for another split is left out. A
benchmark's own parts may share a premise or a passage, as published; only what is equal in all of its texts is left out
there.
"""

from __future__ import annotations

import difflib
import logging
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from subarch.errors import InputError
from subarch.options.tasks import TaskOptions
from subarch.tasks.dealing import RULE, Kinship, Rule, Shares, common_texts, deal
from subarch.tasks.demos import DEMOS
from subarch.tasks.kinds.base import Kind
from subarch.tasks.kinds.table import kind_of
from subarch.tasks.labelled import Table, read_table
from subarch.tasks.official import official_examples
from subarch.tasks.relatives import normalised
from subarch.tasks.suites import TASKS, BenchmarkTask, find_task
from subarch.tasks.task import Task
from subarch.text.delimited import Quoting
from subarch.text.documentation import installed_documentation
from subarch.text.examples import Example, SealedSplit, Split

_LOG = logging.getLogger(__name__)

MOST_DEVELOPMENT_EXAMPLES = 2000  # about so many of a benchmark's training part are enough to make choices on


def load_task(
    name_or_path: str | Path,
    *,
    seed: int = 0,
    shares: Shares | None = None,
    text_columns: Sequence[str] = (),
    label_column: str | None = None,
    label_columns: Sequence[str] = (),
    label_separator: str | None = None,
    kind: Kind | str | None = None,
    quoting: Quoting | None = None,
    missing_label: Sequence[str] = (),
    metric: str | None = None,
    task_data: Path | None = None,
    development_data: Path | None = None,
    test_data: Path | None = None,
    limit: int | None = None,
    rule: Rule = RULE,
    cache: Path | None = None,
) -> Task:
    """A benchmark's task, a demo or a table of the user's, in three splits.

    Of a benchmark the official development part is sealed, and the development split is dealt out of the training part.

    Args:
        name_or_path: ``"glue/rte"``, ``"demo/packages"``, ..., or a CSV, TSV, JSONL or Parquet file (also compressed).
        seed: of the splits, and of the choice under a limit; the examples themselves do not depend on it.
        shares: of the development and the sealed split; 15 % each when not given.
        text_columns: of a table, one or two (pairs), where they have unusual names.
        label_column: likewise.
        label_columns: instead of it, a column for each label.
        label_separator: of a table, what stands between several labels in one cell.
        kind: of a table, what labels are; found by looking at them when not given.
        quoting: of a delimited table, what quotes and backslashes are; seen from the whole file when not given.
        missing_label: of a table, words that stand for no label, whose rows are left out.
        metric: of a table, what it is scored by, and choices are made on; the kind's usual one when not given.
        task_data: folder of a benchmark in its official layout; the Hugging Face hub when not given.
        development_data: a table for the development split, instead of a share of the first one.
        test_data: likewise, for the sealed split.
        limit: learn from so many training examples, drawn with the proportions of all; the other splits stay whole.
        rule: what keeps examples together; another one than today's deals as an earlier version did.
        cache: folder for what is read out of installed documentation; the user's cache folder when not given.

    Raises:
        ValueError: for an unknown name, options that the task has no use for, an unusable file, classes too small to
            split, or a task without labels.
        ImportError: when an optional extra is missing, naming it.
        OSError: when a file cannot be read.
    """
    name = str(name_or_path)
    shares = (shares or Shares()).checked()
    of_tables = {
        "text_columns": text_columns or None,
        "label_column": label_column,
        "label_columns": label_columns or None,
        "label_separator": label_separator,
        "metric": metric,
        "kind": kind,
        "quoting": quoting,
        "missing_label": missing_label or None,
        "development_data": development_data,
        "test_data": test_data,
    }
    if name in DEMOS:
        _check_unused(name, "a demo", {**of_tables, "task_data": task_data})
        task = _demo(name, shares, seed, rule, cache)
    elif Path(name_or_path).is_file():
        _check_unused(name, "a table", {"task_data": task_data})
        read = partial(
            read_table,
            text_columns=text_columns,
            label_column=label_column,
            label_columns=label_columns,
            label_separator=label_separator,
            quoting=quoting,
            missing_label=missing_label,
        )
        table = read(Path(name_or_path), kind=kind)
        given = {
            part: read(path, kind=table.kind, classes=table.label_names)
            for part, path in (("development", development_data), ("sealed", test_data))
            if path is not None
        }
        task = _own(name, table, given, shares, seed, rule)
        task = task if metric is None else replace(task, metrics=_scored_by(task.kind, metric))
    else:
        benchmark = benchmark_task(name)
        _check_unused(benchmark.name, "a benchmark's task", of_tables)
        task = _official(benchmark, task_data, shares, seed, rule)
    return task if limit is None else replace(task, train=_drawn(task, limit, seed))


def opened_task(where: TaskOptions) -> Task:
    """The task that the options name, in three splits: every command and every stage reads labelled data here.

    Raises:
        ValueError, OSError: as :func:`load_task`.
    """
    return load_task(
        where.name,
        seed=where.split_seed,
        text_columns=where.text_columns,
        label_column=where.label_column,
        label_columns=where.label_columns,
        label_separator=where.label_separator,
        kind=where.kind,
        quoting=where.quoting,
        missing_label=where.missing_label,
        metric=where.metric,
        task_data=where.task_data,
        development_data=where.development_data,
        test_data=where.test_data,
        limit=where.limit,
        rule=where.rule,
    )


def _scored_by(kind: Kind, metric: str) -> tuple[str, ...]:
    """A metric of somebody's choice.

    Raises:
        ValueError: for one that such a table is not scored by.
    """
    if metric not in kind.table_metrics:
        raise InputError(f"--metric: expected one of {', '.join(kind.table_metrics)} for a {kind}, got {metric!r}")
    return (metric,)


def _check_unused(name: str, what: str, given: Mapping[str, object]) -> None:
    """Refuse options that would otherwise change nothing without a word."""
    unused = [option for option, value in given.items() if value is not None]
    if unused:
        flags = ", ".join("--" + option.replace("_", "-") for option in unused)
        raise InputError(f"{name} is {what}, which has no use for {flags}: leave that away")


def benchmark_task(name: str) -> BenchmarkTask:
    """The benchmark's task of a name that is no file and no demo.

    Raises:
        ValueError: for a path where there is no file, or an unknown name, with the nearest ones.
    """
    path = Path(name)
    if path.suffix or path.is_absolute() or path.exists():
        kinds = "a CSV, TSV, JSONL or Parquet file"
        reason = "that is a folder" if path.is_dir() else "there is no such file"
        raise InputError(
            f"expected the path of {kinds}, or a task such as glue/rte or demo/docs, got {name!r}: {reason}"
        )
    if name.startswith("demo/"):
        raise InputError(f"expected one of the demos {' and '.join(DEMOS)}, got {name!r}")
    try:
        return find_task(name)
    except ValueError as error:
        near = difflib.get_close_matches(name.casefold(), [*TASKS, *DEMOS], n=3, cutoff=0.5) or [
            "glue/rte",
            "demo/docs",
        ]
        raise InputError(
            f"expected a task such as {' or '.join(near)}, or the path of a CSV, TSV, JSONL or Parquet file, "
            f"got {name!r}"
        ) from error


def _demo(name: str, shares: Shares, seed: int, rule: Rule, cache: Path | None) -> Task:
    demo = DEMOS[name]
    examples = demo.examples(installed_documentation(cache=cache))
    parts = (1 - sum(shares), *shares)
    strata = kind_of("classification").strata(examples, demo.label_names)
    train, development, sealed = deal(name, examples, parts, seed=seed, strata=strata, rule=rule)
    return Task(
        name=name,
        label_names=demo.label_names,
        train=train,
        development=development,
        sealed=SealedSplit(sealed),
    )


# --- tables -----------------------------------------------------------------------------------------------------------


def _own(name: str, table: Table, given: Mapping[str, Table], shares: Shares, seed: int, rule: Rule) -> Task:
    """A table's splits; a part that has a table of its own is taken whole, and its texts are not learned from."""
    assert table.kind is not None
    for other in given.values():
        if len(other.columns.texts) != len(table.columns.texts):
            raise InputError(
                f"{name} has {len(table.columns.texts)} text column(s), another of the files "
                f"{len(other.columns.texts)}: say which columns hold the texts"
            )
    parts = {part: other.examples for part, other in given.items()}
    whole = [example for part in parts.values() for example in part]
    common = common_texts([*table.examples, *whole])
    if common:
        _LOG.warning(
            "%s: %d second texts, such as %r, stand beside so many first ones that pairs are kept together by their "
            "first texts alone",
            name,
            len(common),
            max(common, key=len)[:60],
        )
    rest = _apart(name, table.examples, whole, common, rule)
    if "development" in parts and "sealed" in parts:
        parts["development"] = _apart(
            f"{name} (--development-data)", parts["development"], parts["sealed"], common, rule
        )
        parts["train"] = rest
    else:
        wanted = {part: share for part, share in shares._asdict().items() if part not in parts}
        fractions = (1 - sum(wanted.values()), *wanted.values())
        strata = table.kind.strata(rest, table.label_names)
        dealt = deal(name, rest, fractions, seed=seed, strata=strata, common=common, rule=rule)
        parts |= dict(zip(("train", *wanted), dealt, strict=True))
    return Task(
        name=name,
        kind=table.kind,
        label_names=table.label_names,
        metrics=table.kind.usual_metrics,
        text_columns=table.columns.texts,
        label_column=table.columns.label,
        label_columns=table.columns.labels,
        common=common,
        train=parts["train"],
        development=parts["development"],
        sealed=SealedSplit(parts["sealed"]),
    )


def _apart(
    name: str, examples: Sequence[Example], others: Sequence[Example], common: frozenset[str], rule: Rule
) -> Split:
    """Examples that do not belong with any of the others; where that would leave less than half, that equal none."""
    if not others:
        return Split(examples)
    if rule == "relatives":
        shared = Kinship(others, common).of(examples)
        if 2 * sum(shared) <= len(shared):
            return _left(name, examples, shared, ", or are near copies of its texts, contain or lie in one")
        _LOG.warning(
            "%s: %d of %d examples are near copies of rows of another given file, or contain or lie in one: so many "
            "are not left out",
            name,
            sum(shared),
            len(shared),
        )
    return _left(name, examples, Kinship(others, common, near=1).of(examples))


def _left(name: str, examples: Sequence[Example], shared: Sequence[bool], kin: str = "") -> Split:
    """Those that are not shared with a split that choices or scores are made on."""
    kept = Split(example for example, out in zip(examples, shared, strict=True) if not out)
    if len(kept) < len(examples):
        _LOG.warning(
            "%s: %d of %d examples also occur in a split that choices or scores are made on%s; they are not learned "
            "from",
            name,
            len(examples) - len(kept),
            len(examples),
            kin,
        )
    if not kept:
        raise InputError(f"{name}: every example also occurs in another of the given files: give other files")
    return kept


# --- benchmarks -------------------------------------------------------------------------------------------------------


def _whole(example: Example) -> tuple[str, ...]:
    """All of its texts together: a benchmark's own parts share premises and passages, and are left as they are."""
    return tuple(normalised(text) or text for text in example.texts)


def _official(benchmark: BenchmarkTask, data: Path | None, shares: Shares, seed: int, rule: Rule) -> Task:
    if benchmark.trained_on is not None:
        raise InputError(
            f"{benchmark.name} has nothing to learn from: fine-tune {benchmark.trained_on}, whose model answers it in "
            "subarch evaluate and subarch submit"
        )
    sealed = official_examples(benchmark, "dev", data)
    given, taken = official_examples(benchmark, "train", data), {_whole(example) for example in sealed}
    train = _left(benchmark.name, given, [_whole(example) in taken for example in given])
    share = min(shares.development, MOST_DEVELOPMENT_EXAMPLES / len(train))
    names = benchmark.label_names
    strata = benchmark.kind.strata(train, names)
    learned, development = deal(benchmark.name, train, (1 - share, share), seed=seed, strata=strata, rule=rule)
    return Task(
        name=benchmark.name,
        kind=benchmark.kind,
        label_names=names,
        metrics=benchmark.metrics,
        length=benchmark.length,
        train=learned,
        development=development,
        sealed=SealedSplit(sealed),
    )


def _drawn(task: Task, limit: int, seed: int) -> Split:
    """So many training examples at most, in the proportions of all."""
    if limit < 1:
        raise InputError(f"expected a limit of at least 1 example, got {limit}")
    if limit >= len(task.train):
        return task.train
    by_label: dict[object, list[int]] = defaultdict(list)
    order = list(range(len(task.train)))
    random.Random(seed).shuffle(order)
    drawn_by = task.kind.drawn_by(task.train)
    for row in order:
        by_label[drawn_by[row]].append(row)
    # Rows of each class evenly spread over (0, 1): the first so many of all hold every class in proportion, and one of
    # each comes before all others, so that no class is lost while there is room.
    placed = [((n + 0.5) / len(rows) if n else 0.0, rows[n]) for rows in by_label.values() for n in range(len(rows))]
    return Split(task.train[row] for row in sorted(row for _, row in sorted(placed)[:limit]))
