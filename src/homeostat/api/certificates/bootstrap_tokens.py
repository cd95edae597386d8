"""Bootstrap tokens as data: their form, and the Secrets that hold them. Pure.

Facts: cluster-bootstrap/token/api and util/secrets. All that speak of tokens (authentication, the loops that clean and
sign, `join-command`) read them here.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Sequence

from homeostat.api.types import Obj
from homeostat.kit.clock import parse_rfc3339, rfc3339

NAMESPACE = "kube-system"
PUBLIC_NAMESPACE = "kube-public"
CLUSTER_INFO = "cluster-info"
SECRET_TYPE = "bootstrap.kubernetes.io/token"
GROUP = "system:bootstrappers"
# The group of tokens made for joining: what it may do is in the bootstrap policy.
JOIN_GROUP = "system:bootstrappers:homeostat:default-node-token"
# The group of tokens that are sign-in codes of the Console: it may ask for a token of this one ServiceAccount (in
# kube-system), and nothing else.
CONSOLE_GROUP = "system:bootstrappers:homeostat:console"
CONSOLE_ACCOUNT = "console-user"
# The extension of its kubeconfig that carries the cluster's flags.
SETTINGS = "homeostat-settings"
# What a machine that joins notes at its certificate request: its addresses, separated by commas.
ADDRESSES = "homeostat.dev/node-addresses"
JWS_PREFIX = "jws-kubeconfig-"
_ID_LENGTH, _SECRET_LENGTH = 6, 16
_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
TOKEN_LENGTH = _ID_LENGTH + 1 + _SECRET_LENGTH
TOKENS = len(_ALPHABET) ** (_ID_LENGTH + _SECRET_LENGTH)
_TOKEN = re.compile(r"\A([a-z0-9]{6})\.([a-z0-9]{16})\Z")


def parse(token: str) -> tuple[str, str] | None:
    """The token's identifier and secret; None for what has not the form of one."""
    match = _TOKEN.match(token)
    return (match[1], match[2]) if match else None


def token_text(number: int) -> tuple[str, str]:
    """The identifier and the secret of one of the `TOKENS` that there are."""
    text = ""
    for _ in range(_ID_LENGTH + _SECRET_LENGTH):
        number, at = divmod(number, len(_ALPHABET))
        text += _ALPHABET[at]
    return text[:_ID_LENGTH], text[_ID_LENGTH:]


def secret_name(identifier: str) -> str:
    """The name of the Secret that holds a token."""
    return f"bootstrap-token-{identifier}"


def secret_of(
    token: str,
    *,
    expires: float | None,
    groups: Sequence[str] = (JOIN_GROUP,),
    description: str = "",
    signing: bool = True,
) -> Obj:
    """The Secret to create for a token; `expires` in wall-clock seconds, None for never. One that is `signing` signs
    cluster-info as well. Raises ValueError."""
    parsed = parse(token)
    if parsed is None:
        raise ValueError(f"{token!r} has not the form of a bootstrap token, [a-z0-9]{{6}}.[a-z0-9]{{16}}")
    data = {
        "token-id": parsed[0],
        "token-secret": parsed[1],
        "usage-bootstrap-authentication": "true",
        "auth-extra-groups": ",".join(groups),
    }
    if signing:
        data["usage-bootstrap-signing"] = "true"
    if expires is not None:
        data["expiration"] = rfc3339(expires)
    if description:
        data["description"] = description
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    metadata = {"name": secret_name(parsed[0]), "namespace": NAMESPACE}
    return {"apiVersion": "v1", "kind": "Secret", "type": SECRET_TYPE, "metadata": metadata, "data": encoded}


def data_of(secret: Obj) -> dict[str, str]:
    """The Secret's data as text; what is not text is left out."""
    found = {}
    for key, value in (secret.get("data") or {}).items():
        try:
            found[key] = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError, TypeError):
            continue
    return found


def expires_at(secret: Obj) -> float | None:
    """When the token ends; None for never. One whose time cannot be read has ended (0)."""
    text = data_of(secret).get("expiration", "")
    if not text:
        return None
    try:
        return parse_rfc3339(text)
    except ValueError:
        return 0.0


def sign(content: str, identifier: str, secret: str) -> str:
    """A detached JWS over `content` with the token as its key (RFC 7515, HS256): who knows the token can check it."""
    header = json.dumps({"alg": "HS256", "kid": identifier}, separators=(",", ":"))
    head, body = _base64url(header.encode()), _base64url(content.encode())
    signature = hmac.new(secret.encode(), f"{head}.{body}".encode(), hashlib.sha256).digest()
    return f"{head}..{_base64url(signature)}"


def is_signed(content: str, signature: str, identifier: str, secret: str) -> bool:
    """Whether `signature` was made by `sign` over the same content with the same token."""
    return hmac.compare_digest(signature, sign(content, identifier, secret))


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
