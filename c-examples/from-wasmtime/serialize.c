/* A compiled module as bytes, from which another engine makes it again without compiling. (For a folder of such modules that an engine
 * keeps by itself: stepwell_config_cache_set.) */
#include "port.h"

static const char TEXT[] = "(module (import \"\" \"hello\" (func $hello)) (func (export \"run\") (call $hello)))";

static wasm_trap_t *hello(void *env, const wasm_val_vec_t *args, wasm_val_vec_t *results) {
    (void)args;
    (void)results;
    ++*(int *)env;
    return NULL;
}

static void serialize(wasm_byte_vec_t *out) {
    wasm_engine_t *engine = wasm_engine_new();
    wasm_store_t *store = wasm_store_new(engine);
    wasm_module_t *module = compile(store, TEXT);
    check(stepwell_module_serialize(module, out), "serializing");
    wasm_module_delete(module);
    wasm_store_delete(store);
    wasm_engine_delete(engine);
}

/* Only what is trusted as a shared library is: it is machine code. */
static void run(const wasm_byte_vec_t *bytes) {
    int called = 0;
    wasm_engine_t *engine = wasm_engine_new();
    wasm_store_t *store = wasm_store_new(engine);
    wasm_module_t *module;
    check(stepwell_module_deserialize(store, bytes, &module), "loading");
    stepwell_linker_t *linker = stepwell_linker_new(engine);
    wasm_functype_t *type = wasm_functype_new_0_0();
    check(stepwell_linker_define_func(linker, "", "hello", type, hello, &called, NULL), "defining the import");
    wasm_instance_t *instance = instantiate(linker, store, module);
    call(instance, "run", NULL, 0, NULL, 0);
    expect(called == 1, "it was called");
    wasm_functype_delete(type);
    wasm_instance_delete(instance);
    stepwell_linker_delete(linker);
    wasm_module_delete(module);
    wasm_store_delete(store);
    wasm_engine_delete(engine);
}

int main(void) {
    wasm_byte_vec_t bytes;
    serialize(&bytes);
    printf("%zu bytes\n", bytes.size);
    run(&bytes);
    wasm_byte_vec_delete(&bytes);
    return 0;
}
