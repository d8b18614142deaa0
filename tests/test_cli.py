"""The command line: wrong input gives exit 2 and one clear message; what should work works and keeps its contract."""

from __future__ import annotations

import fcntl
import importlib.metadata
import json
import os
import random
import resource
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from commands import Command, content, refused
from subarch.cli import main

TOY = ("toy:Toy", "--start", "toy:error")
NAMED = ("--family", "toy:Toy")  # code of a run is run only where it is named

# Families and functions that go wrong in one way each, as a user would have them in a file beside the run.
BROKEN = """
import math
from toy import Parts, Toy, error

class BuildRaises(Toy):
    def build(self, architecture): raise RuntimeError("no build today")

class BuildSometimes(Toy):
    def build(self, architecture):
        if architecture["depth"] == 3: raise RuntimeError("not this one")
        return super().build(architecture)

class BuildNone(Toy):
    def build(self, architecture): return None

class InputsRaise(Toy):
    def inputs(self, batch_size, sequence_length): raise RuntimeError("no inputs")

class PartsWrong(Toy):
    def parts(self, network): return Parts(("nowhere",), ("middle",))

class ProbesRaise(Toy):
    def probes(self, name): raise RuntimeError("no probes")

class InitRaises(Toy):
    def __init__(self): raise RuntimeError("no start")

class NoSpace(Toy):
    def __init__(self): self.reference = {}

def no_family(): return 3
def no_executor(): return 3
def executor_raises(): raise RuntimeError("no executor")
def leaves(*ignored): raise SystemExit(0)
def text(architecture, seed): return "abc"
def refuses(architecture, seed): raise ValueError("no value")
def late(architecture, seed):
    if seed < 1000 and architecture["depth"] < 3: raise RuntimeError("not this one")
    return error(architecture, seed)
def negative(architecture, seed): return -1.0
def zero(architecture, seed): return 0.0
def constant(architecture, seed): return 0.5
def chatty(architecture, seed):
    print("measuring", architecture)
    return error(architecture, seed)
number = 3
"""


