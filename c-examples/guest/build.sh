#!/bin/sh
# Builds warehouse.wasm and program.wasm from their sources. CLANG names the compiler (default: clang); it needs the wasm32 target and
# wasm-ld.
set -eu
cd "$(dirname "$0")"
build() {
    name=$1
    shift
    "${CLANG:-clang}" --target=wasm32 "$@" -O1 -nostdlib -ffreestanding -fno-builtin -Wall -Wextra \
        -ffile-prefix-map="$PWD"=. -fdebug-compilation-dir=. \
        -Wl,--no-entry -Wl,-z,stack-size=65536 -o "$name.wasm" "$name.c"
}
build warehouse -g
build program -gdwarf-5
