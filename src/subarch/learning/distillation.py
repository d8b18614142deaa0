"""Pre-training losses, and a Hugging Face Trainer that computes them; it overrides ``compute_loss`` and nothing else.

With p the teacher's distribution of a masked token, q the student's, and T the temperature:

- ``mlm``: cross-entropy of the masked tokens, in nats;
- ``logits``: T^2 KL(p || q) at temperature T, in nats, the mean over masked tokens. It needs one vocabulary. (T^2 keeps
  the gradient's size from falling with T; G. Hinton, O. Vinyals and J. Dean, 2015);
- ``relations``: how tokens attend to each other: KL between the teacher's and the student's softmax of A A^T / sqrt(d),
  for A the queries, the keys and the values of one layer each, cut into the same number of heads of size d; the mean
  over queries, keys, values, heads and tokens (W. Wang and others, MiniLMv2, 2021);
- ``states``: 1 - cosine of the last hidden states; the student's pass through a linear map, learned and thrown away
  afterwards, where the widths differ.

The last two need neither the teacher's vocabulary nor its width. Where its tokenizer is another one, words take the
place of tokens: the mean over a word's tokens, on either side. The vocabulary is projected at masked positions alone,
by the stock model's own head.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel, Trainer

from subarch.learning.logits import LogitCache, condensed_divergence, divergence, flat, most_likely
from subarch.learning.teachers import Losses
from subarch.networks.layouts import layout_of
from subarch.networks.positions import first_position
from subarch.text.masking import IGNORED

Batch = dict[str, Tensor]
# --- inside a network -------------------------------------------------------------------------------------------------


class Seen(NamedTuple):
    """What a network made of a batch.

    Attributes:
        logits: at the chosen positions, ``(chosen, vocabulary)``; None without a head.
        states: the last hidden states, ``(rows, length, hidden)``.
        relations: queries, keys and values of one layer, each as ``states``; empty where none was chosen.
    """

    logits: Tensor | None
    states: Tensor
    relations: tuple[Tensor, ...]


class Reading:
    """Reads from inside a stock network, which stays as it is: hooks keep what passes, and choose what the head sees.

    Args:
        model: a stock encoder of a known layout, with or without language-model head.
        layer: whose queries, keys and values are kept, from 0; -1 is the last; None: no layer's.
    """

    def __init__(self, model: PreTrainedModel, layer: int | None = None) -> None:
        known = cast("Any", model)
        self._first = first_position(model)
        self._chosen: Tensor | None = None
        self._kept: dict[str, Tensor] = {}
        self._listens = False
        self._window = int(getattr(known.config, "sliding_window", None) or 0)
        layout = self._layout = layout_of(known.config)
        if known.base_model is not known:
            known.base_model.register_forward_hook(self._choose)
            known.register_forward_hook(self._take)
        self._names = layout.attention if layer is not None else ()
        for name in self._names:
            layers: Any = known.base_model.get_submodule(layout.layers)
            layers[0 if layout.shared else layer].get_submodule(name).register_forward_hook(self._keep(name))

    def _choose(self, _module: nn.Module, _inputs: Any, output: Any) -> Any:
        """The head sees the chosen tokens alone, as one sequence."""
        if self._listens:
            self._kept["states"] = output.last_hidden_state
            if self._chosen is not None:
                output["last_hidden_state"] = output.last_hidden_state.flatten(0, 1)[self._chosen].unsqueeze(0)
        return output

    def _take(self, _module: nn.Module, _inputs: Any, output: Any) -> Any:
        if self._listens:
            logits = output.logits
            self._kept["logits"] = logits if self._chosen is None else logits.squeeze(0)
            # What leaves a model in mixed precision is widened to 32 bits: gigabytes, of a large vocabulary. Where
            # weights are shared out, though, the way back begins at what leaves.
            if not torch.distributed.is_initialized():
                output["logits"] = logits[:0]
        return output

    def _keep(self, name: str) -> Callable[[nn.Module, Any, Tensor], None]:
        def hook(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
            self._kept[name] = output

        return hook

    def _between(self, documents: Tensor) -> Any:
        """Tokens of one document see each other, in the form that the network takes."""
        if self._layout.between == "none":  # pieces of a row see each other
            return (documents > 0).long()
        together = documents[:, None, :, None] == documents[:, None, None, :]  # (rows, 1, length, length)
        if self._layout.between == "added":
            return torch.zeros(together.shape, device=together.device).masked_fill(~together, -torch.inf)
        if self._layout.between == "windows":
            places = torch.arange(documents.shape[1], device=documents.device)
            near = (places[:, None] - places).abs() <= self._window
            return {"full_attention": together, "sliding_attention": together & near}
        return together

    def __call__(
        self, model: nn.Module, tokens: Tensor, positions: Tensor, documents: Tensor, chosen: Tensor | None = None
    ) -> Seen:
        """One forward pass.

        Args:
            model: the network, or what a trainer has wrapped around it.
            tokens: ``(rows, length)``.
            positions: likewise, from 0 in each piece.
            documents: likewise; tokens of different documents do not see each other.
            chosen: places in ``tokens.flatten()`` where the vocabulary is projected, ``(chosen,)``; None: all.
        """
        self._chosen, self._listens = chosen, True
        try:
            mask = self._between(documents)
            output: Any = model(input_ids=tokens, position_ids=positions + self._first, attention_mask=mask)
            states = self._kept.get("states")
            read = tuple(self._kept[name] for name in self._names)
            seen = Seen(
                self._kept.get("logits"),
                output.last_hidden_state if states is None else states,
                read[0].chunk(3, -1) if len(read) == 1 else read,
            )
        finally:
            self._kept, self._chosen, self._listens = {}, None, False
        return seen


# --- losses -----------------------------------------------------------------------------------------------------------


def by_word(values: Tensor, words: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Means over the tokens of each word.

    Args:
        values: ``(rows, length, width)``.
        words: each token's word, from 1; 0 for none: ``(rows, length)``.
        count: words a row.

    Returns:
        Means ``(rows, count, width)``, and which words there are ``(rows, count)``.
    """
    sums = values.new_zeros(len(values), count + 1, values.shape[-1])
    sums = sums.scatter_add(1, words[..., None].expand_as(values), values)
    sizes = values.new_zeros(len(values), count + 1).scatter_add(1, words, torch.ones_like(words, dtype=values.dtype))
    return (sums / sizes.clamp_min(1)[..., None])[:, 1:], sizes[:, 1:] > 0


