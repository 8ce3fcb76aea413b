"""Breakpoints, stepping, stops and frames."""
import gc
import os
import subprocess
import sys
import threading
import time
import unittest
from pathlib import Path

import guests
import stepwell
import wasm
from stepwell import (
    Action, BreakpointSet, Debugger, Error, ErrorCode, ExceptionStops, Instance, Module, Scope, StopReason, Store, Trap, TrapCode,
    VariableKind,
)
from stepwell import _loader

ROOT = Path(__file__).resolve().parent.parent.parent


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.engine = stepwell.Engine(debug=True)
        cls.module = Module(cls.engine, guests.arithmetic())
        cls.binary = guests.arithmetic()

    def setUp(self):
        self.store = Store(self.engine)
        self.addCleanup(self.store.close)
        self.exports = Instance(self.store, self.module).exports
        self.stops = []
        self.then = lambda stop: None

    def attach(self, then=None):
        """A debugger that notes each stop as (reason, function, opcode), and asks `then` what to do."""
        if then:
            self.then = then

        def on_stop(stop):
            frame = stop.frame()
            self.stops.append((stop.reason.name, frame.func_index, self.binary[frame.offset]))
            return self.then(stop)
        return Debugger(self.store, on_stop)


class Names(unittest.TestCase):
    def test_names_for_people(self):
        for name, shown in (("fib", "fib"), ("", ""), ("_ZN3foo3barEi", "foo::bar(int)"), ("a\x1b[31m\n", "a\\u{1b}[31m\\n"), ("a\0b", "a\\u{0}b")):
            self.assertEqual(stepwell.name_to_show(name), shown)
        frame = stepwell.TrapFrame(None, 0, "\x1b[2J", 5, 1, [])
        self.assertNotIn("\x1b", repr(frame))
        self.assertNotIn("\x1b", str(stepwell.Source("\x1b[2J.c", None, 1, 1)))


class Progress(unittest.TestCase):
    def setUp(self):
        self.engine = stepwell.Engine(debug=True, parallel=False)
        self.module = Module(self.engine, guests.arithmetic())
        self.store = Store(self.engine)
        self.addCleanup(self.store.close)
        self.exports = Instance(self.store, self.module).exports

    def ways(self):
        return (lambda progress: Debugger(self.store, lambda stop: None, progress=progress).close(),
                lambda progress: self.module.compile_debug(progress))

    def test_it_is_told_to_its_end(self):
        for way in range(2):
            self.setUp()
            told = []
            self.ways()[way](lambda done, total: told.append((done, total)) or True)
            total = told[0][1]
            self.assertGreater(total, 1)
            self.assertEqual(sorted(told), [(done, total) for done in range(1, total + 1)])
            # There is nothing left to do.
            told.clear()
            self.ways()[way](lambda done, total: told.append(done) or True)
            self.assertEqual(told, [])

    def test_it_ends_where_it_says_so_and_can_be_begun_again(self):
        class Leaves(BaseException):
            pass

        def leave(done, total):
            raise Leaves

        for way in self.ways():
            with self.assertRaises(Error) as cancelled:
                way(lambda done, total: False)
            self.assertEqual(cancelled.exception.code, ErrorCode.CANCELLED)
            with self.assertRaises(Leaves):
                way(leave)
            with self.assertRaisesRegex(TypeError, "progress must be callable"):
                way(3)
            self.assertEqual(self.exports.add(2, 3), 5)
        stops = []
        with Debugger(self.store, stops.append, progress=lambda done, total: True) as debugger:
            debugger.break_at_function(self.module, "add")
            self.assertEqual(self.exports.add(2, 3), 5)
        self.assertEqual(len(stops), 1)


class Breakpoints(Case):
    def test_what_a_breakpoint_may_have(self):
        debugger = self.attach(lambda stop: None)
        at = debugger.break_at_function(self.module, "add")
        first = at.offset
        call = lambda n: self.assertEqual(self.exports.add(n, 1), n + 1)  # noqa: E731
        self.assertEqual((at.enabled, at.hit_count, at.ignore_count, at.one_shot, at.condition, at.instance), (True, 0, 0, False, None, None))
        at.enabled = False
        call(1)
        self.assertEqual((self.stops, at.enabled), ([], False))
        at.enabled = True
        at.ignore_count = 2
        for n in range(3):
            call(n)
        self.assertEqual((len(self.stops), at.hit_count, at.ignore_count), (1, 3, 0))
        at.hit_count = 0
        at.condition = "local(0) == 7 && local(1) < 2"
        for n in range(5, 9):
            call(n)
        self.assertEqual((len(self.stops), at.hit_count, at.condition), (2, 1, "local(0) == 7 && local(1) < 2"))
        with self.assertRaisesRegex(Error, "at column 10: assignments are not allowed here.*`==`"):
            at.condition = "local(0) = 7"
        self.assertEqual(at.condition, "local(0) == 7 && local(1) < 2")
        asked = []

        def holds(stop):
            asked.append(stop.frame().locals[0])
            return asked[-1] == 8

        at.condition = holds
        self.assertIs(at.condition, holds)
        for n in range(5, 10):
            call(n)
        self.assertEqual((asked, len(self.stops)), ([5, 6, 7, 8, 9], 3))

        def fails(stop):
            raise KeyError("nobody knows")

        at.condition = fails
        self.assertRaises(KeyError, self.exports.add, 1, 1)
        at.condition = None
        other = Instance(self.store, self.module, defaults=True)
        at.instance = other
        call(1)
        self.assertEqual((len(self.stops), at.instance), (3, other))
        other.exports.add(1, 1)
        self.assertEqual(len(self.stops), 4)
        at.instance = None
        at.one_shot = True
        self.assertEqual(debugger.breakpoints, [at])
        call(1)
        call(1)
        self.assertEqual((len(self.stops), debugger.breakpoints), (5, []))
        with self.assertRaises(Error):
            at.enabled = True
        for count in (-1, 1 << 64):
            with self.assertRaises(ValueError):
                at.ignore_count = count
        # Sets that were prepared.
        prepared = BreakpointSet()
        prepared.add(self.module, first)
        prepared.add_at_function(self.module, "add")
        prepared.add_at_function(self.module, self.module.func_index("add"))
        for wrong in (lambda: prepared.add(self.module, 0), lambda: prepared.add_at_function(self.module, "fob"),
                      lambda: prepared.add_at_line(self.module, "fib.c", 1)):
            self.assertRaises(Error, wrong)
        self.assertRaises(ValueError, prepared.add, self.module, -1)
        self.assertEqual(len(prepared), 3)
        placed = debugger.break_at_set(prepared)
        self.assertEqual(debugger.breakpoints, placed)
        self.assertEqual([one.offset for one in placed], [first] * 3)
        debugger.remove_all(placed)
        # Sets.
        placed = debugger.break_at_all(self.module, [first, first + 1])
        self.assertEqual(debugger.breakpoints, placed)
        self.assertEqual(placed[0].offset, first)
        with self.assertRaises(Error):
            debugger.break_at_all(self.module, [first, 0])
        self.assertRaises(ValueError, debugger.break_at_all, self.module, [-1])
        call(1)
        self.assertEqual(len(self.stops), 7)
        debugger.remove_all([placed[0], placed[1].id])
        self.assertEqual(debugger.breakpoints, [])
        with self.assertRaises(Error):
            debugger.remove_all(placed)
        call(1)
        self.assertEqual(len(self.stops), 7)

    def test_by_name_index_and_offset(self):
        debugger = self.attach()
        by_name = debugger.break_at_function(self.module, "fact")
        by_export = debugger.break_at_function(self.module, "factorial")
        by_index = debugger.break_at_function(self.module, 0)
        divide = self.binary.index(bytes([wasm.I32_DIV_S]), by_index.offset)
        by_offset = debugger.break_at(self.module, divide)
        self.assertEqual((by_name.func_index, by_export.func_index, by_index.func_index, by_offset.func_index), (2, 2, 0, 1))
        self.assertEqual((by_name.offset, by_offset.offset), (by_export.offset, divide))
        self.assertEqual(debugger.breakpoints, [by_name, by_export, by_index, by_offset])
        self.assertEqual(self.exports.factorial(2), 2)
        self.assertEqual(self.exports.add(2, 3), 5)
        self.assertEqual(self.exports.div(6, 3), 2)
        self.assertEqual(self.stops, [
            *[("BREAKPOINT", 2, wasm.LOCAL_GET)] * 3, ("BREAKPOINT", 0, wasm.LOCAL_GET), ("BREAKPOINT", 1, wasm.I32_DIV_S)])
        # An offset inside an instruction slips to the next one.
        self.assertEqual(debugger.break_at(self.module, by_index.offset + 1).offset, by_index.offset + 2)

    def test_which_were_hit(self):
        hit = []
        debugger = self.attach(lambda stop: hit.append(stop.breakpoints))
        first, second = (debugger.break_at_function(self.module, "add") for _ in range(2))
        self.exports.add(1, 2)
        debugger.remove(first)
        self.exports.add(1, 2)
        debugger.remove(second.id)
        self.exports.add(1, 2)
        self.assertEqual(hit, [[first, second], [second]])
        self.assertEqual(debugger.breakpoints, [])

    def test_wrong(self):
        debugger = self.attach()
        for wrong in (lambda: debugger.break_at_function(self.module, "nothing"), lambda: debugger.remove(7),
                      lambda: debugger.break_at_function(self.module, 99), lambda: debugger.break_at(self.module, 10**6)):
            with self.assertRaises(Error) as caught:
                wrong()
            self.assertEqual(caught.exception.code, ErrorCode.ARGUMENT)
        for wrong in (lambda: debugger.break_at(self.module, -1), lambda: debugger.break_at_function(self.module, -1)):
            self.assertRaises(ValueError, wrong)

    def test_edited_inside_a_stop(self):
        def then(stop):
            if stop.breakpoints[0] == first:
                stop.debugger.remove(first)
                stop.debugger.break_at_function(self.module, "add")
        debugger = self.attach(then)
        first = debugger.break_at_function(self.module, "calls")
        self.assertEqual(self.exports.calls(5), 8)
        self.assertEqual([stop[:2] for stop in self.stops], [("BREAKPOINT", 4), ("BREAKPOINT", 0), ("BREAKPOINT", 0)])

    def test_before_the_module_is_instantiated(self):
        with Store(self.engine) as store:
            seen = []
            debugger = Debugger(store, lambda stop: seen.append(stop.frame().func_index))
            debugger.break_at_function(self.module, "add")
            Instance(store, self.module).exports.add(1, 2)
            self.assertEqual(seen, [0])

    def test_other_stores_never_stop(self):
        debugger = self.attach()
        debugger.break_at_function(self.module, "add")
        with Store(self.engine) as other:
            self.assertEqual(Instance(other, self.module).exports.add(1, 2), 3)
        self.assertEqual(self.stops, [])


