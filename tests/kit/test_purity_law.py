"""The law of purity, as `tools/purity.py` checks it: what says that it is pure reaches nothing but its arguments."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.tools import tool

ROOT = Path(__file__).parents[2]
purity = tool("purity")
KNOWN = {
    "homeostat.api": True,
    "homeostat.api.meta": True,
    "homeostat.kit": False,
    "homeostat.kit.clock": False,
    "homeostat.loop.runner": False,
    "homeostat.runtime.cri": False,
    "homeostat.runtime.cri.cri_pb2": False,
}


def faults(source: str) -> list[str]:
    return [text for _, text in purity.module_faults(ast.parse(source), KNOWN)]


@pytest.mark.parametrize(
    "source",
    [
        "import os",
        "import os.path",
        "import socket",
        "import subprocess",
        "import asyncio",
        "import logging",
        "import threading",
        "import sqlite3",
        "import grpc",
        "import a_library_nobody_has_judged",
        "from pyroute2 import IPRoute",
        "from socket import create_connection",
        "from datetime import date",
        "from homeostat.loop.runner import LoopRunner",
        "from homeostat.loop import runner",
        "from homeostat.kit import clock",
        "from homeostat.kit.clock import monotonic",
        "def late():\n    import os",
        "async def work(): return 1",
        "async def work():\n    return await other()",
        "text = open('/etc/hosts').read()",
        "print('here')",
        "from pathlib import Path\ntext = Path('/etc/hosts').read_text()",
        "from pathlib import Path\nthere = Path('/etc/hosts').exists()",
    ],
)
def test_a_pure_module_does_no_io_itself_nor_by_what_it_imports(source):
    assert len(faults(source)) >= 1


@pytest.mark.parametrize(
    "source",
    [
        "import json, re",
        "from collections.abc import Mapping",
        "from datetime import UTC, datetime",
        "from socket import inet_aton",
        "from homeostat.api import meta",
        "from homeostat.api.meta import condition",
        "from homeostat.kit.clock import rfc3339",
        "from homeostat.runtime.cri import cri_pb2",
        "from pathlib import Path\nfolder = Path('/etc') / 'hosts'",
        "from pathlib import PurePosixPath",
        "class Client(Protocol):\n    async def get(self):\n        'The object.'\n        ...",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from homeostat.loop.runner import LoopRunner",
        "table.open('x')",
    ],
)
def test_a_pure_module_computes_knows_types_and_states_signatures(source):
    assert faults(source) == []


@pytest.mark.parametrize(
    ("place", "docstring", "expected"),
    [
        ("network/kernel/arp.py", "Frames as bytes. Pure.", True),
        ("network/decide/userspace_plan.py", "A pure plan.", True),
        ("network/userspace/applier.py", "Applies the plan.", False),
        ("store/keys.py", "Impurely named.", False),
        ("controllers/nodes/taints.py", "Says nothing of it.", True),
        ("api/facts.py", "Reads the schema.", False),
    ],
)
def test_a_module_is_pure_by_its_docstring_or_its_room(place, docstring, expected):
    assert purity.is_pure(ast.parse(f'"""{docstring}"""'), place) is expected


def test_purity_ends_where_a_module_imports_one_that_does_not_claim_it():
    trees = {
        "api/meta.py": ast.parse('"""Data."""'),
        "sim/judge.py": ast.parse('"""Pure."""\nfrom homeostat.sim.helper import x\nfrom homeostat.api import meta'),
        "sim/helper.py": ast.parse('"""Looks harmless."""\nimport os'),
    }
    assert [(place, text) for place, (_, text) in purity.purity_faults(trees)] == [
        ("sim/judge.py", "pure, and imports x of homeostat.sim.helper")
    ]


def test_the_tool_fails_for_a_module_that_is_not_what_it_says(tmp_path):
    room = tmp_path / "src" / "homeostat" / "sim"
    room.mkdir(parents=True)
    (room / "plan.py").write_text('"""Pure."""\n\nimport os\n')
    checked = subprocess.run(
        [sys.executable, ROOT / "tools" / "doors.py"], cwd=tmp_path, capture_output=True, text=True
    )
    assert (checked.returncode, checked.stdout) == (1, "src/homeostat/sim/plan.py:3: pure, and imports os\n")
