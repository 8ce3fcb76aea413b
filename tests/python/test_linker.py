"""Linkers, and host functions whose annotations say their types."""
import gc
import traceback
import unittest
import weakref
from typing import Optional, Tuple

import guests
import stepwell
import wasm
from stepwell import Caller, Error, ErrorCode, ExternRef, Func, FuncType, Instance, Linker, Memory, Module, Store, f32, f64, i32, i64
from test_bindings import python


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.engine = stepwell.Engine()

    def setUp(self):
        self.store = Store(self.engine)
        self.addCleanup(self.store.close)
        self.linker = Linker(self.engine)
        self.addCleanup(self.linker.close)


class Linking(Case):
    def test_functions_for_every_store(self):
        called = []

        @self.linker.func("env", "f")
        def double(x: i32) -> i32:
            called.append(x)
            return x * 2

        module = Module(self.engine, guests.calls_host(["i32"], ["i32"]))
        for i in range(5):
            with Store(self.engine) as store:
                self.assertEqual(self.linker.instantiate(store, module).exports.outer(i), 2 * i)
        self.assertEqual(called, [0, 1, 2, 3, 4])
        self.assertEqual(double(4), 8)

    def test_each_guest_gets_values_of_its_own_store(self):
        self.linker.define("env", "f", lambda given: given, (["externref"], ["externref"]))
        module = Module(self.engine, guests.calls_host(["externref"], ["externref"]))
        other = Store(self.engine)
        mine, others = (self.linker.instantiate(store, module).exports for store in (self.store, other))
        for store, exports in ((self.store, mine), (other, others)):
            given = ExternRef(store, "value")
            self.assertIs(exports.outer(given), given)
        with self.assertRaisesRegex(Error, "another store"):
            others.outer(ExternRef(self.store))

    def test_nested_stores(self):
        module = Module(self.engine, guests.calls_host(["externref"], ["externref"]))
        depth = []

        def f(given):
            depth.append(given)
            if len(depth) == 1:
                with Store(self.engine) as inner:
                    reference = ExternRef(inner)
                    self.assertIs(self.linker.instantiate(inner, module).exports.run(reference), reference)
            return given

        self.linker.define("env", "f", f, (["externref"], ["externref"]))
        given = ExternRef(self.store)
        self.assertIs(self.linker.instantiate(self.store, module).exports.run(given), given)
        self.assertEqual(len(depth), 2)

    def test_functions_outlive_the_linker(self):
        module = Module(self.engine, guests.calls_host([], ["i32"]))
        with Linker(self.engine) as linker:
            linker.define("env", "f", lambda: 5, ([], ["i32"]))
            exports = linker.instantiate(self.store, module).exports
        gc.collect()
        self.assertEqual(exports.outer(), 5)
        self.assertTrue(linker.closed)
        with self.assertRaisesRegex(ValueError, "closed"):
            linker.instantiate(self.store, module)

    def test_a_function_that_refers_to_its_linker_keeps_nothing(self):
        store = Store(self.engine)
        linker = Linker(self.engine)

        def f():
            return linker, store

        linker.define("env", "f", f, ([], []))
        linker.instantiate(store, Module(self.engine, guests.calls_host()))
        gone = weakref.ref(store)
        del f, linker, store
        gc.collect()
        self.assertIsNone(gone())

    def test_objects_and_instances(self):
        b = wasm.Builder()
        b.import_("host", "memory", 2, b"\0" + wasm.u(1))
        add = b.import_func("lib", "add", ["i32", "i32"], ["i32"])
        b.func(["i32"], ["i32"], guests.code(
            guests.get(0), wasm.I32_LOAD, b"\2\0", guests.const(1), wasm.CALL, wasm.u(add)), export="run")
        memory = Memory(self.store, (1, None))
        memory.pack("<i", 100, 41)
        self.linker.define("host", "memory", memory)
        self.linker.define_instance("lib", Instance(self.store, Module(self.engine, guests.arithmetic())))
        exports = self.linker.instantiate(self.store, Module(self.engine, b.build())).exports
        self.assertEqual(exports.run(100), 42)
        found = self.linker.get(self.store, "lib", "add")
        self.assertEqual((type(found), found(1, 2)), (Func, 3))
        self.assertEqual(self.linker.get(self.store, "host", "memory"), memory)
        self.assertIsNone(self.linker.get(self.store, "host", "absent"))

    def test_missing(self):
        module = Module(self.engine, guests.calls_host(["i32"], ["i32"]))
        with self.assertRaisesRegex(Error, "env") as caught:
            self.linker.instantiate(self.store, module)
        self.assertEqual(caught.exception.code, ErrorCode.LINK)
        self.linker.fill_missing_with_defaults(self.store, module)
        self.assertEqual(self.linker.instantiate(self.store, module).exports.run(7), 0)

    def test_copies_stubs_and_modules(self):
        module = Module(self.engine, guests.calls_host(["i32"], ["i32"]))
        copy = self.linker.copy()
        self.addCleanup(copy.close)
        self.linker.define("env", "f", lambda x: x + 1, (["i32"], ["i32"]))
        later = self.linker.copy()
        self.addCleanup(later.close)
        self.linker.close()
        self.assertEqual(later.instantiate(self.store, module).exports.outer(4), 5)
        copy.define_unknown_imports_as_traps(module)
        with self.assertRaisesRegex(stepwell.Trap, '"env"."f"'):
            copy.instantiate(self.store, module).exports.outer(4)
        # its exports as names, and a host function that fails on the way
        later.define_module(self.store, "lib", module)
        self.assertEqual(later.get(self.store, "lib", "outer")(1), 2)
        with self.assertRaisesRegex(Error, "is defined already"):
            later.define_module(self.store, "lib", module)

    def test_shadowing(self):
        for linker, good in ((self.linker, False), (Linker(self.engine, shadowing=True), True)):
            linker.define("env", "f", lambda: 1, ([], ["i32"]))
            try:
                linker.define("env", "f", lambda: 2, ([], ["i32"]))
                self.assertTrue(good)
            except Error:
                self.assertFalse(good)
            module = Module(self.engine, guests.calls_host([], ["i32"]))
            self.assertEqual(linker.instantiate(self.store, module).exports.run(), 2 if good else 1)

    def test_wrong(self):
        with self.assertRaisesRegex(TypeError, "env.f cannot be 5"):
            self.linker.define("env", "f", 5)
        with self.assertRaisesRegex(TypeError, "its own type"):
            self.linker.define("env", "f", Memory(self.store, (1, None)), ([], []))
        with self.assertRaises(ValueError):
            self.linker.define("env", "f\0", lambda: None, ([], []))
        self.linker.define("env", "memory", Memory(self.store, (1, None)))
        with self.assertRaisesRegex(Error, "store"):
            self.linker.get(Store(self.engine), "env", "memory")

    def test_exceptions_come_back_through_nested_guests(self):
        class Wrong(Exception):
            pass

        def fail():
            raise Wrong("far inside")

        module = Module(self.engine, guests.calls_host())
        innermost = Linker(self.engine)
        innermost.define("env", "f", fail, ([], []))

        def nested():
            with Store(self.engine) as store:
                innermost.instantiate(store, module).exports.outer()

        self.linker.define("env", "f", nested, ([], []))
        names = []
        try:
            self.linker.instantiate(self.store, module).exports.outer()
        except Wrong as wrong:
            names = [frame.name for frame in traceback.extract_tb(wrong.__traceback__)]
        self.assertEqual([name for name in names if name in ("nested", "fail")], ["nested", "fail"])