class Changing(Case):
    """`calls(n)` is `add(add(n, 1), 2)`."""

    def test_locals_and_operands(self):
        def then(stop):
            frame = stop.frame()
            if self.binary[frame.offset] == wasm.I32_ADD:
                self.assertEqual(frame.operands[0], 40)
                frame.set_operand(1, 2)
                self.assertEqual(frame.operands, [40, 2])
                return Action.CONTINUE
            frame.set_local(0, 40)
            self.assertEqual(frame.locals[0], 40)
            for index, value, error in (
                    (0, "x", TypeError), (0, 1 << 40, OverflowError), (2, 0, IndexError), (-1, 0, IndexError), ("no", 0, KeyError)):
                self.assertRaises(error, frame.set_local, index, value)
            for index, value, error in ((0, 1, IndexError), (-1, 1, IndexError)):
                self.assertRaises(error, frame.set_operand, index, value)
            stop.debugger.break_at(self.module, frame.offset + 4)
            return Action.CONTINUE
        debugger = self.attach(then)
        debugger.break_at_function(self.module, "add")
        self.assertEqual(self.exports.calls(5), 42)

    def test_frames_that_wait(self):
        def then(stop):
            frame, outer = stop.frame(), stop.frame(1)
            if len(self.stops) == 1:
                # add(5, 1): when it has returned, add(6, 2) is called, and so with what is changed then.
                self.assertEqual((outer.locals[0], outer.operands), (5, [5, 1]))
                self.assertRaises(IndexError, outer.set_local, 9, 0)
                self.assertRaises(IndexError, outer.set_operand, 2, 0)
                self.assertRaisesRegex(Error, "is gone", outer.set_operand, 1, 0)
                outer.set_local(0, 9)
                self.assertEqual((outer.locals[0], frame.locals[0]), (9, 5))
                return Action.CONTINUE
            self.assertEqual((frame.locals[0], outer.locals[0]), (6, 9))
            self.assertRaises(TypeError, outer.return_early)
            self.assertRaises(TypeError, outer.return_early, "x")
            outer.return_early(123)
            self.assertEqual((stop.frame_count, stop.frame(), outer.index, outer.operands), (1, outer, 0, [123]))
            with self.assertRaisesRegex(ValueError, "is over"):
                frame.set_local(0, 1)
            return Action.CONTINUE
        self.attach(then).break_at_function(self.module, "add")
        self.assertEqual(self.exports.calls(5), 123)
        self.assertEqual(len(self.stops), 2)

    def test_coverage(self):
        with self.assertRaisesRegex(stepwell.Error, "Blocks"):
            self.attach(lambda stop: Action.CONTINUE).cover()
        engine = stepwell.Engine(debug=True, debug_tier=stepwell.DebugTier.BLOCKS)
        text = (b"\0asm\1\0\0\0\1\6\1\x60\1\x7f\1\x7f\3\2\1\0\7\7\1\3run\0\0\x0a\x0e\1\x0c\0"
                b"\x20\0\x04\x7f\x41\1\x05\x41\2\x0b\x0b")
        module = stepwell.Module(engine, text)
        with stepwell.Store(engine) as store:
            instance = stepwell.Instance(store, module)
            with stepwell.Debugger(store, lambda stop: None) as debugger:
                self.assertEqual((debugger.coverage(module), debugger.coverage_branches(module)), ([], []))
                debugger.cover(module)
                debugger.cover()
                reached = lambda: [block.is_reached for block in debugger.coverage(module)]
                self.assertEqual(reached(), [False] * 4)
                sides = lambda: [side.is_reached for side in debugger.coverage_branches(module)]
                self.assertEqual(sides(), [False] * 2)
                self.assertEqual(instance.exports.run(1), 1)
                self.assertEqual(reached(), [True, True, False, True])
                self.assertEqual(sides(), [True, False])
                self.assertEqual(instance.exports.run(0), 2)
                self.assertEqual(reached(), [True] * 4)
                blocks = debugger.coverage(module)
                branch = blocks[1].begin - 2
                self.assertEqual(debugger.coverage_branches(module), [
                    stepwell.CoveredSide(branch, blocks[1].begin, 0, 0, True), stepwell.CoveredSide(branch, blocks[2].begin, 0, 1, True)])
                self.assertTrue(all(one.end == other.begin for one, other in zip(blocks[2:], blocks[3:])))
                self.assertEqual(debugger.lcov(), "")

    def test_core_dump(self):
        def then(stop):
            dump = stop.core_dump()
            self.assertEqual(dump[:8], b"\0asm\1\0\0\0")
            for name in (b"core", b"coremodules", b"coreinstances", b"corestack"):
                self.assertIn(bytes([len(name)]) + name, dump)
            kept.append((stop, Module(engine, dump)))
        kept, engine = [], stepwell.Engine()
        self.attach(then).break_at_function(self.module, "add")
        self.assertEqual(self.exports.add(1, 2), 3)
        self.assertEqual([section.name for section in kept[0][1].custom_sections], ["core", "coremodules", "coreinstances", "corestack"])
        self.assertRaises(ValueError, kept[0][0].core_dump)

    def test_core_dump_of_a_trap(self):
        def trapping():
            return self.exports.div(1, 0)
        with self.assertRaises(stepwell.Trap) as none:
            trapping()
        with self.assertRaisesRegex(Error, "none was asked for"):
            none.exception.core_dump()
        self.store.set_core_dumps(True)
        with self.assertRaises(stepwell.Trap) as caught:
            trapping()
        dump = caught.exception.core_dump()
        module = Module(stepwell.Engine(), dump)
        self.assertEqual([section.name for section in module.custom_sections], ["core", "coremodules", "coreinstances", "corestack"])
        self.store.set_core_dumps(False)
        with self.assertRaises(stepwell.Trap) as none:
            trapping()
        self.assertRaises(Error, none.exception.core_dump)
        with self.assertRaisesRegex(Error, "has left no guest"):
            stepwell.Trap("of the host").core_dump()

    def test_jump_and_return(self):
        def then(stop):
            frame = stop.frame()
            self.assertRaises(TypeError, stop.return_early)
            self.assertRaises(TypeError, stop.return_early, "x")
            self.assertRaises(Error, stop.jump, frame.offset + 1)
            stop.jump(frame.offset)
            stop.return_early(77)
            self.assertEqual((self.binary[frame.offset], frame.operands), (wasm.END, [77]))
            kept.append(frame)
        kept = []
        self.attach(then).break_at_function(self.module, "add")
        self.assertEqual(self.exports.add(1, 2), 77)
        self.assertRaises(ValueError, kept[0].set_local, 0, 1)


