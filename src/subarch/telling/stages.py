"""What a run did after the search, as sections of its report: pre-training, fine-tuning, Agora's rounds, export, bench.

Every stage is read from its own files, and left out where these are not there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from subarch.results.wording import apart, apart_as_exported, decimal, finite, short, target_in_words, whole
from subarch.telling.page import Cell, Html, chart, number_cell, table, tag
from subarch.telling.plots import axis, bars, figure, line

Record = Mapping[str, Any]
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
    plots: dict[str, Any] = field(default_factory=dict[str, Any])


def stages(run: Path) -> list[Stage]:
    """The stages that a run directory holds, in their order."""
    found: list[Stage] = []
    if (result := _json(run / "compress.json")) is not None and "targets" in result:
        found.append(_targets(result))
    if (result := _json(run / "pretrain" / "result.json")) is not None:
        found.append(_pretraining(result, _lines(run / "pretrain" / "log.jsonl")))
    for number, file in enumerate(sorted(run.glob("finetune/**/finetune.json"))):
        if (result := _json(file)) is not None:
            found.append(_finetuning(result, number))
    if (result := _json(run / "export" / "export.json")) is not None:
        found.append(_export(result))
    if (result := _json(run / "benchmark.json")) is not None and result.get("rows"):
        found.append(_bench(result))
    return found


def _json(file: Path) -> dict[str, Any] | None:
    try:
        found: Any = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _lines(file: Path) -> list[dict[str, Any]]:
    try:
        return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError):
        return []


# --- the whole story --------------------------------------------------------------------------------------------------


def _targets(result: Record) -> Stage:
    """What was asked of ``compress``, and what came out."""
    sealed = result["sealed"]
    rows = [
        [Cell(target_in_words(one)), Cell("✓ met" if word == "met" else "✕ missed")]
        for word in ("met", "missed")
        for one in result["targets"][word]
    ]
    words = (
        f"On {whole(sealed['examples'])} sealed rows the exported model reaches {100 * sealed['exported']:.1f}, its "
        f"teacher {100 * sealed['teacher']:.1f} ({sealed['metric']})."
    )
    if told := apart_as_exported(sealed):
        words += f" {told}"
    if any(one["target"] in ("speedup", "latency_ms") for word in ("met", "missed") for one in result["targets"][word]):
        words += " The search was given a limit of time of its own, so that its pick keeps the target as it will run."
    content = [tag("p", words), table("Targets, asked and measured on what was exported", ("Target", "Verdict"), rows)]
    return Stage("targets", "What was asked, and what came out", content)


# --- pre-training -----------------------------------------------------------------------------------------------------


def _pretraining(result: Record, log: Sequence[Record]) -> Stage:
    learning = [one for one in log if "mlm" in one]
    stride = max(1, len(learning) // _MOST_RECORDS)
    learning = learning[::stride]
    held_out = [one for one in log if "held_out_loss" in one]
    traces = [
        line("learning", [one["step"] for one in learning], [one["mlm"] for one in learning], "--untrained"),
        line("held out", [one["step"] for one in held_out], [one["held_out_loss"] for one in held_out], "--trained"),
    ]
    words = (
        f"After {whole(result['steps'])} steps and {short(result['tokens'])} tokens "
        f"({short(result['tokens_per_second'])} a second), the student guesses {100 * result['accuracy']:.1f} % of the "
        f"held-out masked tokens; its loss there is {decimal(result['loss'], 4)} nats."
    )
    learned = {name: weight for name, weight in result.get("losses", {}).items() if weight and name in _LOSSES}
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


def _finetuning(result: Record, number: int) -> Stage:
    key = f"finetuning-{number}"
    rows = result["rows"]
    sizes = result["data"]["examples"]
    words = (
        f"{result['metric']} on {whole(sizes['sealed'])} sealed examples, on which nothing was trained or chosen; "
        f"learned from {whole(sizes['train'])}, chosen on {whole(sizes['development'])}. Means over seeds with 95 % "
        "intervals."
    )
    if told := apart(result):
        words += f" {told}"
    if "chosen" in result:
        words += f" {result['chosen']['told']}"
    if any(row["method"].endswith("D and E") for row in rows):
        words += " The ways 'on D and E' have learned from the development rows as well."
    means = [100 * row["mean"] for row in rows]
    halves = [100 * (row["ci95"] or 0) for row in rows]
    colors = ["--front" if row["method"].startswith("agora") else "--trained" for row in rows]
    columns = bars("score", [row["method"] for row in rows], means, "--trained")
    columns |= {"marker": {"color": colors}, "error_y": {"type": "data", "array": halves, "color": "--ink"}}
    lowest = max(0.0, min(mean - half for mean, half in zip(means, halves, strict=True)) - 5)
    label = f"Bar chart of the score of each way of training on {result['task']}; the table has the values."
    listed = [
        [
            Cell(row["method"]),
            number_cell(100 * row["mean"], lambda value: f"{value:.1f}"),
            number_cell(None if row["ci95"] is None else 100 * row["ci95"], lambda value: f"{value:.1f}"),
            Cell(", ".join(f"{100 * score:.1f}" for score in row["scores"])),
            number_cell(row["steps"] or None, whole),
        ]
        for row in rows
    ]
    content = [tag("p", words)]
    plots: dict[str, Any] = {}
    if len(rows) > 1:
        content.append(
            chart(f"{key}-scores", "Ways of training", tag("p", "In points of 100; higher is better."), label)
        )
        plots[f"{key}-scores"] = figure([columns], axis(""), axis("Score", range=[lowest, min(100, max(means) + 8)]))
    content.append(table(f"Scores on {result['task']}", ["Way", "Mean", "±", "Each seed", "Steps"], listed))
    for loop in result.get("rounds", ()):
        more, drawn = _loop(loop, f"{key}-seed-{loop['seed']}")
        content += more
        plots |= drawn
    return Stage(key, f"Fine-tuning: {result['task']}", content, plots)


def _loop(loop: Record, key: str) -> tuple[list[Html], dict[str, Any]]:
    """One seed's rounds of Agora."""
    rounds = loop["rounds"]
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
        tag("h3", f"Agora's rounds, seed {loop['seed']}"),
        tag("p", loop["told"] + ". Scores by round are on development data, where the choice is made: no evidence."),
        *([chart(key, "Development score by round", tag("p", "In points of 100."), label)] if len(rounds) > 1 else []),
        table(f"Rounds, seed {loop['seed']}", header, rows),
        *_balance(loop),
        *_samples(loop),
    ]
    return content, {key: figure(traces, axis("Round", dtick=1), axis("Score"))} if len(rounds) > 1 else {}


