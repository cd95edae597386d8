"""YAML bodies as the JSON that they mean: YAML 1.1 as kubectl reads it, keys as text, times as text.

Aliases may repeat a part but not without bound, and not contain themselves: a few kilobytes of YAML must not become
gigabytes of objects.
"""

from __future__ import annotations

from typing import Any

import yaml

from homeostat.api import errors

_TIMESTAMP = "tag:yaml.org,2002:timestamp"
_NODES_MAX = 1_000_000

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Base):  # type: ignore[misc]
    """The safe loader, which leaves what looks like a time alone."""

    yaml_implicit_resolvers = {  # noqa: RUF012 (PyYAML's own way to choose resolvers)
        first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
        for first, resolvers in _Base.yaml_implicit_resolvers.items()
    }


def load(body: bytes) -> Any:
    """The JSON value of one YAML document. Raises 400."""
    try:
        return _Plain().of(yaml.load(body, Loader=_Loader))
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise errors.bad_request(f"error converting YAML to JSON: {error}") from error


class _Plain:
    """Copies a loaded value into plain JSON types; counts what it makes."""

    def __init__(self) -> None:
        self._nodes = 0

    def of(self, value: Any) -> Any:
        """The copy. Raises ValueError for too much of it, or for what JSON cannot say."""
        self._nodes += 1
        if self._nodes > _NODES_MAX:
            raise ValueError("document contains excessive aliasing")
        if value is None or isinstance(value, str | bool | int | float):
            return value
        if isinstance(value, list):
            return [self.of(child) for child in value]
        if isinstance(value, dict):
            return {_key(key): self.of(child) for key, child in value.items()}
        raise ValueError(f"unsupported value of type {type(value).__name__}")


def _key(key: Any) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    if isinstance(key, str | int | float):
        return str(key)
    raise ValueError(f"unsupported map key of type {type(key).__name__}")
