"""From a name to a source: a preset, a checkpoint with weights, or a family of the user's own.

``open_source("bort")`` and ``open_source("mlp")`` give families without weights; a folder with ``config.json`` and
weights (or a Hugging Face name) gives the encoder family inside that checkpoint; ``module.path:Name`` imports a
:class:`~subarch.networks.family.Family`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from subarch.errors import InputError
from subarch.networks.checkpoints import Checkpoint, open_checkpoint
from subarch.networks.encoder import EncoderFamily, bort_preset
from subarch.networks.family import Family
from subarch.networks.mlp import MLPFamily, mlp_preset
from subarch.networks.space import Architecture, Space
from subarch.networks.stock_family import StockFamily
from subarch.plugins import NAME, made

Kind = Literal["classifier", "masked-lm", "encoder"]

PRESETS: Mapping[str, Callable[[], Family]] = {"bort": bort_preset, "mlp": mlp_preset}

# What candidates learn from each head; where a head is not named a search would leave it out.
_KINDS: Mapping[str, Kind] = {
    "classification": "classifier",
    "multilabel": "classifier",
    "regression": "classifier",
    "tokens": "classifier",
    "masked-lm": "masked-lm",
    "encoder": "encoder",
}


@dataclass(frozen=True)
class Source:
    """What a search starts from.

    Args:
        name: as it was asked for.
        family: the space and the networks in it.
        opened: the checkpoint; None where there are no weights.
        kind: what the checkpoint's head does; None without a checkpoint.
    """

    name: str
    family: Family
    opened: Checkpoint | None = None
    kind: Kind | None = None

    @property
    def checkpoint(self) -> Path | None:
        """Its folder, with ``config.json`` and weights."""
        return None if self.opened is None else self.opened.folder

    @property
    def has_weights(self) -> bool:
        """Whether candidates can inherit: from a checkpoint, or from what a family has trained."""
        return self.opened is not None or self.family.has_weights


def open_source(
    given: str | Checkpoint, *, space: Space | None = None, reference: Architecture | None = None
) -> Source:
    """Open a source, with another space or reference T than its own where given.

    Args:
        given: its name, or a checkpoint that is open already.
        space: of the networks.
        reference: T.

    Raises:
        ValueError: for a name that means nothing, a folder that is no checkpoint of an encoder, a family that cannot
            be imported, or a space or reference that does not fit; the message says what to do.
    """
    if isinstance(given, Checkpoint):
        return _inside(given, space, reference)
    if given in PRESETS and not (Path(given) / "config.json").is_file():
        family = PRESETS[given]()
        return Source(given, _fitted(family, space, reference))
    if NAME.fullmatch(given):
        return Source(given, _fitted(import_family(given), space, reference))
    return _inside(open_checkpoint(given, encoder=True), space, reference)


def _inside(opened: Checkpoint, space: Space | None, reference: Architecture | None) -> Source:
    return Source(opened.name, EncoderFamily.from_config(opened.config, space, reference), opened, _kind(opened))


def _kind(opened: Checkpoint) -> Kind:
    """What candidates can learn from.

    Raises:
        ValueError: for a head that no candidate would have.
    """
    if opened.head.stock == "AutoModelForPreTraining":  # masked words, and a second task that nobody uses any more
        opened.encoder()
        return "masked-lm" if opened.speaks else "encoder"
    if opened.head.kind not in _KINDS:
        opened.whole()
        raise InputError(
            f"{opened.name} has the head {opened.head.name} ({opened.head.words}), which a search would leave out: "
            "give a network for classes, numbers, tags or masked words, or an encoder without a head"
        )
    kind = _KINDS[opened.head.kind]
    if kind == "encoder":
        opened.encoder()
    else:
        opened.whole()
    return kind


def family_from_json(data: Mapping[str, Any], custom: Family | None = None) -> Family:
    """The inverse of ``family.to_json()``. Nothing is imported: data that name code do not run it.

    Args:
        data: what ``to_json`` gave, maybe in a stranger's file.
        custom: the family itself, where the data are of one of a user's own: opened by whoever names it.

    Raises:
        CodeNeededError: for data of a family of a user's own, where none is given.
        ValueError: for data that describe no family, or another one than ``custom``.
    """
    try:
        kind = data["kind"]
        if kind == "encoder":
            return EncoderFamily.from_json(data)
        if kind == "stock":
            return StockFamily.from_json(data)
        if kind == "mlp":
            return MLPFamily.from_json(data)
        if kind == "custom":
            name = str(data["name"])
            if custom is None:
                raise CodeNeededError(name)
            if custom.name != name:
                raise InputError(f"expected the family {name!r}, got {custom.name!r}: give the one that was used")
            return custom.with_space(Space.from_json(data["space"]), dict(data["reference"]))
    except (KeyError, TypeError) as error:
        raise InputError(f"expected the JSON form of a family, {error} is missing or of another type") from error
    known = "'encoder', 'stock', 'mlp' or 'custom'"
    raise InputError(f"a family's kind is {known}, got {kind!r}: written by a newer version?")


class CodeNeededError(InputError):
    """Data need a family of a user's own, whose code is run only for whoever names it.

    Attributes:
        name: what the data call it.
    """

    def __init__(self, name: str) -> None:
        super().__init__(f"the networks are of a family of a user's own, {name!r}: give that family")
        self.name = name


def _fitted(family: Family, space: Space | None, reference: Architecture | None) -> Family:
    if space is None and reference is None:
        return family
    if space is not None and reference is None and set(space.names) != set(family.reference):
        # T keeps what the new space still names; the rest of the names must come from the user.
        missing = sorted(set(space.names) - set(family.reference))
        if missing:
            raise InputError(
                f"the space names {missing}, which family {family.name!r} does not have; its parameters are "
                f"{list(family.space.names)}. Rename them, or give a reference for the new ones"
            )
        reference = {name: family.reference[name] for name in space.names}
    return family.with_space(space, reference)


# ---------------------------------------------------------------------- families of users


def import_family(name: str, *, apart_from: Path | None = None) -> Family:
    """Import ``module.path:Name``: a Family, a subclass that needs no arguments, or a function that returns one.

    The current directory is searched too, as Python itself does for scripts.

    Args:
        name: as somebody typed it, never as a file has it.
        apart_from: a folder whose code is not to be run, such as a run that is looked into.

    Raises:
        ValueError: when nothing of the kind can be imported or made.
    """
    expected = "a Family, a subclass without arguments, or a function without arguments that returns one"
    given = made(
        name, "family", expected, lambda found: found if isinstance(found, Family) else found(), apart_from=apart_from
    )
    if not isinstance(given, Family):
        raise InputError(f"{name!r} gives {type(given).__name__}, expected a subarch.networks.family.Family")
    missing = [field for field in ("space", "reference") if not hasattr(given, field)]
    if missing:
        raise InputError(f"family {name!r} has no {' and no '.join(missing)}: set it in the class or in __init__")
    family = copy.copy(given)
    object.__setattr__(family, "name", name)  # what manifests need to import it again; the family may be frozen
    return family
