"""The report as text: what it says, what it escapes, what it survives."""

from __future__ import annotations

import json
import math
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import pytest
from outline import Outline

from subarch.telling.report import write_report

Json = dict[str, Any]
Write = Callable[[dict[str, Json]], Path]


def read(run: Path) -> tuple[str, Outline, Json]:
    page = write_report(run).read_text(encoding="utf-8")
    data = re.search(r'<script type="application/json" id="report-data">(.*?)</script>', page, re.DOTALL)
    assert data is not None
    return page, Outline(page), json.loads(data[1])


def resolve(value: Any, columns: Json) -> Any:
    """What the page's script does with references, colours apart."""
    if isinstance(value, str):
        if value.startswith("@"):
            return columns[value[1:]]
        return "#123456" if value.startswith("--") else value
    if isinstance(value, list):
        return [resolve(one, columns) for one in value]
    return {name: resolve(one, columns) for name, one in value.items()} if isinstance(value, dict) else value


def test_says_what_was_found_in_plain_words(files: dict[str, Json], write_run: Write) -> None:
    pick, source = files["extract"], files["extract"]["source"]
    _, outline, _ = read(write_run(files))
    shape = pick["architecture"]
    words = (
        f"{shape['num_hidden_layers']} layers, hidden {shape['hidden_size']}, intermediate {shape['intermediate_size']}"
    )
    assert words in outline.text
    assert f"{source['parameters'] / pick['parameters']:.3g} × smaller" in outline.text
    assert f"{pick['parameters']:,}" in outline.text  # the exact count stands in the table
    assert "✓ Certified" in outline.text
    assert files["certificate"]["reason"] in outline.text
    assert files["manifest"]["command"] in outline.text
    assert files["manifest"]["data"]["fingerprint"] in outline.text


def test_page_is_well_formed_accessible_and_self_contained(files: dict[str, Json], write_run: Write) -> None:
    page, outline, data = read(write_run(files))
    assert outline.open == []
    assert outline.headings[0] == 1
    assert all(after <= before + 1 for before, after in zip(outline.headings, outline.headings[1:], strict=False))
    assert outline.tables == outline.captions > 0
    assert len(outline.labels) == len(data["plots"]) and all(outline.labels)
    assert all(re.match(r"#|data:", address) for address in outline.resources)
    assert page.count("<script") - page.split("plotly.js v", 1)[1].count("<script") <= 3
    assert page.count("plotly.js v") == 1
    assert "default-src 'none'" in page


def test_figures_are_valid_and_hold_every_point(files: dict[str, Json], write_run: Write) -> None:
    _, _, data = read(write_run(files))
    extract = files["extract"]
    for variants in data["plots"].values():
        for figure in variants.values():
            go.Figure(resolve(figure, data["columns"]))  # plotly refuses what its schema does not know
    traces = {
        trace["meta"]: resolve(trace, data["columns"]) for trace in data["plots"]["front-3d"]["latency_ms"]["data"]
    }
    points = {key: list(zip(trace["x"], trace["y"], trace["z"], strict=True)) for key, trace in traces.items()}
    measured = {(one["parameters"], one["latency_ms"], one["error"]) for one in extract["trained"]}
    assert set(points["trained"]) | set(points["front"]) == measured
    assert len(points["front"]) == len(extract["front"])
    assert [one[2] for one in points["untrained"]] == [one["error_bound"] for one in extract["untrained"]]
    looks = [(trace["marker"]["symbol"], trace["marker"]["color"]) for trace in traces.values()]
    plain = data["plots"]["front-3d"]["macs"]["data"]
    assert len({trace["marker"]["symbol"] for trace in plain}) == len({trace["marker"]["color"] for trace in plain})
    assert len(looks) == len({trace["marker"]["symbol"] for trace in plain}) == 7


@pytest.mark.parametrize(
    ("verdict", "badge", "words"),
    [
        ("certified", "✓ Certified", "reaches at least 90 % of the highest W"),
        ("unresolved", "≈ Unresolved", "size and speed alone decided"),
        ("no guarantee", "✕ No guarantee", "What was asked for is not guaranteed"),
    ],
)
def test_verdicts(files: dict[str, Json], write_run: Write, verdict: str, badge: str, words: str) -> None:
    for certificate in (files["certificate"], files["extract"]["certificate"]):
        certificate.update(verdict=verdict, achieved=0.1, resolved=verdict != "unresolved")
    _, outline, _ = read(write_run(files))
    assert badge in outline.text and words in outline.text
    assert ("✓ Certified" in outline.text) == (verdict == "certified")
    assert "Files disagree" not in outline.text


