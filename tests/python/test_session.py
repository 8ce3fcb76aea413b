"""The prompt at a stop, and sessions."""
import builtins
import io
import os
import pty
import re
import select
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
import unittest
from pathlib import Path
from unittest import mock

import stepwell
import stepwell.testing
from stepwell import Action, Debugger, Engine, Error, ErrorCode, Events, Instance, Module, Quit, Session, StopReason, Store, Trap
from stepwell.prompt import _LONG, _SHORT, Prompt
from test_interrupt import PROLOGUE, Case as Child
from wasm import CALL, I32_CONST, LOCAL_GET, Builder, code, s, u

HOSTILE = "<script>alert(1)</script>\x1b[2J"
FOLDER = str(Path(stepwell.testing.__file__).parent)


class Case(unittest.TestCase):
    def setUp(self):
        self.engine = Engine(debug=True)
        self.store = Store(self.engine)
        self.addCleanup(self.store.close)
        self.module = Module(self.engine, stepwell.testing.guest())
        self.instance = Instance(self.store, self.module, defaults=True)
        self.exports = self.instance.exports
        self.debugger = Debugger(self.store)
        self.debugger.source_folders.append(FOLDER)

    def ask(self, commands, call=None, end=Quit, place="deliver"):
        """What is said to these commands, one a line; the lines of each without the prompt. `end` is what the call raises, or returns."""
        if place:
            self.debugger.break_at_function(self.module, place)
        out = io.StringIO()
        before = self.debugger._on_stop
        stdin = io.StringIO("".join(line + "\n" for line in commands))
        self.debugger._on_stop = lambda stop: stop.interact(stdin, out)
        try:
            result = (call or (lambda: self.exports.run(2)))()
        except BaseException as error:
            result = type(error)
        finally:
            self.debugger._on_stop = before
        self.assertEqual(result, end, out.getvalue())
        self.said = out.getvalue().split(Prompt.prompt)
        return [part.strip("\n").split("\n") for part in self.said]


