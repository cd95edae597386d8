"""Command lines with flags as Go's pflag reads them (docker, crictl), and getopt_long close enough (systemctl).

`-abc` are three flags, `-n5`, `-n 5` and `-n=5` give a value, `--all=false` turns a switch off, `--` ends the flags.
Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from homeostat.shell.tool_error import ToolError

Values = dict[str, "bool | str | list[str]"]
_FALSE = ("false", "f", "0")
_BOOLEANS = ("true", "t", "1", *_FALSE)


class Flag(NamedTuple):
    """`kind` is `switch`, `text` or `list` (may be repeated); `default` counts for `text`."""

    name: str
    short: str = ""
    kind: str = "switch"
    default: str = ""


class Line(NamedTuple):
    """A command line that was read: the flags by name, and the words that are none."""

    values: Values
    words: list[str]

    def on(self, name: str) -> bool:
        """Whether a switch is on."""
        return self.values[name] is True

    def text(self, name: str) -> str:
        """A flag's value."""
        return str(self.values[name])

    def all(self, name: str) -> list[str]:
        """All values of a flag that may be repeated."""
        value = self.values[name]
        return value if isinstance(value, list) else []

    def given(self, name: str) -> bool:
        """Whether a flag has a value other than an empty one."""
        return bool(self.values[name])


def switches(*names: str) -> list[Flag]:
    """Switches, written `name` or `name/s` with its letter."""
    return [Flag(name, short) for name, _, short in (word.partition("/") for word in names)]


def texts(*names: str) -> list[Flag]:
    """Flags with a value, written the same way."""
    return [Flag(name, short, "text") for name, _, short in (word.partition("/") for word in names)]


def parse(argv: Sequence[str], flags: Iterable[Flag], *, to_first_word: bool = False) -> Line:
    """Read a command line; `to_first_word` leaves all that follows the first word alone, as `docker exec` does.

    Raises ToolError with pflag's text.
    """
    known = list(flags)
    values: Values = {flag.name: _start(flag) for flag in known}
    words: list[str] = []
    rest = iter(argv)
    for word in rest:
        if word == "--":
            words += rest
        elif word.startswith("--"):
            _long(word, known, values, rest)
        elif word.startswith("-") and word != "-":
            _letters(word, known, values, rest)
        else:
            words.append(word)
            if to_first_word:
                words += rest
    return Line(values, words)


def _start(flag: Flag) -> bool | str | list[str]:
    if flag.kind == "switch":
        return False
    return [] if flag.kind == "list" else flag.default


def _long(word: str, known: list[Flag], values: Values, rest: Iterator[str]) -> None:
    name, equals, value = word[2:].partition("=")
    flag = next((flag for flag in known if flag.name == name), None)
    if flag is None:
        raise ToolError(f"unknown flag: --{name}", 125)
    if not equals:
        if flag.kind == "switch":
            values[name] = True
            return
        value = _next(rest, f"flag needs an argument: --{name}")
    _set(flag, value, values)


def _letters(word: str, known: list[Flag], values: Values, rest: Iterator[str]) -> None:
    letters = word[1:]
    while letters:
        letter, letters = letters[0], letters[1:]
        flag = next((flag for flag in known if flag.short == letter), None)
        if flag is None:
            raise ToolError(f"unknown shorthand flag: {letter!r} in {word}", 125)
        if flag.kind == "switch" and not letters.startswith("="):
            values[flag.name] = True
            continue
        value = letters.removeprefix("=") if letters else _next(rest, f"flag needs an argument: {letter!r} in {word}")
        _set(flag, value, values)
        return


def _next(rest: Iterator[str], complaint: str) -> str:
    value = next(rest, None)
    if value is None:
        raise ToolError(complaint, 125)
    return value


def _set(flag: Flag, value: str, values: Values) -> None:
    if flag.kind == "switch":
        if value.lower() not in _BOOLEANS:
            raise ToolError(f'invalid argument "{value}" for "--{flag.name}" flag: it is true or false', 125)
        values[flag.name] = value.lower() not in _FALSE
    elif flag.kind == "list":
        held = values[flag.name]
        assert isinstance(held, list)
        held.append(value)
    else:
        values[flag.name] = value
