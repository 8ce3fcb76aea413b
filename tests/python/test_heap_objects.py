"""Structures, arrays and integers of 31 bits: made, looked into and changed by Python, and by guests."""
import copy
import gc
import pickle
import struct
import threading
import unittest
from typing import Annotated, Tuple

import guests
import stepwell
from stepwell import (
    Action, AnyRef, ArrayRef, ArrayType, Debugger, Engine, Error, ErrorCode, ExnRef, ExternRef, FieldType, Func, FuncType, Global,
    GuestException, I31Ref, Instance, Module, Store, StructRef, StructType, Table, Tag, Trap, matches,
)

POINT = StructType(["i32", "i8", FieldType("f64", mutable=False), ("anyref", True)])
TEXT = ArrayType("i8")
ANYS = ArrayType("anyref")


class Objects(unittest.TestCase):
    def setUp(self):
        self.store = Store(Engine())
        self.addCleanup(self.store.close)

    def point(self, x=1, y=2, z=0.5, other=None):
        return StructRef(self.store, POINT, [x, y, z, other])

    def instance(self, f=lambda given: None):
        return Instance(self.store, Module(self.store.engine, guests.objects()), {"env": {"f": f}})


class Types(unittest.TestCase):
    def test_they_are_names(self):
        self.assertRegex(POINT, r"^\(ref \$type\d+\)$")
        self.assertIsInstance(POINT, str)
        self.assertEqual(POINT.nullable, POINT.replace("ref", "ref null"))
        self.assertEqual(POINT.nullable.nullable, POINT.nullable)
        self.assertIsInstance(POINT.nullable, StructType)
        self.assertTrue(matches(POINT, "structref") and matches(POINT, POINT.nullable) and not matches(POINT.nullable, POINT))
        self.assertTrue(matches(TEXT, "arrayref") and not matches(TEXT, "structref") and matches(str(TEXT), "eqref"))
        self.assertEqual(FuncType([POINT], [TEXT.nullable]), ((str(POINT),), (str(TEXT.nullable),)))

    def test_fields(self):
        fields = (("i32", True), ("i8", True), ("f64", False), ("anyref", True))
        self.assertEqual(POINT.fields, fields)
        self.assertEqual(POINT.nullable.fields, fields)
        self.assertIsInstance(POINT.fields[0], FieldType)
        self.assertEqual((TEXT.element, TEXT.fields), (("i8", True), (("i8", True),)))
        self.assertEqual(StructType().fields, ())
        every = ["i32", "i64", "f32", "f64", "v128", "i8", "i16", "funcref", "externref", "exnref", "anyref", "(ref i31)", POINT, TEXT.nullable]
        self.assertEqual([field.type for field in StructType(every).fields], every)
        self.assertEqual(StructType(iter(every)), StructType(every))
        for type in every:
            self.assertEqual(ArrayType((type, False)).element, (type, False))

    def test_the_same(self):
        self.assertEqual(POINT, StructType(POINT.fields))
        self.assertNotEqual(POINT, StructType(POINT.fields[:3]))
        self.assertNotEqual(TEXT, ArrayType(("i8", False)))
        self.assertNotEqual(StructType(["i8"]), StructType(["i16"]))
        self.assertNotEqual(ArrayType("i8"), StructType(["i8"]))
        for again in (copy.copy(POINT), copy.deepcopy([POINT])[0]):
            self.assertIs(again, POINT)
        self.assertEqual(pickle.loads(pickle.dumps(POINT)), POINT)
        self.assertEqual(copy.deepcopy(FuncType([POINT])), FuncType([POINT]))

    def test_they_are_kept(self):
        made = ArrayType(StructType([ArrayType(("v128", False))]))
        name = str(made)
        gc.collect()
        self.assertEqual(FuncType([name]).params, (name,))
        self.assertEqual(StructType._known(made.element.type).fields[0].type.element, ("v128", False))
        func = FuncType([made])
        del made
        gc.collect()
        self.assertEqual(func.params[0].element.type.fields[0].type.element.type, "v128")
        with Store(Engine()) as store:
            self.assertEqual(Func(store, lambda given: None, func).type.params[0].element, func.params[0].element)
            del func
        del store  # its engine has what it calls functions of the type by
        gc.collect()
        with self.assertRaises(ValueError):
            stepwell.types._valtype(name)
        self.assertNotIn(name, stepwell.types._met)

    def test_misuse(self):
        for fields in (["i33"], [POINT, "(ref null $type4294967295)"], ["a\0b"], [("what", True)]):
            with self.assertRaisesRegex(ValueError, f"field {len(fields) - 1}"):
                StructType(fields)
        for fields in (5, None, "i32", [5], [None], [("i32", True, 1)], [()], [["i32"]]):
            with self.assertRaises(TypeError):
                StructType(fields)
        for element in (5, None, [], ("i32", True, 2)):
            with self.assertRaises(TypeError):
                ArrayType(element)
        for wrong in ("i33", "", "(ref"):
            with self.assertRaises(ValueError):
                ArrayType(wrong)
            with self.assertRaises(ValueError):
                FieldType(wrong)
        with self.assertRaises(ValueError):
            FuncType(["i8"])  # of fields alone
        with self.assertRaises(Error):
            StructType(["i32"] * 100_000)
        with self.assertRaises(AttributeError):
            POINT.fields = ()


