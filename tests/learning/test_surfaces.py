"""Texts in which tokens are written anew: all else stays, whatever a tokenizer does to texts before it reads them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny import config
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import BertForMaskedLM, PreTrainedTokenizerFast

from subarch.agora.proposals import ProposalFunction
from subarch.learning.proposals.mask_fill import mask_fill
from subarch.learning.proposals.swap import swap
from subarch.learning.surfaces import Surfaces
from subarch.text.examples import Example

PLAIN = ("the", "film", "was", "good", "bad", "play", "##ing", "##s", "un", "##known", "cafe", "!", ".", ",", "'", "t")


def finished(backend: Tokenizer, unknown: str, mask: str, pad: str, ends: tuple[str, str]) -> PreTrainedTokenizerFast:
    first, last = ends
    backend.post_processor = processors.TemplateProcessing(
        single=f"{first} $A {last}",
        pair=f"{first} $A {last} $B:1 {last}:1",
        special_tokens=[(one, backend.token_to_id(one)) for one in ends],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        unk_token=unknown,
        mask_token=mask,
        pad_token=pad,
        cls_token=first,
        sep_token=last,
        model_max_length=32,
    )


def wordpiece(lower: bool = True) -> PreTrainedTokenizerFast:
    """As BERT's: lower case, no accents, [UNK] for what it does not know, and places that nobody uses."""
    special = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[unused0]")
    words = (*special, *PLAIN, *(() if lower else ("The", "Film", "Good")))
    backend = Tokenizer(models.WordPiece({word: n for n, word in enumerate(words)}, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=lower)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece()
    return finished(backend, "[UNK]", "[MASK]", "[PAD]", ("[CLS]", "[SEP]"))


def byte_level() -> PreTrainedTokenizerFast:
    """As RoBERTa's: every byte is a token, so that an emoji is four."""
    special = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    merged: list[str] = []
    merges: list[tuple[str, str]] = []
    for word in ("\u0120film", "\u0120was", "\u0120good", "\u0120bad", "\u0120play", "ing", "the"):
        for n in range(2, len(word) + 1):
            if word[:n] not in merged:
                merged.append(word[:n])
                merges.append((word[: n - 1], word[n - 1]))
    vocabulary = {token: n for n, token in enumerate([*special, *letters, *merged])}
    backend = Tokenizer(models.BPE(vocabulary, merges))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    return finished(backend, "<unk>", "<mask>", "<pad>", ("<s>", "</s>"))


def unigram() -> PreTrainedTokenizerFast:
    """As XLM-RoBERTa's: words begin with a mark, and what it does not know is <unk>."""
    special = ("<s>", "<pad>", "</s>", "<unk>", "<mask>", "<extra_id_0>")
    pieces = [
        "\u2581the",
        "\u2581film",
        "\u2581was",
        "\u2581good",
        "\u2581bad",
        "\u2581play",
        "ing",
        "s",
        "\u2581",
        "!",
        ".",
    ]
    backend = Tokenizer(models.Unigram([*((one, 0.0) for one in special), *((one, -2.0) for one in pieces)], unk_id=3))
    backend.normalizer = normalizers.NFKC()
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.decoder = decoders.Metaspace()
    return finished(backend, "<unk>", "<mask>", "<pad>", ("<s>", "</s>"))


KINDS: dict[str, Callable[[], PreTrainedTokenizerFast]] = {
    "wordpiece": wordpiece,
    "wordpiece, cased": lambda: wordpiece(lower=False),
    "byte-level": byte_level,
    "unigram": unigram,
}
SPECIAL = (
    "[UNK]",
    "[PAD]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "[unused0]",
    "<unk>",
    "<s>",
    "</s>",
    "<pad>",
    "<mask>",
    "<extra",
)
TEXTS = (
    "The film was good \U0001f600\U0001f600 and  PLAYING at the Café!",
    "the Film, was (not) bad... \u2764\ufe0f\tthe play's good",
    "\U0001f937 the film",
    "the film was 今天天气 good",
)


def model_of(tokenizer: PreTrainedTokenizerFast) -> Any:
    torch.manual_seed(0)
    return BertForMaskedLM(config(vocab_size=len(tokenizer) + 3)).eval()  # tables are often padded


def functions(tokenizer: PreTrainedTokenizerFast) -> list[ProposalFunction[Example]]:
    model = model_of(tokenizer)
    return [mask_fill(model, tokenizer, length=32), swap(model, tokenizer, nearest=4)]


def untouched(old: str, new: str, texts: set[str]) -> bool:
    """Whether a new text is the old one but for words that take places of it, and spaces beside these."""
    reach = {(0, 0)}  # so far in both
    seen: set[tuple[int, int]] = set()
    while reach:
        a, b = reach.pop()
        if (a, b) in seen:
            continue
        seen.add((a, b))
        if a == len(old) and b == len(new):
            return True
        if a < len(old) and b < len(new) and old[a] == new[b]:
            reach.add((a + 1, b + 1))
        for gap in ("", " "):
            for word in texts:
                for end in ("", " "):
                    piece = gap + word + end
                    if new.startswith(piece, b):
                        reach |= {(a + n, b + len(piece)) for n in range(1, 9) if a + n <= len(old)}
    return False


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_replaced_stays_as_it_was(kind: str) -> None:
    tokenizer = KINDS[kind]()
    surfaces = Surfaces(tokenizer)
    written = {surfaces._texts[n] for n in np.flatnonzero(surfaces.drawable)}
    for function in functions(tokenizer):
        changed = 0
        for n, new in function([Example(text) for text in TEXTS], 4, np.random.default_rng(0)):
            old = TEXTS[n]
            assert not any(special in new.first for special in SPECIAL), new.first
            assert "\ufffd" not in new.first and not new.first.startswith("##")
            for sign in ("\U0001f600\U0001f600", "\u2764\ufe0f", "\U0001f937"):
                assert (sign in old) == (sign in new.first), (old, new.first)
            assert untouched(old, new.first, written), (old, new.first)
            changed += new.first != old
        assert changed > 8


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_replaced_is_nothing_changed(kind: str) -> None:
    surfaces = Surfaces(KINDS[kind]())

    @given(st.text(max_size=30))
    def holds(text: str) -> None:
        encoded = surfaces.encoded((text,), 4096)
        assert surfaces.rewritten(encoded, 0, {}) == text
        # A token that takes its own place is written as it is known; nothing around it moves.
        for place in np.flatnonzero(encoded.replaceable):
            start, end = encoded.spans[place]
            new = surfaces.rewritten(encoded, 0, {int(place): int(encoded.ids[place])})
            assert new.startswith(text[:start]) and new.endswith(text[end:])

    holds()


def test_words_do_not_run_together_and_pieces_do_not_fall_apart() -> None:
    tokenizer = wordpiece()
    surfaces = Surfaces(tokenizer)
    ids = tokenizer.get_vocab()
    encoded = surfaces.encoded(("Playing, UNKNOWN plays. don't",), 32)
    tokens = tokenizer.convert_ids_to_tokens(encoded.ids.tolist())
    assert tokens == ["[CLS]", "play", "##ing", ",", "un", "##known", "play", "##s", ".", "[UNK]", "'", "t", "[SEP]"]

    def with_new(**new: str) -> str:
        return surfaces.rewritten(encoded, 0, {int(at[1:]): ids[word] for at, word in new.items()})

    assert with_new(_1="film") == "filming, UNKNOWN plays. don't"
    assert with_new(_2="##s") == "Plays, UNKNOWN plays. don't"
    assert with_new(_2="good") == "Play good, UNKNOWN plays. don't"
    assert with_new(_3="and" if "and" in ids else "was") == "Playing was UNKNOWN plays. don't"
    assert with_new(_5="##s", _6="bad") == "Playing, UNs bads. don't"
    assert with_new(_8="good") == "Playing, UNKNOWN plays good don't"
    assert with_new(_10="good") == "Playing, UNKNOWN plays. don good t"
    assert not encoded.replaceable[9]  # nobody knows what stands there


def test_tokens_that_may_be_written() -> None:
    tokenizer = wordpiece()
    drawable = Surfaces(tokenizer).drawable
    assert [t for t, n in sorted(tokenizer.get_vocab().items(), key=lambda one: one[1]) if drawable[n]] == list(PLAIN)
    tokenizer.add_tokens(["[brand]"])
    assert not Surfaces(tokenizer).drawable[-1]
    assert not Surfaces(unigram()).drawable[:6].any()
    letters = byte_level()
    written = Surfaces(letters).drawable
    assert written[letters.convert_tokens_to_ids("\u0120good")] and written[letters.convert_tokens_to_ids("g")]
    assert not written[letters.convert_tokens_to_ids("\u0120")]  # a space alone
    assert not written[letters.convert_tokens_to_ids("\u00f0")]  # the first byte of an emoji


def test_what_is_beyond_the_tokens_that_are_read_is_cut_off() -> None:
    surfaces = Surfaces(wordpiece())
    encoded = surfaces.encoded(("The film, was  good \U0001f600 and bad",), 7)
    assert encoded.texts == ("The film, was  good",)
    assert surfaces.encoded(("The film ", "Was good \U0001f600"), 32).texts == ("The film ", "Was good \U0001f600")


def test_of_a_pair_every_text_that_links_it_changes_and_common_ones_stay() -> None:
    tokenizer = wordpiece()
    long, other, short = "The film was good, the play", "the play was BAD and good", "was good"
    for function in functions(tokenizer):  # a language model may draw what stood there
        found = [new for _, new in function([Example(long, (other,))], 12, np.random.default_rng(0))]
        assert min(sum(new.first != long for new in found), sum(new.seconds != (other,) for new in found)) >= 8
        found = [new for _, new in function([Example(short, (long,))], 12, np.random.default_rng(0))]
        assert all(new.first == short for new in found) and sum(new.seconds != (long,) for new in found) >= 8
    model = model_of(tokenizer)
    common = frozenset(["the film was good the play"])
    for function in (mask_fill(model, tokenizer, common=common), swap(model, tokenizer, common=common)):
        asked = [Example(other, (long,)), Example(short, (long,))]
        found = list(function(asked, 12, np.random.default_rng(0)))
        assert all(new.seconds == (long,) for _, new in found)
        assert sum(new.first != asked[n].first for n, new in found) >= 16
