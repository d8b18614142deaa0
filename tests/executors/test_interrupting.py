"""Work is ended when its time is over."""

from __future__ import annotations

import signal
import threading
import time

import pytest

from subarch.executors.interrupting import OutOfTimeError, interrupted_after


def test_work_ends_when_its_time_is_over_and_the_alarm_is_as_it_was() -> None:
    before = signal.getsignal(signal.SIGALRM)
    began = time.monotonic()
    with pytest.raises(OutOfTimeError), interrupted_after(0.05):
        time.sleep(60)
    assert time.monotonic() - began < 30 and signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_handlers_of_exceptions_do_not_catch_it() -> None:
    with pytest.raises(OutOfTimeError), interrupted_after(0.05):
        try:
            time.sleep(60)
        except Exception:
            pytest.fail("it passed for a failure of the work")


def test_elsewhere_work_is_not_interrupted() -> None:
    done: list[bool] = []

    def work() -> None:
        with interrupted_after(0.001):
            time.sleep(0.05)
            done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [True]
