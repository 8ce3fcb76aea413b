"""The guests of the tests."""
import re
from pathlib import Path

import wasm
from wasm import CALL, ELSE, END, I32_ADD, I32_CONST, I32_DIV_S, I32_EQZ, I32_MUL, I32_SUB, IF, LOCAL_GET, LOCAL_SET, code, s, u


def get(index):
    return code(LOCAL_GET, u(index))


def const(number):
    return code(I32_CONST, s(number))


def arithmetic():
    """`add`, `div`, `factorial` (recursive), all with names for the debugger."""
    b = wasm.Builder()
    b.func(["i32", "i32"], ["i32"], code(get(0), get(1), I32_ADD), export="add", local_names={0: "left", 1: "right"})
    b.func(["i32", "i32"], ["i32"], code(get(0), get(1), I32_DIV_S), export="div", name="divide")
    b.func(
        ["i32"], ["i32"],
        code(get(0), I32_EQZ, IF, b"\x7f", const(1), ELSE, get(0), get(0), const(1), I32_SUB, CALL, u(2), I32_MUL, END),
        export="factorial", name="fact", local_names={0: "n"})
    b.func([], [], code(CALL, u(3)), export="forever")
    b.func(
        ["i32"], ["i32"],
        code(get(0), const(1), CALL, u(0), LOCAL_SET, u(1), get(1), const(2), CALL, u(0)),
        export="calls", locals=["i32"], local_names={0: "given", 1: "sum"})
    return b.build()


def spins():
    """`spin(turns, end)` counts turns until its local 1 is not 0."""
    b = wasm.Builder()
    b.func(
        ["i32", "i32"], ["i32"],
        code(b"\x03\x40", get(0), const(1), I32_ADD, LOCAL_SET, u(0), get(1), I32_EQZ, b"\x0d", u(0), END, get(0)),
        export="spin")
    b.func([], ["i32"], const(5), export="leaf")
    b.memory(1, 1, export="memory")
    return b.build()


def watched():
    """`write(n)` sets the global `count`, which begins with 10; `host(n)` calls `env.set`; `outer(n)` calls `less(n)`, which counts down."""
    b = wasm.Builder()
    f = b.import_func("env", "set", ["i32"], [])
    b.global_("i32", 1, const(10), export="count")
    b.global_("i32", 0, const(1), export="fixed")
    b.func(["i32"], [], code(get(0), b"\x24", u(0)), export="write")
    b.func(["i32"], [], code(get(0), CALL, u(f), b"\x01"), export="host")
    b.memory(1, 1, export="memory")
    b.func(["i32"], [], code(const(64), get(0), b"\x36\x02\x00"), export="store")
    b.func(["i32"], [], code(get(0), b"\x28\x02\x00", b"\x1a"), export="load")
    b.func(["i32"], [], code(get(0), const(1), I32_SUB, LOCAL_SET, u(0), b"\x01"), export="less", local_names={0: "n"})
    b.func(["i32"], [], code(get(0), CALL, u(5), b"\x01"), export="outer")
    return b.build()


def calls_host(params=(), results=()):
    """Imports `env.f` and exports `run` and `outer` (which calls `run`), of the same type."""
    b = wasm.Builder()
    f = b.import_func("env", "f", params, results)
    arguments = code(*(get(i) for i in range(len(params))))
    run = b.func(params, results, code(arguments, CALL, u(f)), export="run")
    b.func(params, results, code(arguments, CALL, u(run)), export="outer")
    return b.build()


def state():
    """A memory, a mutable and a constant global, a table of functions and one of external references."""
    b = wasm.Builder()
    b.memory(1, 3, export="memory")
    b.global_("i64", 1, code(0x42, s(-5)), export="counter")
    b.global_("f32", 0, b"\x43\x00\x00\xc0\x3f", export="constant")
    b.table("funcref", 4, 8, export="funcs")
    b.table("externref", 2, export="objects")
    one = b.func([], ["i32"], const(1), export="one")
    two = b.func([], ["i32"], const(2), export="two")
    b.element(0, [one, two])
    b.func(["i32"], ["i32"], code(get(0), 0x28, b"\2\0"), export="load")
    b.func(["i32"], ["i32"], code(get(0), wasm.CALL_INDIRECT, u(b.type([], ["i32"])), u(0)), export="indirect")
    b.func(["externref"], ["externref"], get(0), export="same")
    b.func(["funcref"], ["funcref"], get(0), export="same_func")
    return b.build()


