"""Modules: compiled once, instantiated in any store of their engine."""
from __future__ import annotations

import os
import sys
import threading
from ctypes import POINTER, byref, c_char, c_char_p, c_size_t, c_uint32
from functools import cached_property
from typing import Any, Callable, Iterator, List, NamedTuple, Optional, Union

from . import _bindings as c
from . import _calls
from ._bindings import ErrorCode
from ._managed import Managed
from .engine import Engine
from .errors import Error, Source, bytes_at, c_string, check, name_from, name_to_show, not_null, path_bytes, source_of, sources_from, take_bytes, text_from
from .types import ExportType, ImportType, externtype_from

Bytes = Union[bytes, bytearray, memoryview]
Path = Union[str, "os.PathLike[str]"]
_making_views = threading.RLock()


def _after_fork() -> None:
    """Who had the lock is not in the child."""
    global _making_views
    _making_views = threading.RLock()


os.register_at_fork(after_in_child=_after_fork)


def _text(name: Any) -> str:
    name = name.contents
    return str(name.data[:name.size].decode("utf-8")) if name.size else ""


class CustomSection(NamedTuple):
    """A custom section of a module."""

    name: str
    data: bytes


class LinePlace(NamedTuple):
    """A place at which a line of the source has code: its instruction's offset in the module."""

    offset: int
    source: Source
    is_inlined: bool


class LineRow(NamedTuple):
    """A row of a module's line table: from its offset on, up to the next row's, instructions are of this line."""

    offset: int
    file: Optional[str]
    line: int
    column: int
    is_statement: bool
    is_prologue_end: bool
    is_end: bool


class FunctionInfo(NamedTuple):
    """A function of a module: its names, where it is declared, and its body and first instruction as offsets in the module."""

    index: int  # type: ignore[assignment]
    name: Optional[str]
    linkage_name: Optional[str]
    file: Optional[str]
    line: Optional[int]
    begin: int
    end: int
    entry: int


class Instruction(NamedTuple):
    """An instruction: its offset in the module, its size, and what the text format calls it."""

    offset: int
    size: int
    text: str

    def __str__(self) -> str:
        return self.text


class MachineCode(NamedTuple):
    """A piece of a function's machine code: an instruction of the machine, or, in a library that was built without the feature
    `disassembler`, all that follows each other and is of the same instruction of WebAssembly.

    `offset`: in the text that all functions of the module share. `bytes`: its bytes. `text`: the instruction, `(data)` for what is none; None
    without the feature. `module_offset`: the instruction of WebAssembly that it belongs to, or None where that is not known.
    """

    offset: int
    bytes: bytes
    text: Optional[str]
    module_offset: Optional[int]


def _optional(text: Optional[bytes]) -> Optional[str]:
    return None if text is None else text_from(text)


def rows_of(kind: Any, get: Any) -> Any:
    """All rows that `get(array, capacity)` has."""
    rows = (kind * get(None, 0))()
    written = get(rows, len(rows)) if len(rows) else 0
    return rows[:written]


def _byte_vec(data: Bytes) -> Any:
    """Bytes as C takes them."""
    try:
        data = memoryview(data).tobytes()
    except TypeError:
        raise TypeError(f"bytes are wanted, or another buffer, not {type(data).__name__}") from None
    return c.wasm_byte_vec_t(len(data), (c_char * len(data)).from_buffer_copy(data))


def exports_of(handle: Any) -> List[ExportType]:
    """What the module behind a handle exports."""
    vec = c.wasm_exporttype_vec_t()
    c.wasm_module_exports(handle, byref(vec))
    try:
        return [
            ExportType(_text(c.wasm_exporttype_name(item)), externtype_from(c.wasm_exporttype_type(item)))
            for item in (vec.data[i] for i in range(vec.size))
        ]
    finally:
        c.wasm_exporttype_vec_delete(byref(vec))


