"""What people see and do at a prompt and in notebooks: reprs, `with`, completion, what is closed, and how modules are given."""
import tempfile
import threading
import unittest
from html.parser import HTMLParser
from pathlib import Path

import guests
import stepwell
import stepwell.testing
from stepwell import (
    Action, Breakpoint, Debugger, Engine, Error, ErrorCode, ExternRef, Func, Global, Instance, Linker, Memory, Module, Pauser, Scope, SharedMemory,
    StopQueue, Store, Table, Tag, WatchKind,
)
from test_bindings import python

HOSTILE = "<script>alert(1)</script>\x1b[2J"


class Html(HTMLParser):
    """The tags and the text of HTML; every tag that is opened is closed."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.text = set(), [], ""
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag

    def handle_data(self, data):
        self.text += data


class Printer:
    """What IPython gives to `_repr_pretty_`, as far as it is used."""

    def __init__(self):
        self.said = ""

    def text(self, text):
        self.said += text

    def break_(self):
        self.said += "\n"

    def group(self, indent, begin, end):
        printer = self

        class Group:
            def __enter__(self):
                printer.text(begin)

            def __exit__(self, *_):
                printer.text(end)

        return Group()


def pretty(item):
    printer = Printer()
    item._repr_pretty_(printer, False)
    return printer.said


class Case(unittest.TestCase):
    def setUp(self):
        self.engine = Engine(debug=True)
        self.module = Module(self.engine, stepwell.testing.guest())
        self.store = Store(self.engine)
        self.addCleanup(self.store.close)
        self.instance = Instance(self.store, self.module, defaults=True)
        self.exports = self.instance.exports


class Reprs(Case):
    def test_what_they_say(self):
        store = self.store
        for item, said in (
                (self.engine, "<Engine debug=True>"), (Engine(), "<Engine>"), (self.module, "<Module warehouse.wasm: 1 imports, 6 exports, 21 functions>"),
                (Engine(epoch=False, fuel=True, debug_tier=stepwell.DebugTier.BLOCKS), "<Engine debug_tier=BLOCKS fuel=True epoch=False>"),
                (Module(self.engine, b"\0asm\1\0\0\0"), "<Module without a name: 0 imports, 0 exports, 0 functions>"),
                (self.instance, "<Instance of warehouse.wasm: exports memory, fib, divide, formula_address, price, run>"),
                (self.exports.divide, "<Func i32 i32 -> i32>"), (Func(store, lambda: None, ([], [])), "<Func () -> ()>"),
                (Memory(store, (2, 3)), "<Memory of 2 pages, 131072 bytes>"), (SharedMemory(self.engine, (1, 3)), "<SharedMemory of 1 pages, 65536 bytes>"),
                (Table(store, ("funcref", 3, None)), "<Table of 3 funcref>"), (Global(store, ("i64", True), 5), "<Global i64, mutable: 5>"),
                (Global(store, "v128", bytes(range(16))), "<Global v128: 000102030405060708090a0b0c0d0e0f>"),
                (Tag(store, ["i32", "f64"]), "<Tag i32 f64>"), (ExternRef(store, {"a": 1}), "<ExternRef {'a': 1}>"),
                (stepwell.Wasi(), "<Wasi with nothing>"), (stepwell.BreakpointSet(), "<BreakpointSet of 0 breakpoints>"),
                (stepwell.Wasi(["a"], {"KEY": "secret"}, dirs={".": "/tmp"}, stdin=b"x", stderr="inherit"),
                 "<Wasi args=['a'], env of 'KEY', dirs={'.': '/tmp'}, stdin, stderr='inherit'>"),
                (Linker(self.engine), "<Linker>"), (StopQueue(), "<StopQueue: 0 wait, 0 are looked at>")):
            self.assertEqual(repr(item), said)
        self.assertRegex(repr(store), r"^<Store of \d+ objects>$")
        self.assertLess(len(repr(ExternRef(store, "x" * 10000))), 100)

        class Bad:
            def __repr__(self):
                raise LookupError

        self.assertTrue(repr(ExternRef(store, Bad())).startswith("<ExternRef"))
        linker = Linker(self.engine)
        linker.fill_missing_with_defaults(store, self.module)
        self.assertEqual(repr(linker.instantiate_pre(self.module)), f"<InstancePre of {self.module!r}>")

    def test_names_of_guests_do_nothing(self):
        builder = guests.wasm.Builder()
        builder.func([], [], b"", export=HOSTILE, name=HOSTILE)
        instance = Instance(self.store, module := Module(self.engine, builder.build()))
        with Debugger(self.store, lambda stop: shown.extend([repr(stop), repr(stop.frame()), pretty(stop), stop._repr_html_(), stop.frame()._repr_html_()])) as debugger:
            shown = [repr(instance), repr(instance.exports), pretty(instance.exports), repr(debugger.break_at_function(module, 0))]
            instance.exports[HOSTILE]()
        self.assertEqual(len(shown), 9)
        for text in shown:
            self.assertNotIn("\x1b", text)
        for text in shown[-2:]:
            self.assertNotIn("script", Html(text).tags)

    def test_closed(self):
        memory, function, debugger = self.exports.memory, self.exports.fib, Debugger(self.store, lambda stop: None)
        placed = debugger.break_at_function(self.module, "fib")
        watched = debugger.watch_memory(memory, 0, 4)
        self.assertEqual(repr(watched), f"<Watchpoint {watched.id}: CHANGE of <Memory of 2 pages, 131072 bytes>>")
        self.assertRegex(repr(placed), rf"^<Breakpoint {placed.id} at 0x[0-9a-f]+ \(warehouse.c:110\)>$")
        placed.enabled = watched.enabled = False
        self.assertTrue(repr(placed).endswith(", not enabled>") and repr(watched).endswith(", not enabled>"))
        self.assertEqual(repr(debugger), "<Debugger of 1 breakpoints, 1 watchpoints>")
        self.assertIn("debugged", repr(self.store))
        debugger.close()
        self.assertTrue(repr(placed).endswith(", removed>") and repr(watched).endswith(", removed>"))
        self.assertTrue(placed.removed and watched.removed)
        self.store.close()
        self.store.close()
        for item in (self.store, self.instance, memory, function, debugger):
            self.assertEqual(repr(item), f"<{type(item).__name__}, closed>")
        for use in (function, lambda: memory[0], lambda: memory.pages, debugger.step_always):
            with self.assertRaisesRegex(ValueError, r"^this (Func|Memory|Debugger) is closed: its Store was closed$"):
                use()
        for use in (lambda: placed.enabled, lambda: placed.hit_count, placed.remove, watched.remove):
            with self.assertRaisesRegex(ValueError, "Debugger is closed"):
                use()
        self.module.close()
        with self.assertRaisesRegex(ValueError, "^this Module is closed$"):
            self.module.name

    def test_nobody_waits_for_a_guest(self):
        inside, go_on = threading.Event(), threading.Event()

        def host():
            inside.set()
            go_on.wait(60)

        placed = Debugger(self.store, lambda stop: None).break_at_function(self.module, "fib")
        thread = threading.Thread(target=Func(self.store, host, ([], [])))
        thread.start()
        inside.wait(60)
        try:
            said = [repr(item) for item in (self.store, self.instance, self.exports.fib, self.exports.memory, placed)]
        finally:
            go_on.set()
            thread.join()
        self.assertEqual(said, [
            "<Store, which another thread uses>", *(f"<{name}, in a store that another thread uses>" for name in ("Instance", "Func", "Memory")),
            f"<Breakpoint {placed.id}>"])

    def test_stops(self):
        kept, said, html = [], [], []

        def on_stop(stop):
            frame, statics = stop.frame(), stop.frame().scope(Scope.MODULE)
            items = [stop, frame, frame.variable("o"), frame.variable("*o"), statics]
            kept.extend(items)
            said.extend(map(repr, items))
            said.append(repr(frame.locals))
            html.extend(item._repr_html_() for item in items)
            self.assertEqual((pretty(stop), pretty(frame)), (str(stop), str(frame)))
            self.assertFalse(stop.over)
            self.assertEqual(frame.variable("*o")["number"].value, 1)
            self.assertEqual([child.name for child in frame.variable("*o")], frame.variable("*o")._ipython_key_completions_())
            self.assertEqual(frame.instance, self.instance)
            self.assertEqual({frame.instance: 1}[self.instance], 1)

        with Debugger(self.store, on_stop) as debugger, debugger.break_at_function(self.module, "deliver") as placed:
            placed.one_shot = True
            self.exports.run(2)
        self.assertRegex(said[0], r"^<Stop by breakpoint 1 in deliver \(warehouse.c:367\) at 0x[0-9a-f]+>$")
        self.assertRegex(said[1], r"^<Frame #0 deliver \(warehouse.c:367\) at 0x[0-9a-f]+>$")
        self.assertRegex(said[2], r"^<Variable o: order \* = 0x[0-9a-f]+>$")
        self.assertRegex(said[3], r"^<Variable \*o: order = \{number = 1, .*>$")
        self.assertEqual(said[4], "<Variable statics of the module: 12 variables>")
        self.assertTrue(said[5].startswith("{0: "), said[5])
        stop, frame, pointer, order, statics = (Html(text) for text in html)
        for word in ("deliver", "run", "warehouse.c:367", "stopped by breakpoint 1"):
            self.assertIn(word, stop.text)
        self.assertIn("order *", frame.text)
        self.assertTrue({"table", "td"} <= frame.tags and {"details", "summary"} <= order.tags)
        self.assertIn("quantity", order.text)
        self.assertLess(len(html[4]), 200_000)
        self.assertIn("... of 64", statics.text)
        for item in kept:
            self.assertIn("over", repr(item))
            self.assertEqual(Html(item._repr_html_()).text, repr(item))
        self.assertTrue(kept[0].over)
        self.assertIn("over", pretty(kept[0]) + pretty(kept[1]))

    def test_in_ipython(self):
        """IPython itself, where it is there: what it shows, completes and interrupts."""
        done = python("""
