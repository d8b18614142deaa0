"""Examples as a family gives them: drawn by seed, looked at before anything is made of them, and cut to a few."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from subarch.errors import InputError
from subarch.networks.family import MASKED, Family, arguments_of

Batch = dict[str, Tensor]
LEAST = 16
"""Examples to judge by; so few are noisy, and the certificate says how much."""
_TRACED = 2  # rows of a batch that are traced; more tell nothing more
_TOKENS = 16


def to_judge(family: Family, count: int, seed: int) -> list[Batch]:
    """So many held-out examples, or all that there are.

    Raises:
        InputError: where there are too few, or they are no batches.
    """
    found: list[Batch] = []
    have = 0
    for batch in _looked_at(family, seed, held_out=True):
        rows = min(_rows(batch), count - have)
        found.append({name: values[:rows] for name, values in batch.items()})
        have += rows
        if have >= count:
            break
    if have < min(LEAST, count):
        raise InputError(
            f"{_call(family, seed, True)} gave {have} examples: expected at least {LEAST} to judge networks by, and "
            "better some hundreds"
        )
    return found


def to_learn(family: Family, batches: int, seed: int) -> list[Batch]:
    """So many batches to learn from, of further rounds where one has not as many.

    Raises:
        InputError: where there are none, or they are no batches.
    """
    found: list[Batch] = []
    for number in itertools.count():
        again = int(np.random.SeedSequence([seed, number]).generate_state(1)[0]) if number else seed
        drawn = list(itertools.islice(_looked_at(family, again, held_out=False), batches - len(found)))
        found += drawn
        if len(found) >= batches:
            return found
        if not drawn:
            raise InputError(f"{_call(family, again, False)} gave no batch: expected some to learn from")
    raise AssertionError


def some(family: Family, count: int, seed: int) -> list[Batch]:
    """At least so many examples to learn from, as arguments of ``forward`` alone."""
    found: list[Batch] = []
    have = 0
    while have < count:
        more = to_learn(family, len(found) + 1, seed)
        found, have = more, sum(map(_rows, more))
    return [arguments_of(batch) for batch in found]


def digest_of(batches: Iterable[Mapping[str, Tensor]]) -> str:
    """What tells these tensors from others: names, shapes and every value."""
    found = hashlib.sha256()
    for batch in batches:
        for name, values in batch.items():
            found.update(f"{name} {values.dtype} {tuple(values.shape)}\n".encode())
            found.update(values.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return found.hexdigest()


def beginning(batch: Mapping[str, Tensor]) -> Batch:
    """Of two examples, and of tokens the first few: what is traced does not depend on how many there are."""
    ids = batch.get("input_ids")
    tokens = None if ids is None else ids.shape
    return {
        name: values[:_TRACED, :_TOKENS].contiguous() if values.shape == tokens else values[:_TRACED]
        for name, values in batch.items()
    }


def leading(batch: Mapping[str, Tensor], tokens: int) -> Batch:
    """The first examples of a batch that together have about so many tokens."""
    ids = batch.get("input_ids")
    rows = max(1, -(-tokens // ids.shape[1])) if ids is not None else tokens
    return {name: values[:rows] for name, values in batch.items()}


def _rows(batch: Batch) -> int:
    return len(next(iter(batch.values())))


def _call(family: Family, seed: int, held_out: bool) -> str:
    return f"family {family.name!r}: examples(seed={seed}, held_out={held_out})"


def _looked_at(family: Family, seed: int, *, held_out: bool) -> Iterator[Batch]:
    """Batches as the family gives them, each of them one."""
    call = _call(family, seed, held_out)
    try:
        given = iter(family.examples(seed, held_out))
    except Exception as error:
        raise InputError(f"{call} failed: {type(error).__name__}: {error}") from error
    while True:
        try:
            batch = next(given)
        except StopIteration:
            return
        except Exception as error:
            raise InputError(f"{call} failed: {type(error).__name__}: {error}") from error
        _require_batch(family, call, batch)
        yield dict(batch)


def _require_batch(family: Family, call: str, batch: object) -> None:
    known = cast("Mapping[str, Any]", batch) if isinstance(batch, Mapping) else {}
    if not known or not all(isinstance(one, Tensor) and one.dim() for one in known.values()):
        raise InputError(
            f"{call} gave {type(batch).__name__}: expected batches, each a dict of tensors by the names of forward's "
            "arguments, with the examples first"
        )
    sizes = {name: len(one) for name, one in known.items()}
    if len(set(sizes.values())) > 1 or min(sizes.values()) < 1:
        raise InputError(f"{call} gave a batch of {sizes} examples: expected as many of each, and at least one")
    if family.predicts == "masked-lm" and MASKED not in known:
        raise InputError(
            f"{call} gave no {MASKED!r}: expected which tokens are masked, (batch, sequence), in every batch of a "
            "masked language model"
        )
