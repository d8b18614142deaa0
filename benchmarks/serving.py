"""An export behind a service: several threads that ask one predictor, and memory over many calls.

- Throughput of two threads against one, single texts, for every form, with one core a pass (what a service gives) and
  with all cores a pass; and, with one thread, what asking 8-bit texts one by one costs against 32 in a pass.
- Resident memory in ten readings over 20,000 calls of single texts, batches and pairs of every length, each form in a
  process of its own; the last five should lie within 3 per cent.

The network has random weights in MiniLM's shape (6 layers of 384): times do not depend on values.

    python benchmarks/serving.py
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import BertConfig, BertForSequenceClassification

from results import Results
from subarch.options.forms import ArtifactName
from subarch.running.artifacts import FORMS, possible
from subarch.running.base import Inputs
from subarch.running.conversion import write
from subarch.running.graphs import Graph
from subarch.running.memory import resident_memory
from subarch.running.predictor import Predictor
from subarch.running.processor import usable_cores
from subarch.text.encoding import tokenize
from subarch.text.examples import Example
from subarch.text.tokenizers import load_tokenizer, train_tokenizer

WORDS = [a + b for a in ("ba", "ke", "li", "mo", "nu", "ra", "se", "ti") for b in ("dan", "fel", "gor", "his", "jum")]
READINGS = 10


def texts(count: int, most: int, seed: int) -> list[str]:
    """Texts of one to ``most`` words, every length alike often."""
    rng = random.Random(seed)
    return [" ".join(rng.choices(WORDS, k=1 + n % most)) for n in rng.sample(range(count), count)]


def made(folder: Path, names: tuple[ArtifactName, ...], layers: int, hidden: int, length: int) -> None:
    """Every form of a network, and its tokenizer."""
    reader = train_tokenizer([" ".join(WORDS)] * 50, 1000)
    reader.save_pretrained(folder)
    torch.manual_seed(0)
    sizes = {"num_hidden_layers": layers, "hidden_size": hidden, "intermediate_size": 4 * hidden}
    config = BertConfig(
        **sizes, num_attention_heads=hidden // 32, vocab_size=30522, max_position_embeddings=length, num_labels=3
    )
    graph = Graph.of(BertForSequenceClassification(config).eval())
    tokens = tokenize([Example(one) for one in texts(100, 40, seed=1)], reader, length=length)
    ranges: list[Inputs] = []
    for row in range(len(tokens)):
        ids = tokens.batch([row])["input_ids"].numpy()
        ranges.append({"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)})
    write(graph, folder, names, ranges)


def opened(folder: Path, name: ArtifactName, length: int, threads: int | None, batch_size: int = 32) -> Predictor:
    """A predictor as an export's own."""
    return Predictor(
        program=FORMS[name].open(folder, threads, None),
        tokenizer=load_tokenizer(folder),
        head="classification",
        label_names=("a", "b", "c"),
        length=length,
        artifact=name,
        batch_size=batch_size,
    )


def asked(predictor: Predictor, asking: list[str], callers: int, seconds: float) -> float:
    """Single texts a second that so many threads are answered together."""
    until, counts = time.perf_counter() + seconds, [0] * callers

    def work(me: int) -> None:
        n = me
        while time.perf_counter() < until:
            predictor([asking[n % len(asking)]])
            n += callers
            counts[me] += 1

    pool = [threading.Thread(target=work, args=(me,)) for me in range(callers)]
    began = time.perf_counter()
    for one in pool:
        one.start()
    for one in pool:
        one.join()
    return sum(counts) / (time.perf_counter() - began)


