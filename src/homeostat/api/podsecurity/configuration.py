"""PodSecurityConfiguration: the defaults of namespaces without labels, and who and what is exempt.

It is written as the plugin's configuration of kube-apiserver's --admission-control-config-file is: an
AdmissionConfiguration with the plugin PodSecurity, or the PodSecurityConfiguration alone. Pure.
Rule: k8s.io/pod-security-admission/admission/api (v1, validation).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from homeostat.api import names
from homeostat.api.errors import Cause
from homeostat.api.fields import duplicate, invalid
from homeostat.api.podsecurity.levels import (
    LEVEL_PROBLEM,
    MODES,
    VERSION_PROBLEM,
    LevelVersion,
    Policy,
    is_level,
    is_version,
)

_GROUP = "pod-security.admission.config.k8s.io"
_VERSIONS = tuple(f"{_GROUP}/{version}" for version in ("v1", "v1beta1", "v1alpha1"))
_HOLDERS = ("apiserver.config.k8s.io/v1", "apiserver.k8s.io/v1", "apiserver.k8s.io/v1alpha1")
PLUGIN = "PodSecurity"
ALLOW_ALL = Policy()


class ConfigurationError(ValueError):
    """The configuration cannot be used; the message says what is wrong where."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """`defaults` count where a namespace's labels say nothing; what is exempt is not looked at."""

    defaults: Policy = ALLOW_ALL
    usernames: frozenset[str] = frozenset()
    namespaces: frozenset[str] = frozenset()
    runtime_classes: frozenset[str] = frozenset()


def from_json(text: str) -> Configuration:
    """The configuration in a JSON document; of no text the one that asks for nothing. Raises ConfigurationError."""
    if not text:
        return Configuration()
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ConfigurationError(f"not a document: {error}") from error
    return read(document)


def read(document: Any) -> Configuration:
    """The configuration that a parsed document holds. Raises ConfigurationError."""
    found = _mapping(document, "the admission configuration")
    if found.get("kind") == "AdmissionConfiguration":
        found = _of_plugin(found)
    if found.get("kind") != "PodSecurityConfiguration" or found.get("apiVersion") not in _VERSIONS:
        what = f"{found.get('apiVersion')}, {found.get('kind')}"
        raise ConfigurationError(
            f"expected an AdmissionConfiguration with the plugin {PLUGIN}, or {_VERSIONS[0]}, "
            f"PodSecurityConfiguration; found {what}"
        )
    _known(found, ("apiVersion", "kind", "defaults", "exemptions"), "")
    problems: list[Cause] = []
    defaults = _defaults(_mapping(found.get("defaults") or {}, "defaults"), problems)
    exempt = _mapping(found.get("exemptions") or {}, "exemptions")
    _known(exempt, ("usernames", "namespaces", "runtimeClasses"), "exemptions.")
    made = Configuration(
        defaults,
        _exemptions(exempt, "usernames", _user_name, problems),
        _exemptions(exempt, "namespaces", names.dns1123_label, problems),
        _exemptions(exempt, "runtimeClasses", names.dns1123_subdomain, problems),
    )
    if problems:
        raise ConfigurationError("; ".join(problem.text() for problem in problems))
    return made


def _of_plugin(document: dict[str, Any]) -> dict[str, Any]:
    if document.get("apiVersion") not in _HOLDERS:
        raise ConfigurationError(f"expected apiVersion {_HOLDERS[0]}, found {document.get('apiVersion')}")
    _known(document, ("apiVersion", "kind", "plugins"), "")
    plugins = document.get("plugins") or []
    if not isinstance(plugins, list):
        raise ConfigurationError("plugins: expected a list")
    chosen: dict[str, Any] | None = None
    for position, entry in enumerate(plugins):
        plugin = _mapping(entry, f"plugins[{position}]")
        if plugin.get("name") != PLUGIN:
            raise ConfigurationError(
                f"plugins[{position}].name: this cluster configures no plugin but {PLUGIN}, not {plugin.get('name')}"
            )
        if plugin.get("path"):
            raise ConfigurationError(f"plugins[{position}].path: write the configuration into the file itself")
        chosen = _mapping(plugin.get("configuration"), f"plugins[{position}].configuration")
    if chosen is None:
        raise ConfigurationError(f"plugins: expected one named {PLUGIN}")
    return chosen


def _defaults(given: dict[str, Any], problems: list[Cause]) -> Policy:
    fields = [name for mode in MODES for name in (mode, f"{mode}-version")]
    _known(given, tuple(fields), "defaults.")
    chosen: dict[str, LevelVersion] = {}
    for mode in MODES:
        level, version = given.get(mode) or "privileged", given.get(f"{mode}-version") or "latest"
        if not isinstance(level, str) or not is_level(level):
            problems.append(invalid(f"defaults.{mode}", level, LEVEL_PROBLEM))
        elif not isinstance(version, str) or not is_version(version):
            problems.append(invalid(f"defaults.{mode}-version", version, VERSION_PROBLEM))
        else:
            chosen[mode] = LevelVersion(level, version)
    return Policy(**chosen)


def _exemptions(
    given: dict[str, Any], field: str, rule: Callable[[str], list[str]], problems: list[Cause]
) -> frozenset[str]:
    values = given.get(field) or []
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ConfigurationError(f"exemptions.{field}: expected a list of names")
    seen: set[str] = set()
    for position, value in enumerate(values):
        path = f"exemptions.{field}[{position}]"
        wrong = rule(value)
        if wrong:
            problems.append(invalid(path, value, ", ".join(wrong)))
        elif value in seen:
            problems.append(duplicate(path, value))
        seen.add(value)
    return frozenset(seen)


def _user_name(value: str) -> list[str]:
    return [] if value else ["username must not be empty"]


def _mapping(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConfigurationError(f"{what}: expected an object, found {type(value).__name__}")
    return value


def _known(given: dict[str, Any], fields: tuple[str, ...], where: str) -> None:
    for field in given:
        if field not in fields:
            raise ConfigurationError(f'unknown field "{where}{field}"')
