"""The limit of a search is the user's own: met exactly where times are known, and a fit that is wrong is corrected."""

from __future__ import annotations

import json
import multiprocessing
import os
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import clocks
import pytest

from subarch.jobs.extraction import extract
from subarch.jobs.verification import verify_run
from subarch.options.search import ExtractOptions
from subarch.results.extract import ExtractResult


def asked(run: Path, times: str = "times", speedup: float | None = 4.0, **given: Any) -> ExtractOptions:
    known = {"source": "clocks:Large", "start": "clocks:error", "run": run, "epsilon": 0.001, "speedup": speedup}
    return ExtractOptions(**{**known, "runtime": f"clocks:{times}", **given})


def best_within(times: Callable[[Mapping[str, Any]], float], ms: float) -> dict[str, Any]:
    return min((one for one in clocks.everything() if times(one) <= ms), key=lambda one: clocks.error(one, 0))


def table(run: Path) -> dict[str, Any]:
    return json.loads((run / "latency.json").read_text(encoding="utf-8"))


def whole_and_monotone(run: Path, found: ExtractResult) -> None:
    assert found.certificate.latency_table == table(run)
    verified = verify_run(run, family="clocks:Large")
    assert verified.accepted, verified.reason


@pytest.mark.parametrize("speedup", [2.0, 8.0])
def test_the_pick_is_the_best_network_within_the_true_limit(speedup: float, tmp_path: Path) -> None:
    run = tmp_path / "run"
    found = extract(asked(run, speedup=speedup))
    whole = clocks.times(clocks.Large().reference)
    assert found.certificate.limits == {"speedup": speedup}  # what was asked, nothing else
    assert found.architecture == best_within(clocks.times, whole / speedup)
    assert found.source.latency_ms == whole
    assert found.latency_ms == pytest.approx(clocks.times(found.architecture))
    assert len(table(run)["measured_ms"]) < 30  # of 288
    whole_and_monotone(run, found)


def test_milliseconds_are_a_limit_likewise(tmp_path: Path) -> None:
    found = extract(asked(tmp_path / "run", speedup=None, max_latency_ms=0.5))
    assert found.architecture == best_within(clocks.times, 0.5)


@pytest.mark.parametrize("speedup", [3.0, 6.0])
def test_a_fit_that_is_wrong_at_the_pick_is_corrected_and_the_search_asked_again(
    speedup: float, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    found = extract(asked(run, "jumps", speedup=speedup))
    limit = clocks.jumps(clocks.Large().reference) / speedup
    best = best_within(clocks.jumps, limit)
    assert clocks.jumps(found.architecture) <= limit
    assert found.error <= 1.1 * clocks.error(best, 0)
    read = [tuple(row) for row in table(run)["indices"]]
    assert clocks.Large().space.index(found.architecture) in read
    whole_and_monotone(run, found)
    # A tighter limit shares the table, and what it reads besides is a few networks.
    again = extract(asked(run, "jumps", speedup=speedup + 1))
    assert clocks.jumps(again.architecture) <= limit * speedup / (speedup + 1)
    assert [tuple(row) for row in table(run)["indices"]][: len(read)] == read


def test_nothing_is_timed_twice_whenever_it_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["subarch.jobs.extraction", "clocks"])
    run, log = tmp_path / "run", tmp_path / "log"
    for kill_after in (1, 7, 15, 0):
        process = context.Process(target=_run, args=(str(run), str(log), str(kill_after)))
        process.start()
        process.join()
        assert process.exitcode == (0 if kill_after == 0 else -9)
    timed = Counter(log.read_text(encoding="utf-8").splitlines())
    # What ran when it was killed is not finished; of the first readings none is kept before all are there.
    assert sum(timed.values()) - len(timed) <= 4 and max(timed.values()) <= 2
    calm = extract(asked(tmp_path / "calm"))
    assert {**table(run)["settings"], "seconds": 0} == {**table(tmp_path / "calm")["settings"], "seconds": 0}
    for name in ("indices", "measured_ms"):  # which rivals are read besides hangs on what was trained before them
        assert table(run)[name][:10] == table(tmp_path / "calm")[name][:10]
    before = (run / "extract.json").read_bytes()
    monkeypatch.setenv(clocks.LOG, str(log))
    assert extract(asked(run)).architecture == calm.architecture
    assert sum(timed.values()) == len(log.read_text(encoding="utf-8").splitlines())  # a finished run times nothing
    assert (run / "extract.json").read_bytes() == before


def _run(run: str, log: str, kill_after: str) -> None:
    os.environ |= {clocks.LOG: log, clocks.KILL_AFTER: kill_after}
    extract(asked(Path(run)))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"speedup": 100.0}, "no architecture of the space meets the limits"),
        ({"runtime": "clocks:nothing"}, "could not be imported"),
        ({"runtime": "clocks:backwards"}, "must return milliseconds"),
        ({"runtime": "a phone"}, "--runtime is one of pytorch, served"),
    ],
)
def test_what_cannot_be_met_or_timed_is_refused_and_leaves_nothing(
    given: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=said):
        extract(asked(tmp_path / "run", **given))
    assert not (tmp_path / "run").exists() or given.get("runtime")


def test_a_table_of_another_runtime_is_refused(tmp_path: Path) -> None:
    extract(asked(tmp_path / "run", speedup=8.0))
    with pytest.raises(ValueError, match="was measured with --runtime clocks:times, got clocks:jumps"):
        extract(asked(tmp_path / "run", "jumps"))


def test_how_long_timing_and_searching_took_is_told(tmp_path: Path) -> None:
    found = extract(asked(tmp_path / "run", speedup=8.0))
    assert found.seconds is not None and set(found.seconds) == {"timing", "search"}
    assert found.timed_with.networks == len(table(tmp_path / "run")["measured_ms"])
    assert "the others follow from these; the trainings of the search took" in (
        tmp_path / "run" / "report.html"
    ).read_text(encoding="utf-8")
    told = [getattr(one, "words", "") for one in found.told()]
    assert any(line.startswith("Times are those of networks as they are served, clocks:times, and") for line in told)