@pytest.fixture(autouse=True)
def _broken_parts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The user's broken modules, beside the run."""
    (tmp_path / "broken_parts.py").write_text(BROKEN)
    monkeypatch.delitem(sys.modules, "broken_parts", raising=False)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certified run of the toy family; tests copy it before they change it."""
    run = tmp_path_factory.mktemp("runs") / "toy"
    assert main(["extract", *TOY, "--run", str(run), "--json"]) == 0
    return run


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "run"))


# ------------------------------------------------------------------------------------------- wrong input: the options

OPTIONS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    **{
        f"epsilon {value!r}": (("--epsilon", value), ("--epsilon", f"got {value}", "between 0 and 1"))
        for value in ("0", "1", "1.5", "-1", "nan", "inf")
    },
    "epsilon abc": (("--epsilon", "abc"), ("--epsilon", "'abc'")),
    **{
        f"interval {value}": (("--strategy", "interval", "--epsilon", value), ("--epsilon", "integer", f"got {value}"))
        for value in ("0.5", "0", "nan", "inf")
    },
    **{
        f"budget {value!r}": (("--budget", value), ("--budget", repr(value), "600s"))
        for value in ("", "x", "0", "-3", "1.5", "s", "0s", "nans", "infs")
    },
    **{f"steps {value!r}": (("--steps", value), ("--steps", repr(value))) for value in ("-1", "abc", "", "1.5", "²")},
    "limit and claim w": (("--claim", "w", "--max-macs", "9000"), ("constrained", "--claim w", "leave one")),
    "limit and claim front": (("--claim", "front", "--speedup", "2"), ("constrained", "--claim front")),
    "constrained without a limit": (("--claim", "constrained"), ("--speedup", "--max-macs")),
    "unknown claim": (("--claim", "best"), ("'best'", "'front'")),
    "unknown cost": (("--cost", "money"), ("'money'", "'macs'")),
    "unknown executor": (("--executor", "cloud"), ("'cloud'", "threads:N")),
    "no threads": (("--executor", "threads:0"), ("'threads:0'",)),
    "executor that is none": (("--executor", "broken_parts:no_executor"), ("returned int", "Executor")),
    "executor that raises": (("--executor", "broken_parts:executor_raises"), ("no executor", "Executor")),
    "executor of no module": (("--executor", "nomodule:x"), ("nomodule",)),
    "misspelt": (("--epsilom", "0.1"), ("--epsilom", "--epsilon")),
    "delta": (("--delta", "1"), ("--delta", "1.0")),
    "error floor": (("--error-floor", "-1"), ("--error-floor", "-1.0")),
    "seeds": (("--seeds", "0"), ("--seeds", "got 0")),
    "threads": (("--threads", "0"), ("--threads", "got 0")),
    "learning rate": (("--learning-rates", "0"), ("--learning-rates", "0.0")),
    "limit nan": (("--max-macs", "nan"), ("--max-macs", "nan")),
    "limit negative": (("--max-parameters", "-5"), ("--max-parameters", "-5")),
    "reference that is no file": (("--reference", "nowhere"), ("--reference", "'nowhere'", "JSON object")),
    "reference that is empty": (("--reference", "{}"), ("--reference", "{}")),
    "reference cut short": (("--reference", '{"depth":'), ("--reference", "not JSON")),
    "reference with a name missing": (("--reference", '{"depth": 4, "width": 8}'), ("inner", "reference")),
    "reference with a wrong name": (
        ("--reference", '{"depth": 4, "width": 8, "inner": 8, "x": 1}'),
        ("'x'", "reference"),
    ),
    "reference with null": (("--reference", '{"depth": null, "width": 8, "inner": 8}'), ("depth", "null")),
    "reference with a list": (("--reference", '{"depth": [4], "width": 8, "inner": 8}'), ("depth", "[4]")),
    "reference with a word": (("--reference", '{"depth": "a", "width": 8, "inner": 8}'), ("could not build", "'a'")),
    "reference smaller than all": (("--reference", '{"depth": 1, "width": 8, "inner": 8}'), ("W is 0", "--reference")),
    "parameters that nothing meets": (("--max-parameters", "1"), ("at most 1 parameters", "202", "relax")),
    "operations that nothing meets": (("--max-macs", "1"), ("at most 1 operations", "176", "relax")),
    "start that is missing": (("--start", "toy:nowhere"), ("toy:nowhere", "callable")),
    "start of no module": (("--start", "nomodule:x"), ("nomodule", "callable")),
    "start that is a number": (("--start", "broken_parts:number"), ("broken_parts:number",)),
    "inherit without weights": (("--start", "inherit"), ("'inherit'", "--start module.path:name")),
    "space of no file": (("--space", "nowhere.json"), ("--space nowhere.json", "No such file")),
    "space that is a folder": (("--space", "."), ("--space .", "directory")),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_wrong_options_write_nothing(subarch: Command, tmp_path: Path, name: str) -> None:
    given, words = OPTIONS[name]
    # The last of two equal options counts, so that --start can be given again.
    refused(subarch("extract", *TOY, "--run", tmp_path / "run", *given), *words)
    assert not (tmp_path / "run").exists()


def test_wrong_options_leave_an_existing_run_as_it_is(subarch: Command, run: Path) -> None:
    before = content(run)
    for name in ("epsilon '0'", "budget 'x'", "reference with a word", "parameters that nothing meets"):
        refused(subarch("extract", *TOY, "--run", run, *OPTIONS[name][0]))
    assert content(run) == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), ("inspect", "extract")),
        (("extrct", "toy:Toy"), ("extrct", "extract")),
        (("extract",), ("SOURCE",)),
        (("verify",), ("DIR",)),
        (("inspect", "bort", "--sequence-length", "0"), ("--sequence-length", "got 0")),
        (("inspect", "bort", "--sequence-length", "10000"), ("512", "10000")),
        (("verify", "x", "--retrain", "-1"), ("--retrain", "-1")),
        (("demo", "--epsilon", "2"), ("--epsilon", "got 2")),
        (("demo", "--speedup", "0"), ("--speedup",)),
    ],
)
def test_wrong_commands(subarch: Command, arguments: tuple[str, ...], words: tuple[str, ...]) -> None:
    refused(subarch(*arguments), *words)


def test_impossible_speed_is_refused_before_any_training(subarch: Command, tmp_path: Path) -> None:
    refused(subarch("extract", *TOY, "--run", tmp_path / "run", "--speedup", "1000"), "speed-up", "relax")
    assert not (tmp_path / "run").exists()
    # A directory that was there is left, and serves another question: a ledger without trials binds nobody.
    (tmp_path / "run").mkdir()
    refused(subarch("extract", *TOY, "--run", tmp_path / "run", "--speedup", "1000"), "speed-up", "relax")
    with closing(sqlite3.connect(tmp_path / "run" / "study.db")) as connection:
        assert connection.execute("select count(*) from trials").fetchone() == (0,)
    assert subarch("extract", *TOY, "--run", tmp_path / "run", "--max-macs", "9000").status == 0


# ------------------------------------------------------------------------------------------------ wrong input: spaces

SPACES: dict[str, tuple[str, tuple[str, ...]]] = {
    "broken": ('{"depth": [1,', ("not JSON",)),
    "a list": ("[1, 2]", ("JSON object", "list")),
    "a number": ("3", ("JSON object", "int")),
    "nothing": ("{}", ("at least one parameter",)),
    "no choices": ('{"depth": [], "width": [8], "inner": [8]}', ("'depth'", "no choices")),
    "descending": ('{"depth": [2, 1], "width": [8], "inner": [8]}', ("'depth'", "ascend", "[2, 1]")),
    "repeated": ('{"depth": [1, 1], "width": [8], "inner": [8]}', ("'depth'", "repeats")),
    "words": ('{"depth": ["a"], "width": [8], "inner": [8]}', ("'depth'", "numeric")),
    "no list": ('{"depth": 3, "width": [8], "inner": [8]}', ("a space is",)),
    "unknown names": ('{"depth": [1], "height": [2], "inner": [8]}', ("height",)),
    "nothing meets the constraint": (
        '{"depth": [1, 2], "width": [8], "inner": [8], "constraints": ["depth > 9"]}',
        ("empty", "relax"),
    ),
    "constraint on nothing": ('{"depth": [1, 2], "width": [8], "inner": [8], "constraints": ["x > 9"]}', ("'x'",)),
    "constraint that runs code": (
        '{"depth": [1, 2], "width": [8], "inner": [8], "constraints": ["print(depth)"]}',
        ("print(depth)", "allowed"),
    ),
    "constraint that divides by zero": (
        '{"depth": [1, 2], "width": [8], "inner": [8], "constraints": ["width % (depth - 1) == 0"]}',
        ("divides by zero",),
    ),
    "constraint that compares words": (
        '{"depth": [1, 2], "width": [8], "inner": [8], "constraints": ["width < \'a\'"]}',
        ("mixes numbers and strings",),
    ),
    "constraints as a word": (
        '{"depth": [1, 2], "width": [8], "inner": [8], "constraints": "depth > 1"}',
        ("list of expressions",),
    ),
    "no smaller than T": ('{"depth": [4], "width": [48], "inner": [64]}', ("W is 0", "smaller choices")),
}


@pytest.mark.parametrize("name", SPACES)
def test_wrong_spaces(subarch: Command, tmp_path: Path, name: str) -> None:
    text, words = SPACES[name]
    (tmp_path / "space.json").write_text(text)
    refused(subarch("extract", *TOY, "--run", "run", "--space", "space.json"), *words)
    assert not (tmp_path / "run").exists()


def test_limits_that_only_a_forbidden_corner_meets(subarch: Command, tmp_path: Path) -> None:
    space = '{"depth": [1, 2], "width": [8, 16], "inner": [8, 16], "constraints": ["depth + width + inner > 17"]}'
    (tmp_path / "space.json").write_text(space)
    # 176 operations at 1/8/8, which the constraint forbids (2*1*8*8 + 6*8); 304 at the next smallest.
    given = ("extract", *TOY, "--run", "run", "--space", "space.json", "--max-macs")
    refused(subarch(*given, "200"), "no architecture of the space meets the limits", "304")
    assert subarch(*given, "304").status == 0


# --------------------------------------------------------------------------------- families and functions of the user


@pytest.mark.parametrize(
    ("family", "words"),
    [
        ("BuildRaises", ("could not build", "no build today", "build()")),
        ("BuildSometimes", ("could not build", "not this one", "constraint")),
        ("BuildNone", ("torch.nn.Module", "NoneType")),
        ("InputsRaise", ("no inputs",)),
        ("PartsWrong", ("nowhere",)),
        ("ProbesRaise", ("no probes", "probes('depth')")),
        ("InitRaises", ("no start",)),
        ("NoSpace", ("no space",)),
        ("Nobody", ("Nobody",)),
        ("no_family", ("int", "Family")),
        ("number", ("not callable",)),
    ],
)
def test_broken_families(subarch: Command, tmp_path: Path, family: str, words: tuple[str, ...]) -> None:
    refused(subarch("extract", f"broken_parts:{family}", "--start", "toy:error", "--run", "run"), *words)
    assert not (tmp_path / "run").exists()
    refused(subarch("check", f"broken_parts:{family}"), words[0])


@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("toy:broken", ("RuntimeError: no training today", "toy:broken", "depth")),
        ("toy:nothing", ("toy:nothing returned nan", "finite")),
        ("broken_parts:text", ("'abc'", "broken_parts:text")),
        ("broken_parts:refuses", ("no value", "broken_parts:refuses")),
        ("broken_parts:negative", ("returned -1.0",)),
        ("broken_parts:zero", ("strictly positive",)),
        ("broken_parts:leaves", ("ended the program",)),
        ("broken_parts:late", ("not this one",)),
    ],
)
def test_failures_of_the_work_exit_1_and_keep_the_ledger(
    subarch: Command, tmp_path: Path, function: str, words: tuple[str, ...]
) -> None:
    refused(subarch("extract", "toy:Toy", "--start", function, "--run", "run"), *words, status=1)
    assert not (tmp_path / "run" / "certificate.json").exists()
    refused(subarch("extract", "toy:Toy", "--start", function, "--run", "run"), *words, status=1)  # resumed, and again


def test_a_family_that_ends_the_program_is_a_failure(subarch: Command) -> None:
    refused(subarch("extract", "broken_parts:leaves", "--run", "run"), "ended the program", status=1)


def test_errors_without_any_spread_certify_nothing(subarch: Command) -> None:
    ran = subarch("extract", "toy:Toy", "--start", "broken_parts:constant", "--run", "run", "--json")
    assert ran.status == 0
    assert ran.json["certificate"]["verdict"] == "unresolved"
    assert ran.json["certificate"]["spread"] == 0


# ---------------------------------------------------------------------------------------------- wrong run directories


@pytest.mark.parametrize("where", ["/dev/null/run", "file", "file/below", "x" * 300])
def test_directories_that_cannot_be_made(subarch: Command, tmp_path: Path, where: str) -> None:
    (tmp_path / "file").write_text("kept")
    refused(subarch("extract", *TOY, "--run", where), "run directory", "another --run")
    assert (tmp_path / "file").read_text() == "kept"


def test_a_directory_that_cannot_be_written(subarch: Command, tmp_path: Path) -> None:
    (tmp_path / "run" / ".lock").mkdir(parents=True)  # as for a directory without write permission, which root ignores
    refused(subarch("extract", *TOY, "--run", "run"), "cannot be written")


@pytest.fixture
def small_disk() -> Iterator[Callable[[int], None]]:
    """Limits every file to so many bytes: what is written beyond fails, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit(size: int) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size if size else soft, hard))

    yield limit
    limit(0)


