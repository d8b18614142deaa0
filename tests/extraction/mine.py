"""A family with weights that takes no time: two linear maps, drawn, and points to compare them on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from subarch.networks.family import Family, Parts
from subarch.networks.space import Parameter, Space, Value


class Pair(nn.Module):
    def __init__(self, width: int, outputs: int = 3) -> None:
        super().__init__()
        self.into, self.out = nn.Linear(4, width), nn.Linear(width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(torch.tanh(self.into(x)))


class Mine(Family):
    name = "mine"
    space = Space((Parameter(name="width", choices=(2, 4, 8, 12)),))
    reference: dict[str, Value] = {"width": 12}  # noqa: RUF012
    predicts = "classes"
    points = 640

    def build(self, architecture: Mapping[str, Value]) -> nn.Module:
        return Pair(int(architecture["width"]))

    def inputs(self, batch_size: int, sequence_length: int) -> dict[str, Tensor]:
        return {"x": torch.zeros(batch_size, 4)}

    def parts(self, network: nn.Module) -> Parts:
        return Parts(("into",), ("out",))

    def trained(self) -> Any:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            network = self.build(self.reference)
        with torch.no_grad():
            for one in network.parameters():
                one.mul_(3)
        return network.eval()

    def examples(self, seed: int, held_out: bool) -> Iterator[dict[str, Any]]:
        points = torch.randn(self.points, 4, generator=torch.Generator().manual_seed(int(held_out)))
        order = torch.randperm(len(points), generator=torch.Generator().manual_seed(seed))
        for rows in order.split(32):
            yield {"x": points[rows]}
