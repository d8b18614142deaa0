"""What is told of the pick beside its rivals: what held, what did not, and what that means for what is delivered."""

from __future__ import annotations

import examples
import pytest
from laws import changed, goes_through_json, holds, told

from subarch.results.confirm import DifferenceResult


@pytest.mark.parametrize(
    ("mean", "half", "sign"),
    [
        (0.02, 0.01, 1),
        (-0.02, 0.01, -1),
        (0.01, 0.02, 0),
        (0.02, None, 0),  # of one seed
        (0.02, 0.0, 0),  # the same of every seed: no noise was seen, and nothing is known of it
        (0.0, 0.0, 0),
    ],
)
def test_a_difference_is_told_from_noise(mean: float, half: float | None, sign: int) -> None:
    assert DifferenceResult(mean=mean, ci95=half).sign == sign


def test_it_is_a_result() -> None:
    made = examples.confirm()
    holds(made)
    for one in made.networks:
        goes_through_json(one)
    assert "difference" not in made.networks[0].to_json() and "w_after" not in made.networks[1].to_json()


def test_each_network_stands_there_short_and_long() -> None:
    found = told(examples.confirm())
    assert found[0] == (
        "short against long: The order did not hold: 4 layers, hidden 256 is better. Kendall's tau of short and long: "
        "-0.33."
    )
    assert found[1:5] == [
        "network | short error | accuracy, distilled | ± 95 % | each seed | to the pick",
        "2 / 128 (the pick) | 0.125 | 90.0 | 1.0 | 89.0, 91.0 | ",
        "4 / 256 (no. 3) | 0.13 | 92.0 | 1.0 | 91.0, 93.0 | +2.00 ± 0.50",
        "1 / 128 (no. 5) | 0.2 |  |  |  | the loss was nan",
    ]
    assert "1,000 sealed rows; all networks distilled, with the same 2 seeds" in found[5]


def test_of_a_claim_about_w_both_of_them_are_told() -> None:
    pick, rival, lost = examples.confirm().networks
    networks = (
        changed(pick, w_after=(9.0, 11.0)),
        changed(rival, w_after=(7.0, 8.0), difference=DifferenceResult(mean=-2.5, ci95=0.5)),
        lost,
    )
    table = examples.confirm(claim="w", networks=networks).table()
    assert table.columns[2] == "short W" and table.columns[-2:] == ("W after", "to the pick")
    assert [(row[2], *row[-2:]) for row in table.rows] == [
        ("3", "10", ""),
        ("2.5", "7.5", "-2.5 ± 0.5"),
        ("1", "", "the loss was nan"),
    ]


def test_where_the_order_did_not_hold_it_says_what_is_delivered_and_where_the_other_is() -> None:
    advice = examples.confirm().advice
    assert advice.startswith("What is delivered is the certified pick all the same")
    assert advice.endswith("it is in runs/mine/confirm/3/pretrain, to be fine-tuned.")
    assert told(examples.confirm())[-1] == advice
    for verdict in ("held", "not decided"):
        assert examples.confirm(verdict=verdict, better=None).advice == ""
    pick, rival, lost = examples.confirm().networks
    unknown = examples.confirm(networks=(pick, changed(rival, start=None), lost))
    assert unknown.advice.endswith("Judge it on new rows first.")


def test_sealed_rows_that_are_too_much_like_others_are_told_where_there_are_any() -> None:
    assert examples.confirm().apart == ""
    assert examples.confirm(related=100).apart.endswith("On the others: the pick 89.0, no. 3 91.5.")


def test_a_pick_alone_has_no_table() -> None:
    pick = examples.confirm().networks[0]
    found = told(examples.confirm(networks=(pick,), verdict="not decided", better=None, tau=None, reason="No rival."))
    assert found == ["short against long: No rival."]
