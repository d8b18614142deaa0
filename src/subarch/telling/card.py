"""The model card: a README.md with the metadata that the Hugging Face hub reads, from what the stages wrote."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from subarch.results.wording import (
    apart,
    apart_as_exported,
    claim_in_words,
    describe,
    milliseconds,
    short,
    target_in_words,
)

Record = Mapping[str, Any]
_MARKUP = re.compile(r"[\\`*_\[\]<>|#]")


def render_card(result: Record, manifest: Record) -> str:
    """A card for the model that ``compress`` made.

    Args:
        result: the content of ``compress.json``.
        manifest: of the run.
    """
    return "\n".join([*_metadata(result), *_text(result, manifest)]) + "\n"


def _metadata(result: Record) -> Iterator[str]:
    """Front matter; strings are written as JSON has them, which is YAML too."""
    sealed, kind = result["sealed"], result["finetune"]["kind"]
    task = "text-classification"
    name = str(result["task"])
    yield "---"
    yield "library_name: transformers"
    yield f"pipeline_tag: {task}"
    yield "tags: [subarch, distillation, neural-architecture-search]"
    yield "model-index:"
    yield f"- name: {json.dumps('subarch student of ' + Path(result['given_teacher']).name, ensure_ascii=False)}"
    yield "  results:"
    yield "  - task:"
    yield f"      type: {task}"
    yield "    dataset:"
    yield f"      name: {json.dumps(Path(name).name, ensure_ascii=False)}"
    yield f"      type: {json.dumps('text' if kind == 'regression' else Path(name).stem, ensure_ascii=False)}"
    yield "      split: sealed"
    yield "    metrics:"
    yield f"    - type: {json.dumps(str(sealed['metric']))}"
    yield f"      value: {float(sealed['exported']):.4f}"
    yield f"      name: {json.dumps('on sealed rows, as exported')}"
    yield "---"


def _text(result: Record, manifest: Record) -> Iterator[str]:
    extract, certificate = result["extract"], result["extract"]["certificate"]
    sealed, tuned = result["sealed"], result["finetune"]
    yield f"# A small model for {_plain(Path(str(result['task'])).name)}"
    yield ""
    yield (
        f"A network with {describe(extract['architecture'])}, {short(float(extract['parameters']))} parameters in its "
        f"backbone, extracted from one with {describe(extract['source']['architecture'])} and taught by it."
    )
    yield ""
    yield "## Targets"
    yield ""
    for word, sign in (("met", "met"), ("missed", "**missed**")):
        for one in result["targets"][word]:
            yield f"- {sign}: {target_in_words(one)}"
    yield ""
    yield "## Intended use"
    yield ""
    labels = ", ".join(map(_plain, tuned["label_names"]))
    columns = ", ".join(map(_plain, tuned["text_columns"])) or "text"
    yield f"Texts like those of the data ({columns}), in their language, " + (
        f"sorted into: {labels}." if labels else "to a number."
    )
    yield "It has seen no others, and says something about every text, also about those that make no sense to it."
    yield ""
    yield "## Scores on sealed rows"
    yield ""
    kept = f" What is deployed is of the kind '{tuned['method']}'; D are the training rows, E the development rows."
    yield f"{sealed['examples']} rows that no choice was made on; {tuned['metric']}; means with 95 % intervals.{kept}"
    yield ""
    yield from _table(
        ("way of training", "mean", "± 95 %", "seeds"),
        [(row["method"], f"{100 * row['mean']:.1f}", _half(row), str(row["seeds"])) for row in tuned["rows"]],
    )
    if told := apart(tuned):
        yield f"\n{told}"
    if "chosen" in tuned:
        yield f"\n{tuned['chosen']['told']}"
    yield (
        f"\nAs exported ({result['export']['chosen']}): {100 * sealed['exported']:.1f}, that is {sealed['drop']:+.1f} "
        "points of loss against the teacher. A teacher that had seen these rows before has too high a score here."
    )
    if told := apart_as_exported(sealed):
        yield f"\n{told}"
    yield ""
    yield "## Time"
    yield ""
    rows: Sequence[Record] = result["bench"]["rows"]
    yield from _table(
        ("network", "runs on", "tokens", "threads", "median", "times as fast as the reference"),
        [
            (
                _network(str(row["name"]), result),
                f"{row['runtime']} {row['precision']}",
                str(row["sequence_length"]),
                str(row["threads"]),
                milliseconds(float(row["p50_ms"])),
                f"{float(row['ratio']):.1f}",
            )
            for row in rows
        ],
    )
    yield f"\nMeasured on: {result['bench']['cpu']['name']}."
    yield ""
    yield "## The certificate"
    yield ""
    yield f"Verdict: {certificate['verdict']}. {claim_in_words(certificate)}"
    yield ""
    yield (
        "It is about the error after a short training, under the assumptions that certificate.json lists; it is no "
        "promise about the score after the full one."
    )
    yield ""
    yield "## The front"
    yield ""
    yield from _table(
        ("architecture", "parameters", "operations", "error"),
        [
            (
                describe(one["architecture"]),
                short(float(one["parameters"])),
                short(float(one["macs"])),
                f"{float(one['error']):.4f}",
            )
            for one in extract["front"][:20]
        ],
    )
    yield ""
    yield "## How it was made"
    yield ""
    command = manifest.get("command") or "subarch compress"
    yield f"`{command}`, with recipe.toml. Seeds, versions and data: manifest.json."


def _network(name: str, result: Record) -> str:
    """A row of the bench, for people."""
    known = {str(result["run"]): "this model", str(result["extract"]["source"]["name"]): "its teacher"}
    return known.get(name, _plain(Path(name).name))


def _plain(text: object) -> str:
    """One line that means nothing to Markdown."""
    return _MARKUP.sub(r"\\\g<0>", " ".join(str(text).split()))


def _half(row: Record) -> str:
    return "" if row.get("ci95") is None else f"{100 * float(row['ci95']):.1f}"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield "| " + " | ".join(header) + " |"
    yield "|" + " --- |" * len(header)
    for row in rows:
        yield "| " + " | ".join(row) + " |"
