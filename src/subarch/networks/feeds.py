"""What a stock network reads: inputs of one forward pass, made up from its config and its class.

Texts, pictures, films, sound and spectra, alone or together, and what a decoder begins with. Which of them a network
takes, its forward pass says by its parameters; where sizes cannot be read off a config the usual ones are tried, and
the first inputs on which the network runs are its own.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import PretrainedConfig

from subarch.errors import InputError

_FURTHER = ("attention_mask", "pixel_values", "bbox", "decoder_input_ids", "input_ids")  # tried where these fail alone
_BATCH, _TOKENS = 2, 13  # on which a network is tried
_FIRST = 5  # small numbers are often padding, beginnings and ends
_ANSWER = 5  # tokens of a decoder that follows an encoder
_SAMPLES = 4000
_FRAMES = 104
_PICTURE = 64
_LARGEST = 512  # pixels a side that are made up, whatever a config allows


@dataclass(frozen=True)
class Feed:
    """What a network reads.

    Attributes:
        names: of the arguments of its forward pass, each with which of the usual forms it takes.
    """

    names: tuple[tuple[str, int], ...]

    def made(self, config: PretrainedConfig, batch_size: int, sequence_length: int) -> dict[str, Tensor]:
        """Inputs of one forward pass, on the current default device.

        Args:
            config: of the network.
            batch_size: examples.
            sequence_length: tokens of each; what is no text has the size that the config says.
        """
        return {name: _MAKERS[name][form](config, batch_size, sequence_length) for name, form in self.names}


def feed_of(network: nn.Module) -> Feed:
    """What a stock network reads, found by trying.

    Args:
        network: a stock network, maybe without memory (on the meta device).

    Raises:
        InputError: when it runs on nothing that is known.
    """
    device, config = next(network.parameters()).device, cast("PretrainedConfig", cast("Any", network).config)
    training, reasons = network.training, list[str]()
    network.eval()
    try:
        for feed in _feeds(network, config):
            try:
                with torch.no_grad(), torch.device(device):
                    network(**feed.made(config, _BATCH, _TOKENS))
                return feed
            except Exception as error:
                reasons.append(f"{type(error).__name__}: {' '.join(str(error).split())[:160]}")
    finally:
        network.train(training)
    said = reasons[0] if reasons else f"what is known is {', '.join(_MAKERS)}"
    raise InputError(f"{type(network).__name__} runs on no inputs that could be made up for it: {said}")


def feeds(network: nn.Module) -> dict[str, Tensor]:
    """Inputs of two examples on which a stock network runs, on the device of its weights; as :func:`feed_of`."""
    feed = feed_of(network)
    with torch.device(next(network.parameters()).device):
        return feed.made(cast("Any", network).config, _BATCH, _TOKENS)


def _feeds(network: nn.Module, config: PretrainedConfig) -> Iterator[Feed]:
    accepted = inspect.signature(network.forward).parameters
    needed = [n for n, p in accepted.items() if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]
    main = str(getattr(network, "main_input_name", ""))
    names = [name for name in dict.fromkeys((main, *needed)) if name in accepted and name in _MAKERS]
    if config.is_encoder_decoder and "decoder_input_ids" in accepted:
        names.append("decoder_input_ids")
    more = [name for name in _FURTHER if name in accepted and name not in names]
    for every in (names, *([*names, name] for name in more), *([*names, *pair] for pair in combinations(more, 2))):
        forms = max((len(_MAKERS[name]) for name in every), default=0)
        for form in range(forms):
            yield Feed(tuple((name, min(form, len(_MAKERS[name]) - 1)) for name in every))


# ---------------------------------------------------------------------- what configs say


def _value(config: PretrainedConfig, *names: str, default: Any = None) -> Any:
    """The first of these fields in a config or in one of its parts."""
    parts = [config, *(getattr(config, n, None) for n in getattr(config, "sub_configs", {}))]
    for part in parts:
        for name in names:
            found = getattr(part, name, None) if part is not None else None
            if found is not None:
                return found
    return default


def _sides(config: PretrainedConfig) -> tuple[int, int]:
    size = _value(config, "image_size", "input_size", "img_size", "crop_size", default=_PICTURE)
    if isinstance(size, Mapping):
        sides = cast("Mapping[str, int]", size)
        size = [sides.get("height", _PICTURE), sides.get("width", _PICTURE)]
    pair = (size, size) if isinstance(size, int) else tuple(cast("list[int]", size))[-2:]
    height, width = (min(int(side), _LARGEST) for side in pair)
    return height, width


def _ids(config: PretrainedConfig, batch: int, length: int) -> Tensor:
    words = int(_value(config, "vocab_size", default=100))
    span = max(1, min(words, 1000) - _FIRST)
    return (torch.arange(batch * length) % span + (_FIRST if words > _FIRST else 0)).view(batch, length)


def _waves(*shape: int) -> Tensor:
    """Numbers of both signs, no two examples alike."""
    return torch.sin(0.7 * torch.arange(math.prod(shape), dtype=torch.float32)).view(shape)


def _channels(config: PretrainedConfig) -> int:
    return int(_value(config, "num_channels", "in_channels", "in_chans", default=3))


def _pictures(config: PretrainedConfig, batch: int, _length: int) -> Tensor:
    return _waves(batch, _channels(config), *_sides(config))


def _films(config: PretrainedConfig, batch: int, _length: int) -> Tensor:
    frames = int(_value(config, "num_frames", "frames_per_clip", default=8))
    return _waves(batch, frames, _channels(config), *_sides(config))


def _sound(_config: PretrainedConfig, batch: int, _length: int) -> Tensor:
    return _waves(batch, _SAMPLES)


def _one_channel_sound(_config: PretrainedConfig, batch: int, _length: int) -> Tensor:
    return _waves(batch, 1, _SAMPLES)


def _bins(config: PretrainedConfig) -> int:
    names = ("num_mel_bins", "feature_projection_input_dim", "input_feat_per_channel", "num_mels", "feature_size")
    return int(_value(config, *names, default=80))


def _frames(config: PretrainedConfig, batch: int, _length: int) -> Tensor:
    return _waves(batch, int(_value(config, "max_length", default=_FRAMES) or _FRAMES), _bins(config))


def _few_frames(config: PretrainedConfig, batch: int, _length: int) -> Tensor:
    return _waves(batch, _FRAMES, _bins(config))


def _spectra(config: PretrainedConfig, batch: int, _length: int) -> Tensor:
    return _waves(batch, _bins(config), 2 * int(_value(config, "max_source_positions", default=_FRAMES)))


_Maker = Callable[[PretrainedConfig, int, int], Tensor]
_MAKERS: Mapping[str, tuple[_Maker, ...]] = {
    "input_ids": (_ids,),
    "decoder_input_ids": (lambda config, batch, _length: _ids(config, batch, _ANSWER),),
    "attention_mask": (lambda _config, batch, length: torch.ones(batch, length, dtype=torch.long),),
    "bbox": (lambda _config, batch, length: torch.ones(batch, length, 4, dtype=torch.long),),
    "pixel_values": (_pictures, _films),
    "pixel_values_videos": (_films,),
    "input_values": (_sound, _one_channel_sound, _frames),
    "input_features": (_few_frames, _spectra, _frames),
}
