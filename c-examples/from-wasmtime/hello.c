/* A guest calls a function of the host. */
#include "port.h"

static const char TEXT[] = "(module (import \"\" \"hello\" (func $hello)) (func (export \"run\") (call $hello)))";

static wasm_trap_t *hello(void *env, const wasm_val_vec_t *args, wasm_val_vec_t *results) {
    (void)args;
    (void)results;
    ++*(int *)env;
    puts("Hello from the host");
    return NULL;
}

int main(void) {
    int greeted = 0;
    wasm_engine_t *engine = wasm_engine_new();
    wasm_store_t *store = wasm_store_new(engine);
    wasm_module_t *module = compile(store, TEXT);
    stepwell_linker_t *linker = stepwell_linker_new(engine);
    wasm_functype_t *type = wasm_functype_new_0_0();
    check(stepwell_linker_define_func(linker, "", "hello", type, hello, &greeted, NULL), "defining the import");
    wasm_instance_t *instance = instantiate(linker, store, module);
    call(instance, "run", NULL, 0, NULL, 0);
    expect(greeted == 1, "the host was called once");

    wasm_functype_delete(type);
    wasm_instance_delete(instance);
    stepwell_linker_delete(linker);
    wasm_module_delete(module);
    wasm_store_delete(store);
    wasm_engine_delete(engine);
    return 0;
}
