"""Threads that change as often as Python lets them, and forks: nothing is shared by the luck that a line is run through."""
import gc
import os
import signal
import sys
import threading
import time
import unittest
import warnings
from collections import deque

import guests
import stepwell
import stepwell.testing
from stepwell import Debugger, Engine, Error, ErrorCode, Func, Instance, Linker, Memory, Module, Store
from stepwell import _calls

THREADS = 4


class Case(unittest.TestCase):
    def setUp(self):
        before = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        self.addCleanup(sys.setswitchinterval, before)

    def together(self, *works):
        """Runs works at once, each on a thread of its own, and raises what they raise."""
        failed, begin = [], threading.Barrier(len(works))

        def run(work):
            try:
                begin.wait()
                work()
            except BaseException as error:
                failed.append(error)

        threads = [threading.Thread(target=run, args=(work,)) for work in works]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failed:
            raise failed[0]


class Threads(Case):
    def test_numbers_of_callbacks(self):
        """Each is of one owner, and what C has done with is taken off the list once."""
        class Owner:
            def _finished(self, number):
                finished.append(number)

        finished, kept = [], [[] for _ in range(THREADS)]

        def work(mine):
            for _ in range(2000):
                owner = Owner()
                mine.append((_calls.register(owner), owner))
                _calls._finished.append(mine[len(mine) // 2][0])

        self.together(*(lambda mine=mine: work(mine) for mine in kept))
        _calls.register(last := Owner())
        numbers = [number for mine in kept for number, _ in mine]
        self.assertEqual(len(set(numbers)), THREADS * 2000)
        self.assertEqual(len(finished), len(set(finished)))
        self.assertIsNotNone(last)

    def test_another_thread_takes_the_last_one(self):
        class Taken(deque):
            """One is left, until it is to be taken."""

            def __len__(self):
                return 1

            def popleft(self):
                raise IndexError("pop from an empty deque")

        before, _calls._finished = _calls._finished, Taken()
        try:
            self.assertGreater(_calls.register(self), 0)
        finally:
            _calls._finished = before

    def test_a_module_that_all_ask_first(self):
        engine, binary = Engine(), stepwell.testing.guest()
        compiled = Module(engine, binary).serialize()
        for _ in range(150):
            module = Module.deserialize(engine, compiled)
            said = []

            def ask():
                for _ in range(3):
                    said.append((module.name, module.func_count, module.func_index("fib"), len(module.imports), len(module.exports)))

            self.together(*[ask] * THREADS)
            self.assertEqual(set(said), {("warehouse.wasm", 21, module.func_index("fib"), 1, 6)})

    def test_one_view_of_a_module(self):
        module = Module(Engine(), stepwell.testing.guest())
        real, made = stepwell.module.ModuleHandle, []

        class Slow(real):
            def __init__(self, *given):
                time.sleep(0.02)
                super().__init__(*given)
                made.append(self)

        stepwell.module.ModuleHandle = Slow
        try:
            self.together(*[lambda: module.name] * THREADS)
        finally:
            stepwell.module.ModuleHandle = real
        self.assertEqual(len(made), 1)

    def test_stores_of_their_own(self):
        engine = Engine()
        module = Module(engine, guests.calls_host(["i32"], ["i32"]))
        linker = Linker(engine)
        linker.define("env", "f", lambda x: x + 1, (["i32"], ["i32"]))
        pre = linker.instantiate_pre(module)

        class Mine(Exception):
            pass

        def work():
            me = threading.get_ident()

            def fail(x):
                raise Mine(me, x)

            for i in range(60):
                with Store(engine) as store:
                    self.assertEqual(Instance(store, module, [lambda x: x * me % 1000]).exports.outer(i), i * me % 1000)
                    self.assertEqual(pre.instantiate(store).exports.run(i), i + 1)
                    self.assertEqual(linker.instantiate(store, module).exports.run(i), i + 1)
                    with self.assertRaises(Mine) as caught:
                        Instance(store, module, [fail]).exports.outer(i)
                    self.assertEqual(caught.exception.args, (me, i))

        self.together(*[work] * THREADS)

    def test_one_store(self):
        engine = Engine()
        store = Store(engine)
        instance = Instance(store, Module(engine, guests.state()))

        def work():
            for i in range(100):
                exports = instance.exports
                exports.memory.write(64, bytes(4))
                self.assertEqual(exports.one(), 1)
                self.assertEqual(exports.same(reference := stepwell.ExternRef(store, i)), reference)
                self.assertEqual(Func(store, lambda x: x, (["i32"], ["i32"]))(i), i)
                Memory(store, (1, 1)).view()[0] = 1
                repr(exports), repr(store), hash(exports.one)

        self.together(*[work] * THREADS)
        gc.collect()
        store.collect()
        self.assertLess(store.object_count, 100)

    def test_closing_while_others_look(self):
        engine = Engine()
        module = Module(engine, guests.state())
        for _ in range(30):
            store = Store(engine)
            kept = []

            def make():
                try:
                    while True:
                        instance = Instance(store, module)
                        kept.append((instance, instance.exports.one, instance.exports.memory[0]))
                except ValueError as error:  # closed, and told so
                    self.assertIn("closed", str(error))

            def close():
                while len(kept) < 5:
                    time.sleep(0.0001)
                store.close()

            self.together(make, make, make, close)
            self.assertTrue(all(one.closed for one, _, _ in kept) and store.closed)

    def test_progress_of_several_at_once(self):
        """An exception that leaves one's callback is that one's."""
        class Mine(BaseException):
            pass

        binary = stepwell.testing.guest()

        def work():
            engine = Engine(debug=True, parallel=False)
            module = Module(engine, binary)
            mine = Mine()

            def fail(done, total):
                raise mine

            for _ in range(20):
                with self.assertRaises(Mine) as caught:
                    module.compile_debug(fail)
                self.assertIs(caught.exception, mine)
            module.compile_debug(lambda done, total: True)

        self.together(*[work] * THREADS)
        self.assertFalse(_calls._passing)

    def test_debuggers(self):
        engine = Engine(debug=True)
        module = Module(engine, stepwell.testing.guest())

        def work():
            for i in range(10):
                stops = []
                with Store(engine) as store:
                    instance = Instance(store, module, defaults=True)
                    with Debugger(store, lambda stop: stops.append(repr(stop.frame().locals))) as debugger:
                        debugger.break_at_function(module, "divide")
                        self.assertEqual(instance.exports.divide(10 * i, 2), 5 * i)
                self.assertEqual(len(stops), 1)
                self.assertIn(f": {10 * i}", stops[0])

        self.together(*[work] * THREADS)


class Forks(unittest.TestCase):
    def setUp(self):
        self.engine = Engine(debug=True)
        self.module = Module(self.engine, stepwell.testing.guest())
        self.store = Store(self.engine)
        self.addCleanup(self.store.close)
        self.exports = Instance(self.store, self.module, defaults=True).exports

    def child(self, work):
        """Does it in a fork: whether it came to its end."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # that there are threads
            child = os.fork()
        if child == 0:
            try:
                work()
                os._exit(0)
            except BaseException:
                sys.excepthook(*sys.exc_info())
                sys.stderr.flush()
            finally:
                os._exit(1)
        until = time.monotonic() + 60
        while time.monotonic() < until:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                self.assertEqual(status, 0)
                return
            time.sleep(0.01)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        self.fail("the child hangs")

    def test_what_a_child_does_is_its_own(self):
        def use():
            self.assertEqual(self.exports.fib(10), 55)
            self.exports.memory[0] = 77
            with Store(Engine()) as store:
                self.assertEqual(Instance(store, Module(store.engine, stepwell.testing.guest()), defaults=True).exports.fib(11), 89)
            Module(self.engine, stepwell.testing.program()).compile_debug()

        self.child(use)
        self.assertEqual(self.exports.memory[0], 0)
        hits = []
        with Debugger(self.store, lambda stop: hits.append(stop.frame().func_name)) as debugger:
            placed = debugger.break_at_function(self.module, "fib")

            def change():
                placed.remove()
                debugger.break_at_function(self.module, "divide")
                self.assertEqual((self.exports.fib(3), self.exports.divide(4, 2), hits), (2, 2, ["divide"]))

            self.child(change)
            self.assertEqual((self.exports.fib(1), self.exports.divide(4, 2), hits), (1, 2, ["fib"]))

    def test_while_a_thread_is_inside(self):
        inside, go_on = threading.Event(), threading.Event()

        def host():
            inside.set()
            go_on.wait(60)

        busy = Store(self.engine)
        func = Func(busy, host, ([], []))
        thread = threading.Thread(target=func)
        thread.start()
        inside.wait(60)

        def use():
            self.assertEqual(self.exports.fib(10), 55)
            for call in (func, busy.close, busy.collect, lambda: Memory(busy, (1, 1)), lambda: busy.poisoned):
                with self.assertRaises(Error) as refused:
                    call()
                self.assertEqual(refused.exception.code, ErrorCode.STATE)
                self.assertIn("forked", str(refused.exception))
            self.assertIn("another thread", repr(busy))
            self.assertIn("another thread", repr(func))
            with Store(self.engine) as store:
                self.assertEqual(Instance(store, self.module, defaults=True).exports.fib(5), 5)

        try:
            self.child(use)
        finally:
            go_on.set()
            thread.join()
        busy.close()

    def test_inside_of_a_guest(self):
        """The thread that forks is in the child, with its guest."""
        def host():
            self.child(lambda: self.assertEqual(self.exports.fib(10), 55))

        Func(self.store, host, ([], []))()
        self.assertEqual(self.exports.fib(10), 55)


if __name__ == "__main__":
    unittest.main()
