"""What notebooks show: tables of frames and trees of variables, in HTML. All that guests say is text in it."""
from __future__ import annotations

import html
from typing import TYPE_CHECKING, List, Sequence

from ._bindings import VariableKind
from .errors import Error, escaped

if TYPE_CHECKING:
    from .debugger import Variable

ROOM = 100  # of what is inside of a variable


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of HTML. What a guest says is text in it, and nothing else."""
    def cells(kind: str, row: Sequence[str]) -> str:
        return "".join(f"<{kind} style='text-align: left'>{html.escape(escaped(cell))}</{kind}>" for cell in row)

    lines = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f"<table><thead><tr>{cells('th', head)}</tr></thead><tbody>{lines}</tbody></table>"


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
    line = escaped(variable.name) if is_scope else f"{escaped(variable.name)}: {escaped(variable.type_name)} = {escaped(line_of(variable))}"
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
