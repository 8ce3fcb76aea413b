"""What bounds a guest: fuel, deadlines, interrupts from other threads; and which proposals it may use."""
import threading
import time
import unittest
import weakref

import guests
import stepwell
import wasm
from stepwell import Error, ErrorCode, Feature, Instance, Interrupt, Module, Store, Trap, TrapCode


def loops():
    """`spin()` never returns; `work()` does."""
    b = wasm.Builder()
    b.func([], [], guests.code(0x03, b"\x40", 0x0C, b"\0", wasm.END), export="spin")
    b.func([], ["i32"], guests.code(guests.const(1), guests.const(2), wasm.I32_ADD), export="work")
    return b.build()


class Case(unittest.TestCase):
    settings = {}

    def setUp(self):
        self.engine = stepwell.Engine(**self.settings)
        self.store = Store(self.engine)
        self.addCleanup(self.store.close)
        self.exports = Instance(self.store, Module(self.engine, loops())).exports

    def spin(self):
        with self.assertRaises(Trap) as caught:
            self.exports.spin()
        return caught.exception.trap_code


class Fuel(Case):
    settings = {"fuel": True}

    def test_it_is_used_up(self):
        self.assertEqual(self.store.fuel, 0)
        self.store.fuel = 1000
        self.assertEqual(self.store.fuel, 1000)
        self.assertEqual(self.exports.work(), 3)
        left = self.store.fuel
        self.assertTrue(900 < left < 1000, left)
        self.exports.work()
        self.assertEqual(left - self.store.fuel, 1000 - left)
        self.assertEqual(self.spin(), TrapCode.OUT_OF_FUEL)

    def test_wrong(self):
        for fuel in (-1, 1 << 63):
            with self.assertRaises(ValueError):
                self.store.fuel = fuel
        with self.assertRaises(Error) as caught:
            Store(stepwell.Engine()).fuel
        self.assertIn(caught.exception.code, (ErrorCode.STATE, ErrorCode.ARGUMENT))