def relation_divergence(student: Tensor, teacher: Tensor, documents: Tensor, heads: int) -> Tensor:
    """KL of one kind of relations, the mean over heads and over the units of each row: ``(rows,)``.

    Args:
        student: ``(rows, units, hidden)``.
        teacher: ``(rows, units, hidden)``, of any hidden size that ``heads`` divides.
        documents: each unit's document; 0 for units that do not count: ``(rows, units)``.
        heads: into how many parts of the hidden size the relations are cut.
    """
    together = documents[:, None, :, None] == documents[:, None, None, :]
    ours, theirs = (_relations(values.float(), together, heads) for values in (student, teacher))
    each = (theirs.exp() * (theirs - ours)).sum(-1).mean(1)  # (rows, units)
    return _mean(each, documents > 0)


def _relations(values: Tensor, together: Tensor, heads: int) -> Tensor:
    """Log-probabilities ``(rows, heads, units, units)``."""
    cut = values.unflatten(-1, (heads, -1)).transpose(1, 2)  # (rows, heads, units, size)
    scores = cut @ cut.transpose(2, 3) / math.sqrt(cut.shape[-1])
    # Not -inf: a difference of two of those is not a number, and probability 0 times anything finite is 0.
    return scores.masked_fill(~together, -1e4).log_softmax(-1)


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of each token, in nats, in 32 bits: ``(masked,)``.

    Args:
        logits: ``(masked, vocabulary)``.
        labels: ``(masked,)``.
    """
    return functional.cross_entropy(logits.float(), labels, reduction="none")


def _as_it_is(function: Any) -> Any:
    return function


def state_distance(student: Tensor, teacher: Tensor, documents: Tensor) -> Tensor:
    """1 - cosine, the mean over the units of each row: ``(rows,)``; shapes as for :func:`relation_divergence`."""
    return _mean(1 - functional.cosine_similarity(student.float(), teacher.float(), dim=-1), documents > 0)


def _mean(values: Tensor, counted: Tensor) -> Tensor:
    return (values * counted).sum(1) / counted.sum(1).clamp_min(1)


def collated(samples: Sequence[Mapping[str, Any]]) -> Batch:
    """Samples as one batch, and ``chosen``: where tokens are to be predicted, as places in ``labels.flatten()``."""
    batch = {name: torch.from_numpy(np.stack([sample[name] for sample in samples])) for name in samples[0]}
    batch["chosen"] = (batch["labels"].flatten() != IGNORED).nonzero()[:, 0]  # found here: a GPU would have to wait
    if "other_words" in batch:  # without what is padding in all rows
        longest = int((batch["other_words"] > 0).sum(1).max())
        batch |= {name: batch[name][:, :longest] for name in batch if name.startswith("other_")}
    return batch


class Measured(NamedTuple):
    """The losses of a batch.

    Attributes:
        right: whether the student's most likely token is the right one: ``(masked,)``; None where it distils.
        tokens: losses of each masked token by name: ``(masked,)`` each; ``mlm`` is always among them.
        rows: losses of each row by name: ``(rows,)`` each.
    """

    right: Tensor | None
    tokens: dict[str, Tensor]
    rows: dict[str, Tensor]


class DistillationLoss:
    """All losses of a student.

    Args:
        student: with a language-model head; it is given a linear map, ``bridge``, where its states need one.
        losses: settled.
        teacher: on the student's device, as :meth:`Teacher.load` gives it.
        same: whether teacher and student have one tokenizer.
        cache: of the teacher's logits.
        compiled: whether losses of tokens are fused into few kernels.
    """

    def __init__(
        self,
        student: PreTrainedModel,
        losses: Losses,
        teacher: PreTrainedModel | None = None,
        *,
        same: bool = True,
        cache: LogitCache | None = None,
        compiled: bool = False,
    ) -> None:
        self.losses, self._teacher, self._same, self._cache = losses, teacher, same, cache
        self._student = cast("Any", student)
        fused = partial(torch.compile, dynamic=True) if compiled else _as_it_is  # the number of masked tokens changes
        self._cross_entropy, self._divergence = fused(cross_entropy), fused(divergence)
        self._reading = Reading(student, -1 if losses.relations else None)
        if teacher is None:
            return
        layer = losses.teacher_layer or int(cast("Any", teacher.config).num_hidden_layers)
        self._theirs = Reading(teacher, layer - 1 if losses.relations else None)
        widths = int(cast("Any", student.config).hidden_size), int(cast("Any", teacher.config).hidden_size)
        if losses.states and widths[0] != widths[1]:
            bridge = nn.Linear(*widths, bias=False)
            nn.init.orthogonal_(bridge.weight)
            student.add_module("bridge", bridge)

    def measured(self, model: nn.Module, batch: Batch, *, distil: bool = True) -> Measured:
        """The losses of a batch, without their weights.

        Args:
            model: the student, or what a trainer has wrapped around it.
            batch: :class:`~subarch.text.masking.Samples` as :func:`collated`, on the student's device.
            distil: whether the teacher is asked; where it is not, the student is judged.
        """
        chosen = batch["chosen"]
        seen = self._reading(model, batch["input_ids"], batch["position_ids"], batch["documents"], chosen)
        labels, logits = batch["labels"].flatten()[chosen], cast("Tensor", seen.logits)
        tokens = {"mlm": self._cross_entropy(logits, labels)}
        rows: dict[str, Tensor] = {}
        if distil and self.losses.distils:
            ask = cache(partial(self._asked, batch))  # at most once
            if self.losses.logits:
                tokens["logits"] = self.losses.temperature**2 * self._logit_divergence(logits, batch, ask)
            if self.losses.relations or self.losses.states:
                rows = self._row_losses(seen, batch, ask())
        return Measured(None if distil else logits.argmax(-1) == labels, tokens, rows)

    @torch.no_grad()
    def _asked(self, batch: Batch) -> Seen:
        """What the teacher makes of a batch: of the masked text where its logits are learned, else of the whole one."""
        teacher = cast("PreTrainedModel", self._teacher)
        if not self._same:
            tokens, positions, documents = (batch[f"other_{name}"] for name in ("ids", "positions", "documents"))
            return self._theirs(teacher, tokens, positions, documents)
        tokens, labels = batch["input_ids"], batch["labels"]
        if not self.losses.logits:
            tokens = torch.where(labels != IGNORED, labels, tokens)
        return self._theirs(teacher, tokens, batch["position_ids"], batch["documents"], batch["chosen"])

    def _logit_divergence(self, logits: Tensor, batch: Batch, ask: Callable[[], Seen]) -> Tensor:
        temperature, known = self.losses.temperature, self._cache
        if known is None:
            theirs = cast("Tensor", ask().logits)
            shared = min(logits.shape[-1], theirs.shape[-1])  # either may have rows beyond the vocabulary
            return self._divergence(logits[:, :shared], theirs[:, :shared], temperature)
        samples, counts = batch["sample"].cpu().numpy(), (batch["labels"] != IGNORED).sum(1).cpu().numpy()
        records = known.read(samples)
        if records is None:
            theirs = cast("Tensor", ask().logits).float()
            known.write(samples, counts, *most_likely(theirs[:, : logits.shape[-1]], known.count, temperature))
            records = known.read(samples)  # as any later run will find it
            assert records is not None
        return condensed_divergence(logits.float(), *flat(records, counts, logits.device), temperature)

    def _row_losses(self, seen: Seen, batch: Batch, theirs: Seen) -> dict[str, Tensor]:
        units = self._tokens if self._same else self._words
        found: dict[str, Tensor] = {}
        if self.losses.relations:
            heads = cast("int", self.losses.relation_heads)
            pairs = [units(a, b, batch) for a, b in zip(seen.relations, theirs.relations, strict=True)]
            kinds = [relation_divergence(*pair, heads) for pair in pairs]
            found["relations"] = torch.stack(kinds).mean(0)
        if self.losses.states:
            bridge = getattr(self._student, "bridge", nn.Identity())
            ours, states, documents = units(seen.states, theirs.states, batch)
            found["states"] = state_distance(bridge(ours.float()), states, documents)
        return found

    @staticmethod
    def _tokens(ours: Tensor, theirs: Tensor, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        return ours, theirs, batch["documents"]

    @staticmethod
    def _words(ours: Tensor, theirs: Tensor, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        count = int(batch["words"].max())
        mine, here = by_word(ours, batch["words"], count)
        other, there = by_word(theirs.to(ours.dtype), batch["other_words"], count)
        documents, _ = by_word(batch["documents"].to(ours.dtype)[..., None], batch["words"], count)
        return mine, other, torch.where(here & there, documents[..., 0].round().long(), 0)


# --- the trainer ------------------------------------------------------------------------------------------------------


class Meter:
    """Sums of what was computed since the last time it was read."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}

    def add(self, values: dict[str, Tensor]) -> None:
        for name, value in values.items():
            self._sums[name] = self._sums[name] + value if name in self._sums else value

    def read(self) -> dict[str, Tensor]:
        """The sums by name; they begin anew."""
        sums, self._sums = self._sums, {}
        return sums


