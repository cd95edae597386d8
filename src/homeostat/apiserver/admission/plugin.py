"""What admission plugins share: a base that admits everything, and the refusal in Kubernetes' words."""

from __future__ import annotations

from homeostat.api import errors
from homeostat.api.errors import ApiError
from homeostat.apiserver.contract import Attributes

CREATE, UPDATE, DELETE, CONNECT = "CREATE", "UPDATE", "DELETE", "CONNECT"


class Plugin:
    """Admits everything unchanged; subclasses override one of the two."""

    name = "AlwaysAdmit"

    async def mutate(self, attributes: Attributes) -> None:
        """Change `attributes.obj` in place."""

    async def validate(self, attributes: Attributes) -> None:
        """Raise ApiError to refuse."""


def refuse(attributes: Attributes, why: str) -> ApiError:
    """403: `pods "x" is forbidden: WHY`."""
    return errors.forbidden(attributes.kind.plural, attributes.kind.group, name_of(attributes), why)


def name_of(attributes: Attributes) -> str:
    """The object's name; of one that is to get a generated name, what is known of it."""
    if attributes.name or attributes.obj is None:
        return attributes.name
    meta = attributes.obj.get("metadata") or {}
    return str(meta.get("name") or meta.get("generateName") or "")


def is_write_of(attributes: Attributes, plural: str, *operations: str, group: str = "") -> bool:
    """Whether this is one of `operations` on the resource itself (no subresource)."""
    kind = attributes.kind
    return (
        kind.plural == plural
        and kind.group == group
        and not attributes.subresource
        and attributes.operation in operations
    )
