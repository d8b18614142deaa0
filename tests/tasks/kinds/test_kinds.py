"""The kinds keep what is taken for granted of them, as does one that stands outside of the package."""

from __future__ import annotations

import pytest

from subarch.tasks.kinds.table import KINDS, kind_of
from subarch.testing import KindSuite
from subarch.text.examples import Example


class TestClassification(KindSuite):
    kind = "classification"
    names = ("bad", "good")
    examples = (Example("a bad film", label=0), Example("a good one", label=1), Example("so bad", label=0))
    labels = ("bad", "good", "good") * 4
    wrong = "so so"


class TestRegression(KindSuite):
    kind = "regression"
    examples = (Example("a bad film", label=1.0), Example("a good one", label=4.5), Example("a fine one", label=3.0))
    labels = ("1.5", "4", "3") * 4
    wrong = "many"


class TestChoice(KindSuite):
    kind = "choice"
    examples = (
        Example("it rained", ("the road is wet", "the road is dry"), 0),
        Example("it is night", ("the sun is up", "the moon is up", "it is noon"), 1),
        Example("he fell", ("he flies", "it hurts"), 1),
    )


def test_every_kind_has_a_suite_here() -> None:
    assert {one.kind for one in (TestClassification, TestRegression, TestChoice)} == set(KINDS)


def test_what_is_no_kind_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"'regression', 'classification' or 'choice', or module\.path:Name"):
        kind_of("spans")
    with pytest.raises(ValueError, match="could not be made"):
        kind_of("json:JSONDecoder")
    with pytest.raises(ValueError, match="does not say"):
        kind_of("subarch.tasks.kinds.base:Kind")