def _balance(loop: Record) -> Iterable[Html]:
    if loop.get("classes"):
        told = "; ".join(f"{name}: {whole(count)}" for name, count in loop["classes"].items())
        yield tag("p", f"What it learned from in the end, by class: {told}.", class_="note")


def _samples(loop: Record) -> Iterable[Html]:
    samples = [one for one in loop.get("samples", ()) if isinstance(one, Mapping)][:_MOST_SAMPLES]
    if samples:
        rows = [
            [Cell(" | ".join(one["mistake"])), Cell(" | ".join(one["proposal"])), Cell(one["label"])] for one in samples
        ]
        listed = table("Mistakes, and texts learned beside them", ["Mistake", "Text", "The teacher says"], rows)
        yield tag("details", tag("summary", "A look at what was proposed"), listed)


# --- running ----------------------------------------------------------------------------------------------------------


def _export(result: Record) -> Stage:
    times = {row["artifact"]: row["p50_ms"] for row in result["latency"]}
    verdicts = {one["artifact"]: one for one in result["parity"]}
    length = result["latency"][0]["sequence_length"]
    names = list(times)
    colors = ["--front" if name == result["chosen"] else "--trained" for name in names]
    columns = bars("milliseconds", names, [times[name] for name in names], "--trained") | {"marker": {"color": colors}}
    rows = [
        [
            Cell("PyTorch" if name == "pytorch" else name),
            number_cell(times[name], lambda value: decimal(value, 3)),
            number_cell(times["pytorch"] / times[name], lambda value: f"{value:.1f}"),
            number_cell(result["sizes"].get(name), lambda value: f"{value / 1e6:.1f}"),
            number_cell(verdicts.get(name, {}).get("drop"), lambda value: f"{value:.2f}"),
            number_cell(verdicts.get(name, {}).get("label_flips"), whole),
            Cell(_verdict(name, verdicts, result["chosen"])),
        ]
        for name in names
    ]
    header = ["Form", "Milliseconds", "Times as fast", "MB", "Points lost", "Other labels", ""]
    label = "Bar chart of the milliseconds of a pass in each form; the table has the values."
    content = [
        tag("p", f"{result['chosen']}: {result['reason']}."),
        chart("export-times", "One pass", tag("p", f"One text of {length} tokens; lower is better."), label),
        table(f"Forms, judged on {whole(result['examples'])} examples ({result['judged_on']})", header, rows),
    ]
    return Stage(
        "export",
        "What runs fastest here",
        content,
        {"export-times": figure([columns], axis(""), axis("Milliseconds"))},
    )


