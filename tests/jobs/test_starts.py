"""What a fine-tuning starts from: weights where there are any, random ones where there is only a shape."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from tiny import config, encoder, reviews, write
from transformers import BertForSequenceClassification, BertModel

from subarch.jobs.starts import open_other, open_start
from subarch.tasks.loading import load_task
from subarch.tasks.task import Task


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    return load_task(str(write(tmp_path_factory.mktemp("data") / "reviews.csv", [*reviews(80)])))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return encoder(tmp_path_factory.mktemp("encoder"))


def test_a_checkpoint_gives_its_weights_and_a_new_head(task: Task, model: Path) -> None:
    start = open_start(str(model), None, task, 32)
    assert start.words == str(model)
    given = BertModel.from_pretrained(model).state_dict()
    made, other = (start.learner.make(seed).state_dict() for seed in (0, 1))
    for name, values in given.items():
        if "pooler" not in name:
            assert torch.equal(made[f"bert.{name}"], values), name
    assert made["classifier.weight"].shape == (2, 32)
    assert not torch.equal(made["classifier.weight"], other["classifier.weight"])  # drawn with the seed


def test_the_identity_is_that_of_the_weights(task: Task, model: Path, tmp_path: Path) -> None:
    known = open_start(str(model), None, task, 32).identity
    copied = shutil.copytree(model, tmp_path / "copied")
    assert open_start(str(copied), None, task, 32).identity == known
    changed = BertModel.from_pretrained(model)
    with torch.no_grad():
        changed.embeddings.word_embeddings.weight[7] += 1
    changed.save_pretrained(copied)
    assert open_start(str(copied), None, task, 32).identity != known


def test_a_config_gives_random_weights(task: Task, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "small.json"
    path.write_text(json.dumps(config().to_dict()))
    start = open_start(str(path), None, task, 32)
    assert start.words == f"{path}, random weights"
    assert f"{path} has no weights" in caplog.text
    one, other = (start.learner.make(seed) for seed in (0, 1))
    assert one.config.num_hidden_layers == 2
    weights = [made.bert.encoder.layer[0].output.dense.weight for made in (one, other)]
    assert not torch.equal(*weights)
    # Its tokenizer was trained on the task, and knows all of its words.
    read = start.learner.tokenizer
    assert read.unk_token_id not in read(task.train[0].first)["input_ids"]
    path.write_text(json.dumps(config(num_hidden_layers=1).to_dict()))
    assert open_start(str(path), None, task, 32).identity != start.identity


def test_of_a_run_the_pre_trained_student_goes_first_and_a_model_before_both(
    task: Task, model: Path, tmp_path: Path
) -> None:
    encoder(tmp_path / "pretrain", hidden_size=16)
    (tmp_path / "architecture.json").write_text(json.dumps(config(num_hidden_layers=1).to_dict()))
    found = open_start(None, tmp_path, task, 32)
    assert found.words == str(tmp_path / "pretrain")
    assert found.learner.make(0).config.hidden_size == 16
    assert open_start(str(model), tmp_path, task, 32).words == str(model)


def test_a_head_for_other_classes_is_said_to_be_drawn_anew(
    task: Task, model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = shutil.copytree(model, tmp_path / "model")
    other = BertForSequenceClassification(config(id2label={0: "spam", 1: "ham"}))  # type: ignore[arg-type]
    other.save_pretrained(folder)
    open_start(str(folder), None, task, 32)
    assert "has a head for ['spam', 'ham'], which is drawn anew for ['blame', 'praise']" in caplog.text


def test_nothing_to_start_from_is_refused(task: Task, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected a model or a run directory"):
        open_start(None, None, task, 32)
    with pytest.raises(ValueError, match=r"holds no architecture\.json and no pretrain/: run subarch extract"):
        open_start(None, tmp_path, task, 32)
    (tmp_path / "architecture.json").write_text(json.dumps(config().to_dict()))
    with pytest.raises(ValueError, match=r"does not say what was extracted .* is the extraction finished"):
        open_start(None, tmp_path, task, 32)


def test_code_that_a_run_names_is_not_run(task: Task, tmp_path: Path) -> None:
    """A source of somebody's own has no weights to inherit: the shape alone is taken, and nothing is imported."""
    (tmp_path / "manifest.json").write_text(json.dumps({"options": {"source": "nowhere_at_all:Family"}}))
    (tmp_path / "extract.json").write_text(json.dumps({"architecture": {"num_hidden_layers": 2}}))
    (tmp_path / "architecture.json").write_text(json.dumps(config().to_dict()))
    assert open_start(None, tmp_path, task, 32).words.endswith("architecture.json, random weights")


def test_the_part_that_a_run_extracted_is_inherited_from_the_source(task: Task, model: Path, tmp_path: Path) -> None:
    sizes = {"num_hidden_layers": 1, "num_attention_heads": 2, "hidden_size": 32, "intermediate_size": 64}
    (tmp_path / "manifest.json").write_text(json.dumps({"options": {"source": str(model)}}))
    (tmp_path / "extract.json").write_text(json.dumps({"architecture": sizes}))
    (tmp_path / "architecture.json").write_text(json.dumps(config(num_hidden_layers=1).to_dict()))
    start = open_start(None, tmp_path, task, 32)
    assert start.words == f"1 / 2 / 32 / 64 inherited from {model}"
    made = start.learner.make(0)
    assert made.config.num_hidden_layers == 1
    # Another network of the same run, from the same source.
    other = {**sizes, "intermediate_size": 32}
    config_of_other = tmp_path / "other.json"
    config_of_other.write_text(json.dumps(config(num_hidden_layers=1, intermediate_size=32).to_dict()))
    beside = open_other(tmp_path, other, config_of_other, task, 32)
    assert beside.words == f"1 / 2 / 32 / 32 inherited from {model}" and beside.identity != start.identity
    assert beside.learner.make(0).config.intermediate_size == 32
    same = open_other(tmp_path, sizes, tmp_path / "architecture.json", task, 32)
    assert same.identity == start.identity
    given = BertModel.from_pretrained(model)
    # Nothing but a layer is left out: the words keep their weights, though their units may be in another order.
    words = made.bert.embeddings.word_embeddings.weight
    assert sorted(words[9].tolist()) == pytest.approx(sorted(given.embeddings.word_embeddings.weight[9].tolist()))
