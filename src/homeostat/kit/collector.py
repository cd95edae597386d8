"""Garbage collection of a long-lived process: permanent objects are frozen, and free memory is returned to the
system."""

from __future__ import annotations

import ctypes
import gc

# A server allocates mostly what lives on in its caches: with the default (700, 10, 10) decoding is twice as dear.
_COLLECT_AFTER = (50_000, 20, 100)


def settle() -> None:
    """Call when the modules are imported: nothing that exists now is looked at again, and pages that imports left
    free go back, so that processes forked from here do not copy them."""
    gc.freeze()
    gc.set_threshold(*_COLLECT_AFTER)
    give_back()


def give_back() -> None:
    """Give pages that are free inside this process back to the system; some milliseconds for a large one.

    What was made lately and is in a circle (a closed TLS connection) is freed first.
    """
    gc.collect(1)
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:  # a C library other than glibc has none
        trim(0)
