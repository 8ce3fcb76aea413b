#!/usr/bin/env python3
"""Compiles and runs the examples of README.md and docs/*.md: `tests/docs.py --library FOLDER [PAGE...]`.

A fenced block of C or C++
  - with `main` is a program: it is compiled, and run in the project's folder.
  - that begins with `static`, `#include`, `typedef`, `struct` or `enum` is for file scope: it stands before all later blocks
    of C of its section (up to the next heading).
  - behind the line `<!-- context: WORDS -->` is a fragment, compiled inside `main` behind what makes the objects that
    the words name (CONTEXT below), and run.
  - that is none of these is compiled inside a function in which all of these objects are there, and not run.
A block of `text` right behind one that is run is what the program prints. `util.h` of c-examples is there for all.

`<!-- not checked: WHY -->` before a block of any language excludes it. `<!-- checked by: FILE -->` says that another test, which
must exist, checks it; `<!-- all checked by: FILE -->` anywhere says so of a page. Blocks of other languages without that are listed at the end, so that none is forgotten.

Also checked: README.md shows c-examples/readme.c, blocks of `wat` are guests of c-examples, links lead to something, and names of the C API
that pages mention are in the headers. The last line is `N passed, M failed`.
"""
import argparse
import os
import re
import subprocess
import sys
import tempfile
from multiprocessing.pool import ThreadPool
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
GUEST = "c-examples/guest/example.wasm"

# What fragments may ask for: what each needs, and how it is made.
CONTEXT = {
    "config": ((), "wasm_config_t *config = wasm_config_new();"),
    "engine": ((), "wasm_engine_t *engine = wasm_engine_new();"),
    "limited-engine": ((), """wasm_config_t *limits_config = wasm_config_new();
    stepwell_config_fuel_set(limits_config, true);
    stepwell_config_epoch_set(limits_config, true);
    wasm_engine_t *engine = wasm_engine_new_with_config(limits_config);"""),
    "debug-engine": ((), """wasm_config_t *debug_config = wasm_config_new();
    stepwell_config_debug_set(debug_config, true);
    wasm_engine_t *engine = wasm_engine_new_with_config(debug_config);"""),
    "store": (("engine",), "wasm_store_t *store = wasm_store_new(engine);"),
    "binary": ((), f'wasm_byte_vec_t binary;\n    read_file("{GUEST}", &binary);'),
    "module": (("store", "binary"), """wasm_module_t *module;
    check(stepwell_module_new(store, &binary, &module), "compiling");"""),
    "wasi": ((), "stepwell_wasi_config_t *wasi = stepwell_wasi_config_new();"),
    "linker": (("engine",), """stepwell_linker_t *linker = stepwell_linker_new(engine);
    wasm_functype_t *log_type = wasm_functype_new_2_0(wasm_valtype_new_i32(), wasm_valtype_new_i32());
    check(stepwell_linker_define_func(linker, "env", "log", log_type, docs_log, NULL, NULL), "defining");
    wasm_functype_delete(log_type);"""),
    "instance": (("linker", "module"), """wasm_instance_t *instance;
    check(stepwell_linker_instantiate(linker, store, module, &instance, NULL), "instantiating");"""),
    "func": (("instance",), 'wasm_func_t *func = wasm_extern_as_func(stepwell_instance_export(instance, "add"));'),
    "memory": (("instance",), 'wasm_memory_t *memory = wasm_extern_as_memory(stepwell_instance_export(instance, "memory"));'),
    "trap": (("instance",), """wasm_trap_t *trap = NULL;
    {
        wasm_func_t *average = wasm_extern_as_func(stepwell_instance_export(instance, "average"));
        wasm_val_t docs_args[] = {WASM_I32_VAL(7), WASM_I32_VAL(0)}, docs_results[1];
        wasm_val_vec_t docs_args_vec = WASM_ARRAY_VEC(docs_args), docs_results_vec = WASM_ARRAY_VEC(docs_results);
        check(stepwell_func_call(average, &docs_args_vec, &docs_results_vec, &trap), "calling");
    }"""),
}
ALL = ("config", "engine", "store", "binary", "module", "linker", "instance", "func", "memory", "trap", "wasi")
HEAD = """#include "util.h"
#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>
__attribute__((unused)) static wasm_trap_t *docs_log(void *env, const wasm_val_vec_t *args, wasm_val_vec_t *results) {
    (void)env, (void)args, (void)results;
    return NULL;
}
"""
FILE_SCOPE = re.compile(r"\s*(/\*.*?\*/\s*)*(static|#include|typedef|struct|enum)\b", re.S)
MAIN = re.compile(r"^int\s+main\s*\(", re.M)
CHECKED = {"c": "c", "cpp": "c++"}
# Blocks that other tests check: these name the page.
ELSEWHERE = {
    ("docs/cpp.md", "cpp"): "tests/cpp/guide.cmake",
    ("docs/python.md", "python"): "tests/python/test_package.py",
    ("docs/stepwell-run.md", "console"): "run/tests/run_test.py",
    ("docs/stepwell-run.md", "sh"): "run/tests/run_test.py",
}
# Where the names of settings are from that are no part of the C API.
SETTINGS = ("CMakeLists.txt", "CONTRIBUTING.md", "cmake/*", "python/backend/*.py", "python/stepwell/*.py", "scripts/test")
PLAIN = {"", "text", "wat", "console"}  # no program


