"""What happened to a pod since its status was last written, in a few words each: the cause of the next write."""

from __future__ import annotations

from collections.abc import Iterable

# A cause is for people, and travels in a request header: the newest few say enough.
_NOTES_MAX = 4


class Notes:
    """Distinct texts, the oldest first, of which the newest few are kept."""

    def __init__(self) -> None:
        self._new: list[str] = []
        self._last = ""

    def add(self, *texts: str) -> None:
        """These happened, the oldest first. A text that is there already counts as its newest occurrence."""
        for text in texts:
            self._new = [*(note for note in self._new if note != text), text][-_NOTES_MAX:]
            self._last = text

    def add_step(self, container: str, text: str) -> None:
        """The container started or ended: what probes of it found before that no longer explains its status."""
        self._forget_findings(container)
        self.add(f"container {container} {text}")

    def add_finding(self, container: str, text: str) -> None:
        """A probe of the container found this; what probes of it found before no longer explains its status."""
        self._forget_findings(container)
        self.add(f"container {container}: {text}")

    def _forget_findings(self, container: str) -> None:
        self._new = [note for note in self._new if not note.startswith(f"container {container}: ")]

    def take(self) -> tuple[str, ...]:
        """What was added since the last `take`; nothing when nothing was."""
        taken, self._new = tuple(self._new), []
        return taken

    def pending(self) -> tuple[str, ...]:
        """What was added and not yet `written`; the newest that was ever added when all of it was."""
        return tuple(self._new) or ((self._last,) if self._last else ())

    def written(self, texts: Iterable[str]) -> None:
        """These have been recorded; what was added since then is still pending."""
        done = set(texts)
        self._new = [note for note in self._new if note not in done]
