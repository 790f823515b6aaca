#!/usr/bin/env bash
# Writes the generated Python for every proto into the folder given (default: sdk). Called by make only.
# The generator is old on purpose; see docs/decisions/0003-old-generator.md.
set -euo pipefail
cd "$(dirname "$0")/.."
out="${1:-sdk}"
bin=.venv-proto/bin
protos=(proto/llm_observe/v1/*.proto)
services=(proto/llm_observe/v1/*_service.proto)
PATH="$PWD/$bin:$PATH" "$bin/python" -m grpc_tools.protoc -Iproto \
  --python_out="$out" --mypy_out=quiet:"$out" "${protos[@]}"
PATH="$PWD/$bin:$PATH" "$bin/python" -m grpc_tools.protoc -Iproto \
  --grpc_python_out="$out" --mypy_grpc_out=quiet:"$out" "${services[@]}"
touch "$out/llm_observe/v1/__init__.py"
