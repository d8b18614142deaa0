"""Encoders of a known layout as a runtime's own graph, operator by operator: tracing one takes several times as long.

What is written here is the network as its papers have it (Vaswani et al., "Attention Is All You Need", 2017; Devlin et
al., "BERT", 2019), read off the modules of the stock library. Nobody need believe it: it is asked beside the
network about the same tokens (:func:`untraced`), and the network is traced where the two disagree or where something is
met that is not known here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from subarch.networks.layouts import LAYOUTS
from subarch.networks.positions import first_position
from subarch.running.base import Inputs, Program
from subarch.running.graphs import Graph

_LOG = logging.getLogger(__name__)
WRITTEN = ("bert", "roberta", "xlm-roberta", "camembert", "data2vec-text")
"""Types whose layers are BERT's, part by part; all others are traced."""
_HEADS = ("classification", "multilabel", "regression", "choice", "tokens", "encoder")
_GELU = {"gelu": False, "gelu_new": True, "gelu_pytorch_tanh": True}  # by how it is named: whether it is approximated
_AGREES = 1e-4  # relative to the largest output: what two orders of summation may differ by
_ASKED = ((2, 9, 5), (1, 2, 2), (3, 40, 17))  # rows, tokens, and how many of them the last row has

Value = TypeVar("Value")
Made = TypeVar("Made", bound=Program)
Array = NDArray[Any]


class Operators(Protocol[Value]):
    """How a runtime calls what an encoder is made of. States are ``(batch, length, hidden)``."""

    def input(self, name: str) -> Value:
        """Of the graph, ``(batch, length)``, int64."""
        ...

    def looked_up(self, table: Array, rows: Value, name: str) -> Value:
        """Rows of a table ``(rows, size)``."""
        ...

    def counted(self, ids: Value, most: int) -> Value:
        """0, 1, ... for the tokens of a sequence, of at most so many: ``(length,)``."""
        ...

    def counted_text(self, ids: Value, padding: int) -> Value:
        """``padding + 1``, ... for tokens that are not padding, in their order, and ``padding`` for it."""
        ...

    def linear(self, states: Value, weight: Array, bias: Array | None, name: str) -> Value:
        """``states @ weight.T + bias``."""
        ...

    def add(self, one: Value, other: Value) -> Value:
        """Sum, spread over missing dimensions."""
        ...

    def norm(self, states: Value, weight: Array, bias: Array, epsilon: float, name: str) -> Value:
        """Layer normalisation over the last dimension."""
        ...

    def gelu(self, states: Value, *, approximated: bool) -> Value:
        """By the error function, or approximated by a hyperbolic tangent."""
        ...

    def tanh(self, states: Value) -> Value:
        """Hyperbolic tangent."""
        ...

    def attention(self, query: Value, key: Value, value: Value, heads: int, scale: float) -> Value:
        """Over the tokens that ``attention_mask`` has; heads lie beside each other in the last dimension."""
        ...

    def first(self, states: Value) -> Value:
        """Of the first token: ``(batch, hidden)``."""
        ...


def untraced(graph: Graph, operators: Operators[Value], make: Callable[[Value], Made]) -> Made | None:
    """A graph as a program, without tracing; None where it has to be traced.

    Args:
        graph: of the network.
        operators: the runtime's.
        make: a program of the graph's output.
    """
    try:
        output = written(graph, operators)
        if output is None or not agrees(graph, program := make(output)):
            return None
    except Exception as error:  # whatever a network that only looks like a stock one, or an older runtime, raises
        _LOG.info("%s is traced: %s", type(graph.model).__name__, error)
        return None
    return program


def written(graph: Graph, operators: Operators[Value]) -> Value | None:
    """The output of a graph in a runtime's operators; None for a network that is not known here.

    Args:
        graph: of the network.
        operators: the runtime's.
    """
    model: Any = graph.model
    config = model.config
    act = str(getattr(config, "hidden_act", ""))
    if not type(model).__module__.startswith("transformers.models.") or getattr(config, "is_decoder", False):
        return None
    if config.model_type not in WRITTEN or graph.head not in _HEADS or act not in _GELU:
        return None
    layers = LAYOUTS[config.model_type].layers
    encoder = _Encoder(operators, _GELU[act])
    backbone = model if graph.head == "encoder" else getattr(model, model.base_model_prefix)
    states = encoder.embedded(backbone.embeddings, graph)
    for number, layer in enumerate(backbone.get_submodule(layers)):
        states = encoder.layer(states, layer, f"{layers}.{number}")
    if graph.head == "tokens":
        return encoder.tagged(states, model.classifier)
    return states if graph.head == "encoder" else encoder.judged(states, backbone, model.classifier)


