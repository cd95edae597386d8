"""Who wrote a version of an object, as its managed fields tell it: for clusters that record no causes. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from homeostat.api import meta
from homeostat.api.types import Obj


@dataclass(frozen=True, slots=True)
class Writer:
    """The field manager that wrote last, how, to which subresource (empty: the object itself), and when (seconds since
    the epoch, 0: not known)."""

    manager: str
    operation: str
    subresource: str
    at: float


def newest_writer(obj: Obj) -> Writer | None:
    """Who wrote last. None where nobody is named: managed fields are optional, and some writers leave none."""
    found: Writer | None = None
    for entry in meta.metadata(obj).get("managedFields") or ():
        at = meta.time_of(entry.get("time"))
        if found is None or at >= found.at:
            subresource = str(entry.get("subresource") or "")
            found = Writer(str(entry.get("manager") or ""), str(entry.get("operation") or ""), subresource, at)
    return found


def inferred_entry(
    *, kind: str, name: str, namespace: str, revision: int, verb: str, writer: Writer | None, summary: str, now: float
) -> Obj:
    """An entry as the journal of causes has them, from what a watch brought: who wrote is likely, why is not known."""
    likely = verb != "DELETED" and writer is not None and writer.at and now - writer.at < 60.0
    loop = writer.manager if writer is not None and likely else ""
    cause = {"loop": loop, "key": f"{namespace}/{name}" if namespace else name, "inferred": True} if loop else None
    return {
        "revision": revision,
        "time": now,
        "kind": kind,
        "namespace": namespace,
        "name": name,
        "verb": verb,
        "user": None,
        "cause": cause,
        "summary": summary,
    }
