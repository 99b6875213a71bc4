#!/bin/sh
# Looks whether every package of requirements.lock has a wheel for each platform of the image, by the lock's hashes: they
# are unpacked into a folder that goes again. A dry run would not do, it does not look at hashes.
# Words: platforms such as linux/amd64,linux/arm64.
set -eu

cd "$(dirname "$0")/../.."
uv=${UV:-.venv/bin/uv}
python=$(sed -n 's/^ARG BASE=python:\([0-9.]*\)-.*/\1/p' Dockerfile)
nowhere=$(mktemp -d)
trap 'rm -rf "$nowhere"' EXIT
for platform in $(echo "$1" | tr , ' '); do
    case $platform in
        linux/amd64) machine=x86_64 ;;
        linux/arm64) machine=aarch64 ;;
        *) echo "wheels: $platform is no platform of the image: linux/amd64, linux/arm64" >&2; exit 2 ;;
    esac
    # manylinux_2_36 is the glibc of Debian 12, bookworm.
    if ! "$uv" pip install --quiet --target "$nowhere/$machine" --require-hashes --no-deps --only-binary :all: \
        --python-version "$python" --python-platform "$machine-manylinux_2_36" -r requirements.lock; then
        echo "wheels: see above; what has no wheel for $platform cannot be in requirements.lock" >&2
        exit 1
    fi
    echo "wheels: Python $python on $platform has every package of requirements.lock"
done
