"""The page in a real browser: 1,000 hosts, a hostile one, the keyboard alone, and what axe-core has to say."""

import html
import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from provision.report.html import page
from provision.report.record import Record
from tests.unit.report.browser import FLAGS, Browser
from tests.unit.report.fleet import recorded
from tests.unit.report.made_up import answered, hostile, speeds
from tests.unit.test_questions import PENDING, STATUS

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def browser() -> str:
    """Debian's chromium. Where it is missing: CI installs it, elsewhere the tests are skipped, and say so."""
    found = shutil.which("chromium")
    if found is None and os.environ.get("CI") == "true":
        command = ["apt-get", "install", "-y", "--no-install-recommends", "chromium", "fonts-dejavu-core"]
        subprocess.run(["apt-get", "update", "-q"], check=True, timeout=300, stdout=subprocess.DEVNULL)
        subprocess.run(command, check=True, timeout=600, stdout=subprocess.DEVNULL)
        found = shutil.which("chromium")
    if found is None:
        pytest.skip("NO BROWSER: the HTML report was not tested; apt-get install chromium")
    return found


@pytest.fixture
def profile() -> Iterator[Path]:
    # Not under pytest's tmp_path: the browser's sockets want a short path.
    with tempfile.TemporaryDirectory(prefix="page", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def rendered(browser: str, profile: Path, record: Record, fragment: str = "") -> str:
    """The document as it stands after the page's script has run."""
    file = profile / "page.html"
    file.write_text(page(record), "utf-8")
    words = [
        browser,
        *FLAGS.split(),
        "--virtual-time-budget=8000",
        "--dump-dom",
        f"--user-data-dir={profile}/profile",
        file.as_uri() + fragment,
    ]
    found = subprocess.run(words, capture_output=True, text=True, timeout=240, check=False)
    assert "<html" in found.stdout, found.stderr[-2000:]
    return found.stdout


def test_a_browser_shows_1000_hosts(browser: str, profile: Path) -> None:
    shown = rendered(browser, profile, recorded(1000), "#host=dgx0103.dc1.example.com")
    assert 'data-ready="yes"' in shown, "the page's script did not come to its end"
    assert len(re.findall(r"<tr [^>]*data-host=", shown)) == 1000
    assert re.search(r'<dialog id="host"[^>]* open', shown), "a link to a host opens it"
    text = html.unescape(re.sub(r"<(script|style).*?</\1>|<[^>]+>", " ", shown, flags=re.S))
    for words in (
        "The run stopped itself", "wave 2 of 4", "8 x NVIDIA H100 80GB HBM3 (80 GiB)", "Differs in kernel",
        "set apt_proxy.http, or open the firewall", '+  "bip": "192.168.127.1/24",', "Failures",
    ):  # fmt: skip
        assert words in text, words
    assert ">Wave</th>" in shown
    assert "[object" not in text
    assert "undefined" not in text


def test_a_browser_runs_nothing_of_a_host(browser: str, profile: Path) -> None:
    shown = rendered(browser, profile, hostile())
    assert 'data-ready="yes"' in shown
    assert "<title>provision &lt;/script&gt;" in shown
    assert ">Wave</th>" not in shown, "an empty column"
    assert "<img" not in re.sub(r"<script.*?</script>", "", shown, flags=re.S)


def test_the_speed_is_a_plot_with_title_and_description_and_a_table_beside_it(browser: str, profile: Path) -> None:
    shown = rendered(browser, profile, speeds(12))
    assert 'data-ready="yes"' in shown
    plots = re.findall(r"<svg viewBox.*?</svg>", shown, re.S)
    assert len(plots) == 2, "a model of its own has a plot of its own"
    described = re.search(r'role="img" aria-labelledby="([^ "]+) ([^"]+)"', plots[0])
    assert described is not None
    title, text = (re.search(rf'id="{name}">(.*?)<', plots[0]) for name in described.groups())
    assert title is not None
    assert text is not None
    assert title[1] == "NVIDIA H200, 700 W, full: 88 GPUs, 1 figure too far under the median"
    assert "apart: dgx0003 GPU 5 at 88" in text[1]
    assert plots[0].count('class="apart"') == 1
    assert plots[0].count("<circle") < 9 * 30, "what GPUs share is one mark"
    table = re.search(r"<caption[^>]*>Figures of NVIDIA H200.*?</table>", shown, re.S)
    assert table is not None
    assert re.search(r'memory read</th>.*?<td class="number">88</td>.*?dgx0003 GPU 5', table[0], re.S)
    assert "owned" not in re.findall(r"<title>(.*?)</title>", shown)[0]
    assert "<img" not in re.sub(r"<script.*?</script>", "", shown, flags=re.S)


def test_a_keyboard_is_enough(browser: str, profile: Path) -> None:
    file = profile / "page.html"
    file.write_text(page(recorded(300)), "utf-8")
    shown = "[...document.querySelectorAll('#grid tbody tr')].map((row) => row.querySelector('.name').textContent)"
    with Browser(browser, file) as opened:
        opened.until("document.documentElement?.dataset.ready === 'yes'")
        assert len(opened.evaluate(shown)) == 300
        opened.press("/", "/")
        assert opened.evaluate("document.activeElement.id") == "search"
        opened.type("reseat")
        found = opened.evaluate(shown)
        assert found == ["dgx0103.dc1.example.com"]
        opened.evaluate("document.getElementById('clear').focus()")
        opened.press("Enter", "\r")
        assert len(opened.evaluate(shown)) == 300
        opened.evaluate("document.querySelector('.tile[data-outcome=failed]').click()")
        failed = opened.evaluate(shown)
        assert 0 < len(failed) < 30
        opened.evaluate("document.querySelector('#grid tbody tr').focus()")
        opened.press("ArrowDown")
        opened.press("Enter", "\r")
        assert opened.evaluate("document.getElementById('host').open")
        assert opened.evaluate("document.getElementById('host-name').textContent").endswith(failed[1])
        opened.press("Escape")
        assert not opened.evaluate("document.getElementById('host').open")
        opened.evaluate("clear()")
        opened.press("/", "/")
        opened.type("dgx010")
        opened.press("Enter", "\r")
        at = "document.activeElement.dataset.host + ' ' + document.getElementById('host').open"
        rows = opened.evaluate("[...document.querySelectorAll('#grid tbody tr')].map((row) => row.dataset.host)")
        assert len(rows) > 2
        assert opened.evaluate(at) == f"{rows[0]} false", "of several the first one has the focus"
        opened.press("ArrowDown")
        assert opened.evaluate(at) == f"{rows[1]} false"
        assert opened.evaluate("[...document.querySelectorAll('#grid tr')].filter((row) => !row.tabIndex).length") == 1
        opened.press("ArrowUp")
        opened.press("ArrowUp")
        assert opened.evaluate("document.activeElement.id") == "search"
        opened.press("ArrowDown")
        assert opened.evaluate(at) == f"{rows[0]} false"
        opened.press("/", "/")
        opened.type("3.dc1")
        opened.press("Enter", "\r")
        assert opened.evaluate("document.getElementById('host-name').textContent").endswith("dgx0103.dc1.example.com")
        opened.press("Escape")
        opened.evaluate("location.hash = 'host=nobody'")
        opened.until("document.querySelector('#stop [role=status]')")
        before = opened.evaluate("document.documentElement.dataset.theme")
        opened.evaluate("document.getElementById('theme').click()")
        assert opened.evaluate("document.documentElement.dataset.theme") != before


def axe() -> str:
    """Deque's axe-core, from wherever it is installed. Where it is missing the test is skipped, and says so."""
    package = importlib.util.find_spec("axe_core_python")
    places = [os.environ.get("AXE_CORE"), ROOT / "node_modules" / "axe-core" / "axe.min.js"]
    places += [Path(package.origin).parent / "axe.min.js"] if package is not None and package.origin else []
    found = [Path(place) for place in places if place and Path(place).is_file()]
    if not found:
        assert os.environ.get("CI") != "true", "`make setup` installs axe-core-python"
        pytest.skip("NO AXE: the page was not tested for accessibility; pip install axe-core-python")
    return found[0].read_text("utf-8")


@pytest.mark.parametrize(
    "record",
    [lambda: recorded(6), lambda: speeds(3), lambda: answered(a=STATUS | {"pending": [PENDING]})],
    ids=["apply", "speed", "status"],
)
def test_axe_finds_nothing(browser: str, profile: Path, record: Callable[[], Record]) -> None:
    file = profile / "page.html"
    file.write_text(page(record()), "utf-8")
    program = axe()
    with Browser(browser, file) as opened:
        opened.until("document.documentElement?.dataset.ready === 'yes'")
        opened.evaluate(f"{program}; 0")
        for view in (
            "document.querySelectorAll('details').forEach((found) => { found.open = true; })",
            "document.getElementById('theme').click()",
            "open(0)",
        ):
            opened.evaluate(view)
            run = "axe.run().then((found) => found.violations.map((rule) => rule.id + ': ' + rule.nodes[0].html))"
            assert opened.evaluate(run) == [], view
