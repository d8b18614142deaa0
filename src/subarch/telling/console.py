"""What a person sees on standard error: progress with time left, tables, what was written where."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import rich.console
from rich.logging import RichHandler
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from subarch.results.base import Result, Rows, Tone
from subarch.telling.card import target_in_words
from subarch.telling.wording import apart, apart_as_exported, check_command, decimal, describe, relatives, short, whole

_QUIET_SECONDS = 10.0
"""Without a terminal a line at most this often says where the work is."""

_CLASSES = 20  # that are shown, of many

_STYLES: Mapping[Tone, str] = {"plain": "", "good": "green", "warning": "yellow", "bad": "red", "dim": "dim"}
_COLOURS = {"certified": "green", "strong": "green", "unresolved": "yellow", "weak": "yellow", "checked": "green"}


class Console:
    """A progress bar while the work goes on, then tables. On a terminal live; otherwise a line now and then."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._out = rich.console.Console(stderr=True, quiet=quiet, highlight=False)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}", style="dim", markup=False),
            console=self._out,
            transient=True,
            disable=not self._out.is_terminal,
        )
        self._stage = ""
        self._task: TaskID | None = None
        self._told = 0.0

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def handler(self) -> logging.Handler:
        """Warnings go above the progress bar, not through it."""
        return RichHandler(console=self._out, show_time=False, show_path=False, show_level=True, markup=False)

    def watch(self, stage: str, /, *, done: int = 0, total: int | None = None, note: str = "") -> None:
        """Show where the work is; ``total`` is what is expected now and may change."""
        if stage != self._stage or self._task is None:
            if self._task is not None:
                self._progress.remove_task(self._task)
            self._stage, self._task, self._told = stage, self._progress.add_task(stage, total=total, note=note), 0.0
        self._progress.update(self._task, completed=done, total=total, note=note)
        now = time.monotonic()
        if not self._out.is_terminal and now - self._told >= _QUIET_SECONDS:
            self._told = now
            count = "" if not done and total is None else f", {done}" if total is None else f", {done} of {total}"
            self._out.print(f"{stage}{count}{': ' + note if note else ''}", soft_wrap=True, markup=False)

    def written(self, path: Path | str) -> None:
        """Say where a file is."""
        self._out.print(f"wrote {escape(str(path))}", soft_wrap=True)

    def tell(self, result: Result) -> None:
        """All that a result has to tell."""
        for told in result.told():
            if isinstance(told, Rows):
                self._table(told.columns, told.rows, told.title)
                continue
            style = _STYLES[told.tone]
            lead = f"[bold {style}]{escape(told.lead)}[/]: " if told.lead else ""
            words = escape(told.words) if told.lead or not style else f"[{style}]{escape(told.words)}[/]"
            self._out.print(f"{lead}{words}", soft_wrap=True)

    # Results

    def predictions(self, result: Mapping[str, Any]) -> None:
        """Where they are."""
        self.written(result["path"])

    def extraction(self, result: Mapping[str, Any]) -> None:
        """The front, the picks, and the certificate in plain words."""
        certificate = result["certificate"]
        source, run = result["source"], result["run"]
        self._out.print(self._front(result))
        colour = _COLOURS.get(certificate["verdict"], "red")
        self._out.print(f"[bold {colour}]{certificate['verdict']}[/]: {certificate['reason']}")
        self._out.print(
            f"trained {certificate['evaluated']} of {whole(certificate['space_size'])} architectures "
            f"(and {certificate['repeats']} for scale and noise); "
            f"epsilon {decimal(certificate['achieved'], 3)} reached, {certificate['epsilon']:g} asked; "
            f"delta {decimal(certificate['delta'], 3)}, spread "
            f"{decimal(certificate['spread'], 3)}, noise {decimal(certificate['noise'], 2)}, "
            f"{len(certificate['violations'])} violations"
        )
        self._out.print(f"[bold]the pick[/]: {describe(result['architecture'])}")
        self._out.print("  " + ", ".join(self._gains(result, source)))
        for missed in (result["picks"].get("constrained") or {}).get("missed", []):
            self._out.print(f"[yellow]  the target is missed: {missed}")
        self._out.print(f"{run}/report.html shows it all; {run}/architecture.json is its config; ", end="")
        self._out.print(f"check it with: {check_command(run, certificate)}", soft_wrap=True)

    @staticmethod
    def _gains(result: Mapping[str, Any], source: Mapping[str, Any]) -> list[str]:
        share = result["parameters"] / source["parameters"]
        gains = [
            f"{short(result['parameters'])} parameters ({share:.1%} of the reference)",
            f"{source['macs'] / result['macs']:.1f} times fewer operations",
        ]
        if result["latency_ms"] and source["latency_ms"]:
            gains.append(f"{source['latency_ms'] / result['latency_ms']:.1f} times as fast here")
        return [*gains, f"error {decimal(result['error'], 3)}"]

    def _front(self, result: Mapping[str, Any]) -> Table:
        table = Table(title="Pareto front of what was trained", title_justify="left", box=None, pad_edge=False)
        for name in ("architecture", "parameters", "operations", "latency", "error", ""):
            table.add_column(name, justify="left" if name in ("architecture", "") else "right", no_wrap=name != "")
        picks = {name: pick["architecture"] for name, pick in result["picks"].items() if pick}
        certified = {name for name, pick in result["picks"].items() if pick and pick["certified"]}
        for point in result["front"]:
            names = [
                f"{name}{' (certified)' if name in certified else ''}"
                for name, architecture in picks.items()
                if architecture == point["architecture"]
            ]
            latency = "" if point["latency_ms"] is None else f"{point['latency_ms']:.2f} ms"
            table.add_row(
                " / ".join(str(value) for value in point["architecture"].values()),
                short(point["parameters"]),
                short(point["macs"]),
                latency,
                decimal(point["error"], 3),
                ", ".join(names),
            )
        return table

    def pretraining(self, result: Mapping[str, Any]) -> None:
        """How good a language model it became, and how quickly."""
        learned = ", ".join(
            f"{name} {result['losses'][name]:g}"
            for name in ("mlm", "logits", "relations", "states")
            if result["losses"][name]
        )
        self._out.print(
            f"[bold]held-out masked tokens[/]: loss {result['loss']:.3f}, {100 * result['accuracy']:.1f} % right, "
            f"after {whole(result['steps'])} steps and {short(result['tokens'])} tokens "
            f"({short(result['tokens_per_second'])} a second)"
        )
        self._out.print(f"learned: {learned}; weights: {result['initialize']}; teacher: {result['teacher'] or 'none'}")
        self.written(result["checkpoint"])
        self._out.print(f"go on with: subarch finetune --run {result['run']} --task TASK", soft_wrap=True, markup=False)

    def finetuning(self, result: Mapping[str, Any]) -> None:
        """Scores on the sealed split, and where the checkpoint is."""
        data = result["data"]["examples"]
        self._out.print(
            f"[bold]{escape(result['task'])}[/]: {result['metric']} on {whole(data['sealed'])} sealed examples; "
            f"learned from {whole(data['train'])}, chosen on {whole(data['development'])}"
        )
        if result["text_columns"]:
            columns = f"{', '.join(result['text_columns'])} to {result['label_column']}"
            self._out.print(f"columns: {columns}", markup=False)
        rows = [
            [
                row["method"],
                f"{100 * row['mean']:.1f}" + ("" if row["ci95"] is None else f" ± {100 * row['ci95']:.1f}"),
                ", ".join(f"{100 * one:.1f}" for one in row["scores"]),
                whole(row["steps"]) if row["steps"] else "",
                f"{row['learning_rate']:g}" if "learning_rate" in row else f"{100 * row['to_teacher']:+.1f}",
            ]
            for row in result["rows"]
        ]
        last = "to the teacher" if "rounds" in result else "learning rate"
        self._table(["method", "mean, 95 % interval", "each seed", "steps", last], rows)
        if told := apart(result):
            self._out.print(told, soft_wrap=True, markup=False)
        for loop in result.get("rounds", ()):
            self._out.print(loop["told"], soft_wrap=True, markup=False)
        if "chosen" in result:
            self._out.print(result["chosen"]["told"], soft_wrap=True, markup=False)
        self.classes(result)
        self.written(result["checkpoint"])
        self._out.print(f"go on with: subarch predict {result['checkpoint']} --data FILE", soft_wrap=True, markup=False)

    def export(self, result: Mapping[str, Any]) -> None:
        """Every form: how fast, how large, what it loses, and which was chosen."""
        length = result["latency"][0]["sequence_length"]
        self._out.print(
            f"judged on {whole(result['examples'])} examples ({escape(result['judged_on'])}); timed at {length} "
            f"tokens, one text a pass, {result['cpu']['threads']} threads, {', '.join(result['cpu']['features'])}",
            soft_wrap=True,
        )
        times = {row["artifact"]: row["p50_ms"] for row in result["latency"]}
        rows = [["PyTorch", f"{times['pytorch']:.2f}", "1.0", "", _points(result["score"]), "", "", ""]]
        for one in result["parity"]:
            name = one["artifact"]
            rows.append(
                [
                    name,
                    f"{times[name]:.2f}",
                    f"{times['pytorch'] / times[name]:.1f}",
                    f"{result['sizes'][name] / 1e6:.1f}",
                    _points(one["metric"]),
                    "" if one["label_flips"] is None else f"{one['label_flips']} of {one['examples']}",
                    f"{one['largest_difference']:.2g}",
                    ("chosen" if name == result["chosen"] else "passes") if one["passed"] else "refused",
                ]
            )
        named = f"{result['metric'] or 'score'}, points"
        self._table(["form", "ms", "times as fast", "MB", named, "other labels", "largest difference", ""], rows)
        self._out.print(f"[bold]{result['chosen']}[/]: {escape(result['reason'])}", soft_wrap=True)
        self._changes(result)
        for name, why in result["missing"].items():
            self._out.print(f"[yellow]{name} is left out: {escape(why)}", soft_wrap=True)
        self.written(result["folder"])

    def _changes(self, result: Mapping[str, Any]) -> None:
        """What the chosen form needs, what company changes, and how each class fares."""
        needs = result["opens_with"][result["chosen"]]
        oldest = needs.get("oldest_onnxruntime") or needs.get("oldest_openvino")
        name = {"onnxruntime": "ONNX Runtime", "openvino": "OpenVINO"}[needs["runtime"]]
        if oldest:
            self._out.print(f"it opens with {name} {oldest} and newer (IR {needs['ir_version']})", soft_wrap=True)
        for one in result["parity"]:
            if one["alone_flips"]:
                self._out.print(
                    f"{one['artifact']}: {one['alone_flips']} of {one['alone']} texts get another label alone than "
                    "with others in a pass",
                    soft_wrap=True,
                )
        self.classes(result)

    def classes(self, result: Mapping[str, Any]) -> None:
        """How each class fares, the worst first, and measures in which all count alike."""
        if not (found := result.get("classes")):
            return
        there = sorted((one for one in found if one["examples"]), key=lambda one: one["recall"])
        rows = [
            [one["name"], whole(one["examples"]), whole(one["answered"]), f"{one['right']}", f"{one['recall']:.3f}"]
            for one in there[:_CLASSES]
        ]
        self._table(["class", "examples", "answered", "rightly", "recall"], rows)
        if len(there) > _CLASSES:
            self._out.print(f"and {len(there) - _CLASSES} classes with a recall of {rows[-1][-1]} or more")
        measures = ", ".join(f"{name.replace('_', ' ')} {value:.4f}" for name, value in result["by_class"].items())
        self._out.print(measures.replace("macro f1", "macro F1"))

    def bench(self, result: Mapping[str, Any]) -> None:
        """Latency of every network in every form beside the reference."""
        self._out.print(f"{escape(result['cpu']['name'])}, {', '.join(result['cpu']['features'])}", soft_wrap=True)
        base = result["rows"][0]
        cells = dict.fromkeys((r["threads"], r["batch_size"], r["sequence_length"]) for r in result["rows"])
        for threads, batch, length in cells:
            self._out.print(
                f"[bold]{threads} threads, {batch} a pass, {length} tokens[/]; ratio to {base['name']} in PyTorch"
            )
            self._table(
                ["network", "runtime", "precision", "p50 ms", "p95 ms", "ratio", "file MB", "memory MB"],
                [
                    [
                        row["name"],
                        row["runtime"],
                        row["precision"],
                        f"{row['p50_ms']:.2f}",
                        f"{row['p95_ms']:.2f}",
                        f"{row['ratio']:.1f}",
                        "" if row["size_bytes"] is None else f"{row['size_bytes'] / 1e6:.0f}",
                        "" if row["peak_memory_bytes"] is None else f"{row['peak_memory_bytes'] / 1e6:.0f}",
                    ]
                    for row in result["rows"]
                    if (row["threads"], row["batch_size"], row["sequence_length"]) == (threads, batch, length)
                ],
            )
        self.written(f"{result['run']}/benchmark.json")

    def compression(self, result: Mapping[str, Any]) -> None:
        """What was asked for and what came out; of a dry run the plan."""
        if (plan := result.get("plan")) is not None:
            self._plan(plan)
            return
        rows = [("teacher", _points(result["sealed"]["teacher"]), *self._of(result, "teacher"))]
        rows.append(("this model", _points(result["sealed"]["exported"]), *self._of(result, "student")))
        self._table(("", f"{result['sealed']['metric']}, sealed rows", "ms a text", "runs on", "MB"), rows)
        if told := apart_as_exported(result["sealed"]):
            self._out.print(told, soft_wrap=True, markup=False)
        self.classes(result["sealed"])
        certificate = result["extract"]["certificate"]
        self._out.print(
            f"The search: {certificate['verdict']}, {whole(certificate['evaluated'])} of "
            f"{whole(certificate['space_size'])} architectures trained; what that means is in the report.",
            soft_wrap=True,
        )
        self._targets(result["targets"])
        if missed := {one["target"] for one in result["targets"]["missed"]}:
            advice = ["more texts (--pool), or a slower network"] if "drop" in missed else []
            advice += ["more speed asked of the search"] if missed - {"drop"} else []
            self._out.print(
                f"What may help, in another --run: {'; '.join(advice)}. The networks that are worth choosing among:",
                soft_wrap=True,
            )
            self._out.print(self._front(result["extract"]))
        for path in (result["finetune"]["checkpoint"], result["export"]["folder"], result["report"]):
            self.written(path)
        self._out.print(
            f"go on with: subarch predict {escape(str(result['finetune']['checkpoint']))} --data FILE", soft_wrap=True
        )

    def demonstration(self, result: Mapping[str, Any]) -> None:
        """The whole story in a table for newcomers, and where to read more."""
        certificate = result["certificate"]
        self._out.print(
            f"Out of {whole(certificate['space_size'])} networks inside the source, {whole(certificate['evaluated'])} "
            f"were trained to find the best within {certificate['epsilon']:.0%}: {certificate['verdict']}.",
            soft_wrap=True,
        )
        rows = [
            (
                one["model"],
                _points(one["accuracy"]),
                f"{one['ms']:.2f}",
                f"{one['times_as_fast']:.0f}",
                "" if one["bytes"] is None else f"{one['bytes'] / 1e6:.1f}",
            )
            for one in result["table"]
        ]
        self._table(("", "accuracy", "ms a text", "times as fast", "MB"), rows)
        self._out.print(
            "Accuracy: per cent of the sealed texts, which no network here has learned from. Times: one text, on this "
            "processor, in PyTorch where no other form is named; BERT-large has random weights, its time alone counts.",
            soft_wrap=True,
        )
        self._out.print("Asked of the small network, against the source in the same form:", soft_wrap=True)
        self._targets(result["targets"])
        self.written(result["report"])

    def _targets(self, targets: Mapping[str, Any]) -> None:
        for word, color in (("met", "green"), ("missed", "red")):
            for one in targets[word]:
                self._out.print(f"[{color}]{word}[/{color}]: {target_in_words(one)}")

    @staticmethod
    def _of(result: Mapping[str, Any], who: str) -> tuple[str, str, str]:
        row = result["deployed"].get(who)
        if row is None:
            return "", "", ""
        size = row.get("size_bytes")
        what = f"{row['runtime']} {row['precision']}"
        return f"{row['p50_ms']:.2f}", what, "" if size is None else f"{size / 1e6:.1f}"

    def _plan(self, plan: Mapping[str, Any]) -> None:
        rows = [(name, f"{low / 60:.0f} to {high / 60:.0f}") for name, (low, high) in plan["stages"].items()]
        low, high = plan["seconds"]
        self._table(("stage", "minutes, about"), [*rows, ("in all", f"{low / 60:.0f} to {high / 60:.0f}")])
        if (memory := plan.get("peak_memory_bytes")) is not None:
            self._out.print(f"peak memory, about: {memory / 1e9:.1f} GB")
        self._out.print("settings (a recipe of your own: copy, change, --recipe FILE.toml):\n")
        self._out.print(plan["settings"], markup=False, highlight=False)

    def scores(self, result: Mapping[str, Any]) -> None:
        """Metrics on one split."""
        self._out.print(f"[bold]{escape(result['task'])}[/], {result['split']}, {whole(result['examples'])} examples")
        self._table(["metric", "value"], [[name, f"{value:.4f}"] for name, value in result["metrics"].items()])
        if told := relatives(result.get("related"), result["examples"], {"score": result.get("apart")}):
            self._out.print(told, soft_wrap=True, markup=False)
        self.classes(result)

    def submission(self, result: Mapping[str, Any]) -> None:
        """What an archive holds, and which of its files say nothing."""
        self._out.print(f"[bold green]accepted[/]: {', '.join(result['files'])}", soft_wrap=True)
        if result.get("placeholders"):
            self._out.print(f"[yellow]placeholders, one answer everywhere: {', '.join(result['placeholders'])}")
        if "placeholders" in result:
            self.written(result["archive"])

    def verification(self, result: Mapping[str, Any]) -> None:
        """Accepted or refused, and why."""
        word = "[bold green]accepted[/]" if result["accepted"] else "[bold red]refused[/]"
        self._out.print(f"{word}: {result['reason']}", soft_wrap=True)
        for row in result["retrained"]:
            self._out.print(f"  trial {row['trial']}: recorded {row['recorded']:.6g}, again {row['again']:.6g}")

    def clauses(self, result: Mapping[str, Any]) -> None:
        """The ABnC check."""
        colour = _COLOURS.get(result["verdict"], "red")
        self._out.print(f"ABnC property: [bold {colour}]{result['verdict']}[/]")
        table = Table(box=None, pad_edge=False)
        for name in ("clause", "verdict", "evidence"):
            table.add_column(name, overflow="fold")
        for clause in result["clauses"]:
            table.add_row(clause["name"], clause["verdict"], clause["evidence"])
        self._out.print(table)

    def inspection(self, result: Mapping[str, Any]) -> None:
        """Exact counts, and the published figures beside them where there are any."""
        self._out.print(f"[bold]{result['name']}[/]: {describe(result['architecture'])}")
        columns = ["parameters", "exact"]
        rows = [[name, whole(value)] for name, value in result["parameters"].items()]
        if "stock" in result:
            columns.append("as the stock library runs it")
            for row, value in zip(rows, result["stock"]["parameters"].values(), strict=True):
                row.append(whole(value))
        self._table(columns, rows)
        self._out.print(
            f"operations per token: {whole(result['macs_per_token'])} at length {result['sequence_length']}"
        )
        if result.get("published"):
            self._out.print("[bold]published figures beside the exact ones")
            self._table(
                ["figure", "published", "exact", "reconciles"], [self._reconciled(r) for r in result["published"]]
            )
        for name, meaning in result["conventions"].items():
            self._out.print(f"[dim]{name}: {meaning}", soft_wrap=True)

    @staticmethod
    def _reconciled(row: Mapping[str, Any]) -> list[str]:
        exact = ", ".join(f"{value:g} ({name})" for name, value in row["exact"].items())
        flipped = row.get("reconciles_with_flipped_shape")
        word = "yes" if row["reconciles"] else "only with the flipped shape" if flipped else "no"
        return [row["figure"], f"{row['published']:g} {row['unit']}", exact, word]

    def _table(self, columns: Sequence[str], rows: Sequence[Sequence[str]], title: str = "") -> None:
        table = Table(title=title or None, title_justify="left", box=None, pad_edge=False)
        for n, name in enumerate(columns):
            table.add_column(name, justify="right" if n and len(columns) < 4 else "left", overflow="fold")
        for row in rows:
            table.add_row(*row)
        self._out.print(table)


def _points(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.2f}"
