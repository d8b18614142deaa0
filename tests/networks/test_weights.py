"""Weight files: which are loaded, and what stands in their heads."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from subarch.networks.weights import (
    digest_of,
    find_weights,
    has_weights,
    read_tensors,
    rival_of,
    weights_fingerprint,
)

TENSORS = {"layer.weight": torch.ones(3, 2), "layer.bias": torch.zeros(3)}
SHAPES = {"layer.weight": (3, 2), "layer.bias": (3,)}


def safe(folder: Path, name: str = "model.safetensors", tensors: dict[str, torch.Tensor] = TENSORS) -> Path:
    save_file(tensors, folder / name)
    return folder / name


def index(folder: Path, placed: object) -> None:
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": placed}))


def test_the_order_is_the_stock_librarys(tmp_path: Path) -> None:
    torch.save(TENSORS, tmp_path / "pytorch_model.bin")
    assert find_weights(tmp_path) == (tmp_path / "pytorch_model.bin",)
    assert read_tensors(tmp_path).shapes == SHAPES
    safe(tmp_path, "a.safetensors")
    index(tmp_path, {"layer.weight": "a.safetensors", "layer.bias": "a.safetensors"})
    assert [path.name for path in find_weights(tmp_path)] == ["model.safetensors.index.json", "a.safetensors"]
    safe(tmp_path)
    found = read_tensors(tmp_path)
    assert found.files == (tmp_path / "model.safetensors",) and found.shapes == SHAPES


def test_shards_are_read_together_and_must_all_be_there(tmp_path: Path) -> None:
    for name, key in (("a.safetensors", "layer.weight"), ("b.safetensors", "layer.bias")):
        safe(tmp_path, name, {key: TENSORS[key]})
    index(tmp_path, {"layer.weight": "a.safetensors", "layer.bias": "b.safetensors"})
    assert read_tensors(tmp_path).shapes == SHAPES
    (tmp_path / "b.safetensors").unlink()
    with pytest.raises(ValueError, match=r"not whole: .*index.json names b.safetensors, which is not there"):
        find_weights(tmp_path)
    index(tmp_path, ["a.safetensors"])
    with pytest.raises(ValueError, match="does not say in which file each tensor is"):
        find_weights(tmp_path)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("tf_model.h5", "weights of TensorFlow alone"),
        ("model.ckpt-1000.index", "weights of TensorFlow 1 alone"),
        ("q4.gguf", "GGUF"),
        ("model.onnx", "weights of ONNX alone"),
        ("readme.txt", "a config.json but no weights"),
    ],
)
def test_weights_of_other_programs_are_told(name: str, words: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"x")
    assert has_weights(tmp_path) == (name != "readme.txt")
    with pytest.raises(ValueError, match=words):
        find_weights(tmp_path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "model.safetensors is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a pointer of Git LFS"),
        (b"\x10\x00\x00\x00\x00\x00\x00\x00{}", "was the download cut short"),
    ],
)
def test_damaged_files_are_told_by_their_damage(content: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(ValueError, match=words):
        read_tensors(tmp_path)


@pytest.mark.parametrize(
    "tensors",
    [
        {"layer.qweight": torch.zeros(2, dtype=torch.int32)},
        {"layer.weight": torch.zeros(2, dtype=torch.int8)},
        {"layer.weight": torch.zeros(2), "layer.weight.absmax": torch.zeros(1)},
    ],
)
@pytest.mark.parametrize("kind", ["safetensors", "bin"])
def test_quantised_weights_are_refused(tensors: dict[str, torch.Tensor], kind: str, tmp_path: Path) -> None:
    if kind == "bin":
        torch.save(tensors, tmp_path / "pytorch_model.bin")
    else:
        safe(tmp_path, tensors=tensors)
    with pytest.raises(ValueError, match="are quantised"):
        read_tensors(tmp_path)


def test_whole_numbers_that_are_no_weights_are_fine(tmp_path: Path) -> None:
    safe(
        tmp_path, tensors={**TENSORS, "embeddings.position_ids": torch.arange(4), "half": TENSORS["layer.bias"].half()}
    )
    assert read_tensors(tmp_path).shapes["embeddings.position_ids"] == (4,)


def test_a_file_of_torch_must_hold_tensors_by_name(tmp_path: Path) -> None:
    torch.save({"state": TENSORS, "epoch": 3}, tmp_path / "pytorch_model.bin")
    with pytest.raises(ValueError, match=r"holds no tensors by name, but \['epoch', 'state'\]"):
        read_tensors(tmp_path)


def test_a_second_file_with_other_weights_is_a_rival(tmp_path: Path) -> None:
    safe(tmp_path)
    assert rival_of(tmp_path) is None
    torch.save(TENSORS, tmp_path / "pytorch_model.bin")
    assert rival_of(tmp_path) is None
    torch.save({**TENSORS, "layer.bias": torch.ones(3)}, tmp_path / "pytorch_model.bin")
    assert rival_of(tmp_path) == "pytorch_model.bin"
    (tmp_path / "pytorch_model.bin").write_bytes(b"damaged")
    assert rival_of(tmp_path) is None


def test_a_digest_covers_names_and_content_whatever_the_order(tmp_path: Path) -> None:
    one, other = tmp_path / "a", tmp_path / "b"
    one.write_bytes(b"1")
    other.write_bytes(b"2")
    by_hand = hashlib.sha256(b"a" + hashlib.sha256(b"1").digest() + b"b" + hashlib.sha256(b"2").digest()).hexdigest()
    assert digest_of([other, one]) == digest_of([one, other]) == by_hand
    (tmp_path / "config.json").write_text("{}")
    safe(tmp_path)
    before = weights_fingerprint(tmp_path)
    (tmp_path / "config.json").write_text('{"a": 1}')
    assert weights_fingerprint(tmp_path) != before
