"""A student takes over the part of its source that fits it: any network, by the axes that a trace has found.

Nothing here knows a network by name. What may be cut, and what must then be cut together, are the atoms of
:mod:`subarch.networks.tracing`; which tensor of a student is which of its source, and how many units of each atom it
has, :mod:`subarch.networks.correspondence` finds from names and shapes. Depth follows an even map that always keeps the
source's last layer. Units of each atom are ranked once, and a student keeps the first so many: those of a smaller
student are a subset of a larger one's.

Units that one linear map alone reads (heads, the inner units of a layer) are ranked by what their removal costs there
once the others have made up for it (:mod:`subarch.networks.ranking`); all others, above all those of the residual
stream, by what they contribute to the outputs (:mod:`subarch.networks.gradients`). Least squares then correct every
linear map of a student that has lost inputs: ``W_S + W_R C_RS C_SS^-1`` for kept S and removed R, with W the weights
and C the covariance of the inputs.

Layer normalisation takes its statistics over fewer units in a student, on inputs that earlier cuts have changed. So the
weight and bias of those that write the residual stream are fitted to the source's outputs, in the order of the forward
pass, each on what the student really gets there: errors of the statistics pile up from layer to layer, and where norms
only feed a branch it harms. Statistics of batch normalisation are taken anew.

Whatever contributes nothing can go without a change; a student of the source's own shape is a copy.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from subarch.errors import InputError
from subarch.networks.axes import Atom, Axis, extent, leaves, positions, resolved
from subarch.networks.correspondence import Depths, Match, depth_map, fitting
from subarch.networks.examples import beginning, leading
from subarch.networks.gradients import importance
from subarch.networks.ranking import Accumulator, Moments, Ranking, rank, ridged
from subarch.networks.relations import relations
from subarch.networks.stock import like
from subarch.networks.tracing import Outputs, Traced, made_anew, proven, tensors_of, told

Batch = Mapping[str, Tensor]
WORDS = "heads and inner units by the optimal brain surgeon, all others by gradients; least squares make up for them"
"""How units are chosen: a search goes on only with candidates that were made in the same way."""
PROBE_TOKENS = 1024  # layer normalisations are fitted on so many; two numbers a unit need no more
_LINEAR = (nn.Linear, Conv1D)
_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def by_states(model: nn.Module, batch: Batch) -> Tensor:
    """How alike the tokens of a sequence are to each other: what counts where a head has learned nothing yet."""
    inner = model.base_model if isinstance(model, PreTrainedModel) else model
    return relations(told(inner, batch), batch.get("attention_mask"))


def compared(model: nn.Module, batch: Batch) -> Tensor:
    """What units are judged by: what is said of each example, or else how alike the tokens of a sequence are.

    A language model is judged by its states: its logits are these times the table that it reads with.
    """
    if isinstance(model, PreTrainedModel) and model.get_output_embeddings() is not None:
        return by_states(model, batch)
    out = told(model, batch)
    return relations(out, batch.get("attention_mask")) if out.dim() > 2 else out


class Inheritance:
    """Builds students of one source. Calibrates once; a student then costs a few matrix products.

    Args:
        source: any network with its weights.
        calibration: batches of its inputs. A few thousand tokens are enough.
        outputs: what its units are judged by.
        says: what it gives, by which its axes are proven.
        ridge: of the least-squares corrections, as a fraction of the mean variance.
        ranking: which heads and inner units a student keeps.
        layers: which layers it keeps, in order, given how many it has and how many the source has.
        traced: its axes, where they are known and proven already; ``example`` is what they were traced on.

    Raises:
        ValueError: for a network whose couplings its operators do not show, or no calibration data.
    """

    def __init__(
        self,
        source: nn.Module,
        calibration: Sequence[Batch],
        *,
        outputs: Outputs = compared,
        says: Outputs = told,
        ridge: float = 0.01,
        ranking: Ranking = rank,
        layers: Depths = depth_map,
        traced: Traced | None = None,
        example: Batch | None = None,
    ) -> None:
        if not calibration:
            raise InputError("inheritance needs at least one batch of calibration data, got none")
        self.source, self.ridge, self._says = source, ridge, says
        self._ranked, self._layers, self._batches = ranking, layers, calibration
        self.example = beginning(calibration[0]) if example is None else example
        self._probe = leading(calibration[0], PROBE_TOKENS)
        training = source.training
        source.eval()
        try:
            self.traced = traced or proven(source, self.example, says)
            self._state = tensors_of(source)
            self._modules = dict(source.named_modules())
            self._tied = _shared(source)
            self._calibrate()
            self._rank(outputs)
        finally:
            source.train(training)

    # ------------------------------------------------------------------ calibration

    @torch.no_grad()
    def _calibrate(self) -> None:
        """Moments of what every linear map reads, and what every normalisation that writes the stream gives."""
        self._site: dict[str, str] = {}  # maps that read the same tensor share its moments, under the first one's name
        self._targets: dict[str, Tensor] = {}  # (tokens, units)
        self._repeated = set[str]()
        accumulators: dict[str, Accumulator] = {}
        last: list[Any] = ["", None]
        mask: Tensor | None = None

        def reads(name: str) -> Callable[[Tensor], None]:
            def action(values: Tensor) -> None:
                if name not in self._site:
                    self._site[name] = last[0] if values is last[1] else name
                if self._site[name] == name:
                    last[:] = [name, values]
                    if mask is not None and values.dim() == 3 and values.shape[:2] != mask.shape:
                        return  # positions, say: what it reads of tokens counts
                    accumulators.setdefault(name, Accumulator()).add(_unpadded(values, mask).float())

            return action

        self._watch_norms(self.source, self._record)
        linear = [(name, module) for name, module in self._modules.items() if isinstance(module, _LINEAR)]
        handles = [module.register_forward_pre_hook(_before(reads(name))) for name, module in linear]
        try:
            for batch in self._batches:
                mask = _mask(batch)
                self.source(**batch)
        finally:
            for handle in handles:
                handle.remove()
        self._moments = {name: accumulator.moments() for name, accumulator in accumulators.items() if accumulator.rows}

    def _watch_norms(self, model: nn.Module, action: Callable[[str, Any, Tensor], None]) -> None:
        """One pass over the probe: ``action`` sees each normalisation of the stream before it runs, and its inputs."""
        mask, patterns = _mask(self._probe), {_pattern(name) for name in self.traced.writers}

        def hook(name: str, module: Any) -> Any:
            return _before(lambda values: action(name, module, _unpadded(values, mask)))

        # The last one's output is what the network gives, which nothing is added to: it is known by its fellows.
        norms = [
            (name, module)
            for name, module in model.named_modules()
            if isinstance(module, nn.LayerNorm)
            and module.elementwise_affine
            and _pattern(name) in patterns
            and type(module).forward is nn.LayerNorm.forward  # others turn what they read, as ConvNeXt's do
        ]
        if not norms:
            return
        handles = [module.register_forward_pre_hook(hook(name, module)) for name, module in norms]
        try:
            model(**self._probe)
        finally:
            for handle in handles:
                handle.remove()

    def _record(self, name: str, module: nn.LayerNorm, inputs: Tensor) -> None:
        if name in self._targets:  # layers that are one pass more than once, and what fits one passage fits no other
            self._repeated.add(name)
        self._targets[name] = nn.functional.layer_norm(
            inputs, module.normalized_shape, module.weight, module.bias, module.eps
        )

    def _rank(self, outputs: Outputs) -> None:
        readers: dict[Atom, list[str]] = {}
        for name in self._moments.keys() & self._site.keys():
            for leaf in dict.fromkeys(leaves(self._read(name))):
                readers.setdefault(leaf, []).append(name)
        free = [atom for atom in self.traced.free() if not atom.numbered]
        self._ranking: dict[Atom, Tensor] = {}
        for atom in free:
            mine = readers.get(atom, [])
            if atom.averaged or len(mine) != 1:
                continue
            atoms = resolved(self._read(mine[0]))
            if atoms[0] is atom and not any(one.segments for one in atoms):
                covariance, group = self._moments[mine[0]].covariance, extent(atoms[1:])
                self._ranking[atom] = self._ranked([self._weight(mine[0])], [covariance], group=group, ridge=self.ridge)
        others = [atom for atom in free if atom not in self._ranking]
        scores = importance(self.source, self.traced.axes, others, self._batches, outputs)
        for atom, score in scores.items():
            self._ranking[atom] = score.argsort(descending=True, stable=True)

    def _read(self, name: str) -> Axis:
        """The axis of what a linear map reads."""
        return self.traced.axes[f"{name}.weight"][0 if isinstance(self._modules[name], Conv1D) else 1]

    def _weight(self, name: str) -> Tensor:
        """Of a linear map, ``(outputs, inputs)``."""
        weight = self._state[f"{name}.weight"]
        return weight.T if isinstance(self._modules[name], Conv1D) else weight

    # ------------------------------------------------------------------ students

    def student(self, architecture: Mapping[str, Any]) -> PreTrainedModel:
        """A stock model of the source's class and the given shape, with weights of its own, in evaluation mode.

        Args:
            architecture: sizes by the names of a space; those that it leaves out stay as they are.

        Raises:
            ValueError: when no part of the source has this shape.
        """
        return cast("PreTrainedModel", self.into(lambda: like(cast("PreTrainedModel", self.source), architecture)))

    @torch.no_grad()
    def into(self, make: Callable[[], nn.Module]) -> nn.Module:
        """Fill a network with the part of the source that fits it.

        Args:
            make: builds it, on the current default device.

        Raises:
            ValueError: when no part of the source has its shape.
        """
        with torch.device("meta"):
            student = make()
        # Numbers that no checkpoint holds may depend on sizes (frequencies, scales): they are the student's own.
        anew, own = made_anew(student), dict[str, Tensor]()
        if any(one.is_floating_point() for name, one in student.named_buffers() if name in anew):
            with torch.random.fork_rng(devices=[]):
                own = {name: one for name, one in make().named_buffers() if name in anew}
        elif anew:
            own = {name: self._state[name].clone() for name, _ in student.named_buffers() if name in anew}
        match = fitting(student, self.source, self.traced, self.example, self._best, self._layers, self._says)
        state = {n: match.taken(o, self._state[o]) for n, o in match.origin.items() if n not in own}
        self._correct(student, state, match)
        student.load_state_dict(state, strict=False, assign=True)
        for name, one in {**{n: state[n] for n, _ in student.named_buffers() if n in state}, **own}.items():
            owner, _, leaf = name.rpartition(".")
            setattr(student.get_submodule(owner), leaf, one)
        if isinstance(student, PreTrainedModel):
            student.tie_weights()
        student.requires_grad_(True).eval()
        if not match.whole or len(match.origin) != len(self._state):
            self._restate(student)
            self._fit_norms(student, match)
        return student

    def _best(self, atom: Atom, count: int) -> Tensor:
        return self._ranking[atom][:count]

    def _correct(self, student: nn.Module, state: dict[str, Tensor], match: Match) -> None:
        """Let the kept inputs of each linear map stand for the removed ones as well."""
        for name, module in student.named_modules():
            source = match.origin.get(f"{name}.weight", "").removesuffix(".weight")
            moments = self._moments.get(self._site.get(source, ""))
            # A matrix that is a table of tokens as well takes no correction of its own.
            if not isinstance(module, _LINEAR) or moments is None or f"{source}.weight" in self._tied:
                continue
            inputs = positions(self._read(source), match.kept)
            if len(inputs) == len(moments.mean):
                continue
            turned = isinstance(module, Conv1D)
            rows = positions(self.traced.axes[f"{source}.weight"][1 if turned else 0], match.kept)
            corrected, shift = self._corrected(self._weight(source)[rows], inputs, moments)
            state[f"{name}.weight"] = corrected.T.contiguous() if turned else corrected
            if f"{name}.bias" in state:
                state[f"{name}.bias"] = state[f"{name}.bias"] + shift

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

    def _restate(self, student: nn.Module) -> None:
        """Statistics of batch normalisation are the student's own."""
        norms = [module for module in student.modules() if isinstance(module, _BATCH_NORMS)]
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # the mean over all batches
            norm.train()
        for batch in self._batches if norms else ():
            student(**batch)
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
            norm.eval()

    def _fit_norms(self, student: nn.Module, match: Match) -> None:
        """Normalisations that write the stream to the source's outputs, by least squares, unit by unit."""

        def fit(name: str, module: nn.LayerNorm, values: Tensor) -> None:
            source = match.origin[f"{name}.weight"].removesuffix(".weight")
            if source not in self._targets or source in self._repeated:
                return
            units = positions(self.traced.axes[f"{source}.weight"][-1], match.kept)
            target = self._targets[source].index_select(1, units)  # (tokens, units)
            inputs = nn.functional.layer_norm(values, module.normalized_shape, eps=module.eps)
            bias = cast("nn.Parameter | None", module.bias)
            shift, level = (0.0, 0.0) if bias is None else (inputs.mean(0), target.mean(0))
            centred, goal = inputs - shift, target - level
            module.weight.copy_((centred * goal).sum(0) / centred.square().sum(0).clamp_min(1e-12))
            if bias is not None:
                bias.copy_(level - module.weight * shift)

        self._watch_norms(student, fit)


