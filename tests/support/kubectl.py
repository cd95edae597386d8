"""The kubectl that tests drive clusters with. Its absence is an error."""

from __future__ import annotations

from functools import cache

from tools import kubectl


@cache
def kubectl_path() -> str:
    """The machine's kubectl, or the one that `make test` has put into the virtual environment. Raises NoKubectl."""
    found = kubectl.chosen()
    if found is None:
        raise kubectl.NoKubectl(f"{kubectl.missing()}; `python tools/kubectl.py` installs one")
    return found
