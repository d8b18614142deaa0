"""Tokenizers: trained ones are BERT-like, cached and stable; loading refuses with one clear message."""

from __future__ import annotations

from pathlib import Path

import pytest

from subarch.text.corpora import open_corpus
from subarch.text.tokenizers import load_tokenizer, train_tokenizer

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
