"""The loop `csrcleaner`: deletes certificate requests some time after they were answered, or when nobody answers them.

Rules: pkg/controller/certificates/cleaner: issued, denied and failed ones after an hour, unanswered ones after a day,
and those whose certificate has ended.
"""

from __future__ import annotations

from homeostat.api import meta
from homeostat.api.certificates import certificate_text
from homeostat.api.kinds import CSR
from homeostat.api.types import Obj
from homeostat.controllers.certificates.csr import conditions
from homeostat.loop.contract import Action, Delete, Key, Later, Loop, Watch, World

_ANSWERED_SECONDS = 3600.0
_PENDING_SECONDS = 86_400.0


def loop() -> Loop:
    """The loop."""
    return Loop("csrcleaner", (Watch(CSR),), _decide)


def _decide(key: Key, world: World) -> list[Action]:
    request = world.get(CSR, "", key)
    if request is None or meta.deleting(request):
        return []
    deadlines = _deadlines(request)
    if not deadlines:
        return []
    at, note = min(deadlines)
    if at > world.now:
        return [Later(at - world.now)]
    return [Delete(CSR, "", key, uid=meta.uid(request), note=note)]


def _deadlines(request: Obj) -> list[tuple[float, str]]:
    """When the request is to go, and why, by each rule that holds for it."""
    found = []
    certificate = (request.get("status") or {}).get("certificate")
    known = conditions(request)
    if not known:
        found.append((meta.created_at(request) + _PENDING_SECONDS, "it was not answered for a day"))
    for kind in ("Approved", "Denied", "Failed"):
        since = known.get(kind, {}).get("lastUpdateTime")
        if since and (kind != "Approved" or certificate):
            found.append((meta.parse_time(since) + _ANSWERED_SECONDS, f"{kind.lower()} more than an hour ago"))
    if certificate:
        try:
            _, end = certificate_text.life_of(certificate_text.decoded(certificate))
        except ValueError:
            return found
        found.append((end, "its certificate has ended"))
    return found
