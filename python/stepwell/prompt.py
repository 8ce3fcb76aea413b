"""A prompt at a stop, for people who know `pdb` or gdb.

It stands on the public interface of `Stop`, `Frame` and `Debugger` alone. What a guest says is escaped before it is shown.
"""
from __future__ import annotations

import cmd
import contextlib
import re
import traceback
from typing import IO, TYPE_CHECKING, Any, Callable, Dict, Iterator, List, Optional, Tuple

from . import _source
from ._bindings import Action, Scope, StopReason, WatchKind
from .errors import Error, Trap, escaped, name_to_show

if TYPE_CHECKING:
    from .debugger import Breakpoint, Debugger, Frame, Stop, Variable

AROUND = 5  # lines of the source on each side
MOST = 100  # lines of anything


class Quit(Trap):
    """Ended at the prompt, by `quit` or the end of its input: the guest is ended, and its call raises this."""

    def __init__(self) -> None:
        super().__init__("the guest was ended at the debugger's prompt")


class Remembered:
    """What a debugger's prompts know of each other."""

    def __init__(self) -> None:
        self.displays: List[str] = []
        self.last = ""  # the command that an empty line repeats
        self.again: Optional[Tuple[str, int]] = None  # a command that is given so many times more, where a step ends
        self.until: Optional[Tuple[int, int]] = None  # a frame that goes on to a line behind this one


def words_of(error: BaseException) -> str:
    """What a person at a prompt is told of an error."""
    text = error.message if isinstance(error, Error) else str(error)
    if isinstance(error, KeyError):
        text = f"there is no {error.args[0] if error.args else 'such name'}"
    return escaped(re.sub(r"^`stepwell_\w+`: ", "", text)) or type(error).__name__


