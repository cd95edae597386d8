"""The picture of a drill shows what its report says."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

from tools.timeline import picture

SVG = "{http://www.w3.org/2000/svg}"


def entry(seconds: float, kind: str, loop: str, note: str) -> dict[str, Any]:
    return {"time": 1000 + seconds, "kind": kind, "cause": {"loop": loop, "note": note}, "summary": "Ready <changed>"}


def report() -> dict[str, Any]:
    failure = {"at": 0.0, "seconds": 0.01, "error": "reset", "inFlight": True}
    return {
        "drill": "container",
        "passed": True,
        "target": "container hello",
        "fault": {"did": "kill -9 1", "at": 1000.0},
        "clients": [{"name": "app", "requests": 25, "failures": [failure]}],
        "journal": [
            entry(0.02, "Pod", "kubelet/worker-1", "hello ended"),
            entry(0.03, "Lease", "kubelet/worker-1", "renewed"),
            entry(0.08, "Pod", "kubelet/worker-1", "hello ended"),
        ],
    }


def test_one_dot_for_the_fault_and_one_for_each_write_in_order_of_time() -> None:
    drawn = ElementTree.fromstring(picture(report()))
    places = [float(dot.attrib["cx"]) for dot in drawn.iter(f"{SVG}circle")]
    assert len(places) == 3
    assert places == sorted(places)


def test_a_note_is_shown_once_then_what_changed() -> None:
    texts = [text.text or "" for text in ElementTree.fromstring(picture(report())).iter(f"{SVG}text")]
    assert sum("hello ended" in text for text in texts) == 1
    assert sum("Ready <changed>" in text for text in texts) == 1
    assert "1 failed (1 in flight at the fault)" in texts[-1]