class Structures(Objects):
    def test_fields(self):
        point = self.point(-1, 255, 2.5)
        self.assertEqual((len(point), list(point), bool(point)), (4, [-1, 255, 2.5, None], True))
        self.assertEqual((point[-1], point[1:3], point[::-2]), (None, [255, 2.5], [None, 255]))
        self.assertIs(point.type, POINT)
        point[0], point[-3] = 2**32 - 1, -128
        self.assertEqual(point[:2], [-1, 128])
        point[:2] = 7, 8
        self.assertEqual(list(point), [7, 8, 2.5, None])
        point[3:] = [self.point()]
        self.assertEqual(list(point[3]), [1, 2, 0.5, None])
        self.assertEqual(repr(point), f"<StructRef {POINT} of 4>")
        nothing = StructRef(self.store, StructType())
        self.assertEqual((len(nothing), list(nothing), bool(nothing)), (0, [], True))

    def test_every_type(self):
        types = {
            "i32": -5, "i64": -(1 << 63), "f32": 1.5, "f64": 0.1, "v128": bytes(range(16)), "i8": 200, "i16": 60000,
            "funcref": Func(self.store, lambda: None, ([], [])), "externref": ExternRef(self.store, "value"),
            "exnref": ExnRef(Tag(self.store)), "(ref i31)": I31Ref(self.store, -7), POINT: self.point(), TEXT.nullable: None,
        }
        made = StructRef(self.store, StructType(types), types.values())
        self.assertEqual(list(made), list(types.values()))
        made[:] = list(made)
        self.assertEqual(list(made), list(types.values()))
        for type, value in types.items():
            array = ArrayRef(self.store, ArrayType(type), [value, value])
            array[1:] = [value]
            self.assertEqual((list(array), array[0], array[:1]), ([value] * 2, value, [value]))
            self.assertEqual(list(ArrayRef.filled(self.store, str(ArrayType(type)), value, 3)), [value] * 3)

    def test_refers_to_itself(self):
        point = self.point()
        point[3] = point
        self.assertEqual(point[3][3][3], point)
        self.assertEqual(hash(point[3]), hash(point))
        self.assertIn(str(POINT), repr(point))
        array = ArrayRef(self.store, ANYS, [point] * 2)
        array[0] = point[3] = array
        self.assertEqual(array[0][1][3][0], array)
        self.assertIn(point, array)
        exports = self.instance().exports
        node = exports.node(1, None)
        node[1] = node
        self.assertEqual(node[1][1], node)
        self.assertIs(node.type.fields[1].type.nullable, node.type.nullable)
        self.assertEqual(node.type.fields[1].type.fields[1].type, node.type.nullable)
        self.assertEqual(list(StructRef(self.store, node.type, [5, node])), [5, node])

    def test_misuse(self):
        point = self.point()
        before = list(point)
        for wrong in (4, -5, 2**32, -2**32, 2**64):
            with self.assertRaisesRegex(IndexError, f"no field {wrong}: there are 4"):
                point[wrong]
            with self.assertRaises(IndexError):
                point[wrong] = 1
        for wrong in (1.5, "x", None, (0,)):
            with self.assertRaises(TypeError):
                point[wrong]
            with self.assertRaises(TypeError):
                point[wrong] = 1
        with self.assertRaises((AttributeError, TypeError)):
            del point[0]
        for index, wrong, kind in (
                (0, "1", TypeError), (0, 2**32, OverflowError), (1, 256, OverflowError), (1, -129, OverflowError), (1, 1.0, TypeError),
                (3, 5, TypeError), (3, ExternRef(self.store), TypeError), (3, Func(self.store, lambda: None, ([], [])), TypeError)):
            with self.assertRaisesRegex(kind, f"field {index}"):
                point[index] = wrong
        with self.assertRaisesRegex(Error, "field 2 cannot be written") as caught:
            point[2] = 1.5
        self.assertEqual(caught.exception.code, ErrorCode.ARGUMENT)
        with self.assertRaises(Error):
            point[:] = list(point)
        with self.assertRaises(OverflowError):
            point[:2] = 5, 300  # nothing of it is done
        for wrong in ([], [1], [1] * 3):
            with self.assertRaises(ValueError):
                point[:2] = wrong
        self.assertEqual(list(point), before)
        for fields in ([], [1] * 3, [1] * 5):
            with self.assertRaisesRegex(TypeError, f"4 fields, not {len(fields)}"):
                StructRef(self.store, POINT, fields)
        for fields in (5, None, ["1", 2, 0.5, None], [1, 2, "z", None], [1, 2, 0.5, "x"]):
            with self.assertRaises(TypeError):
                StructRef(self.store, POINT, fields)
        for type in (TEXT, "structref", "i32", None, 5, POINT.fields):
            with self.assertRaisesRegex(TypeError, "type must be a StructType"):
                StructRef(self.store, type, [])
        with self.assertRaises(ValueError):
            StructRef(self.store, "(ref $type4294967295)")
        # one below does, one beside does not
        holder = StructRef(self.store, StructType([POINT.nullable]), [point])
        with self.assertRaises(Error):
            holder[0] = StructRef(self.store, StructType(["i32"]), [1])
        with self.assertRaises(Error):
            StructRef(self.store, StructType([POINT]), [None])
        self.assertEqual(list(holder), [point])
        for way in (copy.copy, copy.deepcopy, pickle.dumps):
            with self.assertRaisesRegex(TypeError, "cannot be copied or pickled"):
                way(point)


