# Causerie as a small image: no build tools, no rights, nothing to write to but /data and /tmp.
# deploy/README.md says how to run it.

# The version of Python that the tests run on.
ARG PYTHON=3.11

FROM python:${PYTHON}-slim AS build
WORKDIR /src
COPY constraints.txt ./
RUN python -m venv /uv && /uv/bin/pip install --no-cache-dir --constraint constraints.txt uv
COPY LICENSE README.md pyproject.toml ./
COPY bots bots
COPY core core
# Comma-separated: postgres; embedded for models on this machine, 1 GB more.
ARG EXTRAS=postgres
RUN --mount=type=cache,target=/root/.cache/uv \
    python -m venv --without-pip /opt/causerie && \
    /uv/bin/uv pip install --python /opt/causerie --compile-bytecode --link-mode copy \
        --constraint constraints.txt ".[${EXTRAS}]"

FROM python:${PYTHON}-slim
ARG REVISION=
LABEL org.opencontainers.image.title="causerie" \
      org.opencontainers.image.description="A language model in the chats people already use" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="MIT AND OFL-1.1"
# The base image comes without compiled modules, and on a read-only root none can be kept.
RUN python -m compileall -q -x '/(config-.*|lib2to3|site-packages|tests?)/' \
        "$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')" && \
    install -d -o 10001 -g 10001 -m 700 /data
COPY --from=build /opt/causerie /opt/causerie
COPY deploy/healthcheck.py /opt/causerie/
# A file that SQLite writes anew takes as much room once more, which a small /tmp does not have.
ENV PATH=/opt/causerie/bin:${PATH} \
    HOME=/data \
    DATABASE_URL=sqlite:////data/causerie.db \
    SQLITE_TMPDIR=/data \
    PYTHONDONTWRITEBYTECODE=1
WORKDIR /data
USER 10001:10001
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-IS", "/opt/causerie/healthcheck.py"]
ENTRYPOINT ["causerie"]
CMD ["serve"]
