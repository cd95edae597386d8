"""Scenes of a cluster's life, timed by what a client of its API sees: pods that come, are replaced and are killed,
masters that lose their power or their cable. All times are seconds.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from homeostat.api import meta
from homeostat.api.errors import ApiError
from homeostat.api.kinds import CONFIGMAP, DEPLOYMENT, LEASE, POD
from homeostat.client.contract import Client
from homeostat.drill.probe import Probe

APP = "bench"
_IMAGE = "homeostat.local/hello:1"
_LOOK_SECONDS = 0.01
_PATIENCE_SECONDS = 120.0


def deployment(replicas: int) -> dict[str, Any]:
    """The sample app with a readiness probe, on the workers."""
    container = {
        "name": APP,
        "image": _IMAGE,
        "ports": [{"containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 1},
    }
    labels = {"app": APP}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": APP, "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"terminationGracePeriodSeconds": 2, "containers": [container]},
            },
        },
    }


async def until(what: str, holds: Callable[[], Awaitable[bool]], seconds_max: float = _PATIENCE_SECONDS) -> float:
    """Ask until it holds; the seconds that took. Raises RuntimeError."""
    began = time.monotonic()
    while time.monotonic() - began < seconds_max:
        try:
            if await holds():
                return time.monotonic() - began
        except ApiError:
            pass
        await asyncio.sleep(_LOOK_SECONDS)
    raise RuntimeError(f"{what}: not within {seconds_max:.0f} s")


async def _is_ready(client: Client, replicas: int) -> bool:
    """As `kubectl rollout status` sees it."""
    found = await client.get(DEPLOYMENT, APP, "default")
    status = found.get("status") or {}
    seen = int(status.get("observedGeneration") or 0) >= meta.generation(found)
    counts = [int(status.get(key) or 0) for key in ("replicas", "updatedReplicas", "readyReplicas")]
    return seen and counts == [replicas] * 3


async def start_app(client: Client, replicas: int) -> None:
    """Have the app."""
    await client.create(DEPLOYMENT, deployment(replicas))
    await until("the app is ready", lambda: _is_ready(client, replicas))


async def scale(client: Client, replicas: int) -> float:
    """From another size to this one, all of them ready and counted."""
    await client.patch(DEPLOYMENT, APP, "default", {"spec": {"replicas": replicas}})
    return await until(f"{replicas} pods are ready", lambda: _is_ready(client, replicas))


async def roll(client: Client, mark: str, replicas: int) -> float:
    """Roll the app over to a new template; until all pods are new and ready and the old ones are not counted."""
    template = {"metadata": {"annotations": {"bench": mark}}}
    await client.patch(DEPLOYMENT, APP, "default", {"spec": {"template": template}})
    return await until("the rollout is done", lambda: _is_ready(client, replicas))


async def relaunch(client: Client, kill: Callable[[str], object]) -> float:
    """From the death of a container of the app until its pod is ready with another one. `kill` takes the first's ID."""
    pods = [pod for pod in (await client.list(POD, "default", labels=f"app={APP}")).items if not meta.deleting(pod)]
    # Of all, one that has not been killed before: it waits for no back-off.
    pod = min(pods, key=lambda found: _only_status(found)["restartCount"])
    name, old = meta.name(pod), _only_status(pod)["containerID"]

    async def again() -> bool:
        status = _only_status(await client.get(POD, name, "default"))
        return bool(status["ready"]) and status["containerID"] != old

    kill(old.rpartition("/")[2])
    return await until(f"{name} is ready again", again)


def _only_status(pod: dict[str, Any]) -> dict[str, Any]:
    statuses = (pod.get("status") or {}).get("containerStatuses") or [{}]
    return {"ready": False, "containerID": "", "restartCount": 0, **statuses[0]}


async def gap_of_writes(client: Client, fault: Callable[[], Awaitable[object]], seconds: float) -> tuple[float, int]:
    """The longest time between two answered writes of an open-loop client around `fault`, and how many failed."""
    name = "bench-writes"
    await client.create(
        CONFIGMAP, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}}
    )

    async def write() -> None:
        await client.patch(CONFIGMAP, name, "default", {"data": {"at": str(time.monotonic())}})

    probe = Probe("writes", write)
    probe.start()
    await asyncio.sleep(1.0)
    await fault()
    await asyncio.sleep(seconds)
    await probe.stop()
    await client.delete(CONFIGMAP, name, "default")
    return probe.longest_gap(), len(probe.failures)


async def leader(client: Client, component: str) -> str:
    """The node whose instance of the component leads."""
    lease = await client.get(LEASE, component, "kube-system")
    return str((lease.get("spec") or {}).get("holderIdentity") or "").partition("_")[0]


async def succession(client: Client, component: str, cut: Callable[[str], Awaitable[object]]) -> float:
    """From the cut of the leader's node until another one leads."""
    before = await leader(client, component)
    began = time.monotonic()
    await cut(before)

    async def another() -> bool:
        return await leader(client, component) not in ("", before)

    await until(f"another {component} leads", another)
    return time.monotonic() - began
