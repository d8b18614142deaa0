"""The report in a real browser: it draws, asks for nothing, reacts, and fits a telephone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from subarch.results.bench import BenchResult, CpuResult, TimedResult
from subarch.telling.report import write_report

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed: pip install selenium")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None or DRIVER is None,
        reason="no Chromium with its driver found: apt-get install chromium chromium-driver",
    ),
]

Json = dict[str, Any]
Write = Callable[[dict[str, Json]], Path]
FRONT_FIGURES = ("front-3d", "size-error", "cost-error")

POINTS = """
const place = document.getElementById(arguments[0]);
return Object.fromEntries(place.data.map((t, at) =>
  [t.meta, place._fullData[at].visible === true ? Array.from(t.y).filter(y => y !== null).length : 0]));
"""
MARKS = "return document.querySelectorAll('#' + arguments[0] + ' .scatterlayer .trace .points > path').length"
INK = """
const done = arguments[1];
Plotly.toImage(arguments[0], {format: 'png', width: 600, height: 500}).then(address => {
  const image = new Image();
  image.onload = () => {
    const canvas = Object.assign(document.createElement('canvas'), {width: 600, height: 500});
    const context = canvas.getContext('2d');
    context.drawImage(image, 0, 0);
    const pixels = context.getImageData(0, 0, 600, 500).data;
    const colors = new Map();
    for (let at = 0; at < pixels.length; at += 4) if (pixels[at + 3] > 200) {
      const key = [0, 1, 2].map(c => pixels[at + c] >> 4).join();
      colors.set(key, (colors.get(key) || 0) + 1);
    }
    done([...colors.values()].filter(count => count > 20).length);
  };
  image.src = address;
}).catch(error => done(String(error)));
"""
OVERFLOWING = """
return [...document.querySelectorAll('main *')].filter(one => {
  const box = one.getBoundingClientRect();
  return box.width > 0 && box.right > innerWidth + 1 && !one.closest('.scroll') && !one.closest('.plot');
}).map(one => one.tagName + '.' + one.className);
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--use-angle=swiftshader",  # WebGL without a graphics card
        "--enable-unsafe-swiftshader",
    ):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    driver.set_page_load_timeout(120)
    driver.set_script_timeout(60)
    yield driver
    driver.quit()


def show(browser: Any, page: Path, width: int) -> None:
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False},
    )
    for kind in ("browser", "performance"):
        browser.get_log(kind)  # reading a log empties it
    browser.get(page.resolve().as_uri())
    settle(browser)


def settle(browser: Any) -> None:
    """Wait until every figure is drawn with the cost axis that is chosen."""
    from selenium.webdriver.support.ui import WebDriverWait

    script = """
    const chosen = document.querySelector('input[name=cost]:checked');
    return document.documentElement.dataset.ready === 'yes' && [...document.querySelectorAll('.plot')].every(
      place => place._fullData && (!chosen || place.dataset.drawn === chosen.value));
    """
    WebDriverWait(browser, 120).until(lambda driver: driver.execute_script(script))


def press(browser: Any, selector: str) -> None:
    element = browser.find_element("css selector", selector)
    browser.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", element)
    element.click()
    settle(browser)


def requests(browser: Any) -> list[str]:
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    sent = [one["params"] for one in messages if one["method"] == "Network.requestWillBeSent"]
    return [one["request"]["url"] for one in sent]


def errors(browser: Any) -> list[str]:
    return [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]


def expected_points(files: dict[str, Json]) -> Json:
    extract = files["extract"]
    front = {json.dumps(one["architecture"]) for one in extract["front"]}
    return {
        "untrained": len(extract["untrained"]),
        "trained": sum(json.dumps(one["architecture"]) not in front for one in extract["trained"]),
        "front": len(front),
        "pick-w": 1,
        "pick-knee": 1,
        "pick-constrained": 1,
        "extracted": 1,
    }


@pytest.mark.parametrize("width", [1280, 390])
def test_draws_everything_and_fits(browser: Any, files: dict[str, Json], write_run: Write, width: int) -> None:
    page = write_report(write_run(files))
    show(browser, page, width)
    expected = expected_points(files)
    for figure in FRONT_FIGURES:
        drawn = browser.execute_script(POINTS, figure)
        drawn.pop("line", None)
        assert drawn == expected, figure
    for figure in ("size-error", "cost-error"):
        assert browser.execute_script(MARKS, figure) == sum(expected.values())
    colors = browser.execute_async_script(INK, "front-3d")
    assert isinstance(colors, int) and colors >= 6, colors  # each series brings its colour: WebGL did draw
    steps = len(files["extract"]["progress"])
    assert set(browser.execute_script(POINTS, "progress").values()) == {steps}

    assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    assert browser.execute_script(OVERFLOWING) == []
    for place in browser.find_elements("css selector", ".plot"):
        svg = place.find_element("css selector", ".main-svg")
        assert 0.98 <= svg.size["width"] / place.size["width"] <= 1.001

    assert errors(browser) == []
    addresses = requests(browser)
    assert page.resolve().as_uri() in addresses
    assert {urlsplit(address).scheme for address in addresses} <= {"file", "data", "blob"}
    assert sum(address.startswith("file:") for address in addresses) == 1


