"""What saves compiling: the cache, and code for other processors; and modules from text."""
import os
import tempfile
import unittest
from pathlib import Path

import stepwell
from stepwell import Engine, Error, ErrorCode, Instance, Module, Store, wat2wasm

TEXT = '(module $m (func (export "f") (result i32) i32.const 7))'


def answer(engine):
    with Store(engine) as store:
        return Instance(store, Module(engine, wat2wasm(TEXT))).exports.f()


class Cache(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name) / "inside" / "of it"

    def test_it_keeps_what_was_compiled(self):
        for cache in (self.folder, str(self.folder), (self.folder, 1 << 20)):
            self.assertEqual(answer(Engine(cache=cache)), 7)
            self.assertEqual(len(list(self.folder.iterdir())), 1)
        before = next(self.folder.iterdir())
        self.assertEqual(answer(Engine(cache=(self.folder, 1 << 20), optimize=False)), 7)
        self.assertEqual(len(list(self.folder.iterdir())), 2)
        before.write_bytes(before.read_bytes()[:-1])
        self.assertEqual(answer(Engine(cache=self.folder)), 7)

    def test_a_size_that_is_too_small(self):
        self.assertEqual(answer(Engine(cache=(self.folder, 10))), 7)
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_where_there_can_be_none(self):
        self.assertEqual(answer(Engine(cache="/dev/null/inside")), 7)

    def test_wrong(self):
        for wrong in ("", "a\0b"):
            with self.assertRaises((Error, ValueError)):
                Engine(cache=wrong)
        with self.assertRaises((TypeError, ValueError)):
            Engine(cache=("x", "y"))
        self.assertFalse(os.path.exists("x"))


class Processors(unittest.TestCase):
    def test_code_for_another(self):
        self.assertEqual(answer(Engine(processor="")), 7)
        everything = Engine(processor="x86-64-v4, avx512vbmi avx512bitalg avx512vnni avx_vnni")
        module = Module(everything, wat2wasm(TEXT))
        data = module.serialize()
        try:
            self.assertEqual(Module.deserialize(Engine(), data).func_count, 1)
        except Error as error:
            self.assertEqual(error.code, ErrorCode.UNSUPPORTED)
            self.assertIn("avx", str(error))

    def test_wrong(self):
        for wrong, says in (("x86-64-v3 i386", "i386"), ("\ud800", "")):
            with self.assertRaises((Error, UnicodeError)) as caught:
                Engine(processor=wrong)
            self.assertIn(says, str(caught.exception))


class Texts(unittest.TestCase):
    def test_text(self):
        binary = wat2wasm(TEXT)
        self.assertTrue(binary.startswith(b"\0asm"))
        for same in (TEXT.encode(), bytearray(TEXT, "utf-8"), binary):
            self.assertEqual(wat2wasm(same), binary)

    def test_wrong(self):
        for text, says in (("", "no module"), ("(module\n (func x))", "line 2"), (b"\xff", "UTF-8"), ("(module ;; \0\n", "line 2, column 1")):
            with self.assertRaises(Error) as caught:
                wat2wasm(text)
            self.assertEqual(caught.exception.code, ErrorCode.INVALID_MODULE)
            self.assertIn(says, str(caught.exception))


if __name__ == "__main__":
    unittest.main()
