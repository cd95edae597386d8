"""The shapes that JSON objects have in this project: plain dictionaries, and the names of their fields."""

from __future__ import annotations

from typing import Any, TypeAlias

# A Kubernetes object (or a part of one) as decoded JSON. JSON enters here, so the values are Any.
Obj: TypeAlias = dict[str, Any]
