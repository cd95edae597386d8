"""Go templates as `--format` has them: evaluation and the functions that docker gives them. Pure.

Values are those of JSON, and `Row`s, whose fields are computed when they are asked for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from homeostat.shell.docker.go_template_parse import (
    Action,
    Block,
    Field,
    Function,
    Literal,
    Node,
    Pipe,
    Text,
    Variable,
    parse,
)
from homeostat.shell.tool_error import ToolError

Value = Any  # what JSON holds, or a Row


class Row:
    """One line of a listing: fields by name, computed when asked for; a field that takes arguments is a function of
    them. `kind` names the Go type for errors."""

    def __init__(self, fields: Mapping[str, Callable[..., Value]], *, kind: str) -> None:
        self.fields = fields
        self.kind = kind

    def plain(self) -> dict[str, Value]:
        """All fields that take no argument, as `{{json .}}` prints them."""
        return {name: field() for name, field in sorted(self.fields.items()) if name != "Label"}


class Template:
    """A template that was read; `render` prints a value with it. Raises ToolError."""

    def __init__(self, text: str, functions: Mapping[str, Callable[..., Value]] | None = None) -> None:
        self._nodes = parse(text)
        self._functions = FUNCTIONS if functions is None else functions
        _check(self._nodes, self._functions)

    def render(self, value: Value) -> str:
        """The text for `value`, the dot."""
        return "".join(_run(self._nodes, _Scope(value, {"$": value}, self._functions)))


class _Scope(NamedTuple):
    dot: Value
    variables: dict[str, Value]
    functions: Mapping[str, Callable[..., Value]]

    def inner(self, dot: Value, **_: Value) -> _Scope:
        return _Scope(dot, dict(self.variables), self.functions)


def _run(nodes: Sequence[Node], scope: _Scope) -> list[str]:
    out: list[str] = []
    for node in nodes:
        if isinstance(node, Text):
            out.append(node.text)
        elif isinstance(node, Action):
            value = _pipe(node.pipe, scope)
            out.append("" if node.pipe.variables else show(value))
        else:
            out += _block(node, scope)
    return out


def _block(block: Block, scope: _Scope) -> list[str]:
    names = block.pipe.variables
    value = _pipe(block.pipe._replace(variables=()), scope)
    if block.kind != "range":
        inner = scope.inner(value if block.kind == "with" and true(value) else scope.dot)
        inner.variables.update(dict.fromkeys(names, value))
        return _run(block.body if true(value) else block.otherwise, inner)
    pairs = sorted(value.items()) if isinstance(value, Mapping) else list(enumerate(value or ()))
    out: list[str] = []
    for key, item in pairs:
        inner = scope.inner(item)
        inner.variables.update(zip(names, (key, item) if len(names) == 2 else (item,), strict=False))
        out += _run(block.body, inner)
    return out if pairs else _run(block.otherwise, scope)


def _pipe(pipe: Pipe, scope: _Scope) -> Value:
    value: Value = None
    for place, command in enumerate(pipe.commands):
        value = _command(command, scope, [value] if place else [])
    for name in pipe.variables:
        scope.variables[name] = value
    return value


def _command(command: tuple[Any, ...], scope: _Scope, last: list[Value]) -> Value:
    head, rest = command[0], command[1:]
    if isinstance(head, Function):
        arguments = [_operand(operand, scope) for operand in rest] + last
        try:
            return scope.functions[head.name](*arguments)
        except (TypeError, ValueError, IndexError, KeyError, AttributeError) as error:
            raise _failed(head.name, f"error calling {head.name}: {error}") from error
    if isinstance(head, Field) and (rest or last):
        return _field(head, scope, [_operand(operand, scope) for operand in rest] + last)
    if rest or last:
        raise _failed(_written(head), f"can't give argument to non-function {_written(head)}")
    return _operand(head, scope)


def _operand(operand: Any, scope: _Scope) -> Value:
    if isinstance(operand, Literal):
        return operand.value
    if isinstance(operand, Variable):
        if operand.name not in scope.variables:
            raise ToolError(f'template parsing error: template: :1: undefined variable "{operand.name}"', 64)
        return scope.variables[operand.name]
    if isinstance(operand, Pipe):
        return _pipe(operand, scope)
    if isinstance(operand, Function):
        return _command((operand,), scope, [])
    return _field(operand, scope, [])


def _field(field: Field, scope: _Scope, arguments: list[Value]) -> Value:
    value = scope.dot if field.base is None else _operand(field.base, scope)
    for place, name in enumerate(field.names):
        given = arguments if place == len(field.names) - 1 else []
        if isinstance(value, Row):
            if name not in value.fields:
                raise _failed(_written(field), f"can't evaluate field {name} in type *formatter.{value.kind}")
            try:
                value = value.fields[name](*given)
            except TypeError:
                raise _failed(_written(field), f"wrong number of args for {name}: got {len(given)}") from None
        elif isinstance(value, Mapping):
            if name not in value:
                raise _failed(_written(field), f'map has no entry for key "{name}"')
            value = value[name]
        elif value is None:
            raise _failed(_written(field), f"nil pointer evaluating interface {{}}.{name}")
        else:
            raise _failed(_written(field), f"can't evaluate field {name} in type {_go_type(value)}")
    return value


def _written(operand: Any) -> str:
    if isinstance(operand, Field):
        base = "" if operand.base is None else _written(operand.base)
        return base + ("".join(f".{name}" for name in operand.names) or ".")
    return operand.name if isinstance(operand, Variable | Function) else show(getattr(operand, "value", operand))


def _failed(where: str, why: str) -> ToolError:
    return ToolError(f'failed to execute template: template: :1: executing "" at <{where}>: {why}', 1)


def _check(nodes: Sequence[Node], functions: Mapping[str, object]) -> None:
    """Every function that is named exists. Raises ToolError."""

    def walk(operand: Any) -> None:
        if isinstance(operand, Function) and operand.name not in functions:
            raise ToolError(f'template parsing error: template: :1: function "{operand.name}" not defined', 64)
        if isinstance(operand, Field) and operand.base is not None:
            walk(operand.base)
        for command in operand.commands if isinstance(operand, Pipe) else ():
            for part in command:
                walk(part)

    for node in nodes:
        if isinstance(node, Action | Block):
            walk(node.pipe)
        if isinstance(node, Block):
            _check((*node.body, *node.otherwise), functions)


def true(value: Value) -> bool:
    """Go's truth of templates: what is not empty."""
    return True if isinstance(value, Row) else bool(value)


