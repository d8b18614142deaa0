"""The model card: what the hub reads of it, and that names mean nothing to Markdown."""

from __future__ import annotations

from typing import Any

import examples
import pytest
from hypothesis import given
from hypothesis import strategies as st

from subarch.results.compress import CompressResult
from subarch.results.finetune import FinetuneResult
from subarch.telling.card import render_card

yaml: Any = pytest.importorskip("yaml")


def tuned(**given: Any) -> FinetuneResult:
    """A fine-tuning on a table with one column of texts."""
    return examples.finetune(text_columns=("text",), label_column="label", **given)


def made(**given: Any) -> CompressResult:
    return examples.compress(**({"finetune": tuned()} | given))


def card(result: CompressResult) -> tuple[dict[str, Any], str]:
    """Its metadata, and its text."""
    _, front, text = render_card(result, "subarch compress --speedup 3").split("---\n", 2)
    return yaml.safe_load(front), text


def test_the_hub_reads_task_data_and_score() -> None:
    metadata, _ = card(made())
    assert metadata["library_name"] == "transformers" and metadata["pipeline_tag"] == "text-classification"
    (index,) = metadata["model-index"]
    assert index["name"] == "subarch student of my-bert"
    (result,) = index["results"]
    assert result["dataset"] == {"name": "reviews", "type": "reviews", "split": "sealed"}
    assert result["metrics"] == [{"type": "accuracy", "value": 0.9, "name": "on sealed rows, as exported"}]


@given(name=st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).filter(lambda name: "/" not in name))
def test_any_name_of_a_file_is_read_again(name: str) -> None:
    metadata, text = card(made(task=f"{name}.csv"))
    assert metadata["model-index"][0]["results"][0]["dataset"]["name"] == f"{name}.csv"
    assert text.lstrip("\n").splitlines()[0].startswith("# A small model for ")


def test_names_are_no_markup() -> None:
    _, text = card(made(finetune=tuned(label_names=("*bold*", "<img src=x>", "a|b", "[link](x)"))))
    assert r"sorted into: \*bold\*, \<img src=x\>, a\|b, \[link\](x)." in text


def test_every_table_and_target_is_there() -> None:
    _, text = card(made())
    assert "- met: times as fast as the teacher: at least 3 asked, 4 measured" in text
    assert "- **missed**: points lost: at most 1 asked, 5 measured" in text
    assert "| plain | 91.0 | 1.2 | 90.0, 92.0 | 1,200 | 3e-05 |" in text
    assert "| teacher | 95.0 |  | 95.0 |  | 3e-05 |" in text
    assert "As exported (onnx): 90.0, that is +5.0 points of loss against the teacher." in text
    assert "| its teacher | pytorch | float32 | 2 | 1 | 128 | 10.00 | 12.00 | 1.0 | 440 | 340 |" in text
    assert "| this model | onnxruntime | float32 | 2 | 1 | 128 | 2.00 | 2.50 | 5.0 | 12 | 340 |" in text
    assert "| 2 / 128 | 4.4 M | 50 M | 2.00 ms | 0.125 | w (certified), knee |" in text
    assert "Verdict: certified. The extracted architecture reaches at least 95 %" in text
    assert text.rstrip().endswith(
        "`subarch compress --speedup 3`, with recipe.toml. Seeds, versions and data: manifest.json."
    )
    tables = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
    assert len(tables) == 4
    for table in tables:  # every row has as many cells as its header
        assert len({line.count("|") for line in table}) == 1 and all(line.endswith("|") for line in table)


def test_short_against_long_has_its_section_where_it_was_asked_for() -> None:
    _, without = card(made())
    assert "## Short against long" not in without
    _, text = card(made(confirm=examples.confirm()))
    section = text.partition("## Short against long")[2].partition("\n## ")[0]
    assert "**The order did not hold: 4 layers, hidden 256 is better." in section
    assert "| 4 / 256 (no. 3) | 0.13 | 92.0 | 1.0 | 91.0, 93.0 | +2.00 ± 0.50 |" in section
    assert "What is delivered is the certified pick all the same" in section


def test_numbers_have_no_classes() -> None:
    metadata, text = card(made(finetune=tuned(kind="regression", label_names=())))
    assert metadata["model-index"][0]["results"][0]["dataset"]["type"] == "text"
    assert "in their language, to a number." in text
