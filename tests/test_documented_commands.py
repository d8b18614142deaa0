"""Documentation does what it says: every command line of it is executed, in a folder with the files that it names."""

from __future__ import annotations

import json
import os
import random
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import WORDS, encoder, reviews, write

from commands import Command
from subarch.cli import main
from subarch.learning.checkpoints import save_checkpoint
from subarch.learning.heads import Target, from_checkpoint
from subarch.tasks.submissions import Answer, write_archive
from subarch.tasks.suites import SUITES, find_task
from subarch.text.examples import Example
from subarch.text.tokenizers import train_tokenizer

pytest.importorskip("onnxruntime")

REPOSITORY = Path(__file__).resolve().parent.parent
PAGES = (REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md")))
# Fences come in pairs: looked for one at a time, the end of a Python block would pass for the beginning of another.
BLOCK = re.compile(r"^```(.*)\n((?s:.*?))^```$", re.MULTILINE)
LAYOUT = "src/subarch/"  # what the one block without a language begins with that holds no commands: the list of files

ELSEWHERE = {
    "make demo",  # installs, then what `subarch demo` does
    "make test",  # would run this file again
    'pip install "subarch[export]"',  # continuous integration does that with the built wheel on bare machines
    # tests/jobs/test_compress.py asks a finished run for rivals, without making one anew
    "subarch compress --data reviews.csv --teacher ./my-bert --speedup 4 --run runs/reviews --confirm 4",
    "subarch demo",  # takes minutes: tests/jobs/test_demo.py, marked slow
}


def blocks(page: Path) -> Iterator[str]:
    """The blocks of a page that are for a shell."""
    for language, block in BLOCK.findall(page.read_text(encoding="utf-8")):
        if language in ("", "sh", "bash", "console") and not block.startswith(LAYOUT):
            yield block.replace("\\\n", " ")


def lines() -> Iterator[str]:
    """Every line of them without its comment, once."""
    found = (line for page in PAGES for block in blocks(page) for line in block.splitlines())
    bare = (re.sub(r"(^| +)#.*", "", line).removeprefix("$ ").strip() for line in found)
    yield from dict.fromkeys(filter(None, bare))


LINES = tuple(lines())
EXECUTED = tuple(line for line in LINES if line not in ELSEWHERE)


# --- the same, but small ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """How a command is made small, and what it leaves.

    Args:
        small: options that are added to those of the line; of an option that is given twice the last one counts.
        without: what the command makes anew, or what would be in its way.
        leaves: files that it promises, as patterns; ``{run}`` is its run directory, given or new.
        says: what it tells on standard error.
    """

    small: str = ""
    without: tuple[str, ...] = ()
    leaves: tuple[str, ...] = ()
    says: str = ""


CANDIDATES = "--space space.json --steps 2 --batch-size 8 --held-out 16 --epsilon 0.5 --threads 1"
TRAINING = "--epochs 1 --seeds 1 --learning-rates 3e-3 --batch-size 16 --max-length 32 --threads 1"
PRETRAINING = "--steps 4 --batch-size 4 --sequence-length 32 --held-out 16 --workers 0 --threads 1"
TIMES = "--rounds 1 --runtime pytorch --precision float32 --threads 1 --no-memory"
SPEEDUP = "--speedup 1.1"  # three and four times is more than a network with two layers has to offer
STAGES = """
    extract.space=space.json extract.runtime=pytorch extract.steps=2 extract.batch_size=8 extract.held_out=16
    extract.epsilon=0.5
    pretrain.steps=4 pretrain.sequence_length=32 pretrain.batch_size=4 pretrain.held_out=16
    teacher.max_length=32 teacher.learning_rates=[3e-3] teacher.epochs=1
    finetune.epochs=1 finetune.seeds=1 finetune.max_length=32 finetune.learning_rates=[3e-3]
    'ladder.rungs=["constant","tfidf"]' ladder.rounds=1
    agora.weak_teacher=true agora.rounds=1 agora.replays=0 agora.per_mistake=2
    'export.artifacts=["onnx"]'
    'bench.runtime=["pytorch","onnxruntime"]' 'bench.precision=["float32"]' bench.rounds=1 bench.memory=false
"""

SEARCHED = tuple(f"{{run}}/{name}" for name in ("certificate.json", "architecture.json", "extract.json", "report.html"))
TUNED = ("{run}/finetune/**/finetune.json", "{run}/finetune/**/checkpoint/model.safetensors")
PRETRAINED = ("{run}/pretrain/model.safetensors", "{run}/pretrain/log.jsonl")
CARD = "{run}/finetune/reviews/checkpoint/README.md"
COMPRESSED = (*SEARCHED, *TUNED, CARD, "{run}/compress.json", "{run}/recipe.toml", "{run}/export/export.json")

# By the beginning of the line; of several that a line has, the longest counts.
CASES = {
    "subarch --help": Case(),
    "subarch compress": Case(f"--threads 1 --set {STAGES}", leaves=COMPRESSED),
    "subarch compress --data reviews.csv --teacher ./my-bert --speedup": Case(
        f"{SPEEDUP} --threads 1 --set {STAGES}", leaves=COMPRESSED
    ),
    "subarch compress --data reviews.csv --teacher ./my-bert --speedup 4 --max-drop 2 --dry-run": Case(
        f"{SPEEDUP} --threads 1 --set {STAGES}"
    ),
    "subarch compress --data reviews.csv --teacher ./my-xlm-roberta": Case(
        f"{SPEEDUP} --threads 1 --set {STAGES}", leaves=(*COMPRESSED, "{run}/source/vocabulary.json")
    ),
    "subarch check": Case(),
    "subarch ladder": Case(
        "--rungs constant tfidf first-layers --artifacts onnx --epochs 1 --rounds 1 --threads 1",
        leaves=("{run}/ladder.json", "{run}/ladder/tfidf/model/export.json", "{run}/ladder/first-layers/export"),
    ),
    "subarch extract": Case(f"{CANDIDATES} --corpus texts", ("runs/mine",), SEARCHED),
    "subarch extract ./my-bert --speedup 3 --data": Case(f"{CANDIDATES} {SPEEDUP}", leaves=SEARCHED),
    "subarch extract ./my-bert --run runs/mine --executor processes:4": Case(
        f"{CANDIDATES} --corpus texts --executor processes:2", ("runs/mine",), SEARCHED
    ),
    "subarch extract bort": Case(
        f"{CANDIDATES} --corpus texts --space bort.json --reference bort-t.json", (), SEARCHED
    ),
    "subarch extract mine:Mine": Case(leaves=SEARCHED),
    "subarch extract mine:Trained": Case("--threads 1", leaves=(*SEARCHED, "{run}/model.safetensors")),
    "subarch pretrain": Case(PRETRAINING, leaves=PRETRAINED),
    "torchrun": Case(PRETRAINING, leaves=PRETRAINED),
    "subarch finetune": Case(TRAINING, ("runs/mine/finetune",), TUNED),
    "subarch finetune --run runs/mine --data reviews.csv --agora": Case(
        f"{TRAINING} --rounds 1 --per-mistake 2", ("runs/mine/finetune",), TUNED
    ),
    "subarch finetune --data reviews.csv --model ./my-bert --kind": Case(TRAINING, (), TUNED),
    "subarch evaluate": Case("--threads 1", says="sealed"),
    "subarch predict": Case("--threads 1", leaves=("new.predictions.jsonl",)),
    "subarch predict runs/mine/finetune/reviews/checkpoint": Case("--threads 1", leaves=("labels.csv",)),
    "subarch export": Case("--artifacts onnx --threads 1", leaves=("{run}/export/model.onnx",)),
    # Of several fine-tuned networks in a run it wants one to be named.
    "subarch export --run runs/mine": Case(
        "--artifacts onnx --threads 1", ("runs/mine/finetune/glue",), ("{run}/export/model.onnx",)
    ),
    "subarch bench": Case(TIMES, leaves=("{run}/benchmark.json",)),
    "subarch bench bort": Case(f"{TIMES} --sequence-length 16", leaves=("{run}/benchmark.json",)),
    # The official test parts have half a million rows, and portals want all of them.
    "subarch submit runs/mine": Case("--placeholders --threads 1", leaves=("runs/mine/submissions/glue.zip",)),
    "subarch submit --suite superglue --check": Case(),
}


def case_of(line: str) -> Case:
    return CASES[max((beginning for beginning in CASES if line.startswith(beginning)), key=len)]


# --- the folder -------------------------------------------------------------------------------------------------------

POOL = """
from concurrent.futures import ThreadPoolExecutor


def mpi_pool():
    return ThreadPoolExecutor(2), 2
"""


def prose(seed: int) -> str:
    """Some pages in the small language of the reviews."""
    chooser = random.Random(seed)
    return "\n\n".join(" ".join(chooser.choices(WORDS, k=100)) for _ in range(200))


def spaces(folder: Path) -> None:
    """A few networks inside the source, and a few that are shaped as those of the published space, with their T."""
    names = ("num_hidden_layers", "hidden_size", "intermediate_size")
    inside, published = ([1, 2], [16, 32], [32, 64]), ([1, 2], [128, 256], [32, 64])
    (folder / "space.json").write_text(json.dumps(dict(zip(names, inside, strict=True))))
    (folder / "bort.json").write_text(json.dumps(dict(zip(names, published, strict=True))))
    (folder / "bort-t.json").write_text(json.dumps(dict(zip(names, map(max, published), strict=True))))


def tables(folder: Path) -> None:
    """What learns and what is asked: the user's own."""
    write(folder / "reviews.csv", [*reviews(300)])
    for name, seed in (("more.csv", 1), ("new.csv", 2)):
        write(folder / name, [(text,) for text, _ in reviews(40, seed)], ("text",))
    tags = {"actor": "B-PER", "film": "B-WORK", "play": "B-WORK"}
    sentences = ("\n".join(f"{word} {tags.get(word, 'O')}" for word in text.split()) for text, _ in reviews(200, 3))
    (folder / "names.conll").write_text("\n\n".join(sentences) + "\n", encoding="utf-8")
    for seed in range(2):
        (folder / "texts").mkdir(exist_ok=True)
        (folder / "texts" / f"{seed}.txt").write_text(prose(seed), encoding="utf-8")


def modules(folder: Path) -> None:
    """What a user has written: families with their weights and error, a pool of workers, a kind of task."""
    page = (REPOSITORY / "docs" / "families.md").read_text(encoding="utf-8")
    family, _, weights, error = (block for language, block in BLOCK.findall(page) if language == "python")
    (folder / "mine.py").write_text(f"{family}\n\n{weights}\n\n{error}", encoding="utf-8")
    names: dict[str, Any] = {"__name__": "mine"}
    exec(compile(family, "mine.py", "exec"), names)
    torch.save(names["Mine"]().build(names["Mine"].reference).state_dict(), folder / "mine.pt")
    (folder / "cluster.py").write_text(POOL, encoding="utf-8")
    shutil.copyfile(REPOSITORY / "examples" / "stars.py", folder / "stars.py")


def put(path: Path, rows: Iterable[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")


def benchmarks(folder: Path) -> None:
    """A few of the official files, with texts of the small language; test parts have all of their rows."""
    texts = [text for text, _ in reviews(240)]
    paired = [*zip(texts[::2], texts[1::2], strict=True)]
    parts = {"train": paired[:60], "dev": paired[60:]}
    for part, pairs in parts.items():
        rows = (f"{n}\t{a}\t{b}\t{('entailment', 'not_entailment')[n % 2]}" for n, (a, b) in enumerate(pairs))
        put(folder / "glue" / "RTE" / f"{part}.tsv", ["index\tsentence1\tsentence2\tlabel", *rows])
    for name in ("glue/rte", "glue/wnli"):
        task = find_task(name)
        rows = (f"{n}\ta film\ta play {n % 7}" for n in range(task.submission.rows))
        put(folder / "glue" / task.folder / "test.tsv", ["index\tsentence1\tsentence2", *rows])
    for part, pairs in parts.items():
        asked = (
            {"premise": a, "choice1": b, "choice2": a, "question": ("cause", "effect")[n % 2], "label": n % 2, "idx": n}
            for n, (a, b) in enumerate(pairs)
        )
        put(folder / "superglue" / "COPA" / f"{'val' if part == 'dev' else part}.jsonl", map(json.dumps, asked))


def archive(folder: Path) -> None:
    """What somebody else has made for SuperGLUE's portal."""
    answers: dict[str, list[Answer] | None] = {task.name: None for task in SUITES["superglue"]}
    questions = (answer * 1820 // 9693 for answer in range(9693))  # of 166 passages
    answers["superglue/multirc"] = [
        (Example("p", ("q a",), id=(question * 166 // 1820, question, answer)), answer % 2)
        for answer, question in enumerate(questions)
    ]
    write_archive(folder / "archive.zip", "superglue", answers)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything that the documentation names, as small as it can be."""
    folder = tmp_path_factory.mktemp("workspace")
    encoder(folder / "my-bert", max_position_embeddings=128)
    encoder(folder / "my-xlm-roberta", max_position_embeddings=128)
    train_tokenizer([" ".join([*WORDS, "zephyr", "quixotic"])] * 50, 400).save_pretrained(folder / "my-xlm-roberta")
    spaces(folder)
    tables(folder)
    modules(folder)
    benchmarks(folder)
    archive(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        learn = shlex.split(f"finetune --data reviews.csv {TRAINING}")
        assert main([*learn, "--model", "my-bert", "--run", "runs/..."]) == 0
        shutil.move("runs/.../finetune/reviews/checkpoint", "runs/.../checkpoint")
        shutil.copytree("runs/.../checkpoint", "my-bert-reviews")
        # Agora wants a teacher that is right in two cases of three.
        assert main([*learn, "--model", "my-bert", "--run", "taught", "--epochs", "8"]) == 0
        shutil.move("taught/finetune/reviews/checkpoint", "my-tuned-bert")
        search = shlex.split(f"extract ./my-bert --corpus texts --run runs/mine {CANDIDATES}")
        assert main(search) == 0
        assert main([*learn, "--run", "runs/mine"]) == 0
    for name in ("glue/rte", "glue/wnli"):
        task = find_task(name)
        learner = from_checkpoint(folder / "my-bert", Target(task.kind, task.label_names), name, 32)
        place = folder / "runs" / "mine" / "finetune" / name
        place.mkdir(parents=True)
        save_checkpoint(learner.make(0), learner, place / "checkpoint")
    return folder


# --- every line -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("line", EXECUTED, ids=EXECUTED)
def test_every_command_of_the_documentation_does_its_work(
    line: str, workspace: Path, subarch: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = case_of(line)
    shutil.copytree(workspace, tmp_path, dirs_exist_ok=True)
    for name in case.without:
        shutil.rmtree(tmp_path / name)
    for name in ("mine", "cluster", "stars"):  # of another test's folder
        monkeypatch.delitem(sys.modules, name, raising=False)
    before = set(tmp_path.glob("runs/*"))
    program, *given = shlex.split(line)
    if program == "torchrun":
        launched(given, shlex.split(case.small))
    else:
        ran = subarch(*given, *shlex.split(case.small))
        assert ran.status == 0, ran.err
        assert case.says in ran.err
    made = {path for path in tmp_path.glob("runs/*") if path not in before}
    run = given[given.index("--run") + 1] if "--run" in given else next((f"runs/{path.name}" for path in made), "")
    assert not made or "--dry-run" not in given
    for pattern in case.leaves:
        assert [*tmp_path.glob(pattern.format(run=run))], pattern


def launched(given: list[str], small: list[str]) -> None:
    """By the stock launcher, with two processes and on whatever port is free."""
    place = given.index("-m")
    launcher, two = Path(sys.executable).with_name("torchrun"), ("--nproc-per-node", "2", "--standalone")
    done = subprocess.run(
        [launcher, *given[:place], *two, *given[place:], *small],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_nothing_but_what_is_named_is_left_out() -> None:
    assert set(LINES) >= ELSEWHERE
    assert {line.split()[0] for line in EXECUTED} == {"subarch", "torchrun"}