def test_constrained_claim_names_its_limits(files: dict[str, Json], write_run: Write) -> None:
    limits = {"speedup": 3.0, "parameters": 5_000_000, "latency_ms": None}
    files["certificate"].update(claim="constrained", achieved=0.04, limits=limits)
    _, outline, data = read(write_run(files))
    assert "at least 3 times as fast as the reference; at most 5,000,000 parameters." in outline.text
    assert "No architecture within the limits has an error below 96 %" in outline.text
    shapes = data["plots"]["size-error"]["any"]["layout"]["shapes"]
    assert [shape["x0"] for shape in shapes] == [files["extract"]["source"]["parameters"], 5_000_000]


def test_front_claim_shows_the_distance_reached(files: dict[str, Json], write_run: Write) -> None:
    files["certificate"].update(claim="front", achieved=0.08)
    _, outline, data = read(write_run(files))
    reached, asked = data["plots"]["progress"]["any"]["data"]
    assert reached["y"] == pytest.approx([100 * one["achieved"] for one in files["extract"]["progress"]])
    assert asked["y"] == [10, 10]
    assert "larger, costlier and worse in error by at most 8 % each" in outline.text


def test_files_that_disagree_are_called_out(files: dict[str, Json], write_run: Write) -> None:
    files["certificate"]["verdict"] = "certified"
    files["extract"]["certificate"].update(verdict="unresolved", achieved=0.5)
    _, outline, _ = read(write_run(files))
    assert "disagree on verdict, achieved" in outline.text


def test_violations_are_sorted_counted_and_cut(files: dict[str, Json], write_run: Write) -> None:
    sizes = [((7 * place) % 30 + 1) / 1000 for place in range(30)]
    small, large = ({"num_hidden_layers": depth} for depth in (1, 2))
    files["certificate"]["violations"] = [
        {"smaller": small, "larger": large, "smaller_error": 1.0 - size, "larger_error": 1.0, "size": size}
        for size in sizes
    ]
    page, outline, _ = read(write_run(files))
    assert "30 violations, largest first; the largest 20 are listed" in outline.text
    table = page[page.index("30 violations, largest first; the largest") :].split("</table>")[0]
    shown = [float(one) for one in re.findall(r'data-value="([\d.]+)">[\d.]+ %', table)]
    assert shown == sorted(sizes, reverse=True)[:20]


HOSTILE = '<script>alert(1)</script><img src=x onerror="alert(2)">&amp;\u2028'


def test_everything_is_escaped(files: dict[str, Json], write_run: Write) -> None:
    extract, certificate, manifest = files["extract"], files["certificate"], files["manifest"]
    extract["source"]["name"] = extract["run"] = HOSTILE
    extract["architecture"] = {HOSTILE: HOSTILE}
    extract["trained"][0]["architecture"] = {HOSTILE: 3}
    extract["picks"][HOSTILE] = {**extract["picks"]["w"], "architecture": {HOSTILE: 4}}
    certificate.update(reason=HOSTILE, verdict=HOSTILE, claim=HOSTILE, limits={HOSTILE: HOSTILE})
    certificate["assumptions"].append({"name": HOSTILE, "status": HOSTILE, "evidence": {HOSTILE: [HOSTILE]}})
    certificate["abnc"]["clauses"].append({"name": HOSTILE, "verdict": HOSTILE, "evidence": HOSTILE})
    manifest.update(command=HOSTILE, options={HOSTILE: HOSTILE}, versions={HOSTILE: HOSTILE})
    page, outline, _ = read(write_run(files))
    own = page.replace(page[page.index("<script>/**") : page.rindex("<script>")], "")
    assert "alert(1)" in own
    assert own.count("<script") == own.count("</script>") == 2
    assert "<img" not in own
    assert outline.open == []
    assert " ".join(HOSTILE.split()) in outline.text


