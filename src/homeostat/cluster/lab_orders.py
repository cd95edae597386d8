"""An order to one of a lab's processes: data, and a line such as `{"do": "cut", "node": "worker-1", "seconds": 60}`.

- The supervisor takes `status`, `down`, `stop-node` (`power`), `start-node`, `add-node`, `remove-node`, `heal` and
  `cut` (`seconds`);
- the network process `status`, `cut` (`seconds`) and `heal`;
- the process that runs all containers `launch` (`dir`) and `end` (`node`, `power`);
- a node's init `units`, `poweroff` and `reboot`, and of a `unit` `start`, `stop`, `restart`, `enable`, `disable` and
  `kill` (`signal`).

The answer is a JSON object in one line; with a field `error` when the order was not carried out. Pure.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields

_VERB = "do"


class BadOrder(ValueError):
    """A line that is no order; the text says why."""


@dataclass(frozen=True, slots=True)
class Order:
    """One order. A field that its verb does not use has its default and is not sent."""

    verb: str
    node: str = ""
    seconds: float = 0.0
    power: bool = False  # as if the node lost its power: nothing ends in good order
    dir: str = ""  # the folder of a container
    unit: str = ""
    signal: int = 0  # 0: SIGTERM

    def line(self) -> bytes:
        """The order as it is sent."""
        sent = {each.name: getattr(self, each.name) for each in fields(self)[1:]}
        return json.dumps({_VERB: self.verb, **{name: value for name, value in sent.items() if value}}).encode() + b"\n"


_KINDS = {each.name: type(each.default) for each in fields(Order)[1:]}


def read_order(line: bytes) -> Order:
    """The order in a line; fields that orders do not have are ignored. Raises BadOrder."""
    try:
        read = json.loads(line)
    except ValueError as error:
        raise BadOrder("an order is a JSON object in one line") from error
    if not isinstance(read, dict) or not isinstance(verb := read.get(_VERB), str):
        raise BadOrder(f"an order is a JSON object with a field `{_VERB}`")
    found = {name: read[name] for name in _KINDS if name in read}
    for name, value in found.items():
        # Whole numbers are numbers; true and false are none.
        good = (int, float) if _KINDS[name] is float else (_KINDS[name],)
        if type(value) not in good:
            raise BadOrder(
                f"an order is a JSON object whose field `{name}` is a {_KINDS[name].__name__}, not {value!r}"
            )
    return Order(verb, **found)
