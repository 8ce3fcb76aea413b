/* One module, compiled once, in stores of several threads. */
#include "port.h"

#include <pthread.h>

enum { THREADS = 8, CALLS = 5 };

static const char TEXT[] =
    "(module (import \"\" \"hello\" (func $hello (param i32)))"
    "  (func (export \"run\") (param i32) (call $hello (local.get 0))))";

struct shared {
    wasm_engine_t *engine;
    wasm_shared_module_t *module;
};

struct worker {
    const struct shared *shared;
    pthread_t thread;
    int32_t number;
    int called;
};

static wasm_trap_t *hello(void *env, const wasm_val_vec_t *args, wasm_val_vec_t *results) {
    struct worker *self = env;
    (void)results;
    expect(args->data[0].of.i32 == self->number, "it is the own number");
    self->called++;
    return NULL;
}

static void *work(void *arg) {
    struct worker *self = arg;
    wasm_store_t *store = wasm_store_new(self->shared->engine); /* a store is of one thread at a time */
    wasm_module_t *module = wasm_module_obtain(store, self->shared->module);
    stepwell_linker_t *linker = stepwell_linker_new(self->shared->engine);
    wasm_functype_t *type = wasm_functype_new_1_0(wasm_valtype_new_i32());
    check(stepwell_linker_define_func(linker, "", "hello", type, hello, self, NULL), "defining the import");
    wasm_instance_t *instance = instantiate(linker, store, module);
    for (int i = 0; i < CALLS; i++) {
        wasm_val_t number = WASM_I32_VAL(self->number);
        call(instance, "run", &number, 1, NULL, 0);
    }
    wasm_functype_delete(type);
    wasm_instance_delete(instance);
    stepwell_linker_delete(linker);
    wasm_module_delete(module);
    wasm_store_delete(store);
    return NULL;
}

int main(void) {
    struct shared shared = {wasm_engine_new(), NULL};
    struct worker workers[THREADS];
    wasm_byte_vec_t binary;
    int called = 0;
    check(stepwell_wat2wasm(TEXT, strlen(TEXT), &binary), "reading the text");
    check(stepwell_shared_module_new(shared.engine, &binary, &shared.module), "compiling");
    wasm_byte_vec_delete(&binary);
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.shared = &shared, .number = i};
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i])) {
            fail("there is no thread");
        }
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(workers[i].thread, NULL);
        called += workers[i].called;
    }
    printf("%d threads have called %d times\n", THREADS, called);
    expect(called == THREADS * CALLS, "each has called");
    wasm_shared_module_delete(shared.module);
    wasm_engine_delete(shared.engine);
    return 0;
}
