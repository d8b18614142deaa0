"""How fast the default corpus is read: python benchmarks/corpus_reading.py

Reads the installed documentation cold (sources in the file system's cache, nothing of ours) and from the cache, loads
demo/packages and packs 500 blocks, each once, in one process; prints one JSON object with the CPU's name.
"""

from __future__ import annotations

import json
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from subarch.tasks.loading import load_task
from subarch.text.corpora import blocks, installed_documentation, open_corpus
from subarch.text.tokenizers import train_tokenizer

T = TypeVar("T")


def cpu_name() -> str:
    """The processor's model name."""
    info = Path("/proc/cpuinfo")
    names = [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
    return names[0] if names else platform.processor()


def timed(action: Callable[[], T]) -> tuple[T, dict[str, float]]:
    """The result with wall-clock and CPU seconds."""
    wall, used = time.perf_counter(), time.process_time()
    result = action()
    return result, {
        "seconds": round(time.perf_counter() - wall, 2),
        "cpu_seconds": round(time.process_time() - used, 2),
    }


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder)
        documents, cold = timed(lambda: installed_documentation(cache=cache))
        _, warm = timed(lambda: installed_documentation(cache=cache))
        corpus, opened = timed(lambda: open_corpus(None, cache=cache))
        task, loaded = timed(lambda: load_task("demo/packages", cache=cache))
        tokenizer, trained = timed(lambda: train_tokenizer(corpus, 8192, cache=cache))
        _, packed = timed(lambda: blocks(corpus, tokenizer, length=128, count=500, held_out=False, seed=0))
    result = {
        "cpu": cpu_name(),
        "python": platform.python_version(),
        "documents": len(documents),
        "megabytes": round(sum(len(document.text.encode()) for document in documents) / 1e6, 1),
        "fingerprint": corpus.fingerprint,
        "task_fingerprint": task.fingerprint,
        "read_cold": cold,
        "read_cached": warm,
        "open_corpus_cached": opened,
        "load_demo_packages_cached": loaded,
        "train_tokenizer_8192": trained,
        "pack_500_blocks_of_128": packed,
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
