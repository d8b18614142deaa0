"""Every odd kind of folder is used whole, or refused by name, by whoever can open it.

Each row of the table makes one tiny folder with the stock library's own classes and says what four openers do with it:
``answers`` (evaluate, predict, submit, a teacher), ``exports`` (export, bench), ``starts`` (a fine-tuning) and
``searches`` (extract, compress, pretrain). Where a folder is used, it says what the network that was saved says.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers as stock
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch.nn.functional import normalize

from subarch.learning.checkpoints import longest_text, open_fitted
from subarch.learning.heads import Target, from_checkpoint, outputs
from subarch.learning.teachers import open_teacher
from subarch.networks.checkpoints import open_checkpoint
from subarch.networks.loading import whole_network
from subarch.networks.sources import open_source
from subarch.running.conversion import TorchProgram
from subarch.running.graphs import Graph
from subarch.running.predictor import answers
from subarch.tasks.kinds.table import kind_of
from subarch.text.encoding import tokenize
from subarch.text.examples import Example
from subarch.text.tokenizers import load_tokenizer

# fmt: off
WORDS = [
    "good", "bad", "fine", "poor", "film", "play", "story", "actor", "scene", "long",
    "short", "the", "a", "of", "and", "is", "was", "very", "not", "rather",
]
# fmt: on
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
SIZES = {"num_hidden_layers": 2, "hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 24}
TEXTS = [Example("good film"), Example("the story was not very long"), Example("bad")]
Vectors = list[NDArray[np.float32]]


# --- what a folder is made of -----------------------------------------------------------------------------------------


def network(kind: str = "BertForSequenceClassification", **given: Any) -> Any:
    torch.manual_seed(1)
    settings = {**SIZES, "vocab_size": len(VOCABULARY), "max_position_embeddings": 32, "initializer_range": 0.5}
    config = stock.BertConfig(**{**settings, **given})
    return getattr(stock, kind)(config).eval()


def words(folder: Path, vocabulary: list[str] = VOCABULARY, **said: Any) -> None:
    """A vocabulary and how it is read: files as the stock library's first versions left them."""
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    if said:
        (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer", **said}))


def save(folder: Path, model: Any) -> Any:
    model.save_pretrained(folder)
    words(folder, do_lower_case=True)
    return model


def edit(file: Path, **changes: Any) -> None:
    found = json.loads(file.read_text()) if file.is_file() else {}
    for name, value in changes.items():
        found.pop(name, None)
        if value is not None:
            found[name] = value
    file.write_text(json.dumps(found))


def tensors(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def put(folder: Path, found: dict[str, torch.Tensor]) -> None:
    whole = {name: value.contiguous().clone() for name, value in found.items()}
    save_file(whole, folder / "model.safetensors", metadata={"format": "pt"})


def with_config(kind: str = "BertForSequenceClassification", **changes: Any) -> Callable[[Path], Any]:
    def make(folder: Path) -> Any:
        model = save(folder, network(kind))
        edit(folder / "config.json", **changes)
        return model

    return make


def of(kind: str, **given: Any) -> Callable[[Path], Any]:
    return lambda folder: save(folder, network(kind, **given))


def renamed(change: Callable[[str], str], kind: str = "BertForSequenceClassification") -> Callable[[Path], Any]:
    def make(folder: Path) -> Any:
        model = save(folder, network(kind))
        put(folder, {change(name): value for name, value in tensors(folder).items()})
        return model

    return make


def also(**more: tuple[int, ...]) -> Callable[[Path], Any]:
    """Tensors that nothing asks for; dots are written as two underscores."""

    def make(folder: Path) -> Any:
        model = save(folder, network())
        extra = {name.replace("__", "."): torch.ones(shape) for name, shape in more.items()}
        put(folder, tensors(folder) | extra)
        return model

    return make


def in_torch(*, shards: int = 1, lose: bool = False, protocol: bool = True) -> Callable[[Path], Any]:
    def make(folder: Path) -> Any:
        model = save(folder, network())
        found = tensors(folder)
        (folder / "model.safetensors").unlink()
        if shards == 1:
            torch.save(found, folder / "pytorch_model.bin", _use_new_zipfile_serialization=protocol)
            return model
        placed: dict[str, str] = {}
        for n in range(shards):
            name = f"pytorch_model-{n + 1:05d}-of-{shards:05d}.bin"
            part = dict(sorted(found.items())[n::shards])
            torch.save(part, folder / name)
            placed |= dict.fromkeys(part, name)
        index = {"metadata": {}, "weight_map": placed}
        (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index))
        if lose:
            (folder / "pytorch_model-00002-of-00003.bin").unlink()
        return model

    return make


def two_files(more: float) -> Callable[[Path], Any]:
    """Weights in both formats, of which the second have so much added."""

    def make(folder: Path) -> Any:
        model = save(folder, network())
        torch.save({name: value + more for name, value in tensors(folder).items()}, folder / "pytorch_model.bin")
        return model

    return make


def filled(value: float) -> Callable[[Path], Any]:
    def make(folder: Path) -> Any:
        model = save(folder, network())
        put(folder, tensors(folder) | {"classifier.bias": torch.full((2,), value)})
        return model

    return make


def in_integers(folder: Path) -> Any:
    model = save(folder, network())
    put(folder, {name: (10 * value).to(torch.int8) for name, value in tensors(folder).items()})
    return model


def beside(name: str) -> Callable[[Path], Any]:
    """One more file, of which only its name is known."""

    def make(folder: Path) -> Any:
        model = save(folder, network())
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"{}")
        return model

    return make


