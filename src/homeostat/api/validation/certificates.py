"""CertificateSigningRequests. Rules: pkg/apis/certificates/validation and core's ValidateSignerName."""

from __future__ import annotations

from homeostat.api import names
from homeostat.api.certificates import certificate_text
from homeostat.api.fields import Causes, duplicate, forbidden, invalid, not_supported, required
from homeostat.api.types import Obj

LEGACY_SIGNER = "kubernetes.io/legacy-unknown"
_SECONDS_MIN = 600
_USAGES = frozenset(
    (
        "signing",
        "digital signature",
        "content commitment",
        "key encipherment",
        "key agreement",
        "data encipherment",
        "cert sign",
        "crl sign",
        "encipher only",
        "decipher only",
        "any",
        "server auth",
        "client auth",
        "code signing",
        "email protection",
        "s/mime",
        "ipsec end system",
        "ipsec tunnel",
        "ipsec user",
        "timestamping",
        "ocsp signing",
        "microsoft sgc",
        "netscape sgc",
    )
)
# Conditions that are true or not there, and that stay once they are there.
_FINAL = ("Approved", "Denied", "Failed")
_DECISIONS = ("Approved", "Denied")


def check_request(obj: Obj, out: Causes) -> None:
    """A new request."""
    spec = obj.get("spec") or {}
    try:
        certificate_text.load_request(certificate_text.decoded(spec.get("request")))
    except ValueError as error:
        out.append(invalid("spec.request", spec.get("request") or "", str(error)))
    usages = spec.get("usages") or ()
    if not usages:
        out.append(required("spec.usages"))
    for position, usage in enumerate(usages):
        if usage not in _USAGES:
            out.append(not_supported(f"spec.usages[{position}]", usage, _USAGES))
    for position, usage in enumerate(usages):
        if usage in usages[:position]:
            out.append(duplicate(f"spec.usages[{position}]", usage))
    _check_signer(spec.get("signerName") or "", out)
    seconds = spec.get("expirationSeconds")
    if seconds is not None and seconds < _SECONDS_MIN:
        why = "may not specify a duration less than 600 seconds (10 minutes)"
        out.append(invalid("spec.expirationSeconds", seconds, why))


def _check_signer(signer: str, out: Causes) -> None:
    path = "spec.signerName"
    if not signer:
        out.append(required(path))
        return
    if signer == LEGACY_SIGNER:
        out.append(invalid(path, signer, "the legacy signerName is not allowed via this API version"))
        return
    domain, slash, name = signer.partition("/")
    if not slash or "/" in name or not name:
        why = "must be a fully qualified domain and path of the form 'example.com/signer-name'"
        out.append(invalid(path, signer, why))
        return
    out += [invalid(path, domain, f"validating label {why}") for why in names.dns1123_subdomain(domain)]
    if "." not in domain:
        out.append(invalid(path, domain, "should be a domain with at least two segments separated by dots"))
    out += [invalid(path, signer, why) for why in names.dns1123_subdomain(name)]


def check_subresource(new: Obj, old: Obj, subresource: str, out: Causes) -> None:
    """A write of `status` (certificate, other conditions) or of `approval` (Approved, Denied)."""
    status, before = new.get("status") or {}, old.get("status") or {}
    conditions = status.get("conditions") or []
    _check_conditions(conditions, out)
    _check_condition_changes(conditions, before.get("conditions") or [], subresource, out)
    certificate, was = status.get("certificate"), before.get("certificate")
    if certificate == was:
        return
    if subresource != "status":
        out.append(forbidden("status.certificate", "updates may not set certificate content"))
    elif was:
        out.append(forbidden("status.certificate", "updates may not modify existing certificate content"))
    if certificate:
        try:
            certificate_text.check_certificates(certificate_text.decoded(certificate))
        except ValueError as error:
            out.append(invalid("status.certificate", "<certificate data>", str(error)))


def _check_conditions(conditions: list[Obj], out: Causes) -> None:
    seen: set[str] = set()
    for position, condition in enumerate(conditions):
        path, kind = f"status.conditions[{position}]", condition.get("type") or ""
        if not kind:
            out.append(required(f"{path}.type"))
        status = condition.get("status") or ""
        allowed = ("True",) if kind in _FINAL else ("True", "False", "Unknown")
        if not status:
            out.append(required(f"{path}.status"))
        elif status not in allowed:
            out.append(not_supported(f"{path}.status", status, allowed))
        if kind in seen:
            out.append(duplicate(f"{path}.type", kind))
        elif kind in _DECISIONS and seen.intersection(_DECISIONS):
            out.append(invalid(f"{path}.type", kind, "Approved and Denied conditions are mutually exclusive"))
        seen.add(kind)


def _check_condition_changes(new: list[Obj], old: list[Obj], subresource: str, out: Causes) -> None:
    after, before = ({each.get("type"): each for each in conditions} for conditions in (new, old))
    for kind in _FINAL:
        where = f'a condition of type "{kind}"'
        if kind in before and kind not in after:
            out.append(forbidden("status.conditions", f"updates may not remove {where}"))
        elif kind in before and before[kind] != after[kind]:
            out.append(forbidden("status.conditions", f"updates may not modify {where}"))
        elif kind in _DECISIONS and kind in after and kind not in before and subresource != "approval":
            out.append(forbidden("status.conditions", f"updates may not add {where}"))
