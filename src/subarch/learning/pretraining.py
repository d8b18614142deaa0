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
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel, PrinterCallback, TrainerCallback, TrainingArguments
from transformers.integrations.integration_utils import TensorBoardCallback, get_reporting_integration_callbacks

from subarch.errors import InputError, MissingPackageError
from subarch.learning.devices import compilable, fuse, tokens_at_once
from subarch.learning.distillation import DistillationLoss, Distiller, Meter, collated
from subarch.learning.journal import Journal, synced
from subarch.learning.logits import LogitCache
from subarch.learning.students import Initialize, Student, open_student
from subarch.learning.teachers import Losses, Teacher, alike, open_teacher, settled
from subarch.options.pretraining import PretrainSettings
from subarch.progress import Watch, silent
from subarch.results.base import Json
from subarch.results.pretrain import Pretrained
from subarch.silence import quiet_transformers
from subarch.storage import claimed, read_record, told_when_full, write_json
from subarch.surroundings import cache_folder
from subarch.text.corpora import Corpus, open_corpus
from subarch.text.masking import Samples, most_masked
from subarch.text.streaming import PackedRows, RowLayout, open_rows
from subarch.text.tokenizers import save_tokenizer

_ELSEWHERE = (
    "workers",
    "report_to",
    "log_every",
    "device_tokens",
    "compiled",
)  # of the settings: what does not change the result


