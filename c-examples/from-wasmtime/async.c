/*
 * A guest whose host functions take their time: it waits on a stack of its own, while this program goes on. wasmtime's example polls a
 * future; here a call is run, waits, is answered, and is run again.
 */
#include "port.h"

static const char TEXT[] =
    "(module (import \"host\" \"fetch\" (func $fetch (param i32) (result i32)))"
    "  (func (export \"sum\") (param $first i32) (param $count i32) (result i32) (local $sum i32)"
    "    (loop"
    "      (local.set $sum (i32.add (local.get $sum) (call $fetch (local.get $first))))"
    "      (local.set $first (i32.add (local.get $first) (i32.const 1)))"
    "      (br_if 0 (local.tee $count (i32.sub (local.get $count) (i32.const 1)))))"
    "    (local.get $sum)))";

/* It has no answer yet: the number says what is asked for. 0 is the token of nothing, so it is one more. */
static wasm_trap_t *fetch(void *env, const stepwell_caller_t *caller, const wasm_val_vec_t *args, wasm_val_vec_t *results) {
    (void)env;
    (void)results;
    return stepwell_trap_not_yet(stepwell_caller_store(caller), (uint64_t)args->data[0].of.i32 + 1);
}

int main(void) {
    enum { CALLS = 3 };
    wasm_engine_t *engine = wasm_engine_new();
    wasm_store_t *store = wasm_store_new(engine);
    stepwell_linker_t *linker = stepwell_linker_new(engine);
    wasm_functype_t *type = wasm_functype_new_1_1(wasm_valtype_new_i32(), wasm_valtype_new_i32());
    check(stepwell_linker_define_caller_func(linker, "host", "fetch", type, fetch, NULL, NULL), "defining fetch");
    wasm_module_t *module = compile(store, TEXT);
    wasm_instance_t *instance = instantiate(linker, store, module);
    wasm_extern_t *sum = export_of(instance, "sum");

    /* Three calls of one store at once: of 1 number, of 2, of 3, each from ten times its number on. */
    stepwell_call_t *calls[CALLS];
    for (int i = 0; i < CALLS; i++) {
        wasm_val_t args[] = {WASM_I32_VAL(10 * i), WASM_I32_VAL(i + 1)};
        wasm_val_vec_t in = WASM_ARRAY_VEC(args);
        check(stepwell_call_new(wasm_extern_as_func(sum), &in, &calls[i]), "making a call");
    }
    /* The event loop of this program: what a guest waits for comes a turn later. */
    int finished = 0;
    for (int turn = 0; finished < CALLS; turn++) {
        for (int i = 0; i < CALLS; i++) {
            stepwell_call_status_t status = stepwell_call_status(calls[i]);
            if (status == STEPWELL_CALL_FINISHED) {
                continue;
            }
            if (status == STEPWELL_CALL_WAITING) {
                wasm_val_t answer[] = {WASM_I32_VAL((int32_t)stepwell_call_token(calls[i]) - 1)};
                wasm_val_vec_t results = WASM_ARRAY_VEC(answer);
                check(stepwell_call_answer(calls[i], &results), "answering");
            }
            check(stepwell_call_run(calls[i], NULL, &status), "running a call");
            if (status == STEPWELL_CALL_FINISHED) {
                wasm_val_t result = WASM_INIT_VAL;
                wasm_val_vec_t results = {1, &result};
                check(stepwell_call_results(calls[i], &results), "asking for the result");
                printf("call %d is done in turn %d: %d\n", i, turn, (int)result.of.i32);
                expect(result.of.i32 == (int32_t[]){0, 10 + 11, 20 + 21 + 22}[i] && turn == i + 1, "it has waited once for each number");
                finished++;
            }
        }
    }

    for (int i = 0; i < CALLS; i++) {
        stepwell_call_delete(calls[i]);
    }
    wasm_extern_delete(sum);
    wasm_instance_delete(instance);
    wasm_module_delete(module);
    wasm_functype_delete(type);
    stepwell_linker_delete(linker);
    wasm_store_delete(store);
    wasm_engine_delete(engine);
    return 0;
}
