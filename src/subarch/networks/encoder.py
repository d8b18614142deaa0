"""The encoder family: BERT-like networks in stock Hugging Face form, smaller than a source in depth and widths.

A is the embeddings, B_i the encoder layers; the built network is the backbone without pooler, and C is the head that
the source has (classifier, masked-language-model head; the latter where it has none).

A space *derived* from a source keeps the source's head size: the number of heads follows the hidden size and is no
parameter. A space that lists ``num_attention_heads`` (unordered), as the published Bort space does, varies the head
size with it. Every architecture is a stock ``config.json``; nothing needs remote code.

The Bort space is counted and searched in the form that the stock library runs: one row of segment embeddings
(``type_vocab_size`` 1), hence ``hidden_size`` parameters more than the network without segment table that was
published. :mod:`subarch.networks.inspection` prints both readings.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self, cast

import torch
from torch import Tensor, nn
from transformers import (
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
)
from transformers.configuration_utils import PretrainedConfig

from subarch.errors import InputError
from subarch.networks.behind import HeadAlone
from subarch.networks.family import Family, Parts, require_names
from subarch.networks.layouts import KNOWN, LAYOUTS, NAMES, layout_of, projected_from, sizes_in
from subarch.networks.space import Architecture, Constraint, Parameter, Space, Value
from subarch.networks.stock import backbone, class_of, plain_config, resized, stock_config, token_inputs
from subarch.results.base import Json

_DEPTH_FRACTIONS = (1 / 6, 1 / 3, 1 / 2, 2 / 3, 1.0)
_HIDDEN_FRACTIONS = (1 / 3, 1 / 2, 2 / 3, 5 / 6, 1.0)
_INTERMEDIATE_FRACTIONS = (1 / 8, 1 / 4, 1 / 2, 3 / 4, 1.0)


_ANSWERING = {
    "SequenceClassification": AutoModelForSequenceClassification,
    "TokenClassification": AutoModelForTokenClassification,
}
"""Heads that networks are served with, by how the names of stock classes end."""


@dataclass(frozen=True)
class EncoderFamily(Family):
    """Networks of one stock family, such as BERT or RoBERTa, that differ from ``config`` in depth and widths only.

    Args:
        config: the source's config as a dict (``config.json``), of a ``model_type`` that
            :data:`~subarch.networks.layouts.LAYOUTS` has, not a decoder.
        space: over some of ``num_hidden_layers``, ``hidden_size``, ``intermediate_size`` (ordered) and
            ``num_attention_heads`` (unordered); what it leaves out stays as in ``config``.
        reference: T, with the names of the space.

    Raises:
        ValueError: for another kind of network, a parameter of another name or order, or sizes that cannot be built.
    """

    config: Json
    space: Space
    reference: Architecture
    name: str = "encoder"

    def __post_init__(self) -> None:
        require_encoder(self.config)
        require_names(self.reference, self.space)
        for parameter in self.space.parameters:
            self._check_parameter(parameter)
        self.config_for(self.reference)

    @classmethod
    def from_config(
        cls,
        config: Mapping[str, Any] | PretrainedConfig,
        space: Space | None = None,
        reference: Mapping[str, Value] | None = None,
    ) -> Self:
        """The family inside a source: its derived space unless one is given, and T = the source unless given."""
        data = plain_config(config)
        require_encoder(data)
        space = space or derived_space(data)
        unknown = sorted(set(space.names) - set(NAMES))
        if unknown:
            raise InputError(f"an encoder's space may name {list(NAMES)}, got {unknown}: remove or rename them")
        sizes = sizes_in(data)
        return cls(data, space, dict(reference or {name: sizes[name] for name in space.names}))

    # ------------------------------------------------------------------ networks

    @cached_property
    def sizes(self) -> dict[str, int]:
        """Of the source, by the names of :data:`~subarch.networks.layouts.NAMES`."""
        return {name: int(size) for name, size in sizes_in(self.config).items()}

    @cached_property
    def head_size(self) -> int:
        """Hidden units of one attention head of the source."""
        return self.sizes["hidden_size"] // self.sizes["num_attention_heads"]

    def config_for(self, architecture: Mapping[str, Value]) -> PretrainedConfig:
        """The stock config of ``architecture``; parameters that it leaves out are the source's.

        Raises:
            ValueError: for unknown names, or a hidden size that the attention heads do not divide.
        """
        if unknown := sorted(set(architecture) - set(NAMES)):
            raise InputError(f"an encoder architecture may name {list(NAMES)}, got {unknown}")
        values = {name: int(value) for name, value in architecture.items()}
        hidden = values.get("hidden_size", self.sizes["hidden_size"])
        if "num_attention_heads" not in values and "num_attention_heads" not in self.space.names:
            values["num_attention_heads"] = max(1, hidden // self.head_size)
            unit = self.head_size
        else:
            unit = values.setdefault("num_attention_heads", self.sizes["num_attention_heads"])
        if min(values.values()) < 1 or hidden % unit:
            raise InputError(
                f"sizes must be positive and hidden_size a multiple of {unit} "
                f"({'the head size' if unit == self.head_size else 'the number of heads'}), got {dict(architecture)}"
            )
        changed = resized(self.config, values)
        made = stock_config({**changed, "dtype": "float32"})
        made.architectures = [class_of("AutoModel", made).__name__]
        return made

    def build(self, architecture: Mapping[str, Value]) -> nn.Module:
        return backbone(self.config_for(architecture))

    def served(self, architecture: Mapping[str, Value]) -> nn.Module:
        """With the head of a network that answers; nobody runs a language model's to classify or embed."""
        if (head := self._head) is None:
            return self.network(architecture)
        return cast("nn.Module", head.from_config(self.config_for(architecture), dtype=torch.float32))

    @property
    def _head(self) -> Any:
        """The stock class with the source's head, where that answers; None of language models and encoders."""
        named = [str(name) for name in self.config.get("architectures") or ()]
        return next((made for end, made in _ANSWERING.items() if any(end in name for name in named)), None)

    def inputs(self, batch_size: int, sequence_length: int) -> dict[str, Tensor]:
        return token_inputs(self.config, batch_size, sequence_length)

    def parts(self, network: nn.Module) -> Parts:
        layers = layout_of(self.config).layers
        middle = network.get_submodule(layers).named_children()
        return Parts(first=("embeddings",), middle=tuple(f"{layers}.{name}" for name, _ in middle))

    def head(self, architecture: Mapping[str, Value]) -> tuple[nn.Module, tuple[Tensor, ...]]:
        """The source's kind of head. A tied output matrix is counted with it, so its size is an upper bound."""
        config = self.config_for({**architecture, "num_hidden_layers": 1})  # the head alone is kept
        config.tie_word_embeddings = False
        kind: Any = self._head or AutoModelForMaskedLM
        states = torch.zeros(1, 128, int(sizes_in(config)["hidden_size"]))  # (batch, sequence, hidden)
        return HeadAlone(kind.from_config(config)), (states,)

    def probes(self, name: str) -> tuple[int, ...]:
        if name == "num_hidden_layers":
            return (1, 2, 3)
        if name == "hidden_size":
            heads = [p.choices for p in self.space.parameters if p.name == "num_attention_heads"]
            unit = math.lcm(*(int(a) for a in heads[0])) if heads else self.head_size
            return tuple(unit * k for k in range(1, 6) if unit * k != projected_from(self.config))[:4]
        return (8, 16, 24)

    # ------------------------------------------------------------------ files

    def describe(self, architecture: Mapping[str, Value]) -> Json:
        """A stock ``config.json`` that ``AutoModel.from_config`` builds and runs."""
        return plain_config(self.config_for(architecture))

    def with_space(self, space: Space | None = None, reference: Mapping[str, Value] | None = None) -> Self:
        made = type(self).from_config(self.config, space or self.space, reference)
        return replace(made, name=self.name, reference=made.reference if space or reference else self.reference)

    def to_json(self) -> dict[str, Any]:
        return {**super().to_json(), "kind": "encoder", "config": self.config}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of :meth:`to_json`."""
        return cls(dict(data["config"]), Space.from_json(data["space"]), dict(data["reference"]), data["name"])

    def _check_parameter(self, parameter: Parameter) -> None:
        name, heads = parameter.name, "num_attention_heads"
        if name not in NAMES or parameter.ordered == (name == heads):
            raise InputError(
                f"an encoder's space has the ordered parameters {list(NAMES[1:])} and the unordered {heads!r}, "
                f"got {'ordered' if parameter.ordered else 'unordered'} {name!r}"
            )
        for choice in parameter.choices:
            if not isinstance(choice, int) or choice < 1:
                raise InputError(f"choices of {name} must be positive integers, got {choice!r}")
            if name == "hidden_size":
                resized(self.config, {name: choice})  # refuses one that would be of another make
            if name == "hidden_size" and heads not in self.space.names and choice % self.head_size:
                raise InputError(
                    f"hidden_size {choice} is no multiple of the source's head size {self.head_size}: "
                    f"take multiples of it, or add the unordered parameter {heads!r} to the space"
                )


# ---------------------------------------------------------------------- spaces


def derived_space(config: Mapping[str, Any]) -> Space:
    """Depths and widths from a source's own sizes; the source's shape is the largest architecture.

    Depths are about 1/6, 1/3, 1/2, 2/3 and 1 of the source's, hidden sizes 1/3, 1/2, 2/3, 5/6 and 1 (whole heads),
    intermediate sizes 1/8, 1/4, 1/2, 3/4 and 1. Equal values merge, so small sources get fewer.
    """
    sizes = {name: int(size) for name, size in sizes_in(config).items()}
    heads, hidden, intermediate = (sizes[n] for n in ("num_attention_heads", "hidden_size", "intermediate_size"))
    size = hidden // heads
    depths = _shares(sizes["num_hidden_layers"], _DEPTH_FRACTIONS)
    whole = _shares(heads, _HIDDEN_FRACTIONS)
    apart = projected_from(config)  # a network that is as wide as its embeddings has no projection, and is another one
    step = 8 if intermediate % 8 == 0 else 1
    return Space(
        (
            Parameter(name="num_hidden_layers", choices=depths),
            Parameter(name="hidden_size", choices=tuple(size * k for k in whole if size * k != apart)),
            Parameter(
                name="intermediate_size",
                choices=tuple(step * k for k in _shares(intermediate // step, _INTERMEDIATE_FRACTIONS)),
            ),
        )
    )


def _shares(whole: int, fractions: Iterable[float]) -> tuple[int, ...]:
    return tuple(sorted({max(1, round(whole * fraction)) for fraction in fractions}))


def bort_preset() -> EncoderFamily:
    """The published Bort space (300 architectures); T has the shape of BERT-large, outside the space."""
    space = Space(
        (
            Parameter(name="num_attention_heads", choices=(4, 8, 12, 16), ordered=False),
            Parameter(name="num_hidden_layers", choices=(2, 4, 6, 8, 10, 12)),
            Parameter(name="hidden_size", choices=(512, 768, 1024)),
            Parameter(name="intermediate_size", choices=(256, 512, 768, 1024, 3072)),
        ),
        (Constraint("hidden_size % num_attention_heads == 0"),),
    )
    reference: Architecture = dict(zip(NAMES, (16, 24, 1024, 4096), strict=True))
    return EncoderFamily(bort_config(), space, reference)


def bort_config(layers: int = 4, heads: int = 8, hidden: int = 1024, intermediate: int = 768) -> Json:
    """Bort as a stock BERT config: RoBERTa's vocabulary, 512 learned positions, one row of segment embeddings."""
    return plain_config(
        {
            "model_type": "bert",
            "architectures": ["BertModel"],
            "num_hidden_layers": layers,
            "num_attention_heads": heads,
            "hidden_size": hidden,
            "intermediate_size": intermediate,
            "vocab_size": 50265,
            "max_position_embeddings": 512,
            "type_vocab_size": 1,
            "hidden_act": "gelu",
            "layer_norm_eps": 1e-5,
            "pad_token_id": 1,
            "bos_token_id": 0,
            "eos_token_id": 2,
        }
    )