@pytest.mark.parametrize("name", ["extract.json", "certificate.json", "manifest.json"])
def test_missing_or_foreign_files(files: dict[str, Json], write_run: Write, name: str) -> None:
    run = write_run(files)
    for content, words in (("[1, 2]", "another file"), ("{}", "another file"), ("\x00{", "expected JSON")):
        (run / name).write_text(content)
        with pytest.raises(ValueError, match=words):
            write_report(run)
    (run / name).unlink()
    with pytest.raises(ValueError, match=f"expected {re.escape(name)}.*subarch extract"):
        write_report(run)
    assert not (run / "report.html").exists()


def test_no_directory(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected a run directory"):
        write_report(tmp_path / "nowhere")


def test_written_whole_or_not_at_all(files: dict[str, Json], write_run: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    run = write_run(files)
    before = write_report(run).read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            write_report(run)
    assert (run / "report.html").read_bytes() == before
    assert sorted(path.name for path in run.iterdir()) == sorted([*(f"{name}.json" for name in files), "report.html"])
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE((run / "report.html").stat().st_mode) == 0o666 & ~mask


def test_same_run_gives_the_same_report(files: dict[str, Json], write_run: Write) -> None:
    run = write_run(files)
    assert write_report(run).read_bytes() == write_report(run).read_bytes()


def without(value: Any, names: set[str]) -> Any:
    if isinstance(value, dict):
        return {name: None if name in names else without(one, names) for name, one in value.items()}
    return [without(one, names) for one in value] if isinstance(value, list) else value


def test_null_latencies_leave_no_latency_axis(files: dict[str, Json], write_run: Write) -> None:
    _, outline, data = read(write_run(without(files, {"latency_ms"})))
    assert data["costs"] == ["macs"]
    assert "× faster" not in outline.text and "Latency" not in outline.text


def test_sparse_files_are_told_as_far_as_they_go(write_run: Write) -> None:
    extract = {"architecture": {"width_1": 32}, "parameters": 10, "macs": 20, "error": math.inf, "trained": None}
    certificate = {"claim": "w", "verdict": "no guarantee", "limits": None, "achieved": None}
    _, outline, data = read(write_run({"extract": extract, "certificate": certificate, "manifest": {"command": "x"}}))
    assert "Width 1 32" in outline.text and "✕ No guarantee" in outline.text
    assert "progress" not in data["plots"]


@pytest.mark.parametrize(
    "names", [{"progress"}, {"picks", "front"}, {"abnc", "assumptions", "limits"}, {"source"}, {"untrained"}]
)
def test_any_part_may_be_missing(files: dict[str, Json], write_run: Write, names: set[str]) -> None:
    _, outline, _ = read(write_run(without(files, names)))
    assert "The numbers" in outline.text and outline.open == []


def test_a_single_trained_architecture(files: dict[str, Json], write_run: Write) -> None:
    extract = files["extract"]
    only = extract["trained"][0]
    extract.update({name: only[name] for name in ("architecture", "parameters", "macs", "latency_ms", "error", "w")})
    extract.update(trained=[only], front=[only], picks={"w": only, "knee": None, "constrained": None}, untrained=[])
    extract.update(untrained_total=0, progress=[{"trained": 1, "seconds": 1, "best": 0.0, "bound": None}])
    _, outline, data = read(write_run(files))
    assert "the same as the reference" in outline.text
    assert "1 architecture" in outline.text
    assert data["columns"]["front.error"] == [only["error"]]


def test_many_untrained_points_stay_small(files: dict[str, Json], write_run: Write) -> None:
    extract = files["extract"]
    extract["untrained"] = [
        {
            "architecture": {f"width_{layer}": 32 + 32 * (place % (layer + 2)) for layer in range(1, 9)},
            "parameters": 10**6 + 1_000 * place,
            "macs": 10**7 + 9_000 * place,
            "error_bound": None if place % 50 == 0 else 0.02 + place / 1e5,
        }
        for place in range(5000)
    ]
    extract["untrained_total"] = 4_294_967_296
    run = write_run(files)
    _, outline, data = read(run)
    assert (run / "report.html").stat().st_size < 8e6
    assert len(data["columns"]["untrained.error"]) == 4900
    assert "4,900 of them are drawn" in outline.text
    assert "the other 4,294,962,396 are not drawn" in outline.text
