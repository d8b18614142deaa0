"""Where a program finds itself: a home folder for its caches, even where the system knows none.

In a container a process may belong to a user whom nobody has listed, without ``HOME``. Python then refuses to name a
home folder, and so do libraries underneath, or they make a folder called ``~``.
"""

from __future__ import annotations

import atexit
import functools
import getpass
import logging
import os
import shutil
import sys
import tempfile
from pathlib import Path

_LOG = logging.getLogger(__name__)


@functools.cache
def home() -> Path:
    """The user's home folder; where there is none, a temporary one that is removed when the program ends.

    That one is put into this process's environment, so that libraries and processes which it starts find it as well.
    To be called before they are imported. Likewise a name for the user, by which some of them call their caches.

    Raises:
        OSError: where not even a temporary folder can be made: it says which variable to set.
    """
    try:
        getpass.getuser()
    except (KeyError, OSError, ImportError):  # which of them depends on the version of Python
        os.environ["LOGNAME"] = f"user-{os.getuid()}" if hasattr(os, "getuid") else "user"
    try:
        return Path.home()
    except RuntimeError:
        pass
    folder = _temporary()
    os.environ["USERPROFILE" if os.name == "nt" else "HOME"] = str(folder)
    _LOG.warning("this user has no home folder: caches of this call go to %s; set HOME to keep them", folder)
    return folder


@functools.cache
def cache_folder() -> Path:
    """Where this platform keeps what a user can delete without loss; of this call alone where that cannot be written.

    Raises:
        OSError: as :func:`home`.
    """
    named = os.environ.get("XDG_CACHE_HOME", "")
    folder = Path(named) / "subarch" if Path(named).is_absolute() else home().joinpath(*_IN_HOME)
    if _can_be_written(folder):
        return folder
    other = _temporary() / "cache"
    _LOG.warning("%s cannot be written: caches are kept for this call only; set XDG_CACHE_HOME to keep them", folder)
    return other


_IN_HOME = {"darwin": ("Library", "Caches", "subarch"), "win32": ("AppData", "Local", "subarch", "Cache")}.get(
    sys.platform, (".cache", "subarch")
)


def _can_be_written(folder: Path) -> bool:
    """Whether files can be put there, or the folder can be made."""
    try:
        nearest = next(one for one in (folder, *folder.parents) if one.exists())
        return nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)
    except OSError:
        return False


@functools.cache
def _temporary() -> Path:
    """A folder of this process's own, which goes with it."""
    try:
        folder = tempfile.mkdtemp(prefix="subarch-home-")
    except OSError as error:
        raise OSError(f"there is no home folder, and no temporary one can be made ({error}): set HOME") from error
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)
