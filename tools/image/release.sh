#!/bin/sh
# Releases the version of pyproject.toml: audit, image, SBOM, signatures, chart. For CI, where cosign signs with the job's own
# identity (keyless); whoever is logged in to the registry can run it. Every step ends it where it fails, and each can be
# done again.
#   IMAGE CHARTS       other than ghcr.io/officeless/storage-exporter and oci://ghcr.io/officeless/charts
set -eu

cd "$(dirname "$0")/../.."
image=${IMAGE:-ghcr.io/officeless/storage-exporter}
charts=${CHARTS:-oci://ghcr.io/officeless/charts}
uv=${UV:-.venv/bin/uv}
PATH=$PATH:$PWD/.venv/bin
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' pyproject.toml)

for program in cosign helm; do
    command -v $program >/dev/null 2>&1 || { echo "release: there is no $program here" >&2; exit 1; }
done
for line in "version: $version" "appVersion: \"\\{0,1\\}$version"; do
    grep -q "^$line" helm/storage-exporter/Chart.yaml ||
        { echo "release: helm/storage-exporter/Chart.yaml has not the version of pyproject.toml, $version" >&2; exit 1; }
done

echo "release: $version"
"$uv" tool run --quiet --from "pip-audit==2.10.1" pip-audit --disable-pip --require-hashes -r requirements.lock
tools/image/sbom.sh
PUSH=1 tools/image/build.sh
pushed=$image@$(cat build/image/digest)
cosign sign --yes "$pushed"
cosign attest --yes --type cyclonedx --predicate build/sbom.cdx.json "$pushed"

helm package helm/storage-exporter --destination build
helm push "build/storage-exporter-$version.tgz" "$charts" 2>&1 | tee build/chart-push
chart=$(sed -n 's/^Digest: *\(sha256:[0-9a-f]*\)$/\1/p' build/chart-push)
[ -n "$chart" ] || { echo "release: helm did not say under which digest the chart is" >&2; exit 1; }
cosign sign --yes "${charts#oci://}/storage-exporter@$chart"
echo "release: image $pushed"
echo "release: chart ${charts#oci://}/storage-exporter@$chart"
