"""Drills on real nodes: faults are what a person on the node would do, and they are detected and repaired as predicted.

What needs three masters or a spare worker is in tests/guide.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hosts.conftest import Hosts

pytestmark = [pytest.mark.real, pytest.mark.slow]
HELLO = str(Path(__file__).parents[2] / "examples" / "hello.yaml")


@pytest.fixture(scope="module")
def app(hosts: Hosts) -> Iterator[Hosts]:
    """The drills' app runs."""
    hosts.kubectl("apply", "-f", HELLO)
    hosts.kubectl("rollout", "status", "deployment/hello", "--timeout=60s")
    yield hosts
    hosts.kubectl("delete", "-f", HELLO, "--wait=false")


@pytest.mark.parametrize(
    ("drill", "fault"),
    [("container", "worker-1# docker kill "), ("node-agent", "worker-1# systemctl kill -s KILL kubelet")],
)
def test_a_drill_does_what_a_person_there_would_do(app: Hosts, drill: str, fault: str) -> None:
    report = run(app, drill)
    assert report["fault"]["did"].startswith(fault)
    # What was predicted came true; how soon is a figure (`make bench`), and this machine may have more to do.
    assert all(prediction["seconds"] is not None for prediction in report["predictions"]), report["predictions"]
    clients = {client["name"]: client for client in report["clients"]}
    assert clients["app"]["requests"] > 10
    assert all(failure["inFlight"] for failure in clients["app"]["failures"])
    assert any(entry["cause"]["loop"] == "kubelet/worker-1" for entry in report["journal"])


def test_without_a_worker_to_spare_no_drill_takes_one(app: Hosts) -> None:
    """The app would have nobody left to answer, so the drill says so and breaks nothing."""
    assert "without it nobody could answer" in app.run("drill", "run", "node", ok=False)
    assert app.ready()["worker-1"] == "True"


def run(hosts: Hosts, drill: str) -> dict[str, Any]:
    (report,) = json.loads(hosts.run("drill", "run", drill, "-o", "json", ok=False))
    assert isinstance(report, dict)
    return report
