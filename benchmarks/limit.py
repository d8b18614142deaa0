"""Whether the limit that ``compress`` certifies is the user's own: 4 asked, 4 certified, 4 measured.

For each table ``compress --speedup 4`` is run with the given teacher, which is fine-tuned first where it does not know
the labels. Told: the limit in the certificate; the pick's speed in the form that is served against the teacher in its
own best form, as the latency table has it and as it is measured in the end; how many networks were timed, how far the
fit was off at networks that it did not have, and the seconds of timing and of searching. Where the pick is much faster
than asked, the certificate's bound says whether anything better lies between. Resumable: all lives in --run.

    python benchmarks/limit.py --data reviews.csv questions.tsv --teacher ./my-bert --run runs/limit
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from minilm import say
from results import Results
from subarch.options.compression import CompressOptions
from subarch.pipeline import compress
from subarch.running.latency_table import MOST
from subarch.storage import read_json


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", type=Path, required=True, help="labelled CSV or TSV files")
    parser.add_argument("--teacher", required=True)
    parser.add_argument("--run", type=Path, default=Path("runs/limit"))
    parser.add_argument("--speedup", type=float, default=4.0)
    parser.add_argument("--max-drop", type=float, default=2.0)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--set", nargs="*", default=())
    arguments = parser.parse_args()
    results = Results("limit", __doc__ or "")
    for data in arguments.data:
        run = arguments.run / data.stem
        found = compress(
            CompressOptions(
                data=str(data),
                teacher=arguments.teacher,
                run=run,
                speedup=arguments.speedup,
                max_drop=arguments.max_drop,
                threads=arguments.threads,
                set=tuple(arguments.set),
            ),
            watch=say,
            command="benchmarks/limit",
        )
        told(results, data.stem, found.to_json(), read_json(run / "latency.json") or {})
    results.note(
        f"Asked: --speedup {arguments.speedup:g}. Changes: {arguments.set}. At most {MOST} networks make a table."
    )
    results.write()


def told(results: Results, name: str, found: dict[str, Any], table: dict[str, Any]) -> None:
    extract, seconds, timed = found["extract"], found["seconds"], found["extract"]["timed_with"]
    certificate, sealed = extract["certificate"], found["sealed"]
    speeds = [one for word in ("met", "missed") for one in found["targets"][word] if one["target"] == "speedup"]
    results.row(
        "The limit",
        {
            "table": name,
            "certified": certificate["limits"]["speedup"],
            "verdict": certificate["verdict"],
            "pick": " / ".join(map(str, extract["architecture"].values())),
            "times as fast in the table": round(extract["source"]["latency_ms"] / extract["latency_ms"], 2),
            "measured as exported": round(speeds[0]["got"], 2),
            "error": round(extract["error"], 4),
            "no error within the limit below": certificate["bound"]["value"],
        },
    )
    results.row(
        "Served",
        {
            "table": name,
            "student": f"{timed['runtime']}, {timed['threads']} threads",
            "teacher": f"{timed['reference_runtime']}, {timed['reference_threads']} threads",
            "teacher ms": round(table["reference_ms"], 3),
            "exported in the end": found["export"]["chosen"],
        },
    )
    results.row(
        "Timing beside the search",
        {
            "table": name,
            "networks": timed["networks"],
            "fit off by": round(timed["error"], 3),
            "seconds of timing": seconds["timing"],
            "seconds of trainings": seconds["search"],
            "share": round(seconds["timing"] / seconds["search"], 2),
            "trained": f"{certificate['evaluated']} of {certificate['space_size']}",
        },
    )
    results.row(
        "Sealed rows", {"table": name, **{key: sealed[key] for key in ("metric", "exported", "teacher", "drop")}}
    )


if __name__ == "__main__":
    main()
