"""Who is at the Console: signing in, rights, several tabs, and people who cannot see or use a mouse.

One master and one worker.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.console_real.conftest import link, picture
from tests.support.browser import Browser, Page
from tests.support.console_person import do, sign_in
from tests.support.patience import eventually
from tests.support.ports import own_port
from tests.support.real_lab import ROOT, Lab

pytestmark = pytest.mark.real
AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
PAGES = {
    "overview": "/",
    "pods": "/pods",
    "deployments": "/deployments",
    "pod": "",
    "nodes": "/nodes",
    "node": "/nodes/worker-1",
    "control-plane": "/control-plane",
    "topology": "/topology",
    "timeline": "/timeline",
    "drills": "/drills",
    "search": "/search?search=hello",
    "create": "/create",
    "custom-resources": "/custom-resources",
    "settings": "/settings",
}


@pytest.fixture(scope="module")
def lab(new_lab: Callable[[], Lab]) -> Lab:
    made = new_lab()
    made.homeostat("up", "--runtime", "process", "--control-planes", "1", "--workers", "1", *own_port())
    made.kubectl("apply", "-f", str(ROOT / "examples" / "hello.yaml"))
    made.kubectl("rollout", "status", "deployment/hello", "--timeout=60s")
    return made


@pytest.fixture(scope="module")
def page(browser: Browser, lab: Lab) -> Page:
    page = browser.page(width=1280, height=900)
    sign_in(page, link(lab))
    return page


def child(lab: Lab) -> dict[str, Any]:
    """What the supervisor says of the Console's process."""
    from homeostat.cluster.lab_orders import Order
    from homeostat.lab.processes.orders import ask

    socket = Path(lab.env["XDG_STATE_HOME"], "homeostat", lab.name, "supervisor.sock")
    found: dict[str, Any] = next(each for each in ask(socket, Order("status"))["children"] if each["name"] == "console")
    return found


def origin(lab: Lab) -> str:
    return str(json.loads(lab.homeostat("status", "-o", "json").stdout)["console"])


def test_a_console_that_nobody_opens_is_not_there_and_starts_with_its_first_client(lab: Lab) -> None:
    assert (child(lab)["pid"], child(lab)["launches"]) == (0, 0)
    done = subprocess.run(["curl", "-s", "-m", "30", origin(lab)], capture_output=True, text=True, check=True)
    assert "<html" in done.stdout
    assert child(lab)["pid"]


def test_a_code_signs_in_once(browser: Browser, lab: Lab) -> None:
    code = link(lab)
    first, second = browser.page(), browser.page()
    sign_in(first, code)
    assert "code" not in first.js("location.href"), "the code stays in no history"
    second.open(code)
    second.see("used")
    second.see("homeostat console")
    assert not second.js("!!document.querySelector('nav')")
    first.close()
    second.close()


def test_what_a_user_may_not_is_refused_with_the_permission_that_is_missing(browser: Browser, lab: Lab) -> None:
    for words in (
        ("create", "namespace", "team"),
        ("create", "serviceaccount", "ann", "-n", "team"),
        ("create", "rolebinding", "ann", "-n", "team", "--clusterrole=view", "--serviceaccount=team:ann"),
        ("create", "configmap", "seen", "-n", "team"),
    ):
        lab.kubectl(*words)
    token = lab.out("create", "token", "ann", "-n", "team").strip()
    page = browser.page()
    page.open(origin(lab))
    page.click("input")
    page.type(token)
    page.key("Enter")
    page.until("!!document.querySelector('nav')")
    page.open(f"{origin(lab)}/configmaps?ns=team")
    page.see("seen")
    page.open(f"{origin(lab)}/nodes")
    page.until("/list/.test(document.body.innerText) && /nodes/.test(document.body.innerText)")
    page.until("/may not|not allowed|forbidden|permission/i.test(document.querySelector('main').innerText)")
    assert not page.js("/worker-1/.test(document.body.innerText)")
    page.close()


def test_a_second_tab_shares_the_sign_in_and_follows_the_same_cluster(browser: Browser, page: Page, lab: Lab) -> None:
    other = browser.page(beside=page)
    for tab in (page, other):
        tab.open(f"{origin(lab)}/configmaps")
        tab.see("kube-root-ca.crt")
    lab.kubectl("create", "configmap", "made-just-now")
    for tab in (page, other):
        tab.until("/made-just-now|1 new/.test(document.querySelector('main').innerText)")
    other.close()


def test_the_page_outlives_the_process_that_serves_it(page: Page, lab: Lab) -> None:
    page.open(f"{origin(lab)}/pods")
    do(page, "see hello-")
    loads, before = page.loads, child(lab)
    os.kill(before["pid"], signal.SIGKILL)
    eventually(lambda: child(lab)["pid"] not in (0, before["pid"]), seconds=10)
    lab.kubectl("create", "deployment", "late", "--image=none", "--", "sleep", "1000")
    page.until("/late-|new/.test(document.querySelector('main').innerText)", seconds=15)
    assert page.loads == loads
    lab.kubectl("delete", "deployment", "late")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_accessible_in_both_themes(name: str, page: Page, lab: Lab) -> None:
    """By axe-core, contrast included: it judges what is on the page when its data has come."""
    path = PAGES[name]
    if name == "pod":
        path = "/pods/" + lab.out("get", "pods", "-o", "jsonpath=default/{.items[0].metadata.name}")
    page.complaints.clear()
    page.open(f"{origin(lab)}{path}")
    page.until("document.querySelector('main')?.innerText.trim().length > 20")
    page.until("!document.querySelector('.freshness--loading')")
    page.call("Runtime.evaluate", expression=AXE.read_text())
    for theme in ("light", "dark"):
        page.theme(theme, reduced_motion=True)
        found = page.js(
            "axe.run(document, {resultTypes: ['violations']}).then((seen) => seen.violations.map("
            "(each) => each.id + ': ' + each.help + ' ' + each.nodes.slice(0, 3).map((n) => n.html).join(' ')))"
        )
        assert found == [], f"{theme}: " + "\n".join(found)
    picture(page, name)
    assert page.complaints == []
