"""One task's file of predictions, as the portals of the benchmarks want it: rendered, and checked whoever wrote it.

GLUE's files are TSV with the columns ``index`` and ``prediction``; SuperGLUE's are JSON lines with ``idx`` and
``label``, MultiRC's nested as its data are. RACE has no portal; its files have SuperGLUE's form, with the questions'
names as ``idx``.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby, pairwise
from typing import Any, cast

from subarch.errors import InputError
from subarch.tasks.suites import BenchmarkTask
from subarch.text.examples import Example

HEADER = "index\tprediction"
MULTIRC = "superglue/multirc"
MULTIRC_ROWS: Mapping[str, int] = {"passage": 166, "question": 1820, "answer": 9693}  # of the test part, by level
SCORES = (0.0, 5.0)  # STS-B's range

Index = int | str | tuple[int, ...]
_Line = tuple[int, Any, object]  # row, index and answer, of MultiRC one an answer
_Note = Callable[[int | None, str], None]


class Problems:
    """Problems of one file in sentences: the first few, the others counted."""

    def __init__(self, file: str, shown: int = 5) -> None:
        self._file = file
        self._shown = shown
        self._sentences: list[str] = []
        self.count = 0

    def note(self, row: int | None, sentence: str) -> None:
        """Take a problem down, with the row as an editor counts them."""
        self.count += 1
        if self.count <= self._shown:
            self._sentences.append(f"{self._file}{'' if row is None else f', row {row}'}: {sentence}")

    @property
    def sentences(self) -> tuple[str, ...]:
        """What was noted."""
        more = self.count - len(self._sentences)
        return (*self._sentences, *([f"{self._file}: {more:,} more problems like these"] if more else []))


# --- rendering --------------------------------------------------------------------------------------------------------


def render(task: BenchmarkTask, answers: Iterable[tuple[Index, object]]) -> str:
    """A whole file.

    Args:
        task: of which suite decides on the format.
        answers: index and word of every row (of MultiRC: of every answer), in order.
    """
    if _is_table(task):
        return "\n".join((HEADER, *(f"{index}\t{word}" for index, word in answers), ""))
    rows = _nested(answers) if task.name == MULTIRC else ({"idx": index, "label": word} for index, word in answers)
    return "".join(json.dumps(row) + "\n" for row in rows)


def index_of(task: BenchmarkTask, example: Example) -> Any:  # all of a task's are of one type, and comparable
    """What a file calls an example: a whole number, MultiRC's three, the name of RACE's question.

    Raises:
        ValueError: when the example has nothing of the kind.
    """
    index = example.id
    if task.suite == "race":
        fits = isinstance(index, str)
    elif task.name == MULTIRC:
        fits = isinstance(index, tuple) and len(index) == len(MULTIRC_ROWS)
    else:
        index = int(index) if isinstance(index, str) and _WHOLE.fullmatch(index) else index
        fits = isinstance(index, int)
    if not fits:
        raise InputError(
            f"{task.name}: expected examples with the index that the official test file has, got {index!r}"
        )
    return index


def _is_table(task: BenchmarkTask) -> bool:
    return task.submission.file.endswith(".tsv")


def _nested(lines: Iterable[tuple[Any, Any]]) -> Iterator[dict[str, Any]]:
    """MultiRC's answers in their questions in their passages."""
    for passage, of_passage in groupby(lines, key=lambda line: line[0][0]):
        questions = [
            {"idx": question, "answers": [{"idx": index[2], "label": label} for index, label in of_question]}
            for question, of_question in groupby(of_passage, key=lambda line: line[0][1])
        ]
        yield {"idx": passage, "passage": {"questions": questions}}


# --- checking ---------------------------------------------------------------------------------------------------------


