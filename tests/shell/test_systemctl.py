"""systemctl, service, poweroff and journalctl over a node's init: words, exit codes, and the orders to the init."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from homeostat.shell.tool_error import ToolError
from homeostat.shell.units import journalctl, unit_logs, unit_text
from homeostat.shell.units.unit_control import Unit
from tests.shell.conftest import Said, Tool

Obj = dict[str, Any]
SINCE = 1_800_000_000.0
_TEXTS = {
    "containerd": "containerd container runtime",
    "kubelet": "Kubernetes node agent",
    "kube-proxy": "Kubernetes service proxy",
    "sshd": "OpenBSD Secure Shell server",
}


class FakeInit:
    """Answers as the node's init does, and records its orders."""

    def __init__(self, path: Path) -> None:
        self.orders: list[Obj] = []
        self.units = {name: self._unit(name, text) for name, text in _TEXTS.items()}
        self.fails_to_start: set[str] = set()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _unit(self, name: str, text: str) -> Obj:
        running = {"state": "active", "sub": "running", "pid": os.getpid(), "since": SINCE, "main_code": 0}
        return {"name": name, "description": text, "enabled": True, "restarts": 2, "result": "success", **running}

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as lines:
                if not (line := lines.readline()):
                    continue  # somebody looked whether it listens
                connection.sendall(json.dumps(self._answer(json.loads(line))).encode() + b"\n")

    def _answer(self, order: Obj) -> Obj:
        what, unit = order["do"], self.units.get(order.get("unit", ""), {})
        if what == "units":
            return {"units": list(self.units.values())}
        self.orders.append(order)
        if what in ("start", "restart"):
            failing = unit["name"] in self.fails_to_start
            state = ("activating", "auto-restart") if failing else ("active", "running")
            unit.update(state=state[0], sub=state[1], pid=0 if failing else os.getpid())
        elif what == "stop":
            unit.update(state="inactive", sub="dead", pid=0)
        elif what in ("enable", "disable"):
            unit["enabled"] = what == "enable"
        return {"ok": True}

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture
def init(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeInit]:
    monkeypatch.setenv("HOMEOSTAT_INIT_SOCKET", str(tmp_path / "init.sock"))
    monkeypatch.setenv("CONTAINER_RUNTIME_ENDPOINT", str(tmp_path / "init.sock"))
    monkeypatch.setattr(unit_logs, "FOLDER", tmp_path)
    one = FakeInit(tmp_path / "init.sock")
    yield one
    one.close()


def test_the_guides_words_stop_and_start_services(init: FakeInit, tool: Tool) -> None:
    """GUIDE.md, section 3, steps 1 and 4. Docker's service is the container engine."""
    for verb in ("stop", "start"):
        for unit in ("docker", "kubelet"):
            said = tool("systemctl", verb, unit)
            assert (said.code, said.out, said.err) == (0, "", "")
    assert [(order["do"], order["unit"]) for order in init.orders] == [
        ("stop", "containerd"),
        ("stop", "kubelet"),
        ("start", "containerd"),
        ("start", "kubelet"),
    ]


@pytest.mark.parametrize("name", ["docker", "docker.service", "containerd"])
def test_docker_and_containerd_are_one(init: FakeInit, tool: Tool, name: str) -> None:
    assert tool("systemctl", "is-active", name).word == "active"
    tool("systemctl", "stop", "docker")
    assert (tool("systemctl", "is-active", name).word, tool("systemctl", "is-active", name).code) == ("inactive", 3)


def test_an_unknown_unit_gets_a_hint(init: FakeInit, tool: Tool) -> None:
    said = tool("systemctl", "status", "kubelt")
    assert (said.code, said.err) == (4, "Unit kubelt.service could not be found.\nDid you mean kubelet.service?\n")
    said = tool("systemctl", "start", "kublet.service")
    assert said.code == 5
    assert said.err.splitlines() == [
        "Failed to start kublet.service: Unit kublet.service not found.",
        "Did you mean kubelet.service?",
    ]
    assert "Did you mean docker.service?" in tool("systemctl", "restart", "dokcer").err
    assert tool("systemctl", "stop", "nothing-like-it").err.count("\n") == 1, "no hint where none fits"
    assert tool("journalctl", "-u", "kubelt").err.endswith("Did you mean kubelet.service?\n")
    assert init.orders == []


