"""Documentation executes: the family in docs/families.md is a family."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from subarch.testing import check_family


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
