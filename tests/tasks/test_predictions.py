"""One file of a submission: what is rendered passes the check, and what is wrong is told by its row."""

from __future__ import annotations

import json
from typing import Any

import pytest

from subarch.tasks.predictions import Problems, check, index_of, render
from subarch.tasks.suites import find_task
from subarch.text.examples import Example

RTE, STSB, COPA = (find_task(name) for name in ("glue/rte", "glue/sts-b", "superglue/copa"))
RECORD, MULTIRC, RACE = (find_task(name) for name in ("superglue/record", "superglue/multirc", "race/middle"))
WNLI = find_task("glue/wnli")


def problems(task: Any, text: str, indices: Any = None) -> tuple[str, ...]:
    found = Problems("file")
    check(task, text, indices, found)
    return found.sentences


def test_a_table_by_hand() -> None:
    text = render(RTE, [(0, "entailment"), (1, "not_entailment")])
    assert text == "index\tprediction\n0\tentailment\n1\tnot_entailment\n"
    assert problems(RTE, text, [0, 1]) == ()
    assert problems(RTE, text.replace("\n", "\r\n"), [0, 1]) == ()


def test_lines_by_hand() -> None:
    text = render(COPA, [(0, 1), (1, 0)])
    assert text == '{"idx": 0, "label": 1}\n{"idx": 1, "label": 0}\n'
    assert problems(COPA, text, [0, 1]) == ()


def test_answers_are_nested_in_questions_in_passages() -> None:
    text = render(MULTIRC, [((0, 0, 0), 1), ((0, 0, 1), 0), ((0, 1, 2), 1), ((1, 2, 3), 0)])
    assert [json.loads(line) for line in text.splitlines()] == [
        {
            "idx": 0,
            "passage": {
                "questions": [
                    {"idx": 0, "answers": [{"idx": 0, "label": 1}, {"idx": 1, "label": 0}]},
                    {"idx": 1, "answers": [{"idx": 2, "label": 1}]},
                ]
            },
        },
        {"idx": 1, "passage": {"questions": [{"idx": 2, "answers": [{"idx": 3, "label": 0}]}]}},
    ]
    assert problems(MULTIRC, text, [(0, 0, 0), (0, 0, 1), (0, 1, 2), (1, 2, 3)]) == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("index\tprediction\n0\tyes\n1\tentailment\n", "row 2: expected entailment or not_entailment for index 0"),
        ("index\tprediction\n0\tentailment\nx\tentailment\n", "row 3: expected a whole number as index, got 'x'"),
        ("index\tprediction\n1\tentailment\n0\tentailment\n", "in the order of their index, got 0 after 1: sort"),
        ("index\tprediction\n0\tentailment\n0\tentailment\n", "once, got 0 as in row 2: keep one of them"),
        ("index\tprediction\n0\tentailment\n", "expected 2 rows, got none with index 1: predict all of them"),
        ("index\tprediction\n0\tentailment\n7\tentailment\n", "between 0 and 1, got 7"),
    ],
)
def test_what_a_portal_would_refuse_is_told_by_its_row(text: str, words: str) -> None:
    assert any(words in sentence for sentence in problems(RTE, text, [0, 1])), problems(RTE, text, [0, 1])


@pytest.mark.parametrize(
    ("task", "answer", "fits"),
    [
        (STSB, "5.000", True),
        (STSB, "5.001", False),
        (STSB, "nan", False),
        (COPA, 1, True),
        (COPA, True, False),  # to Python that is 1, to the portal it is not
        (COPA, "1", False),
        (RECORD, "Paris", True),
        (RECORD, " ", False),
        (RECORD, 3, False),
    ],
)
def test_which_answers_a_task_knows(task: Any, answer: object, fits: bool) -> None:
    assert (problems(task, render(task, [(0, answer)]), [0]) == ()) == fits


@pytest.mark.parametrize(
    "line", ["[]", "no JSON", '{"idx": 0}', '{"idx": 0, "label": 1, "more": 2}', '{"idx": 0.5, "label": 1}', "[" * 5000]
)
def test_lines_that_are_no_answers_are_told(line: str) -> None:
    found = problems(COPA, f"{line}\n", [0])
    assert found and "row 1" in found[0]


def test_without_the_test_part_the_official_number_of_rows_counts() -> None:
    whole = render(WNLI, [(n, "0") for n in range(146)])
    assert problems(WNLI, whole) == ()
    assert problems(WNLI, render(WNLI, [(n, "0") for n in range(145)]))
    (alone,) = problems(WNLI, render(WNLI, [(n, "0") for n in range(400)]))
    assert "expected 146 rows, got 401" in alone


def test_many_problems_are_counted() -> None:
    found = Problems("CB.jsonl", shown=2)
    for row in range(1500):
        found.note(row, "wrong")
    assert found.sentences == (
        "CB.jsonl, row 0: wrong",
        "CB.jsonl, row 1: wrong",
        "CB.jsonl: 1,498 more problems like these",
    )


@pytest.mark.parametrize(
    ("task", "given", "index"),
    [
        (RTE, 3, 3),
        (RTE, "17", 17),
        (RTE, "x", None),
        (RTE, None, None),
        (RACE, "middle1.txt-0", "middle1.txt-0"),
        (RACE, 3, None),
        (MULTIRC, (1, 2, 3), (1, 2, 3)),
        (MULTIRC, (1, 2), None),
    ],
)
def test_what_a_file_calls_an_example(task: Any, given: Any, index: Any) -> None:
    if index is None:
        with pytest.raises(ValueError, match=f"{task.name}: expected examples with the index"):
            index_of(task, Example("a", id=given))
    else:
        assert index_of(task, Example("a", id=given)) == index
