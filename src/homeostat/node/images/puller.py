"""Bringing a container's image: pull policies, secrets, one at a time or side by side, and the pause after failures.

Rules: pkg/kubelet/images/image_manager.go. A failed pull of an image for a pod is tried again after 10 s, then twice as
long each time, up to 300 s; meanwhile the container waits with ImagePullBackOff. An image that somebody puts on the
node ends the wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from homeostat.api import durations, meta
from homeostat.api.types import Obj
from homeostat.kit import clock
from homeostat.node.images.credentials import credentials
from homeostat.node.images.names import is_reference
from homeostat.node.podspec import spec
from homeostat.node.podspec.failures import StartFailure
from homeostat.node.podspec.node_config import COMPONENT, NodeConfig
from homeostat.node.podspec.view import CrashBackoff, FailureReason
from homeostat.node.volumes.references import References
from homeostat.runtime.contract import ImageAuth, Runtime, RuntimeFault

_FIRST_SECONDS, _CEILING_SECONDS = 10.0, 300.0
# Between a failure, which shows as ErrImagePull, and the wait that follows it.
_SHOWN_SECONDS = 1.0
# How often a container that waits for a pull's back-off looks whether its image is there meanwhile.
_LOOK_SECONDS = 2.0
# No node pulls more than this at once, whatever its flags say.
_PULLS_MAX = 64
Record = Callable[[Obj, str, str, str], None]


class ImagePuller:
    """One for a node. `record` writes events: about what, reason, message, type."""

    def __init__(self, config: NodeConfig, runtime: Runtime, references: References, record: Record) -> None:
        self._runtime = runtime
        self._references = references
        self._record = record
        serial = config.settings.boolean(COMPONENT, "serialize-image-pulls")
        most = 1 if serial else config.number("max-parallel-image-pulls") or _PULLS_MAX
        self._turn = asyncio.Semaphore(most)
        self._backoffs: dict[tuple[str, str], tuple[CrashBackoff, str]] = {}
        # The ends of the waits that have had their event.
        self._waits: dict[tuple[str, str], float] = {}

    async def bring(self, pod: Obj, container: Obj) -> str:
        """The ID of the container's image, which is then on the node. Raises StartFailure, RuntimeFault, ApiError."""
        image, policy = container.get("image") or "", container.get("imagePullPolicy") or "IfNotPresent"
        if not self._runtime.isolates:
            return await self._without_images(image, policy)
        if not is_reference(image):
            why = f'couldn\'t parse image name "{image}": invalid reference format'
            text = f'Failed to apply default image tag "{image}": {why}'
            self._record(pod, "InspectFailed", text, "Warning")
            raise StartFailure(FailureReason("InvalidImageName", text), event="InvalidImageName")
        present = await self._runtime.image_status(image)
        if present is not None and policy != "Always":
            self._forget(meta.uid(pod), image)
            text = f'Container image "{image}" already present on machine'
            self._record(pod, "Pulled", text, "Normal")
            return present
        if policy == "Never":
            text = f'Container image "{image}" is not present with pull policy of Never'
            self._record(pod, "ErrImageNeverPull", text, "Warning")
            raise StartFailure(FailureReason("ErrImageNeverPull", text), event="ErrImageNeverPull")
        self._wait_for_backoff(pod, image, look=policy != "Always")
        return await self._pull(pod, image)

    async def _without_images(self, image: str, policy: str) -> str:
        """Where images are no files, each is there unless the runtime says that it is not."""
        present = await self._runtime.image_status(image)
        if present is not None:
            return present
        if policy == "Never":
            why = f'Container image "{image}" is not present with pull policy of Never'
            raise RuntimeFault("ErrImageNeverPull", why)
        return await self._runtime.pull_image(image)

    def _wait_for_backoff(self, pod: Obj, image: str, *, look: bool) -> None:
        """Raises StartFailure while the pause after a failed pull lasts; with `look` it is for a part of it only."""
        key = meta.uid(pod), image
        held = self._backoffs.get(key)
        if held is None:
            return
        backoff, error = held
        ends_at, now = backoff.ends_at(backoff.updated_at), clock.wall()
        if now < ends_at:
            text = f'Back-off pulling image "{image}"'
            known = self._waits.get(key) == ends_at
            if not known:
                self._waits[key] = ends_at
                self._record(pod, "BackOff", text, "Normal")
            trouble = FailureReason("ImagePullBackOff", f"{text}: ErrImagePull: {error}")
            retry_at = min(ends_at, now + _LOOK_SECONDS) if look else ends_at
            raise StartFailure(trouble, retry_at=retry_at, event="ImagePullBackOff", known=known)

    async def _pull(self, pod: Obj, image: str) -> str:
        asked = clock.monotonic()
        try:
            auths = await self._credentials(pod, image)
            async with self._turn:
                begun = clock.monotonic()
                self._record(pod, "Pulling", f'Pulling image "{image}"', "Normal")
                found = await self._try_each(image, auths)
        except RuntimeFault as fault:
            raise self._failed(pod, image, fault) from fault
        self._forget(meta.uid(pod), image)
        done = clock.monotonic()
        took, waited = (durations.format(round(seconds, 3)) for seconds in (done - begun, done - asked))
        size = next((known.size_bytes for known in await self._runtime.images() if known.id == found), 0)
        text = f'Successfully pulled image "{image}" in {took} ({waited} including waiting). Image size: {size} bytes.'
        self._record(pod, "Pulled", text, "Normal")
        return found

    async def _try_each(self, image: str, auths: Sequence[ImageAuth | None]) -> str:
        fault: RuntimeFault | None = None
        for auth in auths:
            try:
                return await self._runtime.pull_image(image, auth)
            except RuntimeFault as error:
                fault = error
        assert fault is not None
        raise fault

    async def _credentials(self, pod: Obj, image: str) -> Sequence[ImageAuth | None]:
        named = [entry.get("name") or "" for entry in spec.spec(pod).get("imagePullSecrets") or ()]
        if not named:
            return (None,)
        wanted = [("Secret", name) for name in named if name]
        found = await self._references.fetch(meta.namespace(pod), wanted)
        missing = [name for name in named if found.get(("Secret", name)) is None]
        if missing:
            text = f"Unable to retrieve some image pull secrets ({', '.join(missing)}); attempting to pull the image"
            self._record(pod, "FailedToRetrieveImagePullSecret", f"{text} may not succeed.", "Warning")
        return credentials(image, [secret for secret in found.values() if secret is not None]) or (None,)

    def _failed(self, pod: Obj, image: str, fault: RuntimeFault) -> StartFailure:
        self._record(pod, "Failed", f'Failed to pull image "{image}": {fault.message}', "Warning")
        key, now = (meta.uid(pod), image), clock.wall()
        before = self._backoffs[key][0] if key in self._backoffs else CrashBackoff(_FIRST_SECONDS, _CEILING_SECONDS)
        self._backoffs[key] = before.restarted(now, now), fault.message
        reason = fault.reason if fault.reason in ("InvalidImageName", "RegistryUnavailable") else "ErrImagePull"
        return StartFailure(FailureReason(reason, fault.message), retry_at=now + _SHOWN_SECONDS, event=reason)

    async def user_of(self, image_id: str) -> str:
        """The user that the image runs as, by its configuration; empty: root."""
        return next((image.user for image in await self._runtime.images() if image.id == image_id), "")

    def forget(self, pod_uid: str) -> None:
        """Drop the state of a deleted pod."""
        for uid, image in [key for key in self._backoffs if key[0] == pod_uid]:
            self._forget(uid, image)

    def _forget(self, pod_uid: str, image: str) -> None:
        self._backoffs.pop((pod_uid, image), None)
        self._waits.pop((pod_uid, image), None)
