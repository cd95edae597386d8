"""Draws one drill's report as a picture: `homeostat drill run NAME -o json | python tools/timeline.py > PICTURE.svg`.

Every dot is one write that a loop made, at the time that the journal recorded; nothing is drawn by hand.
"""

from __future__ import annotations

import json
import sys
from html import escape
from typing import Any

_LEFT, _SCALE, _RIGHT, _TOP, _ROW, _WIDTH = 24, 300, 350, 92, 24, 960
_TEXT_MAX = 82
_COLOURS = {"kubelet": "#1f6feb", "controller-manager": "#8250df", "scheduler": "#bf8700"}
_GREY, _RED, _GREEN, _INK = "#6e7781", "#cf222e", "#1a7f37", "#1f2328"


def picture(report: dict[str, Any]) -> str:
    """The SVG of one report (an element of the command's JSON)."""
    began = report["fault"]["at"]
    writes = [entry for entry in report["journal"] if entry["kind"] != "Lease"]
    last = max((entry["time"] - began for entry in writes), default=0.1)
    step = next(s for s in (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 60, 600) if last / s <= 6)
    end = (int(last / step) + 1) * step
    bottom = _TOP + _ROW * (len(writes) + 1)

    def x(seconds: float) -> float:
        return round(_LEFT + seconds / end * _SCALE, 1)

    parts = [_text(_LEFT, 30, f"{report['drill']}: {report['fault']['did']}", size=17, weight="600")]
    parts.append(_text(_LEFT, 52, report["target"], colour=_GREY))
    ticks = round(end / step) + 1
    for number in range(ticks):
        at = x(number * step)
        parts.append(f'<line x1="{at}" y1="{_TOP - 10}" x2="{at}" y2="{bottom}" stroke="#d0d7de"/>')
        parts.append(_text(at, _TOP - 16, f"{number * step * 1000:.0f}", colour=_GREY, size=11, anchor="middle"))
    parts.append(_text(_RIGHT, _TOP - 16, "ms after the fault; each dot is one write, and why", colour=_GREY, size=11))
    parts += _row(x(0), _TOP + 10, _RED, report["fault"]["did"])
    said: set[tuple[str, str]] = set()
    for place, entry in enumerate(writes, start=1):
        cause = entry["cause"] or {"loop": "unknown"}
        note = (cause["loop"], cause.get("note", ""))
        summary = note[1] if note[1] and note not in said else entry["summary"].replace("status.", "")
        said.add(note)
        text = f"{cause['loop'].removeprefix('controller-manager/')}: {entry['kind']}: {summary}"
        colour = _COLOURS.get(cause["loop"].partition("/")[0], _GREY)
        parts += _row(x(entry["time"] - began), _TOP + 10 + _ROW * place, colour, text)
    parts.append(_text(_LEFT, bottom + 22, _clients(report), colour=_GREEN if report["passed"] else _RED, weight="600"))
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {bottom + 40}" width="{_WIDTH}"'
    head += ' font-family="system-ui, sans-serif" role="img">'
    title = f"<title>{escape('Timeline of the drill ' + report['drill'])}</title>"
    return "\n".join([head, title, '<rect width="100%" height="100%" rx="8" fill="#fff"/>', *parts, "</svg>\n"])


def _row(at: float, y: float, colour: str, text: str) -> list[str]:
    shown = text if len(text) <= _TEXT_MAX else text[: _TEXT_MAX - 1] + "…"
    line = f'<line x1="{at}" y1="{y}" x2="{_RIGHT - 8}" y2="{y}" stroke="{colour}" stroke-opacity=".25"/>'
    return [line, f'<circle cx="{at}" cy="{y}" r="5" fill="{colour}"/>', _text(_RIGHT, y + 4, shown)]


def _clients(report: dict[str, Any]) -> str:
    verdict = "passed" if report["passed"] else "failed"
    summary = []
    for client in report["clients"]:
        in_flight = sum(failure["inFlight"] for failure in client["failures"])
        text = f"{client['name']}: {client['requests']} requests, {len(client['failures'])} failed"
        summary.append(text + (f" ({in_flight} in flight at the fault)" if in_flight else ""))
    return f"{verdict}; what clients saw meanwhile: {'; '.join(summary)}"


def _text(
    x: float, y: float, text: str, *, colour: str = _INK, size: int = 13, weight: str = "400", anchor: str = "start"
) -> str:
    style = f'font-size="{size}" font-weight="{weight}" text-anchor="{anchor}"'
    return f'<text x="{x}" y="{y}" fill="{colour}" {style}>{escape(text)}</text>'


if __name__ == "__main__":
    print(picture(json.load(sys.stdin)[0]), end="")
