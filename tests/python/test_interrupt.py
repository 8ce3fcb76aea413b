"""Exceptions that leave callbacks where no `except` sees them, and signals while guests compute. Each case runs in a process of its own."""
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent

# Guests: `spin` computes for ever, `ask` calls the host for ever, `once` does so once, `count(n)` ends by itself, `later(n)`
# calls the host after that.
PROLOGUE = """
import sys, os, signal, threading, time, _thread, ctypes
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever started the tests may ignore it
import stepwell
from wasm import *
LOOP, BR, BR_IF = 0x03, 0x0C, 0x0D
def guest():
    m = Builder()
    host = m.import_func("env", "f", [], ["i32"])
    m.func([], [], code(LOOP, b"\\x40", BR, u(0), END), export="spin")
    m.func([], [], code(LOOP, b"\\x40", CALL, u(host), DROP, BR, u(0), END), export="ask")
    m.func([], ["i32"], code(CALL, u(host)), export="once")
    count = code(LOOP, b"\\x40", LOCAL_GET, u(0), I32_CONST, s(1), I32_SUB, 0x22, u(0), BR_IF, u(0), END)
    m.func(["i32"], ["i32"], count + code(LOCAL_GET, u(0)), export="count")
    m.func(["i32"], ["i32"], count + code(CALL, u(host)), export="later")
    return m.build()
def start(f=lambda: 1, **settings):
    global engine, store, instance, exports
    engine = stepwell.Engine(**settings)
    store = stepwell.Store(engine)
    instance = stepwell.Instance(store, stepwell.Module(engine, guest()), {"env": {"f": f}})
    exports = instance.exports
def works():
    assert exports.count(3) == 0 and not store.poisoned
def in_guest():
    while not stepwell._signals.running:
        time.sleep(0.005)
    time.sleep(0.1)  # it is on its way in
def soon(do):
    def run():
        in_guest()
        do()
    threading.Thread(target=run, daemon=True).start()
"""


class Case(unittest.TestCase):
    def child(self, program, **options):
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])}
        return subprocess.Popen(
            [sys.executable, "-c", PROLOGUE + textwrap.dedent(program)], env=environment, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, **options)

    def said(self, child, timeout=60):
        try:
            out, err = child.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            child.kill()
            out, err = child.communicate()
            self.fail(f"it hangs: {out}\n{err}")
        self.assertEqual(child.returncode, 0, out + err)
        return out.split()

    def run_it(self, program):
        return self.said(self.child(program))

    def interrupted(self, program, signals=1, between=0.3):
        child = self.child(program)
        self.assertEqual(child.stdout.readline(), "ready\n", child.poll() is not None and child.stderr.read())
        for _ in range(signals):
            time.sleep(between if between is not None else random.random() / 20)
            child.send_signal(signal.SIGINT)
        return self.said(child)


