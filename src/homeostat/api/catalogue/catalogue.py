"""The catalogue: which kinds there are, by resource, by kind and in discovery's order, with what is derived of each.

Immutable: a change makes a new one, which shares what did not change. What is derived is made when it is first asked
for and kept as long as the catalogue is (`resource`, `derived`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, TypeVar, cast

from homeostat.api import facts
from homeostat.api.catalogue.definition import Definition, kinds_of, list_node
from homeostat.api.catalogue.resource import Body, DefinedResource, Resource, Types
from homeostat.api.kind_names import PREFERRED
from homeostat.api.kinds import BUILT_IN, Kind, Subresource
from homeostat.api.types import Obj

T = TypeVar("T")
_VERSION = re.compile(r"v([1-9]\d*)(?:(alpha|beta)([1-9]\d*))?")
_STABILITY = {None: 2, "beta": 1, "alpha": 0}


class Catalogue:
    """See the module; `builtin` and `with_definitions` make one.

    `kinds` is every served kind in every version, by group in discovery's order. `base` is the catalogue of the
    built-in kinds, None of itself.
    """

    def __init__(
        self, types: Types, resources: Sequence[DefinedResource] = (), definitions: Sequence[Definition] = (),
        *, base: Catalogue | None = None,
    ) -> None:  # fmt: skip
        served = [each.kind for each in resources if _is_served(each.kind, definitions)]
        self.kinds: tuple[Kind, ...] = (*BUILT_IN, *served)
        self.definitions = tuple(definitions)
        self.base = base
        self._types = types
        self._by_resource = {(kind.group, kind.version, kind.plural): kind for kind in self.kinds}
        self._by_kind = {(kind.api_version, kind.kind): kind for kind in self.kinds}
        self._defined = {each.kind: each for each in resources}
        self._resources: dict[Kind, Resource] = base._resources if base is not None else {}
        self._derived: dict[Callable[[Catalogue], Any], Any] = {}
        self.groups = _groups(self.kinds)

    @staticmethod
    def builtin() -> Catalogue:
        """The catalogue of the built-in kinds: one in a process."""
        return _builtin()

    def with_definitions(self, definitions: Sequence[Definition]) -> Catalogue:
        """The built-in kinds and those of `definitions`, in their order; resources of a definition that this catalogue
        has as well are shared. Raises ValueError for two of one name, or of a built-in group."""
        if list(definitions) == list(self.definitions):
            return self
        base = self.base or self
        known = {(each.group, each.plural): each for each in self.definitions}
        made: dict[tuple[str, str], list[DefinedResource]] = {}
        for kind, resource in self._defined.items():
            made.setdefault((kind.group, kind.plural), []).append(resource)
        resources: list[DefinedResource] = []
        for definition in definitions:
            _check(definition, base, definitions)
            place = (definition.group, definition.plural)
            if known.get(place) == definition:
                resources += made[place]
            else:
                resources += [DefinedResource(kind, self._types, version) for version, kind in kinds_of(definition)]
        if not definitions:
            return base
        resources.sort(key=lambda each: (each.kind.group, -version_rank(each.kind.version)[0], each.kind.plural))
        return Catalogue(self._types, resources, definitions, base=base)

    # Kinds

    def by_kind(self, kind: str, api_version: str = "") -> Kind | None:
        """The kind of that name, in the given version or else in the first group that has it, in its preferred one."""
        if api_version:
            return self._by_kind.get((api_version, kind))
        found = [known for known in self.kinds if known.kind == kind]
        preferred = [known for known in found if known.version == self.groups[known.group][0]]
        return next(iter(preferred or found), None)

    def by_name(self, name: str) -> Kind | None:
        """The kind that a person calls so, as with kubectl: by its plural, singular or short name in any case, alone or
        with its group (`deployments.apps`); None for no kind's name."""
        plain = name.lower()
        for kind in self.kinds:
            names = {kind.singular, kind.plural, *kind.short_names}
            if plain in names or (kind.group and plain in {f"{each}.{kind.group}" for each in names}):
                return kind
        return None

    def names(self) -> list[str]:
        """What the kinds are called, in the singular and the plural: to find what a mistyped name may mean."""
        return [name for kind in self.kinds for name in (kind.singular, kind.plural)]

    def by_resource(self, group: str, version: str, plural: str) -> Kind | None:
        """The kind behind a URL path's group, version and resource."""
        return self._by_resource.get((group, version, plural))

    def stored_at(self, prefix: str) -> Kind | None:
        """The kind whose objects the store keeps below `/registry/GROUP/PLURAL/`."""
        return self.derived(_homes).get(prefix)

    def stored_kinds(self) -> tuple[Kind, ...]:
        """Each stored resource once: in the version that is stored, or else in the served one that is preferred."""
        return self.derived(_stored_kinds)

    def of_group_version(self, group: str, version: str) -> tuple[Kind, ...]:
        """The kinds of one version of a group, by their plurals; empty where it is not served."""
        return self.derived(_by_group_version).get((group, version), ())

    def changed(self, other: Catalogue) -> set[str]:
        """The store prefixes of the defined resources that are not the same in both."""
        mine, theirs = self._defined, other._defined
        return {kind.prefix for kind in {*mine, *theirs} if mine.get(kind) is not theirs.get(kind)}

    # What is derived

    def resource(self, kind: Kind) -> Resource:
        """What is known of a kind of this catalogue. Raises KeyError for a defined kind that it does not have."""
        if kind.custom:
            return self._defined[kind]
        found = self._resources.get(kind)
        if found is None:
            found = self._resources[kind] = Resource(kind, self._types)
        return found

    def shape(self, kind: Kind | Subresource) -> Resource | Body:
        """What a body is brought into the shape of: a kind, or what a subresource takes."""
        return self.resource(kind) if isinstance(kind, Kind) else self._types.body(kind)

    def derived(self, make: Callable[[Catalogue], T]) -> T:
        """What the function `make` derives of this catalogue: made when it is first asked for, kept as long as the
        catalogue is. So code that works on all kinds caches what it derives from them; `make` must be pure."""
        found = self._derived.get(make)
        if found is None:
            found = self._derived[make] = make(self)
        return cast(T, found)

    def nodes(self) -> dict[str, Obj]:
        """The OpenAPI schemas of the types of defined kinds and of their lists, by name."""
        found: dict[str, Obj] = {}
        for kind, resource in self._defined.items():
            found[kind.definition] = resource.node
            found[f"{kind.definition}List"] = list_node(kind)
        return found

    def node(self, definition: str) -> Obj:
        """The OpenAPI schema of a type. Raises KeyError."""
        return self.derived(Catalogue.nodes).get(definition) or facts.definitions()[definition]


