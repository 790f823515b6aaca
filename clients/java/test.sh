#!/usr/bin/env bash
# Builds the client and runs its tests against the server at LLM_OBSERVE_ENDPOINT. JARS is a folder with the libraries,
# by default Debian's.
set -euo pipefail
cd "$(dirname "$0")"
jars=${JARS:-/usr/share/java}
libraries=(grpc-{api,context,core,netty,protobuf,protobuf-lite,stub} protobuf guava failureaccess perfmark-{api,impl}
  netty-{buffer,codec,codec-http,codec-http2,codec-socks,common,handler,handler-proxy,resolver,transport}
  netty-transport-native-unix-common geronimo-annotation-1.3-spec)
class_path=build
for library in "${libraries[@]}"; do
  [ ! -e "$jars/$library.jar" ] || class_path+=":$jars/$library.jar"
done
rm -rf build && mkdir build
find gen src test -name '*.java' >build/sources
javac -nowarn -d build -cp "$class_path" @build/sources
java -cp "$class_path" llmobserve.ClientTest