class Distiller(Trainer):
    """The stock trainer with another loss.

    The mean over masked tokens is over those of the whole batch, however many steps and processes share it, so that the
    loss curve does not depend on how a batch is divided. In evaluation, the outputs are the sums over each row's masked
    tokens of their cross-entropies, of how many were right, and of one: ``counts`` ``(rows, 3)``.
    """

    objective: DistillationLoss
    meter: Meter

    def compute_loss(
        self, model: nn.Module, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        found = self.objective.measured(model, inputs, distil=model.training)
        losses = self.objective.losses
        if return_outputs:
            columns = [found.tokens["mlm"], cast("Tensor", found.right).float(), torch.ones_like(found.tokens["mlm"])]
            rows = inputs["chosen"] // inputs["labels"].shape[1]
            counts = columns[0].new_zeros(len(inputs["labels"]), 3).index_add_(0, rows, torch.stack(columns, 1))
            return found.tokens["mlm"].mean(), {"counts": counts}
        accelerator = cast("Any", self.accelerator)
        items = len(found.tokens["mlm"]) if num_items_in_batch is None else num_items_in_batch
        parts = {name: values.sum() * accelerator.num_processes / items for name, values in found.tokens.items()}
        parts |= {name: values.mean() / self.current_gradient_accumulation_steps for name, values in found.rows.items()}
        weighted = [getattr(losses, name) * part for name, part in parts.items() if getattr(losses, name)]
        self.meter.add({name: part.detach() for name, part in parts.items()} | {"tokens": (inputs["words"] > 0).sum()})
        return cast("Tensor", sum(weighted))