class LostTest(Case):
    def test_what_cannot_be_told_is_raised(self):
        program = """
            class Bad(Exception):
                def __str__(self): return self.args[1]
                __repr__ = __str__
            class Worse(BaseException):
                def __str__(self): raise SystemExit(3)
                def add_note(self, text): raise ValueError
            class Worst(Exception):
                def __str__(self): raise KeyboardInterrupt
                def add_note(self, text): raise KeyboardInterrupt
            class BadTrap(stepwell.Trap):
                frames = property(lambda self: 1 / 0, lambda self, value: None)
            made = [Bad("one"), MemoryError(), SystemExit(7), KeyboardInterrupt(), RecursionError(), GeneratorExit(), BadTrap("x"),
                    stepwell.Error(5), UnicodeDecodeError("utf-8", b"x", 0, 1, "y"), Worse(), Worst()]
            for exception in made:
                def f(): raise exception
                start(f)
                try:
                    exports.once()
                except BaseException as e:
                    assert e is exception, (e, exception)
                    print("ok")
                works()
        """
        self.assertEqual(self.run_it(program), ["ok"] * 11)

    def test_recursion_through_guests(self):
        program = """
            def f():
                return exports.once()
            for limit in range(100, 260, 3):
                start(f)
                sys.setrecursionlimit(limit)
                try:
                    exports.once()
                except (RecursionError, stepwell.Trap) as e:
                    sys.setrecursionlimit(1000)
                    print(type(e).__name__)
                works()
        """
        said = self.run_it(program)
        self.assertEqual(len(said), len(range(100, 260, 3)))
        self.assertEqual(set(said), {"RecursionError"})

    def test_an_exception_at_any_line_of_a_callback_comes_out(self):
        program = """
            import stepwell._calls as calls
            class Here(Exception): pass
            files = stepwell.__path__[0]
            def at(number, run):
                seen = 0
                def trace(frame, event, argument):
                    nonlocal seen
                    if frame.f_code.co_filename.startswith(files) and inside(frame):
                        seen += 1
                        if seen == number:
                            sys.settrace(None)
                            raise Here
                    return trace
                def inside(frame):
                    while frame:
                        if frame.f_code.co_name.startswith("_call_"): return True
                        # What Python collects meanwhile: an exception there goes nowhere, by its rules.
                        if frame.f_code.co_name == "__del__": return False
                        frame = frame.f_back
                sys.settrace(trace)
                try:
                    run()
                except Here:
                    return True
                finally:
                    sys.settrace(None)
                assert seen < number, (seen, number)
                return False
            number = 1
            start()
            while at(number, exports.once):
                works()
                number += 1
            assert number > 10, number
            start(debug=True)
            stops = []
            debugger = stepwell.Debugger(store, lambda stop: stops.append(stop.frame(0).offset))
            debugger.step_always()
            number = 1
            while at(number, exports.once):
                assert not store.poisoned
                number += 1
            assert number > 10, number
            print("ok")
        """
        self.assertEqual(self.run_it(program), ["ok"])

    def test_other_hooks_of_the_host_are_asked(self):
        program = """
            told = []
            sys.unraisablehook = lambda info: told.append(info.exc_type)
            class Gone:
                def __del__(self): raise LookupError
            def f():
                Gone()
                return 5
            start(f)
            assert exports.once() == 5
            assert told == [LookupError], told
            print("ok")
        """
        self.assertEqual(self.run_it(program), ["ok"])


