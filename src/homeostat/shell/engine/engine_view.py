"""One look at the node's containers: the list at once, everything else when it is asked for, and each thing once.

`docker ps -q` needs two calls; exit codes, start times, commands and ports cost one more for each container shown.
"""

from __future__ import annotations

import json
from typing import Any

from homeostat.kit import machine_clock
from homeostat.shell.engine.container_engine import PAUSED, Engine, Refused
from homeostat.shell.engine.containers import Box, Detail, boxes_of, find


class Look:
    """What docker would know, over an engine."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.now = machine_clock.wall_nanoseconds()
        self._boxes: list[Box] | None = None
        self._details: dict[str, Detail] = {}
        self._paused: set[str] | None = None
        self._images: list[Any] | None = None
        self._stats: dict[str, Any] | None = None

    def boxes(self) -> list[Box]:
        """All containers, the newest first."""
        if self._boxes is None:
            self._boxes = self.engine_boxes()
        return self._boxes

    def engine_boxes(self) -> list[Box]:
        """All containers as they are at this moment."""
        return boxes_of(self.engine.pods(), self.engine.containers())

    def find(self, word: str) -> Box:
        """The container that `word` means. Raises ToolError."""
        return find(self.boxes(), word)

    def forget(self) -> None:
        """Look again at the next question."""
        self._boxes, self._paused = None, None
        self._details.clear()
        self.now = machine_clock.wall_nanoseconds()

    def detail(self, box: Box) -> Detail:
        """What the list does not say; empty for a container that has gone since."""
        if box.id not in self._details:
            try:
                read = self._sandbox_detail if box.sandbox else self._container_detail
                self._details[box.id] = read(box)
            except Refused as refused:
                if not refused.missing:
                    raise
                self._details[box.id] = Detail()
        return self._details[box.id]

    def _container_detail(self, box: Box) -> Detail:
        answer = self.engine.container_status(box.id)
        status, info = answer.status, _info(answer.info)
        return Detail(
            started=status.started_at,
            finished=status.finished_at,
            exit_code=status.exit_code,
            pid=info.get("pid", 0),
            ip=self._ip(box),
            reason=status.reason,
            message=status.message,
            log_path=status.log_path,
            mounts=tuple((mount.host_path, mount.container_path, mount.readonly) for mount in status.mounts),
            config=info.get("config") or {},
            spec=info.get("runtimeSpec") or {},
        )

    def _sandbox_detail(self, box: Box) -> Detail:
        answer = self.engine.pod_status(box.id)
        info = _info(answer.info)
        config = {**(info.get("config") or {}), "image": {"image": info.get("image", "")}}
        return Detail(
            started=box.created,
            pid=info.get("pid", 0),
            ip=answer.status.network.ip,
            config=config,
            spec=info.get("runtimeSpec") or {},
        )

    def _ip(self, box: Box) -> str:
        holder = next((other for other in self.boxes() if other.id == box.pod_id), None)
        return self.detail(holder).ip if holder is not None and box.running else ""

    def paused(self, box: Box) -> bool:
        """Whether it is frozen."""
        if not box.running:
            return False
        if self._paused is None:
            self._paused = {task.container_id or task.id for task in self.engine.tasks() if task.status == PAUSED}
        return box.id in self._paused

    def images(self) -> list[Any]:
        """The node's images."""
        if self._images is None:
            self._images = self.engine.images()
        return self._images

    def stats(self) -> dict[str, Any]:
        """What the running containers use now, by ID."""
        return {stats.attributes.id: stats for stats in self.engine.stats()}

    def writable(self, box: Box) -> int:
        """Bytes in a container's own layer; 0 where the engine does not report it (sandboxes, ended containers)."""
        if self._stats is None:
            self._stats = self.stats()
        found = self._stats.get(box.id)
        return found.writable_layer.used_bytes.value if found is not None else 0

    def image_name(self, box: Box) -> str:
        """The image by a name a person knows, else its ID's first characters."""
        name = box.image or str((self.detail(box).config.get("image") or {}).get("image", ""))
        for image in self.images():
            if name in (image.id, *image.repo_digests) or (not name and box.image_id == image.id):
                return str(image.repo_tags[0] if image.repo_tags else image.id)
        return name or box.image_id


def _info(info: Any) -> dict[str, Any]:
    try:
        found = json.loads(info.get("info", "{}"))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
