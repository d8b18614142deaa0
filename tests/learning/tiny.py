"""Networks of a few thousand weights, in the stock form, for tests that train for real."""

from __future__ import annotations

import csv
import random
from pathlib import Path

import torch
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from subarch.text.tokenizers import train_tokenizer

# fmt: off
WORDS = [
    "good", "bad", "fine", "poor", "film", "play", "story", "actor", "scene", "long", "short", "the", "a", "of", "and",
    "is", "was", "very", "not", "rather",
]
# fmt: on


def tokenizer() -> PreTrainedTokenizerFast:
    """Words of a small language, each one token; two texts are told apart."""
    made = train_tokenizer([" ".join(WORDS)] * 50, 400)
    made.model_input_names = ["input_ids", "token_type_ids", "attention_mask"]  # as BERT's own
    return made


def config(**given: int) -> BertConfig:
    """Two layers of 32 units."""
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    vocabulary = {"vocab_size": 400, "max_position_embeddings": 64, "pad_token_id": 0}
    return BertConfig(**{**sizes, **vocabulary, **given})


def encoder(folder: Path, **given: int) -> Path:
    """A headless checkpoint."""
    torch.manual_seed(0)
    BertModel(config(**given)).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


def reviews(count: int, seed: int = 0) -> list[tuple[str, str]]:
    """Texts of that language, praise or blame by which words are more."""
    rng = random.Random(seed)
    made: dict[str, str] = {}
    while len(made) < count:
        words = rng.choices(WORDS, k=9)
        balance = sum(word in ("good", "fine") for word in words) - sum(word in ("bad", "poor") for word in words)
        if balance:
            made[" ".join(words)] = "praise" if balance > 0 else "blame"
    return list(made.items())


def write(path: Path, rows: list[tuple[str, ...]], header: tuple[str, ...] = ("text", "label")) -> Path:
    """A CSV file."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path
