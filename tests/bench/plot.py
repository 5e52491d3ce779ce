"""Bar charts as SVG, light and dark, without a library; tables of docs/comparison.md."""
from __future__ import annotations

import html
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

__all__ = ["DOCS", "Panel", "bars", "markdown", "put", "time_of"]

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"
STYLE = ("text{font:13px system-ui,sans-serif;fill:#333}.title{font-weight:600}.name{text-anchor:end}.ours{fill:#2563eb}.theirs{fill:#a8b0bd}"
         "@media(prefers-color-scheme:dark){text{fill:#ddd}.theirs{fill:#667}}")
NAME_WIDTH, BAR_WIDTH, WIDTH = 210, 370, 700


@dataclass(frozen=True, slots=True)
class Panel:
    """One scale. bars: name, length, what is written behind it; the names of ours begin with "pyhost"."""

    title: str
    bars: list[tuple[str, float, str]]


def time_of(microseconds: float) -> str:
    """As text, in a fitting unit."""
    if microseconds < 1000:
        return f"{microseconds:.1f} µs"
    return f"{microseconds / 1000:.2f} ms" if microseconds < 1e6 else f"{microseconds / 1e6:.2f} s"


def bars(title: str, panels: Iterable[Panel]) -> str:
    """A picture of panels below each other."""
    parts, top = [], 34
    for panel in panels:
        if not panel.bars:
            continue
        longest = max(length for _, length, _ in panel.bars)
        parts.append(f'<text x="10" y="{top + 14}" class="title">{html.escape(panel.title)}</text>')
        top += 24
        for name, length, shown in panel.bars:
            width = max(2, length / longest * BAR_WIDTH)
            parts.append(f'<text x="{NAME_WIDTH}" y="{top + 14}" class="name">{html.escape(name)}</text><rect x="{NAME_WIDTH + 10}" y="{top}" '
                         f'width="{width:.1f}" height="18" class="{"ours" if name.startswith("pyhost") else "theirs"}"/>'
                         f'<text x="{NAME_WIDTH + 16 + width:.1f}" y="{top + 14}">{html.escape(shown)}</text>')
            top += 24
        top += 16
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" width="{WIDTH}" height="{top}"><style>{STYLE}</style>'
    return f'{head}<text x="10" y="20" class="title">{html.escape(title)}</text>{"".join(parts)}</svg>\n'


def markdown(head: list[str], rows: list[list[str]]) -> str:
    """A table."""
    lines = [" | ".join(head), "|".join(["---"] * len(head)), *(" | ".join(each) for each in rows)]
    return "\n".join(f"|{line}|" if line.startswith("---") else f"| {line} |" for line in lines) + "\n"


def put(name: str, text: str) -> None:
    """Print a table, and put it into its place in docs/comparison.md."""
    page = DOCS / "comparison.md"
    pattern = re.compile(rf"(<!-- measured: {name} -->\n).*?(<!-- measured end -->)", re.DOTALL)
    page.write_text(pattern.sub(lambda found: f"{found[1]}\n{text}\n{found[2]}", page.read_text()))
    print(text, flush=True)
