#!/bin/sh
# What the tests need beside the project's own set-up: programs that the guide's commands use. Installed as root on
# Debian, otherwise named.
set -eu
missing=
command -v curl >/dev/null || missing="$missing curl"
command -v ss >/dev/null || missing="$missing iproute2"
sh "$(dirname "$0")/setup-containers.sh"
[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing$missing"
    # shellcheck disable=SC2086
    (apt-get install -y -qq $missing || { apt-get update -qq && apt-get install -y -qq $missing; }) >/dev/null
else
    echo "the tests need:$missing (on Debian: sudo apt-get install$missing)" >&2
    exit 1
fi
