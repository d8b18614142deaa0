"""Conformance checks for authors: call :func:`check_family` for a family, :func:`check_proposals` for proposals; let
your pytest collect a subclass of :class:`KindSuite` for a kind of task.

>>> from subarch.networks.mlp import MLPFamily
>>> check_family(MLPFamily.from_widths([(4, 8), (4, 8)], inputs=3, outputs=2))
"""

from __future__ import annotations

import json
import math
import pickle
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import BertConfig, PreTrainedModel

from subarch.agora.data import X
from subarch.agora.proposals import ProposalFunction
from subarch.errors import InputError
from subarch.learning.heads import Target, from_architecture, outputs
from subarch.networks.counting import count, num_parameters
from subarch.networks.countmodels import CountsDisagreeError
from subarch.networks.family import Family, Parts
from subarch.networks.fitting import fit_counts
from subarch.networks.sources import family_from_json, import_family
from subarch.networks.space import Architecture, Space
from subarch.networks.tracing import proven
from subarch.plugins import NAME
from subarch.tasks.kinds.base import Kind
from subarch.tasks.kinds.table import kind_of
from subarch.tasks.labelled import read_table
from subarch.text.encoding import Tokens
from subarch.text.examples import Example
from subarch.text.tokenizers import train_tokenizer

_BATCH = 3


def check_family(family: Family, *, sequence_length: int = 16, samples: int = 4, seed: int = 0) -> None:
    """Check that a family keeps what the search, the counts and the certificate take for granted.

    Builds the smallest and the largest architecture and some random ones on the meta device, the smallest also on
    the CPU, and fits the counts. The random state of torch is left as it was.

    Args:
        family: the family to check.
        sequence_length: passed to ``inputs``.
        samples: random architectures beside the smallest and the largest.
        seed: draws them.

    Raises:
        AssertionError: naming the family, the architecture where there is one, and what to do.
    """
    _check_attributes(family)
    architectures = _architectures(family.space, samples, seed)
    _require(family, bool(architectures), "the space is empty: no architecture meets its constraints")
    with torch.random.fork_rng(devices=[]):
        for architecture in [*architectures, family.reference]:
            _check_meta(family, architecture, sequence_length)
        _check_cpu(family, architectures[0], sequence_length)
    _check_counts(family, architectures, sequence_length)
    _check_json(family, architectures[0])


def check_proposals(
    function: ProposalFunction[X], points: Sequence[X], pack: Callable[[X], Any], *, count: int = 5, seed: int = 0
) -> None:
    """Check that a proposal function keeps what Agora takes for granted.

    Args:
        function: the function to check.
        points: a few to make proposals around.
        pack: a point as JSON data, as a learner's ``pack``.
        count: how many proposals are wanted around each.
        seed: of the random state that it is given.

    Raises:
        AssertionError: naming what is wrong.
    """
    name = getattr(function, "__qualname__", type(function).__name__)
    before = [json.dumps(pack(point)) for point in points]
    first, second = (list(function(points, count, np.random.default_rng(seed))) for _ in range(2))
    assert first, f"{name}: made no proposal around {len(points)} points"
    wrong = [n for n, _ in first if not 0 <= n < len(points)]
    assert not wrong, f"{name}: must name the position of a given point, 0 to {len(points) - 1}, got {wrong[0]}"
    made = [[(n, json.dumps(pack(point))) for n, point in one] for one in (first, second)]
    assert made[0] == made[1], f"{name}: must make the same proposals from the same random state"
    assert [json.dumps(pack(point)) for point in points] == before, f"{name}: must leave the given points alone"
    assert any(packed != before[n] for n, packed in made[0]), f"{name}: makes nothing but copies of what it is given"
    assert not list(function(points[:0], count, np.random.default_rng(seed))), f"{name}: made proposals around no point"


def _require(family: Family, condition: bool, message: str, architecture: Mapping[str, Any] | None = None) -> None:
    if not condition:
        where = "" if architecture is None else f" at {dict(architecture)}"
        raise AssertionError(f"family {getattr(family, 'name', type(family).__name__)!r}{where}: {message}")


def _check_attributes(family: Family) -> None:
    _require(family, isinstance(family, Family), "must be a subarch.networks.family.Family")  # pyright: ignore[reportUnnecessaryIsInstance]
    for name, kind in (("name", str), ("space", Space), ("reference", dict)):
        value = getattr(family, name, None)
        _require(family, isinstance(value, kind), f"{name} must be a {kind.__name__}, got {value!r}: set it")
    names = list(family.space.names)
    message = f"reference must name the parameters {names}, got {list(family.reference)}"
    _require(family, set(family.reference) == set(names), message)


