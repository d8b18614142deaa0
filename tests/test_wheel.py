"""The wheel: everything that the program needs is in it, and it works without a checkout.

``.ci/wheel`` does the same in empty environments, where every package has to be fetched.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest
from compressing import SETTINGS
from tiny import encoder, reviews, write

from subarch import Predictor


@pytest.fixture(scope="module")
def wheel(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    for name in ("pip", "setuptools"):  # not imported: either changes how this process imports others
        if find_spec(name) is None:
            pytest.skip(f"needs {name}")
    folder = tmp_path_factory.mktemp("wheel")
    # Of a copy: the build leaves folders behind where it works.
    line = ["git", "-C", str(repository), "ls-files", "-z", "src", "pyproject.toml", "README.md", "LICENSE"]
    for name in filter(None, subprocess.run(line, check=True, capture_output=True, text=True).stdout.split("\0")):
        if (repository / name).is_file():
            (folder / "copy" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "copy" / name).write_bytes((repository / name).read_bytes())
    line = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*line, "-w", str(folder), str(folder / "copy")], check=True)
    (found,) = folder.glob("*.whl")
    return found


def test_every_file_of_the_package_is_in_it(wheel: Path, repository: Path) -> None:
    source = repository / "src"
    ours = {path.relative_to(source).as_posix() for path in (source / "subarch").rglob("*") if path.is_file()}
    ours = {name for name in ours if "__pycache__" not in name}
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert packed == ours


def test_extras_keep_their_old_names(repository: Path) -> None:
    extras = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "optional-dependencies"
    ]
    assert set(extras["export"]) == {*extras["onnx"], *extras["openvino"]}
    assert set(extras["tables"]) == {*extras["parquet"], *extras["zstd"]}
    assert extras["curves"] == extras["tensorboard"]
    page = (repository / "docs" / "serving.md").read_text(encoding="utf-8")
    assert "pip install " + " ".join(f'"{one}"' for one in extras["serve"]) in page


@pytest.mark.slow
def test_it_compresses_and_answers_outside_of_the_checkout(wheel: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    place, folder = tmp_path / "installed", tmp_path / "work"
    zipfile.ZipFile(wheel).extractall(place)
    folder.mkdir()
    encoder(folder / "teacher")
    write(folder / "reviews.csv", [*reviews(900)])
    surroundings = {**os.environ, "PYTHONPATH": str(place)}

    def run(*line: str) -> str:
        ran = subprocess.run([sys.executable, *line], cwd=folder, env=surroundings, capture_output=True, text=True)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    assert run("-c", "import subarch; print(subarch.__file__)").startswith(str(place))
    assert "compress" in run("-m", "subarch", "--help")
    given = ("--data", "reviews.csv", "--teacher", "teacher", "--run", "run", "--speedup", "1.1", "--threads", "1")
    run("-m", "subarch", "compress", *given, "--set", *SETTINGS)
    said = run("-c", "import subarch; print(subarch.Predictor.from_pretrained('run/export')(['good film']))")
    assert said.strip() == str(Predictor.from_pretrained(folder / "run" / "export")(["good film"]))
