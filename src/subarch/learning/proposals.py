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

from subarch.agora.data import neighbours
from subarch.agora.proposals import ProposalFunction, Space
from subarch.learning.heads import read
from subarch.text.examples import Example

J = TypeVar("J")

_TOKENS = 4096  # that a network takes at once
_POOLED_TOKENS = 8192
_GOES_ON = "##"  # how WordPiece writes a piece that is not the first of its word


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
    places: list[NDArray[np.float64]] = []
    bare = [_bare(example) for example in pool]

    def propose(examples: Sequence[Example], count: int, _: np.random.Generator) -> Iterable[tuple[int, Example]]:
        if not examples or not pool:
            return
        if not places:
            places.append(np.asarray(space(bare), np.float64))
        rows = neighbours(places[0], np.asarray(space(examples), np.float64), count)[1]
        yield from ((n, bare[row]) for n, near in enumerate(rows) for row in near)

    return propose


def recombine(pool: Sequence[Example]) -> ProposalFunction[Example]:
    """Pairs: one text stays, the other one comes from a random example of the pool."""

    def propose(examples: Sequence[Example], count: int, rng: np.random.Generator) -> Iterable[tuple[int, Example]]:
        for n, example in enumerate(examples):
            if len(example.seconds) != 1 or not pool:
                raise ValueError("recombine makes pairs of pairs: it needs examples of two texts, and a pool of them")
            for row in rng.integers(len(pool), size=count):
                first, second = (example, pool[row]) if rng.random() < 0.5 else (pool[row], example)
                yield n, Example(first.first, second.seconds)

    return propose


def swap(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, *, share: float = 0.2, nearest: int = 10
) -> ProposalFunction[Example]:
    """Some tokens replaced by neighbours in the table of token embeddings.

    Args:
        model: whose embeddings.
        tokenizer: its own.
        share: of a text's tokens that are replaced, in (0, 1].
        nearest: neighbours among which one is drawn.
    """
    table = nn.functional.normalize(cast("Any", model.get_input_embeddings()).weight.detach(), dim=-1)

    def choose(ids: Tensor, where: Tensor, _: Tensor | None, rng: np.random.Generator) -> Tensor:
        near = (table[ids[where]] @ table.T).topk(nearest + 1).indices[:, 1:]
        near = _ordinary_first(near, tokenizer)
        drawn = torch.from_numpy(rng.integers(nearest, size=len(near)))
        return near.gather(1, drawn[:, None])[:, 0]

    return _replacing(tokenizer, (share, share), choose, length=512, types=_types(model))


def mask_fill(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    *,
    share: tuple[float, float] = (0.1, 0.3),
    temperature: float = 1.0,
    length: int = 128,
) -> ProposalFunction[Example]:
    """Some tokens masked, and drawn anew from a masked language model.

    The vocabulary is projected at masked tokens alone, and texts of similar length share a pass.

    Args:
        model: a stock masked language model: the pre-trained student, or a teacher with such a head.
        tokenizer: its own.
        share: of a text's tokens that are masked, drawn between these two.
        temperature: of the draw.
        length: tokens that texts are cut to.

    Raises:
        ValueError: when the model has no such head, or the tokenizer no mask token.
    """
    head = getattr(model, "cls", None) or getattr(model, "lm_head", None)
    mask = cast("Any", tokenizer).mask_token_id
    if head is None or mask is None:
        raise ValueError("mask_fill needs a masked language model, with its head and a mask token, got neither or one")

    @torch.no_grad()
    def choose(ids: Tensor, where: Tensor, types: Tensor | None, rng: np.random.Generator) -> Tensor:
        inputs: dict[str, Tensor] = {"input_ids": ids.masked_fill(where, mask)}
        inputs["attention_mask"] = (ids != int(cast("Any", tokenizer).pad_token_id or 0)).long()
        if types is not None:
            inputs["token_type_ids"] = types
        states = model.eval().base_model(**inputs).last_hidden_state
        logits = head(states[where]).float()[:, : len(tokenizer)] / temperature
        logits[:, cast("Any", tokenizer).all_special_ids] = -torch.inf
        # Gumbel's trick draws from all distributions at once, with this generator's numbers alone.
        noise = rng.random(logits.shape, dtype=np.float32).clip(1e-20, 1 - 1e-7)
        return (logits - torch.from_numpy(np.log(-np.log(noise)))).argmax(-1)

    return _replacing(tokenizer, share, choose, length=length, types=_types(model))