def _architectures(space: Space, samples: int, seed: int) -> list[Architecture]:
    """Random ones between one of the smallest and one of the largest, each feasible."""
    drawn = [tuple(int(v) for v in row) for row in space.sample(max(samples, 1), seed)]
    corners = [corner for box in space.roots() for corner in (box.lo, box.hi)][:64]
    feasible = [c for c in corners if space.feasible(np.array([c]))[0]]
    ordered = sorted({*drawn, *feasible}, key=lambda row: (sum(row), row))
    inner = ordered[1:-1]
    return [space.architecture(row) for row in dict.fromkeys([*ordered[:1], *inner[:samples], *ordered[-1:]])]


# ---------------------------------------------------------------------- networks


def _built(family: Family, architecture: Architecture) -> nn.Module:
    asked = dict(architecture)
    try:
        network = family.network(asked)
    except ValueError as error:
        raise AssertionError(str(error)) from error
    _require(family, asked == architecture, "build() must not change the architecture it is given", architecture)
    return network


def _check_meta(family: Family, architecture: Architecture, sequence_length: int) -> None:
    with torch.device("meta"):
        network = _built(family, architecture)
        inputs = family.inputs(_BATCH, sequence_length)
        head = family.head(architecture)
    _require(
        family,
        all(p.device.type == "meta" for p in network.parameters()) and all(x.is_meta for x in inputs.values()),
        "build() and inputs() must create tensors on torch's default device: name no device in them",
        architecture,
    )
    _check_parts(family, architecture, network)
    _run(family, architecture, network, inputs)
    if head is not None:
        module, arguments = head
        _run(family, architecture, module, {}, *arguments)


def _check_parts(family: Family, architecture: Architecture, network: nn.Module) -> None:
    parts = family.parts(network)
    _require(family, isinstance(parts, Parts), f"parts() must return Parts, got {parts!r}", architecture)  # pyright: ignore[reportUnnecessaryIsInstance]
    names = [*parts.first, *parts.middle, *parts.last]
    _require(family, bool(names), "parts() names no submodule: say at least which is the first part", architecture)
    modules = dict(network.named_modules())
    for name in names:
        known = ", ".join(list(modules)[1:12])
        _require(
            family, name in modules and name != "", f"part {name!r} is no submodule; there are {known}", architecture
        )
    owners = [id(module) for name in names for module in modules[name].modules()]
    message = f"parts must be disjoint, but some of {names} lie in one another or occur twice"
    _require(family, len(owners) == len(set(owners)), message, architecture)


def _check_cpu(family: Family, architecture: Architecture, sequence_length: int) -> None:
    torch.manual_seed(0)
    network = _built(family, architecture).eval()
    twin = _built(family, architecture)
    torch.manual_seed(0)
    again = _built(family, architecture)
    own = {id(p) for p in network.parameters()}
    shared = any(id(p) in own for p in twin.parameters())
    _require(family, not shared, "two builds share parameters: build() must make a new network", architecture)
    same = all(torch.equal(a, b) for a, b in zip(network.parameters(), again.parameters(), strict=True))
    _require(family, same, "two builds after the same torch.manual_seed differ: draw weights from torch", architecture)
    inputs = family.inputs(_BATCH, sequence_length)
    output = _run(family, architecture, network, inputs)
    _require(family, bool(torch.isfinite(output).all()), "the fresh network's output is not finite", architecture)
    try:
        proven(network, inputs)
    except InputError as error:
        _require(family, False, str(error), architecture)
    with torch.device("meta"):
        counted = num_parameters(_built(family, architecture))
    _require(
        family,
        num_parameters(network) == counted,
        f"the network has {num_parameters(network)} parameters on the CPU but {counted} on the meta device",
        architecture,
    )


def _run(
    family: Family, architecture: Architecture, network: nn.Module, inputs: Mapping[str, Tensor], *arguments: Tensor
) -> Tensor:
    try:
        with torch.no_grad():
            output = network.eval()(*arguments, **inputs)
    except Exception as error:
        raise AssertionError(
            f"family {family.name!r} at {architecture}: {type(network).__name__} does not run on its inputs "
            f"({type(error).__name__}: {error})"
        ) from error
    tensor = next(_tensors(output), None)
    _require(family, tensor is not None, f"forward returns no tensor but {type(output).__name__}", architecture)
    result = cast("Tensor", tensor)
    if inputs:
        message = f"the output for a batch of {_BATCH} has shape {tuple(result.shape)}, expected {_BATCH} first"
        _require(family, result.ndim > 0 and result.shape[0] == _BATCH, message, architecture)
    return result


