"""Texts in which some tokens are chosen anew: what several ways of making proposals share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from subarch.agora.proposals import ProposalFunction
from subarch.errors import InputError
from subarch.learning.surfaces import Encoded, Surfaces
from subarch.tasks.dealing import linking_keys
from subarch.tasks.relatives import normalised
from subarch.text.examples import Example

J = TypeVar("J")

_TOKENS = 4096  # that a network takes at once

Choose = Callable[[Tensor, Tensor, Tensor | None, np.random.Generator], Tensor]
"""Token ids ``(rows, length)``, where to replace them (likewise) and token types, to the new ids ``(replaced,)``."""


def replacing(
    surfaces: Surfaces,
    share: tuple[float, float],
    choose: Choose,
    *,
    length: int,
    types: bool,
    common: frozenset[str],
) -> ProposalFunction[Example]:
    """Texts of which some tokens are chosen anew: all those by which an example belongs with its mistake.

    A pair that kept a text of its mistake would be kept with it in one split, so no such pair may be learned from. Of
    pairs whose texts link nothing one is drawn.
    """
    low, high = share
    if not 0 < low <= high <= 1:
        raise InputError(f"expected shares 0 < low <= high <= 1 of the tokens, got {share}")

    def propose(examples: Sequence[Example], count: int, rng: np.random.Generator) -> Iterator[tuple[int, Example]]:
        known: dict[tuple[int, int], Encoded] = {}
        jobs: list[tuple[int, int, tuple[int, ...]]] = []  # an example, a second text of it, and the texts that change
        for n, example in enumerate(examples):
            changing = _changing(example, common)
            for _ in range(count):
                drawn = int(rng.integers(len(example.seconds) + 1))
                second = max(drawn, 1)  # each candidate of a choice is read beside the first text
                jobs.append((n, second, changing or (min(drawn, 1),)))
                if (n, second) not in known:
                    texts = (example.first, *example.seconds[second - 1 : second])
                    known[n, second] = surfaces.encoded(texts, length)

        def of(job: tuple[int, int, tuple[int, ...]]) -> Encoded:
            return known[job[0], job[1]]

        def size(job: tuple[int, int, tuple[int, ...]]) -> int:
            return len(of(job).ids)

        jobs.sort(key=size)
        for rows in _parts(jobs, size):
            ids = torch.full((len(rows), size(rows[-1])), surfaces.padding)
            kinds = torch.zeros_like(ids)
            where = torch.zeros(ids.shape, dtype=torch.bool)
            for at, job in enumerate(rows):
                encoded = of(job)
                ids[at, : len(encoded.ids)] = torch.from_numpy(encoded.ids)
                kinds[at, : len(encoded.ids)] = torch.from_numpy((encoded.sides == 1).astype(np.int64))
                for side in job[2]:
                    places = np.flatnonzero((encoded.sides == side) & encoded.replaceable)
                    chosen = max(1, round(rng.uniform(low, high) * len(places))) if len(places) else 0
                    where[at, rng.permutation(places)[:chosen]] = True
            if where.any():
                ids[where] = choose(ids, where, kinds if types else None, rng)
            for at, job in enumerate(rows):
                new = {place: int(ids[at, place]) for place in torch.nonzero(where[at])[:, 0].tolist()}
                example = examples[job[0]]
                for side in job[2]:
                    example = example.with_text(side and job[1], surfaces.rewritten(of(job), side, new))
                yield job[0], example

    return propose


def _changing(example: Example, common: frozenset[str]) -> tuple[int, ...]:
    """Which of the texts change: 0 for the first one, 1 for a second one; none where that is left to chance."""
    if len(example.seconds) != 1:
        return (0,)
    linking = {text for kind, text in linking_keys(example, common) if kind == "text"}
    words = [normalised(text) or text for text in example.texts]
    if found := tuple(side for side, text in enumerate(words) if text in linking):
        return found
    free = tuple(side for side, text in enumerate(words) if text not in common)
    return free if len(free) == 1 else ()


def _parts(jobs: Sequence[J], size: Callable[[J], int]) -> Iterator[list[J]]:
    """Jobs, shortest first, in parts of at most so many tokens."""
    part: list[J] = []
    for job in jobs:
        if part and size(job) * (len(part) + 1) > _TOKENS:
            yield part
            part = []
        part.append(job)
    if part:
        yield part


def reads_types(model: PreTrainedModel) -> bool:
    """Whether a network tells two texts apart by token types."""
    return int(getattr(model.config, "type_vocab_size", 0) or 0) > 1
