#!/usr/bin/env python3
"""Writes what llvm-symbolizer says of each byte of the code of MODULE.wasm to MODULE.positions, for tests/debugger/source.rs to compare with.

    positions.py LLVM-SYMBOLIZER MODULE.wasm...

A line for each address (from the start of the code section's contents) from which on something else is said: the address, and then
`FUNCTION FILE:LINE:COLUMN` of the innermost inlined function first.
"""
import subprocess
import sys
from pathlib import Path, PurePosixPath


def code_size(binary):
    """The size of the code section's contents."""
    def number(at):
        value = shift = 0
        while True:
            value |= (binary[at] & 0x7F) << shift
            shift += 7
            at += 1
            if not binary[at - 1] & 0x80:
                return value, at

    at = 8
    while True:
        section = binary[at]
        size, at = number(at + 1)
        if section == 10:
            return size
        at += size


def place(line):
    path, row, column = line.rsplit(":", 2)
    path = "?" if path == "??" else str(PurePosixPath(path))
    return f"{path}:{row}:{column if row != '0' else 0}"


def positions(symbolizer, module):
    addresses = range(code_size(module.read_bytes()))
    done = subprocess.run(
        [symbolizer, "--functions=short", "--obj", str(module)], input="".join(f"{at:#x}\n" for at in addresses), text=True,
        capture_output=True, check=True)
    last = None
    for address, block in zip(addresses, done.stdout.split("\n\n"), strict=False):
        lines = block.strip("\n").splitlines()
        said = "; ".join(f"{name} {place(at)}" for name, at in zip(lines[::2], lines[1::2], strict=True))
        said = "-" if said == "?? ?:0:0" else said
        if said != last:
            yield f"{address:#x} {said}"
        last = said


for path in map(Path, sys.argv[2:]):
    path.with_suffix(".positions").write_text("\n".join(positions(sys.argv[1], path)) + "\n")
