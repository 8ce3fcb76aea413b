"""Exports by the annotations of a class: what fits, what is refused, and what type checkers see."""
import importlib.util
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Annotated, Any, Optional, Protocol, Tuple

import guests
import stepwell
import stepwell.testing
from stepwell import (
    AnyRef, ArrayRef, Engine, Error, ErrorCode, ExternRef, FieldType, Func, FuncType, Global, GlobalType, Instance, Memory, MemoryType, Module, Store,
    StructRef, StructType, Table, Tag, f32, f64, i32, i64, v128,
)

ROOT = Path(__file__).resolve().parent.parent.parent


class Warehouse(Protocol):
    """What the example's guest exports."""

    memory: Memory

    def fib(self, n: i32) -> i32: ...

    def divide(self, a: int, b: int = 2) -> int:
        """Divides."""
        ...


class Case(unittest.TestCase):
    def setUp(self):
        self.engine = Engine()
        self.store = Store(self.engine)
        self.addCleanup(self.store.close)
        self.warehouse = Instance(self.store, Module(self.engine, stepwell.testing.guest()), defaults=True)

    def instance(self, binary, *imports):
        return Instance(self.store, Module(self.engine, binary), *imports, defaults=True)

    def refused(self, instance, api, **options):
        """The lines of what is said of a class that does not fit."""
        with self.assertRaises(Error) as caught:
            instance.typed(api, **options)
        self.assertEqual(caught.exception.code, ErrorCode.LINK)
        first, *lines = str(caught.exception).split("\n  ")
        self.assertEqual(first, f"the instance does not export what {api.__name__} asks for:")
        return lines


