"""Export from options to files: every form of a network, scored, timed, and the fastest that loses nothing chosen."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from subarch.errors import InputError, MissingPackageError
from subarch.jobs.splits import learned_development, learned_from, task_again, task_named
from subarch.learning.checkpoints import PURPOSE, Fitted, longest_text, open_fitted, read_purpose
from subarch.manifest import manifest
from subarch.networks.checkpoints import Checkpoint, open_checkpoint
from subarch.networks.loading import whole_network
from subarch.networks.weights import weights_fingerprint
from subarch.options.forms import ArtifactName
from subarch.options.running import ExportOptions
from subarch.progress import Watch, silent
from subarch.running.artifacts import FORMS, Inputs, Program, possible
from subarch.running.benchmark import Readings, interleaved
from subarch.running.conversion import TorchProgram, require, requirements, write
from subarch.running.graphs import Graph
from subarch.running.parity import Outputs, Parity, Rows, Said, judged
from subarch.running.predictor import EXPORT, answers
from subarch.running.processor import features
from subarch.storage import claimed, made_directory, new_run_directory, put_in_place, sha256_of, write_json
from subarch.text.corpora import open_corpus
from subarch.text.demos import DEMOS
from subarch.text.encoding import Tokens, settings_to_read_with, tokenize
from subarch.text.examples import Example, Split
from subarch.text.labelled import read_table
from subarch.text.metrics import told_by_class
from subarch.text.tokenizers import load_tokenizer, lowers, save_tokenizer, settings_of
from subarch.threads import pinned

FOLDER = "export"
_FORMAT = 3  # of what is written: what was exported in another is exported anew
_ALONE = 300  # examples that are also asked one by one, at most
_LONG_TOKENS = 16_384  # of all texts of the greatest length together, at most; at least two are asked, at most 40
_TEXTS = 200  # of documentation, where there are no data


@dataclass(frozen=True)
class _Opened:
    """The network that is exported.

    Attributes:
        checkpoint: that it comes from.
        model: in evaluation mode.
        tokenizer: its own.
        length: tokens that a text is cut to.
        fitted: the same where it was made for a task.
    """

    checkpoint: Checkpoint
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast
    length: int
    fitted: Fitted | None

    @property
    def folder(self) -> Path:
        """Of the checkpoint."""
        return self.checkpoint.folder


@dataclass(frozen=True)
class _Rows:
    """What a network is calibrated and judged on.

    Attributes:
        calibration: examples that were learned from, or are not judged.
        judged: others.
        score: of outputs for the judged ones; None where they have no labels.
        metric: its name.
        labels: the place of each judged one's class among the outputs; None where there are no classes.
        words: what they are.
    """

    calibration: Sequence[Example]
    judged: Sequence[Example]
    score: Callable[[Outputs], float] | None
    metric: str | None
    words: str
    labels: Sequence[int] | None = None


def export(options: ExportOptions, *, watch: Watch = silent, command: str = "") -> dict[str, Any]:
    """Export a network and return what ``export.json`` holds.

    Raises:
        ValueError: for wrong input; nothing is written then.
        ImportError: when a form was asked for whose runtime is not installed.
        OSError: when the run directory cannot be written.
        RuntimeError: when no form passes.
    """
    watch("opening the model", note=options.model or str(options.run))
    opened = _opened(options)
    graph = Graph.of(opened.model, opened.checkpoint.embedding)
    watch("reading the data", note=options.data_name or "")
    rows = _rows(options, opened)
    run = options.run or new_run_directory("export", opened.folder.name, watch)
    identity = _identity(options, opened, rows)
    made_directory(run)
    with claimed(run):
        if (done := _done(run / FOLDER, identity)) is not None:
            return done
        part = run / f"{FOLDER}.unfinished"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        with pinned(options.threads):
            result = _exported(options, opened, graph, rows, part, watch)
        document = manifest(
            command=command, source=str(opened.folder), options=_public(options), seeds=[0], data={"judged": rows.words}
        )
        write_json(part / "manifest.json", document)
        files = sorted(str(file.relative_to(part)) for file in part.rglob("*") if file.is_file())
        result = {
            "files": [*files, EXPORT],
            **result,
            "run": str(run),
            "folder": str(run / FOLDER),
            "identity": identity,
        }
        write_json(part / EXPORT, result)
        put_in_place(part, run / FOLDER)
    return result


# --- what goes in -----------------------------------------------------------------------------------------------------


def _opened(options: ExportOptions) -> _Opened:
    checkpoint = _checkpoint_of(options).whole()
    if checkpoint.head.kind not in ("masked-lm", "encoder"):
        fitted = open_fitted(checkpoint)
        return _Opened(checkpoint, fitted.model, fitted.tokenizer, fitted.length, fitted)
    model, tokenizer = whole_network(checkpoint), load_tokenizer(checkpoint.folder)
    if checkpoint.embedding is not None and checkpoint.embedding.lower_case and not lowers(tokenizer):
        raise InputError(
            f"{checkpoint.name}: its sentence_bert_config.json lower-cases texts (do_lower_case), its tokenizer does "
            "not: let the tokenizer do it (do_lower_case in tokenizer_config.json), or take the setting out"
        )
    return _Opened(checkpoint, model, tokenizer, longest_text(checkpoint, tokenizer), None)


def _checkpoint_of(options: ExportOptions) -> Checkpoint:
    """The checkpoint that was named, or the run's: the fine-tuned one, or else the pre-trained one.

    Raises:
        ValueError: when there is none, or more than one.
    """
    if options.model is not None:
        return open_checkpoint(options.model)
    run = cast("Path", options.run)
    tuned = sorted(file.parent for file in run.glob("finetune/**/checkpoint/config.json"))
    if len(tuned) > 1:
        raise InputError(f"{run} has {len(tuned)} fine-tuned checkpoints: name one, such as subarch export {tuned[0]}")
    if tuned:
        return open_checkpoint(tuned[0])
    if (run / "pretrain" / "config.json").is_file():
        return open_checkpoint(run / "pretrain")
    raise InputError(
        f"{run} has no fine-tuned and no pre-trained checkpoint to export: run subarch finetune --run {run} first, or "
        "name a checkpoint"
    )


def _rows(options: ExportOptions, opened: _Opened) -> _Rows:
    fitted = opened.fitted
    purpose = read_purpose(opened.folder) or {}
    name = options.data_name
    if fitted is None:
        if name is not None:
            raise InputError(
                f"{opened.folder} has no head for a task, so labelled data cannot judge it: leave --task and --data "
                "away, or export a fine-tuned checkpoint"
            )
        return _documentation(opened)
    of_benchmark = options.task_data is not None and not purpose.get("split", {}).get("files")
    if name is None and (of_benchmark or purpose.get("task") in DEMOS):
        name = purpose.get("task")
    if name is None:
        path = purpose.get("split", {}).get("files", {}).get("data", {}).get("path")
        if path is None or not Path(path).is_file() or not learned_from(Path(path), purpose):
            return _documentation(opened)
        name = str(path)
    path = Path(name)
    if path.is_file() and not learned_from(path, purpose):
        return _of_table(path, options, fitted, purpose)
    if path.is_file():
        task = task_again(path, purpose, str(opened.folder))
    else:
        task = task_named(name, purpose, task_data=options.task_data)
    order = fitted.order_for(task.name, task.kind, task.label_names)
    words = f"development data of {task.name}"
    if purpose.get("learned_development") and (path.is_file() or purpose.get("task") == name):
        words += ", which it has learned from"
    return _scored(task.train, task.development, task.kind, task.metrics, task.metric, order, words)


def _of_table(path: Path, options: ExportOptions, fitted: Fitted, purpose: Mapping[str, Any]) -> _Rows:
    """A file that the checkpoint has not seen: a fifth calibrates, the rest judges."""
    if not fitted.kind.of_tables:
        raise InputError(f"{path}: a network that chooses among candidates is judged on benchmark tasks: give --task")
    classes = () if fitted.is_nameless else fitted.label_names
    table = read_table(
        path,
        text_columns=options.text_columns or tuple(purpose.get("text_columns", ())),
        label_column=options.label_column or purpose.get("label_column"),
        kind=fitted.kind,
        classes=classes,
        quoting=options.quoting,
        missing_label=options.missing_label,
    )
    examples = list(table.examples)
    random.Random(0).shuffle(examples)
    count = min(options.calibration, len(examples) // 5)
    if not count:
        raise InputError(f"{path}: expected at least 5 labelled rows to judge by, got {len(examples)}")
    order = fitted.order_for(str(path), fitted.kind, table.label_names)
    metrics = fitted.kind.usual_metrics
    words = f"rows of {path}" + (", which it has learned from" if learned_development(path, purpose) else "")
    if learned_from(path, purpose, "test_data"):
        raise InputError(
            f"{path} is the test file of the fine-tuning: a form that is chosen by its rows could no longer be scored "
            "on them. Leave --data away (development rows judge then), or give other rows"
        )
    return _scored(examples[:count], examples[count:], fitted.kind, metrics, metrics[0], order, words)


def _scored(
    calibration: Sequence[Example],
    examples: Sequence[Example],
    kind: Any,
    metrics: Sequence[str],
    metric: str,
    order: list[int] | None,
    words: str,
) -> _Rows:
    def scored(outputs: Outputs) -> float:
        reordered = list(outputs) if order is None else [one[order] for one in outputs]
        return kind.score(metrics, examples, kind.decide(reordered))["score"]

    labels = None if order is None else [order[int(cast("float", one.label))] for one in examples]
    return _Rows(calibration, examples, scored, metric, words, labels)


def _documentation(opened: _Opened) -> _Rows:
    """Texts without labels: pieces of the documentation that is installed."""
    found: list[Example] = []
    choice = opened.fitted is not None and not opened.fitted.kind.of_tables
    for document in open_corpus(None).documents():
        pieces = [piece for piece in document.split("\n\n") if len(piece) > 40][:8]
        found += [Example(piece, (piece, pieces[0]) if choice else ()) for piece in pieces]
        if len(found) >= 2 * _TEXTS:
            break
    return _Rows(found[:_TEXTS], found[_TEXTS : 2 * _TEXTS], None, None, "installed documentation, without labels")


def _identity(options: ExportOptions, opened: _Opened, rows: _Rows) -> str:
    """Everything that the result depends on, but for the machine's times."""
    names = _available(options.artifacts or possible(), asked=bool(options.artifacts))[0]
    asked = [options.max_drop, names, options.calibration, options.sequence_length, options.threads]
    read = [Split(rows.calibration).digest, Split(rows.judged).digest, opened.length]
    read_with = hashlib.sha256(settings_of(opened.tokenizer).encode()).hexdigest()
    return json.dumps([_FORMAT, opened.checkpoint.fingerprint, read, read_with, asked, features()])


