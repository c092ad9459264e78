"""The ladder as an SVG picture, without any other file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from trivox.observe.ladder import Ladder, Rung

_COLUMN: Final = 220
_LEFT: Final = 150
_TOP: Final = 40
_ROW: Final = 26
_STYLE: Final = (
    "text{font:12px sans-serif;fill:#222}.head{font-weight:bold}.time{fill:#777;text-anchor:end}"
    ".title{text-anchor:middle}.life{stroke:#bbb}.message{stroke:#246;stroke-width:1.4;fill:none}"
    ".refused{stroke:#b22}"
)
_ARROW_HEAD: Final = (
    '<marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8"'
    ' orient="auto"><path d="M0 0 8 4 0 8z" fill="#246"/></marker>'
)


def svg_of(drawn: Ladder) -> str:
    """Draw a ladder; a response of 400 or more is red."""
    width = _LEFT + max(len(drawn.columns) - 1, 0) * _COLUMN + 150
    bottom = _TOP + (len(drawn.rungs) + 1) * _ROW
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{bottom}"'
        f' viewBox="0 0 {width} {bottom}">',
        f"<style>{_STYLE}</style><defs>{_ARROW_HEAD}</defs>",
    ]
    for column, name in enumerate(drawn.columns):
        x = _LEFT + column * _COLUMN
        parts.append(
            f'<text class="head title" x="{x}" y="{_TOP - 16}">{escape(name)}</text>'
            f'<line class="life" x1="{x}" y1="{_TOP}" x2="{x}" y2="{bottom}"/>'
        )
    for row, rung in enumerate(drawn.rungs, 1):
        parts.append(_message(rung, _TOP + row * _ROW))
    parts.append("</svg>\n")
    return "\n".join(parts)


def _message(rung: Rung, y: int) -> str:
    begin, end = _LEFT + rung.source * _COLUMN, _LEFT + rung.destination * _COLUMN
    kind = "message refused" if rung.title[:1] in "456" else "message"
    path = f"M{begin} {y}H{end}"
    if begin == end:
        path = f"M{begin} {y - 5}h24v10h-24"
    return (
        f'<text class="time" x="{_LEFT - 60}" y="{y + 4}">{rung.after * 1000:.1f} ms</text>'
        f'<path class="{kind}" marker-end="url(#head)" d="{path}"/>'
        f'<text class="title" x="{(begin + end) // 2}" y="{y - 5}">{escape(rung.title)}</text>'
    )
