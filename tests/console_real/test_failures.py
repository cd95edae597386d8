"""The Console while parts of the cluster fail: the guide's steps, with real kills of what serves the page.

Three masters and two workers, whose clocks of failure are short, so that nobody waits for them.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from homeostat.kit.clock import parse_rfc3339
from tests.console_real.conftest import link, picture
from tests.console_real.frames import Watch
from tests.support.browser import Browser, Page
from tests.support.console_person import do, open_page, sign_in
from tests.support.patience import eventually
from tests.support.ports import own_port
from tests.support.real_lab import ROOT, Lab

pytestmark = pytest.mark.real
GRACE_SECONDS, TOLERATION_SECONDS = 6, 40
SETTINGS = (
    f"controller-manager.node-monitor-grace-period={GRACE_SECONDS}s",
    "controller-manager.node-monitor-period=500ms",
    "kubelet.node-lease-duration-seconds=4",
    "kubelet.node-status-update-frequency=1s",
    f"apiserver.default-unreachable-toleration-seconds={TOLERATION_SECONDS}",
)
# The API server that answers this page, as its strip says.
SERVED_BY = "document.querySelector('footer').innerText.match(/(?:served by|moved to) (master-\\d)/)?.[1]"


@pytest.fixture(scope="module")
def lab(new_lab: Callable[[], Lab]) -> Lab:
    made = new_lab()
    made.homeostat("up", "--runtime", "process", *own_port(), *(word for each in SETTINGS for word in ("--set", each)))
    made.kubectl("apply", "-f", str(ROOT / "examples" / "hello.yaml"))
    made.kubectl("rollout", "status", "deployment/hello", "--timeout=60s")
    return made


@pytest.fixture(scope="module")
def page(browser: Browser, lab: Lab) -> Page:
    """One page for the whole file, as a person has it open beside the terminal."""
    page = browser.page(width=900, height=900)
    sign_in(page, link(lab))
    return page


def api_server_of(lab: Lab, master: str) -> int:
    """The process that listens at a master's address, found as the guide does."""
    found = lab.json("get", "node", master)["status"]["addresses"]
    address = next(each["address"] for each in found if each["type"] == "InternalIP")
    seen = subprocess.run(["ss", "-Hltnp", f"src {address}:6443"], capture_output=True, text=True, check=True).stdout
    (pid,) = set(re.findall(r"pid=(\d+)", seen))
    return int(pid)


def kill_what_serves(page: Page, lab: Lab) -> str:
    """Kill the API server that answers the page, and wait until the page says that it has moved; which it was.

    On a busy machine the page may have moved a moment earlier by itself: then the one it has moved to is killed.
    """
    for _ in range(3):
        serving = str(page.until(SERVED_BY))
        os.kill(api_server_of(lab, serving), signal.SIGKILL)
        page.until(f"{SERVED_BY} !== '{serving}'", seconds=5)
        moved = rf"/From {serving} to master-\d in (\d+) ms/"
        if gap := page.js(f"document.querySelector('footer [role=status]')?.title.match({moved})?.[1]"):
            assert int(gap) < 2000
            return serving
    raise AssertionError("the page was never served by the API server that was killed")


