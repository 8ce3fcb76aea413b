"""Modules, instances, values, host functions, memories, globals, tables."""
import gc
import math
import sys
import tempfile
import threading
import traceback
import unittest
from pathlib import Path

import guests
import stepwell
import wasm
from stepwell import (
    Error, ErrorCode, ExternRef, Func, FuncType, Global, Instance, Memory, MemoryType, Module, Store, Table, TableType, Tag, TagType, Trap,
    TrapCode,
)
from test_bindings import python


def mappings():
    """How many mappings the process has: each live memory needs some."""
    with open("/proc/self/maps") as file:
        return len(file.readlines())


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.engine = stepwell.Engine()

    def setUp(self):
        self.store = Store(self.engine)
        self.addCleanup(self.store.close)

    def instance(self, binary, *args, **kwargs):
        return Instance(self.store, Module(self.engine, binary), *args, **kwargs)

    def host(self, function, params=(), results=()):
        """The exports of a guest that calls `function`."""
        return self.instance(guests.calls_host(params, results), {"env": {"f": function}}).exports


class Modules(Case):
    def test_what_a_module_says(self):
        module = Module(self.engine, guests.state())
        self.assertEqual(module.imports, [])
        exports = dict(module.exports)
        self.assertEqual(exports["memory"], MemoryType(1, 3))
        self.assertEqual(exports["counter"], ("i64", True))
        self.assertEqual(exports["constant"], ("f32", False))
        self.assertEqual(exports["funcs"], TableType("funcref", 4, 8))
        self.assertEqual(exports["objects"], TableType("externref", 2, None))
        self.assertEqual(exports["load"], FuncType(["i32"], ["i32"]))
        imports = Module(self.engine, guests.calls_host(["i64", "f64"], ["f32"])).imports
        self.assertEqual(imports, [("env", "f", FuncType(["i64", "f64"], ["f32"]))])

    def test_tags_are_seen_and_handed_on(self):
        # (module (tag (export "t") (param i32 f64)) (func (export "f") (result exnref) (ref.null exn)))
        guest = bytes.fromhex(
            "0061736d01000000010a0260027f7c0060000169030201010d03010000070902017404"
            "00016600000a06010400d0690b")
        module = Module(self.engine, guest)
        self.assertEqual(dict(module.exports), {"t": TagType(("i32", "f64")), "f": FuncType([], ["exnref"])})
        exports = Instance(self.store, module).exports
        self.assertIsInstance(exports["t"], Tag)
        self.assertEqual(exports["t"].type, TagType(("i32", "f64")))
        self.assertEqual(exports["t"], exports["t"])
        self.assertIsNone(exports["f"]())

    def test_functions_by_name_and_index(self):
        module = Module(self.engine, guests.arithmetic())
        self.assertEqual(module.func_count, 5)
        self.assertEqual(module.func_name(2), "fact")
        self.assertEqual(module.func_index("divide"), 1)
        self.assertEqual(module.func_index("factorial"), 2)
        self.assertIsNone(module.func_name(99))
        self.assertIsNone(module.func_index("nothing"))
        with self.assertRaises(ValueError):
            module.func_index("fact\0orial")

    def test_names_and_custom_sections(self):
        b = wasm.Builder()
        b.func(["i32"], [], b"", export="f", local_names={0: "parameter"})
        b.custom("first", b"\0\1\2")
        b.custom("empty", b"")
        b.custom("first", b"again")
        module = Module(self.engine, b.build())
        self.assertEqual([section for section in module.custom_sections if section.name != "name"],
                         [("first", b"\0\1\2"), ("empty", b""), ("first", b"again")])
        self.assertEqual((module.local_name(0, 0), module.local_name(0, 1), module.global_name(0)), ("parameter", None, None))
        self.assertFalse(module.has_start)
        b.func([], [], b"")
        b.start = 1
        self.assertTrue(Module(self.engine, b.build()).has_start)

    def test_serialized(self):
        module = Module(self.engine, guests.arithmetic())
        data = module.serialize()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "module.stepwell"
            module.serialize_file(path)
            self.assertEqual(path.read_bytes(), data)
            for again in (Module.deserialize(self.engine, data), Module.deserialize_file(self.engine, path),
                          Module.deserialize_file(stepwell.Engine(), str(path))):
                with Store(again.engine) as store:
                    self.assertEqual(Instance(store, again).exports.factorial(5), 120)
                self.assertEqual(again.exports, module.exports)
            for bad in (b"", data[:-1], data[:1000] + bytes([data[1000] ^ 1]) + data[1001:], guests.arithmetic()):
                with self.assertRaises(Error):
                    Module.deserialize(self.engine, bad)
            with self.assertRaises(Error) as caught:
                Module.deserialize(stepwell.Engine(nan_canonicalization=True), data)
            self.assertEqual(caught.exception.code, ErrorCode.UNSUPPORTED)
            with self.assertRaises(Error) as caught:
                Module.deserialize_file(self.engine, path.with_suffix(".absent"))
            self.assertEqual(caught.exception.code, ErrorCode.SYSTEM)
            with self.assertRaises(ValueError):
                module.serialize_file("a\0b")

    def test_invalid(self):
        for binary in (b"", b"hello, this is no module", guests.state()[:-3]):
            with self.assertRaises(Error) as caught:
                Module(self.engine, binary)
            self.assertEqual(caught.exception.code, ErrorCode.INVALID_MODULE)
        compiled = Module(self.engine, guests.state()).serialize()
        for binary, said in ((b"", "empty"), (b"(module)", "text format"), (b"{}", "JSON"), (compiled, "Module.deserialize")):
            with self.assertRaisesRegex(Error, "this is no Wasm module; it .*" + said):
                Module(self.engine, binary)
        with self.assertRaisesRegex(Error, "this is no serialized module; it is WebAssembly"):
            Module.deserialize(self.engine, guests.state())
        b = wasm.Builder()
        b.func([], ["i32"], b"")
        with self.assertRaises(Error) as caught:
            Module(self.engine, b.build())
        self.assertIsInstance(caught.exception.offset, int)

    def test_engine_settings(self):
        with stepwell.Engine(signals=False, memory_reservation=1 << 20, parallel=False) as engine, Store(engine) as store:
            exports = Instance(store, Module(engine, guests.arithmetic())).exports
            self.assertEqual(exports.add(1, 2), 3)
            with self.assertRaises(Trap):
                exports.div(1, 0)
        for tier in stepwell.DebugTier:
            stepwell.Engine(debug=True, debug_tier=tier, rerun_cache=1 << 20).close()
        stepwell.Engine(debug=True, debug_eagerly=True).close()
        with self.assertRaises(Error) as caught:
            stepwell.Engine(debug_tier=7)
        self.assertEqual(caught.exception.code, ErrorCode.ARGUMENT)
        self.assertIn("no tier", str(caught.exception))
        with self.assertRaises(Error):
            stepwell.Engine(profiler=7)
        with tempfile.TemporaryDirectory() as folder:
            done = python(
                "import guests, stepwell\n"
                "e = stepwell.Engine(profiler=stepwell.Profiler.JITDUMP, native_debug_info=True)\n"
                "print(stepwell.Instance(stepwell.Store(e), stepwell.Module(e, guests.arithmetic())).exports.add(1, 2))",
                JITDUMPDIR=folder)
            self.assertEqual((done.stdout, done.returncode), ("3\n", 0), done.stderr)
            self.assertEqual([path.suffix for path in Path(folder).iterdir()], [".dump"])
        with self.assertRaises(TypeError):
            stepwell.Engine(no_such_setting=True)