CODES = {
    ("is-active", "kubelet"): (0, "active\n"),
    ("is-active", "kube-proxy"): (3, "inactive\n"),
    ("is-active", "kube-proxy", "kubelet"): (0, "inactive\nactive\n"),
    ("is-active", "nosuch"): (4, "inactive\n"),
    ("is-active", "-q", "kubelet"): (0, ""),
    ("is-active", "sshd"): (3, "failed\n"),
    ("is-failed", "sshd"): (0, "failed\n"),
    ("is-failed", "kubelet"): (1, "active\n"),
    ("is-enabled", "kubelet"): (0, "enabled\n"),
    ("is-enabled", "kube-proxy"): (1, "disabled\n"),
    ("is-enabled", "nosuch"): (1, ""),
    ("is-system-running",): (1, "degraded\n"),
    ("show", "kubelet", "-p", "ActiveState,SubState"): (0, "ActiveState=active\nSubState=running\n"),
    ("show", "sshd", "--property=ExecMainStatus", "--value"): (0, "255\n"),
    ("show", "nosuch", "-p", "LoadState"): (0, "LoadState=not-found\n"),
    ("daemon-reload",): (0, ""),
    ("mask", "kubelet"): (1, ""),
    ("frobnicate",): (1, ""),
    ("start",): (1, ""),
    ("--nosuch",): (1, ""),
}


@pytest.mark.parametrize("words", CODES, ids=" ".join)
def test_exit_codes_are_systemds(init: FakeInit, tool: Tool, words: tuple[str, ...]) -> None:
    init.units["kube-proxy"].update(state="inactive", sub="dead", pid=0, enabled=False)
    init.units["sshd"].update(state="failed", sub="failed", pid=0, result="exit-code", main_code=255)
    said = tool("systemctl", *words)
    assert (said.code, said.out) == CODES[words]
    assert (said.err == "") == (said.code in (0, 3, 4) or (words[0].startswith("is-") and bool(said.out)))


def test_status_of_a_service(init: FakeInit, tool: Tool, tmp_path: Path) -> None:
    (tmp_path / "kubelet.log").write_text(
        "2027-01-15T08:00:01.5Z I homeostat.node: first\n2027-01-15T08:00:02.5Z I homeostat.node: second\n"
    )
    (tmp_path / "init.log").write_text(
        "2027-01-15T08:00:00.1Z init[1]: Started kubelet.service - Kubernetes node agent.\n"
        "2027-01-15T08:00:00.2Z init[1]: Started sshd.service - OpenBSD Secure Shell server.\n"
    )
    said = tool("systemctl", "status", "kubelet", "--no-pager")
    assert said.code == 0
    lines = said.lines
    assert lines[0] == "● kubelet.service - Kubernetes node agent"
    assert lines[1].strip() == "Loaded: loaded (this node's init; enabled)"
    assert lines[2].strip().startswith("Active: active (running) since Fri 2027-01-15 08:00:00 ")
    assert lines[3].strip().startswith(f"Main PID: {os.getpid()} (")
    assert any(line.strip().startswith("Memory: ") for line in lines)
    assert [line.rpartition(": ")[2] for line in lines[-2:]] == ["first", "second"]
    assert f" {socket.gethostname()} systemd[1]: Started kubelet.service" in lines[-3]
    tool("systemctl", "stop", "kubelet")
    stopped = tool("systemctl", "status", "kubelet", "-n0")
    assert stopped.code == 3
    assert stopped.lines[0].startswith("○ kubelet.service")
    assert "Active: inactive (dead) since" in stopped.lines[2]


def test_status_of_one_that_failed() -> None:
    unit = Unit("sshd", "SSH", "failed", "failed", since=SINCE, result="signal", code=-9)
    lines = unit_text.status(unit, now=SINCE + 65, lines=0)
    assert lines[0].startswith("× sshd.service")
    assert lines[2].strip().startswith("Active: failed (Result: signal) since ")
    assert lines[2].endswith("; 1min 5s ago")
    assert lines[3].strip() == "Main PID: (code=killed, signal=KILL)"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.25, "250ms ago"),
        (1, "1s ago"),
        (65, "1min 5s ago"),
        (3600, "1h ago"),
        (3 * 3600 + 61, "3h 1min ago"),
        (86400 + 3600, "1 day 1h ago"),
        (5 * 86400, "5 days ago"),
    ],
)
def test_spans_have_two_units_at_most(seconds: float, text: str) -> None:
    assert unit_text.ago(seconds) == text


