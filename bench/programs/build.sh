#!/bin/sh
# Builds every program here: X.wasm from X.c. CLANG names the compiler (default: clang); it needs the wasm32 target and wasm-ld.
# With --sums, compiles them for this machine instead and prints the sums that they have to check.
set -eu
cd "$(dirname "$0")"
for source in *.c; do
    name="${source%.c}"
    if [ "${1-}" = --sums ]; then
        "${CLANG:-clang}" -DNATIVE -O1 -fno-math-errno -Wall -Wextra -o "/tmp/$$-$name" "$source" -lm
        printf '%s ' "$name"
        "/tmp/$$-$name"
        rm "/tmp/$$-$name"
    else
        "${CLANG:-clang}" --target=wasm32 -g0 -O2 -nostdlib -ffreestanding -fno-builtin -Wall -Wextra \
            -Wl,--no-entry -Wl,-z,stack-size=65536 -o "$name.wasm" "$source"
    fi
done
