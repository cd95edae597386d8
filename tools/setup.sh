#!/bin/sh
# Set-up for a fresh clone: a virtual environment with the locked dependencies and the package itself (which extracts
# the schema facts). Debian's packages that are missing are installed as root, otherwise named.
set -eu
venv=$1
python=${PYTHON:-python3}

need() {
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "installing $*"
        (apt-get install -y -qq "$@" || { apt-get update -qq && apt-get install -y -qq "$@"; }) >/dev/null
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

[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
echo "installing the locked dependencies into $venv"
"$venv/bin/python" -m pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.txt
"$venv/bin/python" -m pip install -q --disable-pip-version-check --no-deps -e .

# Plain processes need nothing of this; what is missing has been named.
sh "$(dirname "$0")/setup-containers.sh" || true
