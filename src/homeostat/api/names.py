"""Rules for names: DNS labels and subdomains, qualified names, label values, ports, keys; generated names.

Each rule returns the list of what is wrong, in apimachinery's words (util/validation), empty when the name is good.
Valid names are cached, since the same few are checked again and again.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import TypeAlias

# A rule: what is wrong with a name.
Rule: TypeAlias = Callable[[str], list[str]]

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_LABEL_1035 = "[a-z]([-a-z0-9]*[a-z0-9])?"
_QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_LABEL_VALUE = f"({_QUALIFIED})?"
_CONFIG_KEY = "[-._a-zA-Z0-9]+"
_PERCENT = "[0-9]+%"
_HEADER = "[-A-Za-z0-9]+"

_label_match = re.compile(_LABEL).fullmatch
_subdomain_match = re.compile(_SUBDOMAIN).fullmatch
_wildcard_match = re.compile(rf"\*\.{_SUBDOMAIN}").fullmatch
_label_1035_match = re.compile(_LABEL_1035).fullmatch
_qualified_match = re.compile(_QUALIFIED).fullmatch
_label_value_match = re.compile(_LABEL_VALUE).fullmatch
_config_key_match = re.compile(_CONFIG_KEY).fullmatch
_percent_match = re.compile(_PERCENT).fullmatch
_header_match = re.compile(_HEADER).fullmatch

# No name may be this long; only so much of a longer text is looked at and remembered.
_CHECKED_MAX = 1024

# A generated name's prefix is cut to this, so that 5 more characters fit a label.
_GENERATED_PREFIX_MAX = 58


def _explain(message: str, pattern: str, *examples: str) -> str:
    shown = " or ".join(f"'{example}', " for example in examples)
    begin = f"{message} (e.g. {shown}" if examples else f"{message} ("
    return f"{begin}regex used for validation is '{pattern}')"


def _too_long(count_max: int) -> str:
    return f"must be no more than {count_max} bytes"


EMPTY = "must be non-empty"
_BAD_LABEL = _explain(
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
    "with an alphanumeric character",
    _LABEL,
    "my-name",
    "123-abc",
)
_BAD_SUBDOMAIN = _explain(
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    "and end with an alphanumeric character",
    _SUBDOMAIN,
    "example.com",
)
_BAD_WILDCARD = _explain(
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of "
    "lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
    rf"\*\.{_SUBDOMAIN}",
    "*.example.com",
)
_BAD_LABEL_1035 = _explain(
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
    "and end with an alphanumeric character",
    _LABEL_1035,
    "my-name",
    "abc-123",
)
_BAD_NAME_PART = _explain(
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
    _QUALIFIED,
    "MyName",
    "my.name",
    "123-abc",
)
_BAD_QUALIFIED = (
    _explain(
        "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
        "alphanumeric character",
        _QUALIFIED,
        "MyName",
        "my.name",
        "123-abc",
    )
    + " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
)
_BAD_LABEL_VALUE = _explain(
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start "
    "and end with an alphanumeric character",
    f"({_QUALIFIED})?",
    "MyValue",
    "my_value",
    "12345",
)
_BAD_CONFIG_KEY = _explain(
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
    _CONFIG_KEY,
    "key.name",
    "KEY_NAME",
    "key-name",
)
_BAD_PERCENT = _explain(
    "a valid percent string must be a numeric string followed by an ending '%'", _PERCENT, "1%", "93%"
)
_BAD_HEADER = _explain("a valid HTTP header must consist of alphanumeric characters or '-'", _HEADER, "X-Header-Name")
_BAD_ENV_NAME = "a valid environment variable name must consist only of printable ASCII characters other than '='"


@lru_cache(maxsize=8192)
def _label(value: str) -> tuple[str, ...]:
    problems = [_too_long(63)] if len(value) > 63 else []
    if not _label_match(value):
        problems.append("must not contain dots" if _subdomain_match(value) else _BAD_LABEL)
    return tuple(problems)


@lru_cache(maxsize=8192)
def _subdomain(value: str) -> tuple[str, ...]:
    problems = [_too_long(253)] if len(value) > 253 else []
    if not _subdomain_match(value):
        problems.append(_BAD_SUBDOMAIN)
    return tuple(problems)


@lru_cache(maxsize=8192)
def _qualified(value: str) -> tuple[str, ...]:
    prefix, slash, name = value.rpartition("/")
    if "/" in prefix:
        return (_BAD_QUALIFIED,)
    problems: list[str] = []
    if slash and not prefix:
        problems.append(f"prefix part {EMPTY}")
    elif slash:
        problems += [f"prefix part {problem}" for problem in _subdomain(prefix)]
    if not name:
        problems.append(f"name part {EMPTY}")
    elif len(name) > 63:
        problems.append(f"name part {_too_long(63)}")
    if not _qualified_match(name):
        problems.append(f"name part {_BAD_NAME_PART}")
    return tuple(problems)


@lru_cache(maxsize=8192)
def _value(value: str) -> tuple[str, ...]:
    problems = [_too_long(63)] if len(value) > 63 else []
    if not _label_value_match(value):
        problems.append(_BAD_LABEL_VALUE)
    return tuple(problems)


def dns1123_label(value: str) -> list[str]:
    """Lower case letters, digits and '-', at most 63."""
    return list(_label(value[:_CHECKED_MAX]))


def dns1123_subdomain(value: str) -> list[str]:
    """DNS labels joined by dots, at most 253 characters: the rule of most names."""
    return list(_subdomain(value[:_CHECKED_MAX]))


def wildcard_subdomain(value: str) -> list[str]:
    """`*.` and a subdomain: the rule of an Ingress' wildcard host."""
    problems = [_too_long(253)] if len(value) > 253 else []
    return problems if _wildcard_match(value) else [*problems, _BAD_WILDCARD]


