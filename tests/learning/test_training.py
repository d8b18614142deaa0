"""The short-run loop: reproducible, bounded, and divergence is a record."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from subarch.learning.training import Hyperparameters, fit

Batch = tuple[Tensor, Tensor]


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 1))


def data(count: int) -> list[Batch]:
    generator = torch.Generator().manual_seed(3)
    inputs = [torch.randn(32, 4, generator=generator) for _ in range(count)]
    return [(x, x.sum(1, keepdim=True)) for x in inputs]


def squared(model: nn.Module, batch: Batch) -> Tensor:
    return (model(batch[0]) - batch[1]).square().mean()


def weights(model: nn.Module) -> Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def test_training_lowers_the_loss_and_repeats_bit_for_bit() -> None:
    first, second = network(), network()
    run = fit(first, squared, data(60), Hyperparameters(learning_rate=0.02), steps=60)
    again = fit(second, squared, data(60), Hyperparameters(learning_rate=0.02), steps=60)
    assert run.failure is None
    assert len(run.losses) == 60
    assert run.losses[-1] < 0.2 * run.losses[0]
    assert run.losses == again.losses
    assert torch.equal(weights(first), weights(second))


def test_first_step_is_adamws() -> None:
    """Without decay AdamW's first step moves every weight by the rate against its gradient's sign."""
    model = network()
    before, loss = weights(model), squared(model, data(1)[0])
    gradient = torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(model.parameters()))])
    run = fit(model, squared, data(1), Hyperparameters(learning_rate=0.01, schedule="constant", warmup=0), steps=1)
    torch.testing.assert_close(weights(model), before - 0.01 * gradient.sign(), atol=1e-5, rtol=0)
    assert run.losses == (pytest.approx(loss.item()),)
    assert run.gradient_norm == pytest.approx(float(gradient.norm()), rel=1e-5)
    assert run.weight_norm == pytest.approx(float(weights(model).abs().max()))


def test_no_steps_change_nothing_and_need_no_data() -> None:
    model = network()
    run = fit(model, squared, [], Hyperparameters(learning_rate=0.1), steps=0)
    assert (run.losses, run.gradient_norm, run.failure) == ((), 0.0, None)
    assert torch.equal(weights(model), weights(network()))


def test_clipping_keeps_weights_in_the_box() -> None:
    model = network()
    run = fit(model, squared, data(20), Hyperparameters(learning_rate=0.5, clip_weights=0.25), steps=20)
    assert run.weight_norm <= 0.25
    assert float(weights(model).abs().max()) <= 0.25


@pytest.mark.parametrize("poison", [math.nan, math.inf])
def test_divergence_is_recorded_at_its_step(poison: float) -> None:
    batches = data(5)
    batches[2] = (batches[2][0], torch.full((32, 1), poison))
    run = fit(network(), squared, batches, Hyperparameters(learning_rate=0.01), steps=5)
    assert run.failure is not None
    assert "step 2" in run.failure
    assert len(run.losses) == 3


def test_a_gradient_that_is_not_finite_is_a_failure_too() -> None:
    def root(model: nn.Module, batch: Batch) -> Tensor:
        return (0 * model(batch[0])).sum().sqrt()  # zero, with an infinite slope

    run = fit(network(), root, data(1), Hyperparameters(learning_rate=0.01), steps=1)
    assert run.failure is not None
    assert "gradient" in run.failure


def test_a_student_that_is_right_stays_right_when_scaled_by_its_loss() -> None:
    teacher, student = network(), network()

    def distance(model: nn.Module, batch: Batch) -> Tensor:
        return (model(batch[0]) - teacher(batch[0]).detach() + 1e-5).square().mean()

    def after(scale: bool) -> float:
        student.load_state_dict(teacher.state_dict())
        fit(student, distance, data(10), Hyperparameters(learning_rate=0.05, scale_by_loss=scale), steps=10)
        return float(squared(student, (data(1)[0][0], teacher(data(1)[0][0]).detach())).detach())

    assert after(True) < 1e-6 < 1e-4 < after(False)


def test_frozen_parameters_stay() -> None:
    model = network()
    model[0].requires_grad_(False)  # type: ignore[index]
    before = model[0].weight.clone()  # type: ignore[index]
    fit(model, squared, data(3), Hyperparameters(learning_rate=0.1), steps=3)
    assert torch.equal(model[0].weight, before)  # type: ignore[index]


def test_too_few_batches() -> None:
    with pytest.raises(ValueError, match="5 steps need 5 batches, got 2"):
        fit(network(), squared, data(2), Hyperparameters(learning_rate=0.1), steps=5)


@given(st.integers(1, 200), st.floats(0, 0.99), st.sampled_from(["constant", "linear", "cosine"]))
def test_rates_rise_to_the_peak_then_fall_and_stay_positive(steps: int, warmup: float, schedule: Any) -> None:
    hyperparameters = Hyperparameters(learning_rate=2.0, warmup=warmup, schedule=schedule)
    rates = [hyperparameters.rate(step, steps) for step in range(steps)]
    peak = rates.index(max(rates))
    assert all(0 < rate <= 2.0 for rate in rates)
    assert rates[: peak + 1] == sorted(rates[: peak + 1])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)


@pytest.mark.parametrize(
    "wrong", [{"learning_rate": 0}, {"warmup": 1}, {"betas": (0.9, 1.0)}, {"schedule": "step"}, {"clip_weights": -1}]
)
def test_wrong_hyperparameters(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Hyperparameters(**{"learning_rate": 0.1, **wrong})
