"""API errors: one exception that is a Kubernetes `Status`, with the constructors of apimachinery's api/errors.

A client sees the same reason, code, message and causes that kube-apiserver gives.
"""

from __future__ import annotations

from dataclasses import dataclass

from homeostat.api.types import Obj


@dataclass(frozen=True, slots=True)
class Cause:
    """One field that is wrong: `reason` is a metav1.CauseType such as FieldValueInvalid."""

    reason: str
    field: str
    message: str

    def text(self) -> str:
        """`spec.replicas: Invalid value: -1: must be ...`"""
        return f"{self.field}: {self.message}"


class ApiError(Exception):
    """A failed request. `code` is the HTTP status; `reason` a metav1.StatusReason."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        *,
        details: Obj | None = None,
        retry_after_seconds: int = 0,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details: Obj = details or {}
        self.retry_after_seconds = retry_after_seconds
        # The Status's ListMeta: a `continue` token where a list may go on after the error.
        self.metadata: Obj = {}

    def status(self) -> Obj:
        """The metav1.Status that reports this error to a client."""
        details = dict(self.details)
        if self.retry_after_seconds:
            details["retryAfterSeconds"] = self.retry_after_seconds
        status: Obj = {"kind": "Status", "apiVersion": "v1", "metadata": self.metadata, "status": "Failure"}
        status |= {"message": self.message, "reason": self.reason}
        if details:
            status["details"] = details
        status["code"] = self.code
        return status

    @staticmethod
    def from_status(status: Obj, *, code: int = 0) -> ApiError:
        """The error that a server's Status describes; `code` is the HTTP status where the body has none."""
        return ApiError(
            int(status.get("code") or code or 500),
            str(status.get("reason") or ""),
            str(status.get("message") or "unknown error"),
            details=dict(status.get("details") or {}),
        )


def qualified(plural: str, group: str) -> str:
    """`deployments.apps`, or the plural alone in the core group: how messages name a resource."""
    return f"{plural}.{group}" if group else plural


def _about(plural: str, group: str, name: str) -> Obj:
    details: Obj = {"name": name} if name else {}
    if group:
        details["group"] = group
    if plural:
        details["kind"] = plural
    return details


def not_found(plural: str, group: str, name: str) -> ApiError:
    """404: no such object."""
    text = f'{qualified(plural, group)} "{name}" not found'
    return ApiError(404, "NotFound", text, details=_about(plural, group, name))


def path_not_found() -> ApiError:
    """404: no such path or resource (kubectl: "the server could not find the requested resource")."""
    return ApiError(404, "NotFound", "the server could not find the requested resource")


def already_exists(plural: str, group: str, name: str) -> ApiError:
    """409 on create."""
    text = f'{qualified(plural, group)} "{name}" already exists'
    return ApiError(409, "AlreadyExists", text, details=_about(plural, group, name))


STALE = "the object has been modified; please apply your changes to the latest version and try again"


def conflict(plural: str, group: str, name: str, why: str = STALE) -> ApiError:
    """409 on a stale resourceVersion or a failed precondition."""
    text = f'Operation cannot be fulfilled on {qualified(plural, group)} "{name}": {why}'
    return ApiError(409, "Conflict", text, details=_about(plural, group, name))


def invalid(kind: str, group: str, name: str, causes: list[Cause]) -> ApiError:
    """422: the object breaks its kind's rules; one cause a field."""
    texts = list(dict.fromkeys(cause.text() for cause in causes))  # each once, as ErrorList.ToAggregate
    listed = texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]"
    details = _about(kind, group, name)
    details["causes"] = [{"reason": c.reason, "message": c.message, "field": c.field} for c in causes]
    text = f'{qualified(kind, group)} "{name}" is invalid: {listed}'
    return ApiError(422, "Invalid", text, details=details)


def bad_request(message: str) -> ApiError:
    """400: the request cannot be understood."""
    return ApiError(400, "BadRequest", message)


def unauthorized() -> ApiError:
    """401: no valid credentials."""
    return ApiError(401, "Unauthorized", "Unauthorized")


def forbidden(plural: str, group: str, name: str, why: str) -> ApiError:
    """403: RBAC or admission says no. `why` is the rest of the sentence."""
    subject = f'{qualified(plural, group)} "{name}"' if name else qualified(plural, group)
    return ApiError(403, "Forbidden", f"{subject} is forbidden: {why}", details=_about(plural, group, name))


def method_not_allowed() -> ApiError:
    """405: the path is known, but not for this method (a route that kube-apiserver does not have)."""
    return ApiError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")


def expired(message: str) -> ApiError:
    """410: the resourceVersion or continue token is older than what is kept."""
    return ApiError(410, "Expired", message)


def too_large(message: str) -> ApiError:
    """413: the body is over the limit."""
    return ApiError(413, "RequestEntityTooLarge", message)


def unsupported_media_type(message: str) -> ApiError:
    """415: the content type is not one of those accepted."""
    return ApiError(415, "UnsupportedMediaType", message)


def too_many_requests(message: str, *, retry_after_seconds: int = 1) -> ApiError:
    """429: try again later; also an eviction that a disruption budget refuses."""
    return ApiError(429, "TooManyRequests", message, retry_after_seconds=retry_after_seconds)


def internal(message: str) -> ApiError:
    """500: our own mistake."""
    return ApiError(500, "InternalError", f"Internal error occurred: {message}")


def unavailable(message: str, *, retry_after_seconds: int = 1) -> ApiError:
    """503: not now, the store or the server cannot."""
    return ApiError(503, "ServiceUnavailable", message, retry_after_seconds=retry_after_seconds)


def timeout(message: str) -> ApiError:
    """504: the server gave up waiting."""
    return ApiError(504, "Timeout", message, retry_after_seconds=1)
