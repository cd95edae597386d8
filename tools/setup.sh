#!/bin/sh
# Set-up for a fresh clone: a virtual environment with the locked dependencies, the Console's pages, and the package itself
# (which extracts the schema facts). Debian's packages that are missing are installed as root, otherwise named.
set -eu
VENV=$1
python=${PYTHON:-python3}
. "$(dirname "$0")/steps.sh"

need() {
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        step "Installing $*" packages "$@"
    else
        echo "homeostat needs: $* (on Debian: sudo apt-get install $*)" >&2
        exit 1
    fi
}

command -v "$python" >/dev/null || need python3 python3-venv
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "homeostat needs Python 3.11 or newer; $python is $("$python" -V)" >&2
    exit 1
}
"$python" -c 'import ensurepip, venv' 2>/dev/null || need python3-venv

pip() { "$VENV/bin/python" -m pip install --disable-pip-version-check --progress-bar off "$@"; }

# An environment without pip is one whose making was interrupted.
"$VENV/bin/python" -m pip --version >/dev/null 2>&1 || step "Making the virtual environment $VENV" "$python" -m venv "$VENV"
step "Installing the locked dependencies" pip --require-hashes -r requirements/dev.txt
sh "$(dirname "$0")/setup-web.sh" "$VENV"
step "Installing homeostat" pip --no-deps -e .
