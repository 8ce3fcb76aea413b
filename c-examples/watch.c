/* What has overwritten a variable: a guest that fills an array, and one byte more, is caught by a watchpoint.

   usage: watch */
#include "util.h"
#include <string.h>

enum { ARRAY = 1024, LENGTH = 16, VARIABLE = ARRAY + LENGTH };

/* fill(last): writes 42 to the bytes of the array from `last` down to 0. */
static const unsigned char GUEST[] = {
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00,                                             /* a module */
    0x01, 0x05, 0x01, 0x60, 0x01, 0x7f, 0x00,                                                   /* (i32) -> () */
    0x03, 0x02, 0x01, 0x00,                                                                     /* one function of it, */
    0x05, 0x03, 0x01, 0x00, 0x01,                                                               /* a memory, */
    0x07, 0x11, 0x02, 0x04, 'f', 'i', 'l', 'l', 0x00, 0x00,                                     /* exported as "fill" */
    0x06, 'm', 'e', 'm', 'o', 'r', 'y', 0x02, 0x00,                                             /* and "memory": */
    0x0a, 0x1e, 0x01, 0x1c, 0x00, 0x03, 0x40,                                                   /* loop */
    0x41, 0x80, 0x08, 0x20, 0x00, 0x6a, 0x41, 0x2a, 0x3a, 0x00, 0x00,                           /* 1024[local 0] = 42, */
    0x20, 0x00, 0x41, 0x01, 0x6b, 0x22, 0x00, 0x41, 0x00, 0x4e, 0x0d, 0x00, 0x0b, 0x0b,         /* --local 0 >= 0? */
};

static stepwell_action_t on_stop(void *env, stepwell_stop_t *stop) {
    (void)env;
    if (stepwell_stop_reason(stop) != STEPWELL_STOP_WATCHPOINT) return STEPWELL_ACTION_CONTINUE;
    for (size_t i = 0; i < stepwell_stop_watchpoint_count(stop); i++) {
        wasm_byte_vec_t before, now;
        wasm_val_t index;
        if (!stepwell_stop_watchpoint_old_value(stop, i, &before)) fail("no old value");
        if (!stepwell_stop_watchpoint_new_value(stop, i, &now)) fail("no new value");
        if (!stepwell_frame_local(stepwell_stop_frame(stop, 0), 0, &index)) fail("no local 0");
        printf("byte %llu: %d becomes %d, by the instruction at %#zx in function %u, with index %d\n",
               (unsigned long long)stepwell_stop_watchpoint_address(stop, i), before.data[0], now.data[0],
               stepwell_stop_watchpoint_offset(stop, i), (unsigned)stepwell_stop_watchpoint_func_index(stop, i),
               (int)index.of.i32);
        wasm_byte_vec_delete(&before);
        wasm_byte_vec_delete(&now);
    }
    return STEPWELL_ACTION_CONTINUE;
}

int main(void) {
    wasm_config_t *config = wasm_config_new();
    stepwell_config_debug_set(config, true);
    wasm_engine_t *engine = wasm_engine_new_with_config(config);
    wasm_store_t *store = wasm_store_new(engine);
    wasm_byte_vec_t binary = {sizeof(GUEST), (char *)GUEST};
    wasm_module_t *module;
    wasm_instance_t *instance;
    stepwell_debugger_t *debugger;
    stepwell_watchpoint_t watchpoint;
    check(stepwell_debugger_attach(store, on_stop, NULL, NULL, &debugger), "attaching");
    check(stepwell_module_new(store, &binary, &module), "compiling");
    check(stepwell_instance_new(store, module, NULL, &instance, NULL), "instantiating");
    wasm_extern_t *fill = stepwell_instance_export(instance, "fill"), *memory = stepwell_instance_export(instance, "memory");

    /* The variable behind the array: whatever changes one of its bytes stops the guest. */
    check(stepwell_debugger_watch_memory(debugger, wasm_extern_as_memory(memory), VARIABLE, 4, STEPWELL_WATCH_KIND_CHANGE,
                                         &watchpoint),
          "watching");
    wasm_val_t args[] = {WASM_I32_VAL(LENGTH - 1)};
    wasm_val_vec_t given = WASM_ARRAY_VEC(args), none = WASM_EMPTY_VEC;
    printf("filling %d bytes\n", LENGTH);
    if (wasm_func_call(wasm_extern_as_func(fill), &given, &none)) fail("trap");
    args[0].of.i32 = LENGTH; /* one too many */
    printf("filling %d bytes\n", LENGTH + 1);
    if (wasm_func_call(wasm_extern_as_func(fill), &given, &none)) fail("trap");
    if (stepwell_watchpoint_hit_count(debugger, watchpoint) != 1) fail("not one hit");

    wasm_extern_delete(fill);
    wasm_extern_delete(memory);
    stepwell_debugger_delete(debugger);
    wasm_instance_delete(instance);
    wasm_module_delete(module);
    wasm_store_delete(store);
    wasm_engine_delete(engine);
    return 0;
}
