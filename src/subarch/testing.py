"""Conformance checks for authors: let your pytest collect a subclass of :class:`FamilySuite` for a family, or of
:class:`KindSuite` for a kind of task; or call :func:`check_family`, and :func:`check_proposals` for proposals.

>>> from subarch.networks.mlp import MLPFamily
>>> check_family(MLPFamily.from_widths([(4, 8), (4, 8)], inputs=3, outputs=2))
"""

from __future__ import annotations

import json
import math
import pickle
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import BertConfig, PreTrainedModel

from subarch.agora.data import X
from subarch.agora.proposals import ProposalFunction
from subarch.conformance.families import FamilySuite as FamilySuite
from subarch.conformance.families import check_family as check_family
from subarch.learning.heads import Target, from_architecture, outputs
from subarch.tasks.kinds.base import Kind
from subarch.tasks.kinds.table import kind_of
from subarch.tasks.labelled import read_table
from subarch.text.encoding import Tokens
from subarch.text.examples import Example
from subarch.text.tokenizers import train_tokenizer


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
