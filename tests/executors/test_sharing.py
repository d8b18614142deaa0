"""A function travels with what it needs, and is opened once."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from subarch.executors.sharing import Packing, Shared, _unpack  # pyright: ignore[reportPrivateUsage]

SEND = """
import sys
sys.path.insert(0, ".")
import mine
from subarch.executors.sharing import Shared
import pickle
with open(sys.argv[1], "wb") as file:
    pickle.dump(Shared.of(mine.Work(21), elsewhere=True), file)
"""
RECEIVE = """
import pickle, sys
with open(sys.argv[1], "rb") as file:
    shared = pickle.load(file)
print(shared(2), shared(3))
"""
RECEIVE_BOTH = """
import pickle, sys
for name in sys.argv[1:]:
    with open(name, "rb") as file:
        print(pickle.load(file)(2))
"""


def test_the_users_own_modules_travel_to_where_they_are_not(tmp_path: Path) -> None:
    for name in ("user", "worker"):
        (tmp_path / name).mkdir()
    (tmp_path / "user" / "helpers.py").write_text("def times(a, b):\n    return a * b\n")
    (tmp_path / "user" / "mine.py").write_text(
        "import helpers\nprint('opened', __name__)\nclass Work:\n    def __init__(self, n):\n        self.n = n\n"
        "    def __call__(self, by):\n        return helpers.times(self.n, by)\n"
    )
    parcel = tmp_path / "parcel"
    subprocess.run([sys.executable, "-c", SEND, parcel], cwd=tmp_path / "user", check=True)
    ran = subprocess.run(
        [sys.executable, "-c", RECEIVE, parcel], cwd=tmp_path / "worker", capture_output=True, text=True
    )
    assert ran.stdout == "opened mine\n42 63\n", ran.stderr


def test_what_was_changed_since_goes_before_what_a_worker_has_imported(tmp_path: Path) -> None:
    (tmp_path / "worker").mkdir()
    (tmp_path / "helpers.py").write_text("def times(a, b):\n    return a * b\n")
    program = "import helpers\nclass Work:\n    def __init__(self, n):\n        self.n = n\n"
    for name, by in (("one", "by"), ("two", "10 * by")):
        call = f"    def __call__(self, by):\n        return helpers.times(self.n, {by})\n"
        (tmp_path / "mine.py").write_text(program + call)
        subprocess.run([sys.executable, "-B", "-c", SEND, tmp_path / name], cwd=tmp_path, check=True)
    parcels = [tmp_path / "one", tmp_path / "two"]
    ran = subprocess.run(
        [sys.executable, "-c", RECEIVE_BOTH, *parcels], cwd=tmp_path / "worker", capture_output=True, text=True
    )
    assert ran.stdout == "42\n420\n", ran.stderr


def test_a_function_is_packed_once_and_known_again() -> None:
    packing, sent = Packing(elsewhere=False), []

    def work(number: int) -> int:
        return number + 1

    for _ in range(3):
        packing(work, lambda shared: sent.append(shared) or shared)
    assert len(sent) == 1 and sent[0](1) == 2
    again = pickle.loads(pickle.dumps(sent[0]))
    assert again.digest == sent[0].digest and again(1) == 2 and again._opened() is sent[0]._opened()
    assert Shared.of(work).digest != Shared.of(lambda number: number + 2).digest


def test_no_module_is_written_outside_of_its_folder() -> None:
    with pytest.raises(ValueError, match="lies outside"):
        _unpack({"../evil.py": b""})
