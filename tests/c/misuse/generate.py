#!/usr/bin/env python3
"""Writes a C program that misuses every function of the headers: `generate.py INCLUDE OUT.c`.

Each function is called with valid arguments but for one: NULL for each pointer, an object of another kind, an object of another store;
and with valid arguments whose owners are deleted. Each call is in a child process of its own. On NULL and on an object of another kind a
function that returns a pointer, a bool or an error must fail, with an error that names the parameter; one that returns a number or nothing
must end the process, with a message that names function and parameter; unless this file says that the argument is allowed. An object of
another store must do either. A new function is misused as soon as a header declares it; a parameter of a type that is not known here is
an error. `generate.py --list INCLUDE` lists what each function does.
"""
import re
import sys
from pathlib import Path

# A valid argument for each type of parameter, from the objects that `make` of program.c makes.
OBJECTS = ["config", "engine", "store", "valtype", "functype", "globaltype", "tabletype", "memorytype", "tagtype", "externtype",
           "importtype", "exporttype", "ref", "frame", "trap", "foreign", "module", "shared_module", "func", "global", "table",
           "memory", "extern", "instance"]
OTHERS = ["error", "tag", "exception", "linker", "instance_pre", "typed_func", "call", "sharedmemory", "interrupt", "wasi_config", "wasi_buffer", "debugger", "breakpoint_set", "pauser", "attacher", "serve_options", "server", "stop_queue", "stop", "frame", "variable",
          "stack", "caller"]
# The families of handles that are one type of object, so that a wrong kind is noticed: what stands for the wrong kind of each.
KINDS = {"trap": "func", "foreign": "func", "module": "func", "func": "module", "global": "func", "table": "func", "memory": "func",
         "extern": "module", "instance": "func", "functype": "memorytype", "globaltype": "functype", "tabletype": "functype",
         "memorytype": "functype", "tagtype": "functype", "tag": "func", "exception": "func"}
IN_STORE = ["tag", "exception", "store", "ref", "trap", "foreign", "module", "func", "global", "table", "memory", "extern", "instance"]

# Arguments that may be NULL, as patterns of `function parameter`.
NULLABLE = [
    r"\w+_delete \w+",                       # deleting NULL does nothing
    r"\w+ (env|finalizer|trap_out|info)",
    r"wasm_functype_new (params|results)",
    r"wasm_(import|export)type_new (module|name)",
    r"wasm_\w+_as_\w+ (object|ty)",          # NULL for NULL
    r"stepwell_\w+_as_\w+ \w+",
    r"stepwell_exception_new values",        # of a tag that carries none
    r"stepwell_struct_new fields",           # of a structure without any
    r"stepwell_array_new elements",          # of an array without any
    r"(wasm|stepwell)_instance_new imports",
    r"(wasm|stepwell)_func_call (args|results)",
    r"wasm_table_(new|set|grow) (init|value)",
    r"wasm_engine_new_with_config config",
    r"stepwell_engine_new config",
    r"stepwell_debugger_cover module",       # all modules of the store
    r"stepwell_\w+ (progress|status_out)",
    r"stepwell_error_offset offset_out",
    r"stepwell_(?!module_custom_section_data )\w+ size_out",
    r"stepwell_breakpoint_add\w* out",
    r"stepwell_debugger_watch_\w+ out",
    r"stepwell_breakpoint_add_at_(function|line) module", # any
    r"stepwell_debugger_serve options",      # those of new ones
    r"stepwell_serve_options_token_set token", # none is asked for
    r"stepwell_thread_stack_set stack",      # the thread's own
    r"stepwell_(shared)?memory_grow before_out",
    r"stepwell_typed_func_call values",      # of a function without any
    r"stepwell_call_new args",
    r"stepwell_call_(answer|results) results",
    r"stepwell_breakpoint_(condition_set text|instance_set instance)", # none, all
    r"stepwell_(stop|frame)_return_early values",
    r"stepwell_frame_evaluate type_out",
]
# Functions whose NULL is success, so that it cannot tell of a failure: they end the process as those do that return nothing.
NULL_IS_SUCCESS = {"wasm_func_call"}
# Arguments of another kind that are no mistake, or an answer.
OTHER_KIND = [r"\w+_delete \w+", r"wasm_\w+_as_\w+ (object|ty)", r"stepwell_\w+_as_\w+ \w+", r"wasm_(\w+type)_\w+ externtype"]
# Objects of another store of the same engine that are no mistake.
OTHER_STORE = [r"\w+_same \w+", r"stepwell_linker_fill_missing_with_defaults store", r"\w+ module", r"wasm_module_\w+ \w+", r"stepwell_\w*module\w* \w+"]