@pytest.mark.parametrize("size", [1_000, 50_000, 150_000])
def test_a_full_disk(subarch: Command, small_disk: Callable[[int], None], tmp_path: Path, size: int) -> None:
    small_disk(size)  # enough for nothing, for half of an empty ledger, for all but the report
    ran = subarch("extract", *TOY, "--run", "run")
    small_disk(0)
    refused(ran, "run/", "room", status=1)  # nobody's input: the work failed
    assert not list((tmp_path / "run").glob("*.part")) and not list((tmp_path / "run").glob(".*.part"))
    for path in (tmp_path / "run").glob("*.json"):
        json.loads(path.read_text())  # whole or absent
    assert subarch("extract", *TOY, "--run", "run").status == 0
    assert subarch("verify", "run", *NAMED).status == 0


def identity(run: Path, **changes: Any) -> None:
    with sqlite3.connect(run / "study.db") as connection:
        (text,) = connection.execute("select value_json from study_user_attributes where key = 'identity'").fetchone()
        changed = json.dumps({**json.loads(text), **changes})
        connection.execute("update study_user_attributes set value_json = ? where key = 'identity'", (changed,))


@pytest.mark.parametrize(
    ("changes", "word"), [({"version": "0.0.9"}, "0.0.9"), ({"format": 7}, "format"), ({"cost": "money"}, "money")]
)
def test_a_run_of_another_version(subarch: Command, run: Path, changes: dict[str, Any], word: str) -> None:
    identity(run, **changes)
    before = content(run)
    refused(subarch("extract", *TOY, "--run", run), "other settings", word, "another --run")
    assert content(run) == before


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ((*TOY, "--space", "space.json"), "space"),
        ((*TOY, "--space", "space.json", "--steps", "3"), "space"),
        (("toy:Toy", "--start", "toy:flat"), "toy:flat"),
        (("toy:Toy", "--start", "toy:flat", "--steps", "3"), "toy:flat"),
        ((*TOY, "--seeds", "2"), "seeds"),
        ((*TOY, "--cost", "latency_ms"), "cost"),
        ((*TOY, "--sequence-length", "64"), "sequence_length"),
        ((*TOY, "--reference", '{"depth": 5, "width": 48, "inner": 64}'), "reference"),
    ],
)
def test_a_run_of_something_else(
    subarch: Command, run: Path, tmp_path: Path, given: tuple[str, ...], word: str
) -> None:
    (tmp_path / "space.json").write_text('{"depth": [1, 2], "width": [8, 16], "inner": [8, 16]}')
    before = content(run)
    refused(subarch("extract", *given, "--run", run), "other settings", word, "another --run")
    assert content(run) == before
    assert subarch("verify", run, *NAMED).status == 0