def _done(folder: Path, identity: str) -> dict[str, Any] | None:
    """The result, where the same was exported before and is whole."""
    try:
        found: dict[str, Any] = json.loads((folder / EXPORT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if found.get("identity") != identity:
        return None
    whole = all((folder / name).is_file() and sha256_of(folder / name) == sha for name, sha in found["sha256"].items())
    return found if whole and all((folder / name).is_file() for name in found["files"]) else None


# --- what comes out ---------------------------------------------------------------------------------------------------


def _exported(
    options: ExportOptions, opened: _Opened, graph: Graph, rows: _Rows, part: Path, watch: Watch
) -> dict[str, Any]:
    names, missing = _available(options.artifacts or possible(), asked=bool(options.artifacts))
    types, choice = "token_type_ids" in graph.inputs, graph.head == "choice"

    def read(examples: Sequence[Example]) -> Tokens:
        return tokenize(examples, opened.tokenizer, length=opened.length, choice=choice, types=types)

    calibration = read(rows.calibration[: options.calibration])
    forms = write(graph, part, names, _inputs(calibration), watch=watch)
    tokens = read(rows.judged)
    length = min(options.sequence_length or _median_length(tokens), graph.longest)
    programs: dict[str, Program] = {"pytorch": TorchProgram(graph)}
    programs |= {form.name: form.open(part, options.threads) for form in forms}

    names_of = () if opened.fitted is None else opened.fitted.label_names
    few = 10 if graph.head == "masked-lm" else 1  # whose answers are a vocabulary a token
    alone = read(rows.judged[: _ALONE // few])
    long = read(_long(rows.judged, tokens, opened.length, _LONG_TOKENS // few))

    def said(name: str) -> Said:
        watch("asking every form", done=list(programs).index(name), total=len(programs), note=name)
        ask, head = programs[name], graph.head
        singly = answers(ask, long, head, batch_size=1)
        if name == "pytorch":  # what it says alone it says in company
            return Said(together=answers(ask, tokens, head), long=[*singly, *singly])
        return Said(
            together=answers(ask, tokens, head),
            alone=answers(ask, alone, head, batch_size=1),
            long=[*singly, *answers(ask, long, head)],
        )

    reference = said("pytorch")
    gate: dict[str, Any] = {
        "rows": Rows(score=rows.score, labels=rows.labels, names=names_of),
        "max_drop": options.max_drop,
    }
    # One form after the other: a language model's answers are gigabytes.
    verdicts = [judged(one.name, one.precision, graph.head, reference, said(one.name), **gate) for one in forms]
    times = _timed(programs, graph, length, watch)
    chosen, reason = _choice(verdicts, times)
    _serve(opened, part)
    kept = {name: sha256_of(part / name) for form in forms for name in form.files()}
    return {
        "sizes": {form.name: sum((part / name).stat().st_size for name in form.files()) for form in forms},
        "sha256": kept,
        "parity": [verdict.to_json() for verdict in verdicts],
        "latency": [_row(name, reading, length) for name, reading in times.items()],
        "chosen": chosen,
        "reason": reason,
        "missing": missing,
        "max_drop": options.max_drop,
        "metric": rows.metric,
        "score": None if rows.score is None else rows.score(reference.together),
        **_by_class(rows, names_of, reference.together),
        "judged_on": rows.words,
        "examples": len(rows.judged),
        "head": graph.head,
        "label_names": [] if opened.fitted is None else list(opened.fitted.label_names),
        "length": opened.length,
        "texts": _texts_each(opened),
        "tokenizer": settings_to_read_with(opened.tokenizer),
        "opens_with": {form.name: requirements(form, part) for form in forms},
        "inputs": list(graph.inputs),
        "output": graph.output,
        "embedding": None if graph.embedding is None else graph.embedding.to_json(),
        "activation": opened.checkpoint.activation,
        "cpu": {"features": list(features()), "threads": options.threads or torch.get_num_threads()},
        "model": str(opened.folder.resolve()),
        "weights": weights_fingerprint(opened.folder),
    }


def _long(judged: Sequence[Example], tokens: Tokens, length: int, most: int) -> list[Example]:
    """Texts as long as texts may be, and some between those that there are and these: judged ones, put together.

    Short rows do not show what a form makes of positions and windows that no short text reaches.
    """
    if not judged:
        return []
    count = max(2, min(40, most // length, len(judged)))
    typical = max(1, int(np.median(tokens.lengths)) - 2)
    found: list[Example] = []
    for n in range(count):
        wanted = length if n % 2 == 0 else (length + typical) // 2
        pieces = [judged[(7 * n + k) % len(judged)].first for k in range(1 + wanted // typical)]
        found.append(judged[n % len(judged)]._replace(first=" ".join(pieces), label=None))
    return found


def _by_class(rows: _Rows, names: Sequence[str], reference: Outputs) -> dict[str, Any]:
    """What the network itself makes of each class; nothing where there are none."""
    if rows.labels is None or not names:
        return {}
    examples = [Example("", label=label) for label in rows.labels]
    said = [int(one.argmax()) for one in reference]
    return told_by_class(names, examples, said, whose="PyTorch on the judged rows")


def _texts_each(opened: _Opened) -> int | None:
    """How many texts an example has, where the checkpoint says what it was fine-tuned on."""
    purpose = read_purpose(opened.folder) or {}
    columns = purpose.get("text_columns") or ()
    return len(columns) or None


def _available(names: Sequence[ArtifactName], *, asked: bool) -> tuple[list[ArtifactName], dict[str, str]]:
    """Forms whose runtime is installed, and why the others are left out.

    Raises:
        ImportError: when nothing is installed, or a form was asked for by name.
    """
    found: list[ArtifactName] = []
    missing: dict[str, str] = {}
    for name in names:
        try:
            require(FORMS[name])
            found.append(name)
        except ImportError as error:
            if asked:
                raise
            missing[name] = str(error)
    if not found:
        raise MissingPackageError("nothing to export to is installed: pip install 'subarch[onnx,openvino]'")
    return found, missing


def _inputs(tokens: Tokens) -> list[Inputs]:
    """One example a pass, as arrays."""
    found: list[Inputs] = []
    for row in range(len(tokens)):
        batch = tokens.arrays([row])
        ids = batch["input_ids"]
        found.append({"attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)} | batch)
    keys = ("input_ids", "attention_mask", "token_type_ids")
    return [{name: one[name] for name in keys} for one in found]


def _median_length(tokens: Tokens) -> int:
    return max(2, int(np.median(tokens.lengths)))


def _timed(programs: Mapping[str, Program], graph: Graph, length: int, watch: Watch) -> dict[str, Readings]:
    vocabulary = int(cast("Any", graph.model.config).vocab_size)
    ids = np.random.default_rng(0).integers(vocabulary // 2, vocabulary, (1, length))
    inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    passes = {name: (lambda program=program: program(inputs)) for name, program in programs.items()}
    return interleaved(passes, tick=lambda done, total: watch("timing", done=done, total=total))


def _choice(verdicts: Sequence[Parity], times: Mapping[str, Readings]) -> tuple[str, str]:
    """The fastest form that passes, and why, in words.

    Raises:
        RuntimeError: when none does.
    """
    passing = [verdict for verdict in verdicts if verdict.passed]
    if not passing:
        told = "; ".join(f"{verdict.artifact}: {verdict.reason}" for verdict in verdicts)
        raise RuntimeError(
            f"no form may take the network's place ({told}): allow more with --max-drop (in compress "
            "--set export.max_drop=N)"
        )
    best = min(passing, key=lambda verdict: times[verdict.artifact].p50_ms)
    ratio = times["pytorch"].p50_ms / times[best.artifact].p50_ms
    faster = [v for v in verdicts if not v.passed and times[v.artifact].p50_ms < times[best.artifact].p50_ms]
    told = f"the fastest form that passes, {ratio:.1f} times as fast as PyTorch: {best.reason}"
    for verdict in faster:
        told += f"; {verdict.artifact} would be faster, but {verdict.reason}"
    return best.artifact, told


def _row(name: str, reading: Readings, length: int) -> dict[str, Any]:
    return {
        "artifact": name,
        "p50_ms": reading.p50_ms,
        "p95_ms": reading.p95_ms,
        "batch_size": 1,
        "sequence_length": length,
    }


def _serve(opened: _Opened, part: Path) -> None:
    """What servers look for beside the artifacts: config and tokenizer."""
    cast("Any", opened.model.config).save_pretrained(part)
    save_tokenizer(opened.tokenizer, part, length=opened.length)
    if (opened.folder / PURPOSE).is_file():
        shutil.copyfile(opened.folder / PURPOSE, part / PURPOSE)


def _public(options: ExportOptions) -> dict[str, Any]:
    given = {name: getattr(options, name) for name in type(options).__slots__ if name != "json"}
    return {name: str(value) if isinstance(value, Path) else value for name, value in given.items()}