class Arrays(Objects):
    def test_elements(self):
        text = ArrayRef(self.store, TEXT, b"text")
        self.assertEqual((len(text), list(text), bytes(text), text[-1]), (4, list(b"text"), b"text", ord("t")))
        text[0] = ord("n")
        text[1:3] = b"ee"
        self.assertEqual((bytes(text), text[1:3], text[::2]), (b"neet", [ord("e")] * 2, [ord("n"), ord("e")]))
        self.assertEqual(repr(text), f"<ArrayRef {TEXT} of 4>")
        empty = ArrayRef(self.store, TEXT)
        self.assertEqual((len(empty), list(empty), bytes(empty), bool(empty), empty[:]), (0, [], b"", True, []))
        self.assertEqual(list(ArrayRef(self.store, TEXT, (i for i in range(3)))), [0, 1, 2])
        with self.assertRaisesRegex(Error, "element 0 cannot be written"):
            ArrayRef(self.store, ArrayType(("i8", False)), b"x")[0] = 1
        constant = ArrayRef(self.store, ArrayType(("i64", False)), [1, 2])
        self.assertEqual(bytes(constant), struct.pack("<2q", 1, 2))
        with self.assertRaises(Error):
            constant.write_elements(0, bytes(8))

    def test_bytes(self):
        numbers = ArrayRef.filled(self.store, ArrayType("i32"), -1, 4)
        numbers.write_elements(1, struct.pack("<2i", 5, -6))
        self.assertEqual(list(numbers), [-1, 5, -6, -1])
        self.assertEqual(numbers.read_elements(1, 2), struct.pack("<2i", 5, -6))
        self.assertEqual((numbers.read_elements(2), numbers.read_elements()), (bytes(numbers)[8:], bytes(numbers)))
        self.assertEqual((numbers.read_elements(4), numbers.read_elements(0, 0)), (b"", b""))
        numbers.write_elements(4, b"")
        numbers.write_elements(0, memoryview(bytes(numbers)))
        for first, count in ((5, 0), (4, 1), (-1, 1), (0, 5), (0, -1), (5, None), (-1, None), (2**32, 1), (2**32, 0), (0, 2**62), (2**64, 2**64)):
            with self.assertRaises(IndexError):
                numbers.read_elements(first, count)
        for first, data in ((4, bytes(4)), (-1, b""), (5, b""), (2**32, bytes(4)), (3, bytes(8))):
            with self.assertRaises(IndexError):
                numbers.write_elements(first, data)
        for wrong in (bytes(3), bytes(5)):
            with self.assertRaisesRegex(ValueError, "no whole elements"):
                numbers.write_elements(0, wrong)
        for wrong in (5, "text", None, [1]):
            with self.assertRaises(TypeError):
                numbers.write_elements(0, wrong)
        for wrong in (1.5, "1"):
            with self.assertRaises(TypeError):
                numbers.read_elements(wrong)
            with self.assertRaises(TypeError):
                numbers.read_elements(0, wrong)
        anys = ArrayRef(self.store, ANYS, [None])
        for way in (lambda: bytes(anys), lambda: anys.read_elements(), lambda: anys.write_elements(0, b"")):
            with self.assertRaisesRegex(TypeError, "references"):
                way()

    def test_numbers_are_the_same_both_ways(self):
        for type, values in (
                ("i8", [0, 255]), ("i16", [0, 65535]), ("i32", [-2**31, 2**31 - 1]), ("i64", [-2**63, 2**63 - 1]),
                ("f32", [-0.5, float("inf")]), ("f64", [0.1, float("-inf")]), ("v128", [bytes(16), bytes(range(16))])):
            array = ArrayRef(self.store, ArrayType(type), values)
            self.assertEqual((array[:], list(array), [array[0], array[1]]), (values, values, values), type)
            array[:] = values[::-1]
            self.assertEqual(list(array), values[::-1], type)

    def test_filled(self):
        many = ArrayRef.filled(self.store, TEXT, 7, 1_000_000)
        self.assertEqual(bytes(many), b"\7" * 1_000_000)
        self.assertEqual(sum(many), 7_000_000)
        self.assertEqual(list(ArrayRef.filled(self.store, ANYS, many, 2)), [many, many])
        self.assertEqual(len(ArrayRef.filled(self.store, ANYS, None, 0)), 0)
        with self.assertRaises(ValueError):
            ArrayRef.filled(self.store, TEXT, 0, -1)
        for length in (2**32, 2**32 + 1, 2**64 + 1):
            with self.assertRaises(Error) as caught:
                ArrayRef.filled(self.store, TEXT, 0, length)
            self.assertEqual(caught.exception.code, ErrorCode.LIMIT)
        for length in (1.5, "1", None):
            with self.assertRaises(TypeError):
                ArrayRef.filled(self.store, TEXT, 0, length)
        with self.assertRaisesRegex(OverflowError, "value"):
            ArrayRef.filled(self.store, TEXT, 256, 1)
        with self.assertRaises(Error):
            ArrayRef.filled(self.store, ArrayType(POINT), None, 1)
        for type in (POINT, "arrayref", "anyref", 5):
            with self.assertRaisesRegex(TypeError, "type must be an? ArrayType"):
                ArrayRef.filled(self.store, type, 0, 1)

    def test_a_full_heap(self):
        self.store.set_limits(heap_bytes=100_000)
        with self.assertRaises(Error) as caught:
            ArrayRef.filled(self.store, TEXT, 0, 2**32 - 1)
        self.assertEqual(caught.exception.code, ErrorCode.LIMIT)
        with self.assertRaises(Error):
            ArrayRef(self.store, TEXT, bytes(200_000))
        kept = []
        with self.assertRaises(Error):
            for _ in range(100_000):
                kept.append(self.point())
        self.assertEqual(list(kept[-1]), [1, 2, 0.5, None])
        del kept
        gc.collect()
        self.store.collect()
        self.assertEqual(len(self.point()), 4)