@pytest.mark.parametrize("damage", [b"rubbish" * 1000, b""])
def test_a_damaged_ledger(subarch: Command, run: Path, damage: bytes) -> None:
    (run / "study.db").write_bytes(damage)
    if damage:
        refused(subarch("extract", *TOY, "--run", run), "study.db")
        verified = subarch("verify", run, *NAMED, "--json")
        assert verified.status == 1 and "study.db" in verified.json["reason"]
    else:
        assert subarch("verify", run, *NAMED).status == 1


def test_another_process_holds_the_run(subarch: Command, run: Path) -> None:
    before = content(run)
    with (run / ".lock").open("r+") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        refused(subarch("extract", *TOY, "--run", run), "another process", "--run")
        assert content(run) == before
    assert subarch("extract", *TOY, "--run", run).status == 0


@pytest.mark.parametrize("command", ["verify", "report"])
@pytest.mark.parametrize("where", ["empty", "nowhere", "file"])
def test_what_is_no_run(subarch: Command, tmp_path: Path, command: str, where: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    refused(subarch(command, where), where, "extract")
    assert not any((tmp_path / "empty").iterdir())


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", '{"verdict": "certified"}'])
@pytest.mark.parametrize("file", ["certificate.json", "extract.json", "manifest.json"])
def test_damaged_documents(subarch: Command, run: Path, file: str, text: str) -> None:
    (run / file).write_text(text)
    ran = subarch("report", run)
    assert ran.status in (0, 2) and "Traceback" not in ran.err and (ran.status == 0 or file in ran.err), ran
    ran = subarch("verify", run, *NAMED)
    assert ran.status in (1, 2) and (ran.status == 2 or Path(file).stem in ran.err), ran
    assert "work failed" not in ran.err, ran
    if file == "certificate.json":
        refused(subarch("check", "toy:Toy", "--run", run))


# --------------------------------------------------------------------------------------------------- wrong checkpoints


@dataclass(frozen=True)
class Checkpoints:
    """Tiny networks of every kind, a tokenizer, a corpus, a space and labelled texts, on disk."""

    folder: Path

    def __getitem__(self, name: str) -> Path:
        return self.folder / name

    def options(self, *more: object) -> tuple[object, ...]:
        return ("--steps", 2, "--threads", 1, "--space", self["space.json"], "--corpus", self["corpus.txt"], *more)


def grammar(chooser: random.Random) -> str:
    """One document of twelve sentences; some 170 words."""
    nouns = ["cat", "dog", "house", "river", "mountain", "student", "teacher", "engine", "garden", "letter"]
    verbs = ["sees", "finds", "builds", "follows", "opens", "reads", "paints", "carries"]
    kinds = ["old", "small", "bright", "quiet", "heavy", "green", "narrow", "early"]
    pick = chooser.choice
    return " ".join(
        f"the {pick(kinds)} {pick(nouns)} {pick(verbs)} a {pick(kinds)} {pick(nouns)} near the {pick(nouns)} "
        f"number {chooser.randrange(100)}."
        for _ in range(12)
    )


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Checkpoints:
    import torch
    import transformers as stock

    from subarch.text.tokenizers import train_tokenizer

    folder = tmp_path_factory.mktemp("tiny")
    chooser = random.Random(0)
    documents = [grammar(chooser) for _ in range(900)]
    (folder / "corpus.txt").write_text("\n\n".join(documents))
    (folder / "labelled.csv").write_text(
        "text,label\n" + "".join(f"{text},{'yx'[n % 2]}\n" for n, text in enumerate(documents[:200]))
    )
    (folder / "space.json").write_text(
        json.dumps({"num_hidden_layers": [1, 2], "hidden_size": [16, 32], "intermediate_size": [32, 64]})
    )
    tokenizer = train_tokenizer(documents, 300)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    words = {"vocab_size": len(tokenizer), "max_position_embeddings": 132}
    bert = stock.BertConfig(**sizes, **words)
    torch.manual_seed(0)
    networks = {
        "classifier": stock.BertForSequenceClassification(stock.BertConfig(**sizes, **words, num_labels=3)),
        "masked-lm": stock.BertForMaskedLM(bert),
        "encoder": stock.BertModel(bert),
        "roberta": stock.RobertaModel(stock.RobertaConfig(**sizes, **words, pad_token_id=0)),
        "decoder": stock.GPT2LMHeadModel(
            stock.GPT2Config(n_embd=32, n_layer=1, n_head=2, vocab_size=300, bos_token_id=1, eos_token_id=1)
        ),
        "bert-decoder": stock.BertLMHeadModel(stock.BertConfig(**sizes, **words, is_decoder=True)),
        "image": stock.ViTModel(stock.ViTConfig(**sizes, image_size=32, patch_size=16)),
    }
    for name, network in networks.items():
        network.save_pretrained(folder / name)
        tokenizer.save_pretrained(folder / name)
    return Checkpoints(folder)


def config(**changes: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    return change


DAMAGE: dict[str, Callable[[Path], Any]] = {
    "no config": lambda folder: (folder / "config.json").unlink(),
    "broken config": lambda folder: (folder / "config.json").write_text("{broken"),
    "config that is a list": lambda folder: (folder / "config.json").write_text("[]"),
    "config without a type": lambda folder: (folder / "config.json").write_text("{}"),
    "no weights": lambda folder: (folder / "model.safetensors").unlink(),
    "rubbish for weights": lambda folder: (folder / "model.safetensors").write_bytes(b"rubbish"),
    "weights cut short": lambda folder: os.truncate(folder / "model.safetensors", 5000),
    "another type": config(model_type="unheard"),
    "size in words": config(hidden_size="big"),
    "heads that do not divide": config(num_attention_heads=5),
    "weights of another size": config(hidden_size=64),
    "weights of fewer layers": config(num_hidden_layers=3),
    "no tokenizer": lambda folder: [path.unlink() for path in folder.glob("token*")],
}


def damaged(tiny: Checkpoints, to: Path, kind: str) -> Path:
    """A copy of the tiny classifier with one thing wrong."""
    shutil.copytree(tiny["classifier"], to)
    DAMAGE[kind](to)
    return to


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("no config", ("config.json", "no checkpoint")),
        ("broken config", ("config.json", "not valid JSON")),
        ("config that is a list", ("JSON object", "list")),
        ("config without a type", ("model_type",)),
        ("no weights", ("no weights", "model.safetensors")),
        ("rubbish for weights", ("weights", "is the checkpoint whole")),
        ("weights cut short", ("weights", "is the checkpoint whole")),
        ("another type", ("unheard",)),
        ("size in words", ("hidden_size",)),
        ("heads that do not divide", ("num_attention_heads 5",)),
        ("weights of another size", ("weights", "belong together")),
        ("weights of fewer layers", ("lack", "layer.2", "belong together")),
        ("no tokenizer", ("tokenizer", "without any words")),
    ],
)
def test_damaged_checkpoints(
    subarch: Command, tiny: Checkpoints, tmp_path: Path, kind: str, words: tuple[str, ...]
) -> None:
    refused(subarch("extract", damaged(tiny, tmp_path / "source", kind), "--run", "run", *tiny.options()), *words)


