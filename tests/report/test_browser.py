"""The page in a real browser: every chart is drawn, and hostile names stay names."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from robust import report

CHROMIUM = shutil.which("chromium")
QUIET = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--virtual-time-budget=8000",
]  # fmt: skip
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not CHROMIUM, reason="there is no chromium")]


@pytest.fixture
def browse(tmp_path):
    """A function that opens a page and gives the document as the scripts have left it."""

    def browse(page: Path) -> str:
        command = [CHROMIUM, *QUIET, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", page.as_uri()]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout

    return browse


def test_charts_are_drawn(folder, browse):
    dom = browse(report.write(folder))
    unfolded = 4 + 5  # curves, and the matrices of the first model
    assert len(re.findall(r'class="chart vega-embed', dom)) == unfolded
    assert len(re.findall(r"<svg [^>]*class=\"marks\"", dom)) == unfolded
    assert "NaN" not in re.sub(r"<script.*?</script>", "", dom, flags=re.DOTALL)


def test_hostile_names_do_nothing(make, browse):
    names = [
        "</script><img src=x onerror=\"document.title='hacked'\">",
        '"><svg onload="document.title=\'hacked\'">',
    ]
    dom = browse(report.write(make(names)))
    assert "<title>quick: robustness</title>" in dom
    assert 'class="chart vega-embed' in dom


def test_the_table_of_values_sorts_and_filters(folder, browse):
    page = report.write(folder)
    text = re.sub(r"<meta http-equiv[^>]*>", "", page.read_text())  # it would keep this test's script out
    page.write_text(f"{text}<script>{ACT}</script>")
    title = re.search("<title>(.*?)</title>", browse(page))[1]
    lowest, highest, shown, hidden = title.split("|")
    assert float(lowest) == 0 and float(highest) >= 0.9
    assert shown == "1" and int(hidden) > 50


ACT = """
const heads = [...document.querySelectorAll(".values th")];
const value = heads.findIndex((head) => head.textContent === "value");
const first = () => document.querySelector(".values tbody").rows[0].cells[value].dataset.key;
const found = [];
for (const turn of [1, 2]) { heads[value].click(); found.push(first()); }
const words = document.querySelector("#filter");
words.value = "LeNet5 clean top1";
words.dispatchEvent(new Event("input"));
const all = [...document.querySelectorAll(".values tbody tr")];
found.push(all.filter((row) => !row.hidden).length, all.filter((row) => row.hidden).length);
document.title = found.join("|");
"""
