"""Relations of a sequence's tokens do not see size, scale or direction, nor padding."""

from __future__ import annotations

import pytest
import torch

from subarch.networks.relations import relations


def test_relations_do_not_see_rotations_or_scale_of_the_states() -> None:
    torch.manual_seed(0)
    states = torch.randn(3, 7, 16, dtype=torch.float64)
    rotation = torch.linalg.qr(torch.randn(16, 16, dtype=torch.float64))[0]
    assert torch.allclose(relations(states), relations(3 * states @ rotation))
    assert torch.allclose(relations(states).norm(dim=1), torch.ones(3, dtype=torch.float64))
    wider = torch.cat([states, torch.zeros(3, 7, 5, dtype=torch.float64)], dim=2)
    assert torch.allclose(relations(states), relations(wider))


def test_padding_counts_for_nothing_in_relations() -> None:
    torch.manual_seed(0)
    states = torch.randn(1, 6, 8, dtype=torch.float64)
    mask = torch.tensor([[1, 1, 1, 1, 0, 0]])
    changed = states.clone()
    changed[:, 4:] = 100.0
    assert torch.allclose(relations(states, mask), relations(changed, mask))
    unpadded = relations(states[:, :4]).reshape(4, 4)
    assert torch.allclose(relations(states, mask).reshape(6, 6)[:4, :4], unpadded)


def test_relations_by_hand_and_their_invariances() -> None:
    states = torch.tensor([[[1.0, 0.0], [-1.0, 0.0], [0.0, 2.0], [0.0, -2.0]]])  # centred already
    # Products of unit vectors: opposite pairs -1, the rest 0; four entries of -1 off the diagonal, norm 2.
    expected = torch.zeros(4, 4)
    expected[0, 1] = expected[1, 0] = expected[2, 3] = expected[3, 2] = -0.5
    torch.testing.assert_close(relations(states)[0].view(4, 4), expected)
    torch.manual_seed(0)
    random_states = torch.randn(3, 6, 8, dtype=torch.float64)
    rotation = torch.linalg.qr(torch.randn(8, 8, dtype=torch.float64))[0]
    torch.testing.assert_close(relations(random_states @ rotation * 3 + 5), relations(random_states))
    assert relations(random_states).shape == relations(random_states[..., :4]).shape


def test_padding_does_not_change_relations() -> None:
    torch.manual_seed(0)
    states = torch.randn(2, 5, 8)
    padded = torch.cat([states, 100 * torch.randn(2, 3, 8)], dim=1)
    mask = torch.tensor([[1] * 5 + [0] * 3] * 2)
    inner = relations(padded, mask).view(2, 8, 8)
    torch.testing.assert_close(inner[:, :5, :5], relations(states).view(2, 5, 5))
    assert float(inner[:, 5:].abs().max()) == 0.0
    assert float(inner[:, :, 5:].abs().max()) == 0.0


def test_unrelated_states_are_about_one_apart() -> None:
    torch.manual_seed(0)
    a, b = (relations(torch.randn(50, 32, 64)) for _ in range(2))
    assert float((0.5 * (a - b).square().sum(1)).mean()) == pytest.approx(1.0, abs=0.1)