def _tensors(output: Any) -> Iterator[Tensor]:
    """Tensors in what forward returned: a tensor, a sequence, or a mapping such as the stock library's outputs."""
    if isinstance(output, Tensor):
        yield output
    elif isinstance(output, Mapping):
        for value in cast("Mapping[str, Any]", output).values():
            yield from _tensors(value)
    elif isinstance(output, (list, tuple)):
        for value in cast("tuple[Any, ...]", output):
            yield from _tensors(value)


# ---------------------------------------------------------------------- counts and files


def _check_counts(family: Family, architectures: Sequence[Architecture], sequence_length: int) -> None:
    architecture = architectures[-1]
    try:
        first, second = (count(family, architecture, sequence_length) for _ in range(2))
        counts = fit_counts(family, sequence_length)
    except ValueError as error:
        raise AssertionError(str(error)) from error
    if counts.parameters and counts.macs:
        for one in architectures:
            try:
                counts.confirm(one)
            except CountsDisagreeError as error:
                raise AssertionError(f"{error}: correct build(), or let its networks follow one rule") from error
    message = f"counted twice, the network gives {first} and {second}: build() must depend on the architecture alone"
    _require(family, first == second, message, architecture)
    for name in ("parameters", "macs"):
        polynomial = counts.polynomials[name]
        if polynomial is not None:
            rising, evidence = polynomial.order(family.space)
            advice = f"{name} fall as an ordered parameter rises ({evidence}): make that parameter unordered"
            _require(family, rising is not False, advice)


def _check_json(family: Family, architecture: Architecture) -> None:
    try:
        text = json.dumps([family.to_json(), family.describe(architecture)])
    except TypeError as error:
        raise AssertionError(
            f"family {family.name!r}: to_json() and describe() must give JSON data: {error}"
        ) from error
    try:
        # A name that can be imported must be one by which the family is found again.
        custom = import_family(family.name) if NAME.fullmatch(family.name) else family
        again = family_from_json(json.loads(text)[0], custom)
    except ValueError as error:
        raise AssertionError(f"family {family.name!r}: cannot be made again from to_json(): {error}") from error
    same = again.space == family.space and again.reference == family.reference and again.name == family.name
    _require(family, same, "made again from to_json(), it has another name, space or reference")


# ---------------------------------------------------------------------- kinds of tasks


