"""Sessions: calls whose stops are looked at one after the other, from statement to statement. They stand on `Call`, and need no thread."""
from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any, Callable, Optional

from . import _calls
from ._bindings import Action, CallStatus, ErrorCode, StopReason
from ._managed import Unique
from .call import Call
from .errors import Error
from .prompt import Quit
from .values import Func

if TYPE_CHECKING:
    from .debugger import Debugger, Stop


class Session(Unique):
    """Calls whose stops are looked at from statement to statement, or from cell to cell of a notebook: `Debugger.session()` makes one.

    `call(func, ...)` runs a guest up to its first stop, and returns that `Stop`; `next_line()`, `step_line()`, `resume()` and their like have it
    go on, and return the next one, or None once it is done: then `result` is what it has returned. What the guest fails by is raised by the
    one that runs it. Between them the stop may be looked at and changed, and other guests of the store called.

    Stops that cannot wait, of guests that were called as usual, of those that host functions call, and before and behind host functions, ask at
    a prompt instead (`Stop.interact`). So `with debugger.session(): exports.run()` is all that a terminal needs.
    """

    def __init__(self, debugger: Debugger, stdin: Optional[IO[str]] = None, stdout: Optional[IO[str]] = None) -> None:
        self._debugger = debugger
        self._streams = stdin, stdout
        self._call: Optional[Call] = None
        self._result: Any = None
        self._is_open = True
        self._before = debugger._on_stop
        self._handler: Callable[[Stop], Any] = self._on_stop
        debugger._on_stop = self._handler

    def _on_stop(self, stop: Stop) -> Action:
        waits = _calls.waiting_call()
        if waits is not None and waits is self._call and stop.reason not in (StopReason.HOST_CALL, StopReason.HOST_RETURN):
            return Action.LATER
        return stop.interact(*self._streams)

    @property
    def debugger(self) -> Debugger:
        """The debugger."""
        return self._debugger

    @property
    def stop(self) -> Optional[Stop]:
        """The stop at which the guest stands, or None."""
        return None if self._call is None or self._call.closed else self._call.stop

    @property
    def done(self) -> bool:
        """Whether no guest stands: it is done, was given up, or none was called."""
        return self.stop is None

    @property
    def result(self) -> Any:
        """What the call that is done has returned: None, the one result, or a tuple."""
        return self._result

    def call(self, func: Func, *args: Any) -> Optional[Stop]:
        """Calls a function, up to its first stop, which is returned; or None where it is done without one. Of a guest that stands for another
        call, `give_up()` lets go."""
        if not self._is_open:
            raise ValueError("this Session is closed")
        if self.stop is not None:
            raise Error("a guest of the session stands already: have it go on, or give it up", ErrorCode.STATE)
        self._result = None
        func = getattr(func, "func", func)
        if isinstance(func, Func) and func.store is not self._debugger.store:
            raise Error("the function is of another store than the debugger", ErrorCode.ARGUMENT)
        self._call = Call(func, *args)
        return self._run()

    def _run(self) -> Optional[Stop]:
        call = self._call
        assert call is not None
        while True:
            try:
                status = call.run()
            except BaseException:
                self.give_up()
                raise
            if status == CallStatus.STOPPED:
                return call.stop
            if status == CallStatus.FINISHED:
                self._result = call.results()
                self.give_up()
                return None
            call.fail(Error("a host function has no answer yet, and a session cannot wait for it: use `Call`, or `func.call_async`", ErrorCode.STATE))

    def _go(self, how: Callable[[Stop], None]) -> Optional[Stop]:
        stop = self.stop
        if stop is None:
            raise Error("no guest of the session stands: `call` one first", ErrorCode.STATE)
        how(stop)
        return self._run()

    def resume(self) -> Optional[Stop]:
        """To the next breakpoint, or the end of the call."""
        return self._go(lambda stop: stop.resume())

    def step(self) -> Optional[Stop]:
        """To the next instruction, whatever function it is in."""
        return self._go(lambda stop: stop.step())

    def step_over(self) -> Optional[Stop]:
        """To the next instruction of the frame, or of its caller."""
        return self._go(lambda stop: stop.step_over())

    def step_out(self) -> Optional[Stop]:
        """To the next instruction of the caller."""
        return self._go(lambda stop: stop.step_out())

    def step_line(self) -> Optional[Stop]:
        """To the next line of the source, also of a function that is called."""
        return self._go(lambda stop: stop.step_line())

    def next_line(self) -> Optional[Stop]:
        """To the next line of the source in this frame, or where it returns to."""
        return self._go(lambda stop: stop.next_line())

    def step_out_of(self, frames: int) -> Optional[Stop]:
        """Until so many frames are left."""
        return self._go(lambda stop: stop.step_out_of(frames))

    def run_to(self, offset: int) -> Optional[Stop]:
        """To an instruction of the innermost frame's function, by its offset in the module."""
        return self._go(lambda stop: stop.run_to(offset))

    def run_to_line(self, line: int) -> Optional[Stop]:
        """To a line of the innermost frame's function."""
        return self._go(lambda stop: stop.run_to_line(line))

    def interact(self) -> Any:
        """Asks at a prompt, at this stop and at those that follow, until the call is done; returns its result. By `quit` the guest is given
        up."""
        try:
            while (stop := self.stop) is not None:
                stop.interact(*self._streams)
                self._run()
        except Quit:
            self.give_up()
        return self._result

    def give_up(self) -> None:
        """Leaves a guest that stands where it is, as by a trap. Without one it does nothing."""
        call, self._call = self._call, None
        if call is not None:
            call.close()

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return not self._is_open

    def close(self) -> None:
        """Gives up a guest that stands, and hands the stops to come to whom they went before. Closing twice is allowed."""
        self._is_open = False
        self.give_up()
        if self._debugger._on_stop is self._handler:
            self._debugger._on_stop = self._before

    def __enter__(self) -> Session:
        if not self._is_open:
            raise ValueError("this Session is closed")
        return self

    def __exit__(self, kind: Any, raised: Any, traceback: Any) -> bool:
        """Closes it. Who has quit at its prompt is outside then, without an error."""
        self.close()
        return isinstance(raised, Quit)

    def __repr__(self) -> str:
        if not self._is_open:
            return "<Session, closed>"
        stop = self.stop
        return f"<Session: {repr(stop)[1:-1]}>" if stop is not None else "<Session, in which no guest stands>"

    def _repr_html_(self) -> Optional[str]:
        """What notebooks show of it: the stop."""
        stop = self.stop
        return None if stop is None else stop._repr_html_()
