"""Submission archives: what is written is what the portals ask for, and what they would refuse is refused with the
reason.

File names, headers, label words and row counts are written down here from the portals' rules and official test files.
"""

from __future__ import annotations

import json
import random
import re
import time
import warnings
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from subarch.tasks.submissions import Answer, Checked, check_archive, write_archive
from subarch.text.examples import Example

GLUE: Mapping[str, tuple[str, int, tuple[str, ...]]] = {
    "glue/cola": ("CoLA.tsv", 1063, ("0", "1")),
    "glue/sst-2": ("SST-2.tsv", 1821, ("0", "1")),
    "glue/mrpc": ("MRPC.tsv", 1725, ("0", "1")),
    "glue/sts-b": ("STS-B.tsv", 1379, ()),
    "glue/qqp": ("QQP.tsv", 390_965, ("0", "1")),
    "glue/mnli-m": ("MNLI-m.tsv", 9796, ("entailment", "neutral", "contradiction")),
    "glue/mnli-mm": ("MNLI-mm.tsv", 9847, ("entailment", "neutral", "contradiction")),
    "glue/qnli": ("QNLI.tsv", 5463, ("entailment", "not_entailment")),
    "glue/rte": ("RTE.tsv", 3000, ("entailment", "not_entailment")),
    "glue/wnli": ("WNLI.tsv", 146, ("0", "1")),
    "glue/ax": ("AX.tsv", 1104, ("entailment", "neutral", "contradiction")),
}
SUPERGLUE: Mapping[str, tuple[str, int, tuple[str | int, ...]]] = {
    "superglue/boolq": ("BoolQ.jsonl", 3245, ("false", "true")),
    "superglue/cb": ("CB.jsonl", 250, ("entailment", "contradiction", "neutral")),
    "superglue/copa": ("COPA.jsonl", 500, (0, 1)),
    "superglue/multirc": ("MultiRC.jsonl", 166, (0, 1)),
    "superglue/record": ("ReCoRD.jsonl", 10_000, ()),
    "superglue/rte": ("RTE.jsonl", 3000, ("entailment", "not_entailment")),
    "superglue/wic": ("WiC.jsonl", 1400, ("false", "true")),
    "superglue/wsc": ("WSC.jsonl", 146, ("False", "True")),
    "superglue/ax-b": ("AX-b.jsonl", 1104, ("entailment", "not_entailment")),
    "superglue/ax-g": ("AX-g.jsonl", 356, ("entailment", "not_entailment")),
}
RACE: Mapping[str, tuple[str, int, tuple[str, ...]]] = {
    "race/middle": ("RACE-M.jsonl", 1436, ("A", "B", "C", "D")),
    "race/high": ("RACE-H.jsonl", 3498, ("A", "B", "C", "D")),
}
SUITES: Mapping[str, Mapping[str, tuple[str, int, tuple[str | int, ...]]]] = {
    "glue": GLUE,
    "superglue": SUPERGLUE,
    "race": RACE,
}
ENTITIES = ("Paris", "São Paulo", "the U.S.")


