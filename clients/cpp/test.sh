#!/usr/bin/env bash
# Builds the client and runs its tests against the server at LLM_OBSERVE_ENDPOINT.
set -euo pipefail
cd "$(dirname "$0")"
make --silent -j"$(nproc)"
build/test
