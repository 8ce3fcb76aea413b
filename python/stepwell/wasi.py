"""WASI preview 1: what programs get of the host."""
from __future__ import annotations

import io
import os
from ctypes import byref, c_char, c_char_p, memmove
from operator import index
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Mapping, Optional, Protocol, Sequence, Tuple, Union

from . import _bindings as c
from . import _calls
from .errors import bytes_at, check, not_null

if TYPE_CHECKING:
    from .module import Module
    from .store import Store

Path = Union[str, "os.PathLike[str]"]


class Writer(Protocol):
    """A binary file, or what writes like one."""

    def write(self, data: bytes, /) -> Any:
        """Takes bytes."""


class Reader(Protocol):
    """A binary file, or what reads like one."""

    def read(self, size: int, /) -> Optional[bytes]:
        """At most `size` bytes; none at the end."""


Input = Union[None, str, bytes, bytearray, memoryview, Reader, Callable[[int], bytes]]
Output = Union[None, str, bytearray, Writer, Callable[[bytes], Any]]


class _Stream:
    """Where the writes to a stream go, or its reads come from. Kept by the store."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.function = function
        self.number = _calls.register(self)


def _most(name: str, most: Optional[int]) -> Optional[int]:
    """A bound that a C function takes, if one is given."""
    most = None if most is None else index(most)
    if most is not None and not 0 <= most < 1 << 32:
        raise ValueError(f"{name} is from 0 to 2**32 - 1, not {most}")
    return most


class Wasi:
    """What programs get of the host. It can be used for any number of stores, each of which starts afresh.

    - `args`: the arguments, the program's name first.
    - `env`: the environment, a dict of strings; `"inherit"` is that of this process.
    - `dirs`: directories to look at: the guest's name of each to the host's path. `{".": path}` is where relative paths start.
    - `writable_dirs`: the same, to change as well. No path and no symbolic link leads a program out of a directory.
    - `stdin`: bytes to read; a binary file, or a callable that gets how many bytes are wanted at most and returns some, none at the
      end; `"inherit"` is that of this process.
    - `stdout`, `stderr`: where writes go: a callable, which gets bytes; a bytearray, which they are added to; a binary file, whose
      `write` is called; or `"inherit"`, which is that of this process. What a callable raises ends the program, and is raised by the
      call that runs it.
    - `max_descriptors`: how many a program has at most at once. 1024 by default.
    - `max_threads`: how many threads a program may begin, at most at once, by `thread-spawn` of wasi-threads. None by default. All end
      with one that traps or exits, and with the store.

    What is not given is nothing: no arguments, no environment, no directory, an empty input, outputs that swallow everything.
    """

    def __init__(
            self, args: Sequence[str] = (), env: Union[Mapping[str, str], str] = {}, *, dirs: Mapping[str, Path] = {},
            writable_dirs: Mapping[str, Path] = {}, stdin: Input = None,
            stdout: Output = None, stderr: Output = None, max_descriptors: Optional[int] = None,
            max_threads: Optional[int] = None) -> None:
        if isinstance(args, (str, bytes)):
            raise TypeError("args is a sequence of strings, the program's name first")
        self.args = [_c_bytes(arg, f"args[{i}]") for i, arg in enumerate(args)]
        self.env: Optional[List[Tuple[bytes, bytes]]] = None
        if isinstance(env, str):
            if env != "inherit":
                raise ValueError(f"env is a dict of strings or \"inherit\", not {env!r}")
        else:
            self.env = [(_c_bytes(name, "a name of env"), _c_bytes(value, f"env[{name!r}]")) for name, value in env.items()]
        self.dirs = [
            (_c_bytes(host, f"the path of {guest!r}"), _c_bytes(guest, "a name of a directory"), writable)
            for given, writable in ((dirs, False), (writable_dirs, True)) for guest, host in given.items()
        ]
        self.stdin = _input(stdin)
        self.max_descriptors = _most("max_descriptors", max_descriptors)
        self.max_threads = _most("max_threads", max_threads)
        self.stdout = _output(stdout, "stdout")
        self.stderr = _output(stderr, "stderr")

    def __repr__(self) -> str:
        notes = [f"args={[os.fsdecode(arg) for arg in self.args]}"] * bool(self.args)
        if self.env is None:
            notes.append("env='inherit'")
        elif self.env:
            notes.append(f"env of {', '.join(repr(os.fsdecode(name)) for name, _ in self.env)}")  # the values may be secrets
        for what, writable in (("dirs", False), ("writable_dirs", True)):
            dirs = {os.fsdecode(guest): os.fsdecode(host) for host, guest, kind in self.dirs if kind == writable}
            notes += [f"{what}={dirs}"] * bool(dirs)
        for what in ("stdin", "stdout", "stderr"):
            given = getattr(self, what)
            notes += [f"{what}={given!r}" if isinstance(given, str) else what] * (given is not None)
        return f"<Wasi {', '.join(notes) or 'with nothing'}>"

    def run(self, module: Module, store: Optional[Store] = None) -> int:
        """Runs a program, in a store of its own if none is given: its exit status. A trap is raised."""
        from .linker import Linker
        from .store import Store
        if store is None:
            with Store(module.engine) as own:
                return self.run(module, own)
        with Linker(module.engine) as linker:
            linker.define_wasi(store, self)
            return linker.instantiate(store, module).run()

    def _config(self) -> Tuple[Any, List[_Stream]]:
        """A configuration, owned, and what it calls."""
        config = not_null(c.stepwell_wasi_config_new(), "stepwell_wasi_config_new")
        outputs: List[_Stream] = []
        try:
            check(c.stepwell_wasi_config_args_set(config, len(self.args), _c_strings(self.args)))
            if self.env is None:
                c.stepwell_wasi_config_env_inherit(config)
            else:
                names, values = [name for name, _ in self.env], [value for _, value in self.env]
                check(c.stepwell_wasi_config_env_set(config, len(names), _c_strings(names), _c_strings(values)))
            if self.max_descriptors is not None:
                c.stepwell_wasi_config_max_descriptors_set(config, self.max_descriptors)
            if self.max_threads is not None:
                c.stepwell_wasi_config_max_threads_set(config, self.max_threads)
            for host, guest, writable in self.dirs:
                check(c.stepwell_wasi_config_preopen_dir(config, host, guest, writable))
            if isinstance(self.stdin, str):
                c.stepwell_wasi_config_stdin_inherit(config)
            elif callable(self.stdin):
                outputs.append(_Stream(self.stdin))
                check(c.stepwell_wasi_config_stdin_guarded_set(config, _read, outputs[-1].number, _calls.no_finalizer))
            elif self.stdin is not None:
                vec = c.wasm_byte_vec_t(len(self.stdin), (c_char * len(self.stdin)).from_buffer_copy(self.stdin))
                check(c.stepwell_wasi_config_stdin_bytes_set(config, byref(vec)))
            for output, inherit, callback_set in (
                    (self.stdout, c.stepwell_wasi_config_stdout_inherit, c.stepwell_wasi_config_stdout_callback_set),
                    (self.stderr, c.stepwell_wasi_config_stderr_inherit, c.stepwell_wasi_config_stderr_callback_set)):
                if isinstance(output, str):
                    inherit(config)
                elif output is not None:
                    outputs.append(_Stream(output))
                    check(callback_set(config, _write, outputs[-1].number, _calls.no_finalizer))
        except BaseException:
            c.stepwell_wasi_config_delete(config)
            raise
        return config, outputs


def _c_bytes(text: Any, what: str) -> bytes:
    """A string as C takes it."""
    try:
        data = os.fsencode(text)
    except TypeError:
        raise TypeError(f"{what} is a string, not {text!r}") from None
    if b"\0" in data:
        raise ValueError(f"{what} has a NUL inside: {text!r}")
    return data


def _c_strings(strings: List[bytes]) -> Any:
    return (c_char_p * len(strings))(*strings)


def _input(given: Input) -> Union[None, str, bytes, Callable[[int], Any]]:
    """What is called for each read, or the bytes, or "inherit", or None."""
    if given is None or isinstance(given, str) and given == "inherit":
        return given
    if isinstance(given, (bytes, bytearray, memoryview)):
        return bytes(given)
    if isinstance(given, (str, io.TextIOBase)):
        raise TypeError("stdin is bytes: encode a str, and give the `buffer` of a text file")
    read = getattr(given, "read", given)
    if not callable(read):
        raise TypeError(f"stdin is bytes, a binary file, a callable or \"inherit\", not {given!r}")
    return read


def _output(output: Output, what: str) -> Union[None, str, Callable[[bytes], Any]]:
    """What is called for each write, or "inherit", or None."""
    if output is None or isinstance(output, str) and output == "inherit":
        return output
    if isinstance(output, bytearray):
        return output.extend
    if isinstance(output, io.TextIOBase):
        raise TypeError(f"{what} gets bytes: give a binary file, for instance the `buffer` of a text file")
    write = getattr(output, "write", output)
    if not callable(write):
        raise TypeError(f"{what} is \"inherit\", a callable, a bytearray or a binary file, not {output!r}")
    return write


def _call_write(env: int, data: Any, size: int) -> None:
    """What C calls for every write."""
    try:
        _calls.owner_of(env).function(bytes_at(data, size))
    except BaseException as exception:
        _calls.stash(exception)
        _calls.end_guest()


def _call_read(env: int, data: Any, size: int, outcome: Any) -> None:
    """What C calls for every read of a program's."""
    try:
        given = bytes(_calls.owner_of(env).function(size) or b"")
        if len(given) > size:
            raise ValueError(f"stdin gave {len(given)} bytes where at most {size} were wanted")
        memmove(data, given, len(given))
        outcome[0].value = len(given)
        outcome[0].done = 1
    except BaseException as exception:
        _calls.stash(exception)
        _calls.end_guest()


_read = _calls.callback(c.stepwell_guarded_input_callback_t, _call_read)
_write = _calls.callback(c.stepwell_wasi_output_callback_t, _call_write)