class Imports(Case):
    def test_missing(self):
        with self.assertRaises(Error) as caught:
            self.instance(guests.calls_host())
        self.assertEqual(caught.exception.code, ErrorCode.LINK)
        self.assertIn("env.f", str(caught.exception))

    def test_defaults(self):
        exports = self.instance(guests.calls_host(["i32"], ["i64", "f32"]), defaults=True).exports
        self.assertEqual(exports.run(5), (0, 0.0))

    def test_defaults_leave_what_is_given(self):
        b = wasm.Builder()
        b.import_func("env", "given", [], ["i32"])
        b.import_func("env", "missing", [], ["i32"])
        b.import_("env", "memory", 2, b.limits(1, None))
        b.func([], ["i32"], wasm.code(wasm.CALL, wasm.u(0), wasm.CALL, wasm.u(1), wasm.I32_ADD), export="sum")
        exports = self.instance(b.build(), {"env": {"given": lambda: 41}}, defaults=True).exports
        self.assertEqual(exports.sum(), 41)

    def test_ways_to_give_them(self):
        f = Func(self.store, lambda: 7, ([], ["i32"]))
        provider = wasm.Builder()
        provider.func([], ["i32"], guests.const(8), export="f")
        provider = self.instance(provider.build())
        binary = guests.calls_host([], ["i32"])
        for imports, result in (
            ({"env": {"f": f}}, 7), ({("env", "f"): f}, 7), ([f], 7), ([lambda: 9], 9), ({"env": provider}, 8),
            ({"env": provider.exports}, 8),
        ):
            self.assertEqual(self.instance(binary, imports).exports.run(), result)

    def test_wrong(self):
        binary = guests.calls_host([], ["i32"])
        with self.assertRaises(Error) as caught:
            self.instance(binary, [Func(self.store, lambda: 7, ([], ["i64"]))])
        self.assertEqual(caught.exception.code, ErrorCode.LINK)
        with self.assertRaises(TypeError):
            self.instance(binary, {"env": {"f": "no function"}})
        with self.assertRaises(Error):
            self.instance(binary, [])
        with Store(self.engine) as other, self.assertRaises(Error) as caught:
            self.instance(binary, [Func(other, lambda: 7, ([], ["i32"]))])
        self.assertEqual(caught.exception.code, ErrorCode.ARGUMENT)

    def test_start_function(self):
        b = wasm.Builder()
        b.start = b.import_func("env", "begin")
        begun = []
        self.instance(b.build(), {"env": {"begin": lambda: begun.append(1)}})
        self.assertEqual(begun, [1])

        def fail():
            raise LookupError("not now")
        with self.assertRaisesRegex(LookupError, "not now"):
            self.instance(b.build(), {"env": {"begin": fail}})


