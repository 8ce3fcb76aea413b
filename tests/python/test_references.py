"""Types of references, and exceptions of WebAssembly: made and thrown by Python, caught by guests, and the other way round."""
import copy
import gc
import pickle
import traceback
import unittest

import guests
from stepwell import (
    Action, Debugger, Engine, Error, ExceptionStops, ExnRef, Func, FuncType, Global, GuestException, Instance, Linker, Module,
    StopReason, Store, Table, Tag, TagType, Trap, matches,
)


class References(unittest.TestCase):
    def setUp(self):
        self.store = Store(Engine())
        self.tag = Tag(self.store, ["i32"])
        self.other = Tag(self.store)
        self.raised = []
        self.module = Module(self.store.engine, guests.of_c("REFERENCES"))
        self.exports = self.instance(self.throws).exports

    def tearDown(self):
        self.store.close()

    def instance(self, throws):
        return Instance(self.store, self.module, {"host": {"tag": self.tag, "throws": throws}})

    def throws(self, n):
        if n == 100:
            raise ValueError("mine")
        if n == 101:
            raise GuestException(ExnRef(self.other))
        self.raised.append(GuestException(ExnRef(self.tag, n)))
        raise self.raised[-1]


class Types(References):
    def test_names(self):
        for name in ("func", "extern", "exn", "any", "eq", "i31", "struct", "array"):
            short, long, plain = f"{name}ref", f"(ref null {name})", f"(ref {name})"
            self.assertTrue(matches(short, long) and matches(long, short) and matches(plain, short) and not matches(short, plain))
        for name, top in (("none", "any"), ("nofunc", "func"), ("noextern", "extern"), ("noexn", "exn")):
            self.assertTrue(matches(f"(ref null {name})", f"{top}ref"))
        self.assertTrue(matches("nullref", "i31ref") and matches("i32", "i32") and not matches("i32", "i64"))
        for name in ("i33", "(ref)", "(ref null $type4294967295)", "", "a\0b", None, 7):
            with self.assertRaises(ValueError):
                FuncType([name])
            with self.assertRaises(ValueError):
                matches("i32", name)
        self.assertEqual(FuncType(["(ref func)"], ["structref"]), (("(ref func)",), ("structref",)))

    def test_typed_references(self):
        exports = self.exports
        (typed, nullable), (func,) = exports.typed.type
        self.assertEqual(func, "(ref func)")
        self.assertRegex(typed, r"\(ref \$type\d+\)")
        self.assertEqual(nullable, typed.replace("ref ", "ref null "))
        self.assertTrue(matches(typed, nullable) and matches(typed, func) and matches(nullable, "funcref") and not matches(func, typed))
        self.assertEqual(exports.table.type.element, nullable)
        self.assertEqual(exports["global"].type, (nullable, True))
        self.assertEqual(exports.call(exports.twice, 21), 42)
        self.assertEqual(exports.typed(exports.twice, None), exports.twice)
        wrong = Func(self.store, lambda: None, FuncType())
        for given in (None, wrong):
            with self.assertRaises(Error):
                exports.call(given, 1)
        exports["global"].value = exports.twice
        self.assertEqual(exports["global"].value, exports.twice)
        exports.table[1] = exports.twice
        self.assertEqual(exports.table[1], exports.twice)
        with self.assertRaises(Error):
            exports.table[0] = wrong

    def test_objects_of_such_types(self):
        nullable = self.exports.table.type.element
        self.assertEqual(Table(self.store, (nullable, 1, None), self.exports.twice)[0], self.exports.twice)
        self.assertEqual(Global(self.store, nullable, None).type, (nullable, False))
        same = Func(self.store, lambda given: given, FuncType([nullable], [nullable]))
        self.assertEqual(same.type, ((nullable,), (nullable,)))
        self.assertEqual((same(self.exports.twice), same(None)), (self.exports.twice, None))
        with self.assertRaises(TypeError):
            same(7)


