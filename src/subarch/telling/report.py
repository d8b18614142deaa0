"""The report of a run: one ``report.html`` that explains what was found, opens offline and asks for nothing.

It reads the files of the run directory alone (``extract.json``, ``certificate.json``, ``manifest.json``, and those of
later stages), so it can be written again later, on another machine, by another version. Sections follow the order of a
reader's questions: what came out, what else there was, how sure it is, under which assumptions, what came after the
search, and how to do it again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from subarch.errors import InputError
from subarch.results.base import Json
from subarch.results.vocabulary import VocabularyResult
from subarch.results.wording import (
    check_command,
    claim_in_words,
    counted,
    decimal,
    describe,
    duration,
    finite,
    limits_in_words,
    milliseconds,
    short,
    timing_in_words,
)
from subarch.storage import write_text
from subarch.telling import trust
from subarch.telling.figures import COST_TITLES, COST_WORDS, Figures, Series, bounded, draw
from subarch.telling.numbers import numbers
from subarch.telling.page import (
    GENERATOR,
    Html,
    chart,
    definitions,
    document,
    evidence,
    join,
    section,
    tag,
)
from subarch.telling.stages import Stage, stages

_DEFINING = ("description", "words", "definition", "distance", "metric", "loss", "kind", "name")
_EXPECTED = {"extract.json": "architecture", "certificate.json": "verdict", "manifest.json": "command"}
_FIRST = ("targets", "ladder")  # what a reader asks first
_VERDICTS = {
    "certified": ("good", "✓ Certified"),
    "unresolved": ("warn", "≈ Unresolved"),
    "no guarantee": ("bad", "✕ No guarantee"),
}
_SECTION, _WHOLE_SECTION = (
    re.compile('<section id="([^"]*)"'),
    re.compile('<section id="([^"]*)".*?</section>', re.DOTALL),
)
_LINK = re.compile('<a href="#([^"]*)">[^<]*</a>')
_LATER = re.compile("ladder|cascade|confirm|targets|pretraining|finetuning.*|agora.*|export|bench.*")
_DATA = '<script type="application/json" id="report-data">'
_SYMBOLS = {
    "cross": '<path d="M7 2v10M2 7h10" stroke="C" stroke-width="1.800"/>',
    "line": '<path d="M1 3h5v5h7" fill="none" stroke="C" stroke-width="2"/>',
    "circle": '<circle cx="7" cy="7" r="4.5" fill="C"/>',
    "square": '<path d="M2.5 2.5h9v9h-9z" fill="C"/>',
    "diamond": '<path d="M7 .5l6.5 6.5L7 13.500.5 7z" fill="C"/>',
    "diamond-open": '<path d="M7 1.500l5.500 5.500L7 12.500 1.500 7z" fill="none" stroke="C" stroke-width="2"/>',
    "circle-open": '<circle cx="7" cy="7" r="5.500" fill="none" stroke="C" stroke-width="2.200"/>',
    "square-open": '<path d="M2.500 2.500h9v9h-9z" fill="none" stroke="C" stroke-width="2"/>',
}


@dataclass(frozen=True)
class Run:
    """What a run directory says about a search.

    Attributes:
        extract: the content of ``extract.json``.
        certificate: the content of ``certificate.json``.
        manifest: the content of ``manifest.json``.
        stages: what came after the search.
    """

    extract: Json
    certificate: Json
    manifest: Json
    stages: Sequence[Stage] = ()

    def rows(self, name: str) -> list[Json]:
        """Return one of the lists of ``extract.json``, empty where it is absent."""
        return list(self.extract.get(name) or [])


def write_report(run: Path) -> Path:
    """Write ``report.html`` into a run directory, whole or not at all.

    Args:
        run: a directory that ``subarch extract`` wrote.

    Returns:
        The path of the report.

    Raises:
        ValueError: if the directory or one of its files is missing, no JSON, or not from ``subarch extract``.
        OSError: if the directory cannot be written.
    """
    target = Path(run) / "report.html"
    searched = any((Path(run) / name).is_file() for name in ("extract.json", "certificate.json"))
    later = [] if searched else stages(Path(run))
    write_text(target, story(Path(run).resolve().name, later) if later else render(read_run(Path(run))))
    return target


def read_run(run: Path) -> Run:
    """Read the files of a run directory that a report needs; see :func:`write_report` for the errors."""
    if not run.is_dir():
        raise InputError(
            f"expected a run directory, got {str(run)!r}, which is none: pass the --run of `subarch extract`"
        )
    extract, certificate, made_with = (_read(run, name, key) for name, key in _EXPECTED.items())
    return Run(extract, certificate, made_with, stages(run))


def _read(run: Path, name: str, key: str) -> Json:
    try:
        data: object = json.loads((run / name).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(
            f"expected {name} in {str(run)!r}, found none: finish the search with "
            f"`subarch extract SOURCE --run {run}` first (the same command resumes it)"
        ) from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(
            f"expected JSON in {str(run / name)!r}, got something else ({error}): restore the file"
        ) from error
    if not isinstance(data, dict) or key not in data:
        raise InputError(
            f"expected {str(run / name)!r} to be what `subarch extract` writes (an object with {key!r}), got another "
            "file: pass the directory of an extraction"
        )
    return data


def render(run: Run) -> str:
    """Return the whole report of a run as HTML."""
    figures = draw(run.extract, run.certificate)
    parts = {one.key: (one.title, one.content) for one in run.stages if one.key in _FIRST}
    parts |= {
        "front": ("The front", _front(run, figures)),
        "bound": ("How the bound closed", trust.bound(run.certificate, figures)),
        "resolution": ("Do the errors tell architectures apart?", trust.resolution(run.certificate)),
        "certificate": ("The certificate in plain words", trust.explanation(run.certificate)),
        "numbers": ("The numbers", numbers(run.extract)),
    }
    parts |= {stage.key: (stage.title, stage.content) for stage in run.stages if stage.key not in _FIRST}
    parts["reproduce"] = ("How to do it again", _reproduce(run))
    plots = figures.plots | {name: plot for stage in run.stages for name, plot in stage.plots.items()}
    links = tag("nav", *(tag("a", title, href=f"#{name}") for name, (title, _) in parts.items()), aria_label="Sections")
    body = join([_headline(run), links, *(section(name, title, *content) for name, (title, content) in parts.items())])
    data = {"columns": figures.columns, "plots": plots, "costs": figures.costs, "costNames": COST_WORDS}
    return document(f"subarch report: {_source_name(run)}", body, data)


def searched(run: Path, page: str) -> bool | None:
    """Whether a page tells of the search what the run's files hold, whatever it tells of later stages.

    Args:
        run: the directory.
        page: a report of it.

    Returns:
        None where another version has written it.
    """
    if GENERATOR not in page:
        return None
    files = read_run(run)
    expected = render(Run(files.extract, files.certificate, files.manifest))
    return _without_stages(page, expected) == _without_stages(expected, expected)


def _without_stages(page: str, expected: str) -> tuple[str, object]:
    """A page and its data without the sections of later stages, their links and their plots."""
    kept = set(_SECTION.findall(expected))

    def shorter(found: re.Match[str]) -> str:
        return found.group() if found.group(1) in kept or not _LATER.fullmatch(found.group(1)) else ""

    head, _, rest = page.partition(_DATA)
    payload, _, tail = rest.partition("</script>")
    data = json.loads(payload)
    plots = json.loads(expected.partition(_DATA)[2].partition("</script>")[0])["plots"]
    data["plots"] = {name: plot for name, plot in data["plots"].items() if name in plots}
    return _LINK.sub(shorter, _WHOLE_SECTION.sub(shorter, head)) + tail, data


def story(title: str, found: Sequence[Stage]) -> str:
    """Return sections alone as HTML: a run without a search, or a page of your own."""
    links = tag("nav", *(tag("a", stage.title, href=f"#{stage.key}") for stage in found), aria_label="Sections")
    heading = tag("header", tag("p", "subarch report", class_="eyebrow"), tag("h1", title, class_="headline"))
    body = join([heading, links, *(section(stage.key, stage.title, *stage.content) for stage in found)])
    plots = {name: plot for stage in found for name, plot in stage.plots.items()}
    data = {"columns": {}, "plots": plots, "costs": [], "costNames": COST_WORDS}
    return document(f"subarch report: {title}", body, data)


def _source_name(run: Run) -> str:
    return str((run.extract.get("source") or {}).get("name") or run.manifest.get("source") or "unnamed source")


def _headline(run: Run) -> Html:
    extract, certificate = run.extract, run.certificate
    source = extract.get("source") or {}
    seconds = [number for one in run.rows("trained") if (number := finite(one.get("seconds"))) is not None]
    trained = round(finite(certificate.get("evaluated")) or len(run.rows("trained")))
    size = round(finite(certificate.get("space_size")) or trained)
    effort = f"{trained:,} of {counted(size, 'architecture')} trained"
    effort += f", {duration(sum(seconds))} of training in all." if seconds else "."
    if timing := timing_in_words(extract.get("timed_with") or {}, extract.get("seconds")):
        effort += f" {timing}"
    limits = limits_in_words(certificate.get("limits"))
    shape = describe(extract.get("architecture"))
    return tag(
        "header",
        tag("p", f"subarch extraction report · {_source_name(run)}", class_="eyebrow"),
        tag("h1", shape[0].upper() + shape[1:], class_="headline"),
        tag("p", f"The reference that it is compared with has {describe(source.get('architecture'))}. {effort}"),
        tag("p", f"The search was asked for {_asked(certificate)}{': ' if limits else ''}{'; '.join(limits)}."),
        *_vocabulary(extract.get("vocabulary")),
        tag("div", *_tiles(extract, source), class_="tiles"),
        _verdict(certificate),
        *_disagreement(run),
    )


def _vocabulary(told: Json | None) -> Iterator[Html]:
    if told is not None:
        cut = VocabularyResult.from_json(told)
        yield tag("p", f"The source has {cut.cut_in_words}; {cut.held_out_in_words}.")


def _asked(certificate: Json) -> str:
    claim = str(certificate.get("claim"))
    return {
        "w": "the best balance of size, speed and error (the highest W)",
        "constrained": "the lowest error within the limits",
        "front": "the whole front of size, cost and error",
    }.get(claim, claim)


def _tiles(extract: Json, source: Json) -> Iterable[Html]:
    for name, (more, less), unit in (
        ("parameters", ("smaller", "larger"), " parameters"),
        ("macs", ("fewer operations", "more operations"), " operations"),
        ("latency_ms", ("faster", "slower"), ""),
    ):
        ours, theirs = finite(extract.get(name)), finite(source.get(name))
        if not ours:
            continue
        write = milliseconds if name == "latency_ms" else short
        detail = f"{write(ours)}{unit}" + (f" against {write(theirs)}" if theirs else "")
        if theirs and ours != theirs:
            ratio = f"{decimal(max(theirs / ours, ours / theirs), 3)} ×"
            yield _tile(ratio, more if theirs > ours else less, detail)
        else:
            yield _tile(f"{write(ours)}", unit.strip() or "latency", "the same as the reference" if theirs else "")
    definition = _error_definition(extract.get("certificate") or {})
    yield _tile(decimal(extract.get("error")), "error", definition or "lower is better")
    if finite(extract.get("w")) is not None:
        yield _tile(decimal(extract["w"]), "W", "size saved × operations saved ÷ error")


def _tile(value: str, what: str, detail: str) -> Html:
    return tag("div", tag("b", value), tag("span", what), tag("small", detail), class_="tile")


def _error_definition(certificate: Json) -> str:
    definition = (certificate.get("objectives") or {}).get("error")
    if isinstance(definition, Mapping):
        words = next((definition[key] for key in _DEFINING if definition.get(key)), "")
        return str(words)
    return str(definition or "")


def _verdict(certificate: Json) -> Html:
    verdict = str(certificate.get("verdict"))
    tone, words = _VERDICTS.get(verdict, ("warn", verdict))
    reason = str(certificate.get("reason") or claim_in_words(certificate))
    return tag("div", tag("span", words, class_="badge"), tag("p", reason), class_=f"verdict {tone}", role="note")


def _disagreement(run: Run) -> Iterable[Html]:
    inside = run.extract.get("certificate")
    if not isinstance(inside, Mapping):
        return
    keys = ("claim", "verdict", "epsilon", "achieved", "delta", "ledger_hash")
    changed = [key for key in keys if inside.get(key) != run.certificate.get(key)]
    if changed:
        words = f"extract.json and certificate.json disagree on {', '.join(changed)}: run `subarch verify` first."
        yield tag(
            "div", tag("span", "✕ Files disagree", class_="badge"), tag("p", words), class_="verdict bad", role="alert"
        )


def _front(run: Run, figures: Figures) -> list[Html]:
    controls = [_cost_choice(figures)] if len(figures.costs) > 1 else []
    legend = tag(
        "div", *map(_legend_button, figures.series), class_="controls", role="group", aria_label="Show or hide"
    )
    label = "Scatter chart of trained architectures, the front and the picks; The numbers below have the values."
    cost = tag("span", COST_WORDS[next(iter(figures.costs))], data_cost="")
    spatial = chart(
        "front-3d",
        Html(f"Size, {cost.text} and error at once"),
        tag("p", "Lower is better on every axis. Drag to rotate; point at a mark to read the whole architecture."),
        f"3-D {label[0].lower()}{label[1:]}",
    )
    plane = "Best is the lower left corner."
    pair = [
        chart("size-error", "Error against size", tag("p", plane), f"{label} Error against size."),
        chart("cost-error", Html(f"Error against {cost.text}"), tag("p", plane), f"{label} Error against cost."),
    ]
    return [
        tag("p", "Every architecture that was trained, and how good the others could be at best."),
        tag("p", *_untrained_words(run), class_="note"),
        *controls,
        legend,
        tag("noscript", tag("p", "The figures need JavaScript; the tables below hold their numbers.")),
        tag("div", *pair, class_="grid"),
        spatial,
    ]


def _untrained_words(run: Run) -> Iterable[str]:
    total = round(finite(run.extract.get("untrained_total")) or len(run.rows("untrained")))
    drawn = len(bounded(run.extract))
    if not total:
        yield "Every architecture of the space was trained."
        return
    certified = run.certificate.get("verdict") == "certified"
    yield f"{counted(total, 'architecture')} not trained"
    yield ": the bound rules out that they change the answer. " if certified else " when the search ended. "
    subject = "They are" if drawn == total else f"{drawn:,} of them are"
    yield f"{subject} drawn as + at the lowest error they could have"
    rest = f"; the other {total - drawn:,} are not drawn (too many to list, or no bound on their error)"
    yield f"{rest if total > drawn else ''}."


def _cost_choice(figures: Figures) -> Html:
    options = [
        tag("label", _radio(cost, checked=place == 0), COST_TITLES[cost]) for place, cost in enumerate(figures.costs)
    ]
    return tag("fieldset", tag("legend", "Cost axis"), *options, class_="controls")


def _radio(value: str, *, checked: bool) -> Html:
    return Html(f'<input type="radio" name="cost" value="{value}"{" checked" if checked else ""}>')


def _legend_button(one: Series) -> Html:
    drawing = _SYMBOLS.get(one.symbol, _SYMBOLS["square-open"]).replace("C", f"var({one.color})")
    icon = Html(f'<svg width="14" height="14" viewBox="0 0 14 14" aria-hidden="true">{drawing}</svg>')
    many = one.mode == "markers" and not one.key.startswith(("pick-", "extracted"))
    text = f"{one.label} ({len(one.points):,})" if many else one.label
    return tag("button", icon, text, type="button", aria_pressed="true", data_series=one.key)


def _reproduce(run: Run) -> list[Html]:
    manifest, certificate = run.manifest, run.certificate
    command = manifest.get("command")
    line = " ".join(map(str, command)) if isinstance(command, list) else str(command)
    content = [
        tag("p", "The same command on the same data, with the same versions and seeds:"),
        tag("pre", tag("code", line)),
    ]
    objectives = certificate.get("objectives") or {}
    titles = {"error": "What the error is", "cost": "What the cost is", "parameters": "What the size is"}
    for key, title in titles.items():
        if objectives.get(key):
            content += [tag("h3", title), evidence(objectives[key])]
    reference = {"reference": certificate.get("reference")} if certificate.get("reference") else {}
    names = ("data", "seeds", "versions", "hardware", "source", "created")
    facts = {key: manifest[key] for key in names if manifest.get(key) not in (None, {})}
    content += [tag("h3", "Data, seeds, versions, machine"), definitions({**facts, **reference})]
    told = {key: certificate.get(key) for key in ("space_hash", "ledger_hash", "space")}
    told["options"] = manifest.get("options")
    if rest := {key: value for key, value in told.items() if value not in (None, {})}:
        content.append(tag("details", tag("summary", "Options, space and fingerprints"), definitions(rest)))
    content.append(
        tag(
            "p",
            "To check the certificate against the ledger: ",
            tag("code", check_command(run.extract.get("run", "RUN"), certificate)),
        )
    )
    return content
