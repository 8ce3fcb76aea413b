/* A guest that computes: arguments in, a result out. */
#include "port.h"

static const char TEXT[] =
    "(module (func (export \"gcd\") (param $a i32) (param $b i32) (result i32) (local $rest i32)"
    "  (loop $again"
    "    (if (local.get $b) (then"
    "      (local.set $rest (i32.rem_u (local.get $a) (local.get $b)))"
    "      (local.set $a (local.get $b))"
    "      (local.set $b (local.get $rest))"
    "      (br $again))))"
    "  (local.get $a)))";

int main(void) {
    wasm_engine_t *engine = wasm_engine_new();
    wasm_store_t *store = wasm_store_new(engine);
    wasm_module_t *module = compile(store, TEXT);
    wasm_instance_t *instance = instantiate(NULL, store, module);
    int32_t divisor = call_i32(instance, "gcd", 2, (int32_t[]){1071, 462});
    printf("gcd(1071, 462) = %d\n", (int)divisor);
    expect(divisor == 21, "it is 21");

    wasm_instance_delete(instance);
    wasm_module_delete(module);
    wasm_store_delete(store);
    wasm_engine_delete(engine);
    return 0;
}