def functions(include):
    """Name, result and parameters of each function: type and name."""
    for header in re.findall(r'^#include "(.*?)"', (Path(include) / "stepwell.h").read_text(), flags=re.M):
        text = (Path(include) / header).read_text()
        text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
        text = re.sub(r"^[ \t]*#[^\n]*(\\\n[^\n]*)*", "", text, flags=re.M)
        text = re.sub(r"\s+", " ", text)
        pattern = r"(?:WASM_API_EXTERN|STEPWELL_API)(?: STEPWELL_NODISCARD)? ([^;{}()]*?)\b(\w+)\(([^;{}]*)\) ?;"
        for result, name, parameters in re.findall(pattern, text):
            parts, depth = [""], 0
            for char in parameters:
                depth += {"(": 1, ")": -1}.get(char, 0)
                if char == "," and depth == 0:
                    parts.append("")
                else:
                    parts[-1] += char
            parts = [part.strip() for part in parts if part.strip() not in ("", "void")]
            yield result.strip(), name, [parameter(part) for part in parts]


def parameter(text):
    """Type and name of a parameter."""
    pointer = re.match(r"(.*)\(\*(\w+)\)(\(.*\))$", text)
    if pointer:
        return "finalizer", pointer[2]
    array = re.match(r"(.*?)(\w+)\[\]$", text)
    if array:
        return array[1].strip() + " *", array[2]
    match = re.match(r"(.*?)(\w+)$", text)
    return match[1].strip(), match[2]


def is_pointer(ty):
    return ty.endswith("*") or ty.endswith("_callback_t") or ty.endswith("_callback_with_env_t") or ty.endswith("_finalizer_t") or ty == "finalizer"


def noun(ty):
    """What a handle is of, or nothing."""
    match = re.match(r"(?:const |own )*(wasm|stepwell)_(\w+)_t \*$", ty)
    if match is None:
        return None
    if match[1] == "wasm" and match[2] in OBJECTS:
        return match[2]
    if match[1] == "stepwell" and match[2] in OTHERS:
        return "stop_frame" if match[2] == "frame" else match[2]
    return None


def argument(ty, name, function):
    """A valid argument."""
    plain = re.sub(r"\b(const|own|union|struct) ", "", ty).replace("const*", "*").strip()
    if noun(ty):
        return f"o.{noun(ty)}"
    if plain.endswith("**") or plain.endswith("*const *") or plain == "wasm_byte_t *":
        if ty == "const char *const *":
            return "o.strings"
        element = re.match(r"(?:wasm|stepwell)_(\w+)_t", plain)
        if "const" in ty and element:
            return f"(void *)&o.{element[1]}" if element[1] != "byte" else "o.text"
        return "(void *)&o.out"
    if plain == "wasm_extern_vec_t *" and ty != plain:
        return "&o.imports"
    if re.match(r"wasm_\w+_vec_t \*|wasm_(name|message)_t \*", plain):
        if re.match(r"wasm_(byte_vec|name|message)_t", plain):
            return "&o.bytes" if "const" in ty else "(void *)&o.room"
        return "(void *)&o.room"
    if plain == "char *" and "const" not in ty:
        return "(void *)&o.room"
    values = {
        "char *": '"run"', "uint8_t *": "(void *)&o.room", "wasm_limits_t *": "&o.limits", "wasm_val_t *": "&o.val", "int32_t *": "(void *)&o.room", "size_t *": "(void *)&o.room",
        "uint32_t *": "(void *)&o.room", "stepwell_call_status_t *": "(void *)&o.room", "uint64_t *": "(void *)&o.room", "stepwell_breakpoint_t *": "(void *)&o.room", "stepwell_watchpoint_t *": "(void *)&o.room",
        "stepwell_source_t *": "(void *)&o.room", "stepwell_number_t *": "(void *)&o.room", "stepwell_line_t *": "(void *)&o.room", "stepwell_covered_block_t *": "(void *)&o.room", "stepwell_covered_side_t *": "(void *)&o.room", "stepwell_line_place_t *": "(void *)&o.room", "stepwell_function_t *": "(void *)&o.room", "stepwell_instruction_t *": "(void *)&o.room", "stepwell_machine_code_t *": "(void *)&o.room", "stepwell_scope_t": "STEPWELL_SCOPE_MODULE", "stepwell_field_t *": "&o.field", "stepwell_raw_val_t *": "(void *)&o.room", "void *": "NULL", "bool": "true", "size_t": "1",
        "uint32_t": "0", "uint64_t": "1", "int32_t": "0", "byte_t *": "o.text",
        "wasm_valkind_t": "WASM_I32", "wasm_mutability_t": "WASM_CONST", "wasm_memory_pages_t": "0", "wasm_table_size_t": "0",
        "stepwell_heapkind_t": "STEPWELL_HEAPKIND_EQ", "stepwell_breakpoint_t": "o.breakpoint", "stepwell_watchpoint_t": "o.watchpoint", "stepwell_watch_kind_t": "STEPWELL_WATCH_KIND_WRITE", "stepwell_debug_tier_t": "0", "stepwell_exception_stops_t": "0", "stepwell_feature_t": "0",
        "finalizer": "nothing", "stepwell_finalizer_t": "nothing", "wasm_func_callback_t": "host", "wasm_func_callback_with_env_t": "host_env",
        "stepwell_func_callback_t": "host_caller", "stepwell_func_unchecked_callback_t": "host_unchecked",
        "stepwell_progress_callback_t": "progress", "stepwell_stop_callback_t": "stopped", "stepwell_wasi_input_callback_t": "input",
        "stepwell_guarded_func_callback_t": "guarded_host", "stepwell_guarded_stop_callback_t": "guarded_stopped",
        "stepwell_guarded_input_callback_t": "guarded_input", "stepwell_guarded_progress_callback_t": "guarded_progress",
        "stepwell_ask_callback_t": "ask", "stepwell_at_deadline_callback_t": "over", "stepwell_limiter_callback_t": "limit", "stepwell_wait_callback_t": "waited",
        "stepwell_wasi_output_callback_t": "output", "stepwell_log_callback_t": "log_line",
    }
    if plain in values:
        return values[plain]
    if re.match(r"stepwell_\w+_t$", plain):
        return f"({plain})0"
    sys.exit(f"{function}: a parameter `{name}` of type `{ty}`: say in tests/c/misuse/generate.py what is a valid argument")