class Callers(Case):
    def text(self):
        """Exports `run`, which calls `env.log` with a place in its memory."""
        b = wasm.Builder()
        log = b.import_func("env", "log", ["i32", "i32"], ["i32"])
        b.memory(1, export="memory")
        b.data(100, b"some text")
        b.func([], ["i32"], guests.code(guests.const(100), guests.const(9), wasm.CALL, wasm.u(log)), export="run")
        return Module(self.engine, b.build())

    def test_each_has_its_own_memory(self):
        seen = []

        @self.linker.func("env")
        def log(caller: Caller, at: i32, size: i32) -> i32:
            seen.append((caller.store, caller.memory.read(at, size), caller))
            caller.memory.write(at, b"S")
            self.assertIsNone(caller.export("no such thing"))
            self.assertEqual(type(caller.export("run")), Func)
            return size

        module, other = self.text(), Store(self.engine)
        for store in (self.store, other):
            instance = self.linker.instantiate(store, module)
            self.assertEqual(instance.exports.run(), 9)
            self.assertEqual(instance.exports.memory.read(100, 9), b"Some text")
        self.assertEqual([(store, text) for store, text, _ in seen], [(self.store, b"some text"), (other, b"some text")])
        for use in (lambda: seen[0][2].memory, lambda: seen[0][2].export("run")):
            with self.assertRaisesRegex(ValueError, "over"):
                use()

    def test_by_the_module_s_type(self):
        def log(caller: Caller, at, size):
            return len(caller.memory.read(at, size))

        for make in (lambda: Instance(self.store, self.text(), {"env": {"log": log}}),
                     lambda: Instance(self.store, self.text(), [Func(self.store, log, (["i32", "i32"], ["i32"]))])):
            self.assertEqual(make().exports.run(), 9)

    def test_called_by_the_host(self):
        def f(caller: Caller) -> None:
            self.assertIsNone(caller.export("memory"))
            caller.memory

        with self.assertRaisesRegex(Error, "exports no memory"):
            Func(self.store, f)()

    def test_exceptions(self):
        def log(caller: Caller, at: i32, size: i32) -> i32:
            raise KeyError(at)

        with self.assertRaises(KeyError):
            Instance(self.store, self.text(), [log]).exports.run()


