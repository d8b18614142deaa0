"""Numbers, architectures and limits in words: the vocabulary of everything that is told to people.

Files of a run may come from an interrupted search or another family, so every function here accepts an absent value.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any, cast

ABSENT = "not stated"

_WORDS = {
    "hidden_size": "hidden {}",
    "intermediate_size": "intermediate {}",
    "num_attention_heads": "{} heads",
}
_LIMITS = {
    "speedup": "at least {} times as fast as the reference",
    "parameters": "at most {} parameters",
    "latency_ms": "at most {} ms a forward pass",
    "macs": "at most {} operations a forward pass",
}


def finite(value: object) -> float | None:
    """Return ``value`` as a float, or None where it is no finite number (absent, text, a bound that is infinite)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def check_command(run: object, certificate: Mapping[str, Any]) -> str:
    """The command that verifies a run; a family of a user's own is named in it, as it must be by whoever runs it."""
    family = certificate.get("family") or {}
    named = f" --family {family.get('name')}" if family.get("kind") == "custom" else ""
    return f"subarch verify {run}{named}"


def relatives(related: object, sealed: object, scores: Mapping[str, object]) -> str:
    """How many sealed rows are too much like rows that were learned from, and what is scored without them.

    Args:
        related: so many.
        sealed: of so many.
        scores: on the other rows, between 0 and 1, by what is scored.
    """
    count, among = finite(related), finite(sealed)
    if count is None or not among:
        return ""
    kin = (
        "near copies of rows that were learned from or chosen on, contain or lie in one, or share a long text with one"
    )
    if not count:
        return f"None of the sealed rows are {kin}."
    said = f"{whole(count)} of the {whole(among)} sealed rows ({100 * count / among:.0f} %) are {kin}"
    told = ", ".join(f"{name} {100 * value:.1f}" for name, one in scores.items() if (value := finite(one)) is not None)
    return f"{said}. On the others: {told}." if told else f"{said}: no other row is left to score on."


def whole(value: object) -> str:
    """Write a count with thousands separators."""
    number = finite(value)
    return ABSENT if number is None else f"{round(number):,}"


def decimal(value: object, digits: int = 4) -> str:
    """Write a number with ``digits`` significant digits, without an exponent where it stays readable."""
    number = finite(value)
    if number is None:
        return ABSENT
    if number == 0 or 1e-5 <= abs(number) < 1e6:
        places = digits if number == 0 else max(0, digits - 1 - math.floor(math.log10(abs(number))))
        text = f"{number:,.{places}f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return f"{number:.{digits - 1}e}"


def short(value: object) -> str:
    """Write a large count with three significant digits and a metric letter: 12,345,678 becomes ``12.3 M``."""
    number = finite(value)
    if number is None:
        return ABSENT
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= size * 0.9995:
            return f"{decimal(number / size, 3)} {letter}"
    return decimal(number, 3)


def percent(value: object, digits: int = 3) -> str:
    """Write a fraction (0.1) as a percentage (``10 %``)."""
    number = finite(value)
    return ABSENT if number is None else f"{decimal(100 * number, digits)} %"


def milliseconds(value: object) -> str:
    """Write a latency in milliseconds with its unit."""
    return ABSENT if finite(value) is None else f"{decimal(value, 3)} ms"


def timing_in_words(timed_with: Mapping[str, Any], seconds: Mapping[str, Any] | None) -> str:
    """How networks were timed and how long that took beside the search, in sentences; nothing where no table was."""
    if timed_with.get("networks") is None or not seconds or finite(seconds.get("timing")) is None:
        return ""

    def form(runtime: object, threads: object) -> str:
        return f"{runtime}" if threads is None else f"{runtime} on {counted(cast('int', threads), 'thread')}"

    ours, theirs = (form(timed_with.get(f"{of}runtime"), timed_with.get(f"{of}threads")) for of in ("", "reference_"))
    return (
        f"Times are those of networks as they are served, {ours}, and of the reference in its own fastest form, "
        f"{theirs}: {timed_with['networks']} networks were timed in {duration(seconds['timing'])}, the others follow "
        f"from these; the trainings of the search took {duration(seconds.get('search'))}."
    )


