"""Certificate requests: who asks is written in by the server, and approving and signing need a permission per signer.

Rules: pkg/registry/certificates (identity, times of conditions) and plugin/pkg/admission/certificates (approval,
signing, subjectrestriction).
"""

from __future__ import annotations

from homeostat.api.certificates import certificate_text, signers
from homeostat.api.types import Obj
from homeostat.apiserver.admission.plugin import CREATE, UPDATE, Plugin, refuse
from homeostat.apiserver.authz.rbac import MASTERS
from homeostat.apiserver.contract import Attributes, Authorizer, RequestInfo
from homeostat.kit import clock
from homeostat.wire.message import User

_GROUP = "certificates.k8s.io"
_PLURAL = frozenset(("certificatesigningrequests",))


class CertificateIdentity(Plugin):
    """Records in a new request who made it, and in its conditions when they were added and changed."""

    name = "CertificateIdentity"
    mutates = _PLURAL

    async def mutate(self, attributes: Attributes) -> None:
        """Fill in what the client may not say."""
        if attributes.kind.group != _GROUP or attributes.obj is None:
            return
        if attributes.operation == CREATE:
            spec, user = attributes.obj.setdefault("spec", {}), attributes.user
            for field in ("uid", "extra", "groups"):
                spec.pop(field, None)
            spec |= _identity(user)
        elif attributes.operation == UPDATE and attributes.subresource:
            _date_conditions(attributes.obj, attributes.old or {})


def _identity(user: User) -> Obj:
    said: Obj = {"username": user.name, "groups": list(user.groups)}
    if user.uid:
        said["uid"] = user.uid
    if user.extra:
        said["extra"] = {key: list(values) for key, values in user.extra.items()}
    return said


def _date_conditions(new: Obj, old: Obj) -> None:
    """Set the times of conditions that are new or changed; the others keep theirs (populateConditionTimestamps)."""
    now = clock.now_rfc3339()
    before = {each.get("type"): each for each in (old.get("status") or {}).get("conditions") or ()}
    conditions = (new.get("status") or {}).get("conditions") or ()
    for condition in conditions:
        known = before.get(condition.get("type"))
        if known is not None and _same(condition, known):
            for field in ("lastUpdateTime", "lastTransitionTime"):
                if field in known:
                    condition.setdefault(field, known[field])
            continue
        condition["lastUpdateTime"] = condition.get("lastUpdateTime") or now
        if not condition.get("lastTransitionTime"):
            stays = known is not None and known.get("status") == condition.get("status")
            condition["lastTransitionTime"] = (known or {}).get("lastTransitionTime", now) if stays else now


def _same(new: Obj, old: Obj) -> bool:
    return all(new.get(field) == old.get(field) for field in ("status", "reason", "message"))


class CertificateGuard(Plugin):
    """Lets approve and sign who may do so for the request's signer; system:masters is not for sale."""

    name = "CertificateGuard"
    validates = _PLURAL

    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer = authorizer

    async def validate(self, attributes: Attributes) -> None:
        """Refuse with 403."""
        if attributes.kind.group != _GROUP or attributes.obj is None:
            return
        match attributes.operation, attributes.subresource:
            case "CREATE", "":
                _check_subject(attributes, attributes.obj.get("spec") or {})
            case "UPDATE", "approval":
                self._need("approve", attributes)
            case "UPDATE", "status":
                new, old = attributes.obj.get("status") or {}, (attributes.old or {}).get("status") or {}
                if any(new.get(part) != old.get(part) for part in ("certificate", "conditions")):
                    self._need("sign", attributes)

    def _need(self, verb: str, attributes: Attributes) -> None:
        signer = ((attributes.old or {}).get("spec") or {}).get("signerName") or ""
        names = (signer, f"{signer.partition('/')[0]}/*")
        if not any(self._authorizer.allowed(attributes.user, _about_signer(verb, name))[0] for name in names):
            raise refuse(attributes, f'user not permitted to {verb} requests with signerName "{signer}"')


def _about_signer(verb: str, name: str) -> RequestInfo:
    return RequestInfo(verb, "", is_resource=True, group=_GROUP, version="*", resource="signers", name=name)


def _check_subject(attributes: Attributes, spec: Obj) -> None:
    if spec.get("signerName") != signers.CLIENT:
        return
    try:
        asked = certificate_text.read_request(certificate_text.decoded(spec.get("request")))
    except ValueError:
        # Validation reports it.
        return
    if MASTERS in asked.organizations:
        why = f"use of {signers.CLIENT} signer with {MASTERS} group is not allowed"
        raise refuse(attributes, why)
