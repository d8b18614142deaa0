"""Export from options to files: every form of a network, scored, timed, and the fastest that loses nothing chosen."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from subarch.errors import InputError, MissingPackageError
from subarch.jobs.judging import Judging, judging
from subarch.learning.checkpoints import Fitted, longest_text, open_fitted, require_asked
from subarch.learning.purposes import PURPOSE, Purpose
from subarch.manifest import Manifest, given
from subarch.networks.checkpoints import Checkpoint, open_checkpoint
from subarch.networks.loading import whole_network
from subarch.networks.weights import weights_fingerprint
from subarch.options.forms import ArtifactName, Head
from subarch.options.running import ExportOptions
from subarch.progress import Watch, silent
from subarch.results.bench import CpuResult
from subarch.results.classes import ByClass
from subarch.results.export import ExportResult, FormResult, LatencyResult
from subarch.running.artifacts import FORMS, extras, possible
from subarch.running.base import Inputs, Program
from subarch.running.benchmark import Readings, interleaved
from subarch.running.conversion import TorchProgram, write
from subarch.running.graphs import Graph
from subarch.running.parity import JudgedRows, Outputs, Said, judged
from subarch.running.predictor import EXPORT, answers
from subarch.running.processor import features
from subarch.storage import (
    claimed,
    made_directory,
    new_run_directory,
    put_in_place,
    read_record,
    sha256_of,
    told_when_full,
    write_json,
)
from subarch.tasks.kinds.table import kind_of
from subarch.tasks.metrics import Held
from subarch.text.encoding import TOKENIZER, Tokens, settings_to_read_with, tokenize
from subarch.text.examples import Example, Split
from subarch.text.tokenizers import load_tokenizer, lowers, save_tokenizer, settings_of
from subarch.threads import pinned

FOLDER = "export"
_PART = f"{FOLDER}.unfinished"
_FORMAT = 3  # of what is written: what was exported in another is exported anew
_ALONE = 300  # examples that are also asked one by one, at most
_LONG_TOKENS = 16_384  # of all texts of the greatest length together, at most; at least two are asked, at most 40


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

    @property
    def says(self) -> Head | None:
        """What its head predicts, where it was made for a task."""
        return None if self.fitted is None else cast("Head", self.fitted.kind.head)

    def held(self, outputs: Outputs) -> Held:
        """Places of the labels that outputs say; it was made for a task."""
        assert self.fitted is not None
        return [self.fitted.kind.labels_in(one) for one in self.fitted.decide(outputs)]


def export(
    options: ExportOptions, *, rows: Judging | None = None, watch: Watch = silent, command: str = ""
) -> ExportResult:
    """Export a network and return what ``export.json`` holds.

    Args:
        options: of the command.
        rows: that it is calibrated and judged on; found by what options and checkpoint say when not given.
        watch: told what goes on.
        command: as it was typed.

    Raises:
        ValueError: for wrong input; nothing is written then.
        ImportError: when a form was asked for whose runtime is not installed.
        OSError: when the run directory cannot be written.
        RuntimeError: when no form passes.
    """
    watch("opening the model", note=options.model or str(options.run))
    opened = _opened(options)
    graph = Graph.of(opened.model, opened.checkpoint.embedding, opened.says)
    if (length := options.sequence_length or 0) > graph.longest:
        raise InputError(
            f"{opened.folder.name} has positions for {graph.longest} tokens, got --sequence-length {length}"
        )
    watch("reading the data", note=options.data_name or "")
    rows = rows or judging(options, opened.folder, opened.fitted)
    run = options.run or new_run_directory("export", opened.folder.name, watch)
    identity = _identity(options, opened, rows)
    made_directory(run)
    with claimed(run):
        if (done := _done(run / FOLDER, identity)) is not None:
            return done
        part = run / _PART
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        data = {"judged": rows.words}
        made_with = Manifest(command=command, source=str(opened.folder), options=given(options), seeds=(0,), data=data)
        write_json(part / "manifest.json", made_with.to_json())
        with pinned(options.threads), told_when_full(part):
            result = _exported(options, opened, graph, rows, run, identity, watch)
        write_json(part / EXPORT, result.to_json())
        put_in_place(part, run / FOLDER)
    return result


# --- what goes in -----------------------------------------------------------------------------------------------------


def _opened(options: ExportOptions) -> _Opened:
    checkpoint = _checkpoint_of(options).whole()
    asked = None if options.kind is None else kind_of(options.kind)
    if checkpoint.head.kind not in ("masked-lm", "encoder"):
        fitted = open_fitted(checkpoint, asked)
        require_asked(fitted.kind, asked, checkpoint.name)
        return _Opened(checkpoint, fitted.model, fitted.tokenizer, fitted.length, fitted)
    if asked is not None:
        raise InputError(f"--kind {asked}: {checkpoint.name} has no head for a task: leave --kind away")
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


def _identity(options: ExportOptions, opened: _Opened, rows: Judging) -> str:
    """Everything that the result depends on, but for the machine's times."""
    names = _available(options.artifacts or possible(), asked=bool(options.artifacts))[0]
    asked = [options.max_drop, names, options.calibration, options.sequence_length, options.threads]
    read = [Split(rows.calibration).digest, Split(rows.judged).digest, opened.length]
    read_with = hashlib.sha256(settings_of(opened.tokenizer).encode()).hexdigest()
    return json.dumps([_FORMAT, opened.checkpoint.fingerprint, read, read_with, asked, features()])


