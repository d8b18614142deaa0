"""Bench from options to files: built networks on several runtimes, timed in turns against one reference."""

from __future__ import annotations

import itertools
import logging
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModel

from subarch.errors import InputError
from subarch.manifest import Manifest, cpu_name
from subarch.networks.checkpoints import Checkpoint, open_checkpoint
from subarch.networks.configs import read_config
from subarch.networks.inspection import PRESETS, preset_config
from subarch.networks.layouts import without_pooler
from subarch.networks.loading import loaded, whole_network
from subarch.networks.stock import positions, stock_config
from subarch.networks.weights import weights_fingerprint
from subarch.options.forms import ArtifactName, Precision, Runtime
from subarch.options.running import BenchOptions
from subarch.progress import Watch, silent
from subarch.results.bench import BenchAsked, BenchResult, CpuResult, TimedResult
from subarch.running.artifacts import FORMS, answer_once, some_tokens, timed
from subarch.running.base import Inputs, Program
from subarch.running.benchmark import Readings, interleaved
from subarch.running.conversion import TorchProgram, write
from subarch.running.graphs import Graph
from subarch.running.memory import peak_memory
from subarch.running.predictor import EXPORT, read_export
from subarch.running.processor import features
from subarch.storage import claimed, made_directory, new_run_directory, read_record, write_json

_LOG = logging.getLogger(__name__)

RESULT = "benchmark.json"
ARTIFACTS = timed()
_ASKED = ("names", "against", "runtime", "precision", "batch_size", "sequence_length", "rounds", "memory")
_CALIBRATION = 32  # sequences of random tokens: ranges change what a network says, not how long it takes


@dataclass(frozen=True, eq=False)
class Network:
    """What is timed.

    Attributes:
        name: as it was asked for.
        config: of a network with random weights; None for a checkpoint.
        checkpoint: with weights; None for random ones.
        export: folder that ``subarch export`` wrote, whose forms are taken as they are; None: they are made.
    """

    name: str
    config: Mapping[str, Any] | None = None
    checkpoint: Checkpoint | None = None
    export: Path | None = None

    def graph(self) -> Graph:
        """Built, with its weights."""
        if self.config is not None:
            torch.manual_seed(0)
            config = stock_config(self.config)
            return Graph.of(AutoModel.from_config(config, dtype=torch.float32, **without_pooler(config)))
        checkpoint = cast("Checkpoint", self.checkpoint).whole()
        if checkpoint.head.kind != "masked-lm":
            return Graph.of(whole_network(checkpoint), checkpoint.embedding)
        # Of a language model the encoder alone: nobody runs the vocabulary's projection to classify or embed.
        return Graph.of(loaded(AutoModel, checkpoint, fresh=("pooler",)))

    @property
    def settings(self) -> Mapping[str, Any]:
        """The stock config."""
        return self.config or cast("Checkpoint", self.checkpoint).config


@dataclass(frozen=True, eq=False)
class _Contender:
    """One network in one form."""

    network: Network
    runtime: Runtime
    precision: Precision
    folder: Path

    @property
    def size_bytes(self) -> int | None:
        """Of its files; None for PyTorch, which has none of its own."""
        if (name := ARTIFACTS.get((self.runtime, self.precision))) is None:
            return None
        return sum((self.folder / file).stat().st_size for file in FORMS[name].files())

    def open(self, threads: int, graph: Graph | None = None) -> Program:
        """Ready to run."""
        if (name := ARTIFACTS.get((self.runtime, self.precision))) is not None:
            return FORMS[name].open(self.folder, threads)
        built = self.network.graph() if graph is None else graph
        return TorchProgram(built, threads=threads, precision=self.precision, compiled=self.runtime == "compile")