class Values(Case):
    def test_numbers_there_and_back(self):
        types = ["i32", "i64", "f32", "f64"]
        seen = []

        def f(*args):
            seen.append(args)
            return args
        run = self.host(f, types, types).run
        for args in ((1, 2, 0.5, 1e300), (-(2**31), -(2**63), -0.0, math.inf), (2**31 - 1, 2**63 - 1, -math.inf, 5e-324)):
            self.assertEqual(run(*args), args)
            self.assertEqual(seen.pop(), args)
        # Unsigned numbers are the same bits.
        self.assertEqual(run(2**32 - 1, 2**64 - 1, 0, 0), (-1, -1, 0.0, 0.0))
        self.assertTrue(all(math.isnan(x) for x in run(0, 0, math.nan, math.nan)[2:]))
        self.assertEqual(run(True, False, 1, 2)[0], 1)

    def test_arguments_that_do_not_fit(self):
        run = self.host(lambda *args: None, ["i32", "i64", "f32", "f64"]).run
        for args, error in (
            ((2**32, 0, 0, 0), OverflowError), ((-(2**31) - 1, 0, 0, 0), OverflowError), ((0, 2**64, 0, 0), OverflowError),
            ((1.5, 0, 0, 0), TypeError), (("1", 0, 0, 0), TypeError), ((0, 0, "1", 0), TypeError), ((0, 0, 0, None), TypeError),
            ((0, 0, 0), TypeError), ((0, 0, 0, 0, 0), TypeError), ((), TypeError),
        ):
            with self.assertRaises(error, msg=args):
                run(*args)
        run(0, 0, 0, 0)

    def test_results_that_do_not_fit(self):
        for returned in (None, "1", (1, 2), 2**40):
            with self.assertRaises((TypeError, OverflowError), msg=returned):
                self.host(lambda: returned, [], ["i32"]).run()
        for returned in ((1,), (1, 2, 3), 5):
            with self.assertRaises(TypeError, msg=returned):
                self.host(lambda: returned, [], ["i32", "i32"]).run()
        with self.assertRaises(TypeError):
            self.host(lambda: 1).run()

    def test_references(self):
        exports = self.instance(guests.state()).exports
        thing = ExternRef(self.store, {"any": "thing"})
        other = ExternRef(self.store)
        self.assertIs(exports.same(thing), thing)
        self.assertIs(exports.same(other), other)
        self.assertIsNone(exports.same(None))
        self.assertEqual(exports.same_func(exports.one), exports.one)
        self.assertNotEqual(exports.same_func(exports.one), exports.two)
        self.assertIsNone(exports.same_func(None))
        for wrong in (5, exports.one, exports.memory):
            with self.assertRaises(TypeError):
                exports.same(wrong)
        with Store(self.engine) as store:
            with self.assertRaises(Error):
                exports.same(ExternRef(store))

    def test_references_through_a_host_function(self):
        thing = ExternRef(self.store, "thing")
        seen = []

        def f(function, reference):
            seen.append(reference)
            return reference, function
        run = self.host(f, ["funcref", "externref"], ["externref", "funcref"]).outer
        for _ in range(3):
            back, function = run(run, thing)
            self.assertIs(back, thing)
            self.assertEqual(function, run)
        self.assertEqual(run(None, None), (None, None))
        self.assertEqual(seen, [thing] * 3 + [None])