def allowed(patterns, function, name):
    return any(re.fullmatch(pattern, f"{function} {name}") for pattern in patterns)


def call(result, name, arguments):
    """Calls it and judges."""
    text = f"{name}({', '.join(arguments)})"
    if result == "own stepwell_error_t *":
        return f"judge_error({text});"
    if result == "bool" or result.endswith("*"):
        return f"judge_null({text} != 0);"
    if result == "void":
        return f"{text}; judge_last();"
    return f"(void){text}; judge_last();"


def can_fail(result, name):
    """Whether what the function returns can tell of a failure."""
    return (result == "bool" or result.endswith("*")) and name not in NULL_IS_SUCCESS


def cases(include):
    """Where it is to run, function, parameter, what is wrong, what the function is to do, statements."""
    for result, name, parameters in functions(include):
        valid = [argument(ty, parameter, name) for ty, parameter in parameters]
        nouns = [noun(ty) for ty, _ in parameters]
        where = "CALLER" if "caller" in nouns else "STOP" if {"stop", "stop_frame", "variable"} & set(nouns) else "HOST"
        where = "DEBUGGER" if {"debugger", "pauser"} & set(nouns) and where == "HOST" else where
        for i, (ty, parameter) in enumerate(parameters):
            def with_argument(value):
                return call(result, name, valid[:i] + [value] + valid[i + 1:])
            misused = "FAIL" if can_fail(result, name) else "END"
            if is_pointer(ty) and ty != "void *" and parameter not in ("env", "info"):
                wanted = "SUCCEED" if allowed(NULLABLE, name, parameter) else misused
                yield where, name, parameter, "NULL", wanted, with_argument("NULL")
            if nouns[i] in KINDS and not ty.startswith("stepwell"):
                wrong = f"(void *)o.{KINDS[nouns[i]]}"
                wanted = "SUCCEED" if allowed(OTHER_KIND, name, parameter) else misused
                yield where, name, parameter, "of another kind", wanted, with_argument(wrong)
            if nouns[i] in IN_STORE and sum(n in IN_STORE for n in nouns) > 1 and not ty.endswith("**"):
                wanted = "SUCCEED" if allowed(OTHER_STORE, name, parameter) else "FAIL_OR_END"
                yield where, name, parameter, "of another store", wanted, with_argument(f"other.{nouns[i]}")
        kept = " ".join(f"o.{n} = NULL;" for n in set(nouns) - {None})
        arguments = [f"kept.{n}" if n else value.replace("o.imports", "kept.imports") for n, value in zip(nouns, valid)]
        yield where, name, "", "whose owners are deleted", "SUCCEED", f"kept = o; {kept} o.imports.size = 0; o.imports.data = NULL; unmake(); {call(result, name, arguments)}"


def main():
    if sys.argv[1] == "--list":
        for _, name, parameter, what, wanted, _ in cases(sys.argv[2]):
            if what == "NULL":
                print(f"{name} {parameter}: {wanted.lower()}")
        return
    include, out = sys.argv[1:]
    numbered = list(enumerate(cases(include)))
    body = "".join(f"    case {i}: {statements} break;\n" for i, (*_, statements) in numbered)
    rows = "".join(f'  {{{where}, "{name}", "{parameter}", "{what}", {wanted}}},\n'
                   for _, (where, name, parameter, what, wanted, _) in numbered)
    program = (Path(__file__).parent / "program.c").read_text()
    program = program.replace("/* @CASES@ */", body).replace("/* @ROWS@ */", rows)
    Path(out).write_text(program)


if __name__ == "__main__":
    main()
