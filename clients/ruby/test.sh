#!/usr/bin/env bash
# Runs the client's tests against the server at LLM_OBSERVE_ENDPOINT.
set -euo pipefail
cd "$(dirname "$0")"
ruby test.rb --verbose
