"""New texts near given ones, for Agora: proposal functions on examples.

Each is a plain function of :mod:`subarch.agora.proposals`: examples, how many are wanted around each, and a random
generator, to pairs of a position and a new example. New examples have no label: the teacher gives them one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from subarch.agora.proposals import ProposalFunction, Space
from subarch.errors import InputError
from subarch.learning.heads import read
from subarch.learning.surfaces import Encoded, Surfaces
from subarch.text.dealing import linking_keys
from subarch.text.examples import Example
from subarch.text.relatives import normalised

J = TypeVar("J")

_TOKENS = 4096  # that a network takes at once
_POOLED_TOKENS = 8192
_POINTS = 64  # whose distances to a pool are in memory at once


def mean_pooled(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, length: int) -> Space[Example]:
    """Where examples lie: the mean of the last hidden states over their tokens, with length 1: ``(examples, hidden)``.

    Half the squared distance of two of them is 1 - cosine. The candidates of a choice are read as one second text.

    Args:
        model: any stock encoder, with or without a head.
        tokenizer: its own.
        length: tokens that a sequence is cut to.
    """

    @torch.no_grad()
    def place(examples: Sequence[Example]) -> NDArray[np.float32]:
        network = cast("Any", model.base_model).eval()
        whole = [Example(one.first, (" ".join(one.seconds),) if one.seconds else ()) for one in examples]
        tokens = read(whole, tokenizer, network, length)
        found = np.zeros((len(examples), int(cast("Any", model.config).hidden_size)), np.float32)
        for rows in tokens.by_length(_POOLED_TOKENS):
            batch = tokens.batch(rows)
            inputs = {n: batch[n] for n in ("input_ids", "attention_mask", "token_type_ids") if n in batch}
            states: Tensor = network(**inputs).last_hidden_state.float()
            mask = inputs.get("attention_mask", torch.ones(states.shape[:2]))[..., None]
            pooled = (states * mask).sum(1) / mask.sum(1)
            found[rows] = nn.functional.normalize(pooled, dim=-1).numpy()
        return found

    return place


def retrieve(pool: Sequence[Example], space: Space[Example]) -> ProposalFunction[Example]:
    """The nearest examples of an unlabelled pool: real text. Where they lie is computed once, when first asked for."""
    places: list[NDArray[np.float32]] = []
    bare = [_bare(example) for example in pool]

    def propose(examples: Sequence[Example], count: int, _: np.random.Generator) -> Iterable[tuple[int, Example]]:
        if not examples or not pool:
            return
        if not places:
            places.append(np.asarray(space(bare), np.float32))
        rows = _nearest(places[0], np.asarray(space(examples), np.float32), count)
        yield from ((n, bare[row]) for n, near in enumerate(rows) for row in near)

    return propose


def _nearest(pool: NDArray[np.float32], points: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """Positions of the nearest so many of a pool ``(points, count)``, nearest first: by products of matrices, which in
    hundreds of dimensions are faster than trees."""
    count = min(count, len(pool))
    squares = np.einsum("ij,ij->i", pool, pool)
    found = np.empty((len(points), count), np.int64)
    for start in range(0, len(points), _POINTS):
        # Squared distances, but for what is the same for the whole row.
        distances = squares - 2 * points[start : start + _POINTS] @ pool.T
        near = np.argpartition(distances, count - 1, axis=1)[:, :count]
        order = np.lexsort((near, np.take_along_axis(distances, near, axis=1)), axis=1)
        found[start : start + _POINTS] = np.take_along_axis(near, order, axis=1)
    return found


def recombine(pool: Sequence[Example]) -> ProposalFunction[Example]:
    """Pairs: one text stays, the other one comes from a random example of the pool.

    A guard refuses those whose text that stays would keep them beside the mistake in one split: what is left are short
    texts (fewer than four words), and such as stand beside most others, as fixed questions do.
    """

    def propose(examples: Sequence[Example], count: int, rng: np.random.Generator) -> Iterable[tuple[int, Example]]:
        for n, example in enumerate(examples):
            if len(example.seconds) != 1 or not pool:
                raise InputError("recombine makes pairs of pairs: it needs examples of two texts, and a pool of them")
            for row in rng.integers(len(pool), size=count):
                first, second = (example, pool[row]) if rng.random() < 0.5 else (pool[row], example)
                yield n, Example(first.first, second.seconds)

    return propose


def swap(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    *,
    share: float = 0.2,
    nearest: int = 10,
    common: frozenset[str] = frozenset(),
) -> ProposalFunction[Example]:
    """Some tokens replaced by neighbours in the table of token embeddings.

    Args:
        model: whose embeddings.
        tokenizer: its own.
        share: of a text's tokens that are replaced, in (0, 1].
        nearest: neighbours among which one is drawn.
        common: texts that stay as they are, as the task has them.
    """
    surfaces = Surfaces(tokenizer)
    table = cast("Any", model.get_input_embeddings()).weight.detach()[: len(surfaces.drawable)]
    table = nn.functional.normalize(table, dim=-1)
    drawable = torch.from_numpy(surfaces.drawable[: len(table)])

    def choose(ids: Tensor, where: Tensor, _: Tensor | None, rng: np.random.Generator) -> Tensor:
        own = ids[where][:, None]
        similar = (table[own[:, 0]] @ table.T).masked_fill(~drawable, -torch.inf).scatter(1, own, -torch.inf)
        near = similar.topk(min(nearest, int(drawable.sum()) - 1)).indices
        drawn = torch.from_numpy(rng.integers(near.shape[1], size=len(near)))
        return near.gather(1, drawn[:, None])[:, 0]

    return _replacing(surfaces, (share, share), choose, length=512, types=_types(model), common=common)


def mask_fill(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    *,
    share: tuple[float, float] = (0.1, 0.3),
    temperature: float = 1.0,
    length: int = 128,
    common: frozenset[str] = frozenset(),
) -> ProposalFunction[Example]:
    """Some tokens masked, and drawn anew from a masked language model.

    The vocabulary is projected at masked tokens alone, and texts of similar length share a pass.

    Args:
        model: a stock masked language model: the pre-trained student, or a teacher with such a head.
        tokenizer: its own.
        share: of a text's tokens that are masked, drawn between these two.
        temperature: of the draw.
        length: tokens that the model reads of a text; what comes after these stays as it is.
        common: texts that stay as they are, as the task has them.

    Raises:
        ValueError: when the model has no such head, or the tokenizer no mask token.
    """
    head = getattr(model, "cls", None) or getattr(model, "lm_head", None)
    mask = cast("Any", tokenizer).mask_token_id
    if head is None or mask is None:
        raise InputError("mask_fill needs a masked language model, with its head and a mask token, got neither or one")
    surfaces = Surfaces(tokenizer)
    drawable = torch.from_numpy(surfaces.drawable)

    @torch.no_grad()
    def choose(ids: Tensor, where: Tensor, types: Tensor | None, rng: np.random.Generator) -> Tensor:
        inputs: dict[str, Tensor] = {"input_ids": ids.masked_fill(where, mask)}
        inputs["attention_mask"] = (ids != int(cast("Any", tokenizer).pad_token_id or 0)).long()
        if types is not None:
            inputs["token_type_ids"] = types
        states = model.eval().base_model(**inputs).last_hidden_state
        logits = head(states[where]).float()[:, : len(drawable)] / temperature
        logits[:, ~drawable[: logits.shape[1]]] = -torch.inf
        # Gumbel's trick draws from all distributions at once, with this generator's numbers alone.
        noise = rng.random(logits.shape, dtype=np.float32).clip(1e-20, 1 - 1e-7)
        return (logits - torch.from_numpy(np.log(-np.log(noise)))).argmax(-1)

    return _replacing(surfaces, share, choose, length=length, types=_types(model), common=common)


Choose = Callable[[Tensor, Tensor, Tensor | None, np.random.Generator], Tensor]
"""Token ids ``(rows, length)``, where to replace them (likewise) and token types, to the new ids ``(replaced,)``."""


def _replacing(
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
                    example = _with_text(example, side and job[1], surfaces.rewritten(of(job), side, new))
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


def _with_text(example: Example, side: int, text: str) -> Example:
    if side == 0:
        return Example(text, example.seconds)
    return Example(example.first, (*example.seconds[: side - 1], text, *example.seconds[side:]))


def _bare(example: Example) -> Example:
    return Example(example.first, example.seconds)


def _types(model: PreTrainedModel) -> bool:
    return int(getattr(model.config, "type_vocab_size", 0) or 0) > 1
