"""A student takes over the part of its source that fits it.

Depth follows an even map that always keeps the source's last layer. Attention heads and intermediate units are
ranked layer by layer, hidden units once for the whole network (every layer adds to one residual stream), and a
student keeps the first so many of each ranking: the units of a smaller student are a subset of a larger one's.

Units are ranked by what their removal costs once the others have made up for it (:mod:`subarch.networks.ranking`);
hidden units sum that over every map that reads the residual stream. The same least squares then corrects the maps of
the student: ``W_S + W_R C_RS C_SS^-1`` for kept S and removed R, with W the weights and C the covariance of the inputs.
Layer normalisation takes its statistics over fewer units in a student, on inputs that earlier cuts have changed. So its
weight and bias are fitted to the source's outputs, layer by layer in the order of the forward pass, each on what the
student really gets there. (Without this, narrow deep students start worse than narrow shallow ones: errors of the
statistics pile up from layer to layer.)

Whatever contributes nothing has a zero cost and a zero correction, so removing it changes nothing; a student of the
source's own shape is a copy.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from subarch.errors import InputError
from subarch.networks.layouts import ATTENDED, LAST_NORM, LAYOUTS, OUTER, Axis, layout_of, without_pooler
from subarch.networks.ranking import Accumulator, Moments, Ranking, members, rank, ridged

NormAction = Callable[[str, Any, Tensor], None]
PROBE_TOKENS = 1024  # layer normalisations are fitted on so many; two numbers a unit need no more


def depth_map(student: int, source: int) -> tuple[int, ...]:
    """The source layer that each student layer takes over: evenly spaced, the last one from the last.

    Raises:
        ValueError: unless ``1 <= student <= source``.
    """
    if not 1 <= student <= source:
        raise InputError(f"a student of a {source}-layer source has 1 to {source} layers to inherit, got {student}")
    return tuple(-(-(i + 1) * source // student) - 1 for i in range(student))


class Inheritance:
    """Builds students of one source. Calibrates once; a student then costs a few matrix products.

    Args:
        source: a stock encoder that :data:`~subarch.networks.layouts.LAYOUTS` has, of any head: backbone, masked
            language model, sequence classifier.
        calibration: batches of the model's inputs, ``input_ids`` and optionally ``attention_mask``, each
            ``(batch, sequence)``. A few thousand tokens are enough.
        ridge: of the least-squares corrections, as a fraction of the mean variance.
        ranking: which heads and units a student keeps.
        layers: which layers it keeps, in order, given how many it has and how many the source has.

    Raises:
        ValueError: for another kind of model, or no calibration data.
    """

    def __init__(
        self,
        source: PreTrainedModel,
        calibration: Sequence[Mapping[str, Tensor]],
        *,
        ridge: float = 0.01,
        ranking: Ranking = rank,
        layers: Callable[[int, int], tuple[int, ...]] = depth_map,
    ) -> None:
        config = source.config
        if config.model_type not in LAYOUTS or getattr(config, "is_decoder", False):
            raise InputError(
                f"inheritance knows stock encoders of type {list(LAYOUTS)}, got {config.model_type!r}: "
                "use start 'scratch', or a callable of your own"
            )
        if not calibration:
            raise InputError("inheritance needs at least one batch of calibration data, got none")
        self.source, self.ridge, self.layout = source, ridge, layout_of(config)
        self._ranked, self._layers = ranking, layers
        self.head_size = config.hidden_size // config.num_attention_heads
        self._modules: dict[str, Any] = dict(source.named_modules())
        found = {name: self.layout.axes(name) for name, one in self._modules.items() if isinstance(one, nn.Linear)}
        self._axes = {name: axes for name, axes in found.items() if axes is not None}
        self._weights = {name: p.detach() for name, p in source.named_parameters(remove_duplicate=False)}
        self._calibrate(calibration)
        self._rank()

    # ------------------------------------------------------------------ calibration

    @torch.no_grad()
    def _calibrate(self, batches: Sequence[Mapping[str, Tensor]]) -> None:
        accumulators: dict[str, Accumulator] = {}
        self._targets: dict[str, Tensor] = {}  # outputs of each layer normalisation on the probe: (tokens, hidden)
        self._probe = _leading(batches, PROBE_TOKENS)
        mask = torch.empty(0, dtype=torch.bool)

        def reads(name: str) -> Any:
            accumulator = accumulators.setdefault(name, Accumulator())
            return _before(lambda values: accumulator.add(_unpadded(values, mask)))

        training = self.source.training
        self.source.eval()
        self._watch_norms(self.source, self._record)
        handles = [
            self._modules[name].register_forward_pre_hook(reads(name))
            for name in {self.layout.site(name) for name in self._axes}
        ]
        try:
            for batch in batches:
                mask = _mask(batch)
                self.source(**batch)
        finally:
            self.source.train(training)
            for handle in handles:
                handle.remove()
        self._moments = {name: accumulator.moments() for name, accumulator in accumulators.items() if accumulator.rows}

    def _watch_norms(self, model: PreTrainedModel, action: NormAction) -> None:
        """One pass over the probe in which ``action`` sees every layer normalisation before it runs, and its inputs."""
        mask = _mask(self._probe)

        def hook(name: str, module: Any) -> Any:
            return _before(lambda values: action(name, module, _unpadded(values, mask)))

        norms = [(name, module) for name, module in model.named_modules() if isinstance(module, nn.LayerNorm)]
        handles = [module.register_forward_pre_hook(hook(name, module)) for name, module in norms]
        try:
            cast("Any", model)(**self._probe)
        finally:
            for handle in handles:
                handle.remove()

    def _record(self, name: str, module: nn.LayerNorm, inputs: Tensor) -> None:
        self._targets[name] = nn.functional.layer_norm(
            inputs, module.normalized_shape, module.weight, module.bias, module.eps
        )

    def _rank(self) -> None:
        hidden: dict[str, list[Tensor]] = {}
        self._ranking: dict[str, Tensor] = {}
        for name, (_, columns) in self._axes.items():
            if (site := self.layout.site(name)) not in self._moments:
                continue
            weight, moments = self._weights[f"{name}.weight"], self._moments[site]
            if columns == "hidden":
                hidden.setdefault(site, []).append(weight)
            else:
                group = self.head_size if columns == "heads" else 1
                self._ranking[name] = self._ranked([weight], [moments.covariance], group=group, ridge=self.ridge)
        weights = [torch.cat(parts) for parts in hidden.values()]
        covariances = [self._moments[site].covariance for site in hidden]
        if self.source.base_model is self.source:  # nothing but the user reads the last states: all count alike
            weights.append(torch.eye(self.source.config.hidden_size))
            last = f"{self.layout.layers}.{self.source.config.num_hidden_layers - 1}.{LAST_NORM}"
            covariances.append(torch.cov(self._targets[last].T))
        self._ranking["hidden"] = self._ranked(weights, covariances, ridge=self.ridge)

    # ------------------------------------------------------------------ students

    def config_for(self, architecture: Mapping[str, Any]) -> Any:
        """The source's config with the sizes of ``architecture``; sizes it does not name stay as they are.

        Raises:
            ValueError: when no part of the source has this shape.
        """
        config = copy.deepcopy(self.source.config)
        sizes = {n: int(architecture.get(n, getattr(config, n))) for n in ("hidden_size", "intermediate_size")}
        for name, size in sizes.items():
            if not 1 <= size <= getattr(config, name):
                raise InputError(
                    f"this candidate cannot inherit: {name} must lie in 1..{getattr(config, name)}, got {size}"
                )
        depth_map(int(architecture.get("num_hidden_layers", config.num_hidden_layers)), config.num_hidden_layers)
        hidden = sizes["hidden_size"]
        heads = int(architecture.get("num_attention_heads", max(1, hidden // self.head_size)))
        if heads * self.head_size != hidden:
            raise InputError(
                f"this candidate cannot inherit: the source's heads have size {self.head_size}, {heads} heads of a "
                f"hidden size of {hidden} would have size {hidden / heads:g}; keep hidden_size / num_attention_heads"
            )
        config.num_hidden_layers = int(architecture.get("num_hidden_layers", config.num_hidden_layers))
        config.hidden_size, config.intermediate_size = hidden, sizes["intermediate_size"]
        config.num_attention_heads = heads
        return config

    @torch.no_grad()
    def student(self, architecture: Mapping[str, Any]) -> PreTrainedModel:
        """A stock model of the source's class and the given shape, with weights of its own, in evaluation mode.

        Raises:
            ValueError: when no part of the source has this shape.
        """
        config = self.config_for(architecture)
        layers = self._layers(config.num_hidden_layers, self.source.config.num_hidden_layers)
        with torch.device("meta"):
            student = cast("PreTrainedModel", type(cast("Any", self.source))(config, **self._options()))
        state: dict[str, Tensor] = {}
        for name, module in student.named_modules():
            for kind, value in self._parameters(self.layout.renumbered(name, layers), config):
                assert value.shape == getattr(module, kind).shape, f"{name}.{kind}: {tuple(value.shape)}"
                state[f"{name}.{kind}" if name else kind] = value
        student.load_state_dict(state, strict=False, assign=True)
        _restore_buffers(student, self.source)
        student.tie_weights()
        student.requires_grad_(True).eval()
        sizes = ("num_hidden_layers", "hidden_size", "intermediate_size")
        if any(getattr(config, name) != getattr(self.source.config, name) for name in sizes):
            self._fit_norms(student, layers, self._kept("hidden", "", config))
        return student

    def _options(self) -> dict[str, bool]:
        """A backbone may have been made without its pooler; the config does not say so."""
        bare = self.source.base_model is self.source and getattr(self.source, "pooler", None) is None
        return without_pooler(self.source.config) if bare else {}

    def _kept(self, axis: Axis, name: str, config: Any) -> Tensor | None:
        """Source units that a student keeps along one axis of the map ``name``; None: all of them."""
        source = self.source.config
        if axis == "hidden":
            return self._top("hidden", config.hidden_size, source.hidden_size)
        if axis == "units":
            return self._top(self.layout.beside(name, OUTER), config.intermediate_size, source.intermediate_size)
        if axis == "heads":
            reader = self.layout.beside(name, ATTENDED)
            top = self._top(reader, config.num_attention_heads, source.num_attention_heads)
            return None if top is None else members(top, self.head_size)
        if axis == "pooled":
            reader = next((name for name, (_, reads) in self._axes.items() if reads == "pooled"), None)
            ranking = reader if reader in self._ranking else "hidden"
            return self._top(ranking, config.hidden_size, source.hidden_size)
        return None

    def _top(self, ranking: str, count: int, full: int) -> Tensor | None:
        # Sorted: units keep the source's order, so that a full set is the identity.
        return None if count == full else self._ranking[ranking][:count].sort().values

    def _parameters(self, name: str, config: Any) -> Iterator[tuple[str, Tensor]]:
        """The student's own parameters of one module, by their names in it."""
        module = self._modules[name]
        if isinstance(module, nn.LayerNorm):
            hidden = self._kept("hidden", name, config)
            for kind, parameter in module.named_parameters():
                yield kind, (parameter.clone() if hidden is None else parameter.index_select(0, hidden))
        elif isinstance(module, nn.Linear):
            rows, columns = self._axes[name]
            yield from self._linear(name, self._kept(rows, name, config), self._kept(columns, name, config))
        else:  # embeddings, and the vocabulary's biases
            for kind, parameter in module.named_parameters(recurse=False):
                hidden = self._kept("hidden", name, config) if parameter.dim() == 2 else None
                yield kind, (parameter.clone() if hidden is None else parameter.index_select(1, hidden))

    def _linear(self, name: str, out: Tensor | None, kept: Tensor | None) -> Iterator[tuple[str, Tensor]]:
        weight, bias = self._weights[f"{name}.weight"], self._weights.get(f"{name}.bias")
        if out is not None:
            weight, bias = weight.index_select(0, out), None if bias is None else bias.index_select(0, out)
        moments = self._moments.get(self.layout.site(name))
        # A decoder is tied to the embeddings and takes no correction of its own.
        if kept is None or moments is None or name == self.layout.decoder:
            corrected, shift = weight.clone() if kept is None else weight.index_select(1, kept), None
        else:
            corrected, shift = self._corrected(weight, kept, moments)
        yield "weight", corrected
        if bias is not None:
            yield "bias", bias.clone() if shift is None else bias + shift

    def _corrected(self, weight: Tensor, kept: Tensor, moments: Moments) -> tuple[Tensor, Tensor]:
        """Weights of the kept inputs that also stand for the removed ones, and the shift of the bias."""
        gone = _complement(kept, weight.shape[1])
        sliced, rest = weight.index_select(1, kept), weight.index_select(1, gone)
        shift = rest @ moments.mean[gone]
        if moments.rows < 2 * len(kept):  # too little data for a regression: the mean alone is made up for
            return sliced, shift
        target = moments.covariance[kept][:, gone] @ rest.T  # (kept, outputs)
        factor = torch.linalg.cholesky(ridged(moments.covariance[kept][:, kept], self.ridge))
        correction = torch.cholesky_solve(target, factor).T  # (outputs, kept)
        return sliced + correction, shift - correction @ moments.mean[kept]

    def _fit_norms(self, student: PreTrainedModel, layers: tuple[int, ...], hidden: Tensor | None) -> None:
        """Layer normalisations of the student to the source's outputs, by least squares, unit by unit."""

        def fit(name: str, module: nn.LayerNorm, values: Tensor) -> None:
            target = self._targets[self.layout.renumbered(name, layers)]  # (tokens, hidden)
            target = target if hidden is None else target.index_select(1, hidden)
            inputs = nn.functional.layer_norm(values, module.normalized_shape, eps=module.eps)
            centred, goal = inputs - inputs.mean(0), target - target.mean(0)
            module.weight.copy_((centred * goal).sum(0) / centred.square().sum(0).clamp_min(1e-12))
            module.bias.copy_(target.mean(0) - module.weight * inputs.mean(0))

        self._watch_norms(student, fit)


