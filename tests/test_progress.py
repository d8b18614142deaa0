"""How work tells where it is."""

from __future__ import annotations

import logging

import pytest

from subarch.progress import Watch, say_once, silent


def test_a_watch_that_looks_away_takes_what_every_watch_takes(capsys: pytest.CaptureFixture[str]) -> None:
    watch: Watch = silent
    watch("learning")
    watch("learning", done=1, total=None, note="half")
    assert capsys.readouterr() == ("", "")


def test_the_same_is_said_once_and_anything_else_too(caplog: pytest.LogCaptureFixture) -> None:
    one, other = logging.getLogger("one of this test"), logging.getLogger("other of this test")
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            say_once(one, "100 % of it is odd")
        say_once(one, "something else")
        say_once(other, "100 % of it is odd")
    assert [(record.name, record.getMessage()) for record in caplog.records] == [
        ("one of this test", "100 % of it is odd"),
        ("one of this test", "something else"),
        ("other of this test", "100 % of it is odd"),
    ]
