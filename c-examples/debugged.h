/*
 * What the examples of breakpoints, variables and core dumps share: a guest from a file, in a store that is debugged.
 */
#ifndef STEPWELL_EXAMPLES_DEBUGGED_H
#define STEPWELL_EXAMPLES_DEBUGGED_H

#include "util.h"

typedef struct debugged {
    wasm_engine_t *engine;
    wasm_store_t *store;
    wasm_module_t *module;
    wasm_instance_t *instance;
    stepwell_debugger_t *debugger;
} debugged;

/* What `env.report` of the warehouse does here. */
static inline wasm_trap_t *ignored(void *env, const wasm_val_vec_t *arguments, wasm_val_vec_t *results) {
    (void)env, (void)arguments, (void)results;
    return NULL;
}

/* The debugger is attached first, so that the module is compiled for it at once, with debug code of a kind. `on_stop`
   is called with `guest`. */
static inline void start_debugged_as(debugged *guest, const char *path, stepwell_stop_callback_t on_stop, int kind) {
    wasm_byte_vec_t binary;
    read_file(path, &binary);
    wasm_config_t *config = wasm_config_new();
    stepwell_config_debug_set(config, true);
    check(stepwell_config_debug_tier_set(config, kind), "a kind of debug code");
    guest->engine = wasm_engine_new_with_config(config);
    guest->store = wasm_store_new(guest->engine);
    check(stepwell_debugger_attach(guest->store, on_stop, guest, NULL, &guest->debugger), "attaching");
    check(stepwell_module_new(guest->store, &binary, &guest->module), path);
    wasm_byte_vec_delete(&binary);

    stepwell_linker_t *linker = stepwell_linker_new(guest->engine);
    wasm_functype_t *type = wasm_functype_new_2_0(wasm_valtype_new_i32(), wasm_valtype_new_i32());
    check(stepwell_linker_define_func(linker, "env", "report", type, ignored, NULL, NULL), "defining env.report");
    check(stepwell_linker_instantiate(linker, guest->store, guest->module, &guest->instance, NULL), "instantiating");
    wasm_functype_delete(type);
    stepwell_linker_delete(linker);
}

static inline void start_debugged(debugged *guest, const char *path, stepwell_stop_callback_t on_stop) {
    start_debugged_as(guest, path, on_stop, STEPWELL_DEBUG_TIER_REGIONS);
}

/* Calls an export that takes up to four numbers and gives one. False, with the reason printed, if it traps. */
static inline bool call(debugged *guest, const char *name, size_t count, const int32_t *numbers, int32_t *result) {
    wasm_val_t values[4], one[] = {WASM_INIT_VAL};
    for (size_t i = 0; i < count; i++) values[i] = (wasm_val_t)WASM_I32_VAL(numbers[i]);
    wasm_val_vec_t arguments = {count, values}, results = WASM_ARRAY_VEC(one);
    wasm_extern_t *export = stepwell_instance_export(guest->instance, name);
    if (!export) fail("no export `%s`", name);
    wasm_trap_t *trap = NULL;
    stepwell_error_t *error = stepwell_func_call(wasm_extern_as_func(export), &arguments, &results, &trap);
    wasm_extern_delete(export);
    if (trap) {
        printf("%s traps: %s\n", name, stepwell_trap_message(trap));
        wasm_trap_delete(trap);
        return false;
    }
    check(error, name);
    *result = one[0].of.i32;
    return true;
}

static inline void end_debugged(debugged *guest) {
    stepwell_debugger_delete(guest->debugger);
    wasm_instance_delete(guest->instance);
    wasm_module_delete(guest->module);
    wasm_store_delete(guest->store);
    wasm_engine_delete(guest->engine);
}

#endif
