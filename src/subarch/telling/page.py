"""The page around a report: pieces of HTML that escape what they are given, the style sheet and the script.

Nothing here may make a browser ask for anything: system fonts only, plotly.js inlined, and a content security policy
that forbids every request should some part of plotly.js ever want to make one.
"""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import plotly.offline

from subarch import __version__
from subarch.results.base import Rows
from subarch.results.wording import ABSENT, decimal, finite, whole

# plotly.js compiles its WebGL helpers with `new Function`, hence 'unsafe-eval'; nothing can be fetched all the same.
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; "
    "img-src data: blob:; worker-src blob:; base-uri 'none'; form-action 'none'"
)


GENERATOR = f'<meta name="generator" content="subarch {__version__}">'
"""In every page: what wrote it."""


@dataclass(frozen=True)
class Html:
    """Text that is HTML already; every other text is escaped where it enters the page."""

    text: str


@dataclass(frozen=True)
class Cell:
    """A table cell that is sorted by ``value`` and shows ``text``."""

    text: str | Html
    value: float | str | None = None
    numeric: bool = False


def escape(value: object) -> str:
    """Return ``value`` as HTML text."""
    return value.text if isinstance(value, Html) else html.escape(str(value), quote=True)


def tag(name: str, *content: object, **attributes: str) -> Html:
    """Build one element; content is escaped unless it is :class:`Html`, ``class_`` stands for ``class``."""
    shown = "".join(f' {key.rstrip("_").replace("_", "-")}="{html.escape(text)}"' for key, text in attributes.items())
    return Html(f"<{name}{shown}>{''.join(escape(one) for one in content)}</{name}>")


def join(parts: Iterable[Html], between: str = "") -> Html:
    """Join pieces of HTML."""
    return Html(between.join(part.text for part in parts))


def section(identifier: str, title: str, *content: Html) -> Html:
    """Build one part of the page with its heading."""
    heading = tag("h2", title, id=f"{identifier}-title")
    return tag("section", heading, *content, id=identifier, aria_labelledby=f"{identifier}-title")


def table(caption: str, header: Sequence[str], rows: Iterable[Sequence[Cell]], *, sortable: bool = True) -> Html:
    """Build a table that scrolls inside its own box.

    Sortable ones are sorted by a press on a column's head; the others are for reading and stack up on a narrow screen.
    """
    body: list[Html] = []
    numeric: list[bool] = [False] * len(header)
    for row in rows:
        numeric = [cell.numeric for cell in row]
        body.append(tag("tr", *(_cell(cell, first=not place) for place, cell in enumerate(row))))
    heads = [
        tag(
            "th",
            tag("button", text, type="button") if sortable else text,
            scope="col",
            class_="number" if right else "",
        )
        for text, right in zip(header, numeric, strict=True)
    ]
    title = tag("caption", tag("span", caption))
    look = "sortable" if sortable else "reading"
    content = tag("table", title, tag("thead", tag("tr", *heads)), tag("tbody", *body), class_=look)
    return tag("div", content, class_="scroll", tabindex="0", role="region", aria_label=caption)


def _cell(cell: Cell, *, first: bool) -> Html:
    attributes = {"class_": "number"} if cell.numeric else {}
    if cell.value is not None:
        attributes["data_value"] = str(cell.value)
    return tag("th", cell.text, scope="row", **attributes) if first else tag("td", cell.text, **attributes)


def listed(caption: str, rows: Rows) -> Html:
    """A table that a result gives; columns of numbers sort by them."""
    columns = list(zip(*rows.rows, strict=True)) or [()] * len(rows.columns)
    numeric = [any(column) and all(_number(text) is not None for text in column if text) for column in columns]
    cells = [
        [
            Cell(text or "–", _number(text), numeric=True) if right else Cell(text)
            for text, right in zip(row, numeric, strict=True)
        ]
        for row in rows.rows
    ]
    return table(caption, [name[:1].upper() + name[1:] for name in rows.columns], cells)


def _number(text: str) -> float | None:
    try:
        return float(text.replace(",", ""))
    except ValueError:
        return None


def number_cell(value: object, write: Callable[[float], str]) -> Cell:
    """Build a cell of a number, a dash where there is none; it sorts by the number itself."""
    number = finite(value)
    return Cell("–" if number is None else write(number), "" if number is None else number, numeric=True)


def definitions(values: Mapping[str, Any]) -> Html:
    """Show any JSON object as names and values, objects inside it included."""
    items: list[Html] = []
    for name, value in values.items():
        items += [tag("dt", str(name).replace("_", " ")), tag("dd", evidence(value))]
    return tag("dl", *items) if items else tag("p", ABSENT, class_="note")


