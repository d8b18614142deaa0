"""Recipes: what stands in them, what is changed, what is refused."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from subarch.options.recipes import presets, read_recipe, written


def test_the_presets_are_there_and_fit_their_options() -> None:
    assert presets() == ("bort", "cluster", "gpu", "laptop")
    for name in presets():
        assert read_recipe(name)["pretrain"]["steps"] > 0


def test_the_published_settings_are_those_of_the_released_script() -> None:
    found = read_recipe("bort")
    assert [found["pretrain"][name] for name in ("mlm", "logits", "temperature")] == [0.1, 0.5, 2.0]
    assert (found["pretrain"]["steps"], found["pretrain"]["sequence_length"]) == (2_000_000, 512)
    assert found["extract"]["steps"] == "3"


def test_a_recipe_says_what_differs_from_laptop_and_changes_go_before_it(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[pretrain]\nsteps = 7\n[extract]\nsteps = 20\n", encoding="utf-8")
    found = read_recipe(
        str(file), ["pretrain.corpus=./texts", "finetune.learning-rates=[1, 2e-5]", "extract.epsilon=0.3"]
    )
    assert found["pretrain"] == read_recipe("laptop")["pretrain"] | {"steps": 7, "corpus": Path("./texts")}
    assert found["finetune"]["learning_rates"] == (1.0, 2e-5)
    assert (found["extract"]["steps"], found["extract"]["epsilon"]) == ("20", 0.3)


@pytest.mark.parametrize("name", ["bort", "cluster", "gpu", "laptop"])
def test_what_is_written_is_read_again(name: str, tmp_path: Path) -> None:
    settings = read_recipe(name, ["pretrain.corpus=a b/c", "task.text_columns=['x \"y\"']"])
    file = tmp_path / "again.toml"
    file.write_text(written(settings), encoding="utf-8")
    assert tomllib.loads(file.read_text(encoding="utf-8"))["pretrain"]["corpus"] == "a b/c"
    assert read_recipe(str(file)) == settings


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("pretrain.step=5", "did you mean 'steps'"),
        ("pretrian.steps=5", "did you mean 'pretrain'"),
        ("pretrain.steps=many", "must be an integer"),
        ("pretrain.steps=true", "must be an integer"),
        ("pretrain.steps", "section.key=value"),
        ("agora.near=far", "one of taught, all"),
        ("finetune.learning_rates=1e-4", "must be a list"),
        ("extract.source=x", "has no 'source'"),
        ("agora.teacher=x", "has no 'teacher'"),
    ],
)
def test_a_wrong_change_is_refused_with_what_was_expected(change: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_recipe("laptop", [change])


@pytest.mark.parametrize(
    ("content", "said"),
    [("steps = 3\n", "expected sections"), ("[pretrain\n", "is not TOML"), ("[train]\nx = 1\n", "no section 'train'")],
)
def test_a_wrong_file_is_refused(content: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=said):
        read_recipe(str(file))


def test_a_recipe_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="one of bort, cluster, gpu, laptop"):
        read_recipe("laptpo")
    with pytest.raises(ValueError, match="cannot be read"):
        read_recipe(str(tmp_path / "none.toml"))