def test_lists(init: FakeInit, tool: Tool) -> None:
    init.units["kube-proxy"].update(state="inactive", sub="dead", pid=0)
    init.units["sshd"].update(state="failed", sub="failed", pid=0, result="exit-code")
    plain = tool("systemctl", "list-units", "--no-legend")
    assert [line.split()[:5] for line in plain.lines if "●" not in line] == [
        ["containerd.service", "loaded", "active", "running", "containerd"],
        ["docker.service", "loaded", "active", "running", "Docker"],
        ["kubelet.service", "loaded", "active", "running", "Kubernetes"],
    ]
    assert plain.lines[-1].startswith("● sshd.service")
    every = tool("systemctl", "--all")
    assert "kube-proxy.service" in every.out and every.lines[-1] == "5 loaded units listed."
    assert [line.split()[1] for line in tool("systemctl", "--failed", "--no-legend").lines] == ["sshd.service"]
    assert (
        tool("systemctl", "list-units", "kube*", "--state=active", "--no-legend").word.split()[0] == "kubelet.service"
    )
    assert "0 loaded units" in tool("systemctl", "list-units", "-t", "timer").out
    tool("systemctl", "disable", "--now", "kubelet")
    assert [(order["do"], order["unit"]) for order in init.orders] == [("disable", "kubelet"), ("stop", "kubelet")]
    files = {line.split()[0]: line.split()[1] for line in tool("systemctl", "list-unit-files", "--no-legend").lines}
    assert files["kubelet.service"] == "disabled" and files["docker.service"] == "enabled"


def test_a_service_that_does_not_stay_up_is_reported(init: FakeInit, tool: Tool) -> None:
    init.fails_to_start.add("kubelet")
    said = tool("systemctl", "restart", "kubelet")
    assert said.code == 1
    assert said.err.startswith("Job for kubelet.service failed")
    assert 'See "systemctl status kubelet.service"' in said.err