class SignalTest(Case):
    # Where the child is slow the signal comes before the call.
    AGAIN = """
        try:
            print("ready", flush=True)
            {call}
        except KeyboardInterrupt:
            print("interrupted")
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        works()
    """

    def test_ctrl_c_ends_a_guest(self):
        for settings in ("", "signals=False", "debug=True, debug_tier=stepwell.DebugTier.SIMPLE", "fuel=True"):
            with self.subTest(settings=settings):
                prepare = f"start({settings})\n" + ("store.fuel = 2**62\n" if "fuel" in settings else "")
                prepare += "debugger = stepwell.Debugger(store, lambda stop: None)\n" if "debug" in settings else ""
                said = self.interrupted(prepare + textwrap.dedent(self.AGAIN.format(call="exports.spin()")))
                self.assertEqual(said, ["interrupted"])

    def test_in_callbacks(self):
        for prepare, call in (
                ("start()", "exports.ask()"),
                ("start(lambda: exports.spin())", "exports.ask()"),
                ("start(lambda: time.sleep(0.01) or 1)", "exports.ask()"),
                ("start(debug=True)\nd = stepwell.Debugger(store, lambda stop: stepwell.Action.STEP, pause_on_interrupt=False)\nd.step_always()",
                 "exports.spin()"),
                ("start(debug=True)\ndef stopped(stop):\n    while True: pass\nd = stepwell.Debugger(store, stopped)\nd.step_always()",
                 "exports.spin()")):
            with self.subTest(prepare=prepare):
                end = "" if "step_always" not in prepare else "\nd.close()"
                program = prepare + textwrap.dedent(self.AGAIN.format(call=call)).replace("works()", end + "\nworks()")
                self.assertEqual(self.interrupted(program), ["interrupted"])

    def test_again_and_again(self):
        program = """
            import random
            start(lambda: 1)
            plain = exports
            engine2 = stepwell.Engine(debug=True)
            store2 = stepwell.Store(engine2)
            other = stepwell.Instance(store2, stepwell.Module(engine2, guest()), {"env": {"f": lambda: 1}}).exports
            debugger = stepwell.Debugger(store2, lambda stop: stepwell.Action.STEP)
            debugger.step_always()
            ways = [plain.spin, plain.ask, other.ask, other.spin]
            done, told = 0, False
            def go():
                global done, told
                if not told:
                    told = True
                    print("ready", flush=True)
                while done < 40:
                    done += 1
                    ways[done % 4]()
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                return True
            def goes():
                try:
                    return go()
                except KeyboardInterrupt:
                    return False
            while True:
                try:
                    if goes(): break
                # On a busy machine the next one comes while the last is being caught.
                except KeyboardInterrupt:
                    pass
            works()
            assert not store2.poisoned
            print("done", done)
        """
        child = self.child(program)
        self.assertEqual(child.stdout.readline(), "ready\n")
        ends = time.monotonic() + 60
        while child.poll() is None and time.monotonic() < ends:
            child.send_signal(signal.SIGINT)
            time.sleep(random.random() / 8)
        self.assertEqual(self.said(child), ["done", "40"])

    def test_handlers_of_the_host(self):
        program = """
            seen = []
            class Mine(Exception): pass
            def handler(number, frame):
                seen.append(number)
                if len(seen) == 3: raise Mine
                print("seen", flush=True)
            def alarm(number, frame):
                seen.append("alarm")
                print("alarm", flush=True)
            signal.signal(signal.SIGINT, handler)
            signal.signal(signal.SIGALRM, alarm)
            start()
            soon(lambda: signal.setitimer(signal.ITIMER_REAL, 0.1))
            try:
                exports.spin()
            except Mine:
                assert seen == ["alarm", signal.SIGINT, signal.SIGINT], seen
                print("mine")
            works()
        """
        # Two signals that wait at once are one, and are not seen in the order in which they came: each is sent once the last was seen.
        child = self.child(program)
        for said in ("alarm\n", "seen\n"):
            self.assertEqual(child.stdout.readline(), said, child.poll() is not None and child.stderr.read())
            child.send_signal(signal.SIGINT)
        self.assertEqual(self.said(child), ["mine"])

    def test_ignored(self):
        program = """
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            start()
            print("ready", flush=True)
            assert exports.count(0x7fffffff) == 0
            print("ok")
        """
        self.assertEqual(self.interrupted(program, 3, 0.05), ["ok"])

    def test_without_a_signal(self):
        program = """
            start()
            soon(_thread.interrupt_main)
            try:
                exports.spin()
            except KeyboardInterrupt:
                print("interrupted")
            works()
            me = threading.get_ident()
            soon(lambda: ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(me), ctypes.py_object(LookupError)))
            try:
                exports.spin()
            except LookupError:
                print("set")
            works()
            def thread():
                global exports
                try:
                    exports.spin()
                except LookupError:
                    print("there")
            other = threading.Thread(target=thread)
            other.start()
            in_guest()
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(other.ident), ctypes.py_object(LookupError))
            other.join(20)
            works()
        """
        self.assertEqual(self.run_it(program), ["interrupted", "set", "there"])

    def test_a_handler_may_look_but_not_call(self):
        program = """
            def handler(number, frame):
                try:
                    exports.count(3)
                except stepwell.Error as e:
                    assert e.code == stepwell.ErrorCode.STATE, e
                    print("refused")
                raise KeyboardInterrupt
            start()
            soon(lambda: print("ready", flush=True))
            signal.signal(signal.SIGINT, handler)
            try:
                exports.spin()
            except KeyboardInterrupt:
                print("interrupted")
            works()
        """
        self.assertEqual(self.interrupted(program), ["refused", "interrupted"])

    def test_in_a_child_of_a_fork(self):
        program = """
            start()
            exports.count(100000)
            child = os.fork()
            if child == 0:
                soon(_thread.interrupt_main)
                try:
                    exports.spin()
                except KeyboardInterrupt:
                    os._exit(7)
            assert os.waitpid(child, 0)[1] >> 8 == 7
            print("ok")
        """
        self.assertEqual(self.run_it(program), ["ok"])


