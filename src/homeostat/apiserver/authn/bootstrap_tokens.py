"""Bootstrap tokens: `abcdef.0123456789abcdef`, by which a machine that wants to join proves that it may ask.

They are Secrets in kube-system of a type of their own. Rules: plugin/pkg/auth/authenticator/token/bootstrap;
kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens.
"""

from __future__ import annotations

import hmac
import re

from homeostat.api import kinds
from homeostat.api.certificates import bootstrap_tokens
from homeostat.apiserver.contract import Reader
from homeostat.kit import clock
from homeostat.wire.message import User

_EXTRA_GROUP = re.compile(r"\Asystem:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]\Z")


class BootstrapTokens:
    """Checks tokens against the Secrets that exist now; nothing is cached, so a deleted token is invalid at once."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def user_of(self, token: str) -> User | None:
        """Who shows this token; None for one that is not, or no longer, good."""
        parsed = bootstrap_tokens.parse(token)
        if parsed is None:
            return None
        identifier, secret = parsed
        found = self._reader.get(kinds.SECRET, bootstrap_tokens.NAMESPACE, bootstrap_tokens.secret_name(identifier))
        if (
            found is None
            or found["metadata"].get("deletionTimestamp")
            or found.get("type") != bootstrap_tokens.SECRET_TYPE
        ):
            return None
        data = bootstrap_tokens.data_of(found)
        if not hmac.compare_digest(data.get("token-secret", "").encode(), secret.encode()):
            return None
        if data.get("token-id") != identifier or data.get("usage-bootstrap-authentication") != "true":
            return None
        ends = bootstrap_tokens.expires_at(found)
        if ends is not None and ends <= clock.wall():
            return None
        extra = [group for group in data.get("auth-extra-groups", "").split(",") if group]
        if not all(_EXTRA_GROUP.match(group) for group in extra):
            return None
        groups = tuple(sorted({bootstrap_tokens.GROUP, *extra}))
        return User(f"system:bootstrap:{identifier}", groups)
