"""Which types of networks of the installed stock library can be cut from their config alone, and why others cannot.

Every type of the library that ``AutoModel`` makes, by its own default config. Its sizes are found by building it with
others; a tiny source and a student of half its sizes are made from them, both with memory. The source must pass the
proof that no coupling was missed; the student must be made of its units, have finite outputs, and at the source's own
sizes say exactly the same. Where no tiny source can be made, the default one is cut without memory. A type passes when
at least one width can be cut; one of which only layers can be is no pass.

    python benchmarks/stock_types.py
"""

from __future__ import annotations

import argparse
import collections
import json
import signal
import time
import warnings
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from transformers.initialization import no_init_weights
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import MODEL_MAPPING_NAMES

from results import Results
from subarch.networks.correspondence import fitting
from subarch.networks.feeds import feeds
from subarch.networks.fields import Found, Size, changed, fields_of, value_at
from subarch.networks.sizing import found, written_out
from subarch.networks.stock import plain_config, plainly, stock_config
from subarch.networks.tracing import made_anew, proven, tensors_of, told, trace
from subarch.silence import quiet_transformers

WIDTH = 64  # a tiny network is about so wide
LAYERS = 4
WORDS = 300
LARGEST = 8_000_000  # parameters of a tiny network
SECONDS = 300  # a type


class TooSlowError(BaseException):  # nothing on the way takes it for a failure of its own
    """A type that took longer than it may."""


