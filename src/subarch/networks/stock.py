"""Stock networks by their configs: as JSON data and as objects, in other sizes, built, and called.

Nothing needs remote code: keys by which a config can name some are left out.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, cast

import torch
import transformers
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PreTrainedModel
from transformers.configuration_utils import PretrainedConfig

from subarch.errors import InputError
from subarch.networks.correspondence import Depths, depth_map
from subarch.networks.layouts import LAYOUTS, layout_of, sizes_in, without_pooler
from subarch.networks.positions import positions_of
from subarch.results.base import Json

_CODE = ("auto_map", "attn_implementation", "_attn_implementation", "experts_implementation", "_experts_implementation")


def plain_config(config: Mapping[str, Any] | PretrainedConfig) -> Json:
    """A config as JSON data with every default written out.

    Raises:
        ValueError: when the stock library knows no such config.
    """
    full = config if isinstance(config, PretrainedConfig) else stock_config(config)
    data: dict[str, Any] = json.loads(json.dumps(full.to_dict()))
    data.pop("transformers_version", None)  # provenance belongs to the manifest; here it would change hashes
    data.pop("_name_or_path", None)
    return data


def stock_config(data: Mapping[str, Any]) -> PretrainedConfig:
    """The stock library's config object for JSON data with a ``model_type``.

    Keys by which a config can name code to be fetched and run (``auto_map``, kernels for attention) are left out.

    Raises:
        ValueError: when ``model_type`` is missing or unknown, or the values are refused.
    """
    kind = data.get("model_type")
    if not isinstance(kind, str):
        raise InputError("a Hugging Face config needs a 'model_type' such as 'bert', this one has none")
    try:
        return AutoConfig.for_model(kind, **{n: value for n, value in data.items() if n not in ("model_type", *_CODE)})
    except Exception as error:
        reason = " ".join(str(error).split())
        short = reason if len(reason) <= 200 else reason[:200] + " ..."  # the library lists every network it knows
        raise InputError(f"this config of model_type {kind!r} cannot be read: {short}") from error


def class_of(auto: str, config: PretrainedConfig) -> Any:
    """The class of an ``Auto`` class for a kind of network; None where there is none."""
    mapping: Any = getattr(transformers, auto)._model_mapping
    return mapping[type(config)] if type(config) in mapping.keys() else None  # noqa: SIM118


# ---------------------------------------------------------------------- other sizes


def resized(config: Mapping[str, Any], sizes: Mapping[str, int], layers: Sequence[int] | None = None) -> Json:
    """A config with other sizes, and with what follows them.

    Args:
        config: with every default written out.
        sizes: by the names of :data:`~subarch.networks.layouts.NAMES`; those left out stay.
        layers: which of its layers are kept; those of :func:`kept_layers` when not given.
    """
    layout, before = layout_of(config), sizes_in(config)
    made = {**config, **{layout.own(name): size for name, size in sizes.items()}}
    after = sizes_in(made)
    made |= {field: after[size] for field, size in layout.follows.items() if field in made}
    if (width := config.get(layout.projected)) is not None:
        if width == before["hidden_size"]:  # without a projection, and so it stays
            made[layout.projected] = after["hidden_size"]
        elif width == after["hidden_size"]:
            raise InputError(
                f"hidden_size must not be {width}: that is the {layout.projected}, and without a projection between "
                "the two the network would be of another make. Leave this size out of the space"
            )
    types = config.get("layer_types")
    if types and len(types) == before["num_hidden_layers"]:
        kept = kept_layers(config, after["num_hidden_layers"]) if layers is None else layers
        made["layer_types"] = [types[n] for n in kept]
    return made


def resize(config: PretrainedConfig, sizes: Mapping[str, int], layers: Sequence[int] | None = None) -> None:
    """:func:`resized` for a config object, in place."""
    layout, changed = layout_of(config), resized(plain_config(config), sizes, layers)
    fields = {*(layout.own(name) for name in sizes), *layout.follows, layout.projected, "layer_types"}
    for field in sorted(fields & changed.keys()):
        setattr(config, field, changed[field])


def kept_layers(
    config: Mapping[str, Any] | PretrainedConfig, depth: int, depths: Depths = depth_map
) -> tuple[int, ...]:
    """Which layers of the network of a config one of ``depth`` layers takes over; a deeper one goes on as it began.

    Args:
        config: of the network.
        depth: how many layers there are to be.
        depths: which of those that are made alike, given how many there are to be and how many there are.
    """
    lone, full = layout_of(config).lone, int(sizes_in(config)["num_hidden_layers"])
    if depth > full:
        return tuple(n % full for n in range(depth))
    rest = depths(depth - lone, full - lone) if depth > lone else ()
    return (*range(min(lone, depth)), *(n + lone for n in rest))


def like(source: PreTrainedModel, architecture: Mapping[str, Any]) -> PreTrainedModel:
    """A stock model of the class of ``source`` in another shape, freshly initialised on the current default device.

    Args:
        source: a stock encoder with any head.
        architecture: sizes by the names of :data:`~subarch.networks.layouts.NAMES`; those left out stay. Heads keep
            their size, so that their number follows the hidden size.

    Raises:
        ValueError: where no part of the source has this shape.
    """
    config: Any = source.config
    layout_of(config)
    sizes = {name: int(size) for name, size in sizes_in(config).items()}
    for name in ("hidden_size", "intermediate_size"):
        if not 1 <= int(architecture.get(name, sizes[name])) <= sizes[name]:
            raise InputError(
                f"this candidate cannot inherit: {name} must lie in 1..{sizes[name]}, got {architecture[name]}"
            )
    wanted = {**sizes, **{name: int(value) for name, value in architecture.items()}}
    depth_map(wanted["num_hidden_layers"], sizes["num_hidden_layers"])
    size, hidden = sizes["hidden_size"] // sizes["num_attention_heads"], wanted["hidden_size"]
    heads = int(architecture.get("num_attention_heads", max(1, hidden // size)))
    if heads * size != hidden:
        raise InputError(
            f"this candidate cannot inherit: the source's heads have size {size}, {heads} heads of a hidden size of "
            f"{hidden} would have size {hidden / heads:g}; keep hidden_size / num_attention_heads"
        )
    made = copy.deepcopy(config)
    resize(made, {**wanted, "num_attention_heads": heads})
    bare = source.base_model is source and getattr(source, "pooler", None) is None
    return cast("PreTrainedModel", type(cast("Any", source))(made, **(without_pooler(config) if bare else {})))


def backbone(config: PretrainedConfig, auto: Any = AutoModel) -> nn.Module:
    """The stock backbone without pooler, fp32, freshly initialised."""
    return cast("nn.Module", auto.from_config(config, **without_pooler(config, auto), dtype=torch.float32))


def plainly(config: PretrainedConfig, auto: Any = AutoModel) -> nn.Module:
    """:func:`backbone` of operators that work without values and one by one: no fused attention, no sorted experts.

    It computes the same, and can be traced.
    """
    ways = {"attn_implementation": "eager", "experts_implementation": "batched_mm"}
    return cast("nn.Module", auto.from_config(config, **without_pooler(config, auto), **ways, dtype=torch.float32))


def positions(config: Mapping[str, Any]) -> int | None:
    """Tokens that the network of a config has positions for; None where there is no limit."""
    return _positions(json.dumps(dict(config), sort_keys=True))


@lru_cache(maxsize=64)
def _positions(config: str) -> int | None:
    return positions_of(stock_config(json.loads(config))).longest


def token_inputs(config: Mapping[str, Any], batch_size: int, sequence_length: int) -> dict[str, Tensor]:
    """Token ids other than padding: ``(batch, sequence)``, int64, on the current default device.

    Sequences are full, so without a mask, which would change nothing, but for networks that would look for padding.

    Raises:
        ValueError: when the network has no position for so long a sequence.
    """
    longest = positions(config)
    if sequence_length < 1 or (longest is not None and sequence_length > longest):
        raise InputError(
            f"expected a sequence length from 1 to {longest}, the tokens that this network has positions for, got "
            f"{sequence_length}: give --sequence-length {longest} or less"
        )
    vocabulary, padding = int(config["vocab_size"]), int(config.get("pad_token_id") or 0)
    ids = (torch.arange(batch_size * sequence_length) + padding + 1) % max(vocabulary, 1)
    ids = torch.where(ids == padding, torch.full_like(ids, (padding + 1) % max(vocabulary, 1)), ids)
    inputs, kind = {"input_ids": ids.reshape(batch_size, sequence_length)}, str(config.get("model_type"))
    if (axes := LAYOUTS[kind].mask if kind in LAYOUTS else 0) == 2:
        inputs["attention_mask"] = torch.ones(batch_size, sequence_length, dtype=torch.long)
    elif axes:
        inputs["attention_mask"] = torch.zeros(batch_size, 1, sequence_length, sequence_length)
    return inputs
