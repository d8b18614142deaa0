"""Searches on a cluster: the same verdict and pick as in one process, every trial once, also where a node is lost."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from commands import Command, refused
from subarch.extraction.study import Ledger
from subarch.networks.space import Space

ray = pytest.importorskip("ray")
distributed = pytest.importorskip("distributed")
cluster_utils: Any = pytest.importorskip("ray.cluster_utils")

MINE = '''
import os
import pathlib
import time

import torch
from torch import nn

import shapes
from subarch.networks.family import Family, Parts


class Mine(Family):
    name = "mine"
    space = shapes.SPACE
    reference = {"depth": 4, "width": 32}

    def build(self, architecture):
        depth, width = architecture["depth"], architecture["width"]
        middle = nn.Sequential(*(nn.Linear(width, width) for _ in range(depth)))
        return nn.Sequential(nn.Linear(20, width), middle, nn.Linear(width, 2))

    def inputs(self, batch_size, sequence_length):
        return {"input": torch.zeros(batch_size, 20)}

    def parts(self, network):
        return Parts(first=("0",), middle=("1",), last=("2",))


def error(architecture, seed):
    """Known, falls with every size, a little noise; takes a moment, so that something can happen meanwhile."""
    time.sleep(float(os.environ.get("MINE_SECONDS", "0.2")))
    assert not pathlib.Path("shapes.py").exists() or os.environ.get("MINE_HERE"), "a worker sees the user's folder"
    noise = 1 + 1e-4 * ((seed * 7919 + architecture["width"]) % 13)
    return noise * (0.05 + 1 / (architecture["depth"] * architecture["width"] ** 0.5))
'''
SHAPES = """
from subarch.networks.space import Parameter, Space

SPACE = Space(
    (Parameter(name="depth", choices=(1, 2, 3, 4)), Parameter(name="width", choices=(4, 8, 12, 16, 20, 24, 28, 32)))
)
"""
ASKED = ("mine:Mine", "--start", "mine:error", "--epsilon", "0.1", "--threads", "1")


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Two nodes with one processor each, whose workers run in an empty directory."""
    monkeypatch.chdir(tmp_path_factory.mktemp("empty"))
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("MINE_SECONDS", "0.3")
    found = cluster_utils.Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    found.second = found.add_node(num_cpus=1)
    found.wait_for_nodes()
    ray.init(address=found.address, log_to_driver=False)
    yield found
    ray.shutdown()
    found.shutdown()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder."""
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "shapes.py").write_text(SHAPES)
    for name in ("mine", "shapes"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setenv("MINE_HERE", "1")
    monkeypatch.setenv("MINE_SECONDS", "0")
    return tmp_path


def trained(run: Path) -> list[tuple[Any, ...]]:
    """Architectures that the search has trained, as the ledger has them."""
    told = json.loads((run / "certificate.json").read_text(encoding="utf-8"))
    trials = Ledger.reading(run, Space.from_json(told["space"]), told["steps"]).trials()
    return [tuple(trial.architecture.values()) for trial in trials if trial.purpose == "search"]


def found(run: Path) -> tuple[Any, ...]:
    """Verdict and pick."""
    certificate, pick = (json.loads((run / f"{name}.json").read_text()) for name in ("certificate", "architecture"))
    return certificate["verdict"], pick["architecture"]


def test_a_search_on_two_nodes_without_the_users_folder_finds_what_one_process_finds(
    cluster: Any, here: Path, subarch: Command
) -> None:
    assert subarch("extract", *ASKED, "--run", "alone").status == 0
    ran = subarch("extract", *ASKED, "--run", "together", "--executor", "ray")
    assert ran.status == 0, ran.err
    assert found(here / "together") == found(here / "alone") and found(here / "alone")[0] == "certified"
    once = trained(here / "together")
    assert len(set(once)) == len(once) >= len(trained(here / "alone"))
    refused(
        subarch("extract", *ASKED, "--run", "no", "--executor", "ray", "--resources", "gpus=1"), "no node has as much"
    )
    assert not (here / "no").exists()


def test_a_node_that_is_lost_takes_nothing_with_it(cluster: Any, here: Path, subarch: Command) -> None:
    assert subarch("extract", *ASKED, "--run", "alone").status == 0
    over, in_the_middle = threading.Event(), threading.Event()

    def lose() -> None:
        while not (here / "together" / "study.db").is_file():
            time.sleep(0.05)
        time.sleep(2)
        cluster.remove_node(cluster.second, allow_graceful=False)
        if not over.is_set():
            in_the_middle.set()

    thread = threading.Thread(target=lose)
    thread.start()
    ran = subarch("extract", *ASKED, "--run", "together", "--executor", "ray")
    over.set()
    thread.join()
    assert ran.status == 0 and in_the_middle.is_set(), ran.err
    assert found(here / "together") == found(here / "alone")
    once = trained(here / "together")
    assert len(set(once)) == len(once)


def test_dask_finds_the_same(
    here: Path, subarch: Command, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert subarch("extract", *ASKED, "--run", "alone").status == 0
    monkeypatch.delenv("MINE_HERE")
    monkeypatch.chdir(tmp_path_factory.mktemp("empty"))
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None, silence_logs=50
    ) as workers:
        workers.wait_for_workers(2)
        monkeypatch.setenv("MINE_HERE", "1")
        address = workers.scheduler_address.removeprefix("tcp://")
        monkeypatch.chdir(here)
        ran = subarch("extract", *ASKED, "--run", "together", "--executor", f"dask:{address}")
    assert ran.status == 0, ran.err
    assert found(here / "together") == found(here / "alone")
    once = trained(here / "together")
    assert len(set(once)) == len(once)
