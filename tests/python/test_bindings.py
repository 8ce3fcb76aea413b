"""The generated bindings, and how the library is found."""
import importlib.util
import os
import subprocess
import sys
import unittest
from pathlib import Path

import stepwell
from stepwell import _bindings, _loader

ROOT = Path(__file__).resolve().parent.parent.parent


def generator():
    spec = importlib.util.spec_from_file_location("generate_bindings", ROOT / "python" / "generate_bindings.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def python(text, stdin=None, **env):
    """Runs a program in another Python."""
    path = os.pathsep.join([str(ROOT / "python"), str(Path(__file__).parent)])
    env = {**os.environ, "STEPWELL_LIBRARY": _loader.path, "PYTHONPATH": path, **env}
    return subprocess.run([sys.executable, "-c", text], env=env, stdin=stdin, capture_output=True, text=True, timeout=100)


class Generated(unittest.TestCase):
    def test_up_to_date(self):
        done = subprocess.run(
            [sys.executable, str(ROOT / "python" / "generate_bindings.py"), "--check"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_every_exported_symbol_is_bound(self):
        symbols = (ROOT / "tests" / "abi" / "symbols.txt").read_text().split()
        self.assertGreater(len(symbols), 100)
        # Those that begin otherwise are gdb's.
        ours = [name for name in symbols if name.startswith(("wasm_", "stepwell_"))]
        self.assertEqual([name for name in ours if not hasattr(_bindings, name)], [])

    def test_what_is_not_understood_is_refused(self):
        g = generator()
        for text in ("typedef unsigned long x", "int x", "STEPWELL_API mystery_t f(void)", "typedef struct a { long b; } a"):
            with self.assertRaises(g.Unknown, msg=text):
                g.Bindings().add(text)
        with self.assertRaises(g.Unknown):
            list(g.declarations("typedef int x; something without an end"))

    def test_forms(self):
        b = generator().Bindings()
        b.add("typedef struct a_t a_t")
        self.assertEqual(b.type("const a_t *const *"), "POINTER(POINTER(a_t))")
        self.assertEqual(b.type("void *"), "c_void_p")
        self.assertEqual(b.type("void **"), "POINTER(c_void_p)")
        self.assertEqual(b.parameter("void (*finalizer)(void *env)"), ("finalizer", "CFUNCTYPE(None, c_void_p)"))
        self.assertEqual(b.parameter("const char *name"), ("name", "c_char_p"))
        self.assertEqual(b.parameter("a_t *const data[]"), ("data", "POINTER(POINTER(a_t))"))
        self.assertEqual(b.parameter("uint64_t words[2]"), ("words", "c_uint64 * 2"))
        b.function("const char *", "text", "const a_t *of, size_t *size_out")
        b.function("const char *", "terminated", "const a_t *of")
        self.assertEqual(b.functions, ['text = function("text", POINTER(c_char), [POINTER(a_t), POINTER(c_size_t)])',
                                       'terminated = function("terminated", c_char_p, [POINTER(a_t)])'])
        b.add("typedef enum a_enum { X_Y_ONE = 1, X_Y_TWO } a_enum")
        b.enum_class("A", {"X_Y_ONE": 1, "X_Y_TWO": 2})
        self.assertEqual(b.lines[-3:], ["class A(IntEnum):", "    ONE = 1", "    TWO = 2"])


class Loader(unittest.TestCase):
    def test_version(self):
        self.assertEqual(stepwell.__version__, ".".join(map(str, _bindings.VERSION)))
        _loader.check_version(_bindings.VERSION_NUMBER)
        with self.assertRaisesRegex(ImportError, r"is version \d+\.\d+\.\d+, but this package is for 7\.8\.9"):
            _loader.check_version(7008009)

    def test_missing_function(self):
        with self.assertRaisesRegex(ImportError, "no function stepwell_no_such_thing"):
            _loader.function("stepwell_no_such_thing", None, [])

    def test_named_library_must_be_there(self):
        done = python("import stepwell", STEPWELL_LIBRARY="/nowhere/libstepwell.so")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("ImportError: libstepwell could not be loaded: /nowhere/libstepwell.so", done.stderr)
