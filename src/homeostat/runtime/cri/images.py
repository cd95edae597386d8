"""The images of a CRI engine."""

from __future__ import annotations

from dataclasses import dataclass

from homeostat.runtime.contract import Image, ImageAuth, RuntimeFault
from homeostat.runtime.cri import answers, fault_reasons, requests
from homeostat.runtime.cri import cri_pb2 as cri
from homeostat.runtime.cri.channel import IMAGES
from homeostat.runtime.cri.engine import Engine
from homeostat.runtime.cri.fault_reasons import NOT_FOUND

# A large image over a slow line. The engine itself gives up on a transfer that does not move.
_PULL_SECONDS_MAX = 1800.0
_REMOVE_SECONDS_MAX = 120.0


@dataclass(frozen=True, slots=True)
class ImageFilesystem:
    """Where the engine keeps images, and how much of it they use."""

    path: str
    used_bytes: int
    used_inodes: int


class Images(Engine):
    """The image half of the runtime."""

    async def image(self, image: str) -> Image | None:
        """An image by name or ID. Raises RuntimeFault with ImageInspectError or InvalidImageName."""
        _check(image)
        request = cri.ImageStatusRequest(image=cri.ImageSpec(image=image))
        try:
            answer = await self._channel.call(IMAGES + "ImageStatus", request, cri.ImageStatusResponse)
        except RuntimeFault as fault:
            if fault.reason == NOT_FOUND:
                return None
            raise fault_reasons.of_image(image, fault) from fault
        return answers.image(answer.image) if answer.HasField("image") else None

    async def image_status(self, image: str) -> str | None:
        """The image's ID, or None when it is not there."""
        found = await self.image(image)
        return found.id if found is not None else None

    async def pull_image(self, image: str, auth: ImageAuth | None = None) -> str:
        """Bring the image; returns its ID. Raises RuntimeFault with ErrImagePull, InvalidImageName,
        RegistryUnavailable, SignatureValidationFailed."""
        _check(image)
        request = cri.PullImageRequest(image=cri.ImageSpec(image=image), auth=requests.credentials(auth))
        try:
            answer = await self._channel.call(
                IMAGES + "PullImage", request, cri.PullImageResponse, timeout_seconds=_PULL_SECONDS_MAX
            )
        except RuntimeFault as fault:
            raise fault_reasons.of_pull(fault) from fault
        return answer.image_ref

    async def images(self) -> list[Image]:
        """All images."""
        answer = await self._channel.call(IMAGES + "ListImages", cri.ListImagesRequest(), cri.ListImagesResponse)
        return [answers.image(found) for found in answer.images]

    async def remove_image(self, image: str) -> None:
        """Remove an image by its ID; one that is gone counts as removed."""
        request = cri.RemoveImageRequest(image=cri.ImageSpec(image=image))
        try:
            await self._channel.call(
                IMAGES + "RemoveImage", request, cri.RemoveImageResponse, timeout_seconds=_REMOVE_SECONDS_MAX
            )
        except RuntimeFault as fault:
            if fault.reason != NOT_FOUND:
                raise

    async def image_filesystems(self) -> list[ImageFilesystem]:
        """The file systems that images are on, for collecting garbage and for pressure on the disk."""
        request = cri.ImageFsInfoRequest()
        answer = await self._channel.call(IMAGES + "ImageFsInfo", request, cri.ImageFsInfoResponse)
        return [
            ImageFilesystem(found.fs_id.mountpoint, found.used_bytes.value, found.inodes_used.value)
            for found in answer.image_filesystems
        ]


def _check(image: str) -> None:
    fault = fault_reasons.of_name(image)
    if fault is not None:
        raise fault
