"""A shell script that stands in for Python: it makes a folder as `python -m venv` does, and fails as pip does.

It notes its calls in the file that CALLS names; PIP and VENV say how it fails, FAILING which other calls do, and DOCTOR
what the backend's doctor answers.
"""

from __future__ import annotations

from pathlib import Path

SCRIPT = """#!/bin/sh
case "$2" in
-c) echo "[\\"$0\\", [${VERSION:-3, 11, 7}], ${MAKES_ENVIRONMENTS:-true}]" ;;
venv)
    echo "$@" >> "$CALLS"
    mkdir -p "$3/bin" "$3/lib/python3.11/site-packages" && cp "$0" "$3/bin/python" && touch "$3/pyvenv.cfg"
    case "$VENV" in hang) echo hanging >> "$CALLS"; sleep 3600;; broken) echo "Error: no ensurepip"; exit 1;; esac ;;
pip)
    echo pip >> "$CALLS"
    test -d "$TMPDIR" || exit 9
    echo "Collecting one==1.0"
    case "$PIP" in
    network) echo "WARNING: Retrying after connection broken by 'NewConnectionError('...: [Errno 101] ...')'"
             echo "ERROR: No matching distribution found for one==1.0"; exit 1;;
    full) echo "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device"; exit 1;;
    unknown) echo "ERROR: No matching distribution found for one==1.0"; exit 1;;
    hang) echo hanging >> "$CALLS"; exec sleep 3600;;
    esac
    echo "Installing collected packages: one, two"
    case "$PIP" in
    slow) sleep 1;;
    moves) packages=$(dirname "$TMPDIR")/lib/python3.11/site-packages
           for round in 1 2 3 4 5 6 7 8 9; do
               for name in a b c d e f g h i j k l; do mkdir -p "$packages/$name/x/y/z"; done
               rm -rf "$packages"/?
           done
           mkdir -p "$packages/one.dist-info" "$packages/two.dist-info";;
    esac ;;
*)
    echo "$@" >> "$CALLS"
    case "$*" in *doctor*) echo "$DOCTOR";; esac
    case "$*" in *$FAILING*) exit 3;; esac ;;
esac
"""


def write_fake_python(path: Path) -> Path:
    """Write the script to a file and return it."""
    path.write_text(SCRIPT)
    path.chmod(0o755)
    return path
