"""What a run did after the search: every stage from its own files, or left out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import examples
import plotly.graph_objects as go
import pytest
from outline import Outline, coloured

from subarch.telling.page import join
from subarch.telling.stages import Stage, stages

HOSTILE = "<script>alert(1)</script>"


def put(run: Path, name: str, content: Any) -> None:
    (run / name).parent.mkdir(parents=True, exist_ok=True)
    (run / name).write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")


PRETRAINED = {
    "checkpoint": "pretrain/checkpoint",
    "steps": 20_000,
    "tokens": 81_920_000,
    "tokens_per_second": 12_345.0,
    "accuracy": 0.5432,
    "loss": 2.3456,
    "losses": {"mlm": 1.0, "logits": 0.5, "relations": 0.0, "temperature": 2.0},
}
LOG = [{"step": n, "mlm": 6.0 / n} for n in range(1, 1001)] + [{"step": 500, "held_out_loss": 2.5}]
ROUND = {
    "number": 1,
    "learned_from": 100,
    "scores": {"0": 0.7, "1": 0.8},
    "best": 1,
    "best_so_far": 0.8,
    "mistakes": [3, 5],
    "near": [3],
    "made": 6,
    "kept": [3, 3],
    "refused": {"too near another": 4},
    "surviving": [1],
}
LOOP = {
    "seed": 0,
    "told": "seed 0: two rounds",
    "rounds": [ROUND, {**ROUND, "number": 2, "scores": {"1": 0.9}, "best_so_far": 0.9}],
    "classes": {"praise": 60, "blame": 42},
    "samples": [{"round": 1, "mistake": ["a <film>"], "proposal": ["a play"], "label": "praise"}],
}


def whole(run: Path) -> None:
    made = examples.compress(confirm=examples.confirm()).to_json()
    put(run, "compress.json", made)
    put(run, "pretrain/result.json", PRETRAINED)
    put(run, "pretrain/log.jsonl", "\n".join(map(json.dumps, LOG)))
    tuned = examples.finetune().to_json()
    put(run, "finetune/reviews/finetune.json", {**tuned, "task": HOSTILE})
    put(run, "finetune/zebras/agora/finetune.json", {**tuned, "task": "zebras", "rounds": [LOOP]})
    put(run, "export/export.json", examples.export().to_json())
    put(run, "benchmark.json", examples.bench().to_json())


def text(stage: Stage) -> str:
    outline = Outline(join(stage.content).text)
    assert outline.open == []
    return outline.text


@pytest.fixture
def made(tmp_path: Path) -> dict[str, Stage]:
    whole(tmp_path)
    found = stages(tmp_path)
    keys = ["targets", "ladder", "confirm", "pretraining", "finetuning-0", "finetuning-1", "export", "bench"]
    assert [one.key for one in found] == keys
    return dict(zip(keys, found, strict=True))


def test_a_stage_without_its_files_is_left_out(tmp_path: Path) -> None:
    assert stages(tmp_path) == []
    put(tmp_path, "export/export.json", "{ damaged")
    put(tmp_path, "benchmark.json", {"rows": []})
    put(tmp_path, "compress.json", {"asked": 1})
    assert stages(tmp_path) == []


def test_every_plot_has_its_place_and_plotly_takes_it(made: dict[str, Stage]) -> None:
    for stage in made.values():
        page = join(stage.content).text
        assert page.count('class="plot"') == len(stage.plots)
        for name, plot in stage.plots.items():
            assert f'<div id="{name}"' in page
            go.Figure(coloured(plot["any"]))


def test_targets_come_with_their_verdicts(made: dict[str, Stage]) -> None:
    said = text(made["targets"])
    assert "On 1,000 sealed rows the exported model reaches 90.0, its teacher 95.0 (accuracy)." in said
    assert "Without a search, on the same rows: TF-IDF of words and characters with a linear model 83.0" in said
    assert "times as fast as the teacher: at least 3 asked, 4 measured ✓ met" in said
    assert "points lost: at most 1 asked, 5 measured ✕ missed" in said


def test_short_stands_against_long(made: dict[str, Stage]) -> None:
    said = text(made["confirm"])
    assert "The order did not hold: 4 layers, hidden 256 is better." in said
    assert "4 / 256 (no. 3) 0.13 92.0 1.0 91.0, 93.0 +2.00 ± 0.50" in said
    pick, rivals = made["confirm"].plots["confirm-scores"]["any"]["data"]  # the one that failed has no place
    assert (pick["x"], pick["y"], rivals["x"], rivals["y"]) == ([0.125], [90.0], [0.13], [92.0])
    assert pick["error_y"]["array"] == [1.0]
    # Where it did not hold, what was asked and what came out begins to say so.
    assert "What is delivered is the certified pick all the same" in text(made["targets"])


def test_short_against_long_without_rivals_or_against_it_is_a_sentence(tmp_path: Path) -> None:
    alone = examples.confirm(
        networks=examples.confirm().networks[:1], verdict="not decided", better=None, reason="No rival."
    )
    put(tmp_path, "compress.json", examples.compress(confirm=alone).to_json())
    targets, _, confirmed = stages(tmp_path)
    assert not confirmed.plots and "No rival." in text(confirmed) and "No rival." not in text(targets)


def test_rungs_come_after_the_targets_from_their_own_file_too(made: dict[str, Stage], tmp_path: Path) -> None:
    said = text(made["ladder"])
    assert "1,000 sealed and 400 development rows" in said and "1 tfidf 82.0 83.0 12.0 (9.5 to 14.5)" in said
    put(tmp_path / "alone", "ladder.json", examples.ladder().to_json())
    (alone,) = stages(tmp_path / "alone")
    assert alone.key == "ladder" and text(alone) == said


def test_pretraining_tells_what_was_learned_and_thins_its_curve(made: dict[str, Stage]) -> None:
    said = text(made["pretraining"])
    assert "After 20,000 steps and 81.9 M tokens (12.3 k a second), the student guesses 54.3 %" in said
    assert "It learned from the masked tokens themselves (weight 1), the teacher's distributions (weight 0.5)." in said
    learning, held_out = made["pretraining"].plots["pretraining-loss"]["any"]["data"]
    assert 400 <= len(learning["x"]) <= 500 and held_out["y"] == [2.5]


def test_ways_of_training_stand_beside_each_other(made: dict[str, Stage]) -> None:
    said = text(made["finetuning-0"])
    assert made["finetuning-0"].title == f"Fine-tuning: {HOSTILE}" and HOSTILE in said
    assert "<script" not in join(made["finetuning-0"].content).text
    assert "learned from 8,000, chosen on 1,000" in said and "plain 91.0 1.2 90.0, 92.0 1,200 3e-05" in said
    (columns,) = made["finetuning-0"].plots["finetuning-0-scores"]["any"]["data"]
    assert columns["y"] == [91.0, 95.0] and columns["error_y"]["array"] == pytest.approx([1.2, 0.0])


def test_rounds_of_agora_are_told_one_by_one(made: dict[str, Stage]) -> None:
    said = text(made["finetuning-1"])
    assert "Agora's rounds, seed 0" in said and "seed 0: two rounds." in said
    assert "1 100 80.0 2 1 6 2 4 too near another 2" in said
    assert "by class: praise: 60; blame: 42." in said and "a <film> a play praise" in said
    best, so_far = made["finetuning-1"].plots["finetuning-1-seed-0"]["any"]["data"]
    assert best["y"] == [80.0, 90.0] and so_far["y"] == [80.0, 90.0]


def test_forms_and_networks_are_compared(made: dict[str, Stage]) -> None:
    said = text(made["export"])
    assert "PyTorch 4.00 1.0 – 91.00 – onnx" in said
    assert "onnx 2.00 2.0 18.0 91.00 0 of 1000 1e-06 chosen" in said
    assert "onnx-int8 1.00 4.0 5.0 88.00 41 of 1000 0.25 refused" in said
    bench = made["bench"]
    assert "Ratios: times as fast as ./my-bert in PyTorch, 32-bit floats." in text(bench)
    (columns,) = bench.plots["bench-ratios"]["any"]["data"]
    assert columns["x"] == [5.0, 2.5, 1.0]  # the last is drawn at the top
    assert columns["y"][-1] == "./my-bert pytorch float32"