class Listing(unittest.TestCase):
    """What modules say of their source and code."""

    def test_source_and_code(self):
        engine = stepwell.Engine(debug=True)
        module = Module(engine, (ROOT / "tests" / "support" / "dwarf" / "c2_5.wasm").read_bytes())
        self.assertEqual([Path(path).name for path in module.source_files], ["shapes.c"])
        places = module.line_places("shapes.c", 21)
        self.assertEqual([place.offset for place in places], module.find_source("shapes.c", 21))
        self.assertTrue(all(place.is_inlined and place.source.function == "square" and place.source.column for place in places))
        self.assertEqual((module.line_places("nothing.c", 1), module.line_places("shapes.c", 9999)), ([], []))
        table = module.line_table
        self.assertTrue(table[-1].is_end and any(row.is_prologue_end for row in table) and table[0].offset >= module.code_start > 0)
        self.assertEqual({row.file for row in table if not row.is_end}, set(module.source_files))
        functions = module.functions()
        self.assertEqual(len(functions), module.func_count)
        named = next(function for function in functions if function.name == "sum")
        self.assertEqual((named.line, named.linkage_name, named.file), (24, None, module.source_files[0]))
        self.assertEqual((module.functions(named.index, 1), module.functions(99), module.functions(0, 0)), ([named], [], []))
        code = list(module.instructions(named.index))
        self.assertEqual((code[0].offset, code[-1].offset + code[-1].size, str(code[-1])), (named.entry, named.end, "end"))
        self.assertEqual(list(module.instructions(named.index, code[2].offset, 3)), code[2:5])
        self.assertEqual(sum(one.size for one in code), named.end - named.entry)
        self.assertRaises(Error, next, module.instructions(99))
        for debug in (False, True):
            pieces = module.machine_code(named.index, debug)
            self.assertGreater(len(pieces), 3)
            self.assertEqual([piece.offset + len(piece.bytes) for piece in pieces][:-1], [piece.offset for piece in pieces][1:])
            told = {piece.module_offset for piece in pieces} - {None}
            self.assertTrue(told and told <= {instruction.offset for instruction in module.instructions(named.index)})
        self.assertRaises(Error, module.machine_code, 99)
        self.assertRaises(ValueError, module.machine_code, -1)
        for wrong in (lambda: module.instructions(-1), lambda: module.functions(-1), lambda: module.line_places("a.c", -1), lambda: module.instructions(0, 0, -1)):
            self.assertRaises(ValueError, wrong)
        plain = Module(engine, guests.arithmetic())
        self.assertEqual((plain.source_files, plain.line_table, plain.line_places("a.c", 1)), ([], [], []))
        self.assertTrue(all(function.file is None and function.line is None for function in plain.functions()))


