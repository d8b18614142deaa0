"""Code that is run is the code that somebody named: nothing of a folder that came from elsewhere."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from subarch.extraction.conclusions import digest
from subarch.jobs.extraction import extract
from subarch.jobs.verification import verify_run
from subarch.options.search import ExtractOptions
from subarch.plugins import imported

PLANTED = (
    # what a certificate or manifest names, and what the program and its libraries import themselves, early and late
    *("evil", "toy", "json", "typing", "logging", "torch", "numpy", "optuna", "tyro", "joblib", "multiprocessing"),
    *("filelock", "yaml", "sqlalchemy", "transformers", "struct", "signal"),
)


@pytest.fixture
def hostile(tmp_path: Path) -> tuple[Path, Path]:
    """A stranger's run: its certificate and manifest name code in it, and modules of the libraries' names lie there."""
    run, marker = tmp_path / "run", tmp_path / "imported"
    extract(ExtractOptions(source="toy:Toy", start="toy:error", run=run, epsilon=0.3))
    marking = f"import pathlib; pathlib.Path({str(marker)!r}).open('a').write(__name__ + '\\n')\n"
    for name in PLANTED:
        (run / f"{name}.py").write_text(marking)
    for name in ("certificate.json", "extract.json"):
        document = json.loads((run / name).read_text())
        certificate = document if name == "certificate.json" else document["certificate"]
        certificate["family"]["name"] = "evil:Family"
        del certificate["digest"]
        certificate["digest"] = digest(certificate)
        (run / name).write_text(json.dumps(document))
    manifest = json.loads((run / "manifest.json").read_text())
    manifest["options"] |= {"source": "evil:Family", "start": "evil:error", "executor": "evil:executor"}
    (run / "manifest.json").write_text(json.dumps(manifest))
    return run, marker


def test_looking_into_a_strangers_folder_imports_nothing_of_it(hostile: tuple[Path, Path]) -> None:
    """As somebody would: inside of it, by ``python -m``, and with every command that reads a run."""
    run, marker = hostile
    first = subprocess.run([sys.executable, "-m", "subarch", "verify", "."], cwd=run, capture_output=True, text=True)
    assert not marker.exists(), marker.read_text()
    assert first.returncode == 2 and "Traceback" not in first.stderr
    assert "evil:Family" in first.stderr and "--family" in first.stderr
    commands = [
        ["verify", ".", "--retrain", "1"],
        ["verify", ".", "--family", "evil:Family"],
        ["report", "."],
        ["finetune", "--run", ".", "--data", "demo/packages"],
        ["pretrain", "--run", ".", "--steps", "1"],
    ]
    # In one process, as python -m begins one, so that libraries are loaded once.
    program = (
        "import sys; del sys.path[0]; import json; from subarch.cli import main\n"
        "print(json.dumps([main(words) for words in json.loads(sys.argv[1])]))"
    )
    rest = subprocess.run(
        [sys.executable, "-c", program, json.dumps(commands)], cwd=run, capture_output=True, text=True
    )
    assert not marker.exists(), marker.read_text()
    assert json.loads(rest.stdout) == [2, 2, 0, 2, 2], rest.stderr
    assert "Traceback" not in rest.stderr and rest.stderr.count("not run") == 1


def test_processes_that_are_started_in_a_strangers_folder_import_nothing_of_it(hostile: tuple[Path, Path]) -> None:
    run, marker = hostile
    (run / "toy.py").unlink()  # this one is named
    program = (
        "import sys; sys.path.remove('')\nfrom subarch.executors.opening import open_executor\nimport pathlib\n"
        "executor = open_executor('processes:2').executor\n"
        "print(executor.submit(pathlib.Path, '.').result())\nexecutor.shutdown()\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], cwd=run, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert not marker.exists(), marker.read_text()


def test_trials_are_trained_again_only_with_code_that_is_named(tmp_path: Path) -> None:
    run = tmp_path / "run"
    extract(ExtractOptions(source="toy:Toy", start="toy:error", run=run, epsilon=0.3))
    with pytest.raises(ValueError, match=r"--family toy:Toy"):
        verify_run(run)
    with pytest.raises(ValueError, match=r"--start toy:error"):
        verify_run(run, family="toy:Toy", retrain=1)
    assert verify_run(run, family="toy:Toy", start="toy:error", retrain=1).accepted
    with pytest.raises(ValueError, match=r"toy:Another"):
        verify_run(run, family="toy:Another")


def test_a_family_that_a_run_does_not_need_is_refused(tmp_path: Path) -> None:
    extract(ExtractOptions(source="mlp", start="toy:widths", run=tmp_path / "run", budget="3"))
    assert verify_run(tmp_path / "run").accepted
    with pytest.raises(ValueError, match="no family of somebody"):
        verify_run(tmp_path / "run", family="toy:Toy")


def test_importing_leaves_the_path_as_it_was_and_finds_what_lies_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "of_mine_alone.py").write_text("VALUE = 3\n")
    monkeypatch.chdir(tmp_path / "here")
    before = list(sys.path)
    look: Callable[..., object] = imported
    with pytest.raises(ValueError, match="not run"):
        look("of_mine_alone:VALUE", "value", "a value", apart_from=tmp_path)
    assert look("of_mine_alone:VALUE", "value", "a value", apart_from=tmp_path / "elsewhere") == 3
    assert sys.path == before
    sys.modules.pop("of_mine_alone")
