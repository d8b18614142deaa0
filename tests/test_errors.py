"""Wrong input beside failures: caught as what Python users expect, and a disk is nobody's input."""

from __future__ import annotations

import pickle

import pytest

from subarch.errors import InputError, MissingPackageError, UnusableFileError, as_input


@pytest.mark.parametrize(
    ("kind", "expected"), [(InputError, ValueError), (MissingPackageError, ImportError), (UnusableFileError, OSError)]
)
def test_each_is_wrong_input_and_what_python_calls_it(kind: type[InputError], expected: type[Exception]) -> None:
    error = kind("expected a, got b")
    assert isinstance(error, InputError) and isinstance(error, expected) and str(error) == "expected a, got b"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # as processes of an executor hand it on


def test_a_disk_is_nobodys_input_whatever_stands_before_it() -> None:
    full = OSError("could not write")
    full.__cause__ = OSError(28, "No space left on device")
    assert as_input(full) is None
    missing = as_input(PermissionError(13, "Permission denied", "a.csv"))
    assert missing is not None and str(missing) == "a.csv: Permission denied"
