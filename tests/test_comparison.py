"""docs/comparison.md and what measures it: the works run under each of its kinds, the plots are pictures, every table is there."""
from __future__ import annotations

import json
import re
import subprocess
import sys
import xml.etree.ElementTree
from pathlib import Path

import pytest
from bench import plot

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "comparison.md"
WORK = ROOT / "tests" / "bench" / "talks_work.py"


@pytest.mark.parametrize("kind", ["threads", "gevent", "asyncio", "pyhost"])
def test_waiting_and_switching_units(binary: Path, base_env: dict[str, str], kind: str) -> None:
    if kind == "gevent":
        pytest.importorskip("gevent")
    interpreter = str(binary) if kind == "pyhost" else sys.executable
    done = subprocess.run([interpreter, str(WORK), "200", kind], env=base_env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert set(found) == {"memory", "life", "switch"} and found["life"] > 0 and found["switch"] > 0


def test_ten_thousand_coroutines_wait_in_little_memory(binary: Path, base_env: dict[str, str]) -> None:
    done = subprocess.run([str(binary), str(WORK), "10000", "pyhost"], env=base_env, capture_output=True, text=True, timeout=120, check=True)
    assert json.loads(done.stdout)["memory"] < 10 * 1024


@pytest.mark.parametrize("name", ["cgi", "units", "workers", "gateways"])
def test_every_table_has_been_measured(name: str) -> None:
    part = re.search(rf"<!-- measured: {name} -->\n\n\|.*\n\|---.*\n(\|.*\n)+\n<!-- measured end -->", PAGE.read_text())
    assert part and part[0].count("pyhost") >= 1


@pytest.mark.parametrize("picture", re.findall(r"!\[.*?\]\((.*?)\)", PAGE.read_text()))
def test_plots_are_pictures(picture: str) -> None:
    root = xml.etree.ElementTree.parse(ROOT / "docs" / picture).getroot()
    assert root.tag.endswith("svg") and len(list(root.iter("{http://www.w3.org/2000/svg}rect"))) >= 3


def test_bars() -> None:
    text = plot.bars("a <title>", [plot.Panel("p", [("pyhost", 2.0, "2 µs"), ("other", 4.0, plot.time_of(4000))])])
    root = xml.etree.ElementTree.fromstring(text)
    bars = list(root.iter("{http://www.w3.org/2000/svg}rect"))
    assert [bar.get("class") for bar in bars] == ["ours", "theirs"] and float(bars[1].get("width", "")) == 2 * float(bars[0].get("width", ""))
    assert "4.00 ms" in text