def show(value: Value) -> str:
    """As Go's `fmt` prints a value."""
    if value is None:
        return "<no value>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Row):
        return "{" + " ".join(show(field) for field in value.plain().values()) + "}"
    if isinstance(value, Mapping):
        return "map[" + " ".join(f"{key}:{show(item)}" for key, item in sorted(value.items())) + "]"
    if isinstance(value, list | tuple):
        return "[" + " ".join(show(item) for item in value) + "]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _go_type(value: Value) -> str:
    return {bool: "bool", int: "int", float: "float64", str: "string"}.get(type(value), "[]interface {}")


def to_json(value: Value) -> str:
    """Compact JSON, as Go's encoder writes it without escaping HTML."""
    return json.dumps(value.plain() if isinstance(value, Row) else value, separators=(",", ":"), ensure_ascii=False)


def _index(value: Value, *keys: Value) -> Value:
    for key in keys:
        value = value.get(key, "") if isinstance(value, Mapping) else value[key]
    return value


def _slice(value: Value, start: int = 0, end: int | None = None) -> Value:
    return value[start:end]


def _go_format(text: str, *values: Value) -> str:
    """Go's printf for the verbs that make sense here: %s %v %q %d %t %f %g %x, with width and precision."""
    import re

    left = list(values)

    def verb(found: re.Match[str]) -> str:
        flags, kind = found[1], found[2]
        if kind == "%":
            return "%"
        if not left:
            return f"%!{kind}(MISSING)"
        value = left.pop(0)
        if kind == "q":
            return f"%{flags}s" % to_json(show(value))
        return f"%{flags}s" % show(value) if kind in "svt" else f"%{flags}{kind}" % value

    return re.sub(r"%([-+0 ]*\d*(?:\.\d+)?)([svqtdfgx%])", verb, text)


def _print(*values: Value) -> str:
    """Go's Sprint: a space between two values when neither is a text."""
    out = ""
    for place, value in enumerate(values):
        apart = place and not isinstance(value, str) and not isinstance(values[place - 1], str)
        out += (" " if apart else "") + show(value)
    return out


def _all(first: Value, *rest: Value) -> Value:
    return next((value for value in (first, *rest) if not true(value)), (first, *rest)[-1])


def _any(first: Value, *rest: Value) -> Value:
    return next((value for value in (first, *rest) if true(value)), (first, *rest)[-1])


FUNCTIONS: dict[str, Callable[..., Value]] = {
    "json": to_json,
    "upper": lambda text: str(text).upper(),
    "lower": lambda text: str(text).lower(),
    "title": lambda text: str(text).title(),
    "split": lambda text, mark: text.split(mark),
    "join": lambda parts, mark: mark.join(show(part) for part in parts),
    "pad": lambda text, before, after: " " * before + text + " " * after if text else text,
    "truncate": lambda text, size: text[:size],
    "println": lambda *values: " ".join(map(show, values)) + "\n",
    "print": _print,
    "printf": _go_format,
    "len": len,
    "index": _index,
    "slice": _slice,
    "eq": lambda value, *others: any(value == other for other in others),
    "ne": lambda one, other: one != other,
    "lt": lambda one, other: one < other,
    "le": lambda one, other: one <= other,
    "gt": lambda one, other: one > other,
    "ge": lambda one, other: one >= other,
    "and": _all,
    "or": _any,
    "not": lambda value: not true(value),
}
# For the line of headings every function leaves the heading as it is (docker: HeaderFunctions).
HEADING_FUNCTIONS: dict[str, Callable[..., Value]] = FUNCTIONS | dict.fromkeys(
    ("json", "upper", "lower", "title", "split", "join", "pad", "truncate", "println"), lambda value, *_: value
)
