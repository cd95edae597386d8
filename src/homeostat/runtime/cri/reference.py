"""Whether a text can name an image: the grammar of references that registries and engines share (the `distribution`
project's `reference` package), with its words for what is wrong. Engines are not asked, for they differ in how they
say so, and containerd takes a bad name for an image that is not there. Pure."""

from __future__ import annotations

import re

_NAME_CHARACTERS_MAX = 255
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?")
_PATH = re.compile(rf"{_PART}(?:/{_PART})*")
_TAG = re.compile(r"[\w][\w.-]{0,127}", re.ASCII)
_DIGEST = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}")
_IDENTIFIER = re.compile(r"[a-f0-9]{64}")
INVALID = "invalid reference format"


def wrong_with(image: str) -> str:
    """What makes `image` no reference; empty when it is one."""
    if _IDENTIFIER.fullmatch(image):
        return f"invalid repository name ({image}), cannot specify 64-byte hexadecimal strings"
    name, at, digest = image.partition("@")
    if at and not _DIGEST.fullmatch(digest):
        return INVALID
    name, tag = _split_tag(name)
    if tag is not None and not _TAG.fullmatch(tag):
        return INVALID
    domain, path = _split_domain(name)
    if domain and not _DOMAIN.fullmatch(domain):
        return INVALID
    if path.lower() != path:
        return f"{INVALID}: repository name ({path}) must be lowercase"
    if not _PATH.fullmatch(path):
        return INVALID
    if len(name) > _NAME_CHARACTERS_MAX:
        return f"repository name must not be more than {_NAME_CHARACTERS_MAX} characters"
    return ""


def _split_tag(name: str) -> tuple[str, str | None]:
    """A colon behind the last slash begins a tag; one before it is a port's."""
    slash, colon = name.rfind("/"), name.rfind(":")
    return (name[:colon], name[colon + 1 :]) if colon > slash else (name, None)


def _split_domain(name: str) -> tuple[str, str]:
    """The first part is a registry's domain when it cannot be a part of a path; else Docker Hub is meant."""
    first, slash, rest = name.partition("/")
    if slash and (first == "localhost" or "." in first or ":" in first or first.lower() != first):
        return first, rest
    return "", name if slash else f"library/{name}"
