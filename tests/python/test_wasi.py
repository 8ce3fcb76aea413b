"""WASI: what programs get of the host, and how they end."""
import io
import os
import tempfile
import unittest
from pathlib import Path

import guests
import stepwell
from stepwell import Error, ErrorCode, Exit, Linker, Module, Store, Wasi
from test_bindings import python

MFILE, NOENT, NOTCAPABLE = 33, 44, 76
CREATE, READ, WRITE = 1, 1 << 1, 1 << 6


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.engine = stepwell.Engine()
        cls.program = Module(cls.engine, guests.wasi_program())

    def exports(self, **given):
        """The exports of the program in a store of its own."""
        store, linker = Store(self.engine), Linker(self.engine)
        self.addCleanup(store.close)
        linker.define_wasi(store, Wasi(**given))
        return linker.instantiate(store, self.program).exports


class Programs(Case):
    def test_exit_status(self):
        for count in (0, 1, 5, 9):
            status = Wasi([f"argument {i}" for i in range(count)]).run(self.program)
            self.assertEqual(status, 0 if count == 9 else count)

    def test_threads(self):
        module = Module(self.engine, guests.begins_threads())
        written = bytearray()
        with Store(self.engine) as store, Linker(self.engine) as linker:
            shared = stepwell.SharedMemory(self.engine, (1, 2))
            linker.define("env", "memory", stepwell.Memory.from_shared(store, shared))
            linker.define_wasi(store, Wasi(max_threads=3, stdout=written))
            exports = linker.instantiate(store, module).exports
            self.assertEqual([exports.spawn(0), exports.spawn(0)], [1, 2])
            self.assertEqual(exports.counted(2), 3)
            self.assertEqual(bytes(written), b"xx")
            exports.spawn(1)
            with self.assertRaises(Exit) as caught:
                exports.forever()
            self.assertEqual(caught.exception.status, 42)
            self.assertEqual(exports.spawn(0), -6)
        with Store(self.engine) as store, Linker(self.engine) as linker:
            linker.define_wasi(store, Wasi())
            linker.define("env", "memory", stepwell.Memory.from_shared(store, shared))
            with self.assertRaisesRegex(Error, "lets it have none"):
                linker.instantiate(store, module)

    def test_defined_once_for_all_stores(self):
        with Linker(self.engine) as linker:
            linker.define_wasi()
            with self.assertRaisesRegex(TypeError, "or neither"):
                linker.define_wasi(wasi=Wasi())
            pre = linker.instantiate_pre(self.program)
        for count in (0, 1, 5):
            written = bytearray()
            with Store(self.engine) as store:
                instance = pre.instantiate(store)
                with self.assertRaisesRegex(stepwell.Trap, "stepwell_store_wasi_set"):
                    instance.run()
                store.set_wasi(Wasi([f"argument {i}" for i in range(count)], stdout=written))
                self.assertEqual(instance.run(), count)
                store.set_wasi(Wasi([f"argument {i}" for i in range(9)]))
                self.assertEqual(instance.run(), 0)

    def test_exit_is_an_exception(self):
        with self.assertRaises(Exit) as caught:
            self.exports(args="abc".split() * 7)._start()
        self.assertEqual((caught.exception.status, caught.exception.code), (7, ErrorCode.TRAP))
        self.assertIn("exit status 7", str(caught.exception))

    def test_exit_of_a_host_function(self):
        def leave():
            raise Exit(33)

        with Store(self.engine) as store:
            instance = stepwell.Instance(store, Module(self.engine, guests.calls_host()), [leave])
            with self.assertRaises(Exit) as caught:
                instance.exports.outer()
            self.assertEqual(caught.exception.status, 33)

    def test_streams(self):
        pieces, all_of_it = [], bytearray()
        status = Wasi(["a", "b"], stdin=b"hello\0\xff", stdout=pieces.append, stderr=all_of_it).run(self.program)
        self.assertEqual((status, pieces, bytes(all_of_it)), (2, [b"hello\0\xff"], b"hello\0\xff"))
        file = io.BytesIO()
        wasi = Wasi(stdin=bytearray(b"once"), stdout=file)
        for _ in range(2):  # each store starts afresh
            wasi.run(self.program)
        self.assertEqual(file.getvalue(), b"onceonce")
        self.assertEqual(Wasi().run(self.program), 0)

    def test_input(self):
        text = bytes(range(256))
        for given in (io.BytesIO(text), text, memoryview(text)):
            output = bytearray()
            Wasi(stdin=given, stdout=output).run(self.program)
            self.assertEqual(output, text[:100])
        asked = []
        Wasi(stdin=lambda size: asked.append(size)).run(self.program)
        self.assertEqual(asked, [100])
        with self.assertRaisesRegex(ValueError, "101 bytes where at most 100"):
            Wasi(stdin=lambda size: b"x" * 101).run(self.program)
        with self.assertRaises(ZeroDivisionError):
            Wasi(stdin=lambda size: 1 // 0).run(self.program)

    def test_inherited(self):
        text = (
            "import guests, stepwell\n"
            "m = stepwell.Module(stepwell.Engine(), guests.wasi_program())\n"
            "raise SystemExit(stepwell.Wasi(['x'] * 3, stdin='inherit', stdout='inherit').run(m))\n")
        read, write = os.pipe()
        os.write(write, b"through the process")
        os.close(write)
        with os.fdopen(read) as given:
            done = python(text, stdin=given)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (3, "through the process", ""))

    def test_arguments_and_environment(self):
        exports = self.exports(args=["prógram", "x"], env={"NAME": "välue", "EMPTY": ""})
        self.assertEqual(exports.first(0), 2)
        self.assertEqual(exports.memory.read_cstring(1024), "prógram".encode())
        self.assertEqual(exports.first(1), 2)
        self.assertEqual(exports.memory.read_cstring(1024), "NAME=välue".encode())
        self.assertEqual(self.exports(env="inherit").first(1), len(os.environ))

    def test_directories(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder)
            (path / "there").write_text("x")
            (path / "out").symlink_to("/etc/passwd")

            def errno(name, flags=0, rights=READ, **dirs):
                exports = self.exports(**dirs)
                exports.memory.write(2048, name)
                return exports.open(len(name), flags, rights)

            self.assertEqual(errno(b"there", dirs={".": path}), 0)
            self.assertEqual(errno(b"absent", dirs={".": folder}), NOENT)
            self.assertEqual(errno(b"new", CREATE, WRITE, dirs={".": path}), NOTCAPABLE)
            self.assertFalse((path / "new").exists())
            self.assertEqual(errno(b"new", CREATE, WRITE, writable_dirs={".": path}), 0)
            self.assertTrue((path / "new").exists())
            for name in (b"out", b"../" + path.name.encode() + b"/there", b"/etc/passwd"):
                self.assertNotEqual(errno(name, writable_dirs={".": path}), 0, name)
            exports = self.exports(dirs={".": path}, max_descriptors=5)  # the streams, the directory, and one more
            exports.memory.write(2048, b"there")
            self.assertEqual([exports.open(5, 0, READ) for _ in range(3)], [0, MFILE, MFILE])
        with self.assertRaisesRegex(Error, "directory"):
            self.exports(dirs={".": "/nowhere/at/all"})


