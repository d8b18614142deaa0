"""Pre-training as a job in a folder: data, student, teacher and trainer together, and on from where it stopped.

The folder holds ``identity.json`` (everything that determines the result), ``log.jsonl`` (one record a line),
``checkpoints/`` (the last two, each whole or absent) and at the end the student as a stock checkpoint, its
``config.json`` last, and ``result.json``. The same call goes on from the last checkpoint, on a CPU bit for bit.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel, PrinterCallback, TrainerCallback, TrainingArguments
from transformers.integrations.integration_utils import TensorBoardCallback, get_reporting_integration_callbacks

from subarch.errors import InputError, MissingPackageError
from subarch.learning.devices import compilable, fuse, tokens_at_once
from subarch.learning.distillation import Distiller, Meter, Objective, collated
from subarch.learning.journal import Journal, synced
from subarch.learning.logits import LogitCache
from subarch.learning.students import Initialize, Student, open_student
from subarch.learning.teachers import Losses, Teacher, alike, open_teacher, settled
from subarch.learning.training import Schedule
from subarch.progress import Watch, silent
from subarch.silence import quiet_transformers
from subarch.storage import claimed, write_json
from subarch.surroundings import cache_folder
from subarch.text.corpora import Corpus, open_corpus
from subarch.text.masking import Samples, most_masked
from subarch.text.streaming import RowLayout, Rows, open_rows
from subarch.text.tokenizers import save_tokenizer

_ELSEWHERE = (
    "workers",
    "report_to",
    "log_every",
    "device_tokens",
    "compiled",
)  # of a recipe: what does not change the result


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How long and how a student is trained.

    Args:
        steps: of the optimiser.
        batch_size: rows a step, over all processes.
        length: tokens a row.
        learning_rate: the peak, reached after warm-up.
        schedule: how the rate falls from there to zero at the last step.
        warmup: fraction of the steps over which the rate rises, in [0, 1).
        weight_decay: decoupled, on matrices only.
        dropout: while training; the checkpoint's config keeps the architecture's own.
        whole_words: mask all tokens of a word or none.
        seed: of order, masks, fresh weights and dropout.
        bf16: train in mixed precision; wherever the device can when not given, but never on a CPU.
        cached_logits: keep the teacher's so many most likely tokens at every masked one on disk, and learn these; 0:
            learn the whole distribution, keep nothing.
        held_out: rows of held-out documents that the student is judged by.
        evaluate_every: steps between two judgements; a tenth of the run when not given.
        save_every: steps between two checkpoints; likewise.
        log_every: steps between two records of the losses.
        device_tokens: tokens that a device takes at once; of a larger batch the gradients of parts are added up. As
            many as fill half of a GPU's memory when not given.
        compiled: fuse the network's layers and losses into few kernels, which takes a minute; on GPUs when not given.
        workers: processes that tokenise; as many as cores when not given.
        report_to: names of the stock trainer's integrations ("tensorboard", "wandb", ...).

    Raises:
        ValueError: for a value outside its range.
    """

    steps: int = 1000
    batch_size: int = 32
    length: int = 128
    learning_rate: float = 5e-4
    schedule: Schedule = "linear"
    warmup: float = 0.05
    weight_decay: float = 0.01
    dropout: float = 0.0
    whole_words: bool = False
    seed: int = 0
    bf16: bool | None = None
    cached_logits: int = 0
    held_out: int = 256
    evaluate_every: int | None = None
    save_every: int | None = None
    log_every: int = 10
    device_tokens: int | None = None
    compiled: bool | None = None
    workers: int | None = None
    report_to: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        ranges = {name: getattr(self, name) >= 1 for name in ("steps", "batch_size", "held_out", "log_every")}
        ranges |= {name: (getattr(self, name) or 1) >= 1 for name in ("evaluate_every", "save_every", "device_tokens")}
        ranges |= {
            "length": self.length >= 8,
            "learning_rate": 0 < self.learning_rate < math.inf,
            "schedule": self.schedule in ("constant", "linear", "cosine"),
            "warmup": 0 <= self.warmup < 1,
            "weight_decay": 0 <= self.weight_decay < math.inf,
            "dropout": 0 <= self.dropout < 1,
            "seed": 0 <= self.seed < 2**32,
            "cached_logits": self.cached_logits >= 0,
        }
        for name, holds in ranges.items():
            if not holds:
                raise InputError(
                    f"{name} is out of range: got {getattr(self, name)!r}; counts are at least 1, rows have at least 8 "
                    "tokens, rates and decays are positive, warmup and dropout lie in [0, 1)"
                )

    def every(self, given: int | None) -> int:
        """So many steps, or a tenth of the run."""
        return given or max(1, self.steps // 10)


@dataclass(frozen=True, kw_only=True)
class Pretrained:
    """A finished pre-training.

    Attributes:
        checkpoint: folder of the student as a stock checkpoint with language-model head.
        loss: cross-entropy of held-out masked tokens, in nats.
        accuracy: fraction of held-out masked tokens that the student guesses.
        tokens_per_second: text tokens learned from, of all processes; without evaluations and checkpoints.
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
    losses: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self) | {"checkpoint": str(self.checkpoint)}


def pretrain(
    folder: Path,
    architecture: Mapping[str, Any],
    *,
    recipe: Recipe | None = None,
    losses: Losses | None = None,
    teacher: str | None = None,
    initialize: Initialize = "scratch",
    source: str | None = None,
    corpus: str | Path | None = None,
    tokenizer: str | Path | None = None,
    cache: Path | None = None,
    watch: Watch = silent,
    callbacks: Sequence[TrainerCallback] = (),
) -> Pretrained:
    """Turn an architecture into a language model; called again, go on or give the finished result.

    Under ``torchrun`` every process makes this call; the first one writes.

    Args:
        folder: of the job; made when it is not there.
        architecture: a stock config (``architecture.json``), ``model_type`` bert or roberta.
        recipe: how long and how.
        losses: what is learned; what the teacher offers when not given (:func:`~subarch.learning.teachers.settled`).
        teacher: folder or Hugging Face name of the network that is learned from.
        initialize: random weights, or the part of ``source`` that fits.
        source: folder or name of the checkpoint that is inherited from; the teacher when not given.
        corpus: as for :func:`~subarch.text.corpora.open_corpus`; installed documentation when not given.
        tokenizer: folder or name. When not given: the source's where the student inherits, else the teacher's where
            its vocabulary fits the architecture, else one trained on the corpus.
        cache: folder for tokens and logits, shared by runs; the user's cache folder when not given.
        watch: told of every step.
        callbacks: more of them for the trainer.

    Raises:
        ValueError: for whatever does not fit, with the reason, before training starts.
        RuntimeError: when training breaks off, naming the last good checkpoint.
        OSError: when the folder cannot be written.
    """
    recipe = recipe or Recipe()
    cache = cache_folder() if cache is None else cache
    text = open_corpus(corpus, cache=cache)
    learned_from = None if teacher is None else open_teacher(teacher)
    student = open_student(
        architecture,
        initialize=initialize,
        source=source,
        teacher=learned_from,
        tokenizer=tokenizer,
        corpus=text,
        cache=cache,
    )
    chosen = settled(losses, learned_from, student.config, student.vocabulary)
    _check(recipe, chosen, student, learned_from)
    arguments = _arguments(folder, recipe, student)
    folder.mkdir(parents=True, exist_ok=True)
    with claimed(folder) if arguments.process_index == 0 else nullcontext():
        job = _Job(folder, recipe, chosen, text, student, learned_from, cache, arguments)
        return job.finished() or job.run(watch if job.main else silent, callbacks)


def _check(recipe: Recipe, losses: Losses, student: Student, teacher: Teacher | None) -> None:
    get_reporting_integration_callbacks(list(recipe.report_to))  # refuses unknown names
    if recipe.cached_logits and not losses.logits:
        raise InputError("cached_logits keeps what the loss 'logits' learns from, which has no weight: set it to 0")
    for name, longest in {"student": student.longest, "teacher": teacher and teacher.longest}.items():
        if longest is not None and recipe.length > longest:
            raise InputError(f"the {name} has positions for {longest} tokens, got a length of {recipe.length}")


def _arguments(folder: Path, recipe: Recipe, student: Student) -> TrainingArguments:
    """The stock trainer's arguments; making them joins the other processes, if there are any."""
    cpu, processes = not torch.cuda.is_available(), int(os.environ.get("WORLD_SIZE", "1"))
    if processes == 1 and torch.cuda.device_count() > 1:
        raise InputError(
            f"expected one process a GPU, got one for {torch.cuda.device_count()}: start with "
            "torchrun --nproc-per-node, or set CUDA_VISIBLE_DEVICES to one of them"
        )
    share, rest = divmod(recipe.batch_size, processes)
    if rest:
        raise InputError(f"batch_size must be a multiple of the {processes} processes, got {recipe.batch_size}")
    most = max(1, (recipe.device_tokens or tokens_at_once(student.config)) // recipe.length)
    part = max(n for n in range(1, share + 1) if share % n == 0 and n <= most)
    return TrainingArguments(
        output_dir=str(folder / ".writing"),
        max_steps=recipe.steps,
        per_device_train_batch_size=part,
        per_device_eval_batch_size=most,
        gradient_accumulation_steps=share // part,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type="constant_with_warmup" if recipe.schedule == "constant" else recipe.schedule,
        warmup_steps=math.ceil(recipe.warmup * recipe.steps),
        weight_decay=recipe.weight_decay,
        adam_beta2=0.98,
        adam_epsilon=1e-6,
        optim="adamw_torch_fused",
        logging_steps=recipe.log_every,
        logging_nan_inf_filter=False,
        eval_strategy="steps",
        eval_steps=recipe.every(recipe.evaluate_every),
        save_steps=recipe.every(recipe.save_every),
        bf16=recipe.bf16 if recipe.bf16 is not None else not cpu and torch.cuda.is_bf16_supported(),
        use_cpu=cpu,
        ddp_backend="gloo" if cpu and processes > 1 else None,
        ddp_find_unused_parameters=False,
        dataloader_num_workers=0 if cpu else min(8, os.cpu_count() or 1),
        train_sampling_strategy="sequential",  # the samples' order is pseudo-random already
        remove_unused_columns=False,
        disable_tqdm=True,
        log_level="error",
        report_to="none",
        seed=recipe.seed,
    )


class _Job:
    """One pre-training in one folder."""

    def __init__(
        self,
        folder: Path,
        recipe: Recipe,
        losses: Losses,
        corpus: Corpus,
        student: Student,
        teacher: Teacher | None,
        cache: Path,
        arguments: TrainingArguments,
    ) -> None:
        self.folder, self.recipe, self.losses, self.corpus = folder, recipe, losses, corpus
        self.student, self.teacher, self.cache, self.arguments = student, teacher, cache, arguments
        self.main = arguments.process_index == 0
        self.same = teacher is None or alike(teacher.vocabulary, student.vocabulary)
        self._identity = self.folder / "identity.json"
        self._check_identity()

    def _determined_by(self) -> dict[str, Any]:
        """Everything that the result depends on."""
        recipe = {name: value for name, value in dataclasses.asdict(self.recipe).items() if name not in _ELSEWHERE}
        teacher = None if self.teacher is None else self.teacher.fingerprint
        made_of = {"teacher": teacher, "corpus": self.corpus.fingerprint, "losses": self.losses.to_json()}
        return json.loads(json.dumps(self.student.fingerprint | made_of | recipe))

    def _check_identity(self) -> None:
        if not self._identity.is_file():
            return
        now, before = self._determined_by(), json.loads(self._identity.read_text(encoding="utf-8"))
        if other := sorted(name for name in now | before if now.get(name) != before.get(name)):
            raise InputError(
                f"{self.folder} was begun with other values of {', '.join(other)}: give those again to go on, or "
                "another folder"
            )

    def finished(self) -> Pretrained | None:
        """The result, where the job is done."""
        file = self.folder / "result.json"
        if not file.is_file():
            return None
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        found["checkpoint"] = self.folder
        return Pretrained(**found)

    def run(self, watch: Watch, callbacks: Sequence[TrainerCallback]) -> Pretrained:
        """Train to the end."""
        learning, held_out = self._rows(watch)
        meter = Meter()
        journal = Journal(self.folder, Path(cast("str", self.arguments.output_dir)), meter, watch, main=self.main)
        last = journal.reopen()
        with torch.random.fork_rng(), quiet_transformers(remarks=True):
            torch.manual_seed(self.recipe.seed)
            model = self.student.built(learning, seed=self.recipe.seed, dropout=self.recipe.dropout)
            trainer = self._trainer(model, learning, held_out, meter, [journal, *callbacks])
            if self.main:
                write_json(self._identity, self._determined_by())
            try:
                trainer.train(resume_from_checkpoint=None if last is None else str(last))
                scores = trainer.evaluate()
                self._save_weights(trainer, model)
            except Exception as error:
                step, good = trainer.state.global_step, journal.last_checkpoint()
                raise RuntimeError(
                    f"pre-training broke off at step {step} ({type(error).__name__}: {error}). The last good "
                    f"checkpoint is {good or 'not there yet'}: the same call goes on from it"
                ) from error
        tokens, seconds = journal.totals()
        result = Pretrained(
            checkpoint=self.folder,
            loss=scores["eval_held_out_loss"],
            accuracy=scores["eval_masked_accuracy"],
            tokens_per_second=tokens / max(seconds, 1e-9),
            steps=self.recipe.steps,
            tokens=tokens,
            losses=self.losses.to_json(),
        )
        if self.main:
            write_json(self.folder / "result.json", result.to_json())
            shutil.rmtree(journal.writing, ignore_errors=True)
        return result

    def _rows(self, watch: Watch) -> tuple[Rows, Rows]:
        layout = RowLayout(self.student.vocabulary, self.recipe.length)
        if self.teacher is not None and not self.same:
            longest = min(self.teacher.longest or sys.maxsize, 2 * self.recipe.length)
            layout = RowLayout(self.student.vocabulary, self.recipe.length, self.teacher.vocabulary, longest)
        return open_rows(
            self.corpus,
            layout,
            rows=self.recipe.steps * self.recipe.batch_size,
            held_out=self.recipe.held_out,
            workers=self.recipe.workers,
            cache=self.cache,
            watch=watch,
        )

    def _trainer(
        self,
        model: PreTrainedModel,
        learning: Rows,
        held_out: Rows,
        meter: Meter,
        callbacks: Sequence[TrainerCallback],
    ) -> Distiller:
        recipe, count = self.recipe, self.recipe.steps * self.recipe.batch_size
        teacher: Any = None
        if self.teacher is not None:
            teacher = self.teacher.load(self.losses)
            teacher.to(self.arguments.device, torch.bfloat16 if self.arguments.bf16 else torch.float32)
        compiled = compilable() if recipe.compiled is None else recipe.compiled
        logits = self._logit_cache(learning, count)
        objective = Objective(model, self.losses, teacher, same=self.same, cache=logits, compiled=compiled)
        if compiled:  # after the objective: it may listen inside of layers
            for network in filter(None, (model, teacher)):
                fuse(network)
        trainer = Distiller(
            model=model,
            args=self.arguments,
            data_collator=collated,
            train_dataset=cast("Any", Samples(learning, count=count, seed=recipe.seed, whole_words=recipe.whole_words)),
            # The held-out samples and their masks are the same for every seed.
            eval_dataset=cast("Any", Samples(held_out, count=min(recipe.held_out, len(held_out)), seed=0)),
            compute_metrics=_scores,
            callbacks=[*callbacks, *self._reports()],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.objective, trainer.meter = objective, meter
        return trainer

    def _reports(self) -> list[Any]:
        names = list(self.recipe.report_to)
        if not self.main or "tensorboard" not in names:
            return get_reporting_integration_callbacks(names) if self.main else []
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise MissingPackageError("reports to tensorboard need it: pip install 'subarch[tensorboard]'") from error
        others = [name for name in names if name != "tensorboard"]
        board = TensorBoardCallback(cast("Any", SummaryWriter)(str(self.folder / "tensorboard")))
        return [*get_reporting_integration_callbacks(others), board]

    def _logit_cache(self, rows: Rows, count: int) -> LogitCache | None:
        recipe = self.recipe
        if not recipe.cached_logits:
            return None
        said = [cast("Teacher", self.teacher).fingerprint, self.losses.temperature, recipe.cached_logits]
        read = [self.corpus.fingerprint, rows.layout.fingerprint, len(rows), recipe.seed, recipe.whole_words]
        name = hashlib.sha256(repr((said, read)).encode()).hexdigest()[:16]
        return LogitCache(
            self.cache / f"logits-{name}.bin",
            samples=count,
            masked=most_masked(recipe.length),
            count=min(recipe.cached_logits, self.student.vocabulary.size),
            vocabulary_size=self.student.vocabulary.size,
        )

    def _save_weights(self, trainer: Distiller, model: PreTrainedModel) -> None:
        """The stock checkpoint: its ``config.json`` comes last and says that all is there."""
        state: dict[str, Tensor] | None = None
        if trainer.is_fsdp_enabled:  # every process has a part of the weights
            state = cast("Any", trainer.accelerator).get_state_dict(trainer.model_wrapped)
        if not self.main:
            return
        if hasattr(model, "bridge"):
            del model.bridge
            state = state and {name: value for name, value in state.items() if not name.startswith("bridge.")}
        cast("Any", model.config).use_cache = self.student.config.get("use_cache", True)
        writing = Path(cast("str", self.arguments.output_dir))
        model.save_pretrained(writing / "final", state_dict=state)
        save_tokenizer(self.student.tokenizer, writing / "final", length=self.student.longest)
        synced(writing / "final")
        for file in sorted((writing / "final").iterdir(), key=lambda file: file.name == "config.json"):
            file.replace(self.folder / file.name)


def _scores(prediction: Any) -> dict[str, float]:
    loss, right, masked = prediction.predictions.astype(np.float64).sum(0)
    return {"held_out_loss": float(loss / masked), "masked_accuracy": float(right / masked)}
