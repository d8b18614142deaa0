"""Pre-training from options to files: ``pretrain``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from subarch.errors import InputError
from subarch.learning.pretraining import Recipe
from subarch.learning.pretraining import pretrain as pretrain_student
from subarch.learning.teachers import Losses
from subarch.manifest import manifest
from subarch.networks.configs import read_config
from subarch.options.pretraining import PretrainOptions
from subarch.progress import Watch, silent
from subarch.storage import first_process, write_json
from subarch.threads import pinned


def pretrain(options: PretrainOptions, *, watch: Watch = silent, command: str = "") -> dict[str, Any]:
    """Pre-train the architecture of a run, or go on with it.

    Returns:
        ``loss`` and ``accuracy`` on held-out text, ``tokens_per_second``, ``checkpoint``, and what was learned.

    Raises:
        ValueError: for wrong input, before training starts.
        RuntimeError: when training breaks off; the message names the last good checkpoint.
        OSError: when the run directory cannot be written.
    """
    path = options.architecture or options.run / "architecture.json"
    if not path.is_file():
        raise InputError(
            f"{path}: there is no architecture to pre-train: run subarch extract with this --run first, or give "
            "--architecture CONFIG"
        )
    architecture = read_config(path)
    teacher = options.teacher or (None if options.architecture else _source_of(options.run))
    source = options.source or teacher
    initialize = options.initialize or ("inherit" if source is not None else "scratch")
    losses = losses_of(options)
    recipe = Recipe(
        steps=options.steps,
        batch_size=options.batch_size,
        length=options.sequence_length,
        learning_rate=options.learning_rate,
        schedule=options.schedule,
        warmup=options.warmup,
        weight_decay=options.weight_decay,
        dropout=options.dropout,
        whole_words=options.whole_words,
        seed=options.seed,
        bf16=None if options.precision is None else options.precision == "bfloat16",
        cached_logits=options.cached_logits,
        held_out=options.held_out,
        device_tokens=options.device_tokens,
        compiled=options.compiled,
        workers=options.workers,
        save_every=options.save_every,
        evaluate_every=options.evaluate_every,
        report_to=options.report_to,
    )
    folder = options.run / "pretrain"
    with pinned(options.threads):
        found = pretrain_student(
            folder,
            architecture,
            recipe=recipe,
            losses=losses,
            teacher=teacher,
            initialize=initialize,
            source=source if initialize == "inherit" else None,
            corpus=options.corpus,
            tokenizer=options.tokenizer,
            watch=watch,
        )
    result = found.to_json() | {"teacher": teacher, "initialize": initialize, "run": str(options.run)}
    data = {"corpus": None if options.corpus is None else str(options.corpus), "tokens": found.tokens}
    given = {name: getattr(options, name) for name in type(options).__slots__ if name != "json"}
    public = {name: str(value) if isinstance(value, Path) else value for name, value in given.items()}
    document = manifest(
        command=command, source=source or "random weights", options=public, seeds=[options.seed], data=data
    )
    if first_process():
        write_json(folder / "manifest.json", document)
    return result


def losses_of(options: PretrainOptions) -> Losses | None:
    """The losses that were weighed; None where that is left to what the teacher offers.

    Raises:
        ValueError: for weights that do not go together.
    """
    weights: dict[str, Any] = options.weights
    if not weights:
        return None
    return Losses(
        **weights,
        temperature=options.temperature,
        relation_heads=options.relation_heads,
        teacher_layer=options.teacher_layer,
    )


def _source_of(run: Path) -> str | None:
    """The source that the run extracted from, where it has weights."""
    try:
        options = json.loads((run / "manifest.json").read_text(encoding="utf-8"))["options"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    source = str(options.get("source"))
    return None if source in ("bort", "mlp") or ":" in source else source
