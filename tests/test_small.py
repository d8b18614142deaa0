"""What compress returns in Python: it answers, and can be saved and shared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import examples
import pytest
import torch
from tiny import config, tokenizer
from transformers import AutoModelForSequenceClassification, BertForSequenceClassification

from subarch.results.ladder import LadderResult
from subarch.small import SmallModel


@pytest.fixture
def small(tmp_path: Path) -> SmallModel:
    """One whose checkpoint and export are folders, with the files of a compression as far as they matter here."""
    torch.manual_seed(0)
    checkpoint, export = tmp_path / "checkpoint", tmp_path / "export"
    labels = {0: "blame", 1: "praise"}
    made = config(id2label=labels, label2id={name: n for n, name in labels.items()})  # type: ignore[arg-type]
    BertForSequenceClassification(made).save_pretrained(checkpoint)
    tokenizer().save_pretrained(checkpoint)
    export.mkdir()
    (export / "export.json").write_text("{}")
    found = examples.compress(
        finetune=examples.finetune(checkpoint=checkpoint), export=examples.export(folder=export)
    ).to_json()
    return SmallModel.from_json(json.loads(json.dumps(found)))


def test_it_is_its_result_with_more_to_ask(small: SmallModel) -> None:
    assert small.certificate is small.extract.certificate
    assert isinstance(small.ladder, LadderResult) and small.ladder.rungs[0].name == "tfidf"
    assert SmallModel.from_json(small.to_json()) == small
    assert repr(small) == "<SmallModel of reviews.csv in runs/mine>"


def test_what_is_saved_is_a_stock_checkpoint_with_its_export(small: SmallModel, tmp_path: Path) -> None:
    saved = small.save_pretrained(tmp_path / "out")
    assert AutoModelForSequenceClassification.from_pretrained(saved).config.id2label == {0: "blame", 1: "praise"}
    assert (saved / "export" / "export.json").is_file()
    assert small.save_pretrained(saved) == saved  # it was saved to before


def test_what_holds_something_else_is_not_written_to(small: SmallModel, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("mine")
    for place in (tmp_path / "other", tmp_path / "other" / "mine.txt"):
        with pytest.raises(ValueError, match="expected a new or empty folder"):
            small.save_pretrained(place)
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["mine.txt"]


def test_an_export_that_is_damaged_does_not_answer(small: SmallModel, tmp_path: Path) -> None:
    (tmp_path / "export" / "export.json").unlink()
    with pytest.raises(ValueError, match="expected a folder that subarch export wrote"):
        small(["a good film"])


def test_without_a_token_nothing_is_uploaded(small: SmallModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    with pytest.raises(ValueError, match=r"uploading me/small needs a token .* run hf auth login, set HF_TOKEN"):
        small.push_to_hub("me/small")


def test_checkpoint_and_export_are_uploaded_to_their_places(
    small: SmallModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hub cannot be reached here: what it would be asked for is what counts."""
    asked: list[tuple[str, Any]] = []

    class Hub:
        def __init__(self, token: str) -> None:
            asked.append(("token", token))

        def create_repo(self, name: str, *, exist_ok: bool, private: bool | None) -> None:
            asked.append((name, (exist_ok, private)))

        def upload_folder(
            self, *, repo_id: str, folder_path: Path, commit_message: str, path_in_repo: str | None = None
        ) -> str:
            asked.append((repo_id, (Path(folder_path).name, path_in_repo)))
            return f"https://hub/{path_in_repo}"

    monkeypatch.setattr("huggingface_hub.HfApi", Hub)
    assert small.push_to_hub("me/small", private=True, token="secret") == "https://hub/export"
    assert asked == [
        ("token", "secret"),
        ("me/small", (True, True)),
        ("me/small", ("checkpoint", None)),
        ("me/small", ("export", "export")),
    ]
