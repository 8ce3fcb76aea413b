"""A store served to an editor, from a program or a notebook: `stepwell.dap.serve(store)`.

Visual Studio Code, Neovim, Emacs and others speak the Debug Adapter Protocol. They come to the address that is printed, set
breakpoints in the guest's sources, and have it stop in the cell or line that calls it.
"""
from __future__ import annotations

import json
from typing import Any, Dict, Mapping, Optional

from .debugger import Server
from .store import Store

__all__ = ["configuration", "serve"]


def serve(store: Store, listen: str = "0", *, show: bool = True, **options: Any) -> Server:
    """Serves a store to editors, one at a time, until the `Server` is closed or nothing holds it any more. It is a
    `Server(store, listen, protocol="dap", ...)`, whose other options are taken here, too: `wait`, `token`, `unix`, `name` and
    `on_disconnect`. Unless `show` is false, it prints where to connect.

    The guest stands inside of the call that has entered it: where the editor has it stop, a notebook's cell goes on once the
    editor does.
    """
    server = Server(store, listen, protocol="dap", **options)
    if show:
        print(f"Debuggers come to {server.address}")
        if _port(server) is not None:
            print(f"In .vscode/launch.json: {json.dumps(configuration(server))}")
    return server


def _port(server: Server) -> Optional[int]:
    """The port that it listens at, on whatever address; None for a Unix socket, and for descriptors."""
    port = server.address.rpartition(":")[2]
    return int(port) if "/" not in server.address and port.isdigit() else None


def configuration(server: Server, source_map: Mapping[str, str] = {}) -> Dict[str, Any]:
    """What Visual Studio Code with the extension of `editors/vscode` connects by, for `configurations` in `launch.json`.
    `source_map` says where sources are: how their paths begin in the module, and how on the editor's machine."""
    port = _port(server)
    if port is None:
        raise ValueError(f"Visual Studio Code connects to a port, and this Server is at {server.address or 'descriptors'}")
    found: Dict[str, Any] = {"type": "stepwell", "request": "attach", "name": "Attach to Python", "debugServer": port}
    if source_map:
        found["sourceMap"] = dict(source_map)
    return found
