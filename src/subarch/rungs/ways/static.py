"""Static embeddings: the teacher's token vectors, mean pooled, fine-tuned on what the teacher says of rows and pool.

A network of depth 0: what all attention and all layers of the teacher are worth shows in what it loses.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from subarch.learning.batches import epoch
from subarch.learning.epochs import scored
from subarch.learning.heads import seeded
from subarch.learning.training import Hyperparameters, Training
from subarch.networks.layouts import tells_texts_apart
from subarch.options.forms import PlainName
from subarch.rungs.base import PlainRung
from subarch.rungs.ground import Ground, Outputs
from subarch.running.predictor import answers
from subarch.running.static import StaticProgram
from subarch.tasks.kinds.base import Units
from subarch.text.encoding import Tokens, tokenize

_RATE = 3e-3  # of vectors that have unit variance when they are pooled
_EPOCHS, _PATIENCE = 12, 3
_BATCH = 64
_LEAST_STEPS = 400  # of a whole training: small tables are passed more often
_FLAT = 1e-6  # a unit that hardly varies is left as it is


class Pooled(NamedTuple):
    """A batch: bags of tokens, by their places in the table."""

    ids: Tensor
    mask: Tensor
    types: Tensor | None


class StaticNetwork(nn.Module):
    """The table and its map.

    Args:
        table: ``(tokens, hidden)``.
        outputs: of the map.
        pairs: whether it reads two texts that are told apart.
    """

    def __init__(self, table: Tensor, outputs: int, *, pairs: bool) -> None:
        super().__init__()
        self.table = nn.Parameter(table.clone())
        self.pairs = pairs
        self.head = nn.Linear(table.shape[1] * (4 if pairs else 1), outputs)

    def forward(self, batch: Pooled) -> Tensor:
        """Scores ``(batch, outputs)``."""
        rows = nn.functional.embedding(batch.ids, self.table)
        if batch.types is None:
            return self.head(_mean(rows, batch.mask))
        one, other = (_mean(rows, batch.mask * (batch.types == n)) for n in (0, 1))
        return self.head(torch.cat([one, other, (one - other).abs(), one * other], 1))


def _mean(rows: Tensor, mask: Tensor) -> Tensor:
    count = mask.sum(1, keepdim=True).clamp_min(1)
    return torch.einsum("blc,bl->bc", rows, mask.to(rows.dtype)) / count


class Static(PlainRung):
    """Fine-tuned on training rows and pool; the epoch that is best on development rows is kept."""

    name: str = "static"
    place: int = 30
    words: str = "the teacher's token vectors, mean pooled, with a linear model"
    form: PlainName = "static"

    def depends_on(self, ground: Ground) -> Sequence[object]:
        """The texts without labels."""
        return (ground.pool_digest,)

    def write(self, ground: Ground, folder: Path) -> bool:
        """The table with its map."""
        teacher, kind = ground.teacher, ground.task.kind
        points, labels = ground.taught()
        types = tells_texts_apart(teacher.checkpoint.config)
        tokens = tokenize(points, teacher.tokenizer, length=teacher.length, types=types)
        vectors = cast("Tensor", teacher.model.get_input_embeddings().weight).detach().float()
        bags = _Bags(tokens, len(vectors))
        table = _standard(vectors, bags)
        units = kind.units(ground.task.train.labels)
        with seeded(0):
            network = StaticNetwork(table[bags.used], ground.width, pairs=tokens.types is not None)
            _train(network, bags, torch.from_numpy(labels).float(), ground, table, units)
        _program(network, bags, table, units).write(folder)
        return True


class _Bags:
    """Texts as bags of those tokens that occur, which alone are trained: most of a vocabulary never does."""

    def __init__(self, tokens: Tokens, vocabulary: int) -> None:
        self.tokens = tokens
        self.used = torch.from_numpy(np.unique(tokens.ids).astype(np.int64))
        self._places = torch.zeros(vocabulary, dtype=torch.int64)
        self._places[self.used] = torch.arange(len(self.used))

    def batch(self, rows: Sequence[int]) -> Pooled:
        found = self.tokens.batch(rows)
        mask = found.get("attention_mask")
        ids = found["input_ids"]
        mask = torch.ones_like(ids) if mask is None else mask
        return Pooled(self._places[ids * mask], mask, found.get("token_type_ids"))


def _standard(vectors: Tensor, bags: _Bags) -> Tensor:
    """The vectors, moved and scaled so that means over texts have zero mean and unit variance in each unit."""
    used = vectors[bags.used]
    counts, ends = len(bags.tokens.ends) - 1, torch.from_numpy(bags.tokens.ends)
    places = bags._places[torch.from_numpy(bags.tokens.ids.astype(np.int64))]  # pyright: ignore[reportPrivateUsage]
    lengths = (ends[1:] - ends[:-1]).clamp_min(1)
    pooled = nn.functional.embedding_bag(places, used, ends[:-1].clamp_max(max(0, len(places) - 1)), mode="sum")
    pooled = pooled[:counts] / lengths[:, None]
    spread = pooled.std(0, unbiased=False)
    return (vectors - pooled.mean(0)) / torch.where(spread < _FLAT, torch.ones_like(spread), spread)


def _train(network: StaticNetwork, bags: _Bags, labels: Tensor, ground: Ground, table: Tensor, units: Units) -> None:
    """So many epochs, or until some have brought nothing on the development rows; the best weights are put back."""
    kind, task = ground.task.kind, ground.task
    each = max(1, -(-len(bags.tokens) // _BATCH))
    epochs = max(_EPOCHS, -(-_LEAST_STEPS // each))
    chosen = Hyperparameters(learning_rate=_RATE, schedule="linear", betas=(0.9, 0.999))

    def loss(model: nn.Module, batch: tuple[Pooled, Tensor]) -> Tensor:
        return kind.loss_of_rows(model(batch[0]), {"labels": batch[1]}, units)

    training = Training(network, loss, chosen, steps=epochs * each)
    best: tuple[float, float] | None = None
    kept, since = {name: value.clone() for name, value in network.state_dict().items()}, 0
    patience = max(_PATIENCE, epochs // 4)
    for number in range(epochs):
        ground.watch("static embeddings", done=number, total=epochs, note=f"{len(bags.tokens):,} texts")
        for rows in _batches(bags.tokens, number):
            training.advance((bags.batch(rows), labels[rows]))
        said = _said(_program(network, bags, table, units), ground)
        value = scored(task, said)["score"]
        pairs = zip(said, task.development, strict=True)
        lost = float(np.mean([kind.loss_of(one.astype(np.float64), example, Units()) for one, example in pairs]))
        since += 1
        if best is None or (value, -lost) > best:
            best, since = (value, -lost), 0
            kept = {name: value.clone() for name, value in network.state_dict().items()}
        if since >= patience:
            break
    network.load_state_dict(kept)


def _batches(tokens: Tokens, number: int) -> Iterator[list[int]]:
    return epoch(tokens.lengths, _BATCH, (0, number))


def _said(program: StaticProgram, ground: Ground) -> Outputs:
    teacher = ground.teacher
    bare = [one.bare for one in ground.task.development]
    types = tells_texts_apart(teacher.checkpoint.config)
    tokens = tokenize(bare, teacher.tokenizer, length=teacher.length, types=types)
    return answers(program, tokens, ground.head)


@torch.no_grad()
def _program(network: StaticNetwork, bags: _Bags, table: Tensor, units: Units) -> StaticProgram:
    """As it answers: in the units of the labels, for all of the vocabulary; its map is in the table where it can be."""
    whole = table.clone()
    whole[bags.used] = network.table
    weight, bias = network.head.weight.T * units.scale, network.head.bias * units.scale + units.mean
    if network.pairs:
        return StaticProgram(_array(whole), _array(bias), _array(weight))
    return StaticProgram(_array(whole @ weight), _array(bias))


def _array(values: Tensor) -> NDArray[np.float32]:
    return np.ascontiguousarray(values.numpy(), dtype=np.float32)


RUNG = Static()
