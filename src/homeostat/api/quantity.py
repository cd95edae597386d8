"""resource.Quantity: exact amounts such as `100m`, `1.5Gi`, `12e6`.

An amount is a whole number of nanos (10^-9), the finest that Kubernetes keeps; finer input is rounded away from zero.
The canonical form has no fraction and the largest suffix that keeps it exact, in the notation it was written in.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

NANO = 1_000_000_000
DECIMAL = "DecimalSI"
BINARY = "BinarySI"
EXPONENT = "DecimalExponent"

_quantity = re.compile(r"([+-]?)(\d+\.?\d*|\.\d+)([eEinumkKMGTP]*[-+]?\d*)", re.ASCII)
_DECIMAL_POWERS = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_DECIMAL_SUFFIXES = {power: suffix for suffix, power in _DECIMAL_POWERS.items()}
_BINARY_POWERS = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_BINARY_SUFFIXES = {power: suffix for suffix, power in _BINARY_POWERS.items()} | {0: ""}

BAD_FORMAT = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
BAD_SUFFIX = "unable to parse quantity's suffix"
# No real exponent is near this; larger ones would only cost memory.
_EXPONENT_MAX = 64
_TEXT_MAX = 256


class QuantityError(ValueError):
    """The text is not a quantity."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """An amount in nanos, and the notation to print it in."""

    nanos: int
    notation: str = DECIMAL

    def __str__(self) -> str:
        return _format(self.nanos, self.notation)

    def __add__(self, other: Quantity) -> Quantity:
        """The sum, in the notation of the first that is not zero."""
        return Quantity(self.nanos + other.nanos, self.notation if self.nanos else other.notation)

    def __sub__(self, other: Quantity) -> Quantity:
        return Quantity(self.nanos - other.nanos, self.notation if self.nanos else other.notation)

    def __lt__(self, other: Quantity) -> bool:
        return self.nanos < other.nanos

    def __le__(self, other: Quantity) -> bool:
        return self.nanos <= other.nanos

    @property
    def value(self) -> int:
        """Whole units, rounded up (away from zero)."""
        return _up(self.nanos, NANO)

    @property
    def milli(self) -> int:
        """Thousandths, rounded up."""
        return _up(self.nanos, NANO // 1000)


def _up(number: int, divisor: int) -> int:
    """`number / divisor`, rounded away from zero."""
    return -(-number // divisor) if number >= 0 else number // divisor


@lru_cache(maxsize=4096)
def parse(text: str) -> Quantity:
    """The quantity that `text` writes. Raises QuantityError."""
    found = _quantity.fullmatch(text.strip()) if len(text) <= _TEXT_MAX else None
    if found is None:
        raise QuantityError(BAD_FORMAT)
    sign, digits, suffix = found.groups()
    whole, _, fraction = digits.partition(".")
    number = int((whole or "0") + fraction)
    power_ten, power_two, notation = _powers(suffix)
    power_ten += 9 - len(fraction)
    number <<= power_two
    nanos = number * 10**power_ten if power_ten >= 0 else _up(number, 10**-power_ten)
    return Quantity(-nanos if sign == "-" else nanos, notation)


def _powers(suffix: str) -> tuple[int, int, str]:
    """The powers of ten and of two that a suffix means, and its notation."""
    if suffix in _DECIMAL_POWERS:
        return _DECIMAL_POWERS[suffix], 0, DECIMAL
    if suffix in _BINARY_POWERS:
        return 0, _BINARY_POWERS[suffix], BINARY
    if suffix[0] in "eE" and re.fullmatch(r"[-+]?[0-9]{1,3}", suffix[1:]) and abs(int(suffix[1:])) <= _EXPONENT_MAX:
        return int(suffix[1:]), 0, EXPONENT
    raise QuantityError(BAD_SUFFIX)


def of(value: str | int | float) -> Quantity:
    """The quantity in a JSON value: text, or a number as YAML writers leave it. Raises QuantityError."""
    if isinstance(value, str):
        return parse(value)
    if isinstance(value, bool):
        raise QuantityError(BAD_FORMAT)
    return parse(str(value) if isinstance(value, int) else f"{value:.9f}".rstrip("0").rstrip("."))


@lru_cache(maxsize=4096)
def canonical(text: str) -> str:
    """The canonical form of `text`, as the API server returns it. Raises QuantityError."""
    return str(parse(text))


def _format(nanos: int, notation: str) -> str:
    if nanos == 0:
        return "0"
    whole, rest = divmod(abs(nanos), NANO)
    sign = "-" if nanos < 0 else ""
    if notation == BINARY and rest == 0 and whole >= 1024:
        power = 0
        while power < 60 and whole % 1024 == 0:
            whole, power = whole // 1024, power + 10
        return f"{sign}{whole}{_BINARY_SUFFIXES[power]}"
    number, power = abs(nanos), -9
    while power < 18 and number % 1000 == 0:
        number, power = number // 1000, power + 3
    if notation == EXPONENT:
        return f"{sign}{number}e{power}" if power else f"{sign}{number}"
    return f"{sign}{number}{_DECIMAL_SUFFIXES[power]}"


def cpu_milli(value: str | int | float) -> int:
    """Thousandths of a CPU, rounded up. Raises QuantityError."""
    return of(value).milli


def bytes_value(value: str | int | float) -> int:
    """Whole units (bytes, Pods), rounded up. Raises QuantityError."""
    return of(value).value


def from_milli(milli: int) -> str:
    """The canonical text of so many thousandths."""
    return _format(milli * (NANO // 1000), DECIMAL)


def from_bytes(count: int) -> str:
    """The canonical text of so many bytes, in binary notation."""
    return _format(count * NANO, BINARY)