def test_the_engines_start_is_done_when_it_answers(
    init: FakeInit, tool: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with systemd, to which containerd and docker say when they are ready (Type=notify)."""
    monkeypatch.setenv("CONTAINER_RUNTIME_ENDPOINT", str(tmp_path / "engine.sock"))
    seen: list[str] = []
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)

    def engine() -> None:
        listener.bind(str(tmp_path / "engine.sock"))
        seen.append("bound")
        listener.listen()

    timer = threading.Timer(0.3, engine)
    timer.start()
    assert tool("systemctl", "start", "docker") == Said(0, "", "")
    assert seen == ["bound"]
    timer.join()
    listener.close()


def test_signals(init: FakeInit, tool: Tool) -> None:
    assert tool("systemctl", "kill", "-s", "SIGUSR1", "kubelet").code == 0
    assert tool("systemctl", "kill", "docker").code == 0
    assert [(order["unit"], order["signal"]) for order in init.orders] == [("kubelet", 10), ("containerd", 15)]
    assert tool("systemctl", "kill", "-s", "NIX", "kubelet").err == "Failed to parse signal string NIX.\n"


def test_cat_shows_what_runs(init: FakeInit, tool: Tool) -> None:
    said = tool("systemctl", "cat", "kubelet")
    assert "Description=Kubernetes node agent" in said.lines
    assert any(line.startswith("ExecStart=") and "python" in line for line in said.lines)
    assert tool("systemctl", "cat", "nosuch").code == 1


def test_service_is_the_older_way_to_say_it(init: FakeInit, tool: Tool) -> None:
    assert tool("service", "ssh", "status").lines[0].startswith("● sshd.service")
    assert tool("service", "kubelet", "stop").code == 0
    assert " [ - ]  kubelet" in tool("service", "--status-all").lines
    assert init.orders == [{"do": "stop", "unit": "kubelet"}]
    assert tool("service", "kubelet").err.startswith("Usage: service")


@pytest.mark.parametrize(
    ("words", "order"),
    [
        (("poweroff",), "poweroff"),
        (("halt",), "poweroff"),
        (("shutdown", "-h", "now"), "poweroff"),
        (("shutdown", "-r", "now"), "reboot"),
        (("reboot",), "reboot"),
        (("systemctl", "poweroff"), "poweroff"),
        (("systemctl", "reboot"), "reboot"),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, tuple) else words,
)
def test_power(init: FakeInit, tool: Tool, words: tuple[str, ...], order: str) -> None:
    assert tool(*words).code == 0
    assert init.orders == [{"do": order}]


def test_power_has_no_later(init: FakeInit, tool: Tool) -> None:
    assert tool("shutdown", "+5").code == 1
    assert init.orders == []


def test_without_an_init_it_says_so(tool: Tool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOMEOSTAT_INIT_SOCKET", str(tmp_path / "nothing"))
    said = tool("systemctl", "status")
    assert said.code == 1
    assert said.err.startswith("Failed to connect to bus: ")


LOG = """2027-01-15T08:00:01.25Z I homeostat.node: one
  a second line of it
time="2027-01-15T08:00:03.000000001Z" level=info msg="three"
"""


def test_the_journal_of_a_unit(init: FakeInit, tool: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    (tmp_path / "containerd.log").write_text(LOG)
    (tmp_path / "init.log").write_text(
        "2027-01-15T08:00:02Z init[1]: Stopped containerd.service - containerd container runtime.\n"
    )
    host = socket.gethostname()
    said = tool("journalctl", "-u", "docker", "--no-pager")
    assert [line.replace(f" {host} ", " ") for line in said.lines] == [
        "Jan 15 08:00:01 containerd: I homeostat.node: one",
        "Jan 15 08:00:01 containerd:   a second line of it",
        "Jan 15 08:00:02 systemd[1]: Stopped containerd.service - containerd container runtime.",
        'Jan 15 08:00:03 containerd: level=info msg="three"',
    ]
    assert tool("journalctl", "-u", "containerd", "-o", "cat", "-n", "1").word.endswith('msg="three"')
    assert tool("journalctl", "-xeu", "containerd", "-r", "-o", "cat").lines[0].endswith('msg="three"')
    assert len(tool("journalctl", "-u", "containerd", "--since", "2027-01-15 08:00:02").lines) == 2
    assert tool("journalctl", "-u", "containerd", "-U", "@1800000001").lines == ["-- No entries --"]
    assert tool("journalctl", "-u", "containerd", "-g", "nowhere").lines == ["-- No entries --"]
    assert tool("journalctl", "-u", "sshd").lines == ["-- No entries --"]
    assert tool("journalctl", "-u", "containerd", "-o", "short-iso", "-n1").word.startswith("2027-01-15T08:00:03+0000 ")
    assert tool("journalctl", "-o", "nix").code == 1
    assert tool("journalctl", "--since", "whenever").err == "Failed to parse timestamp: whenever\n"


def test_lines_without_any_time_have_that_of_the_file(init: FakeInit, tool: Tool, tmp_path: Path) -> None:
    log = tmp_path / "sshd.log"
    log.write_text("Server listening on 0.0.0.0 port 22.\n")
    os.utime(log, (SINCE, SINCE))
    assert "Jan 15 08:00:00" in tool("journalctl", "-u", "sshd").word


def test_following_reads_whole_lines_as_they_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unit_logs, "FOLDER", tmp_path)
    log = tmp_path / "kubelet.log"
    log.write_text("old\n")
    follower = unit_logs.Follower(["kubelet"])
    assert follower.new() == []
    with log.open("a") as file:
        file.write("new\nhal")
    assert [entry.text for entry in follower.new()] == ["new"]
    with log.open("a") as file:
        file.write("f\n")
    (tmp_path / "init.log").write_text("2027-01-15T08:00:00Z init[1]: Stopped kubelet.service - x.\n")
    assert {entry.text for entry in follower.new()} == {"half", "Stopped kubelet.service - x."}
    log.write_text("cut\n")
    assert [entry.text for entry in follower.new()] == ["cut"], "a file that was cut is read from its start"


MOMENTS = {
    "now": SINCE,
    "@12.5": 12.5,
    "5 min ago": SINCE - 300,
    "-1h 30min": SINCE - 5400,
    "+10s": SINCE + 10,
    "2 days ago": SINCE - 2 * 86400,
    "2027-01-15 08:00:00 UTC": SINCE,
    "2027-01-15T08:00:00+00:00": SINCE,
}


@pytest.mark.parametrize("text", MOMENTS)
def test_moments_are_those_of_systemd(text: str) -> None:
    """systemd.time(7)."""
    assert journalctl.moment(text, SINCE) == MOMENTS[text]


@pytest.mark.parametrize("text", ["", "soon", "5 lightyears ago", "-", "25:99"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(ToolError, match="Failed to parse timestamp"):
        journalctl.moment(text, SINCE)


def test_days_begin_at_midnight() -> None:
    today = journalctl.moment("today", SINCE)
    assert 0 <= SINCE - today < 86400
    assert journalctl.moment("yesterday", SINCE) < today <= journalctl.moment("08:00", SINCE) - 8 * 3600 + 1
