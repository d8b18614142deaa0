"""Tiny networks of every stock type that is tried: its own sizes, smaller ones, and inputs of one forward pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import Tensor
from transformers import AutoConfig, AutoModel, PreTrainedModel

from subarch.networks.sizing import written_out
from subarch.networks.stock import plain_config

Fields = Mapping[str, Any]

TOKENS = {"input_ids": (torch.arange(26) % 50 + 5).view(2, 13)}
PICTURES = {"pixel_values": torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))}
LARGE_PICTURES = {"pixel_values": torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))}
SOUND = {"input_values": torch.randn(2, 200, generator=torch.Generator().manual_seed(0))}
SPECTRA = {"input_features": torch.randn(2, 10, 40, generator=torch.Generator().manual_seed(0))}
ANSWER = {"decoder_input_ids": torch.ones(2, 5, dtype=torch.long)}
MASK = {"attention_mask": torch.ones(2, 13, dtype=torch.long)}

_USUAL = {"num_hidden_layers": 4, "num_attention_heads": 6, "hidden_size": 48, "intermediate_size": 40}
_LESS = {"num_hidden_layers": 2, "num_attention_heads": 3, "hidden_size": 24, "intermediate_size": 24}
_GROUPED = {**_USUAL, "num_key_value_heads": 3, "head_dim": 8}
_LESS_GROUPED = {**_LESS, "num_attention_heads": 2, "num_key_value_heads": 1, "hidden_size": 30, "head_dim": 8}
_WORDS = {"vocab_size": 61}
_ENDS = {**_WORDS, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
_PATCHES = {"image_size": 32, "patch_size": 8}
_DEBERTA = {
    **_WORDS,
    "relative_attention": True,
    "pos_att_type": ["p2c", "c2p"],
    "max_relative_positions": 16,
    "type_vocab_size": 0,
    "position_biased_input": False,
}


def _without(fields: Fields, *names: str) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in names}


def _renamed(fields: Fields, layers: str, heads: str, hidden: str, inner: str | None) -> dict[str, Any]:
    names = {
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "hidden_size": hidden,
        "intermediate_size": inner,
    }
    return {cast("str", names[name]): value for name, value in fields.items() if names[name]}


def _two_stacks(depth: tuple[int, int], heads: int, hidden: int, inner: int) -> dict[str, Any]:
    found: dict[str, Any] = {"d_model": hidden}
    for stack, layers in zip(("encoder", "decoder"), depth, strict=True):
        found |= {f"{stack}_layers": layers, f"{stack}_attention_heads": heads, f"{stack}_ffn_dim": inner}
    return found


@dataclass(frozen=True)
class Tiny:
    """A type at a tiny size.

    Attributes:
        sizes: of the source.
        smaller: of a student.
        fixed: fields that both have.
        inputs: of one forward pass.
        dead: of ``smaller``, the fields that may change alone: whatever they count can be all zeros and go.
    """

    sizes: Fields = field(default_factory=lambda: _USUAL)
    smaller: Fields = field(default_factory=lambda: _LESS)
    fixed: Fields = field(default_factory=lambda: _WORDS)
    inputs: Mapping[str, Tensor] = field(default_factory=lambda: TOKENS)
    dead: tuple[str, ...] = ("intermediate_size",)


_GPT2 = _renamed(_USUAL, "n_layer", "n_head", "n_embd", "n_inner")
_HALF_GPT2 = _renamed(_LESS, "n_layer", "n_head", "n_embd", "n_inner")
_LLAMA = Tiny(_GROUPED, _LESS_GROUPED, _ENDS, dead=("intermediate_size", "num_attention_heads", "num_key_value_heads"))
_VIT = Tiny(fixed=_PATCHES, inputs=PICTURES)

ZOO: Mapping[str, Tiny] = {
    "bert": Tiny(),
    "roberta": Tiny(fixed={**_WORDS, "pad_token_id": 1}),
    "xlm-roberta": Tiny(fixed={**_WORDS, "pad_token_id": 1}),
    "camembert": Tiny(fixed={**_WORDS, "pad_token_id": 1}),
    "data2vec-text": Tiny(fixed={**_WORDS, "pad_token_id": 1}),
    "electra": Tiny(fixed={**_WORDS, "embedding_size": 20}),
    "mpnet": Tiny(fixed={**_WORDS, "pad_token_id": 1}),
    "distilbert": Tiny(
        _renamed(_USUAL, "n_layers", "n_heads", "dim", "hidden_dim"),
        _renamed(_LESS, "n_layers", "n_heads", "dim", "hidden_dim"),
        dead=("hidden_dim",),
    ),
    "albert": Tiny(fixed={**_WORDS, "embedding_size": 20}),
    "deberta": Tiny(fixed=_DEBERTA, inputs={**TOKENS, **MASK}),
    "deberta-v2": Tiny(
        {**_USUAL, "pooler_hidden_size": 48},
        {**_LESS, "pooler_hidden_size": 24},
        {
            **_DEBERTA,
            "conv_kernel_size": 3,
            "position_buckets": 8,
            "norm_rel_ebd": "layer_norm",
            "share_att_key": True,
        },
        {**TOKENS, **MASK},
    ),
    "modernbert": Tiny(fixed={**_ENDS, "cls_token_id": 3, "sep_token_id": 4}),
    "roformer": Tiny(fixed={**_WORDS, "embedding_size": 20}),
    "xlnet": Tiny(
        _renamed(_USUAL, "n_layer", "n_head", "d_model", "d_inner"),
        _renamed(_LESS, "n_layer", "n_head", "d_model", "d_inner"),
        dead=("d_inner",),
    ),
    "gpt2": Tiny(_GPT2, _HALF_GPT2, dead=("n_inner",)),
    "gpt_neox": Tiny(fixed=_ENDS),
    "opt": Tiny(
        {**_without(_USUAL, "intermediate_size"), "ffn_dim": 40, "word_embed_proj_dim": 48},
        {**_without(_LESS, "intermediate_size"), "ffn_dim": 24, "word_embed_proj_dim": 24},
        _ENDS,
        dead=("ffn_dim",),
    ),
    "bloom": Tiny(  # numbers of heads that are powers of two: others have slopes of two kinds
        {"n_layer": 4, "n_head": 8, "hidden_size": 64},
        {"n_layer": 2, "n_head": 4, "hidden_size": 32},
        _ENDS,
        dead=(),
    ),
    "phi3": Tiny(
        {**_USUAL, "num_key_value_heads": 3},
        {**_LESS, "num_attention_heads": 2, "num_key_value_heads": 1, "hidden_size": 16},
        _ENDS,
    ),
    "llama": _LLAMA,
    "mistral": _LLAMA,
    "qwen2": Tiny(
        _without(_GROUPED, "head_dim"),
        {**_LESS, "num_attention_heads": 2, "num_key_value_heads": 1, "hidden_size": 16},
        _ENDS,
    ),
    "qwen3": _LLAMA,
    "gemma": _LLAMA,
    "gemma2": _LLAMA,
    "gemma3_text": _LLAMA,
    "nemotron": _LLAMA,
    "mixtral": Tiny(
        _GROUPED, _LESS_GROUPED, {**_ENDS, "num_local_experts": 4, "_experts_implementation": "batched_mm"}, dead=()
    ),
    "mamba": Tiny(
        {"hidden_size": 48, "num_hidden_layers": 4, "intermediate_size": 96, "time_step_rank": 5, "expand": 2},
        {"hidden_size": 24, "num_hidden_layers": 2, "intermediate_size": 48, "time_step_rank": 5, "expand": 2},
        {**_WORDS, "state_size": 4, "conv_kernel": 3},
        dead=(),
    ),
    "vit": _VIT,
    "deit": _VIT,
    "dinov2": Tiny(
        _without(_USUAL, "intermediate_size"),
        _without(_LESS, "intermediate_size"),
        {**_PATCHES, "mlp_ratio": 2},
        PICTURES,
        dead=(),
    ),
    "clip_vision_model": _VIT,
    "siglip_vision_model": _VIT,
    "convnext": Tiny(
        {"hidden_sizes": [16, 24, 32, 40], "depths": [2, 2, 4, 2]},
        {"hidden_sizes": [8, 16, 24, 32], "depths": [1, 2, 2, 1]},
        {},
        LARGE_PICTURES,
        dead=(),
    ),
    "resnet": Tiny(
        {"embedding_size": 16, "hidden_sizes": [32, 48, 64, 80], "depths": [2, 2, 3, 2]},
        {"embedding_size": 12, "hidden_sizes": [16, 32, 48, 64], "depths": [1, 2, 2, 1]},
        {"layer_type": "bottleneck"},
        LARGE_PICTURES,
        dead=("embedding_size", "hidden_sizes"),
    ),
    "regnet": Tiny(
        {"embedding_size": 16, "hidden_sizes": [32, 48, 64, 80], "depths": [2, 2, 3, 2]},
        {"embedding_size": 16, "hidden_sizes": [16, 32, 48, 64], "depths": [1, 2, 2, 1]},
        {"groups_width": 8},
        LARGE_PICTURES,
        dead=("hidden_sizes",),
    ),
    "mobilenet_v2": Tiny(
        {"depth_multiplier": 1.0},
        {"depth_multiplier": 0.5},
        {"image_size": 64, "depth_divisible_by": 8},
        LARGE_PICTURES,
        dead=("depth_multiplier",),
    ),
    "swin": Tiny(
        {"embed_dim": 24, "num_heads": [2, 4]},
        {"embed_dim": 12, "num_heads": [1, 2]},
        {"image_size": 32, "patch_size": 2, "window_size": 4, "depths": [2, 2]},
        PICTURES,
        dead=(),
    ),
    "segformer": Tiny(
        {"hidden_sizes": [16, 24, 32, 40], "num_attention_heads": [1, 2, 4, 5], "depths": [2, 2, 2, 2]},
        {"hidden_sizes": [16, 12, 16, 24], "num_attention_heads": [1, 1, 2, 3], "depths": [1, 1, 1, 1]},
        {},
        LARGE_PICTURES,
        dead=(),
    ),
    "t5": Tiny(
        {"num_layers": 4, "num_decoder_layers": 3, "num_heads": 6, "d_model": 48, "d_kv": 8, "d_ff": 40},
        {"num_layers": 2, "num_decoder_layers": 2, "num_heads": 3, "d_model": 30, "d_kv": 8, "d_ff": 24},
        _WORDS,
        {**TOKENS, **ANSWER},
        dead=("d_ff", "num_heads"),
    ),
    "bart": Tiny(
        _two_stacks((4, 3), 6, 48, 40),
        _two_stacks((2, 2), 3, 24, 24),
        {**_ENDS, "decoder_start_token_id": 2},
        {**TOKENS, **ANSWER},
        dead=("encoder_ffn_dim", "decoder_ffn_dim"),
    ),
    "whisper": Tiny(
        _two_stacks((4, 3), 6, 48, 40),
        _two_stacks((2, 2), 3, 24, 24),
        {
            **_ENDS,
            "num_mel_bins": 10,
            "max_source_positions": 20,
            "decoder_start_token_id": 3,
            "suppress_tokens": None,
            "begin_suppress_tokens": None,
        },
        {**SPECTRA, **ANSWER},
        dead=("encoder_ffn_dim", "decoder_ffn_dim"),
    ),
    "wav2vec2": Tiny(
        fixed={
            "num_feat_extract_layers": 3,
            "conv_dim": [12, 12, 12],
            "conv_kernel": [4, 4, 4],
            "conv_stride": [2, 2, 2],
            "num_conv_pos_embedding_groups": 2,
            "num_conv_pos_embeddings": 4,
            "mask_time_prob": 0.0,
        },
        inputs=SOUND,
    ),
}


def make(kind: str, sizes: Fields | None = None, auto: Any = AutoModel, **more: Any) -> PreTrainedModel:
    """A network of a type in which every part matters: weights, biases, norms and statistics are random.

    Args:
        kind: as configs have it.
        sizes: instead of the source's.
        auto: the stock library's class that makes it.
        more: further fields of its config.
    """
    tiny = ZOO[kind]
    fields = {**tiny.fixed, **tiny.sizes, **(sizes or {}), **more}
    experts = fields.pop("_experts_implementation", None)
    torch.manual_seed(0)
    config: Any = AutoConfig.for_model(kind, **fields)
    if experts is not None:
        config._experts_implementation = experts
    model = cast("PreTrainedModel", auto.from_config(config, attn_implementation="eager"))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for one in model.parameters():
            one.add_(0.2 * torch.randn(one.shape, generator=generator))
        for name, one in model.named_buffers():
            if name.endswith("running_mean"):
                one.copy_(0.1 * torch.randn(one.shape, generator=generator))
            if name.endswith("running_var"):
                one.copy_(torch.rand(one.shape, generator=generator) + 0.5)
    return model.eval()


def config_of(kind: str, **more: Any) -> dict[str, Any]:
    """The config of a type at its tiny size, with every default and every empty size written out."""
    tiny = ZOO[kind]
    fields = {**tiny.fixed, **tiny.sizes, **more}
    fields.pop("_experts_implementation", None)
    return written_out(plain_config(AutoConfig.for_model(kind, **fields)))