class Commands(Case):
    def test_a_conversation(self):
        said = self.ask([
            "bt", "l", "l", "l 1,2", "l .", "p o->number", "whatis o", "args", "up", "locals", "d", "set o->number = 17", "p o->number", "display o->number", "n",
            "s 2", "info display", "undisplay o->number", "fin", "c"])
        self.assertEqual(said[0], ["stopped by breakpoint 1", "> #0 deliver (warehouse.c:367) at 0x83b",
                                   "  367 -> NOINLINE static int deliver(order *o, int round) {"])
        where, first, second, third, again = said[1:6]
        self.assertEqual(where, ["> #0 deliver (warehouse.c:367) at 0x83b", "  #1 run (warehouse.c:407) at 0x651"])
        lines = (Path(FOLDER) / "warehouse.c").read_text().split("\n")
        self.assertEqual([(int(line[:5]), line[9:]) for line in first], [(n, lines[n - 1]) for n in range(362, 373)])
        self.assertEqual([line[6:8] for line in first], ["  "] * 5 + ["->"] + ["  "] * 5)
        self.assertEqual([int(line[:5]) for line in second], list(range(373, 384)))
        self.assertEqual([int(line[:5]) for line in third], [1, 2])
        self.assertEqual(again, first)
        self.assertEqual(said[6:8], [["1"], ["order *"]])
        self.assertRegex(said[8][0], r"^o: order \* = 0x")
        self.assertEqual(said[8][1], "round: int = 0")
        self.assertEqual(said[9], ["> #1 run (warehouse.c:407) at 0x651", "  407 ->         deliver(&orders[i], i);"])
        self.assertIn("count: int = 2", said[10])
        self.assertEqual(said[12:15], [["o->number = 17"], ["17"], ["display o->number: 17"]])
        self.assertEqual(said[15], ["stopped by step", "> #0 deliver (warehouse.c:368) at 0x84c",
                                    "  368 ->     good *g = find_good(o->good);", "display o->number: 17"])
        self.assertRegex(said[16][1], r"#0 hash \(")
        self.assertTrue(said[17][0].startswith("display o->number: (in `o->number`, at column 1: there is no variable `o`"), said[17])
        self.assertEqual(said[18], [""])
        self.assertEqual(said[19][0], "stopped by step")
        self.assertNotIn("display", "".join(said[19]))

    def test_every_command_by_every_name(self):
        """Each can be asked for help, and none but those that go on leaves the prompt."""
        commands = [f"help {name}" for name in _LONG] + [f"help {short}" for shorts in _SHORT.values() for short in shorts]
        said = self.ask([*commands, "help", "help nothing", "?bt", "h step"])
        for command, lines in zip(commands, said[1:]):
            self.assertTrue(lines[0].startswith(command.split()[1]) or f", {command.split()[1]}" in lines[0], (command, lines))
            self.assertGreater(len(lines), 1, command)
        self.assertEqual(said[len(commands) + 2], ["*** no such command: nothing"])
        listed = " ".join(said[len(commands) + 1])
        for name in _LONG:
            self.assertIn(name, listed.split())
        for name in _SHORT:
            self.assertIn(name, _LONG)

    def test_faults_keep_the_prompt(self):
        wrong = [
            "p", "p o->", "p nothing", "set", "set o", "set nothing = 3", "whatis nothing", "up 99x", "up -1", "d", "frame 99999999999999", "l 99999", "b 99999",
            "b *1", "b *x", "b deliver if local(", "tbreak", "watch nothing", "clear 99", "clear x", "clear nofile.c:3", "enable 9", "condition 1 local(",
            "ignore 9", "unwatch 9", "until 99999", "info", "info nothing", "x", "x nothing", "x 99999999", "s x", "n -1", "undisplay nothing", "! 1/0", "! syntax error",
            "nonsense", "frob the thing", "! raise SystemExit"]
        said = self.ask([*wrong, "p o->number"])
        for command, lines in zip(wrong, said[1:]):
            self.assertTrue(lines[0].startswith("***"), (command, lines))
            self.assertNotIn("stepwell_", "".join(lines))
        self.assertEqual(said[len(wrong) + 1], ["1"])

    def test_breakpoints(self):
        said = self.ask([
            "b fib if local(0) == 3", "tb run", "b warehouse.c:381", "b nobody", "b 376, local(0) == 0", "b *0x83b", "disable 4", "watch o->number", "b", "ignore 4 2", "enable 4",
            "clear 1 7", "clear warehouse.c:381", "unwatch", "info b", "condition 6 local(0) < 5", "clear", "info breakpoints", "info watchpoints"])
        self.assertEqual(said[1:7], [
            ["Breakpoint 2 at 0xbf (warehouse.c:110)"], ["Breakpoint 3 at 0x2ae (warehouse.c:389)"], ["Breakpoint 4 at 0x906 (warehouse.c:381)"],
            ["Breakpoint 5 at no place yet: no module of the store has that; it waits for one that comes"], said[5], ["Breakpoint 7 at 0x83b (warehouse.c:367)"]])
        self.assertRegex(said[5][0], r"^Breakpoint 6 at 0x[0-9a-f]+ \(warehouse.c:376\)$")
        self.assertEqual(said[8], ["Watchpoint 1: CHANGE of o->number"])
        self.assertEqual(said[9][0:2], ["Breakpoint 1 at 0x83b (warehouse.c:367), hits: 1", "Breakpoint 2 at 0xbf (warehouse.c:110), if local(0) == 3"])
        self.assertIn("not enabled", said[9][3])
        self.assertIn("if local(0) == 0", said[9][5])
        self.assertEqual((said[12], said[13]), (["removed: 1, 7"], ["removed: 4"]))
        self.assertEqual(len(said[15]), 4)
        self.assertEqual(said[17], ["removed: 2, 3, 5, 6"])
        self.assertEqual((said[18], said[19]), ([""], [""]))
        self.assertEqual((self.debugger.breakpoints, self.debugger.watchpoints), ([], []))

    def test_a_condition_and_a_temporary_one_stop_the_guest(self):
        said = self.ask(["tb fib, local(0) == 3", "c", "! frame.locals[0]", "info b", "clear", "c"], call=lambda: (self.exports.fib(5), self.exports.fib(4))[1], end=3, place="fib")
        self.assertEqual((said[2][0], said[3]), ("stopped by breakpoint 1, 2", ["3"]))

    def test_steps_that_are_many(self):
        said = self.ask(["n 2", "", "until", "until 380", "b"], end=Quit)
        self.assertEqual([part[0] for part in said[1:4]], ["stopped by step"] * 3)
        lines = [int(re.search(r"warehouse.c:(\d+)", part[1]).group(1)) for part in said[1:4]]
        self.assertEqual(lines[0], 369)  # two lines on, in one stop
        self.assertGreater(lines[1], lines[0])
        self.assertGreater(lines[2], lines[1])
        self.debugger.remove_all(self.debugger.breakpoints)
        # `until` leaves a loop, where `next` goes around.
        said = self.ask(["until", "until", "until", "until", "q"], call=lambda: self.exports.run(3), place="run")
        lines = [int(re.search(r"warehouse.c:(\d+)", part[1]).group(1)) for part in said[:5]]
        self.assertEqual(lines, sorted(set(lines)))

    def test_lists(self):
        lines = (Path(FOLDER) / "warehouse.c").read_text().split("\n")
        said = self.ask(["l fib", "l warehouse.c:20", "l", "l 400", "l", "l 5,3", "l nobody", "l nofile.c:3", "l warehouse.c:x", "l 1,99999", "b 370", "l ."])
        numbers = [[int(line[:5]) for line in part] if not part[0].startswith("***") else part[0] for part in said[1:11]]
        around = [list(range(n - 5, n + 6)) for n in (110, 20, 31, 400)]
        self.assertEqual(numbers[:5], [*around, list(range(406, 417 if len(lines) > 416 else len(lines) + 1))])
        self.assertEqual(numbers[5], [5, 6, 7, 8])
        self.assertEqual(numbers[6], "*** nobody is no function whose line is known")
        self.assertTrue(numbers[7].startswith("*** nofile.c is not found") and numbers[8].startswith("*** x is no number"))
        self.assertEqual(numbers[9], list(range(1, 101)))
        self.assertEqual([line[6:8] for line in said[12]], ["  "] * 5 + ["->", "  ", "  ", "B ", "  ", "  "])

    def test_a_step_that_a_breakpoint_ends(self):
        """What is left of it is forgotten."""
        said = self.ask(["b report", "b 381", "n 50", "info b"], place="deliver")
        self.assertEqual(said[3][0], "stopped by breakpoint 3")
        self.assertEqual(len(said[4]), 3)

    def test_until_a_line_and_out_of_frames(self):
        said = self.ask(["until 381", "up", "finish", "q"])
        self.assertIn("warehouse.c:381", said[1][1])
        self.assertEqual(said[3], ["stopped by breakpoint 1", *said[0][1:]])  # of the next order: the caller did not return before
        self.debugger.remove_all(self.debugger.breakpoints)
        self.assertEqual(self.ask(["finish"], call=lambda: self.exports.fib(1), end=1, place="fib")[1], [""])

    def test_python(self):
        said = self.ask(["! stop.reason", "!exports.fib(10)", "python x = frame.locals[0]; print(x, store is debugger.store)", "! print(instance.exports.divide(6, 2))"])
        self.assertEqual(said[1:5], [["<StopReason.BREAKPOINT: 1>"], ["55"], [said[3][0]], ["3"]])
        self.assertTrue(said[3][0].endswith(" True"))

    def test_a_stop_within_a_prompt(self):
        self.debugger.break_at_function(self.module, "fib")
        said = self.ask(["! exports.fib(0)", "where", "c", "p o->number"])
        self.assertIn("> #0 fib (warehouse.c:110) at 0xbf", said[1])
        self.assertEqual(len(said[2]), 3)
        self.assertEqual(said[4], ["1"])

    def test_memory(self):
        self.exports.memory.write(0x1f000, b"Some text \x1b[2J and")
        self.assertEqual(self.ask(["x 0x1f000 20", "x o 4", f"x {len(self.exports.memory) - 4} 64"])[1:4], [
            ["   0x1f000  53 6f 6d 65 20 74 65 78 74 20 1b 5b 32 4a 20 61  Some text .[2J a", "   0x1f010  6e 64 00 00                                      nd.."],
            ["     0x690  01 00 00 00                                      ...."], ["   0x1fffc  00 00 00 00                                      ....", "*** " + self.said[3].split("*** ")[1].strip()]])

    def test_without_source(self):
        m = Builder()
        inner = m.func(["i32"], ["i32"], code(LOCAL_GET, u(0), I32_CONST, s(1), 0x6A), name="inner")
        m.func(["i32", "i64"], ["i32"], code(LOCAL_GET, u(0), CALL, u(inner), CALL, u(inner)), export="outer", name=HOSTILE)
        module = Module(self.engine, m.build())
        outer = Instance(self.store, module).exports.outer
        self.debugger.break_at_function(module, 1)
        said = self.ask(["l", "args", "locals", "n", "n", "s", "where", "wasm", "finish", "disas 1", "p x", "b 3", "info b", "c"], call=lambda: outer(5, 6), end=7, place=None)
        self.assertNotIn("\x1b", "".join(self.said))
        self.assertRegex(said[0][2], r"^ +0x[0-9a-f]+ -> local.get 0")
        self.assertEqual(len(said[1]), 3 + 1)
        self.assertEqual((said[2], said[3]), (["local 0: 5", "local 1: 6"],) * 2)
        self.assertIn("inner", said[6][1])  # the second `next` runs through the first call
        self.assertEqual(len(said[7]), 2)
        self.assertEqual(said[8], ["local 0: 6", "operands: none"])
        self.assertEqual(said[9][0], "stopped by step")
        self.assertTrue(said[11][0].startswith("***") and said[12][0].startswith("***"))

    def test_sources_that_are_not_there(self):
        self.debugger.source_folders.clear()
        with tempfile.TemporaryDirectory() as folder:
            os.mkfifo(Path(folder) / "warehouse.c")
            self.debugger.source_folders.append(folder)
            said = self.ask(["l"])
        self.assertEqual(len(said[0]), 2)
        self.assertRegex(said[1][0], r"^\*\*\* warehouse.c is not found: debugger.source_folders")
        self.debugger.remove_all(self.debugger.breakpoints)
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "warehouse.c").write_bytes(b"\n" * 366 + b"\x1b[2J\xff\tx" + b"y" * 100000)
            self.debugger.source_folders.append(folder)
            said = self.ask(["l"])
        self.assertNotIn("\x1b", "".join(self.said))
        self.assertIn("\\x1b[2J", said[0][2])
        self.assertLess(len(said[0][2]), 1000)

    def test_a_trap_and_an_event(self):
        said = self.ask(["bt", "c"], call=lambda: self.exports.divide(1, 0), end=Trap, place=None)
        self.assertRegex(said[0][0], "^stopped by trap: .*divi")
        self.debugger.events = Events.INSTANCE
        said = self.ask(["bt", "l", "up", "p x", "locals", "s"], call=lambda: bool(Instance(self.store, self.module, defaults=True)), end=True, place=None)
        self.assertEqual(said[0], ["stopped by instance", "no guest's function runs"])
        self.assertTrue(all(lines[0].startswith("***") or lines == [""] for lines in said[1:]), said)

    def test_input_of_a_notebook(self):
        """Without a stream, Python's `input` is asked, which notebooks have replaced; Ctrl-C there asks again."""
        answers = iter(["p o->number", KeyboardInterrupt, "c"])

        def ask(prompt=""):
            self.assertEqual(prompt, Prompt.prompt)
            answer = next(answers)
            if answer is KeyboardInterrupt:
                raise answer
            return answer

        self.debugger.break_at_function(self.module, "deliver").one_shot = True
        # Without readline, which would put variables into the environment that Python does not know of.
        with mock.patch.object(builtins, "input", ask), mock.patch.object(sys, "stdout", io.StringIO()) as out, \
                mock.patch.dict(sys.modules, readline=None):
            self.exports.run(1)
        self.assertEqual(out.getvalue().split("\n")[3:5], ["1", "--KeyboardInterrupt--"])


