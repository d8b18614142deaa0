"""A checkpoint, opened once: is there anything in this folder that would be ignored?

Whoever opens a checkpoint comes here first. Every key of its config, every tensor (by name and shape, off the heads of
the files) and every side file that is known is used, known to be harmless, or refused by name before any work. The
stock library itself is asked which tensors a network wants and which it leaves: the network is built without memory,
on the meta device.

What nothing here reads is refused by whoever needs the checkpoint whole (:meth:`Checkpoint.whole`), and said once by
whoever takes its encoder alone (:meth:`Checkpoint.encoder`).
"""

from __future__ import annotations

import copy
import json
import logging
import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, Self, cast

import torch
import transformers
from huggingface_hub import snapshot_download
from transformers import PretrainedConfig
from transformers.models.auto import modeling_auto
from transformers.utils import logging as library_logging

from subarch.errors import InputError
from subarch.networks.encoder import MODEL_TYPES, plain_config, require_encoder, stock_config
from subarch.networks.positions import longest_of
from subarch.networks.sentences import (
    MODULES,
    Activation,
    Embedding,
    SentenceFolder,
    activation_of,
    read_activation,
    read_sentence_folder,
)
from subarch.networks.weights import digest_of, find_weights, read_tensors, rival_of, weights_fingerprint
from subarch.progress import say_once

_LOG = logging.getLogger(__name__)

HELP = "give a preset (bort, mlp), a checkpoint folder, a Hugging Face name, or module.path:Name of a Family"

HeadKind = Literal["classification", "regression", "choice", "masked-lm", "encoder", "other"]


@dataclass(frozen=True)
class Head:
    """What a checkpoint has behind its encoder.

    Attributes:
        kind: what it predicts; ``other``: something that nothing here reads.
        name: of the class, as the config has it.
        words: what it does.
        stock: name of the stock library's ``Auto`` class that opens it.
    """

    kind: HeadKind
    name: str
    words: str
    stock: str

    def opened_by(self, config: PretrainedConfig) -> Any:
        """The stock class for this head and a kind of network; None where there is none."""
        return _class_of(self.stock, config)


@dataclass(frozen=True)
class Checkpoint:
    """A folder with a stock network, every part of which is accounted for.

    Attributes:
        name: as it was asked for.
        folder: of config, weights and tokenizer.
        config: with all defaults written out.
        head: what it has behind its encoder.
        label_names: of its classes, in the order of its outputs.
        shapes: of all tensors by their names in the files.
        longest: tokens that it has positions for; None: any number.
        embedding: what a folder of sentence-transformers makes of the encoder's states.
        activation: what the one output of a cross-encoder goes through.
        left: what nothing here reads, in words.
        remarks: what holds for every use.
        files: beside config and weights, of which the meaning depends.
    """

    name: str
    folder: Path
    config: Mapping[str, Any]
    head: Head
    label_names: tuple[str, ...]
    shapes: Mapping[str, tuple[int, ...]]
    longest: int | None
    embedding: Embedding | None
    activation: Activation | None
    left: tuple[str, ...]
    remarks: tuple[str, ...]
    files: tuple[Path, ...]

    @property
    def fingerprint(self) -> str:
        """Digest of config, weights, and of what else decides on its answers."""
        weights = weights_fingerprint(self.folder)
        return weights if not self.files else f"{weights} {digest_of(self.files)}"

    def whole(self) -> Self:
        """The same, for whoever runs the network as it is.

        Raises:
            ValueError: naming what would be left out, and what works.
        """
        if self.left:
            raise InputError(f"{self.name}: {self.left[0]}. {_WORKS}")
        return self

    def encoder(self) -> Self:
        """The same, for whoever takes the encoder and leaves the rest, which is said once."""
        left = list(self.left)
        if self.embedding is not None:
            left.append(f"the pooling ({_pooled(self.embedding)}) of sentence-transformers")
        if left:
            say_once(
                _LOG, f"{self.folder}: the encoder alone is taken from it, and this is not used: {'; '.join(left)}"
            )
        return self