def test_legend_and_cost_axis_answer(browser: Any, files: dict[str, Json], write_run: Write) -> None:
    show(browser, write_report(write_run(files)), 1280)
    expected = expected_points(files)
    press(browser, "button[data-series=trained]")
    for figure in FRONT_FIGURES:
        assert browser.execute_script(POINTS, figure)["trained"] == 0
    assert browser.execute_script(MARKS, "size-error") == sum(expected.values()) - expected["trained"]
    press(browser, "button[data-series=trained]")
    assert browser.execute_script(MARKS, "size-error") == sum(expected.values())

    press(browser, "input[value=latency_ms]")
    drawn = browser.execute_script("return Array.from(document.getElementById('cost-error').data[2].x)")
    front = {json.dumps(one["architecture"]) for one in files["extract"]["front"]}
    others = [one for one in files["extract"]["trained"] if json.dumps(one["architecture"]) not in front]
    assert drawn == [one["latency_ms"] for one in others]
    titles = [one.text for one in browser.find_elements("css selector", "figcaption h3")]
    assert "Error against latency" in titles
    assert errors(browser) == []


def test_hover_tells_the_whole_architecture(browser: Any, files: dict[str, Json], write_run: Write) -> None:
    show(browser, write_report(write_run(files)), 1280)
    browser.execute_script("""
        const place = document.getElementById('size-error');
        const curve = place.data.findIndex(trace => trace.meta === 'pick-w');
        Plotly.Fx.hover(place, [{curveNumber: curve, pointNumber: 0}]);
    """)
    shown = browser.find_element("css selector", "#size-error .hoverlayer").text
    pick = files["extract"]["picks"]["w"]
    shape = pick["architecture"]
    assert f"{shape['num_hidden_layers']} layers, hidden {shape['hidden_size']}" in shown
    assert f"{pick['parameters']:,} parameters" in shown
    assert "Best W (certified)" in shown


def test_tables_sort_by_value(browser: Any, files: dict[str, Json], write_run: Write) -> None:
    show(browser, write_report(write_run(files)), 1280)
    column = """
    const table = document.querySelector('#numbers table');
    const place = [...table.tHead.rows[0].cells].findIndex(cell => cell.textContent === 'Error');
    table.tHead.rows[0].cells[place].querySelector('button').click();
    return [...table.tBodies[0].rows].map(row => Number(row.cells[place].dataset.value));
    """
    points = [*files["extract"]["front"], *files["extract"]["picks"].values()]
    errors_by_shape = {json.dumps(one["architecture"]): one["error"] for one in points}
    rising = browser.execute_script(column)
    assert rising == sorted(errors_by_shape.values())
    assert browser.execute_script(column) == rising[::-1]


def test_hostile_names_do_nothing(browser: Any, files: dict[str, Json], write_run: Write) -> None:
    hostile = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
    files["extract"]["source"]["name"] = hostile
    for one in files["extract"]["trained"]:
        one["architecture"] = {**one["architecture"], hostile: hostile}
    files["certificate"]["reason"] = files["manifest"]["command"] = hostile
    show(browser, write_report(write_run(files)), 1280)
    browser.execute_script("Plotly.Fx.hover(document.getElementById('size-error'), [{curveNumber: 2, pointNumber: 0}])")
    assert "owned" not in browser.title.replace("document.title='owned'", "")
    assert hostile in browser.find_element("css selector", ".verdict").text
    assert errors(browser) == []


def test_five_thousand_untrained_points_render(browser: Any, files: dict[str, Json], write_run: Write) -> None:
    files["extract"]["untrained"] = [
        {
            "architecture": {"num_hidden_layers": 1 + place % 6, "hidden_size": 128, "intermediate_size": 256},
            "parameters": 4_000_000 + 3_000 * place,
            "macs": 20_000_000 + 200_000 * place,
            "error_bound": 0.03 + (place % 97) / 400,
        }
        for place in range(5000)
    ]
    page = write_report(write_run(files))
    assert page.stat().st_size < 8e6
    show(browser, page, 390)
    for figure in FRONT_FIGURES:
        assert browser.execute_script(POINTS, figure)["untrained"] == 5000
    assert browser.execute_script(MARKS, "size-error") == sum(expected_points(files).values())
    assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    assert errors(browser) == []


@pytest.mark.parametrize("width", [1280, 390])
def test_a_run_without_a_search_draws_what_it_has(browser: Any, tmp_path: Path, width: int) -> None:
    """Bench alone: figures as wide as the page, nothing asked of anybody, one bar for each time."""
    shared: dict[str, Any] = {
        "runtime": "pytorch",
        "precision": "float32",
        "threads": 2,
        "batch_size": 1,
        "p50_ms": 2.0,
        "p95_ms": 3.0,
    }
    rows = tuple(
        TimedResult(name=name, sequence_length=length, ratio=ratio, **shared)
        for name, ratio in (("bert-large", 1.0), ("bort", 12.5))
        for length in (16, 128)
    )
    timed = BenchResult(run=str(tmp_path), cpu=CpuResult(name="a processor", features=("AVX2",)), rows=rows)
    (tmp_path / "benchmark.json").write_text(json.dumps(timed.to_json()))
    show(browser, write_report(tmp_path), width)
    assert browser.execute_script(OVERFLOWING) == []
    assert [url for url in requests(browser) if urlsplit(url).scheme not in ("file", "data", "blob")] == []
    right = "return document.querySelector('#bench-ratios .main-svg').getBoundingClientRect().right"
    assert browser.execute_script(right) <= width
    bars = "return document.querySelectorAll('#bench-ratios .bars .point path').length"
    assert browser.execute_script(bars) == 4
