#!/bin/sh
# Builds every program here: X.wasm from X.c. CLANG names the compiler (default: clang); it needs the wasm32 target and wasm-ld.
# With --sums, compiles them for this machine instead and prints the sums that they have to check.
set -eu
cd "$(dirname "$0")"
for source in *.c; do
    name="${source%.c}"
    if [ "${1-}" = --sums ]; then
        "${CLANG:-clang}" -DNATIVE -O1 -ffp-contract=off -fno-math-errno -Wall -Wextra -o "/tmp/$$-$name" "$source" -lm
        printf '%s ' "$name"
        "/tmp/$$-$name"
        rm "/tmp/$$-$name"
    else
        case "$name" in simd_*) vectors=-msimd128 ;; *) vectors=-mno-simd128 ;; esac
        "${CLANG:-clang}" --target=wasm32 "$vectors" -g0 -O2 -nostdlib -ffreestanding -fno-builtin -Wall -Wextra \
            -Wl,--no-entry -Wl,-z,stack-size=65536 -o "$name.wasm" "$source"
    fi
done
