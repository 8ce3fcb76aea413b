#!/usr/bin/env python3
"""Runs stepwell-run with many command lines, and all examples of docs/stepwell-run.md: `run_test.py STEPWELL-RUN`."""
import itertools
import json
import os
import re
import resource
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
GUEST = ROOT / "c-examples" / "guest"
PROGRAM = GUEST / "program.wasm"
SPLIT = ROOT / "tests" / "support" / "split"
sys.path.insert(0, str(ROOT / "tests" / "python"))
from wasm import CALL, END, I32X4_ADD, LOCAL_GET, Builder, code, u  # noqa: E402

RUN = None
NO_SUCH_LINE = "there is no code at"


def source_line(name, text):
    """Where a source has a text, as a line from 1."""
    lines = (GUEST / name).read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def run_it(self, *arguments, stdin=b"", env=None):
        """Exit code, standard output and standard error of one run."""
        done = subprocess.run(
            [RUN, *map(str, arguments)], input=stdin, capture_output=True, cwd=self.folder, timeout=120,
            env={"PATH": os.environ.get("PATH", ""), **(env or {})})
        self.assertNotIn(b"panicked", done.stderr)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def gives(self, output, *arguments, **options):
        """The run succeeds and prints this, and nothing to standard error."""
        self.assertEqual(self.run_it(*arguments, **options), (0, output, ""))

    def fails(self, status, texts, *arguments, **options):
        """The run ends with this status, prints nothing, and says this."""
        got, out, err = self.run_it(*arguments, **options)
        self.assertEqual((got, out), (status, ""), err)
        for text in [texts] if isinstance(texts, str) else texts:
            self.assertIn(text, err)
        return err

    def module(self, name, binary):
        path = self.folder / name
        path.write_bytes(binary)
        return path


