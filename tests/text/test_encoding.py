"""A stored tokenizer reads as the stock library's does: any text, single or a pair, whole or cut."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer, BertTokenizer, PreTrainedTokenizerFast, RobertaTokenizer

from subarch.text.encoding import TOKENIZER, Reader, Stored, settings_to_read_with, tokenize
from subarch.text.examples import Example
from subarch.text.tokenizers import load_tokenizer, save_tokenizer, train_tokenizer

# fmt: off
PROSE = ["The quick brown fox jumps over the lazy dog.", "Ça alors ! Élan naïf", "Überall größere Füße, 3,14 € 50%",
         "日本語の文章です。", "русский текст и ещё слова", "don't stop-me now_ <mask> [MASK] </s>",
         "emoji 😀👍🏽 fin"] * 30
# fmt: on
TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=("Cs",)), max_size=60),
    st.lists(st.sampled_from(" ".join(PROSE[:7]).split()), max_size=25).map(" ".join),
)


def wordpiece(folder: Path) -> Any:
    """BERT's own class, made from a list of words."""
    backend: Any = train_tokenizer(PROSE, 600).backend_tokenizer
    words = sorted(backend.get_vocab().items(), key=lambda item: item[1])
    (folder / "vocab.txt").write_text("\n".join(word for word, _ in words), encoding="utf-8")
    return BertTokenizer.from_pretrained(folder)


def byte_pairs(folder: Path) -> Any:
    """RoBERTa's own class, with its special tokens before the pairs."""
    backend: Any = train_tokenizer(PROSE, 600, model="bpe").backend_tokenizer
    backend.model.save(str(folder))
    return RobertaTokenizer.from_pretrained(folder, model_max_length=128)


MADE = {"wordpiece": wordpiece, "byte pairs": byte_pairs}


@pytest.fixture(scope="module", params=MADE)
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Stored]:
    """The stock tokenizer of a folder, and the one that is opened without the stock library."""
    made: PreTrainedTokenizerFast = MADE[request.param](tmp_path_factory.mktemp("made"))
    folder = tmp_path_factory.mktemp("stored")
    save_tokenizer(made, folder, length=64)
    said = settings_to_read_with(load_tokenizer(folder))
    return AutoTokenizer.from_pretrained(folder), Stored.opened(folder, said)


@settings(max_examples=200)
@given(first=TEXTS, second=st.none() | TEXTS, length=st.sampled_from([5, 8, 16, 500]))
def test_ids_and_types_are_the_stock_ones(both: Any, first: str, second: str | None, length: int) -> None:
    stock, stored = both
    pairs = None if second is None else [second]  # as a list: alone, the stock call drops a second text that is empty
    expected = stock([first], pairs, truncation="longest_first", max_length=length)
    example = Example(first) if second is None else Example(first, (second,))
    found = Reader.of(stored, length=length, choice=False, types=True)([example])
    assert found.ids.tolist() == expected["input_ids"][0]
    if "token_type_ids" in expected and second is not None:
        assert found.types is not None and found.types.tolist() == expected["token_type_ids"][0]
    else:
        assert found.types is None


def test_padding_is_the_stock_one(both: Any) -> None:
    stock, stored = both
    expected = stock(PROSE[:5], padding=True, return_tensors="np")
    found = Reader.of(stored, length=500, choice=False, types=False)([Example(one) for one in PROSE[:5]])
    batch = found.arrays(range(5))
    assert batch["input_ids"].tolist() == expected["input_ids"].tolist()
    assert batch["attention_mask"].tolist() == expected["attention_mask"].tolist()


@pytest.mark.parametrize("side", ["left", "right"])
def test_texts_are_cut_at_the_stock_side(both: Any, side: str, tmp_path: Path) -> None:
    stock, _ = both
    other = AutoTokenizer.from_pretrained(stock.name_or_path, truncation_side=side)
    save_tokenizer(other, tmp_path)
    stored = Stored.opened(tmp_path, settings_to_read_with(other))
    found = Reader.of(stored, length=7, choice=False, types=False)([Example(PROSE[0])])
    assert found.ids.tolist() == other(PROSE[0], truncation=True, max_length=7)["input_ids"]


def test_arrays_and_tensors_are_the_same(both: Any) -> None:
    stock, _ = both
    examples = [Example("a", ("b", "c d e"), 1), Example("f g", ("h", "i"), 0)]
    choices = tokenize(examples, stock, length=32, choice=True)
    numbers = tokenize([Example("a", label=1), Example("b c d", label=0.5)], stock, length=32)
    for tokens in (choices, numbers):
        arrays, tensors = tokens.arrays([1, 0]), tokens.batch([1, 0])
        assert {name: value.dtype.name for name, value in arrays.items()} == {
            name: str(value.dtype).removeprefix("torch.") for name, value in tensors.items()
        }
        assert all(arrays[name].tolist() == tensors[name].tolist() for name in arrays)
    assert numbers.batch([1, 0])["labels"].tolist() == [0.5, 1.0]
    assert choices.arrays([1, 0])["owners"].tolist() == [0, 0, 1, 1]
    assert choices.arrays([1, 0])["right"].tolist() == [True, False, False, True]


def test_a_damaged_tokenizer_is_refused_by_name(tmp_path: Path) -> None:
    said = {"pad_token_id": 0, "truncation_side": "right", "model_input_names": ["input_ids"]}
    with pytest.raises(ValueError, match=TOKENIZER):
        Stored.opened(tmp_path, said)
    (tmp_path / TOKENIZER).write_text('{"version": "1.0", "model"', encoding="utf-8")
    with pytest.raises(ValueError, match="damaged, or cut off"):
        Stored.opened(tmp_path, said)


def test_labels_of_several_come_as_their_places(both: Any) -> None:
    theirs, _ = both
    given = [Example("a", label=(0, 2)), Example("b", label=()), Example("c", label=(1,))]
    tokens = tokenize(given, theirs, length=8)
    assert tokens.arrays([0, 1, 2])["labels"].tolist() == [[0, 2], [-1, -1], [1, -1]]
    assert tokens.arrays([1])["labels"].tolist() == [[-1]]
    assert tokens.batch([2, 1])["labels"].tolist() == [[1], [-1]]
