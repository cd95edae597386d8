"""What a runtime without images, limits and streams answers: the part that `simulated` and `process` share."""

from __future__ import annotations

from homeostat.runtime.contract import Image, ImageAuth, Resources, RuntimeFault, Stats, StreamOptions

_UNSUPPORTED = "Unsupported"


class Plain:
    """Base of a runtime whose containers are no images: every image is there, nothing is limited or measured."""

    name: str
    isolates = False

    async def pull_image(self, image: str, auth: ImageAuth | None = None) -> str:
        """Nothing to pull."""
        return image

    async def images(self) -> list[Image]:
        """None."""
        return []

    async def remove_image(self, image: str) -> None:
        """Nothing to remove."""

    async def update_resources(self, container_id: str, resources: Resources) -> None:
        """Nothing is limited."""

    async def stats(self, pod_uid: str = "") -> list[Stats]:
        """Nothing is measured."""
        return []

    async def reopen_log(self, container_id: str) -> None:
        """Who writes the log rotates it too."""

    async def exec_url(self, container_id: str, argv: tuple[str, ...], options: StreamOptions) -> str:
        """Refused."""
        raise RuntimeFault(_UNSUPPORTED, f"exec is not supported by the runtime {self.name}")

    async def attach_url(self, container_id: str, options: StreamOptions) -> str:
        """Refused."""
        raise RuntimeFault(_UNSUPPORTED, f"attach is not supported by the runtime {self.name}")

    async def port_forward_url(self, sandbox_id: str, ports: tuple[int, ...] = ()) -> str:
        """Refused."""
        raise RuntimeFault(_UNSUPPORTED, f"port forwarding is not supported by the runtime {self.name}")
