/* A guest that never ends is ended by another thread: by an interrupt of its store, or, for all stores of an engine, by the epoch. */
#include "port.h"

#include <pthread.h>
#include <time.h>

static const char TEXT[] = "(module (func (export \"run\") (loop $forever (br $forever))))";

static void wait_a_little(void) {
    struct timespec time = {0, 50 * 1000 * 1000};
    nanosleep(&time, NULL);
}

static void *interrupt(void *arg) {
    wait_a_little();
    stepwell_interrupt_raise(arg);
    return NULL;
}

static void *advance(void *arg) {
    wait_a_little();
    stepwell_engine_epoch_increment(arg);
    return NULL;
}

static void runs_until(wasm_instance_t *instance, void *(*thread)(void *), void *arg) {
    pthread_t other;
    if (pthread_create(&other, NULL, thread, arg)) {
        fail("there is no thread");
    }
    wasm_trap_t *trap = try_call(instance, "run", NULL, 0, NULL, 0);
    pthread_join(other, NULL);
    expect(trap && stepwell_trap_code(trap) == STEPWELL_TRAP_INTERRUPT, "it was interrupted");
    puts(stepwell_trap_message(trap));
    wasm_trap_delete(trap);
}

int main(void) {
    wasm_config_t *config = wasm_config_new();
    stepwell_config_epoch_set(config, true); /* guests look */
    wasm_engine_t *engine = wasm_engine_new_with_config(config);
    wasm_store_t *store = wasm_store_new(engine);
    wasm_module_t *module = compile(store, TEXT);
    wasm_instance_t *instance = instantiate(NULL, store, module);

    stepwell_interrupt_t *handle; /* may be used by any thread, and by signal handlers */
    check(stepwell_interrupt_new(store, &handle), "making an interrupt");
    runs_until(instance, interrupt, handle);
    stepwell_store_interrupt_clear(store); /* a store stays interrupted until then */

    check(stepwell_store_epoch_deadline_set(store, 1), "setting a deadline");
    runs_until(instance, advance, engine);

    stepwell_interrupt_delete(handle);
    wasm_instance_delete(instance);
    wasm_module_delete(module);
    wasm_store_delete(store);
    wasm_engine_delete(engine);
    return 0;
}