class Integers(Objects):
    def test_they_are_values(self):
        for given, value in ((0, 0), (-1, -1), (2**30 - 1, 2**30 - 1), (-2**30, -2**30), (2**31 - 1, -1), (2**30, -2**30)):
            number = I31Ref(self.store, given)
            self.assertEqual((number.value, int(number), number.type), (value, value, "(ref i31)"))
        self.assertEqual(I31Ref(self.store, 5), I31Ref(self.store, 5))
        self.assertEqual(len({I31Ref(self.store, 5), I31Ref(self.store, 5), I31Ref(self.store, 6)}), 2)
        self.assertEqual(repr(number), f"<I31Ref {value}>")
        exports = self.instance().exports
        self.assertEqual(exports.i31(-3), I31Ref(self.store, -3))
        self.assertIsInstance(exports.i31(2), AnyRef)
        self.assertEqual(int(exports.same(I31Ref(self.store, 2))), 2)

    def test_misuse(self):
        for wrong in (2**31, -2**30 - 1, 2**64):
            with self.assertRaises(OverflowError):
                I31Ref(self.store, wrong)
        for wrong in (1.5, "1", None):
            with self.assertRaises(TypeError):
                I31Ref(self.store, wrong)
        with self.assertRaises(TypeError):
            len(I31Ref(self.store, 1))
        with self.assertRaises(TypeError):
            self.instance().exports.same(5)  # an int alone is no reference


