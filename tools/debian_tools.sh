#!/bin/sh
# Fetches the programs the tests run against (prometheus, promtool, alertmanager, amtool) from Debian's packages and
# unpacks them into .tools/, without root and without installing anything. apt checks the signatures.
#
# Exit codes: 0 the programs are there and run; 3 they cannot be had on this machine (the message says why).
set -eu

cd "$(dirname "$0")/.."
packages="prometheus prometheus-alertmanager"
programs="prometheus promtool prometheus-alertmanager amtool"
root=$PWD/.tools
log=$root/apt.log

all_run() {
    for program in $programs; do
        "$root/usr/bin/$program" --version >/dev/null 2>&1 || return 1
    done
}

cannot() {
    echo "tools: $1" >&2
    echo "tools: tests that need $programs are skipped, or fail under CI=true." >&2
    echo "tools: put those programs on PATH yourself (any way of installing Prometheus and Alertmanager does)." >&2
    exit 3
}

# The system's own package lists serve where they are fresh; else lists of our own, which any user may write.
private="-o Dir::State::lists=$root/apt/lists -o Dir::Cache=$root/apt/cache"
quick="-q -o APT::Sandbox::User=root -o Acquire::Retries=2 -o Acquire::http::Timeout=60"
download() {
    # shellcheck disable=SC2086  # the options and package names are words
    (cd "$root/debs" && apt-get $quick "$@" download $packages) >>"$log" 2>&1
}

on_path() {
    command -v prometheus && command -v promtool && command -v amtool &&
        { command -v prometheus-alertmanager || command -v alertmanager; }
}

if all_run || on_path >/dev/null 2>&1; then
    exit 0
fi
if ! command -v apt-get >/dev/null 2>&1 || ! command -v dpkg-deb >/dev/null 2>&1; then
    cannot "there is no apt-get and dpkg-deb on this machine."
fi

case $root in *" "*) cannot "the path $root holds a space, which apt's options do not take." ;; esac
rm -rf "$root/debs" "$root/apt"
mkdir -p "$root/debs" "$root/apt/lists/partial" "$root/apt/cache/archives/partial"
echo "tools: fetching $packages into .tools/" >&2
: >"$log"
if ! download; then
    # A source that does not answer must not stop the others: the download below is the judge.
    # shellcheck disable=SC2086
    apt-get $quick $private update >>"$log" 2>&1 || true
    # shellcheck disable=SC2086
    download $private || { tail -n 15 "$log" >&2; cannot "apt-get could not download the packages (the end of .tools/apt.log is above)."; }
fi
for deb in "$root"/debs/*.deb; do
    dpkg-deb -x "$deb" "$root"
done
rm -rf "$root/debs" "$root/apt"
all_run || cannot "the programs were unpacked into .tools/usr/bin but do not run: try '.tools/usr/bin/promtool --version'."