def took_in_words(stages: Mapping[str, float]) -> str:
    """Write how long all took, and each stage: ``12 min 3 s: teacher 2 min, extract 6 min 10 s``."""
    each = ", ".join(f"{name} {duration(seconds)}" for name, seconds in stages.items())
    return f"{duration(sum(stages.values()))}: {each}"


def duration(value: object) -> str:
    """Write seconds as a person would say them: ``45 s``, ``3 min 20 s``, ``2 h 5 min``."""
    seconds = finite(value)
    if seconds is None:
        return ABSENT
    if seconds < 60:
        return f"{decimal(seconds, 2)} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def counted(count: int, noun: str) -> str:
    """Write a count with its noun, in the plural where it is not one: ``1 architecture``, ``2 architectures``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def identity(architecture: object) -> str:
    """Return a text that is equal for equal architectures, whatever the order of their parameters."""
    return json.dumps(architecture, sort_keys=True)


def describe(architecture: object) -> str:
    """Say an architecture in words.

    Args:
        architecture: the value of each architectural parameter by name. Parameters that differ in a trailing number
            only (``width_1``, ``width_2``, ...) are listed together.

    Returns:
        For example ``4 layers, hidden 192, intermediate 768`` or ``width 32-64-128``.
    """
    if not isinstance(architecture, Mapping) or not architecture:
        return ABSENT
    groups: dict[str, list[tuple[int, str]]] = {}
    for name, value in architecture.items():
        match = re.fullmatch(r"(.+?)_?(\d+)", str(name))
        stem, place = (match[1], int(match[2])) if match else (str(name), 0)
        groups.setdefault(stem, []).append((place, str(value)))
    return ", ".join(_phrase(stem, sorted(members)) for stem, members in groups.items())


def _phrase(stem: str, members: list[tuple[int, str]]) -> str:
    value = "-".join(text for _, text in members)
    if stem == "num_hidden_layers":
        return f"{value} {'layer' if value == '1' else 'layers'}"
    place = f" {members[0][0]}" if len(members) == 1 and members[0][0] else ""
    return _WORDS.get(stem, stem.replace("_", " ") + place + " {}").replace("{}", value)


def limits_in_words(limits: object) -> list[str]:
    """Say the limits of a constrained claim, one phrase for each; an empty list where there are none."""
    if not isinstance(limits, Mapping):
        return []
    return [
        _LIMITS.get(str(name).removeprefix("max_"), f"{str(name).replace('_', ' ')}: {{}}").replace("{}", _plain(value))
        for name, value in limits.items()
        if value is not None
    ]


def claim_in_words(certificate: Mapping[str, Any]) -> str:
    """Say what a certificate claims about the architectures that were not trained.

    Args:
        certificate: the content of ``certificate.json``.

    Returns:
        One or two sentences without markup. Where the verdict is not ``certified`` they say that nothing is claimed.
    """
    achieved = finite(certificate.get("achieved"))
    claim, verdict = str(certificate.get("claim")), certificate.get("verdict")
    if achieved is None or (achieved >= 1 and claim != "front"):
        return "Nothing is proven about architectures that were not trained."
    statement = _statement(claim, achieved)
    if verdict == "certified":
        return statement
    later = statement[0].lower() + statement[1:]
    if verdict == "unresolved":
        return (
            "The arithmetic of the bound closed, but the measured errors do not separate the architectures: size and "
            f"speed alone decided. Read as arithmetic only, it says: {later}"
        )
    return f"What was asked for is not guaranteed. This is what the bound had reached when the search ended: {later}"


def _statement(claim: str, achieved: float) -> str:
    share = percent(max(0.0, 1 - achieved))
    if claim == "w":
        return f"The extracted architecture reaches at least {share} of the highest W that the space can offer."
    if claim == "constrained":
        return f"No architecture within the limits has an error below {share} of the extracted architecture's."
    return (
        "For every architecture of the space, the front holds one that is larger, costlier and worse in error "
        f"by at most {percent(achieved)} each."
    )


def _plain(value: object) -> str:
    number = finite(value)
    if number is None:
        return str(value)
    return whole(number) if number == round(number) else decimal(number)
