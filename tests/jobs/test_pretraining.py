"""Pre-training on the command line: a stock language model comes out, and wrong input is refused before it starts."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from tiny import WORDS, config, encoder
from transformers import AutoModelForMaskedLM, AutoTokenizer

from commands import Command, content, refused

QUICK = ("--steps", "6", "--batch-size", "4", "--sequence-length", "32", "--threads", "1")


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return encoder(tmp_path_factory.mktemp("teacher"))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = random.Random(0)
    path = tmp_path_factory.mktemp("corpus") / "text.txt"
    path.write_text("\n\n".join(" ".join(rng.choices(WORDS, k=40)) for _ in range(400)))
    return path


@pytest.fixture(scope="module")
def architecture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("architecture")
    config(hidden_size=16, num_hidden_layers=1, num_attention_heads=1, intermediate_size=32).save_pretrained(folder)
    return folder / "config.json"


def test_a_stock_language_model_comes_out_and_can_be_fine_tuned(
    subarch: Command, teacher: Path, corpus: Path, architecture: Path, tmp_path: Path
) -> None:
    given = ("--run", "run", "--architecture", architecture, "--teacher", teacher, "--corpus", corpus, *QUICK)
    found = subarch("pretrain", *given, "--json").json
    assert {"loss", "accuracy", "tokens_per_second", "checkpoint"} <= set(found)
    assert 0 < found["loss"] < 10 and found["tokens_per_second"] > 0 and found["initialize"] == "inherit"
    model = AutoModelForMaskedLM.from_pretrained(found["checkpoint"])
    assert model.config.num_hidden_layers == 1
    assert len(AutoTokenizer.from_pretrained(found["checkpoint"])) <= model.config.vocab_size
    before = content(Path(found["checkpoint"]))
    again = subarch("pretrain", *given, "--json").json
    assert again["loss"] == found["loss"]
    weights = "model.safetensors"
    assert content(Path(found["checkpoint"]))[weights] == before[weights]

    rows = ["text,label", *(f"good film number {n},x\nbad film number {n},y" for n in range(20))]
    (tmp_path / "a.csv").write_text("\n".join(rows))
    tuned = subarch("finetune", "--run", "run", "--data", "a.csv", "--epochs", "1", "--seeds", "1", "--json").json
    assert tuned["model"] == "run/pretrain"


def test_wrong_input(subarch: Command, teacher: Path, corpus: Path, architecture: Path, tmp_path: Path) -> None:
    common = ("--run", "run", "--corpus", corpus, *QUICK)
    built = (*common, "--architecture", architecture)
    refused(subarch("pretrain", *common), "architecture.json", "subarch extract")
    refused(subarch("pretrain", *built, "--teacher", "nowhere/at-all"), "nowhere/at-all")
    refused(subarch("pretrain", *built, "--teacher", teacher, "--logits", "1"), "head")
    refused(subarch("pretrain", *built, "--relations", "1", "--mlm", "1"), "teacher")
    refused(subarch("pretrain", *built, "--steps", "0"), "--steps")
    refused(subarch("pretrain", *built, "--mlm", "-1"), "--mlm")
    (tmp_path / "empty.txt").write_text("")
    refused(
        subarch("pretrain", "--run", "run", "--architecture", architecture, "--corpus", "empty.txt", *QUICK), "empty"
    )
    (tmp_path / "cut.jsonl.gz").write_bytes(b"\x1f\x8b\x08\x00 no more")
    refused(
        subarch("pretrain", "--run", "run", "--architecture", architecture, "--corpus", "cut.jsonl.gz"), "cut.jsonl"
    )
    broken = json.loads(architecture.read_text()) | {"hidden_size": 15, "num_attention_heads": 2}
    (tmp_path / "broken.json").write_text(json.dumps(broken))
    refused(subarch("pretrain", *common, "--architecture", "broken.json"), "divisible")
    assert not (tmp_path / "run" / "pretrain" / "model.safetensors").exists()