def with_words(change: Callable[[str], str]) -> Callable[[Path], Any]:
    def make(folder: Path) -> Any:
        model = save(folder, network())
        (folder / "vocab.txt").write_bytes(change("\n".join(VOCABULARY) + "\n").encode())
        return model

    return make


def in_safe_shards(folder: Path) -> Any:
    model = network()
    model.save_pretrained(folder, max_shard_size="4KB")
    words(folder, do_lower_case=True)
    assert (folder / "model.safetensors.index.json").is_file()
    return model


def instead(name: str, content: bytes, *, drop: bool = True) -> Callable[[Path], Any]:
    """Another file in place of, or beside, the weights."""

    def make(folder: Path) -> Any:
        model = save(folder, network())
        if drop:
            (folder / "model.safetensors").unlink()
        (folder / name).write_bytes(content)
        return model

    return make


def cut(folder: Path) -> Any:
    save(folder, network())
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])


def adapter(
    settings: dict[str, Any], *, beside: bool, file: str = "adapter_model.safetensors"
) -> Callable[[Path], Any]:
    def make(folder: Path) -> None:
        save(folder, network())
        (folder / "adapter_config.json").write_text(json.dumps(settings))
        (folder / file).write_bytes(b"not read")
        if not beside:
            (folder / "config.json").unlink()
            (folder / "model.safetensors").unlink()

    return make


def sentences(
    modules: list[str],
    pooling: dict[str, Any] | None = None,
    *,
    settings: dict[str, Any] | None = None,
    length: dict[str, Any] | None = None,
    older: bool = False,
    kind: str = "BertModel",
) -> Callable[[Path], Any]:
    """A folder of sentence-transformers, as its library writes it."""

    def make(folder: Path) -> Any:
        first = "0_Transformer" if older else ""
        encoder = folder / first
        encoder.mkdir(exist_ok=True)
        model = save(encoder, network(kind))
        paths = [first, *(f"{n}_{name}" for n, name in enumerate(modules[1:], 1))]
        listed = [
            {"idx": n, "name": str(n), "path": path, "type": f"sentence_transformers.models.{name}"}
            for n, (name, path) in enumerate(zip(modules, paths, strict=True))
        ]
        (folder / "modules.json").write_text(json.dumps(listed))
        for path in paths[1:]:
            (folder / path).mkdir()
            (folder / path / "config.json").write_text(json.dumps(pooling or {"word_embedding_dimension": 16}))
        (encoder / "sentence_bert_config.json").write_text(json.dumps(length or {"max_seq_length": 4}))
        if settings is not None:
            (folder / "config_sentence_transformers.json").write_text(json.dumps(settings))
        return model

    return make


