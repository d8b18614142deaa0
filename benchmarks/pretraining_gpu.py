"""Pre-training of the Bort shape on one GPU: tokens a second, the share of the matrix rate, and a real run's loss.

The operations counted are those of the matrix products of forward and backward passes that the mathematics needs
(three times the forward pass's; the vocabulary at masked tokens only); the matrix rate is that of an 8192 x 8192 x 8192
product in bfloat16, measured in the same run. First short runs of kinds in turns, then one long one.

    python benchmarks/pretraining_gpu.py --corpus PROSE_FOLDER --run runs/gpu --steps 3000
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import torch

from results import Results
from subarch.learning.pretraining import Pretrained, pretrain
from subarch.networks.encoder import bort_config
from subarch.options.pretraining import PretrainSettings
from subarch.text.masking import MASKED_SHARE

WARM = 20  # steps in which kernels are compiled and readers start


def matrix_rate(size: int = 8192, repeats: int = 50) -> float:
    """Operations a second of a square product in bfloat16, the median."""
    a, b = (torch.randn(size, size, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    seconds: list[float] = []
    for _ in range(repeats):
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        _ = a @ b
        end.record()
        torch.cuda.synchronize()
        seconds.append(begin.elapsed_time(end) / 1e3)
    return 2 * size**3 / statistics.median(seconds)


def operations(shape: dict[str, Any], length: int) -> float:
    """Of one token, forward and backward."""
    hidden, layers = shape["hidden_size"], shape["num_hidden_layers"]
    dense = layers * (4 * hidden**2 + 2 * hidden * shape["intermediate_size"])
    head = MASKED_SHARE * (hidden**2 + hidden * shape["vocab_size"])
    return 3 * 2 * (dense + head + 2 * layers * length * hidden)


def say(stage: str, /, *, done: int = 0, total: int | None = None, note: str = "") -> None:
    if done % 100 == 0 or done == total:
        sys.stderr.write(f"{time.strftime('%H:%M:%S')} {stage} {done} of {total} {note}\n")


def rate(result: Pretrained) -> float:
    """Tokens a second, the median of the log's records after the first steps."""
    records = [json.loads(line) for line in (result.checkpoint / "log.jsonl").read_text().splitlines()]
    found = [record["tokens"] / record["seconds"] for record in records if "tokens" in record]
    return statistics.median(found[WARM // 10 :])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--tokenizer", help="folder; trained on the corpus when not given")
    parser.add_argument("--steps", type=int, default=3000, help="of the long run; 0: none")
    parser.add_argument("--tokens", type=int, default=131_072, help="a step")
    parser.add_argument("--length", type=int, default=512, help="of the long run's rows")
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--short", type=int, default=80, help="steps of the short runs; 0: none")
    arguments = parser.parse_args()
    results = Results("pretraining_gpu", __doc__ or "")
    shape = bort_config()
    peak = matrix_rate()
    results.row("Matrix rate", {"device": torch.cuda.get_device_name(), "TFLOP/s": round(peak / 1e12)})

    def train(name: str, steps: int, length: int, **given: Any) -> Pretrained:
        settings = PretrainSettings(
            steps=steps,
            batch_size=arguments.tokens // length,
            sequence_length=length,
            learning_rate=arguments.learning_rate,
            evaluate_every=max(1, steps // 20),
            save_every=max(1, steps // 2),
            held_out=1024,
            **given,
        )
        places = {"corpus": arguments.corpus, "tokenizer": arguments.tokenizer, "cache": arguments.run / "cache"}
        return pretrain(arguments.run / name, shape, settings=settings, watch=say, **places)

    def shown(result: Pretrained, length: int) -> dict[str, Any]:
        found = rate(result)
        share = found * operations(shape, length) / peak
        return {"tokens a second": round(found), "share of the matrix rate": f"{share:.1%}"}

    kinds = {"fused": {}, "as the stock library has it": {"compiled": False}} if arguments.short else {}
    for length in (128, 512):
        for kind, given in kinds.items():
            torch.cuda.reset_peak_memory_stats()
            result = train(f"{kind}-{length}".replace(" ", "-"), arguments.short, length, **given)
            memory = {"GiB at most": round(torch.cuda.max_memory_allocated() / 2**30, 1)}
            results.row("Speed", {"kernels": kind, "length": length} | shown(result, length) | memory)
    if arguments.steps:
        began = time.perf_counter()
        result = train("long", arguments.steps, arguments.length)
        spent = {"wall seconds, reading included": round(time.perf_counter() - began)}
        ended = {"held-out loss": round(result.loss, 4), "accuracy": round(result.accuracy, 4)}
        said = {"steps": result.steps, "million tokens": round(result.tokens / 1e6)}
        results.row("The long run", said | shown(result, arguments.length) | ended | spent)
        for line in (result.checkpoint / "log.jsonl").read_text().splitlines():
            record = json.loads(line)
            if "held_out_loss" in record:
                scores = {name: round(record[name], 4) for name in ("held_out_loss", "masked_accuracy")}
                results.row("Its loss curve", {"step": record["step"]} | scores)
    results.note(
        f"Shape {shape['num_hidden_layers']} x {shape['hidden_size']} x {shape['intermediate_size']}, vocabulary "
        f"{shape['vocab_size']:,}, {arguments.tokens:,} tokens a step, peak rate {arguments.learning_rate:g}, seed 0, "
        "bfloat16 in mixed precision, data loading and optimiser included."
    )
    results.write()


if __name__ == "__main__":
    main()
