"""Extraction from options to files, and what is read again of a run: its options, its certificate, its evidence."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from toy import Toy

from subarch.jobs.extraction import check, extract
from subarch.jobs.verification import verify_run
from subarch.options.search import CheckOptions, ExtractOptions

ASKED = {"source": "toy:Toy", "start": "toy:error", "epsilon": 0.3, "steps": "5", "learning_rates": (0.1, 0.2)}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "toy"
    extract(ExtractOptions(**ASKED, run=folder))  # type: ignore[arg-type]
    return folder


def test_the_answer_is_kept_as_it_was_given_back(run: Path) -> None:
    told = extract(ExtractOptions(**ASKED, run=run)).to_json()  # type: ignore[arg-type]
    assert told == json.loads((run / "extract.json").read_text(encoding="utf-8"))
    space = Toy().space
    assert set(told["architecture"]) == set(space.names)
    assert all(told["architecture"][one.name] in one.choices for one in space.parameters)
    assert told["certificate"]["epsilon"] == 0.3
    assert (run / "report.html").is_file()


@pytest.mark.parametrize("start", ["toy:loud", "toy:one_width_is_bad"])
def test_a_coarser_epsilon_is_certified_where_the_errors_tell_no_finer_one(tmp_path: Path, start: str) -> None:
    """Repeats move the first one's errors by 6 %; the other one's break monotony by up to 40 %."""
    asked = ExtractOptions(source="toy:Toy", start=start, run=tmp_path / "strict")
    strict = extract(asked).certificate
    assert strict.verdict != "certified" and "coarsest" not in strict.question
    lenient = extract(replace(asked, run=tmp_path / "lenient", coarsest_epsilon=0.5)).certificate
    assert lenient.verdict == "certified"
    assert 0.1 < lenient.epsilon <= 0.5 and lenient.question["epsilon"] == 0.1
    assert lenient.delta < lenient.epsilon and 3 * (lenient.relative_noise or 0) <= lenient.epsilon
    assert f"{lenient.epsilon:g} is as fine as these errors can tell, 0.1 was asked" in lenient.reason
    assert lenient.evaluated <= strict.evaluated
    assert verify_run(tmp_path / "lenient", family="toy:Toy").accepted


def test_a_search_that_stopped_early_is_not_called_coarse(tmp_path: Path) -> None:
    asked = ExtractOptions(source="toy:Toy", start="toy:error", run=tmp_path / "run", budget="7", coarsest_epsilon=0.5)
    found = extract(asked).certificate
    assert found.achieved is not None and 0.1 < found.achieved < 0.5
    assert (found.verdict, found.epsilon) == ("no guarantee", 0.1) and "Stopped early" in found.reason


def test_a_wrong_question_leaves_no_folder(tmp_path: Path) -> None:
    given = ASKED | {"run": tmp_path / "run"}
    with pytest.raises(ValueError, match="nowhere"):
        extract(ExtractOptions(**given | {"start": "toy:nowhere"}))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="unknown executor 'elsewhere'"):
        extract(ExtractOptions(**given | {"executor": "elsewhere"}))  # type: ignore[arg-type]
    assert not (tmp_path / "run").exists()


def test_the_check_takes_the_errors_of_a_run_for_evidence(run: Path, tmp_path: Path) -> None:
    alone, seen = (
        {clause.name.partition(" ")[0]: clause.verdict for clause in check(options).clauses}
        for options in (CheckOptions(source="toy:Toy"), CheckOptions(source="toy:Toy", run=run))
    )
    # That errors fall is seen on a run alone; what is counted needs none.
    assert (alone["4c."], seen["4c."]) == ("not shown", "checked")
    assert {name: seen[name] for name in seen if name != "4c."} == {
        name: alone[name] for name in alone if name != "4c."
    }
    with pytest.raises(ValueError, match="searched another space than mlp has: give the same --space"):
        check(CheckOptions(source="mlp", run=run))
    with pytest.raises(ValueError, match=re.escape(str(tmp_path))):
        check(CheckOptions(source="toy:Toy", run=tmp_path))