def multirc_answers() -> list[Answer]:
    """166 passages with 1,820 questions with 9,693 answers, each numbered through."""
    answers: list[Answer] = []
    for answer in range(9693):
        question = answer * 1820 // 9693
        answers.append((Example("p", ("q a",), id=(question * 166 // 1820, question, answer)), answer % 2))
    return answers


def made_up(task: str) -> list[Answer]:
    """Example i is answered by class i modulo the number of classes."""
    _, rows, words = {**GLUE, **SUPERGLUE, **RACE}[task]
    if task == "superglue/multirc":
        return multirc_answers()
    if task == "superglue/record":
        return [(Example("p", ENTITIES, id=row, answers=(ENTITIES, ())), row % 3) for row in range(rows)]
    if task == "glue/sts-b":
        return [(Example("a", ("b",), id=row), row / 300 - 0.5) for row in range(rows)]
    if task in RACE:
        return [(Example("p", tuple("wxyz"), id=f"{task[5:]}{row // 4}.txt-{row % 4}"), row % 4) for row in range(rows)]
    return [(Example("a", id=row), row % len(words)) for row in range(rows)]


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("archives")
    for suite, tasks in SUITES.items():
        answers = {task: made_up(task) for task in tasks}
        written = write_archive(folder / f"{suite}.zip", suite, answers)
        assert written.archive == folder / f"{suite}.zip"
        assert written.files == tuple(file for file, _, _ in tasks.values())
        assert written.placeholders == ()
    assert sorted(path.name for path in folder.iterdir()) == ["glue.zip", "race.zip", "superglue.zip"]
    return {suite: folder / f"{suite}.zip" for suite in SUITES}


def contents(archive: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(archive) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


@pytest.fixture(scope="module")
def files(archives: dict[str, Path]) -> dict[str, dict[str, bytes]]:
    """What is in the archives; QQP's file cut to three rows for speed, which :func:`checked` expects."""
    found = {suite: contents(archive) for suite, archive in archives.items()}
    found["glue"]["QQP.tsv"] = b"index\tprediction\n0\t0\n1\t1\n2\t0\n"
    return found


def checked(
    path: Path, suite: str, entries: Mapping[str, bytes] | Sequence[tuple[str | zipfile.ZipInfo, bytes]]
) -> Checked:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items() if isinstance(entries, Mapping) else entries:
            archive.writestr(name, content)
    return check_archive(path, suite, {"glue/qqp": [Example("", id=row) for row in range(3)]})


# --- what is written --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suite", SUITES)
def test_archives_pass_and_hold_exactly_the_suites_files(suite: str, archives: dict[str, Path]) -> None:
    found = check_archive(archives[suite], suite)
    assert found.problems == () and found.accepted
    assert found.files == tuple(file for file, _, _ in SUITES[suite].values())


@pytest.mark.parametrize("task", [task for task, (_, _, words) in GLUE.items() if words])
def test_glue_tables(task: str, archives: dict[str, Path]) -> None:
    file, rows, words = GLUE[task]
    header, *lines, end = contents(archives["glue"])[file].decode().split("\n")
    assert header == "index\tprediction" and end == ""
    assert len(lines) == rows
    assert lines == [f"{row}\t{words[row % len(words)]}" for row in range(rows)]


def test_similarities_are_clipped_and_have_three_decimals(archives: dict[str, Path], tmp_path: Path) -> None:
    answers: dict[str, list[Answer] | None] = dict.fromkeys(GLUE)
    numbers = [-0.0, -1e-9, 5.0001, 4.9996, 2.34567, 1e300]
    answers["glue/sts-b"] = [(Example("", id=row), (numbers[row] if row < 6 else 3)) for row in range(1379)]
    write_archive(tmp_path / "a.zip", "glue", answers)
    lines = contents(tmp_path / "a.zip")["STS-B.tsv"].decode().split("\n")
    cells = ["0.000", "0.000", "5.000", "5.000", "2.346", "5.000", "3.000"]
    assert lines[:8] == ["index\tprediction", *(f"{row}\t{cell}" for row, cell in enumerate(cells))]
    assert len(lines) == 1379 + 2
    assert contents(archives["glue"])["STS-B.tsv"].startswith(b"index\tprediction\n0\t0.000\n1\t0.000\n")


@pytest.mark.parametrize("task", [task for task, (_, _, words) in SUPERGLUE.items() if task != "superglue/multirc"])
def test_superglue_lines(task: str, archives: dict[str, Path]) -> None:
    file, rows, words = SUPERGLUE[task]
    words = words or ENTITIES
    lines = contents(archives["superglue"])[file].decode().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"idx": row, "label": words[row % len(words)]} for row in range(rows)
    ]


def test_multirc_is_nested(archives: dict[str, Path]) -> None:
    passages = [json.loads(line) for line in contents(archives["superglue"])["MultiRC.jsonl"].splitlines()]
    assert [passage["idx"] for passage in passages] == list(range(166))
    questions = [question for passage in passages for question in passage["passage"]["questions"]]
    assert [question["idx"] for question in questions] == list(range(1820))
    answers = [answer for question in questions for answer in question["answers"]]
    assert answers == [{"idx": answer, "label": answer % 2} for answer in range(9693)]
    # Answer j is one to question floor(j * 1820 / 9693): 0 to 5 to the first, 6 to 10 to the second, ...
    assert [answer["idx"] for answer in questions[0]["answers"]] == [0, 1, 2, 3, 4, 5]
    assert [answer["idx"] for answer in questions[1]["answers"]] == [6, 7, 8, 9, 10]


@pytest.mark.parametrize("task", RACE)
def test_race_lines(task: str, archives: dict[str, Path]) -> None:
    file, rows, _ = RACE[task]
    found = [json.loads(line) for line in contents(archives["race"])[file].splitlines()]
    names = {example.id: "ABCD"[row % 4] for row, (example, _) in enumerate(made_up(task))}
    assert {line["idx"]: line["label"] for line in found} == names and len(found) == rows


def test_equal_answers_give_equal_bytes_whatever_their_order(archives: dict[str, Path], tmp_path: Path) -> None:
    answers = {task: made_up(task) for task in SUPERGLUE}
    for rows in answers.values():
        random.Random(0).shuffle(rows)
    # AX-b's numbers are texts in its file; names are found in any case.
    axb = [(example._replace(id=str(example.id)), answer) for example, answer in answers.pop("superglue/ax-b")]
    write_archive(tmp_path / "again.zip", "superglue", {"SuperGLUE/AXb": axb, **answers})
    assert (tmp_path / "again.zip").read_bytes() == archives["superglue"].read_bytes()


def test_placeholders_are_complete_and_named(tmp_path: Path) -> None:
    answers: dict[str, list[Answer] | None] = dict.fromkeys(SUPERGLUE)
    answers["superglue/cb"] = made_up("superglue/cb")
    answers["superglue/multirc"] = [(example, None) for example, _ in multirc_answers()]
    written = write_archive(tmp_path / "a.zip", "superglue", answers)
    assert set(written.files) - set(written.placeholders) == {"CB.jsonl"}
    assert check_archive(tmp_path / "a.zip", "superglue").accepted
    found = contents(tmp_path / "a.zip")
    assert found["BoolQ.jsonl"].splitlines() == [b'{"idx": %d, "label": "false"}' % row for row in range(3245)]
    assert found["ReCoRD.jsonl"].splitlines()[9999] == b'{"idx": 9999, "label": "unknown"}'
    assert found["MultiRC.jsonl"].count(b'"label": 0') == 9693


def test_glue_without_any_model(tmp_path: Path) -> None:
    written = write_archive(tmp_path / "a.zip", "glue", dict.fromkeys(GLUE))
    assert written.placeholders == written.files
    found = contents(tmp_path / "a.zip")
    assert found["STS-B.tsv"].endswith(b"\n1378\t0.000\n") and found["AX.tsv"].endswith(b"\n1103\tentailment\n")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.pop("race/high"), "answers to all 2 tasks, got none to race/high"),
        (lambda a: a.update({"glue/cola": None}), r"expected tasks of race .* got glue/cola"),
        (lambda a: a.update({"race/hard": None}), "race/high.*got 'race/hard'"),
        (lambda a: a.update({"race/high": None}), "race/high: expected examples, got None"),
        (lambda a: a["race/high"].pop(), "race/high: expected the 3,498 examples .* got 3,497"),
        (lambda a: a["race/high"].__setitem__(7, (a["race/high"][7][0], 4)), "txt-3: .* one of 4 classes .* got 4"),
        (lambda a: a["race/high"].__setitem__(7, (a["race/high"][7][0], 0.5)), "txt-3: .* one of 4 classes .* got 0.5"),
        (lambda a: a["race/high"].__setitem__(7, (a["race/high"][7][0], None)), "3,498 predictions or none, got 3,497"),
        (lambda a: a["race/high"].__setitem__(7, (Example("x", id=7), 0)), "the official test file has, got 7"),
        (lambda a: a["race/high"].__setitem__(7, a["race/high"][8]), "official test parts.*got 'high2.txt-0' 2 times"),
    ],
)
def test_wrong_answers_are_refused_and_leave_nothing(
    change: Callable[[dict[str, list[Answer]]], object], message: str, tmp_path: Path
) -> None:
    answers = {task: made_up(task) for task in RACE}
    change(answers)
    (tmp_path / "a.zip").write_bytes(b"older")
    with pytest.raises(ValueError, match=message):
        write_archive(tmp_path / "a.zip", "race", answers)
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]
    assert (tmp_path / "a.zip").read_bytes() == b"older"


