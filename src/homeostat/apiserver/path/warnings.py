"""What an answer warns of, as its Warning header (RFC 7234), bounded as kube-apiserver bounds it.

Warnings quote what a client sent. One with control characters is left out: it could write headers of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

# Of all texts together; when there is more, each of them is cut to the second bound.
_CHARACTERS_MAX = 4096
_CUT_CHARACTERS = 256
_CONTROL = frozenset(map(chr, (*range(0x20), *range(0x7F, 0xA0))))


def headers(texts: Sequence[str]) -> dict[str, str]:
    """The header, several warnings in one value; none for no warnings."""
    shown = [text for text in dict.fromkeys(texts) if text and _CONTROL.isdisjoint(text)]
    if sum(map(len, shown)) > _CHARACTERS_MAX:
        shown = _cut(shown)
    if not shown:
        return {}
    quoted = (text.replace("\\", "\\\\").replace('"', '\\"') for text in shown)
    return {"warning": ", ".join(f'299 - "{text}"' for text in quoted)}


def _cut(texts: list[str]) -> list[str]:
    """Shortened ones, up to the bound."""
    kept: list[str] = []
    left = _CHARACTERS_MAX
    for text in texts:
        if left <= 0:
            break
        kept.append(text[:_CUT_CHARACTERS])
        left -= len(kept[-1])
    return kept