class Growth(Case):
    def test_a_limiter_is_asked(self):
        asked = []

        def limiter(*growth):
            asked.append(growth)
            if growth[2] == 5 * 65536:
                raise KeyError("five")
            return growth[2] <= 2 * 65536

        self.store.set_limiter(limiter)
        memory = stepwell.Memory(self.store, (1, 9))
        self.assertEqual(memory.grow(1), 1)
        with self.assertRaisesRegex(Error, "limiter has refused") as caught:
            memory.grow(1)
        self.assertEqual(caught.exception.code, ErrorCode.LIMIT)
        self.assertEqual(asked, [("memory", current * 65536, desired * 65536, 9 * 65536) for current, desired in ((0, 1), (1, 2), (2, 3))])
        with self.assertRaisesRegex(Error, "KeyError.*five"):
            memory.grow(3)
        with self.assertRaises(TypeError):
            self.store.set_limiter(5)
        b = wasm.Builder()
        b.memory(3)
        b.func([], ["i32"], guests.code(guests.const(2), b"\x40\0"), export="grow")  # memory.grow
        module = Module(self.engine, b.build())
        with self.assertRaises(Error) as caught:
            Instance(self.store, module)
        self.assertEqual(caught.exception.code, ErrorCode.LIMIT)
        self.assertEqual(asked[-1], ("memory", 0, 3 * 65536, None))
        self.store.set_limiter(lambda kind, current, desired, maximum: current < 5 * 65536 or 1 // 0)
        exports = Instance(self.store, module).exports
        self.assertEqual(exports.grow(), 3)
        with self.assertRaises(ZeroDivisionError):
            exports.grow()


class Epochs(Case):
    settings = {"epoch": True}

    def test_a_deadline_that_is_over_may_be_moved(self):
        answers = iter([1, None, 0])
        self.store.set_at_deadline(lambda: next(answers))
        self.store.set_epoch_deadline(0)
        self.assertEqual(self.exports.work(), 3)
        self.engine.increment_epoch()
        self.assertEqual(self.spin(), TrapCode.INTERRUPT)
        with self.assertRaisesRegex(ValueError, "1 to 2"):
            self.exports.spin()
        with self.assertRaises(StopIteration):
            self.exports.spin()
        self.store.set_at_deadline(lambda: 2**64 - 1)
        self.assertEqual((self.exports.work(), self.exports.work()), (3, 3))

    def test_deadline(self):
        self.store.set_epoch_deadline(0)
        self.assertEqual(self.spin(), TrapCode.INTERRUPT)
        self.store.set_epoch_deadline(2)
        self.assertEqual(self.exports.work(), 3)
        ended = threading.Event()

        def tick():
            while not ended.wait(0.01):
                self.engine.increment_epoch()

        thread = threading.Thread(target=tick)
        thread.start()
        try:
            self.assertEqual(self.spin(), TrapCode.INTERRUPT)
        finally:
            ended.set()
            thread.join()
        with self.assertRaises(ValueError):
            self.store.set_epoch_deadline(-1)

    def test_interrupt(self):
        interrupt = Interrupt(self.store)
        timer = threading.Timer(0.05, interrupt.interrupt)
        timer.start()
        self.assertEqual(self.spin(), TrapCode.INTERRUPT)
        timer.join()
        self.assertEqual(self.exports.work(), 3)
        interrupt.interrupt()
        self.store.clear_interrupt()
        self.assertEqual(self.exports.work(), 3)
        interrupt.interrupt()
        self.assertEqual(self.spin(), TrapCode.INTERRUPT)
        self.store.close()
        interrupt.interrupt()
        interrupt.close()
        with self.assertRaisesRegex(ValueError, "closed"):
            interrupt.interrupt()

    def test_needs_an_engine_for_it(self):
        with Store(stepwell.Engine(epoch=False)) as store:
            with self.assertRaises(Error):
                Interrupt(store)
            with self.assertRaises(Error):
                store.set_epoch_deadline(1)


class Features(unittest.TestCase):
    def test_switched_off(self):
        b = wasm.Builder()
        b.func([], ["i32", "i32"], guests.code(guests.const(1), guests.const(2)), export="two")
        self.assertEqual(Instance(Store(engine := stepwell.Engine()), Module(engine, b.build())).exports.two(), (1, 2))
        for feature in (Feature.MULTI_VALUE, int(Feature.MULTI_VALUE)):
            with self.assertRaises(Error):
                Module(stepwell.Engine(features={feature: False, Feature.BULK_MEMORY: True}), b.build())
        with self.assertRaises(Error):
            stepwell.Engine(features={999: True})


class Collecting(unittest.TestCase):
    def test_dropped_instances_are_given_back(self):
        engine = stepwell.Engine()
        module = Module(engine, guests.calls_host([], ["i32"]))
        with Store(engine) as store:
            for i in range(2000):
                self.assertEqual(Instance(store, module, [lambda: i]).exports.run(), i)
            store.collect()
            self.assertLess(store.object_count, 100)
            Instance(store, module, [lambda: 1])  # by the way
            self.assertLess(len(store._kept), 100)

    def test_dropped_references_are_given_back(self):
        class Value:
            pass

        engine = stepwell.Engine()
        with Store(engine) as store:
            exports = Instance(store, Module(engine, guests.state())).exports
            held, dropped = Value(), Value()
            exports.objects[0] = stepwell.ExternRef(store, held)
            exports.objects[1] = stepwell.ExternRef(store, dropped)
            exports.same(stepwell.ExternRef(store, dropped))
            gone = weakref.ref(dropped)
            exports.objects[1] = None
            del dropped
            store.collect()
            stepwell.ExternRef(store)  # by the way
            self.assertIsNone(gone())
            # The guest alone held it: another reference for the same value, and then the same one.
            again = exports.objects[0]
            self.assertIs(again.value, held)
            self.assertIs(exports.objects[0], again)
            self.assertIs(exports.same(again), again)

    def test_inside_a_callback(self):
        with Store(engine := stepwell.Engine()) as store:
            exports = Instance(store, Module(engine, guests.calls_host()), [lambda: store.collect()]).exports
            with self.assertRaises(Error) as caught:
                exports.run()
            self.assertEqual(caught.exception.code, ErrorCode.STATE)
