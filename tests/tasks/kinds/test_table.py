"""Which kinds there are, and that each is found by its name."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from subarch.tasks.kinds.classification import Classification
from subarch.tasks.kinds.table import KINDS, kind_of


def test_every_kind_has_tests_at_its_path() -> None:
    for name, place in KINDS.items():
        assert (Path(__file__).parent / f"test_{name}.py").is_file(), name
        assert place.startswith(f"subarch.tasks.kinds.{name}:")


def test_a_kind_is_its_name_and_there_is_one_of_each() -> None:
    for name in KINDS:
        assert kind_of(name) == name and kind_of(name) is kind_of(name)
        assert kind_of(kind_of(name)) is kind_of(name)
        assert kind_of(name).words and kind_of(name).head in KINDS


def test_what_is_no_kind_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"'regression', 'classification', 'tokens' or 'choice', or module\.path:Name"):
        kind_of("spans")
    with pytest.raises(ValueError, match="could not be made"):
        kind_of("json:JSONDecoder")
    with pytest.raises(ValueError, match="does not say"):
        kind_of("subarch.tasks.kinds.base:Kind")


def test_a_kind_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_kinds.py").write_text(
        "from subarch.tasks.kinds.classification import Classification\n"
        "class Stars(Classification):\n    words = 'stars'\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "my_kinds", raising=False)
    made = kind_of("my_kinds:Stars")
    assert made == "my_kinds:Stars" and made.words == "stars" and isinstance(made, Classification)
