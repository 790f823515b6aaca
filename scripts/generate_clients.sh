#!/usr/bin/env bash
# Writes the generated code of the clients named (node, go, java, cpp, ruby); called by make and by tests.
# OUT=folder writes the TypeScript of `node` there instead. What each needs stands in clients/README.md.
set -euo pipefail
cd "$(dirname "$0")/.."
googleapis=$(.venv/bin/python -c 'import google.rpc, os; print(os.path.abspath(google.rpc.__path__[0] + "/../.."))')
protos=(proto/llm_observe/v1/*.proto)
rpc=("$googleapis/google/rpc/status.proto" "$googleapis/google/rpc/error_details.proto")

node() {
  local out="${OUT:-clients/node/src/gen}"
  local PATH="$PWD/clients/node/node_modules/.bin:$PATH"
  rm -rf "$out"
  .venv/bin/buf generate proto --template clients/node/buf.gen.yaml -o "$out"
  .venv/bin/buf generate "$googleapis" --template clients/node/buf.gen.yaml -o "$out" \
    --path "${rpc[0]}" --path "${rpc[1]}"
}

# The protos name no packages of Go, which is why each file is given one here.
go() {
  source clients/go/env.sh
  local out=clients/go/gen package=llmobserve/gen/llm_observe/v1 options=()
  for proto in "${protos[@]}"; do
    options+=("--go_opt=M${proto#proto/}=$package" "--go-grpc_opt=M${proto#proto/}=$package")
  done
  fresh "$out"
  protoc -Iproto "${options[@]}" --go_out="$out" --go-grpc_out="$out" \
    --go_opt=module=llmobserve/gen --go-grpc_opt=module=llmobserve/gen "${protos[@]}"
}

java() {
  local out=clients/java/gen
  fresh "$out"
  protoc -Iproto --java_out="$out" --grpc-java_out="$out" \
    --plugin=protoc-gen-grpc-java="$(command -v grpc_java_plugin)" "${protos[@]}"
  protoc -I"$googleapis" --java_out="$out" "${rpc[@]}"
}

cpp() {
  local out=clients/cpp/gen
  fresh "$out"
  protoc -Iproto --cpp_out="$out" --grpc_out="$out" \
    --plugin=protoc-gen-grpc="$(command -v grpc_cpp_plugin)" "${protos[@]}"
  protoc -I"$googleapis" --cpp_out="$out" "${rpc[@]}"
}

ruby() {
  local out=clients/ruby/gen
  fresh "$out"
  protoc -Iproto --ruby_out="$out" --grpc_out="$out" \
    --plugin=protoc-gen-grpc="$(command -v grpc_ruby_plugin)" "${protos[@]}"
  protoc -I"$googleapis" --ruby_out="$out" "${rpc[@]}"
}

fresh() {
  rm -rf "$1" && mkdir -p "$1"
}

for client in "$@"; do "$client"; done
