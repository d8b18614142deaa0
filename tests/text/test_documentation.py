"""Installed documentation: the scanner finds what the parser finds, the cleaner keeps prose, the cache heals."""

from __future__ import annotations

import argparse
import ast
import inspect
import statistics
from pathlib import Path

import pytest

from subarch.text import documentation
from subarch.text.documentation import docstrings, installed_documentation, prose


@pytest.mark.parametrize("module", [argparse, statistics, inspect, ast])
def test_scanner_agrees_with_the_parser_on_real_modules(module) -> None:
    source = Path(module.__file__).read_text()

    def parsed(node: ast.AST, path: tuple[str, ...] = ()) -> dict[str, str]:
        found = {}
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node, clean=False)
            literal = text is not None and source.splitlines()[node.body[0].lineno - 1].strip().lstrip("rRuU")[:3]
            if literal in ('"""', "'''"):
                found[".".join(path)] = text
        for child in ast.iter_child_nodes(node):
            named = isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            found |= parsed(child, (*path, child.name) if named else path)
        return found

    expected = parsed(ast.parse(source))
    scanned = dict(docstrings(source))
    # A function under a module-level "if" gets a path through its neighbour: a rare oddity of not parsing.
    assert len(expected.keys() - scanned.keys()) <= max(2, 0.03 * len(expected))
    texts = {text.replace("\\", "") for text in scanned.values()}
    found = [text for text in expected.values() if text.replace("\\", "") in texts]
    assert len(found) >= 0.98 * len(expected)


def test_prose_drops_code_and_markup() -> None:
    assert prose("Return the ``norm`` of :class:`~torch.Tensor` `x`, as in [1]_ or the paper.") == (
        "Return the norm of torch.Tensor x, as in or the paper."
    )
    assert prose("    x : array_like, optional\n        The values to be sorted by the function.") == (
        "The values to be sorted by the function."
    )
    assert prose(":param int x: the number of the rows in a table") == "the number of the rows in a table"
    assert prose("x (int, *optional*): The number of the rows in a table.") == "The number of the rows in a table."
    for code in (
        ">>> print('this is the end of it')\nthis is the end",
        "Parameters\n----------",
        "a = b + c(d, e) * [1, 2]",
    ):
        assert prose(code) == ""


def test_small_tree_is_cached_and_damaged_caches_are_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(documentation, "PACKAGES", {"rich": "rich"})
    first = installed_documentation(cache=tmp_path)
    (path,) = tmp_path.iterdir()
    content = path.read_bytes()
    assert installed_documentation(cache=tmp_path) == first and not caplog.records
    for damaged in (content[: len(content) // 2], b"", b"\0" * 100, content[:500] + b"\1" + content[501:]):
        path.write_bytes(damaged)
        assert documentation._load(path) is None
    assert installed_documentation(cache=tmp_path) == first
    assert path.read_bytes() == content
    (tmp_path / "file").write_text("")
    assert (
        installed_documentation(cache=tmp_path / "file" / "no folder") == first
    )  # cannot be cached, works all the same


def test_the_default_corpus_is_large_english_and_without_repetition() -> None:
    documents = installed_documentation()
    text = [document.text for document in documents]
    assert sum(map(len, text)) > 10_000_000
    assert len(set(text)) == len(text)
    words = " ".join(text[::50]).split()
    assert 0.04 < sum(word.lower() == "the" for word in words) / len(words) < 0.12  # plain English has 5 to 7 %
    assert {"python", "numpy", "torch", "transformers"} <= {document.package for document in documents}