def tiny(config: dict[str, Any], sizes: Found) -> dict[str, Any]:
    """The config with few layers, narrow ones, and few words; its sizes can be halved."""
    wanted: dict[str, int] = {}
    for name, size in sizes.sizes.items():
        if size.deep:
            wanted[name] = min(size.full, LAYERS)
        elif not size.narrows and size.full >= 2 * size.unit:
            wanted[name] = size.unit * max(2, min(size.full, WIDTH) // size.unit // 2 * 2)
    made = sizes.config(config, {name: value for name, value in wanted.items() if value < sizes.sizes[name].full})
    words = {path: WORDS for path, value in fields_of(made) if path[-1] == "vocab_size" and int(str(value)) > WORDS}
    return changed(made, words)


def halved(config: dict[str, Any], sizes: Found) -> tuple[dict[str, Any], list[str]]:
    """The config at half of every size that has a half, and which these are."""
    here = Found(
        {
            name: Size(name, {path: value_at(config, path) for path in size.fields}, size.deep)
            for name, size in sizes.sizes.items()
            if not size.narrows
        }
    )
    half = {
        name: -(-size.full // 2) if size.deep else size.full // size.unit // 2 * size.unit
        for name, size in here.sizes.items()
        if size.full > 1 and (size.deep or size.full >= 2 * size.unit)
    }
    return here.config(config, half), [name for name in half if not here.sizes[name].deep]


def built(config: dict[str, Any], device: str) -> Any:
    weights = no_init_weights() if device == "meta" else nullcontext()
    with torch.device(device), weights:
        torch.manual_seed(0)
        network = plainly(stock_config(config)).eval()
    if device == "cpu":
        with torch.no_grad():
            for one in network.parameters():
                if one.is_floating_point():
                    one.add_(0.02 * torch.randn(one.shape))
    return network


def filled(student: Any, source: Any, match: Any) -> Any:
    """The student with its part of the source's weights."""
    theirs, anew = tensors_of(source), made_anew(student)
    with torch.no_grad():
        for name, one in tensors_of(student).items():
            if name not in anew:
                one.copy_(match.taken(match.origin[name], theirs[match.origin[name]]))
    return student


def cut(config: dict[str, Any], sizes: Found, device: str) -> list[str]:
    """Cut it to half of its sizes; which widths those were."""
    if device == "cpu" and (size := sum(one.numel() for one in built(config, "meta").parameters())) > LARGEST:
        raise ValueError(f"a tiny one has {size:,} parameters")
    source = built(config, device)
    inputs = feeds(source)
    traced = trace(source, inputs, devices=["meta"]) if device == "meta" else proven(source, inputs)
    smaller, widths = halved(config, sizes)
    student = built(smaller, device)
    match = fitting(student, source, traced, inputs, devices=["meta"] if device == "meta" else ["meta", "cpu"])
    with torch.no_grad(), torch.device(device):
        if device == "meta":
            told(student, inputs)
            return widths
        answer = told(filled(student, source, match), inputs)
        if not answer.isfinite().all():
            raise ValueError("the student's outputs are not finite")
        same = built(config, device)
        same = filled(same, source, fitting(same, source, traced, inputs))
        if not torch.equal(told(same, inputs), told(source, inputs)):
            raise ValueError("a student of the source's own sizes says something else")
    return widths


def tried(kind: str) -> dict[str, Any]:
    """A row for a type."""
    row: dict[str, Any] = {"type": kind, "cut": "no", "sizes": "", "reason": ""}
    try:
        config = written_out(plain_config(CONFIG_MAPPING[kind]()))
        sizes = found(config)
    except Exception as error:
        return row | {"reason": words(error)}
    row["sizes"] = ", ".join(sizes.sizes)
    reasons: list[str] = []
    for make, device in ((lambda: tiny(config, sizes), "cpu"), (lambda: config, "meta")):
        try:
            widths = cut(make(), sizes, device)
            if not widths:
                why = "; ".join(f"{name}: {reason}" for name, reason in sizes.refused.items())
                return row | {"cut": "only layers" if sizes.sizes else "no", "reason": why or "no width was found"}
            return row | {"cut": "with memory" if device == "cpu" else "without memory", "reason": "; ".join(reasons)}
        except TooSlowError:
            raise
        except Exception as error:
            reasons.append(words(error))
    return row | {"reason": "; ".join(reasons)}


def words(error: Exception) -> str:
    return " ".join((str(error) or type(error).__name__).split()).replace("|", "/")[:240]


def too_slow(*_: object) -> None:
    raise TooSlowError


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--types", nargs="*", help="of the library; all by default")
    parser.add_argument("--kept", type=Path, help="a file of rows that are done already, which is added to")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    signal.signal(signal.SIGALRM, too_slow)
    kept: dict[str, dict[str, Any]] = {}
    if options.kept and options.kept.is_file():
        kept = {row["type"]: row for row in map(json.loads, options.kept.read_text(encoding="utf-8").splitlines())}
    with quiet_transformers():
        rows = [one(kind, kept, options.kept) for kind in options.types or ordered()]
    report(rows)


def ordered() -> list[str]:
    """All types, those of one part first."""
    return sorted(MODEL_MAPPING_NAMES, key=lambda kind: (bool(CONFIG_MAPPING[kind].sub_configs), kind))


def one(kind: str, kept: Mapping[str, dict[str, Any]], path: Path | None) -> dict[str, Any]:
    """A type's row, from those that are kept or anew."""
    if kind in kept:
        return kept[kind]
    begin = time.perf_counter()
    signal.alarm(SECONDS)
    try:
        row = tried(kind)
    except TooSlowError:
        row = {"type": kind, "cut": "no", "sizes": "", "reason": f"longer than {SECONDS} s"}
    finally:
        signal.alarm(0)
    if path is not None:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
    print(f"{kind}: {row['cut']} ({time.perf_counter() - begin:.1f} s) {row['reason']}", flush=True)
    return row


def report(rows: Sequence[dict[str, Any]]) -> None:
    results = Results("stock_types", __doc__ or "")
    for how, count in collections.Counter(row["cut"] for row in rows).most_common():
        results.row("summary", {"cut": how, "types": count})
    for row in rows:
        passed = row["cut"].endswith("memory")
        results.row("cut from their config alone" if passed else "others, with the reason", row)
    if len(rows) < len(MODEL_MAPPING_NAMES):
        results.note(
            f"Of the {len(MODEL_MAPPING_NAMES)} types of the library {len(rows)} were looked at, the others not."
        )
    results.write()


if __name__ == "__main__":
    main()
