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
from ._bindings import VERSION, Action, CallStatus, DebugTier, ErrorCode, Events, ExceptionStops, Feature, Profiler, Scope, StopReason, TrapCode, VariableKind, WatchKind
from .call import Call
from .debugger import Attacher, BreakPlace, Breakpoint, BreakpointSet, CoveredBlock, CoveredSide, Debugger, Evaluated, Frame, Locals, Pauser, Server, Stop, StopQueue, Variable, Watchpoint, WatchHit
from .engine import Engine
from .errors import Error, Exit, GuestException, NotYet, Source, Trap, TrapFrame, name_to_show
from .instance import Exports, Instance
from .linker import InstancePre, Linker
from .module import CustomSection, FunctionInfo, Instruction, LinePlace, LineRow, MachineCode, Module, wat2wasm
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

__all__ = [
    "Action", "AnyRef", "ArrayRef", "ArrayType", "Attacher", "BreakPlace", "Breakpoint", "BreakpointSet", "Call", "CallStatus", "Caller", "CoveredBlock", "CoveredSide", "CustomSection", "DebugTier", "Debugger",
    "Engine", "Error", "ErrorCode", "Evaluated", "Events", "ExceptionStops", "Exit", "ExnRef", "ExportType", "Exports", "Extern",
    "ExternRef", "Feature", "FieldType", "Frame", "Func", "FuncType", "FunctionInfo", "Global", "GlobalType", "GuestException",
    "I31Ref", "ImportType", "Instance", "InstancePre", "Instruction", "Interrupt", "LinePlace", "LineRow", "Linker", "Locals", "MachineCode", "Memory", "MemoryType",
    "Module", "NotYet", "Pauser", "Profiler", "Scope", "Server", "SharedMemory", "Source", "Stop", "StopQueue", "StopReason", "Store", "StructRef", "StructType",
    "Table", "TableType", "Tag", "TagType", "Trap", "TrapCode", "TrapFrame", "Variable", "VariableKind", "Wasi", "WatchHit", "WatchKind", "Watchpoint", "f32", "f64", "i32", "i64",
    "matches", "name_to_show", "v128", "wat2wasm",
]
