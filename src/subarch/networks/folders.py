"""From a name to the folder of a checkpoint, and what else lies in it: adapters, heads of other programs, leftovers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import snapshot_download

from subarch.errors import InputError
from subarch.networks.configs import other_numbers, raw_config, read_config
from subarch.networks.encoder import require_encoder
from subarch.networks.layouts import LAYOUTS
from subarch.networks.sentences import MODULES, SentenceFolder, read_sentence_folder
from subarch.networks.weights import find_weights, rival_of

HELP = "give a preset (bort, mlp), a checkpoint folder, a Hugging Face name, or module.path:Name of a Family"


def find_checkpoint(name_or_path: str, *, encoder: bool = False) -> Path:
    """The folder of a checkpoint: a path, or a Hugging Face name, downloaded or from the local cache.

    Args:
        name_or_path: of the checkpoint.
        encoder: refuse whatever no search can cut, before its weights are fetched.

    Raises:
        ValueError: when there is no such folder and the name cannot be fetched, or the folder lacks config or weights.
    """
    path = Path(name_or_path).expanduser()
    if path.is_file():
        raise InputError(f"{name_or_path} is a file, expected the folder of a checkpoint with config.json and weights")
    if not path.is_dir():
        path = _download(name_or_path, encoder=encoder)
    _require_no_adapter(name_or_path, path)
    if not (path / "config.json").is_file() and (sentences := read_sentence_folder(path)) is not None:
        path = sentences.encoder  # the layout of sentence-transformers before version 2
    if not (path / "config.json").is_file():
        raise InputError(f"{name_or_path} is no checkpoint: the folder has no config.json. {_inside(path)}")
    if encoder:
        config = read_config(path)
        try:
            require_encoder(config)
        except ValueError as error:
            raise InputError(f"{name_or_path}: {error}") from error
    if (path / "export.json").is_file():
        raise InputError(
            f"{name_or_path} is what subarch export wrote, which Predictor.from_pretrained reads: give the "
            "checkpoint that it was made of (in a run under finetune/.../checkpoint)"
        )
    find_weights(path)
    return path


def _inside(folder: Path) -> str:
    """What to give instead of a folder that is no checkpoint."""
    found = sorted(
        (path.parent for name in ("config.json", "adapter_config.json") for path in folder.glob(f"*/{name}")),
        key=lambda path: [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", path.name)],
    )
    if not found:
        return f"{HELP[0].upper()}{HELP[1:]}"
    names = list(dict.fromkeys(str(path) for path in found))
    shown = names if len(names) <= 6 else [*names[:3], "...", *names[-2:]]
    return f"There {'are checkpoints' if len(names) > 1 else 'is one'} inside, give one of these: {', '.join(shown)}"


def _download(name: str, *, encoder: bool) -> Path:
    if not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", name) or name.startswith("."):
        raise InputError(f"{name!r} is no folder and no known name: {HELP}")
    try:
        if encoder:
            folder = Path(snapshot_download(name, allow_patterns=["config.json"]))
            if raw_config(folder).get("model_type") not in LAYOUTS:
                return folder  # whoever opens it says what is wrong, without gigabytes of weights
        folder = Path(snapshot_download(name, allow_patterns=["*.json", "*.txt", "*.model", "*.safetensors"]))
        if not any(folder.glob("*.safetensors")):
            folder = Path(snapshot_download(name, allow_patterns=["pytorch_model*.bin"]))
        return folder
    except Exception as error:
        raise InputError(
            f"{name!r} is no preset and no folder here, and it could not be fetched from the Hugging Face hub "
            f"({type(error).__name__}). Without a connection {HELP.replace(', a Hugging Face name', '')}"
        ) from error


# --- adapters and other side files ------------------------------------------------------------------------------------

_ADAPTERS = ("adapter_config.json", "adapter_model.safetensors", "adapter_model.bin", "pytorch_adapter.bin")
# Kinds that merge into the weights they belong to; the others (prompts, prefixes) stay vectors beside them.
_MERGED = ("LORA", "ADALORA", "LOHA", "LOKR", "IA3", "OFT", "BOFT", "VERA", "FOURIERFT", "DORA", "RANDLORA")


def _require_no_adapter(name: str, folder: Path) -> None:
    found = next((file for file in _ADAPTERS if (folder / file).is_file()), None)
    if found is None:
        return
    try:
        settings: dict[str, Any] = json.loads((folder / _ADAPTERS[0]).read_text(encoding="utf-8"))
        kind = settings.get("peft_type")
    except (OSError, ValueError, AttributeError):
        settings, kind = {}, None
    beside = ", beside its base network" if (folder / "config.json").is_file() else ""
    base = settings.get("base_model_name_or_path") or settings.get("model_name") or "its base"
    if kind is None and ("model_class" in settings or found == "pytorch_adapter.bin"):
        cure = "load it with the library adapters and save the network with merge_adapter() and save_pretrained()"
    elif kind is not None and str(kind).upper() not in _MERGED:
        cure = "it cannot be merged into the weights of its base, so fine-tune the network itself"
    else:
        cure = (
            f"merge it into {base} and give that: AutoPeftModel...from_pretrained(FOLDER).merge_and_unload()"
            ".save_pretrained(OTHER), and copy the tokenizer there"
        )
    raise InputError(
        f"{name} holds an adapter ({kind or 'of the library adapters'}, {found}){beside}, which is not applied here: "
        f"{cure}"
    )


# Heads in files of their own, which only the program that wrote them reads.
HEAD_FILES: Mapping[str, str] = {
    "model_head.pkl": "the head that SetFit keeps in model_head.pkl is not read (a pickle can run any code)",
    "model_head.joblib": "the head that SetFit keeps in model_head.joblib is not read (a pickle can run any code)",
    "model_head.safetensors": "the head in model_head.safetensors is not read",
    "pytorch_model_head.bin": "the head that the library adapters keeps in pytorch_model_head.bin is not read",
}
_KNOWN_FILES = re.compile(
    r"(model|pytorch_model)(-\d+-of-\d+)?\.(safetensors|bin)|training_args\.bin|optimizer.*|scheduler\.pt|scaler\.pt|"
    r"rng_state.*|random_states.*|adapter_.*|model_head\.(pkl|joblib|safetensors)|pytorch_model_head\.bin|.*\.index\.json"
)


def remarks(folder: Path, raw: Mapping[str, Any], sentences: SentenceFolder | None) -> Iterator[str]:
    """What lies beside a checkpoint and is not used, in words."""
    if (words := other_numbers(raw)) is not None:
        yield words
    inner = [*folder.glob("*/adapter_config.json"), *folder.glob("*/adapter_model.*")]
    if adapters := sorted({path.parent.name for path in inner}):
        yield f"the adapter in its folder {adapters[0]} is not applied: merge it, and give what comes out"
    heavy = (".safetensors", ".bin", ".pt", ".pth", ".pkl", ".joblib")
    unread = sorted(p.name for p in folder.glob("*") if p.suffix in heavy and not _KNOWN_FILES.fullmatch(p.name))
    if unread:
        yield f"{', '.join(unread[:5])} {'is' if len(unread) == 1 else 'are'} not read: no part of a stock checkpoint"
    if other := rival_of(folder):
        yield (
            f"{other} holds other weights than {find_weights(folder)[0].name}, which is read, as by the stock "
            "library: remove whichever is not meant"
        )
    if sentences is None and (lost := sorted(path.parent.name for path in folder.glob("[0-9]*_*/config.json"))):
        yield (
            f"{', '.join(lost)} belong{'s' if len(lost) == 1 else ''} to a folder of sentence-transformers, whose "
            f"{MODULES} is not here: what stands there is not read"
        )
    if sentences is not None and sentences.prompts:
        yield (
            f"it has prompts for texts ({', '.join(sentences.prompts)}), which are not put before them: do that in the "
            "texts themselves"
        )