class Externals(Objects):
    def test_conversions(self):
        exports = self.instance().exports
        external = ExternRef(self.store, "mine")
        inside = external.to_any()
        self.assertEqual((type(inside), inside.type, inside), (AnyRef, "(ref any)", exports.to_any(external)))
        self.assertIs(inside.to_extern(), external)
        self.assertIs(exports.to_extern(inside), external)
        number = id(external)
        del external
        gc.collect()
        self.store.collect()
        self.assertEqual(inside.to_extern().value, "mine")
        point = self.point()
        outside = point.to_extern()
        self.assertIsInstance(outside, ExternRef)
        self.assertEqual((outside.to_any(), exports.to_any(outside)), (point, point))
        self.assertEqual(outside, exports.to_extern(point))
        self.assertEqual(hash(outside), hash(exports.to_extern(point)))
        self.assertEqual(outside.to_any()[:3], [1, 2, 0.5])
        self.assertEqual(I31Ref(self.store, 3).to_extern().to_any(), I31Ref(self.store, 3))
        self.assertNotEqual(ExternRef(self.store, 1), ExternRef(self.store, 1))
        self.assertTrue(number)


class Guests(Objects):
    def test_what_guests_make(self):
        exports = self.instance().exports
        point = exports.point(6)
        self.assertIs(exports.point.type.results[0], POINT)
        self.assertIs(type(point), StructRef)
        self.assertEqual((list(point), point.type), ([6, 255, 0.0, None], POINT))
        point[0] = 9
        self.assertEqual((exports.x(point), exports.x(self.point(4))), (9, 4))
        text = exports.text(ord("a"), 3)
        self.assertEqual((type(text), text.type, bytes(text)), (ArrayRef, TEXT, b"aaa"))
        text[1] = 255
        self.assertEqual((exports.byte(text, 1), text[1]), (-1, 255))
        self.assertEqual(exports.byte(ArrayRef(self.store, TEXT, [5, 128]), 1), -128)
        self.assertEqual(exports.same(point), point)
        self.assertNotEqual(exports.same(text), point)
        with self.assertRaises(Error):
            exports.x(text)
        with self.assertRaises(TypeError):
            exports.x(ExternRef(self.store))
        with self.assertRaises(Trap):
            exports.x(None)

    def test_in_globals_and_tables(self):
        exports = self.instance().exports
        point, node = self.point(), exports.node(1, None)
        exports["global"].value = point
        self.assertEqual(exports["global"].value, point)
        exports.table[0] = node
        self.assertEqual((exports.table[0], exports.table[1]), (node, None))
        with self.assertRaises(Error):
            exports.table[1] = point
        own = Table(self.store, (POINT.nullable, 2, None), point)
        self.assertEqual((own.type.element, own[1]), (POINT.nullable, point))
        self.assertEqual(Global(self.store, (POINT, True), point).value[:1], [1])
        self.assertEqual(Global(self.store, POINT, point).type.value.fields, POINT.fields)

    def test_what_host_functions_are_given(self):
        seen = []

        def f(given):
            seen.append(given)
            if isinstance(given, StructRef):
                given[0], given[3] = 77, given

        exports = self.instance(f).exports
        point = self.point()
        for given in (point, exports.text(7, 9), I31Ref(self.store, 30), None, ExternRef(self.store, 1).to_any()):
            self.assertIsNone(exports.meets(given))
            self.assertEqual(seen[-1], given)
        self.assertEqual((point[0], seen[0][0], seen[0][3], bytes(seen[1])), (77, 77, point, b"\7" * 9))
        self.assertEqual([type(given) for given in seen], [StructRef, ArrayRef, I31Ref, type(None), AnyRef])

    def test_what_host_functions_give(self):
        seen = []

        def f(given):
            seen.append(given)
            if isinstance(given, StructRef):
                given[0] += 1
                return given
            if isinstance(given, ArrayRef):
                return self.point(len(given), given[0])
            return None if given is None else self.point(int(given))

        exports = self.instance(f).exports
        point = self.point()
        self.assertEqual(exports.meets(point), point)
        self.assertEqual(point[0], 2)
        self.assertEqual(exports.meets(exports.text(7, 9))[:2], [9, 7])
        self.assertEqual(exports.meets(I31Ref(self.store, 30))[0], 30)
        self.assertIsNone(exports.meets(None))
        self.assertEqual(seen[0], point)

    def test_host_functions_of_wrong_results(self):
        for wrong in (lambda given: ArrayRef(self.store, TEXT), lambda given: StructRef(self.store, StructType(), []), lambda given: 5):
            with self.assertRaises((Error, TypeError)):
                self.instance(wrong).exports.meets(None)

    def test_annotated_host_functions(self):
        point = self.point()

        def typed(a: StructRef, b: ArrayRef, n: I31Ref, c: Annotated[StructRef, POINT.nullable]) -> Tuple[int, int]:
            return a[0] + n.value, len(b) + c[1]

        func = Func(self.store, typed)
        self.assertEqual(func.type, (("structref", "arrayref", "i31ref", POINT.nullable), ("i32", "i32")))
        self.assertEqual(func(point, ArrayRef(self.store, TEXT), I31Ref(self.store, 5), point), (6, 2))

        def makes() -> Annotated[StructRef, POINT]:
            raise AssertionError("it is not called")

        self.assertEqual(Func(self.store, makes).type, ((), (POINT,)))
        with self.assertRaises(Error):
            func(ArrayRef(self.store, TEXT), point, None, None)

    def test_in_exceptions(self):
        tag, point = Tag(self.store, [POINT]), self.point()

        def throws(given: AnyRef) -> None:
            raise GuestException(ExnRef(tag, given))

        with self.assertRaises(GuestException) as caught:
            Func(self.store, throws)(point)
        self.assertEqual(caught.exception.exception.values, (point,))
        with self.assertRaises(Error):
            ExnRef(tag, ArrayRef(self.store, TEXT))


