"""Configs as files have them: read, refused where the stock library computes something else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from transformers import BertModel, GPT2Config

from subarch.networks.configs import built, other_numbers, raw_config, read_config, require_stock
from subarch.networks.stock import class_of

BERT = {
    "model_type": "bert",
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "hidden_size": 8,
    "intermediate_size": 8,
    "vocab_size": 20,
}


def written(folder: Path, **changes: Any) -> Path:
    (folder / "config.json").write_text(json.dumps({**BERT, **changes}))
    return folder


def test_defaults_are_written_out_and_a_file_is_as_good_as_its_folder(tmp_path: Path) -> None:
    whole = read_config(written(tmp_path))
    assert whole == read_config(tmp_path / "config.json")
    assert whole["hidden_size"] == 8 and whole["hidden_act"] == "gelu"
    assert raw_config(tmp_path) == BERT


def test_a_config_that_has_changed_is_read_again(tmp_path: Path) -> None:
    assert raw_config(written(tmp_path)) == BERT
    assert raw_config(written(tmp_path, hidden_size=16))["hidden_size"] == 16


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "cannot be read"), ("{", "is not valid JSON"), ("[]", "must hold a JSON object, got list")],
)
def test_what_is_no_config_is_refused_by_its_file(content: str | None, words: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(ValueError, match=rf"config\.json {words}"):
        raw_config(tmp_path)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"architectures": "BertModel"}, "architectures must be a list of names"),
        ({"id2label": ["a", "b"]}, "id2label must name every output from 0 on"),
        ({"id2label": {"0": "a", "2": "b"}}, "id2label must name every output from 0 on"),
        ({"id2label": {"0": "a", "1": "a"}}, "a name of its own"),
        ({"id2label": {"0": "a", "1": "b"}, "num_labels": 3}, "num_labels is 3 and id2label has 2 names"),
        ({"num_labels": 0}, "num_labels must be a whole number from 1 on, got 0"),
        ({"num_labels": True}, "num_labels must be a whole number from 1 on, got True"),
        ({"problem_type": "guess"}, "problem_type must be one of single_label_classification"),
        ({"torch_dtype": "float33"}, "torch_dtype must name a type of torch's, got 'float33'"),
    ],
)
def test_values_that_mean_nothing_are_refused_by_their_field(
    changes: dict[str, Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=words):
        read_config(written(tmp_path, **changes))


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ({}, None),
        ({"id2label": {"0": "a", "1": "b"}, "label2id": {"a": 0, "b": 1}}, None),
        ({"label2id": {"LABEL_0": 0, "LABEL_1": 1}}, None),
        ({"label2id": {"a": 0}}, "in label2id alone"),
        ({"id2label": {"0": "a", "1": "b"}, "label2id": {"a": 1, "b": 0}}, "otherwise than id2label (of 'a')"),
    ],
)
def test_numbers_of_classes_that_contradict_their_names(raw: dict[str, Any], words: str | None) -> None:
    said = other_numbers(raw)
    assert said is None if words is None else words in str(said)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"auto_map": {"AutoModel": "mine.Mine"}}, "asks for code of its own .*never run"),
        ({"quantization_config": {"quant_method": "gptq"}}, r"quantised weights \(gptq in its config\)"),
        ({"is_decoder": True}, "is a decoder or has one"),
        ({"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"]}, "'gpt2', GPT2LMHeadModel"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type is 'relative_key'"),
        ({"pruned_heads": {"0": [1]}}, "pruned_heads is"),
        ({"alibi": True}, "alibi is True"),
    ],
)
def test_what_the_stock_class_does_not_compute_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=f"^mine.*{words}"):
        require_stock("mine", {**BERT, **changes})


@pytest.mark.parametrize(
    "changes", [{}, {"position_embedding_type": "absolute", "pruned_heads": {}, "adapters": {"adapters": {}}}]
)
def test_what_changes_nothing_passes(changes: dict[str, Any]) -> None:
    require_stock("mine", {**BERT, **changes})


def test_a_network_that_cannot_be_made_names_the_field() -> None:
    assert built("mine", BERT).hidden_size == 8
    with pytest.raises(ValueError, match=r"mine: no network can be made of its config \(.*hidden_act 'jelu'"):
        built("mine", {**BERT, "hidden_act": "jelu"})


def test_the_class_for_a_kind_of_network() -> None:
    assert class_of("AutoModel", built("mine", BERT)) is BertModel
    assert class_of("AutoModelForMaskedLM", GPT2Config()) is None