def pretrain(
    folder: Path,
    architecture: Mapping[str, Any],
    *,
    settings: PretrainSettings | None = None,
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
        settings: how long and how.
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
    settings = settings or PretrainSettings()
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
    _check(settings, chosen, student, learned_from)
    arguments = _arguments(folder, settings, student)
    folder.mkdir(parents=True, exist_ok=True)
    with claimed(folder) if arguments.process_index == 0 else nullcontext():
        job = _Job(folder, settings, chosen, text, student, learned_from, cache, arguments)
        return job.finished() or job.run(watch if job.main else silent, callbacks)


def _check(settings: PretrainSettings, losses: Losses, student: Student, teacher: Teacher | None) -> None:
    get_reporting_integration_callbacks(list(settings.report_to))  # refuses unknown names
    if settings.cached_logits and not losses.logits:
        raise InputError("cached_logits keeps what the loss 'logits' learns from, which has no weight: set it to 0")
    for name, longest in {"student": student.longest, "teacher": teacher and teacher.longest}.items():
        if longest is not None and settings.sequence_length > longest:
            raise InputError(
                f"the {name} has positions for {longest} tokens, got a length of {settings.sequence_length}"
            )


def _arguments(folder: Path, settings: PretrainSettings, student: Student) -> TrainingArguments:
    """The stock trainer's arguments; making them joins the other processes, if there are any."""
    cpu, processes = not torch.cuda.is_available(), int(os.environ.get("WORLD_SIZE", "1"))
    if processes == 1 and torch.cuda.device_count() > 1:
        raise InputError(
            f"expected one process a GPU, got one for {torch.cuda.device_count()}: start with "
            "torchrun --nproc-per-node, or set CUDA_VISIBLE_DEVICES to one of them"
        )
    share, rest = divmod(settings.batch_size, processes)
    if rest:
        raise InputError(f"batch_size must be a multiple of the {processes} processes, got {settings.batch_size}")
    most = max(1, (settings.device_tokens or tokens_at_once(student.config)) // settings.sequence_length)
    part = max(n for n in range(1, share + 1) if share % n == 0 and n <= most)
    return TrainingArguments(
        output_dir=str(folder / ".writing"),
        max_steps=settings.steps,
        per_device_train_batch_size=part,
        per_device_eval_batch_size=most,
        gradient_accumulation_steps=share // part,
        learning_rate=settings.learning_rate,
        lr_scheduler_type="constant_with_warmup" if settings.schedule == "constant" else settings.schedule,
        warmup_steps=math.ceil(settings.warmup * settings.steps),
        weight_decay=settings.weight_decay,
        adam_beta2=0.98,
        adam_epsilon=1e-6,
        optim="adamw_torch_fused",
        logging_steps=settings.log_every,
        logging_nan_inf_filter=False,
        eval_strategy="steps",
        eval_steps=settings.every(settings.evaluate_every),
        save_steps=settings.every(settings.save_every),
        bf16=not cpu and torch.cuda.is_bf16_supported()
        if settings.precision is None
        else settings.precision == "bfloat16",
        use_cpu=cpu,
        ddp_backend="gloo" if cpu and processes > 1 else None,
        ddp_find_unused_parameters=False,
        dataloader_num_workers=0 if cpu else min(8, os.cpu_count() or 1),
        train_sampling_strategy="sequential",  # the samples' order is pseudo-random already
        remove_unused_columns=False,
        disable_tqdm=True,
        log_level="error",
        report_to="none",
        seed=settings.seed,
    )


class _Job:
    """One pre-training in one folder."""

    def __init__(
        self,
        folder: Path,
        settings: PretrainSettings,
        losses: Losses,
        corpus: Corpus,
        student: Student,
        teacher: Teacher | None,
        cache: Path,
        arguments: TrainingArguments,
    ) -> None:
        self.folder, self.settings, self.losses, self.corpus = folder, settings, losses, corpus
        self.student, self.teacher, self.cache, self.arguments = student, teacher, cache, arguments
        self.main = arguments.process_index == 0
        self.same = teacher is None or alike(teacher.vocabulary, student.vocabulary)
        self._identity = self.folder / "identity.json"
        self._check_identity()

    def _determined_by(self) -> Json:
        """Everything that the result depends on."""
        names = [one.name for one in dataclasses.fields(PretrainSettings) if one.name not in _ELSEWHERE]
        settings: Json = {name: getattr(self.settings, name) for name in names}
        settings["length"], precision = settings.pop("sequence_length"), settings.pop("precision")  # as runs have it
        settings["bf16"] = None if precision is None else precision == "bfloat16"
        teacher = None if self.teacher is None else self.teacher.fingerprint
        made_of = {"teacher": teacher, "corpus": self.corpus.fingerprint, "losses": self.losses.to_json()}
        return json.loads(json.dumps({**self.student.fingerprint, **made_of, **settings}))

    def _check_identity(self) -> None:
        if not self._identity.is_file():
            return
        now, before = self._determined_by(), json.loads(self._identity.read_text(encoding="utf-8"))
        if other := sorted(name for name in {*now, *before} if now.get(name) != before.get(name)):
            raise InputError(
                f"{self.folder} was begun with other values of {', '.join(other)}: give those again to go on, or "
                "another folder"
            )

    def finished(self) -> Pretrained | None:
        """The result, where the job is done."""
        found = read_record(Pretrained, self.folder / "result.json")
        return None if found is None else replace(found, checkpoint=self.folder)

    def run(self, watch: Watch, callbacks: Sequence[TrainerCallback]) -> Pretrained:
        """Train to the end."""
        learning, held_out = self._rows(watch)
        meter = Meter()
        journal = Journal(self.folder, Path(cast("str", self.arguments.output_dir)), meter, watch, main=self.main)
        last = journal.reopen()
        with torch.random.fork_rng(), quiet_transformers(remarks=True):
            torch.manual_seed(self.settings.seed)
            model = self.student.built(learning, seed=self.settings.seed, dropout=self.settings.dropout)
            trainer = self._trainer(model, learning, held_out, meter, [journal, *callbacks])
            if self.main:
                write_json(self._identity, self._determined_by())
            try:
                with told_when_full(self.folder):
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
            steps=self.settings.steps,
            tokens=tokens,
            losses=self.losses.to_json(),
        )
        if self.main:
            write_json(self.folder / "result.json", result.to_json())
            shutil.rmtree(journal.writing, ignore_errors=True)
        return result

    def _rows(self, watch: Watch) -> tuple[PackedRows, PackedRows]:
        layout = RowLayout(self.student.vocabulary, self.settings.sequence_length)
        if self.teacher is not None and not self.same:
            longest = min(self.teacher.longest or sys.maxsize, 2 * self.settings.sequence_length)
            layout = RowLayout(self.student.vocabulary, self.settings.sequence_length, self.teacher.vocabulary, longest)
        return open_rows(
            self.corpus,
            layout,
            rows=self.settings.steps * self.settings.batch_size,
            held_out=self.settings.held_out,
            workers=self.settings.workers,
            cache=self.cache,
            watch=watch,
        )

    def _trainer(
        self,
        model: PreTrainedModel,
        learning: PackedRows,
        held_out: PackedRows,
        meter: Meter,
        callbacks: Sequence[TrainerCallback],
    ) -> Distiller:
        settings, count = self.settings, self.settings.steps * self.settings.batch_size
        teacher: Any = None
        if self.teacher is not None:
            teacher = self.teacher.load(self.losses)
            teacher.to(self.arguments.device, torch.bfloat16 if self.arguments.bf16 else torch.float32)
        compiled = compilable() if settings.compiled is None else settings.compiled
        logits = self._logit_cache(learning, count)
        objective = DistillationLoss(model, self.losses, teacher, same=self.same, cache=logits, compiled=compiled)
        if compiled:  # after the objective: it may listen inside of layers
            for network in filter(None, (model, teacher)):
                fuse(network)
        trainer = Distiller(
            model=model,
            args=self.arguments,
            data_collator=collated,
            train_dataset=cast(
                "Any", Samples(learning, count=count, seed=settings.seed, whole_words=settings.whole_words)
            ),
            # The held-out samples and their masks are the same for every seed.
            eval_dataset=cast("Any", Samples(held_out, count=min(settings.held_out, len(held_out)), seed=0)),
            compute_metrics=_scores,
            callbacks=[*callbacks, *self._reports()],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.objective, trainer.meter = objective, meter
        return trainer

    def _reports(self) -> list[Any]:
        names = list(self.settings.report_to)
        if not self.main or "tensorboard" not in names:
            return get_reporting_integration_callbacks(names) if self.main else []
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise MissingPackageError("reports to tensorboard need it: pip install 'subarch[tensorboard]'") from error
        others = [name for name in names if name != "tensorboard"]
        board = TensorBoardCallback(cast("Any", SummaryWriter)(str(self.folder / "tensorboard")))
        return [*get_reporting_integration_callbacks(others), board]

    def _logit_cache(self, rows: PackedRows, count: int) -> LogitCache | None:
        settings = self.settings
        if not settings.cached_logits:
            return None
        said = [cast("Teacher", self.teacher).fingerprint, self.losses.temperature, settings.cached_logits]
        read = [self.corpus.fingerprint, rows.layout.fingerprint, len(rows), settings.seed, settings.whole_words]
        name = hashlib.sha256(repr((said, read)).encode()).hexdigest()[:16]
        return LogitCache(
            self.cache / f"logits-{name}.bin",
            samples=count,
            masked=most_masked(settings.sequence_length),
            count=min(settings.cached_logits, self.student.vocabulary.size),
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