def check(task: BenchmarkTask, text: str, indices: Sequence[Index] | None, problems: Problems) -> None:
    """Check a whole file.

    Args:
        task: what it is for.
        text: what is in it.
        indices: those of the test part in order; None for the official ones, as far as they are known.
        problems: takes down what is found.
    """
    note, before = problems.note, problems.count
    text = text.removesuffix("\n")
    official = task.submission.rows
    rows = text.count("\n") + 1
    if rows > 2 * max(official, len(indices or ())) + 1:
        note(None, f"expected {official:,} rows, got {rows:,}: write one row an example of the test part")
        return
    read = _tsv_lines if _is_table(task) else _multirc_lines if task.name == MULTIRC else _json_lines
    found = read([line.removesuffix("\r") for line in text.split("\n")], note)
    unreadable = problems.count > before
    allowed, words, advice = _allowed(task)
    for row, index, answer in found:
        if not allowed(answer):
            note(row, f"expected {words} for index {index}, got {_shown(answer)}: {advice}")
    if unreadable:
        return  # what could not be read would be reported once more, as missing
    by_row = [(row, index) for row, index, _ in found]
    if task.name == MULTIRC:
        _check_levels(by_row, indices, note)
    elif task.suite == "race" and indices is None:
        _check_names(by_row, official, note)
    else:
        _check_indices(by_row, range(official) if indices is None else indices, "index", note)


# --- lines ------------------------------------------------------------------------------------------------------------

_WHOLE = re.compile(r"0|[1-9][0-9]{0,8}")
_PASSAGE = '{"idx": ..., "passage": {"questions": [{"idx": ..., "answers": [{"idx": ..., "label": ...}]}]}}'
_NUMBER = re.compile(r"-?[0-9]{1,20}(\.[0-9]*)?([eE][+-]?[0-9]{1,3})?")


def _tsv_lines(lines: Sequence[str], note: _Note) -> list[_Line]:
    if lines[0] != HEADER:
        note(1, f"expected the header {HEADER!r}, got {_shown(lines[0])}: write it, with a tab in between")
    found: list[_Line] = []
    for row, line in enumerate(lines[1:], 2):
        cells = line.split("\t")
        if len(cells) != 2:
            note(row, f"expected 2 columns with a tab in between, got {len(cells)} in {_shown(line)}: write both")
        elif not _WHOLE.fullmatch(cells[0]):
            note(row, f"expected a whole number as index, got {_shown(cells[0])}: write the test file's own")
        else:
            found.append((row, int(cells[0]), cells[1]))
    return found


def _json_lines(lines: Sequence[str], note: _Note) -> list[_Line]:
    found: list[_Line] = []
    for row, line in enumerate(lines, 1):
        value = _object(row, line, note)
        if value is None:
            continue
        index = value.get("idx")
        if set(value) != {"idx", "label"} or not (_is_whole(index) or isinstance(index, str)):
            note(row, f'expected {{"idx": ..., "label": ...}} and nothing else, got {_shown(line)}: write these two')
        else:
            found.append((row, index, value["label"]))
    return found


def _multirc_lines(lines: Sequence[str], note: _Note) -> list[_Line]:
    found: list[_Line] = []
    for row, line in enumerate(lines, 1):
        value = _object(row, line, note)
        if value is None:
            continue
        try:
            of_row: list[_Line] = [
                (row, (value["idx"], question["idx"], answer["idx"]), answer["label"])
                for question in value["passage"]["questions"]
                for answer in question["answers"]
            ]
            # Nothing may stand beside the answers: put together again they are the row.
            whole = list(_nested((index, label) for _, index, label in of_row)) == [value]
        except (KeyError, TypeError):
            of_row, whole = [], False
        if whole and all(map(_is_whole, (number for _, index, _ in of_row for number in index))):
            found += of_row
        else:
            note(
                row, f"expected {_PASSAGE} with whole numbers as idx and nothing else, got {_shown(line)}: write it so"
            )
    return found


def _object(row: int, line: str, note: _Note) -> dict[str, Any] | None:
    try:
        value: object = json.loads(line)
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict):
        return cast("dict[str, Any]", value)
    note(row, f"expected a JSON object, got {_shown(line)}: write one a line")
    return None


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


# --- answers and indices ----------------------------------------------------------------------------------------------


