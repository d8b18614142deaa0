"""Tokenizers: the source's own, or one trained on a corpus.

Only fast tokenizers (the Rust ones) are used: they are what makes reading as quick as it is, and they are saved as one
portable file.
"""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, cast

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from subarch.surroundings import cache_folder
from subarch.text.corpora import Corpus
from subarch.text.documentation import write_whole

logger = logging.getLogger(__name__)

SPECIAL_TOKENS = {
    "pad_token": "[PAD]",
    "unk_token": "[UNK]",
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "mask_token": "[MASK]",
}
Model = Literal["wordpiece", "bpe"]
MAX_LETTERS = 120
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
    if len(loaded) <= len(cast("Any", loaded).all_special_tokens):
        # Where the files are missing the library makes a tokenizer to which every word is unknown, and says nothing.
        raise ValueError(f"expected a tokenizer at {str(name_or_path)!r}, got one without any words: {advice}")
    return loaded


def settings_of(tokenizer: PreTrainedTokenizerFast) -> str:
    """Everything that decides on a text's tokens, as JSON; not how texts were last cut and padded."""
    backend = Tokenizer.from_str(cast("Any", tokenizer).backend_tokenizer.to_str())
    backend.no_truncation()
    backend.no_padding()
    return backend.to_str()


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
    limited = list(_limited(texts))
    if not limited:
        raise ValueError("expected text to train a tokenizer on, got none: give a corpus that is not empty")
    vocabulary = _learned_wordpiece(limited, vocabulary_size) if model == "wordpiece" else None
    backend = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]") if vocabulary else models.BPE())
    tokenizer = cast("Any", backend)  # its attributes are settable, which its type hints do not say
    special = list(SPECIAL_TOKENS.values())
    if vocabulary:
        tokenizer.normalizer, tokenizer.pre_tokenizer = _bert_pieces()
        tokenizer.decoder = decoders.WordPiece()
        tokenizer.add_special_tokens(special)
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
        options: dict[str, Any] = {"vocab_size": vocabulary_size, "special_tokens": special, "show_progress": False}
        tokenizer.train_from_iterator(limited, trainers.BpeTrainer(**options, initial_alphabet=alphabet))
    start, end = (tokenizer.token_to_id(token) for token in ("[CLS]", "[SEP]"))
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", end), ("[CLS]", start))
    return backend


def _learned_wordpiece(texts: list[str], vocabulary_size: int) -> dict[str, int]:
    """A word piece vocabulary that is the same in every run.

    The trainer numbers continuing letters in the random order of a hash table and lets ties between merges follow those
    numbers. Listed among its special tokens they get fixed ones, and they are special to nobody once only the
    vocabulary is kept.
    """
    scratch = cast("Any", Tokenizer(models.WordPiece(unk_token="[UNK]")))
    scratch.normalizer, scratch.pre_tokenizer = _bert_pieces()
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(scratch.normalizer.normalize_str(text))
    letters = sorted(letter for letter in counts if not letter.isspace())
    alphabet = sorted(sorted(letters, key=lambda letter: -counts[letter])[:MAX_LETTERS])
    options: dict[str, Any] = {"vocab_size": vocabulary_size, "show_progress": False, "initial_alphabet": alphabet}
    fixed = [*SPECIAL_TOKENS.values(), *(f"##{letter}" for letter in alphabet)]
    trainer = trainers.WordPieceTrainer(**options, limit_alphabet=len(alphabet), special_tokens=fixed)
    scratch.train_from_iterator(texts, trainer)
    return dict(sorted(scratch.get_vocab().items(), key=lambda item: item[1]))


def _bert_pieces() -> tuple[normalizers.Normalizer, pre_tokenizers.PreTokenizer]:
    return normalizers.BertNormalizer(lowercase=True), pre_tokenizers.BertPreTokenizer()


def _limited(texts: Iterable[str]) -> Iterator[str]:
    characters = 0
    for text in texts:
        if characters >= MAX_TRAINING_CHARACTERS:
            return
        characters += len(text)
        yield text


def _wrapped(backend: Tokenizer) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(tokenizer_object=backend, model_max_length=512, **SPECIAL_TOKENS)
