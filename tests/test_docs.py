"""Documentation executes: the family in docs/families.md is a family, and every command is one."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import tyro

from subarch.cli import Options
from subarch.testing import check_family

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
        for block in re.findall(
            r"^```(?:sh|bash|console)?\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
        ):
            for line in COMMAND.findall(block.replace("\\\n", " ")):
                found += 1
                try:
                    tyro.cli(Options, args=shlex.split(line))  # type: ignore[call-overload]
                except (SystemExit, ValueError) as error:
                    raise AssertionError(f"{page.name}: subarch {line}: {error}") from error
    assert found > 20
