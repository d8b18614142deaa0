"""What inspect tells."""

from __future__ import annotations

from laws import HOSTILE, changed, goes_through_json, holds, shows_words_as_they_are, told

from subarch.results.inspect import InspectResult, PublishedResult, StockResult

RESULT = InspectResult(
    name="mine",
    architecture={"num_hidden_layers": 4, "hidden_size": 256},
    parameters={"total": 11_000_000, "embeddings": 8_000_000},
    macs_per_token=3_200_000.0,
    sequence_length=128,
    conventions={"total": "the backbone with its embeddings"},
)


def test_it_is_a_result() -> None:
    holds(RESULT)
    assert not {"stock", "published"} & set(RESULT.to_json())
    shows_words_as_they_are(changed(RESULT, conventions={"total": HOSTILE}))


def test_counts_are_exact() -> None:
    assert told(RESULT) == [
        "mine: 4 layers, hidden 256",
        "parameters | exact",
        "total | 11,000,000",
        "embeddings | 8,000,000",
        "operations per token: 3,200,000 at length 128",
        "total: the backbone with its embeddings",
    ]


def test_stock_and_published_figures_stand_beside_them() -> None:
    rows = tuple(
        PublishedResult(
            figure="parameters",
            published=11.2,
            unit="M",
            exact={"total": 11.0},
            reconciles=reconciles,
            reconciles_with_flipped_shape=flipped,
        )
        for reconciles, flipped in ((True, False), (False, True), (False, False))
    )
    stock = StockResult(parameters={"total": 12_000_000, "embeddings": 8_500_000}, note="with biases")
    made = changed(RESULT, stock=stock, published=rows)
    goes_through_json(made)
    found = told(made)
    assert found[1:4] == [
        "parameters | exact | as the stock library runs it",
        "total | 11,000,000 | 12,000,000",
        "embeddings | 8,000,000 | 8,500,000",
    ]
    assert found[6:10] == [
        "figure | published | exact | reconciles",
        "parameters | 11.2 M | 11 (total) | yes",
        "parameters | 11.2 M | 11 (total) | only with the flipped shape",
        "parameters | 11.2 M | 11 (total) | no",
    ]
