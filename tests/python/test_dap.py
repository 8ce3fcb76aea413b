"""A store that is served to an editor, which is played by hand here: tests/dap has a client that others wrote."""
import contextlib
import io
import json
import os
import socket
import tempfile
import threading
import unittest

import stepwell
import stepwell.dap
import stepwell.testing
from wasm import Builder, I32_ADD, I32_CONST, LOCAL_GET, code, s, u


class Editor:
    """Sends requests, and keeps what it is told."""

    def __init__(self, connection):
        connection.settimeout(20)
        self.connection, self.stream, self.number, self.events = connection, connection.makefile("rb"), 0, []

    def receive(self):
        length = 0
        while True:
            line = self.stream.readline()
            if not line:
                raise EOFError
            if line == b"\r\n":
                return json.loads(self.stream.read(length))
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length

    def ask(self, command, **arguments):
        self.number += 1
        body = json.dumps({"seq": self.number, "type": "request", "command": command, "arguments": arguments}).encode()
        self.connection.sendall(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        while True:
            message = self.receive()
            if message["type"] == "response":
                assert message["request_seq"] == self.number and message["success"], message
                return message.get("body", {})
            self.events.append(message)

    def event(self, name):
        """The next event of this name."""
        while True:
            for message in self.events:
                if message["event"] == name:
                    self.events.remove(message)
                    return message["body"] if "body" in message else {}
            self.events.append(self.receive())


class Served(unittest.TestCase):
    def setUp(self):
        self.store = stepwell.Store(stepwell.Engine(debug=True))
        self.addCleanup(self.store.close)
        self.module = stepwell.Module(self.store.engine, stepwell.testing.guest())
        self.instance = stepwell.Instance(self.store, self.module, defaults=True)

    def connect(self, server):
        host, port = server.address.split(":")
        connection = socket.create_connection((host, int(port)), 20)
        self.addCleanup(connection.close)
        editor = Editor(connection)
        self.addCleanup(editor.stream.close)
        return editor

    def test_an_editor_stops_a_guest_and_looks(self):
        lines = stepwell.testing.source().splitlines()
        line = 1 + next(at for at, text in enumerate(lines) if "before = fib(n - 2)" in text)
        with stepwell.dap.serve(self.store, "127.0.0.1:0", wait=True, show=False) as server:
            self.assertEqual(repr(server), f"<Server at {server.address}>")
            results = []
            thread = threading.Thread(target=lambda: results.append(self.instance.exports.fib(4)))
            thread.start()
            editor = self.connect(server)
            self.assertTrue(editor.ask("initialize", adapterID="stepwell")["supportsConfigurationDoneRequest"])
            editor.ask("attach")
            editor.event("initialized")
            found = editor.ask("setBreakpoints", source={"path": "/elsewhere/warehouse.c"}, breakpoints=[{"line": line, "condition": "n == 2"}])
            self.assertTrue(found["breakpoints"][0]["verified"])
            editor.ask("configurationDone")
            self.assertEqual(editor.event("stopped")["reason"], "breakpoint")
            frames = editor.ask("stackTrace", threadId=1)["stackFrames"]
            self.assertEqual([(frame["name"], frame["line"]) for frame in frames], [("fib", line)] * 2)
            self.assertEqual(editor.ask("evaluate", expression="n", frameId=frames[1]["id"])["result"], "4")
            self.assertEqual(results, [])
            editor.ask("setBreakpoints", source={"path": "/elsewhere/warehouse.c"}, breakpoints=[])
            editor.ask("continue", threadId=1)
            thread.join(20)
            self.assertEqual(results, [3])
            server.output(b"words\n")
            self.assertEqual(editor.event("output")["output"], "words\n")
            server.exited(3)
            self.assertEqual(editor.event("exited")["exitCode"], 3)
        self.assertEqual(repr(server), "<Server, closed>")
        self.assertEqual(self.instance.exports.fib(5), 5)

    def test_a_breakpoint_where_the_guest_waits(self):
        m = Builder()
        m.func(["i32"], ["i32"], code(LOCAL_GET, u(0), I32_CONST, s(1), I32_ADD), export="next")
        instance = stepwell.Instance(self.store, stepwell.Module(self.store.engine, m.build()))
        results = []
        with stepwell.dap.serve(self.store, wait=True, show=False) as server:
            thread = threading.Thread(target=lambda: results.append(instance.exports.next(41)))
            thread.start()
            editor = self.connect(server)
            editor.ask("initialize", adapterID="stepwell")
            editor.ask("attach")
            editor.ask("setFunctionBreakpoints", breakpoints=[{"name": "next"}])
            editor.ask("configurationDone")
            self.assertEqual(editor.event("stopped")["reason"], "function breakpoint")
            frame = editor.ask("stackTrace", threadId=1)["stackFrames"][0]
            scopes = {scope["name"]: scope["variablesReference"] for scope in editor.ask("scopes", frameId=frame["id"])["scopes"]}
            editor.ask("setVariable", variablesReference=scopes["Wasm locals"], name="local0", value="99")
            editor.ask("continue", threadId=1)
            thread.join(20)
        self.assertEqual(results, [100])

    def test_the_class_speaks_it_too(self):
        with stepwell.Server(self.store, protocol="dap") as server:
            self.assertTrue(self.connect(server).ask("initialize", adapterID="x")["supportsConfigurationDoneRequest"])

    def test_it_says_where_to_connect(self):
        said = io.StringIO()
        with contextlib.redirect_stdout(said), stepwell.dap.serve(self.store) as server:
            first, second = said.getvalue().splitlines()
            self.assertEqual(first, f"Debuggers come to {server.address}")
            told = json.loads(second.partition(": ")[2])
            self.assertEqual(told, stepwell.dap.configuration(server))
            self.assertEqual((told["type"], told["request"], f"127.0.0.1:{told['debugServer']}"), ("stepwell", "attach", server.address))
            self.assertEqual(stepwell.dap.configuration(server, {"/a": "/b"})["sourceMap"], {"/a": "/b"})
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "socket")
            said = io.StringIO()
            with contextlib.redirect_stdout(said), stepwell.dap.serve(self.store, unix=path) as server:
                self.assertEqual(said.getvalue(), f"Debuggers come to {path}\n")
                with self.assertRaisesRegex(ValueError, "a port, and this Server is at"):
                    stepwell.dap.configuration(server)
        for arguments, error in (({"protocol": "gdb"}, TypeError), ({"listen": "0.0.0.0:0"}, stepwell.Error)):
            with self.assertRaises(error):
                stepwell.dap.serve(self.store, **arguments)


if __name__ == "__main__":
    unittest.main()
