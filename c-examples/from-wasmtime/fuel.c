/* Fuel: guests may run so many instructions, to the same point each time. */
#include "port.h"

static const char TEXT[] =
    "(module (func $fib (export \"fib\") (param $n i32) (result i32)"
    "  (if (result i32) (i32.lt_s (local.get $n) (i32.const 2)) (then (local.get $n))"
    "    (else (i32.add (call $fib (i32.sub (local.get $n) (i32.const 1)))"
    "                   (call $fib (i32.sub (local.get $n) (i32.const 2))))))))";

int main(void) {
    wasm_config_t *config = wasm_config_new();
    stepwell_config_fuel_set(config, true);
    wasm_engine_t *engine = wasm_engine_new_with_config(config);
    wasm_store_t *store = wasm_store_new(engine);
    wasm_module_t *module = compile(store, TEXT);
    wasm_instance_t *instance = instantiate(NULL, store, module);
    int32_t n = 1;
    for (;; n++) {
        wasm_val_t arg = WASM_I32_VAL(n), result = WASM_INIT_VAL;
        uint64_t left;
        check(stepwell_store_fuel_set(store, 10000), "giving fuel");
        wasm_trap_t *trap = try_call(instance, "fib", &arg, 1, &result, 1);
        check(stepwell_store_fuel_get(store, &left), "asking what is left");
        if (trap) {
            expect(stepwell_trap_code(trap) == STEPWELL_TRAP_OUT_OF_FUEL, "that is why");
            printf("fib(%d): %s\n", (int)n, stepwell_trap_message(trap));
            wasm_trap_delete(trap);
            break;
        }
        printf("fib(%d) = %d took %d\n", (int)n, (int)result.of.i32, (int)(10000 - left));
    }
    expect(n > 5 && n < 30, "10,000 is for something, and not for all");

    wasm_instance_delete(instance);
    wasm_module_delete(module);
    wasm_store_delete(store);
    wasm_engine_delete(engine);
    return 0;
}
