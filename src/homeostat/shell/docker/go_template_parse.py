"""Go templates as `--format` has them: from the text to a tree. Pure.

Text, `{{...}}` with pipelines, fields, variables, literals, parentheses, trim marks and comments, and the blocks `if`
(with `else if`), `range` (with `else`, `break` is refused) and `with`. What is not here is refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from homeostat.shell.tool_error import ToolError

_ACTION = re.compile(r"\{\{(-\s)?((?:[^\"`}]|\"(?:\\.|[^\"\\])*\"|`[^`]*`|\}(?!\}))*?)(\s-)?\}\}", re.DOTALL)
_TOKEN = re.compile(
    r"""\s*(?:(?P<text>"(?:\\.|[^"\\])*"|`[^`]*`)|(?P<char>'(?:\\.|[^'\\])')|(?P<number>[-+]?\d+(?:\.\d+)?)
    |(?P<assign>:?=)|(?P<mark>[()|,])|(?P<field>(?:\.[A-Za-z_]\w*)+)|(?P<dot>\.)
    |(?P<variable>\$\w*)|(?P<word>[A-Za-z_]\w*))""",
    re.VERBOSE,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "'": "'", "\\": "\\", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_REFUSED = ("template", "define", "block", "break", "continue")


class Field(NamedTuple):
    """`.A.B` after `base`, or after the dot where there is none."""

    names: tuple[str, ...]
    base: Operand | None = None


class Variable(NamedTuple):
    """`$name`."""

    name: str


class Literal(NamedTuple):
    """A constant."""

    value: str | int | float | bool | None


class Function(NamedTuple):
    """A function's name."""

    name: str


class Pipe(NamedTuple):
    """Commands joined by `|`, each a list of operands; the value may be given to `variables`."""

    commands: tuple[tuple[Operand, ...], ...]
    variables: tuple[str, ...] = ()


Operand = Field | Variable | Literal | Function | Pipe


class Text(NamedTuple):
    """What is printed literally."""

    text: str


class Action(NamedTuple):
    """What is evaluated and printed, unless it sets a variable. `source` is what was written, for errors."""

    pipe: Pipe
    source: str


class Block(NamedTuple):
    """`if`, `range` or `with`."""

    kind: str
    pipe: Pipe
    body: tuple[Node, ...]
    otherwise: tuple[Node, ...]
    source: str


Node = Text | Action | Block


def bad(why: str) -> ToolError:
    """A template that cannot be read, as docker says it."""
    return ToolError(f"template parsing error: template: :1: {why}", 64)


def parse(text: str) -> tuple[Node, ...]:
    """The tree of a template. Raises ToolError."""
    pieces = list(_pieces(text))
    nodes, place = _nodes(pieces, 0, "")
    if place < len(pieces):
        raise bad(f"unexpected {{{{{pieces[place][1]}}}}}")
    return nodes


def _pieces(text: str) -> Iterator[tuple[str, str]]:
    """`("text", ...)` and `("action", ...)`, trim marks applied."""
    place, trim = 0, False
    while place < len(text):
        start = text.find("{{", place)
        before = text[place:] if start < 0 else text[place:start]
        found = _ACTION.match(text, start) if start >= 0 else None
        if start >= 0 and found is None:
            raise bad("unclosed action")
        before = before.lstrip() if trim else before
        if found is not None and found[1]:
            before = before.rstrip()
        if before:
            yield "text", before
        if found is None:
            return
        trim, place = bool(found[3]), found.end()
        inside = found[2].strip()
        if not inside.startswith("/*"):
            yield "action", inside


def _nodes(pieces: list[tuple[str, str]], place: int, block: str) -> tuple[tuple[Node, ...], int]:
    """The nodes up to the end of `block`; the second is the position of its `end` or `else`."""
    nodes: list[Node] = []
    while place < len(pieces):
        kind, text = pieces[place]
        word = text.split(None, 1)[0] if kind == "action" and text else ""
        if kind == "text":
            nodes.append(Text(text))
        elif word in ("end", "else"):
            return tuple(nodes), place
        elif word in ("if", "range", "with"):
            node, place = _block(pieces, place, text)
            nodes.append(node)
        elif word in _REFUSED:
            raise bad(f"{{{{{word}}}}} is not supported here")
        elif not text:
            raise bad("missing value for command")
        else:
            nodes.append(Action(_read(text), text))
        place += 1
    if block:
        raise bad("unexpected EOF")
    return tuple(nodes), place


