#!/usr/bin/env python3
"""Writes python/stepwell/_bindings.py from include/wasm.h and the headers that include/stepwell.h includes: `generate_bindings.py [--check]`.

The headers are generated themselves and very regular, so this reads them with a few patterns. What it does not
understand is an error, never left out. With `--check` nothing is written; it fails if the file is out of date.
"""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
INCLUDE = ROOT / "include"
OUTPUT = ROOT / "python" / "stepwell" / "_bindings.py"

BASE_TYPES = {
    "bool": "c_bool", "char": "c_char", "int": "c_int", "float": "c_float", "double": "c_double", "size_t": "c_size_t",
    "intptr_t": "c_ssize_t", "uintptr_t": "c_size_t",
    **{f"{u}int{n}_t": f"c_{u}int{n}" for u in ("", "u") for n in (8, 16, 32, 64)},
}

# C's enums that the package shows, as the classes it shows them by.
ENUMS = {
    "stepwell_action_enum": "Action", "stepwell_call_enum": "CallStatus", "stepwell_debug_tier_enum": "DebugTier", "stepwell_error_enum": "ErrorCode",
    "stepwell_event_enum": "Events", "stepwell_exception_stops_enum": "ExceptionStops", "stepwell_feature_enum": "Feature",
    "stepwell_profiler_enum": "Profiler", "stepwell_stop_enum": "StopReason", "stepwell_trap_enum": "TrapCode", "stepwell_scope_enum": "Scope",
    "stepwell_variable_enum": "VariableKind", "stepwell_watch_kind_enum": "WatchKind",
}
# Those whose members are bits.
SETS = {"Events"}

PROLOGUE = '''"""The C ABI for ctypes. Generated from the headers by python/generate_bindings.py: do not edit."""
# flake8: noqa
# mypy: ignore-errors
from ctypes import (
    CFUNCTYPE, POINTER, Structure, Union, c_bool, c_char, c_char_p, c_double, c_float, c_int, c_int8, c_int16, c_int32,
    c_int64, c_size_t, c_ssize_t, c_uint8, c_uint16, c_uint32, c_uint64, c_void_p,
)

from enum import IntEnum, IntFlag

from ._loader import check_version, function

'''


class Unknown(Exception):
    """Something in a header that this program does not know."""


def without_noise(text):
    """The declarations of a header: no comments, no preprocessor lines, no C++ parts, no inline functions."""
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.S)
    text = re.sub(r"//[^\n]*", " ", text)
    text = text.replace("\\\n", " ")
    text = re.sub(r"#ifdef __cplusplus\n.*?#endif", " ", text, flags=re.S)
    text = re.sub(r"^\s*#.*$", " ", text, flags=re.M)
    text = re.sub(r"\bown\b", " ", text)
    text = re.sub(r"\bstatic const\b[^;]*;", " ", text)
    # Bodies of inline functions hold no nested braces, nor do those of structs and enums: a body follows `)`.
    return re.sub(r"\bstatic inline\b[^{};]*\)\s*\{[^{}]*\}", " ", text)


def declarations(text):
    """The declarations, each on one line without its semicolon."""
    depth, start = 0, 0
    for at, char in enumerate(text):
        depth += (char == "{") - (char == "}")
        if char == ";" and depth == 0:
            yield " ".join(text[start:at].split())
            start = at + 1
    rest = " ".join(text[start:].split())
    if rest:
        raise Unknown(rest)


def split_list(text):
    """The items of a comma-separated list, with function types inside."""
    depth, start, items = 0, 0, []
    for at, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if char == "," and depth == 0:
            items.append(text[start:at].strip())
            start = at + 1
    last = text[start:].strip()
    return items + [last] if last and last != "void" else items


