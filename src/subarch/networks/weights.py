"""The weight files of a checkpoint: which of them are loaded, and names and shapes in them, read off their heads."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import safe_open

from subarch.errors import InputError

# In the order in which the stock library looks for them.
WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")
_INDEX = ".index.json"
_ELSEWHERE: Mapping[str, str] = {
    "tf_model.h5": "TensorFlow",
    "flax_model.msgpack": "Flax",
    "model.ckpt*": "TensorFlow 1",
    "rust_model.ot": "Rust",
    "*.gguf": "llama.cpp (GGUF)",
    "*.onnx": "ONNX",
    "openvino_model.xml": "OpenVINO",
}
_QUANTISED = (".qweight", ".qzeros", ".absmax", ".quant_state", ".SCB", ".weight_format", ".g_idx", ".nested_absmax")
_LFS = b"version https://git-lfs"


@dataclass(frozen=True)
class Tensors:
    """What the weight files of a folder hold.

    Attributes:
        files: that the stock library loads, without an index.
        shapes: of each tensor, by its name in the files.
    """

    files: tuple[Path, ...]
    shapes: Mapping[str, tuple[int, ...]]


def has_weights(folder: Path) -> bool:
    """Whether a folder has weights of any kind, whole or not."""
    patterns = (*WEIGHTS, *_ELSEWHERE, "adapter_model.*")
    return any(next(folder.glob(pattern), None) is not None for pattern in patterns)


def find_weights(folder: Path) -> tuple[Path, ...]:
    """The weight files that the stock library loads from a folder, an index before its parts.

    Raises:
        ValueError: when there are none, or parts of them are missing.
    """
    first = next((folder / name for name in WEIGHTS if (folder / name).is_file()), None)
    if first is None:
        raise InputError(f"{folder} {_without(folder)}")
    if not first.name.endswith(_INDEX):
        return (first,)
    try:
        placed: Mapping[str, str] = json.loads(first.read_text(encoding="utf-8"))["weight_map"]
        parts = [folder / name for name in sorted(set(placed.values()))]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{first} does not say in which file each tensor is ({error}): download it again") from error
    if missing := [part.name for part in parts if not part.is_file()]:
        raise InputError(
            f"the weights of {folder} are not whole: {first.name} names {', '.join(missing)}, which "
            f"{'is' if len(missing) == 1 else 'are'} not there: download or copy the rest"
        )
    return (first, *parts)


def _without(folder: Path) -> str:
    names = [path.name for path in folder.iterdir()]
    for pattern, of in _ELSEWHERE.items():
        if found := next((name for name in sorted(names) if fnmatch(name, pattern)), None):
            return (
                f"has weights of {of} alone ({found}), expected PyTorch's ({WEIGHTS[0]} or {WEIGHTS[2]}): take the "
                "model's PyTorch version, or convert it (transformers before version 5 did: from_pretrained(FOLDER, "
                "from_tf=True or from_flax=True), then save_pretrained)"
            )
    return f"has a config.json but no weights ({', '.join(WEIGHTS)}): save it with save_pretrained()"


def read_tensors(folder: Path) -> Tensors:
    """Names and shapes of all tensors that would be loaded; the weights themselves are not read.

    Raises:
        ValueError: for files that are missing, damaged, quantised, or hold something else.
    """
    files = tuple(path for path in find_weights(folder) if not path.name.endswith(_INDEX))
    shapes: dict[str, tuple[int, ...]] = {}
    whole: list[str] = []  # kept as whole numbers
    for path in files:
        _require_whole(folder, path)
        try:
            found, integers = _of_safetensors(path) if path.suffix == ".safetensors" else _of_torch(path)
            shapes |= found
            whole += integers
        except ValueError:
            raise
        except Exception as error:  # the readers raise a dozen unrelated kinds here
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise InputError(
                f"the weights of {folder} cannot be loaded ({path.name}: {reason}): was the download cut short, is the "
                "checkpoint whole?"
            ) from error
    rounded = [name for name in whole if name.endswith((".weight", ".bias"))]
    if small := next((name for name in (*shapes, *rounded) if name.endswith(_QUANTISED) or name in rounded), None):
        raise InputError(
            f"the weights of {folder} are quantised ({small}): give the model that they were made from, in floats"
        )
    return Tensors(files, shapes)


def _require_whole(folder: Path, path: Path) -> None:
    with path.open("rb") as stream:
        head = stream.read(len(_LFS))
    if not head:
        raise InputError(f"the weights of {folder} cannot be loaded ({path.name} is empty): download or copy it again")
    if head == _LFS:
        raise InputError(
            f"the weights of {folder} cannot be loaded ({path.name} is a pointer of Git LFS, not the file itself): run "
            "git lfs pull in that folder"
        )


def _of_safetensors(path: Path) -> tuple[dict[str, tuple[int, ...]], list[str]]:
    """Shapes by name, and names of the tensors of whole numbers."""
    with cast("Any", safe_open(path, framework="pt")) as tensors:
        slices = {name: tensors.get_slice(name) for name in tensors.keys()}  # noqa: SIM118
        integers = [
            name for name, one in slices.items() if str(one.get_dtype())[0] in "IUB" and one.get_dtype() != "BF16"
        ]
        return {name: tuple(one.get_shape()) for name, one in slices.items()}, integers


def _of_torch(path: Path) -> tuple[dict[str, tuple[int, ...]], list[str]]:
    found = _torch_tensors(path)
    integers = [name for name, one in found.items() if not one.is_floating_point()]
    return {name: tuple(one.shape) for name, one in found.items()}, integers


def rival_of(folder: Path) -> str | None:
    """The name of a ``.bin`` file beside ``.safetensors`` with other weights, by the small ones."""
    first, second = folder / WEIGHTS[0], folder / WEIGHTS[2]
    if not (first.is_file() and second.is_file()):
        return None
    try:
        with cast("Any", safe_open(first, framework="pt")) as tensors:
            theirs = _torch_tensors(second, device="cpu")
            shared = [name for name in tensors.keys() if name in theirs and theirs[name].numel() <= _SMALL]  # noqa: SIM118
            same = all(torch.equal(tensors.get_tensor(name), theirs[name]) for name in shared)
    except Exception:  # a second file that is damaged, or of another kind: it holds nothing that could be meant
        return None
    return None if shared and same else second.name


_SMALL = 100_000  # numbers of a tensor: biases and heads, in which two states of a network differ as everywhere


def _torch_tensors(path: Path, device: str = "meta") -> dict[str, torch.Tensor]:
    with path.open("rb") as stream:
        is_zip = stream.read(2) == b"PK"  # what torch.save has written since 2020 need not be read to be listed
    found: Any = torch.load(path, map_location=device, weights_only=True, mmap=is_zip or None)
    if not isinstance(found, dict) or not all(isinstance(one, torch.Tensor) for one in found.values()):
        inside = sorted(str(name) for name in found)[:5] if isinstance(found, dict) else type(found).__name__
        raise InputError(
            f"{path} holds no tensors by name, but {inside}: save the network itself with model.save_pretrained(FOLDER)"
        )
    return {str(name): one for name, one in found.items()}


def weights_fingerprint(folder: Path) -> str:
    """SHA-256 over the config and the weight files of a checkpoint, so that another source is noticed."""
    return digest_of([folder / "config.json", *find_weights(folder)])


def digest_of(files: Sequence[Path]) -> str:
    """SHA-256 over the names and the content of files."""
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(path.name.encode())
        with path.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()
