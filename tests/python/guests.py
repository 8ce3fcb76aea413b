"""The guests of the tests."""
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