@pytest.mark.parametrize(
    ("task", "answers", "message"),
    [
        ("superglue/multirc", None, "superglue/multirc: expected examples, got None"),
        ("superglue/wsc", [(Example("", id=row + 1), 0) for row in range(146)], "WSC.jsonl, row 146: .* got 146"),
        ("superglue/wsc", [(Example(""), 0)] * 146, "superglue/wsc: expected examples with the index .* got None"),
        ("superglue/multirc", [(Example("", id=row), 0) for row in range(9693)], "superglue/multirc: .* got 0"),
        ("superglue/record", [(Example("", id=row), 0) for row in range(10_000)], "record, example 0: .* one of 0"),
    ],
)
def test_wrong_superglue_answers(task: str, answers: list[Answer] | None, message: str, tmp_path: Path) -> None:
    given: dict[str, list[Answer] | None] = dict.fromkeys(SUPERGLUE)
    given["superglue/multirc"] = multirc_answers()
    with pytest.raises(ValueError, match=message):
        write_archive(tmp_path / "a.zip", "superglue", {**given, task: answers})
    assert list(tmp_path.iterdir()) == []


def test_numbers_must_be_finite(tmp_path: Path) -> None:
    similarities = [(Example("", id=row), float("nan")) for row in range(1379)]
    with pytest.raises(ValueError, match="glue/sts-b, example 0: expected a finite number, got nan"):
        write_archive(tmp_path / "a.zip", "glue", {**dict.fromkeys(GLUE), "glue/sts-b": similarities})


