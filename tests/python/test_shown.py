"""What is said of objects by `repr`, rich and notebooks: short, true, never an error, no wait, and no guest that runs for it."""
import enum
import importlib.util
import io
import os
import re
import sys
import tempfile
import threading
import unittest
from pathlib import Path

import stepwell
import stepwell.testing
from stepwell import (
    Action, Coverage, Debugger, DebugTier, Engine, Error, ExternRef, Global, Instance, Linker, Module, Quit, Scope, Session, SharedMemory, StopQueue,
    Store, Table, Tag, TimedOut, Trap, Wasi, WatchKind,
)
from stepwell._shown import MOST, brief, shortened
from test_prompt import HOSTILE, Html
from wasm import CALL, LOCAL_GET, Builder, code, u

FOLDER = str(Path(stepwell.testing.__file__).parent)
HUGE = 200_000


class Bad:
    """What a host may hand over: it can be told nothing of."""

    def __repr__(self):
        raise LookupError

    __str__ = __repr__


def facts(item):
    """What rich is told, as it asks for it: positional ones under their numbers."""
    found = {}
    for number, one in enumerate(item.__rich_repr__()):
        name, value = one if isinstance(one, tuple) and len(one) == 2 and isinstance(one[0], str) else (number, one)
        assert not isinstance(one, tuple) or 2 <= len(one) <= 3, one
        found[name] = value
        assert len(repr(value)) < 30_000, (type(item), name)
    return found


class Case(unittest.TestCase):
    def setUp(self):
        self.engine = Engine(debug=True, debug_tier=DebugTier.BLOCKS)
        self.store = Store(self.engine)
        self.addCleanup(self.store.close)
        self.ran = []
        self.module = Module(self.engine, stepwell.testing.guest())
        self.instance = Instance(self.store, self.module, {"env": {"report": lambda order, cost: self.ran.append(order)}})
        self.exports = self.instance.exports

    def look_at(self, item):
        """All that is shown of it."""
        said = [repr(item)]
        self.assertLessEqual(len(said[0]), MOST, type(item))
        if hasattr(type(item), "__rich_repr__"):
            facts(item)
        page = getattr(type(item), "_repr_html_", None)
        if page is not None:
            said.append(page(item) or "")
            Html(said[-1])
            self.assertLess(len(said[-1]), 2_000_000)
        for text in said:
            self.assertNotIn("\x1b", text)
        for text in said[1:]:
            self.assertNotIn("<script", text)
        return said


