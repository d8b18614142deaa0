"""Pieces of a page: whatever they are given is shown as it is, and the whole asks for nothing."""

from __future__ import annotations

import html
import json
import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from outline import Outline

from subarch.telling.page import (
    Cell,
    Html,
    definitions,
    document,
    escape,
    evidence,
    join,
    number_cell,
    section,
    table,
    tag,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.text(), st.text())
def test_text_is_shown_as_it_is(content: str, attribute: str) -> None:
    made = tag("p", content, title=attribute, class_="a", data_value="1").text
    inside = re.fullmatch(r'<p title="([^"]*)" class="a" data-value="1">([^<]*)</p>', made)
    assert inside is not None
    assert (html.unescape(inside[1]), html.unescape(inside[2])) == (
        html.unescape(html.escape(attribute)),
        html.unescape(html.escape(content)),
    )


def test_what_is_markup_already_stays_so() -> None:
    assert tag("p", Html("<b>x</b>"), "<b>").text == "<p><b>x</b>&lt;b&gt;</p>"
    assert escape(3) == "3" and join([Html("a"), Html("b")], ", ").text == "a, b"


@given(JSON)
def test_any_json_is_shown_well_formed(value: Any) -> None:
    outline = Outline(evidence(value).text)
    assert outline.open == []


def test_evidence_by_hand() -> None:
    assert evidence([1234567, True, None, 0.5]).text == "1,234,567, yes, none, 0.5"
    assert evidence({}).text == evidence([]).text == "none"
    assert evidence({"a_b": [{"c": "<"}]}).text == (
        "<dl><dt>a b</dt><dd><ul><li><dl><dt>c</dt><dd>&lt;</dd></dl></li></ul></dd></dl>"
    )
    assert "not stated" in definitions({}).text


def test_a_table_has_a_caption_and_sorts_by_values() -> None:
    rows = [[Cell("a < b"), number_cell(1234.5, lambda value: f"{value:.0f}")], [Cell("c"), number_cell(None, str)]]
    made = table("Two & more", ["Name", "Size"], rows)
    outline = Outline(made.text)
    assert (outline.tables, outline.captions, outline.open) == (1, 1, [])
    assert outline.text == "Two & more Name Size a < b 1234 c –"
    assert re.findall(r'data-value="([^"]*)"', made.text) == ["1234.5", ""]
    assert made.text.count("<button") == 2 and made.text.count('scope="row"') == 2
    assert "<button" not in table("x", ["Name"], [[Cell("a")]], sortable=False).text
    assert 'aria-label="Two &amp; more"' in made.text


def test_a_section_is_named_by_its_heading() -> None:
    made = section("bench", "Speed", tag("p", "x")).text
    assert made == '<section id="bench" aria-labelledby="bench-title"><h2 id="bench-title">Speed</h2><p>x</p></section>'


def test_the_data_of_a_page_cannot_end_their_script() -> None:
    data = {"columns": {"a": ["</script><script>alert(1)</script>", "\u2028"]}, "plots": {}, "costs": ["macs"]}
    page = document("<title> & more", tag("h1", "x"), data)
    inside = re.search(r'<script type="application/json" id="report-data">(.*?)</script>', page, re.DOTALL)
    assert inside is not None and json.loads(inside[1]) == data
    assert "<title>&lt;title&gt; &amp; more</title>" in page
    assert "default-src 'none'" in page and "https://" not in page.split("plotly.js v")[0]
