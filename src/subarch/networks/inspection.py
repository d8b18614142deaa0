"""What a BERT-like network costs, by every convention in use, for presets, configs and checkpoints.

Every figure is counted on modules of the stock library on the meta device. For the Bort presets the published figures
stand beside the exact ones: the published shape and the published sizes contradict each other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import torch
from transformers import AutoModel, AutoModelForMaskedLM
from transformers.configuration_utils import PretrainedConfig

from subarch.errors import InputError
from subarch.networks.checkpoints import open_checkpoint
from subarch.networks.configs import read_config
from subarch.networks.counting import module_macs, num_parameters
from subarch.networks.encoder import bort_config, require_encoder
from subarch.networks.layouts import layout_of, sizes_in
from subarch.networks.stock import plain_config, stock_config, token_inputs
from subarch.networks.weights import has_weights
from subarch.results.base import Json
from subarch.results.inspect import InspectResult, PublishedResult, StockResult

CONVENTIONS = {
    "total": "backbone: embedding + encoder, without pooler and head",
    "embedding": "token, position and segment tables with their layer norm",
    "embedding_tables": "token, position and segment tables alone",
    "encoder": "the encoder layers",
    "pooler": "dense layer on the first token; 0 where the architecture has none",
    "mlm_head": "masked-language-model head without its output matrix, which is the token table",
    "macs_per_token": "multiply-accumulates of the encoder's matrix products in one forward pass over one sequence, "
    "divided by its tokens; no embedding, pooler, head, softmax, normalisation or bias; FLOPs are twice as many",
}

# layers, heads, hidden size, intermediate size
_BORT = {"bort": (4, 8, 1024, 768), "bort-flipped": (4, 8, 768, 1024), "bort-2": (2, 16, 1024, 512)}
_STOCK: dict[str, tuple[str, tuple[int, int, int, int]]] = {
    "bert-base": ("bert", (12, 12, 768, 3072)),
    "bert-large": ("bert", (24, 16, 1024, 4096)),
    "roberta-large": ("roberta", (24, 16, 1024, 4096)),
    "distilbert": ("distilbert", (6, 12, 768, 3072)),
    "minilm-l6-h384": ("bert", (6, 12, 384, 1536)),
    "tinybert-4": ("bert", (4, 12, 312, 1200)),
}
PRESETS = (*_BORT, *_STOCK)


def preset_config(name: str) -> Json:
    """The stock config of a preset network.

    Raises:
        ValueError: for an unknown preset.
    """
    if name in _BORT:
        return bort_config(*_BORT[name])
    if name not in _STOCK:
        raise InputError(f"expected one of the presets {', '.join(PRESETS)}, got {name!r}")
    kind, (layers, heads, hidden, intermediate) = _STOCK[name]
    if kind == "distilbert":
        sizes: dict[str, Any] = {"n_layers": layers, "n_heads": heads, "dim": hidden, "hidden_dim": intermediate}
        return plain_config({"model_type": kind, "architectures": ["DistilBertModel"], **sizes})
    sizes = {
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "hidden_size": hidden,
        "intermediate_size": intermediate,
    }
    if kind == "roberta":
        sizes |= {"vocab_size": 50265, "max_position_embeddings": 514, "type_vocab_size": 1, "layer_norm_eps": 1e-5}
    architectures = ["RobertaModel" if kind == "roberta" else "BertModel"]
    return plain_config({"model_type": kind, "architectures": architectures, **sizes})


def inspect_network(name_or_path: str, sequence_length: int = 128) -> InspectResult:
    """Exact counts of a preset, a ``config.json``, or a checkpoint of a BERT-like encoder.

    Args:
        name_or_path: one of :data:`PRESETS`, a config file, a checkpoint folder, or a Hugging Face name.
        sequence_length: tokens of the sequence whose operations are counted, up to the network's positions.

    Returns:
        The counts. For Bort presets ``parameters`` has no segment table, as published; ``stock`` holds the network that
        runs, and ``published`` the reported figures beside the exact ones.

    Raises:
        ValueError: for anything else, naming what came.
    """
    config = _config(name_or_path)
    found = InspectResult(
        name=name_or_path,
        architecture=_shape(config),
        parameters=count_encoder(config),
        macs_per_token=_macs_per_token(config, sequence_length),
        sequence_length=sequence_length,
        conventions=CONVENTIONS,
    )
    if name_or_path not in _BORT:
        return found
    return replace(
        found,
        stock=StockResult(
            parameters=found.parameters,
            note="type_vocab_size 1: the form that the stock library runs, with one row of segment embeddings",
        ),
        parameters=count_encoder({**config, "type_vocab_size": 0}),
        conventions={**CONVENTIONS, "parameters": "type_vocab_size 0: no segment table, as published"},
        published=published_bort(name_or_path),
    )


def count_encoder(config: Mapping[str, Any]) -> dict[str, int]:
    """Exact parameters of each part of a stock encoder; see :data:`CONVENTIONS`."""
    stock = _stock(config)
    with torch.device("meta"):
        model = cast("Any", AutoModel.from_config(stock))
        with_head = cast("Any", AutoModelForMaskedLM.from_config(stock))
    pooler = getattr(model, "pooler", None)
    parts = dict(model.embeddings.named_children())
    embedding, norm = num_parameters(model.embeddings), parts.get("LayerNorm", parts.get("norm"))
    seen: set[int] = set()
    bare = num_parameters(with_head.base_model, seen=seen)
    head = num_parameters(with_head, seen=seen)  # what the backbone does not share with it
    return {
        "total": bare,
        "embedding": embedding,
        "embedding_tables": embedding - (0 if norm is None else num_parameters(norm)),
        "encoder": bare - embedding,  # with what stands between the two, where anything does
        "layer": num_parameters(next(model.get_submodule(layout_of(config).layers).children())),
        "pooler": 0 if pooler is None else num_parameters(pooler),
        "mlm_head": head,
    }


def _macs_per_token(config: Mapping[str, Any], sequence_length: int) -> int:
    with torch.device("meta"):
        model = cast("Any", AutoModel.from_config(_stock(config)))
        inputs = token_inputs(config, 1, sequence_length)
        _, by_module = module_macs(model, **inputs)
    name = layout_of(config).layers
    macs = sum(by_module.get(f"{name}.{part}", 0) for part, _ in model.get_submodule(name).named_children())
    return round(macs / sequence_length)  # some layers also read positions, of which there are as many for any text


def _stock(config: Mapping[str, Any]) -> PretrainedConfig:
    return stock_config({**config, "tie_word_embeddings": True})


def _config(name_or_path: str) -> Json:
    if name_or_path in PRESETS:
        return preset_config(name_or_path)
    path = Path(name_or_path).expanduser()
    if path.is_file() or ((path / "config.json").is_file() and not has_weights(path)):
        config = read_config(path)  # weights are not needed to count
    else:
        try:
            config = dict(open_checkpoint(name_or_path).config)
        except ValueError as error:
            raise InputError(f"{error}. Presets to inspect: {', '.join(PRESETS)}") from error
    try:
        require_encoder(config)
    except ValueError as error:
        raise InputError(f"{name_or_path}: {error}") from error
    return config


def _shape(config: Mapping[str, Any]) -> dict[str, int]:
    sizes = sizes_in(config)
    names = ("num_hidden_layers", "num_attention_heads", "hidden_size", "intermediate_size")
    return {
        **{name: sizes[name] for name in names},
        "vocab_size": config["vocab_size"],
        "max_position_embeddings": config.get("max_position_embeddings", 0),
        "type_vocab_size": config.get("type_vocab_size", 0),
    }


# ---------------------------------------------------------------------- published figures


_PUBLISHED: tuple[tuple[str, float, str, int], ...] = (  # figure, published, unit, decimals given
    ("parameters", 56.0, "million", 0),
    ("parameters (first version of the paper)", 56.1, "million", 1),
    ("embedding", 39.0, "million", 0),
    ("share of the encoder", 30.3, "percent", 1),
    ("effective size against BERT-large", 5.5, "percent", 1),
    ("net size against BERT-large", 16.0, "percent", 0),
    ("speed against BERT-large", 20.0, "times", 0),
    ("speed against BERT-base", 7.9, "times", 1),
)


def published_bort(name: str = "bort") -> tuple[PublishedResult, ...]:
    """The figures that were published for Bort, each with the exact ones of this shape and whether they agree.

    A figure was published with few digits and without its convention, so every convention that could be meant is
    computed, and the figure reconciles when one of them rounds, or is cut, to it. Speeds were measured in time and
    are set against operations at 128 tokens.
    """
    exact, flipped = _readings(preset_config(name)), _readings(preset_config("bort-flipped"))
    return tuple(
        PublishedResult(
            figure=figure,
            published=published,
            unit=unit,
            exact=exact[figure],
            reconciles=any(_agree(value, published, digits) for value in exact[figure].values()),
            reconciles_with_flipped_shape=any(_agree(value, published, digits) for value in flipped[figure].values()),
        )
        for figure, published, unit, digits in _PUBLISHED
    )


def _agree(value: float, published: float, digits: int) -> bool:
    """Whether ``value``, rounded or cut to the published digits, is the published figure."""
    scale = 10**digits
    return published in (round(value, digits), math.floor(value * scale) / scale)


def _readings(config: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Exact figures of a Bort shape without segment table, by every convention that could have been meant."""
    counts, large = count_encoder({**config, "type_vocab_size": 0}), count_encoder(preset_config("bert-large"))
    macs = _macs_per_token(config, 128)
    totals = {
        "backbone": counts["total"],
        "with pooler": counts["total"] + counts["pooler"],
        "with head": counts["total"] + counts["mlm_head"],
        "with pooler and head": counts["total"] + counts["pooler"] + counts["mlm_head"],
    }
    whole = totals["with pooler and head"]
    rest = whole - counts["embedding_tables"]
    millions = {reading: round(value / 1e6, 3) for reading, value in totals.items()}
    shares = {f"encoder over {reading}": 100 * counts["encoder"] / value for reading, value in totals.items()}
    return {
        "parameters": millions,
        "parameters (first version of the paper)": millions,
        "embedding": {"tables": round(counts["embedding_tables"] / 1e6, 3)},
        "share of the encoder": _rounded({**shares, "all but embeddings over the whole": 100 * rest / whole}),
        "effective size against BERT-large": _rounded(
            {
                "encoder over encoder": 100 * counts["encoder"] / large["encoder"],
                "all but embeddings, of BERT-large's published 308.2 million": rest / 3.082e6,
            }
        ),
        "net size against BERT-large": _rounded(
            {
                "with pooler, over BERT-large's": 100 * totals["with pooler"] / (large["total"] + large["pooler"]),
                "with pooler and head, of BERT-large's published 340 million": whole / 3.4e6,
            }
        ),
        "speed against BERT-large": _rounded({"operations": _macs_per_token(preset_config("bert-large"), 128) / macs}),
        "speed against BERT-base": _rounded({"operations": _macs_per_token(preset_config("bert-base"), 128) / macs}),
    }


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 2) for name, value in values.items()}
