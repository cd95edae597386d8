#!/bin/sh
# What `make up` needs of the machine beside the virtual environment: programs for container mode, and a kubectl. A
# cluster comes up without either, so that this never fails: what is missing is named, and looked for again next time.
VENV=${1:-.venv}
export VENV
sh "$(dirname "$0")/setup-containers.sh" || true
"$VENV/bin/python" "$(dirname "$0")/kubectl.py" || true