class Everything(Case):
    def items(self, stop):
        """One of each public class, as they are at a stop."""
        store, module, debugger, frame = self.store, self.module, stop.debugger, stop.frame()
        memory = self.exports.memory
        watch = debugger.watch_memory(memory, 0x1f000, 8, WatchKind.WRITE)
        yield from (self.engine, store, module, self.instance, self.exports, self.exports.fib, memory, SharedMemory(self.engine, (1, 2)), Linker(self.engine))
        yield from (Table(store, ("funcref", 3, None)), Global(store, "i64", 5), Tag(store, ["i32"]), ExternRef(store, Bad()), ExternRef(store, "x" * HUGE))
        yield from (debugger, *debugger.breakpoints, watch, stop, frame, frame.locals, frame.variable("*o"), frame.scope(Scope.MODULE), frame.evaluate("o->number"))
        yield from (*debugger.breakpoints[0].places, *frame.source, debugger.coverage(module), debugger.coverage(module)[0], debugger.coverage_branches(module)[0])
        yield from (StopQueue(), stepwell.Pauser(debugger), stepwell.Interrupt(store), stepwell.BreakpointSet(), Wasi(["x" * HUGE], {"K": "v" * HUGE}))
        yield from (module.functions()[3], next(module.instructions(3)), module.line_table[0], module.line_places("warehouse.c", 111)[0])
        yield from (*module.custom_sections, module.machine_code(3)[0], self.exports.fib.type, memory.type, module.imports[0], module.exports[0])
        yield from (Error("x" * HUGE), Trap(HOSTILE), TimedOut(1.5), Quit(), stepwell.Exit(3), stepwell.StructType(["i32"]), stepwell.ArrayType("i8"))
        yield stepwell.WatchHit(watch, 1, 2, False, False, 3, b"x" * HUGE, b"")
        yield stepwell.InstancePre.__new__(stepwell.InstancePre)  # what was never made
        watch.remove()

    def test_at_a_stop(self):
        shown, kept = [], []

        def on_stop(stop):
            for item in self.items(stop):
                shown.append((type(item), self.look_at(item)))
                kept.append(item)

        with Debugger(self.store, on_stop) as debugger:
            debugger.source_folders.append(FOLDER)
            debugger.cover()
            debugger.break_at_function(self.module, "deliver").one_shot = False
            debugger.breakpoints[0].ignore_count = 1
            self.exports.run(2)
        classes = {kind for kind, _ in shown}
        missing = {name for name in stepwell.__all__ if isinstance(getattr(stepwell, name), type) and not issubclass(getattr(stepwell, name), enum.Enum)}
        missing -= {kind.__name__ for kind in classes}
        # Those without an object of their own here, and types of annotations.
        self.assertLessEqual(missing, {
            "AnyRef", "ArrayRef", "Attacher", "Blocked", "Call", "Caller", "ExnRef", "Extern", "FieldType", "GlobalType", "GuestException", "I31Ref", "NotYet", "Server", "Session", "StructRef",
            "TableType", "TagType", "TrapFrame", "f32", "f64", "i32", "i64", "v128"}, missing)
        for item in kept:  # once it is over
            self.look_at(item)
        self.store.close()
        for item in kept:  # and closed
            self.look_at(item)

    def test_true(self):
        def on_stop(stop):
            frame = stop.frame()
            self.assertEqual(facts(stop)["reason"], stepwell.StopReason.BREAKPOINT)
            self.assertEqual([one.index for one in facts(stop)["frames"]], [0, 1])
            self.assertEqual(facts(frame)["function"], "deliver")
            self.assertEqual(facts(frame.variable("o->number"))["text"], "1")
            self.assertEqual(facts(frame.scope(Scope.PARAMETERS))["variables"], ["o", "round"])
            self.assertEqual(repr(facts(frame)["offset"]), "0x83b")
            seen.extend([stop, frame, frame.variable("o")])

        seen = []
        with Debugger(self.store, on_stop) as debugger, debugger.break_at_function(self.module, "deliver") as placed:
            placed.condition = "local(1) == 0"
            self.exports.run(1)
            self.assertEqual({name: facts(placed)[name] for name in ("id", "hit_count", "enabled")}, {"id": 1, "hit_count": 1, "enabled": True})
            self.assertEqual(facts(placed)["condition"], "local(1) == 0")
            self.assertEqual(facts(debugger)["breakpoints"], [placed])
        for item in (*seen, placed):
            (only,) = facts(item).values()
            self.assertIn(repr(only), repr(item))
        self.assertEqual(facts(self.exports.fib), {"params": ["i32"], "results": ["i32"]})
        self.assertEqual(facts(self.exports)["fib"], self.exports.fib)
        self.assertEqual(repr(facts(Global(self.store, "v128", bytes(16)))["value"]), repr(bytes(16)))
        self.assertEqual(list(facts(self.module.imports[0]).values())[-1], self.module.imports[0].type)
        memory = self.exports.memory
        self.store.close()
        self.assertEqual([repr(one) for one in facts(memory).values()], ["closed"])

    def test_no_guest_is_run_and_nothing_of_one_is_asked(self):
        """Exports may be called what Python, notebooks and rich ask for."""
        b = Builder()
        spin = b.import_func("env", "ran")
        names = ["_repr_html_", "__rich_repr__", "closed", "over", "removed", "_is_live", "_fields", "frame", "_stop", "_frame", "_store", "_debugger", "_lock", "_is_over"]
        for name in names:
            b.func([], [], code(CALL, u(spin)), export=name)
        instance = Instance(self.store, Module(self.engine, b.build()), {"env": {"ran": lambda: self.ran.append(0)}})
        for item in (instance, instance.exports, instance.exports["closed"]):
            self.look_at(item)
        self.assertEqual(facts(instance.exports)["closed"], instance.exports["closed"])
        self.assertEqual(self.ran, [])

    def test_hosts_objects_may_fail(self):
        reference = ExternRef(self.store, Bad())
        for item in (reference, Global(self.store, ("externref", True), reference)):
            self.look_at(item)
        error = Error("x")
        error.message = Bad()
        self.assertEqual(repr(error), "<Error, of which no more can be told: LookupError>")
        self.assertEqual(repr(Error("no such thing")), "Error('no such thing')")

    def test_nobody_waits(self):
        """A thread that looks is told that another is inside, by all there is to look with."""
        inside, go_on, items = threading.Event(), threading.Event(), []

        def on_stop(stop):
            items.extend([stop, stop.frame(), stop.frame().variable("o"), stop.debugger, self.store, self.exports.fib, session])
            inside.set()
            go_on.wait(60)
            return Action.CONTINUE

        debugger = Debugger(self.store, on_stop)
        session = Session.__new__(Session)
        session._debugger, session._call, session._is_open = debugger, None, True
        debugger.break_at_function(self.module, "deliver")
        thread = threading.Thread(target=self.exports.run, args=(1,))
        thread.start()
        inside.wait(60)
        try:
            for item in items:
                for text in self.look_at(item):
                    self.assertTrue("another thread uses" in text or not text, (item, text))
                self.assertIn("another thread uses", repr(list(facts(item).values())))
        finally:
            go_on.set()
            thread.join()
        debugger.close()

    @unittest.skipUnless(importlib.util.find_spec("rich"), "rich is not installed")
    def test_by_rich_itself(self):
        from rich.console import Console
        from rich.pretty import Pretty

        out = io.StringIO()
        console = Console(file=out, width=200)

        def on_stop(stop):
            for item in self.items(stop):
                console.print(Pretty(item))

        with Debugger(self.store, on_stop) as debugger:
            debugger.cover()
            debugger.break_at_function(self.module, "deliver").ignore_count = 1
            self.exports.run(2)
        self.assertIn("function='deliver'", out.getvalue())
        self.assertNotIn("\x1b", out.getvalue())


