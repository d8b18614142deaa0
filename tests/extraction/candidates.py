"""A tiny language, and sources of a few thousand weights, for tests of what candidates are trained and judged by."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any, cast

import torch
from transformers import (
    BertConfig,
    PreTrainedTokenizerFast,
)

from subarch.networks.sources import Source, open_source
from subarch.networks.space import Space

SPACE = {"num_hidden_layers": [1, 2], "hidden_size": [16, 32], "intermediate_size": [16, 64]}
WHOLE = {"num_hidden_layers": 2, "hidden_size": 32, "intermediate_size": 64}
SMALL = {"num_hidden_layers": 1, "hidden_size": 16, "intermediate_size": 16}
SUBJECTS = ["river", "engine", "teacher", "cloud", "market", "forest", "signal", "kitchen", "bridge", "letter"]
VERBS = ["crosses", "follows", "repairs", "colours", "measures", "forgets", "carries", "opens", "paints", "counts"]
QUICK = {"length": 16, "held_out": 16, "calibration": 16, "batch_size": 8, "steps": 4}


def sentence(rng: random.Random, words: list[str] = SUBJECTS) -> str:
    return f"the {rng.choice(words)} {rng.choice(VERBS)} the {rng.choice(words)} and the {rng.choice(words)} again."


def checkpoint(kind: Any, folder: Path, tokenizer: PreTrainedTokenizerFast, **changes: Any) -> Source:
    torch.manual_seed(0)
    sizes = {**WHOLE, "num_attention_heads": 4, "vocab_size": 300, "max_position_embeddings": 64, **changes}
    model = kind(BertConfig(**cast("Any", {**sizes, "initializer_range": 0.2})))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return open_source(str(folder), space=Space.from_json(SPACE))


def unlabelled(path: Path, *, pairs: bool = False, count: int = 1500) -> Path:
    rng = random.Random(3)
    names = ("sentence1", "sentence2") if pairs else ("text",)
    rows = [{name: f"{n} {sentence(rng)}" for name in names} for n in range(count)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path
