#!/usr/bin/env python3
"""Debugs programs with stepwell-run in a pseudo-terminal, as somebody would who knows gdb: `terminal_test.py STEPWELL-RUN`."""
import fcntl
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
GUEST = ROOT / "c-examples" / "guest"
PROGRAM = GUEST / "program.wasm"
STEPS = ROOT / "tests" / "support" / "steps" / "steps.wasm"
PROMPT = r"\(stepwell\) $"
DEADLINE = 60

RUN = None


def source_line(path, text):
    """Where a source has a text, as a line from 1."""
    lines = path.read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


def plain(text):
    """What is seen of what a terminal is sent."""
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]", "", text)
    return text.replace("\r\n", "\n").replace("\r", "")


class Terminal:
    """stepwell-run in a terminal of its own."""

    def __init__(self, *arguments, env=None, stdin=None, folder=None):
        environment = {"PATH": os.environ.get("PATH", ""), "TERM": "xterm", "NO_COLOR": "1", **(env or {})}
        environment = {name: value for name, value in environment.items() if value is not None}
        command = [RUN, *map(str, arguments)]
        self.raw = ""
        self.process, self.terminal = pty.fork()
        if not self.process:
            try:
                if stdin is not None:
                    os.dup2(stdin, 0)
                if folder:
                    os.chdir(folder)
                os.execve(RUN, command, environment)
            finally:
                os._exit(99)
        self.size(24, 100)

    def size(self, rows, columns):
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def send(self, text):
        os.write(self.terminal, text.encode())

    def read(self, seconds):
        """Reads what is there within so long; false at the end."""
        ready, _, _ = select.select([self.terminal], [], [], seconds)
        if not ready:
            return True
        try:
            data = os.read(self.terminal, 65536)
        except OSError:
            return False
        self.raw += data.decode(errors="replace")
        return bool(data)

    def until(self, pattern, what="", seconds=DEADLINE):
        """What is seen up to a pattern, which what is there must end with; it is forgotten."""
        end = time.monotonic() + seconds
        while not re.search(pattern, plain(self.raw)):
            if time.monotonic() > end:
                raise AssertionError(f"{what}: no `{pattern}` in:\n{plain(self.raw)}")
            if not self.read(0.2) and not re.search(pattern, plain(self.raw)):
                raise AssertionError(f"{what}: it ended without `{pattern}`:\n{plain(self.raw)}")
        seen, self.last_raw, self.raw = plain(self.raw), self.raw, ""
        return seen

    def type(self, line):
        """Types a line at the prompt; what is seen up to the next."""
        self.send(line + "\r")
        return self.until(rf"(?s)\n.*{PROMPT}", line)

    def end(self):
        """The exit status, once it has ended; and what was still to be seen."""
        deadline = time.monotonic() + DEADLINE
        while self.read(0.1) and time.monotonic() < deadline:
            if os.waitid(os.P_PID, self.process, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                while select.select([self.terminal], [], [], 0)[0] and self.read(0):
                    pass
                break
        _, status = os.waitpid(self.process, 0)
        self.process = None
        return os.waitstatus_to_exitcode(status), plain(self.raw)

    def modes(self):
        """Whether what is typed comes by lines, and is shown."""
        flags = termios.tcgetattr(self.terminal)[3]
        return bool(flags & termios.ICANON), bool(flags & termios.ECHO), bool(flags & termios.ISIG)

    def close(self):
        if self.process:
            os.kill(self.process, signal.SIGKILL)
            os.waitpid(self.process, 0)
        os.close(self.terminal)


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def debug(self, *arguments, **options):
        terminal = Terminal("--debug", *arguments, **options)
        self.addCleanup(terminal.close)
        terminal.until(PROMPT, "the first prompt")
        return terminal

    def sees(self, terminal, line, *patterns):
        """Types a line, and sees each pattern, in this order."""
        seen = terminal.type(line)
        at = 0
        for pattern in patterns:
            found = re.compile(pattern, re.M).search(seen, at)
            if not found:
                self.fail(f"{line}: `{pattern}` is not in, or not in this order:\n{seen}")
            at = found.end()
        return seen

    def module(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return path


class Sessions(Case):
    def test_a_session_of_somebody_who_knows_gdb(self):
        t = self.debug("--invoke", "run", STEPS, "3")
        source = STEPS.parent / "steps.c"
        total = source_line(source, "total = add(total, i);")
        self.sees(t, f"b steps.c:{total}", rf"^Breakpoint 1 at 0x[0-9a-f]+ in run at steps\.c:{total}$")
        self.sees(t, "tb deep if n == 1", r"^Temporary breakpoint 2 at ")
        self.sees(t, "info b", r"^1 +breakpoint +keep y ", r"^2 +breakpoint +del +y ", r"stop only if n == 1")
        self.sees(t, "r", rf"^Breakpoint 1, run \(n=3\) at steps\.c:{total}$", rf"^-> +{total} +total = add\(total, i\);$")
        self.sees(t, "info locals", r"^i = 0$", r"^total = 0$")
        self.sees(t, "s", r"^add \(a=0, b=0\) at steps\.c:\d+$", r"^-> .*int sum = a \+ b;$")
        self.sees(t, "bt", r"^\* #0 +add \(a=0, b=0\) at steps\.c:\d+$", rf"^  #1 +run \(n=3\) at steps\.c:{total}$")
        self.sees(t, "up", rf"^#1 +run \(n=3\) at steps\.c:{total}$")
        self.sees(t, "p total", r"^\$1 = 0$")
        self.sees(t, "down", r"^#0 +add")
        self.sees(t, "fin", r"^Run until add returns$", r"^Value returned: 0$", r"^run \(n=3\)")
        self.sees(t, "disable 1")
        self.sees(t, "c", r"^Temporary breakpoint 2, deep \(n=1\)")
        seen = self.sees(t, "info breakpoints", r"^1 +breakpoint +keep n ")
        self.assertNotIn("deep", seen)
        self.sees(t, "bt 2", r"#0 +deep \(n=1\)", r"#1 +deep \(n=2\)", r"More frames follow")
        self.sees(t, "bt -1", r"#3 +run \(n=3\)")
        self.sees(t, "p/x n", r"^\$2 = 0x1$")
        self.sees(t, "p n = 0", r"^\$3 = 0$")
        self.sees(t, "set var n = 1")
        self.sees(t, "p n", r"^\$4 = 1$")
        self.sees(t, "display n", r"^1: n = 1$")
        self.sees(t, "n", r"^1: n = 1$")
        self.sees(t, "")  # the same again
        self.sees(t, "undisplay 1")
        self.sees(t, "delete")
        self.sees(t, "info b", "No breakpoints")
        self.sees(t, "c", r"^\d+$", r"^\[The program exited normally\]$")
        self.sees(t, "bt", "the program is not running: `run` starts it")
        t.send("q\r")
        self.assertEqual(t.end()[0], 0)

    def test_lldbs_words(self):
        t = self.debug("--invoke", "run", STEPS, "3")
        self.sees(t, "breakpoint set --name twice", r"^Breakpoint 1 at .* in twice at steps\.c")
        self.sees(t, "breakpoint list", r"^1 +breakpoint")
        self.sees(t, "process launch", r"^Breakpoint 1, twice \(x=1\)")
        self.sees(t, "thread backtrace", r"#0 +twice", r"#1 +run")
        self.sees(t, "frame variable", r"^x = 1$")
        self.sees(t, "frame variable x", r"= 1$")
        self.sees(t, "expression -- x = 7", r"= 7$")
        self.sees(t, "thread step-in", r"^add \(a=7, b=7\)")
        self.sees(t, "thread step-out", r"^Value returned: 14$")
        self.sees(t, "register read", r"^pc +0x", r"^\$local0")
        self.sees(t, "memory read -c 16 16", r"^0x00000010: ([0-9a-f]{2} ){16}")
        self.sees(t, "breakpoint delete 1")
        self.sees(t, "process continue", r"exited normally")
        self.sees(t, "thread", "`thread` has: thread backtrace")

    def test_lines_and_functions_that_are_not_there(self):
        t = self.debug(PROGRAM)
        self.sees(t, "b nothing_like_it", "nothing_like_it")
        self.sees(t, "b program.c:99999", "program.c")
        self.sees(t, "frobnicate", "there is no command `frobnicate`", "`help` lists")
        self.sees(t, "p x", "the program is not running: `run` starts it")
        self.sees(t, "info nonsense", "there is no `info nonsense`: args, breakpoints")
        self.sees(t, "delete 7", "there is no breakpoint number 7")
        self.sees(t, "info b", "No breakpoints")
        self.sees(t, "help", "run, r", "break, b", "LLDB's words")
        self.sees(t, "help fin", "finish")
        self.sees(t, "un", "`un` may be")

    def test_steps_by_lines_are_those_that_gdb_does(self):
        # What gdb does with the same source, natively: `steps.gdb`.
        for line in (STEPS.parent / "steps.gdb").read_text().splitlines():
            command, *places = line.split()
            t = self.debug("--invoke", "run", STEPS, "3")
            self.sees(t, "b run")
            seen = self.sees(t, "r")
            got = []
            function = None
            for _ in range(200):
                header = re.search(r"^(?:Breakpoint 1, )?(\w+) \(.*\) at steps\.c:\d+$", seen, re.M)
                function = header[1] if header else function
                mark = re.search(r"^-> +(\d+) ", seen, re.M)
                if not mark:
                    break
                got.append(f"{function}:{mark[1]}")
                seen = t.type("" if len(got) > 2 else command)
            self.assertIn("exited normally", seen)
            self.assertEqual(got, places)

    def test_counts_ignore_and_conditions(self):
        t = self.debug("--invoke", "work", STEPS, "100")
        self.sees(t, "b add if b == 10", "Breakpoint 1")
        self.sees(t, "r", r"Breakpoint 1, add \(a=-?\d+, b=10\)")
        self.sees(t, "condition 1", "now stops always")
        self.sees(t, "c", r"b=11\)")
        self.sees(t, "ignore 1 5", "The next 5 times")
        self.sees(t, "c", r"b=17\)")
        self.sees(t, "c 3", r"b=20\)")
        self.sees(t, "info b", r"already hit \d+ times")
        self.sees(t, "until", r"->")
        self.sees(t, "advance add", r"b=21\)")
        self.sees(t, "cond 1 b == 50", "")
        self.sees(t, "c", r"b=50\)")
        self.sees(t, "kill", r"\[The program was killed\]")
        self.sees(t, "r", r"Breakpoint 1, add \(.*b=50\)")
        self.sees(t, "r", r"Breakpoint 1, add \(.*b=50\)")

    def test_watchpoints(self):
        t = self.debug("--invoke", "run", STEPS, "3")
        self.sees(t, "b run")
        self.sees(t, "r", "Breakpoint 1")
        self.sees(t, "watch total", r"^Watchpoint 2: total$")
        self.sees(t, "rwatch counter", r"^Watchpoint 3: counter$")
        self.sees(t, "info watchpoints", r"^2 +watchpoint .* total$", r"^3 +read watch .* counter$")
        self.sees(t, "c", r"^Watchpoint 2: total$", r"^Old value = 0$", r"^New value = 1$", r"^run \(n=3\)")
        self.sees(t, "c", r"^Watchpoint 2: total$", r"^Old value = 1$", r"^New value = 3$")
        self.sees(t, "delete 2")
        self.sees(t, "c", r"^Watchpoint 3: counter$", r"^Value = 0$")
        self.sees(t, "watch $stack0", "cannot be watched")
        self.sees(t, "c", "")
        # Those of a run end with it.
        self.sees(t, "delete")
        self.sees(t, "c", "exited normally")

    def test_memory_registers_and_instructions(self):
        t = self.debug("--invoke", "run", STEPS, "3")
        self.sees(t, "b twice")
        self.sees(t, "r", "Breakpoint 1")
        self.sees(t, "p &x", r"= ")
        self.sees(t, "x/1dw &x", r"^0x[0-9a-f]+:  1$")
        self.sees(t, "x/2xb &x", r"^0x[0-9a-f]+:  0x01  0x00$")
        self.sees(t, "x/xw &x", r"^0x[0-9a-f]+:  0x00000001$")
        self.sees(t, "x/1xb &x", r"^0x[0-9a-f]+:  0x01$")
        self.sees(t, "", r"^0x[0-9a-f]+:  0x00$")  # the next byte
        self.sees(t, "memory write &x 05", "1 bytes were written")
        self.sees(t, "p x", r"= 5$")
        self.sees(t, "p/t x", r"= 101$")
        self.sees(t, "p/z 10", r"= 0x0000000a$")
        self.sees(t, "p $local0", r"= -?\d+$")
        self.sees(t, "p $nothing", r"there is no register `\$nothing`")
        self.sees(t, "info registers", r"^pc +0x", r"^\$local0", r"^\$global0 \(__stack_pointer\)")
        self.sees(t, "disas", r"^twice:$", r"^=> 0x[0-9a-f]+: ")
        self.sees(t, "x/3i $pc", r"^=> 0x", r"^   0x", r"^   0x")
        pc = re.search(r"pc +(0x[0-9a-f]+)", t.type("info registers"))[1]
        seen = self.sees(t, "ni", r"")
        self.assertNotEqual(re.search(r"pc +(0x[0-9a-f]+)", t.type("info registers"))[1], pc, seen)
        self.sees(t, "si 3", "")
        self.sees(t, "return 40", r"^#0 +twice")
        self.sees(t, "fin", r"^Value returned: 40$")
        self.sees(t, "list deep", r"static int deep\(int n\)")
        self.sees(t, "l 1,3", r"^ +1 +/\* A program", r"^ +3 +int calls_back")
        self.sees(t, "", r"^ +5 +static int counter;$")  # on from there
        self.sees(t, "info line 17", r"in deep at steps\.c:17")
        self.sees(t, "info functions dee", r"^#5 +deep +steps\.c:14$")

    def test_jumps(self):
        t = self.debug("--invoke", "run", STEPS, "3")
        source = STEPS.parent / "steps.c"
        last = source_line(source, "return total + counter;")
        self.sees(t, f"tb {last}", "there is no file here")
        self.sees(t, f"tb steps.c:{last}", "Temporary breakpoint")
        self.sees(t, "tb run", "Temporary breakpoint")
        self.sees(t, "r", "run \\(n=3\\)")
        loop = source_line(source, "total = add(total, i);")
        self.sees(t, f"until {loop}", rf"^-> +{loop} ")
        self.sees(t, f"j {last}", rf"^Temporary breakpoint 1, run \(n=3\) at steps\.c:{last}$")
        self.sees(t, "p total", r"= 0$")
        self.sees(t, "c", "exited normally")

    def test_traps_are_stops(self):
        t = self.debug(PROGRAM, "trap")
        quotient = source_line(GUEST / "program.h", "return a / b")
        self.sees(t, "r", r"^The program traps: integer divide by zero$", rf"^quotient \(.*\) at program\.h:{quotient}$", rf"^-> +{quotient} ")
        self.sees(t, "bt", r"#0 +quotient", r"#1 +ratio", r"#2 +fail_somehow")
        self.sees(t, "n", "cannot go on")
        self.sees(t, "set var a = 1", r"trapped|optimised|computed|given another value")
        self.sees(t, "c", r"\[The program trapped: integer divide by zero", r"wasm backtrace:")
        self.sees(t, "r", r"^The program traps: integer divide by zero$")
        self.sees(t, "k", "was killed")
        self.sees(t, "run exit 3", r"\[The program exited with status 3\]")
        self.sees(t, "show args", "are: exit 3")
        self.sees(t, "set args 'two words' x")
        self.sees(t, "run args a 'b c'", r"^args\n", r"^a$", r"^b c$", "exited normally")

    def test_exceptions_are_stops(self):
        text = """(module (tag $t (param i32)) (func $throws (throw $t (i32.const 7)))
            (func (export "caught") (block $h (result i32) (try_table (catch $t $h) (call $throws)) (i32.const 0)) drop)
            (func (export "_start") (call $throws)))"""
        t = self.debug(self.module("throws.wat", text))
        self.sees(t, "r", r"^The program throws an exception: nobody catches it$", r"^=> .*throw")
        self.sees(t, "c", r"\[The program trapped: ")
        t = self.debug("--invoke", "caught", self.module("throws.wat", text))
        self.sees(t, "r", "exited normally")
        self.sees(t, "catch throw")
        self.sees(t, "r", "throws an exception: frame 1 catches it|exited normally")

    def test_without_source_its_instructions_are_shown(self):
        text = """(module (memory 1) (global $g (mut i32) (i32.const 5))
            (func $f (export "f") (param $n i32) (result i32) local.get $n i32.const 2 i32.mul global.get $g i32.add))"""
        t = self.debug("--invoke", "f", self.module("f.wat", text), "20")
        self.sees(t, "b f", r"^Breakpoint 1 at 0x[0-9a-f]+ in f$")
        self.sees(t, "r", r"^Breakpoint 1, 0x[0-9a-f]+ in f \(n=20\)$", r"^=> 0x[0-9a-f]+:  local\.get 0", r"i32\.mul")
        self.sees(t, "info locals", "no debug information: `info registers`")
        self.sees(t, "p n", r"= 20$")
        self.sees(t, "n", r"=> 0x[0-9a-f]+:  i32\.const 2")
        self.sees(t, "", r"=> 0x[0-9a-f]+:  i32\.mul")
        self.sees(t, "p $stack1", r"= 2$")
        self.sees(t, "set $stack1 = 4")
        self.sees(t, "p $global0 = 6", r"= 6$")
        self.sees(t, "watch $global0", "Watchpoint 2")
        self.sees(t, "c", r"^86$", "exited normally")

    def test_the_source_is_looked_for(self):
        shutil.copy(PROGRAM, self.folder)
        t = self.debug("program.wasm", folder=self.folder)
        self.sees(t, "b fib")
        self.sees(t, "r fib 1", r"^Breakpoint 1, fib .* at program\.c:\d+$", r"^=> 0x")
        self.sees(t, "list fib", "program.c is not here: `directory FOLDER`")
        self.sees(t, f"directory {GUEST}")
        self.sees(t, "list fib", r"EXPORT\(fib\) int fib\(int n\)")
        # Beside the module, it is found.
        shutil.copy(GUEST / "program.c", self.folder)
        t = self.debug("program.wasm", folder=self.folder)
        self.sees(t, "b fib")
        self.sees(t, "r fib 1", r"^->.*fib\(n - 1\)")


class AtTheTerminal(Case):
    def test_completion_and_history(self):
        t = self.debug("--invoke", "run", STEPS, "3")
        t.send("tbr\t")
        t.until("tbreak $")
        t.send("twi\t")
        t.until("twice")
        self.sees(t, "", r"Temporary breakpoint 1 at .* in twice")
        self.sees(t, "r", r"Temporary breakpoint 1, twice \(x=1\)")
        t.send("info loc\t")
        t.until("info locals")
        self.sees(t, "", "No locals")
        t.send("\x1b[A\x1b[A")  # twice back: `r` would start it again
        t.until("r$")
        t.send("\x1b[B")
        t.until("info locals *$")
        self.sees(t, "", "No locals")
        # Several: all are listed.
        t.send("b ca\t\t")
        t.until("(?s)call_work.*calls_back|calls_back.*call_work")
        t.send("\x03")
        t.until(PROMPT)

    def test_ctrl_c_at_the_prompt_forgets_the_line(self):
        t = self.debug(PROGRAM)
        t.send("run args wrong")
        t.until("wrong")
        t.send("\x03")
        t.until(PROMPT)
        self.sees(t, "info program", "not running")

    def test_ctrl_d_ends(self):
        t = self.debug(PROGRAM)
        t.send("\x04")
        self.assertEqual(t.end()[0], 0)
        t = self.debug("--invoke", "run", STEPS, "3")
        self.sees(t, "b twice")
        self.sees(t, "r", "Breakpoint 1")
        t.send("\x04")
        status, seen = t.end()
        self.assertEqual(status, 0)
        self.assertNotIn("panicked", seen)

    def test_ctrl_c_pauses_what_computes(self):
        t = self.debug(PROGRAM, "spin")
        for _ in range(2):
            t.send("r\r")
            t.until(r"\n")
            for resume in ["c", "c", None]:
                time.sleep(0.3)
                t.send("\x03")
                seen = t.until(PROMPT)
                self.assertRegex(seen, r"The program was paused\.\n(.*\n)?spin \(\) at program\.c:\d+\n")
                if resume:
                    t.send(resume + "\r")
                    t.until(r"\n")
            self.sees(t, "bt", r"#0 +spin", r"#1 +run")
            self.sees(t, "p spun > 0 || 1", "")
            self.sees(t, "s", r"^->")
        self.sees(t, "kill", "was killed")

    def test_ctrl_c_pauses_what_waits_for_input(self):
        t = self.debug(PROGRAM, "echo")
        t.send("r\r")
        t.until(r"\n")
        time.sleep(0.5)
        t.send("\x03")
        seen = t.until(PROMPT)
        self.assertRegex(seen, r"The program was paused\.\n.*\n?copy \(.*\) at program\.c:\d+\n")
        self.sees(t, "bt", r"#0 +copy", r"run")
        t.send("c\r")
        t.until(r"\n")
        # It has missed nothing, and what is read is what is typed.
        t.send("one line\n")
        t.until(r"one line\none line\n")
        t.send("\x04")
        t.until(r"exited normally\]\n\(stepwell\) $")

    def test_the_terminal_is_the_programs_while_it_runs(self):
        t = self.debug(PROGRAM, "echo")
        self.assertEqual(t.modes()[:2], (False, False))
        t.send("r\r")
        t.until(r"\n")
        deadline = time.monotonic() + DEADLINE
        while t.modes() != (True, True, True) and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertEqual(t.modes(), (True, True, True))
        t.send("typed\n")
        t.until(r"typed\ntyped\n")
        t.send("\x04")
        t.until(PROMPT)
        self.assertEqual(t.modes()[:2], (False, False))
        t.send("q\r")
        t.until("q")
        while not os.waitid(os.P_PID, t.process, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            t.read(0.05)
        self.assertEqual(t.modes(), (True, True, True))

    def test_standard_input_that_is_no_terminal_is_the_programs(self):
        ours, theirs = os.pipe()
        self.addCleanup(os.close, ours)
        os.write(theirs, b"b main\nfrom the pipe\n")
        os.close(theirs)
        t = self.debug(PROGRAM, "echo", stdin=ours)
        self.sees(t, "tb copy")
        self.sees(t, "r", "Temporary breakpoint 1, copy")
        self.sees(t, "c", r"^b main$", r"^from the pipe$", "exited normally")

    def test_resizing(self):
        t = self.debug("--invoke", "run", STEPS, "3")
        for rows, columns in [(10, 40), (50, 200), (5, 20), (24, 80)]:
            t.send("info")
            t.until("info")
            t.size(rows, columns)
            os.kill(t.process, signal.SIGWINCH)
            time.sleep(0.1)
            self.sees(t, " b", "No breakpoints")
        t = self.debug(PROGRAM, "spin")
        t.send("r\r")
        t.until(r"\n")
        t.size(10, 40)
        os.kill(t.process, signal.SIGWINCH)
        time.sleep(0.2)
        t.send("\x03")
        self.assertIn("paused", t.until(PROMPT))

    def test_colours(self):
        for env, coloured in [({"NO_COLOR": None}, True), ({"NO_COLOR": ""}, True), ({"NO_COLOR": "1"}, False),
                              ({"NO_COLOR": None, "TERM": "dumb"}, False)]:
            with self.subTest(env):
                t = self.debug("--invoke", "run", STEPS, "3", env=env)
                self.sees(t, "b twice")
                t.type("r")
                self.assertEqual("\x1b[33mtwice\x1b[0m" in t.last_raw, coloured, t.last_raw)
                t.type("disas")
                self.assertEqual("\x1b[33mi32.const\x1b[0m" in t.last_raw, coloured, t.last_raw)

    def test_names_do_nothing_to_the_terminal(self):
        text = '(module (func $f (export "a\\1b[31mb") (param i32)) (@name "x\\1b[2J"))'
        text = '(module (func (export "a\\1b[31mb") (nop)))'
        t = self.debug("--invoke", "a\x1b[31mb", self.module("f.wat", text))
        self.sees(t, "b #0")
        t.type("r")
        self.assertNotIn("\x1b[31m", t.last_raw)


class Batch(Case):
    def batch(self, *arguments, script="", stdin=b"", **options):
        path = self.folder / "script"
        path.write_text(script)
        done = subprocess.run([RUN, "--batch", "-x", path, *map(str, arguments)], input=stdin, capture_output=True, timeout=120,
                              env={"PATH": os.environ.get("PATH", "")}, **options)
        self.assertNotIn(b"panicked", done.stderr)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def test_a_script(self):
        status, out, err = self.batch("--invoke", "run", STEPS, "3", script="""
            # a comment
            set confirm off
            break twice
            run
            backtrace
            print x
            continue
            finish
            delete
            continue
            """)
        self.assertEqual(status, 0, err)
        self.assertRegex(out, r"^\d+\n$")
        self.assertRegex(err, r"Breakpoint 1, twice \(x=1\)[^$]*#0 +twice[^$]*\$1 = 1\n[^$]*twice \(x=2\)[^$]*Value returned: 4\n")
        self.assertIn("[The program exited normally]", err)
        self.assertNotIn("\x1b", err)

    def test_its_status_is_the_programs(self):
        self.assertEqual(self.batch(PROGRAM, "exit", "3", script="r")[0], 3)
        self.assertEqual(self.batch(PROGRAM, "trap", script="r\nc")[0], 134)
        self.assertEqual(self.batch(PROGRAM, script="r")[:2], (0, "hello\n"))
        # Whoever stops and goes has run nothing to its end.
        self.assertEqual(self.batch(PROGRAM, script="b fib\nr fib 3")[0], 0)

    def test_a_command_that_fails_ends_it(self):
        status, out, err = self.batch(PROGRAM, script="info b\nb nothing_like_it\nrun\n")
        self.assertEqual((status, out), (1, ""))
        self.assertRegex(err, r"script:2: .*nothing_like_it")
        status, out, err = self.batch("--ex", "b fib", "--ex", "r fib 1", "--ex", "c", PROGRAM, script="")
        self.assertEqual((status, out), (0, "1\n"), err)
        done = subprocess.run([RUN, "--batch", "-x", "nothing", PROGRAM], capture_output=True, timeout=60, cwd=self.folder)
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"-x: nothing: No such file", done.stderr)

    def test_scripts_in_scripts(self):
        inner = self.folder / "inner"
        inner.write_text("echo from inside\\n\nb fib\n")
        status, out, err = self.batch(PROGRAM, script=f"source {inner}\nr fib 1\nkill\nr args x\n")
        self.assertEqual(status, 0, err)
        self.assertTrue(out.endswith("args\nx\n"), out)
        self.assertRegex(err, r"from inside\nBreakpoint 1 at [^[]*Breakpoint 1, fib[^[]*\[The program was killed\]")

    def test_the_programs_input_is_its_own(self):
        status, out, err = self.batch(PROGRAM, "echo", script="b copy\nr\nc\n", stdin=b"x\ny\n")
        self.assertEqual((status, out), (0, "x\ny\n"), err)

    def test_without_a_terminal_commands_come_from_standard_input(self):
        done = subprocess.run([RUN, "--debug", PROGRAM, "echo"], input=b"tb copy\nr\nc\nrest for the program\n", capture_output=True,
                              timeout=60, start_new_session=True)
        self.assertEqual((done.returncode, done.stdout), (0, b"rest for the program\n"), done.stderr)
        self.assertIn(b"Temporary breakpoint 1, copy", done.stderr)


if __name__ == "__main__":
    RUN = os.path.abspath(sys.argv.pop(1))
    unittest.main()