def _verdict(name: str, verdicts: Mapping[str, Record], chosen: str) -> str:
    if name == "pytorch":
        return "the measure"
    if name == chosen:
        return "chosen"
    return "passes" if verdicts[name]["passed"] else "refused"


def _bench(result: Record) -> Stage:
    rows = result["rows"]
    lengths = list(dict.fromkeys(row["sequence_length"] for row in rows))
    forms = list(dict.fromkeys((row["name"], row["runtime"], row["precision"]) for row in rows))
    first = (rows[0]["threads"], rows[0]["batch_size"])
    here = {
        (row["name"], row["runtime"], row["precision"], row["sequence_length"]): row
        for row in rows
        if (row["threads"], row["batch_size"]) == first
    }
    named = [" ".join(form) for form in reversed(forms)]
    traces = [
        bars(
            f"{length} tokens",
            [finite(here.get((*form, length), {}).get("ratio")) for form in reversed(forms)],
            named,
            _COLORS[number % len(_COLORS)],
            orientation="h",
        )
        for number, length in enumerate(lengths)
    ]
    listed = [
        [
            Cell(row["name"]),
            Cell(row["runtime"]),
            Cell(row["precision"]),
            number_cell(row["threads"], whole),
            number_cell(row["batch_size"], whole),
            number_cell(row["sequence_length"], whole),
            number_cell(row["p50_ms"], lambda value: decimal(value, 3)),
            number_cell(row["p95_ms"], lambda value: decimal(value, 3)),
            number_cell(row["ratio"], lambda value: f"{value:.1f}"),
            number_cell(row["size_bytes"], lambda value: f"{value / 1e6:.0f}"),
            number_cell(row["peak_memory_bytes"], lambda value: f"{value / 1e6:.0f}"),
        ]
        for row in rows
    ]
    base, cpu = rows[0]["name"], result["cpu"]
    header = [
        "Network",
        "Runtime",
        "Precision",
        "Threads",
        "Batch",
        "Length",
        "p50 ms",
        "p95 ms",
        "Ratio",
        "MB",
        "RAM MB",
    ]
    words = f"{cpu['name']} ({', '.join(cpu['features'])}). Ratios: times as fast as {base} in PyTorch, 32-bit floats."
    where = f"{first[0]} threads, {first[1]} text(s) a pass; higher is better."
    label = f"Bar chart of speed against {base}; the table has the values."
    content = [
        tag("p", words),
        chart("bench-ratios", f"Times as fast as {base}", tag("p", where), label),
        table("Everything that was timed", header, listed),
    ]
    ratios = axis("Times as fast", type="log", tickformat="~g", dtick="D2")
    return Stage("bench", "Speed", content, {"bench-ratios": figure(traces, ratios, axis(""), barmode="group")})
