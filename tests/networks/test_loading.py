"""What is opened, is opened once: counted where the stock library opens weights, and where Python opens a file."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import config, encoder, reviews, tokenizer, write
from transformers import BertForMaskedLM, BertForSequenceClassification, modeling_utils

from commands import Command
from subarch import pipeline
from subarch.learning.checkpoints import open_fitted
from subarch.networks.checkpoints import open_checkpoint
from subarch.networks.loading import encoder_alone, loaded

_opened: list[tuple[str, str]] = []  # each file that is opened as text or bytes, and the module that asked for it


def _note(event: str, given: tuple[Any, ...]) -> None:
    if event == "open" and str(given[0]).endswith("/config.json"):
        frame: Any = sys._getframe(1)
        while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] in ("pathlib", "json"):
            frame = frame.f_back
        _opened.append((str(given[0]), "" if frame is None else frame.f_globals.get("__name__", "")))


sys.addaudithook(_note)


@pytest.fixture
def weights(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often the stock library opens each folder's weights to load them."""
    count: Counter[str] = Counter()
    really = modeling_utils.safe_open

    def counting(file: Any, *given: Any, **more: Any) -> Any:
        count[str(Path(file).parent)] += 1
        return really(file, *given, **more)

    monkeypatch.setattr(modeling_utils, "safe_open", counting)
    return count


def test_a_fitted_checkpoint_is_opened_without_its_weights(tmp_path: Path, weights: Counter[str]) -> None:
    torch.manual_seed(0)
    BertForSequenceClassification(config()).save_pretrained(tmp_path)
    tokenizer().save_pretrained(tmp_path)
    _opened.clear()
    fitted = open_fitted(str(tmp_path))
    assert (fitted.kind, fitted.length, fitted.checkpoint.positions) == ("classification", 64, (0, 64))
    assert weights == {}
    assert fitted.model is fitted.model and weights == {str(tmp_path): 1}
    asking = [module for _, module in _opened if not module.startswith("transformers.models.auto.tokenization")]
    # The tokenizer's own library looks its class up in the config.
    assert [m for m in asking if not m.startswith("transformers.configuration")] == ["subarch.networks.configs"]


def test_config_json_is_read_once_and_again_when_it_has_changed(tmp_path: Path) -> None:
    folder = encoder(tmp_path)
    _opened.clear()
    opened = [open_checkpoint(str(folder), encoder=need) for need in (True, False, True)]
    assert opened[0] is opened[1] is opened[2]
    encoder_alone(opened[0])
    loaded(BertForMaskedLM, opened[0], fresh=("cls",))
    assert _opened == [(str(folder / "config.json"), "subarch.networks.configs")]
    known = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**known, "finetuning_task": "another"}))
    assert open_checkpoint(str(folder)).config["finetuning_task"] == "another"


class _Search(Exception):  # noqa: N818
    """Where the search begins."""


def test_a_fitted_teacher_is_read_once_before_the_search(
    subarch: Command, tmp_path: Path, weights: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxruntime")
    data = write(tmp_path / "reviews.csv", [*reviews(900)])
    encoder(tmp_path / "encoder")
    quick = ("--epochs", 3, "--seeds", 1, "--learning-rates", "3e-3", "--max-length", 32, "--threads", 1)
    ran = subarch("finetune", "--model", tmp_path / "encoder", "--data", data, "--run", "taught", *quick)
    assert ran.status == 0, ran
    teacher = next((tmp_path / "taught").glob("finetune/**/checkpoint"))

    def search(*_: Any, **__: Any) -> Any:
        raise _Search

    monkeypatch.setattr(pipeline, "extract", search)
    weights.clear()
    _opened.clear()
    given = ("--data", data, "--teacher", teacher, "--run", "run", "--threads", 1, "--speedup", 1.1)
    ran = subarch("compress", *given, "--set", 'export.artifacts=["onnx"]', "pretrain.sequence_length=32")
    assert "_Search" in ran.err, ran
    assert weights == {str(teacher): 1}
    asked = Counter(module for path, module in _opened if Path(path).parent == teacher)
    assert asked["subarch.networks.configs"] == 1
    assert not [m for m in asked if m.startswith("subarch.") and m not in _READERS], asked


_READERS = ("subarch.networks.configs", "subarch.networks.weights")  # the latter takes the digest of its bytes


def test_one_model_answers_several_tasks_and_is_read_once(
    subarch: Command, tmp_path: Path, weights: Counter[str]
) -> None:
    labels = {0: "entailment", 1: "not_entailment"}
    made = config()
    made.id2label, made.label2id = labels, {name: n for n, name in labels.items()}
    made.finetuning_task = "superglue/rte"
    torch.manual_seed(0)
    folder = tmp_path / "rte"
    BertForSequenceClassification(made).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    from subarch.tasks.suites import find_task

    data = tmp_path / "data"
    for name, rows in (("RTE", 3000), ("AX-b", 1104), ("AX-g", 356)):
        (data / "superglue" / name).mkdir(parents=True)
        first, second = ("sentence1", "sentence2") if name == "AX-b" else ("premise", "hypothesis")
        lines = [json.dumps({first: "good film", second: "bad play", "idx": n}) for n in range(rows)]
        part = "test.jsonl" if name == "RTE" else f"{name}.jsonl"
        (data / "superglue" / name / part).write_text("\n".join(lines))
    assert find_task("superglue/ax-b").trained_on == "superglue/rte"
    ran = subarch("submit", folder, "--suite", "superglue", "--task-data", data, "--placeholders")
    assert "superglue/multirc" in ran.err, (
        ran
    )  # of the others there are no test parts here, and a placeholder needs one
    answered = sorted(path.name.rpartition("-")[0] for path in (folder / "submissions" / "answers").iterdir())
    assert answered == ["superglue-ax-b", "superglue-ax-g", "superglue-rte"]
    assert weights == {str(folder): 1}
