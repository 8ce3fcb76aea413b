"""Calls that wait: by hand, by coroutines of asyncio, and stops that are looked at while other tasks run."""
import asyncio
import contextlib
import gc
import inspect
import os
import select
import sys
import threading
import time
import unittest
import warnings
import weakref
from typing import Protocol

import guests
import stepwell
import wasm
from guests import const, get
from stepwell import (
    Action, Call, Caller, CallStatus, Debugger, Engine, Error, ErrorCode, Events, ExnRef, Exit, ExternRef, Func, GuestException, Instance, Linker,
    Memory, Module, NotYet, StopQueue, StopReason, Store, Tag, Trap, TrapCode, Wasi, i32, i64,
)
from test_bindings import python
from wasm import CALL, DROP, END, LOOP, code, u

WAITS = guests.of_c("SUSPENDED")  # twice, count, plain, traps: tests/c/modules/suspended.wat
TOKEN = object()


def types():
    """Calls what gives values of all types, and hands them on; `nested` calls `env.call`, and `catches` what `env.later` throws."""
    b = wasm.Builder()
    all_types = ["i32", "i64", "f32", "f64", "v128", "externref", "funcref"]
    many = b.import_func("env", "many", all_types, all_types)
    none = b.import_func("env", "none")
    call = b.import_func("env", "call", ["i32"], ["i32"])
    b.func(all_types, all_types, code(*(get(i) for i in range(7)), CALL, u(many)), export="many")
    b.func([], [], code(CALL, u(none), CALL, u(none)), export="none")
    b.func(["i32"], ["i32"], code(get(0), CALL, u(call)), export="nested")
    b.func([], [], code(LOOP, b"\x40", CALL, u(none), wasm.BR, u(0), END), export="ask_for_ever")
    b.func([], [], code(LOOP, b"\x40", wasm.BR, u(0), END), export="spin")
    return b.build()


class Case(unittest.TestCase):
    settings = {}

    def setUp(self):
        self.engine = Engine(**self.settings)
        self.module = Module(self.engine, WAITS)
        self.store = Store(self.engine)
        self.unraisable = []
        hook, sys.unraisablehook = sys.unraisablehook, lambda info: self.unraisable.append(info.exc_value or info.exc_type)
        self.addCleanup(setattr, sys, "unraisablehook", hook)
        recorded = warnings.catch_warnings(record=True)
        self.warnings = recorded.__enter__()
        warnings.simplefilter("always")
        self.addCleanup(recorded.__exit__, None, None, None)

    def tearDown(self):
        self.store.close()
        gc.collect()
        self.assertEqual(self.unraisable, [])
        self.assertEqual([str(one.message) for one in self.warnings if issubclass(one.category, RuntimeWarning)], [])

    def exports(self, later, store=None):
        return Instance(store or self.store, self.module, {"host": {"later": later}}).exports

    def works(self, exports):
        """The store is as good as before."""
        self.assertEqual(exports.plain(1), 2)
        self.assertFalse(self.store.poisoned)

    def error(self, code, text, call, *args):
        with self.assertRaisesRegex(Error, text) as caught:
            call(*args)
        self.assertEqual(caught.exception.code, code)
        return caught.exception


def waits(n):
    raise NotYet((TOKEN, n))


