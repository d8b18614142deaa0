"""What a folder of sentence-transformers asks for beside its encoder: pooling, length, and an activation.

``modules.json`` lists what a text goes through: the encoder, a pooling of its states, perhaps a scaling to unit length.
Both layouts are read, with the encoder in the folder itself or (before version 2) in ``0_Transformer``. A cross-encoder
names what its one output goes through in its config.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, cast

import torch
from torch import Tensor

from subarch.errors import InputError

Pooling = Literal["mean", "cls", "max"]
Activation = Literal["sigmoid", "tanh"]

MODULES = "modules.json"
SETTINGS = "config_sentence_transformers.json"
_LENGTH = ("sentence_bert_config.json", "sentence_roberta_config.json", "sentence_distilbert_config.json")
# The pooling's own words for each way: the flags of its older configs, and the names of its newer ones.
_FLAGS: Mapping[str, str] = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
_HARMLESS = ("Dropout",)  # does nothing outside of training
_ACTIVATIONS: Mapping[str, Activation | None] = {"Sigmoid": "sigmoid", "Tanh": "tanh", "Identity": None}


@dataclass(frozen=True)
class Embedding:
    """How the states of a text's tokens become one vector.

    Attributes:
        pooling: the mean or the largest of each unit over all tokens, or the first token's.
        normalize: whether the vector is scaled to unit length.
        length: tokens that a text is cut to; None: as many as the network takes.
        lower_case: whether texts are lower-cased before they are tokenised.
    """

    pooling: Pooling = "mean"
    normalize: bool = False
    length: int | None = None
    lower_case: bool = False

    def __call__(self, states: Tensor, mask: Tensor) -> Tensor:
        """States ``(batch, length, hidden)`` and the mask of tokens ``(batch, length)`` to ``(batch, hidden)``."""
        seen = mask.unsqueeze(-1).to(states.dtype)  # (batch, length, 1)
        if self.pooling == "cls":
            found = states[:, 0]
        elif self.pooling == "max":
            found = states.masked_fill(seen == 0, torch.finfo(states.dtype).min).amax(1)
        else:
            found = (states * seen).sum(1) / seen.sum(1).clamp(min=1e-9)
        return torch.nn.functional.normalize(found, dim=-1) if self.normalize else found

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class SentenceFolder:
    """A folder with ``modules.json``.

    Attributes:
        encoder: where config and weights of the encoder are.
        embedding: what is asked of its states; None where that cannot be done here.
        refused: why not.
        prompts: names of those that a caller may put before texts.
        files: that say all this.
    """

    encoder: Path
    embedding: Embedding | None
    refused: str | None
    prompts: tuple[str, ...]
    files: tuple[Path, ...]


def read_sentence_folder(folder: Path) -> SentenceFolder | None:
    """What a folder, or the one above an encoder in the older layout, asks for; None where there is no such folder.

    Raises:
        ValueError: for settings that cannot be read, and a folder that has no encoder first.
    """
    root = folder
    if not (root / MODULES).is_file():
        # The encoder of an older folder was named alone: what lies above it still belongs to it.
        root = folder.parent
        if not (root / MODULES).is_file() or not any(path == folder.name for _, path in _modules(root)):
            return None
    modules = _modules(root)
    if not modules or modules[0][0] != "Transformer":
        first = modules[0][0] if modules else "nothing"
        raise InputError(
            f"{root} is a folder of sentence-transformers that begins with the module {first}, expected Transformer: "
            "only an encoder of texts and what follows it are read"
        )
    encoder = root / modules[0][1] if modules[0][1] else root
    files = [root / MODULES]
    refused, normalize, pooling = None, False, None
    for kind, path in modules[1:]:
        if kind == "Pooling" and pooling is None:
            file = root / path / "config.json"
            files.append(file)
            pooling = _pooling(_read(file))
            if pooling not in ("mean", "cls", "max"):
                refused = refused or f"the pooling {pooling}"
        elif kind == "Normalize" and pooling is not None:
            normalize = True
        elif kind not in _HARMLESS:
            refused = refused or f"the module {kind} ({path or 'of the folder itself'})"
    if pooling is None:
        refused = refused or "no pooling after the encoder"
    settings = _read(root / SETTINGS, missing_ok=True)
    prompts: Mapping[str, Any] = settings.get("prompts") or {}
    named = tuple(str(name) for name, words in prompts.items() if words)
    default = settings.get("default_prompt_name")
    if default in named:
        refused = refused or f"the prompt {prompts[str(default)]!r} before each text"
    lengths = [place / name for place in (encoder, root) for name in _LENGTH if (place / name).is_file()]
    length = _read(lengths[0]) if lengths else {}
    files += [*lengths[:1], *([root / SETTINGS] if (root / SETTINGS).is_file() else [])]
    if (task := length.get("transformer_task") or "feature-extraction") != "feature-extraction":
        refused = refused or f"an encoder for {task}"
    most = length.get("max_seq_length")
    if most is not None and (not isinstance(most, int) or most < 3):
        raise InputError(f"{lengths[0]}: max_seq_length must be a whole number of tokens, got {most!r}")
    embedding = None
    if refused is None:
        embedding = Embedding(cast("Pooling", pooling), normalize, most, bool(length.get("do_lower_case")))
    return SentenceFolder(encoder, embedding, refused, named, tuple(files))


def _modules(root: Path) -> list[tuple[str, str]]:
    """Last name of the class, and folder, of each module in order."""
    file = root / MODULES
    found: Any = _read(file, kind=list)
    try:
        listed = sorted(found, key=lambda one: int(one.get("idx", 0)))
        return [(str(one["type"]).rpartition(".")[2], str(one.get("path") or "")) for one in listed]
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise InputError(f"{file} must list modules with 'type' and 'path', got {found!r}") from error


def _pooling(config: Mapping[str, Any]) -> str:
    """In one word, or several of them."""
    named = config.get("pooling_mode")
    if isinstance(named, list | tuple):
        ways = [str(one) for one in named]
    elif named is not None:
        ways = [str(named)]
    else:
        ways = [way for flag, way in _FLAGS.items() if config.get(flag)]
        unknown = [flag for flag in config if flag.startswith("pooling_mode") and flag not in _FLAGS and config[flag]]
        ways += unknown
    return " and ".join(ways) or "mean"


def _read(file: Path, *, missing_ok: bool = False, kind: type = dict) -> Any:
    if missing_ok and not file.is_file():
        return {}
    try:
        found: Any = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{file} cannot be read ({error.strerror or error}), and the folder asks for it") from error
    except ValueError as error:
        raise InputError(f"{file} is not valid JSON ({error}): was the download cut short?") from error
    if not isinstance(found, kind):
        raise InputError(f"{file} must hold a JSON {'list' if kind is list else 'object'}, got {type(found).__name__}")
    return found


# --- activations ------------------------------------------------------------------------------------------------------

# Where they are named: in a config, and in the settings beside it.
_KEYS = ("sbert_ce_default_activation_function", "function_to_apply")
ACTIVATION_KEYS = ("sentence_transformers", *_KEYS)


def read_activation(config: Mapping[str, Any], folder: Path) -> str | None:
    """What outputs go through after the head, by its class (``Sigmoid``, ``Identity``, ...); None: nothing."""
    own: Any = config.get("sentence_transformers")
    settings: Mapping[str, Any] = _read(folder / SETTINGS, missing_ok=True)
    found: list[Any] = [own.get("activation_fn") if isinstance(own, dict) else None]
    found += [*(config.get(key) for key in _KEYS), settings.get("activation_fn")]
    named = next((one for one in found if one), None)
    if named is None:
        return None
    word = str(named).rpartition(".")[2].removesuffix("()")
    return {"sigmoid": "Sigmoid", "softmax": "Softmax", "none": "Identity", "tanh": "Tanh"}.get(word, word)


def activation_of(name: str | None) -> Activation | None:
    """What is applied to one output.

    Raises:
        ValueError: for a name that is not known.
    """
    if name is not None and name not in _ACTIVATIONS:
        raise InputError(f"its output goes through {name}, expected one of {', '.join(_ACTIVATIONS)}")
    return None if name is None else _ACTIVATIONS[name]