def wat2wasm(text: Union[str, bytes, bytearray, memoryview]) -> bytes:
    """The binary of a module in the text format, for `Module`. An `Error` says at which line and column the text is wrong. What is a binary
    already is given back."""
    data = text.encode("utf-8") if isinstance(text, str) else bytes(text)
    out = c.wasm_byte_vec_t()
    check(c.stepwell_wat2wasm(data, len(data), byref(out)))
    return take_bytes(out)


class ModuleHandle(Managed):
    """A module in one store."""

    _delete = c.wasm_module_delete

    def __init__(self, store_ptr: Any, module: Module) -> None:
        self._own(not_null(c.wasm_module_obtain(store_ptr, module._handle), "wasm_module_obtain"))


def _binary_of_text(text: Union[str, bytes]) -> bytes:
    """The binary of a module in the text format."""
    convert = getattr(sys.modules[__package__], "wat2wasm", None)
    if convert is None:
        raise Error(
            "this version of stepwell does not read the text format: translate it (by wat2wasm of WABT, or `wasm-tools parse`), and give "
            "the bytes", ErrorCode.UNSUPPORTED)
    return bytes(convert(text))


def _binary_of_file(path: Path) -> bytes:
    """What is in a file, which has the text format if it says so by its name and is no binary."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except (OSError, ValueError):
        if isinstance(path, str) and path.lstrip().startswith(("(module", "(;", ";;")):
            raise TypeError("a str is the path of a file; give a module in the text format as Module(engine, wat=text)") from None
        raise
    is_text = os.fspath(path).endswith(".wat") and not data.startswith(b"\0asm")
    return _binary_of_text(data.decode("utf-8")) if is_text else data


class Module(Managed):
    """A compiled module. It can be instantiated in every store of its engine, on any thread."""

    _delete = c.wasm_shared_module_delete
    _asked: Optional[ModuleHandle] = None

    def __init__(
            self, engine: Engine, binary: Union[Bytes, Path, None] = None, *, wat: Optional[str] = None,
            split_dwarf: Optional[Bytes] = None) -> None:
        """Validates and compiles a Wasm module: its bytes; or the file at a path, a `str` or an `os.PathLike`; or, as `wat`, a module in the
        text format. A file whose name ends with `.wat` has the text format. `split_dwarf` is as for `add_split_dwarf`."""
        if (binary is None) == (wat is None):
            raise TypeError("a module is made of bytes or a path, or of a text: Module(engine, wat=text)")
        if wat is not None:
            if not isinstance(wat, str):
                raise TypeError(f"wat is a str, the text of a module, not {type(wat).__name__}")
            data: Any = _binary_of_text(wat)
        elif isinstance(binary, (str, os.PathLike)):
            data = _binary_of_file(binary)
        else:
            data = binary
        out = POINTER(c.wasm_shared_module_t)()
        check(c.stepwell_shared_module_new(engine._handle, byref(_byte_vec(data)), byref(out)))
        self._own(out)
        self._engine = engine
        if split_dwarf is not None:
            self.add_split_dwarf(split_dwarf)

    @classmethod
    def from_file(cls, engine: Engine, path: Path, *, split_dwarf: Optional[Bytes] = None) -> Module:
        """The same as `Module(engine, path)`."""
        return cls(engine, _binary_of_file(path), split_dwarf=split_dwarf)

    @classmethod
    def from_wat(cls, engine: Engine, text: str, *, split_dwarf: Optional[Bytes] = None) -> Module:
        """The same as `Module(engine, wat=text)`."""
        return cls(engine, wat=text, split_dwarf=split_dwarf)

    @property
    def engine(self) -> Engine:
        """Its engine."""
        return self._engine

    @property
    def _view(self) -> ModuleHandle:
        """A handle to ask questions by, in a store of its own that stays empty. There is one: of two that threads make at once, one would go
        while it is in use."""
        view = self._asked
        if view is None:
            self._handle
            with _making_views:
                view = self._asked
                if view is None:
                    store = not_null(c.wasm_store_new(self._engine._handle), "wasm_store_new")
                    try:
                        view = self._asked = ModuleHandle(store, self)
                    finally:
                        c.wasm_store_delete(store)
        return view

    @cached_property
    def imports(self) -> List[ImportType]:
        """What it imports: a list of `ImportType`, in the module's order."""
        vec = c.wasm_importtype_vec_t()
        c.wasm_module_imports(self._view._handle, byref(vec))
        try:
            return [
                ImportType(_text(c.wasm_importtype_module(item)), _text(c.wasm_importtype_name(item)),
                           externtype_from(c.wasm_importtype_type(item)))
                for item in (vec.data[i] for i in range(vec.size))
            ]
        finally:
            c.wasm_importtype_vec_delete(byref(vec))

    @cached_property
    def exports(self) -> List[ExportType]:
        """What it exports: a list of `ExportType`, in the module's order."""
        return exports_of(self._view._handle)

    @property
    def name(self) -> Optional[str]:
        """Its name, or None."""
        return name_from(c.stepwell_module_name, self._view._handle)

    @property
    def func_count(self) -> int:
        """How many functions it has, imports counted."""
        return int(c.stepwell_module_func_count(self._view._handle))

    def func_name(self, index: int) -> Optional[str]:
        """The name of a function by its index, imports counted, or None."""
        return name_from(c.stepwell_module_func_name, self._view._handle, index)

    def func_index(self, name: str) -> Optional[int]:
        """The index of the function of this name, an export's or one of the name section, or None."""
        index = c_uint32()
        found = c.stepwell_module_func_find(self._view._handle, c_string(name), byref(index))
        return index.value if found else None

    def source(self, offset: int) -> List[Source]:
        """Where the instruction at this byte offset is in the source: the place itself, and then those that it was inlined into;
        empty where the module's DWARF, if it has any, does not say."""
        return sources_from(c.stepwell_module_source_count, c.stepwell_module_source, self._view._handle, offset)

    def find_source(self, file: str, line: int) -> List[int]:
        """The byte offsets at which the code of a line of the source begins, ascending: all places that it has code at. `file` is a path
        as the compiler knew it, or the end of one. Without code for the line, the next line of the file that has some is meant:
        `source_line` says which."""
        handle, name, offset = self._view._handle, c_string(file), c_size_t()
        found: List[int] = []
        if not 0 <= line < 1 << 32:
            raise ValueError(f"{line} is no line")
        while c.stepwell_module_source_find(handle, name, line, len(found), byref(offset)):
            found.append(offset.value)
        return found

    def source_line(self, file: str, line: int) -> Optional[int]:
        """The first line of the source from this one on that has code, or None."""
        if not 0 <= line < 1 << 32:
            raise ValueError(f"{line} is no line")
        return c.stepwell_module_source_line(self._view._handle, c_string(file), line) or None

    def line_places(self, file: str, line: int, column: int = 0) -> List[LinePlace]:
        """Every place at which a line of the source has code, ascending: with its function, and whether that is inlined. Without code for
        the line, the next one that has some is meant. With a column, only what begins there."""
        if not (0 <= line < 1 << 32 and 0 <= column < 1 << 32):
            raise ValueError(f"{line}:{column} is no place")
        handle, name = self._view._handle, c_string(file)
        rows = rows_of(c.stepwell_line_place_t, lambda out, room: c.stepwell_module_line_places(handle, name, line, column, out, room))
        return [LinePlace(row.offset, source_of(row.source), row.is_inlined) for row in rows]

    @property
    def source_files(self) -> List[str]:
        """The files of its source that have code, in the order of their paths."""
        handle = self._view._handle
        rows = rows_of(c_char_p, lambda out, room: c.stepwell_module_source_files(handle, out, room))
        return [text_from(path) for path in rows]

    @property
    def line_table(self) -> List[LineRow]:
        """The line table of its DWARF, sequence by sequence, each ascending."""
        handle = self._view._handle
        rows = rows_of(c.stepwell_line_t, lambda out, room: c.stepwell_module_line_table(handle, out, room))
        return [
            LineRow(row.offset, _optional(row.file), row.line, row.column, row.is_statement, row.is_prologue_end, row.is_end) for row in rows]

    @property
    def code_start(self) -> int:
        """Where the contents of its code section begin, from which DWARF counts addresses of code; 0 without one."""
        return int(c.stepwell_module_code_start(self._view._handle))

    def functions(self, first: int = 0, count: Optional[int] = None) -> List[FunctionInfo]:
        """Functions by their indices, imports counted, from `first` on: names, code, and where they are declared."""
        if first < 0 or (count is not None and count < 0):
            raise ValueError("functions are counted from 0")
        rest = max(self.func_count - first, 0)
        rows = (c.stepwell_function_t * (rest if count is None else min(rest, count)))()
        written = c.stepwell_module_functions(self._view._handle, first, rows, len(rows)) if len(rows) else 0
        return [
            FunctionInfo(row.index, _optional(row.name), _optional(row.linkage_name), _optional(row.file), row.line or None,
                         row.begin, row.end, row.entry) for row in rows[:written]]

    def instructions(self, func_index: int, offset: int = 0, count: Optional[int] = None) -> Iterator[Instruction]:
        """Instructions of a function that it defines, from the first one at `offset` or behind it on, at most `count`, fetched as the
        iterator goes on."""
        if not 0 <= func_index < 1 << 32 or offset < 0 or (count is not None and count < 0):
            raise ValueError("indices, offsets and counts are not negative")
        return self._instructions(func_index, offset, count)

    def _instructions(self, func_index: int, offset: int, left: Optional[int]) -> Iterator[Instruction]:
        page, written = (c.stepwell_instruction_t * 64)(), c_size_t()
        while left is None or left > 0:
            room = len(page) if left is None else min(left, len(page))
            check(c.stepwell_module_instructions(self._view._handle, func_index, offset, page, room, byref(written)))
            got = [
                Instruction(row.offset, row.size, take_bytes(row.text)[:-1].decode("utf-8", "replace")) for row in page[:written.value]]
            yield from got
            if len(got) < room:
                return
            offset = got[-1].offset + got[-1].size
            left = None if left is None else left - room

    def machine_code(self, func_index: int, debug: bool = False) -> List[MachineCode]:
        """The machine code of a function that it defines: that of production, or of debug code, which is compiled where it is not there
        yet."""
        if not 0 <= func_index < 1 << 32:
            raise ValueError("indices are not negative")
        page, written = (c.stepwell_machine_code_t * 256)(), c_size_t()
        found: List[MachineCode] = []
        while True:
            offset = found[-1].offset + 1 if found else 0
            check(c.stepwell_module_machine_code(self._view._handle, func_index, debug, offset, page, len(page), byref(written)))
            for row in page[:written.value]:
                data, text = take_bytes(row.bytes), take_bytes(row.text)
                known = row.module_offset if row.module_offset != c_size_t(-1).value else None
                found.append(MachineCode(row.offset, data, text[:-1].decode() if text else None, known))
            if written.value < len(page):
                return found

    def add_split_dwarf(self, file: Bytes) -> None:
        """Gives it the bytes of a file of its split DWARF (`-gsplit-dwarf`): a package (`.dwp`), or what was written for one unit
        (`.dwo`). Functions' names and what is inlined are then found there, in backtraces as well. Several may be given, at any time.
        A module that was serialized is given it again. What is no such file is an `Error`; of one that belongs to another module nothing is
        used, which `missing_split_dwarf` tells."""
        check(c.stepwell_module_split_dwarf_add(self._view._handle, byref(_byte_vec(file))))

    @property
    def missing_split_dwarf(self) -> List[str]:
        """Its compilation units whose other part is in no file that was given: what the compiler called their files, `""` where the
        module does not say. A module that is not trusted may name any file: open only what you would open anyway."""
        missing: List[str] = []
        while (name := name_from(c.stepwell_module_split_dwarf_missing_name, self._view._handle, len(missing))) is not None:
            missing.append(name)
        return missing

    def local_name(self, func: int, local: int) -> Optional[str]:
        """The name of a local of a function, parameters first, or None."""
        return name_from(c.stepwell_module_local_name, self._view._handle, func, local)

    def global_name(self, index: int) -> Optional[str]:
        """The name of a global by its index, imports counted, or None."""
        return name_from(c.stepwell_module_global_name, self._view._handle, index)

    @property
    def has_start(self) -> bool:
        """Whether it has a start function, which runs when it is instantiated."""
        return bool(c.stepwell_module_has_start(self._view._handle))

    @cached_property
    def custom_sections(self) -> List[CustomSection]:
        """Its custom sections, in the order of the binary. Several may have the same name."""
        handle, size = self._view._handle, c_size_t()
        sections = []
        for i in range(c.stepwell_module_custom_section_count(handle)):
            name = name_from(c.stepwell_module_custom_section_name, handle, i) or ""
            data = c.stepwell_module_custom_section_data(handle, i, byref(size))
            sections.append(CustomSection(name, bytes_at(data, size.value)))
        return sections

    def serialize(self) -> bytes:
        """Its machine code and all that belongs to it, for `deserialize`."""
        vec = c.wasm_byte_vec_t()
        check(c.stepwell_shared_module_serialize(self._handle, byref(vec)))
        return take_bytes(vec)

    def serialize_file(self, path: Path) -> None:
        """Writes what `serialize` gives to a file. Who reads it meanwhile finds the old file or the whole new one."""
        check(c.stepwell_shared_module_serialize_file(self._handle, path_bytes(path)))

    @classmethod
    def deserialize(cls, engine: Engine, data: Bytes) -> Module:
        """A module that was serialized, without compiling it. What is damaged, or from another version, machine or configuration, is
        an `Error` that says so. Load only what you trust: it is machine code."""
        out = POINTER(c.wasm_shared_module_t)()
        check(c.stepwell_shared_module_deserialize(engine._handle, byref(_byte_vec(data)), byref(out)))
        return cls._of(engine, out)

    @classmethod
    def deserialize_file(cls, engine: Engine, path: Path) -> Module:
        """As `deserialize`, from a file, which may be changed afterwards."""
        out = POINTER(c.wasm_shared_module_t)()
        check(c.stepwell_shared_module_deserialize_file(engine._handle, path_bytes(path), byref(out)))
        return cls._of(engine, out)

    @classmethod
    def _of(cls, engine: Engine, ptr: Any) -> Module:
        self = cls.__new__(cls)
        self._own(ptr)
        self._engine = engine
        return self

    def compile_debug(self, progress: Optional[Callable[[int, int], bool]] = None) -> None:
        """Compiles its debug code now, so that attaching a debugger takes no time for that. Another thread may do so meanwhile.

        `progress` is told how many functions of how many are done, perhaps on another thread, and returns whether to go on. Where it
        does not, or raises, compiling ends, and can be begun again.
        """
        if progress is None:
            check(c.stepwell_shared_module_compile_debug(self._handle, c.stepwell_progress_callback_t(), None))
            return
        _calls.with_progress(progress, lambda tell: c.stepwell_shared_module_compile_debug_guarded(self._handle, tell, None))

    def close(self) -> None:
        """Gives it back now; stores that use it keep it."""
        view, self._asked = self._asked, None
        if view is not None:
            view.close()
        super().close()

    def _shown_name(self) -> str:
        """What messages call it."""
        name = self.name
        return name_to_show(name) if name else "without a name"

    def _about(self) -> str:
        return f"{self._shown_name()}: {len(self.imports)} imports, {len(self.exports)} exports, {self.func_count} functions"
