#!/bin/sh
# Makes a virtual environment: scripts/make_venv.sh FOLDER [PYTHON]
set -eu

quietly() { # shows what a command printed only when it fails
    log=$(mktemp)
    "$@" >"$log" 2>&1 || { cat "$log" >&2; rm -f "$log"; exit 1; }
    rm -f "$log"
}

folder=$1
python=${2:-}

if [ -z "$python" ]; then
    # 3.12 and 3.11 first: every optional package has wheels for them.
    for candidate in python3.12 python3.11 python3.13 python3.14 python3; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            python=$candidate
            break
        fi
    done
fi
if [ -z "$python" ] || ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    [ -z "$python" ] || "$python" --version >&2
    echo "Python 3.11 or newer is needed: install it (apt-get install python3.11), or say make PYTHON=..." >&2
    exit 1
fi
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    # Debian and Ubuntu split venv off; its package has the interpreter's name.
    package=$("$python" -c 'import sys; print(f"python{sys.version_info[0]}.{sys.version_info[1]}-venv")')
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "$python has no venv module, paste this line and try again: sudo apt-get install -y $package" >&2
        exit 1
    fi
    echo "installing system packages: $package"
    export DEBIAN_FRONTEND=noninteractive
    quietly apt-get update -qq
    quietly apt-get install -y -qq --no-install-recommends "$package"
fi
"$python" -m venv "$folder"