class Exceptions(References):
    def test_tags(self):
        self.assertEqual(self.tag.type, TagType(("i32",)))
        self.assertNotEqual(self.tag, self.other)
        self.assertEqual(dict((name, type) for _, name, type in self.module.imports)["tag"], self.tag.type)
        self.assertEqual(Tag(self.store, TagType(("i64", "externref"))).type, TagType(("i64", "externref")))
        with self.assertRaises(ValueError):
            Tag(self.store, ["what"])

    def test_types_in_groups(self):
        def add_ten(number):
            return number + 10

        module = Module(self.store.engine, guests.of_c("GROUPED"))
        func, tag = (type for _, _, type in module.imports)
        self.assertEqual((func, tag), (FuncType(["i32"], ["i32"]), TagType(("i32",))))
        self.assertEqual((hash(func), repr(func)), (hash(FuncType(["i32"], ["i32"])), repr(FuncType(["i32"], ["i32"]))))
        store = Store(self.store.engine)
        instance = Instance(store, module, [Func(store, add_ten, func), Tag(store, tag)])
        self.assertEqual(instance.exports.run(1), 11)
        Instance(store, module, [Func(store, add_ten, instance.exports.f.type), Tag(store, instance.exports.t.type)])
        linker = Linker(self.store.engine)
        linker.define("host", "unary", add_ten, func)
        linker.define("host", "tag", Tag(store, tag))
        self.assertEqual(linker.instantiate(store, module).exports.run(2), 12)
        # Elsewhere they are but what they look like.
        self.assertIs(copy.copy(func), func)
        for anew in (FuncType(*func), pickle.loads(pickle.dumps(func))):
            self.assertEqual(anew, func)
            with self.assertRaisesRegex(Error, "looks alike"):
                Instance(store, module, [Func(store, add_ten, anew), Tag(store, tag)])
        with self.assertRaisesRegex(Error, "looks alike"):
            Instance(store, module, [Func(store, add_ten, func), Tag(store, TagType(*tag))])

    def test_caught_by_guests(self):
        self.assertEqual(self.exports.catches(7), 7)
        with self.assertRaisesRegex(ValueError, "mine"):
            self.exports.catches(100)
        with self.assertRaises(GuestException) as caught:
            self.exports.catches(101)
        self.assertEqual((caught.exception.exception.tag, caught.exception.exception.values), (self.other, ()))
        self.assertEqual(self.exports.catches(8), 8)

    def test_not_caught(self):
        for run in (self.exports.passes, self.exports.throws):
            with self.assertRaises(GuestException) as caught:
                run(9)
            told = caught.exception
            self.assertIsInstance(told, Trap)
            self.assertEqual((told.exception.values, told.exception.tag, len(told.frames)), ((9,), self.tag, 1))
            self.assertIn("exception", str(told))
        # what a host function has raised is the same object, which knows where that was
        self.assertEqual(len(self.raised), 1)
        try:
            self.exports.passes(10)
            self.fail("nothing was raised")
        except GuestException as exception:
            self.assertIs(exception, self.raised[-1])
            self.assertIn("throws", [frame.name for frame in traceback.extract_tb(exception.__traceback__)])

    def test_what_was_caught_is_not_what_comes_later(self):
        def throws(n):
            if n == 1:
                raise GuestException(ExnRef(self.tag, n))
            self.assertEqual(exports.catches(1), 1)
            raise GuestException(ExnRef(self.tag, n))

        exports = self.instance(throws).exports
        with self.assertRaises(GuestException) as caught:
            exports.passes(2)
        self.assertEqual(caught.exception.exception.values, (2,))
        self.assertEqual(exports.catches(2), 2)

    def test_handed_on(self):
        def throws(n):
            try:
                self.exports.throws(n)
            except GuestException as caught:
                if caught.exception.values != (1,):
                    raise

        exports = self.instance(throws).exports
        self.assertEqual((exports.catches(1), exports.catches(2)), (-1, 2))

    def test_values(self):
        number, exn = self.exports.caught(5)
        self.assertEqual((number, exn.values, exn.tag), (5, (5,), self.tag))
        with self.assertRaises(GuestException) as caught:
            self.exports.rethrows(exn)
        self.assertEqual(caught.exception.exception, exn)
        self.assertEqual(hash(caught.exception.exception), hash(exn))
        self.assertNotEqual(ExnRef(self.tag, 5), exn)
        self.assertEqual(repr(exn), "<ExnRef (5,)>")

        def same(given: ExnRef) -> ExnRef:
            return given

        through = Func(self.store, same)
        self.assertEqual(through.type, (("exnref",), ("exnref",)))
        self.assertEqual((through(exn), through(None)), (exn, None))
        with self.assertRaisesRegex(TypeError, "ExnRef or None"):
            through(7)

    def test_misuse(self):
        with self.assertRaises(TypeError):
            ExnRef(self.tag)
        with self.assertRaises(TypeError):
            ExnRef(self.tag, "text")
        with Store(self.store.engine) as elsewhere:
            foreign = ExnRef(Tag(elsewhere))

            def throws(n):
                raise GuestException(foreign)

            # it cannot be thrown here: it ends the guest as any other exception does
            with self.assertRaises(GuestException) as caught:
                self.instance(throws).exports.catches(1)
            self.assertIs(caught.exception.exception, foreign)
            with self.assertRaises(Error):
                self.exports.rethrows(foreign)
        exn = ExnRef(self.tag, 1)
        exn.close()
        self.assertEqual((repr(exn), exn == ExnRef(self.tag, 1)), ("<ExnRef, closed>", False))
        with self.assertRaises(ValueError):
            exn.values

    def test_what_is_kept(self):
        for _ in range(2000):
            with self.assertRaises(GuestException):
                self.exports.throws(1)
        gc.collect()
        self.store.collect()
        self.assertLess(self.store.object_count, 100)


class Stops(unittest.TestCase):
    def test_exception_of_a_stop(self):
        with Store(Engine(debug=True)) as store:
            exports = Instance(store, Module(store.engine, guests.of_c("EXCEPTIONS"))).exports
            stops = []

            def on_stop(stop):
                stops.append((stop.reason, stop.exception, stop.catching_frame is not None))
                return Action.STEP_OUT if len(stops) == 1 else Action.CONTINUE

            debugger = Debugger(store, on_stop)
            debugger.stop_at_exceptions(ExceptionStops.ALL)
            self.assertEqual(exports.caught(8), 8)
            (reason, exn, caught), (second, none, _) = stops
            self.assertEqual((reason, exn.values, exn.tag, caught), (StopReason.EXCEPTION, (8,), exports.t, True))
            self.assertEqual((second, none), (StopReason.STEP, None))


if __name__ == "__main__":
    unittest.main()
