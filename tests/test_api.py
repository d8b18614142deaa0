"""The functions of the package: their examples, and that they work wherever Python does."""

from __future__ import annotations

import doctest
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
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
pretrain = {steps = 2, sequence_length = 16, batch_size = 2}
finetune = {epochs = 1, seeds = 1, max_length = 16, learning_rates = [3e-3]}
teacher = {max_length = 16, epochs = 2, learning_rates = [3e-3]}
ladder = {rungs = ["constant", "tfidf"], rounds = 1}
agora = {weak_teacher = true, rounds = 1}
export = {artifacts = ["onnx"]}
bench = {runtime = ["pytorch", "onnxruntime"], precision = ["float32"], rounds = 1, memory = false}
"""
FUNCTIONS = [name for name in subarch.__all__ if name in COMMANDS]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the examples name: a teacher, labelled texts, texts, a corpus, a recipe."""
    made = tmp_path_factory.mktemp("api")
    torch.manual_seed(0)
    BertModel(config()).save_pretrained(made / "my-bert")
    tokenizer().save_pretrained(made / "my-bert")
    rows = reviews(400)
    write(made / "reviews.csv", [*rows])
    (made / "texts.txt").write_text("\n".join(text for text, _ in rows), encoding="utf-8")
    (made / "articles.txt").write_text("\n\n".join(text for text, _ in rows), encoding="utf-8")
    (made / "tiny.toml").write_text(RECIPE, encoding="utf-8")
    return made


# ---------------------------------------------------------------------- the examples

NEEDS = {
    "evaluate": "compress",
    "predict": "compress",
    "export": "compress",
    "Predictor": "compress",
    "ladder": "finetune",
    "pretrain": "extract",
    "verify": "extract",
}
"""Examples that use what another one has made."""

Example = Callable[[str], dict[str, Any]]


@pytest.fixture(scope="module")
def example(folder: Path) -> Iterator[Example]:
    """Runs the example of a name once, after the one that it needs; gives the names that it has defined."""
    done: dict[str, dict[str, Any]] = {}

    def run(name: str) -> dict[str, Any]:
        if name not in done:
            if name in NEEDS:
                run(NEEDS[name])
            (found,) = doctest.DocTestFinder(recurse=False).find(getattr(subarch, name), name, module=False, globs={})
            assert found.examples, name
            assert not any(one.options.get(doctest.SKIP) for one in found.examples), name
            assert doctest.DocTestRunner().run(found, clear_globs=False).failed == 0, name
            done[name] = found.globs
        return done[name]

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield run


@pytest.mark.parametrize("name", [*FUNCTIONS, "Predictor"])
def test_the_example_of(name: str, example: Example) -> None:
    example(name)


def test_what_compress_returns_is_what_it_has_written_and_can_be_saved(example: Example, folder: Path) -> None:
    small = example("compress")["small"]
    written = json.loads((folder / "runs" / "small" / "compress.json").read_text(encoding="utf-8"))
    assert json.loads(json.dumps(small.to_json())) == {**written, "report": small.report}
    saved = small.save_pretrained("out")
    assert subarch.Predictor.from_pretrained(saved / "export")(["a good film"]) == small(["a good film"])
    assert BertModel.from_pretrained(saved).config.num_hidden_layers == small.extract.architecture["num_hidden_layers"]


def test_every_function_has_an_example() -> None:
    assert len(FUNCTIONS) == 12
    assert all(f"subarch.{name}(" in getattr(subarch, name).__doc__ for name in FUNCTIONS)


# ---------------------------------------------------------------------- wherever Python runs: no guard

SEARCH = """
import subarch
print("begun")
found = subarch.extract(
    "mlp", space="widths.json", start="mine:error", epsilon=0.05, threads=1, run="{run}", executor="processes:1"
)
print(found.certificate.claim)
"""
MINE = """
import os
from pathlib import Path

def error(architecture, seed):
    with Path("processes.txt").open("a", encoding="utf-8") as file:
        file.write(f"{os.getpid()}\\n")
    return 1 / sum(architecture.values()) + 1e-6 * seed
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with an error function of one's own, and a space of three networks."""
    (tmp_path / "mine.py").write_text(MINE, encoding="utf-8")
    space = {f"width_{n}": [32, 64, 96] if n == 1 else [32] for n in range(1, 9)}
    (tmp_path / "widths.json").write_text(json.dumps(space), encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("way", ["script", "stdin", "-c"])
def test_helpers_start_without_a_guard(way: str, place: Path) -> None:
    program = SEARCH.format(run="run")
    (place / "script.py").write_text(program, encoding="utf-8")
    arguments = {"script": ["script.py"], "stdin": ["-"], "-c": ["-c", program]}[way]
    given = program if way == "stdin" else None
    ran = subprocess.run([sys.executable, *arguments], cwd=place, input=given, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.split() == ["begun", "w"]  # the main part ran once
    assert (
        len({*(place / "processes.txt").read_text(encoding="utf-8").split()}) == 2
    )  # the noise here, the search there


def test_a_notebook_shows_one_bar_and_the_result_as_a_table(place: Path) -> None:
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    cells = [SEARCH.format(run="run"), "found"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(place)}}).execute()
    bars = [one for one in notebook.cells[0].outputs if one.output_type == "display_data"]
    assert len(bars) == 1 and "done after" in bars[0].data["text/html"]
    printed = "".join(one.text for one in notebook.cells[0].outputs if one.output_type == "stream")
    assert printed.split() == ["begun", "w"]
    assert "<table>" in notebook.cells[1].outputs[0].data["text/html"]
    assert len({*(place / "processes.txt").read_text(encoding="utf-8").split()}) == 2


# ---------------------------------------------------------------------- what is refused


def test_what_is_no_option_is_refused_with_the_nearest() -> None:
    with pytest.raises(TypeError, match="did you mean 'speedup'"):
        subarch.compress("reviews.csv", "./my-bert", speedupp=4)
    with pytest.raises(ValueError, match="takes name by place"):
        subarch.inspect("bort", 128)


@pytest.mark.parametrize(
    ("given", "named", "words"),
    [
        (("mlp",), {"name": "mlp"}, "name was given by place and by name"),
        ((COMMANDS["inspect"], "mlp"), {}, "takes name by place, got 2 values"),
    ],
)
def test_what_is_given_twice_is_refused(given: tuple[Any, ...], named: dict[str, Any], words: str) -> None:
    with pytest.raises(TypeError, match=words):
        subarch.inspect(*given, **named)


def test_a_ready_options_object_goes_alone() -> None:
    options = subarch.ExtractOptions(source="mlp")
    with pytest.raises(ValueError, match="expected a ExtractOptions alone, got epsilon too"):
        api.extract(options, epsilon=0.1)
