"""What proposals are made of, and the ways of making them: the files of :mod:`subarch.learning.proposals`.

A further way is a further file, known by its name: ``make(ingredients)`` gives a proposal function
(:mod:`subarch.agora.proposals`) on examples, ``NEEDS`` names what it cannot do without. New examples have no label: the
teacher gives them one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Literal, Protocol, cast

from transformers import PreTrainedModel, PreTrainedTokenizerFast

from subarch.agora.proposals import ProposalFunction, Space
from subarch.text.examples import Example

Need = Literal["pool", "language model"]


@dataclass(frozen=True, kw_only=True)
class Ingredients:
    """What proposals can be made of.

    Attributes:
        student: a fresh one.
        tokenizer: of the student.
        length: tokens that it reads.
        space: where examples lie.
        pool: unlabelled examples; none where none were given.
        language_model: opens a masked language model and its tokenizer; None where there is none.
        common: texts that stay as they are, as the task has them.
    """

    student: Callable[[], PreTrainedModel]
    tokenizer: PreTrainedTokenizerFast
    length: int
    space: Space[Example]
    pool: Sequence[Example] = ()
    language_model: Callable[[], tuple[PreTrainedModel, PreTrainedTokenizerFast]] | None = None
    common: frozenset[str] = frozenset()


class Way(Protocol):
    """A module of this package."""

    NEEDS: frozenset[Need]

    def make(self, ingredients: Ingredients, /) -> ProposalFunction[Example]:
        """The function, ready to propose."""
        ...


def way(name: str) -> Way:
    """The way of that name, one of :data:`subarch.options.tasks.PROPOSALS`."""
    return cast("Way", import_module(f"subarch.learning.proposals.{name}"))
