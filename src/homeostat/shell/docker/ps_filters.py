"""`docker ps -f KEY=VALUE`: which containers are shown. Pure, but for what it asks about the ones that are left.

Values of one key are alternatives, keys come together, and every label must fit (moby: daemon/list).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from homeostat.shell.engine.containers import Box, Detail, find
from homeostat.shell.tool_error import ToolError

_STATUSES = ("created", "restarting", "running", "removing", "paused", "exited", "dead")
_KEYS = ("name", "id", "label", "status", "exited", "ancestor", "before", "since", "volume")
# Known to docker, of no meaning here: each could only hide everything or nothing.
_REFUSED = ("network", "publish", "expose", "health", "isolation", "is-task")


class Eyes(Protocol):
    """What a filter may ask about a container."""

    def detail(self, box: Box) -> Detail:
        """What the engine knows of it."""
        ...

    def paused(self, box: Box) -> bool:
        """Whether it is frozen."""
        ...

    def image_name(self, box: Box) -> str:
        """Its image's name."""
        ...


class Filters:
    """The filters of one command line. Raises ToolError on one that docker would refuse."""

    def __init__(self, words: Sequence[str]) -> None:
        self._by_key: dict[str, list[str]] = {}
        for word in words:
            key, equals, value = word.partition("=")
            if not equals:
                raise ToolError(
                    f'invalid argument {word!r} for "-f, --filter" flag: bad format of filter (expected name=value)',
                    125,
                )
            key = key.strip().lower()
            if key in _REFUSED:
                raise ToolError(f"Error response from daemon: the filter '{key}' is not supported on this node")
            if key not in _KEYS:
                raise ToolError(f"Error response from daemon: invalid filter '{key}'")
            self._by_key.setdefault(key, []).append(value.strip())
        self._check()

    def _check(self) -> None:
        for value in self._by_key.get("status", []):
            if value not in _STATUSES:
                raise ToolError(f"Error response from daemon: invalid filter 'status={value}'")
        for value in self._by_key.get("exited", []):
            if not value.lstrip("-").isdigit():
                raise ToolError(f"Error response from daemon: invalid filter 'exited={value}'")
        try:
            self._names = [re.compile(value) for value in self._by_key.get("name", [])]
        except re.error as error:
            raise ToolError(
                f"Error response from daemon: invalid regular expression in filter 'name': {error}"
            ) from None

    @property
    def all(self) -> bool:
        """Whether ended containers are meant too, without `-a`."""
        return "status" in self._by_key

    def keep(self, boxes: Sequence[Box], eyes: Eyes) -> list[Box]:
        """The containers that pass all filters."""
        low, high = self._bounds(boxes)
        return [box for box in boxes if low < box.created < high and self._fits(box, eyes)]

    def _bounds(self, boxes: Sequence[Box]) -> tuple[float, float]:
        since = [find(boxes, word).created for word in self._by_key.get("since", [])]
        before = [find(boxes, word).created for word in self._by_key.get("before", [])]
        return max(since, default=-1), min(before, default=float("inf"))

    def _fits(self, box: Box, eyes: Eyes) -> bool:
        keys = self._by_key
        if self._names and not any(name.search(box.name) or name.search(f"/{box.name}") for name in self._names):
            return False
        if "id" in keys and not any(box.id.startswith(value) for value in keys["id"]):
            return False
        if not all(_labelled(box, value) for value in keys.get("label", [])):
            return False
        if "status" in keys and status_of(box, eyes) not in keys["status"]:
            return False
        if "exited" in keys and not (box.state == "exited" and str(eyes.detail(box).exit_code) in keys["exited"]):
            return False
        if "ancestor" in keys and not any(_descends(box, value, eyes) for value in keys["ancestor"]):
            return False
        return "volume" not in keys or any(_mounts(eyes.detail(box), value) for value in keys["volume"])


def status_of(box: Box, eyes: Eyes) -> str:
    """docker's word for a container's state."""
    if box.running and eyes.paused(box):
        return "paused"
    return "dead" if box.state == "unknown" else box.state


def _labelled(box: Box, wanted: str) -> bool:
    key, equals, value = wanted.partition("=")
    return key in box.labels and (not equals or box.labels[key] == value)


def _descends(box: Box, wanted: str, eyes: Eyes) -> bool:
    name = eyes.image_name(box)
    if name in (wanted, f"{wanted}:latest", f"docker.io/library/{wanted}", f"docker.io/library/{wanted}:latest"):
        return True
    return bool(wanted) and box.image_id.removeprefix("sha256:").startswith(wanted.removeprefix("sha256:"))


def _mounts(detail: Detail, wanted: str) -> bool:
    return any(wanted in (source, target) for source, target, _ in detail.mounts)