class KindSuite:
    """What everything around tasks takes for granted of a kind; pytest collects subclasses that say what it is of.

    Attributes:
        kind: its name, or ``module.path:Name`` of yours.
        examples: labelled ones, at least three, of at least two labels.
        names: of the outputs, where they have any.
        labels: as they stand in a table, at least twelve; none where no table holds them.
        wrong: a label that such a table must not have.

    >>> class TestStars(KindSuite):
    ...     kind = "regression"
    ...     examples = (Example("bad", label=1.0), Example("good", label=4.0), Example("fine", label=3.0))
    ...     labels = ("1.5", "4", "3") * 4
    ...     wrong = "many"
    """

    kind: ClassVar[str]
    examples: ClassVar[Sequence[Example]]
    names: ClassVar[tuple[str, ...]] = ()
    labels: ClassVar[Sequence[str]] = ()
    wrong: ClassVar[str | None] = None

    @property
    def asked(self) -> Kind:
        """The kind of that name."""
        return kind_of(self.kind)

    @property
    def rows(self) -> NDArray[np.float64]:
        """The labels of the examples as rows."""
        return self.asked.rows(self.examples, self.asked.width(self.names, self.examples))

    def _network(self) -> tuple[PreTrainedModel, Tokens, Target]:
        """A tiny stock network with this head, the examples as it reads them, and what the head predicts."""
        labels = [example.label for example in self.examples if example.label is not None]
        target = Target.of(self.asked, self.names, labels)
        tokenizer = train_tokenizer([text for example in self.examples for text in example.texts] * 50, 300)
        sizes: Any = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
        config = BertConfig(vocab_size=len(tokenizer), max_position_embeddings=32, **sizes)
        learner = from_architecture(config, tokenizer, target, "a task", 32)
        model = learner.make(0)
        return model, learner.tokens(self.examples, model), target

    def test_is_its_name(self) -> None:
        """In JSON data and in other processes, too."""
        assert json.loads(json.dumps([self.asked])) == [self.kind], "a kind is written as its name"
        again = pickle.loads(pickle.dumps(self.asked))
        assert type(again) is type(self.asked) and again == self.kind, "a kind travels to other processes"
        assert set(self.asked.usual_metrics) <= set(self.asked.metrics), "usual_metrics must be some of metrics"

    def test_reads_labels_of_a_table_and_refuses_wrong_ones_with_their_row(self) -> None:
        """A table of these labels gives as many examples; one with a wrong label is refused, naming its row."""
        if not self.asked.of_tables:
            return
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "table.jsonl"
            given = [json.dumps({"text": f"text {n}", "label": label}) for n, label in enumerate(self.labels)]
            path.write_text("\n".join(given), encoding="utf-8")
            read = read_table(path, kind=self.asked)
            assert len(read.examples) == len(self.labels) and None not in [one.label for one in read.examples]
            assert len(self.asked.strata(read.examples, read.label_names)) == len(read.examples)
            if self.wrong is not None:
                path.write_text("\n".join([*given, json.dumps({"text": "a", "label": self.wrong})]), encoding="utf-8")
                try:
                    read_table(path, kind=self.asked, classes=read.label_names)
                except ValueError as error:
                    assert f"row {len(given) + 1}" in str(error), f"a refusal names the row, got: {error}"
                else:
                    raise AssertionError(f"the label {self.wrong!r} must be refused")

    def test_losses_of_a_batch_and_of_outputs_are_the_same(self) -> None:
        """As is that of labels as rows, where one alone is right."""
        model, tokens, target = self._network()
        batch = tokens.batch(range(len(self.examples)))
        with torch.no_grad():
            loss = float(target.loss(model, batch))
            assert math.isclose(loss, target.loss_of(outputs(model, tokens), self.examples), rel_tol=1e-4, abs_tol=1e-6)
            if not any(example.right for example in self.examples):
                soft = float(target.loss_of_rows(model, batch | {"labels": torch.from_numpy(self.rows).float()}))
                assert math.isclose(loss, soft, rel_tol=1e-4, abs_tol=1e-6), f"hard labels {loss}, rows {soft}"

    def test_learns_nothing_from_being_put_in_units(self) -> None:
        """A network answers alike in the units of training and, put in those of the labels, as it is."""
        model, tokens, target = self._network()
        width = self.rows.shape[1]
        before = self.asked.rows_said(outputs(model, tokens), width, target.units)
        target.in_units(model)
        assert np.allclose(before, self.asked.rows_said(outputs(model, tokens), width), atol=1e-5)

    def test_decides_answers_and_scores(self) -> None:
        """An answer for each example, as JSON data and as cells of a table; scores that are finite and at most 1."""
        model, tokens, _ = self._network()
        found = outputs(model, tokens)
        decided = self.asked.decide(found)
        assert len(decided) == len(self.examples)
        chosen = self.asked.thresholds(found, self.examples, self.asked.usual_metrics)
        assert self.asked.has_thresholds == bool(chosen) and all(0 < one < 1 for one in chosen)
        assert self.asked.decide(found, chosen) == self.asked.decide(self.asked.moved(found, chosen))
        names = self.names or tuple(str(n) for n in range(len(found[0])))
        for output in (None, found[0]):
            answer = json.loads(json.dumps(self.asked.answer(output, names)))
            assert set(self.asked.cells(answer)) <= set(self.asked.columns(names))
        scores = self.asked.score(self.asked.usual_metrics, self.examples, decided)
        assert all(math.isfinite(value) and -1 <= value <= 1 for value in scores.values()), scores
        right = [example.label for example in self.examples if example.label is not None]
        perfect = self.asked.score(self.asked.usual_metrics, self.examples, right)["score"]
        assert math.isclose(perfect, 1.0) and scores["score"] <= perfect + 1e-9
        try:
            self.asked.decide([np.full_like(found[0], math.nan)])
        except ValueError:
            return
        raise AssertionError("outputs that are not finite must be refused")

    def test_labels_as_rows(self) -> None:
        """Labels are no mistakes of their own, agree with themselves, and can be told."""
        rows = self.rows
        assert rows.shape[:2] == (len(self.examples), self.asked.width(self.names, self.examples))
        assert not self.asked.wrong(rows, rows, 0.0).any() and self.asked.agreement(rows, rows) > 0.99
        assert math.isclose(self.asked.score_rows(self.asked.usual_metrics, rows, rows, self.names), 1.0)
        able = self.asked.ability(rows, rows)
        assert able.value > able.bar and self.asked.in_words(rows[0], self.names, self.examples[0])
