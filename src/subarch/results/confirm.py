"""Short against long: whether the order of the search holds after full training, for the pick and its rivals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from subarch.results.base import Line, Record, Result, Rows, Told, Tone, absent, rest
from subarch.results.certificate import Shape
from subarch.results.wording import counted, decimal, describe, relatives, whole

Held = Literal["held", "not decided", "did not hold"]
TONES: Mapping[Held, Tone] = {"held": "good", "not decided": "warning", "did not hold": "bad"}


@dataclass(frozen=True, kw_only=True)
class DifferenceResult(Record):
    """By how much a rival is better than the pick: paired over the seeds, which both have in common.

    Attributes:
        mean: of the seeds; below zero the pick is better.
        ci95: half of its 95 % interval (Student's t); None of one seed.
    """

    mean: float
    ci95: float | None

    @property
    def sign(self) -> int:
        """1 where the rival is better beyond noise, -1 where the pick is, 0 where that is not decided.

        Differences that are the same of every seed show no noise at all, by which nothing can be decided.
        """
        if not self.ci95 or abs(self.mean) <= self.ci95:
            return 0
        return 1 if self.mean > 0 else -1


@dataclass(frozen=True, kw_only=True)
class ConfirmedResult(Record):
    """A network that was trained to the end.

    Attributes:
        number: of its training in the search.
        architecture: value of each architectural parameter.
        parameters: of the backbone with its embeddings.
        error: of the short run, by which the search ranks.
        w: with that error: size saved times operations saved over error.
        scores: of each seed on the sealed rows; none where its training failed.
        mean: of these.
        ci95: half of its 95 % interval; None of one seed.
        apart: mean on the sealed rows that are not too much like rows that were learned from.
        development: mean on the development rows that ways are compared on.
        w_after: where the claim is about W: that with the error after full training, of each seed.
        difference: to the pick, of scores, or of W where the claim is about it.
        start: the network that fine-tuning began with, where it is a checkpoint.
        failure: why there are no scores.
    """

    number: int
    architecture: Shape
    parameters: int
    error: float
    w: float
    scores: tuple[float, ...] = ()
    mean: float | None = None
    ci95: float | None = None
    apart: float | None = None
    development: float | None = None
    w_after: tuple[float, ...] | None = absent()
    difference: DifferenceResult | None = absent()
    start: Path | None = absent()
    failure: str | None = absent()
    more: Mapping[str, Any] = rest()

    @property
    def name(self) -> str:
        """The architecture in words."""
        return describe(self.architecture)


@dataclass(frozen=True, kw_only=True)
class ConfirmResult(Result):
    """The pick beside its closest rivals, all trained to the end in one way with the same seeds.

    Attributes:
        verdict: ``held`` where the pick is better than each rival beyond the noise of the seeds; ``did not hold`` where
            a rival is; ``not decided`` otherwise.
        reason: the same in words, naming the better one.
        better: number of the rival that is better.
        claim: of the search; ``constrained`` ranks by the error, the others by W.
        way: of fine-tuning.
        metric: of the scores.
        examples: sealed rows.
        related: of them are too much like rows that were learned from.
        asked: for so many rivals.
        seeds: of each network.
        tau: Kendall's rank correlation of short and long, by what the claim ranks by; None of fewer than three
            networks, and where one of them is the same of all.
        networks: the pick, then its rivals, the closest first.
        identity: of everything that this depends on.
    """

    verdict: Held
    reason: str
    better: int | None
    claim: str
    way: str
    metric: str
    examples: int
    related: int
    asked: int
    seeds: int
    tau: float | None
    networks: tuple[ConfirmedResult, ...]
    identity: str | None = None
    more: Mapping[str, Any] = rest()

    @property
    def by_w(self) -> bool:
        """Whether the claim ranks by W."""
        return self.claim != "constrained"

    @property
    def in_words(self) -> str:
        """The verdict in a sentence, and the rank correlation."""
        tau = "" if self.tau is None else f" Kendall's tau of short and long: {self.tau:+.2f}."
        return f"{self.reason}{tau}"

    @property
    def advice(self) -> str:
        """What it means for what is delivered, where the order did not hold; or nothing."""
        if self.verdict != "did not hold":
            return ""
        (other,) = (one for one in self.networks if one.number == self.better)
        words = (
            "What is delivered is the certified pick all the same: the certificate is about the short run, and to take "
            "the other by its score on sealed rows would be to choose on them. Judge it on new rows first"
        )
        return f"{words}; it is in {other.start}, to be fine-tuned." if other.start is not None else f"{words}."

    @property
    def apart(self) -> str:
        """How many sealed rows are too much like others, and the scores without them, in words; or nothing."""
        if not self.related:
            return ""
        return relatives(self.related, self.examples, {self.label(one): one.apart for one in self.networks})

    def label(self, one: ConfirmedResult) -> str:
        """How a network is told from the others: the pick, or the number of its training."""
        return "the pick" if one is self.networks[0] else f"no. {one.number}"

    def table(self) -> Rows:
        """Each network, short and long."""
        short = ("network", "short error", *(("short W",) if self.by_w else ()))
        long = (f"{self.metric}, {self.way}", "± 95 %", "each seed", *(("W after",) if self.by_w else ()))
        rows = [
            (*self._short(one), *([""] * len(long) if one.failure else self._long(one)), self._beside(one))
            for one in self.networks
        ]
        return Rows((*short, *long, "to the pick"), rows)

    def _short(self, one: ConfirmedResult) -> tuple[str, ...]:
        name = f"{' / '.join(map(str, one.architecture.values()))} ({self.label(one)})"
        return (name, decimal(one.error, 3), *((decimal(one.w, 3),) if self.by_w else ()))

    def _long(self, one: ConfirmedResult) -> tuple[str, ...]:
        mean = "" if one.mean is None else f"{100 * one.mean:.1f}"
        half = "" if one.ci95 is None else f"{100 * one.ci95:.1f}"
        after = one.w_after or ()
        w = (decimal(sum(after) / len(after), 3) if after else "",)
        return (mean, half, ", ".join(f"{100 * score:.1f}" for score in one.scores), *(w if self.by_w else ()))

    def _beside(self, one: ConfirmedResult) -> str:
        if one.failure is not None:
            return one.failure
        return "" if one.difference is None else self.difference_in_words(one.difference)

    def difference_in_words(self, difference: DifferenceResult) -> str:
        """In points of 100, or of W where the claim is about that."""
        mean, half = difference.mean, difference.ci95
        if self.by_w:
            return f"{mean:+.3g}" + ("" if half is None else f" ± {half:.2g}")
        return f"{100 * mean:+.2f}" + ("" if half is None else f" ± {100 * half:.2f}")

    def told(self) -> Iterator[Told]:
        yield Line(self.in_words, lead="short against long", tone=TONES[self.verdict])
        if len(self.networks) > 1:
            yield self.table()
            yield Line(self.how)
        if self.apart:
            yield Line(self.apart)
        if self.advice:
            yield Line(self.advice, tone="warning")

    @property
    def how(self) -> str:
        """How the networks were trained and compared."""
        return (
            f"{self.metric} on {whole(self.examples)} sealed rows; all networks {self.way}, with the same "
            f"{counted(self.seeds, 'seed')} of fine-tuning. Differences are paired over these, with 95 % intervals, "
            "each by itself; other rows and another pre-training could move them too, which is no part of that noise."
        )