_WORKS = (
    "What is read whole: heads for sequence classification (one label a text), one number, multiple choice and masked "
    "words, and encoders with mean, first-token or maximum pooling. The encoder alone can be saved and used: "
    "AutoModel.from_pretrained(FOLDER).save_pretrained(OTHER)"
)


def _pooled(embedding: Embedding) -> str:
    words = {"mean": "mean of all tokens", "cls": "first token", "max": "largest of each unit"}[embedding.pooling]
    return words + (", scaled to unit length" if embedding.normalize else "")


# --- opening ----------------------------------------------------------------------------------------------------------


def open_checkpoint(given: str | Path | Checkpoint, *, encoder: bool = False) -> Checkpoint:
    """Open a checkpoint by its folder or Hugging Face name; weights are not read.

    Args:
        given: its name; one that is open already is given back.
        encoder: refuse whatever is no BERT or RoBERTa, before its weights are fetched.

    Raises:
        ValueError: for whatever is no checkpoint, cannot be read, or holds what would change its answers and is not
            computed here: an adapter, quantised weights, own code, tensors of the encoder that nothing asks for, sizes
            that disagree with the config; the message names it and says what to do.
    """
    if isinstance(given, Checkpoint):
        return given
    folder = find_checkpoint(str(given), encoder=encoder)
    opened = _opened(str(given), folder, tuple(_state(folder)))
    for words in opened.remarks:
        say_once(_LOG, f"{opened.folder}: {words}")
    return opened


def _state(folder: Path) -> Iterator[tuple[str, int, int]]:
    """What shows whether a folder has changed."""
    above = [folder.parent / MODULES] if (folder.parent / MODULES).is_file() else []
    for path in sorted([*folder.glob("*"), *folder.glob("*/*.json"), *above]):
        if path.is_file():
            found = path.stat()
            yield str(path), found.st_size, found.st_mtime_ns


@lru_cache(maxsize=32)
def _opened(name: str, folder: Path, _: tuple[tuple[str, int, int], ...]) -> Checkpoint:
    raw = _raw(folder)
    _require_stock(name, raw)
    config = read_config(folder)
    sentences = read_sentence_folder(folder)
    stock = _built(name, raw)
    shapes = read_tensors(folder).shapes
    word = read_activation(raw, folder)
    head, left = _head(raw, stock, shapes, sentences, word)
    left += _audit(name, config, stock, head, shapes)
    if sentences is not None and sentences.refused is not None and head.kind in ("encoder", "masked-lm", "other"):
        left.append(f"as a folder of sentence-transformers it asks for {sentences.refused}, which is not computed here")
    activation: Activation | None = None
    if head.kind == "regression":
        try:
            activation = activation_of(word)
        except ValueError as error:
            left.append(str(error))
    left += [words for file, words in _HEAD_FILES.items() if (folder / file).is_file()]
    return Checkpoint(
        name=name,
        folder=folder,
        config=config,
        head=head,
        label_names=_label_names(stock) if head.kind == "classification" else (),
        shapes=shapes,
        longest=longest_of(stock),
        embedding=None if sentences is None or head.kind != "encoder" else sentences.embedding,
        activation=activation,
        left=tuple(left),
        remarks=tuple(_remarks(folder, raw, sentences)),
        files=() if sentences is None else sentences.files,
    )


# --- folders ----------------------------------------------------------------------------------------------------------


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
            kind = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type")
            if kind not in MODEL_TYPES:
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
_HEAD_FILES: Mapping[str, str] = {
    "model_head.pkl": "the head that SetFit keeps in model_head.pkl is not read (a pickle can run any code)",
    "model_head.joblib": "the head that SetFit keeps in model_head.joblib is not read (a pickle can run any code)",
    "model_head.safetensors": "the head in model_head.safetensors is not read",
    "pytorch_model_head.bin": "the head that the library adapters keeps in pytorch_model_head.bin is not read",
}
_KNOWN_FILES = re.compile(
    r"(model|pytorch_model)(-\d+-of-\d+)?\.(safetensors|bin)|training_args\.bin|optimizer.*|scheduler\.pt|scaler\.pt|"
    r"rng_state.*|random_states.*|adapter_.*|model_head\.(pkl|joblib|safetensors)|pytorch_model_head\.bin|.*\.index\.json"
)


