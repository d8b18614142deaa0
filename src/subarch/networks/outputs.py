"""What a checkpoint has behind its encoder: told from its config, or from its tensors where that names no class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from transformers import PretrainedConfig

from subarch.networks.comparing import compared
from subarch.networks.sentences import SentenceFolder
from subarch.networks.stock import class_of

HeadKind = Literal["classification", "multilabel", "regression", "choice", "tokens", "masked-lm", "encoder", "other"]


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

    @property
    def names_outputs(self) -> bool:
        """Whether each output has a name: of a class, of a label that holds or not, or of a tag."""
        return self.kind in ("classification", "multilabel", "tokens")

    @property
    def scores_candidates(self) -> bool:
        """Whether it gives one score to each candidate, which is read as a sequence of its own."""
        return self.kind == "choice"

    def opened_by(self, config: PretrainedConfig) -> Any:
        """The stock class for this head and a kind of network; None where there is none."""
        return class_of(self.stock, config)


# How the names of the stock library's classes end: what the head predicts, what it does, and what opens it.
_HEADS: Mapping[str, tuple[HeadKind, str, str]] = {
    "ForSequenceClassification": (
        "classification",
        "one label or number for a text",
        "AutoModelForSequenceClassification",
    ),
    "ForMultipleChoice": ("choice", "one of several candidates", "AutoModelForMultipleChoice"),
    "ForMaskedLM": ("masked-lm", "masked words", "AutoModelForMaskedLM"),
    "ForTokenClassification": ("tokens", "a tag for each token", "AutoModelForTokenClassification"),
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


def _head_named(name: str) -> Head | None:
    for end, (kind, words, stock) in _HEADS.items():
        if name.endswith(end):
            return Head(kind, name, words, stock)
    return None


def head_of(
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
    if says_several(config, word):
        words = "several labels a text, each output with a sigmoid of its own"
        left = [] if word in (None, "Identity", "Sigmoid") else [f"its outputs go through {word}, expected a sigmoid"]
        return Head("multilabel", head.name, words, head.stock), left
    if config.problem_type == "regression" or not several:
        head = Head("regression", head.name, "one number for a text", head.stock)
        return head, [f"its head {head.name} gives {count} numbers, expected one"] if several else []
    if word not in (None, "Identity", "Softmax"):
        return head, [f"its outputs go through {word}, expected a softmax"]
    return head, []


def says_several(config: PretrainedConfig, word: str | None) -> bool:
    """Whether each output of a sequence classifier has a sigmoid of its own, by its config or its activation."""
    several = int(cast("Any", config).num_labels) > 1
    return config.problem_type == "multi_label_classification" or (several and word == "Sigmoid")


def _guessed(config: PretrainedConfig, shapes: Mapping[str, tuple[int, ...]]) -> Head:
    for end in _GUESSES:
        kind, words, stock = _HEADS[end]
        if (made := class_of(stock, config)) is None:
            continue
        found = compared(made, config, shapes)
        if not found.missing and not found.outside(made) and not found.inside(made):
            return Head(kind, made.__name__, words, stock)
    made = class_of("AutoModel", config)
    return Head("encoder", made.__name__, "none", "AutoModel")