class ByHand(Case):
    def test_many_wait_and_are_answered_in_another_order(self):
        exports = self.exports(waits)
        calls = [Call(exports.twice, n) for n in range(40)]
        for n, call in enumerate(calls):
            self.assertEqual((call.status, call.token, call.stop), (CallStatus.NEW, None, None))
            self.assertEqual(call.run(), CallStatus.WAITING)
            self.assertEqual(call.token, (TOKEN, n))
            self.error(ErrorCode.STATE, "not been answered", call.run)
            self.assertEqual(call.token, (TOKEN, n))
        for turn in (CallStatus.WAITING, CallStatus.FINISHED):
            for call in reversed(calls):
                call.answer(5)
                self.error(ErrorCode.STATE, "answered already", call.answer, 6)
                self.assertEqual(call.run(), turn)
        for n, call in enumerate(calls):
            self.assertEqual((call.results(), call.results(), call.token), (20 * n + 20, 20 * n + 20, None))
            self.error(ErrorCode.STATE, "done", call.run)
            call.close()
            call.close()
            with self.assertRaisesRegex(ValueError, "closed"):
                call.results()
        self.works(exports)

    def test_values_of_all_types(self):
        exports = None

        def many(*values):
            raise NotYet(values)
        env = {"many": many, "none": lambda: None, "call": lambda n: n}
        exports = Instance(self.store, Module(self.engine, types()), {"env": env}).exports
        reference = ExternRef(self.store, "mine")
        given = (-1, 1 << 40, 1.5, 2.5, bytes(range(16)), reference, exports.none)
        call = Call(exports.many, *given)
        self.assertEqual(call.run(), CallStatus.WAITING)
        self.assertEqual(call.token, given)
        del reference
        gc.collect()
        self.error(ErrorCode.STATE, "", self.store.collect)
        for wrong in (None, (1,), given[:6] + (5,), ("x",) + given[1:], given[:4] + (b"short",) + given[5:]):
            with self.assertRaises((TypeError, ValueError)):
                call.answer(wrong)
        call.answer(call.token[:4] + (bytearray(16),) + call.token[5:])
        del given
        gc.collect()
        self.assertEqual(call.run(), CallStatus.FINISHED)
        for _ in range(2):
            results = call.results()
            self.assertEqual(results[:5], (-1, 1 << 40, 1.5, 2.5, bytes(16)))
            self.assertEqual(results[5].value, "mine")
            self.assertEqual(results[6], exports.none)
        none = Call(exports.none)
        self.assertEqual(none.run(), CallStatus.FINISHED)
        self.assertIsNone(none.results())

    def test_fails(self):
        exports = self.exports(waits)
        made = [KeyError("x"), Trap("mine"), Exit(3), SystemExit(4), KeyboardInterrupt(), Error("text"), asyncio.CancelledError()]
        for exception in made:
            call = Call(exports.twice, 1)
            call.run()
            call.fail(exception)
            with self.assertRaises(type(exception)) as caught:
                call.run()
            self.assertIs(caught.exception, exception)
            self.assertEqual(call.status, CallStatus.FINISHED)
            self.error(ErrorCode.STATE, "no results", call.results)
            self.error(ErrorCode.STATE, "no answer", call.answer, 1)
        self.assertEqual([frame.func_index for frame in made[1].frames], [1, 2])
        if sys.version_info >= (3, 11):
            self.assertIn("twice", made[0].__notes__[0])
        with self.assertRaises(TypeError):
            Call(exports.twice, 1).fail("text")
        self.works(exports)

    def test_a_trap_of_its_own(self):
        exports = self.exports(waits)
        call = Call(exports.traps, 1)
        call.run()
        call.answer(0)
        with self.assertRaises(Trap) as caught:
            call.run()
        self.assertIn("out of bounds", str(caught.exception))
        self.assertEqual(call.status, CallStatus.FINISHED)
        self.works(exports)

    def test_arguments(self):
        exports = self.exports(waits)
        for wrong in ((), (1, 2), ("x",), (1 << 40,)):
            with self.assertRaises((TypeError, OverflowError)):
                Call(exports.twice, *wrong)
        with self.assertRaises(TypeError):
            Call(print, 1)
        with self.assertRaises(TypeError):
            import copy
            copy.copy(Call(exports.twice, 1))

    def test_a_guest_called_as_usual_cannot_wait(self):
        exports = self.exports(waits)
        told = self.error(ErrorCode.STATE, "cannot wait.*Call", exports.twice, 1)
        self.assertIsInstance(told.__cause__, NotYet)
        self.assertIn("waits", str(told))

    def test_nor_one_that_a_host_function_calls(self):
        def call(n):
            if n == 2:
                return self.nested.exports.nested(3)  # as usual
            raise NotYet(n)
        env = {"many": lambda *values: values, "none": lambda: None, "call": call}
        self.nested = Instance(self.store, Module(self.engine, types()), {"env": env})
        outer = Call(self.nested.exports.nested, 2)
        self.error(ErrorCode.STATE, "cannot wait", outer.run)
        # One that it calls by a call of its own can, and the outer one waits for nothing.
        inner = []

        def runs(n):
            if n == 2:
                inner.append(Call(nested.exports.nested, 5))
                self.assertEqual(inner[0].run(), CallStatus.WAITING)
                return 7
            raise NotYet(n)
        nested = Instance(self.store, Module(self.engine, types()), {"env": {**env, "call": runs}})
        outer = Call(nested.exports.nested, 2)
        self.assertEqual(outer.run(), CallStatus.FINISHED)
        self.assertEqual((outer.results(), inner[0].token), (7, 5))
        inner[0].answer(8)
        self.assertEqual((inner[0].run(), inner[0].results()), (CallStatus.FINISHED, 8))

    def test_what_runs_is_not_run_or_closed_within(self):
        seen = []

        def later(n):
            self.assertEqual(call.status, CallStatus.RUNNING)
            self.error(ErrorCode.STATE, "runs already", call.run)
            self.error(ErrorCode.STATE, "runs", call.close)
            self.error(ErrorCode.STATE, "guest runs", self.store.close)
            seen.append(repr(call))
            return n
        call = Call(self.exports(later).twice, 1)
        self.assertEqual(call.run(), CallStatus.FINISHED)
        self.assertEqual(call.results(), 33)
        self.assertEqual(seen, ["<Call of i32 -> i32, running>"] * 2)

    def test_another_is_closed_within(self):
        others = []

        def later(n):
            if n < 100:
                raise NotYet(n)
            if others:
                others.pop().close()
                others.clear()  # the rest is found unused
                gc.collect()
            return n
        exports = self.exports(later)
        for n in range(5):
            others.append(Call(exports.twice, n))
            others[-1].run()
        call = Call(exports.twice, 100)
        self.assertEqual(call.run(), CallStatus.FINISHED)
        self.assertEqual(repr(self.store).count("1 calls"), 1)
        self.works(exports)

    def test_of_host_functions(self):
        func = Func(self.store, waits, (["i32"], ["i32"]))
        call = Call(func, 6)
        self.assertEqual((call.run(), call.token), (CallStatus.WAITING, (TOKEN, 6)))
        call.answer(9)
        self.assertEqual((call.run(), call.results()), (CallStatus.FINISHED, 9))
        call = Call(func, 6)
        call.run()
        call.fail(KeyError(5))
        with self.assertRaises(KeyError):
            call.run()

    def test_on_any_thread(self):
        exports = self.exports(waits)
        call = Call(exports.twice, 1)
        reached = []

        def step():
            reached.append(call.run())
            if reached[-1] == CallStatus.WAITING:
                call.answer(0)
        for _ in range(3):
            thread = threading.Thread(target=step)
            thread.start()
            thread.join()
        self.assertEqual((reached[-1], call.results()), (CallStatus.FINISHED, 30))

    def test_repr_and_closing(self):
        exports = self.exports(waits)
        with Call(exports.twice, 3) as call:
            self.assertEqual(repr(call), "<Call of i32 -> i32, new>")
            call.run()
            self.assertIn("waiting for (<object", repr(call))
            self.assertIs(call.func, exports.twice)
        self.assertEqual(repr(call), "<Call, closed>")
        for use in (call.run, call.results, call.answer, lambda: call.status, lambda: call.token, lambda: call.fail(KeyError())):
            with self.assertRaisesRegex(ValueError, "closed"):
                use()

    def test_limit(self):
        exports = self.exports(waits)
        self.store.set_limits(calls=2)
        kept = [Call(exports.twice, 1) for _ in range(2)]
        self.error(ErrorCode.LIMIT, "limit of 2 calls", Call, exports.twice, 1)
        kept.pop().close()
        kept.append(Call(exports.twice, 1))
        kept.clear()  # those that nobody has count no more
        gc.collect()
        self.assertEqual(Call(exports.twice, 1).run(), CallStatus.WAITING)

    def test_the_store_is_closed_while_they_wait(self):
        later = Store(self.engine)
        exports = self.exports(waits, later)
        calls = [Call(exports.twice, n) for n in range(4)]
        for call in calls[1:]:
            call.run()
        later.close()
        for call in calls:
            with self.assertRaisesRegex(ValueError, "its Store was closed"):
                call.run()
            call.close()

    def test_collected_while_they_wait(self):
        for attached in (False, True):
            engine = Engine(debug=True)
            store = Store(engine)
            kept = []
            host = lambda n: waits(n)  # noqa: E731
            exports = Instance(store, Module(engine, WAITS), {"host": {"later": host}}).exports
            calls = [Call(exports.twice, n) for n in range(3)]
            if attached:
                kept.append(Debugger(store, lambda stop: None))
            for call in calls:
                call.run()
            gone = [weakref.ref(one) for one in (engine, store, host, *calls, *kept)]
            del engine, store, exports, calls, call, host
            kept.clear()
            gc.collect()
            self.assertEqual([one() for one in gone], [None] * len(gone))

    def test_their_memory_is_given_back(self):
        """A store with calls that wait, left to the garbage collector: its memories would fill the address space."""
        engine = Engine(debug=True)
        module = Module(engine, WAITS)
        for n in range(3000):
            store = Store(engine)
            exports = Instance(store, module, {"host": {"later": waits}}).exports
            debugger = Debugger(store, lambda stop: None) if n % 2 else None
            call = Call(exports.twice, 1)
            call.run()
            call.loop = (call, debugger)  # found by the collector alone
            del store, exports, debugger, call
            if n % 100 == 99:
                gc.collect()
        size = int(next(line for line in open("/proc/self/status") if line.startswith("VmSize")).split()[1])
        self.assertLess(size, 2_000 << 20)  # in KiB: of 4 GiB each

    def test_no_debugger_is_detached_while_they_wait(self):
        engine = Engine(debug=True)
        with Store(engine) as store:
            exports = Instance(store, Module(engine, WAITS), {"host": {"later": waits}}).exports
            debugger = Debugger(store, lambda stop: None)
            call = Call(exports.twice, 1)
            call.run()
            self.error(ErrorCode.STATE, "", debugger.close)
            self.assertFalse(debugger.closed)
            self.assertIs(store.debugger, debugger)
            call.close()
            debugger.close()
            self.assertIsNone(store.debugger)
            Debugger(store, lambda stop: None)
            call = Call(exports.twice, 1)
            call.run()  # and the store is closed

    def test_errors_are_not_kept(self):
        exports = self.exports(waits)

        class Big(Exception):
            pass
        call = Call(exports.twice, 1)
        call.run()
        big = Big()
        call.fail(big)
        with contextlib.suppress(Big):
            call.run()
        gone = weakref.ref(big)
        del big
        self.assertIsNone(gone())