class Prepared(Case):
    def test_instances_of_many_stores(self):
        self.linker.define("env", "f", lambda x: x + 1, (["i32"], ["i32"]))
        pre = self.linker.instantiate_pre(Module(self.engine, guests.calls_host(["i32"], ["i32"])))
        self.linker.close()
        gc.collect()
        for i in range(5):
            with Store(self.engine) as store:
                self.assertEqual(pre.instantiate(store).exports.outer(i), i + 1)
        pre.close()
        with self.assertRaisesRegex(ValueError, "closed"):
            pre.instantiate(self.store)

    def test_missing(self):
        with self.assertRaises(Error) as caught:
            self.linker.instantiate_pre(Module(self.engine, guests.calls_host()))
        self.assertEqual(caught.exception.code, ErrorCode.LINK)

    def test_start_function(self):
        b = wasm.Builder()
        b.func([], [], guests.code(wasm.UNREACHABLE))
        b.start = 0
        with self.assertRaises(stepwell.Trap):
            self.linker.instantiate_pre(Module(self.engine, b.build())).instantiate(self.store)


class Annotations(Case):
    def test_of(self):
        def nothing(): ...
        def none() -> None: ...
        def numbers(a: i32, b: i64, c: f32, d: f64) -> i64: ...
        def plain(a: int, b: float, c: bool) -> float: ...
        def references(a: Func, b: Optional[ExternRef]) -> Optional[Func]: ...
        def several(a: "i64") -> Tuple[i32, "f32"]: ...

        class Callable:
            def __call__(self, x: i64) -> None: ...
            def method(self, x: f32) -> int: ...

        for function, params, results in (
                (nothing, "", ""), (none, "", ""), (numbers, "i32 i64 f32 f64", "i64"), (plain, "i32 f64 i32", "f64"),
                (references, "funcref externref", "funcref"), (several, "i64", "i32 f32"), (Callable(), "i64", ""),
                (Callable().method, "f32", "i32")):
            self.assertEqual(FuncType.of(function), (tuple(params.split()), tuple(results.split())), function)

    def test_wrong(self):
        def bare(x) -> i32: ...
        def text(x: str): ...
        def result() -> bytes: ...
        def many(*x: i32): ...
        def keyword(*, x: i32): ...
        def unknown(x: "no_such_type"): ...  # noqa: F821

        for function, said in ((bare, "parameter x of .*bare"), (text, "parameter x of .*text"), (result, "result of"),
                               (many, r"\*x"), (keyword, "x"), (unknown, "no_such_type")):
            with self.assertRaisesRegex(TypeError, said):
                FuncType.of(function)
        with self.assertRaisesRegex(TypeError, "parameter x"):
            Func(self.store, lambda x: None)

    def test_func(self):
        def add(a: i64, b: i32) -> Tuple[i64, i32]:
            return a + b, a - b

        f = Func(self.store, add)
        self.assertEqual(f.type, (("i64", "i32"), ("i64", "i32")))
        self.assertEqual(f(5, 3), (8, 2))

    def test_postponed(self):
        done = python(
            "from __future__ import annotations\n"
            "import stepwell\n"
            "def f(a: stepwell.i32, b: stepwell.f64 | None = None) -> tuple[stepwell.i64]: ...\n"
            "def g(a: stepwell.i32, b: stepwell.f64) -> tuple[stepwell.i64]: ...\n"
            "print(stepwell.FuncType.of(g))\n")
        self.assertEqual(done.stdout, "FuncType(params=('i32', 'f64'), results=('i64',))\n", done.stderr)
