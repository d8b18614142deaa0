"""Tokenizers: the source's own, or one trained on a corpus.

Only fast tokenizers (the Rust ones) are used: they are what makes reading as quick as it is, and they are saved as one
portable file.
"""

from __future__ import annotations

import hashlib
import json
import logging
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from subarch.errors import InputError
from subarch.progress import say_once
from subarch.storage import write_json
from subarch.surroundings import cache_folder
from subarch.text.corpora import Corpus
from subarch.text.documentation import write_whole

_LOG = logging.getLogger(__name__)

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

    Where a vocabulary came alone and nothing says how to read with it, words that would never be made decide: whether
    capitals and accents are kept. Words that are never made otherwise are said.

    Raises:
        ValueError: when there is none, or it has no fast form.
    """
    folder = Path(name_or_path)
    name = str(name_or_path)
    try:
        loaded: Any = cast("Any", AutoTokenizer).from_pretrained(name, use_fast=True)
    except Exception as error:  # the library raises a dozen unrelated kinds here, some of them bare
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(f"expected a tokenizer at {name!r}, got none ({reason}): {_advice(folder)}") from error
    if not isinstance(loaded, PreTrainedTokenizerFast):
        raise InputError(
            f"expected a fast tokenizer at {name!r}, got a {type(loaded).__name__}, which is read by Python alone: "
            "save its fast form (tokenizer.json) with a tokenizer class that ends in Fast"
        )
    if len(loaded) <= len(cast("Any", loaded).all_special_tokens):
        # Where the files are missing the library makes a tokenizer to which every word is unknown, and says nothing.
        raise InputError(f"expected a tokenizer at {name!r}, got one without any words: {_advice(folder)}")
    return _as_the_vocabulary_is(loaded, folder)


def _advice(folder: Path) -> str:
    """Where a tokenizer comes from, of a network that has learned with one."""
    config = _json(folder / "config.json")
    base = config.get("_name_or_path")
    named = f" ({base})" if base and str(base) != str(folder) else ""
    if not config:
        return "give a folder with tokenizer.json (or vocab.txt), or a Hugging Face name"
    return (
        f"copy the tokenizer of the model that this one was fine-tuned from{named} into the folder "
        "(AutoTokenizer.from_pretrained(MODEL).save_pretrained(FOLDER)): a network reads with the one it learned with"
    )


def _json(file: Path) -> dict[str, Any]:
    try:
        found: Any = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


# --- what a vocabulary says -------------------------------------------------------------------------------------------

_NEVER = 0.005  # of the words: fewer are oddities of a vocabulary


@dataclass(frozen=True)
class _Never:
    """Words of a vocabulary that its tokenizer never makes, each with an example; and words in all.

    Attributes:
        capitals: lower-cased before they are looked up.
        accents: without their accents by then.
        joined: taken apart, as Chinese and Japanese words of several characters.
    """

    capitals: Sequence[str]
    accents: Sequence[str]
    joined: Sequence[str]
    words: int

    def many(self, words: Sequence[str]) -> bool:
        return len(words) > _NEVER * self.words


def _never_made(tokenizer: PreTrainedTokenizerFast) -> _Never:
    backend: Any = cast("Any", tokenizer).backend_tokenizer
    known = {str(token) for token in cast("Any", tokenizer).all_special_tokens}
    words = [
        w.removeprefix("##") for w in backend.get_vocab() if w not in known and not (w[:1] == "[" and w[-1:] == "]")
    ]
    found: dict[str, list[str]] = {"capitals": [], "accents": [], "joined": []}
    for word in sorted(words):
        made = word if backend.normalizer is None else backend.normalizer.normalize_str(word).strip()
        if made == word:
            continue
        if made == word.lower():
            found["capitals"].append(word)
        elif " " in made:
            found["joined"].append(word)
        elif unicodedata.normalize("NFD", word) != word:
            found["accents" if word == word.lower() else "capitals"].append(word)
    return _Never(**found, words=len(words))


def lowers(tokenizer: PreTrainedTokenizerFast) -> bool:
    """Whether capitals are lower-cased before tokens are made."""
    normalizer: Any = cast("Any", tokenizer).backend_tokenizer.normalizer
    return normalizer is not None and normalizer.normalize_str("A").strip() == "a"


def _as_the_vocabulary_is(tokenizer: PreTrainedTokenizerFast, folder: Path) -> PreTrainedTokenizerFast:
    """The same, or one that keeps what the vocabulary has, where no file says how texts are read."""
    if not isinstance(cast("Any", tokenizer).backend_tokenizer.model, models.WordPiece | models.WordLevel):
        return tokenizer  # others are cased by nature, and their words are bytes or pieces of a normal form
    said = _json(folder / "tokenizer_config.json")
    alone = (folder / "vocab.txt").is_file() and not (folder / "tokenizer.json").is_file()
    never = _never_made(tokenizer)
    changed: dict[str, Any] = {}
    if alone and "do_lower_case" not in said and never.many(never.capitals):
        changed["do_lower_case"] = False
        say_once(
            _LOG,
            f"{folder}: its vocabulary has capitals ({', '.join(never.capitals[:3])}) and nothing says whether texts "
            'are lower-cased: capitals are read. Where the model is an uncased one, write {"do_lower_case": true} into '
            "tokenizer_config.json",
        )
    elif alone and said.get("strip_accents") is None and never.many(never.accents):
        changed["strip_accents"] = False
        say_once(
            _LOG,
            f"{folder}: its vocabulary has accents ({', '.join(never.accents[:3])}) and nothing says whether they are "
            'taken off: they are read. Where the model is without them, write {"strip_accents": true} into '
            "tokenizer_config.json",
        )
    if changed:
        tokenizer = cast("Any", AutoTokenizer).from_pretrained(str(folder), use_fast=True, **changed)
        never = _never_made(tokenizer)
    _tell_never(tokenizer, folder, never)
    _tell_disagreement(tokenizer, folder)
    return tokenizer


def _tell_disagreement(tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Say where a vocabulary is not what the tokenizer reads with."""
    numbers: dict[str, int] = cast("Any", tokenizer).backend_tokenizer.get_vocab()
    file = folder / "vocab.txt"
    words = file.read_text(encoding="utf-8", errors="replace").split("\n") if file.is_file() else []
    other = [(n, word) for n, word in enumerate(words) if word and numbers.get(word) != n]
    if other:
        line, word = other[0]
        say_once(
            _LOG,
            f"{folder}: vocab.txt disagrees with the tokenizer on {len(other)} words (line {line + 1} is {word!r}, "
            f"there token {numbers.get(word)} and not {line}): does a word occur twice, or was a file edited?",
        )