class Variables(unittest.TestCase):
    """`run(5)` of shapes.c sums key * key + 2 * key of up to five of three nodes, and adds its argument and -300."""

    def test_told_and_changed(self):
        engine = stepwell.Engine(debug=True)
        module = Module(engine, (ROOT / "tests" / "support" / "dwarf" / "c0_4.wasm").read_bytes())
        told = []

        def on_stop(stop):
            frame = stop.frame()
            key = frame.evaluate("from->key")
            told.append((key.type_name, str(key), frame.evaluate("limit").text, frame.evaluate("at->next->next->key").text))
            self.assertEqual(frame.evaluate("nodes[1].key").text, "2")
            for path in ("nobody", "from->", "from->nobody", "limit[1]", "", "from)"):
                self.assertRaises(Error, frame.evaluate, path)
            self.assertRaises(ValueError, frame.evaluate, "a\0b")
            self.assertEqual(frame.evaluate("at->key + limit * 2 == 11"), stepwell.Evaluated("bool", "true"))
            self.assertEqual(frame.variable("nodes[1].key << 2").value, 8)
            with self.assertRaisesRegex(Error, "at column 7: a division by zero") as caught:
                frame.evaluate("limit / 0")
            self.assertEqual(caught.exception.columns, (7, 8))
            for text in ("limit = 4", "run(0)"):
                self.assertRaisesRegex(Error, "not allowed here", frame.variable, text)
            self.assertEqual((frame.variable("limit = 4", assign=True).value, frame.evaluate("limit").text), (4, "4"))
            self.assertEqual((frame.variable("run(0) + 1", call=True).value, frame.locals[0]), (-299, frame.locals[0]))
            frame.variable("limit += 1", assign=True)
            self.assertRaises(ValueError, frame.variable, "limit", level=-1, assign=True)
            for path, text in (("limit", "x"), ("nobody", "1"), ("nodes", "1")):
                self.assertRaises(Error, frame.assign, path, text)
            frame.assign("limit", "2")
            frame.assign("at->key", "10")
            self.assertEqual((frame.evaluate("limit").text, frame.evaluate("from->key").text), ("2", "10"))
            with self.assertRaises(Error):
                stop.frame(1).evaluate("limit")
            self.assertEqual(stop.frame(1).evaluate("shadow"), stepwell.Evaluated("int", "5"))
            stop.debugger.remove(stop.breakpoints[0])

        with Store(engine) as store:
            run = Instance(store, module).exports.run
            debugger = Debugger(store, on_stop)
            # int key = at->key;
            line = next(n for n, text in enumerate((ROOT / "tests/support/dwarf/shapes.c").read_text().split("\n"), 1) if "int key =" in text)
            debugger.break_at_source(module, "shapes.c", line)
            self.assertEqual(run(5), 120 + 8 + 5 - 300)
            self.assertEqual(told, [("int", "1", "5", "3")])

    def test_as_objects(self):
        engine = stepwell.Engine(debug=True)
        module = Module(engine, (ROOT / "tests" / "support" / "dwarf" / "c0_5.wasm").read_bytes())
        kept, hits = [], []

        def on_stop(stop):
            if stop.reason == StopReason.WATCHPOINT:
                hits.extend((hit.is_end, hit.address is not None, hit.old[0]) for hit in stop.watch_hits)
                return
            frame, caller = stop.frame(), stop.frame(1)
            self.assertEqual([v.name for v in frame.variables()], ["from", "limit", "total"])
            source, limit, total = frame.variables()
            self.assertEqual((limit.value, limit.text, limit.type_name, limit.kind, limit.scope), (5, "5", "int", VariableKind.NUMBER, Scope.PARAMETERS))
            self.assertEqual((limit.size, limit.line, limit.depth, limit.child_count, limit.missing), (4, 24, 0, 0, None))
            self.assertEqual((str(limit), total.scope, limit.is_shadowed, limit.frame), ("limit = 5", Scope.LOCALS, False, frame))
            self.assertEqual(source.value, source.child("*").address)
            self.assertEqual([(v.name, v.value) for v in source.child(0).children()][0], ("key", 1))
            self.assertEqual(source.child("*").child("next").child("*").child("key").value, 2)
            self.assertRaises(KeyError, source.child, "nobody")
            self.assertRaises(IndexError, source.child, 1)
            self.assertRaises(ValueError, source.child, -1)
            every = caller.scope(Scope.LOCALS).child("all")
            values = {v.name: v.value for v in every.children()}
            self.assertEqual(
                [values[name] for name in ("sc", "ull", "d", "yes", "colour", "flags", "inner_y")], [-1, 10**19, -2.25, True, -2, None, 12])
            self.assertIs(values["yes"], True)
            self.assertEqual(len(values), 21)
            self.assertEqual([v.name for v in every.children(2, 3)], ["s", "us", "ll"])
            self.assertEqual(list(every.children(21)) + list(every.children(0, 0)), [])
            pinned = caller.variable("pinned")
            self.assertIn("optimised out", pinned.missing)
            self.assertEqual((pinned.value, pinned.address, list(pinned.children())), (None, None, []))
            self.assertEqual([v.name for v in caller.variables(Scope.STATICS)], ["counter", "pinned", "greeting", "nodes"])
            for wrong in (lambda: frame.variable("nobody"), lambda: frame.variables(level=1), lambda: limit.assign("x"), lambda: every.assign("1")):
                self.assertRaises(Error, wrong)
            for wrong in (lambda: frame.variables(7), lambda: frame.variables(level=-1), lambda: frame.variable("a\0b"), lambda: limit.assign("\0")):
                self.assertRaises(ValueError, wrong)
            limit.assign("1")
            self.assertEqual((limit.value, frame.evaluate("limit").text), (1, "1"))
            watched = stop.debugger.watch_variable(limit)
            self.assertEqual((watched.target, watched.kind, stop.debugger.watchpoints), (None, stepwell.WatchKind.CHANGE, [watched]))
            for wrong in (pinned, frame.scope(Scope.LOCALS)):
                self.assertRaises(Error, stop.debugger.watch_variable, wrong)
            limit.close()
            self.assertRaises(ValueError, stop.debugger.watch_variable, limit)
            with self.assertRaises(ValueError):
                limit.text
            kept.extend([total, every.children(), frame.scope(Scope.MODULE)])
            stop.debugger.remove(stop.breakpoints[0])

        with Store(engine) as store:
            run = Instance(store, module).exports.run
            debugger = Debugger(store, on_stop)
            debugger.break_at_source(module, "shapes.c", 25)
            self.assertEqual(run(5), 3 + 5 - 300)
            self.assertEqual((hits, debugger.watchpoints), ([(False, True, 1), (True, True, 0)], []))
            total, children, scope = kept
            self.assertEqual((total.name, scope.name), ("total", "statics of the module"))
            for late in (lambda: total.text, lambda: total.value, lambda: total.missing, lambda: next(children), lambda: scope.child_count):
                self.assertRaisesRegex(ValueError, "the stop is over", late)
        total.close()


    def test_one_breakpoint_for_all_places(self):
        engine = stepwell.Engine(debug=True)
        module = Module.from_file(engine, ROOT / "tests/support/dwarf/c2_5.wasm")
        text = (ROOT / "tests/support/dwarf/shapes.c").read_text().split("\n")
        line = next(n for n, said in enumerate(text, 1) if "int result =" in said)
        seen = []
        with Store(engine) as store:
            debugger = Debugger(store, lambda stop: seen.append((stop.breakpoints, stop.frame().source[0].line)))
            at = debugger.break_at_line(None, "shapes.c", line)
            name = debugger.break_at_function(None, "nobody")
            self.assertEqual((at.places, at.offset, at.func_index, at.module, at.source, at.line), ([], None, None, None, [], None))
            run = Instance(store, module).exports.run
            self.assertTrue(at.places)
            self.assertEqual({place.line for place in at.places}, {line})
            self.assertEqual([place.offset for place in at.places], module.find_source("shapes.c", line))
            self.assertIs(at.module, module)
            self.assertEqual((at.offset, at.line), (at.places[0].offset, line))
            self.assertEqual(name.places, [])
            run(5)
            self.assertGreaterEqual(len(seen), 3)
            self.assertTrue(all(stop == ([at], line) for stop in seen))
            self.assertEqual(debugger.breakpoints, [at, name])
            self.assertIn("0x", repr(at))
            self.assertIn("no place yet", repr(name))
            self.assertNotEqual(at, name)
            at.remove()
            self.assertRaises(Error, at.remove)
            known = at.places
            self.assertTrue(known)
            run(5)
            self.assertEqual(len(seen), len([stop for stop in seen if stop[0] == [at]]))
            with self.assertRaisesRegex(Error, "did you mean `sum`"):
                debugger.break_at_function(module, "summ")
            with self.assertRaisesRegex(Error, "no code of a file"):
                debugger.break_at_line(module, "elsewhere.c", 1)
            self.assertRaises(ValueError, debugger.break_at_line, module, "shapes.c", -1)
            self.assertRaises(ValueError, debugger.break_at_line, module, "shapes.c", 1, 1 << 32)
            self.assertRaises(TypeError, debugger.break_at_function, None, 0)


