"""Which images are removed when their disk fills up. Pure.

Rule: pkg/kubelet/images/image_gc_manager.go: above the high threshold, unused images are removed, the least recently
used first, until usage is at the low threshold. Young images and pinned ones stay; so does what was loaded by hand: it
has no digest of a registry, and could not be pulled again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from homeostat.runtime.contract import Image


@dataclass(frozen=True, slots=True)
class Room:
    """The images' file system, in bytes, and the thresholds in percent; `age_seconds` is how long an image stays at
    least."""

    used: int
    capacity: int
    high: int = 85
    low: int = 80
    age_seconds: float = 120.0

    @property
    def excess(self) -> int:
        """How much is to be freed; 0 below the high threshold."""
        if not self.capacity or self.used * 100 < self.high * self.capacity:
            return 0
        return max(self.used - self.low * self.capacity // 100, 0)


@dataclass(frozen=True, slots=True)
class Known:
    """Since when an image is there, and when it was used last; wall-clock seconds."""

    since: float
    used: float = 0.0


def to_remove(
    images: Iterable[Image], in_use: frozenset[str], known: Mapping[str, Known], room: Room, now: float
) -> list[Image]:
    """The images to remove, in order."""
    free = [image for image in images if image.digests and not image.pinned and not _used(image, in_use)]
    old = [image for image in free if image.id in known and now - known[image.id].since >= room.age_seconds]
    excess, chosen = room.excess, []
    for image in sorted(old, key=lambda image: (known[image.id].used, known[image.id].since, image.id)):
        if excess <= 0:
            break
        chosen.append(image)
        excess -= image.size_bytes
    return chosen


def _used(image: Image, in_use: frozenset[str]) -> bool:
    return not in_use.isdisjoint((image.id, *image.tags, *image.digests))
