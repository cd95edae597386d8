"""What a person feels of the Console: how soon a page shows what happens, how it scrolls, what it costs.

    python -m bench.console

It boots clusters of plain processes under a state folder of its own, with the built pages and this machine's Chromium.
Without Chromium what needs a browser is not measured, and its rows say so.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from websockets.asyncio.client import connect

from bench.figures import Row
from bench.lab import Lab, cpu_seconds, lab, pss_megabytes
from homeostat.api.kinds import POD
from homeostat.api.types import Obj
from homeostat.client.contract import MERGE_PATCH, Client
from homeostat.cluster.lab_orders import Order
from homeostat.cluster.state_folder import Folder
from homeostat.lab.processes.orders import ask
from homeostat.operate.clients import admin_client
from tests.support import browser
from tests.support.browser import Page
from tests.support.console_person import LINK, sign_in

_PODS, _PAGES = 10_000, 20
_CHANGES_PER_SECOND, _CHANGES_SECONDS = 200, 15
# Every so many changes one is to a row that is on screen.
_SEEN_EVERY, _SEEN_FROM = 10, 1_000_000
_KILLS, _BOOTS, _IDLE_SECONDS, _SCROLL_SECONDS = 5, 6, 15.0, 5.0
_NO_BROWSER = "not measured: this machine has no Chromium"
_ROWS = "document.querySelectorAll('[role=rowgroup] [role=row]').length"


def folder_of(made: Lab) -> Folder:
    """The state folder of the lab's cluster."""
    return Folder(Path(made.home) / "homeostat" / "homeostat")


def link(made: Lab) -> str:
    """A link that signs in. Raises RuntimeError."""
    found = LINK.search(made.run("console"))
    if found is None:
        raise RuntimeError("`homeostat console` printed no link")
    return found[0]


def console_pid(made: Lab) -> int:
    """The Console's process."""
    children = ask(folder_of(made).supervisor_socket, Order("status"))["children"]
    return next(int(child["pid"]) for child in children if child["name"] == "console")


async def make_pods(client: Client, count: int) -> None:
    """Pods of a scheduler that is not there: as objects they are like any other."""
    slots = asyncio.Semaphore(32)

    async def make(number: int) -> None:
        container = {"name": "app", "image": "none", "command": ["true"]}
        metadata = {"name": f"pod-{number:05}", "namespace": "default", "labels": {"app": f"app-{number % 50}"}}
        spec = {"schedulerName": "none", "containers": [container]}
        async with slots:
            await client.create(POD, {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})

    await asyncio.gather(*(make(number) for number in range(count)))


async def change_pods(client: Client) -> dict[str, float]:
    """Change Pods at a steady rate. When those changes were sent that can be seen, by text, in seconds of the epoch."""
    sent: dict[str, float] = {}
    began = time.monotonic()

    async def change(number: int) -> None:
        seen = number % _SEEN_EVERY == 0
        name = f"pod-{(number // _SEEN_EVERY) % 10 if seen else 100 + number % (_PODS - 100):05}"
        # What a list shows of it: the count of restarts, a number that no other change has.
        restarts = _SEEN_FROM + number if seen else number
        if seen:
            sent[str(restarts)] = time.time()
        container = {"name": "app", "image": "none", "imageID": "", "ready": False, "restartCount": restarts}
        patch: Obj = {"status": {"containerStatuses": [container]}}
        await client.patch(POD, name, "default", patch, content_type=MERGE_PATCH, subresource="status")

    under_way = []
    for number in range(_CHANGES_PER_SECOND * _CHANGES_SECONDS):
        await asyncio.sleep(max(0.0, began + number / _CHANGES_PER_SECOND - time.monotonic()))
        under_way.append(asyncio.create_task(change(number)))
    await asyncio.gather(*under_way)
    return sent


