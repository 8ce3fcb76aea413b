#!/usr/bin/env python3
"""Debugs a guest: `debug.py [MODULE.wasm FUNCTION EXPORT [ARGUMENT...]]`.

Breaks at FUNCTION, calls EXPORT, and shows each stop; missing imports do nothing and return zeros. Without arguments it
shows around in c-examples/guest/warehouse.wasm. In a source tree, run it with PYTHONPATH=python.
"""
import sys
from pathlib import Path

import stepwell
from stepwell import Action

GUEST = Path(__file__).resolve().parent.parent.parent / "c-examples" / "guest" / "warehouse.wasm"
SHOWN = 12  # stops


class Session:
    """Shows the first stops: steps into each breakpoint's function a little, then out of it."""

    def __init__(self):
        self.stops = 0

    def on_stop(self, stop):
        self.stops += 1
        if self.stops <= SHOWN:
            print(stop)
        if stop.reason == stepwell.StopReason.TRAP or self.stops > SHOWN:
            return Action.CONTINUE
        return Action.STEP_OVER if self.stops % 4 else Action.STEP_OUT


def run(engine, module, export, arguments, function=None):
    """Calls an export in a store of its own, debugged if a function to break at is given."""
    session = Session()
    with stepwell.Store(engine) as store:
        instance = stepwell.Instance(store, module, defaults=True)
        if function is not None:
            placed = stepwell.Debugger(store, session.on_stop).break_at_function(module, function)
            print(f"breakpoint {placed.id} in {module.func_name(placed.func_index)} at {placed.offset:#x}")
        try:
            result = instance.exports[export](*arguments)
        except stepwell.Trap as trap:
            result = str(trap)
    if function is not None:
        print(f"{export}{tuple(arguments)} = {result}, after {session.stops} stops\n")
    return result


def main():
    engine = stepwell.Engine(debug=True)
    if len(sys.argv) == 1:
        module = stepwell.Module.from_file(engine, GUEST)
        calls = [("fib", "fib", [6]), ("deliver", "run", [10]), ("divide", "divide", [1, 0])]
    elif len(sys.argv) > 3:
        module = stepwell.Module.from_file(engine, sys.argv[1])
        calls = [(sys.argv[2], sys.argv[3], [int(text) for text in sys.argv[4:]])]
    else:
        sys.exit(__doc__)
    for function, export, arguments in calls:
        debugged = run(engine, module, export, arguments, function)
        plain = run(engine, module, export, arguments)
        if debugged != plain:
            sys.exit(f"{export} gave {plain} without a debugger")
    print("the guest's results were the same with and without a debugger")


if __name__ == "__main__":
    main()