class PauseTest(Case):
    """Ctrl-C where a debugger is attached."""

    DEBUGGED = """
        seen = []
        def on_stop(stop):
            seen.append((stop.reason, type(stop.interrupt)))
            {on_stop}
        start(debug=True)
        debugger = stepwell.Debugger(store, on_stop)
        try:
            print("ready", flush=True)
            exports.spin()
        except KeyboardInterrupt:
            print("interrupted", flush=True)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        pauses = [reason for reason, _ in seen].count(stepwell.StopReason.PAUSE)
        assert seen[0] == (stepwell.StopReason.PAUSE, KeyboardInterrupt), seen
        works()
    """

    def test_the_guest_stops_and_goes_on(self):
        on_stop = "print('stop', flush=True); stop.resume()"
        program = self.DEBUGGED.format(on_stop=on_stop) + "\n        assert len(seen) == 2 or pauses == 2, seen\n"
        child = self.child(program)
        self.assertEqual(child.stdout.readline(), "ready\n")
        for _ in range(2):
            time.sleep(1.1)
            child.send_signal(signal.SIGINT)
            self.assertEqual(child.stdout.readline(), "stop\n")
        time.sleep(0.3)  # the guest goes on
        child.send_signal(signal.SIGINT)  # within a second: it is meant
        self.assertEqual(self.said(child), ["interrupted"])

    def test_on_stop_that_says_nothing(self):
        self.assertEqual(self.interrupted(self.DEBUGGED.format(on_stop="pass")), ["interrupted"])

    def test_stepping_on(self):
        """It stands as at any stop: it is looked at, changed, and goes on by steps."""
        on_stop = """
            assert stop.frame().func_name == "count" or stop.frame().func_index == 4, repr(stop)
            if stop.interrupt: stop.frame().set_local(0, 2)
            if len(seen) < 4: stop.step()
            else: return stepwell.Action.CONTINUE"""
        program = self.DEBUGGED.format(on_stop=on_stop.strip()).replace("exports.spin()", "print(exports.count(0x7fffffff))")
        self.assertEqual(self.interrupted(program + "\n        assert len(seen) == 4, seen\n"), ["0"])

    def test_switched_off_and_on(self):
        program = """
            start(debug=True)
            seen = []
            debugger = stepwell.Debugger(store, lambda stop: seen.append(stop.reason) or stop.resume(), pause_on_interrupt=False)
            for on in (False, True):
                debugger.pause_on_interrupt = on
                soon(_thread.interrupt_main)
                threading.Timer(0.7, _thread.interrupt_main).start()
                try:
                    exports.spin()
                except KeyboardInterrupt:
                    print(len(seen))
                time.sleep(1) if not on else None
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            works()
        """.replace("threading.Timer(0.7, _thread.interrupt_main).start()", "on and threading.Timer(0.7, _thread.interrupt_main).start()")
        self.assertEqual(self.run_it(program), ["0", "1"])

    def test_what_is_none(self):
        """Other exceptions of handlers, Ctrl-C in Python that a guest has called, and in guests of stores without a debugger."""
        program = """
            class Mine(Exception): pass
            def handler(number, frame): raise Mine
            signal.signal(signal.SIGALRM, handler)
            seen = []
            def f():
                if not seen:
                    _thread.interrupt_main()
                    for _ in range(1000000): pass
                return plain.spin()
            start()
            plain, other = exports, store
            start(f, debug=True)
            debugger = stepwell.Debugger(store, lambda stop: seen.append(stop) or stop.resume())
            soon(lambda: signal.setitimer(signal.ITIMER_REAL, 0.1))
            try: exports.spin()
            except Mine: print("mine")
            try: exports.once()
            except KeyboardInterrupt: print("host")
            assert not seen
            seen.append(None)
            soon(_thread.interrupt_main)
            try: exports.once()
            except KeyboardInterrupt: print("nested")
            assert seen == [None]
            works()
        """
        self.assertEqual(self.run_it(program), ["mine", "host", "nested"])

    def test_a_stop_of_another_kind_that_comes_first(self):
        program = """
            start(debug=True)
            seen = []
            def on_stop(stop):
                seen.append((stop.reason, type(stop.interrupt)))
                stop.resume()
            debugger = stepwell.Debugger(store, on_stop)
            takes = debugger._takes
            def late(exception):
                debugger.step_always()  # what stops it first
                return takes(exception)
            debugger._takes = late
            soon(_thread.interrupt_main)
            def stopped(stop):
                on_stop(stop)
                debugger.step_always(False)
            debugger._on_stop = stopped
            assert exports.count(2000000000) == 0
            assert len(seen) in (1, 2) and seen[0][1] is KeyboardInterrupt and [kind for _, kind in seen[1:]].count(KeyboardInterrupt) == 0, seen
            print("ok")
        """
        self.assertEqual(self.run_it(program), ["ok"])

    def test_an_asynchronous_on_stop(self):
        program = """
            import asyncio
            start(debug=True)
            answers = [stepwell.Action.STEP, None, None]
            async def on_stop(stop):
                await asyncio.sleep(0.001)
                return answers.pop(0)
            debugger = stepwell.Debugger(store, on_stop)
            async def main():
                signal.signal(signal.SIGINT, signal.default_int_handler)  # asyncio has its own from Python 3.11 on
                soon(_thread.interrupt_main)
                threading.Timer(1.6, _thread.interrupt_main).start()
                try: await exports.spin.call_async()
                except KeyboardInterrupt: print("interrupted", len(answers))
            asyncio.run(main())
            works()
        """
        self.assertEqual(self.run_it(program), ["interrupted", "0"])

    def test_a_guest_that_is_done_first(self):
        """What it was to stop for is raised all the same, and no later guest stops for it."""
        program = """
            start(debug=True)
            seen = []
            debugger = stepwell.Debugger(store, lambda stop: seen.append(stop.reason) or stop.resume())
            exports.count(1)
            def soon_done(exception): return True
            real = debugger._pauser
            class Late:
                def pause(self): return True
                def cancel(self): return real.cancel()
            debugger._pauser = Late()
            soon(_thread.interrupt_main)
            try: exports.count(2000000000)
            except KeyboardInterrupt: print("raised")
            works()
            assert not seen
        """
        self.assertEqual(self.run_it(program), ["raised"])

    def test_in_a_child_of_a_fork(self):
        program = """
            start(debug=True)
            seen = []
            debugger = stepwell.Debugger(store, lambda stop: seen.append(stop.reason))
            exports.count(100000)
            child = os.fork()
            if child == 0:
                soon(_thread.interrupt_main)
                try:
                    exports.spin()
                except KeyboardInterrupt:
                    os._exit(7 if seen == [stepwell.StopReason.PAUSE] else 8)
            assert os.waitpid(child, 0)[1] >> 8 == 7
            print("ok")
        """
        self.assertEqual(self.run_it(program), ["ok"])


