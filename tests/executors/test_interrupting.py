"""Work is ended when its time is over. In processes of their own: an alarm belongs to all that runs in one."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

from subarch.executors.interrupting import interrupted_after

PROGRAM = """
import signal
import time
from subarch.executors.interrupting import OutOfTimeError, interrupted_after

before = signal.getsignal(signal.SIGALRM)
try:
    with interrupted_after(0.05):
        try:
            time.sleep(300)
        except Exception:
            print("it passed for a failure of the work")
except OutOfTimeError:
    print("ended")
print(signal.getsignal(signal.SIGALRM) is before, signal.getitimer(signal.ITIMER_REAL))
with interrupted_after(float("inf")):
    print("never")
"""


def test_work_ends_when_its_time_is_over_and_the_alarm_is_as_it_was() -> None:
    ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=120)
    assert ran.stdout == "ended\nTrue (0.0, 0.0)\nnever\n", ran.stderr


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