@cache
def _builtin() -> Catalogue:
    return Catalogue(Types())


def _is_served(kind: Kind, definitions: Sequence[Definition]) -> bool:
    return any(
        version.served and version.name == kind.version
        for each in definitions
        if (each.group, each.plural) == (kind.group, kind.plural)
        for version in each.versions
    )


def _check(definition: Definition, base: Catalogue, definitions: Sequence[Definition]) -> None:
    if definition.group in base.groups:
        raise ValueError(f"{definition.plural}.{definition.group} is in a built-in group")
    same = [other for other in definitions if other.group == definition.group]
    if any(other is not definition and {other.plural, other.kind} & {definition.plural, definition.kind}
           for other in same):  # fmt: skip
        raise ValueError(f"{definition.plural}.{definition.group} is defined twice")


def version_rank(version: str) -> tuple[int, int, int]:
    """How a version compares in priority: v2, v1, v2beta1, v1alpha1, then others (apimachinery's version sort)."""
    match = _VERSION.fullmatch(version)
    if match is None:
        return (-1, 0, 0)
    major, stability, minor = match.groups()
    return (_STABILITY[stability], int(major), int(minor or 0))


def _groups(kinds: Sequence[Kind]) -> dict[str, tuple[str, ...]]:
    """The API groups in discovery's order, each with its versions, the preferred one first. "" is the core group."""
    found: dict[str, list[str]] = {}
    for kind in kinds:
        versions = found.setdefault(kind.group, [])
        if kind.version not in versions:
            versions.append(kind.version)

    def rank(group: str, version: str) -> tuple[bool, tuple[int, int, int]]:
        return version == PREFERRED.get(group), version_rank(version)

    return {
        group: tuple(sorted(versions, key=lambda version: rank(group, version), reverse=True))
        for group, versions in found.items()
    }


def _homes(catalogue: Catalogue) -> dict[str, Kind]:
    return {kind.prefix: kind.home for kind in catalogue.kinds}


def _stored_kinds(catalogue: Catalogue) -> tuple[Kind, ...]:
    served, found = set(catalogue.kinds), dict[str, Kind]()
    for group, versions in catalogue.groups.items():
        for version in versions:
            for kind in catalogue.of_group_version(group, version):
                if not kind.virtual and kind.home.group == group:
                    found.setdefault(kind.prefix, kind.home if kind.home in served else kind)
    return tuple(kind for kind in catalogue.kinds if found.get(kind.prefix) is kind)


def _by_group_version(catalogue: Catalogue) -> dict[tuple[str, str], tuple[Kind, ...]]:
    found: dict[tuple[str, str], list[Kind]] = {}
    for kind in catalogue.kinds:
        found.setdefault((kind.group, kind.version), []).append(kind)
    return {place: tuple(sorted(kinds, key=lambda kind: kind.plural)) for place, kinds in found.items()}
