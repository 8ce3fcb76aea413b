#!/bin/sh
# Builds the programs from their sources. WASI_CC names a C compiler for WASI; the default is zig's (pip install ziglang).
set -eu
cd "$(dirname "$0")"
for source in *.c; do
    ${WASI_CC:-python3 -m ziglang cc -target wasm32-wasi} -std=gnu11 -D_GNU_SOURCE -Os -s -Wall -Wextra -Wno-unused-result \
        -o "${source%.c}.wasm" "$source"
done
