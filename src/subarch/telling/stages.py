"""What a run did after the search, as sections of its report: pre-training, fine-tuning, Agora's rounds, export, bench.

Every stage is read from its own files, and left out where these are not there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from subarch.results.base import Json, Rows
from subarch.results.bench import BenchResult
from subarch.results.cascade import CascadeResult
from subarch.results.compress import CompressResult
from subarch.results.confirm import ConfirmResult
from subarch.results.export import ExportResult
from subarch.results.finetune import FinetuneResult, LoopResult, MethodResult
from subarch.results.ladder import LadderResult
from subarch.results.pretrain import Pretrained
from subarch.results.wording import decimal, percent, short, took_in_words, whole
from subarch.storage import read_record
from subarch.telling import ladder
from subarch.telling.page import Cell, Html, chart, escape, listed, number_cell, table, tag
from subarch.telling.plots import axis, bars, figure, line, marks

_COLORS = ("--trained", "--front", "--pick-w", "--pick-knee", "--pick-c", "--untrained", "--accent")
_MOST_SAMPLES = 12
_MOST_RECORDS = 400


@dataclass(frozen=True)
class Stage:
    """One section.

    Attributes:
        key: its anchor.
        title: its heading.
        content: what it says.
        plots: figures by element id.
    """

    key: str
    title: str
    content: list[Html]
    plots: Mapping[str, Json] = field(default_factory=dict[str, Json])


def stages(run: Path) -> list[Stage]:
    """The stages that a run directory holds, in their order."""
    found: list[Stage] = []
    if (compressed := read_record(CompressResult, run / "compress.json")) is not None:
        found.append(_targets(compressed))
    climbed = read_record(LadderResult, run / "ladder.json") if compressed is None else compressed.ladder
    if climbed is not None:
        found.append(Stage("ladder", "What others would do", *ladder.content(climbed)))
    if compressed is not None and compressed.cascade is not None:
        found.append(_cascade(compressed.cascade))
    if compressed is not None and compressed.confirm is not None:
        found.append(_confirmed(compressed.confirm))
    if (pretrained := read_record(Pretrained, run / "pretrain" / "result.json")) is not None:
        found.append(_pretraining(pretrained, _lines(run / "pretrain" / "log.jsonl")))
    for number, file in enumerate(sorted(run.glob("finetune/**/finetune.json"))):
        if (tuned := read_record(FinetuneResult, file)) is not None:
            found.append(_finetuning(tuned, number))
    if (exported := read_record(ExportResult, run / "export" / "export.json")) is not None:
        found.append(_export(exported))
    if (timed := read_record(BenchResult, run / "benchmark.json")) is not None and timed.rows:
        found.append(_bench(timed))
    return found


def _lines(file: Path) -> list[Json]:
    try:
        return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError):
        return []


# --- the whole story --------------------------------------------------------------------------------------------------


def _targets(result: CompressResult) -> Stage:
    """What was asked of ``compress``, and what came out."""
    sealed, targets = result.sealed, result.targets
    words = (
        f"On {whole(sealed.examples)} sealed rows the exported model reaches {100 * sealed.exported:.1f}, its "
        f"teacher {100 * sealed.teacher:.1f} ({sealed.metric})."
    )
    if rivals := _rivals(result.ladder):
        words += f" Without a search, on the same rows: {rivals}."
    if told := sealed.apart_in_words():
        words += f" {told}"
    if any(one.target in ("speedup", "latency_ms") for _, one in targets.rows()):
        words += (
            " The search's limit of time is the target itself, in the form that is served; the teacher in its best."
        )
    content = [tag("p", words), listed("Targets, asked and measured on what was exported", targets.table())]
    if result.confirm is not None and result.confirm.advice:
        content.append(tag("p", tag("strong", result.confirm.reason), f" {result.confirm.advice}"))
    if result.stages:
        content.append(tag("p", f"All of it took {took_in_words(result.stages)}.", class_="note"))
    return Stage("targets", "What was asked, and what came out", content)


def _rivals(result: LadderResult | None) -> str:
    """What plain rungs reach on the sealed rows; of the teacher as it is and of a constant nobody need be told."""
    rungs = () if result is None else result.rungs
    plain = [one for one in rungs if one.what == "rung" and one.name not in ("constant", "teacher")]
    return "; ".join(f"{one.words} {100 * one.quality:.1f}" for one in plain if one.quality is not None)


def _cascade(result: CascadeResult) -> Stage:
    """The student and the teacher in 8 bits as one."""
    rows = [
        (result.first, decimal(result.first_ms, 3), "", ""),
        (result.second, decimal(result.second_ms, 3), "", f"{result.second_per_second:,.0f}"),
        ("both", decimal(result.mean_ms, 3), decimal(result.p95_ms, 3), f"{result.texts_per_second:,.0f}"),
    ]
    columns = ("who answers", "mean ms a text", "95 in 100", "texts a second")
    how = (
        f"The first is sure enough from a probability of {decimal(result.least, 3)} on, which was chosen on "
        f"development rows that nothing learned from; {percent(result.development_deferred, 2)} of them went on. "
        f"Served from {result.folder}."
    )
    sentence = result.in_words()
    content = [tag("p", sentence[0].upper() + sentence[1:] + "."), listed("Times", Rows(columns, rows)), tag("p", how)]
    return Stage("cascade", "The student, and the teacher where it is not sure", content)


def _confirmed(result: ConfirmResult) -> Stage:
    """The pick beside its closest rivals after full training."""
    content, plots = [tag("p", tag("strong", result.in_words))], dict[str, Json]()
    if len(result.networks) > 1:
        label = "Scatter chart of the score after full training against the error of the short run; the table has both."
        caption = tag("p", "Bars are 95 % intervals over seeds. Where the order holds the pick is at the top.")
        content += [
            chart("confirm-scores", "Short error and final score", caption, label),
            listed("The pick and its closest rivals, trained to the end", result.table()),
            tag("p", result.how, class_="note"),
        ]
        plots["confirm-scores"] = _short_and_long(result)
    content += [tag("p", told) for told in (result.apart, result.advice) if told]
    return Stage("confirm", "Short against long", content, plots)


def _short_and_long(result: ConfirmResult) -> Json:
    pick, *rivals = [one for one in result.networks if one.failure is None]
    traces = [
        marks(
            name,
            [one.error for one in some],
            [100 * (one.mean or 0) for one in some],
            color,
            halves=[None if one.ci95 is None else 100 * one.ci95 for one in some],
            text=[f"{escape(one.name)}<br>{100 * (one.mean or 0):.1f}" for one in some],
        )
        for name, some, color in (("the pick", [pick], "--front"), ("its rivals", rivals, "--trained"))
    ]
    return figure(traces, axis("Error of the short run", tickformat="~g"), axis(f"Final score ({result.metric})"))


# --- pre-training -----------------------------------------------------------------------------------------------------


def _pretraining(result: Pretrained, log: Sequence[Json]) -> Stage:
    learning = [one for one in log if "mlm" in one]
    stride = max(1, len(learning) // _MOST_RECORDS)
    learning = learning[::stride]
    held_out = [one for one in log if "held_out_loss" in one]
    traces = [
        line("learning", [one["step"] for one in learning], [one["mlm"] for one in learning], "--untrained"),
        line("held out", [one["step"] for one in held_out], [one["held_out_loss"] for one in held_out], "--trained"),
    ]
    words = (
        f"After {whole(result.steps)} steps and {short(result.tokens)} tokens ({short(result.tokens_per_second)} a "
        f"second), the student guesses {100 * result.accuracy:.1f} % of the held-out masked tokens; its loss there is "
        f"{decimal(result.loss, 4)} nats."
    )
    learned = {name: weight for name, weight in result.losses.items() if weight and name in _LOSSES}
    told = ", ".join(f"{_LOSSES[name]} (weight {weight:g})" for name, weight in learned.items())
    label = "Line chart of the loss of masked tokens against steps, while learning and held out."
    content = [
        tag("p", words),
        tag("p", f"It learned from {told}.", class_="note"),
        chart("pretraining-loss", "Loss of masked tokens", tag("p", "In nats; lower is better."), label),
    ]
    plot = figure(traces, axis("Step", tickformat=",d"), axis("Loss (nats)"))
    return Stage("pretraining", "Pre-training", content, {"pretraining-loss": plot})


_LOSSES = {
    "mlm": "the masked tokens themselves",
    "logits": "the teacher's distributions",
    "relations": "the teacher's attention relations",
    "states": "the teacher's hidden states",
}

# --- fine-tuning ------------------------------------------------------------------------------------------------------


def _finetuning(result: FinetuneResult, number: int) -> Stage:
    key, rows, sizes = f"finetuning-{number}", result.rows, result.data.examples
    words = (
        f"{result.metric} on {whole(sizes.sealed)} sealed examples, on which nothing was trained or chosen; learned "
        f"from {whole(sizes.train)}, chosen on {whole(sizes.development)}. Means over seeds with 95 % intervals."
    )
    words += "".join(f" {told}" for told in (result.apart, result.chosen and result.chosen.told) if told)
    if any(row.method.endswith("D and E") for row in rows):
        words += " The ways 'on D and E' have learned from the development rows as well."
    content, plots = [tag("p", words)], dict[str, Json]()
    if len(rows) > 1:
        label = f"Bar chart of the score of each way of training on {result.task}; the table has the values."
        caption = tag("p", "In points of 100; higher is better.")
        content.append(chart(f"{key}-scores", "Ways of training", caption, label))
        plots[f"{key}-scores"] = _scores(rows)
    content.append(listed(f"Scores on {result.task}", result.table()))
    for told in result.told_by_class():
        if isinstance(told, Rows):
            content.append(listed("Each class or label on the sealed rows, the worst first", told))
        else:
            content.append(tag("p", f"{told.words[:1].upper()}{told.words[1:]}.", class_="note"))
    for loop in result.rounds or ():
        more, drawn = _loop(loop, f"{key}-seed-{loop.seed}")
        content += more
        plots |= drawn
    return Stage(key, f"Fine-tuning: {result.task}", content, plots)


def _scores(rows: Sequence[MethodResult]) -> Json:
    means, halves = [100 * row.mean for row in rows], [100 * (row.ci95 or 0) for row in rows]
    colors = ["--front" if row.method.startswith("agora") else "--trained" for row in rows]
    columns = {
        **bars("score", [row.method for row in rows], means, "--trained"),
        "marker": {"color": colors},
        "error_y": {"type": "data", "array": halves, "color": "--ink"},
    }
    lowest = max(0.0, min(mean - half for mean, half in zip(means, halves, strict=True)) - 5)
    return figure([columns], axis(""), axis("Score", range=[lowest, min(100, max(means) + 8)]))


def _loop(loop: LoopResult, key: str) -> tuple[list[Html], Mapping[str, Json]]:
    """One seed's rounds of Agora."""
    rounds = loop.rounds
    numbers = [one["number"] for one in rounds]
    traces = [
        line("best of the round", numbers, [100 * one["scores"][str(one["best"])] for one in rounds], "--front"),
        line("best so far", numbers, [100 * one["best_so_far"] for one in rounds], "--trained", "dot"),
    ]
    rows = [
        [
            Cell(whole(one["number"]), one["number"], numeric=True),
            number_cell(one["learned_from"], whole),
            number_cell(100 * one["scores"][str(one["best"])], lambda value: f"{value:.1f}"),
            number_cell(len(one["mistakes"]), whole),
            number_cell(len(one.get("near", one["mistakes"])), whole),
            number_cell(one["made"] or None, whole),
            number_cell(len(one["kept"]) or None, whole),
            Cell("; ".join(f"{count:,} {reason}" for reason, count in one["refused"].items())),
            Cell(", ".join(str(n + 1) for n in one["surviving"])),
        ]
        for one in rounds
    ]
    header = ["Round", "Learned from", "Score", "Mistakes", "Asked near", "Proposals", "Kept", "Refused", "Sets left"]
    label = "Line chart of the development score by round; the table has the values."
    content = [
        tag("h3", f"Agora's rounds, seed {loop.seed}"),
        tag("p", loop.told + ". Scores by round are on development data, where the choice is made: no evidence."),
        *([chart(key, "Development score by round", tag("p", "In points of 100."), label)] if len(rounds) > 1 else []),
        table(f"Rounds, seed {loop.seed}", header, rows),
        *_balance(loop),
        *_samples(loop),
    ]
    return content, {key: figure(traces, axis("Round", dtick=1), axis("Score"))} if len(rounds) > 1 else {}


