"""Recipes: every stage's settings in one TOML file, a section for each, a key for each option of the stage's command.

A recipe says what differs from ``laptop``, on which all others stand; ``section.key=value`` changes single settings.
Whatever is misspelt or of the wrong type is refused by section and key before anything runs.
"""

from __future__ import annotations

import dataclasses
import json
import tomllib
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, cast, get_type_hints

from subarch.errors import InputError
from subarch.options.found import names_in
from subarch.options.ladder import ClimbingSettings
from subarch.options.pretraining import PretrainOptions
from subarch.options.running import BenchOptions, ExportOptions
from subarch.options.search import ExtractOptions
from subarch.options.tasks import AgoraOptions, FinetuneOptions, TaskOptions
from subarch.options.values import fitting, nearest

Settings = dict[str, dict[str, Any]]
BASE = "laptop"
_FORMS: Mapping[str, tuple[type, frozenset[str]]] = {  # the options of each section, without what the pipeline knows
    "task": (TaskOptions, frozenset({"task", "data", "rule"})),
    "teacher": (FinetuneOptions, frozenset({"model", "run", "where", "loop", "json"})),
    "ladder": (ClimbingSettings, frozenset[str]()),
    "extract": (ExtractOptions, frozenset({"source", "run", "rule", "forms", "json"})),
    "pretrain": (PretrainOptions, frozenset({"run", "architecture", "json"})),
    "finetune": (FinetuneOptions, frozenset({"model", "run", "where", "loop", "json"})),
    "agora": (AgoraOptions, frozenset({"agora", "teacher"})),
    "export": (ExportOptions, frozenset({"model", "run", "task", "data", "json"})),
    "bench": (BenchOptions, frozenset({"names", "run", "json"})),
}


def presets() -> tuple[str, ...]:
    """Names of the recipes that come with the library."""
    return names_in("recipes", suffix=".toml")


def read_recipe(name_or_path: str, changes: Sequence[str] = ()) -> Settings:
    """Settings by section: those of ``laptop``, over them the recipe's, over them the changes.

    Args:
        name_or_path: a preset, or a ``.toml`` file.
        changes: ``section.key=value``, the value as TOML has it, or a word.

    Raises:
        ValueError: for what is no recipe, a section or key that does not exist, and a value of the wrong type.
    """
    settings: Settings = {name: {} for name in _FORMS}
    for name in dict.fromkeys((BASE, name_or_path)):
        for section, values in _parsed(name).items():
            if not isinstance(values, dict):
                raise InputError(f"{name}: expected sections such as [{next(iter(_FORMS))}], got {section} = {values}")
            for key, value in cast("dict[str, Any]", values).items():
                _put(settings, section, key, value, name)
    for change in changes:
        place, sign, text = change.partition("=")
        section, dot, key = place.strip().partition(".")
        if not (sign and dot and key):
            raise InputError(f"--set takes section.key=value, such as pretrain.steps=500, got {change!r}")
        _put(settings, section, key, _value(text.strip()), "--set")
    return settings


def written(settings: Settings) -> str:
    """Settings as TOML: what :func:`read_recipe` reads."""
    parts = [
        "\n".join([f"[{section}]", *(f"{key} = {_toml(value)}" for key, value in values.items())])
        for section, values in settings.items()
        if values
    ]
    return "\n\n".join(parts) + "\n"


def _parsed(name: str) -> Mapping[str, Any]:
    if name in presets():
        text = (_folder() / f"{name}.toml").read_text(encoding="utf-8")
    elif not name.endswith(".toml"):
        raise InputError(f"--recipe is one of {', '.join(presets())}, or a .toml file, got {name!r}")
    else:
        try:
            text = Path(name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"--recipe {name} cannot be read: {error}") from error
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"--recipe {name} is not TOML: {error}") from error


def _folder() -> Any:
    return resources.files("subarch") / "recipes"


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _toml(value: Any) -> str:
    return json.dumps(
        [str(one) if isinstance(one, Path) else one for one in value] if isinstance(value, tuple) else value,
        default=str,
        ensure_ascii=False,
    )


def _put(settings: Settings, section: str, key: str, value: Any, where: str) -> None:
    if section not in _FORMS:
        raise InputError(f"{where}: there is no section {section!r}{nearest(section, _FORMS)}; {_listed(_FORMS)}")
    form, known = _FORMS[section]
    hints = get_type_hints(form)
    names = [one.name for one in dataclasses.fields(form) if one.name not in known]
    name = key.replace("-", "_")
    if name not in names:
        raise InputError(f"{where}: [{section}] has no {key!r}{nearest(name, names)}; {_listed(names)}")
    try:
        settings[section][name] = fitting(value, hints[name])
    except TypeError as error:
        raise InputError(f"{where}: {section}.{name} must be {error}, got {value!r}") from None


def _listed(names: Mapping[str, Any] | Sequence[str]) -> str:
    return f"there are {', '.join(names)}"
