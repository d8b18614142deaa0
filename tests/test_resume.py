"""kill -9 at random moments: nothing finished is lost or trained twice; the certificate is the undisturbed run's."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest


def _run(folder: str, log: str) -> None:
    os.environ["SUBARCH_TEST_LOG"] = log
    with Path(log).with_suffix(".out").open("ab") as out:
        os.dup2(out.fileno(), 1)
        os.dup2(out.fileno(), 2)
    from subarch.cli import main

    os._exit(main(["extract", "toy:Toy", "--start", "toy:error", "--run", folder, "--epsilon", "0.1", "--json"]))


def _finished(run: Path) -> list[tuple[int, str, str]]:
    from toy import Toy

    from subarch.extraction.study import Ledger

    if not (run / "study.db").is_file():
        return []
    try:
        trials = Ledger.reading(run, Toy().space, 0).trials()
    except ValueError:  # killed before the study had its name
        return []
    return [(trial.number, trial.purpose, json.dumps(trial.architecture)) for trial in trials]


def _conclusion(run: Path) -> dict[str, Any]:
    certificate = json.loads((run / "certificate.json").read_text())
    return {key: value for key, value in certificate.items() if key not in ("created", "digest")}


@pytest.mark.parametrize("kills_wanted", [5, pytest.param(40, marks=pytest.mark.slow)])
def test_killed_at_random_moments(tmp_path: Path, kills_wanted: int) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["subarch.jobs.extraction", "toy"])
    for name in ("first", "calm"):  # the first one waits for the server of processes; the second one is timed
        calm = tmp_path / name
        began = time.monotonic()
        process = context.Process(target=_run, args=(str(calm), str(tmp_path / f"{name}.log")))
        process.start()
        process.join()
        assert process.exitcode == 0
        duration = time.monotonic() - began
    chooser = random.Random(0)
    kills, rounds = 0, 0
    while kills < kills_wanted:
        rounds += 1
        run, log = tmp_path / f"run{rounds}", tmp_path / f"run{rounds}.log"
        killed_here = 0
        before: list[tuple[int, str, str]] = []
        while True:
            process = context.Process(target=_run, args=(str(run), str(log)))
            process.start()
            process.join(timeout=chooser.uniform(0.1, 1.0) * duration if kills < kills_wanted else None)
            if process.is_alive() and process.pid is not None:
                os.kill(process.pid, signal.SIGKILL)
                kills, killed_here = kills + 1, killed_here + 1
                process.join()
            else:
                assert process.exitcode == 0, log.with_suffix(".out").read_text()[-2000:]
                break
            after = _finished(run)
            assert after[: len(before)] == before  # nothing finished is lost
            before = after
        search = [architecture for _, purpose, architecture in _finished(run) if purpose == "search"]
        assert max(Counter(search).values()) == 1  # nothing trained twice
        assert _conclusion(run) == _conclusion(calm)
        trained = len(log.read_text().splitlines())
        assert trained - len(_finished(run)) <= killed_here  # at most the training that was running


@pytest.mark.parametrize("executor", ["threads:3", "processes:2"])
def test_several_trainings_at_once(tmp_path: Path, executor: str) -> None:
    from subarch.jobs.extraction import extract
    from subarch.jobs.verification import verify_run
    from subarch.options.search import ExtractOptions

    result = extract(ExtractOptions(source="toy:Toy", start="toy:error", run=tmp_path / "run", executor=executor))
    assert result.certificate.verdict == "certified"
    assert verify_run(tmp_path / "run", family="toy:Toy").accepted