def _balance(loop: LoopResult) -> Iterable[Html]:
    if loop.classes:
        told = "; ".join(f"{name}: {whole(count)}" for name, count in loop.classes.items())
        yield tag("p", f"What it learned from in the end, by class: {told}.", class_="note")


def _samples(loop: LoopResult) -> Iterable[Html]:
    if loop.samples:
        rows = [(" | ".join(one.mistake), " | ".join(one.proposal), one.label) for one in loop.samples[:_MOST_SAMPLES]]
        found = Rows(("mistake", "text", "the teacher says"), rows)
        summary = tag("summary", "A look at what was proposed")
        yield tag("details", summary, listed("Mistakes, and texts learned beside them", found))


# --- running ----------------------------------------------------------------------------------------------------------


def _export(result: ExportResult) -> Stage:
    times, length = result.times, result.latency[0].sequence_length
    colors = ["--front" if name == result.chosen else "--trained" for name in times]
    columns = {**bars("milliseconds", list(times), list(times.values()), "--trained"), "marker": {"color": colors}}
    label = "Bar chart of the milliseconds of a pass in each form; the table has the values."
    content = [
        tag("p", f"{result.chosen}: {result.reason}."),
        chart("export-times", "One pass", tag("p", f"One text of {length} tokens; lower is better."), label),
        listed(f"Forms, judged on {whole(result.examples)} examples ({result.judged_on})", result.table()),
    ]
    plots = {"export-times": figure([columns], axis(""), axis("Milliseconds"))}
    return Stage("export", "What runs fastest here", content, plots)


