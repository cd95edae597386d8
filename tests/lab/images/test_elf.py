"""Which shared libraries a program needs, by the rules of ld.so(8), and programs without their symbols still run."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from homeostat.cluster.state_folder import LabError
from homeostat.lab.images import elf

PROGRAM = Path(shutil.which("env") or "/usr/bin/env").resolve()
_NEEDED, _STRINGS, _RUNPATH = 1, 5, 29


def _library(path: Path, needed: list[str], runpath: str = "") -> Path:
    """The smallest file that a dynamic loader would read: a header, one loaded segment, one dynamic section."""
    names = [*needed, *([runpath] if runpath else [])]
    strings = b"\0" + b"".join(name.encode() + b"\0" for name in names)
    places = [1 + sum(len(n.encode()) + 1 for n in names[:i]) for i in range(len(names))]
    tags = [(_NEEDED, place) for place in places[: len(needed)]]
    tags += [(_RUNPATH, places[-1])] if runpath else []
    start = 64 + 2 * 56
    tags.append((_STRINGS, start))
    dynamic = b"".join(struct.pack("<qQ", tag, value) for tag, value in [*tags, (0, 0)])
    size = start + len(strings) + len(dynamic)
    header = struct.pack("<6s10xHHIQQQIHHHHHH", b"\x7fELF\x02\x01", 3, 62, 1, 0, 64, 4096, 0, 64, 56, 2, 64, 7, 6)
    load = struct.pack("<IIQQQQQQ", 1, 4, 0, 0, 0, size, size, 4096)
    section = struct.pack("<IIQQQQQQ", 2, 4, start + len(strings), start + len(strings), 0, len(dynamic), 0, 8)
    path.write_bytes(header + load + section + strings + dynamic + b"symbols" * 100)
    return path


def test_a_program_names_its_interpreter_and_its_libraries() -> None:
    found = elf.needs(PROGRAM)
    assert found.interpreter.startswith("/lib")
    assert any(name.startswith("libc.") for name in found.libraries)


def test_what_is_no_program_needs_nothing(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\n")
    assert elf.needs(script) == elf.Needs("", (), ())
    assert elf.without_symbols(b"#!/bin/sh\n", script) == b"#!/bin/sh\n"


def test_the_loader_s_own_file_is_there_once_by_its_path() -> None:
    found = elf.closure([PROGRAM])
    interpreter = elf.needs(PROGRAM).interpreter
    assert found[interpreter] == Path(interpreter)
    assert [name for name in found if Path(name).name == Path(interpreter).name] == [interpreter]


def test_libraries_of_libraries_are_found_where_a_runpath_points(tmp_path: Path) -> None:
    """$ORIGIN is the folder of the file that says it, not of the program."""
    (tmp_path / "lib" / "deep").mkdir(parents=True)
    program = _library(tmp_path / "program", ["libone.so"], "$ORIGIN/lib")
    one = _library(tmp_path / "lib" / "libone.so", ["libtwo.so"], "${ORIGIN}/deep:/nowhere")
    two = _library(tmp_path / "lib" / "deep" / "libtwo.so", [])
    assert {name: path.resolve() for name, path in elf.closure([program]).items()} == {
        "libone.so": one,
        "libtwo.so": two,
    }


def test_libraries_that_a_package_carries_are_left_out_but_looked_into(tmp_path: Path) -> None:
    (tmp_path / "carried").mkdir()
    program = _library(tmp_path / "program", ["libown.so"], "$ORIGIN/carried")
    _library(tmp_path / "carried" / "libown.so", ["libc.so.6"])
    assert set(elf.closure([program], carried=[tmp_path / "carried"])) == {"libc.so.6"} | _of_libc()


def _of_libc() -> set[str]:
    libc = elf.find_library("libc.so.6")
    assert libc is not None
    return set(elf.closure([libc]))


def test_libraries_that_need_each_other_end(tmp_path: Path) -> None:
    one = _library(tmp_path / "liba.so", ["libb.so"], "$ORIGIN")
    _library(tmp_path / "libb.so", ["liba.so"], "$ORIGIN")
    assert set(elf.closure([one])) == {"liba.so", "libb.so"}


def test_a_library_that_is_nowhere_is_named(tmp_path: Path) -> None:
    program = _library(tmp_path / "program", ["libnowhere.so.7"])
    with pytest.raises(LabError, match=r"program needs the shared library libnowhere\.so\.7"):
        elf.closure([program])


def test_symbols_go_and_what_is_loaded_stays(tmp_path: Path) -> None:
    library = _library(tmp_path / "lib.so", ["libc.so.6"])
    cut = elf.without_symbols(library.read_bytes(), library)
    assert b"symbols" not in cut
    # e_shoff, e_shnum and e_shstrndx: no table of sections is looked for.
    assert struct.unpack_from("<Q", cut, 0x28) == (0,)
    assert struct.unpack_from("<HH", cut, 0x3C) == (0, 0)
    library.write_bytes(cut)
    assert elf.needs(library).libraries == ("libc.so.6",)


@pytest.mark.parametrize("program", [PROGRAM, Path(os.path.realpath(sys.executable))], ids=["env", "python"])
def test_a_program_without_symbols_runs(program: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.write_bytes(elf.without_symbols(program.read_bytes(), program))
    copy.chmod(0o755)
    assert copy.stat().st_size <= program.stat().st_size
    assert subprocess.run([copy, "--version"], capture_output=True, check=True).stdout
