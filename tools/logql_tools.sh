#!/bin/sh
# Fetches Grafana's grammar of LogQL (npm, exact versions of tools/logql/package-lock.json) into .tools/logql/, for the
# tests of rules/loki. Needs node and npm; which registry npm asks is the machine's own setting.
#
# Exit codes: 0 the grammar is there and runs; 3 it cannot be had on this machine (the message says why).
set -eu

cd "$(dirname "$0")/.."
folder=$PWD/.tools/logql
log=$PWD/.tools/npm.log

runs() {
    cmp -s tools/logql/package-lock.json "$folder/package-lock.json" &&
        test "$(echo '["sum(rate({app=\"a\"}[1m])) > 1"]' | node tools/logql/check.mjs "$folder" 2>/dev/null)" = "[]"
}

cannot() {
    echo "tools: $1" >&2
    echo "tools: the test that reads LogQL by Grafana's grammar is skipped, or fails under CI=true." >&2
    exit 3
}

for program in node npm; do
    command -v $program >/dev/null 2>&1 || cannot "there is no $program on this machine."
done
if runs; then
    exit 0
fi

echo "tools: fetching Grafana's LogQL grammar into .tools/logql/" >&2
rm -rf "$folder"
mkdir -p "$folder"
cp tools/logql/package.json tools/logql/package-lock.json "$folder/"
# No script of a package runs. The grammar asks for a newer node than it needs, which is a warning.
(cd "$folder" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error) >"$log" 2>&1 ||
    { tail -n 15 "$log" >&2; cannot "npm could not install it (the end of .tools/npm.log is above)."; }
runs || cannot "the grammar was installed into .tools/logql but does not run: try 'echo [] | node tools/logql/check.mjs .tools/logql'."
