"""What a run was made with."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from subarch import __version__
from subarch.manifest import Hardware, Manifest, cpu_name, given, versions


@dataclass(frozen=True)
class Grouped:
    steps: int = 3
    seeds: tuple[int, ...] = (0, 1)


@dataclass(frozen=True)
class Asked:
    run: Path = Path("runs/mine")
    group: Grouped = Grouped()
    json: bool = True


def test_versions_are_those_that_are_installed() -> None:
    found = versions()
    assert found["subarch"] == __version__ and found["python"] == platform.python_version()
    for name in ("torch", "numpy", "scikit-learn"):
        assert found[name] == importlib.metadata.version(name)
    assert all(isinstance(value, str) for value in found.values())


def test_what_is_not_installed_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    really = importlib.metadata.version

    def version(name: str) -> str:
        if name == "openvino":
            raise importlib.metadata.PackageNotFoundError(name)
        return really(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    assert "openvino" not in versions() and "torch" in versions()


def test_hardware_is_told_as_far_as_the_system_tells_it(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Hardware.here()
    assert found.cores is not None and 1 <= found.cores <= (os.cpu_count() or 1) and found.cpu == cpu_name()
    assert found.memory_gib is None or found.memory_gib > 0
    assert set(found.to_json()) == {"cpu", "cores", "memory_gib", "platform"}

    def nothing(*_: object, **__: object) -> str:
        raise OSError("no such file")

    monkeypatch.setattr(Path, "read_text", nothing)
    monkeypatch.delattr(os, "sysconf")
    assert cpu_name() == (platform.processor() or platform.machine())
    assert Hardware.here().memory_gib is None


def test_a_manifest_is_json_with_the_moment_it_was_made() -> None:
    options = {"source": "bort", "steps": 3}
    made_with = Manifest(
        command="subarch extract bort", source="bort", options=options, seeds=(0, 1), data={"name": "x"}
    )
    found = made_with.to_json()
    assert json.loads(json.dumps(found)) == found
    assert list(found) == ["command", "source", "options", "seeds", "data", "versions", "hardware", "created"]
    assert (found["command"], found["options"], found["seeds"]) == ("subarch extract bort", options, [0, 1])
    made = datetime.strptime(found["created"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    assert abs((datetime.now(UTC) - made).total_seconds()) < 60


def test_options_are_told_flat_with_paths_as_text() -> None:
    told = given(Asked())
    assert told == {"run": "runs/mine", "steps": 3, "seeds": (0, 1)}
