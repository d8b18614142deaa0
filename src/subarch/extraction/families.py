"""A family's own weights and examples as what candidates share."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from subarch.errors import InputError
from subarch.extraction.material import CALIBRATION, HELD_OUT, Build, Material, mixed
from subarch.learning.distances import DISTANCES, Batch, Distance, Imitation, Objective
from subarch.networks.correspondence import fitting
from subarch.networks.examples import beginning, digest_of, some, to_judge, to_learn
from subarch.networks.family import Family, Predicted
from subarch.networks.space import Architecture
from subarch.networks.tracing import Outputs, Traced, proven, tensors_of
from subarch.results.base import Json

_LOG = logging.getLogger(__name__)
_DIMENSIONS: Mapping[Predicted, tuple[int, str]] = {
    "classes": (2, "(batch, classes)"),
    "states": (3, "(batch, sequence, hidden)"),
    "tokens": (3, "(batch, sequence, classes)"),
    "causal-lm": (3, "(batch, sequence, vocabulary)"),
    "masked-lm": (3, "(batch, sequence, vocabulary)"),
}
_TRIED = 16  # architectures of which it is seen before the search whether they can inherit


@dataclass(kw_only=True)
class FamilyMaterial(Material):
    """Of a family with weights and examples.

    Args:
        family: of the candidates.
        calibration: examples on which importance is measured; None for the usual number.
        weights: digest of the weights as another process has found them; None before they are opened.

    Raises:
        ValueError: for a family that does not say what it predicts.
    """

    family: Family
    calibration: int | None
    weights: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.family.predicts not in DISTANCES:
            raise InputError(
                f"family {self.family.name!r} has weights, but predicts {self.family.predicts!r}: set predicts to what "
                f"its outputs are, one of {list(DISTANCES)}"
            )

    # What is asked

    @property
    def _by(self) -> Distance:
        by = DISTANCES[cast("Predicted", self.family.predicts)]
        if self.family.predicts == "numbers":
            return replace(by, words=f"{by.words}; in units of the variance of the source's own")
        return by

    def aim(self, *, opened: bool) -> Objective:
        if not opened:
            return Imitation(cast("nn.Module", None), self._by)
        return Imitation(self.teacher, self._by, self._outputs)

    @property
    def described(self) -> Json:
        """JSON data that tell these examples and weights from others.

        Opens them, proves that all couplings of the source are known, and tries whether networks of the space fit it.
        """
        held_out, calibration = self.judged_by(mixed(HELD_OUT, 0, 0)), self.calibrated_on(mixed(CALIBRATION, 0, 0))
        self._require_outputs(held_out[0])
        if self._traced is None:
            example = beginning(calibration[0])
            traced = proven(self.teacher, example, self.family.outputs)
            self._traced = traced, example
            self._require_fitting(traced, example)
        judging, asked = (sum(len(next(iter(one.values()))) for one in held_out), self.held_out or self._by.held_out)
        if judging < asked:
            _LOG.info("%s has %d held-out examples, all of which judge", self.family.name, judging)
        return {
            "weights": self.weights,
            "held_out": judging,
            "calibration": self._calibration,
            "data": {"name": self.family.name, "fingerprint": digest_of([*held_out, *calibration])},
        }

    def _require_outputs(self, batch: Batch) -> None:
        dimensions, words = _DIMENSIONS.get(cast("Predicted", self.family.predicts), (0, ""))
        with torch.no_grad():
            said: Any = self.family.outputs(self.teacher, batch)
        shape = tuple(said.shape) if isinstance(said, Tensor) else type(said).__name__
        rows = len(next(iter(batch.values())))
        if not isinstance(said, Tensor) or not said.dim() or len(said) != rows or dimensions not in (0, said.dim()):
            raise InputError(
                f"family {self.family.name!r} predicts {self.family.predicts}, but of a batch of {rows} its outputs "
                f"are {shape}: expected {words or '(batch, ...)'}; set predicts, or override outputs()"
            )
        if not bool(torch.isfinite(said).all()):
            raise InputError(f"family {self.family.name!r}: what trained() says of held-out examples is not finite")

    def _require_fitting(self, traced: Traced, example: Batch) -> None:
        """Refuse a space of networks that have nothing to inherit, before they are met hours into a search.

        Raises:
            InputError: naming one.
        """
        for architecture in self._tried():
            with torch.device("meta"):
                student = self.family.network(architecture)
            try:
                fitting(student, self.teacher, traced, example, outputs=self.family.outputs)
            except InputError as error:
                raise InputError(
                    f"{architecture} cannot inherit from what {self.family.name} has trained ({error}): leave it out "
                    "of the space, by its choices or a constraint, or give --start module.path:name"
                ) from error

    def _tried(self) -> Iterator[Architecture]:
        space = self.family.space
        corners = [corner for box in space.roots() for corner in (box.hi, box.lo)][:_TRIED]
        drawn = [tuple(int(value) for value in row) for row in space.sample(_TRIED, 0)]
        for row in dict.fromkeys([*corners, *drawn]):
            if space.feasible(np.array([row]))[0]:
                yield space.architecture(row)

    # Weights

    @cached_property
    def teacher(self) -> nn.Module:
        """The network that candidates inherit from and learn from.

        Raises:
            ValueError: where the family gives none, or another one than before.
        """
        name = self.family.name
        try:
            with torch.enable_grad():  # whoever asks computes without, and it may train
                network = self.family.trained()
        except Exception as error:
            raise InputError(f"family {name!r}: trained() failed: {type(error).__name__}: {error}") from error
        if not isinstance(network, nn.Module) or any(one.is_meta for one in network.parameters()):
            raise InputError(
                f"family {name!r}: trained() must return a torch.nn.Module with its weights, got "
                f"{'one without memory' if isinstance(network, nn.Module) else type(network).__name__}"
            )
        found = digest_of([tensors_of(network)])
        if self.weights not in (None, found):
            raise InputError(
                f"family {name!r}: trained() gives other weights in another process. Save them once, and load them "
                "there"
            )
        self.weights = found
        return network.eval()

    @cached_property
    def _unit(self) -> float:
        """The spread of the numbers that the source predicts."""
        with torch.no_grad():
            said = [self.family.outputs(self.teacher, batch) for batch in self.calibrated_on(mixed(CALIBRATION, 0, 0))]
        unit = float(torch.cat([one.flatten() for one in said]).double().std())
        if not unit > 0:
            raise InputError(f"family {self.family.name!r}: trained() predicts the same number whatever it reads")
        return unit

    @property
    def _outputs(self) -> Outputs:
        if self.family.predicts != "numbers":
            return self.family.outputs
        unit = self._unit
        return lambda network, batch: self.family.outputs(network, batch) / unit

    # What candidates meet

    def build(self, repeat: int) -> Build:
        seen = cast("Imitation", self.objective).seen
        inheritance = self._inheritance(self.teacher, repeat, seen, self.family.outputs)
        return lambda architecture, _seed: inheritance.into(lambda: self.family.network(architecture))

    def learned_from(self, steps: int, seed: int) -> list[Batch]:
        return to_learn(self.family, steps, seed)

    def judged_by(self, seed: int) -> list[Batch]:
        return to_judge(self.family, self.held_out or self._by.held_out, seed)

    def calibrated_on(self, seed: int) -> list[Batch]:
        return some(self.family, self._calibration, seed)

    @property
    def _calibration(self) -> int:
        return self.calibration or self._by.calibration