def vectors():
    """Adds and passes on values of type v128; a mutable global of it; `seen` has locals and operands of it."""
    b = wasm.Builder()
    f = b.import_func("env", "f", ["v128", "i32"], ["i32", "v128"])
    g = b.import_func("env", "g", ["externref", "v128"], ["v128", "externref"])
    b.global_("v128", 1, wasm.V128_CONST + bytes(range(16)), export="global")
    b.func(["v128", "v128"], ["v128"], code(get(0), get(1), wasm.I32X4_ADD), export="add")
    b.func(["v128", "i32"], ["i32", "v128"], code(get(0), get(1), CALL, u(f)), export="f")
    b.func(["externref", "v128"], ["v128", "externref"], code(get(0), get(1), CALL, u(g)), export="g")
    b.func(
        ["v128", "i32"], ["v128"],
        code(get(1), wasm.I8X16_SPLAT, LOCAL_SET, u(2), get(0), get(2), wasm.V128_XOR),
        export="seen", locals=["v128"], local_names={0: "given", 1: "number", 2: "splat"})
    return b.build()


def objects():
    """Structures and arrays: `point` makes one of the host's types, `node` one that refers to its like, `text` an array of `i8`. `meets` gives
    what it is given to `env.f`, and `garbage` makes many points."""
    b = wasm.Builder()
    point = b.defined(wasm.structure(("i32", 1), ("i8", 1), ("f64", 0), ("anyref", 1)))
    text = b.defined(wasm.array("i8", 1))
    node = b.group(wasm.structure(("i32", 1), (wasm.ref(2, True), 1)))
    f = b.import_func("env", "f", ["anyref"], [wasm.ref(point, True)])
    null = b"\xd0\x71"
    a_point = code(get(0), const(-1), 0x44, bytes(8), null, wasm.STRUCT_NEW, u(point))
    b.global_("anyref", 1, null, export="global")
    b.table(wasm.ref(node, True), 2, export="table")
    b.func(["i32"], [wasm.ref(point)], a_point, export="point")
    b.func([wasm.ref(point, True)], ["i32"], code(get(0), wasm.STRUCT_GET, u(point), u(0)), export="x")
    b.func(["i32", wasm.ref(node, True)], [wasm.ref(node)], code(get(0), get(1), wasm.STRUCT_NEW, u(node)), export="node")
    b.func(["i32", "i32"], [wasm.ref(text)], code(get(0), get(1), wasm.ARRAY_NEW, u(text)), export="text")
    b.func([wasm.ref(text, True), "i32"], ["i32"], code(get(0), get(1), wasm.ARRAY_GET_S, u(text)), export="byte")
    b.func(["anyref"], ["anyref"], get(0), export="same")
    b.func(["i32"], ["anyref"], code(get(0), wasm.REF_I31), export="i31")
    b.func(["externref"], ["anyref"], code(get(0), wasm.ANY_CONVERT_EXTERN), export="to_any")
    b.func(["anyref"], ["externref"], code(get(0), wasm.EXTERN_CONVERT_ANY), export="to_extern")
    b.func(["anyref"], [wasm.ref(point, True)], code(get(0), CALL, u(f)), export="meets")
    b.func(["i32"], [], code(
        wasm.LOOP, b"\x40", a_point, wasm.DROP, get(0), const(1), I32_SUB, LOCAL_SET, u(0), get(0), wasm.BR_IF, u(0), END),
        export="garbage")
    b.func(
        ["i32"], ["i32"],
        code(a_point, LOCAL_SET, u(1), get(0), wasm.REF_I31, LOCAL_SET, u(2), get(1), wasm.STRUCT_GET, u(point), u(0)),
        export="seen", locals=[wasm.ref(point, True), "anyref"], local_names={0: "given", 1: "point", 2: "number"})
    return b.build()


WASI = "wasi_snapshot_preview1"


