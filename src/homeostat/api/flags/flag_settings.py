"""Settings of the components: `--set COMPONENT.FLAG=VALUE` parsed against the catalogue, and read by type.

An unknown flag is refused with the nearest known one, a bad value with what is expected. `Settings` are immutable;
they are stored and handed to other processes as plain text (`to_dict`, `from_dict`).
"""

from __future__ import annotations

import difflib
import ipaddress
import math
import re
from collections.abc import Iterable, Mapping

from homeostat.api import durations, quantity
from homeostat.api.flags.flag import PROXY_MODES
from homeostat.api.flags.known_flags import AUTHORIZATION_MODES, CATALOGUE, COMPONENTS, Flag
from homeostat.api.podsecurity import configuration as podsecurity

__all__ = ["CATALOGUE", "COMPONENTS", "Flag", "Settings", "SettingsError", "parse_settings"]

_EXPECTED = {
    "duration": "a duration such as 50s, 1m30s or 200ms",
    "integer": "a whole number",
    "number": "a number",
    "text": "some text",
    "boolean": "true or false",
    "quantity": "a size such as 10Mi",
    "cidr": "an address range such as 10.96.0.0/16",
    "port-range": "a range of ports such as 30000-32767",
    "proxy-mode": "one of auto, nftables and iptables",
    "address-range": "a range of addresses such as 172.30.0.200-172.30.0.250",
    "modes": "a list of Node, RBAC, AlwaysAllow and AlwaysDeny, each at most once, such as Node,RBAC",
}


class SettingsError(ValueError):
    """A setting is unknown or malformed. The message says what was given and what would be right."""


class Settings:
    """What was set, over the catalogue's defaults. Equal settings compare equal."""

    __slots__ = ("_given", "_numbers")

    def __init__(self, given: Mapping[tuple[str, str], str] | None = None) -> None:
        """`given` maps (component, flag) to the text of the value. Raises SettingsError."""
        self._given = dict(given or {})
        self._numbers: dict[tuple[str, str], float] = {}
        for place, text in self._given.items():
            _check(_known(*place), text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Settings) and self._given == other._given

    def __hash__(self) -> int:
        return hash(frozenset(self._given.items()))

    def __repr__(self) -> str:
        return f"Settings({self._given})"

    def duration(self, component: str, name: str) -> float:
        """A duration, in seconds."""
        return self._number(component, name, "duration")

    def integer(self, component: str, name: str) -> int:
        """A whole number, or a quantity in whole units."""
        flag = CATALOGUE[component, name]
        return int(self._number(component, name, "quantity" if flag.type == "quantity" else "integer"))

    def number(self, component: str, name: str) -> float:
        """A number that may have a fraction."""
        return self._number(component, name, "number")

    def boolean(self, component: str, name: str) -> bool:
        """A switch."""
        return self._number(component, name, "boolean") != 0

    def text(self, component: str, name: str) -> str:
        """The value as it was written."""
        return self._given.get((component, name)) or CATALOGUE[component, name].default

    def ports(self, component: str, name: str) -> tuple[int, int]:
        """The first and the last port of a range."""
        low, _, high = self.text(component, name).partition("-")
        return int(low), int(high)

    def addresses(self, component: str, name: str) -> tuple[str, str] | None:
        """The first and the last address of a range; None when there is none."""
        return _addresses(self.text(component, name))

    def with_values(self, values: Mapping[tuple[str, str], str]) -> Settings:
        """These settings with others put over them. Raises SettingsError."""
        return Settings({**self._given, **values})

    def given(self, component: str, name: str) -> bool:
        """Whether the flag was set, even to its default."""
        return (component, name) in self._given

    def to_dict(self) -> dict[str, dict[str, str]]:
        """What was set, by component and flag."""
        stored: dict[str, dict[str, str]] = {}
        for component, name in sorted(self._given):
            stored.setdefault(component, {})[name] = self._given[component, name]
        return stored

    @staticmethod
    def from_dict(stored: Mapping[str, Mapping[str, str]]) -> Settings:
        """What `to_dict` gave. Raises SettingsError."""
        return Settings(
            {(component, name): text for component, flags in stored.items() for name, text in flags.items()}
        )

    def _number(self, component: str, name: str, wanted: str) -> float:
        place = (component, name)
        found = self._numbers.get(place)
        if found is None:
            flag = CATALOGUE[place]
            assert flag.type == wanted, f"{flag.path} is a {flag.type}, not a {wanted}"
            found = self._numbers[place] = _value(flag, self.text(component, name))
        return found