class TimeoutTest(Case):
    def test_it_ends_a_guest(self):
        program = """
            from stepwell import TimedOut, Trap, TrapCode
            for settings in ({}, {"signals": False}, {"debug": True}):
                start(**settings)
                if "debug" in settings:
                    debugger = stepwell.Debugger(store, lambda stop: None)
                for timeout in (0, 0.001, 0.06):
                    began = time.monotonic()
                    try: exports.spin.call(timeout=timeout)
                    except TimeoutError as e:
                        took = time.monotonic() - began
                        assert timeout <= took < timeout + 1, took
                        assert isinstance(e, Trap) and type(e) is TimedOut and e.timeout == timeout and e.trap_code == TrapCode.INTERRUPT
                        assert [f.func_index for f in e.frames] == [1], e.frames
                        assert str(e).startswith(f"the call has taken longer than its timeout of {timeout:g} s") and "backtrace" in str(e), str(e)
                        assert e.message == f"the call has taken longer than its timeout of {timeout:g} s"
                    else: raise AssertionError
                    works()
                assert exports.count.call(100, timeout=60) == 0 and exports.count.call(100, timeout=float("inf")) == 0
                assert exports.once.call(timeout=None) == 1
                store.close()
            print("ok")
        """
        self.assertEqual(self.run_it(program), ["ok"])

    def test_the_first_calls_are_in_time(self):
        """The thread may rest when a call begins: many short calls see none of each other's ends."""
        program = """
            start()
            exports.count(1)
            took = []
            for _ in range(30):
                began = time.monotonic()
                try: exports.spin.call(timeout=0.002)
                except TimeoutError: pass
                took.append(time.monotonic() - began)
            assert sorted(took)[15] < 0.03, took  # whatever else the machine does: not one interval each
            for _ in range(200):
                exports.count.call(10, timeout=0.05)
            time.sleep(0.06)
            works()
            assert not stepwell._signals._deadlines
            print("ok")
        """
        self.assertEqual(self.run_it(program), ["ok"])

    def test_nested(self):
        program = """
            from stepwell import TimedOut
            said = []
            def swallow():
                try: exports.spin.call(timeout=0.05)
                except TimedOut as e: said.append(e.timeout)
                try: exports.spin.call(timeout=30)
                except TimedOut as e: said.append(e.timeout)
                return 1
            start(swallow)
            try: exports.ask.call(timeout=0.3)
            except TimedOut as e: said.append(e.timeout)
            assert said == [0.05, 0.3, 0.3], said
            works()
            # Of two whose time is up, the outer one's is raised, also through another store.
            inner = exports
            start(lambda: inner.spin.call(timeout=0.1))
            try: exports.once.call(timeout=0.1)
            except TimedOut as e: pass
            else: raise AssertionError
            # A host function comes to its end first, and its guest does not go on behind it.
            after = []
            def slow():
                time.sleep(0.2)
                after.append(1)
                return 1
            start(slow)
            try: exports.ask.call(timeout=0.05)
            except TimedOut: print("slow", len(after))
            works()
            start(slow)
            try: stepwell.Func(store, slow, ([], ["i32"])).call(timeout=0.05)
            except TimedOut: pass
            else: raise AssertionError
            works()
            print("ok")
        """
        self.assertEqual(self.run_it(program), ["slow", "1", "ok"])

    def test_on_other_threads_and_after_a_fork(self):
        program = """
            from concurrent.futures import ThreadPoolExecutor
            start()
            def one(n):
                with stepwell.Store(engine) as mine:
                    e = stepwell.Instance(mine, module, {"env": {"f": lambda: 1}}).exports
                    try: e.spin.call(timeout=0.02 * n)
                    except stepwell.TimedOut as t: return t.timeout == 0.02 * n and e.count(3) == 0
            module = stepwell.Module(engine, guest())
            with ThreadPoolExecutor(8) as pool:
                assert list(pool.map(one, range(1, 9))) == [True] * 8
            child = os.fork()
            if child == 0:
                os._exit(9 if one(1) else 1)
            assert os.waitpid(child, 0)[1] >> 8 == 9
            print("ok")
        """
        self.assertEqual(self.run_it(program), ["ok"])

    def test_stops_take_no_time(self):
        program = """
            start(debug=True)
            stops = []
            def on_stop(stop):
                stops.append(1)
                time.sleep(0.3)
                exports.count(300000000)  # a guest of the prompt's has its own time
            debugger = stepwell.Debugger(store, on_stop)
            pauser = stepwell.Pauser(debugger)
            pauser.pause()
            assert exports.count.call(1000, timeout=0.2) == 0 and stops == [1]
            pauser.pause()
            began = time.monotonic()
            try: exports.spin.call(timeout=0.2)
            except stepwell.TimedOut: assert time.monotonic() - began > 0.5
            else: raise AssertionError
            assert stops == [1, 1]
            print("ok")
        """
        self.assertEqual(self.run_it(program), ["ok"])

    def test_programs_and_typed_exports(self):
        program = """
            from typing import Protocol
            import stepwell.testing
            class Api(Protocol):
                def spin(self) -> None: ...
                def count(self, timeout: int) -> int: ...
            start()
            api = instance.typed(Api)
            assert api.count(timeout=3) == api.count.call(3) == api.count.call(3, timeout=60) == 0
            try: api.spin.call(timeout=0.01)
            except TimeoutError: print("typed")
            wasi = stepwell.Wasi(["x", "fib", "90"], stdout=bytearray())
            linker = stepwell.Linker(engine)
            linker.define_wasi()
            store.set_wasi(wasi)
            program = linker.instantiate(store, stepwell.Module(engine, stepwell.testing.program()))
            try: program.run(timeout=0.05)
            except TimeoutError: print("program")
        """
        self.assertEqual(self.run_it(program), ["typed", "program"])

    def test_refused(self):
        program = """
            start()
            for wrong in (-1, float("nan"), -0.5):
                try: exports.count.call(1, timeout=wrong)
                except ValueError: print("value")
            for wrong in ("soon", [], object()):
                try: exports.count.call(1, timeout=wrong)
                except (TypeError, ValueError): print("type")
            start(epoch=False)
            try: exports.count.call(1, timeout=1)
            except stepwell.Error as e: assert e.code == stepwell.ErrorCode.STATE and "epoch=True" in str(e), e; print("epoch")
            assert exports.count.call(1) == 0
        """
        self.assertEqual(self.run_it(program), ["value"] * 3 + ["type"] * 3 + ["epoch"])

    def test_of_calls_by_hand(self):
        program = """
            from stepwell import Call, CallStatus, NotYet, TimedOut
            def later():
                raise NotYet(5)
            start(later)
            with Call(exports.once) as call:
                assert call.run(timeout=0.01) == CallStatus.WAITING
                time.sleep(0.02)
                call.answer(3)
                assert call.run(timeout=60) == CallStatus.FINISHED and call.results() == 3
            with Call(exports.spin) as call:
                try: call.run(timeout=0.01)
                except TimedOut: assert call.status == CallStatus.FINISHED; print("ok")
            works()
        """
        self.assertEqual(self.run_it(program), ["ok"])