class Bounds(Case):
    def test_deep_and_wide(self):
        b = Builder()
        host = b.import_func("env", "host", ["i32"], [])
        again = b.func(["i32"] * 900, [], code(LOCAL_GET, u(0), CALL, u(host)), export="wide", name="n" * 3000)
        module = Module(self.engine, b.build())
        depth = [400]

        def call(n):
            depth[0] -= 1
            if depth[0]:
                wide(*range(900))

        wide = Instance(self.store, module, {"env": {"host": call}}).exports["wide"]
        shown = []

        def on_stop(stop):
            if depth[0] == 1:
                shown.extend([*self.look_at(stop), *self.look_at(stop.frame()), str(stop), repr(stop.frame().locals)])
                facts(stop)

        with Debugger(self.store, on_stop) as debugger:
            debugger.break_at_function(module, again)
            limit = sys.getrecursionlimit()
            sys.setrecursionlimit(10000)
            depth[0] = 150
            try:
                wide(*range(900))
            finally:
                sys.setrecursionlimit(limit)
        self.assertEqual(len(shown), 6)
        self.assertIn("... of 150 frames", shown[1])
        self.assertIn("... of 150 frames", shown[4])
        self.assertLess(len(shown[1]), 100_000)
        self.assertLess(len(shown[5]), MOST + 1)

    def test_texts(self):
        self.assertEqual(shortened("x" * 10, 10), "x" * 10)
        self.assertLessEqual(len(shortened("x" * 11, 10)), 10)
        self.assertTrue(shortened("<" + "x" * 2000 + ">").endswith(" ...>"))
        self.assertEqual(brief((1,)), "(1,)")
        self.assertEqual(brief(()), "()")
        self.assertEqual(brief([1, "a", (b"b", None)]), "[1, 'a', (b'b', None)]")
        self.assertLess(len(brief(["x" * HUGE] * HUGE)), 6000)
        self.assertLess(len(brief(b"\xff" * HUGE)), 1000)
        section = stepwell.CustomSection("n" * HUGE, b"\0" * (1 << 26))
        self.assertLessEqual(len(repr(section)), MOST)
        self.assertEqual(repr(stepwell.Source("a.c", None, 3, 0)), "Source(file='a.c', function=None, line=3, column=0)")


