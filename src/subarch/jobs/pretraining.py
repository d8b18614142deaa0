"""Pre-training from options to files: ``pretrain``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from subarch.errors import InputError
from subarch.extraction.preparation import source_in
from subarch.learning.pretraining import pretrain as pretrain_student
from subarch.learning.teachers import Losses
from subarch.manifest import Manifest, given
from subarch.networks.configs import read_config
from subarch.options.pretraining import PretrainOptions
from subarch.progress import Watch, silent
from subarch.results.pretrain import PretrainResult
from subarch.storage import first_process, write_json
from subarch.threads import pinned


def pretrain(options: PretrainOptions, *, watch: Watch = silent, command: str = "") -> PretrainResult:
    """Pre-train the architecture of a run, or go on with it.

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
    teacher = options.teacher or (None if options.architecture else _source_of(options.run))
    source = options.source or teacher
    initialize = options.initialize or ("inherit" if source is not None else "scratch")
    folder = options.run / "pretrain"
    with pinned(options.threads):
        found = pretrain_student(
            folder,
            read_config(path),
            settings=options,
            losses=losses_of(options),
            teacher=teacher,
            initialize=initialize,
            source=source if initialize == "inherit" else None,
            corpus=options.corpus,
            tokenizer=options.tokenizer,
            watch=watch,
        )
    if first_process():
        made_with = Manifest(
            command=command,
            source=source or "random weights",
            options=given(options),
            seeds=(options.seed,),
            data={"corpus": None if options.corpus is None else str(options.corpus), "tokens": found.tokens},
        )
        write_json(folder / "manifest.json", made_with.to_json())
    return PretrainResult(**vars(found), run=str(options.run), teacher=teacher, initialize=initialize)


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
    source = source_in(run, str(options.get("source")), options.get("vocabulary"))
    return None if source in ("bort", "mlp") or ":" in source else source
