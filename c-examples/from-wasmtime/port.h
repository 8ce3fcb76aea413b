/*
 * What the ports share: a module from its text, its exports by name, calls of them. Each port is one file that does what wasmtime's C
 * example of the same name does, by this API; docs/from-wasmtime.md has the functions side by side.
 */
#ifndef STEPWELL_EXAMPLES_PORT_H
#define STEPWELL_EXAMPLES_PORT_H

#include "../util.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Compiles a module in the text format. */
static inline wasm_module_t *compile(wasm_store_t *store, const char *text) {
    wasm_byte_vec_t binary;
    wasm_module_t *module;
    check(stepwell_wat2wasm(text, strlen(text), &binary), "reading the text");
    check(stepwell_module_new(store, &binary, &module), "compiling");
    wasm_byte_vec_delete(&binary);
    return module;
}

/* Instantiates it with what a linker has, or without imports. */
static inline wasm_instance_t *instantiate(stepwell_linker_t *linker, wasm_store_t *store, const wasm_module_t *module) {
    wasm_instance_t *instance;
    if (linker) {
        check(stepwell_linker_instantiate(linker, store, module, &instance, NULL), "instantiating");
    } else {
        check(stepwell_instance_new(store, module, NULL, &instance, NULL), "instantiating");
    }
    return instance;
}

/* An exported function; it is deleted as an extern. */
static inline wasm_extern_t *export_of(const wasm_instance_t *instance, const char *name) {
    wasm_extern_t *item = stepwell_instance_export(instance, name);
    if (!item) {
        fail("there is no export `%s`", name);
    }
    return item;
}

/* Calls an exported function; NULL, or the trap that it ended with. */
static inline wasm_trap_t *try_call(const wasm_instance_t *instance, const char *name, const wasm_val_t *args, size_t arg_count,
                                    wasm_val_t *results, size_t result_count) {
    wasm_extern_t *item = export_of(instance, name);
    wasm_val_vec_t in = {arg_count, (wasm_val_t *)args}, out = {result_count, results};
    wasm_trap_t *trap = NULL;
    stepwell_error_t *error = stepwell_func_call(wasm_extern_as_func(item), &in, &out, &trap);
    wasm_extern_delete(item);
    if (trap) { /* then the error is that of the trap */
        stepwell_error_delete(error);
        return trap;
    }
    check(error, name);
    return NULL;
}

/* Calls an exported function that is not to trap. */
static inline void call(const wasm_instance_t *instance, const char *name, const wasm_val_t *args, size_t arg_count, wasm_val_t *results,
                        size_t result_count) {
    wasm_trap_t *trap = try_call(instance, name, args, arg_count, results, result_count);
    if (trap) {
        fail("%s: %s", name, stepwell_trap_message(trap));
    }
}

/* Calls one of integers of 32 bits, with one result. */
static inline int32_t call_i32(const wasm_instance_t *instance, const char *name, size_t count, const int32_t *numbers) {
    wasm_val_t args[4], result = WASM_INIT_VAL;
    if (count > COUNT(args)) {
        fail("too many arguments");
    }
    for (size_t i = 0; i < count; i++) {
        args[i] = (wasm_val_t)WASM_I32_VAL(numbers[i]);
    }
    call(instance, name, args, count, &result, 1);
    return result.of.i32;
}

/* Ends the program where a port does not do what it shows. */
static inline void expect(bool is_so, const char *what) {
    if (!is_so) {
        fail("this should be so: %s", what);
    }
}

#endif