class Failures(Case):
    def test_of_a_callable(self):
        class Full(Exception):
            pass

        def write(data):
            raise Full(data)

        with self.assertRaises(Full) as caught:
            Wasi(stdin=b"data", stdout=write).run(self.program)
        self.assertEqual(caught.exception.args, (b"data",))

    def test_wrong(self):
        for given in ({"args": "one"}, {"args": [1]}, {"env": {"A": 1}}, {"stdin": "text"}, {"stdin": io.StringIO()}, {"stdin": 5}, {"stdout": io.StringIO()},
                      {"stdout": 5}, {"stderr": "elsewhere"}, {"dirs": {".": 5}}):
            with self.assertRaises(TypeError, msg=given):
                Wasi(**given)
        for given in ({"args": ["a\0b"]}, {"env": {"A": "\0"}}, {"env": "none"}, {"dirs": {"a\0": "/"}}):
            with self.assertRaises(ValueError, msg=given):
                Wasi(**given)
        for given in ({"env": {"": "x"}}, {"env": {"A=B": "x"}}, {"dirs": {"": "/"}}):
            with self.assertRaises(Error, msg=given):
                Wasi(**given).run(self.program)

    def test_no_program(self):
        with self.assertRaisesRegex(Error, "_start"):
            Wasi().run(Module(self.engine, guests.arithmetic()))

    def test_defined_twice(self):
        linker = Linker(self.engine)
        with Store(self.engine) as store:
            linker.define_wasi(store, Wasi())
            with self.assertRaisesRegex(Error, "defined"):
                linker.define_wasi(store, Wasi())

    def test_trap(self):
        engine = self.engine
        with Store(engine) as store, self.assertRaises(stepwell.Trap):
            b = guests.wasm.Builder()
            b.func([], [], guests.code(guests.wasm.UNREACHABLE), export="_start")
            Wasi().run(Module(engine, b.build()), store)