def _remarks(folder: Path, raw: Mapping[str, Any], sentences: SentenceFolder | None) -> Iterator[str]:
    if (words := _other_numbers(raw)) is not None:
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


# --- configs ----------------------------------------------------------------------------------------------------------


def read_config(path: Path) -> dict[str, Any]:
    """A config from a checkpoint folder or a ``config.json``, with all defaults written out.

    Raises:
        ValueError: for a file that is missing, no JSON object, or of a kind that the stock library does not know.
    """
    file = path / "config.json" if path.is_dir() else path
    data = _raw(path)
    try:
        _require_values(data)
        return plain_config(data)
    except ValueError as error:
        raise InputError(f"{file}: {error}") from error


def _raw(path: Path) -> dict[str, Any]:
    file = path / "config.json" if path.is_dir() else path
    try:
        data: Any = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # not UTF-8, or not JSON
        raise InputError(f"{file} is not valid JSON ({error}): was the download cut short?") from error
    if not isinstance(data, dict):
        raise InputError(f"{file} must hold a JSON object, got {type(data).__name__}")
    return cast("dict[str, Any]", data)


def _require_values(data: Mapping[str, Any]) -> None:
    """What the stock library would take in silence, or refuse without naming the field."""
    named = data.get("architectures")
    if named is not None and not (isinstance(named, list) and all(isinstance(one, str) for one in named)):
        raise InputError(f"architectures must be a list of names, got {named!r}")
    labels = data.get("id2label")
    if labels is not None:
        keys = sorted(labels, key=str) if isinstance(labels, dict) else None
        if keys is None or {str(key) for key in keys} != {str(n) for n in range(len(keys))}:
            raise InputError(f"id2label must name every output from 0 on, got {labels!r}")
        names = list(cast("dict[Any, Any]", labels).values())
        if not all(isinstance(name, str | int | float) for name in names) or len(set(map(str, names))) < len(names):
            raise InputError(f"id2label must give every output a name of its own, got {labels!r}")
    count = data.get("num_labels")
    if labels is not None and isinstance(count, int) and count != len(labels):
        raise InputError(f"num_labels is {count} and id2label has {len(labels)} names: put right whichever was edited")
    if count is not None and (not isinstance(count, int) or isinstance(count, bool) or count < 1):
        raise InputError(f"num_labels must be a whole number from 1 on, got {count!r}")
    if (problem := data.get("problem_type")) not in (None, *_PROBLEMS):
        raise InputError(f"problem_type must be one of {', '.join(_PROBLEMS)}, got {problem!r}")
    kind = data.get("dtype") or data.get("torch_dtype")
    if kind is not None and not isinstance(getattr(torch, str(kind).removeprefix("torch."), None), torch.dtype):
        raise InputError(f"{'dtype' if data.get('dtype') else 'torch_dtype'} must name a type of torch's, got {kind!r}")


def _other_numbers(data: Mapping[str, Any]) -> str | None:
    """What is wrong where ``label2id``, which nobody reads, says otherwise than ``id2label``."""
    numbers, names = data.get("label2id"), data.get("id2label")
    if not isinstance(numbers, dict) or all(str(name) == f"LABEL_{n}" for name, n in numbers.items()):
        return None
    if names is None:
        return "its config names classes in label2id alone, which is not read: write id2label"
    other = [name for n, name in names.items() if str(numbers.get(str(name))) != str(n)]
    if not other:
        return None
    return (
        f"label2id in its config says otherwise than id2label (of {other[0]!r}), which counts here and in the stock "
        "library: put right whichever was edited"
    )


