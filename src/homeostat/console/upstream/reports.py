"""What is reported of the API servers: who answers, a failover, an outage. Pure; times are seconds since the epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Answering:
    """This API server answers from now on: the first one, or the first after an outage."""

    name: str
    at: float


@dataclass(frozen=True, slots=True)
class Failover:
    """Another API server answers. `gap_seconds` is from the last answer of the old one to the first of the new one."""

    old: str
    new: str
    gap_seconds: float
    at: float


@dataclass(frozen=True, slots=True)
class Outage:
    """No API server answers, since the last one did."""

    since: float


Report: TypeAlias = Answering | Failover | Outage