class Programs(Case):
    def test_without_anything(self):
        self.gives("hello\n", PROGRAM)

    def test_arguments_are_the_programs_own(self):
        arguments = ["args", "--dir", "-x", "--", "", "two words", "ünï"]
        self.gives("\n".join([str(PROGRAM), *arguments]) + "\n", PROGRAM, *arguments)
        self.gives(f"{PROGRAM}\nargs\n", "--", PROGRAM, "args")

    def test_environment(self):
        self.gives("", PROGRAM, "env", env={"SECRET": "1"})
        options = ["--env", "A=1", "--env=B=x=y", "--env", "EMPTY=", "--env", "HERE", "--env", "NOT_HERE"]
        self.gives("A=1\nB=x=y\nEMPTY=\nHERE=too\n", *options, PROGRAM, "env", env={"HERE": "too", "SECRET": "1"})
        self.fails(2, "--env", "--env", "=x", PROGRAM, "env")
        here = {"A": "here", "B": "too"}
        status, out, err = self.run_it("--inherit-env", "--env", "A=other", "--env", "C=1", PROGRAM, "env", env=here)
        lines = out.splitlines()
        self.assertEqual((status, err, len(lines)), (0, "", len(set(lines))))
        self.assertLessEqual({"A=other", "B=too", "C=1"}, set(lines))
        self.assertNotIn("A=here", lines)

    def test_standard_input(self):
        data = "some\nlines\0and more" * 5000
        self.gives(data, PROGRAM, "echo", stdin=data.encode())

    def test_directories(self):
        (self.folder / "data").mkdir()
        (self.folder / "data" / "a.txt").write_text("from the file")
        (self.folder / "outside.txt").write_text("not to be seen")
        self.gives("from the file", "--dir", "data", PROGRAM, "cat", "a.txt")
        self.gives("from the file", f"--dir={self.folder}/data::here:ro", PROGRAM, "cat", "a.txt")
        self.fails(2, "cannot open", PROGRAM, "cat", "a.txt")
        for path in ["../outside.txt", str(self.folder / "outside.txt"), "missing.txt"]:
            self.fails(2, "cannot open", "--dir", "data", PROGRAM, "cat", path)
        self.gives("", "--dir", "data", PROGRAM, "write", "b.txt", "written")
        self.assertEqual((self.folder / "data" / "b.txt").read_text(), "written")
        self.fails(2, "cannot open", "--dir", "data:ro", PROGRAM, "write", "c.txt", "written")
        self.assertFalse((self.folder / "data" / "c.txt").exists())

    def test_directories_that_are_none(self):
        self.fails(2, ["--dir", "nowhere"], "--dir", "nowhere", PROGRAM)
        for said in (":readonly", ":RO", ":rw", ":"):
            self.fails(2, ["--dir", "only `:ro` is known"], "--dir", f"data::/{said}", PROGRAM, "write", "c.txt", "written")
        for said in ["", "::x", "x::", ":ro"]:
            self.fails(2, "--dir", "--dir", said, PROGRAM)

    def test_exit_status(self):
        for said, status in [(0, 0), (1, 1), (3, 3), (200, 200), (255, 255), (-1, 255), (256, 0)]:
            self.assertEqual(self.run_it(PROGRAM, "exit", said), (status, "", ""))
        self.fails(2, "what?", PROGRAM, "no such command")

    def test_traps(self):
        quotient = source_line("program.h", "return a / b")
        err = self.fails(134, ["trap: integer divide by zero", f"in quotient at program.h:{quotient}:"], PROGRAM, "trap")
        self.assertRegex(err, r"!fail_somehow\n")
        self.assertRegex(err, r"at program\.c:\d+:\d+\n")
        self.fails(134, "trap: unreachable", PROGRAM, "unreachable")
        self.fails(134, ["trap: call stack exhausted", "!overflow", "more"], PROGRAM, "overflow")
        self.fails(134, "trap: call stack exhausted", "--max-stack", "64K", PROGRAM, "overflow")

    def test_fuel(self):
        self.fails(124, "trap: out of fuel", "--fuel", "10000", PROGRAM, "spin")
        self.fails(124, "out of fuel", "--fuel=0", PROGRAM)
        status, out, err = self.run_it("--fuel", "1000000", "--stats", PROGRAM, "fib", "5")
        used = int(re.search(r": (\d+) units of fuel were used\n", err)[1])
        self.assertEqual((status, out), (0, "5\n"))
        self.gives("5\n", "--fuel", used, PROGRAM, "fib", "5")
        self.fails(124, "out of fuel", "--fuel", used // 2, PROGRAM, "fib", "5")
        _, _, debug = self.run_it("--fuel", "1000000", "--stats", "-g", PROGRAM, "fib", "5")
        self.assertIn(f": {used} units", debug)

    def test_time(self):
        begin = time.monotonic()
        self.fails(124, ["trap: interrupted", "the time is up (--timeout 0.3); exit status 124"], "--timeout", "0.3", PROGRAM, "spin")
        self.assertLess(time.monotonic() - begin, 60)
        self.gives("5\n", "--timeout=100", PROGRAM, "fib", "5")

    def test_time_is_up_while_it_waits_for_input(self):
        ours, theirs = os.pipe()
        self.addCleanup(os.close, theirs)
        with os.fdopen(ours, "rb") as nothing:
            done = subprocess.run([RUN, "--timeout", "0.2", PROGRAM, "echo"], stdin=nothing, capture_output=True, timeout=100)
        self.assertEqual((done.returncode, done.stdout), (124, b""))
        self.assertIn(b"trap: interrupted", done.stderr)

    def test_time_is_up_in_a_system_call(self):
        # Nobody reads what it writes, and writing is not interrupted.
        zeros = self.folder / "zeros"
        zeros.write_bytes(bytes(1 << 20))
        with zeros.open("rb") as zeros, subprocess.Popen(
                [RUN, "--timeout", "0.2", PROGRAM, "echo"], stdin=zeros, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
            self.assertEqual(run.wait(timeout=100), 124)
            self.assertIn(b"does not end", run.stderr.read())

    def test_module_from_standard_input(self):
        self.gives("-\nargs\n", "-", "args", stdin=PROGRAM.read_bytes())

    def test_memory_limit(self):
        self.gives("16\n", "--max-memory", "1M", PROGRAM, "grow")
        self.gives("16\n", "--max-memory=1048576", PROGRAM, "grow")
        self.fails(126, "limit", "--max-memory", "64K", PROGRAM)


class Calls(Case):
    def test_values(self):
        for func, arguments, result in [
            ("fib", ["10"], "55"), ("fib", ["0xa"], "55"), ("fib", ["-3"], "-3"), ("fib", ["0xffffffff"], "-1"),
            ("divide", ["7", "2"], "351"),
            ("add64", ["9223372036854775807", "1"], "-9223372036854775808"),
            ("add64", ["-9223372036854775808", "0"], "-9223372036854775808"),
            ("add64", ["0xffffffffffffffff", "2"], "1"),
            ("half32", ["0.2"], "0.1"), ("half32", ["-0"], "-0"), ("half32", ["inf"], "inf"), ("half64", ["0x1p-3"], "0.0625"),
            ("half64", ["0.2"], "0.1"), ("half64", ["1e300"], "5e+299"), ("half64", ["0.6666666666666666"], "0.3333333333333333"),
        ]:
            with self.subTest(func=func, arguments=arguments):
                self.gives(result + "\n", "--invoke", func, PROGRAM, *arguments)
        status, out, _ = self.run_it("--invoke", "half64", PROGRAM, "nan")
        self.assertEqual((status, out.strip().lstrip("-")), (0, "nan"))

    def test_wrong_arguments(self):
        invoke = ["--invoke", "divide", PROGRAM]
        self.fails(2, ["`divide` takes (i32, i32)", "1 given"], *invoke, "1")
        self.fails(2, "3 given", *invoke, "1", "2", "3")
        for wrong in ["x", "", " 1", "1.5", "1x", "0x", "4294967296", "-2147483649", "+-1", "null"]:
            self.fails(2, [f"`{wrong}`", "i32"], *invoke, "1", wrong)
        for wrong in ["", "x", "1,5", "1e999"]:
            self.fails(2, "f64", "--invoke", "half64", PROGRAM, wrong)
        self.fails(2, ["no function `nothing`", "divide", "fib"], "--invoke", "nothing", PROGRAM)
        self.fails(2, "memory", "--invoke", "memory", PROGRAM)

    def test_references_and_several_results(self):
        m = Builder()
        m.func(["externref"], ["externref"], code(LOCAL_GET, u(0)), export="same")
        m.func(["funcref", "i32"], ["i32", "funcref"], code(LOCAL_GET, u(1), LOCAL_GET, u(0)), export="swap")
        m.func([], ["funcref"], code(0xD2, u(0)), export="self")
        module = self.module("refs.wasm", m.build())
        self.gives("null\n", "--invoke", "same", module, "null")
        self.gives("7\nnull\n", "--invoke", "swap", module, "null", "7")
        self.gives("funcref\n", "--invoke", "self", module)
        self.fails(2, "`x` is no externref", "--invoke", "same", module, "x")

    def test_vectors(self):
        m = Builder()
        m.func(["v128", "v128"], ["v128"], code(LOCAL_GET, u(0), LOCAL_GET, u(1), I32X4_ADD), export="add")
        module = self.module("vectors.wasm", m.build())
        self.gives("0x00000004000000030000000200000001\n", "--invoke", "add", module, "0x4000000030000000200000000", "0x1")
        self.gives("0xffffffffffffffffffffffff00000000\n", "--invoke", "add", module, "0x" + "f" * 32, "0X1")
        self.gives("0x0000000000000001000000000000000a\n", "--invoke", "add", module, "18446744073709551626", "0")
        self.gives("0xffffffffffffffffffffffffffffffff\n", "--invoke", "add", module, str(2**128 - 1), "0")
        for wrong in [str(2**128), "0x", "x", "1a", "", "0x" + "1" * 33, "0x1g", "-0x1", "0x 1", "null"]:
            self.fails(2, f"`{wrong}` is no v128", "--invoke", "add", module, "0x0", wrong)
        self.fails(2, "`add` takes (v128, v128)", "--invoke", "add", module)
        _, _, err = self.run_it("--trace=calls", "--invoke", "add", module, "0x5", "0x0")
        self.assertIn("0x00000000000000000000000000000005", err)

    def test_precompiled(self):
        file = self.folder / "program.cwasm"
        self.gives("", "--precompile", file, PROGRAM)
        self.gives("-\nargs\n", "--precompiled", "-", "args", stdin=file.read_bytes())
        self.gives("55\n", "--precompiled", "--invoke", "fib", file, "10")
        self.fails(134, "in quotient at program.h:", "--precompiled", "--invoke", "divide", file, "7", "0")
        self.fails(126, "program.wasm: ", "--precompiled", PROGRAM)
        # It is known by what it begins with.
        self.gives("55\n", "--invoke", "fib", file, "10")
        self.gives("-\nargs\n", "-", "args", stdin=file.read_bytes())
        self.fails(126, "program.cwasm: ", "--precompiled", "--fuel", "5", file)
        self.fails(126, "program.cwasm: ", "--fuel", "5", file)
        self.fails(127, "nothing", "--precompiled", "nothing")
        file.write_bytes(file.read_bytes()[:5000])
        self.fails(126, "program.cwasm: ", "--precompiled", file)
        self.fails(126, ["program.cwasm: ", "truncated"], file)
        self.fails(1, "nowhere", "--precompile", "nowhere/x.cwasm", PROGRAM)
        self.fails(127, "nothing", "--precompile", file, "nothing")

    def test_precompiled_to_what_is_there(self):
        """A file is replaced and keeps its mode, links are followed, and what is no regular file is written and stays."""
        file, pipe = self.folder / "there.cwasm", self.folder / "pipe"
        file.write_bytes(b"old")
        file.chmod(0o640)
        os.mkfifo(pipe)
        for link, to in [("link", file.name), ("second", "link"), ("dangling", "new.cwasm"), ("to-pipe", pipe.name)]:
            (self.folder / link).symlink_to(to)
        self.gives("", "--precompile", "second", PROGRAM)
        self.gives("", "--precompile", "dangling", PROGRAM)
        expected = file.read_bytes()
        self.gives("55\n", "--precompiled", "--invoke", "fib", "dangling", "10")
        self.assertEqual((self.folder / "new.cwasm").read_bytes(), expected)
        self.assertEqual(file.stat().st_mode & 0o777, 0o640)
        for link in ["link", "second", "dangling"]:
            self.assertTrue((self.folder / link).is_symlink(), link)
        for name in ["pipe", "to-pipe"]:
            with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE) as reader:
                self.gives("", "--precompile", name, PROGRAM)
                self.assertEqual(reader.communicate(timeout=100)[0], expected)
            self.assertTrue(pipe.is_fifo(), name)
        if os.geteuid() == 0:  # a device of our own, with the numbers of the null device
            device = self.folder / "device"
            try:
                os.mknod(device, stat.S_IFCHR | 0o600, os.makedev(1, 3))
            except PermissionError:
                return
            self.run_it("--precompile", device, PROGRAM)  # where the file system lets no device be opened, it fails
            self.assertTrue(device.is_char_device())
        self.assertEqual([path.name for path in self.folder.glob(".*")], [], "no temporary files")

    def test_a_trap_of_a_call(self):
        self.fails(134, ["integer divide by zero", "!divide"], "--invoke", "divide", PROGRAM, "1", "0")

    def test_a_module_without_start(self):
        m = Builder()
        m.func([], ["i32"], code(0x41, u(5)), export="five")
        module = self.module("five.wasm", m.build())
        self.gives("5\n", "--invoke", "five", module)
        self.fails(126, ["--invoke", "_start", "five"], module)

    def test_a_library_is_initialized(self):
        m = Builder()
        m.func([], [], code(0x00), export="_initialize")
        m.func([], [], b"", export="f")
        module = self.module("library.wasm", m.build())
        self.fails(134, "unreachable", "--invoke", "f", module)
        self.fails(134, "unreachable", module)
        m = Builder()
        m.func([], [], b"", export="_initialize")
        self.gives("", self.module("set_up.wasm", m.build()))

    def test_output_that_cannot_be_written(self):
        # At the end of how long files may be; Python ignores the signal that tells so, and `restore_signals` would undo that.
        longest = 1 << 40
        with (self.folder / "full").open("wb") as full:
            full.seek(longest)
            done = subprocess.run(
                [RUN, "--invoke", "fib", PROGRAM, "5"], stdout=full, stderr=subprocess.PIPE, restore_signals=False,
                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (longest, longest)))
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"standard output", done.stderr)