def _block(pieces: list[tuple[str, str]], place: int, text: str) -> tuple[Node, int]:
    kind, _, condition = text.partition(" ")
    if not condition.strip():
        raise bad(f"missing value for {kind}")
    pipe = _read(condition)
    body, place = _nodes(pieces, place + 1, kind)
    otherwise: tuple[Node, ...] = ()
    tail = pieces[place][1]
    if tail.startswith("else"):
        chained = tail.removeprefix("else").strip()
        if chained:
            node, place = _block(pieces, place, chained)
            return Block(kind, pipe, body, (node,), condition.strip()), place
        otherwise, place = _nodes(pieces, place + 1, kind)
        if pieces[place][1] != "end":
            raise bad("expected end; found {{" + pieces[place][1] + "}}")
    return Block(kind, pipe, body, otherwise, condition.strip()), place


def _read(text: str) -> Pipe:
    tokens = list(_tokens(text))
    pipe, place = _pipe(tokens, 0)
    if place < len(tokens):
        raise bad(f'unexpected "{tokens[place][1].strip()}" in command')
    return pipe


def _tokens(text: str) -> Iterator[tuple[str, str, bool]]:
    """Kind, text, and whether white space precedes it (`$x.A` is one operand, `$x .A` are two)."""
    place, text = 0, text.rstrip()
    while place < len(text):
        found = _TOKEN.match(text, place)
        if found is None:
            raise bad(f'unexpected "{text[place:].lstrip()[:1]}" in command')
        assert found.lastgroup is not None
        word = found[found.lastgroup]
        yield found.lastgroup, word, found.start(found.lastgroup) > place
        place = found.end()


def _pipe(tokens: list[tuple[str, str, bool]], place: int) -> tuple[Pipe, int]:
    variables: tuple[str, ...] = ()
    kinds = [kind for kind, _, _ in tokens[place : place + 4]]
    if kinds[:2] == ["variable", "assign"]:
        variables, place = (tokens[place][1],), place + 2
    elif kinds == ["variable", "mark", "variable", "assign"]:
        variables, place = (tokens[place][1], tokens[place + 2][1]), place + 4
    commands: list[tuple[Operand, ...]] = []
    while True:
        operands, place = _command(tokens, place)
        commands.append(operands)
        if place >= len(tokens) or tokens[place][1] != "|":
            return Pipe(tuple(commands), variables), place
        place += 1


def _command(tokens: list[tuple[str, str, bool]], place: int) -> tuple[tuple[Operand, ...], int]:
    operands: list[Operand] = []
    while place < len(tokens):
        kind, word, apart = tokens[place]
        if kind == "mark" and word in "|)":
            break
        if kind == "field" and operands and not apart:
            operands[-1] = Field(tuple(word[1:].split(".")), operands[-1])
            place += 1
            continue
        if kind == "mark" and word == "(":
            inner, place = _pipe(tokens, place + 1)
            if place >= len(tokens) or tokens[place][1] != ")":
                raise bad("unclosed left paren")
            operands.append(inner)
        else:
            operands.append(_operand(kind, word))
        place += 1
    if not operands:
        raise bad("missing value for command")
    return tuple(operands), place


def _operand(kind: str, word: str) -> Operand:
    if kind == "field":
        return Field(tuple(word[1:].split(".")))
    if kind == "dot":
        return Field(())
    if kind == "variable":
        return Variable(word)
    if kind == "text":
        return Literal(_unquoted(word))
    if kind == "char":
        return Literal(ord(_unquoted(word)))
    if kind == "number":
        return Literal(float(word) if "." in word else int(word))
    if kind == "word":
        return (
            Literal({"true": True, "false": False, "nil": None}[word])
            if word in ("true", "false", "nil")
            else Function(word)
        )
    raise bad(f'unexpected "{word}" in operand')


def _unquoted(word: str) -> str:
    if word.startswith("`"):
        return word[1:-1]
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), word[1:-1])
