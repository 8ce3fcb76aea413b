/* A debugger on one thread, and a guest that computes without end on another: it is paused, looked at, and told to end.

   usage: pause */
#include "util.h"
#include <pthread.h>
#include <time.h>

/* search(from, found): counts up until `found` is not 0, which nobody ever makes it. */
static const unsigned char GUEST[] = {
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00,                         /* a module */
    0x01, 0x07, 0x01, 0x60, 0x02, 0x7e, 0x7f, 0x01, 0x7e,                   /* (i64, i32) -> i64 */
    0x03, 0x02, 0x01, 0x00,                                                 /* one function of it, */
    0x07, 0x0a, 0x01, 0x06, 's', 'e', 'a', 'r', 'c', 'h', 0x00, 0x00,       /* exported as "search": */
    0x0a, 0x15, 0x01, 0x13, 0x00,                                           /* */
    0x03, 0x40, 0x20, 0x00, 0x42, 0x01, 0x7c, 0x21, 0x00,                   /* loop: local 0 += 1, */
    0x20, 0x01, 0x45, 0x0d, 0x00, 0x0b, 0x20, 0x00, 0x0b,                   /* again if local 1 is 0 */
};

static void *run(void *search) {
    wasm_val_t args[] = {WASM_I64_VAL(0), WASM_I32_VAL(0)}, result = WASM_INIT_VAL;
    wasm_val_vec_t given = WASM_ARRAY_VEC(args), results = {1, &result};
    wasm_trap_t *trap = wasm_func_call(search, &given, &results);
    if (trap) fail("trap: %s", stepwell_trap_message(trap));
    printf("the guest has returned\n");
    return NULL;
}

int main(void) {
    wasm_config_t *config = wasm_config_new();
    stepwell_config_debug_set(config, true);
    wasm_engine_t *engine = wasm_engine_new_with_config(config);
    wasm_store_t *store = wasm_store_new(engine);
    wasm_byte_vec_t binary = {sizeof(GUEST), (char *)GUEST};
    wasm_module_t *module;
    wasm_instance_t *instance;
    check(stepwell_module_new(store, &binary, &module), "compiling");
    check(stepwell_instance_new(store, module, NULL, &instance, NULL), "instantiating");
    wasm_extern_t *search = stepwell_instance_export(instance, "search");

    /* Stops wait in a queue, and guests with them. */
    stepwell_stop_queue_t *queue = stepwell_stop_queue_new();
    stepwell_debugger_t *debugger;
    stepwell_pauser_t *pauser;
    check(stepwell_debugger_attach_with_queue(store, queue, &debugger), "attaching");
    check(stepwell_pauser_new(debugger, &pauser), "making a pauser");
    pthread_t guest;
    if (pthread_create(&guest, NULL, run, wasm_extern_as_func(search))) fail("no thread");

    int64_t before = 0;
    for (int i = 0; i < 3; i++) {
        nanosleep(&(struct timespec){.tv_nsec = 10 * 1000 * 1000}, NULL); /* it computes meanwhile */
        stepwell_pauser_pause(pauser);
        stepwell_stop_t *stop = stepwell_stop_queue_next(queue, UINT64_MAX);
        const stepwell_frame_t *frame = stepwell_stop_frame(stop, 0);
        wasm_val_t count;
        if (!stepwell_frame_local(frame, 0, &count)) fail("no local 0");
        printf("paused in function %u, after %lld turns more\n", (unsigned)stepwell_frame_func_index(frame),
               (long long)(count.of.i64 - before));
        before = count.of.i64;
        if (i == 2) { /* enough: the guest sees another value in its local 1 */
            wasm_val_t found = WASM_I32_VAL(1);
            check(stepwell_frame_local_set(frame, 1, &found), "changing a local");
        }
        stepwell_stop_queue_answer(queue, stop, STEPWELL_ACTION_CONTINUE);
    }
    pthread_join(guest, NULL);

    stepwell_pauser_delete(pauser);
    stepwell_debugger_delete(debugger);
    stepwell_stop_queue_delete(queue);
    wasm_extern_delete(search);
    wasm_instance_delete(instance);
    wasm_module_delete(module);
    wasm_store_delete(store);
    wasm_engine_delete(engine);
    return 0;
}
