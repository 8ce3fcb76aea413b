/*
 * stepwell-run: runs a WASI program, or calls a function of a module. `stepwell-run --help` says how, docs/stepwell-run.md says more.
 *
 * Everything here goes through wasm.h and stepwell.h. It ends with the program's exit status, and otherwise as `enum ending` says.
 */
#include "stepwell_run_dwarf.h"
#include "stepwell_run_print.h"
#include "util.h"

#include <inttypes.h>
#include <signal.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* Exit codes that are not the program's: what a shell's user expects. */
enum ending {
    END_USAGE = 2,      /* the command line is wrong */
    END_LIMIT = 124,    /* its time or its fuel is up: as of timeout(1) */
    END_NOT_RUN = 126,  /* the module is there, and cannot be run: no module, not valid, imports missing */
    END_NOT_FOUND = 127, /* there is no such file */
    END_TRAP = 134,     /* it trapped: as of a program that aborts */
};

enum { MOST_INDENT = 30 };

static const char help[] =
    "usage: stepwell-run [OPTIONS] MODULE [ARGS...]\n"
    "\n"
    "Runs MODULE (`-`: standard input), a WASI preview 1 program, with ARGS. Its exit status is the program's;\n"
    "134 after a trap, 124 when a limit ended it, 126 if it cannot be run, 127 if it is not there, 2 for a wrong\n"
    "command line.\n"
    "\n"
    "  --dir HOST[::GUEST][:ro]  give it the directory HOST, as GUEST (else as HOST); `:ro`: to look at only\n"
    "  --env NAME[=VALUE]        set a variable of its environment, which is empty; without VALUE: as it is here\n"
    "  --invoke FUNC             call the function FUNC with ARGS, and print its results, a line each\n"
    "  --stub-missing            let imports that nobody provides be functions that return zeros, and zeros\n"
    "  --break WHERE             stop at a function, `FILE:LINE`, offset (12, 0xc) or `#`function index; print the\n"
    "                            frames with their values; go on. Can be repeated\n"
    "  --break-count N           go on for good after N stops\n"
    "  --trace=calls             print every call of a function of the module, with its arguments\n"
    "  --trace=instructions      print every instruction before it runs, with locals and operands\n"
    "  -g, --debug               run debug code, and print the frames with their values at a trap\n"
    "  --core-dump FILE          run debug code, and write the state to FILE at a trap\n"
    "  --coverage FILE           run debug code, and write to FILE which lines of the source were reached\n"
    "  --simple                  debug code of the simple kind\n"
    "  --dwarf FILE              a package (.dwp) or .dwo file of MODULE's split DWARF; without, those beside MODULE\n"
    "                            are taken. Can be repeated\n"
    "  --precompile FILE         compile MODULE to FILE, and do not run it\n"
    "  --precompiled             MODULE is such a file, made with the same options by the same Stepwell\n"
    "  --stats                   say at the end what it took\n"
    "  --fuel N                  end it after N instructions\n"
    "  --timeout SECONDS         end it after so long\n"
    "  --max-memory BYTES        let its memories take so much in all; also with K, M, G\n"
    "  --max-stack BYTES         let its calls take so much stack\n"
    "  --version, --help\n";

/* ---- what was asked for ------------------------------------------------------------------------------------- */

typedef struct list {
    const char **items;
    size_t count;
} list;

static struct {
    list directories, environment, breakpoints, dwarf;
    const char *module, *invoke, *precompile, *core_dump, *coverage;
    char **arguments;
    size_t argument_count;
    bool stub, calls, instructions, debug, simple, stats, precompiled;
    bool fueled;
    uint64_t fuel, break_count, max_memory, max_stack; /* 0: not said */
    double timeout;                                    /* seconds; 0: not said */
} options;

static struct {
    double compile, instantiate, run; /* seconds */
    size_t module_bytes;
    uint64_t stops, breakpoints_hit;
} stats;

/* A breakpoint that the debugger has, and what asked for it. */
typedef struct breakpoint {
    stepwell_breakpoint_t id;
    size_t asked; /* the position in `options.breakpoints` */
} breakpoint;

static breakpoint *breakpoints;
static size_t breakpoint_count;
static wasm_store_t *store;
static stepwell_debugger_t *debugger; /* NULL without one */
static wasm_module_t *module;
static wasm_instance_t *instance;

/* Ends with a message. */
__attribute__((noreturn, format(printf, 2, 3))) static void end(int code, const char *format, ...) {
    va_list arguments;
    fflush(stdout);
    char text[4096];
    fputs("stepwell-run: ", stderr);
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    print_lines(text);
    fputc('\n', stderr);
    exit(code);
}

