"""ELF files: which shared libraries a program loads, where they are, and the same program without its symbols.

The rules are those of ld.so(8): DT_RPATH, DT_RUNPATH, the folders of ld.so.conf, the system's own folders.

The few headers are read here rather than by pyelftools, because every `homeostat up` with real nodes looks at the about
120 files of the stock images: 0.08 s here, 0.77 s and 0.1 s of imports with pyelftools 0.33, which found the same.
"""

from __future__ import annotations

import glob
import os
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from homeostat.cluster.state_folder import LabError

_LOAD, _DYNAMIC, _INTERPRETER = 1, 2, 3
_NEEDED, _STRING_TABLE, _RPATH, _RUNPATH = 1, 5, 15, 29
_HEADER_BYTES = 64


@dataclass(frozen=True, slots=True)
class _Segment:
    kind: int
    offset: int
    address: int
    size: int


@dataclass(frozen=True, slots=True)
class Needs:
    """What a file asks the dynamic loader for; `interpreter` is empty in a library and in a static program."""

    interpreter: str
    libraries: tuple[str, ...]
    search: tuple[str, ...]


def is_elf(content: bytes) -> bool:
    """Whether this is a 64-bit little-endian ELF file, as on all machines that have the images' programs."""
    return content[:6] == b"\x7fELF\x02\x01" and len(content) >= _HEADER_BYTES


def without_symbols(content: bytes, _path: Path) -> bytes:
    """The file up to the end of what is loaded: no section headers, symbols or debug data; the loader uses none."""
    if not is_elf(content):
        return content
    table, _, width, count = _program_table(content)
    end = max([table + width * count, *(s.offset + s.size for s in _segments(content))])
    kept = bytearray(content[:end])
    struct.pack_into("<Q", kept, 0x28, 0)  # e_shoff
    struct.pack_into("<HH", kept, 0x3C, 0, 0)  # e_shnum, e_shstrndx
    return bytes(kept)


def needs(path: Path) -> Needs:
    """What a file needs; nothing when it is no ELF file."""
    content = path.read_bytes()
    if not is_elf(content):
        return Needs("", (), ())
    segments = _segments(content)
    interpreter = next((_text(content, s.offset) for s in segments if s.kind == _INTERPRETER), "")
    dynamic = next((s for s in segments if s.kind == _DYNAMIC), None)
    if dynamic is None:
        return Needs(interpreter, (), ())
    entries = list(struct.iter_unpack("<qQ", content[dynamic.offset : dynamic.offset + dynamic.size // 16 * 16]))
    strings = next((value for tag, value in entries if tag == _STRING_TABLE), 0)
    base = next((s.offset + strings - s.address for s in segments if s.kind == _LOAD and _holds(s, strings)), 0)
    libraries = tuple(_text(content, base + value) for tag, value in entries if tag == _NEEDED)
    paths = [_text(content, base + value) for tag, value in entries if tag in (_RPATH, _RUNPATH)]
    here = str(path.resolve().parent)
    expanded = [p.replace("${ORIGIN}", here).replace("$ORIGIN", here) for line in paths for p in line.split(":")]
    return Needs(interpreter, libraries, tuple(p for p in expanded if p))


def closure(programs: Iterable[Path], *, carried: Iterable[Path] = ()) -> dict[str, Path]:
    """The libraries that the programs load, directly and through each other, by name; the interpreter by its path.

    Libraries in a folder of `carried` come with the packages themselves and are left out, but looked into.
    Raises LabError when one is nowhere.
    """
    own = {folder.resolve() for folder in carried}
    found: dict[str, Path] = {}
    waiting, seen = [Path(p) for p in programs], set[Path]()
    while waiting:
        program = waiting.pop()
        if program.resolve() in seen:
            continue
        seen.add(program.resolve())
        wanted = needs(program)
        if wanted.interpreter:
            found[wanted.interpreter] = Path(wanted.interpreter)
        for name in wanted.libraries:
            where = _find(name, wanted.search)
            if where is None and name in {each.name for each in seen}:
                continue  # a package loads it itself, before this file
            if where is None:
                raise LabError(f"{program} needs the shared library {name}, which is not on this machine")
            waiting.append(where)
            if where.resolve().parent not in own:
                found.setdefault(name, where)
    interpreters = {Path(name).name for name in found if "/" in name}
    return {name: where for name, where in found.items() if name not in interpreters}


def find_library(name: str) -> Path | None:
    """A library in the system's folders."""
    return _find(name, ())


def _find(name: str, search: tuple[str, ...]) -> Path | None:
    for folder in (*search, *_system_folders()):
        candidate = Path(folder, name)
        if candidate.exists():
            return candidate
    return None


@lru_cache(maxsize=1)
def _system_folders() -> tuple[str, ...]:
    triplet = f"{os.uname().machine}-linux-gnu"
    usual = [f"/lib/{triplet}", f"/usr/lib/{triplet}", "/lib64", "/usr/lib64", "/lib", "/usr/lib"]
    return tuple(dict.fromkeys([*usual, *_configured("/etc/ld.so.conf")]))


def _configured(pattern: str) -> list[str]:
    """The folders that ld.so.conf and what it includes name."""
    folders: list[str] = []
    for file in sorted(glob.glob(pattern)):
        for line in Path(file).read_text(errors="replace").splitlines():
            words = line.split("#")[0].split()
            if words[:1] == ["include"]:
                for included in words[1:]:
                    folders += _configured(os.path.join(os.path.dirname(file), included))
            else:
                folders += words
    return folders


def _program_table(content: bytes) -> tuple[int, int, int, int]:
    (offset,) = struct.unpack_from("<Q", content, 0x20)
    header, width, count = struct.unpack_from("<HHH", content, 0x34)
    return offset, header, width, count


def _segments(content: bytes) -> list[_Segment]:
    table, _, width, count = _program_table(content)
    segments = []
    for index in range(count):
        kind, _, offset, address, _, size, _, _ = struct.unpack_from("<IIQQQQQQ", content, table + index * width)
        segments.append(_Segment(kind, offset, address, size))
    return segments


def _holds(segment: _Segment, address: int) -> bool:
    return segment.address <= address < segment.address + segment.size


def _text(content: bytes, offset: int) -> str:
    return content[offset : content.index(b"\0", offset)].decode()
