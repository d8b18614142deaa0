"""What engines of this machine share."""

from __future__ import annotations

import pytest

from subarch.executors.base import Resources
from subarch.executors.local import count_of


def test_a_number_of_workers() -> None:
    assert count_of("threads:N", "12", Resources()) == 12
    for text in ("", "0", "-1", "1.5", "two", "1 "):
        with pytest.raises(ValueError, match="a number from 1"):
            count_of("threads:N", text, Resources())
