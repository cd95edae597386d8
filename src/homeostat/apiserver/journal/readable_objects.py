"""Whose objects a user may read, for answers that speak of many kinds at once: the journal.

A right to the journal's path is no right to what it speaks of: each entry is shown to those who may get its object.
"""

from __future__ import annotations

from homeostat.api.catalogue import Catalogue
from homeostat.apiserver.contract import Authorizer, RequestInfo
from homeostat.wire.message import User


class Sight:
    """What `user` may get, for the length of one request; without an authorizer, everything."""

    def __init__(self, authorizer: Authorizer | None, user: User, catalogue: Catalogue) -> None:
        self._authorizer = authorizer
        self._user = user
        self._catalogue = catalogue
        self._known: dict[tuple[str, str, str, str], bool] = {}

    def stored(self, prefix: str, namespace: str, name: str) -> bool:
        """Whether the user may get the object below a store's prefix."""
        _, _, group, plural, _ = prefix.split("/")
        return self.object("" if group == "core" else group, plural, namespace, name)

    def of_kind(self, kind: str, namespace: str, name: str) -> bool:
        """Whether the user may get an object of a kind that is known by its name alone."""
        resources = self._catalogue.derived(_resources).get(kind, [])
        return bool(resources) and all(self.object(group, plural, namespace, name) for group, plural in resources)

    def object(self, group: str, plural: str, namespace: str, name: str) -> bool:
        """Whether the user may get an object: all of a cluster, all of the namespace, or the one of that name."""
        if self._authorizer is None:
            return True
        places = (("", ""), (namespace, ""), (namespace, name))
        return any(self._may(group, plural, *place) for place in places)

    def _may(self, group: str, plural: str, namespace: str, name: str) -> bool:
        assert self._authorizer is not None
        key = (group, plural, namespace, name)
        known = self._known.get(key)
        if known is None:
            asked = RequestInfo(
                "get", "", is_resource=True, group=group, version="*", resource=plural, namespace=namespace, name=name
            )
            known = self._known[key] = self._authorizer.allowed(self._user, asked)[0]
        return known


def _resources(catalogue: Catalogue) -> dict[str, list[tuple[str, str]]]:
    """The groups and plurals of the kinds of each name."""
    found: dict[str, list[tuple[str, str]]] = {}
    for each in catalogue.kinds:
        found.setdefault(each.kind, []).append((each.group, each.plural))
    return found
