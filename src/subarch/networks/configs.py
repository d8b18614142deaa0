"""Configs of the stock library as files have them: read in one place, and refused where it computes something else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import torch
import transformers
from transformers import PretrainedConfig
from transformers.models.auto import modeling_auto

from subarch.errors import InputError
from subarch.networks.stock import class_of, plain_config, stock_config
from subarch.results.base import Json


def read_config(path: Path) -> Json:
    """A config from a checkpoint folder or a ``config.json``, with all defaults written out.

    Raises:
        ValueError: for a file that is missing, no JSON object, or of a kind that the stock library does not know.
    """
    file = path / "config.json" if path.is_dir() else path
    data = raw_config(path)
    try:
        _require_values(data)
        return plain_config(data)
    except ValueError as error:
        raise InputError(f"{file}: {error}") from error


def raw_config(path: Path) -> Json:
    """What ``config.json`` of a folder, or a file, holds; it is opened once as long as it does not change.

    Raises:
        ValueError: for a file that is missing, or no JSON object.
    """
    file = path / "config.json" if path.is_dir() else path
    try:
        found = file.stat()
        data: Any = json.loads(_text(file, found.st_size, found.st_mtime_ns))
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # not UTF-8, or not JSON
        raise InputError(f"{file} is not valid JSON ({error}): was the download cut short?") from error
    if not isinstance(data, dict):
        raise InputError(f"{file} must hold a JSON object, got {type(data).__name__}")
    return cast("dict[str, Any]", data)


@lru_cache(maxsize=64)
def _text(file: Path, _size: int, _changed: int) -> str:
    return file.read_text(encoding="utf-8")


def _require_values(data: Mapping[str, Any]) -> None:
    """What the stock library would take in silence, or refuse without naming the field."""
    named = data.get("architectures")
    if named is not None and not (isinstance(named, list) and all(isinstance(one, str) for one in named)):
        raise InputError(f"architectures must be a list of names, got {named!r}")
    labels = data.get("id2label")
    if labels is not None:
        keys = sorted(labels, key=str) if isinstance(labels, dict) else None
        if keys is None or {str(key) for key in keys} != {str(n) for n in range(len(keys))}:
            raise InputError(f"id2label must name every output from 0 on, got {labels!r}")
        names = list(cast("dict[Any, Any]", labels).values())
        if not all(isinstance(name, str | int | float) for name in names) or len(set(map(str, names))) < len(names):
            raise InputError(f"id2label must give every output a name of its own, got {labels!r}")
    count = data.get("num_labels")
    if labels is not None and isinstance(count, int) and count != len(labels):
        raise InputError(f"num_labels is {count} and id2label has {len(labels)} names: put right whichever was edited")
    if count is not None and (not isinstance(count, int) or isinstance(count, bool) or count < 1):
        raise InputError(f"num_labels must be a whole number from 1 on, got {count!r}")
    if (problem := data.get("problem_type")) not in (None, *_PROBLEMS):
        raise InputError(f"problem_type must be one of {', '.join(_PROBLEMS)}, got {problem!r}")
    kind = data.get("dtype") or data.get("torch_dtype")
    if kind is not None and not isinstance(getattr(torch, str(kind).removeprefix("torch."), None), torch.dtype):
        raise InputError(f"{'dtype' if data.get('dtype') else 'torch_dtype'} must name a type of torch's, got {kind!r}")


def other_numbers(data: Mapping[str, Any]) -> str | None:
    """What is wrong where ``label2id``, which nobody reads, says otherwise than ``id2label``."""
    numbers, names = data.get("label2id"), data.get("id2label")
    if not isinstance(numbers, dict) or all(str(name) == f"LABEL_{n}" for name, n in numbers.items()):
        return None
    if names is None:
        return "its config names classes in label2id alone, which is not read: write id2label"
    other = [name for n, name in names.items() if str(numbers.get(str(name))) != str(n)]
    if not other:
        return None
    return (
        f"label2id in its config says otherwise than id2label (of {other[0]!r}), which counts here and in the stock "
        "library: put right whichever was edited"
    )


_PROBLEMS = ("single_label_classification", "multi_label_classification", "regression")

# Keys that change what a network computes, and with which values the stock classes compute the same without them.
_CHANGES: Mapping[str, tuple[Any, ...]] = {
    "position_embedding_type": (None, "absolute"),
    "pruned_heads": (None, {}),
    "quantization_config": (None,),
    "adapters": (None, {}),
    "prefix_projection": (None, False),
    "pre_seq_len": (None,),
    "alibi": (None, False),
    "use_lora": (None, False),
}


def require_stock(name: str, raw: Mapping[str, Any]) -> None:
    """Refuse what the stock library's classes do not compute as the config means it.

    Raises:
        ValueError: naming the key.
    """
    if own := raw.get("auto_map"):
        raise InputError(
            f"{name} asks for code of its own (auto_map in its config: {', '.join(map(str, own))}), which is never run "
            "here: give a checkpoint of a stock class; where the stock class computes the same, take auto_map out of "
            "config.json"
        )
    if (quantised := raw.get("quantization_config")) is not None:
        how = quantised.get("quant_method") if isinstance(quantised, dict) else None
        raise InputError(
            f"{name} has quantised weights ({how or 'quantization_config'} in its config), expected floats: give the "
            "model that it was made from, or save model.dequantize()"
        )
    kind = str(raw.get("model_type"))
    if raw.get("is_encoder_decoder") or raw.get("is_decoder") or raw.get("add_cross_attention") or _generates(kind):
        raise InputError(
            f"{name} is a decoder or has one (model_type {kind!r}{_listed(raw)}), which reads a text from one side or "
            "writes one: expected an encoder such as BERT"
        )
    known = {} if kind not in transformers.CONFIG_MAPPING else vars(transformers.CONFIG_MAPPING[kind]())
    for key, same in _CHANGES.items():
        value = raw.get(key)
        value = value.get("adapters", value) if isinstance(value, dict) else value
        if key in raw and key not in known and value not in same:
            raise InputError(
                f"{name}: {key} is {raw[key]!r} in its config, which the installed stock library does not compute for "
                f"{kind}: the network would answer otherwise than it was trained to. Give one with "
                f"{key} {same[-1]!r}, or run it with the version that made it"
            )


def _generates(kind: str) -> bool:
    speaks = kind in modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
    return speaks and kind not in modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES


def _listed(raw: Mapping[str, Any]) -> str:
    named = raw.get("architectures")
    return f", {', '.join(named)}" if named else ""


def built(name: str, raw: Mapping[str, Any]) -> PretrainedConfig:
    """The config as an object of which a network can be made.

    Raises:
        ValueError: naming the fields for which none can be made.
    """
    config = stock_config(raw)
    if (error := _unbuildable(config)) is None:
        return config
    reason = str(error).strip() or type(error).__name__
    alone = [
        key
        for key in raw
        if key != "model_type"
        and (key.replace("_", " ").removeprefix("num ") in reason.lower() or _unbuildable(_less(raw, key)) is None)
    ]
    fields = ", ".join(f"{key} {raw[key]!r}" for key in alone)
    raise InputError(
        f"{name}: no network can be made of its config ({fields or 'several fields'}: {reason})"
    ) from error


def _less(raw: Mapping[str, Any], key: str) -> PretrainedConfig | None:
    try:
        return stock_config({name: value for name, value in raw.items() if name != key})
    except ValueError:
        return None


def _unbuildable(config: PretrainedConfig | None) -> Exception | None:
    if config is None:
        return InputError("no config")
    kind = class_of("AutoModel", config)
    if kind is None:
        return InputError(f"the stock library has no network of model_type {config.model_type!r}")
    try:
        with torch.device("meta"):
            kind(config)
    except Exception as error:  # whatever a model's own code raises
        return error
    return None
