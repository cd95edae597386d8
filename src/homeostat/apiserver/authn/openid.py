"""By which keys others check service account tokens: OpenID Connect discovery, at the issuer's own address.

`/.well-known/openid-configuration` names the issuer and where its keys are, `/openid/v1/jwks` gives them. Who may read
them is the role system:service-account-issuer-discovery: every service account. Rule: kube-apiserver's
pkg/serviceaccount/openidmetadata.go; where it names the server's external address for the keys, they are below the
issuer here, whose name every Pod finds and every API server's certificate has.
"""

from __future__ import annotations

from collections.abc import Mapping

from homeostat.api import errors
from homeostat.apiserver.authn.service_account_tokens import TokenIssuer
from homeostat.apiserver.contract import Call, SubresourceHandler
from homeostat.apiserver.describe.etag_documents import Document
from homeostat.wire.message import Response

CONFIGURATION, KEYS = "/.well-known/openid-configuration", "/openid/v1/jwks"
_KEYS_TYPE = "application/jwk-set+json"
_CACHED = "public, max-age=3600"


def paths(issuer: TokenIssuer) -> Mapping[str, SubresourceHandler]:
    """What answers the two paths; nothing where the issuer is no URL that could be followed."""
    if not issuer.issuer.startswith("https://"):
        return {}
    said = {
        "issuer": issuer.issuer,
        "jwks_uri": issuer.issuer.rstrip("/") + KEYS,
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [issuer.algorithm],
    }
    documents = {CONFIGURATION: Document.of(said), KEYS: Document.of({"keys": issuer.public_keys()}, _KEYS_TYPE)}

    async def handle(call: Call) -> Response:
        request = call.request
        document = documents.get(request.path)
        if document is None:
            raise errors.path_not_found()
        if request.method not in ("GET", "HEAD"):
            raise errors.method_not_allowed()
        response = document.respond(request)
        response.headers["cache-control"] = _CACHED
        return response

    return dict.fromkeys(documents, handle)
