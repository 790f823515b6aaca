#!/usr/bin/env bash
# Resolves requirements/*.in into hashed locks that name no index. Called by `make lock` only.
set -euo pipefail
cd "$(dirname "$0")/../requirements"
for name in proto run dev; do
  ../.venv/bin/python -m uv pip compile --quiet --python-version 3.11 --universal --generate-hashes \
    --no-emit-index-url --no-header --no-strip-extras "$name.in" -o "$name.lock"
done
