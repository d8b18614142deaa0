"""From options to a run: what is read, and what is refused before anything is trained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from subarch.extraction.opening import open_run, read_reference, read_space, require_members
from subarch.networks.space import Constraint, Parameter, Space
from subarch.options.search import ExtractOptions


def opened(**given: Any) -> Any:
    return open_run(ExtractOptions(**({"source": "toy:Toy", "start": "toy:error"} | given)))


def test_a_run_is_opened_with_its_own_claim_and_counts() -> None:
    made = opened()
    assert (made.question.claim, made.question.epsilon, made.question.reference["depth"]) == ("w", 0.1, 4)
    assert made.counts.parameters is not None
    assert opened(max_macs=9000.0).question.claim == "constrained"
    assert opened(strategy="interval", epsilon=3.0).question.epsilon == 0.1  # three is the interval
    assert opened(source="toy:Toy", steps="7").error.steps == 7


def test_a_space_from_its_file(tmp_path: Path) -> None:
    file = tmp_path / "space.json"
    file.write_text(json.dumps({"width": [8, 16]}))
    space = read_space(file)
    assert space is not None and space.names == ("width",)
    assert read_space(None) is None
    for content, words in (("[", "is not JSON"), ("[]", "must hold a JSON object, got list")):
        file.write_text(content)
        with pytest.raises(ValueError, match=words):
            read_space(file)
    with pytest.raises(OSError, match="cannot be read: No such file"):
        read_space(tmp_path / "missing.json")


def test_a_reference_as_text_or_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "reference.json"
    file.write_text('{"width": 8}')
    assert read_reference('{"width": 8}') == read_reference(str(file)) == {"width": 8}
    assert read_reference(None) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("missing.json", "is no object and cannot be read as a file"),
        ('{"width": ', "--reference is not JSON"),
        ("{}", "--reference must be a JSON object"),
        ('{"width": true}', "width must be a number or a word, got true"),
        ('{"width": [8]}', r"width must be a number or a word, got \[8\]"),
    ],
)
def test_what_is_no_reference_is_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_reference(text)


def test_a_space_in_which_there_is_nothing_is_refused() -> None:
    empty = Space((Parameter(name="x", choices=(1, 2)),), (Constraint("x > 2"),))
    with pytest.raises(ValueError, match="the space is empty: no architecture meets its constraints"):
        require_members(empty)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"max_macs": 10.0}, r"at most 10 operations was asked, the least in the space is 176"),
        ({"max_parameters": 10.0}, "at most 10 parameters was asked"),
        (
            {"reference": '{"depth": 1, "width": 8, "inner": 8}'},
            "no architecture of the space is smaller than the reference T",
        ),
    ],
)
def test_what_no_architecture_can_answer_is_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        opened(**given)