def bench(options: BenchOptions, *, watch: Watch = silent, command: str = "") -> BenchResult:
    """Time networks and return what ``benchmark.json`` holds.

    Raises:
        ValueError: for a name that means nothing, or a length that a network has no positions for.
        ImportError: when a runtime is not installed, naming the extra.
        OSError: when the run directory cannot be written.
    """
    networks = [opened(name) for name in dict.fromkeys((*options.names, options.against))]
    for network in networks:
        _require_length(network, max(options.sequence_length))
    threads = options.threads or (torch.get_num_threads(),)
    run = made_directory(options.run or new_run_directory("bench", networks[0].name, watch))
    with claimed(run):
        asked = BenchAsked.from_json({name: getattr(options, name) for name in _ASKED} | {"threads": threads})
        rows = _begun(run / RESULT, asked)
        cells = [
            cell
            for cell in itertools.product(threads, options.batch_size, options.sequence_length)
            if not any(row.cell == cell for row in rows)
        ]
        cpu = CpuResult(name=cpu_name(), features=tuple(features()))
        if cells:
            work = run / ".artifacts"
            contenders = list(_contenders(options, networks, work, watch))
            memory = _memory(contenders, options, watch) if options.memory else {}
            graphs = {one.network: one.network.graph() for one in contenders if one.runtime in ("pytorch", "compile")}
            for number, cell in enumerate(cells):
                rows += _cell(contenders, graphs, memory, options, cell, f"{number + 1} of {len(cells)}", watch)
                done = BenchResult(run=str(run), cpu=cpu, rows=tuple(rows), asked=asked)
                write_json(run / RESULT, done.to_json())
            shutil.rmtree(work, ignore_errors=True)
            made_with = Manifest(command=command, source=options.names[0], options=asked.to_json(), seeds=(0,), data={})
            write_json(run / "bench-manifest.json", made_with.to_json())
    return BenchResult(run=str(run), cpu=cpu, rows=tuple(rows), asked=asked)


def form_of(row: TimedResult) -> str:
    """The name of the form that a row is of; ``pytorch`` for PyTorch."""
    return next((name for form, name in ARTIFACTS.items() if form == (row.runtime, row.precision)), row.runtime)


def opened(name: str) -> Network:
    """A network by its name.

    Raises:
        ValueError: for a name that means nothing.
    """
    path = Path(name)
    if name in PRESETS and not any((path / file).is_file() for file in ("config.json", "architecture.json")):
        return Network(name, config=preset_config(name))
    if path.is_file():
        return Network(name, config=read_config(path))
    for folder in (path, path / "export"):
        if (folder / EXPORT).is_file():
            return Network(name, checkpoint=_exported_from(folder), export=folder)
    if (path / "architecture.json").is_file():
        return Network(name, config=read_config(path / "architecture.json"))
    try:
        return Network(name, checkpoint=open_checkpoint(name).whole())
    except ValueError as error:
        raise InputError(f"{error}; presets are {', '.join(PRESETS)}") from error


def _exported_from(folder: Path) -> Checkpoint:
    """The checkpoint that an export was made of; where a run was moved, the one that lies in it.

    Raises:
        ValueError: when it is not there, or has other weights by now: its times would not be those of the forms.
    """
    found = read_export(folder)
    places = [
        Path(found["model"]),
        *(one.parent for one in sorted(folder.parent.glob("finetune/**/checkpoint/config.json"))),
    ]
    for place in (*places, folder.parent / "pretrain"):
        if (place / "config.json").is_file() and weights_fingerprint(place) == found.get("weights"):
            return open_checkpoint(place)
    raise InputError(
        f"{folder} was exported from {found['model']}, which is no longer there or has other weights now: run subarch "
        "export again"
    )


def _require_length(network: Network, length: int) -> None:
    longest = positions(network.settings)
    if longest is not None and length > longest:
        raise InputError(f"{network.name} has positions for {longest} tokens, got --sequence-length {length}")


def _begun(file: Path, asked: BenchAsked) -> list[TimedResult]:
    """The rows of an earlier call, where they are of the same."""
    found = read_record(BenchResult, file)
    if found is None or found.asked is None or found.cpu.name != cpu_name():
        return []  # times of another machine say nothing about this one
    if found.asked != asked:
        if found.asked.resolved() == asked.resolved() or Path(found.run).resolve() != file.parent.resolve():
            _LOG.warning("%s: networks go by other names since the run was moved; they are timed anew", file)
            return []
        raise InputError(f"{file} holds a bench with other options: give those again, or another --run")
    return list(found.rows)


