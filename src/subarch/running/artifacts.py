"""The forms of a network by their names, and which of them can be had here. Light, as what answers has to be."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import cast

import numpy as np

from subarch.options.forms import ARTIFACT_NAMES, ArtifactName, Precision, Runtime
from subarch.running.base import Artifact, Inputs
from subarch.running.processor import features, multiplies_bfloat16


def _form(name: ArtifactName) -> Artifact:
    return cast("Artifact", import_module(f"subarch.running.forms.{name.replace('-', '_')}").FORM)


FORMS: Mapping[ArtifactName, Artifact] = {name: _form(name) for name in ARTIFACT_NAMES}


def possible() -> tuple[ArtifactName, ...]:
    """Forms that this processor has a use for."""
    fast = multiplies_bfloat16(features())
    return tuple(name for name, form in FORMS.items() if form.precision != "bfloat16" or fast)


def is_installed(name: ArtifactName) -> bool:
    """Whether a form can be made and run here."""
    try:
        FORMS[name].require()
    except ImportError:
        return False
    return True


def timed() -> Mapping[tuple[Runtime, Precision], ArtifactName]:
    """A form for each runtime and precision that there is; of several the one whose name says least."""
    found: dict[tuple[Runtime, Precision], ArtifactName] = {}
    for name, form in FORMS.items():
        found.setdefault((form.runtime, form.precision), name)
    return found


def extras() -> tuple[str, ...]:
    """Extras of this package, each with which some forms can be had."""
    return tuple(dict.fromkeys(form.extra for form in FORMS.values() if form.extra is not None))


def any_of_extras() -> str:
    """What to do where no form can be had."""
    return " or ".join(f"'subarch[{one}]'" for one in extras())


def answer_once(name: ArtifactName, folder: Path, batch: int, length: int) -> None:
    """Open a form, for one thread, and run one pass, as whoever serves it would begin."""
    FORMS[name].open(folder, 1)(some_tokens(batch, length))


def some_tokens(batch: int, length: int) -> Inputs:
    """Inputs of one pass: what a network takes does not depend on what they say."""
    ids = np.full((batch, length), 7, dtype=np.int64)
    return {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
