#!/bin/sh
# What the tests need beside the project's own set-up: container mode, a kubectl, and programs that the guide's commands
# use. Installed as root on Debian, otherwise named.
set -eu
VENV=${1:-.venv}
export VENV
. "$(dirname "$0")/steps.sh"
sh "$(dirname "$0")/setup-containers.sh"
"$VENV/bin/python" "$(dirname "$0")/kubectl.py"
sh "$(dirname "$0")/setup-web.sh" "$VENV" node
"$VENV/bin/python" "$(dirname "$0")/web.py" tests
missing=
command -v curl >/dev/null || missing="$missing curl"
command -v ss >/dev/null || missing="$missing iproute2"
command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null ||
    missing="$missing chromium"
[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    # shellcheck disable=SC2086
    step "Installing$missing" packages $missing
else
    echo "the tests need:$missing (on Debian: sudo apt-get install$missing)" >&2
    exit 1
fi
