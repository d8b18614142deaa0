"""The options of pre-training.

Light on purpose: importing this module imports no numerical library, so that ``subarch --help`` answers at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from subarch.options.limits import at_least, positive


@dataclass(frozen=True, kw_only=True, slots=True)
class PretrainOptions:
    """Turn an extracted architecture into a language model, by distillation from a teacher where there is one.

    The result is a stock checkpoint with a masked-language-model head, in DIR/pretrain. The same command goes on where
    it stopped; under torchrun several processes share the work.

    Examples:
    subarch pretrain --run runs/mine --corpus ./texts --steps 20000;
    subarch pretrain --run runs/new --architecture config.json --teacher ./my-bert --corpus ./texts
    """

    run: Path
    """Run directory: of an extraction, whose architecture.json and source are taken, or a new one."""
    architecture: Path | None = None
    """A stock config.json to build instead of the run's architecture."""
    teacher: str | None = None
    """A checkpoint folder or Hugging Face name to learn from; the run's source when not given, none for presets."""
    initialize: Literal["scratch", "inherit"] | None = None
    """Random weights, or the part of the source that fits; inherit where there is a source with weights."""
    source: str | None = None
    """The checkpoint that is inherited from; the teacher when not given."""
    corpus: Path | None = None
    """Text: .txt, .jsonl or .parquet (also .gz, .xz, .zst), or a folder; the installed documentation when not given."""
    tokenizer: str | None = None
    """Tokenizer folder or name; that of the source or the teacher when not given, or one trained on the corpus."""
    steps: int = 1000
    """Optimiser steps."""
    batch_size: int = 32
    """Rows a step, of all processes together."""
    sequence_length: int = 128
    """Tokens a row; documents are packed into rows and do not see each other."""
    learning_rate: float = 5e-4
    """The peak, after warm-up."""
    schedule: Literal["constant", "linear", "cosine"] = "linear"
    """How the learning rate falls from the peak to zero at the last step."""
    warmup: float = 0.05
    """Fraction of the steps over which the learning rate rises."""
    weight_decay: float = 0.01
    """Decoupled, on matrices only."""
    dropout: float = 0.0
    """While pre-training; the checkpoint's config keeps the architecture's own."""
    mlm: float | None = None
    """Weight of masked language modelling; all weights are chosen by what the teacher offers when none is given."""
    logits: float | None = None
    """Weight of the divergence from the teacher's distributions of masked tokens (one vocabulary, and a head)."""
    relations: float | None = None
    """Weight of the divergence from the teacher's attention relations (any width, any tokenizer)."""
    states: float | None = None
    """Weight of the distance from the teacher's last hidden states (any width, any tokenizer)."""
    temperature: float = 2.0
    """Of the loss on logits."""
    relation_heads: int | None = None
    """Heads that relations are cut into; the most, up to 12, that divide both hidden sizes when not given."""
    teacher_layer: int | None = None
    """The teacher's layer whose relations are learned, from 1; its last when not given."""
    whole_words: bool = False
    """Mask whole words instead of tokens."""
    cached_logits: int = 0
    """Keep the teacher's so many most likely tokens on disk, for other runs on the same text; 0: none."""
    save_every: int | None = None
    """Steps between two checkpoints; a tenth of the run when not given."""
    evaluate_every: int | None = None
    """Steps between two looks at held-out text; a tenth of the run when not given."""
    held_out: int = 256
    """Rows of held-out documents that the student is judged by."""
    precision: Literal["float32", "bfloat16"] | None = None
    """Of the matrix products; bfloat16 on a GPU that has it and float32 elsewhere when not given."""
    device_tokens: int | None = None
    """Tokens a device takes at once; of larger batches gradients of parts are added up. What fits when not given."""
    compiled: bool | None = None
    """Fuse layers and losses into few kernels, which takes a minute; on GPUs when not given."""
    workers: int | None = None
    """Processes that tokenise; as many as cores when not given."""
    report_to: tuple[str, ...] = ()
    """Integrations of the stock trainer, such as tensorboard (extra) or wandb."""
    seed: int = 0
    """Of weights, masks and order."""
    threads: int | None = None
    """Threads; all cores when not given."""
    json: bool = False
    """Print one JSON object on standard output."""

    def __post_init__(self) -> None:
        counts = ("steps", "batch_size", "save_every", "evaluate_every", "held_out", "device_tokens")
        for name in (*counts, "relation_heads", "teacher_layer", "threads"):
            if (number := getattr(self, name)) is not None:
                at_least("--" + name.replace("_", "-"), number, 1)
        at_least("--sequence-length", self.sequence_length, 8)
        at_least("--cached-logits", self.cached_logits, 0)
        at_least("--seed", self.seed, 0)
        at_least("--workers", self.workers or 0, 0)
        positive("--learning-rate", self.learning_rate)
        positive("--temperature", self.temperature)
        for name, value in {"warmup": self.warmup, "dropout": self.dropout}.items():
            if not 0 <= value < 1:
                raise ValueError(f"--{name} must lie in [0, 1), got {value:g}")
        if not 0 <= self.weight_decay < math.inf:
            raise ValueError(f"--weight-decay must be a number from 0, got {self.weight_decay}")
        if not self.relations and (self.relation_heads or self.teacher_layer):
            raise ValueError("--relation-heads and --teacher-layer belong to the loss on relations: give --relations W")
        for name, weight in self.weights.items():
            if not 0 <= weight < math.inf:
                raise ValueError(f"--{name} must be a number from 0, got {weight}")

    @property
    def weights(self) -> dict[str, float]:
        """The weights of losses that were given."""
        given = {"mlm": self.mlm, "logits": self.logits, "relations": self.relations, "states": self.states}
        return {name: value for name, value in given.items() if value is not None}
