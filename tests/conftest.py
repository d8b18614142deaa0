"""What every test shares: where the repository is, a cache that is thrown away, and reproducible conditions.

Nothing here imports torch or any other heavy library: a test that needs none stays fast.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from commands import Command, Ran

REPOSITORY = Path(__file__).resolve().parent.parent

# Set before anything reads it: the default run uses no network, so a name that is not a folder fails at once instead
# of after a time-out.
os.environ.setdefault("HF_HUB_OFFLINE", "1")

# Likewise for torch in every process that a test starts: where threads wait for each other on cores that another worker
# has, a notebook of two minutes takes ten.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Derandomized: the same examples in every run and on every machine. No deadline: two cores are shared with the
# other workers, and a slow moment is not a failure.
hypothesis.settings.register_profile("repository", derandomize=True, deadline=None, max_examples=60)
hypothesis.settings.load_profile("repository")


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder for the whole run, shared by the workers of pytest-xdist."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = shared / "cache"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def measurement_data() -> Path:
    """The optional folder of real corpora and tasks beside the checkout; tests that use it skip without it."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs the optional folder ../shared/data beside the checkout")
    return folder


@pytest.fixture
def subarch(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    """Run the program in this process, in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Ran:
        from subarch.cli import main

        capsys.readouterr()
        status = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        words = err.translate(str.maketrans("│╭╮╰╯─", "      ")).split()
        return Ran(status, out, " ".join(words))

    return run


@pytest.fixture(autouse=True)
def _few_readings(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Readings of times are few and short where nothing is asserted of them: hundreds of searches time their networks,
    and visits to microseconds on busy cores would go on as long as they may."""
    timing = sys.modules.get("subarch.running.timing")
    if timing is not None and not request.path.is_relative_to(REPOSITORY / "tests" / "running"):
        monkeypatch.setattr(timing, "_MOST_VISITS", 5)
        monkeypatch.setattr(timing, "_VISIT_SECONDS", 0.01)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """One torch thread a test, where the test uses torch at all: workers share the cores, and sums keep their order."""
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)
    yield


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip tests marked ``gpu`` where there is none; torch is imported only for them."""
    if item.get_closest_marker("gpu"):
        import torch

        if not torch.cuda.is_available():
            pytest.skip("needs an accelerator, and torch sees none")
