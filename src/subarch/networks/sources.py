"""From a name to a source: a preset, a checkpoint with weights, or a family of the user's own.

``open_source("bort")`` and ``open_source("mlp")`` give families without weights; a folder with ``config.json`` and
weights (or a Hugging Face name) gives the encoder family inside that checkpoint; ``module.path:Name`` imports a
:class:`~subarch.networks.family.Family`.
"""

from __future__ import annotations

import copy
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from huggingface_hub import snapshot_download
from safetensors import safe_open

from subarch.networks.encoder import MODEL_TYPES, EncoderFamily, bort_preset, plain_config, require_encoder
from subarch.networks.family import Family
from subarch.networks.mlp import MLPFamily, mlp_preset
from subarch.networks.space import Architecture, Space
from subarch.plugins import NAME, made

Kind = Literal["classifier", "masked-lm", "encoder"]

PRESETS: Mapping[str, Callable[[], Family]] = {"bort": bort_preset, "mlp": mlp_preset}

_WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin")
_HELP = "give a preset (bort, mlp), a checkpoint folder, a Hugging Face name, or module.path:Name of a Family"


@dataclass(frozen=True)
class Source:
    """What a search starts from.

    Args:
        name: as it was asked for.
        family: the space and the networks in it.
        checkpoint: folder with ``config.json`` and weights; None where there are no weights.
        kind: what the checkpoint's head does; None without a checkpoint.
    """

    name: str
    family: Family
    checkpoint: Path | None = None
    kind: Kind | None = None


def open_source(name_or_path: str, *, space: Space | None = None, reference: Architecture | None = None) -> Source:
    """Open a source, with another space or reference T than its own where given.

    Raises:
        ValueError: for a name that means nothing, a folder that is no checkpoint of an encoder, a family that cannot
            be imported, or a space or reference that does not fit; the message says what to do.
    """
    if name_or_path in PRESETS and not (Path(name_or_path) / "config.json").is_file():
        family = PRESETS[name_or_path]()
        return Source(name_or_path, _fitted(family, space, reference))
    if NAME.fullmatch(name_or_path):
        return Source(name_or_path, _fitted(import_family(name_or_path), space, reference))
    folder = find_checkpoint(name_or_path, encoder=True)
    config = read_config(folder)
    return Source(name_or_path, EncoderFamily.from_config(config, space, reference), folder, _kind(folder, config))


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
        if kind == "mlp":
            return MLPFamily.from_json(data)
        if kind == "custom":
            name = str(data["name"])
            if custom is None:
                raise CodeNeededError(name)
            if custom.name != name:
                raise ValueError(f"expected the family {name!r}, got {custom.name!r}: give the one that was used")
            return custom.with_space(Space.from_json(data["space"]), dict(data["reference"]))
    except (KeyError, TypeError) as error:
        raise ValueError(f"expected the JSON form of a family, {error} is missing or of another type") from error
    raise ValueError(f"a family's kind is 'encoder', 'mlp' or 'custom', got {kind!r}: written by a newer version?")


