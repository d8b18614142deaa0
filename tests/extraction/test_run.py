"""Whole runs that meet trouble: counts without a rule, trainings that fail or hang, spaces of one or of nothing."""

from __future__ import annotations

import itertools
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import irregular
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from irregular import DEEP, WIDTHS, Irregular, numbers

from subarch.jobs.extraction import extract
from subarch.jobs.verification import verify_run
from subarch.networks.counting import Counts
from subarch.networks.countmodels import CountsDisagreeError
from subarch.networks.fitting import fit_counts
from subarch.options.search import ExtractOptions
from subarch.results.verify import VerifyResult


def run(folder: Path, family: str, error: str = "error", **options: Any) -> tuple[dict[str, Any], VerifyResult]:
    """A search and its verification."""
    name = f"irregular:{family}"
    result = extract(ExtractOptions(source=name, start=f"irregular:{error}", run=folder, **options)).to_json()
    found = verify_run(folder, family=name, start=f"irregular:{error}")
    return result, found


# -------------------------------------------------------------------------------------------------------- counts


def test_what_is_wide_has_three_layers_more_and_is_counted_so(tmp_path: Path) -> None:
    result, found = run(tmp_path / "run", "wide")
    assert found.accepted, found.reason
    for one in [*result["trained"], *result["untrained"], *result["front"], result]:
        depth, width = one["architecture"]["depth"], one["architecture"]["width"]
        expected = numbers(depth, width, irregular.three_more(depth, width))
        assert (one["parameters"], one["macs"]) == expected, one
    certificate = result["certificate"]
    assert certificate["counts"]["from"] == "each network, built"
    assert certificate["objectives"]["parameters"]["polynomial"] is None
    assert certificate["verdict"] == "no guarantee" and "ABnC" in certificate["reason"]


def test_regular_counts_are_confirmed_on_all_that_was_trained(tmp_path: Path) -> None:
    result = extract(ExtractOptions(source="toy:Toy", start="toy:error", run=tmp_path / "run")).to_json()
    told = result["certificate"]["counts"]
    trained = {str(row["architecture"]) for row in result["trained"]}
    assert told["from"] == "polynomials" and told["confirmed"] >= told["trained"] >= len(trained)
    assert (
        told["words"]
        == f"confirmed on {told['confirmed']} networks, among them all {told['trained']} that were trained"
    )


def test_an_exception_that_only_a_training_meets_is_found_before_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """16 x 4 architectures, one of them with two layers more, and every one trained: the polynomials are dropped."""
    result, found = run(tmp_path / "run", "once", strategy="exhaustive")
    assert found.accepted, found.reason
    at = next(row for row in result["trained"] if row["architecture"] == {"depth": 9, "width": 32})
    assert (at["parameters"], at["macs"]) == numbers(9, 32, 2)
    assert result["certificate"]["counts"]["from"] == "each network, built"
    told = [message for message in caplog.messages if "no polynomials" in message]
    assert len(told) == 1
    for number in (*numbers(9, 32, 2), *numbers(9, 32, 0)):
        assert str(number) in told[0]


def test_in_a_space_too_large_to_build_it_is_refused(tmp_path: Path) -> None:
    family = Irregular(lambda depth, width: 2 if width == 999 else 0, (1, 2, 3, 4, 5), tuple(range(8, 1008)))
    counts = fit_counts(family)
    with pytest.raises(CountsDisagreeError, match=r"no polynomials.*999") as refuted:
        counts.confirm({"depth": 3, "width": 999})
    with pytest.raises(ValueError, match="too many"):
        counts.by_building(refuted.value).require_countable()


@settings(max_examples=8)
@given(st.dictionaries(st.tuples(st.integers(1, 6), st.sampled_from(WIDTHS)), st.integers(1, 3), max_size=4), st.data())
def test_no_count_of_an_irregular_family_is_wrong(extra: dict[tuple[int, int], int], data: st.DataObject) -> None:
    """Whatever is exceptional: so small a space is counted whole, and polynomials are given where there are some."""
    family = Irregular(lambda depth, width: extra.get((depth, width), 0))
    counts = fit_counts(family, seed=data.draw(st.integers(0, 5)))
    indices = family.space.listed()
    p, i = counts.table(indices)
    for n, index in enumerate(indices):
        one = family.space.architecture(index)
        depth, width = int(one["depth"]), int(one["width"])
        expected = numbers(depth, width, extra.get((depth, width), 0))
        assert (p[n], i[n]) == expected
        assert counts.confirm(one) == Counts(*expected)
    assert bool(extra) == (counts.parameters is None)


