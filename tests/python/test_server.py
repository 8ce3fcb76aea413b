"""Serving a store to debuggers of other programs, which are played by hand here: tests/lldb.py has a real one."""
import os
import socket
import tempfile
import threading
import unittest

import stepwell
from stepwell import Debugger, Server
from wasm import Builder, I32_ADD, I32_CONST, LOCAL_GET, code, s, u


def guest():
    m = Builder()
    m.func(["i32"], ["i32"], code(LOCAL_GET, u(0), I32_CONST, s(1), I32_ADD), export="next")
    return m.build()


def packet(said):
    data = said.encode()
    return b"$" + data + b"#%02x" % (sum(data) % 256)


class Client:
    def __init__(self, connection):
        self.connection = connection
        connection.settimeout(20)
        assert self.ask("QStartNoAckMode") == "OK"
        self.connection.sendall(b"+")

    def ask(self, said):
        self.connection.sendall(packet(said))
        return self.receive()

    def receive(self):
        data = b""
        while data.count(b"#") == 0 or len(data) - data.index(b"#") < 3:
            try:
                more = self.connection.recv(1)
            except ConnectionResetError:
                return None
            if not more:
                return None
            data += more
        return data[data.index(b"$") + 1:data.index(b"#")].decode()


class ServerTest(unittest.TestCase):
    def setUp(self):
        self.engine = stepwell.Engine(debug=True)
        self.store = stepwell.Store(self.engine)
        self.module = stepwell.Module(self.engine, guest())
        self.instance = stepwell.Instance(self.store, self.module)

    def call(self):
        results = []
        thread = threading.Thread(target=lambda: results.append(self.instance.exports.next(41)))
        thread.start()
        return lambda: (thread.join(20), results)[1]

    def connect(self, server):
        host, port = server.address.split(":")
        connection = socket.create_connection((host, int(port)), 20)
        self.addCleanup(connection.close)
        return Client(connection)

    def test_a_guest_waits_for_a_debugger(self):
        with Server(self.store, wait=True, name="prime") as server:
            server.module_file(self.module, "/here/next.wasm")
            self.assertFalse(server.wait(0.01))
            result = self.call()
            client = self.connect(server)
            self.assertTrue(server.wait())
            self.assertTrue(client.ask("?").startswith("T02thread:1;"))
            self.assertIn("/here/next.wasm", client.ask("qXfer:libraries:read::0,1000"))
            self.assertEqual(client.ask("qWasmLocal:0;0"), "29000000")
            client.connection.sendall(packet("c"))
            self.assertEqual(result(), [42])
            server.output(b"hi")
            self.assertEqual(client.receive(), "O6869")
            server.output(b"", "err")  # nothing
            server.exited(3)
            self.assertEqual(client.receive(), "W03")
        self.assertEqual(self.instance.exports.next(1), 2)
        with Debugger(self.store, lambda stop: None):
            pass  # another one may come

    def test_it_stops_and_says_what_is_wrong(self):
        server = Server(self.store, wait=True)
        result = self.call()
        client = self.connect(server)
        server.stop()
        server.stop()
        self.assertEqual(result(), [42])
        self.assertIsNone(client.receive())
        self.assertFalse(server.wait())
        with self.assertRaises(stepwell.Error):
            Server(self.store)
        server.close()
        for arguments, error in (({"listen": "0.0.0.0:0"}, stepwell.Error), ({"listen": "nowhere"}, stepwell.Error),
                                 ({"protocol": "x"}, ValueError), ({"on_disconnect": "x"}, ValueError),
                                 ({"token": ""}, stepwell.Error), ({"descriptors": (-1, -1)}, stepwell.Error)):
            with self.assertRaises(error, msg=arguments):
                Server(self.store, **arguments)
        with Server(self.store, token="secret", on_disconnect="end_guests") as server:
            with self.assertRaises(ValueError):
                server.output(b"", "x")
            server.trapped("too bad")

    def test_sockets_and_descriptors(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "socket")
            with Server(self.store, unix=path) as server:
                self.assertEqual(server.address, path)
                connection = socket.socket(socket.AF_UNIX)
                self.addCleanup(connection.close)
                connection.connect(path)
                self.assertEqual(Client(connection).ask("qC"), "QC1")
        ours, theirs = socket.socketpair()
        with ours, theirs, Server(self.store, descriptors=(theirs.fileno(), theirs.fileno())):
            theirs.close()
            self.assertEqual(Client(ours).ask("qC"), "QC1")


if __name__ == "__main__":
    unittest.main()