class NotModules(Case):
    def test_not_there(self):
        self.fails(127, "nothing.wasm", "nothing.wasm")
        self.fails(127, "nothing.wasm", f"{PROGRAM}/nothing.wasm")
        self.fails(126, str(self.folder), self.folder)

    @unittest.skipIf(os.geteuid() == 0, "root may read everything")
    def test_not_readable(self):
        path = self.module("closed.wasm", b"")
        path.chmod(0)
        self.fails(126, "closed.wasm", path)

    def test_not_modules(self):
        whole = PROGRAM.read_bytes()
        for name, binary in [("empty", b""), ("short", b"\0as"), ("elf", b"\x7fELF\2\1\1" + bytes(64)), ("cut", whole[:5000]),
                             ("version", b"\0asm\2\0\0\0"), ("zeros", bytes(100))]:
            with self.subTest(name):
                self.fails(126, f"{name}.wasm: ", self.module(f"{name}.wasm", binary))
        for name, binary, said in [("empty", b"", "it is empty"), ("elf", b"\x7fELF\2\1\1" + bytes(64), "7f 45 4c 46"),
                                   ("page", b"<!DOCTYPE html>", "HTML page"), ("packed", b"\x1f\x8b\x08", "gzip"),
                                   ("zeros", bytes(100), "zeros")]:
            with self.subTest(name):
                self.fails(126, ["this is no Wasm module", said], self.module(f"{name}.wasm", binary))
                self.fails(126, ["this is no serialized module"], "--precompiled", self.module(f"{name}.wasm", binary))
        self.fails(126, ["this is no serialized module", "it is WebAssembly"], "--precompiled", PROGRAM)

    def test_components(self):
        self.fails(126, "component", self.module("component.wasm", b"\0asm\x0d\0\1\0"))

    def test_text(self):
        text = b"""\n ;; a comment\n(module (func (export "add") (param i32 i32) (result i32)
            local.get 0 local.get 1 i32.add))"""
        self.gives("5\n", "--invoke", "add", self.module("add.wat", text), "2", "3")
        self.gives("5\n", "--invoke", "add", self.module("add.wasm", text), "2", "3")
        self.gives("5\n", "--invoke", "add", "-", "2", "3", stdin=text)
        self.fails(126, ["wrong.wat: ", "line 1, column 10"], self.module("wrong.wat", b"(module (fnc))"))
        self.fails(126, "wrong.wat: ", self.module("wrong.wat", b"module"))
        # What is a binary is one, whatever it is called.
        self.gives("hello\n", self.module("binary.wat", PROGRAM.read_bytes()))

    def test_missing_imports_are_all_named(self):
        m = Builder()
        m.import_func("env", "log", ["i32"], ["i32"])
        m.import_func("other place", "x", [], [])
        m.func([], ["i32"], code(0x41, u(9), CALL, u(0)), export="f")
        module = self.module("imports.wasm", m.build())
        self.fails(126, ["env.log, a function", "other place.x, a function", "--stub-missing"], "--invoke", "f", module)
        # Before anything is compiled: a body that is not valid is not looked at.
        m = Builder()
        m.import_func("env", "log", [], [])
        m.func([], ["i32"], b"", export="f")
        self.fails(126, "env.log, a function", "--invoke", "f", self.module("neither.wasm", m.build()))
        self.gives("0\n", "--stub-missing", "--invoke", "f", module)
        self.gives("0\n", "--stub-missing=zero", "--invoke", "f", module)
        self.fails(134, ["trap: ", "env", "log"], "--stub-missing=trap", "--invoke", "f", module)
        self.fails(2, "`one`", "--stub-missing=one", "--invoke", "f", module)
        # What is never called traps nobody, and what is no function is still there.
        text = b"""(module (import "a" "f" (func)) (import "a" "g" (global i32)) (func (export "g") (result i32) global.get 0))"""
        self.gives("0\n", "--stub-missing=trap", "--invoke", "g", self.module("imports.wat", text))

    def test_imports_of_other_modules(self):
        library = b"""(module (global (mut i32) (i32.const 0)) (func (export "_initialize") i32.const 40 global.set 0)
            (func (export "add") (param i32) (result i32) local.get 0 global.get 0 i32.add))"""
        text = b"""(module (import "lib" "add" (func (param i32) (result i32)))
            (func (export "f") (result i32) i32.const 2 call 0))"""
        self.module("lib.wat", library)
        module = self.module("uses.wat", text)
        self.fails(126, ["lib.add, a function", "--preload"], "--invoke", "f", module)
        self.gives("42\n", "--preload", "lib=lib.wat", "--invoke", "f", module)
        self.gives("42\n", "--preload=lib=lib.wat", "--invoke", "f", module)
        self.fails(126, "lib.add, a function", "--preload", "other=lib.wat", "--invoke", "f", module)
        self.fails(127, "nothing.wat", "--preload", "lib=nothing.wat", "--invoke", "f", module)
        for wrong in ["lib", "=lib.wat", "lib=", ""]:
            self.fails(2, f"`{wrong}` is not NAME=FILE", "--preload", wrong, "--invoke", "f", module)
        # One may import what came before it.
        second = b"""(module (import "lib" "add" (func $f (param i32) (result i32))) (export "add" (func $f)))"""
        self.module("second.wat", second)
        self.fails(126, "--preload lib=second.wat", "--preload", "lib=second.wat", "--invoke", "f", module)
        self.module("again.wat", text.replace(b'"lib"', b'"again"'))
        self.gives("42\n", "--preload", "lib=lib.wat", "--preload", "again=second.wat", "--invoke", "f", "again.wat")
        # It runs under the debugger, too.
        status, out, err = self.run_it("--break", "f", "--preload", "lib=lib.wat", "--invoke", "f", module)
        self.assertEqual((status, out), (0, "42\n"), err)

    def test_an_import_of_another_type(self):
        m = Builder()
        m.import_func("wasi_snapshot_preview1", "proc_exit", ["i64"], [])
        m.func([], [], b"", export="_start")
        self.fails(126, "proc_exit", self.module("other.wasm", m.build()))


