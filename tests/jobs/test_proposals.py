"""What proposals are made of, and what is refused before anything is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from subarch.errors import InputError
from subarch.jobs.proposals import require_functions
from subarch.options.tasks import AgoraOptions


@pytest.mark.parametrize("name", ["retrieve", "recombine"])
def test_a_way_that_needs_a_pool_is_refused_without_one(name: str) -> None:
    asked = AgoraOptions(agora=True, teacher="m", proposals=(name,))
    with pytest.raises(InputError, match="takes its texts from --pool FILE"):
        require_functions(asked, speaks=True)


def test_a_way_that_needs_a_language_model_is_refused_without_one() -> None:
    asked = AgoraOptions(agora=True, teacher="m", proposals=("mask_fill",))
    with pytest.raises(InputError, match="--language-model MODEL"):
        require_functions(asked, speaks=False)
    require_functions(asked, speaks=True)


def test_with_a_pool_they_can_be_had() -> None:
    require_functions(
        AgoraOptions(agora=True, teacher="m", pool=Path("pool.txt"), proposals=("retrieve", "swap")), speaks=False
    )
