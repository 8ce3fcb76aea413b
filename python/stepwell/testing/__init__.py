"""Guests to try things with, as bytes: the examples of the documentation need nothing else than this package.

They are copies of what `c-examples/guest` of the sources has, which a test compares.
"""
from __future__ import annotations

from pathlib import Path
from typing import Callable

__all__ = ["guest", "program", "source"]
_HERE = Path(__file__).resolve().parent


def guest() -> bytes:
    """A module in C, with debug information: a warehouse that takes orders. It exports `fib(n)`, `divide(a, b)`,
    `run(orders)`, `price(formula, quantity)` of a text at an address, `formula_address(number)` and `memory`, and imports
    `env.report(order, cost)`, which can be left to `defaults=True`."""
    return (_HERE / "warehouse.wasm").read_bytes()


def program() -> bytes:
    """A WASI program in C, with debug information. Its first argument says what it does: `args` prints its arguments,
    `env` its environment, `echo` copies its input, `cat PATH` prints a file, `write PATH TEXT` makes one, `exit STATUS` ends
    it, `trap` divides by zero, `spin` runs for ever, `fib N` prints a number. Without one it greets."""
    return (_HERE / "program.wasm").read_bytes()


def source(of: Callable[[], bytes] = guest) -> str:
    """The C source of `guest`, or of `program`: the lines that debug information counts."""
    return (_HERE / ("program.c" if of is program else "warehouse.c")).read_text(encoding="utf-8")