class Prompt(cmd.Cmd):
    """The prompt at one stop. `run` asks for commands until one of them has the guest go on."""

    prompt = "(stepwell) "
    doc_header = "Commands (help NAME says more; an empty line repeats the last one):"
    undoc_header = ""
    misc_header = ""

    def __init__(self, stop: Stop, memory: Remembered, stdin: Optional[IO[str]], stdout: Optional[IO[str]]) -> None:
        super().__init__(stdin=stdin, stdout=stdout)
        self.use_rawinput = stdin is None
        self.stop = stop
        self.debugger: Debugger = stop.debugger
        self.memory = memory
        self.index = 0  # of the frame that is looked at
        self.listed: Optional[int] = None  # the line behind those that `list` has shown

    def say(self, text: str = "") -> None:
        """A line, or several, of which what is a guest's has been escaped."""
        self.stdout.write(text + "\n")

    def run(self) -> Action:
        """Asks until the guest is to go on, and says how."""
        memory = self.memory
        if self._goes_on():
            return self.stop._answer
        self.lastcmd = memory.last
        self.say(self.why())
        self.place()
        for expression in memory.displays:
            self.show(expression)
        while True:
            try:
                self.cmdloop("")
                return self.stop._answer
            except KeyboardInterrupt:
                self.say("--KeyboardInterrupt--")
            finally:
                memory.last = self.lastcmd if self.lastcmd != "EOF" else ""

    def _goes_on(self) -> bool:
        """Whether what was said at the stop before has more to do."""
        memory = self.memory
        until, again = memory.until, memory.again
        memory.until = memory.again = None
        if self.stop.reason != StopReason.STEP or not self.stop.frame_count:
            return False
        if until is not None and self.frame.id == until[0] and self.line is not None and self.line <= until[1]:
            memory.until = until
            self.stop.next_line()
            return True
        if again is not None:
            return bool(self.onecmd(f"{again[0]} {again[1]}"))
        return False

    def onecmd(self, line: str) -> bool:
        """Does a command. Whether the guest goes on."""
        try:
            return bool(super().onecmd(line))
        except Quit:
            raise
        except (Error, ValueError, TypeError, LookupError, OSError, OverflowError) as error:
            self.say(f"*** {words_of(error)}")
            return False

    def emptyline(self) -> bool:
        """Repeats the last command."""
        return self.onecmd(self.lastcmd) if self.lastcmd else False

    def default(self, line: str) -> bool:  # type: ignore[override]
        """No command."""
        if line == "EOF":
            self.say()
            return self.do_quit("")
        self.say(f"*** no such command: {escaped(line.split()[0])}; `help` lists them, `p` shows an expression")
        return False

    def completenames(self, text: str, *ignored: Any) -> List[str]:
        """Commands, without their short names."""
        return [name for name in super().completenames(text, *ignored) if name in _LONG]

    def do_help(self, arg: str) -> None:
        """help [COMMAND]
        Lists the commands, or says what one does."""
        name = arg.strip()
        if not name:
            self.say(self.doc_header)
            self.columnize(sorted(_LONG), 79)
            self.say()
            return
        known = getattr(self, f"do_{_PLAIN.get(name, name)}", None)
        if known is None or not known.__doc__:
            raise ValueError(f"no such command: {name}")
        self.say("\n".join(line.strip() for line in known.__doc__.split("\n")))

    # Where the guest is.

    @property
    def frame(self) -> Frame:
        """The frame that is looked at."""
        return self.stop.frame(self.index)

    @property
    def line(self) -> Optional[int]:
        """The line of it."""
        source = self.frame.source
        return source[0].line or None if source else None

    def why(self) -> str:
        """Why the guest has stopped."""
        text = f"stopped by {escaped(self.stop._why())}"
        return text + (": Ctrl-C" if self.stop.interrupt is not None else "")

    def place(self) -> None:
        """The frame that is looked at, and its line."""
        if not self.stop.frame_count:
            self.say("no guest's function runs")
            return
        self.listed = None
        frame, source = self.frame, self.frame.source
        self.say(f"> #{self.index} {escaped(frame._where())}")
        if source:
            for number, text in _source.around(source[0].file, source[0].line, 0, 0, self.debugger.source_folders):
                self.say(f"{number:>5} -> {escaped(text)}")
        else:
            self.instructions(1)

    def instructions(self, count: int) -> None:
        """Instructions of the frame, from that at which it stands on."""
        frame = self.frame
        if frame.module is None:
            raise ValueError("the module is none of Python's: its instructions cannot be told")
        for found in frame.module.instructions(frame.func_index, frame.offset, count):
            mark = "->" if found.offset == frame.offset else "  "
            self.say(f"{found.offset:#8x} {mark} {escaped(found.text)}")

    def do_where(self, arg: str) -> None:
        """where, bt, w, backtrace [COUNT]
        The frames, the innermost first; > is the one that is looked at."""
        count = _number(arg, MOST)
        there = self.stop.frame_count
        for index in range(min(there, count)):
            frame = self.stop.frame(index)
            through = " (through the host)" if frame.called_through_host else ""
            self.say(f"{'>' if index == self.index else ' '} #{index} {escaped(frame._where())}{through}")
            for outer in frame.source[1:]:
                self.say(f"      inlined into {escaped(name_to_show(outer.function or '?'))} ({escaped(outer)})")
        if there > count:
            self.say(f"  ... of {there}")

    def do_up(self, arg: str) -> None:
        """up, u [COUNT]
        Looks at the frame that has called this one."""
        self._look_at(self.index + _number(arg, 1))

    def do_down(self, arg: str) -> None:
        """down, d [COUNT]
        Looks at the frame that this one has called."""
        self._look_at(self.index - _number(arg, 1))

    def do_frame(self, arg: str) -> None:
        """frame, f [NUMBER]
        Looks at a frame by its number, the innermost is 0; or says which one is looked at."""
        self._look_at(_number(arg, self.index, 0))

    def _look_at(self, index: int) -> None:
        last = self.stop.frame_count - 1
        if last < 0:
            raise ValueError("no guest's function runs")
        nearest = min(max(index, 0), last)
        if nearest == self.index != index:
            raise ValueError("this is the innermost frame" if index < 0 else "this is the outermost frame")
        self.index = nearest
        self.place()

    def do_list(self, arg: str) -> None:
        """list, l [LINE | FIRST, LAST | FUNCTION | FILE:LINE | .]
        The source around a line or a function, or on from where it was listed last; . is where the frame stands. Without source, instructions."""
        given, source = arg.strip(), self.frame.source
        file, line = (source[0].file, source[0].line) if source else (None, 0)
        first, last = self.listed or line - AROUND, 0
        if given and given != "." and not given[0].isdigit():
            file, first = self._named(given)
            first -= AROUND
        elif not source:
            self.instructions(2 * AROUND + 1)
            return
        elif "," in given:
            first, last = (_number(one, 1) for one in given.split(",", 1))
            last = last if last >= first else first + last
        elif given:
            first = (line if given == "." else _number(given, 1)) - AROUND
        first = max(first, 1)
        last = min(last or first + 2 * AROUND, first + MOST - 1)
        lines = _source.around(file, first, 0, last - first, self.debugger.source_folders)
        if not lines:
            if _source.find(file, self.debugger.source_folders) is None:
                raise ValueError(f"{file} is not found: debugger.source_folders says where sources are")
            raise ValueError("this is the end of the file")
        held = self._lines_held(file)
        for number, text in lines:
            stands = bool(source) and (file, number) == (source[0].file, line)
            self.say(f"{number:>5} {'->' if stands else 'B ' if number in held else '  '} {escaped(text)}")
        self.listed = lines[-1][0] + 1 if source and file == source[0].file else None

    def _named(self, name: str) -> Tuple[Optional[str], int]:
        """The file and the line of a function, or of FILE:LINE."""
        file, _, line = name.rpartition(":")
        if file and not file.endswith(":"):
            return file, _number(line, 1)
        module = self.frame.module
        found = next((one for one in module.functions() if one.name == name and one.line), None) if module is not None else None
        if found is None:
            raise ValueError(f"{name} is no function whose line is known")
        return found.file, found.line or 1

    def _lines_held(self, file: Optional[str]) -> List[int]:
        """The lines of a file that have breakpoints."""
        return [one.source[0].line for placed in self.debugger.breakpoints for one in placed.places if one.source and one.source[0].file == file]

    def do_disas(self, arg: str) -> None:
        """disas [COUNT]
        Instructions of WebAssembly, from that at which the frame stands on."""
        self.instructions(min(_number(arg, 2 * AROUND + 1), MOST))

    def do_x(self, arg: str) -> None:
        """x ADDRESS [COUNT]
        So many bytes of the first memory of the frame's instance, 64 without a count. The address may be an expression of the source."""
        place, _, count = arg.strip().rpartition(" ")
        if not place or not count.isdigit():
            place, count = arg.strip(), ""
        try:
            address = int(place, 0)
        except ValueError:
            value = self.frame.variable(place).value
            if not isinstance(value, int):
                raise ValueError(f"{place} is no address") from None
            address = value
        memory = self.frame.instance.memory(0)
        for at in range(address, address + min(_number(count, 64), 16 * MOST), 16):
            data = memory.read(at, min(16, address + _number(count, 64) - at, max(len(memory) - at, 1)))
            letters = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in data)
            self.say(f"{at:#10x}  {data.hex(' '):<47}  {letters}")

    # What it has.

    def value(self, expression: str) -> str:
        """An expression's value as text."""
        if not expression.strip():
            raise ValueError("an expression is wanted")
        return escaped(self.frame.evaluate(expression.strip()).text)

    def show(self, expression: str) -> None:
        """A line of `display`."""
        try:
            self.say(f"display {escaped(expression)}: {self.value(expression)}")
        except (Error, ValueError) as error:
            self.say(f"display {escaped(expression)}: ({words_of(error)})")

    def do_print(self, arg: str) -> None:
        """print, p EXPRESSION
        What an expression of the source comes to in the frame, such as p->x[3]."""
        self.say(self.value(arg))

    def do_whatis(self, arg: str) -> None:
        """whatis EXPRESSION
        The type of an expression."""
        self.say(escaped(self.frame.evaluate(arg.strip()).type_name))

    def do_set(self, arg: str) -> None:
        """set NAME = VALUE
        Gives a variable of the source, or what a path such as p->x[3] leads to, another value."""
        path, equals, text = arg.partition("=")
        if not equals:
            raise ValueError("set NAME = VALUE")
        self.frame.assign(path.strip().replace("var ", "", 1), text.strip())
        self.say(f"{escaped(path.strip())} = {self.value(path)}")

    def variables(self, scope: Scope) -> bool:
        """The variables of a scope. Whether it has any."""
        try:
            found = list(self.frame.scope(scope).children(0, MOST))
        except Error:
            return False
        for variable in found:
            self.say(f"{escaped(variable.name)}: {escaped(variable.type_name)} = {_text(variable)}")
        return bool(found)

    def wasm_locals(self, first: int, last: int) -> None:
        """The locals of WebAssembly that have these numbers."""
        found = self.frame.locals
        named = {index: name for name, index in found.names.items()}
        shown = range(first, min(last, len(found)))
        for index in shown[:MOST]:
            self.say(f"local {index}{f' {name_to_show(named[index])}' if index in named else ''}: {found[index]!r}")
        if len(shown) > MOST:
            self.say(f"... of {len(found)}")
        elif not shown:
            self.say("none")

    def do_args(self, arg: str) -> None:
        """args, a
        The parameters of the frame's function."""
        frame = self.frame
        if not self.variables(Scope.PARAMETERS):
            if frame.source:
                self.say("none")
            else:
                self.wasm_locals(0, len(frame.instance.func(frame.func_index).type.params))

    def do_locals(self, arg: str) -> None:
        """locals
        The variables of the source that the frame has, its parameters first. Without any, the locals of WebAssembly."""
        if not any([self.variables(scope) for scope in (Scope.PARAMETERS, Scope.LOCALS)]):
            self.wasm_locals(0, len(self.frame.locals))

    def do_wasm(self, arg: str) -> None:
        """wasm
        The locals and the operands of WebAssembly that the frame has."""
        self.wasm_locals(0, len(self.frame.locals))
        operands = self.frame.operands
        self.say(f"operands: {', '.join(map(repr, operands[:MOST])) or 'none'}{' ...' if len(operands) > MOST else ''}")

    def do_display(self, arg: str) -> None:
        """display, disp [EXPRESSION]
        Shows an expression at each stop; without one, those that are shown now."""
        expression = arg.strip()
        if expression and expression not in self.memory.displays:
            self.memory.displays.append(expression)
        for one in [expression] if expression else self.memory.displays:
            self.show(one)

    def do_undisplay(self, arg: str) -> None:
        """undisplay [EXPRESSION]
        Shows it no more; without one, none."""
        expression = arg.strip()
        if expression and expression not in self.memory.displays:
            raise ValueError(f"{expression} is not displayed")
        self.memory.displays[:] = [one for one in self.memory.displays if expression and one != expression]

    def do_info(self, arg: str) -> None:
        """info breakpoints | watchpoints | locals | args | frame | display
        What gdb's users ask by it."""
        asked = arg.strip()
        ways: Dict[str, Callable[[], Any]] = {
            "breakpoints": lambda: self.do_break(""), "watchpoints": lambda: self.do_watch(""), "locals": lambda: self.do_locals(""),
            "args": lambda: self.do_args(""), "frame": self.place, "display": lambda: self.do_display("")}
        found = [name for name in ways if asked and name.startswith(asked)]
        if not found:
            raise ValueError("info " + " | ".join(ways))
        ways[found[0]]()

    # Where it is to stop.

    def do_break(self, arg: str, once: bool = False) -> None:
        """break, b [LINE | FILE:LINE | FUNCTION | *OFFSET [if CONDITION]]
        Sets a breakpoint: at a line of this file or another, a function, or an instruction by its offset in the module. Without a place, lists
        breakpoints and watchpoints. The condition may also stand behind a comma, as in pdb."""
        place, condition = _condition_of(arg.strip())
        if not place:
            for one in self.debugger.breakpoints:
                notes = f", hits: {one.hit_count}" if one.hit_count else ""
                held = one.condition
                notes += f", if {escaped(held)}" if isinstance(held, str) else ", if Python says so" if held else ""
                self.say(f"{repr(one)[1:-1]}{notes}")
            self.do_watch("")
            return
        debugger, file, line = self.debugger, place.rpartition(":")[0], place.rpartition(":")[2]
        if place.startswith("*"):
            module = self.frame.module
            if module is None:
                raise ValueError("the module is none of Python's")
            made = debugger.break_at(module, int(place[1:], 0))
        elif place.isdigit():
            source = self.frame.source
            if not source or not source[0].file:
                raise ValueError("the frame has no source: FILE:LINE, a function or *OFFSET is wanted")
            made = debugger.break_at_line(self.frame.module, source[0].file, int(place))
        elif file and line.isdigit() and not file.endswith(":"):
            made = debugger.break_at_line(None, file, int(line))
        else:
            made = debugger.break_at_function(None, place)
        try:
            if condition:
                made.condition = condition
            made.one_shot = once
        except BaseException:
            made.remove()
            raise
        self.say(repr(made)[1:-1] + ("" if made.places else ": no module of the store has that; it waits for one that comes"))

    def do_tbreak(self, arg: str) -> None:
        """tbreak, tb PLACE [if CONDITION]
        Sets a breakpoint, as `break` does, that is removed when it has stopped once."""
        if not arg.strip():
            raise ValueError("a place is wanted: see `help break`")
        self.do_break(arg, once=True)

    def do_watch(self, arg: str, kind: WatchKind = WatchKind.CHANGE) -> None:
        """watch EXPRESSION
        Stops where a variable of the source, or a local of WebAssembly by its name, becomes another value. `rwatch` stops where it is read, `awatch` where
        it is read or written. Without one, lists watchpoints."""
        expression = arg.strip()
        if not expression:
            for one in self.debugger.watchpoints:
                self.say(repr(one)[1:-1])
            return
        frame = self.frame
        try:
            made = self.debugger.watch_variable(frame.variable(expression), kind)
        except Error:
            if expression not in frame.locals.names:
                raise
            made = self.debugger.watch_local(frame, expression, kind)
        self.say(f"{repr(made)[1:-1]} of {escaped(expression)}")

    def do_rwatch(self, arg: str) -> None:
        """rwatch EXPRESSION
        Stops where a variable of the source is read."""
        self.do_watch(arg, WatchKind.READ)

    def do_awatch(self, arg: str) -> None:
        """awatch EXPRESSION
        Stops where a variable of the source is read or written."""
        self.do_watch(arg, WatchKind.ACCESS)

    def do_unwatch(self, arg: str) -> None:
        """unwatch [NUMBER ...]
        Removes watchpoints; without a number, all."""
        there = {one.id: one for one in self.debugger.watchpoints}
        for number in [_number(one, 0) for one in arg.split()] or list(there):
            if number not in there:
                raise ValueError(f"there is no watchpoint {number}")
            there.pop(number).remove()

    def breakpoints(self, arg: str) -> Iterator[Breakpoint]:
        """Those that are named by their numbers."""
        there = {one.id: one for one in self.debugger.breakpoints}
        for word in arg.split():
            number = _number(word, 0)
            if number not in there:
                raise ValueError(f"there is no breakpoint {number}")
            yield there[number]

    def do_clear(self, arg: str) -> None:
        """clear, delete, cl [NUMBER ... | FILE:LINE]
        Removes breakpoints by their numbers, or those of a line; without either, all of them."""
        file, _, line = arg.strip().rpartition(":")
        if file:
            gone = [one for one in self.debugger.breakpoints if any(
                place.source and place.line == _number(line, 0) and (place.source[0].file or "").endswith(file) for place in one.places)]
            if not gone:
                raise ValueError(f"there is no breakpoint at {arg.strip()}")
        else:
            gone = list(self.breakpoints(arg)) if arg.strip() else self.debugger.breakpoints
        for one in gone:
            one.remove()
        self.say(f"removed: {', '.join(str(one.id) for one in gone) or 'none'}")

    def do_enable(self, arg: str) -> None:
        """enable NUMBER ...
        Has breakpoints stop again."""
        for one in self.breakpoints(arg):
            one.enabled = True

    def do_disable(self, arg: str) -> None:
        """disable NUMBER ...
        Has breakpoints stop nothing, until they are enabled."""
        for one in self.breakpoints(arg):
            one.enabled = False

    def do_ignore(self, arg: str) -> None:
        """ignore NUMBER [COUNT]
        Has a breakpoint passed so many times before it stops."""
        number, _, count = arg.strip().partition(" ")
        for one in self.breakpoints(number):
            one.ignore_count = _number(count, 0)

    def do_condition(self, arg: str) -> None:
        """condition NUMBER [CONDITION]
        Gives a breakpoint a condition, or takes it away."""
        number, _, condition = arg.strip().partition(" ")
        for one in self.breakpoints(number):
            one.condition = condition.strip() or None

    # How it is to go on.

    def _steps(self, name: str, arg: str, source: Callable[[], None], without: Callable[[], None]) -> bool:
        """A step, in lines where the innermost frame has some."""
        count = _number(arg, 1)
        self.memory.again = (name, count - 1) if count > 1 else None
        (source if self.stop.frame_count and self.stop.frame(0).source else without)()
        return True

    def do_step(self, arg: str) -> bool:
        """step, s [COUNT]
        To the next line, also of a function that is called. Without source, to the next instruction."""
        return self._steps("step", arg, self.stop.step_line, self.stop.step)

    def do_next(self, arg: str) -> bool:
        """next, n [COUNT]
        To the next line of this function. Without source, to the next instruction of it."""
        return self._steps("next", arg, self.stop.next_line, self.stop.step_over)

    def do_stepi(self, arg: str) -> bool:
        """stepi, si [COUNT]
        To the next instruction of WebAssembly."""
        return self._steps("stepi", arg, self.stop.step, self.stop.step)

    def do_nexti(self, arg: str) -> bool:
        """nexti, ni [COUNT]
        To the next instruction of this function."""
        return self._steps("nexti", arg, self.stop.step_over, self.stop.step_over)

    def do_finish(self, arg: str) -> bool:
        """finish, fin, return, r
        Until the frame that is looked at has returned."""
        self.stop.step_out_of(self.index + 1) if self.index + 1 < self.stop.frame_count else self.stop.resume()
        return True

    def do_until(self, arg: str) -> bool:
        """until, unt [LINE]
        To a line of this function, or to the next one that is behind this line; or until the function returns."""
        if arg.strip():
            self.stop.run_to_line(_number(arg, 0))
            return True
        frame = self.stop.frame(0)
        if not frame.source or not frame.source[0].line:
            raise ValueError("the frame has no source")
        self.memory.until = frame.id, frame.source[0].line
        self.stop.next_line()
        return True

    def do_continue(self, arg: str) -> bool:
        """continue, cont, c
        To the next breakpoint, or the end of the call."""
        self.stop.resume()
        return True

    def do_quit(self, arg: str) -> bool:
        """quit, q, exit
        Ends the guest: its call raises stepwell.Quit."""
        raise Quit

    def do_python(self, arg: str) -> None:
        """python, ! STATEMENT
        Runs Python, with stop, frame, debugger, store, instance and exports."""
        names: Dict[str, Any] = {"stop": self.stop, "debugger": self.debugger, "store": self.debugger.store}
        if self.stop.frame_count:
            frame = names["frame"] = self.frame
            names["instance"] = frame.instance
            names["exports"] = frame.instance.exports
        try:
            with contextlib.redirect_stdout(self.stdout):
                exec(compile(arg, "<stepwell>", "single"), names)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            self.say(f"*** {escaped(traceback.format_exception_only(type(error), error)[-1].strip())}")

    do_shell = do_python

    def _complete_variables(self, text: str, *_: Any) -> List[str]:
        try:
            return sorted({one.name for one in self.frame.variables() if one.name.startswith(text)})
        except (Error, ValueError, LookupError):
            return []

    complete_print = complete_p = complete_display = complete_watch = complete_set = complete_whatis = _complete_variables

    def complete_break(self, text: str, *_: Any) -> List[str]:
        """Names of functions."""
        module = self.frame.module if self.stop.frame_count else None
        found = [one.name for one in module.functions(0, 5000) if one.name] if module is not None else []
        return sorted({name for name in found if name.startswith(text)})[:200]

    complete_b = complete_tbreak = complete_tb = complete_break