_PROBLEMS = ("single_label_classification", "multi_label_classification", "regression")

# Keys that change what a network computes, and with which values the stock classes compute the same without them.
_CHANGES: Mapping[str, tuple[Any, ...]] = {
    "position_embedding_type": (None, "absolute"),
    "pruned_heads": (None, {}),
    "quantization_config": (None,),
    "adapters": (None, {}),
    "prefix_projection": (None, False),
    "pre_seq_len": (None,),
    "alibi": (None, False),
    "use_lora": (None, False),
}


def _require_stock(name: str, raw: Mapping[str, Any]) -> None:
    """Refuse what the stock library's classes do not compute as the config means it.

    Raises:
        ValueError: naming the key.
    """
    if own := raw.get("auto_map"):
        raise InputError(
            f"{name} asks for code of its own (auto_map in its config: {', '.join(map(str, own))}), which is never run "
            "here: give a checkpoint of a stock class; where the stock class computes the same, take auto_map out of "
            "config.json"
        )
    if (quantised := raw.get("quantization_config")) is not None:
        how = quantised.get("quant_method") if isinstance(quantised, dict) else None
        raise InputError(
            f"{name} has quantised weights ({how or 'quantization_config'} in its config), expected floats: give the "
            "model that it was made from, or save model.dequantize()"
        )
    kind = str(raw.get("model_type"))
    if raw.get("is_encoder_decoder") or raw.get("is_decoder") or raw.get("add_cross_attention") or _generates(kind):
        raise InputError(
            f"{name} is a decoder or has one (model_type {kind!r}{_listed(raw)}), which reads a text from one side or "
            "writes one: expected an encoder such as BERT"
        )
    known = {} if kind not in transformers.CONFIG_MAPPING else vars(transformers.CONFIG_MAPPING[kind]())
    for key, same in _CHANGES.items():
        value = raw.get(key)
        value = value.get("adapters", value) if isinstance(value, dict) else value
        if key in raw and key not in known and value not in same:
            raise InputError(
                f"{name}: {key} is {raw[key]!r} in its config, which the installed stock library does not compute for "
                f"{kind}: the network would answer otherwise than it was trained to. Give one with "
                f"{key} {same[-1]!r}, or run it with the version that made it"
            )


def _generates(kind: str) -> bool:
    speaks = kind in modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
    return speaks and kind not in modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES


def _listed(raw: Mapping[str, Any]) -> str:
    named = raw.get("architectures")
    return f", {', '.join(named)}" if named else ""


def _built(name: str, raw: Mapping[str, Any]) -> PretrainedConfig:
    """The config as an object of which a network can be made.

    Raises:
        ValueError: naming the fields for which none can be made.
    """
    config = stock_config(raw)
    if (error := _unbuildable(config)) is None:
        return config
    reason = str(error).strip() or type(error).__name__
    alone = [
        key
        for key in raw
        if key != "model_type"
        and (key.replace("_", " ").removeprefix("num ") in reason.lower() or _unbuildable(_less(raw, key)) is None)
    ]
    fields = ", ".join(f"{key} {raw[key]!r}" for key in alone)
    raise InputError(
        f"{name}: no network can be made of its config ({fields or 'several fields'}: {reason})"
    ) from error


def _less(raw: Mapping[str, Any], key: str) -> PretrainedConfig | None:
    try:
        return stock_config({name: value for name, value in raw.items() if name != key})
    except ValueError:
        return None


def _unbuildable(config: PretrainedConfig | None) -> Exception | None:
    if config is None:
        return ValueError("no config")
    kind = _class_of("AutoModel", config)
    if kind is None:
        return ValueError(f"the stock library has no network of model_type {config.model_type!r}")
    try:
        with torch.device("meta"):
            kind(config)
    except Exception as error:  # whatever a model's own code raises
        return error
    return None


