"""The pieces of a tokenizer that texts use, and the tokenizer that has these alone.

What stays beside them: special tokens, single characters or bytes, and for byte pair encoding whatever a kept piece is
merged from. Then each of these texts is taken apart as before. A word piece is the longest one that fits, and a longer
one that fits would have been used; merges that were made are there in their order, and no other comes before one of
them; the best path of a unigram model is there with its score, and no other has become better. Numbers are dealt anew
in the same order. Whoever cuts a tokenizer lets :func:`differing` go over all texts, so that none of this is believed.

>>> from subarch.text.tokenizers import train_tokenizer
>>> tokenizer = train_tokenizer(["grey cats sleep", "green cars speed"] * 20, 300)
>>> texts = ["grey cats"]
>>> short = with_pieces(tokenizer, used(tokenizer, texts))
>>> len(short.kept) < len(tokenizer), next(differing(tokenizer, short, texts), None)
(True, None)
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from subarch.errors import InputError
from subarch.results.base import Json
from subarch.storage import read_json, write_json, write_text
from subarch.text.cutting import Settings, cutting_of, numbers_of
from subarch.text.tokenizers import load_tokenizer, save_tokenizer, settings_of

_LOG = logging.getLogger(__name__)

_AT_ONCE = 256  # texts that are taken apart together
Number = Callable[[int], int]


@dataclass(frozen=True)
class Short:
    """A tokenizer with some of another one's pieces.

    Attributes:
        settings: as JSON; not how texts are cut and padded.
        kept: for each of its pieces, by its number, the number that it has in the other one.
    """

    settings: str
    kept: NDArray[np.int64]

    @property
    def numbers(self) -> dict[int, int]:
        """The number of each piece, by the one that it has in the other tokenizer."""
        return {int(old): new for new, old in enumerate(self.kept)}


# --- what texts use ---------------------------------------------------------------------------------------------------


def used(tokenizer: PreTrainedTokenizerFast, texts: Iterable[str]) -> set[int]:
    """Numbers of the pieces that decide how texts are taken apart.

    Args:
        tokenizer: any that :func:`require_known` accepts.
        texts: each as the network gets it; read once.
    """
    found = set[int]()
    backend = Tokenizer.from_str(settings_of(tokenizer))
    beginnings = _Beginnings.of(backend)
    for some in _batches(texts):
        for text, one in zip(some, _apart(backend, some), strict=True):
            found.update(one)
            if beginnings is not None and beginnings.unknown in one:
                found |= beginnings.of_text(text)
    return found


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    stream = iter(texts)
    while some := list(islice(stream, _AT_ONCE)):
        yield some


def _apart(backend: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    return [one.ids for one in cast("Any", backend).encode_batch_fast(texts, add_special_tokens=False)]


class _Beginnings:
    """Word pieces that words which turned out to be unknown begin with: without them such a word might become known."""

    def __init__(self, backend: Any, model: Json) -> None:
        self._backend, self._pieces = backend, cast("Mapping[str, int]", model["vocab"])
        self._prefix, self._most = str(model["continuing_subword_prefix"]), int(model["max_input_chars_per_word"])
        self._longest = max(map(len, self._pieces))
        self.unknown = self._pieces.get(str(model["unk_token"]), -1)
        self._known: dict[str, frozenset[int]] = {}

    @classmethod
    def of(cls, backend: Tokenizer) -> _Beginnings | None:
        model = json.loads(backend.to_str())["model"]
        return cls(backend, model) if model["type"] == "WordPiece" else None

    def of_text(self, text: str) -> set[int]:
        normalizer, splitter = self._backend.normalizer, self._backend.pre_tokenizer
        made = text if normalizer is None else normalizer.normalize_str(text)
        words = [made] if splitter is None else [word for word, _ in splitter.pre_tokenize_str(made)]
        for word in words:
            if word not in self._known:
                self._known[word] = self._of_word(word)
        return {piece for word in words for piece in self._known[word]}

    def _of_word(self, word: str) -> frozenset[int]:
        found, start = set[int](), 0
        while start < len(word) <= self._most:
            for end in range(min(len(word), start + self._longest), start, -1):
                piece = self._pieces.get(f"{self._prefix if start else ''}{word[start:end]}")
                if piece is not None:
                    found.add(piece)
                    start = end
                    break
            else:
                return frozenset(found)  # no piece goes on from here
        return frozenset()


# --- a tokenizer with them alone --------------------------------------------------------------------------------------


def require_known(tokenizer: PreTrainedTokenizerFast) -> None:
    """Refuse a tokenizer whose pieces cannot be told apart here.

    Raises:
        ValueError: naming what it is made of.
    """
    settings = cast("Settings", json.loads(settings_of(tokenizer)))
    _ = cutting_of(settings["model"])
    _renumber(settings.get("post_processor"), lambda number: number)


def with_pieces(tokenizer: PreTrainedTokenizerFast, wanted: Collection[int]) -> Short:
    """The tokenizer without the pieces that nobody needs.

    Args:
        tokenizer: stays as it is.
        wanted: numbers of the pieces that stay in any case, as of :func:`used`.

    Raises:
        ValueError: for a tokenizer that is neither of word pieces, nor of byte pairs, nor a unigram model.
    """
    settings = cast("Settings", json.loads(settings_of(tokenizer)))
    model, added = settings["model"], cast("list[dict[str, Any]]", settings["added_tokens"])
    keep = {int(one["id"]) for one in added if one["special"]}
    keep |= {int(number) for number in cast("Any", tokenizer).all_special_ids}

    def seen(number: int) -> int:
        keep.add(number)
        return number

    _renumber(settings.get("post_processor"), seen)
    known = {*numbers_of(model).values(), *(int(one["id"]) for one in added)}
    cutting = cutting_of(model)
    kept = np.array(sorted(cutting.closed(model, {*keep, *wanted} & known)), dtype=np.int64)
    short = Short("", kept)
    numbers = short.numbers
    cutting.cut(model, numbers)
    settings["added_tokens"] = [{**one, "id": numbers[one["id"]]} for one in added if one["id"] in numbers]
    _renumber(settings.get("post_processor"), numbers.__getitem__)
    return Short(json.dumps(settings, ensure_ascii=False), kept)


def _renumber(processor: Settings | None, number: Number) -> None:
    """Give what is put around texts other numbers."""
    kind = None if processor is None else processor["type"]
    if processor is None or kind == "ByteLevel":
        return
    if kind == "Sequence":
        for one in processor["processors"]:
            _renumber(one, number)
    elif kind == "TemplateProcessing":
        for one in processor["special_tokens"].values():
            one["ids"] = [number(old) for old in one["ids"]]
    elif kind in ("BertProcessing", "RobertaProcessing"):
        for end in ("sep", "cls"):
            processor[end][1] = number(processor[end][1])
    else:
        raise InputError(
            f"the tokenizer puts tokens around texts by {kind}, whose numbers are not known here: expected "
            "TemplateProcessing, BertProcessing, RobertaProcessing or ByteLevel. Leave --vocabulary away"
        )


# --- the same on the texts --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Differing:
    """A text that the two take apart otherwise.

    Attributes:
        place: of the text, from 1.
        text: itself.
        pieces: by the whole tokenizer.
        short: by the shorter one.
    """

    place: int
    text: str
    pieces: tuple[str, ...]
    short: tuple[str, ...]


def differing(tokenizer: PreTrainedTokenizerFast, short: Short, texts: Iterable[str]) -> Iterator[Differing]:
    """Texts that the shorter tokenizer does not take apart into the same pieces, in their order."""
    whole, other = Tokenizer.from_str(settings_of(tokenizer)), Tokenizer.from_str(short.settings)
    done = 0
    for some in _batches(texts):
        for text, ours, theirs in zip(some, _apart(whole, some), _apart(other, some), strict=True):
            done += 1
            if [int(short.kept[number]) for number in theirs] != ours:
                yield Differing(
                    done,
                    text,
                    tuple(map(cast("Any", whole).id_to_token, ours)),
                    tuple(map(cast("Any", other).id_to_token, theirs)),
                )


@dataclass(frozen=True)
class Growth:
    """What texts that a shorter tokenizer was not made for turn into.

    Attributes:
        tokens: by the whole tokenizer.
        gone: of these, tokens whose piece the shorter one lacks: they are taken apart anew.
        after: tokens by the shorter one.
    """

    tokens: int
    gone: int
    after: int

    @property
    def share(self) -> float:
        """Of tokens, those that are taken apart anew."""
        return self.gone / max(1, self.tokens)

    @property
    def growth(self) -> float:
        """How many more tokens there are, as a share."""
        return self.after / max(1, self.tokens) - 1


def growth(tokenizer: PreTrainedTokenizerFast, short: Short, texts: Iterable[str]) -> Growth:
    """Take texts apart with both."""
    whole, other = Tokenizer.from_str(settings_of(tokenizer)), Tokenizer.from_str(short.settings)
    there, tokens, gone, after = set(short.numbers), 0, 0, 0
    for some in _batches(texts):
        for ours, theirs in zip(_apart(whole, some), _apart(other, some), strict=True):
            tokens, after = tokens + len(ours), after + len(theirs)
            gone += sum(number not in there for number in ours)
    return Growth(tokens, gone, after)


# --- saving -----------------------------------------------------------------------------------------------------------

# What a tokenizer is opened from, besides these: files of its pieces in other forms, with the old numbers.
_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja")


def save_short(tokenizer: PreTrainedTokenizerFast, short: Short, folder: Path) -> Short:
    """Save the shorter tokenizer as the whole one would be, and open it as anybody would.

    Args:
        tokenizer: the whole one.
        short: made of it.
        folder: that nothing else is in; made where it is not there.

    Returns:
        The same as the stock library opens it.

    Raises:
        ValueError: where it gives pieces other numbers.
    """
    save_tokenizer(tokenizer, folder)
    for path in folder.iterdir():
        if path.name not in _FILES:
            path.unlink()
    write_text(folder / "tokenizer.json", short.settings)
    said, numbers = dict(read_json(folder / "tokenizer_config.json") or {}), short.numbers
    if (added := said.get("added_tokens_decoder")) is not None:
        said["added_tokens_decoder"] = {
            str(numbers[int(old)]): one for old, one in added.items() if int(old) in numbers
        }
    write_json(folder / "tokenizer_config.json", said)
    whole, opened = (cast("Any", one).backend_tokenizer for one in (tokenizer, load_tokenizer(folder)))
    wanted = [whole.id_to_token(int(old)) for old in short.kept]
    got = [opened.id_to_token(new) for new in range(opened.get_vocab_size())]
    if wanted != got:
        at = next((n for n, pair in enumerate(zip(wanted, got, strict=False)) if len(set(pair)) > 1), len(wanted))
        raise InputError(
            f"the tokenizer cannot be cut: opened again, it has {len(got)} pieces instead of {len(wanted)}, and other "
            f"ones from number {at} on. Leave --vocabulary away"
        )
    return Short(settings_of(load_tokenizer(folder)), short.kept)