def _mask(batch: Mapping[str, Tensor]) -> Tensor:
    return batch.get("attention_mask", torch.ones_like(batch["input_ids"])).bool()


def _unpadded(values: Tensor, mask: Tensor) -> Tensor:
    """Rows of real tokens; heads that read one token a sequence have no padding."""
    return values[mask] if values.dim() == 3 and values.shape[:2] == mask.shape else values.flatten(0, -2)


def _leading(batches: Sequence[Mapping[str, Tensor]], tokens: int) -> Mapping[str, Tensor]:
    """The first sequences of the first batch that together have about so many tokens."""
    rows = max(1, -(-tokens // batches[0]["input_ids"].shape[1]))
    return {name: values[:rows] for name, values in batches[0].items()}


def _complement(kept: Tensor, size: int) -> Tensor:
    mask = torch.ones(size, dtype=torch.bool)
    mask[kept] = False
    return mask.nonzero()[:, 0]


def _before(action: Callable[[Tensor], None]) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
    """A hook that shows a module's input to ``action`` before the module sees it."""

    def hook(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        action(inputs[0])

    return hook


def _restore_buffers(student: nn.Module, source: nn.Module) -> None:
    """Positions and segments are buffers that no state dict holds; they do not depend on the shape."""
    for name, _ in list(student.named_buffers()):
        owner, _, leaf = name.rpartition(".")
        setattr(student.get_submodule(owner), leaf, source.get_buffer(name).clone())
