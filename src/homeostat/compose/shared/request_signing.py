"""Signing certificate requests with the cluster's key: what the loop `csrsigning` asks for, from the lab's files."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

from homeostat.api.certificates import certificate_text
from homeostat.api.errors import ApiError
from homeostat.api.types import Obj
from homeostat.wire import pki

# The shortest life that Kubernetes' signers give a certificate.
_SECONDS_MIN = 600.0


def signer(folder: Path, seconds_max: float) -> Callable[[Obj], Obj]:
    """Puts a certificate into an approved request, signed with `ca.key` in `folder` as it is then."""

    def sign(request: Obj) -> Obj:
        spec = request["spec"]
        asked = spec.get("expirationSeconds")
        seconds = max(_SECONDS_MIN, min(float(asked), seconds_max)) if asked else seconds_max
        try:
            authority = pki.KeyPair((folder / "ca.crt").read_bytes(), (folder / "ca.key").read_bytes())
            pem = certificate_text.decoded(spec["request"])
            certificate = pki.sign_request(authority, pem, usages=spec.get("usages") or (), seconds=seconds)
        except (OSError, ValueError) as error:
            raise ApiError(500, "InternalError", f"the cluster's key in {folder} cannot sign: {error}") from error
        status = {**(request.get("status") or {}), "certificate": base64.b64encode(certificate).decode()}
        return {**request, "status": status}

    return sign
