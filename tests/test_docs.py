"""Documentation executes: the family in docs/families.md is a family, and every command is one."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
import tyro
from nbclient import NotebookClient

from subarch.cli import Options
from subarch.testing import check_family

BLOCK = re.compile(r"^```(.*)\n((?s:.*?))^```$", re.MULTILINE)
COMMAND = re.compile(r"^(?:\$ )?subarch (.+?)(?: +#.*)?$", re.MULTILINE)


def test_the_family_of_the_documentation_conforms(repository: Path) -> None:
    text = (repository / "docs" / "families.md").read_text(encoding="utf-8")
    first = re.findall(r"```python\n(.*?)```", text, re.DOTALL)[0]
    names: dict[str, Any] = {"__name__": "mine"}
    exec(compile(first, "mine.py", "exec"), names)
    check_family(names["Mine"]())


def test_every_link_inside_the_repository_leads_somewhere(repository: Path) -> None:
    pages = [*repository.glob("*.md"), *(repository / "docs").glob("*.md"), *(repository / "benchmarks").glob("*.md")]
    for page in pages:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_command_of_the_documentation_has_the_options_that_it_is_given(repository: Path) -> None:
    found = 0
    for page in [repository / "README.md", *(repository / "docs").glob("*.md")]:
        # Fences come in pairs: looked for one at a time, the end of one block would pass for the beginning of another.
        for language, block in BLOCK.findall(page.read_text(encoding="utf-8")):
            if language not in ("", "sh", "bash", "console"):
                continue
            for line in COMMAND.findall(block.replace("\\\n", " ")):
                found += 1
                try:
                    tyro.cli(Options, args=shlex.split(line))  # type: ignore[call-overload]
                except (SystemExit, ValueError) as error:
                    if isinstance(error, SystemExit) and error.code == 0:
                        continue  # --help
                    raise AssertionError(f"{page.name}: subarch {line}: {error}") from error
    assert found > 20


@pytest.mark.parametrize("name", ["search", pytest.param("torus", marks=pytest.mark.slow)])
def test_notebooks_run(name: str, repository: Path, tmp_path: Path) -> None:
    folder = repository / "docs" / "notebooks"
    notebook = nbformat.read(folder / f"{name}.ipynb", as_version=4)
    NotebookClient(notebook, timeout=1800, resources={"metadata": {"path": str(folder)}}).execute()
    told = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert sum("image/png" in output.get("data", {}) for output in told) >= 1
    said = " ".join(output["data"].get("text/plain", "") for output in told if "data" in output)
    assert {"search": "certified", "torus": "(1, 2, 1)"}[name] in said


def test_the_site_builds_offline_without_a_warning(repository: Path, tmp_path: Path) -> None:
    line = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    built = subprocess.run(
        line, cwd=repository, capture_output=True, text=True, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    )
    assert built.returncode == 0, built.stderr
    pages = [*(tmp_path / "site").rglob("*.html")]
    assert len(pages) >= 15
    text = (tmp_path / "site" / "commands.html").read_text(encoding="utf-8")
    assert "--max-drop" in text and "--sequence-length" in text
    assert "CompressOptions" in (tmp_path / "site" / "api.html").read_text(encoding="utf-8")
    for page in pages:  # nothing is fetched while reading
        assert not re.search(r'<(?:script|link|img)[^>]+(?:src|href)="https?://', page.read_text(encoding="utf-8")), (
            page
        )
