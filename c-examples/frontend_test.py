#!/usr/bin/env python3
"""Gives the front end scripts, and compares what it says: `frontend_test.py FRONTEND GUEST.wasm`."""
import signal
import subprocess
import sys
import unittest

FRONTEND, GUEST = sys.argv[1:3]


class FrontEnd(unittest.TestCase):
    maxDiff = None

    def says(self, call, script, expected):
        """The commands, one a line, and what is said to each of them."""
        done = subprocess.run([FRONTEND, GUEST, *call], input=script, capture_output=True, text=True, timeout=60)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(done.stdout.split("> ")[1:], expected)

    def test_a_session(self):
        commands = [
            ("b steps.c:30", "breakpoint 1: run at steps.c:30\n"),
            ("b steps.c:1000", "line 1000"),
            ("b nothing.c:1", "no code of a file `nothing.c`"),
            ("r", "breakpoint: run at steps.c:30\n"),
            ("locals", "n = 3\ni = 0\ntotal = 0\n"),
            ("s", "step: add at steps.c:8\n"),
            ("bt", "#0 add at steps.c:8\n#1 run at steps.c:30\n"),
            ("p a", "a = 0\n"),
            ("p nobody", "no variable `nobody`"),
            ("n", "step: add at steps.c:9\n"),
            ("f 1", "run at steps.c:30\n"),
            ("p n", "n = 3\n"),
            ("f 0", "add at steps.c:9\n"),
            ("fin", "step: run at steps.c:30\n"),
            ("n", "step: run at steps.c:29\n"),
            ("c", "breakpoint: run at steps.c:30\n"),
            ("u 8", "has no code at line 8"),
            ("u 32", "breakpoint: run at steps.c:30\n"),
            ("u 32", "step: run at steps.c:32\n"),
            ("s", "step: twice at steps.c:12\n"),
            ("s", "step: add at steps.c:8\n"),
            ("f 1", "twice at steps.c:12\n"),
            ("fin", "step: run at steps.c:32\n"),
            ("c", "run has returned "),
            ("q", ""),
        ]
        done = subprocess.run([FRONTEND, GUEST, "run", "3"], input="".join(command + "\n" for command, _ in commands),
                              capture_output=True, text=True, timeout=60)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        answers = done.stdout.split("> ")[1:]
        self.assertEqual(len(answers), len(commands), answers)
        for (command, expected), answer in zip(commands, answers):
            # Of messages, what matters of them.
            if expected.endswith("\n") or not expected:
                self.assertEqual(answer, expected, command)
            else:
                self.assertIn(expected, answer, command)

    def test_ended_at_a_stop_and_without_commands(self):
        self.says(["run", "3"], "", [""])
        self.says(["run", "3"], "b steps.c:28\nr\nq\n", [
            "breakpoint 1: run at steps.c:28\n", "breakpoint: run at steps.c:28\n", "ended by q\n", ""])

    def test_what_changes_a_variable(self):
        self.says(["run", "3"], "b steps.c:30\nr\nw total\nc\nc\np total\nq\nq\n", [
            "breakpoint 1: run at steps.c:30\n", "breakpoint: run at steps.c:30\n", "watchpoint 1: total\n",
            # It adds 0 first.
            "breakpoint: run at steps.c:30\n", "watchpoint: run at steps.c:29\n", "total = 1\n", "ended by q\n", ""])

    def test_a_guest_that_computes_is_paused(self):
        with subprocess.Popen([FRONTEND, GUEST, "spin"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as front:
            def answer(command):
                front.stdin.write(command + "\n")
                front.stdin.flush()

            front.stdout.read(2)
            answer("b steps.c:76")
            line = front.stdout.readline()
            self.assertIn("spin at steps.c", line)
            answer("r")
            self.assertIn("breakpoint: spin", front.stdout.readline())
            front.stdout.read(2)
            # It computes from here on; however early the signal comes, it stops.
            answer("c")
            front.send_signal(signal.SIGINT)
            text = front.stdout.readline()
            self.assertIn("pause: spin at steps.c:", text)
            answer("q")
            answer("q")
            self.assertEqual(front.stdout.read(), "> ended by q\n> ")
            self.assertEqual(front.wait(timeout=60), 0)


unittest.main(argv=sys.argv[:1])
