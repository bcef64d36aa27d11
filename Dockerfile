# One image for worker, relay, intake, codec server and migrations: the command says which.
FROM python:3.11.14-slim-bookworm AS build
WORKDIR /app
COPY requirements.txt pyproject.toml README.md ./
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --require-hashes -r requirements.txt

FROM python:3.11.14-slim-bookworm
ENV PATH=/venv/bin:$PATH PYTHONPATH=/app PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PYTHONSAFEPATH=1
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin lagerbro
COPY --from=build /venv /venv
WORKDIR /app
COPY domain domain
COPY clients clients
COPY erp erp
COPY activities activities
COPY workflows workflows
COPY worker worker
COPY starters starters
ARG BUILD_ID=unnamed
ENV LAGERBRO_BUILD_ID=$BUILD_ID
USER 10001
CMD ["python", "-m", "worker"]
