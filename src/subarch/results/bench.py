"""What ``bench`` returns: latency of every network in every form beside the reference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from subarch.results.base import Line, Record, Result, Rows, Told, rest

_COLUMNS = ("network", "runtime", "precision", "p50 ms", "p95 ms", "ratio", "file MB", "memory MB")


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
    size_bytes: int | None = None
    peak_memory_bytes: int | None = None
    more: Mapping[str, Any] = rest()

    @property
    def cell(self) -> tuple[int, int, int]:
        """Threads, batch size and length: what is compared with one another."""
        return self.threads, self.batch_size, self.sequence_length


@dataclass(frozen=True, kw_only=True)
class BenchResult(Result):
    """Latencies, the reference first.

    Attributes:
        run: directory of the run.
        cpu: ``name`` and ``features`` of the processor.
        rows: what was timed.
    """

    run: str
    cpu: Mapping[str, Any]
    rows: tuple[TimedResult, ...]
    more: Mapping[str, Any] = rest()

    def told(self) -> Iterator[Told]:
        yield Line(f"{self.cpu['name']}, {', '.join(self.cpu['features'])}")
        for cell in dict.fromkeys(row.cell for row in self.rows):
            threads, batch, length = cell
            yield Line(
                f"ratio to {self.rows[0].name} in PyTorch",
                lead=f"{threads} threads, {batch} a pass, {length} tokens",
            )
            yield Rows(_COLUMNS, [_cells(row) for row in self.rows if row.cell == cell])
        yield Line(f"wrote {self.run}/benchmark.json")


def _cells(row: TimedResult) -> tuple[str, ...]:
    return (
        row.name,
        row.runtime,
        row.precision,
        f"{row.p50_ms:.2f}",
        f"{row.p95_ms:.2f}",
        f"{row.ratio:.1f}",
        "" if row.size_bytes is None else f"{row.size_bytes / 1e6:.0f}",
        "" if row.peak_memory_bytes is None else f"{row.peak_memory_bytes / 1e6:.0f}",
    )