def evidence(value: object) -> Html:
    """Show any JSON value: text as it stands, numbers with separators, lists and objects in a readable form."""
    if isinstance(value, Mapping):
        return definitions({str(name): one for name, one in value.items()}) if value else Html("none")
    if isinstance(value, list | tuple):
        if any(isinstance(one, Mapping) for one in value):
            return tag("ul", *(tag("li", evidence(one)) for one in value))
        return Html(", ".join(evidence(one).text for one in value)) if value else Html("none")
    if value is None:
        return Html("none")
    if isinstance(value, bool):
        return Html("yes" if value else "no")
    if isinstance(value, int):
        return Html(whole(value))
    return Html(escape(decimal(value, 6) if isinstance(value, float) else value))


def chart(identifier: str, title: str | Html, caption: Html, label: str) -> Html:
    """Build the place of one figure, with its heading and what it shows in words."""
    plot = tag("div", id=identifier, class_="plot", role="img", aria_label=label)
    return tag("figure", tag("figcaption", tag("h3", title), caption), plot)


def document(title: str, body: Html, data: Mapping[str, Any]) -> str:
    """Build the whole page.

    Args:
        title: shown in the browser's tab.
        body: the content of ``main``.
        data: what the script reads: ``columns``, ``plots``, ``costs``.
    """
    # In a script element nothing is an entity: only `<` can end it, and JSON allows to write `<` as an escape.
    payload = json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    library = plotly.offline.get_plotlyjs().replace("</script", "<\\/script")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"{GENERATOR}\n"
        f'<title>{escape(title)}</title>\n<link rel="icon" href="data:,">\n<style>{_STYLE}</style>\n</head>\n<body>\n'
        f"<main>{body.text}</main>\n"
        f'<script type="application/json" id="report-data">{payload}</script>\n'
        f"<script>{library}</script>\n<script>{_SCRIPT}</script>\n</body>\n</html>\n"
    )


