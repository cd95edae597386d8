"""The images of this machine, built once for all stories that boot real nodes: each has a state folder of its own."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def share_images(state_root: Path) -> None:
    """Let the clusters below `state_root` take their images from a folder that all stories share."""
    shared = Path(tempfile.gettempdir(), f"homeostat-test-images-{os.getuid()}")
    shared.mkdir(exist_ok=True)
    state_root.mkdir(parents=True, exist_ok=True)
    link = state_root / ".images"
    if not link.exists():
        link.symlink_to(shared)
