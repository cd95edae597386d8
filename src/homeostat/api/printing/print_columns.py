"""What the printers of all kinds share: columns, ages in kubectl's words, and how lists are cut short.

Times are seconds since the epoch; `now` is an argument. Source: kube-apiserver's printers (internalversion) and
apimachinery's `duration.HumanDuration`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from homeostat.api import meta
from homeostat.api.selecting import label_selectors
from homeostat.api.types import Obj

# One row of a table: the cells of an object, in the order of its kind's columns.
Cells: TypeAlias = Callable[[Obj, float], list[Any]]

NONE = "<none>"
UNKNOWN = "<unknown>"
UNSET = "<unset>"


@dataclass(frozen=True, slots=True)
class Column:
    """One column; those of `priority` 1 are shown by `-o wide` alone."""

    name: str
    type: str = "string"
    format: str = ""
    description: str = ""
    priority: int = 0

    def definition(self) -> Obj:
        """The metav1.TableColumnDefinition."""
        return {
            "name": self.name,
            "type": self.type,
            "format": self.format,
            "description": self.description,
            "priority": self.priority,
        }


@dataclass(frozen=True, slots=True)
class Printer:
    """How a kind is printed. `cells` gives as many cells as there are columns; `conditions` the conditions of a row, as
    of Pods that have ended."""

    columns: tuple[Column, ...]
    cells: Cells
    conditions: Callable[[Obj], list[Obj]] | None = None


NAME = Column("Name", format="name", description="The name, unique among objects of its kind in a namespace.")
AGE = Column("Age", description="The time since the object was made.")
CONTAINERS = Column("Containers", description="The names of the template's containers.", priority=1)
IMAGES = Column("Images", description="The images of the template's containers.", priority=1)
SELECTOR = Column("Selector", description="The labels by which it selects Pods.", priority=1)


def text(name: str, description: str = "") -> Column:
    """A column of text."""
    return Column(name, description=description)


def number(name: str, description: str = "") -> Column:
    """A column of integers."""
    return Column(name, "integer", description=description)


def flag(name: str, description: str = "") -> Column:
    """A column of booleans."""
    return Column(name, "boolean", description=description)


def wide(name: str, description: str = "") -> Column:
    """A column of text that only `-o wide` shows."""
    return Column(name, description=description, priority=1)


def human_duration(seconds: float) -> str:
    """`90s`, `5m30s`, `3h`, `2d4h`, `400d`, `3y40d`: about two digits' worth."""
    total = int(seconds)
    if total < 0:
        return "0s" if total >= -1 else "<invalid>"
    minutes, hours, days = total // 60, total // 3600, total // 86400
    if total < 120:
        return f"{total}s"
    if minutes < 10:
        return _pair(minutes, "m", total % 60, "s")
    if hours < 3:
        return f"{minutes}m"
    if hours < 8:
        return _pair(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return _pair(days, "d", hours % 24, "h")
    if days < 2 * 365:
        return f"{days}d"
    if days < 8 * 365:
        return _pair(days // 365, "y", days % 365, "d")
    return f"{days // 365}y"


def _pair(big: int, unit: str, small: int, small_unit: str) -> str:
    return f"{big}{unit}{small}{small_unit}" if small else f"{big}{unit}"


def since(when: str | None, now: float) -> str:
    """The time since a timestamp; `<unknown>` without one."""
    return human_duration(now - meta.time_of(when)) if when else UNKNOWN


def age(obj: Obj, now: float) -> str:
    """The time since the object was made."""
    return since((obj.get("metadata") or {}).get("creationTimestamp"), now)


def spec(obj: Obj) -> Obj:
    """The spec; an empty one where there is none."""
    return obj.get("spec") or {}


def status(obj: Obj) -> Obj:
    """The status; an empty one where there is none."""
    return obj.get("status") or {}


def template_containers(template: Obj | None) -> list[Any]:
    """The two cells of a pod template: its containers' names and their images."""
    containers = spec(template or {}).get("containers") or []
    names = ",".join(container.get("name") or "" for container in containers)
    return [names, ",".join(container.get("image") or "" for container in containers)]


def labels_text(labels: dict[str, str] | None) -> str:
    """`a=b,c=d`, or `<none>`."""
    return ",".join(f"{name}={value}" for name, value in sorted((labels or {}).items())) or NONE


def selector_text(selector: Obj | None) -> str:
    """A LabelSelector in kubectl's notation, or `<none>`."""
    try:
        return str(label_selectors.of_label_selector(selector)) or NONE if selector else NONE
    except label_selectors.SelectorError:
        return "<error>"


def cut_short(items: Sequence[str], most: int, empty: str) -> str:
    """The first `most` items, and how many more there are."""
    if len(items) > most:
        return f"{','.join(items[:most])} + {len(items) - most} more..."
    return ",".join(items) or empty


def boolean(part: Obj, name: str) -> str:
    """`True`, `False` or `<unset>`: a boolean field in a column of text."""
    value = part.get(name)
    return UNSET if value is None else str(value)


def access_modes(modes: Iterable[str] | None) -> str:
    """`RWO,ROX`: the short names of volume access modes."""
    short = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}
    given = set(modes or ())
    return ",".join(name for mode, name in short.items() if mode in given)
