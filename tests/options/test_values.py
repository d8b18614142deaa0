"""Values of files and of callers as fields have them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest

from subarch.options.values import fitting, nearest


@pytest.mark.parametrize(
    ("value", "hint", "fitted"),
    [
        (3, int, 3),
        (3, float, 3.0),
        (3, str, "3"),  # steps = 20, where words are possible too
        ("a/b", Path, Path("a/b")),
        ([1, 2.5], tuple[float, ...], (1.0, 2.5)),
        ((), tuple[str, ...], ()),
        ("b", Literal["a", "b"], "b"),
        (0.5, int | float | None, 0.5),
        ("x", int | str, "x"),
        (True, bool, True),
    ],
)
def test_what_fits(value: Any, hint: Any, fitted: Any) -> None:
    found = fitting(value, hint)
    assert found == fitted and type(found) is type(fitted)


@pytest.mark.parametrize(
    ("value", "hint", "words"),
    [
        (True, int, "an integer"),
        (True, float, "a number"),
        (True, str, "a word"),
        (1, bool, "true or false"),
        (1.5, int, "an integer"),
        ("3", int | None, "an integer"),
        (None, int, "an integer"),
        ("x", int | float, "an integer or a number"),
        (3, Path, "a path"),
        ("c", Literal["a", "b"], "one of a, b"),
        ("x", tuple[int, ...], r"a list, such as \[an integer\]"),
        ([1, "x"], tuple[int, ...], "an integer"),
    ],
)
def test_what_does_not_fit_is_told_by_what_was_expected(value: Any, hint: Any, words: str) -> None:
    with pytest.raises(TypeError, match=f"^{words}$"):
        fitting(value, hint)


def test_what_was_probably_meant() -> None:
    assert nearest("epsilom", ["steps", "epsilon"]) == " (did you mean 'epsilon'?)"
    assert nearest("zzz", ["steps", "epsilon"]) == nearest("x", []) == ""