def test_other_places_and_suites_are_refused(tmp_path: Path) -> None:
    answers = {task: made_up(task) for task in RACE}
    with pytest.raises(ValueError, match=r"ends in \.zip, got .*a\.tar"):
        write_archive(tmp_path / "a.tar", "race", answers)
    with pytest.raises(ValueError, match="glue, superglue, race, got 'squad'"):
        write_archive(tmp_path / "a.zip", "squad", answers)
    with pytest.raises(OSError, match=r"could not write .*nowhere"):
        write_archive(tmp_path / "nowhere" / "a.zip", "race", answers)
    with pytest.raises(ValueError, match="glue, superglue, race, got 'squad'"):
        check_archive(tmp_path / "a.zip", "squad")
    with pytest.raises(FileNotFoundError, match=r"got no file at .*a\.zip"):
        check_archive(tmp_path / "a.zip", "race")


# --- what is refused --------------------------------------------------------------------------------------------------


def row(number: int, line: str) -> Callable[[bytes], bytes]:
    """Replace a row, counted from 1."""

    def change(content: bytes) -> bytes:
        lines = content.decode().split("\n")
        lines[number - 1] = line
        return "\n".join(lines).encode()

    return change


def without(number: int) -> Callable[[bytes], bytes]:
    return lambda content: b"\n".join(line for at, line in enumerate(content.split(b"\n"), 1) if at != number)


def swapped(number: int) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        lines = content.split(b"\n")
        lines[number - 1], lines[number] = lines[number], lines[number - 1]
        return b"\n".join(lines)

    return change


def passage(number: int, change: Callable[[dict[str, object]], object]) -> Callable[[bytes], bytes]:
    """Change a passage of MultiRC's file, and nothing else."""

    def changed(content: bytes) -> bytes:
        lines = [json.loads(line) for line in content.splitlines()]
        change(lines[number])
        return "".join(json.dumps(line) + "\n" for line in lines).encode()

    return changed


def answers_of(value: dict[str, object], question: int) -> list[dict[str, object]]:
    return value["passage"]["questions"][question]["answers"]  # type: ignore[index]