class Sessions(Case):
    def test_from_cell_to_cell(self):
        session = self.debugger.session()
        self.debugger.break_at_function(self.module, "deliver").one_shot = True
        self.assertIsInstance(session, Session)
        stop = session.call(self.exports.run, 2)
        self.assertEqual((stop.reason, session.stop is stop, session.done), (StopReason.BREAKPOINT, True, False))
        self.assertEqual(repr(session), f"<Session: {repr(stop)[1:-1]}>")
        self.assertEqual(session._repr_html_(), stop._repr_html_())
        self.assertEqual(stop.frame().variable("o->number").value, 1)
        self.assertEqual(self.exports.fib(10), 55)  # guests of the store may be called meanwhile
        second = session.next_line()
        self.assertTrue(stop.over)
        self.assertEqual((second.reason, second.frame().source[0].line), (StopReason.STEP, 368))
        for move in (session.step_line, session.step, session.step_over, session.step_out, lambda: session.step_out_of(0)):
            self.assertEqual(move().reason, StopReason.STEP)
        with self.assertRaisesRegex(Error, "stands already"):
            session.call(self.exports.fib, 3)
        self.assertIsNone(session.resume())
        self.assertEqual(session.result, self.exports.run(2))
        self.assertTrue(session.done)
        self.assertIsNone(session.call(self.exports.fib, 10))
        self.assertEqual(session.result, 55)
        for move in (session.resume, session.next_line):
            with self.assertRaises(Error) as refused:
                move()
            self.assertEqual(refused.exception.code, ErrorCode.STATE)
        self.assertEqual(repr(session), "<Session, in which no guest stands>")
        self.assertIsNone(session._repr_html_())
        session.close()
        session.close()
        self.assertEqual(repr(session), "<Session, closed>")
        with self.assertRaises(ValueError):
            session.call(self.exports.fib, 1)
        with self.assertRaises(ValueError), session:
            pass

    def test_run_to(self):
        with self.debugger.session() as session:
            placed = self.debugger.break_at_function(self.module, "deliver")
            session.call(self.exports.run, 1)
            placed.remove()
            self.assertEqual(session.run_to_line(381).frame().source[0].line, 381)
            offset = self.module.find_source("warehouse.c", 383)[0]
            self.assertEqual(session.run_to(offset).frame().offset, offset)
        self.assertTrue(session.closed)

    def test_what_a_guest_fails_by(self):
        def report(order, cost):
            raise LookupError(order)

        other = Instance(self.store, self.module, {"env": {"report": report}}).exports
        with self.debugger.session() as session:
            self.debugger.break_at_function(self.module, "deliver").one_shot = True
            self.assertIsNotNone(session.call(other.run, 1))
            with self.assertRaises(LookupError):
                session.resume()
            self.assertTrue(session.done)
            self.debugger.events = Events(0)
            with self.assertRaises(Trap):
                session.call(other.divide, 1, 0)
            self.debugger.events = Events.TRAP
            stop = session.call(other.divide, 1, 0)
            self.assertEqual(stop.reason, StopReason.TRAP)
            with self.assertRaises(Trap):
                session.resume()

    def test_given_up(self):
        self.debugger.break_at_function(self.module, "deliver")
        seen = []
        self.debugger._on_stop = seen.append
        with self.debugger.session() as session:
            stop = session.call(self.exports.run, 1)
            session.give_up()
            self.assertTrue(stop.over and session.done)
            session.give_up()
            stop = session.call(self.exports.run, 1)
        self.assertTrue(stop.over)
        self.assertEqual(seen, [])
        self.exports.run(1)
        self.assertEqual(len(seen), 1)  # stops are the handler's again
        self.debugger.close()

    def test_plain_calls_ask_at_the_prompt(self):
        self.debugger.break_at_function(self.module, "deliver")
        out = io.StringIO()
        with self.debugger.session(stdin=io.StringIO("p o->number\nc\np o->number\nq\n"), stdout=out):
            self.exports.run(5)
            self.fail("quit does not come back here")
        self.assertEqual(re.findall(r"^\(stepwell\) (\d+)$", out.getvalue(), re.M), ["1", "2"])
        with self.assertRaises(ZeroDivisionError), self.debugger.session():
            1 / 0

    def test_interact(self):
        self.debugger.break_at_function(self.module, "fib")
        out = io.StringIO()
        with self.debugger.session(stdin=io.StringIO("! frame.locals[0]\nc\n! frame.locals[0]\nclear\nc\nq\n"), stdout=out) as session:
            session.call(self.exports.fib, 3)
            self.assertEqual(session.interact(), 2)
            self.assertEqual(re.findall(r"^\(stepwell\) (\d+)$", out.getvalue(), re.M), ["3", "1"])
            self.debugger.break_at_function(self.module, "fib")
            session.call(self.exports.fib, 3)
            self.assertIsNone(session.interact())
            self.assertTrue(session.done)
        self.assertEqual(self.exports.divide(4, 2), 2)

    def test_stops_that_cannot_wait(self):
        """Those of guests that a host function calls, and of host functions' calls, ask at the prompt, and then the session goes on."""
        inner = self.exports
        other = Instance(self.store, self.module, {"env": {"report": lambda order, cost: inner.divide(6, 2) and None}}).exports
        self.debugger.break_at_function(self.module, "divide")
        out = io.StringIO()
        with self.debugger.session(stdin=io.StringIO("where\nc\nwhere\nc\n" * 2), stdout=out) as session:
            self.assertIsNone(session.call(other.run, 1))
            self.assertIn("#0 divide (warehouse.c", out.getvalue())
            self.debugger.events = Events.HOST_CALL
            self.debugger.remove_all(self.debugger.breakpoints)
            self.debugger.break_at_function(self.module, "deliver")
            self.assertEqual(session.call(other.run, 1).reason, StopReason.BREAKPOINT)
            self.assertIsNone(session.resume())
            self.assertIn("stopped by host", out.getvalue())

    def test_refused(self):
        with self.debugger.session() as session:
            with self.assertRaises(TypeError):
                session.call(print)
            with Store(self.engine) as store, self.assertRaisesRegex(Error, "another store"):
                session.call(Instance(store, self.module, defaults=True).exports.fib, 1)
            with self.assertRaises(TypeError):
                session.call(self.exports.fib)
        self.debugger.close()
        with self.assertRaises(ValueError):
            self.debugger.session()


