"""What all trainings need travels to each worker once, and is opened there once, however many of them it runs."""

from __future__ import annotations

import hashlib
import importlib
import sys
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import cloudpickle

_KEPT = 2  # functions that a worker keeps open: a search, and what asks beside it
_open: OrderedDict[str, Callable[..., Any]] = OrderedDict()
_lock = threading.RLock()


def modules_here() -> list[ModuleType]:
    """What the user has written: modules that were found in the current directory."""
    here = Path.cwd()
    files = ((module, getattr(module, "__file__", None)) for module in list(sys.modules.values()))
    return [
        module
        for module, file in files
        if isinstance(file, str) and "site-packages" not in file and Path(file).is_relative_to(here)
    ]


@dataclass(frozen=True)
class Shared:
    """A function, opened in a worker at its first call and kept there; as picklable as bytes.

    Attributes:
        digest: by which a worker knows it again.
        content: the function and all that it refers to.
        sources: the user's own modules, by their path; for workers that do not see the user's folder.
    """

    digest: str
    content: bytes = field(repr=False)
    sources: Mapping[str, bytes] = field(default_factory=dict[str, bytes], repr=False)

    @classmethod
    def of(cls, function: Callable[..., Any], *, elsewhere: bool = False) -> Shared:
        """Pack a function.

        Args:
            function: whatever cloudpickle takes.
            elsewhere: whether workers may run on other machines.
        """
        content: bytes = cloudpickle.dumps(function)
        sources = _sources() if elsewhere else {}
        digest = hashlib.sha256(content + repr(sorted(sources.items())).encode()).hexdigest()
        return cls(digest, content, sources)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """In a worker."""
        return self._opened()(*args, **kwargs)

    def _opened(self) -> Callable[..., Any]:
        with _lock:  # of a worker with several threads one opens it, the others wait
            if self.digest not in _open:
                if self.sources:
                    _unpack(self.sources)
                _open[self.digest] = cloudpickle.loads(self.content)
                while len(_open) > _KEPT:
                    _open.popitem(last=False)
            _open.move_to_end(self.digest)
            return _open[self.digest]


def _sources() -> dict[str, bytes]:
    here = Path.cwd()
    files = (Path(str(module.__file__)) for module in modules_here())
    return {file.relative_to(here).as_posix(): file.read_bytes() for file in files if file.suffix == ".py"}


def _unpack(sources: Mapping[str, bytes]) -> None:
    """Lay modules out in a folder of this process, and let them be found there: first, as where the user works, and
    instead of others of their names, such as those of an earlier search."""
    folder = Path(tempfile.mkdtemp(prefix="subarch-"))
    for name, content in sources.items():
        path = folder / name
        if not path.resolve().is_relative_to(folder.resolve()):
            raise ValueError(f"a module of the name {name!r} lies outside of its folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        sys.modules.pop(name.removesuffix(".py").removesuffix("/__init__").replace("/", "."), None)
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()


class Packing:
    """Packs each function once."""

    def __init__(self, *, elsewhere: bool) -> None:
        self._elsewhere = elsewhere
        self._packed: dict[int, tuple[Callable[..., Any], Any]] = {}

    def __call__(self, function: Callable[..., Any], send: Callable[[Shared], Any] = lambda shared: shared) -> Any:
        """What :meth:`Shared.of` makes of it, sent as ``send`` does at its first use."""
        if id(function) not in self._packed:  # kept with the function, so that no other gets its number
            self._packed[id(function)] = function, send(Shared.of(function, elsewhere=self._elsewhere))
        return self._packed[id(function)][1]
