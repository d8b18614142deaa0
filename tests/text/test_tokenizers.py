"""Tokenizers: trained ones are BERT-like, cached and stable; loading refuses with one clear message."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from subarch.text.corpora import open_corpus
from subarch.text.tokenizers import load_tokenizer, save_tokenizer, train_tokenizer

TEXT = "The quick brown fox jumps over the lazy dog. Pack my box with five dozen liquor jugs.\n\n" * 20


@pytest.mark.parametrize("model", ["wordpiece", "bpe"])
def test_trained_cached_saved_and_loaded(tmp_path: Path, model) -> None:
    (tmp_path / "a.txt").write_text(TEXT)
    corpus = open_corpus(tmp_path / "a.txt")
    tokenizer = train_tokenizer(corpus, 400, model=model, cache=tmp_path / "cache")
    assert len(tokenizer) <= 400
    ids = tokenizer("the quick fox")["input_ids"]
    assert ids[0] == tokenizer.cls_token_id and ids[-1] == tokenizer.sep_token_id
    assert tokenizer.decode(ids, skip_special_tokens=True).strip() == "the quick fox"
    (cached,) = (tmp_path / "cache").iterdir()
    content = cached.read_bytes()
    assert train_tokenizer(corpus, 400, model=model, cache=tmp_path / "cache")("the quick fox")["input_ids"] == ids
    cached.write_bytes(content[:50])
    assert train_tokenizer(corpus, 400, model=model, cache=tmp_path / "cache")("the quick fox")["input_ids"] == ids
    assert cached.read_bytes() == content
    tokenizer.save_pretrained(tmp_path / "saved")
    assert load_tokenizer(tmp_path / "saved")("the quick fox")["input_ids"] == ids


def test_wrong_input(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected a tokenizer at"):
        load_tokenizer(tmp_path)
    with pytest.raises(ValueError, match="at least 300"):
        train_tokenizer(["text"], 10)
    with pytest.raises(ValueError, match="got none"):
        train_tokenizer([], 300)


SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
PLAIN = ["the", "film", "was", "long", "and", "good", "story", "of", "is", "a", "play", "actor", "scene", "bad"]
MORE = ["short", "very", "not", "rather", "fine", "poor", "town", "night"]


def alone(folder: Path, words: list[str], **said: Any) -> Path:
    """A vocabulary, and perhaps a word on how it is read."""
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join([*SPECIAL, *PLAIN, *MORE, *words]) + "\n", encoding="utf-8")
    (folder / "config.json").write_text('{"model_type": "bert"}')
    if said:
        (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer"} | said))
    return folder


@pytest.mark.parametrize(
    ("words", "said", "text", "tokens", "word"),
    [
        # Nothing says how to read: the vocabulary does.
        (["Apple", "apple"], {}, "Apple apple", ["Apple", "apple"], "has capitals (Apple)"),
        (["café", "cafe"], {}, "Café", ["café"], "has accents (café)"),
        (["apple"], {}, "Apple", ["apple"], ""),
        # Somebody says: so it is read, and what cannot be so is told.
        (
            ["Apple", "apple"],
            {"do_lower_case": True},
            "Apple",
            ["apple"],
            "1 of its words are never made, such as 'Apple'",
        ),
        (["Apple", "apple"], {"do_lower_case": False}, "Apple", ["Apple"], ""),
        (["apple"], {"do_lower_case": False}, "Apple", ["[UNK]"], "has no capitals"),
        (["café"], {"do_lower_case": True, "strip_accents": True}, "café", ["[UNK]"], "takes them off"),
        (["東京", "##京"], {"do_lower_case": False}, "東京", ["[UNK]", "[UNK]"], "several Chinese or Japanese"),
        (["東京", "A"], {"do_lower_case": False, "tokenize_chinese_chars": False}, "東京", ["東京"], ""),
    ],
)
def test_a_vocabulary_is_read_as_it_was_made(
    words: list[str], said: Any, text: str, tokens: list[str], word: str, tmp_path: Path, caplog: Any
) -> None:
    with caplog.at_level(logging.WARNING):
        tokenizer = load_tokenizer(alone(tmp_path / "model", words, **said))
    assert tokenizer.tokenize(text) == tokens
    told = " ".join(record.getMessage() for record in caplog.records)
    assert word in told and bool(told) == bool(word)
    # What is saved reads the same, wherever it is opened.
    save_tokenizer(tokenizer, tmp_path / "saved")
    assert AutoTokenizer.from_pretrained(tmp_path / "saved").tokenize(text) == tokens


def test_what_is_saved_has_no_traces_and_names_a_class_that_older_versions_know(tmp_path: Path) -> None:
    tokenizer = train_tokenizer([TEXT], 400)
    before = tokenizer("the quick fox")["input_ids"]
    tokenizer(["the quick brown fox", "jumps"], truncation=True, max_length=3, padding="max_length")
    save_tokenizer(tokenizer, tmp_path / "made", length=32)
    assert tokenizer.model_max_length == 512  # the tokenizer itself stays as it was
    said = json.loads((tmp_path / "made" / "tokenizer_config.json").read_text())
    assert said["tokenizer_class"] == "PreTrainedTokenizerFast" and said["model_max_length"] == 32
    left = {
        "backend",
        "is_local",
        "local_files_only",
        "max_length",
        "stride",
        "pad_to_multiple_of",
        "truncation_strategy",
    }
    assert not left & set(said)
    backend = json.loads((tmp_path / "made" / "tokenizer.json").read_text())
    assert backend["truncation"] is None and backend["padding"] is None
    again = load_tokenizer(tmp_path / "made")
    assert isinstance(again, PreTrainedTokenizerFast) and again("the quick fox")["input_ids"] == before
    save_tokenizer(again, tmp_path / "again", length=32)
    assert json.loads((tmp_path / "again" / "tokenizer_config.json").read_text()) == said


def test_the_class_that_a_tokenizer_had_stays(tmp_path: Path) -> None:
    tokenizer = load_tokenizer(alone(tmp_path / "model", [], do_lower_case=True))
    tokenizer.add_special_tokens({"additional_special_tokens": ["<more>"]})
    save_tokenizer(tokenizer, tmp_path / "saved")
    said = json.loads((tmp_path / "saved" / "tokenizer_config.json").read_text())
    assert said["tokenizer_class"] == "BertTokenizer"
    assert said["additional_special_tokens"] == ["<more>"]  # older versions stumble over extra_special_tokens as a list
    assert "<more>" in load_tokenizer(tmp_path / "saved").all_special_tokens


def test_a_missing_tokenizer_is_to_be_copied_from_the_model_that_was_fine_tuned(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert", "_name_or_path": "some/base"}')
    with pytest.raises(ValueError, match=r"copy the tokenizer of the model .* fine-tuned from \(some/base\)"):
        load_tokenizer(tmp_path)