# What else a command is called, in pdb or in gdb.
_SHORT = {
    "where": ("w", "bt", "backtrace"), "up": ("u",), "down": ("d",), "frame": ("f",), "list": ("l",), "print": ("p",), "args": ("a",), "break": ("b",),
    "tbreak": ("tb",), "clear": ("cl", "delete"), "step": ("s",), "next": ("n",), "stepi": ("si",), "nexti": ("ni",),
    "finish": ("fin", "return", "r"), "until": ("unt",), "continue": ("c", "cont"), "quit": ("q", "exit"), "help": ("h",), "display": ("disp",),
}
_PLAIN = {short: name for name, shorts in _SHORT.items() for short in shorts}
_LONG = [name[3:] for name in vars(Prompt) if name.startswith("do_") and name != "do_shell"]
for _short, _name in _PLAIN.items():
    setattr(Prompt, f"do_{_short}", getattr(Prompt, f"do_{_name}"))


def _number(text: str, otherwise: int, least: int = 0) -> int:
    """A number of a command's, or another where none is given."""
    if not text.strip():
        return otherwise
    try:
        number = int(text.strip(), 0)
    except ValueError:
        raise ValueError(f"{text.strip()} is no number") from None
    if not least <= number < 1 << 32:
        raise ValueError(f"{number} is too small or too large")
    return number


def _condition_of(text: str) -> Tuple[str, str]:
    """A place, and the condition behind it."""
    found = re.match(r"(.*?)(?:\s+if\s+|\s*,\s*)(.*)", text, re.S)
    return (found.group(1).strip(), found.group(2).strip()) if found and "(" not in found.group(1) else (text, "")


def _text(variable: Variable) -> str:
    try:
        return escaped(variable.text)
    except Error as error:
        return f"({words_of(error)})"


def interact(stop: Stop, stdin: Optional[IO[str]] = None, stdout: Optional[IO[str]] = None) -> Action:
    """Asks a person, or `stdin`, what to do at a stop: see `Stop.interact`."""
    debugger = stop.debugger
    try:
        if debugger._at_prompt is None:
            debugger._at_prompt = Remembered()
        return Prompt(stop, debugger._at_prompt, stdin, stdout).run()
    finally:
        debugger._interrupted_at = float("-inf")  # who has just been asked did not mean this by a second Ctrl-C
