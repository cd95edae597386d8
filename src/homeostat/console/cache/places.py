"""Where objects are: a resource, in all namespaces or in one, or one object. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from homeostat.api import errors

# Names of the API are shorter and plainer than this; anything else would make another path of it.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,252}")
_VERSION = re.compile(r"[a-z0-9]{1,63}")


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource in one version."""

    group: str
    version: str
    plural: str


@dataclass(frozen=True, slots=True)
class Place:
    """The objects of `resource`: of all namespaces (or of a resource that has none), of `namespace`, or the one called
    `name`."""

    resource: Resource
    namespace: str = ""
    name: str = ""

    @property
    def path(self) -> str:
        """The URL path of the collection."""
        own = self.resource
        root = f"/apis/{own.group}/{own.version}" if own.group else f"/api/{own.version}"
        return f"{root}/namespaces/{quote(self.namespace, safe='')}/{own.plural}" if self.namespace else (
            f"{root}/{own.plural}"
        )  # fmt: skip


def resource_of(said: Any) -> Resource:
    """The resource that a page names. Raises ApiError 400."""
    if not isinstance(said, dict):
        raise errors.bad_request("`resource` must be an object with group, version and plural")
    group, version, plural = (said.get(name) for name in ("group", "version", "plural"))
    if not (isinstance(group, str) and isinstance(version, str) and isinstance(plural, str)):
        raise errors.bad_request("`resource` must have group, version and plural as texts")
    if (group and not _NAME.fullmatch(group)) or not _VERSION.fullmatch(version) or not _NAME.fullmatch(plural):
        raise errors.bad_request("`resource` names no resource of the API")
    return Resource(group, version, plural)


def name_of(said: Any, field: str) -> str:
    """A name or namespace that a page says; empty where it says none. Raises ApiError 400."""
    if said is None or said == "":
        return ""
    if not isinstance(said, str) or not _NAME.fullmatch(said):
        raise errors.bad_request(f"`{field}` is no name of the API")
    return said
