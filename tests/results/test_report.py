"""A page, as a path and as a notebook shows it."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

from laws import holds, told

from subarch.results.report import Page, ReportResult


def test_it_is_a_result() -> None:
    holds(ReportResult(path=Page("runs/mine/report.html")))
    assert told(ReportResult(path=Page("report.html"))) == ["wrote report.html"]
    again = ReportResult.from_json(json.loads('{"path": "report.html"}'))
    assert isinstance(again.path, Page)


def test_the_page_is_a_path_wherever_python_takes_one(tmp_path: Path) -> None:
    page = Page(tmp_path / "report.html")
    Path(page).write_text("<p>whole</p>", encoding="utf-8")
    with open(page, encoding="utf-8") as file:  # noqa: PTH123
        assert file.read() == "<p>whole</p>"
    assert json.loads(json.dumps([page])) == [str(tmp_path / "report.html")]


def test_a_notebook_shows_it_in_a_frame_of_its_own(tmp_path: Path) -> None:
    content = '<p class="a">"quoted" & \'so\'</p><script>1 < 2</script>'
    page = Page(tmp_path / "report.html")
    Path(page).write_text(content, encoding="utf-8")
    shown = ReportResult(path=page)._repr_html_()  # pyright: ignore[reportPrivateUsage]
    inside = re.fullmatch(r'<iframe srcdoc="([^"]*)" sandbox="allow-scripts" [^>]*></iframe>', shown)
    assert inside is not None and html.unescape(inside[1]) == content
