"""What several tests of jobs begin with."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tiny import config, reviews, tokenizer, write
from transformers import BertModel


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an encoder and a table."""
    folder = tmp_path_factory.mktemp("inputs")
    torch.manual_seed(0)
    BertModel(config()).save_pretrained(folder / "encoder")
    tokenizer().save_pretrained(folder / "encoder")
    write(folder / "reviews.csv", [*reviews(900)])
    return folder
