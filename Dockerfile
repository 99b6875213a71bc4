# storage-exporter. `make image` builds this for amd64 and arm64 and says which digest the base has; by hand:
#   docker build --build-arg BASE_DIGEST=sha256:... .
# Both stages stand on the same base, so the environment's interpreter is the one that made it.
ARG BASE=python:3.12-slim-bookworm
ARG BASE_DIGEST

FROM ${BASE}@${BASE_DIGEST:?give_the_digest_of_the_base_as_a_build_argument__make_image_looks_it_up} AS build
ENV PIP_NO_CACHE_DIR=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /src
# What changes seldom comes first: the dependencies are a layer of their own.
COPY requirements.lock ./
COPY tools/__init__.py tools/
COPY tools/image tools/image/
RUN python3 -m tools.image.environment dependencies
COPY requirements-dev.lock pyproject.toml README.md LICENSE ./
COPY exporter exporter/
# The rules that come with the program: exporter/ruler/pack leads here.
COPY rules/mimir rules/mimir/
COPY rules/loki rules/loki/
COPY rules/alertmanager rules/alertmanager/
COPY rules/thresholds.yaml rules/
ARG SOURCE_DATE_EPOCH
RUN python3 -m tools.image.environment program \
 && python3 -m tools.image.environment standard --out /out \
 && mkdir -p /out/etc/storage-exporter/config /data

FROM ${BASE}@${BASE_DIGEST}
ARG BASE
ARG BASE_DIGEST
ARG VERSION=0.0.0
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
ARG SOURCE=https://github.com/officeless/storage-exporter
LABEL org.opencontainers.image.title="storage-exporter" \
      org.opencontainers.image.description="Prometheus exporter for the AWS storage tier under EKS" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="${BASE}" \
      org.opencontainers.image.base.digest="${BASE_DIGEST}"
# Nothing is ever written beside the code, which is compiled already. A pod that Pod Identity missed must say so, and not
# take the node's role instead: no IMDS. Two arenas bound what malloc keeps for threads that have ended.
ENV PATH=/opt/storage-exporter/bin:/usr/local/bin:/usr/bin:/bin \
    HOME=/nonexistent \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONFAULTHANDLER=1 \
    PYTHONSAFEPATH=1 \
    AWS_EC2_METADATA_DISABLED=true \
    MALLOC_ARENA_MAX=2
COPY --from=build /out/ /
COPY --from=build /opt/storage-exporter /opt/storage-exporter
COPY --from=build --chown=65532:65532 /data /var/lib/storage-exporter
WORKDIR /
USER 65532:65532
EXPOSE 9116
ENTRYPOINT ["/opt/storage-exporter/bin/python", "-m", "exporter"]
CMD ["run"]