def _label_names(config: PretrainedConfig) -> tuple[str, ...]:
    names: Any = config.id2label
    return tuple(str(names[n]) for n in range(int(cast("Any", config).num_labels)))


# --- heads ------------------------------------------------------------------------------------------------------------

# How the names of the stock library's classes end: what the head predicts, what it does, and what opens it.
_HEADS: Mapping[str, tuple[HeadKind, str, str]] = {
    "ForSequenceClassification": (
        "classification",
        "one label or number for a text",
        "AutoModelForSequenceClassification",
    ),
    "ForMultipleChoice": ("choice", "one of several candidates", "AutoModelForMultipleChoice"),
    "ForMaskedLM": ("masked-lm", "masked words", "AutoModelForMaskedLM"),
    "ForTokenClassification": ("other", "a label for each token", "AutoModelForTokenClassification"),
    "ForQuestionAnswering": ("other", "where in a text an answer is", "AutoModelForQuestionAnswering"),
    "ForNextSentencePrediction": ("other", "whether a sentence follows", "AutoModelForNextSentencePrediction"),
    "ForPreTraining": ("other", "masked words and a second task of pre-training", "AutoModelForPreTraining"),
    "LMHeadModel": ("other", "the next word", "AutoModelForCausalLM"),
    "ForCausalLM": ("other", "the next word", "AutoModelForCausalLM"),
    "Model": ("encoder", "none", "AutoModel"),
}
# Told from the tensors where the config names no class; the first that wants and gets them all.
_GUESSES = (
    "ForSequenceClassification",
    "ForTokenClassification",
    "ForQuestionAnswering",
    "ForMaskedLM",
    "ForPreTraining",
    "ForNextSentencePrediction",
    "ForMultipleChoice",
)


def _class_of(auto: str, config: PretrainedConfig) -> Any:
    mapping: Any = getattr(transformers, auto)._model_mapping
    return mapping[type(config)] if type(config) in mapping.keys() else None  # noqa: SIM118


def _head_named(name: str) -> Head | None:
    for end, (kind, words, stock) in _HEADS.items():
        if name.endswith(end):
            return Head(kind, name, words, stock)
    return None


def _head(
    raw: Mapping[str, Any],
    config: PretrainedConfig,
    shapes: Mapping[str, tuple[int, ...]],
    sentences: SentenceFolder | None,
    word: str | None,
) -> tuple[Head, list[str]]:
    """What is behind the encoder, and what of it nothing here reads."""
    named = [str(one).removeprefix("TF").removeprefix("Flax") for one in raw.get("architectures") or ()]
    if sentences is not None and sentences.embedding is not None:
        return Head("encoder", "sentence-transformers", "none", "AutoModel"), []
    if not named:
        head = _guessed(config, shapes)
    else:
        head = _head_named(named[0]) or Head("other", named[0], "something that the stock library does not know", "")
        if not head.stock or head.opened_by(config) is None:
            head = Head("other", head.name, head.words, "AutoModel")
    if head.kind != "classification":
        left = [f"its head {head.name} ({head.words}) is not read"] if head.kind == "other" else []
        return head, left
    return _classifier(config, head, word)


def _classifier(config: PretrainedConfig, head: Head, word: str | None) -> tuple[Head, list[str]]:
    """Classes, a number, or outputs that are independent of one another.

    Args:
        config: of the network.
        head: for sequence classification.
        word: what its outputs go through, as :func:`read_activation` says.
    """
    count = int(cast("Any", config).num_labels)
    several = count > 1
    if config.problem_type == "multi_label_classification" or (several and word == "Sigmoid"):
        why = "an activation Sigmoid" if word == "Sigmoid" else "problem_type multi_label_classification"
        words = f"several labels a text, each output with a sigmoid of its own ({why} in its config)"
        return Head("other", head.name, words, head.stock), [f"its head {head.name} ({words}) is not read"]
    if config.problem_type == "regression" or not several:
        head = Head("regression", head.name, "one number for a text", head.stock)
        return head, [f"its head {head.name} gives {count} numbers, expected one"] if several else []
    if word not in (None, "Identity", "Softmax"):
        return head, [f"its outputs go through {word}, expected a softmax"]
    return head, []


