"""What a person sees on standard error."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from subarch.results.base import Line, Result, Rows, Told
from subarch.telling.console import Console


@dataclass(frozen=True)
class Everything(Result):
    """Words with brackets, which the library behind it takes for colours."""

    def told(self) -> Iterator[Told]:
        yield Line("[red]plain[/red] words")
        yield Line("a [link=x]sentence[/]", lead="[bold]lead", tone="warning")
        yield Line("said badly [x]", tone="bad")
        yield Rows(("name", "[x]"), [("[green]a", "1.0"), ("b[/]", "2.0")], title="[bold]numbers")


def test_words_are_shown_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    Console().tell(Everything())
    out, err = capsys.readouterr()
    assert out == ""  # standard output is for programs
    lines = [line.rstrip() for line in err.splitlines()]
    assert lines[:3] == ["[red]plain[/red] words", "[bold]lead: a [link=x]sentence[/]", "said badly [x]"]
    assert [" ".join(line.split()) for line in lines[3:]] == ["[bold]numbers", "name [x]", "[green]a 1.0", "b[/] 2.0"]


def test_long_words_are_not_broken(capsys: pytest.CaptureFixture[str]) -> None:
    @dataclass(frozen=True)
    class Long(Result):
        def told(self) -> Iterator[Told]:
            yield Line("wrote " + "a/very/long/path" * 30)

    Console().tell(Long())
    assert "a/very/long/path" * 30 in capsys.readouterr().err


def test_without_a_terminal_a_line_now_and_then_says_where_the_work_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    with Console() as console:
        for done in range(3):
            console.watch("searching [x]", done=done, total=9, note="epsilon 0.1")
        now += 11
        console.watch("searching [x]", done=5, total=9)
        console.watch("reading")
    assert capsys.readouterr().err.splitlines() == [
        "searching [x], 0 of 9: epsilon 0.1",
        "searching [x], 5 of 9",
        "reading",
    ]


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with Console(quiet=True) as console:
        console.watch("searching", done=1)
        console.tell(Everything())
    assert capsys.readouterr() == ("", "")


def test_warnings_are_shown_with_their_words(capsys: pytest.CaptureFixture[str]) -> None:
    log = logging.getLogger("a log of this test")
    log.propagate = False
    handler = Console().handler()
    log.addHandler(handler)
    log.warning("the file [a.csv] is %s", "damaged")
    log.removeHandler(handler)
    assert "WARNING" in (err := capsys.readouterr().err) and "the file [a.csv] is damaged" in err


def test_what_several_stages_notice_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    log = logging.getLogger("another log of this test")
    log.propagate = False
    handler = Console().handler()
    log.addHandler(handler)
    for rows in (7, 7, 8):
        log.warning("%d rows are left out", rows)
    log.removeHandler(handler)
    err = capsys.readouterr().err
    assert err.count("7 rows are left out") == err.count("8 rows are left out") == 1
