"""Networks of configs without memory: what they are beside their source, and why some are no part of it."""

from __future__ import annotations

import pytest
from zoo import config_of

from subarch.networks.fields import changed
from subarch.networks.workbench import Workbench, in_layers, shapes_at


@pytest.fixture(scope="module")
def bench() -> Workbench:
    return Workbench(config_of("bert"))


def test_a_network_is_compared_with_its_source(bench: Workbench) -> None:
    assert bench.tried(changed(bench.config, {("intermediate_size",): 20})) == ""
    reason = bench.tried(changed(bench.config, {("hidden_size",): 24}))
    assert "it has 6 x 4, the source's units make 3 x 8" in reason
    assert "has 80 units" not in reason and bench.tried(changed(bench.config, {("intermediate_size",): 80}))


def test_what_moves_is_told_by_tensor_and_axis(bench: Workbench) -> None:
    moved = bench.moved(changed(bench.config, {("intermediate_size",): 20}))
    assert moved is not None and set(moved.values()) == {20}
    assert ("encoder.layer.3.output.dense.weight", 1) in moved and len(moved) == 4 * 3
    assert bench.moved(changed(bench.config, {("num_hidden_layers",): 2})) is None


def test_what_is_not_built_has_no_shapes() -> None:
    assert shapes_at({"model_type": "bert", "hidden_size": 7, "num_attention_heads": 2}) is None
    with pytest.raises(ValueError, match="the stock library does not build it"):
        Workbench({"model_type": "bert", "hidden_size": 7, "num_attention_heads": 2})


def test_layers_are_the_numbered_parts() -> None:
    assert in_layers({"table": (3,), "layer.0.w": (2,), "10.w": (1,)}) == {"layer.0.w": (2,), "10.w": (1,)}
    assert in_layers({"table": (3,)}) == {"table": (3,)}