def flags(way: str) -> dict[str, Any]:
    ways = ("cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken")
    return {"word_embedding_dimension": 16} | {f"pooling_mode_{one}": one == way for one in ways}


def few_labels(folder: Path) -> Any:
    model = sentences(["Transformer", "Pooling"], flags("mean_tokens"))(folder)
    (folder / "config_setfit.json").write_text('{"labels": ["no", "yes"]}')
    (folder / "model_head.pkl").write_bytes(b"never opened")
    return model


def cross(word: str, place: str = "config", *, num_labels: int = 1) -> Callable[[Path], Any]:
    """A cross-encoder whose output goes through something that a key of sentence-transformers names."""

    def make(folder: Path) -> Any:
        model = save(folder, network(num_labels=num_labels))
        if place == "config":
            edit(folder / "config.json", sentence_transformers={"activation_fn": word, "version": "5.0.0"})
        elif place == "beside":
            (folder / "config_sentence_transformers.json").write_text(json.dumps({"activation_fn": word}))
        else:
            edit(folder / "config.json", **{place: word})
        return model

    return make


def decoder(folder: Path) -> None:
    sizes = {"n_layer": 1, "n_head": 2, "n_embd": 8, "vocab_size": len(VOCABULARY)}
    save(folder, stock.GPT2ForSequenceClassification(stock.GPT2Config(**sizes, pad_token_id=0)))


def writes_texts(folder: Path) -> None:
    sizes = {"encoder_layers": 1, "decoder_layers": 1, "d_model": 8, "encoder_attention_heads": 2}
    more = {"decoder_attention_heads": 2, "vocab_size": len(VOCABULARY), "encoder_ffn_dim": 8, "decoder_ffn_dim": 8}
    save(folder, stock.BartForConditionalGeneration(stock.BartConfig(**sizes, **more)))


def three_rows(folder: Path) -> Any:
    model = save(folder, network(num_labels=3))
    edit(folder / "config.json", id2label=None, label2id=None)  # two classes are what no names mean
    return model


def without_tokenizer(folder: Path) -> None:
    with_config(_name_or_path="some/base-uncased")(folder)
    for name in ("vocab.txt", "tokenizer_config.json"):
        (folder / name).unlink()


def from_a_trainer(folder: Path) -> None:
    for step in (500, 1000):
        (folder / f"checkpoint-{step}").mkdir(parents=True)
        save(folder / f"checkpoint-{step}", network())


def too_many_words(folder: Path) -> None:
    save(folder, network())
    words(folder, [*VOCABULARY, "more", "words"], do_lower_case=True)


# --- what is expected -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Refused:
    """A ValueError with all of these words."""

    words: tuple[str, ...]


@dataclass(frozen=True)
class Told:
    """It works, and a warning has all of these words."""

    words: tuple[str, ...]


Expected = Refused | Told | Callable[[Any], Vectors] | None
"""Without a word None: what the saved network says; a function: of the saved network, computed by hand."""


def no(*words: str) -> Refused:
    return Refused(words)


def told(*words: str) -> Told:
    return Told(words)


def encoded(length: int = 32) -> list[dict[str, torch.Tensor]]:
    """The texts one by one, their tokens looked up by hand."""
    found: list[dict[str, torch.Tensor]] = []
    for example in TEXTS:
        ids = [VOCABULARY.index(word) for word in example.first.split()][: length - 2]
        found.append({"input_ids": torch.tensor([[2, *ids, 3]])})
    return found


@torch.no_grad()
def logits(model: Any) -> Vectors:
    return [model(**one).logits[0].numpy() for one in encoded()]


def tagged(model: Any) -> Vectors:
    """Of every token but the special ones."""
    return [one[1:-1] for one in logits(model)]


