"""What is given wrongly is refused, with an exception of the documented kind."""
import copy
import gc
import pickle
import unittest

import stepwell
from stepwell import Engine, Error, ExternRef, Func, Global, Instance, Memory, Module, Store, Table
from wasm import Builder


def rss():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


class CopyTest(unittest.TestCase):
    def test_handles_are_not_copied(self):
        engine = Engine(debug=True)
        store = Store(engine)
        module = Module(engine, Builder().build())
        seen = []

        def f(caller: stepwell.Caller):
            seen.append(caller)
            self.refuse(caller)

        func = Func(store, f)
        func()
        items = [engine, store, module, Instance(store, module), func, Memory(store, (1, 1)), Table(store, ("funcref", 1, 1)),
                 Global(store, "i32", 1), ExternRef(store, 1), stepwell.Linker(engine), stepwell.Interrupt(store),
                 stepwell.Linker(engine).instantiate_pre(module), stepwell.Debugger(store, lambda stop: None)]
        for item in items:
            self.refuse(item)
        self.assertEqual(len(seen), 1)
        with self.assertRaises(TypeError):
            copy.deepcopy({"a": [func]})
        exports = copy.copy(items[3].exports)  # only a dict of handles
        self.assertEqual(list(exports), [])

    def refuse(self, item):
        for way in (copy.copy, copy.deepcopy, pickle.dumps):
            with self.assertRaisesRegex(TypeError, "cannot be copied or pickled"):
                way(item)


class IntegerTest(unittest.TestCase):
    def test_what_does_not_fit_is_refused(self):
        engine = Engine(debug=True, fuel=True)
        store = Store(engine)
        m = Builder()
        m.func([], [], b"", export="run")
        module = Module(engine, m.build())
        instance = Instance(store, module)
        debugger = stepwell.Debugger(store, lambda stop: None)
        ways = [
            lambda n: Engine(max_stack=n), lambda n: Engine(memory_reservation=n), lambda n: Engine(memory_guard=n),
            lambda n: Engine(stop_reserve=n), lambda n: Engine(rerun_cache=n), lambda n: Engine(kept_memories=n), 
            lambda n: store.set_limits(memory_bytes=n), lambda n: store.set_limits(table_elements=n), lambda n: store.set_limits(instances=n), lambda n: store.set_limits(heap_bytes=n),
            lambda n: setattr(store, "fuel", n), lambda n: store.set_epoch_deadline(n),
            lambda n: module.func_name(n), lambda n: module.local_name(n, 0), lambda n: module.local_name(0, n), lambda n: module.global_name(n),
            lambda n: module.source(n), lambda n: module.find_source("a", n),
            lambda n: instance.func(n), lambda n: instance.memory(n), lambda n: instance.global_(n), lambda n: instance.table(n),
            lambda n: debugger.break_at(module, n), lambda n: debugger.remove(n),
            lambda n: Memory(store, (n, None)), lambda n: Memory(store, (0, n)), lambda n: Table(store, ("funcref", n, None)),
            lambda n: Table(store, ("funcref", 0, n)), lambda n: stepwell.Wasi(max_descriptors=n), lambda n: stepwell.Wasi(max_threads=n),
        ]
        for i, way in enumerate(ways):
            for number in (-1, 2**64, 2**64 + 1, -2**64 + 1, 2**100):
                with self.subTest(way=i, number=number), self.assertRaises(ValueError):
                    way(number)
            for other in (1.5, "1", [1]):
                with self.subTest(way=i, other=other), self.assertRaises(TypeError):
                    way(other)
        memory, table = Memory(store, (1, 2)), Table(store, ("funcref", 1, 2))
        for item in (memory, table):
            with self.assertRaises(ValueError):
                item.grow(-1)
            for number in (3, 2**32, 2**32 + 1, 2**64 + 1):
                with self.assertRaises(Error):
                    item.grow(number)
            with self.assertRaises(TypeError):
                item.grow(0.5)
        for number in (-1, 2**64, 2**64 + 1):
            for way in (lambda: memory.read(number, 1), lambda: memory.read(0, number), lambda: memory.write(number, b"x"),
                        lambda: memory.read_cstring(number)):
                with self.assertRaises(IndexError):
                    way()
        with self.assertRaises(TypeError):
            memory.read(0.5, 1)


