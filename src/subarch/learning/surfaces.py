"""What tokens are written as, and texts in which some tokens are written anew while all else stays as it is.

Work is done on places in the text itself: a tokenizer that lower-cases, takes accents off, or knows no emoji, changes
nothing of what is not replaced.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerFast

from subarch.tasks.relatives import UNSPACED

_GOES_ON = "##"  # how WordPiece writes a piece that is not the first of its word
_BEGINS = ("\u0120", "\u2581")  # how byte-level BPE and Unigram write one that is: with a space that can be seen
_PLACEHOLDER = re.compile(r"[\[<].+[\]>]")  # [unused7], <extra_id_3>, <0x0A>


@dataclass(frozen=True)
class Encoded:
    """One text or two as tokens.

    Attributes:
        texts: as far as they were read.
        ids: of the tokens ``(tokens,)``.
        sides: for each token the text that it belongs to, -1 for none ``(tokens,)``.
        spans: for each token where it begins and ends in its text, without spaces.
        replaceable: for each token whether another one may take its place: neither special nor unknown ones, nor parts
            of a character ``(tokens,)``.
    """

    texts: tuple[str, ...]
    ids: NDArray[np.int64]
    sides: NDArray[np.int64]
    spans: Sequence[tuple[int, int]]
    replaceable: NDArray[np.bool_]


class Surfaces:
    """How a tokenizer's tokens are written in texts.

    Attributes:
        drawable: for each token whether it may be written into a text: special and added ones, placeholders and bytes
            that are no characters may not ``(tokens,)``.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self._tokenizer = tokenizer
        known = cast("Any", tokenizer)
        tokens: list[str] = [token or "" for token in known.convert_ids_to_tokens(list(range(len(tokenizer))))]
        decoder = known.backend_tokenizer.decoder
        written = [token if decoder is None or not token else str(decoder.decode([token])) for token in tokens]
        seen = sum(token.startswith(_BEGINS) for token in tokens) > sum(token.startswith(_GOES_ON) for token in tokens)
        self._texts = [text.strip() if seen else text.strip().removeprefix(_GOES_ON) for text in written]
        self._begins = [token.startswith(_BEGINS) if seen else not token.startswith(_GOES_ON) for token in tokens]
        added = {*known.all_special_ids, *known.added_tokens_decoder}
        self.drawable: NDArray[np.bool_] = np.array(
            [n not in added and _is_text(token) and _is_text(self._texts[n]) for n, token in enumerate(tokens)]
        )

    @property
    def padding(self) -> int:
        """The token that fills rows up."""
        return int(cast("Any", self._tokenizer).pad_token_id or 0)

    def encoded(self, texts: Sequence[str], length: int) -> Encoded:
        """One text or two as at most ``length`` tokens; what is beyond these is cut off, since nobody reads it."""
        found: Any = cast("Any", self._tokenizer)(
            *texts, truncation=True, max_length=length, return_offsets_mapping=True
        )
        sides: list[int] = [-1 if one is None else one for one in found.sequence_ids()]
        spans = [
            _trimmed(texts[side], start, end) if side >= 0 else (0, 0)
            for side, (start, end) in zip(sides, found["offset_mapping"], strict=True)
        ]
        # A character of several tokens (the bytes of an emoji) is theirs together, and none of them is replaced alone.
        owners = Counter((side, at) for side, span in zip(sides, spans, strict=True) for at in range(*span))
        whole = [
            start < end and all(owners[side, at] == 1 for at in range(start, end))
            for side, (start, end) in zip(sides, spans, strict=True)
        ]
        ids = np.asarray(found["input_ids"], np.int64)
        kept = tuple(texts)
        if found.encodings[0].overflowing:
            ends = [
                max((span[1] for one, span in zip(sides, spans, strict=True) if one == n), default=0) for n in (0, 1)
            ]
            kept = tuple(text[:end] for text, end in zip(texts, ends, strict=False))
        return Encoded(kept, ids, np.array(sides), spans, np.array(whole) & self.drawable[ids])

    def rewritten(self, encoded: Encoded, side: int, new: Mapping[int, int]) -> str:
        """One of the texts with other tokens in places of it; all else stays as it is, character for character.

        Args:
            encoded: the texts.
            side: which of them.
            new: tokens by the position of the token whose place each takes; those of the other text do not matter.
        """
        text, made, at = encoded.texts[side], "", 0
        for place in sorted(new):
            if encoded.sides[place] != side:
                continue
            start, end = encoded.spans[place]
            word = self._texts[new[place]]
            made += text[at:start]
            made += " " * (self._begins[new[place]] and _run_together(made, word)) + word
            at = end
            if place + 1 < len(encoded.ids) and place + 1 not in new and encoded.spans[place + 1][0] == end:
                made += " " * (self._begins[encoded.ids[place + 1]] and _run_together(word, text[end:]))
        return made + text[at:]


def _is_text(token: str) -> bool:
    """Whether a token can be written so that people read it."""
    return bool(token.strip()) and token.isprintable() and "\ufffd" not in token and not _PLACEHOLDER.fullmatch(token)


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """A place in a text without the spaces at its ends."""
    part = text[start:end]
    return start + len(part) - len(part.lstrip()), end - len(part) + len(part.rstrip())


def _run_together(before: str, after: str) -> bool:
    """Whether two words would become one without a space between them."""
    joint = before[-1:] + after[:1]
    return len(joint) == 2 and joint.isalnum() and not UNSPACED.search(joint)