class _Encoder:
    """Part by part, with the stock modules' weights."""

    def __init__(self, operators: Operators[Any], approximated: bool) -> None:
        self._do, self._approximated = operators, approximated

    def embedded(self, part: Any, graph: Graph) -> Any:
        do, ids = self._do, self._do.input("input_ids")
        types, positions = _array(part.token_type_embeddings.weight), _array(part.position_embeddings.weight)
        told = "token_type_ids" in graph.inputs
        if not told:  # all are of the first text, wherever they stand
            positions = positions + types[0]
        first = first_position(part)
        places = do.counted_text(ids, first - 1) if first else do.counted(ids, len(positions))
        states = do.looked_up(_array(part.word_embeddings.weight), ids, "embeddings.word_embeddings")
        if told:
            named = "embeddings.token_type_embeddings"
            states = do.add(states, do.looked_up(types, do.input("token_type_ids"), named))
        states = do.add(states, do.looked_up(positions, places, "embeddings.position_embeddings"))
        return self._norm(states, part.LayerNorm, "embeddings.LayerNorm")

    def layer(self, states: Any, part: Any, name: str) -> Any:
        do, within = self._do, part.attention.self
        read = [
            self._linear(states, getattr(within, one), f"{name}.attention.self.{one}")
            for one in ("query", "key", "value")
        ]
        seen = do.attention(read[0], read[1], read[2], within.num_attention_heads, float(within.scaling))
        seen = self._linear(seen, part.attention.output.dense, f"{name}.attention.output.dense")
        states = do.add(seen, states)
        states = self._norm(states, part.attention.output.LayerNorm, f"{name}.attention.output.LayerNorm")
        inner = self._linear(states, part.intermediate.dense, f"{name}.intermediate.dense")
        inner = do.gelu(inner, approximated=self._approximated)
        inner = self._linear(inner, part.output.dense, f"{name}.output.dense")
        return self._norm(do.add(inner, states), part.output.LayerNorm, f"{name}.output.LayerNorm")

    def judged(self, states: Any, backbone: Any, head: Any) -> Any:
        """By the pooler and a linear map, or by a head of two maps."""
        named = ("pooler.dense", "classifier") if isinstance(head, nn.Linear) else ("classifier.dense", "classifier")
        dense, last = (backbone.pooler.dense, head) if isinstance(head, nn.Linear) else (head.dense, head.out_proj)
        pooled = self._do.tanh(self._linear(self._do.first(states), dense, named[0]))
        return self._linear(pooled, last, named[1])

    def tagged(self, states: Any, head: Any) -> Any:
        """Each token by a linear map."""
        return self._linear(states, head, "classifier")

    def _linear(self, states: Any, part: Any, name: str) -> Any:
        bias = None if part.bias is None else _array(part.bias)
        return self._do.linear(states, _array(part.weight), bias, name)

    def _norm(self, states: Any, part: Any, name: str) -> Any:
        return self._do.norm(states, _array(part.weight), _array(part.bias), float(part.eps), name)


def _array(weights: Any) -> Array:
    return weights.detach().float().numpy()


@torch.no_grad()
def agrees(graph: Graph, program: Program) -> bool:
    """Whether a program says of some tokens what the network says of them; of rows with padding, and of long ones.

    Args:
        graph: of the network.
        program: that was written from it.
    """
    forward = graph.forward()
    for rows, tokens, last in _ASKED:
        given = _tokens(graph, rows, min(tokens, graph.longest), last)
        told = forward(*(torch.from_numpy(one) for one in given.values())).float().numpy()
        found = program(given)
        if found.shape != told.shape or not np.isfinite(found).all():
            return False
        seen = given["attention_mask"].astype(bool) if told.ndim == 3 else ...  # of padding nobody reads the states
        if np.abs(found[seen] - told[seen]).max() > _AGREES * max(1e-3, float(np.abs(told[seen]).max())):
            _LOG.info("%s is traced: what was written without tracing says something else", type(graph.model).__name__)
            return False
    return True


def _tokens(graph: Graph, rows: int, tokens: int, last: int) -> Inputs:
    config: Any = graph.model.config
    drawn, most = np.random.default_rng(0), int(config.vocab_size)
    ids = drawn.integers(graph.padding + 1 if graph.padding + 1 < most else 0, most, (rows, tokens))
    mask = np.ones((rows, tokens), np.int64)
    ids[-1, last:], mask[-1, last:] = graph.padding, 0
    types = np.zeros((rows, tokens), np.int64)
    types[:, tokens // 2 :] = int(config.type_vocab_size or 1) > 1
    given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
    return {name: given[name] for name in graph.inputs}
