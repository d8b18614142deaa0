"""Tokenizers: the source's own, or one trained on a corpus.

Only fast tokenizers (the Rust ones) are used: they are what makes reading as quick as it is, and they are saved as one
portable file.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, cast

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from subarch.text.corpora import Corpus
from subarch.text.documentation import cache_folder, write_whole

logger = logging.getLogger(__name__)

SPECIAL_TOKENS = {
    "pad_token": "[PAD]",
    "unk_token": "[UNK]",
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "mask_token": "[MASK]",
}
Model = Literal["wordpiece", "bpe"]
MAX_TRAINING_CHARACTERS = 30_000_000  # more text changes a vocabulary of a few ten thousand words no more


def load_tokenizer(name_or_path: str | Path) -> PreTrainedTokenizerFast:
    """The fast tokenizer of a checkpoint folder or a Hugging Face name.

    Raises:
        ValueError: when there is none, or it has no fast form.
    """
    advice = "give a folder with tokenizer.json (or vocab.txt), a Hugging Face name, or train one on the corpus"
    try:
        loaded: Any = cast("Any", AutoTokenizer).from_pretrained(str(name_or_path), use_fast=True)
    except Exception as error:  # the library raises a dozen unrelated kinds here, some of them bare
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ValueError(f"expected a tokenizer at {str(name_or_path)!r}, got none ({reason}): {advice}") from error
    if not isinstance(loaded, PreTrainedTokenizerFast):
        kind = type(loaded).__name__
        raise ValueError(f"expected a fast tokenizer at {str(name_or_path)!r}, got a {kind}: {advice}")
    return loaded


def train_tokenizer(
    corpus: Corpus | Iterable[str], vocabulary_size: int, *, model: Model = "wordpiece", cache: Path | None = None
) -> PreTrainedTokenizerFast:
    """A BERT-like tokenizer learned from text: [CLS] ... [SEP], lower case and word pieces, or byte-level BPE.

    The first 30 million characters are used. The result for a :class:`Corpus` is cached by its fingerprint.

    Args:
        corpus: a corpus, or any texts (then nothing is cached).
        vocabulary_size: tokens at most, special tokens included; at least 300 (the bytes or letters need room).
        model: ``"wordpiece"`` lowers case and strips accents as uncased BERT does; ``"bpe"`` keeps every byte.
        cache: folder of the cache; the user's cache folder when not given.

    Raises:
        ValueError: for a vocabulary below 300 or a corpus without any text.
    """
    if vocabulary_size < 300:
        raise ValueError(
            f"expected a vocabulary of at least 300 tokens, got {vocabulary_size}: letters alone need that"
        )
    if not isinstance(corpus, Corpus):
        return _wrapped(_train(corpus, vocabulary_size, model))
    identity = hashlib.sha256(f"{corpus.fingerprint} {vocabulary_size} {model}".encode()).hexdigest()[:16]
    path = (cache_folder() if cache is None else cache) / f"tokenizer-{identity}.json"
    backend = _cached(path)
    if backend is None:
        backend = _train(corpus.documents(), vocabulary_size, model)
        try:
            write_whole(path, backend.to_str().encode())
        except OSError as error:
            logger.warning("the tokenizer cannot be cached in %s (%s)", path.parent, error)
    return _wrapped(backend)


def _cached(path: Path) -> Tokenizer | None:
    try:
        return Tokenizer.from_str(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except Exception as error:  # the Rust library raises bare Exception for JSON that it cannot read
        logger.warning("the cached tokenizer %s is damaged (%s): training it anew", path, error)
        return None


def _train(texts: Iterable[str], vocabulary_size: int, model: Model) -> Tokenizer:
    backend = Tokenizer(models.WordPiece(unk_token="[UNK]") if model == "wordpiece" else models.BPE())
    tokenizer = cast("Any", backend)  # its attributes are settable, which its type hints do not say
    special = list(SPECIAL_TOKENS.values())
    options: dict[str, Any] = {"vocab_size": vocabulary_size, "special_tokens": special, "show_progress": False}
    if model == "wordpiece":
        tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        tokenizer.decoder = decoders.WordPiece()
        trainer: Any = trainers.WordPieceTrainer(**options, limit_alphabet=200)
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(**options, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    limited = _Limited(texts, MAX_TRAINING_CHARACTERS)
    tokenizer.train_from_iterator(iter(limited), trainer)
    if not limited.characters:
        raise ValueError("expected text to train a tokenizer on, got none: give a corpus that is not empty")
    start, end = (tokenizer.token_to_id(token) for token in ("[CLS]", "[SEP]"))
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", end), ("[CLS]", start))
    return backend


class _Limited:
    """Texts up to a number of characters, counted on the way."""

    def __init__(self, texts: Iterable[str], limit: int) -> None:
        self._texts = texts
        self._limit = limit
        self.characters = 0

    def __iter__(self) -> Any:
        for text in self._texts:
            if self.characters >= self._limit:
                return
            self.characters += len(text)
            yield text


def _wrapped(backend: Tokenizer) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(tokenizer_object=backend, model_max_length=512, **SPECIAL_TOKENS)
