"""The options of pre-training.

Light on purpose: importing this module imports no numerical library, so that ``subarch --help`` answers at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from subarch.errors import InputError
from subarch.options.ranges import FRACTION, POSITIVE, UNSIGNED, at_least, checked


@dataclass(frozen=True, kw_only=True)
class PretrainSettings:
    """How long and how a student is pre-trained.

    Raises:
        ValueError: for a value outside its range.
    """

    steps: Annotated[int, at_least(1)] = 1000
    """Optimiser steps."""
    batch_size: Annotated[int, at_least(1)] = 32
    """Rows a step, of all processes together."""
    sequence_length: Annotated[int, at_least(8)] = 128
    """Tokens a row; documents are packed into rows and do not see each other (of DeBERTa they do)."""
    learning_rate: Annotated[float, POSITIVE] = 5e-4
    """The peak, after warm-up."""
    schedule: Literal["constant", "linear", "cosine"] = "linear"
    """How the learning rate falls from the peak to zero at the last step."""
    warmup: Annotated[float, FRACTION] = 0.05
    """Fraction of the steps over which the learning rate rises."""
    weight_decay: Annotated[float, UNSIGNED] = 0.01
    """Decoupled, on matrices only."""
    dropout: Annotated[float, FRACTION] = 0.0
    """While pre-training; the checkpoint's config keeps the architecture's own."""
    whole_words: bool = False
    """Mask whole words instead of tokens."""
    cached_logits: Annotated[int, at_least(0)] = 0
    """Keep the teacher's so many most likely tokens on disk, for other runs on the same text; 0: none."""
    save_every: Annotated[int | None, at_least(1)] = None
    """Steps between two checkpoints; a tenth of the run when not given."""
    log_every: Annotated[int, at_least(1)] = 10
    """Steps between two records of the losses."""
    evaluate_every: Annotated[int | None, at_least(1)] = None
    """Steps between two looks at held-out text; a tenth of the run when not given."""
    held_out: Annotated[int, at_least(1)] = 256
    """Rows of held-out documents that the student is judged by."""
    precision: Literal["float32", "bfloat16"] | None = None
    """Of the matrix products; bfloat16 on a GPU that has it and float32 elsewhere when not given."""
    device_tokens: Annotated[int | None, at_least(1)] = None
    """Tokens a device takes at once; of larger batches gradients of parts are added up. What fits when not given."""
    compiled: bool | None = None
    """Fuse layers and losses into few kernels, which takes a minute; on GPUs when not given."""
    workers: Annotated[int | None, at_least(0)] = None
    """Processes that tokenise; as many as cores when not given."""
    report_to: tuple[str, ...] = ()
    """Integrations of the stock trainer, such as tensorboard (extra) or wandb."""
    seed: Annotated[int, at_least(0)] = 0
    """Of weights, masks and order."""

    def __post_init__(self) -> None:
        checked(self)

    def every(self, given: int | None) -> int:
        """So many steps, or a tenth of the run."""
        return given or max(1, self.steps // 10)


@dataclass(frozen=True, kw_only=True)
class _Student:
    """Who learns what from whom."""

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


@dataclass(frozen=True, kw_only=True)
class PretrainOptions(PretrainSettings, _Student):
    """Turn an extracted architecture into a language model, by distillation from a teacher where there is one.

    The result is a stock checkpoint with a masked-language-model head, in DIR/pretrain. The same command goes on where
    it stopped; under torchrun several processes share the work.

    Examples:
    subarch pretrain --run runs/mine --corpus ./texts --steps 20000;
    subarch pretrain --run runs/new --architecture config.json --teacher ./my-bert --corpus ./texts
    """

    mlm: Annotated[float | None, UNSIGNED] = None
    """Weight of masked language modelling; all weights are chosen by what the teacher offers when none is given."""
    logits: Annotated[float | None, UNSIGNED] = None
    """Weight of the divergence from the teacher's distributions of masked tokens (one vocabulary, and a head)."""
    relations: Annotated[float | None, UNSIGNED] = None
    """Weight of the divergence from the teacher's attention relations (any width, any tokenizer)."""
    states: Annotated[float | None, UNSIGNED] = None
    """Weight of the distance from the teacher's last hidden states (any width, any tokenizer)."""
    temperature: Annotated[float, POSITIVE] = 2.0
    """Of the loss on logits."""
    relation_heads: Annotated[int | None, at_least(1)] = None
    """Heads that relations are cut into; the most, up to 12, that divide both hidden sizes when not given."""
    teacher_layer: Annotated[int | None, at_least(1)] = None
    """The teacher's layer whose relations are learned, from 1; its last when not given."""
    threads: Annotated[int | None, at_least(1)] = None
    """Threads; all cores when not given."""
    json: bool = False
    """Print one JSON object on standard output."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.relations and (self.relation_heads or self.teacher_layer):
            raise InputError("--relation-heads and --teacher-layer belong to the loss on relations: give --relations W")

    @property
    def weights(self) -> dict[str, float]:
        """The weights of losses that were given."""
        given = {"mlm": self.mlm, "logits": self.logits, "relations": self.relations, "states": self.states}
        return {name: value for name, value in given.items() if value is not None}
