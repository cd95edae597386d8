"""A person at the Console: does what a line of a guide says, such as `open Workloads > Pods`, and reads what is there.

sign in                       open the last link that a command printed
open Workloads > Pods         a page of the navigation, whose section is opened first
open master-1                 a link on the page
type api                      into the field that has the focus
clear                         empty that field
press Escape                  one key
see 3 rows                    of the list, no more and no less
see Unhealthy (NotReady)      anywhere on the page
see no Unhealthy              nowhere
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.support import browser
from tests.support.browser import Page

ROWS = "document.querySelectorAll('[role=grid] [role=rowgroup] [role=row]').length"
_GRID_ROWS = "Number(document.querySelector('[role=grid]')?.getAttribute('aria-rowcount') ?? 0) - 1"
LINK = re.compile(r"http://127\.0\.0\.1:\d+/#code=\S+")


def do(page: Page, line: str, *, link: str = "", seconds: float = 15.0) -> None:
    """Do what a line says, and wait until it can be done. Raises AssertionError."""
    verb, _, rest = line.partition(" ")
    if line == "sign in":
        assert link, "no command has printed a link"
        sign_in(page, link)
    elif verb == "open" and " > " in rest:
        section, name = rest.split(" > ")
        open_page(page, section, name, seconds=seconds)
    elif verb == "open":
        page.click(f"main text={rest}", seconds=seconds)
    elif verb == "type":
        page.type(rest)
    elif line == "clear":
        page.js("document.activeElement.select()")
        page.key("Backspace")
    elif verb == "press":
        page.key(rest)
    elif verb == "see" and (rows := re.fullmatch(r"(\d+) rows?", rest)):
        page.until(f"{_GRID_ROWS} === {rows[1]}", seconds=seconds)
    elif verb == "see" and rest.startswith("no "):
        page.until(f"!document.body.innerText.includes({json.dumps(rest[3:])})", seconds=seconds)
    elif verb == "see":
        page.see(rest, seconds=seconds)
    else:
        raise AssertionError(f"a browser does not know how to {line!r}")


@contextmanager
def at_the_browser() -> Iterator[Callable[[str, str, float], None]]:
    """Somebody with a browser window on the right half of the screen, who follows the lines of a guide."""
    assert browser.program(), "a guide's steps at the Console need Chromium (on Debian: apt-get install chromium)"
    with browser.running() as running:
        page = running.page(width=900, height=900)

        def follow(line: str, link: str, seconds: float) -> None:
            do(page, line, link=link, seconds=seconds)

        yield follow
        assert page.complaints == []


def sign_in(page: Page, link: str) -> None:
    """Follow a link with a code; who has signed in sees the navigation."""
    page.open(link)
    page.until("!!document.querySelector('nav')", seconds=20)


def open_page(page: Page, section: str, name: str, *, seconds: float = 15.0) -> None:
    """A page of the navigation, as by mouse."""
    heading = f"[...document.querySelectorAll('nav button')].find((e) => e.innerText.trim() === {json.dumps(section)})"
    if page.until(f"{heading}?.getAttribute('aria-expanded')", seconds=seconds) == "false":
        page.js(f"{heading}.click()")
    page.click(f"nav text={name}", seconds=seconds)
