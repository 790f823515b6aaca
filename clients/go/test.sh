#!/usr/bin/env bash
# Builds the client and runs its tests against the server at LLM_OBSERVE_ENDPOINT.
set -euo pipefail
cd "$(dirname "$0")"
source env.sh
[ ! -d .toolchain ] || cd .toolchain/path/src/llmobserve
go vet . && go test -count=1 -v .