_STYLE = """
:root { color-scheme: light dark;
  --paper: #ffffff; --page: #f5f6f8; --ink: #1b2430; --muted: #56606e; --grid: #dfe3e8; --edge: #d5dae1;
  --accent: #0b5cad; --good: #17643a; --good-back: #e2f3e8; --warn: #7a4b00; --warn-back: #fdf0d5;
  --bad: #9b1c1c; --bad-back: #fbe4e4; --untrained: #8a919c; --trained: #0072b2; --front: #d55e00;
  --front-line: #e8a274; --pick-w: #aa3f88; --pick-knee: #00785a; --pick-c: #7a5c00; --band: rgba(0, 114, 178, .13);
  --sans: system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif;
  --mono: ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace; }
@media (prefers-color-scheme: dark) { :root {
  --paper: #1a2029; --page: #12161c; --ink: #e8ecf1; --muted: #a7b1bf; --grid: #313a46; --edge: #343d4a;
  --accent: #7db8f5; --good: #8fdcae; --good-back: #17372a; --warn: #f2c879; --warn-back: #3b2e12;
  --bad: #f5a3a3; --bad-back: #451f1f; --untrained: #8c96a4; --trained: #56b4e9; --front: #f08a3c;
  --front-line: #9a5a2b; --pick-w: #e59ccb; --pick-knee: #3ecf9f; --pick-c: #e8c547; --band: rgba(86, 180, 233, .18);
} }
* { box-sizing: border-box; }
html { scroll-behavior: smooth; -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.55 var(--sans); }
main { max-width: 1180px; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
.eyebrow { font-size: .95rem; font-weight: 600; margin: 0 0 .7rem; color: var(--muted); overflow-wrap: anywhere; }
h2 { font-size: 1.3rem; line-height: 1.3; margin: 0 0 .6rem; }
h3 { font-size: 1.02rem; margin: 0 0 .25rem; }
p { margin: 0 0 .8rem; max-width: 46rem; } header p { max-width: none; }
section > :last-child, header > :last-child { margin-bottom: 0; }
a { color: var(--accent); }
section, header { background: var(--paper); border: 1px solid var(--edge); border-radius: 12px; padding: 1.5rem;
  margin: 0 0 1.25rem; min-width: 0; }
nav { margin: 0 0 1.25rem; font-size: .9rem; display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; }
.note, caption, figcaption p { color: var(--muted); font-size: .9rem; }
.headline { font-size: clamp(1.45rem, 1.1rem + 1.7vw, 2.15rem); line-height: 1.2; font-weight: 650; margin: 0 0 .5rem;
  max-width: none; letter-spacing: -.01em; text-wrap: balance; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: .75rem; margin: 1.2rem 0; }
.tile { border: 1px solid var(--edge); border-radius: 10px; padding: .8rem 1rem; min-width: 0; }
.tile b { display: block; font-size: 1.6rem; line-height: 1.2; font-weight: 650; font-variant-numeric: tabular-nums; }
.tile span { display: block; }
.tile small { display: block; color: var(--muted); font-size: .82rem; margin-top: .25rem; line-height: 1.4;
  font-variant-numeric: tabular-nums; }
.verdict { display: flex; gap: .4rem .9rem; flex-wrap: wrap; align-items: baseline; border-radius: 10px;
  padding: .9rem 1.1rem; }
.verdict p { margin: 0; flex: 1 1 20rem; max-width: none; }
.badge { font-weight: 650; white-space: nowrap; }
.good { color: var(--good); background: var(--good-back); } .warn { color: var(--warn); background: var(--warn-back); }
.bad { color: var(--bad); background: var(--bad-back); }
.verdict p { color: var(--ink); }
.chip { display: inline-block; border-radius: 999px; padding: .08rem .6rem; font-size: .82rem; font-weight: 600;
  white-space: nowrap; }
.grid { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(430px, 100%), 1fr)); gap: 1.5rem; }
figure { margin: 1rem 0 0; min-width: 0; } figure + p { margin-top: .6rem; }
.plot { width: 100%; height: 400px; } #front-3d { height: 560px; } #progress { height: 380px; }
.controls { display: flex; flex-wrap: wrap; gap: .4rem; margin: .6rem 0 .4rem; padding: 0; border: 0; min-width: 0; }
.controls legend { font-size: .85rem; color: var(--muted); padding: 0; margin-bottom: .35rem; }
.controls button, .controls label { font: inherit; font-size: .86rem; line-height: 1.3; color: var(--ink);
  background: none; border: 1px solid var(--edge); border-radius: 999px; padding: .3rem .75rem .3rem .6rem;
  cursor: pointer; display: inline-flex; align-items: center; gap: .45rem; text-align: left; }
.controls button svg { flex: none; }
.controls button[aria-pressed=false] { color: var(--muted); text-decoration: line-through; }
.controls button[aria-pressed=false] svg { opacity: .35; }
.controls input { accent-color: var(--accent); margin: 0; }
button:focus-visible, a:focus-visible, .scroll:focus-visible, summary:focus-visible, label:focus-within {
  outline: 2px solid var(--accent); outline-offset: 2px; }
.scroll { overflow-x: auto; max-width: 100%; margin: .6rem 0 1rem; border: 1px solid var(--edge); border-radius: 8px; }
table { border-collapse: collapse; width: 100%; font-size: .89rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding: .6rem .7rem; }
caption span { display: inline-block; position: sticky; left: .7rem; max-width: calc(100vw - 4.5rem); }
th, td { padding: .45rem .7rem; text-align: left; vertical-align: top; border-top: 1px solid var(--edge); }
tbody th { font-weight: 550; min-width: 13.5rem; }
thead th { color: var(--muted); font-weight: 600; white-space: nowrap; }
.number { text-align: right; white-space: nowrap; }
th button { font: inherit; color: inherit; background: none; border: 0; padding: 0; cursor: pointer; }
th button:hover { text-decoration: underline; }
th[aria-sort=ascending] button::after { content: " \\2191"; }
th[aria-sort=descending] button::after { content: " \\2193"; }
dl { display: grid; grid-template-columns: minmax(7rem, max-content) minmax(0, 1fr); gap: .3rem 1.2rem;
  margin: .3rem 0 1rem;  font-size: .92rem; }
dt { color: var(--muted); } dd { margin: 0; min-width: 0; overflow-wrap: anywhere; }
dd dl, td dl { margin: 0; font-size: 1em; gap: .1rem .8rem; }
td dl { grid-template-columns: max-content minmax(0, 1fr); }
ul { margin: .2rem 0 .8rem; padding-left: 1.2rem; } dd ul { margin: 0; }
pre { font: .88rem/1.5 var(--mono); background: var(--page); border: 1px solid var(--edge); border-radius: 8px;
  padding: .8rem 1rem; margin: 0 0 1rem; white-space: pre-wrap; overflow-wrap: anywhere; }
details { margin: .6rem 0; } summary { cursor: pointer; font-weight: 600; }
@media (max-width: 640px) {
  main { padding: 1rem .6rem 3rem; } section, header { padding: 1.05rem .9rem; border-radius: 10px; }
  .tiles { grid-template-columns: 1fr 1fr; gap: .5rem; }
  .tile { padding: .65rem .75rem; } .tile b { font-size: 1.3rem; }
  .tile:last-child:nth-child(odd) { grid-column: 1 / -1; }
  .plot { height: 340px; } #front-3d { height: 340px; } #progress { height: 400px; }
  dl { grid-template-columns: minmax(0, 1fr); gap: 0; } dd { margin-bottom: .5rem; }
  tbody th { min-width: 9rem; } th, td { padding: .4rem .6rem; } td dl dd { margin: 0; }
  .reading thead { display: none; } .reading tr, .reading td, .reading tbody th { display: block; }
  .reading tr { border-top: 1px solid var(--edge); padding: .35rem 0; }
  .reading td, .reading th { border: 0; padding: .15rem .7rem; } }
@media print { body { background: none; } section, header { break-inside: avoid; border: 0; }
  nav, .controls { display: none; } }
"""