class Collection(Objects):
    def collected(self):
        gc.collect()
        self.store.collect()
        return self.store.heap_bytes

    def test_what_python_holds_stays(self):
        exports = self.instance().exports
        first = ArrayRef(self.store, ANYS, [self.point(i) for i in range(100)])
        inner = first[50]
        at_first = self.collected()
        exports.garbage(300_000)
        self.assertEqual([point[0] for point in first], list(range(100)))
        self.assertEqual(inner, first[50])
        self.assertLessEqual(self.collected(), at_first)
        self.assertEqual(list(inner), [50, 2, 0.5, None])
        first[50] = None
        self.collected()
        self.assertEqual(list(inner), [50, 2, 0.5, None])
        del first
        self.assertLess(self.collected(), at_first)
        inner[3] = inner
        self.assertEqual(inner[3][0], 50)
        del inner
        self.assertEqual(self.collected(), 0)

    def test_many_are_made_and_let_go(self):
        for i in range(30_000):
            point = self.point(i, 1, 2.0, point if i % 100 else None)
        count = 0
        while point is not None:
            point, count = point[3], count + 1
        self.assertEqual(count, 100)
        self.assertEqual(self.collected(), 0)
        self.assertLess(self.store.object_count, 100)

    def test_what_it_holds_of_the_host(self):
        held = StructRef(self.store, StructType(["externref", "funcref"]), [ExternRef(self.store, [1]), Func(self.store, lambda: 7, ([], ["i32"]))])
        self.collected()
        self.assertEqual((held[0].value, held[1]()), ([1], 7))
        del held
        self.assertEqual(self.collected(), 0)