class Block:
    """A fenced block of a page."""

    def __init__(self, page, line, language, text, comment, section):
        self.page, self.line, self.language, self.text = page, line, language, text
        self.comment, self.section, self.expected = comment, section, None

    def __str__(self):
        return f"{self.page}:{self.line}"


def blocks_of(page, source):
    """The fenced blocks, and the prose with them taken out."""
    found, prose, fence, comment, section, behind = [], [], None, None, 0, None
    for number, line in enumerate(source.splitlines(), 1):
        opening = re.match(r"(\s*)```+\s*([\w+-]*)", line)
        if fence is None and opening:
            fence = Block(page, number, opening[2].lower(), "", comment, section)
            indent, comment = len(opening[1]), None
        elif fence is not None and re.match(r"\s*```+\s*$", line):
            if fence.language == "text" and behind:
                behind.expected = fence.text
            found.append(fence)
            behind, fence = (fence if fence.language in CHECKED else None), None
        elif fence is not None:
            fence.text += line[indent:] + "\n" if line[:indent].isspace() or not indent else line + "\n"
        else:
            prose.append((number, line))
            if line.startswith("#"):
                section += 1
            if line.strip():
                remark = re.match(r"<!--\s*(.*?)\s*-->\s*$", line.strip())
                comment, behind = (remark[1] if remark else None), None
    if fence is not None:
        raise SystemExit(f"{fence}: the block has no end")
    return found, prose


def objects(words):
    """What makes the objects that the words name, and what they need, in order."""
    made = {}

    def make(word):
        if word not in CONTEXT:
            raise ValueError(f"context `{word}` is unknown; there are: file, {', '.join(CONTEXT)}")
        if word.endswith("-engine"):
            made.setdefault("engine", CONTEXT[word][1])
        elif word not in made:
            for needed in CONTEXT[word][0]:
                make(needed)
            made.setdefault(word, CONTEXT[word][1])

    for word in sorted(words, key=lambda word: not word.endswith("-engine")):
        make(word)
    return list(made), "\n    ".join(made.values())


def program(block, scope):
    """The program that a block becomes, and whether it is run; nothing for a block that becomes part of others."""
    if MAIN.search(block.text):
        return f'#line {block.line + 1} "{block.page}"\n{block.text}', True
    comment = block.comment or ""
    words = comment[len("context:"):].replace(",", " ").split() if comment.startswith("context:") else None
    is_file = words == ["file"] or words is None and FILE_SCOPE.match(block.text)
    text = f'#line {block.line + 1} "{block.page}"\n{block.text}'
    if is_file:
        scope.append(text)
        return HEAD + "".join(scope) + "int main(void) { return 0; }\n", False
    names, setup = objects(ALL if words is None else words)
    unused = "".join(f"    (void){name};\n" for name in names)
    return (f"{HEAD}{''.join(scope)}#line 1 \"context\"\nint main(void) {{\n    {setup}\n{unused}    {{\n{text}    }}\n"
            "    return 0;\n}\n", words is not None)