class Debugging(Case):
    def test_breakpoints_at_functions(self):
        status, out, err = self.run_it("--break", "fib", "--break-count=2", PROGRAM, "fib", "6")
        self.assertEqual((status, out), (0, "8\n"), err)
        self.assertEqual(re.findall(r"^stepwell-run: stop (\d+), at (.*)$", err, re.M), [("1", "fib"), ("2", "fib")])
        self.assertRegex(err, r"  #0 fib, offset 0x[0-9a-f]+\n      at program\.c:\d+(:\d+)?\n      locals: 0=6")
        self.assertRegex(err, r"  #1 _?start, offset 0x[0-9a-f]+\n      in run at program\.c:\d+:\d+, inlined\n      at program\.c:")

    def test_breakpoints_at_lines_and_offsets(self):
        line = source_line("program.h", "return a / b")
        status, out, err = self.run_it("--break", f"program.h:{line}", "--invoke", "divide", PROGRAM, "7", "2")
        self.assertEqual((status, out), (0, "351\n"), err)
        self.assertIn(f"in quotient at program.h:{line}:", err)
        offset = re.search(r"offset (0x[0-9a-f]+)", err)[1]
        for where in [offset, str(int(offset, 16))]:
            status, out, again = self.run_it("--break", where, "--invoke", "divide", PROGRAM, "7", "2")
            self.assertEqual((status, out), (0, "351\n"))
            self.assertIn(f"stop 1, at {where}\n", again)
            self.assertIn(f"offset {offset}", again)

    def test_breakpoints_by_index(self):
        m = Builder()
        m.func(["i64"], ["i64"], code(LOCAL_GET, u(0)), export="f")
        module = self.module("f.wasm", m.build())
        status, out, err = self.run_it("--break", "#0", "--invoke", "f", module, "-5")
        self.assertEqual((status, out), (0, "-5\n"))
        self.assertIn("locals: 0=-5\n", err)

    def test_breakpoints_at_imports_stand_at_their_calls(self):
        status, out, err = self.run_it("--break", "#0", PROGRAM)
        self.assertEqual((status, out), (0, "hello\n"), err)
        self.assertIn("stop 1, at #0\n", err)
        # The frame is that of the caller.
        self.assertIn("#0 start, offset", err)

    def test_breakpoints_where_there_is_no_code(self):
        for where in ["nothing", "nothing.c:1", "program.c:100000", "program.c:x", "99999999", "#9999", "", ":1"]:
            with self.subTest(where):
                self.fails(2, f"--break: {NO_SUCH_LINE} `{where}`", "--break", where, PROGRAM)
        self.fails(2, "--break-count", "--break-count", "0", "--break", "fib", PROGRAM)

    def test_both_kinds_of_debug_code_say_the_same(self):
        runs = [self.run_it(*kind, "--break", "fib", "--trace=instructions", PROGRAM, "fib", "4") for kind in ([], ["--simple"])]
        self.assertEqual(runs[0], runs[1])
        self.assertGreater(runs[0][2].count("\n"), 200)

    def test_tracing_calls(self):
        status, out, err = self.run_it("--trace", "calls", "--invoke", "fib", PROGRAM, "3")
        self.assertEqual((status, out), (0, "2\n"))
        self.assertEqual(err, "fib(3)\n  fib(2)\n    fib(1)\n")  # of the second call the compiler has made a loop

    def test_tracing_instructions(self):
        m = Builder()
        m.func(["i32", "i32"], ["i32"], code(LOCAL_GET, u(0), LOCAL_GET, u(1), 0x6A), export="add")
        module = self.module("add.wasm", m.build())
        status, out, err = self.run_it("--trace=instructions", "--invoke", "add", module, "2", "3")
        self.assertEqual((status, out), (0, "5\n"))
        lines = [re.sub("0x[0-9a-f]+", "AT", line) for line in err.splitlines()]
        self.assertEqual(lines, ["1 add AT [0=2 1=3] []", "1 add AT [0=2 1=3] [2]", "1 add AT [0=2 1=3] [2 3]", "1 add AT [0=2 1=3] [5]"])
        self.fails(2, "`steps`", "--trace=steps", module)

    def test_a_core_dump_of_a_trap(self):
        err = self.fails(134, [": a core dump of ", "trap: integer divide by zero"], "--core-dump", "state.core", "--invoke", "divide", PROGRAM, "7", "0")
        self.assertNotIn("about to trap", err)
        dump = (self.folder / "state.core").read_bytes()
        self.assertTrue(dump.startswith(b"\0asm\1\0\0\0") and b"\x09corestack" in dump)
        self.assertIn(f"{len(dump)} bytes", err)
        # It is a module, which has no function.
        self.fails(2, "there is no function", "--invoke", "divide", "state.core")
        self.fails(134, ["state.core: a core dump", "about to trap"], "-g", "--core-dump=state.core", "--invoke", "divide", PROGRAM, "7", "0")
        self.fails(134, ["none/state.core: No such file", "trap: integer divide by zero"], "--core-dump", "none/state.core", "--invoke", "divide", PROGRAM, "7", "0")
        self.gives("351\n", "--core-dump", "other.core", "--invoke", "divide", PROGRAM, "7", "2")
        self.assertFalse((self.folder / "other.core").exists())

    def test_coverage_of_lines(self):
        err = self.fails(134, [": coverage of ", "trap: integer divide by zero"], "--coverage", "all.info", "--invoke", "divide", PROGRAM, "7", "0")
        self.assertNotIn("about to trap", err)
        text = (self.folder / "all.info").read_text()
        self.assertIn(f"{len(text)} bytes", err)
        for line in text.splitlines():
            self.assertRegex(line, r"^(TN:|SF:.+|FN:\d+,.+|FNDA:[01],.+|FN[FH]:\d+|BRDA:[1-9]\d*,\d+,\d+,[01-]|BR[FH]:\d+|DA:[1-9]\d*,[01]|L[FH]:\d+|end_of_record)$")
        self.assertRegex(text, r"SF:.*program\.c\n")
        self.assertRegex(text, r"FNDA:1,divide\n")
        self.assertRegex(text, r"FNDA:0,")
        lines = dict(re.findall(r"^DA:(\d+),([01])$", text.split("program.c\n")[1].split("end_of_record")[0], re.M))
        self.assertEqual(set(lines.values()), {"0", "1"})
        sides = re.findall(r"^BRDA:(\d+),\d+,\d+,([01-])$", text.split("program.c\n")[1].split("end_of_record")[0], re.M)
        self.assertTrue(sides)
        self.assertTrue(all(lines[line] == "1" for line, state in sides if state != "-"))
        status, out, err = self.run_it("--coverage=none/all.info", "--invoke", "divide", PROGRAM, "7", "2")
        self.assertEqual((status, out), (0, "351\n"))
        self.assertIn("none/all.info: No such file", err)

    def test_coverage_as_a_page(self):
        call = ["--invoke", "divide", PROGRAM, "7", "2"]
        status, out, err = self.run_it("--coverage", "all.html", *call)
        self.assertEqual((status, out), (0, "351\n"))
        page = (self.folder / "all.html").read_text()
        self.assertIn(f"all.html: coverage of {len(page.encode())} bytes", err)
        self.run_it("--coverage", "all.info", *call)
        text = (self.folder / "all.info").read_text()
        # Each line is what lcov is told, and has its text.
        lines = dict(re.findall(r"^DA:(\d+),([01])$", text.split("program.c\n")[1].split("end_of_record")[0], re.M))
        section = page.split("<summary>program.c ")[1].split("</details>")[0]
        shown = re.findall(r"<span(?: class=(\w+))?(?: id=\w+)?>(?:<i>\d+ of \d+ ways</i>)?<b>(?:<a [^>]*>)?(\d+)(?:</a>)?</b>([^<]*)</span>", section)
        source = (GUEST / "program.c").read_text().splitlines()
        self.assertEqual(len(shown), len(source))
        for (kind, number, text), line in zip(shown, source):
            self.assertEqual({"0": "miss", "1": "hit", None: ""}[lines.get(number)], kind.replace("part", "hit"), number)
            self.assertEqual(text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"').replace("&amp;", "&"), line)
        # It needs nothing else, and is well-formed as far as a parser of the standard library sees.
        for wanted in ["src=", "<script", "<link", "http:", "https:"]:
            self.assertNotIn(wanted, page)
        open_tags = []
        import html.parser

        class Parser(html.parser.HTMLParser):
            def handle_starttag(self, tag, attrs):
                if tag not in ("meta", "th", "input"):
                    open_tags.append(tag)

            def handle_endtag(self, tag):
                if tag != open_tags.pop():
                    raise AssertionError(f"</{tag}>")

        Parser().feed(page)
        self.assertEqual(open_tags, [])

    def test_the_values_at_a_trap(self):
        _, _, plain = self.run_it("--invoke", "divide", PROGRAM, "7", "0")
        self.assertNotIn("locals", plain)
        err = self.fails(134, "about to trap: integer divide by zero", "-g", "--invoke", "divide", PROGRAM, "7", "0")
        self.assertRegex(err, r"locals: 0=7 1=0\b.*\n      operands: 700 0\n")
        self.assertTrue(err.endswith(plain), err)

    def test_statistics(self):
        status, out, err = self.run_it("--stats", PROGRAM, "exit", "3")
        self.assertEqual((status, out), (3, ""))
        self.assertRegex(err, r"compiled \d+ bytes in [\d.]+ ms, to \d+ bytes of code\n")
        self.assertRegex(err, r"memory 0 has \d+ pages")
        self.assertNotIn("stops", err)
        status, out, err = self.run_it("--stats", "--trace=instructions", "--invoke", "fib", PROGRAM, "1")
        self.assertRegex(err, r"\n.*: \d+ stops, 0 of them at breakpoints\n")


class CommandLines(Case):
    def test_help_and_version(self):
        status, out, err = self.run_it("--help")
        self.assertEqual((status, err), (0, ""))
        source = (ROOT / "run" / "src" / "options.rs").read_text()
        for option in set(re.findall(r'"(--[a-z-]+)"', source)) - {"--command"}:
            self.assertIn(option, out)
        status, out, err = self.run_it("--version")
        self.assertEqual((status, err), (0, ""))
        self.assertRegex(out, r"^stepwell-run \d+\.\d+\.\d+\n$")

    def test_split_dwarf(self):
        places = ["in quotient at orders.h:14:14, inlined", "in share at orders.h:18:17, inlined", "at orders.c:19:12"]
        call = ["--invoke", "divide", "orders.wasm", "7", "0"]
        shutil.copy(SPLIT / "split5.wasm", self.folder / "orders.wasm")
        err = self.fails(134, ["orders.h:14:14"], *call)
        self.assertNotIn("quotient", err)
        self.fails(134, places, "--dwarf", SPLIT / "split5.dwp", *call)
        self.fails(134, places, "--dwarf", SPLIT / "orders5.dwo", *call)
        self.fails(2, "no section .debug_info.dwo", "--dwarf", SPLIT / "split5.wasm", *call)
        self.fails(2, "nothing.dwp", "--dwarf", "nothing.dwp", *call)
        self.fails(2, "--dwarf", "--dwarf", self.folder, *call)
        for name in ["orders.dwp", "orders.wasm.dwp"]:
            beside = self.folder / name
            shutil.copy(SPLIT / "split5.dwp", beside)
            self.fails(134, places, *call)
            shutil.copy(SPLIT / "split4.dwp", beside)
            self.fails(134, [f"{name}: it has nothing of this module's DWARF", "orders.h:14:14"], *call)
            beside.write_text("(module)")
            self.fails(134, [f"stepwell-run: {name}: ", "this is neither a DWARF package", "orders.h:14:14"], *call)
            beside.unlink()
            beside.mkdir()
            self.fails(134, "orders.h:14:14", *call)
            beside.rmdir()
        # A file by the name that the module says.
        dwo = self.folder / "orders.dwo"
        shutil.copy(SPLIT / "orders5.dwo", dwo)
        self.fails(134, places, *call)
        shutil.copy(SPLIT / "split4.dwp", dwo)
        self.fails(134, ["orders.dwo: it has nothing of this module's DWARF", "orders.h:14:14"], *call)
        # One that leads elsewhere, or is called otherwise, is not opened.
        binary = (self.folder / "orders.wasm").read_bytes()
        self.assertEqual(binary.count(b"orders.dwo\0"), 1)
        (self.folder / "b").mkdir()
        dwo.unlink()
        shutil.copy(SPLIT / "orders5.dwo", self.folder / "s.dwo")
        shutil.copy(SPLIT / "orders5.dwo", self.folder / "orders.dwx")
        shutil.copy(SPLIT / "orders5.dwo", self.folder / "b" / "t.dwo")
        for name, found in [("./s.dwo", True), ("../x.dwo", False), ("orders.dwx", False), ("/tmp/s.dwo", True), ("b/t.dwo", True)]:
            there = self.folder / "b" if name == "../x.dwo" else self.folder
            name = name.ljust(10, "\0")
            path = there / "other.wasm"
            path.write_bytes(binary.replace(b"orders.dwo\0", name.encode() + b"\0"))
            shutil.copy(SPLIT / "orders5.dwo", self.folder / "x.dwo")
            err = self.fails(134, "orders.h:14:14", "--invoke", "divide", path, "7", "0")
            self.assertEqual("quotient" in err, found, name)
        shutil.copy(SPLIT / "split5.dwp", self.folder / "orders.dwp")
        status, out, err = self.run_it("--break", "orders.h:14", "--invoke", "divide", "orders.wasm", "7", "1")
        self.assertEqual((status, out), (0, "21\n"))
        self.assertIn("in quotient at orders.h:14:14, inlined", err)
        self.gives("", "--precompile", "orders.precompiled", "orders.wasm")
        self.fails(134, places, "--precompiled", "--invoke", "divide", "orders.precompiled", "7", "0")

    def test_wrong_ones(self):
        self.fails(2, "which module")
        self.fails(2, "which module", "--stats", "--")
        self.fails(2, "`--nothing`", "--nothing", PROGRAM)
        self.fails(2, "`-q`", "-q", PROGRAM)
        self.fails(2, "--debug", "-x", "commands", PROGRAM)
        for option in ["--timeout=1", "--break=fib", "--trace=calls", "--coverage=x", "--core-dump=x", "--precompile=x", "--stats"]:
            self.fails(2, [option.split("=")[0], "--debug do not go together"], "--debug", option, PROGRAM)
        self.fails(2, "`--statsx`", "--statsx", PROGRAM)
        self.fails(2, "--dir needs a value", "--dir")
        for wrong in ["x", "-1", "1T", "K", "99999999999999999999", "99999999999999999G", ""]:
            self.fails(2, "--max-memory", "--max-memory", wrong, PROGRAM)
        for wrong in ["x", "-1", "0", "nan", "1s", ""]:
            self.fails(2, "--timeout", "--timeout", wrong, PROGRAM)
        self.fails(2, "--fuel", "--fuel", "-1", PROGRAM)


class Serving(Case):
    """Debuggers of other programs: that they are let in, and told how it ends. What they can do is tested with the library."""

    def served(self, *arguments):
        """A run that serves its guest, and a connection to it."""
        run = subprocess.Popen([RUN, *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.folder)
        self.addCleanup(run.stdout.close)
        self.addCleanup(run.stderr.close)
        self.addCleanup(run.wait)
        self.addCleanup(run.kill)
        said = run.stderr.readline().decode()
        port = re.fullmatch(r"stepwell-run: a debugger is waited for at 127\.0\.0\.1:(\d+)\n", said)
        self.assertTrue(port, said)
        connection = socket.create_connection(("127.0.0.1", int(port[1])), 30)
        self.addCleanup(connection.close)
        return run, connection, connection.makefile("rb")

    def test_gdb(self):
        run, connection, answers = self.served("--gdb", "0", PROGRAM, "env")

        def ask(text):
            connection.sendall(f"${text}#{sum(text.encode()) % 256:02x}".encode())
            self.assertEqual(answers.read(1), b"+")
            packet = b""
            while not packet.endswith(b"#"):
                packet += answers.read(1)
            answers.read(2)
            connection.sendall(b"+")
            return packet.decode()

        self.assertRegex(ask("?"), r"^\$T")
        self.assertIn("program.wasm", ask("qXfer:libraries:read::0,fff"))
        while True:
            told = ask("c")
            if not told.startswith("$T"):
                break
        self.assertEqual((told, run.wait(30)), ("$W00#", 0))

    def messages(self, answers):
        while True:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                byte = answers.read(1)
                if not byte:
                    return
                head += byte
            yield json.loads(answers.read(int(re.search(rb"Content-Length: (\d+)", head)[1])))

    def talk(self, write, answers, begin):
        """A dialogue to the end of the program: what was written, and its exit status."""
        sequence = itertools.count(1)

        def ask(command, **arguments):
            text = json.dumps({"seq": next(sequence), "type": "request", "command": command, "arguments": arguments}).encode()
            write(b"Content-Length: %d\r\n\r\n%s" % (len(text), text))

        output, status = "", None
        ask("initialize", adapterID="stepwell")
        ask(*begin[:1], **begin[1])
        for message in self.messages(answers):
            if message["type"] == "response":
                self.assertTrue(message["success"], message)
            elif message["event"] == "initialized":
                ask("configurationDone")
            elif message["event"] == "output":
                output += message["body"]["output"]
            elif message["event"] == "exited":
                status = message["body"]["exitCode"]
            elif message["event"] == "terminated":
                ask("disconnect")
                break
        return output, status

    def test_an_editors_adapter(self):
        run = subprocess.Popen([RUN, "--dap", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=self.folder)
        for close in (run.stdin.close, run.stdout.close, run.wait, run.kill):
            self.addCleanup(close)

        def write(data):
            run.stdin.write(data)
            run.stdin.flush()

        begin = "launch", {"program": str(PROGRAM), "args": ["env"], "env": {"A": "1"}}
        output, status = self.talk(write, run.stdout, begin)
        self.assertIn("A=1\n", output)
        self.assertEqual((status, run.wait(30)), (0, 0))

    def test_an_editor_at_a_port(self):
        run, connection, answers = self.served("--dap", "127.0.0.1:0", "--env", "A=1", PROGRAM, "env")
        _, status = self.talk(connection.sendall, answers, ("attach", {}))
        self.assertEqual((status, run.wait(30), run.stdout.read()), (0, 0, b"A=1\n"))

    def test_wrong_ones(self):
        self.fails(2, "which module", "--gdb", "0")
        self.fails(2, "the editor says which module", "--dap", "-", PROGRAM)
        self.fails(2, "one debugger at a time", "--debug", "--gdb", "0", PROGRAM)
        self.fails(2, "--trace and --gdb", "--trace=calls", "--gdb", "0", PROGRAM)
        self.fails(1, "is no address", "--gdb", "nowhere", PROGRAM)
        self.fails(1, "other machines", "--dap", "0.0.0.0:0", PROGRAM)


class Document(Case):
    def test_its_examples_print_what_it_says(self):
        text = (ROOT / "docs" / "stepwell-run.md").read_text()
        examples = re.findall(r"^```console\n(.*?)^```$", text, re.M | re.S)
        self.assertGreaterEqual(len(examples), 5)
        for name in ["program.wasm", "program.c", "program.h"]:
            shutil.copy(GUEST / name, self.folder)
        (self.folder / "data").mkdir()
        path = f"{Path(RUN).parent}:{os.environ.get('PATH', '')}"
        for example in examples:
            lines = example.splitlines()
            commands = [line[2:] for line in lines if line.startswith("$ ")]
            expected = "".join(line + "\n" for line in lines if not line.startswith("$ "))
            done = subprocess.run(
                ["sh", "-c", "exec 2>&1\n" + "\n".join(commands)], capture_output=True, text=True, cwd=self.folder,
                env={"PATH": path}, timeout=120)
            pattern = re.escape(expected).replace(re.escape("[...]"), ".*")
            if not re.fullmatch(pattern, done.stdout, re.S):
                self.fail(f"{commands} print:\n{done.stdout}")


if __name__ == "__main__":
    RUN = os.path.abspath(sys.argv.pop(1))
    unittest.main()