def by_hand(pool: Callable[[torch.Tensor], torch.Tensor], length: int = 4) -> Callable[[Any], Vectors]:
    """Pooled states ``(length, hidden)`` of texts that are cut to so many tokens."""

    @torch.no_grad()
    def pooled(model: Any) -> Vectors:
        return [pool(model(**one).last_hidden_state[0]).numpy() for one in encoded(length)]

    return pooled


def through(function: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[Any], Vectors]:
    return lambda model: [function(torch.tensor(one)).numpy() for one in logits(model)]


MEAN = by_hand(lambda states: states.mean(0), 32)
NO_TASK = no("no head for a task")
RELATIVE = no("position_embedding_type", "relative_key")


# Of each row: what makes the folder; then what answers, exports, starts and searches do.
TABLE: dict[str, tuple[Callable[[Path], Any], Expected, Expected, Expected, Expected]] = {
    # used whole, as the stock library does
    "a classifier": (of("BertForSequenceClassification"), logits, logits, None, None),
    "one number": (of("BertForSequenceClassification", num_labels=1), logits, logits, None, None),
    "a language model": (of("BertForMaskedLM"), NO_TASK, None, None, None),
    "an encoder": (of("BertModel"), NO_TASK, MEAN, None, None),
    "weights of torch": (in_torch(), logits, logits, None, None),
    "weights of old torch": (in_torch(protocol=False), logits, logits, None, None),
    "shards of torch": (in_torch(shards=3), logits, logits, None, None),
    "shards": (in_safe_shards, logits, logits, None, None),
    "no class is named": (with_config(architectures=None), logits, logits, None, None),
    "a bare encoder's names": (renamed(lambda n: n.removeprefix("bert.")), logits, logits, None, None),
    "names of the first versions": (
        renamed(lambda n: n.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")),
        logits,
        logits,
        None,
        None,
    ),
    "a head of pre-training is left": (also(cls__seq_relationship__weight=(2, 16)), logits, logits, None, None),
    "positions are kept": (also(bert__embeddings__position_ids=(1, 32)), logits, logits, None, None),
    "keys of others": (
        with_config(pooler_type="first_token_transform", output_past=True, directionality="bidi", adapters={}),
        logits,
        logits,
        None,
        None,
    ),
    # weights that are not there, or not whole
    "a shard is missing": (in_torch(shards=3, lose=True), *(no("pytorch_model-00002-of-00003.bin"),) * 4),
    "a pointer": (instead("model.safetensors", b"version https://git-lfs.github.com/spec/v1\n"), *(no("LFS"),) * 4),
    "an empty file": (instead("model.safetensors", b""), *(no("model.safetensors is empty"),) * 4),
    "a cut file": (cut, *(no("cannot be loaded", "cut short"),) * 4),
    "TensorFlow's": (instead("tf_model.h5", b"x"), *(no("TensorFlow", "tf_model.h5"),) * 4),
    "Flax's": (instead("flax_model.msgpack", b"x"), *(no("Flax", "flax_model.msgpack"),) * 4),
    "a file for llama.cpp": (instead("model.gguf", b"x"), *(no("GGUF", "model.gguf"),) * 4),
    "what a trainer leaves": (from_a_trainer, *(no("checkpoint-500", "checkpoint-1000"),) * 4),
    "two files that differ": (two_files(1.0), *(told("pytorch_model.bin", "other weights"),) * 4),
    "two files alike": (two_files(0.0), logits, logits, None, None),
    "no numbers": (filled(float("nan")), *(no("not finite", "classifier.bias"),) * 2, None, None),
    "infinity": (filled(float("inf")), *(no("not finite", "classifier.bias"),) * 2, None, None),
    "whole numbers": (in_integers, *(no("quantised"),) * 4),
    # names
    "a wrapper for processors": (renamed(lambda n: f"module.{n}"), *(no("prefix 'module.'", "removeprefix"),) * 4),
    "a compiled network": (renamed(lambda n: f"_orig_mod.{n}"), *(no("prefix '_orig_mod.'"),) * 4),
    "a doubled name": (renamed(lambda n: n.replace("bert.", "bert.bert.")), logits, logits, None, None),
    "a wrapper around an encoder": (renamed(lambda n: f"encoder.{n}", "BertModel"), *(no("prefix 'encoder.'"),) * 4),
    # adapters, quantised weights, own code
    "LoRA alone": (adapter({"peft_type": "LORA"}, beside=False), *(no("LORA", "merge_and_unload"),) * 4),
    "LoRA beside its base": (adapter({"peft_type": "LORA"}, beside=True), *(no("LORA", "beside its base"),) * 4),
    "prompts": (adapter({"peft_type": "PROMPT_TUNING"}, beside=True), *(no("PROMPT_TUNING", "cannot be merged"),) * 4),
    "of the library adapters": (
        adapter({"model_class": "BertModel"}, beside=True, file="pytorch_adapter.bin"),
        *(no("library adapters", "merge_adapter"),) * 4,
    ),
    "LoRA within": (
        also(bert__encoder__layer__0__attention__self__query__lora_A__weight=(2, 16)),
        *(no("lora_A", "merge_and_unload"),) * 4,
    ),
    "quantised": (with_config(quantization_config={"quant_method": "gptq"}), *(no("quantised", "gptq"),) * 4),
    "quantised tensors": (also(bert__pooler__dense__qweight=(2, 2)), *(no("quantised", "qweight"),) * 4),
    "own code": (with_config(auto_map={"AutoModel": "mine.Mine"}), *(no("auto_map", "code of its own"),) * 4),
    "a decoder": (decoder, *(no("decoder", "gpt2"),) * 3, no("gpt2")),
    "a masked decoder": (with_config(is_decoder=True), *(no("decoder"),) * 4),
    "an encoder and a decoder": (writes_texts, *(no("decoder", "bart"),) * 3, no("bart")),
    # configs
    "relative positions": (with_config(position_embedding_type="relative_key_query"), *(RELATIVE,) * 4),
    "relative tables": (
        also(bert__encoder__layer__0__attention__self__distance_embedding__weight=(63, 8)),
        *(no("distance_embedding", "relative positions"),) * 4,
    ),
    "pruned": (with_config(pruned_heads={"0": [1]}), *(no("pruned_heads"),) * 4),
    "a size as text": (with_config(hidden_size="16"), *(no("hidden_size"),) * 4),
    "a small number as text": (with_config(layer_norm_eps="1e-12"), *(no("layer_norm_eps"),) * 4),
    "an unknown function": (with_config(hidden_act="jelu"), *(no("hidden_act", "jelu"),) * 4),
    "heads that do not divide": (with_config(num_attention_heads=3), *(no("num_attention_heads"),) * 4),
    "labels with a gap": (with_config(id2label={"0": "a", "2": "b"}), *(no("id2label"),) * 4),
    "labels alike": (with_config(id2label={"0": "a", "1": "a"}), *(no("id2label", "of its own"),) * 4),
    "labels without a name": (with_config(id2label={"0": None, "1": "a"}), *(no("id2label", "of its own"),) * 4),
    "labels and their number": (
        with_config(num_labels=2, id2label={"0": "a", "1": "b", "2": "c"}),
        *(no("num_labels is 2", "3 names"),) * 4,
    ),
    "labels in another order": (
        with_config(id2label={"1": "b", "0": "a"}, label2id={"b": 1, "a": 0}),
        logits,
        logits,
        None,
        None,
    ),
    "labels said twice": (
        with_config(id2label={"0": "a", "1": "b"}, label2id={"a": 1, "b": 0}),
        *(told("label2id", "otherwise"),) * 4,
    ),
    "labels by name alone": (
        with_config(id2label=None, label2id={"no": 0, "yes": 1}),
        *(told("label2id", "write id2label"),) * 4,
    ),
    "another vocabulary": (with_config(vocab_size=400), *(no("word_embeddings", "25 x 16", "vocab_size 400"),) * 4),
    "fewer positions": (with_config(max_position_embeddings=16), *(no("position_embeddings", "32 x 16"),) * 4),
    "fewer layers": (with_config(num_hidden_layers=1), *(no("2 layers, its config 1"),) * 4),
    "more layers": (with_config(num_hidden_layers=3), *(no("lack", "layer.2"),) * 4),
    # heads
    "three rows for two classes": (
        three_rows,
        no("classifier.", "3"),
        no("classifier.", "3"),
        told("classifier."),
        no("classifier."),
    ),
    "a head without a name": (
        with_config(architectures=["BertModel"]),
        no("classifier."),
        no("classifier.", "BertModel"),
        told("classifier."),
        told("classifier."),
    ),
    "several labels": (
        of("BertForSequenceClassification", num_labels=3, problem_type="multi_label_classification"),
        logits,
        logits,
        None,
        None,
    ),
    "several sigmoids": (
        cross("sigmoid", "function_to_apply", num_labels=3),
        logits,
        logits,
        None,
        None,
    ),
    "several numbers": (
        of("BertForSequenceClassification", num_labels=3, problem_type="regression"),
        no("3 numbers"),
        no("3 numbers"),
        told("3 numbers"),
        no("3 numbers"),
    ),
    "labels of tokens": (
        of("BertForTokenClassification"),
        tagged,
        tagged,
        None,
        None,
    ),
    "labels of tokens, unnamed": (
        with_config("BertForTokenClassification", architectures=None),
        tagged,
        tagged,
        None,
        None,
    ),
    "questions": (
        of("BertForQuestionAnswering"),
        *(no("BertForQuestionAnswering"),) * 2,
        told("BertForQuestionAnswering"),
        no("BertForQuestionAnswering"),
    ),
    "next sentences": (
        of("BertForNextSentencePrediction"),
        *(no("BertForNextSentencePrediction"),) * 2,
        told("BertForNextSentencePrediction"),
        no("BertForNextSentencePrediction"),
    ),
    "pre-training": (
        of("BertForPreTraining"),
        *(no("BertForPreTraining"),) * 2,
        told("BertForPreTraining"),
        told("BertForPreTraining"),
    ),
    "a class of somebody's": (
        with_config(architectures=["BertForMultiLabelThings"]),
        *(no("BertForMultiLabelThings"),) * 2,
        told("BertForMultiLabelThings"),
        no("BertForMultiLabelThings"),
    ),
    "a choice": (of("BertForMultipleChoice"), None, None, None, no("BertForMultipleChoice", "search")),
    # sentence-transformers
    "first token, unit length": (
        sentences(["Transformer", "Pooling", "Normalize"], flags("cls_token")),
        NO_TASK,
        by_hand(lambda states: normalize(states[0], dim=-1)),
        told("first token", "not used"),
        told("first token", "not used"),
    ),
    "the mean": (
        sentences(["Transformer", "Pooling"], flags("mean_tokens")),
        NO_TASK,
        by_hand(lambda states: states.mean(0)),
        told("mean"),
        told("mean"),
    ),
    "the largest, newer words": (
        sentences(["Transformer", "Pooling", "Dropout"], {"embedding_dimension": 16, "pooling_mode": "max"}),
        NO_TASK,
        by_hand(lambda states: states.amax(0)),
        told("largest"),
        told("largest"),
    ),
    "the older layout": (
        sentences(["Transformer", "Pooling"], flags("cls_token"), older=True),
        NO_TASK,
        by_hand(lambda states: states[0]),
        told("first token"),
        told("first token"),
    ),
    "weighted": (
        sentences(["Transformer", "Pooling"], flags("weightedmean_tokens")),
        *(no("weightedmean"),) * 2,
        told("weightedmean"),
        told("weightedmean"),
    ),
    "two poolings": (
        sentences(["Transformer", "Pooling"], flags("cls_token") | {"pooling_mode_mean_tokens": True}),
        *(no("cls and mean"),) * 2,
        told("cls and mean"),
        told("cls and mean"),
    ),
    "a dense layer": (
        sentences(["Transformer", "Pooling", "Dense"], flags("mean_tokens")),
        *(no("module Dense"),) * 2,
        told("module Dense"),
        told("module Dense"),
    ),
    "a prompt": (
        sentences(
            ["Transformer", "Pooling"],
            flags("mean_tokens"),
            settings={"prompts": {"query": "query: "}, "default_prompt_name": "query"},
        ),
        *(no("prompt 'query: '"),) * 2,
        told("prompt 'query: '"),
        told("prompt 'query: '"),
    ),
    "prompts to choose": (
        sentences(["Transformer", "Pooling"], flags("mean_tokens"), settings={"prompts": {"query": "query: "}}),
        NO_TASK,
        told("prompts", "query"),
        told("prompts", "query"),
        told("prompts", "query"),
    ),
    "no encoder first": (sentences(["CLIPModel"]), *(no("CLIPModel"),) * 4),
    "SetFit": (few_labels, *(no("SetFit", "model_head.pkl"),) * 2, told("SetFit"), told("SetFit")),
    "a sigmoid": (
        cross("torch.nn.modules.activation.Sigmoid"),
        through(torch.sigmoid),
        through(torch.sigmoid),
        None,
        None,
    ),
    "an older sigmoid": (
        cross("torch.nn.modules.activation.Sigmoid", "sbert_ce_default_activation_function"),
        through(torch.sigmoid),
        through(torch.sigmoid),
        None,
        None,
    ),
    "a tangent beside": (cross("torch.nn.Tanh", "beside"), through(torch.tanh), through(torch.tanh), None, None),
    "nothing": (cross("torch.nn.modules.linear.Identity"), logits, logits, None, None),
    "an unknown function behind": (
        cross("torch.nn.modules.activation.GELU"),
        *(no("GELU"),) * 2,
        told("GELU"),
        no("GELU"),
    ),
    "SetFit, newer": (
        beside("model_head.joblib"),
        *(no("SetFit", "model_head.joblib"),) * 2,
        told("joblib"),
        no("joblib"),
    ),
    "a head of somebody's": (beside("model_head.pt"), *(told("model_head.pt is not read"),) * 4),
    "a pooling left over": (beside("1_Pooling/config.json"), *(told("1_Pooling", "modules.json"),) * 4),
    "an adapter within, alone": (beside("mine/adapter_model.safetensors"), *(told("adapter", "mine"),) * 4),
    # tokenizers
    "no tokenizer": (without_tokenizer, *(no("copy the tokenizer", "some/base-uncased"),) * 3, None),
    "a word twice": (
        with_words(lambda words: words.replace("film", "good")),
        *(told("vocab.txt", "'good'"),) * 3,
        None,
    ),
    "an empty line among words": (with_words(lambda words: words.replace("play", "")), logits, logits, None, None),
    "lines as on Windows": (with_words(lambda words: words.replace("\n", "\r\n")), logits, logits, None, None),
    "more words than the network": (too_many_words, *(no("do not belong together"),) * 3, None),
}


# --- who opens it -----------------------------------------------------------------------------------------------------


def answering(folder: Path) -> Vectors | None:
    fitted = open_fitted(folder)
    if fitted.kind == "choice":
        return None
    return list(outputs(fitted.model, fitted.tokens(TEXTS)))


def exporting(folder: Path) -> Vectors | None:
    opened = open_checkpoint(folder).whole()
    if opened.head.kind in ("masked-lm", "choice"):
        whole_network(opened)
        return None
    model, tokenizer = whole_network(opened), load_tokenizer(opened.folder)
    graph = Graph.of(model, opened.embedding)
    length = longest_text(opened, tokenizer)
    types, words = "token_type_ids" in graph.inputs, graph.head == "tokens"
    tokens = tokenize(TEXTS, tokenizer, length=length, types=types, words=words)
    return list(answers(TorchProgram(graph), tokens, graph.head))


def starting(folder: Path) -> dict[str, torch.Tensor]:
    learner = from_checkpoint(folder, Target(kind_of("classification"), ("no", "yes", "perhaps")), "a task", 16)
    model: Any = learner.make(0)
    return model.base_model.encoder.state_dict()


def searching(folder: Path) -> None:
    source = open_source(str(folder))
    assert source.opened is not None and source.checkpoint == source.opened.folder


@pytest.mark.parametrize("name", TABLE)
def test_a_folder_is_used_whole_or_refused_by_name(name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    make, *expected = TABLE[name]
    given = tmp_path / "given"
    given.mkdir()
    model = make(given)
    openers: tuple[Callable[[Path], Any], ...] = (answering, exporting, starting, searching)
    for number, (opens, wanted) in enumerate(zip(openers, expected, strict=True)):
        folder = Path(shutil.copytree(given, tmp_path / str(number)))  # what was said of one is said again of another
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            if isinstance(wanted, Refused):
                with pytest.raises(ValueError) as refusal:
                    opens(folder)
                for word in wanted.words:
                    assert word in str(refusal.value), (opens.__name__, str(refusal.value))
                continue
            found = opens(folder)
        said = " ".join(record.getMessage() for record in caplog.records)
        for word in wanted.words if isinstance(wanted, Told) else ():
            assert word in said, (opens.__name__, said)
        if not isinstance(wanted, Told):
            assert not said, (opens.__name__, said)
        if callable(wanted):
            for one, right in zip(found, wanted(model), strict=True):
                assert np.allclose(one, right, atol=1e-5), (opens.__name__, one, right)
        if opens is starting:
            own = model.base_model.encoder.state_dict()
            assert all(torch.equal(found[key], own[key]) for key in own)


def test_what_is_said_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    save(tmp_path, network("BertForQuestionAnswering"))
    for _ in range(3):
        starting(tmp_path)
    assert sum("BertForQuestionAnswering" in record.getMessage() for record in caplog.records) == 1


def test_a_folder_that_has_changed_is_opened_anew(tmp_path: Path) -> None:
    save(tmp_path, network())
    before = open_checkpoint(tmp_path)
    assert before.head.kind == "classification"
    save(tmp_path, network(num_labels=1))
    assert open_checkpoint(tmp_path).head.kind == "regression"
    assert open_checkpoint(tmp_path).fingerprint != before.fingerprint or before.folder == tmp_path


def test_the_digest_covers_shards_and_what_decides_on_an_embedding(tmp_path: Path) -> None:
    in_torch(shards=3)(tmp_path)
    before = open_checkpoint(tmp_path).fingerprint
    part = tmp_path / "pytorch_model-00002-of-00003.bin"
    found = torch.load(part)
    torch.save({name: value + 1 for name, value in found.items()}, part)
    assert open_checkpoint(tmp_path).fingerprint != before
    folder = tmp_path / "sentences"
    folder.mkdir()
    sentences(["Transformer", "Pooling"], flags("mean_tokens"))(folder)
    before = open_checkpoint(folder).fingerprint
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(flags("cls_token")))
    assert open_checkpoint(folder).fingerprint != before


def test_a_head_behind_an_activation_is_not_asked_through_it_once_it_is_drawn_anew(tmp_path: Path) -> None:
    cross("torch.nn.modules.activation.Sigmoid")(tmp_path)
    model = from_checkpoint(tmp_path, Target(kind_of("regression"), (), 5.0, 2.0), "a task", 16).make(0)
    model.save_pretrained(tmp_path / "again")
    words(tmp_path / "again", do_lower_case=True)
    assert open_checkpoint(tmp_path / "again").activation is None


def test_teachers_come_through_the_same_door(tmp_path: Path) -> None:
    also(bert__encoder__layer__0__attention__self__distance_embedding__weight=(63, 8))(tmp_path)
    with pytest.raises(ValueError, match="relative positions"):
        open_teacher(str(tmp_path))