class Slices(Case):
    settings = {"fuel": True, "fuel_slices": True, "kept_stacks": 1}

    def test_turns(self):
        exports = self.exports(waits)
        self.store.fuel = 10_000_000
        calls = [Call(exports.count, 1000 * n) for n in range(1, 4)]
        turns = 0
        while any(call.status != CallStatus.FINISHED for call in calls):
            for call in calls:
                if call.status != CallStatus.FINISHED:
                    self.assertIn(call.run_slice(500), (CallStatus.FINISHED, CallStatus.OUT_OF_SLICE))
                    turns += 1
        self.assertGreater(turns, 20)
        self.assertEqual([call.results() for call in calls], [1000, 2000, 3000])
        for wrong in (0, -1, 1 << 63):
            with self.assertRaises(ValueError):
                Call(exports.count, 1).run_slice(wrong)

    def test_needs_its_setting(self):
        engine = Engine(fuel=True)
        with Store(engine) as store:
            store.fuel = 1000
            exports = Instance(store, Module(engine, WAITS), {"host": {"later": waits}}).exports
            self.error(ErrorCode.STATE, "slices of it", Call(exports.count, 5).run_slice, 5)
            self.error(ErrorCode.STATE, "slices of it", lambda: asyncio.run(exports.count.call_async(5, slice=5)))

    def test_others_run_meanwhile(self):
        exports = self.exports(lambda n: n)
        self.store.fuel = 1 << 60
        order = []

        async def tick():
            while len(order) < 10_000:
                order.append("tick")
                await asyncio.sleep(0)

        async def main():
            ticks = asyncio.ensure_future(tick())
            counted = await asyncio.gather(*(exports.count.call_async(20_000, slice=5_000) for _ in range(3)))
            ticks.cancel()
            return counted
        self.assertEqual(asyncio.run(main()), [20_000] * 3)
        self.assertGreater(len(order), 5)

    def test_cancelled_while_it_computes(self):
        env = {"many": lambda *values: values, "none": lambda: None, "call": lambda n: n}
        exports = Instance(self.store, Module(self.engine, types()), {"env": env}).exports
        self.store.fuel = 1 << 60

        async def main():
            with self.assertRaises(asyncio.TimeoutError):
                await asyncio.wait_for(exports.spin.call_async(slice=10_000), 0.1)
            self.assertNotIn("calls", repr(self.store))
        asyncio.run(main())
        self.assertEqual(exports.nested(4), 4)

    def test_fuel_ends(self):
        exports = self.exports(lambda n: n)
        self.store.fuel = 3000
        with self.assertRaises(Trap) as caught:
            asyncio.run(exports.count.call_async(1 << 20, slice=100))
        self.assertEqual(caught.exception.trap_code, TrapCode.OUT_OF_FUEL)


class Io(unittest.TestCase):
    """Guests that wait where WASI would block."""

    def setUp(self):
        self.engine = Engine()
        self.store = Store(self.engine)
        self.addCleanup(self.store.close)
        end, self.pipe = os.pipe()
        before = os.dup(0)
        os.dup2(end, 0)
        self.addCleanup(os.close, before)
        self.addCleanup(os.dup2, before, 0)
        self.addCleanup(os.close, self.pipe)
        self.addCleanup(os.close, end)
        linker = Linker(self.engine)
        linker.define_wasi(self.store, Wasi(stdin="inherit"))
        self.exports = linker.instantiate(self.store, Module(self.engine, guests.of_c("IO_GUEST"))).exports

    def test_by_hand(self):
        call = Call(self.exports.sleep, 50)
        self.assertIsNone(call.blocked)
        call.wait_at_io()
        self.assertEqual(call.run(), CallStatus.BLOCKED)
        self.assertIn("blocked", repr(call))
        self.assertEqual(call.blocked[1:], ((), ()))
        self.assertTrue(0 <= call.blocked.timeout <= 0.05)
        while call.status == CallStatus.BLOCKED:
            time.sleep(call.blocked.timeout)
            call.run()
        self.assertEqual((call.blocked, call.results()), (None, 0))
        call = Call(self.exports.read, 1000)
        call.wait_at_io()
        self.assertEqual(call.run(), CallStatus.BLOCKED)
        fd, = call.blocked.reads
        self.assertIsNone(call.blocked.timeout)
        os.write(self.pipe, b"*")
        self.assertEqual(select.select([fd], [], [], 10)[0], [fd])
        self.assertEqual((call.run(), call.results()), (CallStatus.FINISHED, 1000 + ord("*")))

    def test_other_tasks_run_meanwhile(self):
        async def main():
            begun = time.monotonic()
            sleeps = [asyncio.ensure_future(self.exports.sleep.call_async(100)) for _ in range(20)]
            reads = [asyncio.ensure_future(self.exports.read.call_async(n)) for n in (0, 1000)]
            await asyncio.sleep(0.01)
            self.assertFalse(any(task.done() for task in sleeps + reads))
            self.assertEqual(self.exports.sleep(0), 0)
            self.assertEqual(await asyncio.gather(*sleeps), [0] * 20)
            self.assertGreaterEqual(time.monotonic() - begun, 0.1)
            os.write(self.pipe, b"ab")  # each of them has one
            self.assertEqual(sum(await asyncio.gather(*reads)), 1000 + ord("a") + ord("b"))
        asyncio.run(main())

    def test_timeout(self):
        with Store(Engine(epoch=True)) as store:
            linker = Linker(store.engine)
            linker.define_wasi(store, Wasi(stdin="inherit"))
            exports = linker.instantiate(store, Module(store.engine, guests.of_c("IO_GUEST"))).exports
            for function, n in ((exports.read, 0), (exports.sleep, 3_600_000)):
                with self.assertRaises(stepwell.TimedOut):
                    asyncio.run(function.call_async(n, timeout=0.05))
            self.assertEqual(asyncio.run(exports.sleep.call_async(1, timeout=60)), 0)

    def test_cancelled_and_closed(self):
        async def main():
            fds = set(os.listdir("/proc/self/fd"))
            for function, n in ((self.exports.read, 0), (self.exports.sleep, 3_600_000)):
                with self.assertRaises(asyncio.TimeoutError):
                    await asyncio.wait_for(function.call_async(n), 0.02)
                call = Call(function, n)
                task = asyncio.ensure_future(call.run_async())
                await asyncio.sleep(0.01)
                call.close()
                with self.assertRaises(ValueError):
                    await task
            self.assertEqual(set(os.listdir("/proc/self/fd")), fds)
        asyncio.run(main())


class Deadlines(Case):
    def test_waits(self):
        exports = self.exports(waits)
        self.store.set_epoch_deadline(0)
        call = Call(exports.count, 100_000)
        call.wait_at_deadline()
        self.assertEqual(call.run(), CallStatus.AT_DEADLINE)
        self.assertIn("at deadline", repr(call))
        self.store.set_epoch_deadline(10)
        self.assertEqual((call.run(), call.results()), (CallStatus.FINISHED, 100_000))
        call = Call(exports.count, 100_000)
        self.store.set_epoch_deadline(0)
        with self.assertRaises(Trap):
            call.run()

    def test_interrupted(self):
        env = {"many": lambda *values: values, "none": lambda: None, "call": lambda n: n}
        exports = Instance(self.store, Module(self.engine, types()), {"env": env}).exports
        interrupt = stepwell.Interrupt(self.store)
        threading.Timer(0.1, interrupt.interrupt).start()
        with self.assertRaises(Trap) as caught:
            asyncio.run(exports.spin.call_async())
        self.assertEqual(caught.exception.trap_code, TrapCode.INTERRUPT)


async def soon(n):
    await asyncio.sleep(0)
    return n


