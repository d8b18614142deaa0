"""Which kinds there are: a row each."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import import_module

from subarch.errors import InputError
from subarch.plugins import NAME, made
from subarch.tasks.kinds.base import Kind
from subarch.tasks.labels import Labels

KINDS: Mapping[str, str] = {
    "multilabel": "subarch.tasks.kinds.multilabel:MultiLabel",
    "regression": "subarch.tasks.kinds.regression:Regression",
    "classification": "subarch.tasks.kinds.classification:Classification",
    "tokens": "subarch.tasks.kinds.tokens:Tagging",
    "choice": "subarch.tasks.kinds.choice:Choice",
}
"""Where each is. Labels of which nobody says what they are belong to the first that they suit."""


def kind_of(name: str) -> Kind:
    """The kind of a name.

    Args:
        name: of a row of :data:`KINDS`, or ``module.path:Name`` of a class of yours, as somebody typed it; a name of
            that form that merely stands in a file must not be given here.

    Raises:
        ValueError: for an unknown name, and for a class that is no kind or leaves some of it out.
    """
    if isinstance(name, Kind):
        return name
    if name in KINDS:
        return _row(name)
    if NAME.fullmatch(name):
        return made(name, "kind", "module.path:Name of a subclass of subarch.tasks.kinds.base.Kind", _Own(name))
    raise InputError(f"expected the kind {_listed(KINDS)}, or module.path:Name of yours, got {name!r}")


class _Own:
    """Makes a kind of the class that was named."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, given: object) -> Kind:
        if not (inspect.isclass(given) and issubclass(given, Kind)):
            raise TypeError(f"it is {given!r:.60}")
        if inspect.isabstract(given):
            raise TypeError(f"it does not say {', '.join(sorted(given.__abstractmethods__))}")
        return given(self._name)


@cache
def _row(name: str) -> Kind:
    module, _, attribute = KINDS[name].partition(":")
    return getattr(import_module(module), attribute)(name)


def kind_that_suits(labels: Labels) -> Kind:
    """The first kind that labels look like, of which nobody says what they are."""
    return next(kind for kind in map(kind_of, KINDS) if kind.suits(labels))


def kind_with_words() -> Kind:
    """The kind of tables that say what each word is."""
    return next(kind for kind in map(kind_of, KINDS) if kind.has_words)


def table_kinds() -> str:
    """Kinds that the labels of a table may be of, in words."""
    return _listed(name for name in sorted(KINDS) if kind_of(name).of_tables)


def _listed(names: Iterable[str]) -> str:
    *others, last = map(repr, names)
    return f"{', '.join(others)} or {last}"
