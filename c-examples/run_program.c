/*
 * Runs a program that imports `bench.start`, `bench.end` and WASI preview 1 to its end, in one of three modes:
 *
 *   run-program production PROGRAM.wasm   optimised code, no debugger
 *   run-program debug PROGRAM.wasm        a breakpoint at every function; each is removed, from inside the stop, when hit
 *                                         often enough; backtraces are walked
 *   run-program step PROGRAM.wasm [N]     every instruction single-stepped; with N, the first N, then on without
 *
 * Before the mode, `--dir HOST` names the directory that the program sees as "."; else that is the one it stands in. It can look
 * at it, not change it. Its standard streams are ours, its only argument is its name.
 *
 * Ends with the program's exit code; 77 (skipped, for ctest) when there is no such file.
 */
#include "util.h"

#include <inttypes.h>
#include <stdbool.h>
#include <time.h>

/* What the callbacks share. */
typedef struct program {
    wasm_store_t *store;
    uint64_t stops;
    uint64_t frames;
    uint32_t *hits; /* by breakpoint id */
    size_t hit_count;
    bool step;
    uint64_t step_limit; /* 0: none */
} program;

enum { HITS = 50 };

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static stepwell_action_t on_stop(void *env, stepwell_stop_t *stop) {
    program *p = env;
    p->stops++;
    if (p->step) {
        if (p->stops == p->step_limit) {
            check(stepwell_debugger_step_always_set(stepwell_stop_debugger(stop), false), "ending the steps");
            return STEPWELL_ACTION_CONTINUE;
        }
        return STEPWELL_ACTION_STEP;
    }
    p->frames += stepwell_stop_frame_count(stop);
    size_t count = stepwell_stop_breakpoint_count(stop);
    for (size_t i = 0; i < count; i++) {
        uint32_t id = stepwell_stop_breakpoint(stop, i);
        if (id < p->hit_count && ++p->hits[id] == HITS) {
            check(stepwell_breakpoint_remove(stepwell_stop_debugger(stop), id), "removing a breakpoint inside a stop");
        }
    }
    return STEPWELL_ACTION_CONTINUE;
}

static wasm_trap_t *nothing(void *env, const wasm_val_vec_t *arguments, wasm_val_vec_t *results) {
    (void)env, (void)arguments, (void)results;
    return NULL;
}

/* Defines a host function without parameters and results that does nothing. */
static void define_nothing(stepwell_linker_t *linker, const char *module, const char *name) {
    wasm_functype_t *type = wasm_functype_new_0_0();
    check(stepwell_linker_define_func(linker, module, name, type, nothing, NULL, NULL), "defining a host function");
    wasm_functype_delete(type);
}

/* Gives the program our standard streams, its name, and a directory. */
static void define_wasi(stepwell_linker_t *linker, wasm_store_t *store, const char *path, const char *directory) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    char *own_directory = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    stepwell_wasi_config_t *config = stepwell_wasi_config_new();
    stepwell_wasi_config_stdin_inherit(config);
    stepwell_wasi_config_stdout_inherit(config);
    stepwell_wasi_config_stderr_inherit(config);
    check(stepwell_wasi_config_args_set(config, 1, &name), "setting the arguments");
    check(stepwell_wasi_config_preopen_dir(config, directory ? directory : own_directory, ".", false), "opening a directory");
    check(stepwell_linker_define_wasi(linker, store, config), "defining WASI");
    free(own_directory);
}

/* A breakpoint at each function. */
static void break_everywhere(stepwell_debugger_t *debugger, const wasm_module_t *module, program *p) {
    uint32_t functions = stepwell_module_func_count(module);
    p->hit_count = (size_t)functions + 1;
    p->hits = calloc(p->hit_count, sizeof *p->hits);
    for (uint32_t index = 0; index < functions; index++) {
        stepwell_error_t *error = stepwell_breakpoint_add_at_function_index(debugger, module, index, NULL);
        if (error && stepwell_error_code(error) != STEPWELL_ERROR_ARGUMENT) {
            check(error, "setting a breakpoint"); /* an imported function has no place for one */
        }
        stepwell_error_delete(error);
    }
}

int main(int argc, char **argv) {
    const char *directory = NULL;
    if (argc > 2 && !strcmp(argv[1], "--dir")) {
        directory = argv[2];
        argc -= 2;
        argv += 2;
    }
    if (argc != 3 && argc != 4) {
        fail("usage: run-program [--dir HOST] production|debug|step PROGRAM.wasm [STEPS]");
    }
    const char *mode = argv[1], *path = argv[2];
    bool debug = !strcmp(mode, "debug");
    program p = {.step = !strcmp(mode, "step"), .step_limit = argc > 3 ? strtoull(argv[3], NULL, 10) : 0};
    FILE *there = fopen(path, "rb");
    if (!there) {
        printf("skipped: there is no %s\n", path);
        return 77;
    }
    fclose(there);

    wasm_config_t *config = wasm_config_new();
    stepwell_config_debug_set(config, true);
    wasm_engine_t *engine = wasm_engine_new_with_config(config);
    p.store = wasm_store_new(engine);
    wasm_byte_vec_t binary;
    read_file(path, &binary);
    wasm_module_t *module = wasm_module_new(p.store, &binary);
    wasm_byte_vec_delete(&binary);
    if (!module) {
        fail_last(path);
    }
    stepwell_debugger_t *debugger = NULL;
    if (debug || p.step) {
        check(stepwell_debugger_attach(p.store, on_stop, &p, NULL, &debugger), "attaching a debugger");
        if (p.step) {
            check(stepwell_debugger_step_always_set(debugger, true), "stepping");
        } else {
            break_everywhere(debugger, module, &p);
        }
    } else if (strcmp(mode, "production")) {
        fail("unknown mode `%s`", mode);
    }
    stepwell_linker_t *linker = stepwell_linker_new(engine);
    define_nothing(linker, "bench", "start");
    define_nothing(linker, "bench", "end");
    define_wasi(linker, p.store, path, directory);
    wasm_instance_t *instance;
    check(stepwell_linker_instantiate(linker, p.store, module, &instance, NULL), "instantiating");
    wasm_extern_t *start = stepwell_instance_export(instance, "_start");
    if (!start) {
        fail("%s has no _start", path);
    }
    wasm_val_vec_t none = WASM_EMPTY_VEC;
    wasm_trap_t *trap;
    double begin = seconds();
    check(stepwell_func_call(wasm_extern_as_func(start), &none, &none, &trap), "running");
    double took = seconds() - begin;
    int32_t exit_code = 0;
    if (trap && !stepwell_trap_exit_status(trap, &exit_code)) {
        wasm_message_t message;
        wasm_trap_message(trap, &message);
        fail("%s: %s", path, message.data);
    }
    printf("%s: exit code %d after %.3f s, %" PRIu64 " stops\n", mode, exit_code, took, p.stops);
    bool stopped_as_asked = debug || p.step ? p.stops > 0 : p.stops == 0;
    if (p.step && p.step_limit && p.stops > p.step_limit) {
        stopped_as_asked = false; /* stepping did not end when it was told to */
    }

    wasm_trap_delete(trap);
    stepwell_debugger_delete(debugger);
    wasm_extern_delete(start);
    wasm_instance_delete(instance);
    stepwell_linker_delete(linker);
    wasm_module_delete(module);
    wasm_store_delete(p.store);
    wasm_engine_delete(engine);
    free(p.hits);
    return stopped_as_asked ? exit_code : EXIT_FAILURE;
}
