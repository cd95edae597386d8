"""`python -m homeostat.compose COMPONENT --state=FOLDER --node=NODE`: one component as a program, for containers."""

from __future__ import annotations

import sys

from homeostat.compose import ADD_ONS, COMPONENTS, run_component
from homeostat.lab.processes.process_title import set_title

if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in (*COMPONENTS, *ADD_ONS):
        sys.exit(f"usage: python -m homeostat.compose {{{','.join((*COMPONENTS, *ADD_ONS))}}} --OPTION=VALUE...")
    set_title(sys.argv[1:])
    sys.exit(run_component(sys.argv[1:], {}))