class Stores(Objects):
    def test_another_store(self):
        point, array = self.point(), ArrayRef(self.store, ANYS, [None])
        with Store(self.store.engine) as elsewhere:
            foreign = StructRef(elsewhere, POINT, [1, 2, 3.0, None])
            for way in (
                    lambda: point.__setitem__(3, foreign), lambda: array.__setitem__(0, foreign), lambda: array.__setitem__(0, I31Ref(elsewhere, 1)),
                    lambda: ArrayRef(self.store, ANYS, [foreign]), lambda: ArrayRef.filled(self.store, ANYS, foreign, 1),
                    lambda: StructRef(self.store, POINT, [1, 2, 3.0, foreign]), lambda: self.instance().exports.x(foreign)):
                with self.assertRaisesRegex(Error, "another store"):
                    way()
            self.assertNotEqual(foreign, point)
            self.assertNotEqual(foreign, StructRef(elsewhere, POINT, list(foreign)))
        self.assertEqual((list(array), point[3]), ([None], None))

    def test_closed(self):
        point, array, number, external = self.point(), ArrayRef(self.store, TEXT, b"x"), I31Ref(self.store, 1), ExternRef(self.store, 1)
        other = self.point()
        other.close()
        with self.assertRaisesRegex(ValueError, "this StructRef is closed"):
            point[3] = other
        self.store.close()
        for way in (
                lambda: point[0], lambda: point.__setitem__(0, 1), lambda: len(point), lambda: list(point), lambda: point[:], lambda: point.type,
                lambda: point.to_extern(), lambda: array[0], lambda: bytes(array), lambda: array.read_elements(), lambda: array.write_elements(0, b"x"),
                lambda: array.__setitem__(slice(None), b"x"), lambda: list(array), lambda: int(number), lambda: number.value, lambda: number.type,
                lambda: external.to_any(), lambda: hash(array), lambda: self.point(), lambda: ArrayRef(self.store, TEXT),
                lambda: ArrayRef.filled(self.store, TEXT, 0, 1), lambda: I31Ref(self.store, 1)):
            with self.assertRaisesRegex(ValueError, "closed"):
                way()
        self.assertEqual([repr(item) for item in (point, array, number)], ["<StructRef, closed>", "<ArrayRef, closed>", "<I31Ref, closed>"])
        self.assertTrue(point and array and number)
        self.assertEqual((point == point, point == array), (True, False))

    def test_closed_by_what_is_asked_for_a_value(self):
        other = self.point()

        class Closes:
            def __index__(self):
                other.close()
                return 1

            __float__ = __index__

        kinds = StructType(["anyref", "i32"])
        for way in (
                lambda: StructRef(self.store, kinds, [other, Closes()]), lambda: StructRef(self.store, kinds, [None, 1]).__setitem__(slice(2), [other, Closes()]),
                lambda: Func(self.store, lambda a, b: None, (["anyref", "i32"], []))(other, Closes()),
                lambda: ExnRef(Tag(self.store, ["anyref", "f32"]), other, Closes()), lambda: other.__setitem__(0, Closes()),
                lambda: other.__getitem__(Closes()), lambda: other.__setitem__(Closes(), 5)):
            with self.assertRaisesRegex((TypeError, ValueError), "closed|float"):
                way()
            other = self.point()
        self.store, kept = Store(self.store.engine), self.store

        class ClosesAll:
            def __index__(self):
                kept.close()
                return 1

        with self.assertRaisesRegex(ValueError, "closed"):
            StructRef(kept, StructType(["i32"]), [ClosesAll()])
        self.addCleanup(self.store.close)

    def test_given_up_while_another_thread_is_inside(self):
        store, kept = self.store, [self.point() for _ in range(100)]
        inside, go_on = threading.Event(), threading.Event()

        def host() -> None:
            inside.set()
            go_on.wait(20)

        thread = threading.Thread(target=Func(store, host))
        thread.start()
        inside.wait(20)
        del kept[:50]
        for point in kept:
            point.close()
        self.assertGreaterEqual(len(store._given_back), 100)
        go_on.set()
        thread.join()
        store.collect()
        self.assertEqual((len(store._given_back), store.heap_bytes), (0, 0))

    def test_half_made(self):
        for kind in (StructRef, ArrayRef):
            made = kind.__new__(kind)
            with self.assertRaises(ValueError):
                made._handle
            del made
        with self.assertRaises(TypeError):
            StructRef()
        for wrong in ("store", None, self.store.engine):
            with self.assertRaises((TypeError, AttributeError)):
                StructRef(wrong, POINT, [1, 2, 3.0, None])

    def test_an_engine_without(self):
        with Store(Engine(features={stepwell.Feature.GC: False})) as store:
            for way in (lambda: StructRef(store, POINT, [1, 2, 3.0, None]), lambda: ArrayRef(store, TEXT), lambda: ArrayRef.filled(store, TEXT, 0, 1)):
                with self.assertRaises(Error):
                    way()

    def test_threads(self):
        array = ArrayRef.filled(self.store, ArrayType("i32"), 0, 4)
        failed = []

        def work(place):
            try:
                for i in range(500):
                    array[place] = i
                    point = self.point(i, 0, 0.0, array)
                    if (point[0], point[3][place]) != (i, i):
                        failed.append((i, list(point)))
                    StructType(["i32", ("i64", bool(i & 1))]).fields
            except Exception as error:
                failed.append(error)

        threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual((failed, list(array)), ([], [499] * 4))