def _tell_never(tokenizer: PreTrainedTokenizerFast, folder: Path, never: _Never) -> None:
    told = {
        "has capitals, and the tokenizer lower-cases texts (do_lower_case)": never.capitals,
        "has accents, and the tokenizer takes them off (strip_accents)": never.accents,
        "has words of several Chinese or Japanese characters, and the tokenizer parts all of these "
        "(tokenize_chinese_chars)": never.joined,
    }
    for words, lost in told.items():
        if never.many(lost):
            say_once(
                _LOG,
                f"{folder}: its vocabulary {words}: {len(lost)} of its words are never made, such as {lost[0]!r}. "
                "Where the model was trained with them, put that right in tokenizer_config.json and tokenizer.json",
            )
    vocabulary = cast("Any", tokenizer).backend_tokenizer.get_vocab()
    own = {str(token) for token in cast("Any", tokenizer).all_special_tokens}
    letters = [word for word in vocabulary if word and word not in own and word[0] not in "[<" and word.isascii()]
    small = sum(word.removeprefix("##").isalpha() for word in letters)
    if small > _LEAST and not lowers(tokenizer) and all(word == word.lower() for word in letters):
        say_once(
            _LOG,
            f"{folder}: its vocabulary has no capitals, and the tokenizer keeps those of texts: words with capitals "
            "are unknown to the network. Where the model is an uncased one, write do_lower_case true into "
            "tokenizer_config.json and lowercase true into tokenizer.json",
        )


_LEAST = 20  # words of letters, before a vocabulary without capitals says something


# --- saving -----------------------------------------------------------------------------------------------------------

# Names of version 5 of the stock library alone, and what both versions know instead.
_CLASSES = {"TokenizersBackend": "PreTrainedTokenizerFast"}
# Of the place and the calls that a tokenizer has seen: no part of it.
_LEFT_OVER = (
    "backend",
    "is_local",
    "local_files_only",
    "max_length",
    "stride",
    "pad_to_multiple_of",
    "pad_token_type_id",
    "truncation_strategy",
    "name_or_path",
)


def save_tokenizer(tokenizer: PreTrainedTokenizerFast, folder: Path, *, length: int | None = None) -> None:
    """Save a tokenizer so that versions 4 and 5 of the stock library open it alike, without traces of earlier calls.

    Args:
        tokenizer: stays as it is.
        folder: made where it is not there.
        length: tokens that texts are cut to by whoever asks for truncation; the tokenizer's own when not given.
    """
    cast("Any", tokenizer).save_pretrained(folder)
    file = folder / "tokenizer_config.json"
    said = {name: value for name, value in _json(file).items() if name not in _LEFT_OVER}
    name = str(said.get("tokenizer_class"))
    said["tokenizer_class"] = _CLASSES.get(name, name)
    if isinstance(more := said.pop("extra_special_tokens", None), list):
        said["additional_special_tokens"] = more  # what both call such a list
    elif more:
        said["extra_special_tokens"] = more
    if length is not None:
        said["model_max_length"] = length
    write_json(file, said)
    file = folder / "tokenizer.json"
    backend = Tokenizer.from_file(str(file))
    backend.no_truncation()
    backend.no_padding()
    backend.save(str(file))


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
        raise InputError(
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
            _LOG.warning("the tokenizer cannot be cached in %s (%s)", path.parent, error)
    return _wrapped(backend)


def _cached(path: Path) -> Tokenizer | None:
    try:
        return Tokenizer.from_str(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except Exception as error:  # the Rust library raises bare Exception for JSON that it cannot read
        _LOG.warning("the cached tokenizer %s is damaged (%s): training it anew", path, error)
        return None


def _train(texts: Iterable[str], vocabulary_size: int, model: Model) -> Tokenizer:
    limited = list(_limited(texts))
    if not limited:
        raise InputError("expected text to train a tokenizer on, got none: give a corpus that is not empty")
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
