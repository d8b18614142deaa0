"""What rows of tokens need to know of a tokenizer."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, cast

from transformers import PreTrainedTokenizerFast

from subarch.errors import InputError
from subarch.text.tokenizers import settings_of


@dataclass(frozen=True)
class Vocabulary:
    """What rows need to know of a tokenizer.

    Attributes:
        backend: the tokenizer as JSON, without truncation and padding.
        start: the token that a piece begins with.
        end: the token that it ends with.
        padding: the token that fills up a row.
        mask: the token that hides another one; None where the tokenizer has none.
        size: tokens in all.
    """

    backend: str
    start: int
    end: int
    padding: int
    mask: int | None
    size: int

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerFast) -> Vocabulary:
        """Of a fast tokenizer.

        Raises:
            ValueError: when it has no start or end token.
        """
        known = cast("Any", tokenizer)
        start = known.cls_token_id if known.cls_token_id is not None else known.bos_token_id
        end = known.sep_token_id if known.sep_token_id is not None else known.eos_token_id
        if start is None or end is None:
            raise InputError("expected a tokenizer with [CLS] and [SEP] (or <s> and </s>), got one without them")
        padding = known.pad_token_id if known.pad_token_id is not None else end
        mask = known.mask_token_id
        return cls(
            settings_of(tokenizer), int(start), int(end), int(padding), None if mask is None else int(mask), len(known)
        )

    @property
    def fingerprint(self) -> str:
        """Digest of everything that decides on a text's tokens."""
        return hashlib.sha256(repr((self.backend, self.start, self.end, self.padding)).encode()).hexdigest()