class LoopTest(Case):
    """asyncio."""

    def test_timeouts(self):
        program = """
            import asyncio
            from stepwell import TimedOut
            cleaned = []
            async def f():
                try: await asyncio.sleep(30)
                except asyncio.CancelledError: cleaned.append(1); raise
            async def quick():
                await asyncio.sleep(0.001)
                return 1
            async def main():
                global exports
                for call, frames in ((exports.spin.call_async(timeout=0.05), 1), (exports.once.call_async(timeout=0.05), 1)):
                    began = time.monotonic()
                    try: await call
                    except TimedOut as e: assert e.timeout == 0.05 and len(e.frames) == frames and time.monotonic() - began < 2; print("out")
                    assert getattr(asyncio.current_task(), "cancelling", int)() == 0
                assert cleaned == [1]
                start(quick)
                assert await exports.once.call_async(timeout=30) == 1
                try: await exports.ask.call_async(timeout=0.1)
                except TimedOut: print("out")
                start(quick, fuel=True, fuel_slices=True)
                store.fuel = 1 << 60
                try: await exports.spin.call_async(timeout=0.1, slice=10000)
                except TimedOut: print("out")
                # Who cancels is told of that, whatever the time.
                start(f)
                task = asyncio.ensure_future(exports.once.call_async(timeout=5))
                await asyncio.sleep(0.01)
                task.cancel()
                try: await task
                except asyncio.CancelledError: print("cancelled")
                works()
            start(f)
            asyncio.run(main())
        """
        self.assertEqual(self.run_it(program), ["out"] * 4 + ["cancelled"])

    def test_ctrl_c_ends_a_guest_that_computes(self):
        """One is enough, also where the loop has a handler of its own (from Python 3.11 on), which cancels the task."""
        program = """
            import asyncio
            start()
            ended = []
            async def main():
                print("ready", flush=True)
                try: await exports.spin.call_async()
                except BaseException as e:
                    ended.append(type(e).__name__)
                    await asyncio.sleep(0.001) if ended == ["CancelledError"] else None  # is not cancelled again
                    ended.append("cleaned")
                    raise
            try: asyncio.run(main())
            except KeyboardInterrupt: print("interrupted")
            handler = sys.version_info >= (3, 11)
            assert ended == ["CancelledError" if handler else "KeyboardInterrupt", "cleaned"], ended
            works()
        """
        self.assertEqual(self.interrupted(program), ["interrupted"])

    def test_a_guest_that_a_coroutine_calls(self):
        program = """
            import asyncio
            start(lambda: exports.spin())
            ended = []
            async def main():
                print("ready", flush=True)
                try: {call}
                except BaseException as e:
                    ended.append(type(e).__name__)
                    raise
            try: asyncio.run(main())
            except KeyboardInterrupt: print("interrupted")
            assert ended == ["CancelledError" if sys.version_info >= (3, 11) else "KeyboardInterrupt"], ended
            works()
        """
        for call in ("exports.spin()", "exports.once()", "await exports.once.call_async()"):
            with self.subTest(call=call):
                self.assertEqual(self.interrupted(program.replace("{call}", call)), ["interrupted"])

    def test_a_task_that_is_cancelled_by_its_host_function(self):
        program = """
            import asyncio
            start(lambda: asyncio.current_task().cancel() and 1)
            async def main():
                try: await exports.ask.call_async()
                except asyncio.CancelledError:
                    await asyncio.sleep(0)  # is not cancelled again
                    print("cancelled")
            asyncio.run(main())
            works()
        """
        self.assertEqual(self.run_it(program), ["cancelled"])

    def test_a_task_among_others(self):
        program = """
            import asyncio
            start()
            async def main():
                print("ready", flush=True)
                await asyncio.gather(exports.spin.call_async(), asyncio.sleep(60))
            try: asyncio.run(main())
            except KeyboardInterrupt: print("interrupted")
            works()
        """
        self.assertEqual(self.interrupted(program), ["interrupted"])