class Bindings:
    def __init__(self):
        self.lines = []
        self.known = {}  # C name -> Python expression
        self.functions = []

    def named(self, name):
        if name in BASE_TYPES:
            return BASE_TYPES[name]
        if name not in self.known:
            raise Unknown(f"type {name}")
        return self.known[name]

    def type(self, text):
        """A C type, without a name, as a Python expression; None is void."""
        function = re.fullmatch(r"(.*?)\(\s*\*\s*(?:const)?\s*\)\s*\((.*)\)", text)
        if function:
            return self.callback(function[1], function[2])
        stars = text.count("*") + text.count("[]")
        words = [w for w in re.sub(r"[*\[\]]", " ", text).split() if w not in ("const", "struct", "union", "enum")]
        if len(words) != 1:
            raise Unknown(f"type {text!r}")
        name = words[0]
        if name == "void":
            result, stars = (None, 0) if stars == 0 else ("c_void_p", stars - 1)
        elif name == "char" and stars:
            result, stars = "c_char_p", stars - 1
        else:
            result = self.named(name)
        for _ in range(stars):
            result = f"POINTER({result})"
        return result

    def callback(self, result, parameters):
        result = self.type(result.strip())
        # ctypes can return only simple types from a callback; a pointer is returned as its address.
        result = "c_void_p" if result and result.startswith("POINTER") else result
        return f"CFUNCTYPE({', '.join([str(result), *(self.parameter(p)[1] for p in split_list(parameters))])})"

    def parameter(self, text):
        """Name and type of a parameter or field."""
        function = re.fullmatch(r"(.*?\(\s*\*\s*(?:const)?)\s*(\w*)(\s*\).*)", text)
        if function:
            return function[2], self.type(function[1] + function[3])
        array = re.fullmatch(r"(.*)\[(\d+)\]", text)
        if array:
            name, element = self.parameter(array[1])
            return name, f"{element} * {array[2]}"
        named = re.fullmatch(r"(.*[\s*])(\w+)((?:\[\])?)", text)
        if not named or named[2] in BASE_TYPES or named[2] in self.known:
            return "", self.type(text)
        return named[2], self.type(named[1] + named[3])

    def add(self, text):
        for pattern, handle in (
            (r"typedef enum (\w+) \{(.*)\} \1", self.enum),
            (r"typedef (struct|union) (\w+) \{(.*)\} \2", self.aggregate),
            (r"typedef (struct|union) (\w+) \2", self.opaque),
            (r"typedef (.*?)\(\s*\*\s*(\w+)\s*\)\s*\((.*)\)", self.callback_type),
            (r"typedef (.*[\s*])(\w+)", self.alias),
            (r"(?:WASM_API_EXTERN|STEPWELL_API) (?:STEPWELL_NODISCARD )?(.*?[\s*])(\w+)\((.*)\)", self.function),
        ):
            match = re.fullmatch(pattern, text)
            if match:
                return handle(*match.groups())
        raise Unknown(text)

    def enum(self, name, body):
        value = -1
        members = {}
        for item in split_list(body):
            match = re.fullmatch(r"(\w+)(?: = (-?\w+))?", item)
            if not match:
                raise Unknown(f"{name}: {item}")
            value = int(match[2], 0) if match[2] else value + 1
            self.lines.append(f"{match[1]} = {value}")
            members[match[1]] = value
        if name in ENUMS:
            self.enum_class(ENUMS[name], members)
        self.known[name] = "c_int"

    def enum_class(self, name, members):
        """A class of the members without the words that all of them begin with."""
        words = [member.split("_") for member in members]
        shared = 0
        while all(len(w) > shared + 1 and w[shared] == words[0][shared] for w in words):
            shared += 1
        base = "IntFlag" if name in SETS else "IntEnum"
        self.lines.append(f"class {name}({base}):")
        self.lines += [f"    {'_'.join(w[shared:])} = {value}" for w, value in zip(words, members.values())]

    def opaque(self, kind, name):
        if name not in self.known:
            self.lines.append(f"class {name}({kind.capitalize()}ure): pass" if kind == "struct" else f"class {name}(Union): pass")
            self.known[name] = name

    def aggregate(self, kind, name, body):
        self.opaque(kind, name)
        fields = [self.parameter(f.strip()) for f in body.split(";") if f.strip()]
        # `of.ref` is reached as `of.ref`: no field is a Python keyword.
        self.lines.append(f"{name}._fields_ = [{', '.join(f'({n!r}, {t})' for n, t in fields)}]")

    def callback_type(self, result, name, parameters):
        self.lines.append(f"{name} = {self.callback(result, parameters)}")
        self.known[name] = name

    def alias(self, target, name):
        target = self.type(target)
        if name in BASE_TYPES:
            return
        if target is None:
            raise Unknown(f"typedef of void: {name}")
        if name not in self.known:
            self.lines.append(f"{name} = {target}")
            self.known[name] = name

    def function(self, result, name, parameters):
        # Text whose size is written elsewhere may have NULs in it, and may be no text at all.
        sized = "size_out" in parameters and re.fullmatch(r"\s*const\s+char\s*\*\s*", result)
        result = "POINTER(c_char)" if sized else self.type(result)
        types = ", ".join(self.parameter(p)[1] for p in split_list(parameters))
        self.functions.append(f'{name} = function("{name}", {result}, [{types}])')


def generate():
    """The text of _bindings.py."""
    bindings = Bindings()
    version = None
    for name in re.findall(r'^#include "(.*?)"', (INCLUDE / "stepwell.h").read_text(), flags=re.M):
        text = (INCLUDE / name).read_text()
        for declaration in declarations(without_noise(text)):
            try:
                bindings.add(declaration)
            except Unknown as unknown:
                sys.exit(f"{name}: not understood: {unknown}\n  in: {declaration}")
        parts = [re.search(rf"#define STEPWELL_VERSION_{part} (\d+)", text) for part in ("MAJOR", "MINOR", "PATCH")]
        if all(parts):
            major, minor, patch = (int(part[1]) for part in parts)
            version = (major, minor, patch)
    if version is None:
        sys.exit("stepwell.h does not say its version")
    head = [
        f"VERSION = {version!r}", f"VERSION_NUMBER = {version[0] * 1000000 + version[1] * 1000 + version[2]}",
        "check_version(VERSION_NUMBER)", "",
    ]
    return PROLOGUE + "\n".join([*head, *bindings.lines, "", *bindings.functions]) + "\n"


def main():
    if sys.argv[1:] not in ([], ["--check"]):
        sys.exit("usage: generate_bindings.py [--check]")
    text = generate()
    if sys.argv[1:]:
        if not OUTPUT.exists() or OUTPUT.read_text() != text:
            sys.exit("python/stepwell/_bindings.py is out of date: run python/generate_bindings.py")
    else:
        OUTPUT.write_text(text)


if __name__ == "__main__":
    main()
