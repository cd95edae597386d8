"""Thread creation: daemon threads with names, for blocking work that must stay off the event loop."""

from __future__ import annotations

import threading
from collections.abc import Callable


def start_thread(work: Callable[[], None], *, name: str) -> threading.Thread:
    """Run `work()` in a new thread named `name`; it never keeps a process alive."""
    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    return thread
