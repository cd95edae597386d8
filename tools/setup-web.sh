#!/bin/sh
# The Console's pages, built where they are not what their sources make. Needs the virtual environment; brings Node into
# it where the machine has none that is new enough (for the checks too, with `node` as the second word).
set -eu
VENV=${1:-.venv}
export VENV
. "$(dirname "$0")/steps.sh"
python=$VENV/bin/python
web=$(dirname "$0")/web.py

"$python" "$web" current && [ "${2:-}" != node ] && exit 0
"$python" "$web" node 2>/dev/null ||
    step "Installing Node (for the Console's pages)" "$python" -m pip install --disable-pip-version-check \
        --progress-bar off --require-hashes -r "$(dirname "$0")/../requirements/node.txt"
"$python" "$web" current || step "Building the Console" "$python" "$web" build