def _done(folder: Path, identity: str) -> ExportResult | None:
    """The result, where the same was exported before and is whole."""
    found = read_record(ExportResult, folder / EXPORT)
    if found is None or found.identity != identity:
        return None
    whole = all((folder / name).is_file() and sha256_of(folder / name) == sha for name, sha in found.sha256.items())
    return found if whole and all((folder / name).is_file() for name in found.files) else None


# --- what comes out ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Asking:
    """Everything that a form is asked: many texts a pass, some of them alone, and texts as long as texts may be."""

    programs: Mapping[str, Program]
    head: Head
    together: Tokens
    alone: Tokens
    long: Tokens
    watch: Watch

    def __call__(self, name: str) -> Said:
        self.watch("asking every form", done=list(self.programs).index(name), total=len(self.programs), note=name)
        ask, head = self.programs[name], self.head
        together, singly = answers(ask, self.together, head), answers(ask, self.long, head, batch_size=1)
        if name == "pytorch":  # what it says alone it says in company
            return Said(together=together, long=[*singly, *singly])
        alone = answers(ask, self.alone, head, batch_size=1)
        return Said(together=together, alone=alone, long=[*singly, *answers(ask, self.long, head)])


def _exported(
    options: ExportOptions, opened: _Opened, graph: Graph, rows: Judging, run: Path, identity: str, watch: Watch
) -> ExportResult:
    part = run / _PART
    names, missing = _available(options.artifacts or possible(), asked=bool(options.artifacts))
    reader = partial(
        tokenize,
        tokenizer=opened.tokenizer,
        length=opened.length,
        choice=graph.head == "choice",
        words=graph.head == "tokens",
        types="token_type_ids" in graph.inputs,
    )
    forms = write(graph, part, names, _inputs(reader(rows.calibration[: options.calibration])), watch=watch)
    tokens = reader(rows.judged)
    length = options.sequence_length or min(_median_length(tokens), graph.longest)
    programs: dict[str, Program] = {"pytorch": TorchProgram(graph)}
    programs |= {form.name: form.open(part, options.threads) for form in forms}
    few = 10 if graph.head == "masked-lm" else 1  # whose answers are a vocabulary a token
    long = reader(_long(rows.judged, tokens, opened.length, _LONG_TOKENS // few))
    said = _Asking(programs, graph.head, tokens, reader(rows.judged[: _ALONE // few]), long, watch)
    label_names = () if opened.fitted is None else opened.fitted.label_names
    decide = rows.decide or (None if opened.fitted is None else opened.held)
    reference, groups = said("pytorch"), () if opened.fitted is None else opened.fitted.kind.groups(label_names)
    known = JudgedRows(score=rows.score, labels=rows.labels, names=groups, decide=decide)
    verdicts = [  # One form after the other: a language model's answers are gigabytes.
        judged(one.name, one.precision, graph.head, reference, said(one.name), rows=known, max_drop=options.max_drop)
        for one in forms
    ]
    times = _timed(programs, graph, length, watch)
    chosen, reason = _choice(verdicts, times)
    _serve(opened, part)
    files = sorted(str(file.relative_to(part)) for file in part.rglob("*") if file.is_file())
    return ExportResult(
        run=str(run),
        folder=run / FOLDER,
        files=(*files, EXPORT),
        sizes={form.name: sum((part / name).stat().st_size for name in form.files()) for form in forms},
        sha256={name: sha256_of(part / name) for form in forms for name in (*form.files(), TOKENIZER)},
        parity=tuple(verdicts),
        latency=tuple(_row(name, reading, length) for name, reading in times.items()),
        chosen=chosen,
        reason=reason,
        missing=missing,
        max_drop=options.max_drop,
        metric=rows.metric,
        score=None if rows.score is None else rows.score(reference.together),
        **vars(_by_class(rows, opened.fitted, reference.together)),
        judged_on=rows.words,
        examples=len(rows.judged),
        head=graph.head,
        label_names=label_names,
        thresholds=None if opened.fitted is None else opened.fitted.thresholds or None,
        length=opened.length,
        texts=len(Purpose.read(opened.folder).text_columns) or None,
        tokenizer=settings_to_read_with(opened.tokenizer),
        opens_with={form.name: form.requirements(part) for form in forms},
        inputs=tuple(graph.inputs),
        output=graph.output,
        embedding=None if graph.embedding is None else graph.embedding.to_json(),
        activation=opened.checkpoint.activation,
        cpu=CpuResult(features=tuple(features()), threads=options.threads or torch.get_num_threads()),
        model=str(opened.folder.resolve()),
        weights=weights_fingerprint(opened.folder),
        identity=identity,
        threads=options.threads,
    )


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
        found.append(judged[n % len(judged)].bare.with_text(0, " ".join(pieces)))
    return found


def _by_class(rows: Judging, fitted: Fitted | None, reference: Outputs) -> ByClass:
    """What the network itself makes of each class or label; nothing where there are none."""
    if rows.told is None or fitted is None or not fitted.label_names:
        return ByClass()
    return rows.told(fitted.label_names, reference)


def _available(names: Sequence[ArtifactName], *, asked: bool) -> tuple[list[ArtifactName], dict[str, str]]:
    """Forms whose runtime is installed, and why the others are left out.

    Raises:
        ImportError: when nothing is installed, or a form was asked for by name.
    """
    found: list[ArtifactName] = []
    missing: dict[str, str] = {}
    for name in names:
        try:
            FORMS[name].require()
            found.append(name)
        except ImportError as error:
            if asked:
                raise
            missing[name] = str(error)
    if not found:
        raise MissingPackageError(f"nothing to export to is installed: pip install 'subarch[{','.join(extras())}]'")
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


def _choice(verdicts: Sequence[FormResult], times: Mapping[str, Readings]) -> tuple[str, str]:
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


def _row(name: str, reading: Readings, length: int) -> LatencyResult:
    return LatencyResult(
        artifact=name, p50_ms=reading.p50_ms, p95_ms=reading.p95_ms, batch_size=1, sequence_length=length
    )


def _serve(opened: _Opened, part: Path) -> None:
    """What servers look for beside the artifacts: config and tokenizer."""
    cast("Any", opened.model.config).save_pretrained(part)
    save_tokenizer(opened.tokenizer, part, length=opened.length)
    if (opened.folder / PURPOSE).is_file():
        shutil.copyfile(opened.folder / PURPOSE, part / PURPOSE)
