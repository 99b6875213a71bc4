#!/bin/sh
# Builds the image for both platforms with the engine that is here, on the base's digest of today, and writes its own
# digest into build/image/digest.
#   PUSH=1             push it; else docker writes an archive, build/image/storage-exporter.tar
#   IMAGE PLATFORMS    other than ghcr.io/officeless/storage-exporter and linux/amd64,linux/arm64
#   BASE BASE_DIGEST   another base; a digest other than that which the base's tag has now
# Each platform is built on itself, or by an emulator that the engine has: what is installed is also started in the build.
set -eu

cd "$(dirname "$0")/../.."
image=${IMAGE:-ghcr.io/officeless/storage-exporter}
platforms=${PLATFORMS:-linux/amd64,linux/arm64}
base=${BASE:-$(sed -n 's/^ARG BASE=//p' Dockerfile)}
digest=${BASE_DIGEST:-}
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' pyproject.toml)
revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
created=$(date -u -d "@$epoch" +%Y-%m-%dT%H:%M:%SZ)
export SOURCE_DATE_EPOCH="$epoch"

fail() {
    echo "image: $1" >&2
    exit 1
}

if docker buildx version >/dev/null 2>&1; then
    engine=docker
elif command -v podman >/dev/null 2>&1; then
    engine=podman
elif command -v buildah >/dev/null 2>&1; then
    engine=buildah
else
    fail "there is no docker with buildx, no podman and no buildah here. \`make pod-smoke\` runs the same environment without."
fi
if [ "${PUSH:-}" = 1 ] && [ -n "$(git status --porcelain 2>/dev/null)" ]; then
    fail "what is not committed is not pushed: commit it, the image's label names the revision."
fi

tools/image/wheels.sh "$platforms"

if [ -z "$digest" ]; then
    if [ "$engine" = docker ]; then
        digest=$(docker buildx imagetools inspect "$base" --format '{{.Manifest.Digest}}') || digest=""
    elif command -v skopeo >/dev/null 2>&1; then
        digest=$(skopeo inspect --format '{{.Digest}}' "docker://docker.io/library/$base") || digest=""
    fi
fi
case $digest in
    sha256:*) echo "image: base $base@$digest" ;;
    *) fail "the digest of $base could not be looked up: give BASE_DIGEST=sha256:... ($base is what BASE names)" ;;
esac

mkdir -p build/image
rm -f build/image/digest
set -- --build-arg "BASE=$base" --build-arg "BASE_DIGEST=$digest" --build-arg "VERSION=$version" \
    --build-arg "REVISION=$revision" --build-arg "CREATED=$created" --build-arg "SOURCE_DATE_EPOCH=$epoch" \
    --platform "$platforms"
if [ "$engine" = docker ]; then
    output="type=oci,dest=build/image/storage-exporter.tar,rewrite-timestamp=true"
    [ "${PUSH:-}" != 1 ] || output="type=image,push=true,rewrite-timestamp=true"
    docker buildx build "$@" --sbom=true --provenance=mode=max --tag "$image:$version" \
        --metadata-file build/image/metadata.json --output "$output" .
    sed -n 's/.*"containerimage.digest": *"\(sha256:[0-9a-f]*\)".*/\1/p' build/image/metadata.json >build/image/digest
else
    "$engine" manifest rm "$image:$version" >/dev/null 2>&1 || true
    "$engine" build "$@" --timestamp "$epoch" --manifest "$image:$version" .
    if [ "${PUSH:-}" = 1 ]; then
        "$engine" manifest push --all --digestfile build/image/digest "$image:$version" "docker://$image:$version"
    fi
    echo "image: $engine writes no attestations; \`make release\` attests build/sbom.cdx.json"
fi
if [ -s build/image/digest ]; then
    echo "image: $image:$version@$(cat build/image/digest)"
elif [ "${PUSH:-}" = 1 ]; then
    fail "it was pushed, but $engine did not say under which digest"
else
    echo "image: $image:$version, not pushed"
fi