import sys
try:
    from IPython.core.interactiveshell import InteractiveShell
except ImportError:
    print("none")
    sys.exit()
import stepwell, stepwell.testing
shell = InteractiveShell.instance(user_ns={"stepwell": stepwell})
shell.run_cell('''
engine = stepwell.Engine(debug=True)
module = stepwell.Module(engine, stepwell.testing.guest())
store = stepwell.Store(engine)
exports = stepwell.Instance(store, module, defaults=True).exports
shown = []
def on_stop(stop):
    format = get_ipython().display_formatter.format
    shown.append((format(stop)[0], format(stop.frame())[0], format(stop.frame().scope(stepwell.Scope.PARAMETERS))[0], format(exports)[0]))
with stepwell.Debugger(store, on_stop) as debugger, debugger.break_at_function(module, "fib"):
    exports.fib(0)
''', silent=True)
(stop, frame, scope, exports), = shell.user_ns["shown"]
assert stop["text/plain"].startswith("stopped by breakpoint"), stop
assert "<table>" in stop["text/html"] and "fib" in frame["text/html"] and "n: int = " in scope["text/html"], (stop, frame, scope)
assert "fib: <Func" in exports["text/plain"] and "text/html" not in exports, exports
from IPython.core.completer import provisionalcompleter
with provisionalcompleter():
    for text in ("exports.f", "exports['f"):
        found = [one.text.rpartition(".")[2] for one in shell.Completer.completions(text, len(text))]
        assert found == ["fib", "formula_address"], (text, found)
