"""The published setting at its full scale: the Bort space, random weights, three steps, epsilon 0.1, on this machine.

    subarch extract bort --start scratch --steps 3 --epsilon 0.1

run as a program of its own, with its wall time and its peak of memory; then what decided: spread, noise, violations.

    python benchmarks/bort.py
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

from results import Results

COMMAND = ["extract", "bort", "--start", "scratch", "--steps", "3", "--epsilon", "0.1", "--json"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs") / f"bort-{time.strftime('%Y%m%d-%H%M%S')}")
    arguments = parser.parse_args()
    results = Results("bort", __doc__ or "")
    began = time.perf_counter()
    command = [sys.executable, "-m", "subarch", *COMMAND, "--run", str(arguments.run)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    seconds = time.perf_counter() - began
    document = json.loads(done.stdout)
    certificate = document["certificate"]
    results.row(
        "Search",
        {
            "seconds": round(seconds),
            "peak_gib": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20, 2),
            "trained": certificate["evaluated"],
            "of": certificate["space_size"],
            "repeats for the noise": certificate["repeats"],
            "verdict": certificate["verdict"],
            "epsilon reached": certificate["achieved"] and round(certificate["achieved"], 4),
            "delta": round(certificate["delta"], 4),
            "violations": len(certificate["violations"]),
            "spread": round(certificate["spread"], 4),
            "noise": round(certificate["noise"], 4),
            "pick": document["architecture"],
            "w": round(document["w"], 5),
        },
    )
    results.note(f"Reason: {certificate['reason']}")
    results.write()


if __name__ == "__main__":
    main()
