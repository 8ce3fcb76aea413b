"""Stepwell: a WebAssembly engine that can be stopped anywhere.

    import stepwell

    engine = stepwell.Engine(debug=True)
    module = stepwell.Module.from_file(engine, "guest.wasm")

    def on_stop(stop):
        print(stop)
        return stepwell.Action.STEP_OVER

    with stepwell.Store(engine) as store:
        instance = stepwell.Instance(store, module, {"env": {"log": print}})
        debugger = stepwell.Debugger(store, on_stop)
        debugger.break_at_function(module, "fib")
        print(instance.exports.fib(10))

Everything is closed when it is no longer used, or at once by `close()` or `with`, in any order; a store closes all
that is in it.
"""
from enum import Enum

from ._bindings import VERSION, Action, CallStatus, DebugTier, ErrorCode, Events, ExceptionStops, Feature, Profiler, Scope, StopReason, TrapCode, VariableKind, WatchKind
from ._shown import shown
from .call import Blocked, Call
from .debugger import Attacher, BreakPlace, Breakpoint, BreakpointSet, Coverage, CoveredBlock, CoveredSide, Debugger, Evaluated, Frame, Locals, Pauser, Server, Stop, StopQueue, Variable, Watchpoint, WatchHit
from .engine import Engine
from .errors import Error, Exit, GuestException, NotYet, Source, TimedOut, Trap, TrapFrame, name_to_show
from .instance import Exports, Instance
from .linker import InstancePre, Linker
from .module import CustomSection, FunctionInfo, Instruction, LinePlace, LineRow, MachineCode, Module, wat2wasm
from .prompt import Quit
from .session import Session
from .store import Interrupt, Store
from .types import (
    ArrayType, ExportType, FieldType, FuncType, GlobalType, ImportType, MemoryType, StructType, TableType, TagType, f32,
    f64, i32, i64, matches, v128,
)
from .values import (
    AnyRef, ArrayRef, Caller, ExnRef, Extern, ExternRef, Func, Global, I31Ref, Memory, SharedMemory, StructRef, Table,
    Tag,
)
from .wasi import Wasi

__version__ = ".".join(str(part) for part in VERSION)

for _shown in (Action, CallStatus, DebugTier, ErrorCode, Events, ExceptionStops, Feature, Profiler, Scope, StopReason, TrapCode, VariableKind, WatchKind):
    _shown.__module__ = __name__

for _kind in list(globals().values()):
    if isinstance(_kind, type) and _kind.__module__.startswith(__name__) and not issubclass(_kind, Enum):
        shown(_kind)

__all__ = [
    "Action", "AnyRef", "ArrayRef", "ArrayType", "Attacher", "Blocked", "BreakPlace", "Breakpoint", "BreakpointSet", "Call", "CallStatus", "Caller", "Coverage", "CoveredBlock", "CoveredSide", "CustomSection", "DebugTier", "Debugger",
    "Engine", "Error", "ErrorCode", "Evaluated", "Events", "ExceptionStops", "Exit", "ExnRef", "ExportType", "Exports", "Extern",
    "ExternRef", "Feature", "FieldType", "Frame", "Func", "FuncType", "FunctionInfo", "Global", "GlobalType", "GuestException",
    "I31Ref", "ImportType", "Instance", "InstancePre", "Instruction", "Interrupt", "LinePlace", "LineRow", "Linker", "Locals", "MachineCode", "Memory", "MemoryType",
    "Module", "NotYet", "Pauser", "Profiler", "Quit", "Scope", "Server", "Session", "SharedMemory", "Source", "Stop", "StopQueue", "StopReason", "Store", "StructRef", "StructType",
    "Table", "TableType", "Tag", "TagType", "TimedOut", "Trap", "TrapCode", "TrapFrame", "Variable", "VariableKind", "Wasi", "WatchHit", "WatchKind", "Watchpoint", "f32", "f64", "i32", "i64",
    "matches", "name_to_show", "v128", "wat2wasm",
]
