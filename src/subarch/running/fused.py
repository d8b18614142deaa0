"""Attention as one operator of ONNX Runtime, where its mask says nothing but which keys are text.

So its optimiser need not find a pattern again. Windows, causal masks and position biases keep the whole mask.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers.masking_utils import bidirectional_mask_function

from subarch.running.graphs import WholeAttention

FUSED = "subarch_fused"
# Of what a model may hand to its attention: what changes nothing in evaluation, or is in the mask already.
_HARMLESS = {"dropout", "scaling", "sliding_window", "deterministic", "is_causal", "position_ids", "cache_position"}


class FusedAttention(WholeAttention):
    """Attention as ``com.microsoft::MultiHeadAttention``, for tracing alone, wherever that says the same.

    The operator takes a mask of keys ``(batch, length)``. So a layer has it where the model asked for nothing but such
    a mask and gave it to that layer as it was; where the model asked for more (a window, a causal mask, a bias), the
    layer keeps torch's attention with the whole mask.
    """

    def __init__(self) -> None:
        super().__init__()
        self._keys: list[tuple[Tensor, Tensor]] = []
        self._squares: list[Tensor] = []

    def mask(self, **asked: Any) -> Tensor:
        """What the model's mask becomes: of keys ``(batch, length)``, or whole ``(batch, 1, length, length)``."""
        keys = asked.get("attention_mask")
        square = asked.get("q_offset", 0) == 0 and asked.get("kv_offset", 0) == 0
        if asked.get("mask_function") is bidirectional_mask_function and square and keys is not None and keys.ndim == 2:
            self._keys.append((keys.to(torch.int32), super().mask(**asked)))
            return self._keys[-1][0]
        self._squares.append(super().mask(**asked))
        return self._squares[-1]

    def attention(
        self,
        module: nn.Module,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attention_mask: Tensor | None = None,
        **given: Any,
    ) -> tuple[Tensor, None]:
        """As of :class:`~subarch.running.graphs.WholeAttention`."""
        whole = next((whole for keys, whole in self._keys if attention_mask is keys), None)
        if whole is None:
            if self._keys and not any(attention_mask is one for one in self._squares):
                # Perhaps made from a mask of keys, which has other numbers and another shape than torch's.
                raise _UnknownMaskError(f"{type(module).__name__} changes its mask on the way")
            return super().attention(module, query, key, value, attention_mask, **given)
        more = any(one is not None and name not in _HARMLESS for name, one in given.items())
        if more or query.shape[1] != key.shape[1] or query.shape[3] != value.shape[3] or given.get("is_causal"):
            return super().attention(module, query, key, value, whole, **given)
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


class _UnknownMaskError(Exception):
    """A mask of which nobody knows whether it is of keys alone."""
