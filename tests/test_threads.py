"""The number of threads belongs to the process, and is put back."""

from __future__ import annotations

import pytest
import torch

from subarch.threads import pinned


def test_threads_are_pinned_and_put_back() -> None:
    before = torch.get_num_threads()
    with pinned(1):
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before
    with pytest.raises(ValueError, match="at least 1"), pinned(0):
        pass