@settings(max_examples=3)
@given(
    st.dictionaries(
        st.tuples(st.sampled_from(DEEP), st.sampled_from(WIDTHS)), st.integers(1, 3), min_size=1, max_size=9
    )
)
def test_no_certificate_of_an_irregular_family_carries_a_wrong_count(extra: dict[tuple[int, int], int]) -> None:
    """In a space that is not counted whole: all that was trained, T and the pick are right."""
    import tempfile

    irregular.drawn = lambda: Irregular(lambda depth, width: extra.get((depth, width), 0), DEEP)  # type: ignore[attr-defined]
    with tempfile.TemporaryDirectory() as folder:
        result, found = run(Path(folder) / "run", "drawn", budget="6")
        assert found.accepted, found.reason
        certificate, source = result["certificate"], result["source"]
        for one in [*result["trained"], *result["front"], result, {**source, "architecture": source["architecture"]}]:
            depth, width = one["architecture"]["depth"], one["architecture"]["width"]
            expected = numbers(depth, width, extra.get((depth, width), 0))
            assert (one["parameters"], one["macs"]) == expected
        assert certificate["reference"]["parameters"] == source["parameters"]


def test_a_choice_among_words_and_a_number_is_searched_as_it_is(tmp_path: Path) -> None:
    result, found = run(tmp_path / "run", "Mixed", epsilon=0.3)
    assert found.accepted, found.reason
    assert result["certificate"]["verdict"] == "certified"
    for one in [*result["trained"], *result["untrained"]]:
        extra = {"four": 4, "three": 3, 1: 1}[one["architecture"]["kind"]]
        depth, width = one["architecture"]["depth"], one["architecture"]["width"]
        assert (one["parameters"], one["macs"]) == numbers(depth, width, extra)


def test_a_certificate_with_counts_of_its_own_is_refused(tmp_path: Path) -> None:
    """As one of before: the polynomials of a family that has an exception which was trained."""
    run(tmp_path / "run", "wide")
    name = "irregular:wide"
    irregular.before, irregular.wide = irregular.wide, lambda: Irregular(lambda depth, width: 0)  # type: ignore[attr-defined, assignment]
    try:
        found = verify_run(tmp_path / "run", family=name)
    finally:
        irregular.wide = irregular.before  # type: ignore[attr-defined, assignment]
    assert not found.accepted and found.reason


def test_networks_that_cost_nothing_are_refused_before_anything_is_trained(tmp_path: Path, monkeypatch: Any) -> None:
    log = tmp_path / "log"
    monkeypatch.setenv("SUBARCH_TEST_LOG", str(log))
    for claim in ("w", "front"):
        with pytest.raises(ValueError, match=r"depth.*0.*positive"):
            run(tmp_path / "run", "FromNothing", claim=claim)
    assert not log.exists() and not (tmp_path / "run").exists()


# ------------------------------------------------------------------------------------------------------ failures


def trained(log: Path) -> list[str]:
    return log.read_text().splitlines() if log.exists() else []


def test_a_space_of_one_architecture_is_trained_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "log"
    monkeypatch.setenv("SUBARCH_TEST_LOG", str(log))
    result, found = run(tmp_path / "run", "Alone")
    assert found.accepted and result["certificate"]["evaluated"] == 1
    first = trained(log)
    for limit in (5000.0, 6000.0, 5000.0):  # as compress asks again, with another limit
        again, found = run(tmp_path / "run", "Alone", max_parameters=limit)
        assert found.accepted and again["architecture"] == {"depth": 2, "width": 8}
    assert trained(log) == first


@pytest.mark.parametrize("claim", ["w", "front"])
@pytest.mark.parametrize("error", ["diverges_at_the_largest", "diverges_in_the_middle"])
def test_what_always_diverges_is_left_out_and_named(tmp_path: Path, error: str, claim: str) -> None:
    result, found = run(tmp_path / "run", "Regular", error, claim=claim, strategy="exhaustive")
    assert found.accepted, found.reason
    certificate = result["certificate"]
    left = [tuple(one["architecture"].values()) for one in certificate["excluded"]]
    assert set(left) == ({(6, 64)} if error.endswith("largest") else {(3, 16), (4, 16)})
    assert "Left out" in certificate["reason"] and certificate["verdict"] == "certified"
    assert certificate["evaluated"] + len(left) == certificate["space_size"] == 24
    for one in certificate["excluded"]:
        if one["architecture"]["width"] == 16:  # bounded by the larger ones that were trained
            larger = [
                row["error"]
                for row in result["trained"]
                if row["architecture"]["depth"] >= one["architecture"]["depth"] and row["architecture"]["width"] >= 16
            ]
            assert one["error_at_least"] == pytest.approx(max(larger), rel=1e-3)
    again, found = run(tmp_path / "run", "Regular", error, claim=claim, strategy="exhaustive")
    assert again["certificate"]["ledger_hash"] == certificate["ledger_hash"]  # nothing was trained again