def _pattern(name: str) -> str:
    return re.sub(r"\d+", "#", name)


def _shared(network: nn.Module) -> set[str]:
    """Parameters with more than one name."""
    by_tensor: dict[int, list[str]] = {}
    for name, one in network.named_parameters(remove_duplicate=False):
        by_tensor.setdefault(id(one), []).append(name)
    return {name for names in by_tensor.values() if len(names) > 1 for name in names}


def _mask(batch: Batch) -> Tensor | None:
    """Which tokens are real, ``(batch, sequence)``; None for inputs that are no tokens."""
    if "attention_mask" in batch:
        return batch["attention_mask"].bool()
    return torch.ones_like(batch["input_ids"]).bool() if "input_ids" in batch else None


def _unpadded(values: Tensor, mask: Tensor | None) -> Tensor:
    """Rows of real tokens; heads that read one token a sequence have no padding."""
    if mask is not None and values.dim() == 3 and values.shape[:2] == mask.shape:
        return values[mask]
    return values.flatten(0, -2)


def _complement(kept: Tensor, size: int) -> Tensor:
    mask = torch.ones(size, dtype=torch.bool)
    mask[kept] = False
    return mask.nonzero()[:, 0]


def _before(action: Callable[[Tensor], None]) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
    """A hook that shows a module's input to ``action`` before the module sees it."""

    def hook(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        action(inputs[0])

    return hook