@contextmanager
def stopped(pids: list[int]) -> Iterator[None]:
    """Processes that hang: they listen, and answer nothing."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def test_the_guides_steps_while_the_api_server_that_serves_the_page_is_killed(page: Page, lab: Lab) -> None:
    """ "In the Console: Workloads > Pods, type `api`: the API server's Pods are listed", and the page stays live: no
    frozen frame, no reload; what was typed, the focus and the place in the list are kept."""
    do(page, "open Workloads > Pods")
    page.until("document.activeElement?.type === 'search'")
    do(page, "type api")
    do(page, "see 3 rows")
    for master in ("master-1", "master-2", "master-3"):
        do(page, f"see kube-apiserver-{master}")
    watch = Watch(page)
    serving = kill_what_serves(page, lab)
    row = f"[...document.querySelectorAll('[role=row]')].find((e) => e.innerText.includes('kube-apiserver-{serving}'))"
    restarts = f"[...{row}.querySelectorAll('[role=gridcell]')].some((e) => /^1( \\(|$)/.test(e.innerText.trim()))"
    page.until(restarts, seconds=15)
    do(page, "see 3 rows")
    seen = watch.end()
    assert seen["longest"] < 500, seen
    picture(page, "failover", size=(1100, 620))
    assert page.js("[document.activeElement.type, document.activeElement.value]") == ["search", "api"]
    assert page.complaints == []


def test_what_a_page_asks_for_never_leaves_the_machine(page: Page, lab: Lab) -> None:
    console = json.loads(lab.homeostat("status", "-o", "json").stdout)["console"]
    port = console.rpartition(":")[2]
    other = [
        url for url in page.requests if not re.match(rf"(https?|wss?)://127\.0\.0\.1:{port}/|data:|blob:|about:", url)
    ]
    assert other == []


def test_without_any_api_server_the_last_known_state_is_shown_as_such_and_the_page_recovers(
    page: Page, lab: Lab
) -> None:
    page.until("document.querySelectorAll('[role=rowgroup] [role=row]').length === 3")
    watch = Watch(page)
    with stopped([api_server_of(lab, f"master-{number}") for number in (1, 2, 3)]):
        began = time.time()
        page.until("/No API server answers/.test(document.querySelector('footer').innerText)", seconds=6)
        page.until("/last known/.test(document.querySelector('main').innerText)", seconds=3)
        counted = page.until("document.querySelector('footer').innerText.match(/answers for (\\d+) s/)?.[1]", seconds=3)
        assert abs(time.time() - began - int(counted)) < 3.5
        assert page.js("document.querySelectorAll('[role=rowgroup] [role=row]').length") == 3, "nothing is blanked"
        picture(page, "outage", size=(1100, 620))
    page.until("!/No API server answers/.test(document.querySelector('footer').innerText)", seconds=10)
    page.until("!/last known|as of/.test(document.querySelector('main').innerText)", seconds=10)
    assert watch.end()["longest"] < 500


def test_a_cut_node_is_unhealthy_with_its_reason_and_counts_down_to_the_second(page: Page, lab: Lab) -> None:
    open_page(page, "Administration", "Nodes")
    do(page, "see worker-1")
    lab.homeostat("node", "cut", "worker-1")
    page.until(
        "[...document.querySelectorAll('[role=row]')].some((e) => /worker-1/.test(e.innerText)"
        " && /Unhealthy \\(NotReady\\)/.test(e.innerText))",
        seconds=GRACE_SECONDS + 10,
    )
    picture(page, "unhealthy-nodes")
    do(page, "open worker-1")
    shown = page.until(
        "(() => { const found = document.querySelector('main').innerText.match("
        "/(?:leave|evicted)[^\\n]*?in (?:(\\d+) m )?(\\d+) s/);"
        " return found && [Date.now() / 1000, Number(found[1] ?? 0) * 60 + Number(found[2])]; })()",
        seconds=15,
    )
    at, left = shown
    assert abs(left - (eviction_at(lab, "worker-1") - at)) <= 1.5
    picture(page, "cut-node")
    lab.homeostat("node", "heal", "worker-1")
    page.until("!/Unhealthy/.test(document.querySelector('main').innerText)", seconds=20)


def eviction_at(lab: Lab, node: str) -> float:
    """When the first Pod's toleration of the node's taint is over, by what the cluster says."""

    def taint() -> float:
        taints = lab.json("get", "node", node)["spec"].get("taints") or []
        added = [each["timeAdded"] for each in taints if each["effect"] == "NoExecute"]
        return parse_rfc3339(added[0]) if added else 0.0

    return eventually(taint, seconds=10) + TOLERATION_SECONDS