# Notes when each text was drawn: the frame after the one in which it came into the page.
_NOTE_SEEN = """
(() => {
  const seen = (window.__seenAt = {});
  const look = () => {
    for (const found of document.querySelector("[role=rowgroup]").innerText.matchAll(/\\b1\\d{6}\\b/g)) {
      if (found[0] in seen) continue;
      seen[found[0]] = 0;
      const drawn = () => (seen[found[0]] = (performance.timeOrigin + performance.now()) / 1000);
      requestAnimationFrame(() => setTimeout(drawn));
    }
  };
  new MutationObserver(look).observe(document.querySelector("[role=rowgroup]"),
    { subtree: true, childList: true, characterData: true });
  return true;
})()
"""
# Frames per second while a list is scrolled at a steady pace.
_SCROLL = """
new Promise((done) => {
  const grid = document.querySelector("[role=grid]");
  const began = performance.now();
  let frames = 0;
  const step = (time) => {
    frames += 1;
    grid.scrollTop = ((time - began) * 3) %% (grid.scrollHeight - grid.clientHeight);
    if (time - began < %d) requestAnimationFrame(step);
    else done((1000 * frames) / (time - began));
  };
  requestAnimationFrame(step);
})
"""


@contextmanager
def signed_in(made: Lab) -> Iterator[Page | None]:
    """A page of a browser; None where there is none."""
    with ExitStack() as stack:
        if not browser.program():
            yield None
            return
        page = stack.enter_context(browser.running()).page(width=1280, height=800)
        sign_in(page, link(made))
        yield page


def event_to_pixel(made: Lab, page: Page) -> float:
    """Milliseconds from a write to the frame that shows it, for 95 of 100."""
    page.js(_NOTE_SEEN)

    async def change() -> dict[str, float]:
        client = admin_client(folder_of(made), connections_max=64)
        try:
            return await change_pods(client)
        finally:
            await client.close()

    sent = asyncio.run(change())
    page.until(f"Object.values(window.__seenAt).length > {len(sent) // 2}")
    time.sleep(1.0)
    seen = page.js("window.__seenAt")
    # Of several changes to one row within a frame the last is shown.
    delays = sorted(1000 * (seen[text] - at) for text, at in sent.items() if seen.get(text))
    if len(delays) < len(sent) / 2:
        raise RuntimeError(f"only {len(delays)} of {len(sent)} changes were shown")
    return float(delays[int(0.95 * len(delays))])


def open_pods(page: Page) -> float:
    """Seconds until a list of all Pods shows its rows, on a page that is there."""
    page.until("!!document.querySelector('nav')")
    page.click("nav text=Overview")
    page.until("location.pathname === '/'")
    began = page.js("performance.now()")
    page.click("nav text=Pods")
    at = page.until(f"{_ROWS} > 10 && /pod-00000/.test(document.body.innerText) && performance.now()", seconds=30)
    return float(at - began) / 1000


def failovers(made: Lab, page: Page) -> list[float]:
    """Milliseconds without an API server that a page reports, for kills of the one that serves it."""
    gaps = []
    for _ in range(_KILLS):
        serving = page.until(
            "document.querySelector('footer').innerText.match(/(?:served by|moved to) (master-\\d)/)?.[1]"
        )
        address = folder_of(made).load().node(serving).address
        listening = subprocess.run(["ss", "-Hltnp", f"src {address}:6443"], capture_output=True, text=True, check=True)
        found = re.search(r"pid=(\d+)", listening.stdout)
        if found is None:
            raise RuntimeError(f"no API server listens on {serving}")
        os.kill(int(found[1]), signal.SIGKILL)
        moved = rf"/From {serving} to master-\d in (\d+) ms/"
        gaps.append(float(page.until(f"document.querySelector('footer [role=status]')?.title.match({moved})?.[1]")))
        made.kubectl(
            "wait", "-n", "kube-system", f"pod/kube-apiserver-{serving}", "--for=condition=Ready", "--timeout=60s"
        )
        time.sleep(2.0)
    return gaps


async def memory_with_pages(made: Lab, cookie: str, pages: int) -> float:
    """Megabytes (PSS) of the back end while so many pages look at all Pods."""
    origin = urlsplit(str(json.loads(made.run("status", "-o", "json"))["console"]))
    url, headers = f"ws://{origin.netloc}/console/live", {"cookie": cookie, "origin": f"http://{origin.netloc}"}
    async with asyncio.timeout(120), AsyncExitStack() as open_:
        for number in range(pages):
            socket = await open_.enter_async_context(connect(url, additional_headers=headers, max_size=None))
            await socket.send(json.dumps(_opening(number)))
            while not re.search(rf'"total": ?{_PODS}', str(await socket.recv())):
                pass
        return pss_megabytes([console_pid(made)])