class Awaited(Case):
    def test_gather(self):
        at_once, most = 0, 0

        async def later(n):
            nonlocal at_once, most
            at_once += 1
            most = max(most, at_once)
            await asyncio.sleep(0.001 * (n % 7))
            at_once -= 1
            return n
        exports = self.exports(later)

        async def main():
            return await asyncio.gather(*(exports.twice.call_async(n) for n in range(100)))
        self.assertEqual(asyncio.run(main()), [22 * n + 11 for n in range(100)])
        self.assertGreater(most, 20)

    def test_a_guest_called_as_usual_says_what_to_do(self):
        exports = self.exports(soon)
        told = self.error(ErrorCode.STATE, r"soon is asynchronous.*await func\.call_async", exports.twice, 1)
        self.assertEqual(told.code, ErrorCode.STATE)
        with self.assertRaisesRegex(Error, "call_async"):
            Func(self.store, soon, (["i32"], ["i32"]))(5)
        # Also within a guest that can wait, where a host function calls another as usual.
        async def main():
            inner = self.exports(soon)
            outer = self.exports(lambda n: inner.twice(n))
            with self.assertRaisesRegex(Error, "not from within a host function"):
                await outer.twice.call_async(1)
        asyncio.run(main())
        self.works(exports)

    def test_kinds_of_host_functions(self):
        class Later:
            async def __call__(self, n):
                return await soon(n)

        async def main():
            loop = asyncio.get_running_loop()

            def future(n):
                made = loop.create_future()
                loop.call_soon(made.set_result, n)
                return made

            def task(n):
                raise NotYet(asyncio.ensure_future(soon(n)))
            for later in (soon, Later(), future, task, lambda n: soon(n), lambda n: n):
                self.assertEqual(await self.exports(later).twice.call_async(1), 33)
            # Which types it has is told by its annotations.

            async def annotated(a: i32, b: i64) -> i64:
                return a + b + await soon(1)
            func = Func(self.store, annotated)
            self.assertEqual(await func.call_async(2, 3), 6)
            linker = Linker(self.engine)

            @linker.func("host")
            async def later(n: i32) -> i32:
                return await soon(n)
            self.assertEqual(await linker.instantiate(self.store, self.module).exports.twice.call_async(1), 33)
        asyncio.run(main())

    def test_the_caller_outlives(self):
        async def later(caller: Caller, n: i32) -> i32:
            await asyncio.sleep(0)
            gc.collect()
            self.assertIsNone(caller.export("nothing"))
            self.assertIs(caller.store, self.store)
            self.assertEqual(repr(caller), "<Caller>")
            return caller.memory.unpack("<i", 64)[0]
        exports = self.exports(Func(self.store, later))
        exports.memory.pack("<i", 64, 3)
        self.assertEqual(asyncio.run(exports.twice.call_async(1)), 36)

        async def direct(caller: Caller) -> i32:
            return 5 if caller.export("memory") is None else 6
        self.assertEqual(asyncio.run(Func(self.store, direct).call_async()), 5)

    def test_all_types(self):
        async def many(*values):
            await asyncio.sleep(0)
            return list(values)
        env = {"many": many, "none": lambda: None, "call": lambda n: n}
        exports = Instance(self.store, Module(self.engine, types()), {"env": env}).exports
        given = (-1, 1 << 40, 1.5, 2.5, bytes(range(16)), ExternRef(self.store, "mine"), exports.none)
        self.assertEqual(asyncio.run(exports.many.call_async(*given)), given)

    def test_typed(self):
        exports = self.exports(soon)

        class Api(Protocol):
            memory: Memory

            async def twice(self, n: i32 = 1) -> i32: ...

            def traps(self, n: i32) -> i32: ...

        class Wrong(Protocol):
            async def twice(self, n: i64) -> i32: ...

        api = Instance(self.store, self.module, {"host": {"later": soon}}).typed(Api)
        self.assertTrue(inspect.iscoroutinefunction(api.twice))

        async def main():
            self.assertEqual((await api.twice(), await api.twice(n=2), await api.twice(3)), (33, 55, 77))
            self.assertEqual(await api.traps.call_async(200, slice=None), 0)
            self.assertEqual(await api.twice.call_async(n=2), 55)
            with self.assertRaises(TypeError):
                await api.twice(1, 2)
        asyncio.run(main())
        with self.assertRaisesRegex(Error, "cannot|asynchronous"):
            api.traps(1)
        with self.assertRaisesRegex(Error, "expected the function i64 -> i32"):
            Instance(self.store, self.module, {"host": {"later": soon}}).typed(Wrong)
        self.works(exports)

    def test_exceptions_both_ways(self):
        made = [KeyError("x"), Trap("mine"), Exit(3), Error("text"), RecursionError(), MemoryError()]
        for exception in made:
            for at in (0, 1):
                async def later(n):
                    await asyncio.sleep(0)
                    if n == 1 + at:
                        raise exception
                    return n
                exports = self.exports(later)
                with self.assertRaises(type(exception)) as caught:
                    asyncio.run(exports.twice.call_async(1))
                self.assertIs(caught.exception, exception)
                self.works(exports)
        self.assertEqual([frame.func_index for frame in made[1].frames], [1, 2])
        # What the coroutine gives that the guest cannot take, and what the guest makes of what it gets.
        for wrong, kind in (("x", TypeError), (None, TypeError), (1 << 40, OverflowError)):
            async def gives(n):
                return wrong
            exports = self.exports(gives)
            with self.assertRaisesRegex(kind, "result 0"):
                asyncio.run(exports.twice.call_async(1))
        with self.assertRaisesRegex(Trap, "out of bounds"):
            asyncio.run(self.exports(soon).traps.call_async(1))
        # Those that end a loop.
        for exception in (KeyboardInterrupt(), SystemExit(3)):
            async def ends(n):
                raise exception
            with self.assertRaises(type(exception)) as caught:
                asyncio.run(self.exports(ends).twice.call_async(1))
            self.assertIs(caught.exception, exception)
        self.works(exports)

    def test_guest_exceptions(self):
        tag = Tag(self.store, ["i32"])
        exception = GuestException(ExnRef(tag, 5))

        async def later(n):
            await asyncio.sleep(0)
            raise exception
        with self.assertRaises(GuestException) as caught:
            asyncio.run(self.exports(later).twice.call_async(1))
        self.assertIs(caught.exception, exception)
        self.assertTrue(caught.exception.frames)

    def test_guests_catch_them(self):
        b = wasm.Builder()
        later = b.import_func("env", "later")
        kind = b.type(["i32"], [])
        b.imports.append(wasm.text("env") + wasm.text("tag") + b"\4\0" + u(kind))
        # (block (result i32) (try_table (catch $tag 0) call $later) (i32.const -1))
        b.func([], ["i32"], code(0x02, b"\x7f", b"\x1f\x40\x01\x00", u(0), u(0), CALL, u(later), END, const(-1), END), export="catches")
        tag = Tag(self.store, ["i32"])

        async def throws():
            await asyncio.sleep(0)
            raise GuestException(ExnRef(tag, 5))
        exports = Instance(self.store, Module(self.engine, b.build()), {"env": {"later": throws, "tag": tag}}).exports
        self.assertEqual(asyncio.run(exports.catches.call_async()), 5)

    def test_other_calls_of_the_store_run_meanwhile(self):
        async def later(n):
            await asyncio.sleep(0)
            self.assertEqual(exports.plain(n), n + 1)  # as usual
            if n < 3:
                return await exports.twice.call_async(n + 1)
            return n
        exports = self.exports(later)

        async def main():
            return await asyncio.gather(*(exports.twice.call_async(n) for n in range(4)))
        self.assertEqual(asyncio.run(main())[3], 77)
        self.works(exports)

    def test_context(self):
        import contextvars
        var = contextvars.ContextVar("var", default=0)

        async def later(n):
            await asyncio.sleep(0)
            var.set(var.get() + 1)
            self.tasks.add(asyncio.current_task())
            return var.get()
        exports = self.exports(later)
        self.tasks = set()

        async def main():
            self.assertEqual(await exports.twice.call_async(0), 10 + 1 + 2)
            self.assertEqual(var.get(), 2)
            self.assertEqual(self.tasks, {asyncio.current_task()})
        asyncio.run(main())

    def test_run_async(self):
        exports = self.exports(soon)

        async def main():
            call = Call(exports.twice, 1)
            first = asyncio.ensure_future(call.run_async())
            await asyncio.sleep(0)
            with self.assertRaisesRegex(Error, "awaited already"):
                await call.run_async()
            self.assertEqual(await first, 33)
            self.assertEqual(call.results(), 33)
            with self.assertRaisesRegex(Error, "done"):
                await call.run_async()
            # A coroutine that was made by run() is the token, and is awaited by whoever has it.
            call = Call(exports.twice, 1)
            while call.run() == CallStatus.WAITING:
                call.answer(await call.token)
            self.assertEqual(call.results(), 33)
            # What nobody has awaited is closed without a word.
            call = Call(exports.twice, 1)
            call.run()
            call.answer(5)
            call.run()
            call.fail(KeyError())
            with self.assertRaises(KeyError):
                call.run()
            Call(exports.twice, 1).run()
        asyncio.run(main())
        gc.collect()

    def test_what_cannot_be_awaited(self):
        with self.assertRaisesRegex(Error, "cannot be awaited"):
            asyncio.run(self.exports(waits).twice.call_async(1))

    def test_never_awaited(self):
        coroutine = self.exports(soon).twice.call_async(1)
        coroutine.close()
        self.assertNotIn("calls", repr(self.store))

    def test_a_program(self):
        b = wasm.Builder()
        later = b.import_func("env", "later")
        leave = b.import_func(guests.WASI, "proc_exit", ["i32"])
        b.memory(1, export="memory")
        b.func([], [], code(CALL, u(later), const(4), CALL, u(leave)), export="_start")

        async def sleeps():
            await asyncio.sleep(0)
        linker = Linker(self.engine)
        linker.define_wasi(self.store, stepwell.Wasi())
        linker.define("env", "later", sleeps, ([], []))
        instance = linker.instantiate(self.store, Module(self.engine, b.build()))
        self.assertEqual(asyncio.run(instance.run_async()), 4)
        with self.assertRaisesRegex(Error, "no program"):
            asyncio.run(Instance(self.store, self.module, defaults=True).run_async())

    def test_the_start_function_cannot_wait(self):
        b = wasm.Builder()
        b.start = b.import_func("env", "later")

        async def later():
            pass
        with self.assertRaisesRegex(Error, "call_async"):
            Instance(self.store, Module(self.engine, b.build()), [later])


