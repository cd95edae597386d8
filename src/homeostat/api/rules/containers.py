"""Which of a Pod's containers run for as long as it does. Pure.

Kubernetes: Sidecar Containers; KEP-753.
"""

from __future__ import annotations

from homeostat.api.types import Obj


def is_sidecar(container: Obj) -> bool:
    """Whether an init container is restartable: it runs beside the app containers."""
    return container.get("restartPolicy") == "Always"


def lasting_containers(spec: Obj) -> list[Obj]:
    """The app containers of a Pod's spec, then its sidecars. Other init containers end before the app starts."""
    sidecars = [container for container in spec.get("initContainers") or () if is_sidecar(container)]
    return [*(spec.get("containers") or ()), *sidecars]