# ---------------------------------------------------------------------- what is an encoder


def require_encoder(config: Mapping[str, Any]) -> None:
    """Refuse whatever is no encoder of a known layout.

    Raises:
        ValueError: naming what was expected and what came.
    """
    kind = config.get("model_type")
    if kind not in LAYOUTS:
        raise InputError(
            f"expected an encoder of model_type {KNOWN}, got {kind!r}"
            f"{_architectures(config)}. For another kind of network write a Family and pass it as module.path:Name"
        )
    if config.get("is_decoder") or config.get("is_encoder_decoder") or config.get("add_cross_attention"):
        raise InputError(f"expected an encoder, got a decoder of model_type {kind!r}{_architectures(config)}")
    layout, sizes = layout_of(config), sizes_in(config)
    for name, size in sizes.items():
        if type(size) is not int or size < 1:
            raise InputError(f"the config's {layout.own(name)} must be a positive integer, got {size!r}")
    if sizes["hidden_size"] % sizes["num_attention_heads"]:
        raise InputError(
            f"the config's {layout.own('hidden_size')} {sizes['hidden_size']} is not divisible by its "
            f"{layout.own('num_attention_heads')} {sizes['num_attention_heads']}"
        )


def _architectures(config: Mapping[str, Any]) -> str:
    names = config.get("architectures") or ()
    return f" ({', '.join(str(name) for name in names)})" if names else ""
