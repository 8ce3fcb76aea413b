#!/bin/sh
# Builds warehouse.wasm from warehouse.c. CLANG names the compiler (default: clang); it needs the wasm32 target and wasm-ld.
set -eu
cd "$(dirname "$0")"
"${CLANG:-clang}" --target=wasm32 -g -O1 -nostdlib -ffreestanding -fno-builtin -Wall -Wextra \
    -ffile-prefix-map="$PWD"=. -fdebug-compilation-dir=. \
    -Wl,--no-entry -Wl,-z,stack-size=65536 -o warehouse.wasm warehouse.c
