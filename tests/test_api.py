"""The functions of the package: their examples, and that they work wherever Python does."""

from __future__ import annotations

import doctest
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import config, reviews, tokenizer, write
from transformers import BertModel

import subarch
from subarch import api
from subarch.commands import COMMANDS

pytest.importorskip("onnxruntime")

RECIPE = """
extract = {steps = 2, epsilon = 0.5}
pretrain = {steps = 4, sequence_length = 32, batch_size = 4}
finetune = {epochs = 1, seeds = 1, max_length = 32, learning_rates = [3e-3]}
teacher = {max_length = 32, learning_rates = [3e-3]}
agora = {weak_teacher = true, rounds = 2}
export = {artifacts = ["onnx"]}
bench = {runtime = ["pytorch", "onnxruntime"], precision = ["float32"], rounds = 1, memory = false}
"""
FUNCTIONS = [name for name in subarch.__all__ if name in COMMANDS]
SEARCH = """
import subarch
found = subarch.extract(
    "./my-bert", texts="texts.txt", steps=1, epsilon=0.5, sequence_length=16, threads=1, run="{run}",
    executor="processes:2",
)
print(found.certificate.claim)
"""
COMPRESS = 'subarch.compress("reviews.csv", "./my-bert", speedup=1.1, recipe="tiny.toml", run="runs/small")'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the examples name: a teacher, labelled texts, texts, a recipe."""
    made = tmp_path_factory.mktemp("api")
    torch.manual_seed(0)
    BertModel(config()).save_pretrained(made / "my-bert")
    tokenizer().save_pretrained(made / "my-bert")
    rows = reviews(900)
    write(made / "reviews.csv", [*rows])
    (made / "texts.txt").write_text("\n".join(text for text, _ in rows), encoding="utf-8")
    (made / "tiny.toml").write_text(RECIPE, encoding="utf-8")
    return made


def python(folder: Path, *arguments: str, given: str | None = None) -> str:
    ran = subprocess.run([sys.executable, *arguments], cwd=folder, input=given, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


@pytest.mark.slow
@pytest.mark.parametrize("way", ["script", "stdin", "-c"])
def test_helpers_start_without_a_guard(way: str, folder: Path) -> None:
    program = SEARCH.format(run=f"runs/{way.strip('-')}")
    if way == "script":
        (folder / "script.py").write_text(program, encoding="utf-8")
        assert python(folder, "script.py") == "w"
    else:
        assert (python(folder, "-", given=program) if way == "stdin" else python(folder, "-c", program)) == "w"


@pytest.fixture(scope="module")
def notebook(folder: Path) -> Any:
    """One that compresses, executed."""
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    cells = [f"import subarch\nsmall = {COMPRESS}", "small", 'print(small(["a good film"])[0]["label"])']
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbclient.NotebookClient(made, timeout=1200, resources={"metadata": {"path": str(folder)}}).execute()
    return made


@pytest.mark.slow
def test_a_notebook_shows_one_bar_and_the_result_as_a_table(notebook: Any) -> None:
    bars = [one for one in notebook.cells[0].outputs if one.output_type == "display_data"]
    assert len(bars) == 1 and "done after" in bars[0].data["text/html"]
    assert "<table>" in notebook.cells[1].outputs[0].data["text/html"]
    assert notebook.cells[2].outputs[0].text.strip() in ("praise", "blame")


@pytest.mark.slow
def test_examples_of_all_functions(folder: Path, notebook: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    for name in FUNCTIONS:
        (example,) = doctest.DocTestFinder(recurse=False).find(getattr(subarch, name), name, module=api, globs={})
        assert example.examples, name
        assert doctest.DocTestRunner().run(example).failed == 0, name
    small = subarch.compress("reviews.csv", "./my-bert", speedup=1.1, recipe="tiny.toml", run="runs/small")
    written = json.loads((folder / "runs" / "small" / "compress.json").read_text(encoding="utf-8"))
    assert json.loads(json.dumps(small.to_json())) == {**written, "report": small.report}
    saved = small.save_pretrained("out")
    assert subarch.Predictor.from_pretrained(saved / "export")(["a good film"]) == small(["a good film"])
    assert BertModel.from_pretrained(saved).config.num_hidden_layers == small.extract.architecture["num_hidden_layers"]


@pytest.mark.parametrize("name", ["inspect", "check"])
def test_the_examples_that_take_no_time(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    (example,) = doctest.DocTestFinder(recurse=False).find(getattr(subarch, name), name, module=api, globs={})
    assert doctest.DocTestRunner().run(example).failed == 0


def test_every_function_has_an_example() -> None:
    assert len(FUNCTIONS) == 11
    assert all(f"subarch.{name}(" in getattr(subarch, name).__doc__ for name in FUNCTIONS)


def test_what_is_no_option_is_refused_with_the_nearest() -> None:
    with pytest.raises(TypeError, match="did you mean 'speedup'"):
        subarch.compress("reviews.csv", "./my-bert", speedupp=4)
    with pytest.raises(ValueError, match="takes name by place"):
        subarch.inspect("bort", 128)
