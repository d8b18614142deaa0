"""What a source with the pieces of some texts alone comes to: how many are left, and what other texts turn into."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from subarch.results.base import Line, Result, Told, rest
from subarch.results.wording import percent, short, whole


@dataclass(frozen=True, kw_only=True)
class VocabularyResult(Result):
    """A checkpoint that says the same as its source on the texts that it was made for.

    Attributes:
        source: its name, as it was given.
        fingerprint: of the source.
        asked: digest of the source, its tokenizer and all texts: what this was made of.
        texts: how many, and
        characters: of these.
        documentation: whether the pieces of the installed documentation stay, too.
        pieces: of the tokenizer; and
        pieces_before: of the source's.
        parameters: of the whole network; and
        parameters_before: of the source.
        held_out_tokens: of an eighth of the texts, by the source's tokenizer.
        resplit: of these, the share that would be taken apart anew with the pieces of the other seven eighths.
        growth: how many more tokens that eighth would have then, as a share.
    """

    source: str
    fingerprint: str
    asked: str
    texts: int
    characters: int
    documentation: bool
    pieces: int
    pieces_before: int
    parameters: int
    parameters_before: int
    held_out_tokens: int
    resplit: float
    growth: float
    more: Mapping[str, Any] = rest()

    @property
    def in_words(self) -> str:
        """What was cut, and what texts that were not read turn into."""
        return f"{self.cut_in_words}; {self.held_out_in_words}"

    @property
    def cut_in_words(self) -> str:
        """What was cut."""
        also = " and of the installed documentation" if self.documentation else ""
        return (
            f"{whole(self.pieces)} of {whole(self.pieces_before)} pieces, those of {whole(self.texts)} texts with "
            f"{short(self.characters)} characters{also}: {short(self.parameters)} of {short(self.parameters_before)} "
            "parameters, and the same tokens on these texts"
        )

    @property
    def held_out_in_words(self) -> str:
        """What texts that were not read turn into."""
        if not self.held_out_tokens:
            return "what other texts turn into is not known: an eighth of the texts holds no token"
        return (
            f"of other texts, {percent(self.resplit, 2)} of the tokens are taken apart anew, which makes "
            f"{percent(self.growth, 2)} more of them (an eighth of the texts, {whole(self.held_out_tokens)} tokens, "
            "with the pieces of the others)"
        )

    def told(self) -> Iterator[Told]:
        yield Line(self.cut_in_words, lead="vocabulary")
        yield Line(f"  {self.held_out_in_words}")
