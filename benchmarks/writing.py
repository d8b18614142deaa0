"""Forms of an encoder written operator by operator against traced ones: seconds to write, and milliseconds a text.

BERT of four sizes, random weights, one thread, lengths of 24 and 64 tokens. Both kinds are timed in turns; the share is
that of the traced form's time in its fast mode.

    python benchmarks/writing.py
"""

from __future__ import annotations

import argparse
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from transformers import BertConfig, BertForSequenceClassification

from results import Results
from subarch.options.forms import ArtifactName
from subarch.running import direct
from subarch.running.artifacts import FORMS
from subarch.running.base import Inputs
from subarch.running.conversion import write
from subarch.running.graphs import Graph
from subarch.running.timing import Pass, in_turns

SIZES = ((1, 64, 128), (2, 128, 384), (4, 192, 768), (6, 384, 1536))
LENGTHS = (24, 64)
NAMES: tuple[ArtifactName, ...] = ("onnx", "onnx-int8", "openvino", "openvino-int8")


def network(layers: int, hidden: int, units: int) -> Graph:
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=6000,
        num_hidden_layers=layers,
        hidden_size=hidden,
        num_attention_heads=hidden // 32,
        intermediate_size=units,
    )
    return Graph.of(BertForSequenceClassification(config).eval())


def tokens(length: int) -> Inputs:
    ids = np.random.default_rng(0).integers(5, 6000, (1, length))
    return {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    results = Results("writing", __doc__ or "")
    traced = patch.object(direct, "written", lambda _graph, _operators: None)
    with tempfile.TemporaryDirectory() as home:
        for size in SIZES:
            passes: dict[Any, Pass] = {}
            seconds: dict[str, float] = {}
            for way in ("written", "traced"):
                folder = Path(home) / "-".join(map(str, (*size, way)))
                folder.mkdir()
                began = time.perf_counter()
                if way == "traced":
                    with traced:
                        write(network(*size), folder, NAMES, [tokens(24)])
                else:
                    write(network(*size), folder, NAMES, [tokens(24)])
                seconds[way] = time.perf_counter() - began
                for name in NAMES:
                    for length in LENGTHS:
                        passes[name, length, way] = partial(FORMS[name].open(folder, 1), tokens(length))
            shape = "/".join(map(str, size))
            results.row(
                "Seconds to write all forms", {"network": shape, **{k: round(v, 1) for k, v in seconds.items()}}
            )
            found = in_turns(passes, rounds=5)
            for name in NAMES:
                row: dict[str, Any] = {"network": shape, "form": name}
                for length in LENGTHS:
                    one, other = (found[name, length, way].fast_ms for way in ("written", "traced"))
                    row |= {f"ms, {length} tokens": round(one, 3), f"share, {length} tokens": round(one / other, 2)}
                results.row("Milliseconds a text", row)
    results.write()


if __name__ == "__main__":
    main()
