"""What notebooks show: tables of frames and trees of variables, in HTML. All that guests say is text in it."""
from __future__ import annotations

import html
from typing import TYPE_CHECKING, List, Mapping, Sequence, Tuple

from ._bindings import VariableKind
from ._shown import shortened
from .errors import Error, escaped

if TYPE_CHECKING:
    from .debugger import Variable

ROOM = 100  # of what is inside of a variable
FRAMES = 30  # of a stop
LINES = 5000  # of all files that are covered
FILES = 100


CELL = 300  # letters of a cell of a table
_PRE = "<pre style='line-height: 1.35; margin: 0; overflow-x: auto'>"


def text(said: object, most: int = CELL) -> str:
    """What a guest says, as text in HTML and nothing else."""
    return html.escape(escaped(shortened(str(said), most)))


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of HTML. What a guest says is text in it, and nothing else."""
    def cells(kind: str, row: Sequence[str]) -> str:
        return "".join(f"<{kind} style='text-align: left'>{text(cell)}</{kind}>" for cell in row)

    lines = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f"<table><thead><tr>{cells('th', head)}</tr></thead><tbody>{lines}</tbody></table>"


def code(rows: Sequence[Tuple[str, str, str]]) -> str:
    """Lines of code: the number, what is said of it, as `->`, and its text; those of which something is said are marked."""
    return f"{_PRE}{''.join(_line(*row, '255, 200, 0' if row[1] else '') for row in rows)}</pre>"


def _line(number: str, mark: str, said: str, colour: str) -> str:
    line = html.escape(f"{number:>8} {mark:>3} ") + text(said) + "\n"
    return f"<span style='display: inline-block; min-width: 100%; background: rgba({colour}, 0.22)'>{line[:-1]}</span>\n" if colour else line


def covered(files: Sequence[Tuple[str, Mapping[int, int], Sequence[str]]]) -> str:
    """How often the lines of files were reached, each file to be unfolded: its name, the counts by line, and its text, which may be missing."""
    parts, room = [], LINES
    for name, counts, lines in files[:FILES]:
        reached = sum(1 for count in counts.values() if count)
        rows = []
        numbers = range(1, len(lines) + 1) if lines else sorted(counts)
        for number in numbers[:room]:
            count = counts.get(number)
            said = lines[number - 1] if number <= len(lines) else ""
            rows.append(_line(str(number), "" if count is None else str(count), said, "" if count is None else "0, 160, 0" if count else "220, 0, 0"))
        cut = f"<div>... of {len(numbers)} lines</div>" if len(rows) < len(numbers) else ""
        room -= len(rows)
        share = f"{100 * reached // len(counts)} %" if counts else "none"
        parts.append(f"<details{' open' if len(files) == 1 else ''}><summary>{text(name)}: {reached} of {len(counts)} lines ({share})</summary>"
                     f"{_PRE}{''.join(rows)}</pre>{cut}</details>")
    return "".join(parts) + (f"<div>... of {len(files)} files</div>" if len(files) > FILES else "")


def line_of(variable: Variable) -> str:
    """Its value, or why that cannot be told."""
    try:
        return variable.text
    except Error as error:
        return f"({error.message})"


def tree(variable: Variable, depth: int, room: List[int]) -> str:
    """A variable in HTML, with what is inside of it as long as there is room."""
    count = variable.child_count
    is_scope = variable.kind == VariableKind.SCOPE
    said = variable.name if is_scope else f"{shortened(variable.name, CELL)}: {shortened(variable.type_name, CELL)} = {line_of(variable)}"
    line = escaped(shortened(said, 3 * CELL))
    if not count or depth > 4 or room[0] <= 0:
        return f"<div>{html.escape(line)}</div>"
    inside = []
    for child in variable.children(0, min(count, room[0])):
        room[0] -= 1
        inside.append(tree(child, depth + 1, room))
        if room[0] <= 0:
            break
    if len(inside) < count:
        inside.append(f"<div>... of {count}</div>")
    return (f"<details{' open' if depth == 0 else ''}><summary>{html.escape(line)}</summary>"
            f"<div style='margin-left: 1.5em'>{''.join(inside)}</div></details>")