class Watching(unittest.TestCase):
    def setUp(self):
        engine = stepwell.Engine(debug=True)
        self.store = Store(engine)
        self.addCleanup(self.store.close)
        self.binary = guests.watched()
        self.module = Module(engine, self.binary)
        self.exports = None
        self.exports = Instance(self.store, self.module, {"env": {"set": self.set}}).exports
        self.seen = []

    def set(self, value):
        self.exports.count.value = value

    def on_stop(self, stop):
        self.assertEqual(stop.reason, StopReason.WATCHPOINT)
        self.assertIn("watchpoint", str(stop))
        frame = stop.frame()
        for hit in stop.watch_hits:
            self.assertEqual(hit.func_index, frame.func_index)
            values = [int.from_bytes(value, "little") for value in (hit.old, hit.new)]
            self.seen.append((hit.watchpoint, hit.by_host, self.binary[hit.offset], frame.offset - hit.offset, *values))

    def test_globals(self):
        debugger = Debugger(self.store, self.on_stop)
        first = debugger.watch_global(self.exports.count)
        self.assertEqual((first.kind, first.enabled, first.hit_count), (stepwell.WatchKind.CHANGE, True, 0))
        self.assertEqual(first.target, self.exports.count)
        self.exports.write(10)
        self.exports.write(11)
        self.exports.host(12)
        self.assertEqual(self.seen, [(first, False, 0x24, 2, 10, 11), (first, True, 0x10, 2, 11, 12)])
        second = debugger.watch_global(self.exports.count, stepwell.WatchKind.WRITE)
        self.assertEqual(debugger.watchpoints, [first, second])
        self.seen.clear()
        self.exports.write(12)
        self.assertEqual(self.seen, [(second, False, 0x24, 2, 12, 12)])
        second.enabled = False
        self.assertFalse(second.enabled)
        self.exports.write(12)
        self.assertEqual((len(self.seen), second.hit_count), (1, 1))
        second.remove()
        with self.assertRaises(Error):
            second.remove()
        self.assertIsNone(second.kind)
        self.assertEqual(debugger.watchpoints, [first])
        self.assertNotEqual(first, second)
        self.assertEqual({first: 1}[debugger.watchpoints[0]], 1)

    def test_memories(self):
        found = []
        debugger = Debugger(self.store, lambda stop: found.extend(stop.watch_hits))
        watched = debugger.watch_memory(self.exports.memory, 64, 4, stepwell.WatchKind.ACCESS)
        self.exports.store(5)
        self.exports.load(64)
        self.exports.load(60)
        self.exports.load(68)
        five = (5).to_bytes(4, "little")
        self.assertEqual([hit[3:-1] for hit in found], [(False, False, 64, bytes(4), five), (False, True, 64, five, five)])
        self.assertEqual([self.binary[hit.offset] for hit in found], [0x36, 0x28])
        self.assertEqual((watched.hit_count, watched.target), (2, self.exports.memory))
        for at, size in ((65536, 1), (0, 0), (65535, 2)):
            with self.assertRaises(Error):
                debugger.watch_memory(self.exports.memory, at, size)
        with self.assertRaises(ValueError):
            debugger.watch_memory(self.exports.memory, -1, 4)

    def test_locals(self):
        told, made = [], []

        def on_stop(stop):
            frame = stop.frame()
            if stop.reason == StopReason.BREAKPOINT:
                made.append(debugger.watch_local(frame, "n"))
                self.assertEqual((made[-1].target, made[-1].kind), (0, stepwell.WatchKind.CHANGE))
                self.assertRaises(KeyError, debugger.watch_local, frame, "nobody")
                self.assertRaises(ValueError, debugger.watch_local, frame, -1)
                for wrong in ((1, stepwell.WatchKind.WRITE), (0, stepwell.WatchKind.READ)):
                    self.assertRaises(Error, debugger.watch_local, frame, *wrong)
            for hit in stop.watch_hits:
                self.assertEqual((hit.watchpoint, hit.func_index, frame.offset), (made[-1], frame.func_index, hit.offset + 2))
                told.append((self.binary[hit.offset], hit.address, hit.old, hit.new, hit.is_end))

        debugger = Debugger(self.store, on_stop)
        debugger.break_at_function(self.module, "less")
        self.exports.outer(5)
        four, five = (n.to_bytes(4, "little") for n in (4, 5))
        self.assertEqual(told, [(0x21, None, five, four, False), (0x10, None, four, b"", True)])
        self.assertEqual((debugger.watchpoints, made[0].kind, debugger._watchpoints), ([], None, {}))
        # The host is the caller: nobody is told of the end.
        told.clear()
        self.exports.less(5)
        self.assertEqual((len(told), debugger.watchpoints), (1, []))

    def test_refused(self):
        debugger = Debugger(self.store, self.on_stop)
        with self.assertRaises(Error) as refused:
            debugger.watch_global(self.exports.fixed)
        self.assertIn("immutable", str(refused.exception))
        with self.assertRaises(ValueError):
            debugger.watch_global(self.exports.count, 77)
        self.assertEqual(debugger.watchpoints, [])


