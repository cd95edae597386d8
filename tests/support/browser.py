"""A real browser, driven as a person does: Chromium over the DevTools protocol, on the library that speaks WebSocket
anyway. It waits for conditions, types keys and moves the mouse; what a page complains of is collected.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import queue
import re
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--disable-features=Translate,MediaRouter,OptimizationHints",
    "--metrics-recording-only",
    "--mute-audio",
    "--hide-scrollbars",
    # Two pages are watched at once, and neither is a background tab that sleeps.
    "--disable-renderer-backgrounding",
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--remote-debugging-port=0",
)
_START_SECONDS, _CALL_SECONDS, _LOOK_SECONDS = 60.0, 60.0, 0.03
# What takes so long on a machine with other things to do as well.
_BUSY = 4.0
# Also in an editor's shadow root.
_IN_A_FIELD = """
(() => {
  let at = document.activeElement;
  while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
  return at instanceof HTMLInputElement || at instanceof HTMLTextAreaElement || at?.isContentEditable === true;
})()
"""
_KEYS = {
    "Enter": ("Enter", 13, "\r"),
    "Tab": ("Tab", 9, ""),
    "Escape": ("Escape", 27, ""),
    "Backspace": ("Backspace", 8, ""),
    "ArrowDown": ("ArrowDown", 40, ""),
    "ArrowUp": ("ArrowUp", 38, ""),
    "Home": ("Home", 36, ""),
    "End": ("End", 35, ""),
    "PageDown": ("PageDown", 34, ""),
    "Space": ("Space", 32, " "),
}
_MODIFIERS = {"Alt": 1, "Control": 2, "Meta": 4, "Shift": 8}


def program() -> str:
    """The Chromium of this machine; empty where it has none."""
    return next(
        (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
    )


class PageError(AssertionError):
    """A script failed in the page."""


class Browser:
    """A running Chromium with nobody's profile."""

    def __init__(self, process: subprocess.Popen[bytes], socket: ClientConnection) -> None:
        self.pid = process.pid
        self._socket = socket
        self._numbers = itertools.count(1)
        self._answers: dict[int, queue.SimpleQueue[dict[str, Any]]] = {}
        self._pages: dict[str, Page] = {}
        self._lock = threading.Lock()
        threading.Thread(target=self._read, daemon=True).start()

    def call(self, method: str, *, session: str = "", **parameters: Any) -> Any:
        """One call of the protocol. Raises PageError when it is refused."""
        number, answers = next(self._numbers), queue.SimpleQueue[dict[str, Any]]()
        self._answers[number] = answers
        message = {"id": number, "method": method, "params": parameters, **({"sessionId": session} if session else {})}
        with self._lock:
            self._socket.send(json.dumps(message))
        try:
            answer = answers.get(timeout=_CALL_SECONDS)
        except queue.Empty:
            raise PageError(f"the browser did not answer {method}") from None
        finally:
            self._answers.pop(number, None)
        if "error" in answer:
            raise PageError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def page(self, *, beside: Page | None = None, width: int = 1280, height: int = 800) -> Page:
        """A new page of a person that has signed in nowhere; `beside` another: a tab with the same cookies."""
        context = beside.context if beside else self.call("Target.createBrowserContext")["browserContextId"]
        target = self.call("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, session, target, context)
        self._pages[session] = page
        page.begin(width, height)
        return page

    def _read(self) -> None:
        with suppress(ConnectionClosed):
            for text in self._socket:
                message = json.loads(text)
                if "id" in message:
                    if answers := self._answers.get(message["id"]):
                        answers.put(message)
                elif page := self._pages.get(message.get("sessionId", "")):
                    page.heard(message["method"], message["params"])


class Page:
    """One page. `complaints` are errors and violations of the content security policy; `requests` all that it asked
    for; `loads` how many documents it has had."""

    def __init__(self, browser: Browser, session: str, target: str, context: str) -> None:
        self.browser, self.context = browser, context
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.loads = 0
        self._session, self._target = session, target

    def call(self, method: str, **parameters: Any) -> Any:
        """One call of the protocol."""
        return self.browser.call(method, session=self._session, **parameters)

    def begin(self, width: int, height: int) -> None:
        """Listen to what happens."""
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setFocusEmulationEnabled", enabled=True)
        self.size(width, height)

    def size(self, width: int, height: int) -> None:
        """How large the window is."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def theme(self, name: str, *, reduced_motion: bool = False) -> None:
        """What the system prefers: `light` or `dark`."""
        motion = "reduce" if reduced_motion else "no-preference"
        features = [
            {"name": "prefers-color-scheme", "value": name},
            {"name": "prefers-reduced-motion", "value": motion},
        ]
        self.call("Emulation.setEmulatedMedia", features=features)

    def heard(self, method: str, event: dict[str, Any]) -> None:
        """What the browser reports."""
        if method == "Runtime.exceptionThrown":
            details = event["exceptionDetails"]
            self.complaints.append(str(details.get("exception", {}).get("description") or details["text"]))
        elif method == "Log.entryAdded" and event["entry"]["level"] == "error":
            # A request that fails while no API server answers is what some tests are about.
            if event["entry"]["source"] != "network":
                self.complaints.append(str(event["entry"]["text"]))
        elif method == "Network.requestWillBeSent":
            self.requests.append(str(event["request"]["url"]))
        elif method == "Page.frameNavigated" and not event["frame"].get("parentId"):
            self.loads += 1

    # What a person does.

    def open(self, url: str) -> None:
        """Type an address, and wait until the document is there."""
        failed = self.call("Page.navigate", url=url).get("errorText")
        assert not failed, f"{url}: {failed}"
        self.until("document.readyState === 'complete'")

    def key(self, name: str) -> None:
        """Press one key, such as `Enter`, `a` or `Control+k`."""
        *held, last = name.split("+") if len(name) > 1 else [name]
        modifiers = sum(_MODIFIERS[each] for each in held)
        code, number, text = _KEYS[last] if last in _KEYS else (f"Key{last.upper()}", ord(last.upper()), last)
        key = last if last != "Space" else " "
        event = {"key": key, "code": code, "windowsVirtualKeyCode": number, "modifiers": modifiers}
        typed = {"text": text} if text and not modifiers & ~_MODIFIERS["Shift"] else {}
        self.call("Input.dispatchKeyEvent", type="keyDown" if typed else "rawKeyDown", **event, **typed)
        self.call("Input.dispatchKeyEvent", type="keyUp", **event)

    def type(self, text: str) -> None:
        """Type into the field that has the focus, as soon as one has it, as a person would. Raises PageError."""
        self.until(_IN_A_FIELD)
        for letter in text:
            self.call("Input.dispatchKeyEvent", type="keyDown", key=letter, text=letter, unmodifiedText=letter)
            self.call("Input.dispatchKeyEvent", type="keyUp", key=letter)

    def click(self, what: str, *, seconds: float = 10.0) -> None:
        """Click on an element: a CSS selector, or `text=...` for what is seen with this text (a link or a button
        first), perhaps below another: `nav text=Pods`."""
        x, y = self.until(f"__place({json.dumps(what)})", seconds=seconds)
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def wheel(self, x: int, y: int, *, down: int) -> None:
        """Turn the mouse's wheel."""
        self.call("Input.dispatchMouseEvent", type="mouseWheel", x=x, y=y, deltaX=0, deltaY=down)

    # What a person sees.

    def js(self, expression: str) -> Any:
        """What an expression gives in the page, as JSON. Raises PageError when it throws."""
        result = self.call(
            "Runtime.evaluate", expression=f"{_HELP};({expression})", awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in result:
            details = result["exceptionDetails"]
            raise PageError(str(details.get("exception", {}).get("description") or details["text"]))
        return result["result"].get("value")

    def until(self, expression: str, *, seconds: float = 10.0) -> Any:
        """What the expression gives once it is true. Raises PageError. `seconds` is for a quiet machine."""
        deadline = time.monotonic() + seconds * _BUSY
        why = ""
        while True:
            try:
                if found := self.js(expression):
                    return found
            except PageError as error:
                why = f" ({error})"
            if time.monotonic() > deadline:
                seen = re.sub(r"\n\s*", "\n", str(self.js("document.body.innerText")))[:3000]
                raise PageError(f"not within {seconds * _BUSY:g} s: {expression}{why}\nThe page shows:\n{seen}")
            time.sleep(_LOOK_SECONDS)

    def see(self, text: str, *, seconds: float = 10.0) -> None:
        """Wait until this can be read."""
        self.until(f"document.body.innerText.includes({json.dumps(text)})", seconds=seconds)

    def picture(self, file: Path) -> None:
        """Save what is seen."""
        file.parent.mkdir(parents=True, exist_ok=True)
        kind = file.suffix.removeprefix(".")
        quality = {"quality": 82} if kind in ("webp", "jpeg") else {}
        file.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format=kind, **quality)["data"]))

    def close(self) -> None:
        """Close the tab."""
        self.browser.call("Target.closeTarget", targetId=self._target)


