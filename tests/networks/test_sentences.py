"""Folders of sentence-transformers: what they ask for, and what their vectors are, by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from subarch.networks.sentences import Embedding, activation_of, read_activation, read_sentence_folder

STATES = torch.tensor([[[1.0, -4.0], [3.0, 2.0], [9.0, 9.0]]])
MASK = torch.tensor([[1, 1, 0]])  # the third is padding


@pytest.mark.parametrize(("pooling", "vector"), [("mean", [2.0, -1.0]), ("cls", [1.0, -4.0]), ("max", [3.0, 2.0])])
def test_poolings_by_hand_and_padding_counts_for_nothing(pooling: Any, vector: list[float]) -> None:
    assert Embedding(pooling)(STATES, MASK).tolist() == [vector]
    unit = np.array(vector) / np.linalg.norm(vector)
    np.testing.assert_allclose(Embedding(pooling, normalize=True)(STATES, MASK).numpy(), [unit], rtol=1e-6)


def test_an_embedding_is_json() -> None:
    made = Embedding("cls", True, 128, True)
    assert Embedding(**json.loads(json.dumps(made.to_json()))) == made


def folder(place: Path, *kinds: str, pooling: Any = None, length: Any = None, settings: Any = None) -> Path:
    listed = [
        {"idx": n, "path": f"{n}_{kind}" if n else "", "type": f"sentence_transformers.models.{kind}"}
        for n, kind in enumerate(kinds)
    ]
    (place / "modules.json").write_text(json.dumps(listed[::-1]))  # their numbers say the order
    for n, kind in enumerate(kinds[1:], 1):
        (place / f"{n}_{kind}").mkdir()
        (place / f"{n}_{kind}" / "config.json").write_text(json.dumps(pooling or {}))
    if length is not None:
        (place / "sentence_bert_config.json").write_text(json.dumps(length))
    if settings is not None:
        (place / "config_sentence_transformers.json").write_text(json.dumps(settings))
    return place


def test_what_a_folder_asks_for(tmp_path: Path) -> None:
    assert read_sentence_folder(tmp_path) is None
    made = read_sentence_folder(
        folder(
            tmp_path,
            "Transformer",
            "Pooling",
            "Normalize",
            pooling={"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False},
            length={"max_seq_length": 256, "do_lower_case": True},
        )
    )
    assert made is not None and made.refused is None
    assert made.embedding == Embedding("cls", True, 256, True)
    assert made.encoder == tmp_path and made.prompts == ()
    assert [path.name for path in made.files] == ["modules.json", "config.json", "sentence_bert_config.json"]


@pytest.mark.parametrize(
    ("kinds", "given", "refused"),
    [
        (("Transformer",), {}, "no pooling after the encoder"),
        (("Transformer", "Pooling", "Dense"), {}, r"the module Dense (2_Dense)"),
        (("Transformer", "Pooling"), {"pooling": {"pooling_mode": ["cls", "max"]}}, "the pooling cls and max"),
        (("Transformer", "Pooling"), {"pooling": {"pooling_mode_new": True}}, "the pooling pooling_mode_new"),
        (
            ("Transformer", "Pooling"),
            {"settings": {"prompts": {"query": "ask: "}, "default_prompt_name": "query"}},
            "the prompt 'ask: ' before each text",
        ),
        (("Transformer", "Pooling"), {"length": {"transformer_task": "fill-mask"}}, "an encoder for fill-mask"),
    ],
)
def test_what_is_not_computed_is_named(
    kinds: tuple[str, ...], given: dict[str, Any], refused: str, tmp_path: Path
) -> None:
    made = read_sentence_folder(folder(tmp_path, *kinds, **given))
    assert made is not None and made.embedding is None and made.refused == refused


def test_settings_that_cannot_be_read_are_refused_by_file(tmp_path: Path) -> None:
    (tmp_path / "modules.json").write_text("[{}]")
    with pytest.raises(ValueError, match=r"modules.json must list modules with 'type' and 'path'"):
        read_sentence_folder(tmp_path)
    (tmp_path / "modules.json").write_text("{}")
    with pytest.raises(ValueError, match="must hold a JSON list, got dict"):
        read_sentence_folder(tmp_path)
    (tmp_path / "modules.json").write_text("[")
    with pytest.raises(ValueError, match="not valid JSON"):
        read_sentence_folder(tmp_path)
    (tmp_path / "modules.json").unlink()
    with pytest.raises(ValueError, match="begins with the module CLIPModel, expected Transformer"):
        read_sentence_folder(folder(tmp_path, "CLIPModel"))


@pytest.mark.parametrize("most", [2, "128", 1.5])
def test_a_length_is_a_whole_number_of_tokens(most: Any, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="max_seq_length must be a whole number of tokens"):
        read_sentence_folder(folder(tmp_path, "Transformer", "Pooling", length={"max_seq_length": most}))


@pytest.mark.parametrize(
    ("config", "word"),
    [
        ({}, None),
        ({"sentence_transformers": {"activation_fn": "torch.nn.modules.activation.Sigmoid"}}, "Sigmoid"),
        ({"sbert_ce_default_activation_function": "torch.nn.modules.linear.Identity"}, "Identity"),
        ({"function_to_apply": "none"}, "Identity"),
        ({"function_to_apply": "softmax"}, "Softmax"),
        ({"sentence_transformers": {"activation_fn": "torch.nn.Tanh()"}, "function_to_apply": "sigmoid"}, "Tanh"),
    ],
)
def test_an_activation_by_its_class(config: dict[str, Any], word: str | None, tmp_path: Path) -> None:
    assert read_activation(config, tmp_path) == word


def test_an_activation_that_stands_beside(tmp_path: Path) -> None:
    (tmp_path / "config_sentence_transformers.json").write_text('{"activation_fn": "torch.nn.Sigmoid"}')
    assert read_activation({}, tmp_path) == "Sigmoid"
    assert [activation_of(name) for name in ("Sigmoid", "Tanh", "Identity", None)] == ["sigmoid", "tanh", None, None]
    with pytest.raises(ValueError, match="goes through GELU, expected one of Sigmoid, Tanh, Identity"):
        activation_of("GELU")