class SecondSignalTest(Case):
    def test_signals_while_one_is_looked_at(self):
        program = """
            from stepwell import _calls
            start()
            def spins():
                soon(_thread.interrupt_main)
                try:
                    exports.spin()
                except KeyboardInterrupt:
                    works()
                    print("ended")
            # The second comes while what the first has raised is looked at.
            real = _calls._left
            def left(unraisable, function):
                _calls._left = real
                raise KeyboardInterrupt
            _calls._left = left
            spins()
            # It comes before anything is.
            def unraisable(_):
                raise KeyboardInterrupt
            _calls._unraisable = sys.unraisablehook = unraisable
            spins()
        """
        self.assertEqual(self.run_it(program), ["ended", "ended"])


class FaultHandlerTest(Case):
    def test_enabled_at_any_time(self):
        program = """
            import faulthandler, guests
            store = stepwell.Store(stepwell.Engine())
            instance = stepwell.Instance(store, stepwell.Module(store.engine, guests.arithmetic()))
            def trap():
                try:
                    instance.exports.div(1, 0)
                except stepwell.Trap:
                    print("trap")
            for _ in range(300):  # beyond the calls that look after it by themselves
                instance.exports.add(1, 2)
            for switch in (faulthandler.enable, faulthandler.disable, faulthandler.enable):
                switch()
                trap()
            ctypes.string_at(8)
        """
        child = self.child(program)
        out, err = child.communicate(timeout=60)
        self.assertEqual(out.split(), ["trap"] * 3, err)
        # A fault of Python's own is still told, and still the end.
        self.assertEqual(child.returncode, -signal.SIGSEGV)
        self.assertIn("Fatal Python error: Segmentation fault", err)