def _opening(number: int) -> Obj:
    """What the page with this number asks for: each looks at another part of the list."""
    return {
        "op": "open",
        "id": 1,
        "what": "list",
        "resource": {"group": "", "version": "v1", "plural": "pods"},
        "namespace": "default",
        "search": "",
        "labels": "",
        "statuses": [],
        "sort": {"column": "Name", "descending": number % 2 == 0},
        "first": number * 100,
        "count": 60,
    }


def cookie_of(page: Page) -> str:
    """The session of a page, as a header."""
    cookies = page.call("Network.getCookies")["cookies"]
    return "; ".join(f"{each['name']}={each['value']}" for each in cookies)


def idle_percent(page: Page) -> float:
    """What an idle page uses of one core, its browser's processes together."""
    page.until("!!document.querySelector('nav')")
    time.sleep(3.0)
    pids = tree(page.browser.pid)
    before = cpu_seconds(pids)
    time.sleep(_IDLE_SECONDS)
    return 100 * (cpu_seconds(pids) - before) / _IDLE_SECONDS


def tree(root: int) -> list[int]:
    """A process and all below it."""
    listed = subprocess.run(["ps", "-e", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    parents = {int(line.split()[0]): int(line.split()[1]) for line in listed.splitlines()}
    found = {root}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return sorted(found)


def up_slowed() -> float:
    """Seconds that `up` takes longer with a Console than without: the difference of medians, runs interleaved."""
    taken: dict[str, list[float]] = {"--no-console": [], "--console-port=18999": []}
    for _ in range(_BOOTS):
        for option, seconds in taken.items():
            with lab() as made:
                began = time.monotonic()
                made.run("up", "--runtime", "process", option)
                seconds.append(time.monotonic() - began)
    without, with_one = (statistics.median(seconds) for seconds in taken.values())
    return with_one - without


def rows() -> list[Row]:
    """Measure; one row a figure."""
    found: list[Row] = []
    with lab() as made:
        made.run("up", "--runtime", "process")
        with signed_in(made) as page:
            if page is None:
                found += [
                    _unmeasured(name) for name in ("failover gap of a page, longest", "an idle page, of one core")
                ]
            else:
                idle = idle_percent(page)
                gaps = failovers(made, page)
                note = f"median {statistics.median(gaps):.0f} ms"
                found.append(Row.below("console: failover gap of a page, longest", max(gaps), 500, "ms", note=note))
                found.append(Row.below("console: an idle page, of one core", idle, 1.0, "%"))
    with lab() as made:
        made.run("up", "--runtime", "process", "--control-planes", "1", "--workers", "0")
        asyncio.run(_fill(made))
        found += _large(made)
    found.append(Row.below("console: `up` takes longer by", up_slowed(), 0.3, "s"))
    return found


async def _fill(made: Lab) -> None:
    client = admin_client(folder_of(made))
    try:
        await make_pods(client, _PODS)
    finally:
        await client.close()


def _large(made: Lab) -> list[Row]:
    names = (
        f"a list of {_PODS:,} Pods is there",
        "scrolling it",
        f"event to pixel, p95 at {_CHANGES_PER_SECOND} changes/s",
        f"back end with {_PODS:,} Pods and {_PAGES} pages, PSS",
    )
    with signed_in(made) as page:
        if page is None:
            return [_unmeasured(name) for name in names]
        opened = [open_pods(page) for _ in range(3)]
        frames = float(page.js(_SCROLL % (_SCROLL_SECONDS * 1000)))
        page.js("document.querySelector('[role=grid]').scrollTop = 0")
        page.until("/pod-00000/.test(document.querySelector('[role=rowgroup]').innerText)")
        delay = event_to_pixel(made, page)
        memory = asyncio.run(memory_with_pages(made, cookie_of(page), _PAGES - 1))
    note = f"the first time {opened[0]:.2f} s"
    return [
        Row.below(f"console: {names[0]}", max(opened), 1.5, "s", note=note),
        Row.above(f"console: {names[1]}", frames, 55, "frames/s"),
        Row.below(f"console: {names[2]}", delay, 400, "ms"),
        Row.below(f"console: {names[3]}", memory, 120, "MB"),
    ]


def _unmeasured(name: str) -> Row:
    return Row(f"console: {name}", "", "", None, note=_NO_BROWSER)


def main() -> None:
    """The command."""
    for row in rows():
        print(row.line(), flush=True)


if __name__ == "__main__":
    main()
