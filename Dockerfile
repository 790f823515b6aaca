# Two images: `server` (server, worker, scheduler, command line) and `app` (the dashboard). docs/decisions/0023-images.md
# No "# syntax=" line: it would be fetched from a registry at every build, and nothing here needs it.
ARG PYTHON_IMAGE=python:3.11.14-slim-bookworm

FROM ${PYTHON_IMAGE} AS tools
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv /tools
ENV PATH=/tools/bin:$PATH
COPY requirements/image.lock /locks/
RUN pip install -q --require-hashes -r /locks/image.lock

# Our two wheels, with their compiled modules.
FROM tools AS wheels
# hadolint ignore=DL3008
RUN apt-get update -q && apt-get install -y -q --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN LDFLAGS=-s pip wheel -q --no-deps --no-build-isolation --wheel-dir /wheels ./sdk .

FROM tools AS server-venv
COPY requirements/server.lock /locks/
RUN /usr/local/bin/python -m venv --without-pip /venv \
 && pip --python /venv/bin/python install -q --require-hashes -r /locks/server.lock \
 && rm -rf /venv/lib/python3*/site-packages/pyarrow/include
COPY --from=wheels /wheels /wheels
COPY pyproject.toml scripts/check_compiled.py /check/
WORKDIR /
RUN pip --python /venv/bin/python install -q --no-deps /wheels/*.whl \
 && /venv/bin/python -I /check/check_compiled.py /check/pyproject.toml \
 && cyclonedx-py environment --output-reproducible --output-file /sbom.cdx.json /venv/bin/python

FROM tools AS app-venv
COPY requirements/app.lock /locks/
RUN /usr/local/bin/python -m venv --without-pip /venv \
 && pip --python /venv/bin/python install -q --require-hashes -r /locks/app.lock \
 && rm -rf /venv/lib/python3*/site-packages/pyarrow/include
COPY --from=wheels /wheels /wheels
RUN pip --python /venv/bin/python install -q --no-deps /wheels/*.whl \
 && cyclonedx-py environment --output-reproducible --output-file /sbom.cdx.json /venv/bin/python

FROM ${PYTHON_IMAGE} AS run
ARG PYTHON_IMAGE
ARG VERSION=0.2.0
ARG REVISION=unknown
LABEL org.opencontainers.image.vendor="LLM Observe" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${PYTHON_IMAGE}"
# A new volume takes the owner of the folder that it is mounted over.
RUN groupadd --gid 10001 llm-observe \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin llm-observe \
 && install -d -o 10001 -g 10001 /var/lib/llm-observe/lake /run/llm-observe
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/tmp
WORKDIR /app
USER 10001:10001
STOPSIGNAL SIGTERM

FROM run AS app
LABEL org.opencontainers.image.title="llm-observe-app" \
      org.opencontainers.image.description="LLM Observe: the dashboard"
COPY --from=app-venv /sbom.cdx.json /usr/share/llm-observe/
COPY --from=app-venv /venv /venv
EXPOSE 8501
CMD ["python", "-m", "streamlit_app"]

# The last stage is what `docker build .` makes.
FROM run AS server
LABEL org.opencontainers.image.title="llm-observe-server" \
      org.opencontainers.image.description="LLM Observe: server, worker, scheduler and the llm-observe command"
COPY --chmod=755 deploy/compose/make-secrets /usr/local/bin/
COPY --from=server-venv /sbom.cdx.json /usr/share/llm-observe/
COPY --from=server-venv /venv /venv
EXPOSE 50051 4318
CMD ["python", "-m", "server"]
