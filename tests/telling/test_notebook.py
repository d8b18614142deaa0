"""Progress in a notebook: one bar that is changed in its place."""

from __future__ import annotations

from typing import Any

import pytest

from subarch.telling import notebook

display: Any = pytest.importorskip("IPython.display")


class Cell:
    """Stands for what is under a cell: what was shown, and what it was changed to."""

    def __init__(self) -> None:
        self.shown: list[str] = []

    def __call__(self, what: Any, *, display_id: bool) -> Cell:
        assert display_id and not self.shown, "a second bar"
        self.shown.append(what.data)
        return self

    def update(self, what: Any) -> None:
        self.shown.append(what.data)


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch) -> Cell:
    made = Cell()
    monkeypatch.setattr(display, "display", made)
    return made


def test_one_bar_is_changed_in_its_place_but_not_too_often(cell: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 50.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    with notebook.Notebook() as bar:
        bar.watch("learning <b>", done=1, total=4, note="loss < 3")
        bar.watch("learning <b>", done=2, total=4)  # at once: not shown
        now += 1
        bar.watch("learning <b>", done=3, total=4)
        bar.watch("writing")
    assert cell.shown == [
        'learning &lt;b&gt; <progress value="1" max="4"></progress> 1 of 4 <i>loss &lt; 3</i> (0 s)',
        'learning &lt;b&gt; <progress value="3" max="4"></progress> 3 of 4 <i></i> (1 s)',
        "writing  <i></i> (1 s)",
        "done after 1 s",
    ]


def test_what_failed_is_not_done(cell: Cell) -> None:
    with pytest.raises(ValueError, match="no"), notebook.Notebook() as bar:
        bar.watch("learning")
        raise ValueError("no")
    assert cell.shown[-1].startswith("stopped after")


def test_work_that_says_nothing_shows_nothing(cell: Cell) -> None:
    with notebook.Notebook():
        pass
    assert cell.shown == []


def test_here_is_no_notebook() -> None:
    assert notebook.is_here() is False