Choose = Callable[[Tensor, Tensor, Tensor | None, np.random.Generator], Tensor]
"""Token ids ``(rows, length)``, where to replace them (likewise) and token types, to the new ids ``(replaced,)``."""


def _replacing(
    tokenizer: PreTrainedTokenizerFast, share: tuple[float, float], choose: Choose, *, length: int, types: bool
) -> ProposalFunction[Example]:
    """Texts of which some tokens are chosen anew; of a pair or a choice one of its texts, drawn each time."""
    low, high = share
    if not 0 < low <= high <= 1:
        raise ValueError(f"expected shares 0 < low <= high <= 1 of the tokens, got {share}")

    def propose(examples: Sequence[Example], count: int, rng: np.random.Generator) -> Iterator[tuple[int, Example]]:
        encoded: dict[tuple[int, int], tuple[NDArray[np.int64], NDArray[np.int64]]] = {}
        jobs: list[tuple[int, int]] = []  # an example, and which of its texts is changed
        for n, example in enumerate(examples):
            for _ in range(count):
                side = int(rng.integers(len(example.seconds) + 1))
                jobs.append((n, side))
                beside = max(side, 1)  # each candidate of a choice is read beside the first text
                if (n, beside) not in encoded:
                    encoded[n, beside] = _encoded(example, beside, tokenizer, length)

        def of(job: tuple[int, int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
            return encoded[job[0], max(job[1], 1)]

        def size(job: tuple[int, int]) -> int:
            return len(of(job)[0])

        jobs.sort(key=size)
        for rows in _parts(jobs, size):
            ids = torch.full((len(rows), size(rows[-1])), int(cast("Any", tokenizer).pad_token_id or 0))
            kinds = torch.zeros_like(ids)
            where = torch.zeros(ids.shape, dtype=torch.bool)
            for at, job in enumerate(rows):
                tokens, sequences = of(job)
                ids[at, : len(tokens)] = torch.from_numpy(tokens)
                kinds[at, : len(tokens)] = torch.from_numpy((sequences == 1).astype(np.int64))
                places = np.flatnonzero(sequences == min(job[1], 1))
                chosen = max(1, round(rng.uniform(low, high) * len(places))) if len(places) else 0
                where[at, rng.permutation(places)[:chosen]] = True
            if where.any():
                ids[where] = choose(ids, where, kinds if types else None, rng)
            for at, (n, side) in enumerate(rows):
                changed = torch.from_numpy(np.flatnonzero(of((n, side))[1] == min(side, 1)))
                # A piece that goes on a word, drawn for the beginning of a text, is a word there.
                text = cast("str", tokenizer.decode(ids[at][changed])).removeprefix(_GOES_ON)
                yield n, _with_text(examples[n], side, text)

    return propose


def _encoded(
    example: Example, beside: int, tokenizer: PreTrainedTokenizerFast, length: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Token ids of the first text and the second one of that number, and the text that each belongs to (-1: none)."""
    texts = (example.first, *example.seconds[beside - 1 : beside])
    found: Any = cast("Any", tokenizer)(*texts, truncation=True, max_length=length)
    sequences = [-1 if one is None else one for one in found.sequence_ids()]
    return np.asarray(found["input_ids"], np.int64), np.asarray(sequences, np.int64)


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


def _ordinary_first(near: Tensor, tokenizer: PreTrainedTokenizerFast) -> Tensor:
    """Special tokens are nobody's neighbours: the nearest ordinary one takes their place."""
    special = torch.isin(near, torch.tensor(sorted(cast("Any", tokenizer).all_special_ids)))
    first = (~special).float().argmax(1, keepdim=True)
    return torch.where(special, near.gather(1, first), near)
