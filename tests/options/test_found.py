"""The names of what is one file each are the names of the files, whoever reads them."""

from __future__ import annotations

from pathlib import Path

import pytest

import subarch
from subarch.options.found import names_in

_PACKAGE = Path(subarch.__file__).parent


@pytest.mark.parametrize(
    ("folder", "suffix"),
    [
        (("learning", "proposals"), ".py"),
        (("rungs", "ways"), ".py"),
        (("running", "forms"), ".py"),
        (("recipes",), ".toml"),
    ],
)
def test_every_file_of_the_folder_is_named_once_and_in_order(folder: tuple[str, ...], suffix: str) -> None:
    listed = [path.stem for path in _PACKAGE.joinpath(*folder).glob(f"*{suffix}")]
    expected = sorted(name for name in listed if not name.startswith("_"))
    assert expected
    assert list(names_in(*folder, suffix=suffix)) == expected


def test_a_folder_that_is_not_there_is_an_error() -> None:
    with pytest.raises(FileNotFoundError):
        names_in("no", "such")
