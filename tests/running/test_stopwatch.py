"""How networks are served is decided by readings, and a machine that becomes slower says the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from sleepers import Clock, Sleepers

from subarch.networks.space import Architecture
from subarch.running import timing
from subarch.running.stopwatch import Setting, Stopwatch, numbers_of_threads, smallest_of, timekeeper_of
from subarch.running.timing import Pass


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "time", Clock())


FAMILY = Sleepers(4)
ONE, TWO, SLOW = Setting("small-wins", 1), Setting("large-wins", 2), Setting("hopeless", 1)


class Machine:
    """Programs by form: one starts quickly, one runs quickly, and one does neither."""

    def __init__(self) -> None:
        self.slower = 1.0
        self.built: list[tuple[Architecture, Setting]] = []

    def milliseconds(self, architecture: Architecture, form: Setting) -> float:
        work = FAMILY.truth(architecture)
        return {ONE: work, TWO: 1.5 + 0.5 * work, SLOW: 5 * work}[form]

    def __call__(self, architecture: Architecture, forms: Sequence[Setting]) -> Mapping[Setting, Pass]:
        self.built += [(architecture, form) for form in forms]

        def program(form: Setting) -> Pass:
            def run() -> None:
                Clock.now += self.slower * self.milliseconds(architecture, form) / 1000

            return run

        return {form: program(form) for form in forms}


def watch(machine: Machine, *forms: Setting, **given: object) -> Stopwatch:
    return Stopwatch(FAMILY, forms=forms, sequence_length=8, programs=machine, **given)  # type: ignore[arg-type]


def test_small_and_large_networks_may_be_served_differently_and_the_reference_has_its_own_best() -> None:
    machine = Machine()
    first = watch(machine, ONE, TWO, SLOW).begin()
    assert (
        first.settings["runtime"] == "large-wins" and first.settings["threads"] == 2
    )  # as one in the middle is faster
    assert first.settings["reference_runtime"] == "large-wins"
    assert first.reference_ms == pytest.approx(machine.milliseconds(FAMILY.reference, TWO))
    for architecture, ms in first.readings:
        assert ms == pytest.approx(machine.milliseconds(architecture, TWO))
    assert (
        FAMILY.reference,
        SLOW,
    ) not in machine.built  # what is hopeless in the middle is not tried on a large one
    told = first.settings["candidates"]
    assert {one["network"] for one in told} == {"smallest", "reference", "between"} and len(told) == 1 + 2 + 3


def test_one_candidate_takes_two_networks() -> None:
    machine = Machine()
    first = watch(machine, ONE).begin()
    assert len(machine.built) == 2 and first.settings["runtime"] == first.settings["reference_runtime"] == "small-wins"
    assert [ms for _, ms in first.readings] == pytest.approx([1.0, FAMILY.truth(FAMILY.reference)])


def test_a_machine_that_becomes_slower_says_the_same() -> None:
    machine = Machine()
    made = watch(machine, ONE)
    first = made.begin()
    shape = FAMILY.space.architecture((2, 1, 0))
    before = made(shape)
    machine.slower = 3.0
    assert made(shape) == pytest.approx(before) == pytest.approx(FAMILY.truth(shape))
    later = watch(machine, ONE, known=first.settings)  # another day, the same table
    assert later(shape) == pytest.approx(before)


def test_a_moment_that_is_busy_does_not_count_and_neither_does_the_slow_one_of_two_speeds() -> None:
    visits = iter(range(1000))

    def two_speeds() -> None:
        Clock.now += 0.004 if next(visits) % 31 < 20 else 0.011

    assert timing.in_turns({"it": two_speeds})["it"].fast_ms == pytest.approx(4)


def test_threads_that_are_tried_are_few_and_begin_with_one() -> None:
    assert numbers_of_threads()[0] == 1 and 1 <= len(numbers_of_threads()) <= 3


def test_the_smallest_network_keeps_the_constraints() -> None:
    space = Sleepers(4, constraint="a + b > 1").space
    assert space.contains(smallest_of(space))
    with pytest.raises(ValueError, match="nothing to time"):
        smallest_of(Sleepers(2, constraint="a > 7").space)


def test_what_is_asked_for_by_name() -> None:
    made = timekeeper_of(FAMILY, "pytorch", forms=(), threads=1, sequence_length=8).begin()
    assert made.settings["runtime"] == "pytorch" and made.settings["threads"] == 1
    with pytest.raises(ValueError, match="could not be imported"):
        timekeeper_of(FAMILY, "no_such_module:times", forms=(), threads=1, sequence_length=8)
