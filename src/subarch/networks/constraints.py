"""Conditions on architectures, in a small language of their own that is interpreted and never run as Python."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from subarch.errors import InputError

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


_TERMS = (ast.Name, ast.Load, ast.Constant, ast.UnaryOp, ast.USub, ast.BinOp, *_BINARY)
_LANGUAGE = (*_TERMS, ast.BoolOp, ast.And, ast.Or, ast.Not, ast.Compare, *_COMPARE)


@dataclass(frozen=True)
class Constraint:
    """A condition that every architecture of a space meets, such as ``"hidden_size % num_heads == 0"``.

    The expression may use parameter names, numbers, strings, ``+ - * / // %``, comparisons, ``and``, ``or`` and
    ``not``. It is parsed once and interpreted, never passed to ``eval``, and evaluates whole columns of choices.

    Raises:
        ValueError: for anything outside that language.
    """

    expression: str

    def __post_init__(self) -> None:
        for node in ast.walk(self._tree):
            operators = [getattr(node, "op", ast.Add()), *getattr(node, "ops", ())]
            literal = not isinstance(node, ast.Constant) or isinstance(node.value, (int, float, str))
            if not isinstance(node, _LANGUAGE) or not literal or not all(isinstance(op, _LANGUAGE) for op in operators):
                raise InputError(
                    f"constraint {self.expression!r} uses {ast.unparse(node)!r}: only parameter names, numbers, "
                    "strings, + - * / // %, comparisons, and, or, not are allowed"
                )

    @cached_property
    def _tree(self) -> ast.expr:
        try:
            return ast.parse(self.expression, mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise InputError(f"constraint {self.expression!r} is not an expression: {error}") from error

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The parameters that the expression mentions."""
        return tuple(sorted({node.id for node in ast.walk(self._tree) if isinstance(node, ast.Name)}))

    def holds(self, columns: Mapping[str, Any]) -> Any:
        """Truth of the condition for scalars, or elementwise for NumPy columns of equal length.

        Raises:
            ValueError: where it divides by zero and nothing else decides it, or mixes numbers and strings.
        """
        truth, undefined = self.decided(columns)
        if np.any(undefined):
            raise InputError(f"constraint {self.expression!r} divides by zero: guard it, or change the choices")
        return truth

    def decided(self, columns: Mapping[str, Any]) -> tuple[Any, Any]:
        """Truth, and where that is undefined, as something divides by zero there; it counts as false there.

        ``b == 0 or a % b == 0`` is defined everywhere: what does not matter may be undefined.
        """
        try:
            with np.errstate(divide="ignore", invalid="ignore"):
                return self._truth(self._tree, columns)
        except (TypeError, ValueError) as error:
            raise InputError(f"constraint {self.expression!r} mixes numbers and strings: {error}") from error

    def _truth(self, node: ast.expr, columns: Mapping[str, Any]) -> tuple[Any, Any]:
        """(true, undefined) of a condition; never both. A number is true where it is not zero, as in Python."""
        if isinstance(node, ast.BoolOp):
            decides = isinstance(node.op, ast.Or)  # one true term decides an `or`, one false term an `and`
            settled, undefined = np.False_, np.False_
            for term in node.values:
                true, unknown = self._truth(term, columns)
                settled = settled | (true if decides else ~(true | unknown))
                undefined = undefined | unknown
            undefined = undefined & ~settled
            return (settled if decides else ~settled & ~undefined), undefined
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            true, undefined = self._truth(node.operand, columns)
            return ~true & ~undefined, undefined
        if isinstance(node, ast.Compare):
            true, undefined = np.True_, np.False_
            sides = [self._value(side, columns) for side in (node.left, *node.comparators)]
            for op, (left, one), (right, other) in zip(node.ops, sides, sides[1:], strict=False):
                true = true & np.asarray(_COMPARE[type(op)](left, right), dtype=np.bool_)[()]
                undefined = undefined | one | other
            return true & ~undefined, undefined
        value, undefined = self._value(node, columns)
        return np.asarray(value, dtype=np.bool_)[()] & ~undefined, undefined

    def _value(self, node: ast.expr, columns: Mapping[str, Any]) -> tuple[Any, Any]:
        """(value, undefined) of a term."""
        if isinstance(node, ast.Name):
            return columns[node.id], np.False_
        if isinstance(node, ast.Constant) and isinstance(node.value, (int, float, str)):
            return node.value, np.False_
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            value, undefined = self._value(node.operand, columns)
            return -value, undefined
        if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
            (left, one), (right, other) = (self._value(side, columns) for side in (node.left, node.right))
            undefined = one | other
            if isinstance(node.op, (ast.Div, ast.FloorDiv, ast.Mod)):
                zero = np.asarray(np.equal(right, 0), dtype=np.bool_)[()]
                undefined, right = undefined | zero, np.where(zero, 1, right)[()]
            return _BINARY[type(node.op)](left, right), undefined
        true, undefined = self._truth(node, columns)
        return np.asarray(true).astype(np.int64)[()], undefined  # as Python adds: True is 1