/* Ends with an error's message, if there is one. */
static void ok(stepwell_error_t *error, int code, const char *doing) {
    if (error) {
        end(code, "%s: %s", doing, stepwell_error_message(error));
    }
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void append(list *to, const char *item) {
    to->items = realloc(to->items, (to->count + 1) * sizeof *to->items);
    if (!to->items) {
        end(EXIT_FAILURE, "out of memory");
    }
    to->items[to->count++] = item;
}

static uint64_t number_of(const char *option, const char *text) {
    uint64_t number;
    if (*text == '-' || !parse_integer(text, 64, &number)) {
        end(END_USAGE, "%s: `%s` is no number", option, text);
    }
    return number;
}

/* A number of bytes, with K, M or G. */
static uint64_t bytes_of(const char *option, const char *text) {
    static const char units[] = "KMG";
    char digits[32];
    size_t length = strlen(text);
    const char *unit = length ? strchr(units, text[length - 1] & ~0x20) : NULL;
    if (!unit || !*unit) {
        return number_of(option, text);
    }
    int shift = 10 * (int)(unit - units + 1);
    snprintf(digits, sizeof digits, "%.*s", (int)(length - 1), text);
    uint64_t number = number_of(option, digits);
    if (length > sizeof digits || number > UINT64_MAX >> shift) {
        end(END_USAGE, "%s: `%s` is too much", option, text);
    }
    return number << shift;
}

static double seconds_of(const char *option, const char *text) {
    char *rest;
    double number = strtod(text, &rest);
    if (rest == text || *rest || !(number >= 1e-6 && number <= 1e9)) {
        end(END_USAGE, "%s: `%s` is no number of seconds", option, text);
    }
    return number;
}

/* The value of the option at `*at`, behind `=` or the next argument; NULL if the option is another one. */
static const char *option_value(char **argv, int argc, int *at, const char *name) {
    const char *argument = argv[*at];
    size_t length = strlen(name);
    if (strncmp(argument, name, length) || (argument[length] && argument[length] != '=')) {
        return NULL;
    }
    if (argument[length]) {
        return argument + length + 1;
    }
    if (++*at >= argc) {
        end(END_USAGE, "%s needs a value; see --help", name);
    }
    return argv[*at];
}

static void read_options(int argc, char **argv) {
    static const struct {
        const char *name;
        bool *set;
    } flags[] = {
        {"--stub-missing", &options.stub}, {"-g", &options.debug},      {"--debug", &options.debug},
        {"--simple", &options.simple},     {"--stats", &options.stats},
        {"--precompiled", &options.precompiled},
    };
    int at = 1;
    for (; at < argc && argv[at][0] == '-' && argv[at][1]; at++) {
        const char *argument = argv[at], *value;
        size_t flag = 0;
        if (!strcmp(argument, "--")) {
            at++;
            break;
        }
        while (flag < sizeof flags / sizeof *flags && strcmp(argument, flags[flag].name)) {
            flag++;
        }
        if (flag < sizeof flags / sizeof *flags) {
            *flags[flag].set = true;
        } else if (!strcmp(argument, "--help") || !strcmp(argument, "-h")) {
            fputs(help, stdout);
            exit(fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS);
        } else if (!strcmp(argument, "--version")) {
            printf("stepwell-run %s\n", stepwell_version_string());
            exit(fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS);
        } else if ((value = option_value(argv, argc, &at, "--dir"))) {
            append(&options.directories, value);
        } else if ((value = option_value(argv, argc, &at, "--env"))) {
            append(&options.environment, value);
        } else if ((value = option_value(argv, argc, &at, "--invoke"))) {
            options.invoke = value;
        } else if ((value = option_value(argv, argc, &at, "--precompile"))) {
            options.precompile = value;
        } else if ((value = option_value(argv, argc, &at, "--core-dump"))) {
            options.core_dump = value;
        } else if ((value = option_value(argv, argc, &at, "--coverage"))) {
            options.coverage = value;
        } else if ((value = option_value(argv, argc, &at, "--break-count"))) {
            options.break_count = number_of("--break-count", value);
            if (!options.break_count) {
                end(END_USAGE, "--break-count: 0 stops are no stops");
            }
        } else if ((value = option_value(argv, argc, &at, "--break"))) {
            append(&options.breakpoints, value);
        } else if ((value = option_value(argv, argc, &at, "--dwarf"))) {
            append(&options.dwarf, value);
        } else if ((value = option_value(argv, argc, &at, "--trace"))) {
            if (strcmp(value, "calls") && strcmp(value, "instructions")) {
                end(END_USAGE, "--trace: `calls` or `instructions`, not `%s`", value);
            }
            *(*value == 'c' ? &options.calls : &options.instructions) = true;
        } else if ((value = option_value(argv, argc, &at, "--fuel"))) {
            options.fueled = true;
            options.fuel = number_of("--fuel", value);
        } else if ((value = option_value(argv, argc, &at, "--timeout"))) {
            options.timeout = seconds_of("--timeout", value);
        } else if ((value = option_value(argv, argc, &at, "--max-memory"))) {
            options.max_memory = bytes_of("--max-memory", value);
        } else if ((value = option_value(argv, argc, &at, "--max-stack"))) {
            options.max_stack = bytes_of("--max-stack", value);
        } else {
            end(END_USAGE, "there is no option `%s`; see --help", argument);
        }
    }
    if (at >= argc) {
        end(END_USAGE, "which module? See --help");
    }
    options.module = argv[at];
    options.arguments = argv + at + 1;
    options.argument_count = (size_t)(argc - at - 1);
}

/* ---- at stops ----------------------------------------------------------------------------------------------- */

/* One line before an instruction. */
static void trace_instruction(const stepwell_stop_t *stop) {
    const stepwell_frame_t *frame = stepwell_stop_frame(stop, 0);
    stepwell_source_t source;
    fprintf(stderr, "%zu ", stepwell_stop_frame_count(stop));
    print_func_name(frame);
    fprintf(stderr, " %#zx ", stepwell_frame_offset(frame));
    if (stepwell_frame_source(frame, 0, &source)) {
        print_place(&source);
        fputc(' ', stderr);
    }
    fputc('[', stderr);
    print_locals(frame, SIZE_MAX, " ", true);
    fputs("] [", stderr);
    print_operands(frame);
    fputs("]\n", stderr);
}

/* One line for a call, when the function begins. */
static void trace_call(const stepwell_stop_t *stop) {
    const stepwell_frame_t *frame = stepwell_stop_frame(stop, 0);
    wasm_instance_t *of = stepwell_frame_instance(frame);
    wasm_func_t *func = stepwell_instance_func(of, stepwell_frame_func_index(frame));
    size_t depth = stepwell_stop_frame_count(stop) - 1;
    fprintf(stderr, "%*s", 2 * (int)(depth < MOST_INDENT ? depth : MOST_INDENT), "");
    print_func_name(frame);
    fputc('(', stderr);
    print_locals(frame, wasm_func_param_arity(func), ", ", false);
    fputs(")\n", stderr);
    wasm_func_delete(func);
    wasm_instance_delete(of);
}

/* Goes on for good: the breakpoints that were asked for are removed. */
static void end_breakpoints(stepwell_stop_t *stop) {
    for (size_t i = 0; i < breakpoint_count; i++) {
        ok(stepwell_breakpoint_remove(stepwell_stop_debugger(stop), breakpoints[i].id), EXIT_FAILURE, "removing a breakpoint");
    }
    breakpoint_count = 0;
}

/* Whether frames are to be shown, and not only kept. */
static bool shows(void) {
    return options.debug || options.simple || options.calls || options.instructions || options.breakpoints.count;
}

/* Writes bytes to a file that was asked for, and deletes them. That it cannot be written is said. */
static void write_file(const char *name, const char *what, wasm_byte_vec_t *bytes) {
    FILE *file = fopen(name, "wb");
    bool written = file && fwrite(bytes->data, 1, bytes->size, file) == bytes->size;
    int error = errno;
    if (file && fclose(file)) {
        written = false;
        error = errno;
    }
    fputs("stepwell-run: ", stderr);
    print_text(name);
    if (written) {
        fprintf(stderr, ": %s of %zu bytes\n", what, bytes->size);
    } else {
        fprintf(stderr, ": %s\n", strerror(error));
    }
    wasm_byte_vec_delete(bytes);
}

/* Writes the state. The guest traps all the same, whether it can be written or not. */
static void write_core_dump(const stepwell_stop_t *stop) {
    wasm_byte_vec_t dump;
    ok(stepwell_stop_core_dump(stop, &dump), EXIT_FAILURE, "--core-dump");
    write_file(options.core_dump, "a core dump", &dump);
}

/* Writes which lines were reached, if that was asked for. */
static void write_coverage(void) {
    if (options.coverage && debugger) {
        wasm_byte_vec_t lines;
        ok(stepwell_debugger_coverage_lcov(debugger, &lines), EXIT_FAILURE, "--coverage");
        write_file(options.coverage, "coverage", &lines);
    }
}

static stepwell_action_t on_stop(void *env, stepwell_stop_t *stop) {
    (void)env;
    stats.stops++;
    if (stepwell_stop_reason(stop) == STEPWELL_STOP_TRAP) {
        if (options.core_dump) {
            write_core_dump(stop);
        }
        if (!shows()) {
            return STEPWELL_ACTION_CONTINUE;
        }
        const char *message = stepwell_stop_trap_message(stop);
        if (message) {
            fputs("stepwell-run: about to trap: ", stderr);
            print_lines(message);
            fputc('\n', stderr);
        }
        print_frames(stop);
        return STEPWELL_ACTION_CONTINUE;
    }
    bool others = false, asked = false;
    for (size_t i = 0; i < stepwell_stop_breakpoint_count(stop); i++) {
        stepwell_breakpoint_t id = stepwell_stop_breakpoint(stop, i);
        size_t known = 0;
        while (known < breakpoint_count && breakpoints[known].id != id) {
            known++;
        }
        if (known == breakpoint_count) {
            others = true; /* of --trace=calls */
        } else if (!asked) {
            asked = true;
            fprintf(stderr, "stepwell-run: stop %" PRIu64 ", at %s\n", ++stats.breakpoints_hit,
                    options.breakpoints.items[breakpoints[known].asked]);
        }
    }
    if (asked) {
        print_frames(stop);
        if (stats.breakpoints_hit == options.break_count) {
            end_breakpoints(stop);
        }
    }
    if (others) {
        trace_call(stop);
    }
    if (options.instructions) {
        trace_instruction(stop);
    }
    return STEPWELL_ACTION_CONTINUE;
}

/* ---- breakpoints -------------------------------------------------------------------------------------------- */

/* Remembers a breakpoint; false, and the error deleted, if it could not be set. */
static bool remember(stepwell_error_t *error, const stepwell_breakpoint_t *id, size_t asked) {
    if (error) {
        stepwell_error_delete(error);
        return false;
    }
    breakpoints = realloc(breakpoints, (breakpoint_count + 1) * sizeof *breakpoints);
    if (!breakpoints) {
        end(EXIT_FAILURE, "out of memory");
    }
    breakpoints[breakpoint_count++] = (breakpoint){*id, asked};
    return true;
}

/* Sets breakpoints at the code of `FILE:LINE`; false if there is none. */
static bool break_at_line(stepwell_debugger_t *debugger, const char *where, size_t asked) {
    const char *colon = strrchr(where, ':');
    uint64_t line;
    size_t offset;
    if (!colon || !parse_integer(colon + 1, 32, &line)) {
        return false;
    }
    char *file = strndup(where, (size_t)(colon - where));
    bool found = false;
    for (size_t i = 0; file && stepwell_module_source_find(module, file, (uint32_t)line, i, &offset); i++) {
        stepwell_breakpoint_t id;
        stepwell_error_t *error = stepwell_breakpoint_add(debugger, module, offset, &id);
        found |= remember(error, &id, asked);
    }
    uint32_t moved = found ? stepwell_module_source_line(module, file, (uint32_t)line) : 0;
    if (moved && moved != line) {
        fprintf(stderr, "stepwell-run: --break: line %u has no code; it is at line %u\n", (unsigned)line, (unsigned)moved);
    }
    free(file);
    return found;
}

static void set_breakpoints(stepwell_debugger_t *debugger) {
    for (size_t i = 0; i < options.breakpoints.count; i++) {
        const char *where = options.breakpoints.items[i];
        stepwell_breakpoint_t id;
        stepwell_error_t *error;
        uint64_t number;
        if (parse_integer(where, 64, &number)) {
            error = stepwell_breakpoint_add(debugger, module, number, &id);
        } else if (*where == '#' && parse_integer(where + 1, 32, &number)) {
            error = stepwell_breakpoint_add_at_function_index(debugger, module, (uint32_t)number, &id);
        } else {
            error = stepwell_breakpoint_add_at_function(debugger, module, where, &id);
        }
        if (!remember(error, &id, i) && !break_at_line(debugger, where, i)) {
            end(END_USAGE, "--break: there is no code at `%s`", where);
        }
    }
    uint32_t functions = options.calls ? stepwell_module_func_count(module) : 0;
    for (uint32_t index = 0; index < functions; index++) {
        /* An imported function has no place for one. */
        stepwell_error_delete(stepwell_breakpoint_add_at_function_index(debugger, module, index, NULL));
    }
    ok(stepwell_debugger_step_always_set(debugger, options.instructions), EXIT_FAILURE, "stepping");
}

/* ---- the module --------------------------------------------------------------------------------------------- */

static wasm_engine_t *new_engine(bool debug) {
    wasm_config_t *config = wasm_config_new();
    wasm_engine_t *engine;
    stepwell_config_debug_set(config, debug);
    if (options.simple) {
        ok(stepwell_config_debug_tier_set(config, STEPWELL_DEBUG_TIER_SIMPLE), EXIT_FAILURE, "configuring");
    }
    if (options.coverage && !options.simple) {
        ok(stepwell_config_debug_tier_set(config, STEPWELL_DEBUG_TIER_BLOCKS), EXIT_FAILURE, "configuring");
    }
    if (options.max_stack) {
        stepwell_config_max_stack_set(config, options.max_stack);
    }
    stepwell_config_fuel_set(config, options.fueled);
    stepwell_config_epoch_set(config, options.timeout > 0); /* it is interrupted by what looks for epochs */
    ok(stepwell_engine_new(config, &engine), EXIT_FAILURE, "making an engine");
    return engine;
}

static void check_imports(const stepwell_linker_t *linker, wasm_importtype_vec_t *imports);

/* Makes the module. What it imports and `linker` has not is said before it is compiled, which can take its time. */
static void load(const wasm_engine_t *engine, const stepwell_linker_t *linker) {
    wasm_byte_vec_t binary;
    bool from_file = strcmp(options.module, "-");
    const char *name = from_file ? options.module : "standard input";
    FILE *file = from_file ? fopen(name, "rb") : stdin;
    if (!file) {
        end(errno == ENOENT || errno == ENOTDIR ? END_NOT_FOUND : END_NOT_RUN, "%s: %s", name, strerror(errno));
    }
    if (options.precompiled && from_file) { /* the library reads it by itself, to where nobody can change it */
        double begin = seconds();
        ok(stepwell_module_deserialize_file(store, name, &module), END_NOT_RUN, name);
        stats.compile = seconds() - begin;
        fclose(file);
        return;
    }
    if (!read_stream(file, &binary)) {
        end(END_NOT_RUN, "%s: %s", name, strerror(errno));
    }
    if (from_file) {
        fclose(file);
    }
    stats.module_bytes = binary.size;
    double begin = seconds();
    if (options.precompiled) {
        ok(stepwell_module_deserialize(store, &binary, &module), END_NOT_RUN, name);
    } else {
        if (!options.precompile && !options.stub) {
            wasm_importtype_vec_t imports;
            ok(stepwell_module_imports_read(engine, &binary, &imports), END_NOT_RUN, name);
            check_imports(linker, &imports);
        }
        ok(stepwell_module_new(store, &binary, &module), END_NOT_RUN, name);
    }
    stats.compile = seconds() - begin;
    wasm_byte_vec_delete(&binary);
}

/* Gives the module the files of split DWARF that were asked for. */
static void give_asked_dwarf(void) {
    for (size_t i = 0; i < options.dwarf.count; i++) {
        stepwell_error_t *error = NULL;
        if (!give_dwarf(module, options.dwarf.items[i], &error)) {
            end(END_USAGE, "--dwarf: %s: %s", options.dwarf.items[i], strerror(errno));
        }
        ok(error, END_USAGE, options.dwarf.items[i]);
    }
}

/* Gives the module, before the first place in the source is asked for, those that are beside it. */
static void find_dwarf(void) {
    static bool done;
    if (!done && !options.dwarf.count && strcmp(options.module, "-")) {
        give_dwarf_beside(module, options.module);
    }
    done = true;
}

/* Splits `HOST[::GUEST][:ro]`, and opens it. */
static void open_directory(stepwell_wasi_config_t *config, const char *said) {
    char *host = strdup(said), *guest;
    size_t length = host ? strlen(host) : 0;
    bool read_only = length > 3 && !strcmp(host + length - 3, ":ro");
    if (read_only) {
        host[length - 3] = 0;
    }
    guest = host ? strstr(host, "::") : NULL;
    if (guest) {
        *guest = 0;
        guest += 2;
    }
    if (!host || !*host || (guest && !*guest)) {
        end(END_USAGE, "--dir: `%s` is not HOST[::GUEST][:ro]", said);
    }
    if (guest && strchr(guest, ':')) {
        end(END_USAGE, "--dir: `%s` ends with `%s`; only `:ro` is known there", said, strchr(guest, ':'));
    }
    ok(stepwell_wasi_config_preopen_dir(config, host, guest ? guest : host, !read_only), END_USAGE, "--dir");
    free(host);
}

static void define_wasi(stepwell_linker_t *linker) {
    stepwell_wasi_config_t *config = stepwell_wasi_config_new();
    stepwell_wasi_config_stdin_inherit(config);
    stepwell_wasi_config_stdout_inherit(config);
    stepwell_wasi_config_stderr_inherit(config);
    list arguments = {0}, names = {0}, values = {0};
    append(&arguments, options.module);
    for (size_t i = 0; !options.invoke && i < options.argument_count; i++) {
        append(&arguments, options.arguments[i]);
    }
    ok(stepwell_wasi_config_args_set(config, arguments.count, arguments.items), END_USAGE, "the arguments");
    for (size_t i = 0; i < options.environment.count; i++) {
        const char *said = options.environment.items[i], *equals = strchr(said, '=');
        const char *name = equals ? strndup(said, (size_t)(equals - said)) : said;
        const char *value = equals ? equals + 1 : getenv(said);
        if (value) { /* a variable that is not set here is not set there */
            append(&names, name);
            append(&values, value);
        }
    }
    ok(stepwell_wasi_config_env_set(config, names.count, names.items, values.items), END_USAGE, "--env");
    for (size_t i = 0; i < options.directories.count; i++) {
        open_directory(config, options.directories.items[i]);
    }
    ok(stepwell_linker_define_wasi(linker, store, config), EXIT_FAILURE, "defining WASI");
    free(arguments.items);
    free(values.items);
    free(names.items); /* the names themselves stay until the end */
}

/* Says which of these imports nobody provides, all of them, and ends; deletes them if there are none. */
static void check_imports(const stepwell_linker_t *linker, wasm_importtype_vec_t *imports) {
    static const char *const kinds[] = {"function", "global", "table", "memory"};
    bool missing = false;
    for (size_t i = 0; i < imports->size; i++) {
        const wasm_name_t *from = wasm_importtype_module(imports->data[i]), *name = wasm_importtype_name(imports->data[i]);
        char *from_text = strndup(from->data ? from->data : "", from->size);
        char *name_text = strndup(name->data ? name->data : "", name->size);
        wasm_extern_t *item = stepwell_linker_get(linker, store, from_text, name_text);
        if (!item) {
            if (!missing) {
                fputs("stepwell-run: ", stderr);
                print_text(options.module);
                fputs(" imports what nobody provides (--stub-missing makes stubs):\n", stderr);
            }
            missing = true;
            wasm_externkind_t kind = wasm_externtype_kind(wasm_importtype_type(imports->data[i]));
            fputs("  ", stderr);
            print_text(from_text);
            fputc('.', stderr);
            print_text(name_text);
            fprintf(stderr, ", a %s\n", kind < 4 ? kinds[kind] : "thing");
        }
        wasm_extern_delete(item);
        free(from_text);
        free(name_text);
    }
    wasm_importtype_vec_delete(imports);
    if (missing) {
        exit(END_NOT_RUN);
    }
}

/* ---- limits ------------------------------------------------------------------------------------------------- */

static stepwell_interrupt_t *interrupt;
static volatile sig_atomic_t times_up;

/* Time is up: the guest is interrupted, and a second later, if it is then still in a system call, the process ends. */
static void on_alarm(int signal) {
    static const char message[] = "stepwell-run: the time is up, and the program does not end\n";
    (void)signal;
    if (times_up++) {
        ssize_t written = write(STDERR_FILENO, message, sizeof message - 1);
        (void)written;
        _exit(END_LIMIT);
    }
    stepwell_interrupt_raise(interrupt);
}

static void set_limits(void) {
    if (options.max_memory) {
        ok(stepwell_store_limits_set(store, options.max_memory, UINT64_MAX, SIZE_MAX), EXIT_FAILURE, "--max-memory");
    }
    if (options.fueled) {
        ok(stepwell_store_fuel_set(store, options.fuel), EXIT_FAILURE, "--fuel");
    }
    if (options.timeout > 0) {
        struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
        struct itimerval timer = {.it_interval.tv_sec = 1};
        timer.it_value.tv_sec = (time_t)options.timeout;
        timer.it_value.tv_usec = (suseconds_t)((options.timeout - (double)timer.it_value.tv_sec) * 1e6);
        ok(stepwell_interrupt_new(store, &interrupt), EXIT_FAILURE, "--timeout");
        if (sigaction(SIGALRM, &action, NULL) || setitimer(ITIMER_REAL, &timer, NULL)) {
            end(EXIT_FAILURE, "--timeout: %s", strerror(errno));
        }
    }
}

/* ---- running ------------------------------------------------------------------------------------------------ */

static void print_stats(void) {
    if (!options.stats) {
        return;
    }
    fflush(stdout);
    if (options.precompiled) {
        fprintf(stderr, "stepwell-run: loaded");
    } else {
        fprintf(stderr, "stepwell-run: compiled %zu bytes", stats.module_bytes);
    }
    fprintf(stderr, " in %.3f ms, to %zu bytes of code", stats.compile * 1e3, stepwell_module_text_size(module));
    size_t debug_bytes = stepwell_module_debug_text_size(module);
    if (debug_bytes) {
        fprintf(stderr, " (and %zu of debug code)", debug_bytes);
    }
    fputc('\n', stderr);
    fprintf(stderr, "stepwell-run: instantiated in %.3f ms, ran for %.3f ms\n", stats.instantiate * 1e3, stats.run * 1e3);
    for (uint32_t i = 0; instance; i++) {
        wasm_memory_t *memory = stepwell_instance_memory(instance, i);
        if (!memory) {
            break;
        }
        fprintf(stderr, "stepwell-run: memory %" PRIu32 " has %" PRIu32 " pages (%zu bytes)\n", i, wasm_memory_size(memory),
                wasm_memory_data_size(memory));
        wasm_memory_delete(memory);
    }
    uint64_t left;
    if (options.fueled) {
        ok(stepwell_store_fuel_get(store, &left), EXIT_FAILURE, "--fuel");
        fprintf(stderr, "stepwell-run: %" PRIu64 " units of fuel were used\n", options.fuel - left);
    }
    if (stats.stops) {
        fprintf(stderr, "stepwell-run: %" PRIu64 " stops, %" PRIu64 " of them at breakpoints\n", stats.stops,
                stats.breakpoints_hit);
    }
}

/* Ends as the trap says: with the program's exit status, or with a backtrace. */
static void end_with_trap(wasm_trap_t *trap) {
    int32_t status;
    if (!stepwell_trap_exit_status(trap, &status)) {
        fflush(stdout);
        find_dwarf();
        fprintf(stderr, "stepwell-run: trap: %s\n", stepwell_trap_backtrace(trap));
        stepwell_trap_code_t code = stepwell_trap_code(trap);
        bool limit = code == STEPWELL_TRAP_OUT_OF_FUEL || (code == STEPWELL_TRAP_INTERRUPT && times_up);
        status = limit ? END_LIMIT : END_TRAP;
    }
    wasm_trap_delete(trap);
    write_coverage();
    print_stats();
    exit(status);
}

/* The function to be called; NULL if there is none of this name. */
static wasm_func_t *find_func(const char *name) {
    wasm_extern_t *item = stepwell_instance_export(instance, name);
    wasm_func_t *func = item ? wasm_extern_as_func(item) : NULL;
    uint32_t index;
    func = func ? wasm_func_copy(func) : NULL;
    wasm_extern_delete(item);
    if (!func && stepwell_module_func_find(module, name, &index)) {
        func = stepwell_instance_func(instance, index);
    }
    return func;
}

/* Ends because there is no such function; says which there are. */
static void end_without_func(const char *why, const char *name, int code) {
    wasm_exporttype_vec_t exports;
    bool any = false;
    fputs("stepwell-run: ", stderr);
    print_text(options.module);
    fprintf(stderr, ": %s `", why);
    print_text(name);
    fputc('`', stderr);
    wasm_module_exports(module, &exports);
    for (size_t i = 0; i < exports.size; i++) {
        if (wasm_externtype_kind(wasm_exporttype_type(exports.data[i])) == WASM_EXTERN_FUNC) {
            const wasm_name_t *export = wasm_exporttype_name(exports.data[i]);
            fputs(any ? ", " : "; it exports ", stderr);
            print_name(export->data, export->size);
            any = true;
        }
    }
    fputs(any ? "\n" : "; it exports no function\n", stderr);
    wasm_exporttype_vec_delete(&exports);
    exit(code);
}

static void end_with_types(const wasm_valtype_vec_t *params) {
    fputs("stepwell-run: `", stderr);
    print_text(options.invoke ? options.invoke : "_start");
    fputs("` takes (", stderr);
    for (size_t i = 0; i < params->size; i++) {
        fprintf(stderr, "%s%s", i ? ", " : "", type_name(params->data[i]));
    }
    fprintf(stderr, "): %zu arguments, %zu given\n", params->size, options.invoke ? options.argument_count : 0);
    exit(END_USAGE);
}

/* Calls a function with the arguments of the command line, or with none, and prints its results. */
static void call(wasm_func_t *func, bool with_arguments) {
    wasm_functype_t *type = wasm_func_type(func);
    const wasm_valtype_vec_t *params = wasm_functype_params(type);
    wasm_val_vec_t arguments, results;
    wasm_trap_t *trap;
    size_t count = with_arguments ? options.argument_count : 0;
    if (params->size != count) {
        end_with_types(params);
    }
    wasm_val_vec_new_uninitialized(&arguments, count);
    wasm_val_vec_new_uninitialized(&results, wasm_functype_results(type)->size);
    for (size_t i = 0; i < count; i++) {
        if (!parse_value(options.arguments[i], wasm_valtype_kind(params->data[i]), &arguments.data[i])) {
            end(END_USAGE, "`%s` is no %s, which argument %zu of `%s` is", options.arguments[i],
                type_name(params->data[i]), i + 1, options.invoke);
        }
    }
    double begin = seconds();
    ok(stepwell_func_call(func, &arguments, &results, &trap), EXIT_FAILURE, options.module);
    stats.run += seconds() - begin;
    if (trap) {
        end_with_trap(trap);
    }
    for (size_t i = 0; with_arguments && i < results.size; i++) {
        print_value(stdout, &results.data[i]);
        putchar('\n');
    }
    wasm_val_vec_delete(&results);
    wasm_val_vec_delete(&arguments);
    wasm_functype_delete(type);
    wasm_func_delete(func);
}

int main(int argc, char **argv) {
    read_options(argc, argv);
    bool debug = shows() || options.core_dump || options.coverage;
    wasm_engine_t *engine = new_engine(debug);
    store = wasm_store_new(engine);
    stepwell_linker_t *linker = stepwell_linker_new(engine);
    wasm_trap_t *trap;
    if (!options.precompile) {
        define_wasi(linker);
    }
    load(engine, linker);
    if (options.precompile) {
        ok(stepwell_module_serialize_file(module, options.precompile), EXIT_FAILURE, options.precompile);
        print_stats();
        return EXIT_SUCCESS;
    }
    give_asked_dwarf();
    set_limits();
    if (options.stub) {
        ok(stepwell_linker_fill_missing_with_defaults(linker, store, module), END_NOT_RUN, "--stub-missing");
    }
    wasm_importtype_vec_t imports;
    wasm_module_imports(module, &imports);
    check_imports(linker, &imports);
    if (debug) {
        find_dwarf();
        ok(stepwell_debugger_attach(store, on_stop, NULL, NULL, &debugger), EXIT_FAILURE, "attaching a debugger");
        set_breakpoints(debugger);
        if (options.coverage) {
            ok(stepwell_debugger_cover(debugger, NULL), EXIT_FAILURE, "--coverage");
        }
    }
    double begin = seconds();
    ok(stepwell_linker_instantiate(linker, store, module, &instance, &trap), END_NOT_RUN, options.module);
    stats.instantiate = seconds() - begin;
    if (trap) {
        end_with_trap(trap);
    }
    /* A library of WASI's kind is to be set up before it is called; a program sets itself up. A library that nothing is called of is
     * set up, and that is all. */
    wasm_func_t *func = find_func(options.invoke ? "_initialize" : "_start");
    if (!func && !options.invoke) {
        func = find_func("_initialize");
    }
    if (options.invoke) {
        wasm_func_t *invoked = find_func(options.invoke);
        if (!invoked) {
            end_without_func("there is no function", options.invoke, END_USAGE);
        }
        if (func && strcmp(options.invoke, "_initialize")) {
            call(func, false);
        } else {
            wasm_func_delete(func);
        }
        call(invoked, true);
    } else if (func) {
        call(func, false);
    } else {
        end_without_func("--invoke says what to call; this is no program and no library of WASI's kind, it has no", "_start", END_NOT_RUN);
    }
    write_coverage();
    print_stats();
    stepwell_interrupt_delete(interrupt);
    stepwell_debugger_delete(debugger);
    wasm_instance_delete(instance);
    stepwell_linker_delete(linker);
    wasm_module_delete(module);
    wasm_store_delete(store);
    wasm_engine_delete(engine);
    if (fflush(stdout) || ferror(stdout)) {
        end(EXIT_FAILURE, "standard output: %s", strerror(errno));
    }
    return EXIT_SUCCESS;
}