def _bench(result: BenchResult) -> Stage:
    threads, batch, _ = result.rows[0].cell
    here = {
        (row.name, row.runtime, row.precision, row.sequence_length): row.ratio
        for row in result.rows
        if row.cell[:2] == (threads, batch)
    }
    forms = list(dict.fromkeys((row.name, row.runtime, row.precision) for row in reversed(result.rows)))
    lengths = dict.fromkeys(row.sequence_length for row in result.rows)
    traces = [
        bars(
            f"{length} tokens",
            [here.get((*form, length)) for form in forms],
            [" ".join(form) for form in forms],
            _COLORS[number % len(_COLORS)],
            orientation="h",
        )
        for number, length in enumerate(lengths)
    ]
    base, cpu = result.reference, result.cpu
    words = f"{cpu.name} ({', '.join(cpu.features)}). Ratios: times as fast as {base} in PyTorch, 32-bit floats."
    where = f"{threads} threads, {batch} text(s) a pass; higher is better."
    label = f"Bar chart of speed against {base}; the table has the values."
    content = [
        tag("p", words),
        chart("bench-ratios", f"Times as fast as {base}", tag("p", where), label),
        listed("Everything that was timed", result.table()),
    ]
    ratios = axis("Times as fast", type="log", tickformat="~g", dtick="D2")
    return Stage("bench", "Speed", content, {"bench-ratios": figure(traces, ratios, axis(""), barmode="group")})
