"""What finetune tells."""

from __future__ import annotations

import shlex
from pathlib import Path

import examples
from laws import HOSTILE, goes_through_json, holds, is_frozen, shows_words_as_they_are, told

from subarch.results.finetune import ChosenResult, LoopResult

UNRELATED = (
    "None of the sealed rows are near copies of rows that were learned from or chosen on, contain or lie in one, or "
    "share a long text with one."
)


def test_it_is_a_result() -> None:
    holds(examples.finetune())
    goes_through_json(examples.method(ci95=None))
    is_frozen(examples.method())
    assert not {"rounds", "chosen", "classes"} & set(examples.finetune().to_json())
    shows_words_as_they_are(examples.finetune(task=HOSTILE))


def test_every_way_of_training_has_a_row() -> None:
    assert told(examples.finetune(text_columns=("title", "text"), label_column="stars")) == [
        "reviews.csv: accuracy on 1,000 sealed examples; learned from 8,000, chosen on 1,000",
        "columns: title, text to stars",
        "way of training | mean | ± 95 % | each seed | steps | learning rate",
        "plain | 91.0 | 1.2 | 90.0, 92.0 | 1,200 | 3e-05",
        "teacher | 95.0 |  | 95.0 |  | 3e-05",
        UNRELATED,
        "wrote runs/mine/finetune/reviews/checkpoint",
        "go on with: subarch predict runs/mine/finetune/reviews/checkpoint --data FILE",
    ]


def test_with_agora_rows_stand_against_the_teacher_and_loops_tell_themselves() -> None:
    found = told(
        examples.finetune(
            rows=(examples.method("agora", learning_rate=None, to_teacher=-0.021),),
            rounds=(
                LoopResult(seed=0, told="seed 0: 3 rounds", rounds=()),
                LoopResult(seed=1, told="seed 1: 2 rounds", rounds=()),
            ),
            chosen=ChosenResult(way="agora", development={}, told="agora is kept: the best on development data"),
            classes=examples.CLASSES,
            by_class=examples.BY_CLASS,
        )
    )
    assert found[1:7] == [
        "way of training | mean | ± 95 % | each seed | steps | to the teacher",
        "agora | 91.0 | 1.2 | 90.0, 92.0 | 1,200 | -2.1",
        UNRELATED,
        "seed 0: 3 rounds",
        "seed 1: 2 rounds",
        "agora is kept: the best on development data",
    ]
    assert "praise | 60 | 58 | 54 | 0.900 | 0.915" in found


def test_relatives_among_the_sealed_rows_are_told() -> None:
    rows = (examples.method(apart=0.895),)
    found = told(examples.finetune(rows=rows, related=100))
    assert any(line.startswith("100 of the 1,000 sealed rows (10 %)") and "plain 89.5" in line for line in found)


def test_the_checkpoint_is_a_path_again() -> None:
    made = examples.finetune()
    again = type(made).from_json(made.to_json())
    assert again.checkpoint == Path("runs/mine/finetune/reviews/checkpoint") and again.rows == made.rows


def test_the_command_that_comes_next_can_be_typed_where_a_run_has_spaces_in_its_name() -> None:
    (line,) = [one for one in told(examples.finetune(checkpoint=Path("my runs/checkpoint"))) if "go on with: " in one]
    command = shlex.split(line.removeprefix("go on with: "))
    assert command == ["subarch", "predict", "my runs/checkpoint", "--data", "FILE"]
