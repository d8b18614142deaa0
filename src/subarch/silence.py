"""Libraries that talk, kept quiet while this program tells where it is; afterwards they are as they were."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Generator
from contextlib import contextmanager, redirect_stderr, redirect_stdout


@contextmanager
def quiet_transformers(*, remarks: bool = False) -> Generator[None]:
    """Without the stock library's progress bars, and its remarks unless they are wanted.

    Args:
        remarks: leave them as they are. What changes their level inside, as the stock trainer does, is undone all the
            same.
    """
    from transformers.utils import logging as library_logging

    level, bars = library_logging.get_verbosity(), library_logging.is_progress_bar_enabled()
    library_logging.disable_progress_bar()
    if not remarks:
        library_logging.set_verbosity_error()
    try:
        yield
    finally:
        library_logging.set_verbosity(level)
        if bars:
            library_logging.enable_progress_bar()


@contextmanager
def quiet_console() -> Generator[None]:
    """Without what exporters and quantisers write to the console, warn of, and hand to the root logger."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
