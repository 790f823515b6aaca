#!/usr/bin/env bash
# Builds the client and runs its tests against the server at LLM_OBSERVE_ENDPOINT. JARS is a folder with the libraries,
# by default Debian's; NETTY_JARS is one whose Netty is taken in place of its, for TLS, but for the codecs of HTTP, which must
# be as old as grpc-java.
set -euo pipefail
cd "$(dirname "$0")"
jars=${JARS:-/usr/share/java}
libraries=(grpc-{api,context,core,netty,protobuf,protobuf-lite,stub} protobuf guava failureaccess perfmark-{api,impl}
  geronimo-annotation-1.3-spec netty-{codec-http,codec-http2})
netty=(netty-{buffer,codec,codec-socks,common,handler,handler-proxy,resolver,transport,transport-native-unix-common})
[ -n "${NETTY_JARS:-}" ] || libraries+=("${netty[@]}")
class_path=build
for library in "${libraries[@]}"; do
  [ ! -e "$jars/$library.jar" ] || class_path+=":$jars/$library.jar"
done
[ -z "${NETTY_JARS:-}" ] || class_path+=$(printf ':%s' "$NETTY_JARS"/netty-*.jar)
rm -rf build && mkdir build
find gen src test -name '*.java' >build/sources
javac -nowarn -d build -cp "$class_path" @build/sources
java -cp "$class_path" llmobserve.ClientTest
