"""Options classes as the keyword arguments of a function: a command's dataclass, unpacked.

>>> from subarch.options.calling import options_from
>>> from subarch.options.search import CheckOptions
>>> options_from(CheckOptions, "check", {"source": "bort", "sequence_length": 64}).sequence_length
64
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import itertools
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, cast, get_args, get_origin, get_type_hints

import tyro

from subarch.errors import InputError, UnknownOptionError
from subarch.options.values import fitting, nearest

_OF_THE_COMMAND_LINE = ("json",)
_REQUIRED = inspect.Parameter.empty


@dataclasses.dataclass(frozen=True)
class Option:
    """One option: its name, its type without annotations, its default (or ``inspect.Parameter.empty``), its words."""

    name: str
    hint: Any
    default: Any
    words: str


def options_from(options: type, function: str, given: Mapping[str, Any]) -> Any:
    """An options object.

    Args:
        options: its class. Options of a nested group are given by their own names, or as a ready group by the group's.
        function: that was called, for messages.
        given: values by name: a string may stand for a path, one value for a list of one.

    Raises:
        InputError: for an option that there is not (with the nearest), a missing one, and a value of the wrong type.
    """
    known = {one.name: one for one in listed(options)}
    groups = _groups(options)
    for name in given:
        if name not in known and name not in groups:
            raise UnknownOptionError(
                f"{function}() has no option {name!r}{nearest(name, [*known, *groups])}; there are {', '.join(known)}"
            )
    if missing := [name for name, one in known.items() if one.default is _REQUIRED and name not in given]:
        raise UnknownOptionError(f"{function}() needs {' and '.join(missing)}")
    made: dict[str, Any] = {name: _group(group, name, function, given) for name, group in groups.items()}
    own = {one.name for one in dataclasses.fields(options)} - set(made)
    return options(**made, **{name: _fitted(function, known[name], given[name]) for name in own & set(given)})


def listed(options: type) -> Iterator[Option]:
    """The options of a class, those of nested groups in their place, as far as they are there for callers."""
    plain, marked, words = get_type_hints(options), get_type_hints(options, include_extras=True), _words_of(options)
    for one in dataclasses.fields(cast("Any", options)):
        if dataclasses.is_dataclass(plain[one.name]):
            yield from listed(plain[one.name])
        elif one.name not in _OF_THE_COMMAND_LINE and tyro.conf.Suppress not in get_args(marked[one.name])[1:]:
            default = _REQUIRED if one.default is dataclasses.MISSING else one.default
            yield Option(one.name, plain[one.name], default, words.get(one.name, ""))


def signature(options: type, positional: Sequence[str], *more: inspect.Parameter) -> inspect.Signature:
    """The signature of a function of these options.

    Args:
        options: their class.
        positional: those that may be given by place, in their order; ``*name`` takes all that are.
        more: parameters that are no options.
    """
    known = {one.name: one for one in listed(options)}
    names = [name.lstrip("*") for name in positional]
    # What comes before a required one by place has no default there; by name it may still be left away.
    last = max((n for n, name in enumerate(names) if known[name].default is _REQUIRED), default=-1)
    kinds = {"*": inspect.Parameter.VAR_POSITIONAL, "": inspect.Parameter.POSITIONAL_OR_KEYWORD}
    placed = [
        inspect.Parameter(
            name.lstrip("*"),
            kinds["*" if name.startswith("*") else ""],
            annotation=known[name.lstrip("*")].hint,
            default=_REQUIRED if name.startswith("*") or n <= last else known[name.lstrip("*")].default,
        )
        for n, name in enumerate(positional)
    ]
    named = [
        inspect.Parameter(one.name, inspect.Parameter.KEYWORD_ONLY, annotation=one.hint, default=one.default)
        for name, one in known.items()
        if name not in names
    ]
    return inspect.Signature([*placed, *sorted(named, key=lambda one: one.default is not _REQUIRED), *more])


def described(options: type) -> str:
    """The options and their words, as the ``Args`` of a docstring have them."""
    return "\n".join(f"    {one.name}: {one.words}" for one in listed(options))


def _groups(options: type) -> dict[str, type]:
    hints = get_type_hints(options)
    fields = dataclasses.fields(cast("Any", options))
    return {one.name: hints[one.name] for one in fields if dataclasses.is_dataclass(hints[one.name])}


def _group(group: type, name: str, function: str, given: Mapping[str, Any]) -> Any:
    parts = {one.name: given[one.name] for one in listed(group) if one.name in given}
    if name not in given:
        return options_from(group, function, parts)
    if parts or not isinstance(given[name], group):
        got = f"{next(iter(parts))} too" if parts else repr(given[name])
        raise InputError(f"{function}(): {name} is a {group.__name__} with all of its options, got {got}")
    return given[name]


def _fitted(function: str, option: Option, value: Any) -> Any:
    if value is None and option.default is None:
        return None
    if callable(item := getattr(value, "item", None)):  # a number of numpy's
        value = item()
    if isinstance(value, os.PathLike):
        value = os.fspath(cast("os.PathLike[str]", value))
    if get_origin(option.hint) is tuple:
        value = _many(value)
    try:
        return fitting(value, option.hint)
    except TypeError as error:
        raise InputError(f"{function}(): {option.name} must be {error}, got {value!r}") from None


def _many(value: Any) -> Any:
    """One value as a list of one; ``{"pretrain.steps": 500}`` as ``section.key=value``."""
    if isinstance(value, Mapping):
        return [f"{name}={json.dumps(one)}" for name, one in cast("Mapping[str, Any]", value).items()]
    if isinstance(value, (str, int, float)):
        return [value]
    return [os.fspath(one) if isinstance(one, os.PathLike) else one for one in value]  # pyright: ignore[reportUnknownArgumentType]


@cache
def _words_of(options: type) -> Mapping[str, str]:
    """What stands under each field in the source, on one line, of the classes above too; nothing without a source."""
    found: dict[str, str] = {}
    for one in reversed(options.__mro__[:-1]):
        try:
            tree = ast.parse(inspect.getsource(inspect.getmodule(one) or one))
        except OSError:
            continue
        body = next(
            (node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == one.__name__), []
        )
        for field, words in itertools.pairwise(body):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(words, ast.Expr):
                found[field.target.id] = " ".join(str(ast.literal_eval(words.value)).split())
    return found
