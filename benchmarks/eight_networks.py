"""Families with weights of many makes: pictures, sequences, numbers and text, each trained here within seconds.

Handwritten digits come with scikit-learn, text is Python's own library, read as bytes: nothing is downloaded.
"""

from __future__ import annotations

import math
import os
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageClassification

from subarch.networks.family import Family, Parts
from subarch.networks.space import Parameter, Space, Value

LEARNED = 1297  # of 1,797 digits; the others judge
TOKENS = 64


def space_of(**choices: tuple[int, ...]) -> Space:
    """Of ordered parameters."""
    return Space(tuple(Parameter(name=name, choices=values) for name, values in choices.items()))


class Trained(Family):
    """A family whose reference is trained the first time that a process asks for it.

    Attributes:
        steps, rate, size: of that training: steps, peak of the learning rate, examples of a batch.
    """

    steps = 300
    rate = 3e-3
    size = 64

    def __init__(self, name: str | None = None) -> None:
        self.name = name or type(self).__name__

    @abstractmethod
    def rows(self, held_out: bool) -> tuple[dict[str, Tensor], Tensor]:
        """Everything that the network reads, and what it should say."""

    @abstractmethod
    def loss(self, network: nn.Module, batch: Mapping[str, Tensor], right: Tensor) -> Tensor:
        """Of the training."""

    def quality(self, network: nn.Module) -> float:
        """How good a network is on held-out examples: its loss there."""
        batch, right = self.rows(held_out=True)
        with torch.no_grad():
            return float(self.loss(network.eval(), batch, right))

    def inputs(self, batch_size: int, sequence_length: int) -> dict[str, Tensor]:
        with torch.device("cpu"):
            batch, _ = self.rows(held_out=True)
        return {
            name: torch.zeros((batch_size, *values.shape[1:]), dtype=values.dtype) for name, values in batch.items()
        }

    def probes(self, name: str) -> tuple[int, ...]:
        choices = next(one.choices for one in type(self).space.parameters if one.name == name)
        unit = math.gcd(*(int(value) for value in choices))
        return tuple(unit * times for times in range(1, 5))

    def trained(self) -> nn.Module:
        return _trained(type(self))

    def examples(self, seed: int, held_out: bool) -> Iterator[dict[str, Tensor]]:
        batch, right = self.rows(held_out)
        for rows in torch.randperm(len(right), generator=torch.Generator().manual_seed(seed)).split(self.size):
            yield {name: values[rows] for name, values in batch.items()}


@cache
def _trained(kind: type[Trained]) -> nn.Module:
    family = kind()
    batch, right = family.rows(held_out=False)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = family.build(family.reference).train()
        optimizer = torch.optim.AdamW(network.parameters(), lr=kind.rate)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, kind.rate, total_steps=kind.steps)
        for _ in range(kind.steps):
            rows = torch.randint(0, len(right), (kind.size,))
            optimizer.zero_grad()
            family.loss(network, {name: values[rows] for name, values in batch.items()}, right[rows]).backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
    return network.eval()


@cache
def _digits(held_out: bool) -> tuple[Tensor, Tensor]:
    pixels, classes = load_digits(return_X_y=True)
    order = torch.randperm(len(classes), generator=torch.Generator().manual_seed(0))
    rows = order[LEARNED:] if held_out else order[:LEARNED]
    return torch.tensor(pixels, dtype=torch.float32)[rows] / 8 - 1, torch.tensor(classes)[rows]


