"""Names of what is one file each: presets, proposals, rungs, forms. None is opened, so that options stay light."""

from __future__ import annotations

from importlib import resources


def names_in(*folder: str, suffix: str = ".py") -> tuple[str, ...]:
    """Names of the files of a folder of the package, without those that begin with an underscore.

    >>> from subarch.options.found import names_in
    >>> "swap" in names_in("learning", "proposals")
    True
    """
    names = (file.name for file in resources.files("subarch").joinpath(*folder).iterdir())
    return tuple(sorted(name.removesuffix(suffix) for name in names if name.endswith(suffix) and name[0] != "_"))
