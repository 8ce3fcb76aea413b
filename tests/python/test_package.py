"""The package as such: its guide, its annotations, and the oldest Python it promises."""
import ast
import importlib.util
import os
import re
import tempfile
import unittest
from pathlib import Path

import stepwell
from test_bindings import ROOT, python

SOURCES = sorted((ROOT / "python").rglob("*.py"))


class Guide(unittest.TestCase):
    text = (ROOT / "docs" / "python.md").read_text()

    def test_its_code_runs(self):
        blocks = re.findall(r"^```python\n(.*?)^```$", self.text, re.M | re.S)
        self.assertGreater(len(blocks), 10)
        if importlib.util.find_spec("numpy") is None:
            blocks = [block for block in blocks if not block.startswith("import numpy")]
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "guide.py").write_text("\n".join(blocks))
            done = python(f"import os, runpy\nos.chdir({folder!r})\nrunpy.run_path('guide.py')")
        self.assertEqual(done.returncode, 0, done.stderr)
        for said in ("55\n", "'no order 1'", "order 1 costs", "interrupted\n", "too long\n", "number = 1\n", "0 bytearray(b'some text')", "no Wasm module", "('divide'"):
            self.assertIn(said, done.stdout)
        # What the page says that is printed.
        shown = re.findall(r"^It prints\n\n```text\n(.*?)^```$", self.text, re.M | re.S)
        self.assertEqual(len(shown), 5)
        for text in shown:
            self.assertIn(text, done.stdout)

    def test_the_readme_runs(self):
        block, = re.findall(r"^```python\n(.*?)^```$", (ROOT / "python" / "README.md").read_text(), re.M | re.S)
        done = python(block)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "55\n", ""))

    def test_it_names_everything(self):
        for name in stepwell.__all__:
            if name not in ("Breakpoint", "DebugTier", "Exports", "Extern", "ExportType", "GlobalType", "ImportType", "Locals",
                            "TableType", "TrapFrame"):
                self.assertRegex(self.text, rf"\b{name}\b")

    def test_settings(self):
        import inspect
        for name in list(inspect.signature(stepwell.Engine).parameters):
            self.assertIn(f"`{name}`", stepwell.Engine.__doc__)
            self.assertIn(f"{name}=...", self.text)


class Sources(unittest.TestCase):
    def test_oldest_python(self):
        for path in SOURCES:
            ast.parse(path.read_text(), str(path), feature_version=(3, 9))

    def test_no_name_hides_another(self):
        """A second class of tests of one name would keep the first from being run."""
        for path in sorted(Path(__file__).parent.glob("*.py")):
            tree = ast.parse(path.read_text())
            for scope in [tree, *(node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))]:
                names = [node.name for node in scope.body if isinstance(node, (ast.ClassDef, ast.FunctionDef))]
                self.assertEqual([name for name in set(names) if names.count(name) > 1], [], path.name)

    def test_annotated(self):
        for path in SOURCES:
            if path.parent.name != "stepwell" or path.name == "_bindings.py":
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.FunctionDef):
                    given = node.args.posonlyargs + node.args.args + node.args.kwonlyargs + [node.args.vararg, node.args.kwarg]
                    bare = [a.arg for a in given if a and a.annotation is None and a.arg not in ("self", "cls")]
                    where = f"{path.name}:{node.lineno} {node.name}"
                    self.assertEqual(bare, [], where)
                    self.assertTrue(node.returns is not None or node.name == "__init__", f"{where} returns what?")

    def test_documented(self):
        for name in stepwell.__all__:
            found = getattr(stepwell, name)
            if not isinstance(found, type):
                continue
            self.assertTrue(found.__doc__, name)
            for member, value in vars(found).items():
                if not member.startswith("_") and (callable(value) and hasattr(value, "__code__") or isinstance(value, property)):
                    self.assertTrue(value.__doc__, f"{name}.{member}")
