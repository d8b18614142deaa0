"""What a training may ask of a node."""

from __future__ import annotations

import pytest

from subarch.executors.base import Resources


def test_resources_as_an_option_has_them() -> None:
    asked = Resources.parse("cpus=2,gpus=0.25,memory=4GB")
    assert (asked.cpus, asked.gpus, asked.memory) == (2.0, 0.25, 4_000_000_000)
    assert str(asked) == "cpus=2,gpus=0.25,memory=4GB" and Resources.parse(str(asked)) == asked
    assert asked and not Resources.parse(None)


@pytest.mark.parametrize(
    "text", ["", "cpus", "cpus=0", "cpus=-1", "cpus=1,cpus=2", "cpus=2GB", "disk=3GB", "memory=4G"]
)
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="--resources are amounts above 0"):
        Resources.parse(text)