class Traps(Case):
    def test_trap(self):
        exports = self.instance(guests.arithmetic()).exports
        with self.assertRaises(Trap) as caught:
            exports.div(1, 0)
        trap = caught.exception
        self.assertEqual(trap.trap_code, TrapCode.INTEGER_DIVISION_BY_ZERO)
        self.assertEqual(trap.code, ErrorCode.TRAP)
        self.assertEqual(trap.message, "integer divide by zero")
        self.assertEqual([(f.func_index, f.func_name) for f in trap.frames], [(1, "divide")])
        binary = guests.arithmetic()
        self.assertEqual(binary[trap.frames[0].offset], wasm.I32_DIV_S)
        self.assertIn("divide", str(trap))
        self.assertEqual(exports.div(6, 3), 2)

    def test_stack_overflow(self):
        exports = self.instance(guests.arithmetic()).exports
        for _ in range(2):
            with self.assertRaises(Trap) as caught:
                exports.forever()
            self.assertEqual(caught.exception.trap_code, TrapCode.STACK_OVERFLOW)
            self.assertGreater(len(caught.exception.frames), 100)


class HostFunctions(Case):
    def test_exception_comes_back(self):
        raised = ValueError("from the host")

        def fail():
            raise raised
        exports = self.host(fail)
        with self.assertRaises(ValueError) as caught:
            exports.outer()
        self.assertIs(caught.exception, raised)
        try:
            exports.outer()
        except ValueError as error:
            text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        # Where it was raised, and on newer Pythons the guest's frames as well.
        self.assertIn("in fail\n", text)
        if hasattr(raised, "add_note"):
            self.assertIn("run", text.partition("wasm backtrace")[2] or raised.__notes__[0])

    def test_base_exceptions_come_back(self):
        for kind in (KeyboardInterrupt, SystemExit, GeneratorExit):
            def fail():
                raise kind
            with self.assertRaises(kind):
                self.host(fail).run()

    def test_trap_of_the_host(self):
        def fail():
            raise Trap("enough")
        with self.assertRaises(Trap) as caught:
            self.host(fail).outer()
        self.assertEqual(caught.exception.message, "enough")
        self.assertEqual(caught.exception.trap_code, TrapCode.HOST)
        self.assertEqual([f.func_name for f in caught.exception.frames], ["run", "outer"])

    def test_nested(self):
        """Each call raises what happened in it, and only that."""
        exports, log = [], []

        def f(depth):
            if depth == 5:
                raise KeyError(depth)
            try:
                exports[0].outer(depth + 1)
            except LookupError as error:
                log.append((depth, type(error), error.args))
                if depth == 2:
                    return
                raise IndexError(depth) from error
        exports.append(self.host(f, ["i32"]))
        exports[0].outer(0)
        self.assertEqual(log, [(4, KeyError, (5,)), (3, IndexError, (4,)), (2, IndexError, (3,))])

    def test_guest_trap_in_a_nested_call(self):
        arithmetic = self.instance(guests.arithmetic()).exports

        def f(by):
            try:
                return arithmetic.div(10, by)
            except Trap as trap:
                return -int(trap.trap_code)
        run = self.host(f, ["i32"], ["i32"]).run
        self.assertEqual([run(2), run(0), run(5)], [5, -7, 2])
        self.assertEqual(self.host(lambda by: arithmetic.div(1, by), ["i32"], ["i32"]).run(1), 1)
        with self.assertRaises(Trap) as caught:
            self.host(lambda by: arithmetic.div(1, by), ["i32"], ["i32"]).run(0)
        self.assertEqual(caught.exception.trap_code, TrapCode.INTEGER_DIVISION_BY_ZERO)

    def test_endless_nesting(self):
        exports = []
        exports.append(self.host(lambda: exports[0].run()))
        with self.assertRaises((RecursionError, Trap)):
            exports[0].run()
        self.assertEqual(self.host(lambda: 5, [], ["i32"]).run(), 5)

    def test_func_is_called_directly(self):
        f = Func(self.store, lambda a, b: [a + b, a * b], (["i32", "i32"], ["i32", "i64"]))
        self.assertEqual(f(3, 4), (7, 12))
        self.assertEqual(f.type, (("i32", "i32"), ("i32", "i64")))
        with self.assertRaises(TypeError):
            Func(self.store, lambda: None, ("i32", "i32"))
        with self.assertRaises(ValueError):
            Func(self.store, lambda: None, (["int"], []))
        with self.assertRaises(TypeError):
            Func(self.store, 5, ([], []))