def parse_settings(assignments: Iterable[str]) -> Settings:
    """Settings from `COMPONENT.FLAG=VALUE` texts; of two for one flag the last counts. Raises SettingsError."""
    given: dict[tuple[str, str], str] = {}
    for assignment in assignments:
        path, equals, value = assignment.partition("=")
        component, dot, name = path.strip().partition(".")
        if not equals or not dot:
            raise SettingsError(f'"{assignment}": expected COMPONENT.FLAG=VALUE, such as {_EXAMPLE}')
        flag = _known(component, name.removeprefix("--"))
        given[flag.component, flag.name] = value.strip()
    return Settings(given)


_PART_LENGTH_MIN = 4
_EXAMPLE = "controller-manager.node-monitor-grace-period=8s"


def _known(component: str, name: str) -> Flag:
    flag = CATALOGUE.get((component, name))
    if flag is not None:
        return flag
    if component not in COMPONENTS:
        near = _like(component, COMPONENTS)
        text = f'unknown component "{component}"; the components are {", ".join(COMPONENTS)}'
        raise SettingsError(text + (f"; did you mean {near}.{name}?" if near else ""))
    near = _nearest(component, name)
    hint = f"did you mean {near}?" if near else "docs/reference/flags.md lists the flags"
    raise SettingsError(f'unknown flag "{name}" of {component}; {hint}')


def _nearest(component: str, name: str) -> str:
    """The path of the flag that a wrong name is most like; empty when it is like none."""
    own = [flag.name for flag in CATALOGUE.values() if flag.component == component]
    if near := _like(name, own) or (_containing(name, own) if len(name) >= _PART_LENGTH_MIN else ""):
        return f"{component}.{near}"
    return next((flag.path for flag in CATALOGUE.values() if flag.name == name), "")


def _like(word: str, words: Iterable[str]) -> str:
    return next(iter(difflib.get_close_matches(word, list(words), n=1)), "")


def _containing(part: str, words: Iterable[str]) -> str:
    return min((word for word in words if part in word), key=len, default="")


def _value(flag: Flag, text: str) -> float:
    """The value as a number (for those types that are one). Raises ValueError."""
    match flag.type:
        case "duration":
            return durations.parse(text)
        case "integer":
            if not re.fullmatch(r"[+-]?[0-9]{1,18}", text):
                raise ValueError(text)
            return int(text)
        case "number":
            number = float(text)
            if not math.isfinite(number):
                raise ValueError(text)
            return number
        case "quantity":
            return quantity.bytes_value(text)
        case "boolean":
            return {"true": 1.0, "false": 0.0}.get(text.lower(), -1.0)
        case "cidr":
            ipaddress.ip_network(text)
        case "port-range":
            _ports(text)
        case "proxy-mode":
            if text not in PROXY_MODES:
                raise ValueError(text)
        case "address-range":
            _addresses(text)
        case "modes":
            _modes(text)
        case "admission-configuration":
            podsecurity.from_json(text)
    return 0.0


def _modes(text: str) -> None:
    names = [name.strip() for name in text.split(",")]
    if not AUTHORIZATION_MODES.issuperset(names) or len(set(names)) < len(names):
        raise ValueError(text)


def _ports(text: str) -> None:
    found = re.fullmatch(r"([0-9]{1,5})-([0-9]{1,5})", text)
    if found is None or not 0 < int(found[1]) <= int(found[2]) < 65536:
        raise ValueError(text)


def _addresses(text: str) -> tuple[str, str] | None:
    """The first and the last address; None for no text."""
    if not text:
        return None
    first, last = (ipaddress.IPv4Address(part) for part in text.split("-"))
    if first > last:
        raise ValueError(text)
    return str(first), str(last)


def _check(flag: Flag, text: str) -> None:
    try:
        value = _value(flag, text)
    except podsecurity.ConfigurationError as problem:
        raise SettingsError(f"{flag.path}: {problem}") from problem
    except ValueError as problem:
        raise SettingsError(f'{flag.path}: "{text}" is not {_EXPECTED[flag.type]}') from problem
    if flag.type == "boolean" and value < 0:
        raise SettingsError(f'{flag.path}: "{text}" is not {_EXPECTED[flag.type]}')
    if flag.type in ("duration", "integer", "number", "quantity") and value < flag.least:
        unit = "s" if flag.type == "duration" else ""
        raise SettingsError(f'{flag.path}: "{text}" is too small: the least is {flag.least:g}{unit}')
