"""The text of guests' sources, as far as its files are on this machine. What a module names is not trusted: plain files alone are read, and no
more of them than a person would look at. Nothing here knows what a debugger is.
"""
from __future__ import annotations

import os
import stat
from typing import Dict, Iterable, List, Optional, Sequence, Tuple

MOST = 4 << 20  # bytes of a file that is read
KEPT = 16  # files
WIDTH = 400  # letters of a line

_kept: Dict[str, Tuple[Tuple[int, int], List[str]]] = {}


def _plain_file(path: str) -> Optional[os.stat_result]:
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return found if stat.S_ISREG(found.st_mode) and found.st_size <= MOST else None


def find(file: Optional[str], folders: Iterable[str] = ()) -> Optional[str]:
    """Where a file of the source is: under the name that the compiler knew, or in one of these folders and the current one, under that or
    the end of it. None if it is not there."""
    if not file or "\0" in file:
        return None
    if os.path.isabs(file) and _plain_file(file):
        return file
    parts = [part for part in file.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    for folder in (*folders, os.curdir):
        for start in range(len(parts)):
            path = os.path.join(folder, *parts[start:])
            if _plain_file(path):
                return path
    return None


def lines_of(path: str) -> List[str]:
    """The lines of a file, without their ends, with tabs as spaces; none where it cannot be read."""
    found = _plain_file(path)
    if found is None:
        return []
    state = found.st_mtime_ns, found.st_size
    known = _kept.get(path)
    if known is None or known[0] != state:
        try:
            with open(path, "rb") as file:
                data = file.read(MOST)
        except OSError:
            return []
        text = data.decode("utf-8", "replace").replace("\r\n", "\n")
        known = state, [line[:WIDTH].expandtabs(4) for line in text.split("\n")]
        while len(_kept) >= KEPT:
            _kept.pop(next(iter(_kept)), None)
        _kept[path] = known
    return known[1]


def around(file: Optional[str], line: int, before: int, after: int, folders: Sequence[str] = ()) -> List[Tuple[int, str]]:
    """The lines of a file around one of them, each with its number; none where they are not there."""
    path = find(file, folders)
    lines = lines_of(path) if path is not None else []
    first, last = max(line - before, 1), min(line + after, len(lines))
    return [(number, lines[number - 1]) for number in range(first, last + 1)] if 1 <= line <= len(lines) else []