# The middle of an element that is seen, scrolled to; null until there is one.
_HELP = """
globalThis.__seen ??= (e) => { const r = e.getBoundingClientRect(); return r.width > 0 && r.height > 0 &&
  getComputedStyle(e).visibility !== "hidden"; };
globalThis.__element ??= (what) => {
  if (!what.includes("text=")) return [...document.querySelectorAll(what)].find(__seen) ?? null;
  const [within, text] = what.split("text=");
  const kinds = "a,button,summary,label,td,th,li,h1,h2,h3,span,div,p,[role]";
  const all = [...(document.querySelector(within.trim() || "body")?.querySelectorAll(kinds) ?? [])];
  const found = all.filter((e) => __seen(e) && (e.innerText ?? "").trim() === text);
  return found.filter((e) => e.matches("a,button")).pop() ?? found.pop() ?? null;
};
globalThis.__place ??= (what) => {
  const e = __element(what);
  if (!e) return null;
  e.scrollIntoView({ block: "nearest" });
  const r = e.getBoundingClientRect();
  return [r.x + r.width / 2, r.y + r.height / 2];
};
"""


@contextmanager
def running() -> Iterator[Browser]:
    """A browser for the length of a block; it ends with whoever started it."""
    folder = tempfile.mkdtemp(prefix="chromium-")
    environment = {**os.environ, "HOME": folder}
    argv = ["setpriv", "--pdeathsig", "KILL", program(), *_FLAGS, f"--user-data-dir={folder}", "about:blank"]
    if not shutil.which("setpriv"):
        argv = argv[3:]
    with Path(folder, "log").open("wb") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log, env=environment)
    try:
        url = _address(Path(folder), process)
        with connect(url, max_size=None, compression=None) as socket:
            yield Browser(process, socket)
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _address(folder: Path, process: subprocess.Popen[bytes]) -> str:
    """Where the browser takes calls, once it does."""
    deadline = time.monotonic() + _START_SECONDS
    while True:
        with suppress(OSError, ValueError):
            port, path = (folder / "DevToolsActivePort").read_text().split()
            return f"ws://127.0.0.1:{port}{path}"
        said = (folder / "log").read_text(errors="replace")[-2000:]
        assert process.poll() is None, f"the browser ended\n{said}"
        assert time.monotonic() < deadline, f"the browser did not start\n{said}"
        time.sleep(_LOOK_SECONDS)
