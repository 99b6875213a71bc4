#!/bin/sh
# Writes what the image's environment holds, with licences and who needs whom, as CycloneDX 1.6 into build/sbom.cdx.json.
# The environment is made of requirements.lock, so it is that of the image; what the base image holds is in the image's
# own attestation.
set -eu

cd "$(dirname "$0")/../.."
uv=${UV:-.venv/bin/uv}
python=${PYTHON:-.venv/bin/python}
# Read by nobody but release engineers, so its thirty packages are not in everybody's environment.
cyclonedx="cyclonedx-bom==7.5.0"

mkdir -p build
"$python" -m tools.image.environment dependencies --uv "$uv" --prefix build/sbom-environment >/dev/null
"$uv" tool run --quiet --from "$cyclonedx" cyclonedx-py environment build/sbom-environment --pyproject pyproject.toml \
    --output-reproducible --output-format JSON --spec-version 1.6 --output-file build/sbom.cdx.json
rm -rf build/sbom-environment
echo "build/sbom.cdx.json"