class State(Case):
    def test_memory(self):
        exports = self.instance(guests.state()).exports
        memory = exports.memory
        self.assertEqual((len(memory), memory.pages, memory.type), (65536, 1, MemoryType(1, 3)))
        memory.write(100, b"\x78\x56\x34\x12")
        self.assertEqual(exports.load(100), 0x12345678)
        self.assertEqual(memory.read(99, 6), b"\0\x78\x56\x34\x12\0")
        memory[65535] = 7
        self.assertEqual((memory[-1], memory[65535], memory[65530:]), (7, 7, b"\0\0\0\0\0\7"))
        memory[4:6] = b"ab"
        self.assertEqual(memory[:8], b"\0\0\0\0ab\0\0")
        for wrong in (lambda: memory.read(65533, 4), lambda: memory.read(-1, 1), lambda: memory.write(65536, b"x"),
                      lambda: memory[65536], lambda: memory.read(0, -1), lambda: memory.read(2**70, 1)):
            self.assertRaises(IndexError, wrong)
        with self.assertRaises(ValueError):
            memory[0:4] = b"too much"
        self.assertEqual(memory.read(65536, 0), b"")
        self.assertEqual(memory.grow(1), 1)
        memory.write(65530, b"0123456789")
        self.assertEqual(memory.read(65534, 4), b"4567")
        with self.assertRaises(Error):
            memory.grow(2)
        self.assertEqual(memory.pages, 2)
        with self.assertRaises(Trap) as caught:
            exports.load(2**31)
        self.assertEqual(caught.exception.trap_code, TrapCode.MEMORY_OUT_OF_BOUNDS)
        alone = Memory(self.store, (2, None))
        self.assertEqual((len(alone), alone[:3]), (131072, b"\0\0\0"))
        self.assertEqual(len(Memory(self.store, (0,))), 0)

    def test_memories_of_all_types(self):
        wide = Memory(self.store, MemoryType(1, 2**40, is_64=True))
        self.assertEqual(wide.type, (1, 2**40, True, 65536, False))
        self.assertEqual((wide.grow(2), wide.pages), (1, 3))
        small = Memory(self.store, MemoryType(5, 9, page_size=1))
        self.assertEqual((len(small), small.grow(4), len(small), small.pages), (5, 5, 9, 9))
        self.assertEqual(small.type, MemoryType(9, 9, False, 1))
        for delta in (1, 2**64 - 1, 2**64):
            with self.assertRaises(Error) as caught:
                small.grow(delta)
            self.assertEqual(caught.exception.code, ErrorCode.LIMIT)
        for wrong in (MemoryType(1, page_size=3), MemoryType(1, page_size=0), MemoryType(2**64)):
            self.assertRaises(ValueError, Memory, self.store, wrong)
        self.assertRaises(Error, Memory, self.store, MemoryType(1, page_size=4096))
        self.assertRaises(Error, Memory, self.store, MemoryType(2, 1))
        table = Table(self.store, TableType("funcref", 1, 2**40, is_64=True))
        self.assertEqual((table.type, len(table)), (TableType("funcref", 1, 2**40, True), 1))

    def test_shared_memories(self):
        shared = stepwell.SharedMemory(self.store.engine, (1, 3))
        self.assertEqual(shared.type, MemoryType(1, 3, is_shared=True))
        module = Module(self.store.engine, guests.counts_together())
        results = []

        def work():
            with Store(self.store.engine) as store:
                instance = Instance(store, module, [Memory.from_shared(store, shared)])
                for _ in range(100):
                    instance.exports.add(8, 1)
                results.append(instance.exports.wait(16))

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        woken = 0
        while woken < 3:
            woken += shared.notify(16, 1)
        for thread in threads:
            thread.join()
        self.assertEqual((int.from_bytes(shared.read(8, 4), "little"), results), (300, [0, 0, 0]))
        memory = Memory.from_shared(self.store, shared)
        self.assertEqual((shared.grow(1), memory.pages, len(shared), shared.pages), (1, 2, 131072, 2))
        memory.write(131070, b"ab")
        self.assertEqual(shared.read(131070, 2), b"ab")
        shared.write(131071, b"c")
        self.assertEqual((memory[131071], shared.read(131072, 0)), (0x63, b""))
        again = memory.shared()
        memory.view()[0] = 9
        self.assertEqual(again.read(0, 1), b"\x09")
        for wrong in (lambda: shared.read(131071, 2), lambda: shared.write(-1, b""), lambda: shared.read(0, -1)):
            self.assertRaises(IndexError, wrong)
        for wrong in (lambda: shared.grow(-1), lambda: shared.notify(-1), lambda: shared.notify(0, 2**32)):
            self.assertRaises(ValueError, wrong)
        for wrong in (lambda: shared.grow(2), lambda: shared.grow(2**64), lambda: Memory(self.store, (1, 2)).shared(),
                      lambda: Memory.from_shared(Store(stepwell.Engine()), shared),
                      lambda: stepwell.SharedMemory(self.store.engine, (1, None))):
            self.assertRaises(Error, wrong)
        again.close()
        self.assertRaises(ValueError, len, again)

    def test_memory_accessors(self):
        memory = Memory(self.store, (1, 2))
        memory.pack("<iqd", 8, -1, 1 << 40, 0.5)
        self.assertEqual(memory.unpack("<iqd", 8), (-1, 1 << 40, 0.5))
        self.assertEqual(memory[8:12], b"\xff" * 4)
        memory.write(100, bytearray(b"text\0more"))
        self.assertEqual(memory.read_cstring(100), b"text")
        self.assertEqual(memory.read_cstring(104), b"")
        memory.write(65534, b"xy")
        for use in (lambda: memory.read_cstring(65534), lambda: memory.read_cstring(65537), lambda: memory.read_cstring(-1),
                    lambda: memory.unpack("<i", 65533), lambda: memory.pack("<i", 65533, 1)):
            with self.assertRaises(IndexError):
                use()
        self.assertEqual(memory.read_cstring(65533), b"")

    def test_memory_view(self):
        exports = self.instance(guests.state()).exports
        memory = exports.memory
        view = memory.view()
        self.assertEqual((len(view), view.format, view.readonly, view.nbytes), (65536, "B", False, 65536))
        view[4:8] = (77).to_bytes(4, "little")
        self.assertEqual(exports.load(4), 77)
        memory.write(4, b"\5\0\0\0")
        self.assertEqual(bytes(view[4:8]), b"\5\0\0\0")
        self.assertEqual(memory.grow(1), 1)
        memory.write(65536, b"\x11")
        memory.write(0, b"\x22")
        self.assertEqual((len(view), view[0], len(memory.view()), memory.view()[65536]), (65536, 0x22, 131072, 0x11))
        if sys.version_info >= (3, 12):
            with memoryview(memory) as same:
                self.assertEqual(same[0], 0x22)
        self.assertEqual(Memory(self.store, (0, None)).view().nbytes, 0)

    def test_memory_view_outlives_the_store(self):
        before = mappings()
        for _ in range(3):
            store = Store(self.engine)
            memory = Memory(store, (1, None))
            memory.write(0, b"still there")
            view = memory.view()
            store.close()
            with self.assertRaisesRegex(ValueError, "closed"):
                memory.view()
            del store, memory
            gc.collect()
            [Memory(Store(self.engine), (1, None)).write(0, b"something else") for _ in range(5)]
            self.assertEqual(bytes(view[:11]), b"still there")
            view[0] = 1
            del view
        gc.collect()
        self.assertLess(mappings(), before + 30)

    def test_memory_that_may_move_has_no_view(self):
        for settings in ({"signals": False}, {"memory_reservation": 1 << 20}):
            store = Store(stepwell.Engine(**settings))
            for type, good in (((1, None), False), ((1, 17), settings == {"signals": False}), ((1, 16), True), ((3, 3), True)):
                memory = Memory(store, type)
                if good:
                    view = memory.view()
                    if type[1] > type[0]:
                        memory.grow(type[1] - type[0])
                    view[0] = 9
                    self.assertEqual(memory[0], 9)
                else:
                    with self.assertRaisesRegex(BufferError, "may move"):
                        memory.view()

    def test_numpy(self):
        try:
            import numpy
        except ImportError:
            self.skipTest("numpy is not installed")
        memory = Memory(self.store, (1, None))
        for array in (numpy.asarray(memory), numpy.frombuffer(memory.view(), numpy.uint8)):
            self.assertEqual((array.dtype, array.shape), (numpy.uint8, (65536,)))
            array[7] = 1
            self.assertEqual(memory[7], 1)
            memory[7] = 0
            self.assertEqual(array[7], 0)
        floats = numpy.frombuffer(memory.view(), "<f8", count=3, offset=16)
        floats[:] = [1.5, 2.5, -1]
        self.assertEqual(memory.unpack("<3d", 16), (1.5, 2.5, -1))
        with Store(stepwell.Engine(signals=False)) as store, self.assertRaises(BufferError):
            numpy.asarray(Memory(store, (1, None)))
        self.store.close()
        self.assertEqual(floats.sum(), 3.0)

    def test_globals(self):
        exports = self.instance(guests.state()).exports
        self.assertEqual((exports.counter.value, exports.counter.type), (-5, ("i64", True)))
        exports.counter.value = 2**40
        self.assertEqual(exports.counter.value, 2**40)
        self.assertEqual(exports.constant.value, 1.5)
        with self.assertRaises(Error):
            exports.constant.value = 2.0
        self.assertEqual(exports.constant.value, 1.5)
        with self.assertRaises(TypeError):
            exports.counter.value = 1.5
        one = Global(self.store, ("externref", True), None)
        one.value = reference = ExternRef(self.store, 5)
        self.assertIs(one.value, reference)
        self.assertEqual(Global(self.store, "f64", 0.1).value, 0.1)

    def test_tables(self):
        exports = self.instance(guests.state()).exports
        funcs = exports.funcs
        self.assertEqual((len(funcs), funcs.type), (4, TableType("funcref", 4, 8)))
        self.assertEqual((funcs[0], funcs[1], funcs[2], funcs[-4]), (exports.one, exports.two, None, exports.one))
        self.assertEqual(exports.indirect(1), 2)
        funcs[1] = exports.one
        funcs[2] = Func(self.store, lambda: 33, ([], ["i32"]))
        self.assertEqual([exports.indirect(i) for i in range(3)], [1, 1, 33])
        with self.assertRaises(Trap) as caught:
            exports.indirect(3)
        self.assertEqual(caught.exception.trap_code, TrapCode.UNINITIALIZED_ELEMENT)
        for wrong in (4, -5, 2**40):
            self.assertRaises(IndexError, lambda: funcs[wrong])
        self.assertEqual(funcs.grow(4, exports.two), 4)
        self.assertEqual(exports.indirect(7), 2)
        with self.assertRaises(Error):
            funcs.grow(1)
        with self.assertRaises(TypeError):
            funcs[0] = 5
        self.assertIsNone(exports.objects[0])
        exports.objects[0] = reference = ExternRef(self.store, "x")
        self.assertIs(exports.objects[0], reference)
        self.assertEqual(len(Table(self.store, ("funcref", 3))), 3)

    def test_by_index(self):
        instance = self.instance(guests.state())
        self.assertEqual(instance.func(0), instance.exports.one)
        self.assertEqual(instance.memory(0), instance.exports.memory)
        self.assertEqual(instance.global_(1).value, 1.5)
        self.assertEqual(instance.table(1), instance.exports.objects)
        for wrong in (lambda: instance.func(99), lambda: instance.memory(1), lambda: instance.global_(9), lambda: instance.table(2)):
            self.assertRaises(IndexError, wrong)

    def test_exports(self):
        exports = self.instance(guests.state()).exports
        self.assertEqual(list(exports)[:3], ["memory", "counter", "constant"])
        self.assertIs(exports["one"], exports.one)
        self.assertIn("one", dir(exports))
        with self.assertRaises(KeyError):
            exports["nothing"]
        with self.assertRaises(AttributeError):
            exports.nothing

    def test_limits(self):
        self.store.set_limits(memory_bytes=65536)
        memory = self.instance(guests.state()).exports.memory
        with self.assertRaises(Error):
            memory.grow(1)
        with self.assertRaises(Error):
            self.instance(guests.state())
