"""How much each unit matters for what a network says, by gradients: no labels, and no loss that is zero at the source.

The importance of a unit u is ``sum |w * d(v . f)/dw|`` over the weights w of all tensors that have u, with f the
outputs that count and v random signs (first-order importance, Molchanov et al. 2019, of a random projection of the
outputs instead of a loss).
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from subarch.networks.axes import Atom, Axes, leaves, owners
from subarch.networks.tracing import Outputs

_ROWS, _PLACES = 16, 2048  # of a batch at once: a way back keeps everything that the way forth has made


def importance(
    network: nn.Module,
    axes: Mapping[str, Axes],
    atoms: Iterable[Atom],
    batches: Sequence[Mapping[str, Tensor]],
    outputs: Outputs,
    seed: int = 0,
) -> dict[Atom, Tensor]:
    """The importance of every unit of some atoms.

    Args:
        network: in evaluation mode; it stays as it is, and its weights may be frozen.
        axes: of its tensors.
        atoms: whose units are compared.
        batches: of its inputs.
        outputs: what counts, of any shape.
        seed: of the signs.

    Returns:
        For each atom ``(units,)``.
    """
    scores = {atom: torch.zeros(atom.size) for atom in atoms}
    own = {id(one): nn.Parameter(one.detach()) for one in network.parameters()}
    shell = copy.deepcopy(network, cast("dict[int, Any]", dict(own)))  # around the same memory
    places: dict[str, list[tuple[Atom, int, Tensor]]] = {}
    for name, _ in shell.named_parameters():
        for place, axis in enumerate(axes[name]):
            for leaf in dict.fromkeys(leaves(axis)):
                if leaf in scores:
                    places.setdefault(name, []).append((leaf, place, owners(axis, leaf)))
    generator = torch.Generator().manual_seed(seed)
    for rows in (rows for batch in batches for rows in _parts(batch)):
        shell.zero_grad(set_to_none=True)
        with torch.enable_grad():
            out = outputs(shell, rows)
            signs = torch.randint(0, 2, out.shape, generator=generator).to(out) * 2 - 1
            (out * signs).sum().backward()
        for name, one in shell.named_parameters():
            if one.grad is not None and name in places:
                _add(scores, places[name], (one.detach() * one.grad).abs_())
    return scores


def _parts(batch: Mapping[str, Tensor]) -> Iterable[dict[str, Tensor]]:
    values = next(iter(batch.values()))
    length = values.shape[1] if "input_ids" in batch else 1
    rows = max(1, min(_ROWS, _PLACES // length))
    for start in range(0, len(values), rows):
        yield {name: one[start : start + rows] for name, one in batch.items()}


def _add(scores: Mapping[Atom, Tensor], places: Sequence[tuple[Atom, int, Tensor]], size: Tensor) -> None:
    for atom, place, owner in places:
        along = size.movedim(place, 0).reshape(size.shape[place], -1).sum(1)
        mine = owner >= 0
        scores[atom].index_add_(0, owner[mine], along[mine].float())
