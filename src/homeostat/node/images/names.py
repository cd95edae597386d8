"""Image names, as the distribution project's reference grammar has them. Pure."""

from __future__ import annotations

import re

_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN = rf"{_LABEL}(?:\.{_LABEL})*(?::[0-9]+)?"
_TAG = r"(?::(?P<tag>\w[\w.-]{0,127}))?"
_DIGEST = r"(?:@(?P<digest>[A-Za-z][\w+.-]*:[0-9a-fA-F]{32,}))?"
_REFERENCE = re.compile(rf"(?:{_DOMAIN}/)?{_PART}(?:/{_PART})*{_TAG}{_DIGEST}", re.ASCII)


def is_reference(image: str) -> bool:
    """Whether the text names an image."""
    return _REFERENCE.fullmatch(image) is not None


def with_tag(image: str) -> str:
    """The name with the tag `latest` where it has neither tag nor digest."""
    found = _REFERENCE.fullmatch(image)
    if found is None or found["tag"] or found["digest"]:
        return image
    return f"{image}:latest"
