#!/bin/sh
# Prints the path of a Python that can make the project's environment: 3.11 or newer, with venv and ensurepip.
# Each candidate is run, since a name on PATH proves little (a pyenv shim without a version, a Debian Python without venv).
# An argument is the one candidate to look at (make PYTHON=/path/to/python).
set -eu

[ "$#" -gt 0 ] || set -- python3.13 python3.12 python3.11 python3 python
seen=""
for candidate in "$@"; do
    path=$(command -v "$candidate" 2>/dev/null) || continue
    if version=$("$path" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) && [ -n "$version" ]; then
        if ! "$path" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            seen="$seen
  $path is Python $version"
        elif ! "$path" -c 'import ensurepip, venv' 2>/dev/null; then
            seen="$seen
  $path is Python $version without venv or ensurepip (Debian: apt-get install python3-venv)"
        else
            "$path" -c "import sys; print(sys.executable)"
            exit 0
        fi
    else
        seen="$seen
  $path does not run (a shim without a version behind it?)"
    fi
done
echo "No Python >= 3.11 with venv and pip was found among: $*${seen}
Install one, or name it: make PYTHON=/path/to/python3.11 ..." >&2
exit 1
