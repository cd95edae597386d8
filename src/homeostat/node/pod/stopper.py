"""Ending containers: the preStop hook, the stop signal, the grace period and SIGKILL; sidecars after the app
containers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from homeostat.api.rules.containers import is_sidecar
from homeostat.api.types import Obj
from homeostat.kit import clock
from homeostat.node.pod.context import NodeContext
from homeostat.node.podspec import spec
from homeostat.node.probes.handlers import Target, hook
from homeostat.runtime.contract import Container

# What is left after a preStop hook that used up the grace (kubelet: minimumGracePeriodInSeconds).
_SECONDS_MIN = 2.0


class Stopper:
    """Ends containers of one pod."""

    def __init__(self, context: NodeContext) -> None:
        self._context = context

    async def stop_all(self, pod: Obj, running: Sequence[Container], pod_ip: str, *, grace_seconds: float) -> None:
        """End all: app containers at once, then sidecars, the last one first, within one grace for all of it."""
        deadline = clock.monotonic() + grace_seconds
        by_name: dict[str, list[Container]] = {}
        for container in running:
            by_name.setdefault(container.spec.name, []).append(container)
        specs = {container["name"]: container for container in spec.all_containers(pod)}
        sidecars = [c["name"] for c in spec.inits(pod) if is_sidecar(c)]
        first = [name for name in by_name if name not in sidecars]
        for names in (first, *([name] for name in reversed(sidecars))):
            left = max(0.0, deadline - clock.monotonic()) if grace_seconds else 0.0
            await asyncio.gather(
                *(
                    self.stop(pod, specs.get(name) or {"name": name}, one, pod_ip, grace_seconds=left)
                    for name in names
                    for one in by_name.get(name, ())
                )
            )

    async def stop(
        self, pod: Obj, container: Obj, running: Container, pod_ip: str, *, grace_seconds: float, message: str = ""
    ) -> None:
        """End one container."""
        name = container["name"]
        self._context.recorder.record(pod, "Killing", message or f"Stopping container {name}")
        begun = clock.monotonic()
        handler = (container.get("lifecycle") or {}).get("preStop")
        if handler and grace_seconds > 0:
            target = Target(container, running.id, pod_ip)
            outcome = await hook(self._context.runtime, handler, target, grace_seconds)
            if not outcome.ok:
                why = f"PreStopHook failed: {outcome.message}"
                self._context.recorder.record(pod, "FailedPreStopHook", why, "Warning")
            grace_seconds = max(grace_seconds - (clock.monotonic() - begun), _SECONDS_MIN)
        await self._context.runtime.stop_container(running.id, timeout_seconds=grace_seconds)