def dns1035_label(value: str) -> list[str]:
    """A DNS label that begins with a letter: the rule of Service names."""
    problems = [_too_long(63)] if len(value) > 63 else []
    return problems if _label_1035_match(value) else [*problems, _BAD_LABEL_1035]


def qualified_name(value: str) -> list[str]:
    """A label or annotation key: an optional DNS prefix and '/', then a name of at most 63 characters."""
    return list(_qualified(value[:_CHECKED_MAX]))


def label_value(value: str) -> list[str]:
    """A label's value: empty, or like a name, at most 63 characters."""
    return list(_value(value[:_CHECKED_MAX]))


def good_label(key: str, value: str) -> bool:
    """Whether nothing is wrong with a label's key and value."""
    return len(key) + len(value) <= _CHECKED_MAX and _good_label(key, value)


@lru_cache(maxsize=8192)
def _good_label(key: str, value: str) -> bool:
    return not (_qualified(key) or _value(value))


def path_segment(value: str) -> list[str]:
    """A name that is valid in a URL path, the only rule of RBAC names (api/validation/path)."""
    if value in (".", ".."):
        return [f"may not be '{value}'"]
    return [f"may not contain '{piece}'" for piece in ("/", "%") if piece in value]


def path_segment_prefix(value: str) -> list[str]:
    """The rule of generateName where names are path segments."""
    return [f"may not contain '{piece}'" for piece in ("/", "%") if piece in value]


@lru_cache(maxsize=1024)
def _port(value: str) -> tuple[str, ...]:
    problems = [_too_long(15)] if len(value) > 15 else []
    if not re.fullmatch("[-a-z0-9]+", value):
        problems.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search("[a-z]", value):
        problems.append("must contain at least one letter (a-z)")
    if "--" in value:
        problems.append("must not contain consecutive hyphens")
    if value.startswith("-") or value.endswith("-"):
        problems.append("must not begin or end with a hyphen")
    return tuple(problems)


def port_name(value: str) -> list[str]:
    """An IANA service name: at most 15 of lower case letters, digits and single inner hyphens, one letter at least."""
    return list(_port(value[:_CHECKED_MAX]))


def port_number(value: int) -> list[str]:
    """A port from 1 to 65535."""
    return [] if 1 <= value <= 65535 else ["must be between 1 and 65535, inclusive"]


def env_name(value: str) -> list[str]:
    """An environment variable's name: printable ASCII without '='."""
    if not value:
        return [f"environment variable name {EMPTY}"]
    return [] if all(" " <= char <= "~" and char != "=" for char in value) else [_BAD_ENV_NAME]


def config_key(value: str) -> list[str]:
    """A key of a ConfigMap or Secret: a file name without a path."""
    problems = [_too_long(253)] if len(value) > 253 else []
    if not _config_key_match(value):
        problems.append(_BAD_CONFIG_KEY)
    if value in (".", ".."):
        problems.append(f"must not be '{value}'")
    elif value.startswith(".."):
        problems.append("must not start with '..'")
    return problems


def percent(value: str) -> list[str]:
    """Digits and '%'."""
    return [] if _percent_match(value) else [_BAD_PERCENT]


def http_header(value: str) -> list[str]:
    """An HTTP header's name."""
    return [] if _header_match(value) else [_BAD_HEADER]


def for_prefix(rule: Rule) -> Rule:
    """The rule of generateName for names that follow `rule`: a trailing hyphen is allowed."""
    if rule is path_segment:
        return path_segment_prefix

    def check(value: str) -> list[str]:
        return rule(value[:-1] + "a" if value.endswith("-") and len(value) > 1 else value)

    return check


def generated(prefix: str, suffix: str) -> str:
    """The name that generateName `prefix` gives with a random `suffix` (names.SimpleNameGenerator)."""
    return prefix[:_GENERATED_PREFIX_MAX] + suffix