CORRUPTED_FILES = [
    # GLUE's tables
    ("CoLA.tsv", lambda c: b"\xef\xbb\xbf" + c, "row 1: expected plain UTF-8, got a byte-order mark"),
    ("CoLA.tsv", lambda c: c.decode().encode("utf-16"), "row 1: expected UTF-8 text, got the byte 0xff"),
    ("CoLA.tsv", lambda c: c.replace(b"\n7\t", b"\n7\xe9\t"), "row 9: expected UTF-8 text, got the byte 0xe9"),
    ("CoLA.tsv", without(1), r"row 1: expected the header 'index\\tprediction', got '0\\t0'"),
    ("CoLA.tsv", lambda c: c.replace(b"index", b"Id", 1), r"row 1: expected the header .* got 'Id\\tprediction'"),
    ("CoLA.tsv", lambda c: c.replace(b"\t", b","), "row 1: expected the header .* got 'index,prediction'"),
    ("CoLA.tsv", lambda c: b"", "row 1: expected the header .* got ''"),
    ("SST-2.tsv", row(3, "1\t1\t0.93"), "row 3: expected 2 columns with a tab in between, got 3"),
    ("SST-2.tsv", row(3, ""), "row 3: expected 2 columns with a tab in between, got 1"),
    ("SST-2.tsv", row(3, "1.0\t1"), "row 3: expected a whole number as index, got '1.0'"),
    ("SST-2.tsv", row(3, "-1\t1"), "row 3: expected a whole number as index, got '-1'"),
    ("RTE.tsv", row(3, "1\tentails"), "row 3: expected entailment or not_entailment for index 1, got 'entails'"),
    ("RTE.tsv", row(3, "1\t1"), "row 3: expected entailment or not_entailment for index 1, got '1'"),
    ("MNLI-m.tsv", row(3, "1\tNeutral"), "row 3: expected entailment or neutral or contradiction .* got 'Neutral'"),
    ("MRPC.tsv", row(3, "1\t"), "row 3: expected 0 or 1 for index 1, got ''"),
    ("WNLI.tsv", without(5), "WNLI.tsv: expected 146 rows, got none with index 3: predict"),
    (
        "WNLI.tsv",
        lambda c: c[: c.index(b"\n100\t") + 1],
        "WNLI.tsv: expected 146 rows, got none with index 100 and 45 more",
    ),
    ("WNLI.tsv", lambda c: c + b"146\t0\n", "row 148: expected the index between 0 and 145, got 146"),
    ("WNLI.tsv", lambda c: c + b"7\t0\n", "row 148: expected every index once, got 7 as in row 9"),
    ("WNLI.tsv", swapped(5), "row 6: expected rows in the order of their index, got 3 after 4"),
    ("WNLI.tsv", lambda c: c * 5, "WNLI.tsv: expected 146 rows, got 735"),
    ("QQP.tsv", row(2, "5\t1"), "row 2: expected the index between 0 and 2, got 5"),
    ("STS-B.tsv", row(3, "1\tnan"), "row 3: expected a number from 0 to 5 for index 1, got 'nan'"),
    ("STS-B.tsv", row(3, "1\tinf"), "row 3: expected a number from 0 to 5 for index 1, got 'inf'"),
    ("STS-B.tsv", row(3, "1\t1e999"), "row 3: expected a number from 0 to 5 for index 1, got '1e999'"),
    ("STS-B.tsv", row(3, "1\t5.2"), "row 3: expected a number from 0 to 5 for index 1, got '5.2'"),
    ("STS-B.tsv", row(3, "1\t-0.1"), "row 3: expected a number from 0 to 5 for index 1, got '-0.1'"),
    # SuperGLUE's lines
    ("CB.jsonl", row(3, '{"idx": 2, "label": "neutral"'), "row 3: expected a JSON object, got "),
    ("CB.jsonl", row(3, '["idx", 2]'), "row 3: expected a JSON object, got "),
    ("CB.jsonl", row(3, "[" * 100_000), "row 3: expected a JSON object, got "),
    ("CB.jsonl", row(3, ""), "row 3: expected a JSON object, got ''"),
    ("CB.jsonl", row(3, '{"index": 2, "label": "neutral"}'), 'row 3: expected {"idx": ..., "label": ...} and nothing'),
    ("CB.jsonl", row(3, '{"idx": 2, "label": "neutral", "p": 1}'), 'row 3: expected {"idx": ..., "label": ...} and'),
    ("CB.jsonl", row(3, '{"idx": true, "label": "neutral"}'), 'row 3: expected {"idx": ..., "label": ...} and nothing'),
    ("CB.jsonl", row(3, '{"idx": "2", "label": "neutral"}'), "row 3: expected the index between 0 and 249, got '2'"),
    ("CB.jsonl", row(3, '{"idx": 2, "label": 2}'), 'row 3: expected "entailment" or .* for index 2, got 2'),
    ("CB.jsonl", row(3, '{"idx": 2, "label": ["neutral"]}'), "row 3: expected .* for index 2, got ..neutral.."),
    ("COPA.jsonl", row(3, '{"idx": 2, "label": "1"}'), "row 3: expected 0 or 1 for index 2, got '1'"),
    ("COPA.jsonl", row(3, '{"idx": 2, "label": true}'), "row 3: expected 0 or 1 for index 2, got True"),
    ("COPA.jsonl", row(3, '{"idx": 2, "label": 2}'), "row 3: expected 0 or 1 for index 2, got 2"),
    ("WiC.jsonl", row(3, '{"idx": 2, "label": "yes"}'), 'row 3: expected "false" or "true" for index 2, got .yes.'),
    ("WSC.jsonl", row(3, '{"idx": 2, "label": 1}'), 'row 3: expected "False" or "True" for index 2, got 1'),
    ("ReCoRD.jsonl", row(3, '{"idx": 2, "label": " "}'), "row 3: expected the text of an entity for index 2, got ' '"),
    ("ReCoRD.jsonl", row(3, '{"idx": 2, "label": 4}'), "row 3: expected the text of an entity for index 2, got 4"),
    ("MultiRC.jsonl", without(3), "MultiRC.jsonl: expected 166 rows, got none with passage index 2"),
    ("MultiRC.jsonl", row(3, '{"idx": 2, "label": 1}'), 'row 3: expected {"idx": ..., "passage": .* whole numbers'),
    ("MultiRC.jsonl", row(3, '{"idx": 2, "passage": {"questions": []}}'), 'row 3: expected {"idx": ..., "passage"'),
    ("MultiRC.jsonl", passage(2, lambda p: p.update(idx="2")), 'row 3: expected {"idx": ..., "passage": .* whole numb'),
    (
        "MultiRC.jsonl",
        passage(2, lambda p: p.update(text="x")),
        'row 3: expected {"idx": ..., "passage": .* nothing el',
    ),
    (
        "MultiRC.jsonl",
        passage(0, lambda p: answers_of(p, 0).pop()),
        "expected 9,693 rows, got none with answer index 5:",
    ),
    (
        "MultiRC.jsonl",
        passage(0, lambda p: p["passage"]["questions"].pop(1)),  # type: ignore[index]
        r"expected 1,820 rows, got none with question index 1:.*none with answer index 6 and 4 more",
    ),
    (
        "MultiRC.jsonl",
        passage(0, lambda p: answers_of(p, 1).append(answers_of(p, 0)[0])),
        "row 1: expected every answer index once, got 0 as in row 1",
    ),
    (
        "MultiRC.jsonl",
        passage(0, lambda p: answers_of(p, 0)[0].update(label=True)),
        r"row 1: expected 0 or 1 for index \(0, 0, 0\), got True",
    ),
    # RACE's
    ("RACE-M.jsonl", row(3, '{"idx": "middle9.txt-0", "label": "E"}'), 'row 3: expected "A" or "B" .* got .E.'),
    ("RACE-M.jsonl", row(3, '{"idx": 2, "label": "A"}'), "row 3: expected the name of a question as idx, such as"),
    ("RACE-M.jsonl", without(3), "RACE-M.jsonl: expected 1,436 rows, got 1,435"),
    (
        "RACE-M.jsonl",
        row(3, '{"idx": "middle0.txt-0", "label": "A"}'),
        "RACE-M.jsonl: expected every question once, got 'middle0.txt-0' 2 times",
    ),
]


