"""A stock model as one graph: named inputs, one output, any batch and any length.

The stock library's models are traced by ``torch.export``. For ONNX Runtime, attention is written as one operator of
that runtime, instead of a pattern that its optimiser would have to find again.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram
from transformers import PreTrainedModel
from transformers.masking_utils import AttentionMaskInterface
from transformers.modeling_utils import AttentionInterface

from subarch.networks.positions import longest_input
from subarch.networks.sentences import Embedding

Head = Literal["classification", "regression", "choice", "masked-lm", "encoder", "embedding"]
FUSED = "subarch_fused"
_ANY_LENGTH = 1 << 16  # of networks without a limit
_EXAMPLE = (2, 9)  # batch and length of the traced pass; sizes that stand for nothing else in a network


@dataclass(frozen=True)
class Graph:
    """A model and how it is called.

    Attributes:
        model: in evaluation mode.
        head: what it predicts.
        inputs: names, each ``(batch, length)``, int64.
        output: name: ``logits`` ``(batch, classes)``, of a choice ``(batch, 1)`` with one candidate a row, of masked
            language models ``(batch, length, vocabulary)``; ``last_hidden_state`` ``(batch, length, hidden)``; or
            ``sentence_embedding`` ``(batch, hidden)``.
        embedding: what is made of an encoder's states before they come out; None: nothing.
    """

    model: PreTrainedModel
    head: Head
    inputs: tuple[str, ...]
    output: str
    embedding: Embedding | None = None

    @classmethod
    def of(cls, model: PreTrainedModel, embedding: Embedding | None = None) -> Graph:
        """How a stock encoder is called.

        Args:
            model: with or without a head.
            embedding: of a folder of sentence-transformers: pooling, and unit length.

        Raises:
            ValueError: for a head that is not known here.
        """
        config: Any = model.config
        name = type(model).__name__
        if name.endswith("ForSequenceClassification"):
            numbers = config.problem_type == "regression" or config.num_labels == 1
            head: Head = "regression" if numbers else "classification"
        elif name.endswith("ForMultipleChoice"):
            head = "choice"
        elif name.endswith("ForMaskedLM"):
            head = "masked-lm"
        elif name.endswith("Model"):
            head = "encoder"
        else:
            raise ValueError(
                f"expected a sequence classification, multiple choice, masked language or plain encoder model, got a "
                f"{name}: no other heads are exported"
            )
        types = int(getattr(config, "type_vocab_size", 0) or 0) > 1
        inputs = ("input_ids", "attention_mask", *(("token_type_ids",) if types else ()))
        if head == "encoder" and embedding is not None:
            return cls(model.eval(), "embedding", inputs, "sentence_embedding", embedding)
        return cls(model.eval(), head, inputs, "last_hidden_state" if head == "encoder" else "logits")

    @property
    def longest(self) -> int:
        """Tokens that it has positions for."""
        return longest_input(self.model) or _ANY_LENGTH

    def forward(self) -> nn.Module:
        """A module that takes the inputs in their order and gives the output."""
        return _Forward(self)

    def example(self) -> tuple[Tensor, ...]:
        """Inputs of one pass, with padding."""
        batch, length = _EXAMPLE
        first = int(self._config.pad_token_id or 0) + 1
        ids = (first + torch.arange(batch * length) % (int(self._config.vocab_size) - first)).view(batch, length)
        mask = torch.ones(batch, length, dtype=torch.int64)
        mask[1, length // 2 :] = 0
        return (ids, mask, torch.zeros_like(ids))[: len(self.inputs)]

    def shapes(self) -> tuple[dict[int, Any], ...]:
        """Which dimensions of the inputs are free."""
        batch, length = Dim("batch", min=1, max=1 << 16), Dim("length", min=2, max=self.longest)
        return ({0: batch, 1: length},) * len(self.inputs)

    @property
    def _config(self) -> Any:
        return self.model.config

    @torch.no_grad()
    def traced(self) -> ExportedProgram:
        """The graph, with attention as one operator of torch's.

        Raises:
            ValueError: for a model that cannot be traced.
        """
        try:
            with attention_of(self.model, "sdpa"):
                return torch.export.export(
                    self.forward(), self.example(), dynamic_shapes=(self.shapes(),), strict=False
                )
        except Exception as error:  # whatever a model's own code and the tracer raise
            raise ValueError(_untraceable(self.model, error)) from error


def _untraceable(model: nn.Module, error: Exception) -> str:
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return f"{type(model).__name__} cannot be turned into a graph ({reason}): stock encoders without own code can"


class _Forward(nn.Module):
    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.model = graph.model
        self._names, self._output, self._choice = graph.inputs, graph.output, graph.head == "choice"
        self._embedding = graph.embedding

    def forward(self, *values: Tensor) -> Tensor:
        inputs = dict(zip(self._names, values, strict=True))
        if self._choice:
            inputs = {name: value.unsqueeze(1) for name, value in inputs.items()}
        found = cast("Any", self.model)(**inputs)
        if self._embedding is not None:
            return self._embedding(found["last_hidden_state"], inputs["attention_mask"])
        return found[self._output]


# --- attention --------------------------------------------------------------------------------------------------------


def _one_operator(
    _module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor, **given: Any
) -> tuple[Tensor, None]:
    """``com.microsoft::MultiHeadAttention``, for tracing alone: ``(batch, heads, length, size)`` each."""
    batch, heads, length, size = query.shape
    flat = [states.transpose(1, 2).reshape(batch, -1, heads * size) for states in (query, key, value)]
    found = torch.onnx.ops.symbolic(
        "com.microsoft::MultiHeadAttention",
        (*flat, None, attention_mask),
        attrs={"num_heads": heads, "scale": float(given.get("scaling") or size**-0.5)},
        dtype=query.dtype,
        shape=(batch, length, heads * size),
        version=1,
    )
    return found.reshape(batch, length, heads, size), None


def _as_given(*_: Any, attention_mask: Tensor, **__: Any) -> Tensor:
    """The mask of keys ``(batch, length)``, as the operator takes it."""
    return attention_mask.to(torch.int32)


@contextmanager
def attention_of(model: PreTrainedModel, implementation: str) -> Generator[None]:
    """Let a model's attention be of one kind, and put its own back afterwards."""
    AttentionInterface.register(FUSED, _one_operator)
    AttentionMaskInterface.register(FUSED, cast("Any", _as_given))
    before = str(cast("Any", model.config)._attn_implementation)
    model.set_attn_implementation(implementation)
    try:
        yield
    finally:
        model.set_attn_implementation(before)
