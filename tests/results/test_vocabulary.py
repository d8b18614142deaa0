"""What is told of a smaller vocabulary, and its JSON form."""

from __future__ import annotations

from dataclasses import replace

from subarch.results.vocabulary import VocabularyResult

FOUND = VocabularyResult(
    source="my-bert",
    fingerprint="0",
    asked="1",
    texts=1200,
    characters=1_500_000,
    documentation=False,
    pieces=14_724,
    pieces_before=30_522,
    parameters=16_600_000,
    parameters_before=22_700_000,
    held_out_tokens=40_000,
    resplit=0.013,
    growth=0.02,
)


def test_in_words() -> None:
    assert str(FOUND) == (
        "vocabulary: 14,724 of 30,522 pieces, those of 1,200 texts with 1.5 M characters: 16.6 M of 22.7 M parameters, "
        "and the same tokens on these texts\n"
        "  of other texts, 1.3 % of the tokens are taken apart anew, which makes 2 % more of them (an eighth of the "
        "texts, 40,000 tokens, with the pieces of the others)"
    )
    assert "and of the installed documentation: 16.6 M" in replace(FOUND, documentation=True).in_words
    assert "is not known" in replace(FOUND, held_out_tokens=0).in_words


def test_as_json() -> None:
    assert VocabularyResult.from_json(FOUND.to_json()) == FOUND
    assert VocabularyResult.from_json({**FOUND.to_json(), "later": 1}).to_json()["later"] == 1