@pytest.mark.parametrize(("file", "corrupt", "message"), CORRUPTED_FILES)
def test_corrupted_files_are_refused_with_file_row_and_reason(
    file: str,
    corrupt: Callable[[bytes], bytes],
    message: str,
    files: dict[str, dict[str, bytes]],
    tmp_path: Path,
) -> None:
    suite = next(suite for suite, found in files.items() if file in found)
    found = checked(tmp_path / "a.zip", suite, {**files[suite], file: corrupt(files[suite][file])})
    assert not found.accepted
    assert all(problem.startswith(file) for problem in found.problems)  # the other files are right
    assert re.search(message, " ".join(found.problems)), found.problems
    assert all(": " in problem and (len(problem) < 400) for problem in found.problems)


def repacked(files: Mapping[str, bytes], change: Callable[[dict[str, bytes]], object]) -> list[tuple[str, bytes]]:
    entries = dict(files)
    change(entries)
    return list(entries.items())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda e: e.pop("RACE-H.jsonl"), "expected all 2 files of the suite, got none named RACE-H.jsonl: add them"),
        (lambda e: e.clear(), "expected all 2 files of the suite, got none named RACE-M.jsonl, RACE-H.jsonl"),
        (lambda e: e.update({"notes.txt": b""}), "expected the 2 files of the suite alone, got 'notes.txt' as well"),
        (lambda e: e.update({"race-h.jsonl": e.pop("RACE-H.jsonl")}), "the name RACE-H.jsonl, got 'race-h.jsonl'"),
        (lambda e: e.update({"sub/RACE-H.jsonl": e.pop("RACE-H.jsonl")}), "top level, got 1 in the folder 'sub'"),
        (lambda e: e.update({"sub/": b""}), "at the top level, got 0 in the folder 'sub'"),
        (lambda e: e.update({"sub\\x": b""}), "at the top level, got 1 in the folder 'sub'"),
        (lambda e: e.update({"../RACE-H.jsonl": b""}), "got '../RACE-H.jsonl', which leads out of the archive"),
        (lambda e: e.update({"a/../../b": b""}), "got 'a/../../b', which leads out of the archive"),
        (lambda e: e.update({"/etc/passwd": b""}), "got '/etc/passwd', which leads out of the archive"),
        (lambda e: e.update({"C:\\RACE-H.jsonl": b""}), "got 'C:.*RACE-H.jsonl', which leads out of the archive"),
        (lambda e: e.update({"__MACOSX/._RACE-H.jsonl": b""}), "what the Finder adds, '__MACOSX/._RACE-H.jsonl'"),
        (lambda e: e.update({".DS_Store": b""}), "what the Finder adds, '.DS_Store': leave it out"),
    ],
)
def test_other_files_than_the_suites_are_refused(
    change: Callable[[dict[str, bytes]], object], message: str, files: dict[str, dict[str, bytes]], tmp_path: Path
) -> None:
    found = checked(tmp_path / "mine.zip", "race", repacked(files["race"], change))
    assert len(found.problems) == 1 and found.problems[0].startswith("mine.zip: ")
    assert re.search(message, found.problems[0]), found.problems


