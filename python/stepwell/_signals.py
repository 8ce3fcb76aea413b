"""Has guests that compute look after signals, and ends them before the interpreter does.

Python runs signal handlers, and raises what they raise, between two bytecodes; a guest that computes runs none. So while guests run, a
thread has them ask from time to time whether they may go on: the question is a Python function, before which Python does what it
has put off. That finds every signal, `_thread.interrupt_main` and exceptions that other threads set.
"""
from __future__ import annotations

import ctypes
import faulthandler
import os
import queue
import threading
import time
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple

from . import _bindings as c
from ._managed import _ending

if TYPE_CHECKING:
    from ._calls import Deadline
    from .store import Interrupt

INTERVAL = 0.05  # seconds between two questions
IDLE = 40  # intervals without a guest until the thread sleeps
PATIENCE = 2.0  # seconds that guests of other threads have to end when the interpreter does

# The calls into guests that are under way: how to ask, where the engine can, and the thread.
running: Dict[int, Tuple[Optional[Interrupt], int]] = {}
# Until when calls may take, by what only one of them has: those who run have asked for it.
_deadlines: Dict[int, Deadline] = {}
_sooner: queue.SimpleQueue[None] = queue.SimpleQueue()  # has the thread look before its interval is over; a signal's handler may do so, too
_wanted = threading.Event()
_lock = threading.Lock()
_thread: Optional[threading.Thread] = None
_faulthandler = False


def _calls() -> List[Tuple[Optional[Interrupt], int]]:
    while True:
        try:
            return list(running.values())
        except RuntimeError:
            pass  # another thread began a call meanwhile


def _rest() -> None:
    """Waits until guests are to be asked: an interval, or until the time of one of them is up."""
    until = time.monotonic() + INTERVAL
    while True:
        try:
            waiting = [deadline for deadline in list(_deadlines.values()) if not deadline.is_over]
        except RuntimeError:
            continue  # another thread began a call meanwhile
        end = min([until, *(deadline.at for deadline in waiting)])
        try:
            _sooner.get(timeout=max(end - time.monotonic(), 0))
        except queue.Empty:
            now = time.monotonic()
            if now >= end:
                for deadline in waiting:
                    deadline.is_over = now >= deadline.at
                return


def _tick() -> None:
    idle = 0
    while True:
        _rest()
        calls = _calls()
        for asker, _ in calls:
            if asker is not None:
                asker._ask()
        idle = 0 if calls else idle + 1
        if idle > IDLE:
            _wanted.clear()
            if not running:
                _wanted.wait()
            _wanted.set()
            idle = 0


def watch() -> None:
    """Has the thread run. A call that is under way stands in `running`."""
    if _wanted.is_set():
        return
    global _thread
    with _lock:
        _wanted.set()
        if _thread is None or not _thread.is_alive():
            thread = threading.Thread(target=_tick, name="stepwell signals", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # no more threads: guests see signals when they end
                return
            _thread = thread


def expect(token: int, deadline: Deadline) -> bool:
    """Has guests asked when the time of a call is up, until `forget(token)`. False where there is no thread to do so."""
    _deadlines[token] = deadline
    watch()
    if deadline.timeout < INTERVAL:
        _sooner.put(None)  # else it looks in time by itself
    return _thread is not None and _thread.is_alive()


def forget(token: int) -> None:
    """The call of this deadline is over."""
    _deadlines.pop(token, None)


def prepare() -> None:
    """Puts the library's signal handlers in front of `faulthandler`'s, which would take guests' traps for faults of Python."""
    global _faulthandler
    if faulthandler.is_enabled() is not _faulthandler:
        _faulthandler = not _faulthandler
        error = c.stepwell_signal_handlers_renew()
        if error:
            c.stepwell_error_delete(error)


def begin(token: int, asker: Optional[Interrupt]) -> None:
    """A call into a guest begins, if it may: once the interpreter ends, not on other threads, which Python would end inside of it.
    Its end takes `token` out of `running`."""
    me = threading.get_ident()
    running[token] = asker, me  # before it looks: `end_guests` says that it ends before it looks here
    if _ending and _ending[0] != me:
        raise SystemExit("the interpreter ends")
    watch()


def end_guests(finalizer: Any) -> None:
    """Ends the guests of other threads: Python ends a thread that comes back to it later, where it stands, and once it has ended, such a
    thread crashes. Guests that do not end in time find no Python any more, and no `finalizer`: they end by a trap."""
    me = threading.get_ident()
    _ending.append(me)
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        others = [(asker, thread) for asker, thread in _calls() if thread != me]
        if not others:
            break
        for asker, thread in others:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(SystemExit))
            if asker is not None:
                asker._ask()
        time.sleep(0.005)
    c.stepwell_guarded_callbacks_end(finalizer)


def _after_fork() -> None:
    """Only this thread is in the child."""
    global _thread, _wanted, _lock, _sooner
    me = threading.get_ident()
    for token, (_, thread) in list(running.items()):
        if thread != me:
            del running[token]
    _thread, _wanted, _lock, _sooner = None, threading.Event(), threading.Lock(), queue.SimpleQueue()


os.register_at_fork(after_in_child=_after_fork)