def _allowed(task: BenchmarkTask) -> tuple[Callable[[object], bool], str, str]:
    """Whether an answer is one that the portal knows; which ones those are; what to do about others."""
    words = task.submission.words
    if task.kind == "regression":
        return _is_score, f"a number from {SCORES[0]:g} to {SCORES[1]:g}", "write one that lies there"
    if not words:
        return _is_text, "the text of an entity", "write its name"
    advice = "write one of these"
    if _is_table(task):
        spelt = tuple(map(str, words))
        return spelt.__contains__, " or ".join(spelt), advice
    listed = " or ".join(map(json.dumps, words))
    if {str(word).casefold() for word in words} == {"true", "false"}:
        return _is_boolean, listed, advice
    return partial(_is_one_of, words), listed, advice


def _is_one_of(words: Sequence[object], answer: object) -> bool:
    return any(type(answer) is type(word) and answer == word for word in words)  # to Python, true is 1


def _is_text(answer: object) -> bool:
    return isinstance(answer, str) and bool(answer.strip())


def _is_boolean(answer: object) -> bool:
    """Whether it is a JSON boolean or the word for one, in any case: portals take them all."""
    return isinstance(answer, bool | str) and str(answer).casefold() in ("true", "false")


def _is_score(answer: object) -> bool:
    text = str(answer)
    return _NUMBER.fullmatch(text) is not None and SCORES[0] <= float(text) <= SCORES[1]


def _check_levels(found: Sequence[tuple[int, Any]], indices: Sequence[Any] | None, note: _Note) -> None:
    """MultiRC's passages, questions and answers are numbered each through the whole file."""
    for level, (name, rows) in enumerate(MULTIRC_ROWS.items()):
        once = [key for key, _ in groupby((row, index[: level + 1]) for row, index in found)]
        wanted = range(rows) if indices is None else sorted({index[level] for index in indices})
        _check_indices([(row, index[level]) for row, index in once], wanted, f"{name} index", note)
    places = {index[-1]: index for index in indices or ()}
    for row, index in found:
        place = places.get(index[-1], index)
        if place != index:
            got = f"expected answer {index[-1]} in question {place[1]} of passage {place[0]}"
            note(row, f"{got}, got it in question {index[1]} of passage {index[0]}: write it there")


def _check_indices(found: Sequence[tuple[int, Any]], wanted: Sequence[Any], name: str, note: _Note) -> None:
    """Every index once, in ascending order."""
    if [index for _, index in found] == list(wanted):
        return
    known = wanted if isinstance(wanted, range) else set(wanted)
    seen: dict[Any, int] = {}
    for row, index in found:
        if index in seen:
            note(row, f"expected every {name} once, got {index!r} as in row {seen[index]}: keep one of them")
        elif index not in known:
            between = f"between {wanted[0]!r} and {wanted[-1]!r}"
            note(row, f"expected the {name} {between}, got {index!r}: predict the official test part")
        seen.setdefault(index, row)
    if missing := [index for index in wanted if index not in seen]:
        more = f" and {len(missing) - 1:,} more" if len(missing) > 1 else ""
        note(None, f"expected {len(wanted):,} rows, got none with {name} {missing[0]!r}{more}: predict all of them")
    elif len(found) == len(wanted):  # nothing but the order is wrong
        row, index, before = next((row, now, old) for (_, old), (row, now) in pairwise(found) if now < old)
        note(row, f"expected rows in the order of their {name}, got {index!r} after {before!r}: sort them")


def _check_names(found: Sequence[tuple[int, Any]], official: int, note: _Note) -> None:
    """Every one of RACE's questions once; which ones there are is not known without its files."""
    for row, name in found:
        if not isinstance(name, str):
            note(row, f"expected the name of a question as idx, such as 'high19088.txt-0', got {name!r}: write it")
    for name, count in Counter(name for _, name in found).items():
        if count > 1:
            note(None, f"expected every question once, got {name!r} {count} times: keep one of them")
    if len(found) != official:
        note(None, f"expected {official:,} rows, got {len(found):,}: predict every question of the test part once")
