"""No command has a door of its own to a checkpoint: what one refuses, all refuse, before anything is written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from tiny import config, reviews, tokenizer, write
from transformers import BertForMaskedLM, BertForQuestionAnswering, BertForSequenceClassification

from commands import Command, refused

COMMANDS: dict[str, tuple[str, ...]] = {
    "inspect": ("inspect", "MODEL"),
    "check": ("check", "MODEL"),
    "extract": ("extract", "MODEL", "--run", "RUN"),
    "pretrain": ("pretrain", "--run", "RUN", "--architecture", "CONFIG", "--teacher", "MODEL", "--corpus", "TEXT"),
    "finetune": ("finetune", "--model", "MODEL", "--data", "DATA", "--run", "RUN"),
    "agora": ("finetune", "--model", "CONFIG", "--data", "DATA", "--run", "RUN", "--agora", "--teacher", "MODEL"),
    "evaluate": ("evaluate", "MODEL", "--data", "DATA"),
    "predict": ("predict", "MODEL", "--data", "DATA", "--output", "said.jsonl"),
    "submit": ("submit", "MODEL", "--suite", "glue"),
    "export": ("export", "MODEL", "--run", "RUN"),
    "bench": ("bench", "MODEL", "--against", "MODEL", "--run", "RUN"),
    "compress": ("compress", "--teacher", "MODEL", "--data", "DATA", "--run", "RUN"),
}


def asked(command: str, model: Path, folder: Path) -> list[str]:
    data, sizes = folder / "reviews.csv", folder / "config.json"
    if not data.is_file():
        write(data, [*reviews(320)])
        (folder / "corpus.txt").write_text("a good film\n\n" * 100)
        sizes.write_text(config().to_json_string())
    words = {"MODEL": model, "DATA": data, "TEXT": folder / "corpus.txt", "CONFIG": sizes, "RUN": folder / "run"}
    return [str(words.get(word, word)) for word in COMMANDS[command]]


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_opens_the_base_of_an_adapter(command: str, subarch: Command, tmp_path: Path) -> None:
    model = tmp_path / "model"
    BertForSequenceClassification(config()).save_pretrained(model)
    tokenizer().save_pretrained(model)
    (model / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "base_model_name_or_path": "a/base"}))
    refused(subarch(*asked(command, model, tmp_path)), "LORA", "beside its base network", "merge it into a/base")
    assert not (tmp_path / "run").exists() and not (tmp_path / "said.jsonl").exists()


@pytest.mark.parametrize("command", [name for name in COMMANDS if name not in ("finetune", "inspect", "submit")])
def test_no_command_leaves_a_head_out(command: str, subarch: Command, tmp_path: Path) -> None:
    model = tmp_path / "model"
    BertForQuestionAnswering(config()).save_pretrained(model)
    tokenizer().save_pretrained(model)
    refused(subarch(*asked(command, model, tmp_path)), "BertForQuestionAnswering", "where in a text an answer is")
    assert not (tmp_path / "run").exists()


def test_a_cross_encoder_is_scored_and_asked_through_its_sigmoid(subarch: Command, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = BertForSequenceClassification(config(num_labels=1))
    with torch.no_grad():
        model.classifier.bias.fill_(6.0)
    model.config.sentence_transformers = {"activation_fn": "torch.nn.modules.activation.Sigmoid"}
    model.save_pretrained(tmp_path / "cross")
    tokenizer().save_pretrained(tmp_path / "cross")
    data = write(
        tmp_path / "pairs.csv", [("a good film", "a play", "1"), ("a story", "the film", "0")] * 6, ("a", "b", "label")
    )
    said = subarch("predict", tmp_path / "cross", "--data", data, "--text-columns", "a", "b", "--output", "said.jsonl")
    assert said.status == 0
    values = [json.loads(line)["value"] for line in (tmp_path / "said.jsonl").read_text().splitlines()]
    assert all(0.99 < value < 1 for value in values)  # sigmoid(6) is 0.9975


def test_a_language_model_is_no_judge_of_labels(subarch: Command, tmp_path: Path) -> None:
    BertForMaskedLM(config()).save_pretrained(tmp_path / "model")
    tokenizer().save_pretrained(tmp_path / "model")
    refused(subarch(*asked("evaluate", tmp_path / "model", tmp_path)), "no head for a task", "BertForMaskedLM")