def test_damage_is_mended_in_the_same_run(subarch: Command, tiny: Checkpoints, tmp_path: Path) -> None:
    folder = damaged(tiny, tmp_path / "source", "no tokenizer")
    refused(subarch("extract", folder, "--run", "run", *tiny.options()), "tokenizer")
    given = ("extract", folder, "--run", "run", *tiny.options("--tokenizer", tiny["encoder"], "--budget", 1))
    assert subarch(*given).status == 0


@pytest.mark.parametrize(("name", "word"), [("decoder", "gpt2"), ("bert-decoder", "decoder"), ("image", "vit")])
def test_checkpoints_of_another_kind(subarch: Command, tiny: Checkpoints, tmp_path: Path, name: str, word: str) -> None:
    for command in (("extract", tiny[name], "--run", "run", *tiny.options()), ("inspect", tiny[name])):
        refused(subarch(*command), "expected an encoder", word)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["no-such-network", "toy:Nobody", "nomodule:Name", "/nowhere/at/all", "a/b/c"])
def test_sources_that_are_none(subarch: Command, tmp_path: Path, name: str) -> None:
    refused(subarch("extract", name, "--run", "run"), name)
    refused(subarch("check", name), name)
    refused(subarch("inspect", name), name, "bert-large")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("space", "words"),
    [
        ({"depth": [1, 2]}, ("num_hidden_layers", "['depth']")),
        ({"num_hidden_layers": [1, 2, 8]}, ("up to 8", "only 2", "scratch")),
        ({"hidden_size": [20, 32]}, ("head size 8",)),
        ({"num_hidden_layers": [0, 1]}, ("positive integers",)),
        ({"num_attention_heads": [2, 4]}, ("unordered",)),
        (
            {
                "parameters": [
                    {"name": "num_attention_heads", "choices": [2, 4], "ordered": False},
                    {"name": "hidden_size", "choices": [16, 32]},
                ]
            },
            ("size 8", "constraint"),
        ),
        ({"hidden_size": [32]}, ("W is 0",)),
    ],
)
def test_spaces_that_do_not_fit_the_source(
    subarch: Command, tiny: Checkpoints, tmp_path: Path, space: dict[str, Any], words: tuple[str, ...]
) -> None:
    (tmp_path / "space.json").write_text(json.dumps(space))
    refused(subarch("extract", tiny["encoder"], "--run", "run", "--space", "space.json"), *words)
    assert not (tmp_path / "run").exists()


# ---------------------------------------------------------------------------------------------------------- wrong text

CORPORA: dict[str, tuple[bytes | None, tuple[str, ...]]] = {
    "missing.txt": (None, ("nothing there",)),
    "empty.txt": (b"", ("empty",)),
    "binary.txt": (bytes(range(256)) * 20, ("binary",)),
    "word.docx": (b"text", (".docx", ".txt")),
    "broken.jsonl": (b"{broken\n", ("row 1", "JSON object")),
}


@pytest.mark.parametrize("name", CORPORA)
def test_wrong_corpora_write_nothing(subarch: Command, tiny: Checkpoints, tmp_path: Path, name: str) -> None:
    data, words = CORPORA[name]
    if data is not None:
        (tmp_path / name).write_bytes(data)
    refused(subarch("extract", tiny["encoder"], "--run", "run", "--corpus", name), name, *words)
    assert not (tmp_path / "run").exists()


def test_a_folder_without_text(subarch: Command, tiny: Checkpoints, tmp_path: Path) -> None:
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "one.pdf").write_bytes(b"x")
    refused(subarch("extract", tiny["encoder"], "--run", "run", "--corpus", "papers"), "papers", ".txt", "none")
    assert not (tmp_path / "run").exists()


