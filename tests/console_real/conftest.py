"""A real browser for the tests of this folder, and clusters of real processes. A file shares one of each.

With HOMEOSTAT_PICTURES=1 the tests also make the pictures of the documentation (docs/pictures/console-*).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support import browser as chromium
from tests.support.browser import Browser, Page
from tests.support.console_person import LINK
from tests.support.real_lab import ROOT, Lab, labs

PICTURES = ROOT / "docs" / "pictures"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    assert chromium.program(), "these tests need Chromium (on Debian: apt-get install chromium)"
    with chromium.running() as running:
        yield running


@pytest.fixture(scope="module")
def new_lab() -> Iterator[Callable[[], Lab]]:
    with labs() as make:
        yield make


def link(lab: Lab) -> str:
    """A link that signs in, from the command that makes one."""
    found = LINK.search(lab.homeostat("console").stdout)
    assert found, "`homeostat console` printed no link"
    return found[0]


def picture(page: Page, name: str, *, size: tuple[int, int] | None = None) -> None:
    """Take the documentation's pictures of a page, where that was asked for; of another size than the page has now."""
    if not os.environ.get("HOMEOSTAT_PICTURES"):
        return
    usual = page.js("[innerWidth, innerHeight]")
    page.size(*(size or usual))
    for theme in ("light", "dark"):
        page.theme(theme)
        page.js("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))")
        page.picture(Path(PICTURES, f"console-{name}-{theme}.webp"))
    page.theme("light")
    page.size(*usual)
