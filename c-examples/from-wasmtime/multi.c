/* Several values: as results of a guest, and of a function of the host. */
#include "port.h"

static const char TEXT[] =
    "(module (import \"\" \"swap\" (func $swap (param i32 i64) (result i64 i32)))"
    "  (func (export \"swap_twice\") (param i32 i64) (result i32 i64) (local i64)"
    "    (call $swap (local.get 0) (local.get 1)) (local.set 0) (local.set 2) (local.get 0) (local.get 2))"
    "  (func (export \"reverse\") (param i64 i64 i64 i64) (result i64 i64 i64 i64)"
    "    (local.get 3) (local.get 2) (local.get 1) (local.get 0)))";

static wasm_trap_t *swap(void *env, const wasm_val_vec_t *args, wasm_val_vec_t *results) {
    (void)env;
    results->data[0] = args->data[1];
    results->data[1] = args->data[0];
    return NULL;
}

int main(void) {
    wasm_engine_t *engine = wasm_engine_new();
    wasm_store_t *store = wasm_store_new(engine);
    wasm_module_t *module = compile(store, TEXT);
    stepwell_linker_t *linker = stepwell_linker_new(engine);
    wasm_functype_t *type =
        wasm_functype_new_2_2(wasm_valtype_new_i32(), wasm_valtype_new_i64(), wasm_valtype_new_i64(), wasm_valtype_new_i32());
    check(stepwell_linker_define_func(linker, "", "swap", type, swap, NULL, NULL), "defining the import");
    wasm_instance_t *instance = instantiate(linker, store, module);

    wasm_val_t pair[] = {WASM_I32_VAL(1), WASM_I64_VAL(2)}, swapped[2];
    call(instance, "swap_twice", pair, 2, swapped, 2);
    printf("%d %d\n", (int)swapped[0].of.i32, (int)swapped[1].of.i64);
    expect(swapped[0].of.i32 == 1 && swapped[1].of.i64 == 2, "as they were");

    wasm_val_t four[] = {WASM_I64_VAL(0), WASM_I64_VAL(1), WASM_I64_VAL(2), WASM_I64_VAL(3)}, back[4];
    call(instance, "reverse", four, 4, back, 4);
    for (int i = 0; i < 4; i++) {
        expect(back[i].of.i64 == 3 - i, "the other way round");
    }

    wasm_functype_delete(type);
    wasm_instance_delete(instance);
    stepwell_linker_delete(linker);
    wasm_module_delete(module);
    wasm_store_delete(store);
    wasm_engine_delete(engine);
    return 0;
}