class Stops(unittest.TestCase):
    def test_in_a_stop(self):
        kept, seen = [], []
        with Store(Engine(debug=True)) as store:
            def on_stop(stop):
                frame = stop.frame()
                point, number = frame.locals["point"], frame.locals["number"]
                if point is None:
                    return Action.STEP
                seen.append((type(point), point[0], point.type, [int(value) for value in (number,) if value], str(stop)))
                for operand in frame.operands:
                    if isinstance(operand, StructRef):
                        operand[0] = 1000  # what the guest reads next
                        operand[3] = ArrayRef(store, TEXT, b"made in the stop")
                        self.assertEqual(operand, point)
                        self.assertEqual(stop.frame().locals["point"][0], 1000)
                        store_exports.garbage(1000)
                        with self.assertRaises(IndexError):
                            operand[4]
                kept.append(point)
                return Action.STEP

            module = Module(store.engine, guests.objects())
            store_exports = Instance(store, module, {"env": {"f": lambda given: None}}).exports
            with Debugger(store, on_stop) as debugger:
                debugger.break_at_function(module, "seen")
                self.assertEqual(store_exports.seen(5), 1000)
            self.assertEqual((seen[0][:3], seen[-1][1], seen[-1][3]), ((StructRef, 5, POINT), 1000, [5]))
            self.assertIn("point=<StructRef", seen[-1][4])
            store.collect()
            self.assertEqual(bytes(kept[0][3]), b"made in the stop")
            self.assertEqual(kept[0], kept[-1])
        with self.assertRaises(ValueError):
            kept[0][0]


if __name__ == "__main__":
    unittest.main()