def _guessed(config: PretrainedConfig, shapes: Mapping[str, tuple[int, ...]]) -> Head:
    for end in _GUESSES:
        kind, words, stock = _HEADS[end]
        if (made := _class_of(stock, config)) is None:
            continue
        found = _compared(made, config, shapes)
        if not found.missing and not found.outside(made) and not found.inside(made):
            return Head(kind, made.__name__, words, stock)
    made = _class_of("AutoModel", config)
    return Head("encoder", made.__name__, "none", "AutoModel")


# --- tensors ----------------------------------------------------------------------------------------------------------

# Tensors that stock checkpoints carry along, and that change nothing: heads of pre-training and ties beside the words'.
_HARMLESS = re.compile(
    r"(^|\.)(position_ids|token_type_ids)$|^cls\.seq_relationship\.|^cls\.predictions\.decoder\.|^lm_head\.decoder\.|"
    r"(^|\.)pooler\.dense\.|^cls\.predictions\.bias$|^lm_head\.bias$"
)
_POOLER = re.compile(r"(^|\.)pooler\.")
_LANGUAGE = re.compile(r"^(cls|lm_head|predictions|generator_predictions|generator_lm_head|vocab_[a-z_]+|mlm)\b")


@dataclass(frozen=True)
class _Compared:
    """What a network wants and what a checkpoint has: names, and sizes that differ (name, has, wants)."""

    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    mismatched: tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...]
    parts: frozenset[str]

    def inside(self, kind: Any) -> list[str]:
        """Tensors of the encoder that nothing asks for."""
        return [name for name in self.unexpected if _in_encoder(name, kind.base_model_prefix, self.parts)]

    def outside(self, kind: Any) -> list[str]:
        """Tensors of a head that nothing asks for."""
        inside = set(self.inside(kind))
        return [name for name in self.unexpected if name not in inside]


@contextmanager
def quietly() -> Generator[None]:
    """Without the stock library's remarks on weights that a head of another kind leaves over."""
    level, bars = library_logging.get_verbosity(), library_logging.is_progress_bar_enabled()
    library_logging.set_verbosity_error()
    library_logging.disable_progress_bar()
    try:
        yield
    finally:
        library_logging.set_verbosity(level)
        if bars:
            library_logging.enable_progress_bar()


def _in_encoder(name: str, prefix: str, parts: frozenset[str]) -> bool:
    return name.startswith(f"{prefix}.") or name.partition(".")[0] in parts


def _compared(kind: Any, config: PretrainedConfig, shapes: Mapping[str, tuple[int, ...]]) -> _Compared:
    """What the stock library says, without a single weight."""
    state = {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}
    with quietly():
        model, found = kind.from_pretrained(
            None,
            config=copy.deepcopy(config),
            state_dict=state,
            device_map={"": "meta"},
            output_loading_info=True,
            ignore_mismatched_sizes=True,
        )
    unexpected = sorted(name for name in found["unexpected_keys"] if not _HARMLESS.search(name))
    sizes = sorted((str(name), tuple(has), tuple(wants)) for name, has, wants in found["mismatched_keys"])
    parts = frozenset(name for name, _ in model.base_model.named_children())
    return _Compared(tuple(sorted(found["missing_keys"])), tuple(unexpected), tuple(sizes), parts)


