"""Engines: what compiles modules and is shared by stores."""
from __future__ import annotations

import os
from ctypes import POINTER, byref
from typing import Mapping, Optional, Tuple, Union

from . import _bindings as c
from ._bindings import DebugTier, Feature, Profiler
from ._managed import Managed
from .errors import c_string, check, path_bytes

DebugTier.__doc__ = """What debug code is like: what debugging costs, not what can be seen.

`REGIONS`, the default, stores state where regions begin that can be run again; `SIMPLE` stores it at every instruction, and is slower."""

Feature.__doc__ = "A proposal to WebAssembly 1.0 that can be switched off; `LEGACY_EXCEPTIONS` and `CUSTOM_PAGE_SIZES` are off at first."
Profiler.__doc__ = "Which profilers are told where machine code is."


class Engine(Managed):
    """Compiles modules, and is shared by stores; any thread may use it.

    - `debug`: its stores may have a debugger attached. Costs a store without one nothing. Off by default.
    - `debug_tier`: what debug code is like, a `DebugTier`. `DebugTier.REGIONS` by default.
    - `debug_eagerly`: the debug code of modules is compiled with them, not when a debugger first needs it. Off by default.
    - `rerun_cache`: bytes of rerun code kept for debuggers. 64 MiB by default.
    - `nan_canonicalization`: all NaNs that arithmetic yields are the same. Off by default.
    - `relaxed_simd_deterministic`: relaxed vector instructions give the same on all machines, as the specification's deterministic
      profile says; else what costs this one least. Off by default.
    - `signals`: traps are found by signals, which makes guests faster. On by default.
    - `memory_reservation`, `memory_guard`: bytes of address space for each memory, and behind it.
    - `memory_images`: memories map their module's data and copy the pages that they write. On by default.
    - `kept_memories`: of how many memories that are gone the address space is kept, at most; see `trim`. 1,000 by default.
    - `max_stack`: bytes of stack that guests may use.
    - `stop_reserve`: bytes of stack kept free below that for host functions, stop callbacks, and what is compiled at a stop.
    - `parallel`: modules are compiled on several threads. On by default.
    - `optimize`: compiled code is optimised for speed. On by default.
    - `copied_code`: code is kept in anonymous memory, as on systems without `memfd_create`. Off by default.
    - `cache`: a folder where compiled modules are kept, and found instead of compiled again, by this process and others: a path, or a path
      and the most bytes of its files (1 GiB, if it is not said). A folder that others may write to is not used. None by default.
    - `processor`: what code is compiled for, where that is not this machine: levels and features, as "x86-64-v3 popcnt". Modules that
      need what this machine lacks can be serialized, and neither loaded nor instantiated.
    - `fuel`: guests count what they run, and trap when they have used up `Store.fuel`. Off by default.
    - `fuel_slices`: guests that a `Call` runs can wait where a slice of fuel ends: `Call.run_slice`, `func.call_async(..., slice=...)`. Needs
      `fuel`. Off by default.
    - `kept_stacks`: of how many calls that are done the stacks are kept for the next, at most. 128 by default.
    - `epoch`: guests can be ended from other threads, by `Interrupt`, and by deadlines, `Store.set_epoch_deadline`. On by default: so
      Ctrl-C and other signals reach guests that compute. Code that others have serialized is mostly without.
    - `features`: which proposals modules may use, {`Feature`: bool}; those that are not named may be used, but for
      `LEGACY_EXCEPTIONS` and `CUSTOM_PAGE_SIZES`.
    - `profiler`: which profilers are told where machine code is, a `Profiler`. None by default.
    - `native_debug_info`: gdb and lldb are told where machine code is, and how to unwind its frames. Off by default.
    """

    _delete = c.wasm_engine_delete

    def __init__(
            self, *, debug: Optional[bool] = None, debug_tier: Optional[int] = None, rerun_cache: Optional[int] = None,
            nan_canonicalization: Optional[bool] = None, relaxed_simd_deterministic: Optional[bool] = None,
            signals: Optional[bool] = None,
            memory_reservation: Optional[int] = None, memory_guard: Optional[int] = None,
            memory_images: Optional[bool] = None, kept_memories: Optional[int] = None, max_stack: Optional[int] = None,
            stop_reserve: Optional[int] = None, parallel: Optional[bool] = None, optimize: Optional[bool] = None,
            copied_code: Optional[bool] = None, fuel: Optional[bool] = None, epoch: Optional[bool] = None,
            debug_eagerly: Optional[bool] = None, fuel_slices: Optional[bool] = None, kept_stacks: Optional[int] = None,
            features: Optional[Mapping[int, bool]] = None, profiler: Optional[int] = None,
            native_debug_info: Optional[bool] = None,
            cache: Union[None, str, os.PathLike[str], Tuple[Union[str, os.PathLike[str]], int]] = None,
            processor: Optional[str] = None) -> None:
        if epoch is None:
            epoch = True
        settings = {
            name: value for name, value in locals().items() if name not in ("self", "features", "cache", "processor") and value is not None}
        config = c.wasm_config_new()
        try:
            for name, value in settings.items():
                check(getattr(c, f"stepwell_config_{name}_set")(config, value))
            if cache is not None:
                folder, most = cache if isinstance(cache, tuple) else (cache, 1 << 30)
                check(c.stepwell_config_cache_set(config, path_bytes(folder), most))
            if processor is not None:
                check(c.stepwell_config_processor_set(config, c_string(processor)))
            for feature, on in (features or {}).items():
                check(c.stepwell_config_feature_set(config, feature, on))
        except BaseException:
            c.wasm_config_delete(config)
            raise
        out = POINTER(c.wasm_engine_t)()
        check(c.stepwell_engine_new(config, byref(out)))
        self._own(out)
        self._epoch = bool(epoch)
        if epoch:
            del settings["epoch"]  # as at first
        self._settings = {**settings, **({"features": dict(features)} if features else {})}

    def _about(self) -> str:
        return " ".join(f"{name}={getattr(value, 'name', value)}" for name, value in self._settings.items())

    def trim(self) -> None:
        """Lets go of what is kept for instances to come: the address space of memories that are gone."""
        c.stepwell_engine_trim(self._handle)

    def increment_epoch(self) -> None:
        """Makes the engine's epoch one more. Guests whose deadline has come trap with `TrapCode.INTERRUPT` when they next begin a
        function or a turn of a loop. Usually a thread does this at regular times."""
        c.stepwell_engine_epoch_increment(self._handle)