@cache
def _bytes(held_out: bool) -> Tensor:
    """``(rows, tokens)`` of the standard library's own files; every eighth row judges."""
    files = sorted(Path(os.__file__).parent.glob("*.py"))
    text = b"".join(path.read_bytes() for path in files)[:2_000_000]
    rows = torch.frombuffer(bytearray(text[: len(text) // TOKENS * TOKENS]), dtype=torch.uint8).long().view(-1, TOKENS)
    judges = torch.arange(len(rows)) % 8 == 0
    return rows[judges][:512] if held_out else rows[~judges]


# ---------------------------------------------------------------------- classes


class Digits(Trained):
    """Networks that tell digits."""

    predicts = "classes"
    argument = "pixel_values"
    shape: tuple[int, ...] = (1, 8, 8)

    def rows(self, held_out: bool) -> tuple[dict[str, Tensor], Tensor]:
        pixels, classes = _digits(held_out)
        return {self.argument: pixels.view(-1, *self.shape)}, classes

    def loss(self, network: nn.Module, batch: Mapping[str, Tensor], right: Tensor) -> Tensor:
        return functional.cross_entropy(self.outputs(network, batch), right)


class StockDigits(Digits):
    """Those of the stock library."""

    def stock(self, model_type: str, **fields: Any) -> nn.Module:
        config = AutoConfig.for_model(model_type, num_channels=1, num_labels=10, **fields)
        return AutoModelForImageClassification.from_config(config, dtype=torch.float32)


class ViT(StockDigits):
    """A vision transformer on patches of 2 x 2 pixels, heads of 8."""

    space = space_of(depth=(1, 2, 3), hidden=(16, 24, 32), inner=(16, 32, 64))
    reference = {"depth": 3, "hidden": 32, "inner": 64}  # noqa: RUF012
    steps = 400

    def build(self, architecture: Mapping[str, Value]) -> nn.Module:
        hidden = int(architecture["hidden"])
        return self.stock(
            "vit",
            image_size=8,
            patch_size=2,
            num_hidden_layers=architecture["depth"],
            hidden_size=hidden,
            num_attention_heads=hidden // 8,
            intermediate_size=architecture["inner"],
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        )

    def parts(self, network: nn.Module) -> Parts:
        layers = tuple(name for name, _ in network.named_modules() if name.removeprefix("vit.layers.").isdigit())
        return Parts(("vit.embeddings",), layers, ("vit.layernorm", "classifier"))


class ResNet(StockDigits):
    """A residual network of three stages with batch normalisation."""

    space = space_of(depth=(1, 2, 3), width=(4, 8, 12, 16))
    reference = {"depth": 3, "width": 16}  # noqa: RUF012
    steps = 150
    shape = (1, 8, 8)

    def build(self, architecture: Mapping[str, Value]) -> nn.Module:
        width = int(architecture["width"])
        return self.stock(
            "resnet",
            embedding_size=width,
            hidden_sizes=[width, 2 * width, 4 * width],
            depths=[architecture["depth"]] * 3,
            layer_type="basic",
            downsample_in_first_stage=False,
        )

    def rows(self, held_out: bool) -> tuple[dict[str, Tensor], Tensor]:
        batch, classes = super().rows(held_out)
        pixels = batch["pixel_values"].repeat_interleave(2, 2).repeat_interleave(2, 3)  # stages halve it four times
        return {"pixel_values": pixels}, classes

    def parts(self, network: nn.Module) -> Parts:
        stages = network.get_submodule("resnet.encoder.stages")
        return Parts(
            ("resnet.embedder",),
            tuple(f"resnet.encoder.stages.{n}" for n, _ in stages.named_children()),
            ("classifier",),
        )


class ConvNeXt(ResNet):
    """Depthwise convolutions between pointwise ones, three stages."""

    space = space_of(depth=(1, 2), width=(4, 8, 12, 16))
    reference = {"depth": 2, "width": 16}  # noqa: RUF012
    steps = 200

    def build(self, architecture: Mapping[str, Value]) -> nn.Module:
        width = int(architecture["width"])
        return self.stock(
            "convnext",
            patch_size=2,
            num_stages=3,
            hidden_sizes=[width, 2 * width, 4 * width],
            depths=[architecture["depth"]] * 3,
            drop_path_rate=0.0,
        )

    def parts(self, network: nn.Module) -> Parts:
        stages = network.get_submodule("convnext.encoder.stages")
        return Parts(
            ("convnext.embeddings",),
            tuple(f"convnext.encoder.stages.{n}" for n, _ in stages.named_children()),
            ("convnext.layernorm", "classifier"),
        )


class Recurrent(nn.Module):
    """Two layers of LSTM over the rows of a picture; its last state tells the class."""

    def __init__(self, embedding: int, hidden: int) -> None:
        super().__init__()
        self.embed = nn.Linear(8, embedding)
        self.lstm = nn.LSTM(embedding, hidden, 2, batch_first=True)
        self.classify = nn.Linear(hidden, 10)

    def forward(self, rows: Tensor) -> Tensor:
        """From ``(batch, 8, 8)`` to logits."""
        return self.classify(self.lstm(self.embed(rows))[0][:, -1])


class LSTM(Digits):
    """Recurrent networks of torch itself."""

    argument, shape = "rows", (8, 8)
    space = space_of(embedding=(8, 16, 32), hidden=(8, 16, 24, 32))
    reference = {"embedding": 32, "hidden": 32}  # noqa: RUF012

    def build(self, architecture: Mapping[str, Value]) -> nn.Module:
        return Recurrent(int(architecture["embedding"]), int(architecture["hidden"]))

    def parts(self, network: nn.Module) -> Parts:
        return Parts(("embed",), ("lstm",), ("classify",))


# ---------------------------------------------------------------------- numbers


class Convolutions(nn.Sequential):
    """Two with a rectifier each."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, padding=1),
            nn.ReLU(),
        )


class UNetwork(nn.Module):
    """Down twice and up again, each level joined to its fellow."""

    def __init__(self, width: int, bottom: int) -> None:
        super().__init__()
        self.first = Convolutions(1, width)
        self.down = Convolutions(width, 2 * width)
        self.bottom = Convolutions(2 * width, bottom)
        self.up = nn.ConvTranspose2d(bottom, 2 * width, 2, stride=2)
        self.joined = Convolutions(4 * width, 2 * width)
        self.last_up = nn.ConvTranspose2d(2 * width, width, 2, stride=2)
        self.last = nn.Sequential(Convolutions(2 * width, width), nn.Conv2d(width, 1, 1))

    def forward(self, noisy: Tensor) -> Tensor:
        """From ``(batch, 1, 8, 8)`` to the same."""
        first = self.first(noisy)
        second = self.down(functional.max_pool2d(first, 2))
        third = self.bottom(functional.max_pool2d(second, 2))
        second = self.joined(torch.cat([self.up(third), second], 1))
        return self.last(torch.cat([self.last_up(second), first], 1))


class UNet(Trained):
    """Networks that take noise off digits."""

    predicts = "numbers"
    space = space_of(width=(4, 8, 12, 16), bottom=(16, 32, 48, 64))
    reference = {"width": 16, "bottom": 64}  # noqa: RUF012
    steps = 200

    def build(self, architecture: Mapping[str, Value]) -> nn.Module:
        return UNetwork(int(architecture["width"]), int(architecture["bottom"]))

    def rows(self, held_out: bool) -> tuple[dict[str, Tensor], Tensor]:
        pixels = _digits(held_out)[0].view(-1, 1, 8, 8)
        noise = torch.randn(pixels.shape, generator=torch.Generator().manual_seed(int(held_out)))
        return {"noisy": pixels + noise}, pixels

    def loss(self, network: nn.Module, batch: Mapping[str, Tensor], right: Tensor) -> Tensor:
        return functional.mse_loss(self.outputs(network, batch), right)

    def parts(self, network: nn.Module) -> Parts:
        return Parts(("first",), ("down", "bottom", "up", "joined", "last_up"), ("last",))


class Block(nn.Module):
    """A residual block."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.inside = nn.Sequential(nn.Linear(width, inner), nn.ReLU(), nn.Linear(inner, width))

    def forward(self, x: Tensor) -> Tensor:
        """Of any shape with ``width`` last."""
        return x + self.inside(x)


class Blocks(nn.Module):
    """Residual blocks between two linear maps."""

    def __init__(self, depth: int, width: int, inner: int) -> None:
        super().__init__()
        self.first = nn.Linear(20, width)
        self.middle = nn.Sequential(*(Block(width, inner) for _ in range(depth)))
        self.last = nn.Linear(width, 2)

    def forward(self, x: Tensor) -> Tensor:
        """From ``(batch, 20)`` to ``(batch, 2)``."""
        return self.last(self.middle(self.first(x)))


class Residual(Trained):
    """The networks of the documentation, on a function of twenty numbers."""

    predicts = "numbers"
    space = space_of(depth=(1, 2, 3, 4), width=(8, 16, 24, 32), inner=(8, 16, 32, 64))
    reference = {"depth": 4, "width": 32, "inner": 64}  # noqa: RUF012
    steps = 1500
    rate = 5e-3
    size = 128

    def build(self, architecture: Mapping[str, Value]) -> nn.Module:
        return Blocks(*(int(architecture[name]) for name in ("depth", "width", "inner")))

    def rows(self, held_out: bool) -> tuple[dict[str, Tensor], Tensor]:
        points = torch.randn(3000, 20, generator=torch.Generator().manual_seed(0))
        turn = torch.randn(20, 2, generator=torch.Generator().manual_seed(1))
        right = torch.sin(points @ turn / 3) + torch.tanh(points[:, :2] * points[:, 2:4])
        return ({"x": points[2000:]}, right[2000:]) if held_out else ({"x": points[:2000]}, right[:2000])

    def loss(self, network: nn.Module, batch: Mapping[str, Tensor], right: Tensor) -> Tensor:
        return functional.mse_loss(self.outputs(network, batch), right)

    def parts(self, network: nn.Module) -> Parts:
        blocks = network.get_submodule("middle").named_children()
        return Parts(("first",), tuple(f"middle.{name}" for name, _ in blocks), ("last",))


# ---------------------------------------------------------------------- text


class Bytes(Trained):
    """Networks that say the next byte of text."""

    predicts = "causal-lm"
    steps = 250
    size = 16

    def stock(self, model_type: str, **fields: Any) -> nn.Module:
        ends = {"bos_token_id": 1, "eos_token_id": 2, "use_cache": False}
        config = AutoConfig.for_model(model_type, vocab_size=256, **ends, **fields)
        return AutoModelForCausalLM.from_config(config, dtype=torch.float32, attn_implementation="eager")

    def inputs(self, batch_size: int, sequence_length: int) -> dict[str, Tensor]:
        ids = (torch.arange(batch_size * sequence_length) % 255 + 1).view(batch_size, sequence_length)
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}

    def rows(self, held_out: bool) -> tuple[dict[str, Tensor], Tensor]:
        ids = _bytes(held_out)
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}, ids  # without a mask its values are read

    def loss(self, network: nn.Module, batch: Mapping[str, Tensor], right: Tensor) -> Tensor:
        return functional.cross_entropy(self.outputs(network, batch)[:, :-1].flatten(0, 1), right[:, 1:].flatten())


class Llama(Bytes):
    """Grouped queries, gated units, rotary positions."""

    space = space_of(depth=(1, 2, 3), hidden=(32, 64), inner=(32, 64, 128), groups=(1, 2))
    reference = {"depth": 3, "hidden": 64, "inner": 128, "groups": 2}  # noqa: RUF012

    def probes(self, name: str) -> tuple[int, ...]:
        return (1, 2, 4, 8) if name == "groups" else super().probes(name)  # each has two heads, which divide widths

    def build(self, architecture: Mapping[str, Value]) -> nn.Module:
        groups = int(architecture["groups"])
        return self.stock(
            "llama",
            num_hidden_layers=architecture["depth"],
            hidden_size=architecture["hidden"],
            intermediate_size=architecture["inner"],
            num_key_value_heads=groups,
            num_attention_heads=2 * groups,
            head_dim=16,
            pad_token_id=0,
            tie_word_embeddings=False,
        )

    def parts(self, network: nn.Module) -> Parts:
        layers = network.get_submodule("model.layers").named_children()
        return Parts(("model.embed_tokens",), tuple(f"model.layers.{n}" for n, _ in layers), ("model.norm", "lm_head"))


class GPT2(Bytes):
    """Learned positions, heads of 16, fused projections, an output matrix that is the table of bytes."""

    space = space_of(depth=(1, 2, 3), hidden=(32, 48, 64), inner=(64, 128, 256))
    reference = {"depth": 3, "hidden": 64, "inner": 256}  # noqa: RUF012

    def build(self, architecture: Mapping[str, Value]) -> nn.Module:
        hidden = int(architecture["hidden"])
        return self.stock(
            "gpt2",
            n_layer=architecture["depth"],
            n_embd=hidden,
            n_head=hidden // 16,
            n_inner=architecture["inner"],
            n_positions=128,
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
        )

    def parts(self, network: nn.Module) -> Parts:
        layers = network.get_submodule("transformer.h").named_children()
        return Parts(
            ("transformer.wte", "transformer.wpe"),
            tuple(f"transformer.h.{n}" for n, _ in layers),
            ("transformer.ln_f",),
        )


FAMILIES: Mapping[str, type[Trained]] = {
    "vit": ViT,
    "resnet": ResNet,
    "convnext": ConvNeXt,
    "lstm": LSTM,
    "unet": UNet,
    "residual": Residual,
    "llama": Llama,
    "gpt2": GPT2,
}