def test_a_corpus_that_is_too_short_and_then_another(subarch: Command, tiny: Checkpoints, tmp_path: Path) -> None:
    (tmp_path / "short.txt").write_text("the cat sees a dog.")
    given = ("extract", tiny["encoder"], "--run", "run", "--budget", 1)
    refused(subarch(*given, *tiny.options()[:-2], "--corpus", "short.txt"), "short.txt", "blocks", "longer corpus")
    assert subarch(*given, *tiny.options()).status == 0  # the same directory: nothing was measured in it


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (None, ("no such file",)),
        ("", ("empty",)),
        ("a,b\n1,2\n", ("'text'", "'label'", "['a', 'b']")),
        ("text,label\n" + "".join(f"word number {n},x\n" for n in range(30)), ("two classes", "'x'")),
        ("text,label\nhello there,x\nthere you,y\n", ("three different texts",)),
    ],
)
def test_wrong_labelled_text(
    subarch: Command, tiny: Checkpoints, tmp_path: Path, data: str | None, words: tuple[str, ...]
) -> None:
    if data is not None:
        (tmp_path / "data.csv").write_text(data)
    refused(subarch("extract", tiny["classifier"], "--run", "run", "--data", "data.csv"), "data.csv", *words)
    assert not (tmp_path / "run").exists()


# -------------------------------------------------------------------------------------------- what works: the contract

EXTRACT_KEYS = {"architecture", "parameters", "macs", "latency_ms", "error", "w", "front", "picks", "certificate"}
POINT_KEYS = {"architecture", "parameters", "macs", "latency_ms", "error"}
CERTIFICATE_KEYS = {
    *("claim", "verdict", "epsilon", "achieved", "delta"),
    *("evaluated", "space_size", "spread", "noise", "violations"),
}


def kept_contract(result: dict[str, Any], run: Path) -> None:
    assert result.keys() >= EXTRACT_KEYS
    assert result["front"] and all(point.keys() >= POINT_KEYS for point in result["front"])
    assert result["picks"].keys() == {"w", "knee", "constrained"}
    assert result["certificate"].keys() >= CERTIFICATE_KEYS
    assert json.loads((run / "extract.json").read_text()) == result
    assert json.loads((run / "certificate.json").read_text()) == result["certificate"]
    for name in ("manifest.json", "study.db", "architecture.json", "report.html"):
        assert (run / name).stat().st_size > 0


@pytest.mark.parametrize(
    ("given", "claim"),
    [
        ((), "w"),
        (("--max-macs", "9000"), "constrained"),
        (("--speedup", "1.2"), "constrained"),
        (("--claim", "front"), "front"),
        (("--strategy", "interval", "--epsilon", "7"), "w"),
        (("--strategy", "exhaustive"), "w"),
        (("--error-floor", "0.02"), "w"),
        (("--delta", "0.05"), "w"),
        (("--cost", "latency_ms"), "w"),
        (("--executor", "threads:2"), "w"),
    ],
)
def test_extract_verify_and_report(subarch: Command, tmp_path: Path, given: tuple[str, ...], claim: str) -> None:
    ran = subarch("extract", *TOY, "--run", "run", *given, "--json")
    assert ran.status == 0, ran
    kept_contract(ran.json, tmp_path / "run")
    certificate = ran.json["certificate"]
    assert certificate["claim"] == claim
    if "interval" not in given:
        assert certificate["verdict"] == "certified"
        assert certificate["achieved"] <= certificate["epsilon"]
    if claim == "constrained" and "--max-macs" in given:
        assert ran.json["macs"] <= 9000
    if "exhaustive" in given:
        assert certificate["evaluated"] == certificate["space_size"] == 80
    verified = subarch("verify", "run", *NAMED, "--json")
    assert verified.status == 0 and verified.json["accepted"] is True
    assert verified.json["achieved"] == certificate["achieved"] and verified.json["reason"]
    told = subarch("report", "run", "--json")
    assert told.status == 0 and Path(told.json["path"]).is_file()


def test_without_json_standard_output_stays_empty(subarch: Command, run: Path) -> None:
    for command in (("verify", run, *NAMED), ("report", run), ("extract", *TOY, "--run", run)):
        ran = subarch(*command)
        assert (ran.status, ran.out) == (0, "")
        assert ran.err


def test_inspect_and_check(subarch: Command, tiny: Checkpoints) -> None:
    ran = subarch("inspect", tiny["classifier"], "--json")
    assert ran.status == 0
    parameters = ran.json["parameters"]
    assert parameters.keys() >= {"total", "embedding", "encoder", "pooler", "mlm_head"}
    # By hand: a layer has 4 * (32 * 32 + 32) + (32 * 64 + 64) + (64 * 32 + 32) + 4 * 32 parameters.
    assert parameters["encoder"] == 2 * 8544
    assert parameters["total"] == parameters["embedding"] + parameters["encoder"]
    assert {"macs_per_token", "conventions"} <= ran.json.keys()
    ran = subarch("check", "toy:Toy", "--json")
    assert ran.status == 0
    assert ran.json["verdict"] in ("strong", "weak")
    assert all(clause.keys() >= {"name", "verdict", "evidence"} for clause in ran.json["clauses"])
    for command in (("inspect", tiny["classifier"]), ("check", "toy:Toy")):
        ran = subarch(*command)
        assert (ran.status, ran.out) == (0, "")
        assert ran.err


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How many times the toy's error was asked for."""
    log = tmp_path / "trained.log"
    monkeypatch.setenv("SUBARCH_TEST_LOG", str(log))
    return lambda: len(log.read_text().splitlines()) if log.is_file() else 0


def test_the_same_command_trains_nothing_anew(subarch: Command, run: Path, trained: Callable[[], int]) -> None:
    before = json.loads((run / "certificate.json").read_text())
    ran = subarch("extract", *TOY, "--run", run, "--json")
    assert (ran.status, trained()) == (0, 0)
    same = {"created", "digest"}
    assert {k: v for k, v in ran.json["certificate"].items() if k not in same} == {
        k: v for k, v in before.items() if k not in same
    }


