/*
 * Runs a program that imports `bench.start`, `bench.end` and WASI's `proc_exit` only, to its end, in one of three modes:
 *
 *   run-program production PROGRAM.wasm   optimised code, no debugger
 *   run-program debug PROGRAM.wasm        a breakpoint at every function; each is removed, from inside the stop, when hit
 *                                         often enough; backtraces are walked
 *   run-program step PROGRAM.wasm [N]     every instruction single-stepped; with N, the first N, then on without
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
    bool exited;
    int exit_code;
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
            return STEPWELL_CONTINUE;
        }
        return STEPWELL_STEP;
    }
    p->frames += stepwell_stop_frame_count(stop);
    size_t count = stepwell_stop_breakpoint_count(stop);
    for (size_t i = 0; i < count; i++) {
        uint32_t id = stepwell_stop_breakpoint(stop, i);
        if (id < p->hit_count && ++p->hits[id] == HITS) {
            check(stepwell_debugger_remove(stepwell_stop_debugger(stop), id), "removing a breakpoint inside a stop");
        }
    }
    return STEPWELL_CONTINUE;
}

static wasm_trap_t *nothing(void *env, const wasm_val_vec_t *arguments, wasm_val_vec_t *results) {
    (void)env, (void)arguments, (void)results;
    return NULL;
}

/* Ends the guest by a trap; `exited` tells it from a real one. */
static wasm_trap_t *proc_exit(void *env, const wasm_val_vec_t *arguments, wasm_val_vec_t *results) {
    program *p = env;
    wasm_message_t message;
    (void)results;
    p->exited = true;
    p->exit_code = arguments->data[0].of.i32;
    wasm_name_new_from_string_nt(&message, "exit");
    wasm_trap_t *trap = wasm_trap_new(p->store, &message);
    wasm_name_delete(&message);
    return trap;
}

/* Defines a host function without results. */
static void define(stepwell_linker_t *linker, const char *module, const char *name, size_t params,
                   wasm_func_callback_with_env_t callback, program *p) {
    wasm_valtype_t *types[] = {params ? wasm_valtype_new_i32() : NULL};
    wasm_valtype_vec_t given, none;
    wasm_valtype_vec_new(&given, params, types);
    wasm_valtype_vec_new_empty(&none);
    wasm_functype_t *type = wasm_functype_new(&given, &none);
    check(stepwell_linker_define_func(linker, module, name, type, callback, p, NULL), "defining a host function");
    wasm_functype_delete(type);
}

/* A breakpoint at each function. */
static void break_everywhere(stepwell_debugger_t *debugger, const wasm_module_t *module, program *p) {
    uint32_t functions = stepwell_module_func_count(module);
    p->hit_count = (size_t)functions + 1;
    p->hits = calloc(p->hit_count, sizeof *p->hits);
    for (uint32_t index = 0; index < functions; index++) {
        stepwell_error_t *error = stepwell_debugger_break_at_function_index(debugger, module, index, NULL);
        if (error && stepwell_error_code(error) != STEPWELL_ERROR_ARGUMENT) {
            check(error, "setting a breakpoint"); /* an imported function has no place for one */
        }
        stepwell_error_delete(error);
    }
}

int main(int argc, char **argv) {
    if (argc != 3 && argc != 4) {
        fail("usage: run-program production|debug|step PROGRAM.wasm [STEPS]");
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
    define(linker, "bench", "start", 0, nothing, &p);
    define(linker, "bench", "end", 0, nothing, &p);
    define(linker, "wasi_snapshot_preview1", "proc_exit", 1, proc_exit, &p);
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
    if (trap && !p.exited) {
        wasm_message_t message;
        wasm_trap_message(trap, &message);
        fail("%s: %s", path, message.data);
    }
    printf("%s: exit code %d after %.3f s, %" PRIu64 " stops\n", mode, p.exit_code, took, p.stops);
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
    return stopped_as_asked ? p.exit_code : EXIT_FAILURE;
}
