"""Tags of words from a file to an answer: learned, killed, scored, answered, exported, extracted, with Agora."""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import BertConfig, BertModel, pipeline

from commands import Command, refused
from subarch.learning.checkpoints import open_fitted
from subarch.learning.heads import outputs
from subarch.running.predictor import Predictor
from subarch.text.examples import Example
from subarch.text.tokenizers import train_tokenizer

PEOPLE = ["anna berg", "bob", "carla de vries", "david", "eva lind"]
PLACES = ["paris", "new york", "rome", "upper hill"]
OTHERS = "the a man was seen near old house and then went home with his dog while it rained".split()  # noqa: SIM905
TRAINING = ("--epochs", "2", "--batch-size", "16", "--learning-rates", "3e-3", "--seeds", "1", "--threads", "1")


def sentence(rng: random.Random) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for _ in range(rng.randint(3, 9)):
        kind, names = rng.choices([("PER", PEOPLE), ("LOC", PLACES), ("", OTHERS)], [2, 1, 6])[0]
        for n, word in enumerate(rng.choice(names).split()):
            found.append((word, f"{'I' if n else 'B'}-{kind}" if kind else "O"))
    return found


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an encoder and a file of sentences."""
    folder, rng = tmp_path_factory.mktemp("given"), random.Random(0)
    sentences = [sentence(rng) for _ in range(300)]
    lines = ["\n".join(f"{word}\t{tag}" for word, tag in one) for one in sentences]
    (folder / "names.conll").write_text("\n\n".join(lines), encoding="utf-8")
    tokenizer = train_tokenizer([" ".join(word for word, _ in one) for one in sentences], 400)
    tokenizer.model_max_length = 64
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48}
    config = BertConfig(vocab_size=len(tokenizer), max_position_embeddings=64, pad_token_id=0, **sizes)
    BertModel(config).save_pretrained(folder / "encoder")
    tokenizer.save_pretrained(folder / "encoder")
    return folder


def finetuning(given: Path, run: Path) -> list[str]:
    named = ["finetune", "--data", given / "names.conll", "--model", given / "encoder", "--run", run]
    return [*map(str, named), *TRAINING]


@pytest.fixture(scope="module")
def tuned(given: Path) -> Path:
    """The checkpoint of an undisturbed fine-tuning."""
    from subarch.cli import main

    assert main(finetuning(given, given / "run")) == 0
    return given / "run" / "finetune" / "names" / "checkpoint"


def test_killed_while_it_learns_the_same_call_ends_the_same(
    given: Path, tuned: Path, tmp_path: Path, subarch: Command
) -> None:
    asked = finetuning(given, tmp_path / "run")
    with subprocess.Popen([sys.executable, "-m", "subarch", *asked], stderr=subprocess.DEVNULL) as process:
        began = time.monotonic()
        while not list(tmp_path.rglob("unfinished.pt")) and process.poll() is None and time.monotonic() < began + 120:
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
    ran = subarch(*asked)
    assert ran.status == 0, ran.err
    again = tmp_path / "run" / "finetune" / "names" / "checkpoint" / "model.safetensors"
    one, other = load_file(again), load_file(tuned / "model.safetensors")
    assert all(torch.equal(one[name], other[name]) for name in other)


def test_it_is_scored_and_answers(given: Path, tuned: Path, tmp_path: Path, subarch: Command) -> None:
    scored = subarch("evaluate", str(tuned), "--data", str(given / "names.conll"), "--json").json
    assert scored["metrics"]["entity_f1"] > 0.5 and {one["name"] for one in scored["classes"]} == {"LOC", "PER"}
    texts = ["the man was seen near New York", "", "Anna Berg went home"]
    with (tmp_path / "t.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["id", "text"], *([n, text] for n, text in enumerate(texts))])
    for name in ("p.csv", "p.jsonl"):
        asked = ("predict", str(tuned), "--data", str(tmp_path / "t.csv"), "--output", str(tmp_path / name))
        assert subarch(*asked).status == 0
    rows = [json.loads(line) for line in (tmp_path / "p.jsonl").read_text(encoding="utf-8").splitlines()]
    with (tmp_path / "p.csv").open(encoding="utf-8", newline="") as file:
        cells = [row["entities"] for row in csv.DictReader(file)]
    assert cells[1] == "" and rows[1]["entities"] is None
    stock = pipeline("token-classification", str(tuned), aggregation_strategy="simple", device="cpu")
    for n in (0, 2):
        assert json.loads(cells[n]) == rows[n]["entities"]
        wanted = [(one["entity_group"], one["start"], one["end"]) for one in stock(texts[n])]
        assert [(one["entity_group"], one["start"], one["end"]) for one in rows[n]["entities"]] == wanted
    asked = ("predict", str(tuned), "--data", str(given / "names.conll"), "--output", str(tmp_path / "w.jsonl"))
    assert subarch(*asked).status == 0
    first = json.loads((tmp_path / "w.jsonl").read_text(encoding="utf-8").splitlines()[0])
    words = (given / "names.conll").read_text(encoding="utf-8").split("\n\n")[0].splitlines()
    assert len(first["tags"]) == len(words)


def test_a_table_of_classes_is_refused_by_name(tuned: Path, tmp_path: Path, subarch: Command) -> None:
    (tmp_path / "a.csv").write_text("text,label\na b,x\nc d,y\n", encoding="utf-8")
    refused(
        subarch("evaluate", str(tuned), "--data", str(tmp_path / "a.csv")),
        "expected a column of words (tokens), got ['text', 'label']",
    )


def test_every_form_says_what_the_network_says(given: Path, tuned: Path, tmp_path: Path, subarch: Command) -> None:
    pytest.importorskip("onnxruntime")
    ran = subarch("export", str(tuned), "--run", str(tmp_path), "--threads", "1", "--max-drop", "100", "--json")
    assert ran.status == 0, ran.err
    forms = {one["artifact"]: one for one in ran.json["parity"]}
    fitted, rng = open_fitted(tuned), random.Random(1)
    texts = [Example(" ".join(word for word, _ in sentence(rng))[: rng.randint(1, 60)]) for _ in range(40)]
    wanted = outputs(fitted.model, fitted.tokens(texts))
    for name, form in forms.items():
        predictor = Predictor.from_pretrained(tmp_path / "export", artifact=name, threads=1)
        found = predictor.outputs(texts)
        assert [one.shape for one in found] == [one.shape for one in wanted], name
        if "-" not in name:
            assert all(np.allclose(a, b, atol=1e-4) for a, b in zip(found, wanted, strict=True)), name
        alike = np.concatenate([a.argmax(-1) == b.argmax(-1) for a, b in zip(found, wanted, strict=True)])
        assert alike.mean() > 0.9 or not form["passed"], name


def test_proposals_are_labelled_word_by_word(given: Path, tuned: Path, tmp_path: Path, subarch: Command) -> None:
    small = [one if one != "2" else "1" for one in finetuning(given, tmp_path / "run")]
    more = ("--agora", "--teacher", str(tuned), "--proposals", "swap", "--rounds", "2", "--weak-teacher")
    ran = subarch(*small, *more, "--ways", "plain", "distilled", "agora", "--json")
    assert ran.status == 0, ran.err
    (loop,) = ran.json["rounds"]
    assert loop["rounds"][0]["mistakes"] and loop["samples"], loop["told"]
    assert all(one["label"] == "no entity" or ": " in one["label"] for one in loop["samples"])


def test_a_search_is_certified(given: Path, tuned: Path, tmp_path: Path, subarch: Command) -> None:
    rng = random.Random(2)
    texts = {" ".join(word for word, _ in sentence(rng)) for _ in range(300)}
    (tmp_path / "texts.txt").write_text("\n".join(sorted(texts)), encoding="utf-8")
    (tmp_path / "space.json").write_text(json.dumps({"num_hidden_layers": [1, 2], "intermediate_size": [16, 48]}))
    space = ("--space", str(tmp_path / "space.json"), "--texts", str(tmp_path / "texts.txt"), "--sequence-length", "32")
    ran = subarch(
        "extract", str(tuned), "--run", str(tmp_path / "r"), *space, "--steps", "2", "--epsilon", "0.5", "--json"
    )
    assert ran.status == 0, ran.err
    assert "tag distributions at the first tokens of words" in (tmp_path / "r" / "certificate.json").read_text()
    assert subarch("verify", str(tmp_path / "r")).status == 0
    labelled = ("extract", str(tuned), "--data", str(given / "names.conll"), "--sequence-length", "32")
    refused(subarch(*labelled), "is a tokens", "leave --data away")