class Cancelled(Case):
    def setUp(self):
        super().setUp()
        self.log = []

    async def waits(self, n):
        self.log.append("begins")
        try:
            await asyncio.sleep(1000)
        except BaseException as exception:
            self.log.append(type(exception).__name__)
            raise

    def test_a_task(self):
        exports = self.exports(self.waits)

        async def main():
            for turns in range(6):
                del self.log[:]
                task = asyncio.ensure_future(exports.twice.call_async(1))
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                with self.assertRaises(asyncio.CancelledError):
                    await task
                self.assertEqual(self.log, ["begins", "CancelledError"] if turns else [])
                self.assertNotIn("calls", repr(self.store))
                self.works(exports)
        asyncio.run(main())

    def test_timeouts(self):
        exports = self.exports(self.waits)

        async def main():
            with self.assertRaises(asyncio.TimeoutError):
                await asyncio.wait_for(exports.twice.call_async(1), 0.01)
            if sys.version_info >= (3, 11):
                with self.assertRaises(TimeoutError):
                    async with asyncio.timeout(0.01):
                        await exports.twice.call_async(1)
                with self.assertRaises(ExceptionGroup) as caught:
                    async with asyncio.TaskGroup() as group:
                        group.create_task(exports.twice.call_async(1))
                        group.create_task(self.exports(lambda n: 1 // 0).twice.call_async(1))
                self.assertIsInstance(caught.exception.exceptions[0], ZeroDivisionError)
        asyncio.run(main())
        self.assertNotIn("calls", repr(self.store))
        self.assertEqual(self.log.count("begins"), self.log.count("CancelledError"))
        self.works(exports)

    def test_in_the_guest_itself(self):
        """A host function that is not asynchronous cancels the task that runs it."""
        async def main():
            exports = self.exports(lambda n: self.log.append(n) or task.cancel() and n)
            task = asyncio.ensure_future(exports.twice.call_async(1))
            # Nothing is awaited: the guest comes to its end, and then asyncio has the task be cancelled.
            with self.assertRaises(asyncio.CancelledError):
                await task
            later = self.exports(lambda n: (task.cancel(), soon(n))[1])
            task = asyncio.ensure_future(later.twice.call_async(1))
            with self.assertRaises(asyncio.CancelledError):
                await task
        asyncio.run(main())
        self.assertEqual(self.log, [1, 2])
        self.assertNotIn("calls", repr(self.store))

    def test_what_is_awaited_may_refuse(self):
        async def stubborn(n):
            try:
                await asyncio.sleep(1000)
            except asyncio.CancelledError:
                return n
        exports = self.exports(stubborn)

        async def main():
            task = asyncio.ensure_future(exports.traps.call_async(200))
            await asyncio.sleep(0.01)
            task.cancel()
            self.assertEqual(await task, 0)

            async def other(n):
                try:
                    await asyncio.sleep(1000)
                except asyncio.CancelledError:
                    raise KeyError(n)
            task = asyncio.ensure_future(self.exports(other).twice.call_async(1))
            await asyncio.sleep(0.01)
            task.cancel()
            with self.assertRaises(KeyError):
                await task
        asyncio.run(main())

    def test_what_is_awaited_is_cancelled_by_others(self):
        async def main():
            inner = asyncio.get_running_loop().create_future()
            exports = self.exports(lambda n: inner)
            task = asyncio.ensure_future(exports.twice.call_async(1))
            await asyncio.sleep(0.01)
            inner.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task
            self.assertNotIn("calls", repr(self.store))
        asyncio.run(main())

    def test_nested(self):
        async def nests(n):
            self.log.append(n)
            if n < 4:
                return await exports.twice.call_async(n + 1)
            await self.waits(n)
        exports = self.exports(nests)

        async def main():
            task = asyncio.ensure_future(exports.twice.call_async(1))
            await asyncio.sleep(0.01)
            self.assertIn("4 calls", repr(self.store))
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task
            self.assertNotIn("calls", repr(self.store))
        asyncio.run(main())
        self.assertEqual(self.log, [1, 2, 3, 4, "begins", "CancelledError"])
        self.works(exports)

    def test_the_loop_ends(self):
        exports = self.exports(self.waits)

        async def main():
            asyncio.ensure_future(exports.twice.call_async(1))
            await asyncio.sleep(0.01)
        asyncio.run(main())  # cancels what is left
        self.assertEqual(self.log, ["begins", "CancelledError"])
        self.assertNotIn("calls", repr(self.store))

    def test_left_to_the_collector(self):
        """A coroutine that is dropped in the middle: by whoever drives it by hand."""
        exports = self.exports(self.waits)

        async def forever(n):
            try:
                await Never()
            finally:
                self.log.append("left")

        class Never:
            def __await__(self):
                yield
        exports = self.exports(forever)
        coroutine = exports.twice.call_async(1)
        coroutine.send(None)
        self.assertIn("1 calls", repr(self.store))
        del coroutine
        gc.collect()
        self.assertEqual(self.log, ["left"])
        self.assertNotIn("calls", repr(self.store))
        self.works(exports)

    def test_left_to_the_collector_with_all_it_belongs_to(self):
        """In whatever order the collector finds them unused: the debugger, which cannot go before the call, the call, and who awaits it."""
        class Never:
            def __await__(self):
                yield

        async def forever(n):
            await Never()
        for turn in range(20):
            engine = Engine(debug=True)
            store = Store(engine)
            exports = Instance(store, Module(engine, WAITS), {"host": {"later": forever}}).exports
            made = [lambda: exports.twice.call_async(1), lambda: Debugger(store, lambda stop: None)]
            made = [make() for make in (made if turn % 2 else reversed(made))]
            coroutine = made[0 if turn % 2 else 1]
            coroutine.send(None)
            made.append(made)  # a cycle
            for one in made[:2]:
                if isinstance(one, Debugger):
                    one.made = made
                    one.call = coroutine
            gone = weakref.ref(store)
            del engine, store, exports, made, coroutine, one
            gc.collect()
            self.assertIsNone(gone())

    def test_run_async_closes(self):
        async def main():
            call = Call(self.exports(self.waits).twice, 1)
            with self.assertRaises(asyncio.TimeoutError):
                await asyncio.wait_for(call.run_async(), 0.01)
            self.assertTrue(call.closed)
            call = Call(self.exports(lambda n: 1 // 0).twice, 1)
            with self.assertRaises(ZeroDivisionError):
                await call.run_async()
            self.assertTrue(call.closed)
        asyncio.run(main())

    def test_the_store_is_closed(self):
        store = Store(self.engine)
        exports = self.exports(self.waits, store)

        async def main():
            tasks = [asyncio.ensure_future(exports.twice.call_async(n)) for n in range(3)]
            await asyncio.sleep(0.01)
            store.close()
            for done in await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 10):
                self.assertRegex(str(done), "this Call is closed: its Store was closed")
                self.assertIsInstance(done, ValueError)
            if sys.version_info >= (3, 11):
                self.assertEqual([task.cancelling() for task in tasks], [0] * 3)
        asyncio.run(main())
        self.assertEqual(self.log.count("CancelledError"), 3)

    def test_closed_by_another_thread(self):
        exports = self.exports(self.waits)

        class Slow(Call):
            def _give_up(self):
                time.sleep(0.05)
                super()._give_up()

        async def main():
            call = Slow(exports.twice, 1)
            threading.Timer(0.02, call.close).start()
            with self.assertRaisesRegex(ValueError, "this Slow is closed"):
                await asyncio.wait_for(call.run_async(), 10)
        asyncio.run(main())
        self.works(exports)

    def test_closed_and_cancelled_at_once(self):
        exports = self.exports(self.waits)

        async def main():
            call = Call(exports.twice, 1)
            task = asyncio.ensure_future(call.run_async())
            await asyncio.sleep(0.01)
            call.close()
            task.cancel()
            with self.assertRaises((asyncio.CancelledError, ValueError)) as caught:
                await task
            if sys.version_info >= (3, 11):
                self.assertIsInstance(caught.exception, asyncio.CancelledError)
        asyncio.run(main())

    def test_closed_when_it_has_its_answer(self):
        async def main():
            answer = asyncio.get_running_loop().create_future()
            call = Call(self.exports(lambda n: answer).twice, 1)
            task = asyncio.ensure_future(call.run_async())
            await asyncio.sleep(0.01)
            answer.set_result(5)
            call.close()
            with self.assertRaisesRegex(ValueError, "closed"):
                await task
        asyncio.run(main())

    def test_closed_by_its_own_coroutine(self):
        async def later(n):
            self.call.close()
            await asyncio.sleep(0)
            return n

        async def main():
            self.call = Call(self.exports(later).twice, 1)
            with self.assertRaisesRegex(ValueError, "closed"):
                await self.call.run_async()
        asyncio.run(main())

    def test_signals(self):
        done = python("""
import asyncio, _thread, signal, sys, threading, guests, stepwell
from test_async import types
signal.signal(signal.SIGINT, signal.default_int_handler)
engine = stepwell.Engine()
store = stepwell.Store(engine)
env = {"many": lambda *v: v, "none": lambda: asyncio.sleep(0), "call": lambda n: n}
exports = stepwell.Instance(store, stepwell.Module(engine, types()), {"env": env}).exports
async def main():
    await exports.spin.call_async()
threading.Timer(0.3, _thread.interrupt_main).start()
try:
    asyncio.run(main())
except KeyboardInterrupt:
    print("interrupted")
async def main():
    await exports.ask_for_ever.call_async()
threading.Timer(0.3, _thread.interrupt_main).start()
try:
    asyncio.run(main())
except KeyboardInterrupt:
    print("interrupted")
assert exports.nested(3) == 3 and "calls" not in repr(store), repr(store)
""")
        self.assertEqual((done.returncode, done.stdout), (0, "interrupted\n" * 2), done.stderr)
        self.assertEqual(done.stderr, "")

    def test_the_interpreter_ends(self):
        done = python("""
import asyncio, guests, stepwell
engine = stepwell.Engine(debug=True)
store = stepwell.Store(engine)
def later(n):
    raise stepwell.NotYet()
exports = stepwell.Instance(store, stepwell.Module(engine, guests.of_c("SUSPENDED")), {"host": {"later": later}}).exports
debugger = stepwell.Debugger(store, lambda stop: None)
call = stepwell.Call(exports.twice, 1)
call.run()
print(call.status.name)
""")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "WAITING\n", ""))


class Threads(Case):
    def test_two_loops_one_store(self):
        async def later(n):
            await asyncio.sleep(0.0005)
            return n
        exports = self.exports(later)
        failed = []

        def run(of):
            async def main():
                for _ in range(20):
                    got = await asyncio.gather(*(exports.twice.call_async(n) for n in range(of, of + 5)))
                    self.assertEqual(got, [22 * n + 11 for n in range(of, of + 5)])
            try:
                asyncio.run(main())
            except BaseException as exception:
                failed.append(exception)
        threads = [threading.Thread(target=run, args=(n,)) for n in range(0, 400, 100)]
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            sys.setswitchinterval(interval)
        self.assertEqual(failed, [])
        self.works(exports)

    def test_given_up_while_another_thread_is_inside(self):
        entered, go = threading.Event(), threading.Event()

        def later(n):
            if n < 100:
                raise NotYet(n)
            entered.set()
            go.wait(10)
            return exports.plain(n)
        exports = self.exports(later)
        call = Call(exports.twice, 1)
        call.run()
        thread = threading.Thread(target=exports.twice, args=(100,))
        thread.start()
        entered.wait(10)
        call.close()  # does not wait
        self.assertTrue(call.closed)
        go.set()
        thread.join()
        self.works(exports)

    def test_closed_by_another_thread_while_it_runs(self):
        """Its guest comes to its end, and then it is gone, whatever is called in the store meanwhile."""
        entered, go = threading.Event(), threading.Event()

        def later(n):
            entered.set()
            go.wait(10)
            return exports.plain(n)
        exports = self.exports(later)
        call = Call(exports.twice, 1)
        thread = threading.Thread(target=call.run)
        thread.start()
        entered.wait(10)
        call.close()
        go.set()
        thread.join()
        self.store.set_limits(calls=1)
        self.works(exports)
        self.assertEqual(Call(exports.count, 1).run(), CallStatus.FINISHED)

    def test_the_store_is_closed_while_loops_run(self):
        store = Store(self.engine)

        async def later(n):
            await asyncio.sleep(0)
            return n
        exports = self.exports(later, store)
        ended = []

        def run():
            async def main():
                while True:
                    await asyncio.gather(*(exports.twice.call_async(n) for n in range(3)))
            try:
                asyncio.run(main())
            except ValueError as error:
                ended.append(str(error))
        threads = [threading.Thread(target=run) for _ in range(3)]
        for thread in threads:
            thread.start()
        time.sleep(0.1)
        store.close()
        for thread in threads:
            thread.join(20)
            self.assertFalse(thread.is_alive())
        self.assertEqual(len(ended), 3)
        self.assertTrue(all("closed" in text for text in ended), ended)


class Stops(Case):
    settings = {"debug": True}

    def setUp(self):
        super().setUp()
        self.seen = []

    def test_async_on_stop(self):
        ticks = []

        async def on_stop(stop):
            before = len(ticks)
            while len(ticks) < before + 3:
                await asyncio.sleep(0)
            frame = stop.frame()
            self.seen.append((stop.reason, frame.func_index, frame.locals[0], stop.frame_count))
            self.assertEqual([one.func_index for one in stop.frames], [1, 2])
            self.assertRegex(repr(stop), "<Stop by breakpoint 1 in")
            self.assertIn("breakpoint", stop._repr_html_())
            frame.set_local(0, frame.locals[0] + 1)
            self.assertEqual(exports.plain(4), 5)
            self.assertEqual(await exports.plain.call_async(4), 5)
            self.stop, self.frame = stop, frame
        exports = self.exports(soon)
        debugger = Debugger(self.store, on_stop)
        debugger.break_at_function(self.module, 1)

        async def tick():
            while True:
                ticks.append(0)
                await asyncio.sleep(0)

        async def main():
            ticking = asyncio.ensure_future(tick())
            self.assertEqual(await asyncio.gather(*(exports.twice.call_async(n) for n in range(4))), [22 * (n + 1) + 11 for n in range(4)])
            ticking.cancel()
        asyncio.run(main())
        self.assertEqual(len(self.seen), 8)
        self.assertEqual(self.seen[0], (StopReason.BREAKPOINT, 1, 0, 2))
        self.assertTrue(self.stop.over)
        with self.assertRaisesRegex(ValueError, "over"):
            self.stop.frame_count
        with self.assertRaisesRegex(ValueError, "over"):
            self.frame.operands
        debugger.close()
        self.assertEqual(exports.plain(1), 2)

    def test_what_comes_next(self):
        answers = [Action.STEP, "step_over", "step_out", Action.CONTINUE]

        async def on_stop(stop):
            await asyncio.sleep(0)
            self.seen.append((stop.reason, stop.frame().func_index))
            answer = answers.pop(0) if answers else None
            if isinstance(answer, str):
                getattr(stop, answer)()
                return None
            return answer
        exports = self.exports(lambda n: n)
        with Debugger(self.store, on_stop) as debugger:
            debugger.break_at_function(self.module, 1)
            self.assertEqual(asyncio.run(exports.twice.call_async(1)), 33)
        self.assertEqual([one[1] for one in self.seen], [1, 1, 1, 2, 1])
        self.assertEqual(self.seen[1][0], StopReason.STEP)

    def test_run_to_and_out_of(self):
        async def on_stop(stop):
            await asyncio.sleep(0)
            self.seen.append((stop.frame().func_index, stop.frame().offset))
            if len(self.seen) == 1:
                stop.step_out_of(1)
        exports = self.exports(lambda n: n)
        with Debugger(self.store, on_stop) as debugger:
            debugger.break_at_function(self.module, 1).one_shot = True
            asyncio.run(exports.twice.call_async(1))
        self.assertEqual([one[0] for one in self.seen], [1, 2])

    def test_traps_and_exceptions(self):
        made = KeyError("x"), Trap("mine"), asyncio.TimeoutError()
        for exception in made:
            async def on_stop(stop):
                await asyncio.sleep(0)
                if isinstance(exception, Trap):
                    return exception
                raise exception
            exports = self.exports(soon)
            with Debugger(self.store, on_stop) as debugger:
                debugger.break_at_function(self.module, 1)
                with self.assertRaises(type(exception)) as caught:
                    asyncio.run(exports.twice.call_async(1))
                self.assertIs(caught.exception, exception)

        async def ends(stop):
            return Action.TRAP
        with Debugger(self.store, ends) as debugger:
            debugger.break_at_function(self.module, 1)
            with self.assertRaisesRegex(Trap, "ended by the debugger"):
                asyncio.run(exports.twice.call_async(1))

        async def wrong(stop):
            return "nothing"
        with Debugger(self.store, wrong) as debugger:
            debugger.break_at_function(self.module, 1)
            with self.assertRaises(ValueError):
                asyncio.run(exports.twice.call_async(1))

        async def at_traps(stop):
            await asyncio.sleep(0)
            self.seen.append((stop.reason, stop.trap_message, stop.frame().func_index))
        with Debugger(self.store, at_traps) as debugger:
            with self.assertRaisesRegex(Trap, "out of bounds"):
                asyncio.run(self.exports(soon).traps.call_async(1))
        self.assertEqual((self.seen[0][0], self.seen[0][2]), (StopReason.TRAP, 5))

    def test_a_guest_called_as_usual(self):
        async def on_stop(stop):
            self.seen.append(stop)
        exports = self.exports(lambda n: n)
        with Debugger(self.store, on_stop) as debugger:
            debugger.break_at_function(self.module, 1)
            self.error(ErrorCode.STATE, r"on_stop is asynchronous.*await func\.call_async", exports.twice, 1)
            debugger.remove_all(debugger.breakpoints)
            outer = Func(self.store, lambda n: exports.twice(n), (["i32"], ["i32"]))
            debugger.break_at_function(self.module, 1)
            with self.assertRaisesRegex(Error, "on_stop is asynchronous"):
                asyncio.run(outer.call_async(1))
        self.assertEqual(self.seen, [])
        self.works(exports)

    def test_where_nobody_can_wait(self):
        """A host function is told of by events that cannot be answered later."""
        async def on_stop(stop):
            self.seen.append(stop)
        exports = self.exports(lambda n: n)
        with Debugger(self.store, on_stop) as debugger:
            debugger.events = Events.HOST_CALL
            with self.assertRaisesRegex(Error, "cannot wait"):
                asyncio.run(exports.twice.call_async(1))
        self.assertEqual(self.seen, [])
        self.works(exports)

    def test_cancelled_at_a_stop(self):
        async def on_stop(stop):
            self.seen.append(stop)
            try:
                await asyncio.sleep(1000)
            except asyncio.CancelledError:
                self.seen.append(stop.frame_count)
                raise
        exports = self.exports(soon)
        debugger = Debugger(self.store, on_stop)
        debugger.break_at_function(self.module, 1)

        async def main():
            task = asyncio.ensure_future(exports.twice.call_async(1))
            await asyncio.sleep(0.01)
            with self.assertRaises(Error):
                debugger.close()
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task
            self.assertTrue(self.seen[0].over)
            self.assertEqual(self.seen[1], 2)
            debugger.close()
        asyncio.run(main())
        self.works(exports)

    def test_the_store_is_closed_at_a_stop(self):
        store = Store(self.engine)

        async def on_stop(stop):
            self.seen.append(stop)
            await asyncio.sleep(1000)
        exports = self.exports(soon, store)
        Debugger(store, on_stop).break_at_function(self.module, 1)

        async def main():
            task = asyncio.ensure_future(exports.twice.call_async(1))
            await asyncio.sleep(0.01)
            store.close()
            with self.assertRaisesRegex(ValueError, "closed"):
                await task
        asyncio.run(main())
        self.assertTrue(self.seen[0].over)
        with self.assertRaisesRegex(ValueError, "over"):
            self.seen[0].frames

    def test_conditions_are_not_awaited(self):
        async def holds(stop):
            return True
        exports = self.exports(soon)
        with Debugger(self.store, lambda stop: None) as debugger:
            debugger.break_at_function(self.module, 1).condition = holds
            with self.assertRaisesRegex(TypeError, "condition"):
                asyncio.run(exports.twice.call_async(1))

    def test_by_hand(self):
        exports = self.exports(lambda n: n)
        with Debugger(self.store, lambda stop: Action.LATER) as debugger:
            debugger.break_at_function(self.module, 1)
            call = Call(exports.twice, 1)
            self.assertEqual(call.run(), CallStatus.STOPPED)
            stop = call.stop
            self.assertIs(call.stop, stop)
            self.assertIsNone(call.token)
            self.assertIn("stopped by breakpoint", repr(call))
            self.assertEqual((stop.frame().locals[0], stop.frame_count), (1, 2))
            first = stop.frame().offset
            stop.step()
            self.assertEqual(call.run(), CallStatus.STOPPED)
            self.assertTrue(stop.over and call.stop is not stop)
            self.assertGreater(call.stop.frame().offset, first)
            self.assertEqual(call.stop.core_dump()[:4], b"\0asm")
            with self.assertRaisesRegex(ValueError, "LATER"):
                call.answer(Action.LATER)
            call.answer(Action.STEP_OUT)
            self.assertEqual(call.run(), CallStatus.STOPPED)
            self.assertEqual(call.stop.frame_count, 1)
            call.answer(Trap("enough"))
            call.answer()  # what was said last counts: the trap is what the stop was told
            with self.assertRaises(Trap):
                call.run()
            self.assertIsNone(call.stop)
            call = Call(exports.twice, 1)
            call.run()
            call.fail(KeyError("x"))
            with self.assertRaises(KeyError):
                call.run()
            call = Call(exports.twice, 1)
            call.run()
            call.fail(KeyError("x"))
            call.answer(Action.CONTINUE)  # what was said last counts
            self.assertEqual(call.run(), CallStatus.STOPPED)
            # What is refused leaves it where it stands.
            frame = call.stop.frame()
            self.error(ErrorCode.STATE, "slices of it", call.run_slice, 5)
            self.assertEqual((call.status, call.stop.frame_count), (CallStatus.STOPPED, 2))
            self.assertIsNot(call.stop.frame(), frame)
            self.assertEqual(call.stop.frame().operands, [])
            call.close()
            debugger.break_at_function(self.module, 5)
            call = Call(exports.traps, 1)
            self.assertEqual(call.run(), CallStatus.STOPPED)
            call.fail(KeyError("x"))
            call.answer(Action.CONTINUE)
            while call.stop is None or call.stop.reason != StopReason.TRAP:
                call.run()
            with self.assertRaisesRegex(Trap, "out of bounds"):
                call.run()
            with self.assertRaises(Trap):
                exports.twice(1)
            with self.assertRaisesRegex(Error, "cannot be awaited"):
                asyncio.run(exports.twice.call_async(1))

    def test_looked_at_while_other_threads_run_guests(self):
        """Of the same store: who looks waits until they are done, and is told no nonsense."""
        async def on_stop(stop):
            until = time.monotonic() + 0.3
            while time.monotonic() < until:
                frame = stop.frame()
                frame._forget()
                self.assertEqual((frame.locals[0], stop.frame_count, len(frame.operands)), (1, 2, 0))
                stop.__dict__.pop("reason", None)
                self.assertEqual(stop.reason, StopReason.BREAKPOINT)
                await asyncio.sleep(0)
            self.seen.append(stop)
        exports = self.exports(lambda n: n)
        debugger = Debugger(self.store, on_stop)
        debugger.break_at_function(self.module, 1).one_shot = True
        over = threading.Event()

        def count():
            while not over.is_set():
                self.assertEqual(exports.count(1000), 1000)
        threads = [threading.Thread(target=count) for _ in range(2)]
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            for thread in threads:
                thread.start()
            self.assertEqual(asyncio.run(exports.twice.call_async(1)), 33)
        finally:
            over.set()
            for thread in threads:
                thread.join()
            sys.setswitchinterval(interval)
        self.assertEqual(len(self.seen), 1)


class Queues(Case):
    settings = {"debug": True}

    def debugged(self, later=soon):
        exports = self.exports(later)
        stops = StopQueue()
        debugger = Debugger(self.store, stops)
        debugger.break_at_function(self.module, 1)
        return exports, stops, debugger

    def test_from_cell_to_cell(self):
        exports, stops, debugger = self.debugged()

        async def main():
            guest = asyncio.ensure_future(exports.twice.call_async(1))
            stop = await stops.next_async()
            self.assertEqual(repr(stops), "<StopQueue: 0 wait, 1 are looked at>")
            await asyncio.sleep(0.01)
            self.assertEqual(stop.frame().locals[0], 1)
            stop.frame().set_local(0, 5)
            stop.step()
            stops.answer(stop)
            with self.assertRaises(ValueError):
                stops.answer(stop)
            stop = await asyncio.wait_for(stops.next_async(), 10)
            self.assertEqual(stop.reason, StopReason.STEP)
            stops.answer(stop, Action.CONTINUE)
            stop = await stops.next_async()
            self.assertEqual(stop.reason, StopReason.BREAKPOINT)
            stops.answer(stop)
            self.assertEqual(await guest, 55 + 22)
            self.assertTrue(stop.over)
        asyncio.run(main())

    def test_iterator(self):
        exports, stops, debugger = self.debugged()

        async def look():
            seen = []
            async for stop in stops:
                seen.append(stop.frame().locals[0])
                stops.answer(stop)
            return seen

        async def main():
            looks = asyncio.ensure_future(look())
            await asyncio.gather(*(exports.twice.call_async(n) for n in range(3)))
            stops.close()
            return await looks
        self.assertEqual(sorted(asyncio.run(main())), [0, 1, 1, 2, 2, 3])

    def test_a_trap_and_closing(self):
        exports, stops, debugger = self.debugged()

        async def main():
            guest = asyncio.ensure_future(exports.twice.call_async(1))
            stops.answer(await stops.next_async(), Trap("enough"))
            with self.assertRaisesRegex(Trap, "enough"):
                await guest
            guest = asyncio.ensure_future(exports.twice.call_async(1))
            await stops.next_async()
            guest.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await guest
            self.assertEqual(repr(stops), "<StopQueue: 0 wait, 0 are looked at>")
            with self.assertRaises(asyncio.TimeoutError):
                await asyncio.wait_for(stops.next_async(), 0.01)
            guest = asyncio.ensure_future(exports.twice.call_async(1))
            await asyncio.sleep(0.01)
            none = [asyncio.ensure_future(stops.next_async()) for _ in range(2)]
            stops.close()
            self.assertEqual(await guest, 33)
            self.assertEqual(await asyncio.gather(*none), [None, None])
            self.assertEqual(await exports.twice.call_async(1), 33)
            self.assertEqual(stops._sleepers, [])
        asyncio.run(main())

    def test_by_another_thread(self):
        """The guest waits in a loop, and who looks is a thread, as before."""
        exports, stops, debugger = self.debugged()
        seen = []

        def look():
            while True:
                stop = stops.next()
                if stop is None:
                    return
                seen.append(stop.frame().locals[0])
                stops.answer(stop)
        thread = threading.Thread(target=look)
        thread.start()

        async def main():
            return await asyncio.gather(*(exports.twice.call_async(n) for n in range(5)))
        self.assertEqual(asyncio.run(main()), [22 * n + 11 for n in range(5)])
        stops.close()
        thread.join()
        self.assertEqual(len(seen), 10)

    def test_a_guest_on_a_thread_is_looked_at_by_a_task(self):
        exports, stops, debugger = self.debugged(lambda n: n)

        async def main():
            guest = asyncio.ensure_future(asyncio.get_running_loop().run_in_executor(None, exports.twice, 1))
            for n in (1, 2):
                stop = await stops.next_async()
                self.assertEqual(stop.frame().locals[0], n)
                stops.answer(stop)
            self.assertEqual(await guest, 33)
        asyncio.run(main())


class EveryLine(unittest.TestCase):
    def test_an_exception_at_any_line_comes_out(self):
        """As of a signal's handler: it comes out, no call is left behind, and the store is as good as before."""
        done = python("""
import asyncio, gc, sys, guests, stepwell
from stepwell import Debugger, Engine, Instance, Module, Store
engine = Engine(debug=True)
module = Module(engine, guests.of_c("SUSPENDED"))
files = stepwell.__path__[0]
class Here(BaseException): pass
async def later(n):
    await asyncio.sleep(0)
    return n
async def on_stop(stop):
    await asyncio.sleep(0)
    assert stop.frame().locals
def at(number, debugged):
    store = Store(engine)
    exports = Instance(store, module, {"host": {"later": later}}).exports
    if debugged:
        debugger = Debugger(store, on_stop)
        debugger.break_at_function(module, 1)
    seen, raised = 0, False
    def outside(frame):
        # Where Python itself has exceptions go nowhere, or no signal's handler runs.
        if frame.f_code.co_name == "enter": return True
        while frame:
            if frame.f_code.co_name == "__del__": return True
            frame = frame.f_back
    def trace(frame, event, argument):
        nonlocal seen, raised
        if not frame.f_code.co_filename.startswith(files): return None
        if event == "line" and not outside(frame):
            seen += 1
            if seen == number:
                raised = True
                sys.settrace(None)
                raise Here
        return trace
    async def main():
        sys.settrace(trace)
        try:
            return await exports.twice.call_async(1)
        finally:
            sys.settrace(None)
    try:
        asyncio.run(main())
        assert not raised, number
    except Here:
        pass
    gc.collect()
    assert not store._call_handles, number
    if debugged: debugger.remove_all(debugger.breakpoints)
    assert exports.plain(1) == 2
    store.close()
    return raised
for debugged in (False, True):
    number = 1
    while at(number, debugged): number += 5
    assert number > 300, number
print("ok")
""")
        self.assertEqual((done.returncode, done.stdout), (0, "ok\n"), done.stderr)


class Speed(Case):
    def test_many_turns(self):
        """Nothing grows with the number of waits."""
        async def later(n):
            return n
        exports = self.exports(later)

        async def main():
            for _ in range(3000):
                await exports.twice.call_async(1)
        asyncio.run(main())
        self.assertNotIn("calls", repr(self.store))
        self.assertLess(len(self.store._children), 50)


if __name__ == "__main__":
    unittest.main()