class CodeNeededError(ValueError):
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
            raise ValueError(
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
        raise ValueError(f"{name!r} gives {type(given).__name__}, expected a subarch.networks.family.Family")
    missing = [field for field in ("space", "reference") if not hasattr(given, field)]
    if missing:
        raise ValueError(f"family {name!r} has no {' and no '.join(missing)}: set it in the class or in __init__")
    family = copy.copy(given)
    object.__setattr__(family, "name", name)  # what manifests need to import it again; the family may be frozen
    return family


# ---------------------------------------------------------------------- checkpoints


def weights_fingerprint(folder: Path) -> str:
    """SHA-256 over the config and the weight files of a checkpoint, so that another source is noticed."""
    digest = hashlib.sha256()
    for path in sorted([folder / "config.json", *folder.glob("*.safetensors"), *folder.glob("pytorch_model*.bin")]):
        digest.update(path.name.encode())
        with path.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


def find_checkpoint(name_or_path: str, *, encoder: bool = False) -> Path:
    """The folder of a checkpoint: a path, or a Hugging Face name, downloaded or from the local cache.

    Args:
        name_or_path: of the checkpoint.
        encoder: refuse whatever is no BERT or RoBERTa, before its weights are fetched.

    Raises:
        ValueError: when there is no such folder and the name cannot be fetched, or the folder lacks config or weights.
    """
    path = Path(name_or_path).expanduser()
    if path.is_file():
        raise ValueError(f"{name_or_path} is a file, expected the folder of a checkpoint with config.json and weights")
    if not path.is_dir():
        path = _download(name_or_path, encoder=encoder)
    if not (path / "config.json").is_file():
        raise ValueError(
            f"{name_or_path} is no checkpoint: the folder has no config.json. {_HELP[0].upper()}{_HELP[1:]}"
        )
    if encoder:
        config = read_config(path)
        try:
            require_encoder(config)
        except ValueError as error:
            raise ValueError(f"{name_or_path}: {error}") from error
    if not any((path / weights).is_file() for weights in _WEIGHTS):
        if (path / "export.json").is_file():
            raise ValueError(
                f"{name_or_path} is what subarch export wrote, which Predictor.from_pretrained reads: give the "
                "checkpoint that it was made of (in a run under finetune/.../checkpoint)"
            )
        raise ValueError(
            f"{name_or_path} has a config.json but no weights ({', '.join(_WEIGHTS)}): save it with save_pretrained()"
        )
    return path


def _download(name: str, *, encoder: bool) -> Path:
    if not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", name) or name.startswith("."):
        raise ValueError(f"{name!r} is no folder and no known name: {_HELP}")
    try:
        if encoder:
            folder = Path(snapshot_download(name, allow_patterns=["config.json"]))
            kind = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type")
            if kind not in MODEL_TYPES:
                return folder  # whoever opens it says what is wrong, without gigabytes of weights
        folder = Path(snapshot_download(name, allow_patterns=["*.json", "*.txt", "*.model", "*.safetensors"]))
        if not any(folder.glob("*.safetensors")):
            folder = Path(snapshot_download(name, allow_patterns=["pytorch_model.bin"]))
        return folder
    except Exception as error:
        raise ValueError(
            f"{name!r} is no preset and no folder here, and it could not be fetched from the Hugging Face hub "
            f"({type(error).__name__}). Without a connection {_HELP.replace(', a Hugging Face name', '')}"
        ) from error


def read_config(path: Path) -> dict[str, Any]:
    """A config from a checkpoint folder or a ``config.json``, with all defaults written out.

    Raises:
        ValueError: for a file that is missing, no JSON object, or of a kind that the stock library does not know.
    """
    file = path / "config.json" if path.is_dir() else path
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{file} cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # not UTF-8, or not JSON
        raise ValueError(f"{file} is not valid JSON ({error}): was the download cut short?") from error
    if not isinstance(data, dict):
        raise ValueError(f"{file} must hold a JSON object, got {type(data).__name__}")
    try:
        return plain_config(cast("dict[str, Any]", data))
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from error


def _kind(folder: Path, config: Mapping[str, Any]) -> Kind:
    names = [str(name) for name in config.get("architectures") or ()]
    if any(name.endswith("ForSequenceClassification") for name in names):
        return "classifier"
    if any(name.endswith(("ForMaskedLM", "ForPreTraining")) for name in names):
        return "masked-lm"
    if not names:  # configs need not say: the weights do
        tensors = _tensor_names(folder)
        if any(tensor.startswith("classifier.") for tensor in tensors):
            return "classifier"
        if any(tensor.startswith(("cls.predictions.", "lm_head.")) for tensor in tensors):
            return "masked-lm"
    return "encoder"


def _tensor_names(folder: Path) -> tuple[str, ...]:
    file = folder / "model.safetensors"
    if not file.is_file():
        return ()
    try:
        with cast("Any", safe_open(file, framework="pt")) as tensors:
            return tuple(tensors.keys())
    except Exception as error:
        raise ValueError(f"{file} is not a valid safetensors file ({error}): was the download cut short?") from error
