"""Words for standard error."""

from __future__ import annotations

import sys


def complain(text: str) -> None:
    """One message, after what was printed so far."""
    sys.stdout.flush()
    print(text, file=sys.stderr, flush=True)