class MemoryTest(unittest.TestCase):
    def test_only_bytes_are_written(self):
        memory = Memory(Store(Engine()), (1, 1))
        memory.write(0, b"abc")
        for wrong in (3, 3.0, "abc", None, [1, 2]):
            with self.assertRaises(TypeError):
                memory.write(0, wrong)
            with self.assertRaises(TypeError):
                memory[0:3] = wrong
        self.assertEqual(memory.read(0, 4), b"abc\0")
        for right in (bytearray(b"xyz"), memoryview(b"xyz"), memoryview(b"x-y-z")[::2]):
            memory.write(0, right)
            self.assertEqual(memory[:3], b"xyz")
        memory[3:6] = memory[:3]
        self.assertEqual(memory[:6], b"xyzxyz")

    def test_more_than_two_gigabytes(self):
        size = (2 << 30) + 65536
        memory = Memory(Store(Engine()), (size // 65536, None))
        memory.write(size - 3, b"end")
        data = memory.read(0, size)
        self.assertEqual(len(data), size)
        self.assertEqual(data[-4:], b"\0end")
        del data
        data = memory[1:]
        self.assertEqual((len(data), data[-3:]), (size - 1, b"end"))

    def test_a_memory_that_may_move_has_no_view(self):
        for settings, limits, fixed in (
                ({}, (1, None), True), ({"signals": False}, (1, None), False), ({"signals": False}, (1, 2), True),
                ({"memory_reservation": 0}, (1, None), False), ({"memory_reservation": 0}, (1, 1), True),
                ({"memory_reservation": 0}, (1, 2), False), ({"memory_reservation": 65536}, (0, 1), True)):
            memory = Memory(Store(Engine(**settings)), limits)
            with self.subTest(settings=settings, limits=limits):
                if fixed:
                    view = memory.view()
                    self.assertEqual(len(view), 65536 * limits[0])
                else:
                    with self.assertRaises(BufferError):
                        memory.view()

    def test_an_engine_that_fell_back(self):
        import subprocess
        import sys
        program = """if 1:
            import resource
            from stepwell import Engine, Memory, Store
            resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
            engine, kept = Engine(), []
            for _ in range(3):
                store = Store(engine)
                memory = Memory(store, (1, None))
                try:
                    view = memory.view()
                except BufferError:
                    kept.append(memory)
                    continue
                view[0] = 7
                memory.grow(1000)
                assert memory[0] == 7
                view[0] = 8
                assert memory[0] == 8
            assert kept
        """
        done = subprocess.run([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)


class ManyTest(unittest.TestCase):
    def test_what_is_gone_leaves_nothing(self):
        store = Store(Engine())
        for make in (lambda: ExternRef(store, 1), lambda: Func(store, lambda: None, ([], []))):
            sizes = []
            for _ in range(6):
                for _ in range(20000):
                    make()
                gc.collect()
                store.collect()
                make()
                sizes.append(rss())
            self.assertLess(sizes[-1] - sizes[2], 3 * 20000 * 40, sizes)
        self.assertLess(len(stepwell._calls._owners), 1000)

    def test_objects_hash_apart(self):
        store = Store(Engine())
        funcs = [Func(store, lambda: None, ([], [])) for _ in range(200)]
        self.assertGreater(len({hash(func) for func in funcs}), 190)
        table = Table(store, ("funcref", 1, 1), funcs[7])
        again = table[0]
        self.assertEqual(again, funcs[7])
        self.assertEqual(hash(again), hash(funcs[7]))
        self.assertNotEqual(funcs[7], funcs[8])
        known = {func: i for i, func in enumerate(funcs)}
        self.assertEqual(known[again], 7)
        store.close()
        self.assertIn(funcs[7], known)

    def test_names_do_nothing_to_terminals(self):
        odd = "a\x1b[2J\u202eb\u2028c\x9b"
        engine = Engine(debug=True)
        store, linker = Store(engine), stepwell.Linker(engine)
        builder = Builder()
        builder.import_func(odd, odd)
        module = Module(engine, builder.build())
        debugger = stepwell.Debugger(store, lambda stop: None)
        for call in (
            lambda: Instance(store, module),
            lambda: Instance(store, module, {odd: {odd: 1}}),
            lambda: linker.define(odd, odd, 1),
            lambda: linker.instantiate(store, module),
            lambda: debugger.break_at_function(module, odd),
            lambda: debugger.break_at_source(module, odd, 1),
        ):
            with self.assertRaises((Error, TypeError)) as caught:
                call()
            self.assertTrue(str(caught.exception).isprintable(), ascii(str(caught.exception)))
            self.assertIn("202e", str(caught.exception))


if __name__ == "__main__":
    unittest.main()
