# For the set-up scripts, which source it: steps that show how they get on, and keep what they printed.
#
#   VENV          the virtual environment's folder; what all steps print goes to setup.log in it
#   step T C...   runs the command C, and returns its exit code. On a terminal one line shows the title T, the seconds
#                 and the last line that the command printed; elsewhere a line says when it begins and when it ends.
#                 When it fails, the end of what it printed is shown.
#   packages N... installs Debian's packages N; the lists of packages are brought up to date when that fails at first.

step_log=$VENV/setup.log
mkdir -p "$VENV"

step() {
    step_title=$1
    shift
    step_began=$(date +%s)
    # The log is of the last step that ran: of the one that failed, if one did.
    : >"$step_log"
    step_ticker=
    if [ -t 1 ]; then
        step_shown &
        step_ticker=$!
    else
        echo "$step_title ..."
    fi
    # In the foreground, so that Ctrl-C ends it.
    if "$@" >>"$step_log" 2>&1 </dev/null; then step_code=0; else step_code=$?; fi
    if [ -n "$step_ticker" ]; then
        kill "$step_ticker" 2>/dev/null || true
        wait "$step_ticker" 2>/dev/null || true
        printf '\r\033[K'
    fi
    if [ "$step_code" = 0 ]; then
        echo "$step_title: done after $(step_seconds) s"
        return 0
    fi
    {
        echo "$step_title: failed after $(step_seconds) s with exit code $step_code. The end of what it printed:"
        tail -n 15 "$step_log" | sed 's/^/    /'
        echo "All of it is in $step_log."
    } >&2
    return "$step_code"
}

# Draws the line of a step that runs, until it is killed or the script has ended.
step_shown() {
    { step_width=$(stty size 2>/dev/null <&3 | cut -d' ' -f2); } 3>&1
    # A terminal that does not know its size says 0.
    [ "${step_width:-0}" -gt 20 ] || step_width=80
    while kill -0 $$ 2>/dev/null; do
        step_line=$(tail -n 1 "$step_log" | tr '\r' '\n' | tail -n 1 | tr -cd '[:print:]')
        step_line=$(echo "$step_title ($(step_seconds) s) $step_line" | cut -c "1-$((step_width - 1))")
        printf '\r\033[K%s' "$step_line"
        sleep 0.3
    done
}

step_seconds() { echo $(($(date +%s) - step_began)); }

packages() {
    export DEBIAN_FRONTEND=noninteractive
    apt-get install -y -q "$@" || { apt-get update -q && apt-get install -y -q "$@"; }
}
