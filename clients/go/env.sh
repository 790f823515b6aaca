# Sourced by the other scripts: finds Go and its libraries in .toolchain, where toolchain.sh has put them there.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
if [ -d "$here/.toolchain" ]; then
  mkdir -p "$here/.toolchain/path/src" && ln -sfn "$here" "$here/.toolchain/path/src/llmobserve"
  export PATH="$here/.toolchain/go/bin:$here/.toolchain/debian/usr/bin:$PATH"
  export GO111MODULE=off GOPATH="$here/.toolchain/path:$here/.toolchain/debian/usr/share/gocode"
  export GOCACHE="$here/.toolchain/cache" GOTOOLCHAIN=local GOFLAGS="" CGO_ENABLED=0
fi
