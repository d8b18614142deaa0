"""`subarch --help` fits a screen: one line a command, each from the command's own words."""

from __future__ import annotations

import pytest

from subarch.cli import COMMANDS, DESCRIPTION
from subarch.options.overview import overview


@pytest.mark.parametrize("width", [80, 120])
def test_the_help_fits_a_screen(width: int) -> None:
    lines = overview(DESCRIPTION, {name: options for name, (options, _) in COMMANDS.items()}, width=width).splitlines()
    assert len(lines) <= 30 and max(map(len, lines)) <= width
    for name, (options, _) in COMMANDS.items():
        (line,) = [line for line in lines if line.startswith(f"  {name} ")]
        assert str(options.__doc__).strip().startswith(line.split(None, 1)[1].removesuffix(" ..."))
