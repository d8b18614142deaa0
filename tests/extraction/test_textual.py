"""Texts as what candidates share: as tokens, in batches, of a task or a corpus."""

from __future__ import annotations

import csv
import json
import pickle
import random
from pathlib import Path
from typing import Any, cast

import pytest
from candidates import QUICK, SMALL, checkpoint, sentence, unlabelled
from transformers import (
    BertForMaskedLM,
    BertModel,
    PreTrainedTokenizerFast,
)

from subarch.extraction.objectives import CandidateError
from subarch.text.tokenizers import train_tokenizer


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    rng = random.Random(0)
    return train_tokenizer([sentence(rng) for _ in range(1800)], 300)


def test_pairs_are_read_with_their_segments(tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    rng = random.Random(2)
    rows = [(sentence(rng), sentence(rng), "ab"[n % 2]) for n in range(60)]
    with (tmp_path / "pairs.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("sentence1", "sentence2", "label"), *rows])
    source = checkpoint(BertModel, tmp_path / "source", tokenizer)
    settings = tmp_path / "source" / "tokenizer_config.json"
    names = {"model_input_names": ["input_ids", "token_type_ids", "attention_mask"]}  # as BERT's own
    settings.write_text(json.dumps(json.loads(settings.read_text()) | names))
    labelled = CandidateError(source, data=tmp_path / "pairs.csv", **cast("Any", {**QUICK, "length": 40}))
    (batch,) = labelled.material.batches(4, 4, held_out=True, seed=0)
    separator = tokenizer.convert_tokens_to_ids("[SEP]")
    for ids, types in zip(batch["input_ids"].tolist(), batch["token_type_ids"].tolist(), strict=True):
        first = ids.index(separator)
        assert not any(types[: first + 1]) and types[first + 1] == 1 and ids.count(separator) == 2
    assert 0.0 <= labelled.measure(SMALL).error <= 1.0


def test_texts_are_refused_where_they_cannot_be_used(tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    texts, few = unlabelled(tmp_path / "texts.jsonl"), unlabelled(tmp_path / "few.jsonl", count=60)
    speaking = checkpoint(BertForMaskedLM, tmp_path / "speaking", tokenizer)
    plain = checkpoint(BertModel, tmp_path / "plain", tokenizer)
    with pytest.raises(ValueError, match="masked tokens are learned from --corpus"):
        CandidateError(speaking, texts=texts, **cast("Any", QUICK))
    with pytest.raises(ValueError, match="--texts and --corpus were both given"):
        CandidateError(plain, texts=texts, corpus=tmp_path, **cast("Any", QUICK))
    with pytest.raises(ValueError, match="at least 16 texts to judge by"):
        _ = CandidateError(plain, texts=few, **cast("Any", QUICK)).definition


def test_numbers_are_no_error_rate(tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    path = tmp_path / "numbers.csv"
    path.write_text("text,label\n" + "".join(f"text number {n},{n}.5\n" for n in range(30)), encoding="utf-8")
    source = checkpoint(BertModel, tmp_path / "source", tokenizer)
    with pytest.raises(ValueError, match=r"error rate, but .*numbers\.csv is a regression"):
        _ = CandidateError(source, data=path, **cast("Any", QUICK)).definition


def labelled(path: Path, *, pairs: bool = False) -> Path:
    rng = random.Random(1)
    rows = [{"text": sentence(rng), "label": "ab"[n % 2]} for n in range(60)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_what_is_judged_by_is_never_learned_from(tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    source = checkpoint(BertModel, tmp_path / "source", tokenizer)
    material = CandidateError(source, texts=unlabelled(tmp_path / "t.jsonl", count=300), **cast("Any", QUICK)).material
    learned, judged = (
        {tuple(row) for batch in material.batches(64, 16, held_out=side, seed=0) for row in batch["input_ids"].tolist()}
        for side in (False, True)
    )
    assert learned and judged and not learned & judged


def test_the_same_seed_gives_the_same_batches_and_repeats_have_their_own(
    tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    source = checkpoint(BertModel, tmp_path / "source", tokenizer)
    given = {**QUICK, "batch_size": 4}
    asked = CandidateError(source, texts=unlabelled(tmp_path / "t.jsonl", count=300), **cast("Any", given))

    def ids(repeat: int, seed: int) -> list[Any]:
        return [batch["input_ids"].tolist() for batch in asked.material.training(repeat, seed, 3)]

    assert len(ids(0, 0)) == 3 and asked.material.training(0, 0, 0) == []
    assert ids(0, 0) == ids(0, 0) and ids(0, 0) != ids(0, 1)
    assert ids(1, 0) != ids(0, 0)
    again = pickle.loads(pickle.dumps(asked.material))  # leaves texts and weights behind, and opens them again
    assert "opened_texts" not in again.__dict__
    assert [batch["input_ids"].tolist() for batch in again.training(0, 0, 3)] == ids(0, 0)


def test_material_is_told_apart_by_what_it_is_made_of(tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    source = checkpoint(BertModel, tmp_path / "source", tokenizer)
    data = labelled(tmp_path / "data.jsonl")
    one = CandidateError(source, data=data, **cast("Any", QUICK)).material.described
    assert one == json.loads(json.dumps(one))
    assert (one["batch_size"], one["length"], one["held_out"], one["data"]["name"]) == (8, 16, 16, str(data))
    other = CandidateError(source, data=data, **cast("Any", {**QUICK, "length": 12})).material.described
    assert {name for name in one if one[name] != other[name]} == {"length"}
    rows = data.read_text(encoding="utf-8").splitlines()
    data.write_text("\n".join(rows[::-1]) + "\n", encoding="utf-8")
    turned = CandidateError(source, data=data, **cast("Any", QUICK)).material.described
    assert turned["data"]["fingerprint"] != one["data"]["fingerprint"]


def test_a_tokenizer_of_more_words_than_the_network_is_refused(
    tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    source = checkpoint(BertModel, tmp_path / "source", tokenizer)
    large = train_tokenizer([" ".join(f"{a}{b}{c}" for a in "abcdefgh" for b in "ijklmnop" for c in "qrstuvw")], 700)
    assert len(large) > 300
    large.save_pretrained(tmp_path / "words")
    asked = CandidateError(
        source, texts=unlabelled(tmp_path / "t.jsonl", count=300), tokenizer=tmp_path / "words", **cast("Any", QUICK)
    )
    with pytest.raises(ValueError, match=r"has \d+ tokens, the network 300: give its own one"):
        asked.material.batches(4, 4, held_out=True, seed=0)