def throughput(results: Results, folder: Path, names: tuple[ArtifactName, ...], arguments: argparse.Namespace) -> None:
    """Two threads against one, in turns."""
    asking = texts(64, 24, seed=2)
    for name in names:
        for threads in (1, None):
            predictor = opened(folder, name, arguments.length, threads)
            for callers in (1, 2):  # every shape once, and for two callers what is made for them
                asked(predictor, asking, callers, arguments.seconds)
            rates: dict[int, list[float]] = {1: [], 2: []}
            for _ in range(arguments.rounds):
                for callers, found in rates.items():
                    found.append(asked(predictor, asking, callers, arguments.seconds))
            ratio = statistics.median(b / a for a, b in zip(rates[1], rates[2], strict=True))
            results.row(
                "Single texts, two threads against one",
                {
                    "form": name,
                    "cores a pass": threads or "all",
                    "one thread, texts a second": round(statistics.median(rates[1])),
                    "two threads": round(statistics.median(rates[2])),
                    "times as many": round(ratio, 2),
                },
            )


def company(results: Results, folder: Path, arguments: argparse.Namespace) -> None:
    """What it costs that dynamic 8-bit texts are asked one by one."""
    asking = texts(256, 60, seed=3)
    rates: dict[int, list[float]] = {32: [], 1: []}
    asks = {size: opened(folder, "onnx-int8", arguments.length, 1, size) for size in rates}
    for _ in range(arguments.rounds):
        for size, found in rates.items():
            began = time.perf_counter()
            asks[size](asking)
            found.append(len(asking) / (time.perf_counter() - began))
    ratio = statistics.median(b / a for a, b in zip(rates[32], rates[1], strict=True))
    results.row(
        "onnx-int8, 256 texts of 1 to 60 words in one call",
        {
            "32 a pass, texts a second": round(statistics.median(rates[32])),
            "one by one": round(statistics.median(rates[1])),
            "times as many": round(ratio, 2),
        },
    )


def memory(folder: str, name: ArtifactName, length: int, calls: int) -> list[int]:
    """Resident bytes after each tenth of the calls: single texts of every length, batches and pairs."""
    predictor, rng = opened(Path(folder), name, length, 1), random.Random(4)
    found: list[int] = []
    singles = texts(length, length, seed=5)
    for n in range(calls):
        one = singles[n % len(singles)]
        if n % 10 == 8:
            predictor(rng.sample(singles[: length // 4], 1 + n // 10 % 16))
        elif n % 10 == 9:
            predictor([(one, rng.choice(singles))])
        else:
            predictor([one])
        if (n + 1) % (calls // READINGS) == 0:
            found.append(resident_memory() or 0)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of a visit")
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--hidden", type=int, default=384)
    parser.add_argument("--length", type=int, default=128, help="tokens that texts are cut to")
    parser.add_argument("--memory-layers", type=int, default=2, help="memory grows with shapes, not with layers")
    parser.add_argument("--memory-hidden", type=int, default=64)
    parser.add_argument("--forms", nargs="*", default=list(possible()))
    parser.add_argument("--parts", nargs="*", choices=["throughput", "memory"], default=["throughput", "memory"])
    parser.add_argument("--name", default="serving", help="of the result files")
    arguments = parser.parse_args()
    results, names = Results(arguments.name, __doc__ or ""), tuple(arguments.forms)
    results.row("Cores", {"that this process may use": usable_cores()})
    with tempfile.TemporaryDirectory(prefix="subarch-") as folder:
        if "throughput" in arguments.parts:
            made(Path(folder), names, arguments.layers, arguments.hidden, arguments.length)
            throughput(results, Path(folder), names, arguments)
            if "onnx-int8" in names:
                company(results, Path(folder), arguments)
        if "memory" in arguments.parts:
            small = Path(folder) / "small"
            small.mkdir()
            made(small, names, arguments.memory_layers, arguments.memory_hidden, arguments.length)
            for name in names:
                with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                    given: Any = (str(small), name, arguments.length, arguments.calls)
                    found = pool.submit(memory, *given).result()
                last = found[READINGS // 2 :]
                row = {"form": name, "MB": ", ".join(str(round(one / 1e6)) for one in found)}
                row["last five, spread in per cent"] = str(round(100 * (max(last) / min(last) - 1), 2))
                results.row(f"Resident memory, {arguments.calls:,} calls", row)
    results.write()


if __name__ == "__main__":
    main()