def test_a_smaller_epsilon_uses_what_was_trained(subarch: Command, run: Path, trained: Callable[[], int]) -> None:
    before = json.loads((run / "certificate.json").read_text())["evaluated"]
    ran = subarch("extract", *TOY, "--run", run, "--epsilon", "0.05", "--json")
    certificate = ran.json["certificate"]
    assert certificate["verdict"] == "certified" and certificate["achieved"] <= 0.05
    assert 0 < trained() == certificate["evaluated"] - before
    assert subarch("verify", run, *NAMED).status == 0


def test_a_budget_stops_honestly_and_is_continued(
    subarch: Command, finished: Path, tmp_path: Path, trained: Callable[[], int]
) -> None:
    ran = subarch("extract", *TOY, "--run", "run", "--budget", "3", "--json")
    assert ran.status == 0
    certificate = ran.json["certificate"]
    assert (certificate["verdict"], certificate["evaluated"]) == ("no guarantee", 3)
    assert certificate["achieved"] > 0.1 and "Stopped early" in certificate["reason"]
    assert not any(pick and pick["certified"] for pick in ran.json["picks"].values())
    assert subarch("verify", "run", *NAMED).status == 0
    assert trained() == 3 + certificate["repeats"]
    ran = subarch("extract", *TOY, "--run", "run", "--json")
    assert ran.json["certificate"]["verdict"] == "certified"
    assert trained() == ran.json["certificate"]["evaluated"] + ran.json["certificate"]["repeats"]
    undisturbed = json.loads((finished / "certificate.json").read_text())
    assert ran.json["certificate"]["ledger_hash"] == undisturbed["ledger_hash"]


def test_a_budget_of_no_time_at_all(subarch: Command) -> None:
    refused(subarch("extract", *TOY, "--run", "run", "--budget", "0.000001s"), "budget", "give more")
    assert subarch("extract", *TOY, "--run", "run").status == 0


def test_steps_auto_ends_unresolved_where_the_errors_are_flat(subarch: Command) -> None:
    ran = subarch("extract", "toy:Toy", "--start", "toy:flat", "--steps", "auto", "--run", "run", "--json")
    assert ran.status == 0
    certificate = ran.json["certificate"]
    assert (certificate["verdict"], certificate["resolved"]) == ("unresolved", False)
    assert "Size and speed alone decided" in certificate["reason"]
    assert certificate["steps"] == 640  # doubled from 10 as long as it may be
    assert subarch("verify", "run", *NAMED).status == 0


@pytest.mark.parametrize("name", ["classifier", "masked-lm", "encoder", "roberta"])
def test_checkpoints_give_stock_networks(subarch: Command, tiny: Checkpoints, tmp_path: Path, name: str) -> None:
    import torch
    from transformers import AutoConfig, AutoModel

    ran = subarch("extract", tiny[name], "--run", "run", *tiny.options("--epsilon", 0.3, "--json"))
    assert ran.status == 0, ran
    kept_contract(ran.json, tmp_path / "run")
    assert ran.json["certificate"]["verdict"] in ("certified", "unresolved")
    assert ran.json["certificate"]["space_size"] == 8
    (tmp_path / "stock").mkdir()
    shutil.copy(tmp_path / "run" / "architecture.json", tmp_path / "stock" / "config.json")
    config = AutoConfig.from_pretrained(tmp_path / "stock")
    assert {key: getattr(config, key) for key in ran.json["architecture"]} == ran.json["architecture"]
    model = AutoModel.from_config(config).eval()
    states = model(input_ids=torch.randint(5, config.vocab_size, (2, 100))).last_hidden_state
    assert states.shape == (2, 100, ran.json["architecture"]["hidden_size"])
    backbone = sum(p.numel() for n, p in model.named_parameters() if not n.startswith("pooler"))
    assert backbone == ran.json["parameters"]
    assert subarch("verify", "run", "--retrain", 1).status == 0


def test_labelled_text_and_a_limit(subarch: Command, tiny: Checkpoints, tmp_path: Path) -> None:
    given = tiny.options("--data", tiny["labelled.csv"], "--max-macs", 1_500_000, "--epsilon", 0.3, "--json")
    ran = subarch("extract", tiny["classifier"], "--run", "run", *given)
    assert ran.status == 0, ran
    kept_contract(ran.json, tmp_path / "run")
    assert ran.json["certificate"]["claim"] == "constrained" and ran.json["macs"] <= 1_500_000
    assert 0 <= ran.json["error"] <= 1


# ------------------------------------------------------------------------------------------------------ as a process


def process(*arguments: object, **environment: str) -> subprocess.Popen[str]:
    paths = os.pathsep.join([*(p for p in sys.path if p), str(Path(__file__).parent / "extraction")])
    return subprocess.Popen(
        [sys.executable, "-m", "subarch", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", **environment},
        # Started in the background of a script, this process ignores Ctrl-C, and its children would inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys, subarch, subarch.cli\n"
        "commands = ('inspect', 'check', 'extract', 'verify', 'report', 'demo')\n"
        "for arguments in (['--help'], *([command, '--help'] for command in commands)):\n"
        "    assert subarch.cli.main(arguments) == 0\n"
        "heavy = {'torch', 'transformers', 'optuna', 'plotly', 'pyarrow', 'sklearn', 'scipy', 'datasets', 'numpy'}\n"
        "sys.exit(' '.join(sorted(heavy & set(sys.modules))) or 0)\n"
    )
    paths = os.pathsep.join(p for p in sys.path if p)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": paths}
    )
    assert done.returncode == 0, done.stderr
    for word in ("inspect", "check", "extract", "verify", "report", "demo"):
        assert word in done.stdout