class Checker:
    """Compiles and runs the programs."""

    def __init__(self, library, include, folder):
        self.folder, self.include, self.lib = Path(folder), include, Path(folder) / "lib"
        self.lib.mkdir()
        for name in ("libstepwell.so", "libstepwell.so.0"):
            (self.lib / name).symlink_to(library / "libstepwell.so")

    def run(self, job):
        """What is wrong with a block; None if nothing."""
        number, block, source, is_run = job
        suffix = {"c": ".c", "cpp": ".cpp"}[block.language]
        file, binary = self.folder / f"{number}{suffix}", self.folder / f"{number}.out"
        file.write_text(source)
        compiler = os.environ.get("CC", "cc") if block.language == "c" else os.environ.get("CXX", "c++")
        standard = ["-std=gnu11"] if block.language == "c" else ["-std=c++17"]
        sketch = [] if is_run else ["-Wno-unused-result"]
        done = subprocess.run(
            [compiler, *standard, "-Wall", "-Wextra", "-Werror", *sketch, "-Wno-unused-function", "-Wno-unused-variable",
             "-Wno-unused-but-set-variable", "-Wno-shadow", f"-I{self.include}", f"-I{ROOT / 'c-examples'}", str(file), "-o", str(binary),
             f"-L{self.lib}", "-lstepwell", "-lpthread", f"-Wl,-rpath,{self.lib}"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            return f"does not compile:\n{done.stdout}"
        if not is_run:
            return None
        try:
            done = subprocess.run([str(binary)], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True, errors="replace", timeout=60)
        except subprocess.TimeoutExpired:
            return "still runs after 60 seconds"
        if done.returncode:
            return f"ends with {done.returncode}:\n{done.stdout}{done.stderr}"
        if block.expected is not None and done.stdout.rstrip() != block.expected.rstrip():
            return f"prints\n{done.stdout}and not\n{block.expected}"
        return None


def anchors(source):
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+\s+(.*)$", re.sub(r"^```.*?^```", "", source, flags=re.M | re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


def prose_faults(page, prose, known):
    """Links that lead nowhere and names that the headers do not have."""
    for number, line in prose:
        for target in re.findall(r"\]\(([^)\s]+)\)", line):
            if re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = target.partition("#")
            file = (ROOT / page).parent / path if path else ROOT / page
            if not file.exists():
                yield f"{page}:{number}: the link to {target} leads nowhere"
            elif anchor and anchor not in anchors(file.read_text()):
                yield f"{page}:{number}: {path or page} has no heading #{anchor}"
        for path in re.findall(r"`(docs/[\w-]+\.md)`", line):
            if not (ROOT / path).exists():
                yield f"{page}:{number}: there is no {path}"
        for name in re.findall(r"(?<![\w./-])((?:stepwell|wasm|STEPWELL|WASM)_\w*[A-Za-z0-9])(?![\w*{<.-])", line):
            if name not in known and not any(name + end in known for end in ("_t", "_enum")):
                yield f"{page}:{number}: {name} is not in the headers"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--library", type=Path, default=ROOT / "target/release", help="the folder of libstepwell.so")
    parser.add_argument("--include", type=Path, default=ROOT / "include")
    parser.add_argument("pages", nargs="*", help="the pages to check; without one, all")
    arguments = parser.parse_args()
    pages = arguments.pages or ["README.md", *sorted(str(page.relative_to(ROOT)) for page in (ROOT / "docs").glob("*.md"))]
    headers = "".join(header.read_text() for header in sorted(arguments.include.rglob("*.h")))
    known = set(re.findall(r"\w+", headers)) | {"stepwell_run", "wasm_c_api"}
    for pattern in SETTINGS:
        for file in ROOT.glob(pattern):
            known |= set(re.findall(r"\bSTEPWELL_\w+", file.read_text()))
    guests = [file.read_text() for file in (ROOT / "c-examples/guest").glob("*.wat")]
    faults, unchecked, jobs, passed = [], [], [], 0
    for page in pages:
        source = (ROOT / page).read_text()
        found, prose = blocks_of(page, source)
        wrong = list(prose_faults(page, prose, known))
        faults += wrong
        passed += not wrong
        scope, section, language = [], -1, None
        whole_page = re.search(r"^<!-- all (checked by: .*) -->$", source, re.M)
        for block in found:
            comment = block.comment or (whole_page[1] if whole_page else "")
            if block.language == "wat" and comment != "part":
                wrong = block.text not in guests
                faults += [f"{block}: no .wat of c-examples/guest has this text"] * wrong
                passed += not wrong
            elsewhere = ELSEWHERE.get((page, block.language))
            if elsewhere:
                if page.split("/")[-1] not in (ROOT / elsewhere).read_text():
                    faults.append(f"{block}: {elsewhere} does not check {page}")
            elif comment.startswith("not checked:"):
                unchecked.append(f"{block}: {block.language}: {comment}")
            elif comment.startswith("checked by:"):
                if not (ROOT / comment[len("checked by:"):].strip()).exists():
                    faults.append(f"{block}: {comment}: there is no such file")
            elif block.language in CHECKED:
                if (block.section, block.language) != (section, language):
                    scope, section, language = [], block.section, block.language
                try:
                    jobs.append((len(jobs), block, *program(block, scope)))
                except ValueError as error:
                    faults.append(f"{block}: {error}")
            elif block.language not in PLAIN:
                unchecked.append(f"{block}: {block.language}")
    example = (ROOT / "c-examples/readme.c").read_text()
    if "README.md" in pages and f"```c\n{example}```" not in (ROOT / "README.md").read_text():
        faults.append("README.md does not have c-examples/readme.c in it word for word")
    with tempfile.TemporaryDirectory() as folder:
        checker = Checker(arguments.library.resolve(), arguments.include.resolve(), folder)
        with ThreadPool(min(os.cpu_count() or 1, 4)) as pool:
            for (_, block, _, _), wrong in zip(jobs, pool.map(checker.run, jobs, chunksize=1)):
                passed += wrong is None
                faults += [f"{block}: {wrong}"] if wrong else []
    for line in unchecked:
        print(f"not checked here: {line}")
    for line in faults:
        print(line)
    print(f"{passed} passed, {len(faults)} failed")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
