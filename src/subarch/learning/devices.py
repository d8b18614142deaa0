"""What keeps a GPU busy while a stock encoder trains: fused layers, an aligned vocabulary, batches that fill it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from importlib.util import find_spec
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel

from subarch.networks.layouts import layout_of, sizes_in

_ALIGNED = 64  # entries; matrix units take rows of whole 128-byte lines, other sizes run several times slower
_NEVER = -1e4  # the logit of a token that does not exist: probability 0, and no NaN in p (log p - log q)

_CPU_TOKENS = 16_384
_MOST_TOKENS = 131_072  # more do not make a step any faster for its tokens


def compilable() -> bool:
    """Whether there is a GPU and the compiler for its kernels."""
    return torch.cuda.is_available() and find_spec("triton") is not None


def tokens_at_once(config: Mapping[str, Any]) -> int:
    """Tokens that a device takes at once in training.

    A GPU is filled to half: per token and layer some 34 bytes a hidden unit are kept for the backward pass, and per
    masked token four copies of its logits (V. Korthikanti and others, Reducing Activation Recomputation, 2022, Eq. 2).

    Args:
        config: a stock config of the student.
    """
    if not torch.cuda.is_available():
        return _CPU_TOKENS
    sizes = sizes_in(config)
    layers = sizes["num_hidden_layers"] * (14 * sizes["hidden_size"] + 8 * sizes["intermediate_size"])
    a_token = 2 * layers + 0.15 * 12 * int(config["vocab_size"])
    room = torch.cuda.get_device_properties(torch.cuda.current_device()).total_memory / 2
    return max(1024, min(_MOST_TOKENS, int(room / a_token)))


def fuse(model: PreTrainedModel) -> None:
    """Compile a model's layers, where nobody listens inside, and align its vocabulary.

    A layer is compiled once for all layers of its shape. The weights and their names stay as they are.
    """
    base: Any = model.base_model
    for layer in base.get_submodule(layout_of(base.config).layers).children():
        if not any(module._forward_hooks for module in layer.modules()):
            layer.compile()
    decoder = model.get_output_embeddings()
    if isinstance(decoder, nn.Linear) and decoder.out_features % _ALIGNED:
        cast("Any", decoder).forward = partial(aligned_linear, decoder)


def aligned_linear(layer: nn.Linear, values: Tensor) -> Tensor:
    """A projection to a vocabulary whose size is filled up with tokens that never come.

    On one H100 the logits of 50,265 tokens take seven times as long as those of 50,304.

    Args:
        layer: hidden to vocabulary.
        values: ``(masked, hidden)``.

    Returns:
        Logits ``(masked, vocabulary)``, the vocabulary up to the next multiple of 64.
    """
    more = -layer.out_features % _ALIGNED
    device = values.device.type
    kind = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else layer.weight.dtype
    weight = functional.pad(layer.weight.to(kind), (0, 0, 0, more))
    given = cast("Tensor | None", layer.bias)
    bias = layer.weight.new_zeros(layer.out_features) if given is None else given
    return functional.linear(values, weight, functional.pad(bias.to(kind), (0, more), value=_NEVER))
