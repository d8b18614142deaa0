"""What encoders are made of, as operators of ONNX and of ONNX Runtime."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from subarch.running.graphs import Graph

Array = NDArray[Any]


class OnnxOperators:
    """A graph that grows; a value is the name of what a node gives.

    Args:
        onnx: the package.
        opset: of ``ai.onnx``, 20 or newer.
    """

    def __init__(self, onnx: Any, opset: int) -> None:
        self._onnx, self._opset = onnx, opset
        self._nodes: list[Any] = []
        self._constants: dict[str, Any] = {}
        self._keys: str | None = None
        self._seen: list[str] = []

    def model(self, graph: Graph, output: str) -> Any:
        """The file's content: named inputs and output of any batch and length."""
        helper, kinds = self._onnx.helper, self._onnx.TensorProto
        self._nodes.append(helper.make_node("Identity", [output], [graph.output]))
        inputs = [helper.make_tensor_value_info(name, kinds.INT64, ["batch", "length"]) for name in graph.inputs]
        shape = ["batch", "length", None] if graph.head in ("encoder", "tokens") else ["batch", None]
        outputs = [helper.make_tensor_value_info(graph.output, kinds.FLOAT, shape)]
        # Of an operator of its own the runtime's quantiser does not know what it gives.
        known = [helper.make_tensor_value_info(name, kinds.FLOAT, ["batch", "length", None]) for name in self._seen]
        made = helper.make_graph(
            self._nodes, "encoder", inputs, outputs, list(self._constants.values()), value_info=known
        )
        opsets = [helper.make_opsetid("", self._opset), helper.make_opsetid("com.microsoft", 1)]
        return helper.make_model(made, opset_imports=opsets, producer_name="subarch")

    def input(self, name: str) -> str:
        return name

    def looked_up(self, table: Array, rows: str, name: str) -> str:
        return self._node("Gather", self._constant(f"{name}.weight", table), rows)

    def counted(self, ids: str, most: int) -> str:
        ends = self._node("Shape", ids, start=1, end=2)
        every = self._constant("positions", np.arange(most))
        return self._node("Slice", every, self._constant("zero", np.array([0])), ends)

    def counted_text(self, ids: str, padding: int) -> str:
        which = self._constant("padding", np.array(padding))
        other = self._node("Not", self._node("Equal", ids, which))
        is_text = self._node("Cast", other, to=self._onnx.TensorProto.INT64)
        counted = self._node("CumSum", is_text, self._constant("along", np.array(1)))
        return self._node("Add", self._node("Mul", counted, is_text), which)

    def linear(self, states: str, weight: Array, bias: Array | None, name: str) -> str:
        found = self._node("MatMul", states, self._constant(f"{name}.weight", np.ascontiguousarray(weight.T)))
        return found if bias is None else self._node("Add", found, self._constant(f"{name}.bias", bias))

    def add(self, one: str, other: str) -> str:
        return self._node("Add", one, other)

    def norm(self, states: str, weight: Array, bias: Array, epsilon: float, name: str) -> str:
        scale, shift = self._constant(f"{name}.weight", weight), self._constant(f"{name}.bias", bias)
        return self._node("LayerNormalization", states, scale, shift, axis=-1, epsilon=epsilon)

    def gelu(self, states: str, *, approximated: bool) -> str:
        return self._node("Gelu", states, approximate="tanh" if approximated else "none")

    def tanh(self, states: str) -> str:
        return self._node("Tanh", states)

    def attention(self, query: str, key: str, value: str, heads: int, scale: float) -> str:
        if self._keys is None:
            kinds = self._onnx.TensorProto
            self._keys = self._node("Cast", self._node("Cast", "attention_mask", to=kinds.BOOL), to=kinds.INT32)
        given = (query, key, value, "", self._keys)
        self._seen.append(
            self._node("MultiHeadAttention", *given, domain="com.microsoft", num_heads=heads, scale=scale)
        )
        return self._seen[-1]

    def first(self, states: str) -> str:
        return self._node("Gather", states, self._constant("first", np.array(0)), axis=1)

    def _constant(self, name: str, value: Array) -> str:
        if name not in self._constants:
            self._constants[name] = self._onnx.numpy_helper.from_array(value, name)
        return name

    def _node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        name = f"{operator.lower()}_{len(self._nodes)}"
        self._nodes.append(self._onnx.helper.make_node(operator, inputs, [name], **attributes))
        return name