class Fitting(Case):
    def test_it_is_called(self):
        api = self.warehouse.typed(Warehouse)
        self.assertEqual((api.fib(10), api.fib(n=11), api.divide(7), api.divide(b=3, a=9), api.divide(8, b=4)), (55, 89, 3, 3, 2))
        self.assertEqual(api.memory, self.warehouse.exports.memory)
        self.assertEqual(api.fib.func, self.warehouse.exports.fib)
        self.assertEqual((api.divide.__name__, api.divide.__doc__), ("divide", "Divides."))
        self.assertEqual(repr(api), "<Warehouse: divide, fib, memory>")
        for wrong in (lambda: api.fib(), lambda: api.fib(1, 2), lambda: api.fib(m=1), lambda: api.fib("1"), lambda: api.divide(1, 2, b=3)):
            with self.assertRaises(TypeError):
                wrong()
        with self.assertRaises(AttributeError):
            api.run
        with self.assertRaises(AttributeError):
            api.memory = None
        with self.assertRaises(stepwell.Trap):
            api.divide(1, 0)

    def test_any_class_and_what_it_inherits(self):
        class Base:
            memory: Memory

        class Plain(Base):
            run: Func

            def price(self, formula: Any, quantity: int) -> Any: ...

        class Less(Protocol):
            def nothing(self) -> None: ...

        api = self.warehouse.typed(Plain)
        self.assertEqual((api.run, len(api.memory)), (self.warehouse.exports.run, 131072))
        self.assertIsInstance(api.price(0, 1), int)
        b = guests.wasm.Builder()
        b.func([], [], b"", export="nothing")
        self.assertIsNone(self.instance(b.build()).typed(Less).nothing())

    def test_other_names_and_optional_ones(self):
        class Api(Protocol):
            items: Memory
            absent: Optional[Func]
            fib: Optional[Func]

            def fibonacci(self, n: int) -> int: ...

        api = self.warehouse.typed(Api, names={"items": "memory", "fibonacci": "fib"})
        self.assertEqual((api.items, api.absent, api.fib), (self.warehouse.exports.memory, None, self.warehouse.exports.fib))
        self.assertEqual(api.fibonacci(10), 55)
        with self.assertRaisesRegex(TypeError, "has no other"):
            self.warehouse.typed(Api, names={"other": "memory"})

    def test_every_type(self):
        b = guests.wasm.Builder()
        kinds = ["i32", "i64", "f32", "f64", "v128", "externref", "funcref"]
        for kind in kinds:
            b.func([kind], [kind], guests.get(0), export=f"same_{kind}")
        b.func(["i32", "f64"], ["f64", "i32"], guests.code(guests.get(1), guests.get(0)), export="swap")
        instance = self.instance(b.build())

        class Exact(Protocol):
            def same_i32(self, given: i32) -> i32: ...
            def same_i64(self, given: i64) -> i64: ...
            def same_f32(self, given: f32) -> f32: ...
            def same_f64(self, given: f64) -> f64: ...
            def same_v128(self, given: v128) -> v128: ...
            def same_externref(self, given: Optional[ExternRef]) -> Optional[ExternRef]: ...
            def same_funcref(self, given: Optional[Func]) -> Optional[Func]: ...
            def swap(self, a: i32, b: f64) -> Tuple[f64, i32]: ...

        class Loose(Protocol):
            def same_i32(self, given: int) -> int: ...
            def same_i64(self, given: int) -> int: ...
            def same_f32(self, given: float) -> float: ...
            def same_f64(self, given: float) -> float: ...
            def swap(self, a: int, b: float) -> Tuple[float, int]: ...

        for api in (instance.typed(Exact), instance.typed(Loose)):
            self.assertEqual((api.same_i64(1 << 40), api.swap(1, 2.5)), (1 << 40, (2.5, 1)))

        class Wrong(Protocol):
            def same_i32(self, given: i64) -> i64: ...
            def same_i64(self, given: float) -> float: ...
            def same_f32(self, given: f64) -> f64: ...
            def same_v128(self, given: i32) -> v128: ...
            def same_externref(self, given: Optional[Func]) -> Optional[ExternRef]: ...
            def same_funcref(self, given: Optional[Func]) -> None: ...
            def swap(self, a: i32, b: f64) -> f64: ...

        self.assertEqual(self.refused(instance, Wrong), [
            "same_i32: expected the function i64 -> i64, found i32 -> i32",
            "same_i64: expected the function f32/f64 -> f32/f64, found i64 -> i64",
            "same_f32: expected the function f64 -> f64, found f32 -> f32",
            "same_v128: expected the function i32 -> v128, found v128 -> v128",
            "same_externref: expected the function funcref -> externref, found externref -> externref",
            "same_funcref: expected the function funcref -> (), found funcref -> funcref",
            "swap: expected the function i32 f64 -> f64, found i32 f64 -> f64 i32",
        ])

    def test_objects(self):
        defined = StructType(["i32", FieldType("i8"), FieldType("f64", False), "anyref"])

        class Api(Protocol):
            def point(self, x: int) -> StructRef: ...
            def x(self, given: Optional[StructRef]) -> int: ...
            def text(self, value: int, size: int) -> ArrayRef: ...
            def same(self, given: AnyRef) -> AnyRef: ...

        class Exact(Protocol):
            def point(self, x: i32) -> Annotated[StructRef, defined]: ...

        instance = self.instance(guests.objects())
        api = instance.typed(Api)
        self.assertEqual((api.x(api.point(7)), len(api.text(1, 5))), (7, 5))
        self.assertEqual(instance.typed(Exact).point(3)[0], 3)

        class Wrong(Protocol):
            def point(self, x: int) -> ArrayRef: ...
            def same(self, given: AnyRef) -> StructRef: ...

        self.assertEqual(len(self.refused(instance, Wrong)), 2)

    def test_kinds_of_exports(self):
        class Api(Protocol):
            memory: Annotated[Memory, MemoryType(1, 3)]
            counter: Annotated[Global, "i64"]
            constant: Annotated[Global, GlobalType("f32", False)]
            funcs: Table
            one: Annotated[Func, FuncType([], ["i32"])]
            load: Any

        instance = self.instance(guests.state())
        self.assertEqual(instance.typed(Api).counter.value, -5)

        class Wrong(Protocol):
            memory: Table
            counter: Annotated[Global, "i32"]
            constant: Annotated[Global, GlobalType("f32", True)]
            one: Memory
            two: Annotated[Func, FuncType(["i32"], [])]
            objects: Tag
            ones: Func
            nothing_alike: Global

            def funcs(self) -> None: ...

        self.assertEqual(self.refused(instance, Wrong), [
            "memory: expected a Table, found a Memory",
            "counter: expected a Global of i32, found one of i64",
            "constant: expected GlobalType(value='f32', mutable=True), found GlobalType(value='f32', mutable=False)",
            "one: expected a Memory, found a Func (() -> i32)",
            "two: expected i32 -> (), found () -> i32",
            "objects: expected a Tag, found a Table",
            "ones: expected a Func, found no such export; did you mean 'one'?",
            "nothing_alike: expected a Global, found no such export; there are "
            "memory, counter, constant, funcs, objects, one, two, load, indirect, same, ...",
            "funcs: expected the function () -> (), found a Table",
        ])


