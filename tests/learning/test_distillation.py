"""Reading from inside stock networks, and losses against hand computations."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import softmax
from scipy.stats import entropy
from torch import Tensor
from transformers import (
    AutoConfig,
    AutoModelForMaskedLM,
    BertConfig,
    BertForMaskedLM,
    BertModel,
    RobertaConfig,
    RobertaForMaskedLM,
)

from subarch.learning.distillation import (
    DistillationLoss,
    Reading,
    by_word,
    collated,
    relation_divergence,
    state_distance,
)
from subarch.learning.logits import divergence
from subarch.learning.teachers import Losses
from subarch.networks.layouts import LAYOUTS
from subarch.text.masking import IGNORED

SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "vocab_size": 60,
    "max_position_embeddings": 40,
}


def network(kind: str = "bert", seed: int = 0, **given: Any) -> Any:
    torch.manual_seed(seed)
    if kind == "roberta":
        made: Any = RobertaForMaskedLM(RobertaConfig(**SIZES | given, pad_token_id=1))
    elif kind == "bert":
        made = BertForMaskedLM(BertConfig(**SIZES | given))
    else:
        row = LAYOUTS[kind]
        sizes = {row.own(name): value for name, value in SIZES.items()}
        marks = {"cls_token_id": 3, "sep_token_id": 4, "local_attention": 8} if kind == "modernbert" else {}
        made = AutoModelForMaskedLM.from_config(AutoConfig.for_model(kind, **sizes, pad_token_id=1, **marks, **given))
    for parameter in made.parameters():  # far from the small numbers of a fresh network
        if parameter.requires_grad:  # what is not learned are sines and cosines
            torch.nn.init.normal_(parameter, std=0.3)
    return made.eval()


def packed() -> tuple[list[Tensor], Tensor, Tensor, Tensor]:
    """Three documents of 7, 4 and 9 tokens; and one row of all of them: tokens, positions, documents."""
    generator = torch.Generator().manual_seed(5)
    documents = [torch.randint(5, 60, (1, size), generator=generator) for size in (7, 4, 9)]
    positions = torch.cat([torch.arange(size) for size in (7, 4, 9)])[None]
    numbers = torch.repeat_interleave(torch.tensor([1, 2, 3]), torch.tensor([7, 4, 9]))[None]
    return documents, torch.cat(documents, 1), positions, numbers


def batch(rows: int = 3, length: int = 20, seed: int = 0) -> dict[str, Tensor]:
    """Rows of two documents each and two tokens of padding, four tokens masked."""
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randint(5, 60, (rows, length), generator=generator)
    labels = torch.full_like(tokens, IGNORED)
    labels[:, 3:10:2] = tokens[:, 3:10:2]
    documents = torch.tensor([1] * 8 + [2] * (length - 10) + [0] * 2).repeat(rows, 1)
    positions = torch.cat([torch.arange(8), torch.arange(length - 8)]).repeat(rows, 1)
    words = torch.where(documents > 0, torch.arange(1, length + 1), 0)
    inputs = torch.where(labels != IGNORED, 4, tokens)
    sample = torch.arange(rows)
    names = ("sample", "input_ids", "labels", "position_ids", "documents", "words")
    values = (sample, inputs, labels, positions, documents, words)
    return collated([dict(zip(names, (v[n].numpy() for v in values), strict=True)) for n in range(rows)])


# --- reading ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [kind for kind, row in LAYOUTS.items() if row.between != "none"])
def test_documents_of_a_row_do_not_see_each_other(kind: str) -> None:
    model = network(kind)
    documents, tokens, positions, numbers = packed()
    together = Reading(model)(model, tokens, positions, numbers).logits
    assert together is not None
    alone = torch.cat([network(kind)(input_ids=document).logits for document in documents], 1)
    assert together.detach().numpy() == pytest.approx(alone.detach().numpy(), abs=1e-4)

    changed = tokens.clone()
    changed[0, :7] = torch.arange(20, 27)
    after = Reading(model)(model, changed, positions, numbers).logits
    assert after is not None
    assert torch.equal(after[:, 7:], together[:, 7:])
    assert not torch.allclose(after[:, :7], together[:, :7])


@pytest.mark.parametrize("kind", LAYOUTS)
def test_relations_are_read_in_the_last_layer(kind: str) -> None:
    """Queries, keys and values, each as wide as the states, of the very last pass."""
    model = network(kind)
    _, tokens, positions, numbers = packed()
    seen = Reading(model, SIZES["num_hidden_layers"] - 1)(model, tokens, positions, numbers)
    assert [part.shape for part in seen.relations] == [seen.states.shape] * 3
    assert all(not torch.equal(one, seen.relations[0]) for one in seen.relations[1:])


@pytest.mark.parametrize("kind", ["bert", "roberta", "electra", "mpnet", "albert"])
def test_the_head_sees_chosen_positions_alone(kind: str) -> None:
    model = network(kind)
    whole = model(input_ids=packed()[1]).logits
    documents = torch.ones(1, 20, dtype=torch.long)
    chosen = torch.tensor([2, 5, 19])
    seen = Reading(model)(model, packed()[1], torch.arange(20)[None], documents, chosen)
    assert seen.logits is not None
    assert seen.logits.shape == (3, 60)
    assert seen.logits.detach().numpy() == pytest.approx(whole[0, chosen].detach().numpy(), abs=1e-5)
    assert seen.states.shape == (1, 20, 32)
    # The network itself is as it was.
    assert torch.equal(model(input_ids=packed()[1]).logits, whole)


def test_queries_keys_and_values_of_the_chosen_layer() -> None:
    model = network()
    _, tokens, positions, numbers = packed()
    seen = Reading(model, 1)(model, tokens, positions, numbers)
    states = model(input_ids=tokens, output_hidden_states=True, position_ids=positions).hidden_states
    seen_first = Reading(model, 0)(model, tokens, positions, numbers)
    query = model.bert.encoder.layer[0].attention.self.query
    assert torch.allclose(seen_first.relations[0], query(states[0]), atol=1e-5)
    assert [tuple(part.shape) for part in seen.relations] == [(1, 20, 32)] * 3


# --- losses -----------------------------------------------------------------------------------------------------------


def test_relation_divergence_is_the_one_computed_by_hand() -> None:
    generator = torch.Generator().manual_seed(0)
    student, teacher = torch.randn(1, 5, 8, generator=generator), torch.randn(1, 5, 12, generator=generator)
    documents = torch.tensor([[1, 1, 1, 2, 0]])
    found = float(relation_divergence(student, teacher, documents, heads=2))
    total = []
    for token, document in enumerate([1, 1, 1, 2]):
        others = [n for n, number in enumerate([1, 1, 1, 2]) if number == document]
        for head in range(2):
            rows = []
            for values, size in ((teacher, 6), (student, 4)):
                part = values[0, :, head * size : (head + 1) * size].double().numpy()
                rows.append(softmax(part[others] @ part[token] / math.sqrt(size)))
            total.append(entropy(rows[0], rows[1]))
    assert found == pytest.approx(np.mean(total), rel=1e-5)


def test_losses_of_a_teacher_that_learns_from_itself_are_zero() -> None:
    model = network()
    losses = Losses(mlm=1.0, logits=1.0, relations=1.0, states=1.0, relation_heads=4, teacher_layer=2)
    found = DistillationLoss(model, losses, network()).measured(model, batch())
    assert float(found.tokens["logits"].detach().abs().max()) == pytest.approx(0, abs=1e-5)
    assert found.rows["relations"].detach().numpy() == pytest.approx(0, abs=1e-6)
    assert found.rows["states"].detach().numpy() == pytest.approx(0, abs=1e-5)
    assert float(found.tokens["mlm"].detach().min()) > 0


def test_masked_language_modelling_is_the_stock_loss() -> None:
    model = network()
    given = batch()
    given["documents"] = torch.ones_like(given["documents"])
    given["position_ids"] = torch.arange(20).repeat(3, 1)
    stock = model(input_ids=given["input_ids"], labels=given["labels"]).loss
    found = DistillationLoss(model, Losses(mlm=1.0)).measured(model, given)
    assert found.tokens["mlm"].shape == (12,)
    assert float(found.tokens["mlm"].mean().detach()) == pytest.approx(float(stock.detach()), rel=1e-5)


def test_logits_are_compared_at_the_temperature_and_scaled_by_its_square() -> None:
    student, teacher, given = network(seed=1), network(seed=2, hidden_size=48), batch()
    found = DistillationLoss(student, Losses(logits=1.0, temperature=3.0), teacher).measured(student, given)

    def logits(model: Any) -> Tensor:
        seen = Reading(model)(model, given["input_ids"], given["position_ids"], given["documents"], given["chosen"])
        assert seen.logits is not None
        return seen.logits

    expected = 9 * divergence(logits(network(seed=1)), logits(network(seed=2, hidden_size=48)), 3.0)
    assert found.tokens["logits"].detach().numpy() == pytest.approx(expected.detach().numpy(), rel=1e-4)


def test_rows_are_compared_with_what_the_teacher_makes_of_the_whole_text() -> None:
    student, given = network(seed=1), batch()
    teacher: Any = network(seed=2).bert
    losses = Losses(mlm=1.0, relations=1.0, relation_heads=2, teacher_layer=1)
    found = DistillationLoss(student, losses, teacher).measured(student, given)
    whole = torch.where(given["labels"] != IGNORED, given["labels"], given["input_ids"])
    ours = Reading(student, -1)(student, given["input_ids"], given["position_ids"], given["documents"])
    theirs = Reading(teacher, 0)(teacher, whole, given["position_ids"], given["documents"])
    kinds = [
        relation_divergence(a, b, given["documents"], 2) for a, b in zip(ours.relations, theirs.relations, strict=True)
    ]
    expected = torch.stack(kinds).mean(0)
    assert found.rows["relations"].detach().numpy() == pytest.approx(expected.detach().numpy(), rel=1e-5)


def test_a_narrower_student_is_given_a_map_for_its_states() -> None:
    student, teacher = network(), network(seed=1, hidden_size=48)
    found = DistillationLoss(student, Losses(mlm=1.0, states=1.0), teacher.bert).measured(student, batch())
    assert student.bridge.weight.shape == (48, 32)
    found.rows["states"].sum().backward()
    assert float(student.bridge.weight.grad.abs().sum()) > 0


def test_states_by_hand() -> None:
    ours, theirs = (
        torch.tensor([[[1.0, 0.0], [1.0, 1.0], [5.0, 5.0]]]),
        torch.tensor([[[2.0, 0.0], [0.0, 1.0], [1.0, 0.0]]]),
    )
    expected = (0 + 1 - 1 / math.sqrt(2)) / 2
    assert float(state_distance(ours, theirs, torch.tensor([[1, 1, 0]]))) == pytest.approx(expected)


def test_words_are_means_of_their_tokens() -> None:
    values = torch.tensor([[[1.0], [3.0], [10.0], [7.0]]])
    means, there = by_word(values, torch.tensor([[1, 1, 0, 3]]), 3)
    assert means[0, :, 0].tolist() == [2.0, 0.0, 7.0]
    assert there[0].tolist() == [True, False, True]


def test_another_tokenizers_tokens_meet_by_words() -> None:
    """A teacher whose tokens are ours, in other numbers: every word of two tokens is one for it, spelt twice."""
    student, given = network(seed=1), batch()
    teacher: Any = BertModel(BertConfig(**SIZES | {"vocab_size": 90, "hidden_size": 48})).eval()
    given["words"] = torch.where(given["documents"] > 0, torch.arange(2, 22) // 2, 0)  # pairs of tokens
    given |= {
        "other_ids": torch.randint(5, 90, (3, 10)),
        "other_positions": torch.arange(10).repeat(3, 1),
        "other_documents": torch.tensor([1] * 4 + [2] * 5 + [0]).repeat(3, 1),
        "other_words": torch.tensor([1, 2, 3, 4, 5, 6, 7, 8, 9, 0]).repeat(3, 1),
    }
    losses = Losses(mlm=1.0, relations=1.0, states=1.0, relation_heads=4, teacher_layer=2)
    objective = DistillationLoss(student, losses, teacher, same=False)
    found = objective.measured(student, given)
    seen = Reading(teacher, 1)(teacher, *(given[f"other_{name}"] for name in ("ids", "positions", "documents")))
    ours = Reading(student, -1)(student, given["input_ids"], given["position_ids"], given["documents"])
    words = torch.tensor([1] * 4 + [2] * 5).repeat(3, 1)
    kinds = [
        relation_divergence(mine[:, :18].unflatten(1, (9, 2)).mean(2), theirs[:, :9], words, 4)
        for mine, theirs in zip(ours.relations, seen.relations, strict=True)
    ]
    expected = torch.stack(kinds).mean(0).detach().numpy()
    assert found.rows["relations"].detach().numpy() == pytest.approx(expected, rel=1e-4)
    # A word that the teacher does not have counts for nothing: its tokens may be any.
    given["other_words"] = given["other_words"].clone()
    given["other_words"][:, 8] = 0
    before = objective.measured(student, given).rows
    given["words"] = torch.where(given["words"] == 9, 0, given["words"])
    after = objective.measured(student, given).rows
    for name, values in before.items():
        assert values.detach().numpy() == pytest.approx(after[name].detach().numpy(), rel=1e-5)
