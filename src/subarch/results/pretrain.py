"""What ``pretrain`` returns: how good a language model it became, and how quickly."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from subarch.results.base import Line, Record, Result, Told, rest
from subarch.results.wording import short, whole


@dataclass(frozen=True, kw_only=True)
class Pretrained(Record):
    """How good a language model a student became.

    Attributes:
        checkpoint: folder of the student, with a masked-language-model head.
        loss: cross-entropy of held-out masked tokens, in nats.
        accuracy: fraction of them that the student guesses.
        tokens_per_second: that were learned from, of all processes; without evaluations and checkpoints.
        steps: of the optimiser.
        tokens: learned from in all.
        losses: weights and settings of the losses, as they were settled.
    """

    checkpoint: Path
    loss: float
    accuracy: float
    tokens_per_second: float
    steps: int
    tokens: int
    losses: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class PretrainResult(Pretrained, Result):
    """A finished pre-training.

    Attributes:
        run: its directory.
        teacher: that was learned from, if any.
        initialize: ``scratch`` or ``inherit``.
    """

    run: str
    teacher: str | None
    initialize: str
    more: Mapping[str, Any] = rest()

    def told(self) -> Iterator[Told]:
        weights = {name: self.losses[name] for name in ("mlm", "logits", "relations", "states")}
        learned = ", ".join(f"{name} {weight:g}" for name, weight in weights.items() if weight)
        yield Line(
            f"loss {self.loss:.3f}, {100 * self.accuracy:.1f} % right, after {whole(self.steps)} steps and "
            f"{short(self.tokens)} tokens ({short(self.tokens_per_second)} a second)",
            lead="held-out masked tokens",
        )
        yield Line(f"learned: {learned}; weights: {self.initialize}; teacher: {self.teacher or 'none'}")
        yield Line(f"wrote {self.checkpoint}")
        yield Line(f"go on with: subarch finetune --run {shlex.quote(str(self.run))} --task TASK")