def test_interrupted_and_resumed_as_a_process(subarch: Command, tmp_path: Path, finished: Path) -> None:
    run, log = tmp_path / "run", tmp_path / "log"
    given = ("extract", *TOY, "--run", run, "--json")
    started = process(*given, SUBARCH_TEST_LOG=str(log))
    while started.poll() is None and not (log.is_file() and len(log.read_text().splitlines()) >= 6):
        time.sleep(0.01)
    started.send_signal(signal.SIGSTOP)  # it holds the run for as long as we look
    refused(subarch("extract", *TOY, "--run", run), "another process")
    started.send_signal(signal.SIGINT)
    started.send_signal(signal.SIGCONT)
    out, err = started.communicate(timeout=60)
    assert (started.returncode, out) == (130, ""), err
    assert "interrupted" in err and "same --run" in err and "Traceback" not in err
    assert not (run / "certificate.json").exists()
    resumed = subarch(*given)
    assert resumed.status == 0
    undisturbed = json.loads((finished / "certificate.json").read_text())
    assert resumed.json["certificate"]["ledger_hash"] == undisturbed["ledger_hash"]


def test_what_a_function_of_the_user_s_prints_is_kept_from_the_one_object(subarch: Command, tmp_path: Path) -> None:
    found = subarch("extract", "toy:Toy", "--start", "broken_parts:chatty", "--run", tmp_path / "run", "--json")
    assert found.json["certificate"]["verdict"] == "certified" and "measuring" in found.err


def test_the_version_is_the_package_s(subarch: Command) -> None:
    found = subarch("--version")
    assert (found.status, found.out) == (0, f"subarch {importlib.metadata.version('subarch')}\n")


def test_python_m_subarch_exits_with_the_status() -> None:
    refusing = process("inspect", "/nowhere/at/all")
    out, err = refusing.communicate(timeout=60)
    assert (refusing.returncode, out) == (2, "")
    assert err.count("\n") == 1 and err.startswith("subarch: ")


def test_one_training_that_closes_the_bound_gets_a_contrast(subarch: Command, tmp_path: Path) -> None:
    """Limits that everything meets: the largest network is the answer at once, and one error tells no spread."""
    found = subarch("extract", *TOY, "--max-parameters", "1e12", "--run", tmp_path / "wide", "--json").json
    certificate = found["certificate"]
    sizes = sorted(trial["parameters"] for trial in found["trained"])
    assert certificate["evaluated"] == len(sizes) == 2 and sizes[0] < sizes[1] == found["parameters"]
    assert certificate["verdict"] == "certified" and certificate["spread"] > 0
    assert subarch("verify", tmp_path / "wide", *NAMED, "--json").json["accepted"]


# ------------------------------------------------------------------------------------------------- the surroundings


@pytest.mark.parametrize("command", ["subarch --help", "subarch extract --help", "subarch inspect bort --json"])
def test_output_that_nobody_reads_ends_in_silence(command: str) -> None:
    """As after ``| head -1``, which leaves when it has its line; here at once."""
    for closed in (1, 2):
        reading, writing = os.pipe()
        os.close(reading)
        process = subprocess.Popen(
            [sys.executable, "-m", *command.split()],
            stdout=writing if closed == 1 else subprocess.DEVNULL,
            stderr=writing if closed == 2 else subprocess.PIPE,
        )
        os.close(writing)
        _, err = process.communicate()
        assert not any(word in (err or b"") for word in (b"BrokenPipe", b"Traceback", b"ignored")), err
        assert process.returncode in (0, 141)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
@pytest.mark.parametrize("command", ["--version", "--help", "extract --help", "inspect bort --json"])
@pytest.mark.parametrize("where", ["> /dev/full", ">&-"])
def test_standard_output_that_cannot_be_written_is_told(command: str, where: str) -> None:
    """As on a disk that is full, or after ``>&-``; what was to be written is lost, so it is not a success."""
    line = f"exec {shlex.quote(sys.executable)} -m subarch {command} {where}"
    process = subprocess.run(["/bin/sh", "-c", line], stderr=subprocess.PIPE, text=True, check=False)
    assert process.returncode == 1 and "standard output cannot be written: " in process.stderr
    assert "Traceback" not in process.stderr and "ignored" not in process.stderr


def test_debug_shows_the_traceback_anywhere_and_nothing_else_does(subarch: Command, tmp_path: Path) -> None:
    missing = ("verify", tmp_path / "nowhere")
    refused(subarch(*missing))
    for words in (("--debug", *missing), (missing[0], "--debug", missing[1]), (*missing, "--debug")):
        ran = subarch(*words)
        assert ran.status == 2 and "Traceback" in ran.err and "verification.py" in ran.err


def test_what_a_library_raises_is_a_failure_of_the_work(subarch: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """torch's ValueError is not the user's; the program's own is, and a closed file that a library opens may be."""
    import numpy as np

    from subarch.errors import InputError, as_input
    from subarch.networks import inspection

    def library(*given: object) -> None:
        np.concatenate([np.zeros(2), np.zeros((2, 2))])  # raised by compiled code of a function of the tests

    monkeypatch.setattr(inspection, "inspect_network", library)
    ran = subarch("inspect", "bort")
    refused(ran, "ValueError", "--debug", status=1)
    monkeypatch.undo()
    refused(subarch("inspect", "no-such-network"))
    full = OSError("could not write runs/a.json: free some room")
    full.__cause__ = OSError(28, "No space left on device")
    assert as_input(full) is None
    assert isinstance(as_input(FileNotFoundError(2, "No such file")), InputError)


STUBBORN = """
import sys, threading, time
from subarch import cli
def stubborn(*given):
    print("begun", flush=True, file=sys.__stdout__)
    while True:
        try:
            time.sleep(600)
        except KeyboardInterrupt:
            pass  # as a library that swallows it, or does not come back to Python
sys.argv = ["subarch", "inspect", "bort"]
cli.COMMANDS = {**cli.COMMANDS, "inspect": (cli.options_class("inspect"), stubborn)}
sys.exit(cli.main())
"""


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_ends_what_does_not_listen(times: int) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", STUBBORN],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout is not None and process.stdout.readline() == "begun\n"
    began = time.monotonic()
    for _ in range(times):
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and "same command" in err
    assert time.monotonic() - began < (7 if times == 1 else 3)  # five seconds and one, on a machine that is not busy
