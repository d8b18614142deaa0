"""Products: what is contracted is the same on both sides; tables and kernels are read by number."""

from __future__ import annotations

import torch
from through import proven, units
from torch import Tensor, nn
from torch.nn import functional

from subarch.networks.axes import leaves
from subarch.networks.tracing import require_whole, trace


def grouped(x: Tensor) -> Tensor:
    return x.view(5, 3, 4)


def test_what_is_contracted_is_the_same() -> None:
    assert units(proven(lambda x: x @ x.t() @ x)) == [(12, "")]
    assert units(proven(lambda x: torch.bmm(grouped(x), grouped(x).transpose(1, 2)).bmm(grouped(x)).flatten(1))) == [
        (3, ""),
        (4, ""),
    ]
    assert units(
        proven(lambda x: torch.baddbmm(grouped(x), grouped(x) @ grouped(x).transpose(1, 2), grouped(x)).flatten(1))
    ) == [(3, ""), (4, "")]
    assert units(proven(lambda x: x * torch.mv(x, x[0] * 0 + 1)[:, None])) == [(12, "")]


def test_attention_joins_sizes_of_queries_and_keys() -> None:
    def attended(x: Tensor) -> Tensor:
        heads = x.view(1, 5, 3, 4).transpose(1, 2)
        return functional.scaled_dot_product_attention(heads, heads, heads).transpose(1, 2).reshape(5, 12)

    assert units(proven(attended)) == [(3, ""), (4, "")]


class Convolved(nn.Module):
    """Three convolutions, the second by groups, the third by channels."""

    def __init__(self, inner: int = 8) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(3, inner, 3)
        self.middle = nn.Conv2d(inner, inner, 3, groups=2)
        self.depthwise = nn.Conv2d(inner, inner, 3, groups=inner)
        self.last = nn.ConvTranspose2d(inner, 2, 2)

    def forward(self, values: Tensor) -> Tensor:
        return self.last(self.depthwise(self.middle(self.first(values)))).mean((2, 3))


def test_channels_of_convolutions() -> None:
    network, inputs = Convolved(), {"values": torch.randn(2, 3, 9, 9)}
    traced = trace(network, inputs)
    require_whole(network, inputs, traced)
    assert [leaf.size for leaf in leaves(traced.axes["first.weight"][0])] == [2, 4]
    assert leaves(traced.axes["depthwise.weight"][0]) == leaves(traced.axes["last.weight"][0])
    assert {leaf.fixed for leaf in leaves(traced.axes["first.weight"][2])} == {"a place in a kernel"}


class Looked(nn.Module):
    """A table, and its rows again as the last map."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.table, self.inner = nn.Embedding(7, 6), nn.Linear(6, 6)

    def forward(self, ids: Tensor) -> Tensor:
        states = self.inner(self.table(ids))
        picked = states.gather(1, ids[:, :1, None].clamp(max=0).expand(-1, 1, 6))
        return (states + picked) @ self.table.weight.t()


def test_tables_are_read_by_number_and_their_columns_are_units() -> None:
    network, inputs = Looked(), {"ids": torch.tensor([[0, 3, 6], [1, 1, 2]])}
    traced = trace(network, inputs)
    require_whole(network, inputs, traced)
    assert [leaf.fixed for leaf in leaves(traced.axes["table.weight"][0])] == ["looked up by number"]
    assert leaves(traced.axes["table.weight"][1]) == leaves(traced.axes["inner.weight"][1])
    assert not leaves(traced.axes["table.weight"][1])[0].fixed


def test_units_that_are_looked_up_are_fixed() -> None:
    rows = torch.tensor([3, 1])
    for operator in (
        lambda x: x.index_select(1, rows.to(x.device)),
        lambda x: x[:, rows.to(x.device)] + 0,
        lambda x: x.gather(1, rows.to(x.device).expand(5, 2)),
    ):
        assert units(proven(operator)) == [(12, "looked up by number")]


class Experts(nn.Module):
    """Rows in groups, each with a matrix of its own."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.into = nn.Linear(3, 12)
        self.experts = nn.Parameter(torch.randn(2, 12, 8))
        self.out = nn.Linear(8, 2)

    def forward(self, values: Tensor) -> Tensor:
        ends = torch.tensor([3, 5], dtype=torch.int32, device=values.device)
        return self.out(functional.grouped_mm(self.into(values).float(), self.experts.float(), offs=ends).to(values))


def test_units_of_experts_are_free_and_experts_are_numbered() -> None:
    network, inputs = Experts(), {"values": torch.randn(5, 3)}
    traced = trace(network, inputs)
    assert not traced.unknown
    require_whole(network, inputs, traced)
    experts, into, out = (leaves(axis)[0] for axis in traced.axes["experts"])
    assert (experts.fixed, into.fixed, out.fixed) == ("experts by number", "", "")
    assert leaves(traced.axes["into.weight"][0]) == [into]
    assert leaves(traced.axes["out.weight"][1]) == [out]
