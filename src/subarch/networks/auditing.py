"""Every tensor of a checkpoint is used, known to be harmless, or named."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

from transformers import PretrainedConfig

from subarch.errors import InputError
from subarch.networks.comparing import compared, in_encoder
from subarch.networks.outputs import Head

_POOLER = re.compile(r"(^|\.)pooler\.")
_LANGUAGE = re.compile(r"^(cls|lm_head|predictions|generator_predictions|generator_lm_head|vocab_[a-z_]+|mlm)\b")


def audit(
    name: str,
    config: Mapping[str, Any],
    stock: PretrainedConfig,
    head: Head,
    shapes: Mapping[str, tuple[int, ...]],
) -> list[str]:
    """Account for every tensor; what a head has too much or too little, in words.

    Raises:
        ValueError: for tensors of the encoder that are missing, left over, or of another size.
    """
    kind = head.opened_by(stock)
    found = compared(kind, stock, shapes)
    prefix = kind.base_model_prefix

    def encoders(tensor: str) -> bool:
        return in_encoder(tensor, prefix, found.parts) and not _POOLER.search(tensor)

    for tensor, has, wants in found.mismatched:
        if encoders(tensor) or head.kind == "encoder":
            raise InputError(_misfit(name, tensor, has, wants, config))
    if missing := [tensor for tensor in found.missing if encoders(tensor)]:
        raise InputError(_absent(name, missing, shapes, prefix))
    if inside := found.inside(kind):
        raise InputError(_leftover(name, inside, config))
    left = [_misfit(name, *one, config).partition(": ")[2] for one in found.mismatched]
    if lost := [tensor for tensor in found.missing if head.kind != "encoder"]:
        left.append(f"its weights lack {len(lost)} tensors that its head {head.name} has (such as {lost[0]})")
    outside = found.outside(kind)
    # A language model's head behind another one is left from its pre-training.
    outside = [tensor for tensor in outside if head.kind == "encoder" or not _LANGUAGE.search(tensor)]
    if outside and head.name != "sentence-transformers" and head.kind != "other":
        left.append(
            f"its weights have {len(outside)} tensors that its class {head.name} does not ask for (such as {outside[0]}"
            "): a head that the config does not name?"
        )
    return left


def _misfit(name: str, tensor: str, has: Sequence[int], wants: Sequence[int], config: Mapping[str, Any]) -> str:
    sizes = [want for have, want in zip(has, wants, strict=False) if have != want]
    keys = [key for key, value in config.items() if value in sizes and not isinstance(value, bool)]
    said = f" ({', '.join(f'{key} {config[key]}' for key in keys)})" if keys else ""
    return (
        f"{name}: the tensor {tensor} has the size {_times(has)} in the weights and {_times(wants)} by the config{said}"
        ": they do not belong together. Put right whichever was edited or copied; only a head may be of another size"
    )


def _times(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape)) or "1"


def _absent(name: str, missing: Sequence[str], shapes: Mapping[str, tuple[int, ...]], prefix: str) -> str:
    bare = missing[0].removeprefix(f"{prefix}.")
    hit = next((tensor for tensor in shapes if tensor.endswith(f".{bare}")), None)
    if hit is not None:
        wrapper = hit.removesuffix(bare).removesuffix(f"{prefix}.") or f"{prefix}."
        return (
            f"{name}: the names of its tensors begin with the prefix {wrapper!r} (such as {hit}), as a wrapper around "
            "the network leaves them, and the stock library finds none of them. Save the network inside it "
            "(wrapper.module.save_pretrained(FOLDER)), or take the prefix off every name: "
            f"{{name.removeprefix({wrapper!r}): tensor}}"
        )
    return (
        f"the weights of {name} lack {len(missing)} tensors that its config asks for (such as {missing[0]}): is the "
        "checkpoint whole, and do its config and its weights belong together?"
    )


def _leftover(name: str, inside: Sequence[str], config: Mapping[str, Any]) -> str:
    told = f"{name}: its encoder has {len(inside)} tensors that nothing asks for (such as {inside[0]})"
    if any("lora_" in tensor or ".base_layer." in tensor for tensor in inside):
        return f"{told}, those of an adapter that was not merged: merge_and_unload(), then save_pretrained(FOLDER)"
    deeper = [tensor for tensor in inside if re.search(r"\.layers?\.\d+\.", tensor)]
    layers = config.get("num_hidden_layers") or config.get("n_layers")
    numbers = {int(cast("Any", re.search(r"\.layers?\.(\d+)\.", tensor)).group(1)) for tensor in deeper}
    if layers is not None and numbers and min(numbers) >= int(layers):
        return f"{told}: its weights have {max(numbers) + 1} layers, its config {layers}. Put right which was edited"
    if any("distance_embedding" in tensor for tensor in inside):
        return f"{told}: relative positions, which the installed stock library no longer computes for this class"
    return f"{told}: the network would answer otherwise than it was trained to. Is the config the weights' own?"