class Pages(Case):
    def pages(self, folder=FOLDER, call=None):
        found = []

        def on_stop(stop):
            found.append((stop._repr_html_(), stop.frame()._repr_html_()))

        with Debugger(self.store, on_stop) as debugger:
            debugger.source_folders.append(folder)
            debugger.break_at_function(self.module, "deliver").one_shot = True
            (call or (lambda: self.exports.run(1)))()
        return found[0]

    def test_a_stop(self):
        page, _ = self.pages()
        html = Html(page)
        lines = (Path(FOLDER) / "warehouse.c").read_text().split("\n")
        for number in range(363, 373):
            self.assertIn(f"{number} {'->' if number == 367 else '  ':>3} {lines[number - 1]}", html.text)
        self.assertNotIn("\n     373 ", html.text)
        self.assertEqual(len(re.findall("background", page)), 1)
        self.assertIn("o: order * = 0x", html.text)
        self.assertIn("quantity", html.text)  # what it points to, to be unfolded
        self.assertTrue({"details", "summary", "pre", "table"} <= html.tags)
        for word in ("#0", "#1", "run", "warehouse.c:407", "stopped by breakpoint 1"):
            self.assertIn(word, html.text)
        for foreign in ("<link", "<script", "http:", "https:", "src="):
            self.assertNotIn(foreign, page)

    def test_a_stop_without_source(self):
        page, _ = self.pages(folder="/nowhere")
        self.assertIn("0x83b  -> global.get 0", Html(page).text)

    def test_sources_are_text(self):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "warehouse.c").write_text("\n" * 366 + HOSTILE + "</pre>" + "&amp;" * 1000 + "\n")
            page, _ = self.pages(folder=folder)
        self.assertIn("&lt;script&gt;alert(1)&lt;/script&gt;\\x1b[2J&lt;/pre&gt;&amp;amp;", page)
        self.assertLess(len(page), 20_000)
        Html(page)

    def test_coverage(self):
        with Debugger(self.store, lambda stop: None) as debugger:
            debugger.source_folders.append(FOLDER)
            empty = debugger.coverage(self.module)
            self.assertEqual((empty, empty.lines, empty.counts), ([], {}, {"lines": (0, 0), "blocks": (0, 0)}))
            Html(empty._repr_html_())
            debugger.cover()
            self.exports.fib(5)
            first = debugger.coverage(self.module)
            self.exports.run(3)
            coverage = debugger.coverage(self.module)
            lcov = debugger.lcov()
        self.assertIsInstance(coverage, Coverage)
        self.assertIsInstance(coverage, list)
        (file, lines), = coverage.lines.items()
        told = {int(n): int(count) for n, count in re.findall(r"^DA:(\d+),(\d+)", lcov, re.M)}
        self.assertEqual((file, lines), ("warehouse.c", {number: min(count, 1) for number, count in told.items()}))
        self.assertLess(first.counts["lines"][0], coverage.counts["lines"][0])
        reached, there = coverage.counts["lines"]
        self.assertEqual(repr(coverage), f"<Coverage of warehouse.wasm: {reached} of {there} lines, {coverage.counts['blocks'][0]} of {len(coverage)} blocks>")
        page = coverage._repr_html_()
        html = Html(page)
        self.assertIn(f"warehouse.c: {reached} of {there} lines", html.text)
        source = (Path(FOLDER) / "warehouse.c").read_text().split("\n")
        for number, line in enumerate(source, 1):
            self.assertIn(f"{number:>8} {lines.get(number, ''):>3} {line}", html.text)
        self.assertEqual((page.count("0, 160, 0"), page.count("220, 0, 0")), (reached, there - reached))
        for foreign in ("<link", "<script", "src=", "href="):
            self.assertNotIn(foreign, page)

    def test_coverage_of_hostile_files(self):
        coverage = Coverage(self.module, [])
        coverage.__dict__["lines"] = {f"{HOSTILE}{number}": {line: line % 2 for line in range(1, 200)} for number in range(500)}
        page = coverage._repr_html_()
        Html(page)
        self.assertNotIn("<script", page)
        self.assertNotIn("\x1b", page)
        self.assertIn("... of 500 files", page)
        self.assertIn("... of 199 lines", page)
        self.assertLess(len(page), 2_000_000)
        coverage.__dict__["lines"] = {os.devnull: {1: 1}, "/dev/zero": {1: 0}, "\0": {3: 1}, "": {4: 1}}
        Html(coverage._repr_html_())


if __name__ == "__main__":
    unittest.main()
