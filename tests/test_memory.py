"""Rows and models that are in memory, as files named after their content."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from subarch.errors import InputError
from subarch.memory import data_file, model_folder

ROWS = [{"text": "a good film", "label": "praise"}, {"text": "a bad film", "label": "blame"}]


def kept(given: Any, home: Path, *, labelled: bool = True) -> list[dict[str, Any]]:
    path = data_file(given, home, "data", labelled=labelled)
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_the_same_rows_are_the_same_file_however_they_come(tmp_path: Path) -> None:
    pairs = [tuple(row.values()) for row in ROWS]
    assert kept(ROWS, tmp_path) == kept(pairs, tmp_path) == kept(iter(ROWS), tmp_path) == ROWS
    assert len(list((tmp_path / "given").iterdir())) == 1


def test_frames_and_datasets(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    datasets = pytest.importorskip("datasets")
    assert kept(pandas.DataFrame(ROWS), tmp_path) == ROWS
    missing = pandas.DataFrame({"text": ["a"], "label": [float("nan")]})
    assert kept(missing, tmp_path) == [{"text": "a", "label": None}]
    features = datasets.Features(text=datasets.Value("string"), label=datasets.ClassLabel(names=["blame", "praise"]))
    made = datasets.Dataset.from_dict({"text": ["a good film", "a bad film"], "label": [1, 0]}, features=features)
    assert kept(made, tmp_path) == ROWS
    with pytest.raises(InputError, match="DatasetDict of train"):
        kept(datasets.DatasetDict(train=made), tmp_path)


def test_texts_without_labels(tmp_path: Path) -> None:
    assert kept(["a", "b"], tmp_path, labelled=False) == [{"text": "a"}, {"text": "b"}]
    assert kept([("a", "b")], tmp_path, labelled=False) == [{"sentence1": "a", "sentence2": "b"}]


@pytest.mark.parametrize("given", [[], 3, [("a",)], [3], [{"text": object()}]])
def test_what_is_no_data_is_refused(given: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected .*, got"):
        kept(given, tmp_path)


def test_a_model_comes_with_its_tokenizer(tmp_path: Path) -> None:
    from tiny import config, tokenizer
    from transformers import BertModel

    model = BertModel(config())
    folder = model_folder((model, tokenizer()), tmp_path, "teacher")
    assert folder == model_folder((model, tokenizer()), tmp_path, "teacher")
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= {file.name for file in Path(folder).iterdir()}
    with pytest.raises(InputError, match="needs its tokenizer"):
        model_folder(model, tmp_path, "teacher")
