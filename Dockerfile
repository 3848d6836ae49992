# The server of `ecgvision serve`: no compiler, no shell user, nothing written outside /tmp.
#
#   docker build -t ecgvision .
#   docker run --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges \
#     -v "$PWD/tokens.txt:/run/secrets/tokens:ro" -p 8000:8000 ecgvision
FROM python:3.12-slim AS build
WORKDIR /source
COPY serve.lock ./
RUN python -m venv /opt/ecgvision \
 && /opt/ecgvision/bin/pip install --no-cache-dir --require-hashes --only-binary :all: -r serve.lock
COPY pyproject.toml README.md LICENSE ./
COPY ecgvision ecgvision
RUN /opt/ecgvision/bin/pip install --no-cache-dir --no-deps .

FROM python:3.12-slim
COPY --from=build /opt/ecgvision /opt/ecgvision
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin ecgvision
USER 10001:10001
ENV PATH=/opt/ecgvision/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 OMP_NUM_THREADS=1
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
ENTRYPOINT ["ecgvision", "serve"]
CMD ["--host", "0.0.0.0", "--token-file", "/run/secrets/tokens"]
