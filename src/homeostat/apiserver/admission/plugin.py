"""What admission plugins share: a base that admits everything, and the refusal in Kubernetes' words."""

from __future__ import annotations

from collections.abc import Sequence

from homeostat.api import errors
from homeostat.api.errors import ApiError
from homeostat.apiserver.contract import Admission, Attributes

CREATE, UPDATE, DELETE, CONNECT = "CREATE", "UPDATE", "DELETE", "CONNECT"


class Plugin:
    """Admits everything unchanged; subclasses override one of the two.

    `mutates` and `validates` are the plurals of the resources that it looks at (None: all), so that writes of others
    need not ask it; which operations, and of which group, it distinguishes itself.
    """

    name = "AlwaysAdmit"
    mutates: frozenset[str] | None = None
    validates: frozenset[str] | None = None

    async def mutate(self, attributes: Attributes) -> None:
        """Change `attributes.obj` in place."""

    async def validate(self, attributes: Attributes) -> None:
        """Raise ApiError to refuse."""


def asked(admission: Sequence[Admission], plural: str) -> tuple[list[Admission], list[Admission]]:
    """Those of `admission` that have something to change, and something to judge, of a resource."""
    mutating, validating = list[Admission](), list[Admission]()
    for plugin in admission:
        if not isinstance(plugin, Plugin):
            mutating.append(plugin)
            validating.append(plugin)
            continue
        kind = type(plugin)
        # Most plugins have only one of the two to do.
        if kind.mutate is not Plugin.mutate and (kind.mutates is None or plural in kind.mutates):
            mutating.append(plugin)
        if kind.validate is not Plugin.validate and (kind.validates is None or plural in kind.validates):
            validating.append(plugin)
    return mutating, validating


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