print("shown")
""", IPYTHONDIR=tempfile.gettempdir())
        self.assertIn(done.stdout.split()[-1:], (["shown"], ["none"]), done.stdout + done.stderr)


class With(Case):
    def test_everything_that_is_closed(self):
        with Engine(debug=True) as engine, Module(engine, stepwell.testing.guest()) as module, Store(engine) as store, \
                Linker(engine) as linker, stepwell.Interrupt(store) as interrupt, stepwell.BreakpointSet() as together, \
                StopQueue() as queue, Debugger(store, queue) as debugger, Pauser(debugger) as pauser, \
                stepwell.Attacher(store, lambda: None) as attacher, Instance(store, module, defaults=True) as instance, \
                instance.exports.memory as memory, SharedMemory(engine, (1, 1)) as shared:
            items = [engine, module, store, linker, interrupt, together, queue, debugger, pauser, attacher, instance, memory, shared]
            self.assertEqual([item.closed for item in items], [False] * len(items))
        for item in items:
            self.assertTrue(item.closed)
            item.close()
            with self.assertRaisesRegex(ValueError, f"this {type(item).__name__} is closed"):
                with item:
                    pass
            self.assertEqual(repr(item), f"<{type(item).__name__}, closed>")
        with self.assertRaisesRegex(ValueError, "Pauser is closed"):
            pauser.pause()

    def test_breakpoints(self):
        seen = []
        with Debugger(self.store, lambda stop: seen.append(stop.reason)) as debugger:
            with self.assertRaises(ZeroDivisionError), debugger.break_at_function(self.module, "fib") as placed:
                self.assertIsInstance(placed, Breakpoint)
                self.exports.fib(0)
                raise ZeroDivisionError
            self.exports.fib(0)
            with debugger.watch_memory(self.exports.memory, 0, 4, WatchKind.WRITE) as watched:
                self.assertFalse(watched.removed)
            self.assertEqual((debugger.breakpoints, debugger.watchpoints, len(seen)), ([], [], 1))
            # What is gone already is no error.
            with debugger.break_at_function(self.module, "fib") as placed, debugger.break_at_function(self.module, "run") as other:
                other.remove()
                placed.one_shot = True
                self.exports.fib(3)
                self.assertTrue(placed.removed)
            with debugger.break_at_function(self.module, "fib"):
                debugger.close()


class Names(Case):
    def test_odd_exports(self):
        builder = guests.wasm.Builder()
        names = ("items", "keys", "get", "_items", "_Exports__items", "__dict__", "__len__", "a-b", "_repr_html_", "_ipython_display_", "plain", "class", "__heap_base")
        for number, name in enumerate(names):
            builder.func([], ["i32"], guests.const(number), export=name)
        exports = Instance(self.store, Module(self.engine, builder.build())).exports
        self.assertEqual(list(exports), list(names))
        self.assertEqual([exports[name]() for name in names], list(range(len(names))))
        self.assertEqual([function() for _, function in exports.items()], list(range(len(names))))
        self.assertEqual(exports._ipython_key_completions_(), list(names))
        self.assertEqual((exports.plain(), exports._items(), getattr(exports, "a-b")(), getattr(exports, "__heap_base")()), (10, 3, 7, 12))
        # A guest does not say what is shown of it.
        for name in ("_repr_html_", "_ipython_display_", "__array_interface__"):
            self.assertFalse(hasattr(exports, name), name)
        listed = dir(exports)
        self.assertTrue({"plain", "_items", "__heap_base", "items"} <= set(listed))
        self.assertEqual(listed.count("items"), 1)
        self.assertNotIn("a-b", listed)
        with self.assertRaisesRegex(AttributeError, "no export 'plane'; did you mean 'plain'"):
            exports.plane
        with self.assertRaisesRegex(KeyError, "no export 'plane'; did you mean 'plain'"):
            exports["plane"]
        self.assertIsNone(exports.get("plane"))

    def test_functions_are_apart(self):
        other = Instance(self.store, self.module, defaults=True)
        with Store(self.engine) as store:
            elsewhere = Instance(store, self.module, defaults=True)
            index = self.module.func_index("fib")
            same = [self.exports.fib, self.instance.func(index), self.exports["fib"]]
            apart = [self.exports.fib, self.exports.run, other.exports.fib, elsewhere.exports.fib, other.func(index + 1)]
            self.assertEqual(len(set(same)), 1)
            self.assertEqual(len(set(apart)), len(apart))
            for i, one in enumerate(apart):
                for j, another in enumerate(apart):
                    self.assertEqual(one == another, i == j)
            self.assertNotEqual(self.exports.fib, self.exports.memory)
            f = [Func(self.store, print, ([], [])) for _ in range(2)]
            self.assertNotEqual(*f)
            self.assertNotEqual(self.instance, other)
            self.assertNotEqual(self.instance, elsewhere)
            self.assertEqual(len({self.instance, other, elsewhere}), 3)


class Modules(Case):
    def test_of_paths_and_bytes(self):
        data = stepwell.testing.guest()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "guest.wasm"
            path.write_bytes(data)
            for given in (path, str(path), data, bytearray(data), memoryview(data)):
                self.assertEqual(Module(self.engine, given).name, self.module.name)
            self.assertEqual(Module.from_file(self.engine, path).name, self.module.name)
            named = Path(folder) / "binary.wat"  # what it is counts, not what it is called
            named.write_bytes(data)
            self.assertEqual(Module(self.engine, named).name, self.module.name)
            with self.assertRaises(FileNotFoundError):
                Module(self.engine, Path(folder) / "none.wasm")
        with self.assertRaisesRegex(TypeError, r"Module\(engine, wat=text\)"):
            Module(self.engine, "(module)")
        for wrong in (5, None, ["a"], 1.5):
            with self.assertRaises(TypeError):
                Module(self.engine, wrong)
        with self.assertRaises(TypeError):
            Module(self.engine, data, wat="(module)")
        with self.assertRaisesRegex(TypeError, "wat is a str"):
            Module(self.engine, wat=b"(module)")

    def test_of_text(self):
        """Where the library translates it; else it says that it does not."""
        text = '(module (func (export "five") (result i32) (i32.const 5)))'
        before = getattr(stepwell, "wat2wasm", None)
        builder = guests.wasm.Builder()
        builder.func([], ["i32"], guests.const(5), export="five")
        asked = []

        def translate(given):
            asked.append(given)
            return builder.build()

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "five.wat"
            path.write_text(text)
            ways = (lambda: Module(self.engine, wat=text), lambda: Module.from_wat(self.engine, text), lambda: Module(self.engine, path),
                    lambda: Module(self.engine, str(path)), lambda: Module.from_file(self.engine, path))
            try:
                stepwell.wat2wasm = before or translate
                for way in ways:
                    self.assertEqual(Instance(self.store, way()).exports.five(), 5)
                if before is None:
                    self.assertEqual(asked, [text] * len(ways))
                    del stepwell.wat2wasm
                    for way in ways:
                        with self.assertRaises(Error) as refused:
                            way()
                        self.assertEqual(refused.exception.code, ErrorCode.UNSUPPORTED)
                        self.assertIn("text format", str(refused.exception))
            finally:
                if before is not None:
                    stepwell.wat2wasm = before


class Guests(Case):
    def test_they_are_those_of_the_examples(self):
        root = Path(__file__).resolve().parent.parent.parent / "c-examples" / "guest"
        self.assertEqual(stepwell.testing.guest(), (root / "warehouse.wasm").read_bytes())
        self.assertEqual(stepwell.testing.program(), (root / "program.wasm").read_bytes())
        self.assertEqual(stepwell.testing.source(), (root / "warehouse.c").read_text())
        self.assertEqual(stepwell.testing.source(stepwell.testing.program), (root / "program.c").read_text())

    def test_they_run(self):
        self.assertEqual((self.exports.fib(10), self.exports.divide(7, 2)), (55, 3))
        with Debugger(self.store, lambda stop: Action.CONTINUE) as debugger:
            self.assertEqual(debugger.break_at_line(self.module, "warehouse.c", 110).line, 111)  # behind what sets up the frame
        self.assertIn("fib(int n)", stepwell.testing.source().split("\n")[109])
        output = bytearray()
        self.assertEqual(stepwell.Wasi(["x", "fib", "20"], stdout=output).run(Module(self.engine, stepwell.testing.program())), 0)
        self.assertEqual(output.split()[-1], b"6765")


if __name__ == "__main__":
    unittest.main()
