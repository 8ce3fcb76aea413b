#!/usr/bin/env python3
"""A real LLDB on guests that a host serves: `lldb.py LLDB SERVE`, the second of which is c-examples/serve.c, compiled. `lldb.py LLDB SERVE NAME...`
runs only those tests. The last line is `N passed, M failed`."""
import os
import re
import selectors
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LLDB, SERVE = sys.argv[1:3]
STEPS = ROOT / "tests/support/steps"
DWARF = ROOT / "tests/support/dwarf"
WAIT = 60
HOSTS = []


class Failure(Exception):
    pass


class Host:
    """The host, which serves guests."""

    def __init__(self, *arguments, cwd=None):
        self.process = subprocess.Popen([SERVE, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=cwd)
        HOSTS.append(self.process)
        line = self.process.stdout.readline()
        found = re.match(r"debuggers come to (\S+)", line)
        if not found:
            raise Failure(f"the host says {line!r}")
        self.address = found[1]

    def end(self):
        """What it has printed when it has ended, and how it has."""
        try:
            said, _ = self.process.communicate(timeout=WAIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise Failure("the host does not end") from None
        return said, self.process.returncode


class Debugger:
    """LLDB, with a command line of ours."""

    def __init__(self, host, *before):
        self.log, self.count, self.rest = [], 0, b""
        self.process = subprocess.Popen([LLDB, "--no-lldbinit", "--no-use-colors"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, start_new_session=True)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.process.stdout, selectors.EVENT_READ)
        for command in ("script lldb.debugger.SetAsync(False)", "settings set auto-confirm true", "settings set stop-line-count-before 0",
                        "settings set stop-line-count-after 1", "settings set interpreter.echo-commands false", *before):
            self.do(command)
        self.do(f"process connect --plugin wasm connect://{host.address}")

    def send(self, command):
        self.count += 1
        self.process.stdin.write(f"{command}\nscript print('done-{self.count}')\n".encode())
        self.process.stdin.flush()

    def answer(self):
        """What the last command has printed."""
        mark, until = f"done-{self.count}\n".encode(), time.monotonic() + WAIT
        while mark not in self.rest:
            if not self.selector.select(max(0, until - time.monotonic())):
                raise Failure(f"no answer; so far {self.rest.decode(errors='replace')}")
            more = os.read(self.process.stdout.fileno(), 65536)
            if not more:
                raise Failure(f"LLDB has ended: {self.rest.decode(errors='replace')}")
            self.rest += more
        said, self.rest = self.rest.split(mark, 1)
        return said.decode(errors="replace")

    def do(self, command, *expected):
        """Has it do this; each of the patterns must be in what it prints."""
        self.send(command)
        return self.look(command, *expected)

    def look(self, command, *expected):
        said = self.answer()
        self.log.append(said)
        for pattern in expected:
            if not re.search(pattern, said, re.S | re.M):
                raise Failure(f"after `{command}` there is no {pattern!r} in:\n{said}")
        return said

    def quit(self):
        if self.process.poll() is None:
            try:
                self.process.stdin.write(b"quit\n")
                self.process.stdin.close()
                self.process.wait(10)
            except (OSError, subprocess.TimeoutExpired):
                self.process.kill()


def sources(folder):
    """The guests were compiled in a folder that is called `.`."""
    return f"settings set target.source-map . {folder}"


def c_guest():
    """Everything that one does with a C program, from before it runs to its end."""
    host = Host("--wait", STEPS / "steps.wasm", "run", "3")
    lldb = Debugger(host, sources(STEPS))
    yield lldb
    lldb.do("b add", r"Breakpoint 1: where = .*`add.* at steps\.c:8")
    lldb.do("b steps.c:41", r"Breakpoint 2: where = .*`run.* at steps\.c:41")
    lldb.do("process status", r"stopped")
    lldb.do("continue", r"stop reason = breakpoint 1\.1", r"-> 8 .*int sum = a \+ b;")
    lldb.do("bt", r"frame #0: .*`add\(a=0, b=0\) at steps\.c:8", r"frame #1: .*`run\(n=3\) at steps\.c:30")
    lldb.do("frame variable", r"\(int\) a = 0", r"\(int\) b = 0")
    lldb.do("breakpoint modify -c 'b == 2' 1")
    lldb.do("continue", r"stop reason = breakpoint 1\.1")
    lldb.do("frame variable", r"a = 1", r"b = 2")
    lldb.do("next", r"stop reason = step over", r"-> 9 ")
    lldb.do("frame variable sum", r"sum = 3")
    lldb.do("expression sum = 40", r"= 40")
    lldb.do("finish", r"stop reason = step out", r"run\(n=3\) at steps\.c:30")
    lldb.do("breakpoint disable 1")
    lldb.do("next", r"steps\.c:29")
    lldb.do("frame variable total", r"total = 40")
    lldb.do("next", r"steps\.c:32")
    lldb.do("step", r"stop reason = step in", r"twice\(x=1\) at steps\.c:12")
    lldb.do("bt", r"twice", r"run")
    lldb.do("stepi", r"stop reason = instruction step into")
    lldb.do("finish", r"run\(n=3\) at steps\.c:32")
    lldb.do("disassemble --pc --count 4", r"->")
    address = re.search(r"0x([0-9a-f]+)", lldb.do("expression &total"))[0]
    lldb.do(f"memory write -s 4 {address} 0x3e8")
    lldb.do(f"memory read -s 4 -f d -c 1 {address}", r"= ?\s*1000|: 1000")
    lldb.do("frame variable total", r"total = 1000")
    lldb.do("target variable counter", r"counter = 0")
    lldb.do("memory region 0x4000000100000000", r"r-x")
    lldb.do("watchpoint set variable counter", r"Watchpoint created")
    lldb.do("breakpoint disable 2")
    lldb.do("continue", r"stop reason = watchpoint 1", r"old value: 0", r"new value: (1|-1)")
    lldb.do("watchpoint delete 1")
    lldb.do("continue", r"exited with status = 0")
    said, status = host.end()
    check(re.match(r"run: -?\d+\n", said) and status == 0, said)


def structures():
    """Variables of every kind, in C, C++ and Rust."""
    for name, first, expected in (
        ("c0_5", "b sum", [r"sc = '.xff'", r"s = -300", r"colour = BLUE", r"\[0\] = 4, \[1\] = 5", r"text = 0x\w+ \"hello\"", r"inner_y = 12"]),
        ("cpp0_5", "b measure", []),
        ("rs0_5", "b shapes.rs:40", []),
        ("c0_4", "b sum", [r"sc = '.xff'"]),
    ):
        host = Host("--wait", DWARF / f"{name}.wasm", "run", "5")
        lldb = Debugger(host, sources(DWARF))
        yield lldb
        lldb.do(first, r"Breakpoint 1: where = ")
        lldb.do("continue", r"stop reason = breakpoint 1\.1")
        lldb.do("bt", r"frame #1: .* at shapes\.")
        if name.startswith("c0"):
            lldb.do("frame variable", r"from = 0x", r"limit = 5")
            lldb.do("frame variable *from", r"key = 1")
            lldb.do("frame variable from->next->key", r"= 2")
            lldb.do("up", r"run\(n=5\)")
            lldb.do("frame variable all", *expected)
            lldb.do("frame variable all.list->next->key", r"= 2")
        else:
            lldb.do("frame variable")
            lldb.do("up")
            lldb.do("frame variable", r"n = 5")
        lldb.do("breakpoint delete 1")
        lldb.do("continue", r"exited with status = 0")
        check(host.end()[1] == 0, name)
        lldb.quit()


def running_guest():
    """A guest that computes: Ctrl-C, and going again."""
    host = Host(ROOT / "c-examples/guest/warehouse.wasm", "fib", "60")
    lldb = Debugger(host, sources(ROOT / "c-examples/guest"))
    yield lldb
    lldb.do("bt", r"fib")
    for _ in range(2):
        # Without a terminal there is no Ctrl-C; this is what it does.
        lldb.do("script lldb.debugger.SetAsync(True)")
        lldb.do("continue")
        time.sleep(0.3)
        lldb.do("process interrupt")
        lldb.do("script import time; [time.sleep(0.02) for _ in range(500) if lldb.debugger.GetSelectedTarget().process.state != lldb.eStateStopped]")
        lldb.do("script lldb.debugger.SetAsync(False)")
        lldb.do("process status", r"stop reason = signal SIGINT")
        lldb.do("bt", r"`fib\(n=")
    lldb.do("breakpoint set -n fib -c 'n == 7'", r"Breakpoint 1")
    lldb.do("continue", r"stop reason = breakpoint")
    lldb.do("frame variable n", r"n = 7")
    lldb.do("kill")
    said, status = host.end()
    check("the debugger has ended the program" in said and status == 1, said)


def comes_and_goes():
    """It leaves, and another one comes; one that is killed leaves nothing behind."""
    host = Host("--wait", ROOT / "c-examples/guest/warehouse.wasm", "fib", "40")
    first = Debugger(host)
    yield first
    first.do("b fib")
    first.do("continue", r"stop reason = breakpoint")
    first.do("detach")  # LLDB says so a little later; only one debugger is let in at a time
    second = Debugger(host)
    second.do("breakpoint list", r"No breakpoints")
    second.do("bt", r"fib")
    second.do("b fib")
    second.do("continue", r"stop reason = breakpoint")
    second.process.kill()
    said, status = host.end()
    check(said == "fib: 102334155\n" and status == 0, said)


def later_module():
    """A breakpoint waits for a module that comes later, in the same store."""
    host = Host("--wait", STEPS / "steps.wasm", "dive", "2", ",", DWARF / "c0_5.wasm", "run", "5")
    lldb = Debugger(host, sources(STEPS))
    yield lldb
    lldb.do("b shapes.c:25", r"pending")
    lldb.do("b deep", r"Breakpoint 2")
    lldb.do("continue", r"breakpoint 2\.1")
    lldb.do("breakpoint delete 2")
    said = lldb.do("continue")
    while "breakpoint 1.1" not in said:
        said = lldb.do("continue", r"stop reason")
    lldb.do("frame variable limit", r"limit = 5")
    lldb.do("image list", r"steps|module", r"c0_5|module#2")
    lldb.do("breakpoint delete 1")
    lldb.do("continue", r"exited with status = 0")
    check(host.end()[1] == 0, "the end")


def trap():
    """A trap is a stop, with its message and frames."""
    host = Host("--wait", ROOT / "c-examples/guest/warehouse.wasm", "divide", "1", "0")
    lldb = Debugger(host, sources(ROOT / "c-examples/guest"))
    yield lldb
    lldb.do("continue", r"stop reason = trap: integer divide by zero")
    lldb.do("bt", r"`divide\(a=1, b=0\)")
    lldb.do("continue", r"exited|status")
    said, status = host.end()
    check("divide by zero" in said and status == 1, said)


def debug_files():
    """Where the module's file is told of, DWARF in a package beside it is found."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("split5.wasm", "split5.dwp"):
            (Path(folder) / name).write_bytes((ROOT / "tests/support/split" / name).read_bytes())
        package = Path(folder) / "split5.dwp"
        package.rename(Path(folder) / "split5.wasm.dwp")
        host = Host("--wait", "--file", Path(folder) / "split5.wasm", "total", "3", "10")
        lldb = Debugger(host)
        yield lldb
        lldb.do("image list", re.escape(folder))
        lldb.do("b total", r"Breakpoint 1: where = .*total")
        lldb.do("continue", r"stop reason = breakpoint")
        lldb.do("frame variable", r"= ")
        lldb.do("detach")
        host.end()


def leb(number):
    """A number as modules have it."""
    low, number = number & 127, number >> 7
    return bytes([low | 128]) + leb(number) if number else bytes([low])


def sections(binary):
    """The sections of a module, whole, each with its custom name or None."""
    at = 8
    while at < len(binary):
        begin, values = at, []
        kind, at = binary[at], at + 1
        for _ in range(1 if kind else 2):  # its length, and that of the name
            value = shift = 0
            while True:
                value, shift, at = value | (binary[at] & 127) << shift, shift + 7, at + 1
                if binary[at - 1] < 128:
                    break
            values.append(value)
            end = at + value if len(values) == 1 else end
        yield binary[begin:end], binary[at:at + values[1]].decode() if kind == 0 else None
        at = end


def external_debug_info():
    """DWARF in a file that the module names: beside the module's, under an absolute path, or in a folder of LLDB's."""
    binary = (STEPS / "steps.wasm").read_bytes()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        debug = [section for section, name in sections(binary) if name and name.startswith(".debug")]
        others = [section for section, name in sections(binary) if not (name and name.startswith(".debug"))]
        (folder / "other").mkdir()
        (folder / "other/steps.debug.wasm").write_bytes(binary[:8] + b"".join(debug))

        def module(path, names):
            named = b"".join(leb(len(text)) + text for text in (b"external_debug_info", names.encode()))
            (folder / path).write_bytes(binary[:8] + b"".join(others) + b"\0" + leb(len(named)) + named)
            return folder / path

        beside = module("other/beside.wasm", "steps.debug.wasm")
        relative = module("relative.wasm", "steps.debug.wasm")
        absolute = module("absolute.wasm", str(folder / "other/steps.debug.wasm"))
        deeper = module("deeper.wasm", "other/steps.debug.wasm")
        search = f"settings append target.debug-file-search-paths {folder / 'other'}"
        for arguments, before, is_found in ((["--file", beside], [], True), ([absolute], [], True), ([relative], [search], True), (["--file", deeper], [search], True),
                                            # Of a relative path it takes the last part alone.
                                            ([beside], [], False), (["--file", relative], [], False), (["--file", deeper], [], False)):
            host = Host("--wait", *arguments, "run", "3")
            lldb = Debugger(host, sources(STEPS), *before)
            yield lldb
            said = lldb.do("b add", r"Breakpoint 1: where = .*`add")
            check(("at steps.c:8" in said) == is_found, f"{arguments}: {said}")
            if not is_found:
                # What it does not find it can be told, also once the module is there. The breakpoint stays where it was without lines.
                # A module that comes through the connection has the name that it has for itself.
                name = arguments[-1].name if "--file" in arguments else "steps.wasm"
                lldb.do(f"target symbols add -s {name} {folder / 'other/steps.debug.wasm'}", r"has been added")
            lldb.do("continue", r"stop reason = breakpoint 1\.1")
            lldb.do("bt", rf"`add\(a=0, b=0\) at steps\.c:{8 if is_found else 7}.*`run\(n=3\) at steps\.c:30")
            lldb.do("breakpoint delete 1")
            lldb.do("continue", r"exited with status = 0")
            check(host.end()[1] == 0, arguments)
            lldb.quit()


def check(condition, text):
    if not condition:
        raise Failure(text)


TESTS = [c_guest, structures, running_guest, comes_and_goes, later_module, trap, debug_files, external_debug_info]


def main():
    passed = failed = 0
    for test in TESTS:
        if sys.argv[3:] and test.__name__ not in sys.argv[3:]:
            continue
        used, begun = [], time.monotonic()
        try:
            for lldb in test():
                used.append(lldb)
            passed += 1
        except Failure as failure:
            failed += 1
            print(f"{test.__name__}: {failure}")
            if used:
                print("".join(used[-1].log))
        if os.environ.get("STEPWELL_LLDB_LOG"):
            print(f"{test.__name__}: {time.monotonic() - begun:.1f} s")
            if used:
                print("".join(used[-1].log))
        for lldb in used:
            lldb.quit()
        for host in HOSTS:
            host.kill()
            host.wait()
            host.stdout.close()
        HOSTS.clear()
    print(f"{passed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
