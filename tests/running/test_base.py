"""What a form says of itself where it says nothing, and packages that are not there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from subarch.running.base import Artifact, Inputs, Program, TextProgram, optional_package
from subarch.running.graphs import Graph
from subarch.text.examples import Example


class Sum:
    inputs = ("input_ids",)

    def __call__(self, inputs: Inputs, /) -> NDArray[np.float32]:
        return inputs["input_ids"].sum(1, keepdims=True).astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class Adding(Artifact):
    """A runtime that adds."""

    def write(self, graph: Graph, folder: Path, calibration: Sequence[Inputs]) -> None:
        (folder / self.file).write_text("sum")

    def open(self, folder: Path, threads: int | None = None, passes: int | None = 1) -> Program:
        return Sum()


def test_a_form_needs_to_say_how_it_is_written_and_opened_alone(tmp_path: Path) -> None:
    form = Adding(name="adding-int8", precision="int8", file="sum.txt")
    form.require()
    assert form.files() == ("sum.txt",) and form.runtime == "adding"
    assert (form.extra, form.made_from, form.company_counts) == (None, None, False)
    assert form.requirements(tmp_path).to_json() == {"runtime": "adding", "opsets": {}}
    assert form.open(tmp_path)({"input_ids": np.array([[1, 2], [3, 4]])}).tolist() == [[3], [7]]


def test_half_a_form_is_none() -> None:
    with pytest.raises(TypeError, match="abstract"):
        Artifact(name="half", precision="float32", file="half.txt")  # type: ignore[abstract]


def test_texts_are_answered_without_tokens() -> None:
    class Length(TextProgram):
        def texts(self, examples: Sequence[Example], /) -> NDArray[np.float32]:
            return np.array([[len(one.first)] for one in examples], np.float32)

    assert Length().inputs == () and Length().texts([Example("four")]).tolist() == [[4]]


def test_an_optional_package_is_imported_or_its_extra_named() -> None:
    assert optional_package("json", "all", "JSON is needed").loads("1") == 1
    with pytest.raises(ImportError, match=r"It is needed: pip install 'subarch\[all\]'"):
        optional_package("subarch_no_such_package", "all", "It is needed")
