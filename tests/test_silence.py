"""Libraries are quiet inside and as they were outside, also where the work fails."""

from __future__ import annotations

import logging
import sys
import warnings

import pytest
from transformers.utils import logging as library_logging

from subarch.silence import quiet_console, quiet_transformers


def state() -> tuple[int, bool]:
    return library_logging.get_verbosity(), bool(library_logging.is_progress_bar_enabled())


def test_the_stock_library_is_quiet_inside_and_as_it_was_outside() -> None:
    before = state()
    with pytest.raises(ZeroDivisionError), quiet_transformers():
        assert state() == (logging.ERROR, False)
        raise ZeroDivisionError
    assert state() == before
    with quiet_transformers(remarks=True):
        assert state() == (before[0], False)
        library_logging.set_verbosity_debug()  # as the stock trainer does
    assert state() == before


def test_nothing_of_a_talking_library_comes_through(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, recwarn: pytest.WarningsRecorder
) -> None:
    with pytest.raises(ZeroDivisionError), quiet_console():
        print("said")
        print("said", file=sys.stderr)
        warnings.warn("said", stacklevel=1)
        logging.getLogger("library").warning("said")
        raise ZeroDivisionError
    assert capsys.readouterr() == ("", "") and not caplog.records and not recwarn.list
    logging.getLogger("library").warning("afterwards")
    assert [record.message for record in caplog.records] == ["afterwards"]