@pytest.mark.parametrize("executor", ["serial", "threads:2"])
def test_the_search_goes_round_what_diverges(tmp_path: Path, executor: str) -> None:
    result, found = run(tmp_path / "run", "Regular", "diverges_at_the_largest", executor=executor)
    assert found.accepted, found.reason
    assert result["certificate"]["verdict"] == "certified"
    assert [tuple(one["architecture"].values()) for one in result["certificate"]["excluded"]] == [(6, 64)]
    assert verify_run(
        tmp_path / "run", family="irregular:Regular", start="irregular:diverges_at_the_largest", retrain=99
    ).accepted


def test_a_network_that_was_left_out_for_nothing_is_found_by_training_it_again(tmp_path: Path) -> None:
    run(tmp_path / "run", "Regular", "diverges_at_the_largest")
    irregular.diverges_at_the_largest, before = irregular.error, irregular.diverges_at_the_largest
    try:
        found = verify_run(
            tmp_path / "run", family="irregular:Regular", start="irregular:diverges_at_the_largest", retrain=99
        )
    finally:
        irregular.diverges_at_the_largest = before
    assert not found.accepted and "left out" in found.reason


def test_where_failing_is_the_rule_the_settings_are_wrong(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="every training of"):
        run(tmp_path / "run", "Regular", "always_diverges")


PROCESSES = pytest.param("processes:2", marks=pytest.mark.slow)


@pytest.mark.parametrize("executor", ["serial", "threads:2", PROCESSES])
def test_a_training_that_hangs_has_a_limit(tmp_path: Path, executor: str) -> None:
    result, _ = run(
        tmp_path / "run", "Regular", "hangs_at_the_largest", executor=executor, training_seconds=2.0, epsilon=0.3
    )
    (left,) = result["certificate"]["excluded"]
    assert left["architecture"] == {"depth": 6, "width": 64}
    assert result["certificate"]["verdict"] == "certified"


@pytest.mark.parametrize("executor", ["serial", "threads:2"])
def test_a_training_that_hangs_does_not_outlive_the_budget(tmp_path: Path, executor: str) -> None:
    for error in ("hangs", "hangs_at_the_largest") if executor == "serial" else ("hangs",):
        with pytest.raises(ValueError, match="budget ended"):  # the largest is trained first
            run(tmp_path / error, "Regular", error, executor=executor, budget="3s")


def test_what_is_finished_beside_a_training_that_hangs_is_kept(tmp_path: Path) -> None:
    options: dict[str, Any] = {"claim": "front", "executor": "threads:2"}
    result, found = run(tmp_path / "run", "Regular", "hangs_at_the_largest", **options, budget="5s")
    assert found.accepted, found.reason
    assert result["certificate"]["verdict"] == "no guarantee" and result["certificate"]["evaluated"] > 0


@pytest.mark.parametrize("executor", ["serial", "threads:2", PROCESSES])
def test_ctrl_c_ends_a_training_that_hangs_at_once(tmp_path: Path, executor: str) -> None:
    command = [
        sys.executable,
        "-m",
        "subarch",
        "extract",
        "irregular:Regular",
        "--start",
        "irregular:hangs_at_the_largest",
    ]
    process = subprocess.Popen(
        [*command, "--run", str(tmp_path / "run"), "--executor", executor],
        cwd=Path(irregular.__file__).parent,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    ledger = tmp_path / "run" / "study.db"
    while process.poll() is None and not (ledger.exists() and repeats(tmp_path / "run") >= 4):
        time.sleep(0.2)
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130, told
    assert time.monotonic() - began < 10  # a second or two on a machine that is not busy
    assert "same command" in told and "Traceback" not in told


def repeats(run: Path) -> int:
    import sqlite3

    try:
        with sqlite3.connect(run / "study.db") as connection:
            return connection.execute("select count(*) from trials").fetchone()[0]
    except sqlite3.Error:
        return 0


# -------------------------------------------------------------------------------------------------------- spaces


def test_a_handful_of_architectures_in_a_large_grid_is_searched_to_the_end(tmp_path: Path) -> None:
    names = [f"width_{n}" for n in range(1, 6)]
    space = {name: list(range(1, 33)) for name in names}
    constraints = [f"{a} == {b}" for a, b in itertools.pairwise(names)]
    (tmp_path / "space.json").write_text(json.dumps({**space, "constraints": constraints}))
    options = {"space": tmp_path / "space.json", "reference": json.dumps(dict.fromkeys(names, 64))}
    result = extract(ExtractOptions(source="mlp", start="toy:widths", run=tmp_path / "run", **options)).to_json()
    assert result["certificate"]["space_size"] == 32 and result["certificate"]["space_listed"]
    everything = [*result["trained"], *result["untrained"]]
    assert sorted(row["architecture"]["width_5"] for row in everything) == list(range(1, 33))
    for row in everything:
        widths = [784, *row["architecture"].values(), 10]
        assert row["parameters"] == sum(a * b + b for a, b in itertools.pairwise(widths))
    assert verify_run(tmp_path / "run").accepted