_SCRIPT = """
(() => {
  'use strict';
  const report = JSON.parse(document.getElementById('report-data').textContent);
  const hidden = new Set();
  let cost = report.costs[0];

  const resolve = (value, css) => {
    if (typeof value === 'string') {
      if (value[0] === '@') return report.columns[value.slice(1)];
      return value.startsWith('--') ? css.getPropertyValue(value).trim() : value;
    }
    if (Array.isArray(value)) return value.map(one => resolve(one, css));
    if (value === null || typeof value !== 'object') return value;
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, resolve(one, css)]));
  };

  const draw = () => {
    for (const name of document.querySelectorAll('[data-cost]')) name.textContent = report.costNames[cost];
    const css = getComputedStyle(document.documentElement);
    const touch = matchMedia('(pointer: coarse)').matches;
    const jobs = Object.entries(report.plots).map(([id, variants]) => {
      const place = document.getElementById(id);
      const spec = resolve(variants.any || variants[cost], css);
      for (const trace of spec.data) trace.visible = !hidden.has(trace.meta);
      const narrow = place.clientWidth < 520;
      if (narrow && spec.layout.scene) {
        const eye = spec.layout.scene.camera.eye;
        for (const axis of ['x', 'y', 'z']) eye[axis] *= 1.35;
      }
      const base = { autosize: true, showlegend: false, uirevision: cost, hovermode: 'closest',
        // On a touch screen a drag scrolls the page; only the 3-D view takes it, to be rotated.
        dragmode: id === 'front-3d' ? 'turntable' : touch ? false : 'zoom',
        paper_bgcolor: 'rgba(0,0,0,0)', plot_bgcolor: 'rgba(0,0,0,0)',
        font: { family: '--sans', size: narrow ? 11 : 13, color: '--ink' },
        hoverlabel: { bgcolor: '--paper', bordercolor: '--muted', align: 'left',
          font: { family: '--sans', size: 13, color: '--ink' } },
        modebar: { bgcolor: 'rgba(0,0,0,0)', color: '--muted', activecolor: '--ink' },
        margin: { l: narrow ? 48 : 60, r: 14, t: 30, b: 48 } };
      const config = { responsive: true, displaylogo: false, scrollZoom: false, plotlyServerURL: '',
        displayModeBar: narrow ? false : 'hover',
        modeBarButtons: [id === 'front-3d' ? ['toImage', 'zoom3d', 'tableRotation', 'resetCameraDefault3d']
          : ['toImage', 'zoom2d', 'pan2d', 'resetScale2d']],
        toImageButtonOptions: { filename: 'subarch-' + id, scale: 2 } };
      const layout = { ...resolve(base, css), ...spec.layout };
      return Plotly.react(place, spec.data, layout, config).then(() => { place.dataset.drawn = cost; });
    });
    return Promise.all(jobs);
  };

  for (const button of document.querySelectorAll('button[data-series]')) {
    button.addEventListener('click', () => {
      const shown = button.getAttribute('aria-pressed') === 'true';
      button.setAttribute('aria-pressed', String(!shown));
      hidden[shown ? 'add' : 'delete'](button.dataset.series);
      draw();
    });
  }
  for (const choice of document.querySelectorAll('input[name=cost]')) {
    choice.addEventListener('change', () => { cost = choice.value; draw(); });
  }

  const compare = (a, b) => {
    if (a === '' || b === '') return (a === '') - (b === '');
    const difference = Number(a) - Number(b);
    return Number.isNaN(difference) ? a.localeCompare(b, 'en', { numeric: true }) : difference;
  };
  for (const button of document.querySelectorAll('th button')) {
    button.addEventListener('click', () => {
      const head = button.closest('th');
      const body = head.closest('table').tBodies[0];
      const down = head.getAttribute('aria-sort') === 'ascending';
      for (const other of head.parentElement.cells) other.removeAttribute('aria-sort');
      head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
      const key = row => row.cells[head.cellIndex].dataset.value ?? row.cells[head.cellIndex].textContent;
      const rows = [...body.rows].sort((one, two) => (down ? -1 : 1) * compare(key(one), key(two)));
      body.append(...rows);
    });
  }

  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
  draw().then(() => { document.documentElement.dataset.ready = 'yes'; });
})();
"""
