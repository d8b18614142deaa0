"""What ``bench`` returns: latency of every network in every form beside the reference."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from subarch.results.base import Line, Record, Result, Rows, Told, absent, rest

_COLUMNS = (
    "network",
    "runtime",
    "precision",
    "threads",
    "texts",
    "tokens",
    "p50 ms",
    "p95 ms",
    "times as fast",
    "file MB",
    "memory MB",
)


@dataclass(frozen=True, kw_only=True)
class TimedResult(Record):
    """One network in one form, at one number of threads, batch size and length.

    Attributes:
        name: of the network.
        runtime: that ran it.
        precision: of its arithmetic.
        threads: of one pass.
        batch_size: sequences a pass.
        sequence_length: tokens a sequence.
        p50_ms: median of a pass, in milliseconds.
        p95_ms: likewise.
        ratio: the reference in PyTorch with 32-bit floats over this, of medians.
        min_ms: the shortest pass.
        fast_ms: a pass when nothing disturbs the program: what targets are judged by.
        passes: that were timed.
        sequences_per_second: at the median.
        size_bytes: of its file, where it has one.
        peak_memory_bytes: of a process of its own, where that was measured.
    """

    name: str
    runtime: str
    precision: str
    threads: int
    batch_size: int
    sequence_length: int
    p50_ms: float
    p95_ms: float
    ratio: float
    min_ms: float | None = absent()
    fast_ms: float | None = absent()
    passes: int | None = absent()
    sequences_per_second: float | None = absent()
    size_bytes: int | None = None
    peak_memory_bytes: int | None = None
    more: Mapping[str, Any] = rest()

    def cells(self) -> tuple[str, ...]:
        """The row in words, after its name."""
        return (
            self.runtime,
            self.precision,
            f"{self.threads}",
            f"{self.batch_size}",
            f"{self.sequence_length}",
            f"{self.p50_ms:.2f}",
            f"{self.p95_ms:.2f}",
            f"{self.ratio:.1f}",
            "" if self.size_bytes is None else f"{self.size_bytes / 1e6:.0f}",
            "" if self.peak_memory_bytes is None else f"{self.peak_memory_bytes / 1e6:.0f}",
        )

    @property
    def ms(self) -> float:
        """What targets are judged by; the median in files of earlier versions."""
        return self.p50_ms if self.fast_ms is None else self.fast_ms

    @property
    def cell(self) -> tuple[int, int, int]:
        """Threads, batch size and length: what is compared with one another."""
        return self.threads, self.batch_size, self.sequence_length


@dataclass(frozen=True, kw_only=True)
class CpuResult(Record):
    """What times were taken on.

    Attributes:
        features: of the processor that networks use.
        name: its own.
        threads: that networks ran with.
    """

    features: tuple[str, ...]
    name: str | None = absent()
    threads: int | None = absent()


@dataclass(frozen=True, kw_only=True)
class BenchAsked(Record):
    """What the rows are of: a folder with others is not gone on with.

    Attributes:
        names: of the networks.
        against: name of the reference.
        runtime, precision, batch_size, sequence_length, threads: each was timed with each.
        rounds: of the timing.
        memory: whether it was measured.
    """

    names: tuple[str, ...]
    against: str
    runtime: tuple[str, ...]
    precision: tuple[str, ...]
    batch_size: tuple[int, ...]
    sequence_length: tuple[int, ...]
    rounds: int
    memory: bool
    threads: tuple[int, ...]

    def resolved(self) -> Self:
        """With the folders that names stand for, from wherever they are named."""
        paths = [Path(one) for one in (*self.names, self.against)]
        *names, against = (str(path.resolve()) if path.exists() else str(path) for path in paths)
        return replace(self, names=tuple(names), against=against)


@dataclass(frozen=True, kw_only=True)
class BenchResult(Result):
    """Latencies, the reference first.

    Attributes:
        run: directory of the run.
        cpu: the processor.
        rows: what was timed.
        asked: and what of.
    """

    run: str
    cpu: CpuResult
    rows: tuple[TimedResult, ...]
    asked: BenchAsked | None = absent()
    more: Mapping[str, Any] = rest()

    @property
    def reference(self) -> str:
        """Name of the network that ratios are of."""
        return self.rows[0].name

    def table(self, called: Callable[[str], str] = str) -> Rows:
        """Everything that was timed.

        Args:
            called: what a network is called there, by its name.
        """
        return Rows(_COLUMNS, [(called(row.name), *row.cells()) for row in self.rows])

    def told(self) -> Iterator[Told]:
        yield Line(f"{self.cpu.name}, {', '.join(self.cpu.features)}")
        yield self.table()
        yield Line(f"times as fast as {self.reference} in PyTorch, with 32-bit floats")
        yield Line(f"wrote {self.run}/benchmark.json")
