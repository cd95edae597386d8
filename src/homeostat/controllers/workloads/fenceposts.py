"""maxSurge and maxUnavailable as numbers of Pods (deploymentutil.ResolveFenceposts, intstr)."""

from __future__ import annotations

from homeostat.api.rules.intorpercent import scaled
from homeostat.api.types import Obj


def fenceposts(surge: int | str | None, unavailable: int | str | None, total: int) -> tuple[int, int]:
    """Surge and unavailable Pods allowed. When rounding leaves neither, one may be unavailable, or no rollout ends."""
    surge_pods = scaled(surge, total, round_up=True)
    unavailable_pods = scaled(unavailable, total, round_up=False)
    return (surge_pods, unavailable_pods) if surge_pods or unavailable_pods else (0, 1)


def _deployment(deployment: Obj) -> tuple[int, int, int]:
    wanted = deployment["spec"].get("replicas")
    total = 1 if wanted is None else int(wanted)
    rolling = (deployment["spec"].get("strategy") or {}).get("rollingUpdate") or {}
    surge, unavailable = fenceposts(rolling.get("maxSurge"), rolling.get("maxUnavailable"), total)
    return total, surge, unavailable


def is_rolling(deployment: Obj) -> bool:
    """Whether the strategy is RollingUpdate, the default."""
    return ((deployment["spec"].get("strategy") or {}).get("type") or "RollingUpdate") == "RollingUpdate"


def max_surge(deployment: Obj) -> int:
    """Pods allowed above spec.replicas."""
    return _deployment(deployment)[1] if is_rolling(deployment) else 0


def max_unavailable(deployment: Obj) -> int:
    """Pods of spec.replicas that may be missing; never more than there are."""
    if not is_rolling(deployment):
        return 0
    total, _, unavailable = _deployment(deployment)
    return min(unavailable, total)
