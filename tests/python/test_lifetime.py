"""Closing, in every order and by the garbage collector; threads; the end of the interpreter."""
import gc
import itertools
import threading
import unittest
import weakref

import guests
import stepwell
from stepwell import Debugger, Error, ErrorCode, ExternRef, Func, Instance, Module, Store
from test_bindings import python
from test_guests import mappings


class Closing(unittest.TestCase):
    def test_every_order(self):
        binary = guests.calls_host([], ["i32"])
        for order in itertools.permutations(range(5)):
            engine = stepwell.Engine()
            module = Module(engine, binary)
            store = Store(engine)
            instance = Instance(store, module, [lambda: 5])
            func = instance.exports.run
            self.assertEqual(func(), 5)
            objects = [engine, module, store, instance, func]
            closed = set()
            for index in order:
                objects[index].close()
                objects[index].close()
                closed.add(index)
                if not closed & {2, 4}:
                    self.assertEqual(func(), 5)
            self.assertTrue(all(item.closed for item in objects))

    def test_every_order_by_reference(self):
        binary = guests.state()
        for order in itertools.permutations(range(6)):
            engine = stepwell.Engine(debug=True)
            module = Module(engine, binary)
            store = Store(engine)
            debugger = Debugger(store, lambda stop: None)
            instance = Instance(store, module)
            objects = [engine, module, store, debugger, instance, instance.exports.one]
            del engine, module, store, debugger, instance
            for index in order:
                objects[index] = None

    def test_use_after_close(self):
        engine = stepwell.Engine()
        module = Module(engine, guests.state())
        with Store(engine) as store:
            exports = Instance(store, module).exports
            reference = ExternRef(store)
            self.assertEqual(exports.one(), 1)
        for use in (exports.one, lambda: exports.memory[0], lambda: exports.counter.value, lambda: exports.funcs[0],
                    lambda: Instance(store, module), lambda: exports.memory.grow(1), lambda: Func(store, print, ((), ()))):
            with self.assertRaisesRegex(ValueError, "closed"):
                use()
        self.assertTrue(reference.closed and store.closed)
        with self.assertRaisesRegex(ValueError, "closed"):
            with store:
                pass
        module.close()
        with self.assertRaisesRegex(ValueError, "closed"):
            Instance(Store(engine), module)

    def test_closing_while_a_guest_runs(self):
        engine = stepwell.Engine()
        store = Store(engine)
        refused = []

        def f():
            try:
                store.close()
            except Error as error:
                refused.append(error.code)
            # Other handles may go, also the one that is being called.
            exports.run.close()
            exports.outer.close()
            module.close()
            engine.close()
            return 6
        module = Module(engine, guests.calls_host([], ["i32"]))
        exports = Instance(store, module, [f]).exports
        self.assertEqual(exports.outer(), 6)
        self.assertEqual(refused, [ErrorCode.STATE])
        store.close()

    def test_last_reference_goes_while_the_guest_runs(self):
        engine = stepwell.Engine()
        module = Module(engine, guests.calls_host([], ["i32"]))
        held = {}

        def f():
            held.clear()
            gc.collect()
            return 9
        held["store"] = Store(engine)
        held["run"] = Instance(held["store"], module, [f]).exports.run
        self.assertEqual(held["run"](), 9)
        self.assertEqual(held, {})


class Garbage(unittest.TestCase):
    def test_cycle_through_a_host_function(self):
        """A host function that refers to its own instance keeps nothing alive."""
        engine = stepwell.Engine(debug=True)
        module = Module(engine, guests.calls_host([], ["i32"]))
        gone = []

        def make():
            store = Store(engine)
            found = []
            instance = Instance(store, module, [lambda: len(found)])
            found.append(instance)
            Debugger(store, lambda stop: found and None)
            self.assertEqual(instance.exports.run(), 1)
            gone.append(weakref.ref(store))
            gone.append(weakref.ref(instance))
        make()
        gc.collect()
        self.assertEqual([ref() for ref in gone], [None, None])

    def test_objects_keep_their_store(self):
        engine = stepwell.Engine()
        f = Instance(Store(engine), Module(engine, guests.calls_host([], ["i32"])), [lambda: 4]).exports.run
        del engine
        gc.collect()
        self.assertEqual(f(), 4)

    def test_memory_is_given_back(self):
        engine = stepwell.Engine()
        module = Module(engine, guests.state())

        def use(count):
            for _ in range(count):
                Instance(Store(engine), module).exports.memory.write(0, b"x")
            gc.collect()
        use(10)
        before = mappings()
        use(200)
        self.assertLess(mappings(), before + 100)

    def test_errors_leave_no_cycles(self):
        engine = stepwell.Engine()
        store = Store(engine)

        class Mine(Exception):
            pass

        def fail():
            raise Mine
        run = Instance(store, Module(engine, guests.calls_host()), [fail]).exports.run
        gc.collect()
        gc.disable()
        try:
            try:
                run()
            except Mine as error:
                gone = weakref.ref(error)
            self.assertIsNone(gone())
        finally:
            gc.enable()


class Threads(unittest.TestCase):
    def test_one_at_a_time_per_store(self):
        engine = stepwell.Engine()
        store = Store(engine)
        inside, most = [], []

        def f(x):
            inside.append(1)
            most.append(len(inside))
            event.wait(0.001)
            inside.pop()
            return x + 1
        event = threading.Event()
        exports = Instance(store, Module(engine, guests.calls_host(["i32"], ["i32"])), [f]).exports
        results = []

        def work(base):
            results.extend(exports.run(base + i) for i in range(20))
        threads = [threading.Thread(target=work, args=(100 * n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(results), sorted(100 * n + i + 1 for n in range(4) for i in range(20)))
        self.assertEqual(max(most), 1)

    def test_stores_on_threads(self):
        engine = stepwell.Engine()
        module = Module(engine, guests.calls_host(["i32"], ["i32"]))
        failures = []

        def work(n):
            def f(x):
                if x == 7:
                    raise ValueError(n)
                return x * n
            run = Instance(Store(engine), module, [f]).exports.run
            for i in range(20):
                try:
                    if run(i) != i * n:
                        failures.append((n, i))
                except ValueError as error:
                    if (i, error.args) != (7, (n,)):
                        failures.append((n, i, error))
        threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])


class End(unittest.TestCase):
    def test_live_objects_at_the_end(self):
        done = python(
            "import guests, stepwell\n"
            "engine = stepwell.Engine(debug=True)\n"
            "store = stepwell.Store(engine)\n"
            "instance = stepwell.Instance(store, stepwell.Module(engine, guests.calls_host([], ['i32'])), [lambda: 3])\n"
            "debugger = stepwell.Debugger(store, lambda stop: print(stop.frame().func_name))\n"
            "debugger.break_at_function(instance.module, 'run')\n"
            "print(instance.exports.outer())\n"
            "cycle = [store, instance]; cycle.append(cycle)\n")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "run\n3\n", ""))

    def test_exit_inside_a_guest(self):
        done = python(
            "import guests, stepwell, sys\n"
            "engine = stepwell.Engine()\n"
            "module = stepwell.Module(engine, guests.calls_host())\n"
            "stepwell.Instance(stepwell.Store(engine), module, [lambda: sys.exit(3)]).exports.outer()\n")
        self.assertEqual((done.returncode, done.stderr), (3, ""))
