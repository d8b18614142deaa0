"""How stock encoders are laid out: a row a family; nowhere else is a family known by its name.

Rows say where the stock library keeps what is cut, read or replaced. What can be read off a network is not in them:
the row of the first position (:mod:`subarch.networks.positions`), whether it asks which of two texts a token belongs
to, whether it can be made without its pooler.

A further family whose networks are made alike (layers in ``encoder.layer``, one residual stream, sizes named as in
BERT's config) is one more row.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import transformers
from torch import Tensor, nn
from transformers import PretrainedConfig

from subarch.errors import InputError

Axis = Literal["hidden", "heads", "units", "pooled", "kept"]
"""What rows or columns of a linear map count; ``kept`` ones are never cut."""
Axes = tuple[Axis, Axis]

# The same in all rows, so far: the maps of one layer, by their names in it.
ATTENTION = ("attention.self.query", "attention.self.key", "attention.self.value")
ATTENDED, INNER, OUTER = "attention.output.dense", "intermediate.dense", "output.dense"
LAST_NORM = "output.LayerNorm"
_IN_LAYER: Mapping[str, Axes] = {
    **dict.fromkeys(ATTENTION, ("heads", "hidden")),
    ATTENDED: ("hidden", "heads"),
    INNER: ("units", "hidden"),
    OUTER: ("hidden", "units"),
}


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where a family of stock encoders keeps its parts.

    Attributes:
        model_type: as its configs have it.
        backbone: name of the stock class without head.
        words: modules of its masked language model that make logits of states, in their order.
        decoder: the last linear map of these, whose matrix is the table of tokens.
        classifier: modules of its sequence classifier that make logits of states, in their order.
        behind: linear maps behind the layers, by the ends of their names: what their rows and columns count.
        layers: the container of the layers in the backbone.
    """

    model_type: str
    backbone: str
    words: tuple[str, ...]
    decoder: str
    classifier: tuple[str, ...]
    behind: Mapping[str, Axes] = field(repr=False)
    layers: str = "encoder.layer"

    def axes(self, name: str) -> Axes | None:
        """What rows and columns of the linear map ``name`` count; None: no map that is known."""
        if (found := self._layer.search(name)) is not None:
            return _IN_LAYER.get(name[found.end() + 1 :])
        return next((axes for end, axes in self.behind.items() if name == end or name.endswith(f".{end}")), None)

    def beside(self, name: str, part: str) -> str:
        """The module ``part`` of the layer that the module ``name`` is in."""
        found = self._layer.search(name)
        assert found is not None, f"{name} is in no layer"
        return f"{name[: found.end()]}.{part}"

    def site(self, name: str) -> str:
        """The map whose inputs are those of ``name``: query, key and value read the same states."""
        same = any(name.endswith(f".{part}") for part in ATTENTION)
        return self.beside(name, ATTENTION[0]) if same else name

    def renumbered(self, name: str, layers: Sequence[int]) -> str:
        """``name`` with the number of its layer looked up in ``layers``."""
        return self._layer.sub(lambda found: f"{self.layers}.{layers[int(found.group(1))]}", name)

    def vocabulary_logits(self, model: nn.Module, states: Tensor) -> Tensor:
        """Of a masked language model: states ``(..., hidden)`` to logits ``(..., vocabulary)``."""
        for name in self.words:
            states = model.get_submodule(name)(states)
        return states

    @property
    def _layer(self) -> re.Pattern[str]:
        return re.compile(rf"(?<![^.]){re.escape(self.layers)}\.(\d+)(?![^.])")


_POOLED: Mapping[str, Axes] = {"pooler.dense": ("pooled", "hidden"), "classifier": ("kept", "pooled")}


def _as_roberta(model_type: str, backbone: str) -> Layout:
    return Layout(
        model_type=model_type,
        backbone=backbone,
        words=("lm_head",),
        decoder="lm_head.decoder",
        classifier=("classifier",),
        behind={
            **_POOLED,
            "classifier.dense": ("pooled", "hidden"),
            "classifier.out_proj": ("kept", "pooled"),
            "lm_head.dense": ("hidden", "hidden"),
            "lm_head.decoder": ("kept", "hidden"),
        },
    )


LAYOUTS: Mapping[str, Layout] = {
    row.model_type: row
    for row in (
        Layout(
            model_type="bert",
            backbone="BertModel",
            words=("cls",),
            decoder="cls.predictions.decoder",
            classifier=("bert.pooler", "classifier"),
            behind={
                **_POOLED,
                "cls.predictions.transform.dense": ("hidden", "hidden"),
                "cls.predictions.decoder": ("kept", "hidden"),
            },
        ),
        _as_roberta("roberta", "RobertaModel"),
        _as_roberta("xlm-roberta", "XLMRobertaModel"),
        _as_roberta("camembert", "CamembertModel"),
        _as_roberta("data2vec-text", "Data2VecTextModel"),
    )
}
KNOWN = " or ".join((", ".join([*LAYOUTS][:-1]), [*LAYOUTS][-1]))
"""The families, in words."""


def layout_of(config: PretrainedConfig | Mapping[str, Any]) -> Layout:
    """The row of a network's family.

    Raises:
        ValueError: where there is none.
    """
    kind = str(config.get("model_type") if isinstance(config, Mapping) else config.model_type)
    if kind not in LAYOUTS:
        raise InputError(f"expected an encoder of model_type {KNOWN}, got {kind!r}")
    return LAYOUTS[kind]


def tells_texts_apart(config: PretrainedConfig | Mapping[str, Any]) -> bool:
    """Whether a network has an embedding for each of two texts (``token_type_ids``)."""
    values = config if isinstance(config, Mapping) else vars(config)
    return int(values.get("type_vocab_size") or 0) > 1


def without_pooler(config: PretrainedConfig) -> dict[str, bool]:
    """Options of the stock library with which the backbone of ``config`` comes without its pooler."""
    mapping: Any = cast("Any", transformers.AutoModel)._model_mapping
    made = inspect.signature(mapping[type(config)].__init__).parameters
    return {"add_pooling_layer": False} if "add_pooling_layer" in made else {}
