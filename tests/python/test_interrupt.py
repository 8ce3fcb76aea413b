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
    def interrupted(self, program, signals=1, between=0.3):
        child = self.child(program)
        self.assertEqual(child.stdout.readline(), "ready\n", child.poll() is not None and child.stderr.read())
        for _ in range(signals):
            time.sleep(between if between is not None else random.random() / 20)
            child.send_signal(signal.SIGINT)
        return self.said(child)

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
                ("start(debug=True)\nd = stepwell.Debugger(store, lambda stop: stepwell.Action.STEP)\nd.step_always()", "exports.spin()"),
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
