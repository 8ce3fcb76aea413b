"""Makes small Wasm modules, so that the tests need no other tool. Function indices count imports first, as in Wasm."""

TYPES = {
    "i32": 0x7F, "i64": 0x7E, "f32": 0x7D, "f64": 0x7C, "v128": 0x7B, "i8": 0x78, "i16": 0x77, "funcref": 0x70, "externref": 0x6F,
    "anyref": 0x6E, "eqref": 0x6D, "i31ref": 0x6C, "structref": 0x6B, "arrayref": 0x6A,
}

# Opcodes that the tests use.
UNREACHABLE, NOP, END, RETURN, CALL, CALL_INDIRECT = 0x00, 0x01, 0x0B, 0x0F, 0x10, 0x11
DROP, IF, ELSE, LOCAL_GET, LOCAL_SET, GLOBAL_GET, GLOBAL_SET = 0x1A, 0x04, 0x05, 0x20, 0x21, 0x23, 0x24
LOOP, BR, BR_IF, I32_LT_U = 0x03, 0x0C, 0x0D, 0x49
ATOMIC_NOTIFY, ATOMIC_WAIT32, ATOMIC_LOAD, ATOMIC_ADD = (bytes([0xFE, number, 2, 0]) for number in (0x00, 0x01, 0x10, 0x1E))
V128_CONST, I8X16_SPLAT, V128_XOR, I32X4_ADD = b"\xfd\x0c", b"\xfd\x0f", b"\xfd\x51", b"\xfd\xae\x01"
STRUCT_NEW, STRUCT_GET, ARRAY_NEW, ARRAY_GET_S = b"\xfb\x00", b"\xfb\x02", b"\xfb\x06", b"\xfb\x0c"
ANY_CONVERT_EXTERN, EXTERN_CONVERT_ANY, REF_I31 = b"\xfb\x1a", b"\xfb\x1b", b"\xfb\x1c"
I32_LOAD, I32_STORE, I32_CONST, I32_EQZ, I32_ADD, I32_SUB, I32_MUL, I32_DIV_S = 0x28, 0x36, 0x41, 0x45, 0x6A, 0x6B, 0x6C, 0x6D


def u(number):
    """An unsigned LEB128 number."""
    out = bytearray()
    while True:
        out.append(number & 0x7F | (0x80 if number > 0x7F else 0))
        number >>= 7
        if not number:
            return bytes(out)


def s(number):
    """A signed LEB128 number."""
    out = bytearray()
    while True:
        byte, number = number & 0x7F, number >> 7
        if number == (-1 if byte & 0x40 else 0):
            return bytes([*out, byte])
        out.append(byte | 0x80)


def vec(items):
    return u(len(items)) + b"".join(items)


def text(name):
    data = name.encode()
    return u(len(data)) + data


def code(*parts):
    """Instructions: opcodes as numbers, immediates as bytes."""
    return b"".join(bytes([part]) if isinstance(part, int) else part for part in parts)


def valtype(type):
    """A value type, by its name or as it is."""
    return type if isinstance(type, bytes) else bytes([TYPES[type]])


def ref(index, nullable=False):
    """The type of references to a type of the module."""
    return (b"\x63" if nullable else b"\x64") + s(index)


def structure(*fields):
    """A type of structures, of pairs: a type, and whether it can be written."""
    return b"\x5f" + vec([valtype(type) + bytes([mutable]) for type, mutable in fields])


def array(type, mutable):
    return b"\x5e" + valtype(type) + bytes([mutable])


class Builder:
    """A module under construction."""

    def __init__(self):
        self.types, self.imports, self.funcs, self.bodies = [], [], [], []
        self.tables, self.memories, self.globals, self.exports, self.elements = [], [], [], [], []
        self.datas, self.customs = [], []
        self.numbers, self.type_count = {}, 0
        self.start = None
        self.imported_funcs = 0
        self.func_names, self.local_names = {}, {}

    def type(self, params, results):
        return self.defined(b"\x60" + vec([valtype(t) for t in params]) + vec([valtype(t) for t in results]))

    def defined(self, entry):
        """The index of a type."""
        if entry not in self.numbers:
            self.numbers[entry] = self.type_count
            self.types.append(entry)
            self.type_count += 1
        return self.numbers[entry]

    def group(self, *entries):
        """The index of the first type of a group, in which they may refer to each other."""
        self.types.append(b"\x4e" + vec(entries))
        self.type_count += len(entries)
        return self.type_count - len(entries)

    def import_(self, module, name, kind, description):
        self.imports.append(text(module) + text(name) + bytes([kind]) + description)

    def import_func(self, module, name, params=(), results=()):
        self.import_(module, name, 0, u(self.type(params, results)))
        self.imported_funcs += 1
        return self.imported_funcs - 1

    def import_shared_memory(self, module, name, min, max, export=None):
        self.import_(module, name, 2, b"\3" + u(min) + u(max))
        if export:
            self.export(export, 2, 0)

    def func(self, params, results, body, export=None, locals=(), name=None, local_names=None):
        index = self.imported_funcs + len(self.funcs)
        self.funcs.append(u(self.type(params, results)))
        body = vec([u(1) + valtype(t) for t in locals]) + body + bytes([END])
        self.bodies.append(u(len(body)) + body)
        if export:
            self.export(export, 0, index)
        if name:
            self.func_names[index] = name
        if local_names:
            self.local_names[index] = local_names
        return index

    def export(self, name, kind, index):
        self.exports.append(text(name) + bytes([kind]) + u(index))

    def memory(self, min, max=None, export=None):
        self.memories.append(self.limits(min, max))
        if export:
            self.export(export, 2, 0)

    def table(self, element, min, max=None, export=None):
        self.tables.append(valtype(element) + self.limits(min, max))
        if export:
            self.export(export, 1, len(self.tables) - 1)

    def global_(self, type, mutable, init, export=None):
        self.globals.append(valtype(type) + bytes([mutable]) + init + bytes([END]))
        if export:
            self.export(export, 3, len(self.globals) - 1)

    def element(self, offset, funcs):
        self.elements.append(u(0) + code(I32_CONST, s(offset), END) + vec([u(f) for f in funcs]))

    def data(self, offset, content):
        self.datas.append(u(0) + code(I32_CONST, s(offset), END) + u(len(content)) + content)

    def custom(self, name, content):
        self.customs.append(section(0, text(name) + content))

    @staticmethod
    def limits(min, max):
        return b"\0" + u(min) if max is None else b"\1" + u(min) + u(max)

    def build(self):
        out = b"\0asm\1\0\0\0"
        for number, entries in ((1, self.types), (2, self.imports), (3, self.funcs), (4, self.tables), (5, self.memories),
                                (6, self.globals), (7, self.exports)):
            if entries:
                out += section(number, vec(entries))
        if self.start is not None:
            out += section(8, u(self.start))
        if self.elements:
            out += section(9, vec(self.elements))
        if self.bodies:
            out += section(10, vec(self.bodies))
        if self.datas:
            out += section(11, vec(self.datas))
        if self.func_names or self.local_names:
            funcs = vec([u(i) + text(n) for i, n in sorted(self.func_names.items())])
            locals = vec([
                u(i) + vec([u(k) + text(n) for k, n in sorted(names.items())])
                for i, names in sorted(self.local_names.items())
            ])
            out += section(0, text("name") + section(1, funcs) + section(2, locals))
        return out + b"".join(self.customs)


def section(number, content):
    return bytes([number]) + u(len(content)) + content