def wasi_program():
    """A program: copies at most 100 bytes of standard input to standard output and error, then exits with the number of its
    arguments, or returns if that is 9. Exports as well:

    - `first(which)`: the first of its arguments (0) or of its environment (1), at 1024, and the number of them as the result;
    - `open(length, flags, rights)`: opens the path that is put at 2048 in the first directory; an errno.
    """
    b = wasm.Builder()
    read, write = (b.import_func(WASI, name, ["i32"] * 4, ["i32"]) for name in ("fd_read", "fd_write"))
    sizes = [b.import_func(WASI, f"{name}_sizes_get", ["i32"] * 2, ["i32"]) for name in ("args", "environ")]
    gets = [b.import_func(WASI, f"{name}_get", ["i32"] * 2, ["i32"]) for name in ("args", "environ")]
    leave = b.import_func(WASI, "proc_exit", ["i32"])
    open_ = b.import_func(WASI, "path_open", ["i32"] * 5 + ["i64"] * 2 + ["i32"] * 2, ["i32"])
    b.memory(1, export="memory")
    b.data(0, (64).to_bytes(4, "little") + (100).to_bytes(4, "little"))  # where to, and how much

    def load(at):
        return code(const(at), wasm.I32_LOAD, b"\2\0")

    def output(descriptor):
        return code(const(descriptor), const(0), const(1), const(8), CALL, u(write), wasm.DROP)

    b.func([], [], code(
        const(0), const(0), const(1), const(8), CALL, u(read), wasm.DROP,
        const(4), load(8), wasm.I32_STORE, b"\2\0", output(1), output(2),
        const(12), const(16), CALL, u(sizes[0]), wasm.DROP,
        load(12), const(9), I32_SUB, IF, b"\x40", load(12), CALL, u(leave), END), export="_start")
    b.func(["i32"], ["i32"], code(
        get(0), I32_EQZ, IF, b"\x40",
        const(12), const(16), CALL, u(sizes[0]), wasm.DROP, const(512), const(1024), CALL, u(gets[0]), wasm.DROP, ELSE,
        const(12), const(16), CALL, u(sizes[1]), wasm.DROP, const(512), const(1024), CALL, u(gets[1]), wasm.DROP, END,
        load(12)), export="first")
    b.func(["i32", "i32", "i64"], ["i32"], code(
        const(3), const(0), const(2048), get(0), get(1), get(2), get(2), const(0), const(20), CALL, u(open_)), export="open")
    return b.build()


def counts_together():
    """In a shared memory, `env.memory`: `add(at, number)` adds at once, `wait(at)` waits until it is woken."""
    b = wasm.Builder()
    b.import_shared_memory("env", "memory", 1, 3)
    b.func(["i32", "i32"], ["i32"], code(get(0), get(1), wasm.ATOMIC_ADD), export="add")
    b.func(["i32"], ["i32"], code(get(0), const(0), 0x42, s(-1), wasm.ATOMIC_WAIT32), export="wait")
    return b.build()


def begins_threads():
    """`spawn(what)` begins a thread: which writes an `x` and counts, or ends all with status 42 if `what` is not 0. `counted(many)`
    waits until so many have counted, and gives the sum of their numbers; `forever` ends with the others."""
    b = wasm.Builder()
    spawn = b.import_func("wasi", "thread-spawn", ["i32"], ["i32"])
    leave = b.import_func(WASI, "proc_exit", ["i32"])
    write = b.import_func(WASI, "fd_write", ["i32"] * 4, ["i32"])
    b.import_shared_memory("env", "memory", 1, 2, export="memory")

    def store(at, value):
        return code(const(at), value, wasm.I32_STORE, b"\2\0")

    def add(at, value):
        return code(const(at), value, wasm.ATOMIC_ADD, wasm.DROP)

    b.func(["i32", "i32"], [], code(
        get(1), IF, b"\x40", const(42), CALL, u(leave), END,
        store(64, const(0x78)), store(72, const(64)), store(76, const(1)),
        const(1), const(72), const(1), const(80), CALL, u(write), wasm.DROP, add(0, get(0)), add(4, const(1))),
        export="wasi_thread_start")
    b.func(["i32"], ["i32"], code(get(0), CALL, u(spawn)), export="spawn")
    b.func(["i32"], ["i32"], code(
        wasm.LOOP, b"\x40", const(4), wasm.ATOMIC_LOAD, get(0), wasm.I32_LT_U, wasm.BR_IF, u(0), END,
        const(0), wasm.ATOMIC_LOAD), export="counted")
    b.func([], [], code(wasm.LOOP, b"\x40", wasm.BR, u(0), END), export="forever")
    return b.build()


def exceptions():
    """`caught` and `uncaught` throw what they are given; a frame of the first catches it. It is tests/c/modules/exceptions.wat."""
    return bytes.fromhex(
        "0061736d01000000010a0260017f0060017f017f0304030001010d030100000719030174040006636175676874000108756e"
        "63617567687400020a24030600200008000b1200027f1f4001000000200010000b41000b0b08002000100041000b0030046e"
        "616d65011b0300067468726f777301066361756768740208756e63617567687403060101010001680b0401000174")


def of_c(name):
    """A module of tests/c/modules, which the C tests have as bytes."""
    text = (Path(__file__).parent.parent / "c" / "modules.h").read_text()
    found = re.search(rf"unsigned char {name}\[\] = {{(.*?)}};", text, re.S)
    return bytes(int(byte, 16) for byte in re.findall(r"0x(\w\w)", found.group(1)))
