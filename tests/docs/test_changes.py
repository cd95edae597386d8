"""Change fragments are of a known type, are written for users, and become the changelog in its form."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CHANGES = ROOT / "changes"
TYPES = [
    each["directory"] for each in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["towncrier"]["type"]
]
FRAGMENTS = sorted(path for path in CHANGES.iterdir() if path.name not in ("README.md", "template.md"))
_NAME = re.compile(rf"[a-z0-9]+(?:-[a-z0-9]+)*\.(?:{'|'.join(TYPES)})\.md")
_NOT_FOR_USERS = {
    r"\w\.py\b|\bsrc/|\btests/|\bhomeostat\.\w+\.\w+": "names a module of the code",
    r"\b[Ii]ssue \d|#\d": "names an issue by its number",
    r"\b(?:[Rr]efactor|[Rr]ename the|[Mm]odules?|docstrings?|[Uu]nit tests?)\b": "speaks of the code",
}


def mistakes(name: str, text: str) -> list[str]:
    """What is wrong with a fragment, as its author would fix it."""
    found = [] if _NAME.fullmatch(name) else [f"the name is not NAME.TYPE.md with a type of {', '.join(TYPES)}"]
    body = text.strip()
    if not re.match(r"[A-Z`0-9]", body) or not body.endswith("."):
        found.append("the text is not sentences that begin with a capital and end with a full stop")
    if "\n\n" in body or re.search(r"^(?:[-*#]|\s)", body, re.MULTILINE):
        found.append("the text is not one plain paragraph: bullets and indents are made by towncrier")
    if any(len(line) > 118 for line in body.splitlines()):
        found.append("a line is longer than 118 columns (120 with its bullet)")
    return found + [f"it {why}" for pattern, why in _NOT_FOR_USERS.items() if re.search(pattern, body)]


def test_fragments_have_a_known_type_and_are_written_for_users() -> None:
    found = {path.name: mistakes(path.name, path.read_text()) for path in FRAGMENTS}
    assert {name: wrong for name, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize(
    ("name", "text", "mistake"),
    [
        ("watches.bugfix.md", "A watch ends.\n", "the name"),
        ("Some Thing.fixed.md", "A watch ends.\n", "the name"),
        ("watches.fixed.md", "a watch ends\n", "sentences"),
        ("watches.fixed.md", "- A watch ends.\n", "one plain paragraph"),
        ("watches.fixed.md", "A watch ends.\n\nSo does a list.\n", "one plain paragraph"),
        ("watches.fixed.md", f"A {'long ' * 30}line.\n", "longer than 118"),
        ("watches.fixed.md", "The watch of hub.py ends.\n", "names a module"),
        ("watches.fixed.md", "A watch ends (issue 12).\n", "by its number"),
        ("watches.fixed.md", "Refactor how watches end.\n", "speaks of the code"),
    ],
)
def test_a_fragment_that_users_cannot_use_is_found(name: str, text: str, mistake: str) -> None:
    assert any(mistake in each for each in mistakes(name, text))


def test_the_readme_of_the_fragments_explains_each_type() -> None:
    assert re.findall(r"^\| `([a-z]+)` \|", (CHANGES / "README.md").read_text(), re.MULTILINE) == TYPES


def test_towncrier_makes_a_section_in_the_form_of_the_changelog(tmp_path: Path) -> None:
    (tmp_path / "changes").mkdir()
    for name in ("pyproject.toml", "CHANGELOG.md", "changes/template.md", "changes/README.md"):
        shutil.copyfile(ROOT / name, tmp_path / name)
    before = (ROOT / "CHANGELOG.md").read_text()
    (tmp_path / "changes" / "drain.added.md").write_text("A node is drained.\n")
    (tmp_path / "changes" / "watches.fixed.md").write_text("A watch that resumes\nstays in its namespace.\n")
    (tmp_path / "changes" / "lists.fixed.md").write_text("A list ends.\n")
    made = [sys.executable, "-m", "towncrier", "build", "--yes", "--version", "9.0.0", "--date", "2026-01-31"]
    subprocess.run(made, cwd=tmp_path, check=True, capture_output=True, timeout=60)
    section = (
        "## [9.0.0] 2026-01-31\n\n"
        "### Fixed\n\n- A list ends.\n- A watch that resumes\n  stays in its namespace.\n\n"
        "### Added\n\n- A node is drained.\n\n"
    )
    marker = "<!-- towncrier release notes start -->\n\n"
    head, _, rest = before.partition(marker)
    assert (tmp_path / "CHANGELOG.md").read_text() == head + marker + section + rest
    assert sorted(path.name for path in (tmp_path / "changes").iterdir()) == ["README.md", "template.md"]
