#include <stepwell.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char TEXT[] =
    "(module (func $fib (export \"fib\") (param $n i32) (result i32)"
    "  (if (result i32) (i32.lt_s (local.get $n) (i32.const 2))"
    "    (then (local.get $n))"
    "    (else (i32.add (call $fib (i32.sub (local.get $n) (i32.const 1)))"
    "                   (call $fib (i32.sub (local.get $n) (i32.const 2))))))))";

static void check(stepwell_error_t *error) { /* NULL is success */
    if (error) {
        fprintf(stderr, "%s\n", stepwell_error_message(error));
        exit(EXIT_FAILURE);
    }
}

static stepwell_action_t on_stop(void *env, stepwell_stop_t *stop) { /* on the guest's thread, store in hand */
    const stepwell_frame_t *frame = stepwell_stop_frame(stop, 0);    /* 0 is the innermost */
    wasm_val_t n;
    if (++*(int *)env <= 5 && stepwell_frame_local(frame, 0, &n)) {
        printf("fib(%d), %zu frames, at %zu\n", n.of.i32, stepwell_stop_frame_count(stop), stepwell_frame_offset(frame));
        return STEPWELL_ACTION_STEP_OVER;
    }
    return STEPWELL_ACTION_CONTINUE; /* or _STEP, _STEP_OUT, _TRAP */
}

int main(void) {
    wasm_byte_vec_t binary; /* a file's contents, as a rule */
    check(stepwell_wat2wasm(TEXT, strlen(TEXT), &binary));
    wasm_config_t *config = wasm_config_new();
    stepwell_config_debug_set(config, true); /* stores may be debugged; those that are not pay nothing */
    wasm_engine_t *engine = wasm_engine_new_with_config(config);
    wasm_store_t *store = wasm_store_new(engine);
    wasm_module_t *module;
    check(stepwell_module_new(store, &binary, &module));
    stepwell_linker_t *linker = stepwell_linker_new(engine);
    wasm_instance_t *instance;
    check(stepwell_linker_instantiate(linker, store, module, &instance, NULL));
    wasm_extern_t *fib = stepwell_instance_export(instance, "fib");

    int stops = 0;
    stepwell_debugger_t *debugger;
    check(stepwell_debugger_attach(store, on_stop, &stops, NULL, &debugger));
    check(stepwell_breakpoint_add_at_function(debugger, module, "fib", NULL));
    wasm_val_t args[] = {WASM_I32_VAL(10)}, results[] = {WASM_INIT_VAL};
    wasm_val_vec_t args_vec = WASM_ARRAY_VEC(args), results_vec = WASM_ARRAY_VEC(results);
    check(stepwell_func_call(wasm_extern_as_func(fib), &args_vec, &results_vec, NULL));
    printf("fib(10) = %d after %d stops\n", results[0].of.i32, stops);
    stepwell_debugger_delete(debugger); /* production again */

    wasm_extern_delete(fib); /* in whatever order */
    wasm_instance_delete(instance);
    stepwell_linker_delete(linker);
    wasm_module_delete(module);
    wasm_store_delete(store);
    wasm_engine_delete(engine);
    wasm_byte_vec_delete(&binary);
    return results[0].of.i32 == 55 ? EXIT_SUCCESS : EXIT_FAILURE;
}