class ExitTest(Case):
    def test_daemon_threads_in_guests(self):
        for f, call in (("lambda: 1", "ask"), ("lambda: 1", "spin"), ("lambda: time.sleep(0.001) or 1", "ask"), ("lambda: exports.count(3)", "ask")):
            with self.subTest(f=f, call=call):
                program = f"""
                    def forever(exports):
                        while True:
                            try:
                                exports.{call}()
                            except BaseException:
                                pass
                    for _ in range(3):
                        start({f})
                        threading.Thread(target=forever, args=(exports,), daemon=True).start()
                    time.sleep(0.3)
                    print("ok")
                """
                for _ in range(3):
                    self.assertEqual(self.run_it(program), ["ok"])

    def test_guests_that_outlive_the_interpreter(self):
        # One calls the host all the time, one is inside of the host, and one calls it when Python has come to its end, which C's
        # own end waits for.
        program = """
            stepwell._signals.PATIENCE = 0
            stores = []
            for f, call, argument in (
                    (lambda: 1, "ask", ()), (lambda: time.sleep(0.01) or 1, "ask", ()), (lambda: 1, "later", (2**31 - 1,))):
                start(f)
                stores.append(store)
                threading.Thread(target=getattr(exports, call), args=argument, daemon=True).start()
            libc = ctypes.CDLL(None)
            libc.__cxa_atexit(libc.usleep, ctypes.c_void_p(WAIT), None)
            time.sleep(0.1)
            print("ok", flush=True)
        """
        self.assertEqual(self.run_it(program.replace("WAIT", "2_500_000")), ["ok"])


if __name__ == "__main__":
    unittest.main()
