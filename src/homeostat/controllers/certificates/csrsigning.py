"""The loop `csrsigning`: issues the certificates of approved requests to Kubernetes' own four signers.

The decision says that a request is to be signed; `sign` does it when it is performed, with the key that no decision
sees. Rules: pkg/controller/certificates/signer.
"""

from __future__ import annotations

from collections.abc import Callable

from homeostat.api.certificates import certificate_text, signers
from homeostat.api.kinds import CSR
from homeostat.api.types import Obj
from homeostat.controllers.certificates.csr import conditions, with_condition
from homeostat.loop.contract import Action, Key, Loop, Update, Watch, World


def loop(sign: Callable[[Obj], Obj]) -> Loop:
    """The loop; `sign` returns the request with its certificate. It raises ApiError when the key cannot be used."""

    def decide(key: Key, world: World) -> list[Action]:
        request = world.get(CSR, "", key)
        if request is None or not _to_be_signed(request):
            return []
        spec = request["spec"]
        if spec.get("signerName") not in signers.ALL:
            return []
        try:
            asked = certificate_text.read_request(certificate_text.decoded(spec.get("request")))
            why = signers.problem(spec["signerName"], asked, spec.get("usages") or ())
        except ValueError as error:
            why = f"unable to parse the request: {error}"
        if why:
            failed = with_condition(request, "Failed", "SignerValidationFailure", why)
            return [Update(CSR, failed, subresource="status", note=why)]
        return [Update(CSR, request, subresource="status", note="approved", complete=sign)]

    return Loop("csrsigning", (Watch(CSR),), decide)


def _to_be_signed(request: Obj) -> bool:
    kinds = conditions(request)
    return "Approved" in kinds and not kinds.keys() & {"Denied", "Failed"} and not request["status"].get("certificate")
