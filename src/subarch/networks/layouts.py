"""The stock encoders that are known: a row a type, with what cannot be read off a network.

What couples what, in which tensor and in which order, a trace tells (:mod:`subarch.networks.tracing`); the row of the
first position :mod:`subarch.networks.positions` finds; whether a network asks which of two texts a token belongs to, or
can be made without its pooler, its class says. What is left is how a config names its sizes, what else has to follow
them, and where the layers stand.

A further type is one more row.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import transformers
from transformers import PretrainedConfig

from subarch.errors import InputError

NAMES = ("num_attention_heads", "num_hidden_layers", "hidden_size", "intermediate_size")
"""How sizes are called here, whatever a config calls them."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """What cannot be read off a type of stock encoders.

    Attributes:
        model_type: as its configs have it.
        layers: the container of the layers in the backbone.
        sizes: the fields of its configs that hold sizes under other names.
        follows: further fields, each equal to a size.
        projected: the field with the width of token embeddings, where a projection stands between these and the layers
            unless that is the hidden size; empty where there is none, or always one.
        attention: maps of a layer that give queries, keys and values; one that gives all three, in this order.
        between: how a mask between tokens is given: as truth values, as numbers that are added, as those of whole texts
            and of windows, or not at all.
        lone: layers at the beginning that are made unlike the others, and so are taken over as they stand.
        shared: whether all layers are one, passed many times.
        mask: axes of the mask without which a pass reads values of its tokens, which are not there on the meta device:
            2 for ones at all tokens, 4 for zeros to be added between them; 0 where none is needed.
    """

    model_type: str
    layers: str = "encoder.layer"
    sizes: Mapping[str, str] = field(default_factory=dict)
    follows: Mapping[str, str] = field(default_factory=dict)
    projected: str = ""
    attention: tuple[str, ...] = ("attention.self.query", "attention.self.key", "attention.self.value")
    lone: int = 0
    shared: bool = False
    mask: Literal[0, 2, 4] = 0
    between: Literal["truth", "added", "windows", "none"] = "truth"

    def own(self, name: str) -> str:
        """What a config of this type calls the size ``name``."""
        return self.sizes.get(name, name)


LAYOUTS: Mapping[str, Layout] = {
    row.model_type: row
    for row in (
        Layout(model_type="bert"),
        Layout(model_type="roberta"),
        Layout(model_type="xlm-roberta"),
        Layout(model_type="camembert"),
        Layout(model_type="data2vec-text"),
        Layout(
            model_type="distilbert",
            layers="transformer.layer",
            sizes={
                "num_attention_heads": "n_heads",
                "num_hidden_layers": "n_layers",
                "hidden_size": "dim",
                "intermediate_size": "hidden_dim",
            },
            attention=("attention.q_lin", "attention.k_lin", "attention.v_lin"),
        ),
        Layout(model_type="electra", projected="embedding_size"),
        Layout(
            model_type="mpnet",
            attention=("attention.attn.q", "attention.attn.k", "attention.attn.v"),
            between="added",
        ),
        Layout(
            model_type="albert",
            layers="encoder.albert_layer_groups.0.albert_layers",
            attention=("attention.query", "attention.key", "attention.value"),
            shared=True,
        ),
        Layout(
            model_type="deberta-v2",
            follows={"pooler_hidden_size": "hidden_size"},
            attention=("attention.self.query_proj", "attention.self.key_proj", "attention.self.value_proj"),
            mask=2,
            between="none",
        ),
        Layout(model_type="modernbert", layers="layers", attention=("attn.Wqkv",), lone=1, between="windows"),
        Layout(model_type="roformer", projected="embedding_size", mask=4, between="added"),
    )
}
KNOWN = " or ".join((", ".join([*LAYOUTS][:-1]), [*LAYOUTS][-1]))
"""The types, in words."""


def layout_of(config: PretrainedConfig | Mapping[str, Any]) -> Layout:
    """The row of a network's type.

    Raises:
        ValueError: where there is none.
    """
    kind = str(config.get("model_type") if isinstance(config, Mapping) else config.model_type)
    if kind not in LAYOUTS:
        raise InputError(f"expected an encoder of model_type {KNOWN}, got {kind!r}")
    return LAYOUTS[kind]


def sizes_in(config: PretrainedConfig | Mapping[str, Any]) -> dict[str, int]:
    """The sizes in a config, by the names that they have here.

    They are what the config says: that these are sizes, :func:`~subarch.networks.encoder.require_encoder` sees to.
    """
    values: Mapping[str, Any] = config if isinstance(config, Mapping) else vars(config)
    layout = LAYOUTS.get(str(values.get("model_type", getattr(config, "model_type", ""))))
    return {name: cast("int", values.get(layout.own(name) if layout else name)) for name in NAMES}


def projected_from(config: Mapping[str, Any]) -> int | None:
    """The width of token embeddings, where a projection stands between these and the layers."""
    layout = LAYOUTS.get(str(config.get("model_type")))
    width = None if layout is None else config.get(layout.projected)
    return None if width == sizes_in(config)["hidden_size"] else width


def tells_texts_apart(config: PretrainedConfig | Mapping[str, Any]) -> bool:
    """Whether a network has an embedding for each of two texts (``token_type_ids``)."""
    values = config if isinstance(config, Mapping) else vars(config)
    return int(values.get("type_vocab_size") or 0) > 1


def without_pooler(config: PretrainedConfig, auto: Any = None) -> dict[str, bool]:
    """Options of the stock library with which the network of ``config`` comes without its pooler.

    Args:
        config: of the network.
        auto: the ``Auto`` class that makes it; ``AutoModel`` when not given.
    """
    mapping: Any = (auto or cast("Any", transformers.AutoModel))._model_mapping
    kind: Any = mapping[type(config)]
    made = inspect.signature((kind[0] if isinstance(kind, tuple) else kind).__init__).parameters
    return {"add_pooling_layer": False} if "add_pooling_layer" in made else {}