class Misuse(Case):
    def test_what_is_no_such_class(self):
        class Empty(Protocol):
            pass

        class Bare(Protocol):
            def fib(self, n) -> int: ...

        class NoResult(Protocol):
            def fib(self, n: int): ...

        class Many(Protocol):
            def fib(self, *n: int) -> int: ...

        class Text(Protocol):
            def fib(self, n: str) -> int: ...

        class Number(Protocol):
            memory: int

        class Property(Protocol):
            @property
            def memory(self) -> Memory: ...

        class Unknown(Protocol):
            def fib(self, n: "Nowhere") -> int: ...  # noqa: F821

        for api, said in (
                (Empty, "asks for no export"), (Bare, "parameter n of Bare.fib has no annotation"), (NoResult, "result of NoResult.fib"),
                (Many, r"takes \*n: int"), (Text, "which is no value type"), (Number, "Number.memory is annotated"), (Property, "is a property"),
                (Unknown, "Nowhere"), (5, "told by a class"), (None, "told by a class")):
            with self.subTest(api=api), self.assertRaisesRegex(TypeError, said):
                self.warehouse.typed(api)

    def test_hostile_names(self):
        b = guests.wasm.Builder()
        b.func([], [], b"", export="fibb\x1b[2J")

        class Api(Protocol):
            fibb: Func

        line, = self.refused(self.instance(b.build()), Api)
        self.assertTrue(line.isprintable(), ascii(line))


class Checkers(unittest.TestCase):
    PROGRAM = """
from typing import Protocol
import stepwell
import stepwell.testing
from stepwell import Memory, i32

class Api(Protocol):
    memory: Memory
    def fib(self, n: i32) -> i32: ...

engine = stepwell.Engine()
with stepwell.Store(engine) as store:
    api = stepwell.Instance(store, stepwell.Module(engine, stepwell.testing.guest()), defaults=True).typed(Api)
    number: int = api.fib(10)
    pages: int = api.memory.pages
"""
    WRONG = ("    text: str = api.fib(10)\n", "    api.fib('10')\n", "    api.fib()\n", "    api.nothing\n", "    api.memory.nothing\n")

    def test_mypy(self):
        """Where it is there: the package itself, and that it sees what a class says of a guest."""
        if importlib.util.find_spec("mypy") is None:
            self.assertTrue((ROOT / "python" / "stepwell" / "py.typed").exists())
            return
        with tempfile.TemporaryDirectory() as folder:
            good, wrong = Path(folder) / "good.py", Path(folder) / "wrong.py"
            good.write_text(self.PROGRAM)
            wrong.write_text(self.PROGRAM + "".join(self.WRONG))

            def check(*files):
                return subprocess.run(
                    [sys.executable, "-m", "mypy", "--strict", "--cache-dir", folder, *map(str, files)], cwd=ROOT / "python", capture_output=True, text=True)

            done = check(good)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            done = check("-p", "stepwell")
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            done = check(wrong)
            lines = {int(line.split(":")[1]) for line in done.stdout.splitlines() if ": error:" in line}
            first = self.PROGRAM.count("\n") + 1
            self.assertEqual(lines, set(range(first, first + len(self.WRONG))), done.stdout)


if __name__ == "__main__":
    unittest.main()