def _contenders(options: BenchOptions, networks: Sequence[Network], work: Path, watch: Watch) -> Iterator[_Contender]:
    """Every network in every form; the reference comes first."""
    reference = next(network for network in networks if network.name == options.against)
    yield _Contender(reference, "pytorch", "float32", work)
    for number, network in enumerate(networks):
        if network.name not in options.names:
            continue
        wanted: list[tuple[Runtime, Precision]] = [
            (runtime, precision)
            for runtime, precision in itertools.product(options.runtime, options.precision)
            if (runtime, precision) in ARTIFACTS or (runtime in ("pytorch", "compile") and precision != "int8")
        ]
        forms: list[ArtifactName] = [ARTIFACTS[one] for one in wanted if one in ARTIFACTS]
        folder = work / str(number)
        if network.export is not None and all((network.export / FORMS[n].file).is_file() for n in forms):
            folder = network.export
        elif forms:
            folder.mkdir(parents=True, exist_ok=True)
            graph = network.graph()
            write(graph, folder, forms, _random_inputs(graph), watch=watch)
        for runtime, precision in wanted:
            if (network, runtime, precision) != (reference, "pytorch", "float32"):
                yield _Contender(network, runtime, precision, folder)


def _random_inputs(graph: Graph) -> list[Inputs]:
    rng = np.random.default_rng(0)
    lengths = rng.integers(8, min(128, graph.longest), _CALIBRATION)
    config = cast("Any", graph.model.config).to_dict()
    return [_inputs(config, 1, int(length), rng) for length in lengths]


def _inputs(config: Mapping[str, Any], batch: int, length: int, rng: np.random.Generator) -> Inputs:
    first = int(config.get("pad_token_id") or 0) + 1
    ids: NDArray[np.int64] = rng.integers(first, int(config["vocab_size"]), (batch, length))
    return {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}


def _memory(contenders: Sequence[_Contender], options: BenchOptions, watch: Watch) -> dict[_Contender, int | None]:
    found: dict[_Contender, int | None] = {}
    largest = (max(options.batch_size), max(options.sequence_length))
    for number, one in enumerate(contenders):
        watch("memory of each alone", done=number, total=len(contenders), note=f"{one.network.name} {one.runtime}")
        form = ARTIFACTS.get((one.runtime, one.precision))
        # What answers from a form loads neither torch nor the stock library.
        found[one] = (
            peak_memory(_one_pass, one, *largest)
            if form is None
            else peak_memory(answer_once, form, one.folder, *largest)
        )
    return found


def _one_pass(contender: _Contender, batch: int, length: int) -> None:
    contender.open(1)(some_tokens(batch, length))


def _cell(
    contenders: Sequence[_Contender],
    graphs: Mapping[Network, Graph],
    memory: Mapping[_Contender, int | None],
    options: BenchOptions,
    cell: tuple[int, int, int],
    place: str,
    watch: Watch,
) -> list[TimedResult]:
    threads, batch, length = cell
    passes: dict[_Contender, Callable[[], Any]] = {}
    for one in contenders:
        program = one.open(threads, graphs.get(one.network))
        inputs = _inputs(one.network.settings, batch, length, np.random.default_rng(0))
        passes[one] = lambda program=program, inputs=inputs: program(inputs)
    note = f"cell {place}: {threads} threads, batch {batch}, length {length}"
    times = interleaved(
        passes, rounds=options.rounds, tick=lambda done, total: watch("timing", done=done, total=total, note=note)
    )
    base = times[contenders[0]]
    return [_row(one, times[one], base, memory.get(one), cell) for one in contenders]


def _row(
    one: _Contender, reading: Readings, base: Readings, memory: int | None, cell: tuple[int, int, int]
) -> TimedResult:
    threads, batch, length = cell
    return TimedResult(
        name=one.network.name,
        runtime=one.runtime,
        precision=one.precision,
        threads=threads,
        batch_size=batch,
        sequence_length=length,
        p50_ms=reading.p50_ms,
        p95_ms=reading.p95_ms,
        min_ms=reading.min_ms,
        fast_ms=reading.fast_ms,
        passes=reading.passes,
        sequences_per_second=1000 * batch / reading.p50_ms,
        ratio=base.p50_ms / reading.p50_ms,
        size_bytes=one.size_bytes,
        peak_memory_bytes=memory,
    )
