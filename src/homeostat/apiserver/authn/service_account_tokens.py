"""Service account tokens: JWTs signed with ES256, their claims as Kubernetes writes them.

Signs for the `serviceaccounts/token` subresource and checks signature, times, issuer and audience. Whether the account
and the bound object still exist is asked by `authentication`, which has the objects.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from homeostat.api.types import Obj
from homeostat.kit import chance, clock

_ALGORITHM = "ES256"
PRIVATE_CLAIM = "kubernetes.io"

# Leeway for clocks of other machines (go-jose's default in kube-apiserver).
_LEEWAY_SECONDS = 60


class BadToken(ValueError):
    """The token is not ours, not valid now, or has another audience; the text says which."""


@dataclass(frozen=True, slots=True)
class Bound:
    """What a token ends with: `kind` Pod, Secret or Node, or empty for none."""

    kind: str = ""
    name: str = ""
    uid: str = ""


@dataclass(frozen=True, slots=True)
class Claims:
    """A verified token's content."""

    namespace: str
    account: str
    account_uid: str
    audiences: tuple[str, ...]
    expires: float
    token_id: str = ""
    pod: Bound = Bound()
    node: Bound = Bound()
    secret: Bound = Bound()


class TokenIssuer:
    """Signs and verifies with one P-256 key pair; `private_pem` PKCS#8 PEM text."""

    def __init__(self, private_pem: str, *, issuer: str, audiences: Sequence[str] = ()) -> None:
        self._key = ECKey.import_key(private_pem)
        self._key_id = self._key.thumbprint()
        self.issuer = issuer
        self.audiences: tuple[str, ...] = tuple(audiences) or (issuer,)

    @property
    def algorithm(self) -> str:
        """How tokens are signed."""
        return _ALGORITHM

    def public_keys(self) -> list[Obj]:
        """The keys by which others check tokens, as a JWK set has them."""
        return [{"use": "sig", "alg": _ALGORITHM, "kid": self._key_id, **self._key.as_dict(private=False)}]

    def sign(
        self,
        account: Obj,
        *,
        audiences: Sequence[str],
        seconds: int,
        pod: Obj | None = None,
        secret: Obj | None = None,
        node: Obj | None = None,
    ) -> tuple[str, float]:
        """A token for `account` (a ServiceAccount) bound to `pod`, `secret` or `node`; and when it expires (epoch)."""
        meta = account["metadata"]
        now = int(clock.wall())
        private: Obj = {"namespace": meta["namespace"], "serviceaccount": _reference(account)}
        for name, bound in (("pod", pod), ("secret", secret), ("node", node)):
            if bound is not None:
                private[name] = _reference(bound)
        claims: Obj = {
            "aud": list(audiences) or list(self.audiences),
            "exp": now + seconds,
            "iat": now,
            "iss": self.issuer,
            "jti": chance.uuid4(),
            PRIVATE_CLAIM: private,
            "nbf": now,
            "sub": f"system:serviceaccount:{meta['namespace']}:{meta['name']}",
        }
        return jwt.encode({"alg": _ALGORITHM, "kid": self._key_id}, claims, self._key), float(now + seconds)

    def verify(self, token: str, *, audiences: Sequence[str] = ()) -> Claims:
        """The claims of a token that is ours, valid now, and for one of `audiences` (empty: the API's own).

        Raises BadToken.
        """
        try:
            claims = jwt.decode(token, self._key, algorithms=[_ALGORITHM]).claims
        except (JoseError, ValueError) as error:
            raise BadToken(f"invalid bearer token: {error}") from error
        if claims.get("iss") != self.issuer:
            raise BadToken("the token has another issuer")
        now = clock.wall()
        if now > float(claims.get("exp") or 0) + _LEEWAY_SECONDS:
            raise BadToken("service account token has expired")
        if now < float(claims.get("nbf") or 0) - _LEEWAY_SECONDS:
            raise BadToken("service account token is not valid yet")
        wanted = audiences or self.audiences
        common = tuple(audience for audience in _texts(claims.get("aud")) if audience in wanted)
        if not common:
            raise BadToken(f"token audiences {_texts(claims.get('aud'))} is invalid for the target audiences {wanted}")
        return _claims(claims, common)


def _reference(obj: Obj) -> Obj:
    return {"name": obj["metadata"]["name"], "uid": obj["metadata"].get("uid", "")}


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _claims(claims: Obj, audiences: tuple[str, ...]) -> Claims:
    private = claims.get(PRIVATE_CLAIM)
    if not isinstance(private, dict) or not isinstance(private.get("serviceaccount"), dict):
        raise BadToken("the token is not one of a service account")
    namespace, account = str(private.get("namespace", "")), private["serviceaccount"]
    if claims.get("sub") != f"system:serviceaccount:{namespace}:{account.get('name')}":
        raise BadToken("sub claim and service account do not match")
    return Claims(
        namespace=namespace,
        account=str(account["name"]),
        account_uid=str(account.get("uid", "")),
        audiences=audiences,
        expires=float(claims["exp"]),
        token_id=str(claims.get("jti", "")),
        pod=_bound("Pod", private.get("pod")),
        node=_bound("Node", private.get("node")),
        secret=_bound("Secret", private.get("secret")),
    )


def _bound(kind: str, reference: object) -> Bound:
    if not isinstance(reference, dict):
        return Bound()
    return Bound(kind, str(reference.get("name", "")), str(reference.get("uid", "")))
