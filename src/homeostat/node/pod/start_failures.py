"""Containers that could not start because their sandbox had ended: no failure of their own."""

from __future__ import annotations

from homeostat.kit import clock
from homeostat.runtime.contract import Runtime, Sandbox

# An engine may learn later that a sandbox has ended than that a container cannot join it.
_LOOKS_SECONDS = (0.0, 0.05, 0.1, 0.2, 0.4)


async def sandbox_exited(runtime: Runtime, name: str, sandbox: Sandbox) -> bool:
    """Whether the container `name`, which has just failed to start, did so for its sandbox had ended.

    It is forgotten then, and can start in the next sandbox as if this had not been tried. Raises RuntimeFault.
    """
    uid = sandbox.spec.pod_uid
    for seconds in _LOOKS_SECONDS:
        await clock.sleep(seconds)
        if not any(box.ready for box in await runtime.sandboxes(uid) if box.id == sandbox.id):
            break
    else:
        return False
    for container in await runtime.containers(uid):
        if (container.spec.name, container.sandbox_id) == (name, sandbox.id) and not container.started_at:
            await runtime.remove_container(container.id)
    return True
