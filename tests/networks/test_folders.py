"""From a name to a checkpoint's folder."""

from __future__ import annotations

import shutil
from fnmatch import fnmatch
from pathlib import Path

import pytest
from transformers import (
    BertConfig,
    ViTConfig,
)

from subarch.networks import folders
from subarch.networks.folders import find_checkpoint, remarks

SIZES = {"num_hidden_layers": 2, "num_attention_heads": 2, "hidden_size": 16, "intermediate_size": 32}


@pytest.mark.parametrize(
    ("kind", "weights"), [("bert", "model.safetensors"), ("bert", "pytorch_model.bin"), ("vit", "")]
)
def test_only_weights_that_can_be_used_are_fetched(
    kind: str, weights: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder plays the hub, of which nothing can be reached here: what is asked of it is what counts."""
    remote, local = tmp_path / "remote", tmp_path / "local"
    remote.mkdir()
    config = (BertConfig if kind == "bert" else ViTConfig)(**SIZES)
    (remote / "config.json").write_text(config.to_json_string())
    for name in ("vocab.txt", "model.onnx", weights or "model.safetensors"):
        (remote / name).write_bytes(b"")

    def fetch(_: str, *, allow_patterns: list[str]) -> str:
        local.mkdir(exist_ok=True)
        for file in remote.iterdir():
            if any(fnmatch(file.name, pattern) for pattern in allow_patterns):
                shutil.copy(file, local)
        return str(local)

    monkeypatch.setattr(folders, "snapshot_download", fetch)
    if kind == "bert":
        assert find_checkpoint("some/model", encoder=True) == local
        assert {file.name for file in local.iterdir()} == {"config.json", "vocab.txt", weights}
        return
    with pytest.raises(ValueError, match=r"some/model: expected an encoder of model_type bert, roberta, .*, got 'vit'"):
        find_checkpoint("some/model", encoder=True)
    assert [file.name for file in local.iterdir()] == ["config.json"]
    assert find_checkpoint("some/model") == local  # whoever can use other kinds gets them


def folder_with(place: Path, **files: str) -> Path:
    place.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = place / name.replace("__", "/").replace("_json", ".json")
        path.parent.mkdir(exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return place


def test_a_folder_that_is_no_checkpoint_says_what_is_inside(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"has no config\.json\. Give a preset \(bort, mlp\)"):
        find_checkpoint(str(tmp_path))
    for step in (1000, 500, 20):
        folder_with(tmp_path / f"checkpoint-{step}", config_json="{}")
    with pytest.raises(ValueError, match="There are checkpoints inside, give one of these") as refused:
        find_checkpoint(str(tmp_path))
    steps = [Path(name).name for name in str(refused.value).rpartition(": ")[2].split(", ")]
    assert steps == ["checkpoint-20", "checkpoint-500", "checkpoint-1000"]


@pytest.mark.parametrize("name", ["../up", "a/b/c", ".hidden", "with space", ""])
def test_what_can_be_no_name_is_not_asked_for(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path / ".." if name == "" else tmp_path)
    monkeypatch.setattr(folders, "snapshot_download", lambda *_, **__: pytest.fail("asked the hub"))
    with pytest.raises(ValueError, match=r"is no folder and no known name|no config\.json"):
        find_checkpoint(name)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            '{"peft_type": "LORA", "base_model_name_or_path": "some/base"}',
            r"an adapter \(LORA, .*merge it into some/base",
        ),
        ('{"peft_type": "PREFIX_TUNING"}', "it cannot be merged into the weights of its base"),
        ('{"model_class": "BertModel", "model_name": "b"}', "of the library adapters.*merge_adapter"),
        ("no JSON", "holds an adapter"),
    ],
)
def test_an_adapter_is_refused_with_what_to_do(settings: str, words: str, tmp_path: Path) -> None:
    folder = folder_with(tmp_path, adapter_config_json=settings)
    with pytest.raises(ValueError, match=words):
        find_checkpoint(str(folder))


def test_an_export_is_no_checkpoint(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, config_json='{"model_type": "bert"}', export_json="{}")
    with pytest.raises(ValueError, match="is what subarch export wrote, which Predictor"):
        find_checkpoint(str(folder))


def test_what_lies_beside_a_checkpoint_is_told(tmp_path: Path) -> None:
    assert [*remarks(folder_with(tmp_path, model_json="", vocab_txt=""), {}, None)] == []
    for name in ("mine.pt", "another.bin", "optimizer.pt", "training_args.bin", "pytorch_model-00001-of-00002.bin"):
        (tmp_path / name).write_bytes(b"")
    folder_with(tmp_path / "1_Pooling", config_json="{}")
    folder_with(tmp_path / "lora", adapter_config_json="{}")
    said = [*remarks(tmp_path, {"label2id": {"no": 0, "yes": 1}}, None)]
    assert said[0].startswith("its config names classes in label2id alone")
    assert said[1].startswith("the adapter in its folder lora is not applied")
    assert said[2] == "another.bin, mine.pt are not read: no part of a stock checkpoint"
    assert said[3].startswith("1_Pooling belongs to a folder of sentence-transformers")
    assert len(said) == 4
