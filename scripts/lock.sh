#!/usr/bin/env bash
# Resolves requirements/*.in into hashed locks that name no index. Called by `make lock` only.
set -euo pipefail
cd "$(dirname "$0")/../requirements"

lock() { # NAME [OPTION...]
  ../.venv/bin/python -m uv pip compile --quiet --python-version 3.11 --universal --generate-hashes \
    --no-emit-index-url --no-header --no-strip-extras "$1.in" -o "$1.lock" "${@:2}"
}

for name in proto run dev docs; do lock "$name"; done
# What an image holds has the versions that `make run` and the tests have.
for name in server app image; do lock "$name" --constraint run.lock; done
# These are installed beside what dev.lock has, and name all that they need beyond it.
for name in clickhouse spark; do lock "$name" --no-deps; done
