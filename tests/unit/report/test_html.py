"""The page: what a host says is text in it and nothing else; it needs nobody; a real browser shows 1,000 hosts."""

import html
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from provision.events import (
    Error,
    HostFacts,
    HostFinished,
    HostStarted,
    Notice,
    Outcome,
    ResourceDone,
    RunStarted,
    Summary,
)
from provision.report.html import page
from provision.report.record import Record
from tests.unit.report.browser import FLAGS, Browser
from tests.unit.report.fleet import recorded

HOSTILE = (
    "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
    "&lt;b&gt;<!--\u2028\x1b[31m"
)


def data_of(text: str) -> dict[str, object]:
    match = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    assert match is not None
    found: dict[str, object] = json.loads(match[1])
    return found


def hostile() -> Record:
    record = Record()
    proof = {
        "levels": {HOSTILE: {"verdict": HOSTILE, "checks": [{"name": HOSTILE, "cause": HOSTILE}]}, "0": 7},
        "gpus": [HOSTILE, {"name": HOSTILE}],
    }
    diff = (
        {"key": HOSTILE, "before": HOSTILE, "after": [HOSTILE], "text": None},
        {"key": "c", "before": None, "after": None, "text": "+" + HOSTILE},
    )
    error = Error(HOSTILE, HOSTILE, HOSTILE, HOSTILE)
    end = HostFinished(HOSTILE, Outcome.FAILED, {}, 1.0, error)
    step = ResourceDone(HOSTILE, HOSTILE, HOSTILE, HOSTILE, Outcome.CHANGED, diff, HOSTILE, 0.1, None, proof)
    facts = {"kernel": HOSTILE, "nvidia": [HOSTILE]}
    for event in (
        RunStarted(HOSTILE, HOSTILE, (HOSTILE,), False),
        HostStarted(HOSTILE),
        HostFacts(HOSTILE, facts),
        Notice(HOSTILE, HOSTILE),
        step,
        end,
        Summary(HOSTILE, Outcome.FAILED, {HOSTILE: end}),
    ):
        record(event)
    return record


def test_no_tag_of_a_host_gets_into_the_page() -> None:
    text = page(hostile())
    assert text.count("<script") == 2
    for part in ("<img", "<!--", "owned</title>"):
        assert part not in text
    assert data_of(text)["hosts"][0]["name"] == HOSTILE  # type: ignore[index]


def test_it_loads_nothing_and_runs_only_its_own_script() -> None:
    text = page(recorded(20))
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    assert policy[1].startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy[1]
    without_data = re.sub(r'<script type="application/json".*?</script>', "", text, flags=re.S)
    assert not re.search(r"https?://|url\(|@import|src=|<link", without_data)


def test_hosts_that_say_the_same_share_one_entry() -> None:
    small, large = len(page(recorded(200))), len(page(recorded(1000)))
    assert large < 900_000
    assert (large - small) / 800 < 900, "bytes a host"
    found = data_of(page(recorded(1000)))
    assert len(found["hosts"]) == 1000  # type: ignore[arg-type]
    assert len(found["changes"]) < 10  # type: ignore[arg-type]


def test_what_sets_the_odd_ones_apart() -> None:
    groups = data_of(page(recorded(300)))["groups"]
    assert groups[0]["apart"] == []  # type: ignore[index]
    assert ["kernel"] in [group["apart"] for group in groups]  # type: ignore[attr-defined]
    assert ["GPUs"] in [group["apart"] for group in groups]  # type: ignore[attr-defined]


def test_a_run_that_never_ended_is_shown_as_such() -> None:
    record = Record()
    record(RunStarted("R", "apply", ("a", "b"), False))
    record(HostStarted("a"))
    found = data_of(page(record))
    assert [host["outcome"] for host in found["hosts"]] == ["unknown", "not-started"]  # type: ignore[attr-defined]


# -- in a browser


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


def speeds(count: int) -> Record:
    """Hosts with eight GPUs each, of which one has slow memory, and one of another model."""
    record = Record()
    names = [f"dgx{number:04}" for number in range(1, count + 1)]
    record(RunStarted("R", "apply", tuple(names), False))
    for number, name in enumerate(names):
        gpus = []
        for index in range(8):
            wave = 1 + ((number * 8 + index) * 37 % 101 - 50) / 10000
            slow = 0.88 if (number, index) == (2, 5) else 1
            figures = {
                "memcpy_dtod": [4278 * wave, "GB/s"], "write": [4695 * wave, "GB/s"],
                "read": [4588 * wave * slow, "GB/s"],
                "fma32": [65.9 * wave, "TFLOP/s"], "fma64": [33.1 * wave, "TFLOP/s"], "wgmma": [969 * wave, "TFLOP/s"],
                "sustained": [863 * wave, "TFLOP/s"], "htod": [55.5 * wave, "GB/s"], "dtoh": [55.5 * wave, "GB/s"],
            }  # fmt: skip
            model = HOSTILE if number == count - 1 and count > 3 else "NVIDIA H200"
            gpu = {"index": index, "uuid": f"GPU-{number}-{index}", "name": model, "mode": "full", "figures": figures}
            gpus.append({**gpu, "power_limit": 700000, "shared": [], "crc": {}})
        proof = {"levels": {"5": {"verdict": "passed", "checks": []}}, "speed": gpus}
        record(ResourceDone(name, "gpu_smoke_test", "gpu_speed", "gpu", Outcome.OK, proof=proof))
        record(HostFinished(name, Outcome.OK, {}, 3.0))
    record(Summary("R", Outcome.OK))
    return record


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
        before = opened.evaluate("document.documentElement.dataset.theme")
        opened.evaluate("document.getElementById('theme').click()")
        assert opened.evaluate("document.documentElement.dataset.theme") != before
