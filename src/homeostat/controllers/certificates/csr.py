"""What the loops over certificate requests share: their conditions. Pure."""

from __future__ import annotations

from homeostat.api.types import Obj


def conditions(request: Obj) -> dict[str, Obj]:
    """The conditions of a request by type."""
    return {each["type"]: each for each in (request.get("status") or {}).get("conditions") or ()}


def with_condition(request: Obj, kind: str, reason: str, message: str) -> Obj:
    """The request with one more condition; the API dates it."""
    status = request.get("status") or {}
    added = {"type": kind, "status": "True", "reason": reason, "message": message}
    return {**request, "status": {**status, "conditions": [*(status.get("conditions") or ()), added]}}
