"""What encoders are made of, as operators of OpenVINO."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from subarch.running.graphs import UNSEEN, Graph

Array = NDArray[Any]


class OpenVinoOperators:
    """A graph that grows; a value is a node.

    Args:
        openvino: the package.
        graph: whose inputs it has.
    """

    def __init__(self, openvino: Any, graph: Graph) -> None:
        self._openvino, self._do = openvino, openvino.opset13  # the first with attention as one operator
        self._inputs = {name: self._do.parameter([-1, -1], np.int64, name=name) for name in graph.inputs}
        self._mask: Any = None

    def model(self, output: Any) -> Any:
        """What was made, with inputs in their order and one output; names are the caller's."""
        return self._openvino.Model([output], list(self._inputs.values()), "encoder")

    def input(self, name: str) -> Any:
        return self._inputs[name]

    def looked_up(self, table: Array, rows: Any, name: str) -> Any:
        return self._do.gather(self._constant(table, f"{name}.weight"), rows, self._constant(np.int64(0)))

    def counted(self, ids: Any, most: int) -> Any:
        length = self._do.gather(self._do.shape_of(ids), self._constant(np.array([1])), self._constant(np.int64(0)))
        start, step = self._constant(np.array([0])), self._constant(np.array([1]))
        return self._do.slice(self._constant(np.arange(most)), start, length, step)

    def counted_text(self, ids: Any, padding: int) -> Any:
        which = self._constant(np.int64(padding))
        is_text = self._do.convert(self._do.not_equal(ids, which), "i64")
        counted = self._do.cum_sum(is_text, self._constant(np.int64(1)))
        return self._do.add(self._do.multiply(counted, is_text), which)

    def linear(self, states: Any, weight: Array, bias: Array | None, name: str) -> Any:
        found = self._do.matmul(states, self._constant(weight, f"{name}.weight"), False, True, name=name)
        if bias is None:
            return found
        spread = bias.reshape((1,) * (len(found.get_output_partial_shape(0)) - 1) + (-1,))
        return self._do.add(found, self._constant(spread, f"{name}.bias"))

    def add(self, one: Any, other: Any) -> Any:
        return self._do.add(one, other)

    def norm(self, states: Any, weight: Array, bias: Array, epsilon: float, name: str) -> Any:
        even = self._do.mvn(states, self._constant(np.array([-1])), True, epsilon, "inside_sqrt")
        scaled = self._do.multiply(even, self._constant(weight.reshape(1, 1, -1), f"{name}.weight"))
        return self._do.add(scaled, self._constant(bias.reshape(1, 1, -1), f"{name}.bias"))

    def gelu(self, states: Any, *, approximated: bool) -> Any:
        return self._do.gelu(states, "tanh" if approximated else "erf")

    def tanh(self, states: Any) -> Any:
        return self._do.tanh(states)

    def attention(self, query: Any, key: Any, value: Any, heads: int, scale: float) -> Any:
        split = self._constant(np.array([0, 0, heads, -1]))
        turned = self._constant(np.array([0, 2, 1, 3]))
        parts = [self._do.transpose(self._do.reshape(one, split, True), turned) for one in (query, key, value)]
        size = self._constant(np.float32(scale))
        seen = self._do.scaled_dot_product_attention(*parts, attention_mask=self._unseen(), scale=size, causal=False)
        return self._do.reshape(self._do.transpose(seen, turned), self._constant(np.array([0, 0, -1])), True)

    def _unseen(self) -> Any:
        """What is added to the products of every head and query: ``(batch, 1, 1, length)``."""
        if self._mask is None:
            said = self._do.convert(self._do.convert(self._inputs["attention_mask"], "boolean"), "f32")
            missing = self._do.subtract(self._constant(np.float32(1)), said)
            added = self._do.multiply(missing, self._constant(np.float32(UNSEEN)))
            self._mask = self._do.unsqueeze(added, self._constant(np.array([1, 2])))
        return self._mask

    def first(self, states: Any) -> Any:
        return self._do.gather(states, self._constant(np.int64(0)), self._constant(np.int64(1)))

    def _constant(self, value: Any, name: str | None = None) -> Any:
        return self._do.constant(np.array(value, order="C"), name=name)