def _audit(
    name: str,
    config: Mapping[str, Any],
    stock: PretrainedConfig,
    head: Head,
    shapes: Mapping[str, tuple[int, ...]],
) -> list[str]:
    """Account for every tensor; what a head has too much or too little, in words.

    Raises:
        ValueError: for tensors of the encoder that are missing, left over, or of another size.
    """
    kind = head.opened_by(stock)
    found = _compared(kind, stock, shapes)
    prefix = kind.base_model_prefix

    def encoders(tensor: str) -> bool:
        return _in_encoder(tensor, prefix, found.parts) and not _POOLER.search(tensor)

    for tensor, has, wants in found.mismatched:
        if encoders(tensor) or head.kind == "encoder":
            raise InputError(_misfit(name, tensor, has, wants, config))
    if missing := [tensor for tensor in found.missing if encoders(tensor)]:
        raise InputError(_absent(name, missing, shapes, prefix))
    if inside := found.inside(kind):
        raise InputError(_leftover(name, inside, config))
    left = [_misfit(name, *one, config).partition(": ")[2] for one in found.mismatched]
    if lost := [tensor for tensor in found.missing if head.kind != "encoder"]:
        left.append(f"its weights lack {len(lost)} tensors that its head {head.name} has (such as {lost[0]})")
    outside = found.outside(kind)
    # A language model's head behind another one is left from its pre-training.
    outside = [tensor for tensor in outside if head.kind == "encoder" or not _LANGUAGE.search(tensor)]
    if outside and head.name != "sentence-transformers" and head.kind != "other":
        left.append(
            f"its weights have {len(outside)} tensors that its class {head.name} does not ask for (such as {outside[0]}"
            "): a head that the config does not name?"
        )
    return left


def _misfit(name: str, tensor: str, has: Sequence[int], wants: Sequence[int], config: Mapping[str, Any]) -> str:
    sizes = [want for have, want in zip(has, wants, strict=False) if have != want]
    keys = [key for key, value in config.items() if value in sizes and not isinstance(value, bool)]
    said = f" ({', '.join(f'{key} {config[key]}' for key in keys)})" if keys else ""
    return (
        f"{name}: the tensor {tensor} has the size {_times(has)} in the weights and {_times(wants)} by the config{said}"
        ": they do not belong together. Put right whichever was edited or copied; only a head may be of another size"
    )


def _times(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape)) or "1"


def _absent(name: str, missing: Sequence[str], shapes: Mapping[str, tuple[int, ...]], prefix: str) -> str:
    bare = missing[0].removeprefix(f"{prefix}.")
    hit = next((tensor for tensor in shapes if tensor.endswith(f".{bare}")), None)
    if hit is not None:
        wrapper = hit.removesuffix(bare).removesuffix(f"{prefix}.") or f"{prefix}."
        return (
            f"{name}: the names of its tensors begin with the prefix {wrapper!r} (such as {hit}), as a wrapper around "
            "the network leaves them, and the stock library finds none of them. Save the network inside it "
            "(wrapper.module.save_pretrained(FOLDER)), or take the prefix off every name: "
            f"{{name.removeprefix({wrapper!r}): tensor}}"
        )
    return (
        f"the weights of {name} lack {len(missing)} tensors that its config asks for (such as {missing[0]}): is the "
        "checkpoint whole, and do its config and its weights belong together?"
    )


def _leftover(name: str, inside: Sequence[str], config: Mapping[str, Any]) -> str:
    told = f"{name}: its encoder has {len(inside)} tensors that nothing asks for (such as {inside[0]})"
    if any("lora_" in tensor or ".base_layer." in tensor for tensor in inside):
        return f"{told}, those of an adapter that was not merged: merge_and_unload(), then save_pretrained(FOLDER)"
    deeper = [tensor for tensor in inside if re.search(r"\.layers?\.\d+\.", tensor)]
    layers = config.get("num_hidden_layers") or config.get("n_layers")
    numbers = {int(cast("Any", re.search(r"\.layers?\.(\d+)\.", tensor)).group(1)) for tensor in deeper}
    if layers is not None and numbers and min(numbers) >= int(layers):
        return f"{told}: its weights have {max(numbers) + 1} layers, its config {layers}. Put right which was edited"
    if any("distance_embedding" in tensor for tensor in inside):
        return f"{told}: relative positions, which the installed stock library no longer computes for this class"
    return f"{told}: the network would answer otherwise than it was trained to. Is the config the weights' own?"
