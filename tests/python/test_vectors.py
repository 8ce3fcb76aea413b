"""Values of type v128: 16 bytes, lane 0 first."""
import array
import gc
import os
import struct
import sys
import unittest
from typing import Tuple

import guests
import stepwell
from stepwell import Action, Caller, Debugger, Error, ExternRef, Func, FuncType, Global, Instance, Linker, Module, Store, i32, v128

ASCENDING, ZEROS = bytes(range(16)), bytes(16)


def reverse(vector, number):
    return number + 1, vector[::-1]


def both(reference, vector):
    return vector, reference


class Vectors(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.engine = stepwell.Engine(debug=True)
        cls.module = Module(cls.engine, guests.vectors())

    def setUp(self):
        self.store = Store(self.engine)
        self.addCleanup(self.store.close)
        self.exports = Instance(self.store, self.module, {"env": {"f": reverse, "g": both}}).exports

    def test_there_and_back(self):
        add = self.exports.add
        self.assertEqual(add.type, FuncType(["v128", "v128"], ["v128"]))
        self.assertEqual(add(struct.pack("<4i", 1, -2, 3, 1 << 30), struct.pack("<4i", 10, 20, 30, 1 << 30)),
                         struct.pack("<4i", 11, 18, 33, -1 << 31))
        self.assertIs(type(add(ASCENDING, ZEROS)), bytes)
        self.assertEqual(add(ZEROS, ZEROS), ZEROS)

    def test_any_16_bytes(self):
        for value in (bytearray(ASCENDING), memoryview(ASCENDING), memoryview(bytes(range(-16 % 256, 256)) + ASCENDING)[16:],
                      array.array("B", ASCENDING), array.array("i", struct.unpack("<4i", ASCENDING)), memoryview(ASCENDING[::-1])[::-1]):
            self.assertEqual(self.exports.add(value, ZEROS), ASCENDING)

    def test_what_is_no_vector(self):
        add = self.exports.add
        for value, error, text in (
                (ASCENDING[1:], ValueError, "argument 1 must be 16 bytes for v128, not 15"), (b"", ValueError, "not 0"),
                (ASCENDING + b"x", ValueError, "not 17"), (5, TypeError, r'int.to_bytes\(16, "little"\)'),
                (True, TypeError, "not int"), ("x" * 16, TypeError, "not str"), (None, TypeError, "not NoneType"),
                ([0] * 16, TypeError, "not list")):
            with self.subTest(value), self.assertRaisesRegex(error, text):
                add(ZEROS, value)

    def test_through_a_host_function(self):
        self.assertEqual(self.exports.f(ASCENDING, 4), (5, ASCENDING[::-1]))
        object = ExternRef(self.store, "mine")
        vector, reference = self.exports.g(object, ASCENDING)
        self.assertEqual((vector, reference), (ASCENDING, object))

    def test_results_that_do_not_fit(self):
        for returned, error, text in (
                ((1, b"short"), ValueError, "result 1 must be 16 bytes for v128, not 5"), ((1, 2), TypeError, "result 1 must be 16 bytes")):
            exports = Instance(self.store, self.module, {"env": {"f": lambda v, n: returned, "g": both}}).exports
            with self.assertRaisesRegex(error, text):
                exports.f(ASCENDING, 0)

    def test_annotations(self):
        def typed(caller: Caller, a: v128, b: v128) -> v128:
            return bytes(x ^ y for x, y in zip(a, b))

        def several(a: i32) -> Tuple[v128, i32]:
            return bytes([a] * 16), a + 1

        self.assertEqual(FuncType.of(typed), FuncType(["v128", "v128"], ["v128"]))
        self.assertEqual(Func(self.store, typed)(ASCENDING, ASCENDING), ZEROS)
        self.assertEqual(Func(self.store, several)(7), (bytes([7] * 16), 8))

    def test_linker(self):
        linker = Linker(self.engine)
        linker.define("env", "f", lambda vector, number: (number, bytes(16)), (["v128", "i32"], ["i32", "v128"]))
        linker.fill_missing_with_defaults(self.store, self.module)
        exports = linker.instantiate(self.store, self.module).exports
        self.assertEqual(exports.f(ASCENDING, 3), (3, ZEROS))
        self.assertEqual(exports.g(None, ASCENDING), (ZEROS, None))

    def test_globals(self):
        self.assertEqual(self.exports["global"].value, ASCENDING)
        self.exports["global"].value = ASCENDING[::-1]
        self.assertEqual(self.exports["global"].value, ASCENDING[::-1])
        with self.assertRaises(ValueError):
            self.exports["global"].value = b"short"
        mine = Global(self.store, ("v128", True), ASCENDING)
        self.assertEqual((mine.type.value, mine.value), ("v128", ASCENDING))
        mine.value = ZEROS
        self.assertEqual(mine.value, ZEROS)
        with self.assertRaisesRegex(Error, "constant"):
            Global(self.store, "v128", ASCENDING).value = ZEROS

    def test_at_a_stop(self):
        seen = []

        def on_stop(stop):
            frame = stop.frame()
            seen.append((frame.locals["given"], frame.locals["number"], frame.locals["splat"], frame.operands))
            self.assertIn("given=" + repr(ASCENDING), str(frame))
            return Action.STEP

        with Debugger(self.store, on_stop) as debugger:
            debugger.break_at_function(self.module, "seen")
            self.assertEqual(self.exports.seen(ASCENDING, 255), bytes(255 - i for i in range(16)))
        splat = b"\xff" * 16
        self.assertEqual(seen[0], (ASCENDING, 255, ZEROS, []))
        self.assertIn((ASCENDING, 255, ZEROS, [splat]), seen)
        self.assertIn((ASCENDING, 255, splat, [ASCENDING, splat]), seen)

    def test_lent_bytes_stay(self):
        """What an argument lends is there until the call is over, whatever Python does meanwhile."""
        def collecting(vector, number):
            for _ in range(100):
                bytearray(16)
            gc.collect()
            return 0, vector

        exports = Instance(self.store, self.module, {"env": {"f": collecting, "g": both}}).exports
        for number in range(50):
            self.assertEqual(exports.f(bytes([number]) * 16, 0)[1], bytes([number]) * 16)

    @unittest.skipIf(os.environ.get("STEPWELL_CHECK_HANDLES", "0") != "0", "what is freed is kept for a while")
    def test_nothing_is_left(self):
        """What C gives is freed: 100,000 vectors would be megabytes."""
        import resource

        def used():
            with open("/proc/self/statm") as file:
                return int(file.read().split()[1]) * resource.getpagesize()

        counter = self.exports["global"]
        for _ in range(2000):
            self.exports.f(ASCENDING, 1), counter.value
        before = used()
        for _ in range(50000):
            self.exports.f(ASCENDING, 1), counter.value
        self.assertLess(used() - before, 1 << 20)


if __name__ == "__main__":
    sys.exit(unittest.main())
