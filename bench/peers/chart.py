"""A chart of horizontal bars as SVG, on a logarithmic scale, that can be read on light and on dark pages.

The law: text is text, in the reader's own font; no colour is needed to read it; nothing is loaded from anywhere.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, LEFT, RIGHT = 760, 150, 70
BAR, GAP, HEAD, TOP = 16, 6, 30, 44
STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #24292f; }
  .head { font-weight: 600; } .small { font-size: 12px; } .end { text-anchor: end; } .middle { text-anchor: middle; }
  line { stroke: #8c959f; stroke-width: 1; stroke-opacity: .35; }
  rect { fill: #8c959f; } rect.provision { fill: #1a7f37; } rect.ssh { fill: none; stroke: #8c959f; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; } rect { fill: #6e7681; } rect.provision { fill: #3fb950; }
  }
"""


@dataclass(frozen=True)
class Bar:
    """One value, more than nothing."""

    label: str
    value: float
    kind: str


@dataclass(frozen=True)
class Panel:
    """Bars under one head."""

    head: str
    bars: Sequence[Bar]


def draw(title: str, panels: Sequence[Panel]) -> str:
    """The chart of at least one bar, as the text of an SVG file."""
    values = [bar.value for panel in panels for bar in panel.bars]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    scale = (WIDTH - LEFT - RIGHT) / max(1, high - low)

    def across(value: float) -> float:
        return LEFT + (math.log10(value) - low) * scale

    body, y = [f'<text x="8" y="22" class="head">{escape(title)}</text>'], TOP
    for panel in panels:
        y += HEAD
        body.append(f'<text x="8" y="{y - 8}" class="head">{escape(panel.head)}</text>')
        for bar in panel.bars:
            end, middle = across(bar.value), y + BAR - 4
            body.append(f'<text x="{LEFT - 8}" y="{middle}" class="end">{escape(bar.label)}</text>')
            body.append(f'<rect class="{bar.kind}" x="{LEFT}" y="{y}" width="{end - LEFT:.1f}" height="{BAR}"/>')
            body.append(f'<text x="{end + 6:.1f}" y="{middle}">{number(bar.value)}</text>')
            y += BAR + GAP
    grid = []
    for power in range(low, high + 1):
        x = across(10.0**power)
        grid.append(f'<line x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{y + 4}"/>')
        grid.append(f'<text x="{x:.1f}" y="{y + 20}" class="small middle">{10.0**power:g} s</text>')
    height = y + 30
    size = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">'
    described = f"<title>{escape(title)}</title>\n<style>{STYLE}</style>"
    return "\n".join([head, described, *grid, *body, "</svg>"]) + "\n"


def number(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.0f} s"