class InAProcess(Child):
    def test_ctrl_c_in_a_session(self):
        """It is a stop, and the next one ends nothing that goes on by the prompt."""
        program = """
            start(debug=True)
            with stepwell.Debugger(store).session() as session:
                for _ in range(3):
                    soon(_thread.interrupt_main)
                    stop = session.call(exports.spin) if session.done else session.resume()
                    print(stop.reason.name, type(stop.interrupt).__name__, stop.frame().func_index)
                    time.sleep(1)
            works()
        """
        self.assertEqual(self.run_it(program), ["PAUSE", "KeyboardInterrupt", "1"] * 3)

    def test_in_a_terminal(self):
        """With line editing, completion and Ctrl-C of a real terminal, before and behind the prompt."""
        program = """
            import stepwell.testing
            start(debug=True)
            module = stepwell.Module(engine, stepwell.testing.guest())
            debugger = stepwell.Debugger(store)
            debugger.break_at_function(module, "deliver").one_shot = True
            stepwell.Instance(store, module, defaults=True).exports.run(1)
            print("done", flush=True)
            try:
                exports.spin()
            except KeyboardInterrupt:
                print("ended", flush=True)
        """
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path]), "TERM": "dumb"}
        child = subprocess.Popen([sys.executable, "-c", PROLOGUE + textwrap.dedent(program)], env=environment, stdin=slave, stdout=slave,
                                 stderr=subprocess.PIPE, text=True, start_new_session=True)
        os.close(slave)
        text = ""
        with child:
            self.addCleanup(child.kill)

            def until(what):
                nonlocal text
                ends = time.monotonic() + 30
                while what not in text:
                    if not select.select([master], [], [], max(ends - time.monotonic(), 0))[0] or child.poll() is not None:
                        child.kill()
                        self.fail(f"{what!r} is not said: {text!r} {child.stderr.read()}")
                    text += os.read(master, 4096).decode().replace("\r\n", "\n")
                said, text = text.split(what, 1)
                time.sleep(0.2)  # a signal that comes before it reads is seen when it has read
                return said

            def say(line):
                os.write(master, line.encode() + b"\n")
                until(line)

            self.assertIn("deliver (warehouse.c:367)", until("(stepwell) "))
            say("p o->number")
            self.assertEqual(until("(stepwell) ").strip(), "1")
            os.write(master, b"p o->num\t")
            os.write(master, b"\x15")
            time.sleep(0.3)
            child.send_signal(signal.SIGINT)
            until("--KeyboardInterrupt--")
            until("(stepwell) ")
            say("c")
            until("done")
            time.sleep(0.5)
            child.send_signal(signal.SIGINT)
            self.assertIn("Ctrl-C", until("(stepwell) "))
            say("c")
            child.send_signal(signal.SIGINT)  # this soon, and yet it is no second one: there was a prompt between them
            self.assertIn("Ctrl-C", until("(stepwell) "))
            say("q")
            self.assertIn("stepwell.prompt.Quit", child.stderr.read())
            self.assertEqual(child.wait(30), 1)

    def test_the_end_of_the_input(self):
        """Where nobody can be asked, the guest ends: it does not hang."""
        program = """
            start(debug=True)
            debugger = stepwell.Debugger(store)
            debugger.step_always()
            try:
                exports.count(3)
            except stepwell.Quit as quit:
                print(quit.message.split()[-1])
        """
        said = self.said(self.child(program, stdin=-3))
        self.assertEqual(said[-1], "prompt")


class Completion(Case):
    def test_it(self):
        found = []

        def on_stop(stop):
            prompt = Prompt(stop, stepwell.prompt.Remembered(), None, None)
            found.append((prompt.complete_print("o"), prompt.complete_b("del"), prompt.completenames("st"), prompt.complete_watch("zz")))
            return Action.CONTINUE

        self.debugger._on_stop = on_stop
        self.debugger.break_at_function(self.module, "deliver").one_shot = True
        self.exports.run(1)
        self.assertEqual(found, [(["o"], ["deliver"], ["step", "stepi"], [])])


if __name__ == "__main__":
    unittest.main()
