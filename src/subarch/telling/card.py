"""The model card: a README.md with the metadata that the Hugging Face hub reads, from what the stages wrote."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from subarch.results.base import Rows
from subarch.results.compress import CompressResult, TargetsResult
from subarch.results.confirm import ConfirmResult
from subarch.results.extract import told_front
from subarch.results.vocabulary import VocabularyResult
from subarch.results.wording import describe, short
from subarch.tasks.kinds.table import KINDS, kind_of

_MARKUP = re.compile(r"[\\`*_\[\]<>|#]")
_MOST_OF_THE_FRONT = 20


def render_card(result: CompressResult, command: str) -> str:
    """A card for the model that ``compress`` made.

    Args:
        result: of all stages.
        command: as it was typed.
    """
    extract = result.extract
    certificate = extract.certificate
    front = told_front(extract.front[:_MOST_OF_THE_FRONT], extract.picks)
    sections: Mapping[str, Iterable[str]] = {
        "Targets": _targets(result.targets),
        "Intended use": _use(result),
        "Scores on sealed rows": _scores(result),
        "The plainest rivals": _ladder(result),
        "Time": [*_table(result.bench.table(_names(result))), f"\nMeasured on: {result.bench.cpu.name}."],
        "The certificate": [
            f"Verdict: {certificate.verdict}. {certificate.in_words}\n",
            "It is about the error after a short training, under the assumptions that certificate.json lists; it is no "
            "promise about the score after the full one"
            f"{'.' if result.confirm is None else ', which the next section looks at.'}",
        ],
        **({} if result.confirm is None else {"Short against long": _confirmed(result.confirm)}),
        **({} if (cut := extract.vocabulary) is None else {"The vocabulary": _vocabulary(cut)}),
        "The front": _table(front),
        "How it was made": [
            f"`{command or 'subarch compress'}`, with recipe.toml. Seeds, versions and data: manifest.json."
        ],
    }
    lines = [
        *_metadata(result),
        f"# A small model for {_plain(Path(result.task).name)}",
        "",
        f"A network with {describe(extract.architecture)}, {short(extract.parameters)} parameters in its backbone, "
        f"extracted from one with {describe(extract.source.architecture)} and taught by it.",
    ]
    for title, content in sections.items():
        lines += ["", f"## {title}", "", *content]
    return "\n".join(lines) + "\n"


def _metadata(result: CompressResult) -> Iterator[str]:
    """Front matter; strings are written as JSON has them, which is YAML too."""
    sealed = result.sealed
    head = result.export.head
    task = kind_of(head if head in KINDS else "classification").pipeline
    yield "---"
    yield "library_name: transformers"
    yield f"pipeline_tag: {task}"
    yield "tags: [subarch, distillation, neural-architecture-search]"
    yield "model-index:"
    yield f"- name: {json.dumps('subarch student of ' + Path(result.given_teacher).name, ensure_ascii=False)}"
    yield "  results:"
    yield "  - task:"
    yield f"      type: {task}"
    yield "    dataset:"
    yield f"      name: {json.dumps(Path(result.task).name, ensure_ascii=False)}"
    kind = "text" if result.finetune.kind == "regression" else Path(result.task).stem
    yield f"      type: {json.dumps(kind, ensure_ascii=False)}"
    yield "      split: sealed"
    yield "    metrics:"
    yield f"    - type: {json.dumps(sealed.metric)}"
    yield f"      value: {sealed.exported:.4f}"
    yield f"      name: {json.dumps('on sealed rows, as exported')}"
    yield "---"


def _targets(targets: TargetsResult) -> Iterator[str]:
    for word, one in targets.rows():
        yield f"- {'met' if word == 'met' else f'**{word}**'}: {one.in_words}"


def _use(result: CompressResult) -> Iterator[str]:
    tuned = result.finetune
    labels = ", ".join(map(_plain, tuned.label_names))
    columns = ", ".join(map(_plain, tuned.text_columns)) or "text"
    does = f"sorted into: {labels}." if labels else "to a number."
    if result.export.head in KINDS and kind_of(result.export.head).has_words:
        does = f"each word tagged with one of: {labels}."
    if tuned.holds_above:
        each = ", ".join(f"{_plain(name)} ({at:g})" for name, at in tuned.holds_above.items())
        does = f"with every label that holds, or none. A label holds above its probability here: {each}."
    yield f"Texts like those of the data ({columns}), in their language, {does}"
    yield "It has seen no others, and says something about every text, also about those that make no sense to it."


def _scores(result: CompressResult) -> Iterator[str]:
    sealed, tuned = result.sealed, result.finetune
    kept = f" What is deployed is of the kind '{tuned.method}'; D are the training rows, E the development rows."
    yield f"{sealed.examples} rows that no choice was made on; {tuned.metric}; means with 95 % intervals.{kept}"
    yield ""
    yield from _table(tuned.table())
    yield from (f"\n{told}" for told in (tuned.apart, tuned.chosen and tuned.chosen.told) if told)
    yield (
        f"\nAs exported ({result.export.chosen}): {100 * sealed.exported:.1f}, that is {sealed.drop:+.1f} points of "
        "loss against the teacher. A teacher that had seen these rows before has too high a score here."
    )
    if told := sealed.apart_in_words():
        yield f"\n{told}"


def _vocabulary(cut: VocabularyResult) -> Iterator[str]:
    yield f"It has {cut.cut_in_words}."
    yield f"But {cut.held_out_in_words}."


def _confirmed(found: ConfirmResult) -> Iterator[str]:
    yield f"**{_plain(found.in_words)}**"
    if len(found.networks) > 1:
        yield ""
        yield from _table(found.table())
        yield f"\n{found.how}"
    yield from (f"\n{told}" for told in (found.apart, found.advice) if told)


def _ladder(result: CompressResult) -> Iterator[str]:
    if result.ladder is None:
        yield "None were asked."
        return
    yield (
        "What others would do, on the same rows; points lost against the teacher with 95 % intervals; ms from one text "
        "to its answer, tokens included."
    )
    yield ""
    yield from _table(result.ladder.table())
    yield f"\n{_plain(result.ladder.sentence().words)}."


def _names(result: CompressResult) -> Callable[[str], str]:
    """What a network of the bench is called, for people."""
    known = {result.run: "this model", result.extract.source.name: "its teacher"}
    return lambda name: known.get(name, Path(name).name)


def _plain(text: object) -> str:
    """One line that means nothing to Markdown."""
    return _MARKUP.sub(r"\\\g<0>", " ".join(str(text).split()))


def _table(rows: Rows) -> Iterator[str]:
    yield "| " + " | ".join(rows.columns) + " |"
    yield "|" + " --- |" * len(rows.columns)
    for row in rows.rows:
        yield "| " + " | ".join(map(_plain, row)) + " |"