class Told(unittest.TestCase):
    def test_what_is_told(self):
        store = Store(stepwell.Engine(debug=True))
        module = stepwell.Module(store.engine, guests.of_c("EVENTS"))
        told = []

        def stopped(stop):
            if stop.reason == StopReason.MODULE:
                self.assertIs(stop.module, module)
                told.append("module")
            elif stop.reason == StopReason.INSTANCE:
                self.assertEqual(stop.instance.global_(0).value, 0)
                told.append("instance")
            elif stop.reason == StopReason.MEMORY_GROWN:
                told.append((stop.memory_old_size, stop.memory.pages))
            else:
                self.assertIsNotNone(stop.host_func)
                self.assertIsNone(stop.memory)
                told.append((stop.reason.name, stop.host_import, stop.host_values, stop.host_failed, len(stop.frames)))

        debugger = Debugger(store, stopped)
        self.assertEqual(debugger.events, stepwell.Events.TRAP)
        debugger.events = ~stepwell.Events.TRAP & stepwell.Events(63)
        with self.assertRaises(Error):
            debugger.events = 64
        linker = stepwell.Linker(store.engine)
        linker.define("host", "add", lambda a, b: a + b, stepwell.FuncType(["i32", "i64"], ["i64"]))
        linker.define("host", "fail", lambda a: 1 // a and None, stepwell.FuncType(["i32"], []))
        instance = linker.instantiate(store, module)
        self.assertEqual(instance.exports.add(2), 42)
        self.assertEqual(instance.exports.grow(1), 1)
        with self.assertRaises(ZeroDivisionError):
            instance.exports.fail(0)
        self.assertEqual(told, [
            "module", "instance",
            ("HOST_CALL", ("host", "add"), [2, 40], False, 1), ("HOST_RETURN", ("host", "add"), [42], False, 1),
            (1, 2),
            ("HOST_CALL", ("host", "fail"), [0], False, 1), ("HOST_RETURN", ("host", "fail"), [], True, 1),
        ])
        debugger.events = 0
        with self.assertRaises(stepwell.Trap):
            instance.exports.trap()
        self.assertEqual(len(told), 7)


class Running(unittest.TestCase):
    """A debugger is attached to guests that run."""

    def setUp(self):
        self.engine = stepwell.Engine(debug=True)
        self.module = Module(self.engine, guests.of_c("ATTACH"))
        self.store = Store(self.engine)
        self.addCleanup(self.store.close)
        self.debugger = None
        self.seen = []
        self.at = lambda: None
        self.ends = False
        self.exports = Instance(self.store, self.module, {"h": {"at": lambda: self.at()}}).exports

    def attach(self):
        if self.debugger is None:
            self.debugger = Debugger(self.store, self.on_stop)
            self.debugger.break_at_function(None, "leaf")

    def on_stop(self, stop):
        self.seen.append([(frame.func_name, frame.is_production) for frame in stop.frames])
        top, outer = stop.frames[:2]
        self.assertEqual(len(top.locals), 1)
        for unknown in (lambda: outer.locals, lambda: outer.operands, lambda: outer.set_local(0, 1)):
            with self.assertRaises(Error) as refused:
                unknown()
            self.assertIn("production code", str(refused.exception))
        self.assertIn("production code", str(outer))
        self.assertGreater(outer.id, top.id)
        self.assertEqual(outer.instance.exports.end, top.instance.exports.end)
        if self.ends:
            self.exports.end.value = 1

    def detach(self):
        self.debugger.close()
        self.debugger = None

    def once_it_runs(self, do):
        """Has a thread do something when a guest has begun, however long this thread takes until then."""
        def run():
            while not stepwell._signals.running:
                time.sleep(0.001)
            time.sleep(0.05)
            do()

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    def test_in_a_host_function(self):
        self.at = self.attach
        for _ in range(2):
            self.seen.clear()
            self.assertEqual(self.exports.deep(30), 30 * 31 // 2 + 30)
            self.assertEqual(self.seen, [[("leaf", False)] + [("deep", True)] * (30 - n) for n in range(30)])
            self.detach()

    def test_from_another_thread(self):
        self.ends = True
        attacher = stepwell.Attacher(self.store, self.attach)
        thread = self.once_it_runs(attacher.request)
        self.assertGreater(self.exports.spin(1), 1)
        thread.join()
        self.assertEqual(self.seen, [[("leaf", False), ("spin", True)]])
        self.detach()
        attacher.request()
        attacher.cancel()
        self.assertEqual(self.exports.leaf(1), 2)
        self.assertIsNone(self.debugger)

    def test_what_it_raises_ends_the_guest(self):
        def fail():
            raise KeyError("a mistake")

        with self.assertRaises(TypeError):
            stepwell.Attacher(self.store, 7)
        attacher = stepwell.Attacher(self.store, fail)
        thread = self.once_it_runs(attacher.request)
        with self.assertRaises(KeyError):
            self.exports.spin(1)
        thread.join()
        attacher.request()
        with self.assertRaises(KeyError):
            self.exports.leaf(1)
        self.assertEqual(self.exports.leaf(1), 2)
        attacher.request()
        attacher.close()
        self.assertEqual(self.exports.leaf(1), 2)
        with self.assertRaises(ValueError):
            attacher.request()
        with self.assertRaises(Error):
            stepwell.Attacher(Store(stepwell.Engine()), fail)
        left = stepwell.Attacher(self.store, fail)
        self.store.close()
        left.request()


class Elsewhere(unittest.TestCase):
    """A guest computes on one thread; its stops are looked at on another."""

    def setUp(self):
        engine = stepwell.Engine(debug=True)
        self.module = Module(engine, guests.spins())
        self.store = Store(engine)
        self.exports = Instance(self.store, self.module).exports
        self.result = None

    def run_guest(self, *args):
        def work():
            try:
                self.result = self.exports.spin(*args)
            except BaseException as exception:
                self.result = exception

        thread = threading.Thread(target=work)
        thread.start()
        return thread

    def test_paused_changed_and_answered(self):
        stops = stepwell.StopQueue()
        debugger = Debugger(self.store, stops)
        pauser = stepwell.Pauser(debugger)
        self.assertIsNone(stops.next(0.001))
        thread = self.run_guest(0, 0)
        turns = []
        for i in range(40):
            self.assertTrue(pauser.pause())
            stop = stops.next()
            self.assertEqual(stop.reason, StopReason.PAUSE)
            frame = stop.frame()
            turns.append(frame.locals[0])
            self.exports.memory[3] = i
            self.assertEqual(self.exports.memory[3], i)
            with self.assertRaises(Error) as refused:
                self.exports.leaf()
            self.assertIn("another stack", str(refused.exception))
            with self.assertRaises(Error):
                debugger.close()
            debugger.remove(debugger.break_at_function(self.module, "leaf"))
            if i % 5 == 4:
                stop.step()
                stops.answer(stop)
                with self.assertRaises(ValueError):
                    stops.answer(stop)
                stop = stops.next()
                self.assertEqual(stop.reason, StopReason.STEP)
            if i == 39:
                stop.frame().set_local(1, 1)
            stops.answer(stop)
        thread.join()
        self.assertGreater(len(set(turns)), 30)
        self.assertIsInstance(self.result, int)
        # The next call is paused at its first instruction, unless the pause is taken back.
        pauser.pause()
        pauser.cancel()
        self.assertEqual(self.exports.spin(6, 1), 7)
        pauser.pause()
        thread = self.run_guest(0, 0)
        stops.answer(stops.next(), Trap("enough"))
        thread.join()
        self.assertIsInstance(self.result, Trap)
        self.assertIn("enough", str(self.result))
        # A queue that is closed lets guests go on.
        pauser.pause()
        thread = self.run_guest(8, 1)
        self.assertIsNotNone(stops.next())
        stops.close()
        thread.join()
        self.assertEqual(self.result, 9)
        self.assertIsNone(stops.next())
        pauser.pause()
        self.assertEqual(self.exports.spin(6, 1), 7)
        debugger.close()
        self.store.close()
        self.assertTrue(pauser.pause())

    def test_lent_by_hand(self):
        seen = []

        def on_stop(stop):
            def look():
                seen.append((stop.frame_count, stop.frame().locals[0]))

            def wait():
                thread = threading.Thread(target=look)
                thread.start()
                thread.join()

            stop.serve(wait)
            with self.assertRaises(ZeroDivisionError):
                stop.serve(lambda: 1 // 0)

        with Debugger(self.store, on_stop) as debugger:
            debugger.break_at_function(self.module, "spin")
            self.assertEqual(self.exports.spin(3, 1), 4)
        self.assertEqual(seen, [(1, 3)])


class Lines(unittest.TestCase):
    """Steps by lines of the source, out of frames, and to a place."""

    def setUp(self):
        engine = stepwell.Engine(debug=True)
        self.module = Module.from_file(engine, ROOT / "tests/support/steps/steps.wasm")
        self.store = Store(engine)
        self.addCleanup(self.store.close)
        self.exports = Instance(self.store, self.module).exports

    def lines(self, begin, call, then):
        """The lines at which `call()` stops, from the line `begin` on, and how many frames there are; `then` says how to go on."""
        seen = []

        def on_stop(stop):
            for breakpoint in stop.breakpoints:
                breakpoint.remove()
            seen.append((stop.frame().source[0].line, stop.frame_count))
            return then(stop, len(seen))

        with Debugger(self.store, on_stop) as debugger:
            debugger.break_at_line(self.module, "steps.c", begin)
            call()
        return seen

    def test_by_lines(self):
        said = (ROOT / "tests/support/steps/steps.gdb").read_text().split("\n")[1]
        expected = [int(place.split(":")[1]) for place in said.split()[1:]]
        for then in (lambda stop, _: stop.next_line(), lambda stop, _: Action.NEXT_LINE):
            seen = self.lines(28, lambda: self.exports.run(3), then)
            self.assertEqual([line for line, _ in seen], expected)
        for then in (lambda stop, _: stop.step_line(), lambda stop, _: Action.STEP_LINE):
            seen = self.lines(57, lambda: self.exports.dive(1), then)
            self.assertEqual(seen, [(57, 1), (15, 2), (17, 2), (15, 3), (16, 3), (19, 3), (17, 2), (18, 2), (19, 2), (57, 1), (58, 1)])

    def test_out_of_frames(self):
        def then(stop, count):
            if stop.frame_count < 6 and stop.frame_count >= (count > 1):
                return stop.step_line() if count < 12 else None
            with self.assertRaises(Error):
                stop.step_out_of(stop.frame_count)
            with self.assertRaises(ValueError):
                stop.step_out_of(-1)
            stop.step_out_of(4)

        seen = self.lines(57, lambda: self.exports.dive(9), then)
        deepest = next(i for i, (_, depth) in enumerate(seen) if depth == 6)
        self.assertEqual(seen[deepest + 1], (17, 2))
        # Without saying of how many, it is one.
        seen = self.lines(15, lambda: self.exports.dive(9), lambda stop, count: Action.STEP_OUT_OF if count == 1 else None)
        self.assertEqual(seen, [(15, 2), (57, 1)])

    def test_to_a_place(self):
        def then(stop, count):
            if count > 1:
                return
            for wrong in (lambda: stop.run_to_line(8), lambda: stop.run_to(0)):
                with self.assertRaises(Error):
                    wrong()
            for wrong in (lambda: stop.run_to_line(-1), lambda: stop.run_to(-1)):
                with self.assertRaises(ValueError):
                    wrong()
            where(stop)

        for where in (lambda stop: stop.run_to_line(38), lambda stop: stop.run_to(self.module.find_source("steps.c", 38)[0])):
            self.assertEqual(self.lines(28, lambda: self.exports.run(3), then), [(28, 1), (38, 1)])
        # A place that is not come to: the caller is.
        self.assertEqual(self.lines(17, lambda: self.exports.dive(3), lambda stop, count: stop.run_to_line(16) if count == 1 else None),
                         [(17, 2), (57, 1)])
        with self.assertRaises(Trap) as none:
            self.lines(28, lambda: self.exports.run(3), lambda stop, _: Action.RUN_TO)
        self.assertIn("has said none", str(none.exception))

    def test_answered_elsewhere(self):
        stops, result = stepwell.StopQueue(), []
        debugger = Debugger(self.store, stops)
        debugger.break_at_line(self.module, "steps.c", 28)
        thread = threading.Thread(target=lambda: result.append(self.exports.run(3)))
        thread.start()
        seen = []
        for answer in (lambda stop: stop.run_to_line(32), lambda stop: stop.step_line(), lambda stop: stop.step_out_of(1),
                       lambda stop: stop.next_line(), lambda stop: stop.resume()):
            stop = stops.next()
            seen.append((stop.frame().source[0].line, stop.frame_count))
            answer(stop)
            stops.answer(stop)
        thread.join()
        debugger.close()
        self.assertEqual(seen, [(28, 1), (32, 1), (12, 2), (32, 1), (33, 1)])
        self.assertEqual(len(result), 1)


class Stepping(Case):
    def test_every_instruction(self):
        debugger = self.attach(lambda stop: Action.STEP)
        debugger.break_at_function(self.module, "calls")
        self.assertEqual(self.exports.calls(5), 8)
        add = [wasm.LOCAL_GET, wasm.LOCAL_GET, wasm.I32_ADD, wasm.END]
        calls = [wasm.LOCAL_GET, wasm.I32_CONST, wasm.CALL]
        expected = [
            *((4, op) for op in calls), *((0, op) for op in add), (4, wasm.LOCAL_SET),
            *((4, op) for op in calls), *((0, op) for op in add), (4, wasm.END)]
        self.assertEqual([stop[1:] for stop in self.stops], expected)
        self.assertEqual([stop[0] for stop in self.stops], ["BREAKPOINT"] + ["STEP"] * 15)

    def test_over(self):
        debugger = self.attach(lambda stop: Action.STEP_OVER)
        debugger.break_at_function(self.module, "calls")
        self.exports.calls(5)
        self.assertEqual({stop[1] for stop in self.stops}, {4})
        self.assertEqual(len(self.stops), 8)

    def test_out(self):
        debugger = self.attach(lambda stop: Action.STEP_OUT)
        debugger.break_at_function(self.module, "fact")
        self.exports.factorial(3)
        self.assertEqual([stop[0] for stop in self.stops], ["BREAKPOINT"] * 4 + ["STEP"] * 3)

    def test_by_methods_of_the_stop(self):
        def recording(answer):
            self.stops.clear()
            with self.attach(answer) as debugger:
                debugger.break_at_function(self.module, "calls")
                self.exports.calls(5)
            return list(self.stops)

        for method, action in ((stepwell.Stop.step, Action.STEP), (stepwell.Stop.step_over, Action.STEP_OVER),
                               (stepwell.Stop.step_out, Action.STEP_OUT), (stepwell.Stop.resume, Action.CONTINUE)):
            self.assertEqual(recording(method), recording(lambda stop: action), method)
        # What is returned counts for more, and the last that was called.
        over = recording(lambda stop: Action.STEP_OVER)
        self.assertEqual(recording(lambda stop: (stop.step_out(), stop.step_over(), Action.STEP_OVER)[2]), over)
        self.assertEqual(recording(lambda stop: (stop.step_out(), stop.step_over(), None)[2]), over)

    def test_ending_the_guest_by_an_action(self):
        debugger = self.attach(lambda stop: Action.TRAP)
        debugger.break_at_function(self.module, "calls")
        with self.assertRaises(Trap) as caught:
            self.exports.calls(5)
        self.assertEqual(caught.exception.frames[0].func_name, "calls")

    def test_always(self):
        debugger = self.attach()
        debugger.step_always()
        self.exports.add(1, 2)
        self.assertEqual(len(self.stops), 4)
        debugger.step_always(False)
        self.exports.add(1, 2)
        self.assertEqual(len(self.stops), 4)


    def test_exceptions(self):
        engine = stepwell.Engine(debug=True)
        store = stepwell.Store(engine)
        exports = stepwell.Instance(store, stepwell.Module(engine, guests.exceptions())).exports
        seen = []

        def on_stop(stop):
            self.assertEqual(stop.reason, StopReason.EXCEPTION)
            self.assertIsNone(stop.trap_code)
            seen.append(stop.catching_frame and (stop.catching_frame.func_name, stop.catching_frame.index))

        debugger = stepwell.Debugger(store, on_stop)
        for which, expected in [
            (None, []),
            (ExceptionStops.UNCAUGHT, [None]),
            (ExceptionStops.ALL, [("caught", 1), None]),
            (ExceptionStops.NONE, []),
        ]:
            if which is not None:
                debugger.stop_at_exceptions(which)
            self.assertEqual(exports.caught(7), 7)
            with self.assertRaises(Trap):
                exports.uncaught(9)
            self.assertEqual(seen, expected)
            seen.clear()
        with self.assertRaises(ValueError):
            debugger.stop_at_exceptions(3)


class Frames(Case):
    def test_locals_and_operands(self):
        seen = []

        def then(stop):
            frame = stop.frame()
            seen.append((dict(frame.locals), frame.operands))
            self.assertEqual((frame.locals["left"], frame.locals["right"]), (frame.locals[0], frame.locals[1]))
            self.assertEqual(frame.locals.by_name(), {"left": frame.locals[0], "right": frame.locals[1]})
            with self.assertRaises(KeyError):
                frame.locals["nothing"]
            for write in (lambda: frame.locals.__setitem__(0, 1), lambda: frame.locals.update({0: 1}), frame.locals.clear):
                self.assertRaises(TypeError, write)
            return Action.STEP
        debugger = self.attach(then)
        debugger.break_at_function(self.module, "add")
        self.exports.add(20, -3)
        self.assertEqual(seen, [({0: 20, 1: -3}, operands) for operands in ([], [20], [20, -3], [17])])

    def test_source(self):
        module = Module.from_file(self.engine, ROOT / "c-examples" / "guest" / "warehouse.wasm")
        text = (ROOT / "c-examples" / "guest" / "warehouse.c").read_text().splitlines()
        line = next(i for i, said in enumerate(text, 1) if "EXPORT(divide)" in said)
        seen = []

        def then(stop):
            seen.append(stop.frame().source[0])
            self.assertIn(f"warehouse.c:{seen[-1].line}", str(stop))

        with Store(self.engine) as store:
            exports = Instance(store, module, defaults=True).exports
            with Debugger(store, then) as debugger:
                placed = debugger.break_at_source(module, "warehouse.c", line)
                self.assertEqual([p.offset for p in placed], module.find_source("warehouse.c", line))
                self.assertEqual(exports.divide(7, 2), 3)
                with self.assertRaises(Error):
                    debugger.break_at_source(module, "warehouse.c", 1 << 20)
                with self.assertRaises(Error):
                    debugger.break_at_source(module, "elsewhere.c", 1)
            with self.assertRaises(Trap) as caught:
                exports.divide(1, 0)
        self.assertEqual((seen[0].function, seen[0].file.endswith("warehouse.c")), ("divide", True))
        self.assertTrue(line <= seen[0].line <= line + 3)
        trapped = caught.exception.frames[0]
        self.assertEqual(trapped.source, module.source(trapped.offset))
        self.assertEqual(trapped.source[0].function, "divide")
        self.assertEqual(module.source(0), [])
        self.assertEqual(self.module.source(50), [])

    def test_split_dwarf(self):
        folder = ROOT / "tests" / "support" / "split"
        path, package = folder / "split5.wasm", (folder / "split5.dwp").read_bytes()
        module = Module.from_file(self.engine, path)
        offset = module.find_source("orders.h", 14)[0]
        self.assertEqual([place.function for place in module.source(offset)], [None])
        self.assertEqual(module.missing_split_dwarf, ["nothing.dwo", "orders.dwo", "settle.dwo"])
        with self.assertRaises(Error) as caught:
            module.add_split_dwarf(path.read_bytes())
        self.assertEqual(caught.exception.code, ErrorCode.ARGUMENT)
        module.add_split_dwarf((folder / "orders5.dwo").read_bytes())
        self.assertEqual(module.missing_split_dwarf, ["nothing.dwo", "settle.dwo"])
        given = Module.from_file(self.engine, path, split_dwarf=package)
        loaded = Module.deserialize(self.engine, given.serialize())
        self.assertEqual((given.missing_split_dwarf, len(loaded.missing_split_dwarf)), ([], 3))
        loaded.add_split_dwarf(memoryview(package))
        for known in [module, given, loaded, Module(self.engine, path.read_bytes(), split_dwarf=bytearray(package))]:
            self.assertEqual([place.function for place in known.source(offset)], ["quotient", "share", "discount"])
        with Store(self.engine) as store:
            with self.assertRaises(Trap) as trap:
                Instance(store, given).exports.divide(1, 0)
        self.assertEqual([place.function for place in trap.exception.frames[0].source], ["quotient", "share", "divide"])

    def test_callers(self):
        seen = []

        def then(stop):
            if stop.frame_count == 3:
                seen.append(([f.locals["n"] for f in stop.frames], [f.operands for f in stop.frames]))
                seen.append({f.func_name for f in stop.frames})
                self.assertEqual(len({f.id for f in stop.frames}), 3)
                self.assertEqual({self.binary[f.offset] for f in stop.frames[1:]}, {wasm.CALL})
                self.assertIs(stop.frame(2).module, self.module)
                self.assertEqual(stop.frame(2).instance.exports["add"], self.exports.add)
                with self.assertRaises(IndexError):
                    stop.frame(3)
                self.assertIn("#2 fact at ", str(stop))
                self.assertIn("n=3", str(stop))
        debugger = self.attach(then)
        debugger.break_at_function(self.module, "fact")
        self.assertEqual(self.exports.factorial(3), 6)
        self.assertEqual(seen[0], ([1, 2, 3], [[], [2, 1], [3, 2]]))
        self.assertEqual(seen[1], {"fact"})

    def test_through_the_host(self):
        module = Module(self.engine, guests.calls_host())
        exports = Instance(self.store, module, [lambda: self.exports.add(1, 2) and None]).exports
        seen = []
        debugger = Debugger(self.store, lambda stop: seen.extend((f.func_index, f.called_through_host, f.host_symbol) for f in stop.frames))
        debugger.break_at_function(self.module, "add")
        exports.outer()
        self.assertEqual(seen, [(0, False, None), (1, True, None), (2, False, None)])

    def test_references(self):
        module = Module(self.engine, guests.state())
        exports = Instance(self.store, module).exports
        seen = []
        debugger = Debugger(self.store, lambda stop: seen.append(stop.frame().locals[0]))
        for name in ("same", "same_func"):
            debugger.break_at_function(module, name)
        thing = stepwell.ExternRef(self.store, "thing")
        exports.same(thing)
        exports.same(None)
        exports.same_func(exports.two)
        self.assertEqual(seen, [thing, None, exports.two])

    def test_state_is_changed_inside_a_stop(self):
        module = Module(self.engine, guests.state())
        exports = Instance(self.store, module).exports

        def on_stop(stop):
            instance = stop.frame().instance
            instance.memory().write(8, b"\7\0\0\0")
            instance.exports.counter.value += 1
        Debugger(self.store, on_stop).break_at_function(module, "load")
        self.assertEqual(exports.load(8), 7)
        self.assertEqual(exports.counter.value, -4)

    def test_used_after_the_stop(self):
        kept = []

        def then(stop):
            kept.extend((stop, stop.frame(), stop.reason, stop.frame().offset))
        self.attach(then).break_at_function(self.module, "add")
        self.exports.add(1, 2)
        stop, frame, reason, offset = kept
        self.assertEqual((stop.reason, frame.offset), (reason, offset))
        for use in (lambda: stop.frame_count, lambda: stop.frame(1), lambda: frame.operands, lambda: frame.instance, lambda: frame.id):
            with self.assertRaisesRegex(ValueError, "the stop is over"):
                use()


class Events(Case):
    def test_trap(self):
        seen = []

        def then(stop):
            seen.append((stop.reason, stop.trap_code, stop.trap_message, dict(stop.frame().locals)))
            return Action.CONTINUE
        self.attach(then)
        with self.assertRaises(Trap) as caught:
            self.exports.div(5, 0)
        self.assertEqual(caught.exception.trap_code, TrapCode.INTEGER_DIVISION_BY_ZERO)
        self.assertEqual(
            seen, [(StopReason.TRAP, TrapCode.INTEGER_DIVISION_BY_ZERO, "integer divide by zero", {0: 5, 1: 0})])

    def test_exception_ends_the_guest(self):
        raised = ZeroDivisionError("in the callback")

        def then(stop):
            raise raised
        debugger = self.attach(then)
        debugger.break_at_function(self.module, "add")
        with self.assertRaises(ZeroDivisionError) as caught:
            self.exports.calls(1)
        self.assertIs(caught.exception, raised)
        self.then = lambda stop: "no action"
        with self.assertRaises(ValueError):
            self.exports.calls(1)
        self.then = lambda stop: None
        self.assertEqual(self.exports.calls(1), 4)

    def test_exception_at_a_trap(self):
        def then(stop):
            raise LookupError(stop.trap_message)
        self.attach(then)
        with self.assertRaisesRegex(LookupError, "integer divide by zero"):
            self.exports.div(5, 0)
        self.then = lambda stop: None
        self.assertEqual(self.exports.div(5, 1), 5)

    def test_ending_the_guest_by_a_trap(self):
        debugger = self.attach(lambda stop: Trap("that is enough"))
        debugger.break_at_function(self.module, "add")
        with self.assertRaises(Trap) as caught:
            self.exports.calls(1)
        self.assertEqual(caught.exception.message, "that is enough")
        self.assertEqual([f.func_index for f in caught.exception.frames], [0, 4])

    def test_nested_stops(self):
        depths = []

        def then(stop):
            depths.append(stop.frame_count)
            if len(depths) < 4:
                self.assertEqual(self.exports.add(10, 1), 11)
        self.attach(then).break_at_function(self.module, "add")
        self.assertEqual(self.exports.add(40, 2), 42)
        self.assertEqual(depths, [1, 2, 3, 4])

    def test_host_function_fails_under_a_debugger(self):
        module = Module(self.engine, guests.calls_host())

        def fail():
            raise KeyError("host")
        exports = Instance(self.store, module, [fail]).exports
        debugger = Debugger(self.store, lambda stop: Action.STEP)
        debugger.break_at_function(module, "outer")
        for _ in range(3):
            with self.assertRaises(KeyError):
                exports.outer()


class Attaching(Case):
    def test_needs_an_engine_for_it(self):
        engine = stepwell.Engine()
        with Store(engine) as store, self.assertRaises(Error) as caught:
            Debugger(store, print)
        self.assertEqual(caught.exception.code, ErrorCode.STATE)
        with self.assertRaises(TypeError):
            Debugger(self.store, 5)

    def test_one_per_store(self):
        debugger = self.attach()
        self.assertIs(self.store.debugger, debugger)
        with self.assertRaises(Error) as caught:
            self.attach()
        self.assertEqual(caught.exception.code, ErrorCode.STATE)

    def test_detach_and_attach_again(self):
        for _ in range(3):
            with self.attach() as debugger:
                debugger.break_at_function(self.module, "add")
                self.exports.add(1, 2)
                self.assertEqual(len(self.stops), 1)
            self.assertIsNone(self.store.debugger)
            self.exports.add(1, 2)
            self.assertEqual(len(self.stops), 1)
            with self.assertRaisesRegex(ValueError, "closed"):
                debugger.break_at_function(self.module, "add")
            self.stops.clear()

    def test_not_while_the_guest_runs(self):
        refused = []

        def then(stop):
            for wrong in (stop.debugger.close, stop.store.close):
                with self.assertRaises(Error) as caught:
                    wrong()
                refused.append(caught.exception.code)
        debugger = self.attach(then)
        debugger.break_at_function(self.module, "add")
        self.assertEqual(self.exports.add(1, 2), 3)
        self.assertEqual(refused, [ErrorCode.STATE] * 2)
        debugger.close()

    def test_stays_without_a_reference(self):
        self.attach().break_at_function(self.module, "add")
        gc.collect()
        self.exports.add(1, 2)
        self.assertEqual(len(self.stops), 1)


class Example(unittest.TestCase):
    def test_debug(self):
        env = {**os.environ, "STEPWELL_LIBRARY": _loader.path, "PYTHONPATH": str(ROOT / "python")}
        done = subprocess.run(
            [sys.executable, str(ROOT / "python" / "examples" / "debug.py")], env=env, capture_output=True, text=True, timeout=100)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("stopped by breakpoint 1\n  #0 fib (warehouse.c:110) at ", done.stdout)
        self.assertIn("integer divide by zero", done.stdout)
        self.assertIn("the guest's results were the same with and without a debugger", done.stdout)
