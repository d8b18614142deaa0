"""Networks of stock configs without memory, each beside the one that it is to be a part of."""

from __future__ import annotations

import math
import re
from contextlib import nullcontext
from typing import Any, cast

import torch
from torch import nn
from transformers import AutoModel, PreTrainedModel
from transformers.initialization import no_init_weights

from subarch.errors import InputError
from subarch.networks.correspondence import Match, fitting
from subarch.networks.feeds import feeds
from subarch.networks.stock import plainly, stock_config
from subarch.networks.tracing import Device, Traced, tensors_of, trace
from subarch.results.base import Json
from subarch.silence import quiet_transformers

Shapes = dict[str, tuple[int, ...]]
LARGE = 10**8
"""Parameters of a network that is not made on the CPU."""
_NUMBERED = re.compile(r"(^|\.)\d+\.")


class Workbench:
    """The networks of a config, compared with the one that all others are smaller than.

    They have no memory (the meta device); where such a network cannot run, as it reads values on its way, it is made on
    the CPU unless it is large.

    Args:
        config: of the source, with every default written out.
        auto: the stock library's class that makes networks.

    Raises:
        InputError: where no network of it can be built, run and traced.
    """

    def __init__(self, config: Json, auto: Any = AutoModel) -> None:
        self.config, self.auto = config, auto
        try:
            network = self.build(config)
        except Exception as error:
            raise InputError(f"the stock library does not build it: {words(error)}") from error
        self.shapes = shapes_of(network)
        self.weights = sum(math.prod(shape) for shape in self.shapes.values())
        self.network = network
        try:
            self._device: Device = "meta"
            self.inputs = feeds(network)
            self.traced: Traced = trace(network, self.inputs, devices=[self._device])
        except InputError:
            if self.weights > LARGE:
                raise
            self._device = "cpu"
            network = built("cpu", config, auto)
            self.inputs = feeds(network)
            self.traced = trace(network, self.inputs, devices=[self._device])

    def build(self, config: Json) -> nn.Module:
        """On the meta device."""
        return built("meta", config, self.auto)

    def match(self, config: Json) -> Match:
        """How the network of a config takes after the source.

        Raises:
            InputError: where no part of the source has its shape.
        """
        return fitting(self.build(config), self.network, self.traced, self.inputs, devices=[self._device])

    def tried(self, config: Json) -> str:
        """Why the source has no part of the shape of this config; empty where it has."""
        try:
            self.match(config)
        except Exception as error:
            return words(error)
        return ""

    def is_matrix(self, name: str) -> bool:
        """Whether a tensor has several axes of more than one unit."""
        return sum(size > 1 for size in self.shapes[name]) > 1

    def moved(self, config: Json) -> dict[tuple[str, int], int] | None:
        """Extents that differ from the source's, by tensor and axis; None where there are other tensors."""
        there = shapes_of(self.build(config))
        if there.keys() != self.shapes.keys() or any(len(there[n]) != len(s) for n, s in self.shapes.items()):
            return None
        return {
            (name, place): there[name][place]
            for name, shape in self.shapes.items()
            for place in range(len(shape))
            if there[name][place] != shape[place]
        }


def built(device: str, config: Json, auto: Any) -> nn.Module:
    """The network of a config, initialised where it has memory."""
    weights = no_init_weights() if device == "meta" else nullcontext()
    with torch.device(device), torch.random.fork_rng(devices=[]), weights, quiet_transformers():
        network = plainly(stock_config(config), auto).eval()
        cast("PreTrainedModel", network).tie_weights()
    return network


def words(error: Exception) -> str:
    """A reason in one line."""
    return " ".join(str(error).split())[:240] or type(error).__name__


def shapes_of(network: nn.Module) -> Shapes:
    """Of all its tensors, by name."""
    return {name: tuple(one.shape) for name, one in tensors_of(network).items()}


def shapes_at(config: Json, auto: Any = AutoModel) -> Shapes | None:
    """Of the network of a config; None where the stock library does not build it."""
    try:
        return shapes_of(built("meta", config, auto))
    except Exception:
        return None


def in_layers(shapes: Shapes) -> Shapes:
    """Those of numbered parts, of which there may be many more; all where nothing is numbered."""
    return {name: shape for name, shape in shapes.items() if _NUMBERED.search(name)} or shapes
