#!/usr/bin/env bash
# Builds the client and runs its tests against the server at LLM_OBSERVE_ENDPOINT. JARS is a folder with the libraries,
# by default Debian's; NETTY_JARS is one whose Netty is taken in place of its, for TLS.
set -euo pipefail
cd "$(dirname "$0")"
jars=${JARS:-/usr/share/java}
libraries=(grpc-{api,context,core,netty,protobuf,protobuf-lite,stub} protobuf guava failureaccess perfmark-{api,impl}
  geronimo-annotation-1.3-spec)
class_path=build
if [ -n "${NETTY_JARS:-}" ]; then
  class_path+=$(printf ':%s' "$NETTY_JARS"/netty-*.jar)
else
  libraries+=(netty-{buffer,codec,codec-http,codec-http2,codec-socks,common,handler,handler-proxy,resolver,transport}
    netty-transport-native-unix-common)
fi
for library in "${libraries[@]}"; do
  [ ! -e "$jars/$library.jar" ] || class_path+=":$jars/$library.jar"
done
rm -rf build && mkdir build
find gen src test -name '*.java' >build/sources
javac -nowarn -d build -cp "$class_path" @build/sources
java -cp "$class_path" llmobserve.ClientTest