def test_a_file_twice_is_refused(files: dict[str, dict[str, bytes]], tmp_path: Path) -> None:
    entries = [*files["race"].items(), ("RACE-M.jsonl", b"{}")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = checked(tmp_path / "a.zip", "race", entries)
    assert found.problems == ("a.zip: expected RACE-M.jsonl once, got it again: leave one of them out",)


def test_what_is_no_zip_is_refused(archives: dict[str, Path], tmp_path: Path) -> None:
    whole = archives["race"].read_bytes()
    for content in (b"", b"index\tprediction\n0\t1\n", whole[: len(whole) // 2]):
        (tmp_path / "a.zip").write_bytes(content)
        (problem,) = check_archive(tmp_path / "a.zip", "race").problems
        assert problem.startswith("a.zip: expected a zip archive, got another or a damaged file")


def test_a_wrong_checksum_is_found(files: dict[str, dict[str, bytes]], tmp_path: Path) -> None:
    checked(tmp_path / "a.zip", "race", files["race"])  # stored, so that a byte of the text is a byte of the archive
    content = (tmp_path / "a.zip").read_bytes()
    (tmp_path / "a.zip").write_bytes(
        content.replace(b'"middle7.txt-0", "label": "A"', b'"middle7.txt-0", "label": "B"')
    )
    (problem,) = check_archive(tmp_path / "a.zip", "race").problems
    assert re.match(r"RACE-M.jsonl: expected an undamaged file, got another .*CRC", problem)


def test_passwords_and_rare_compressions_are_refused(files: dict[str, dict[str, bytes]], tmp_path: Path) -> None:
    member = zipfile.ZipInfo("RACE-H.jsonl")
    member.compress_type = zipfile.ZIP_LZMA
    entries = [("RACE-M.jsonl", files["race"]["RACE-M.jsonl"]), (member, files["race"]["RACE-H.jsonl"])]
    (problem,) = checked(tmp_path / "a.zip", "race", entries).problems
    assert problem.startswith("RACE-H.jsonl: expected an open file, got one with a password or in a rare compression")
    checked(tmp_path / "a.zip", "race", files["race"])
    content = bytearray((tmp_path / "a.zip").read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # the encryption bit of the first file
        content[content.index(signature) + offset] |= 1
    (tmp_path / "a.zip").write_bytes(content)
    (problem,) = check_archive(tmp_path / "a.zip", "race").problems
    assert problem.startswith("RACE-M.jsonl: expected an open file, got one with a password")


def test_bombs_cost_neither_time_nor_memory(files: dict[str, dict[str, bytes]], tmp_path: Path) -> None:
    for bomb, message in ((b"0" * 60_000_000, "at most 50,000,000 bytes"), (b"\n" * 40_000_000, "got 40,000,000:")):
        with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            archive.writestr("RACE-M.jsonl", bomb)
            archive.writestr("RACE-H.jsonl", files["race"]["RACE-H.jsonl"])
        start = time.perf_counter()
        (problem,) = check_archive(tmp_path / "a.zip", "race").problems
        assert message in problem and time.perf_counter() - start < 5
    entries = [*files["race"].items(), *((f"{number}.txt", b"") for number in range(3000))]
    found = checked(tmp_path / "a.zip", "race", entries)
    assert len(found.problems) == 21 and "2,980 more problems" in found.problems[-1]


def test_many_problems_of_a_file_are_counted(files: dict[str, dict[str, bytes]], tmp_path: Path) -> None:
    wrong = files["superglue"]["CB.jsonl"].replace(b'"label"', b'"answer"')
    found = checked(tmp_path / "a.zip", "superglue", {**files["superglue"], "CB.jsonl": wrong})
    assert len(found.problems) == 6 and found.problems[-1] == "CB.jsonl: 245 more problems like these"


def test_random_damage_never_ends_in_a_traceback(archives: dict[str, Path], tmp_path: Path) -> None:
    whole = archives["race"].read_bytes()
    randomness = random.Random(0)
    places = [
        *range(0, 60, 2),
        *range(len(whole) - 240, len(whole), 3),
        *(randomness.randrange(len(whole)) for _ in range(30)),
    ]
    refused = 0
    for place in places:
        content = bytearray(whole)
        content[place] ^= 1 << randomness.randrange(8)
        (tmp_path / "a.zip").write_bytes(content)
        refused += not check_archive(tmp_path / "a.zip", "race").accepted
    assert refused > len(places) / 2  # dates and the like may change without harm


# --- archives of others, and of examples at hand ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("CoLA.tsv", lambda c: c.replace(b"\n", b"\r\n")),  # as Python's csv module writes them
        ("CoLA.tsv", lambda c: c.removesuffix(b"\n")),
        (
            "STS-B.tsv",
            lambda c: c.replace(b"\t0.000", b"\t0").replace(b"\t0.003", b"\t3.2e-3").replace(b"\t5.0", b"\t5."),
        ),
        ("CB.jsonl", lambda c: c.removesuffix(b"\n")),
        ("CB.jsonl", lambda c: c.replace(b": ", b":").replace(b"\n", b"\r\n")),
        ("CB.jsonl", row(1, '{"label": "entailment", "idx": 0}')),
        ("BoolQ.jsonl", lambda c: c.replace(b'"true"', b"true").replace(b'"false"', b"false")),
        ("BoolQ.jsonl", lambda c: c.replace(b"true", b"True").replace(b"false", b"False")),
        ("WiC.jsonl", lambda c: c.replace(b'"true"', b"true").replace(b'"false"', b"false")),
        ("WSC.jsonl", lambda c: c.replace(b"True", b"true").replace(b"False", b"false")),
        ("ReCoRD.jsonl", lambda c: c.decode().encode().replace(b"S\\u00e3o", "São".encode())),
    ],
)
def test_harmless_differences_are_accepted(
    file: str, change: Callable[[bytes], bytes], files: dict[str, dict[str, bytes]], tmp_path: Path
) -> None:
    suite = next(suite for suite, found in files.items() if file in found)
    changed = change(files[suite][file])
    assert changed != files[suite][file]
    assert checked(tmp_path / "a.zip", suite, {**files[suite], file: changed}).problems == ()


def test_examples_at_hand_say_which_indices_are_expected(archives: dict[str, Path]) -> None:
    middle = [example for example, _ in made_up("race/middle")]
    assert check_archive(archives["race"], "race", {"RACE/M": middle}).accepted
    other = [*middle[:-1], Example("x", id="middle999.txt-0")]
    problems = check_archive(archives["race"], "race", {"race/middle": other}).problems
    assert any("got none with index 'middle999.txt-0'" in problem for problem in problems)
    assert any("got 'middle358.txt-3'" in problem for problem in problems)
    with pytest.raises(ValueError, match="got 'race/low'"):
        check_archive(archives["race"], "race", {"race/low": middle})


def test_multirc_answers_belong_to_their_questions(archives: dict[str, Path]) -> None:
    examples = [example for example, _ in multirc_answers()]
    assert check_archive(archives["superglue"], "superglue", {"superglue/multirc": examples}).accepted
    examples[5] = Example("p", ("q a",), id=(0, 1, 5))
    (problem,) = check_archive(archives["superglue"], "superglue", {"superglue/multirc": examples}).problems
    assert problem.startswith(
        "MultiRC.jsonl, row 1: expected answer 5 in question 1 of passage 0, got it in question 0"
    )
