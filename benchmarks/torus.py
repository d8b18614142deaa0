"""Agora on the torus of examples/torus.py: scores of three students beside other ways of training, and Betti numbers.

Three worlds (seeds), two kinds of teachers that are right three times in four: errors scattered, and in regions.

    pip install 'subarch[topology]'
    python benchmarks/torus.py --run runs/torus
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from results import Results
from subarch.tasks.metrics import interval

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "examples"))
import torus


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/torus"))
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    results = Results("torus", __doc__ or "")
    for how in ("independent", "in regions"):
        for student in torus.STUDENTS:
            document = torus.run(student, how, range(arguments.seeds), arguments.run)
            shown: dict[str, object] = {"student": student, "teacher errs": how}
            for method, scores in document["scores"].items():
                mean, half = interval(scores)
                shown[method] = f"{100 * mean:.1f} ± {100 * (half or 0):.1f}"
            results.row("Accuracy on the sealed split", shown)
            for seed, one in enumerate(document["shapes"]):
                row = {"student": student, "teacher errs": how, "seed": seed}
                named = {"Betti before": one["before"], "after": one["after"], "points": one["points"]}
                best = {"best case": [round(v, 3) for v in torus.theory(len(one["scores"]))]}
                ended = {"ended": one["stopped"]}
                results.row("Rounds", row | named | {"scores by round": one["scores"]} | best | ended)
    results.note(
        "Scores by round are on development data, where the choice is made; the best case is 1 - 2^-k, which nothing "
        "here claims to reach. Classes are balanced: chance is 50."
    )
    results.write()


if __name__ == "__main__":
    main()
