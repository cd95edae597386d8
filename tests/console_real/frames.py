"""Whether a page freezes or loads anew, as seen from inside: its frames are counted, and it carries a mark."""

from __future__ import annotations

from typing import Any

from tests.support.browser import Page

_WATCH = """
(() => {
  const watch = (window.__watch = { longest: 0, frames: 0, began: performance.now(), on: true });
  let last = performance.now();
  const frame = (time) => {
    watch.longest = Math.max(watch.longest, time - last);
    last = time;
    watch.frames += 1;
    if (watch.on) requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
  return true;
})()
"""


class Watch:
    """From `begin` on. A page that loads anew has lost it."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._loads = page.loads
        page.js(_WATCH)

    def end(self) -> dict[str, Any]:
        """`longest` gap between two frames in milliseconds, and how many there were. Raises AssertionError when the
        page was loaded anew meanwhile."""
        found = self._page.js("window.__watch && (window.__watch.on = false, window.__watch)")
        assert found, "the page was loaded anew"
        assert self._page.loads == self._loads, "the page was loaded anew"
        seen: dict[str, Any] = found
        return seen
