/* A guest computes without end, at full speed, and nobody had thought of debugging it. Another thread asks for a debugger: it is
   attached in the middle of the loop, stops in what the loop calls, and has the guest come to its end.

   usage: attach */
#include "util.h"
#include <pthread.h>
#include <time.h>

/* search(from): counts up by `next`, until global "found" is not 0, which nobody ever makes it. */
static const unsigned char GUEST[] = {
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00,                                 /* a module */
    0x01, 0x06, 0x01, 0x60, 0x01, 0x7e, 0x01, 0x7e,                                 /* (i64) -> i64 */
    0x03, 0x03, 0x02, 0x00, 0x00,                                                   /* two functions of it */
    0x06, 0x06, 0x01, 0x7f, 0x01, 0x41, 0x00, 0x0b,                                 /* a global i32 */
    0x07, 0x12, 0x02, 0x06, 's', 'e', 'a', 'r', 'c', 'h', 0x00, 0x01,               /* exported: search */
    0x05, 'f', 'o', 'u', 'n', 'd', 0x03, 0x00,                                      /* and found */
    0x0a, 0x1c, 0x02, 0x07, 0x00, 0x20, 0x00, 0x42, 0x01, 0x7c, 0x0b,               /* next: its parameter + 1 */
    0x12, 0x00, 0x03, 0x40, 0x20, 0x00, 0x10, 0x00, 0x21, 0x00,                     /* search: loop, call next, */
    0x23, 0x00, 0x45, 0x0d, 0x00, 0x0b, 0x20, 0x00, 0x0b,                           /* again if found is 0 */
    0x00, 0x16, 0x04, 'n', 'a', 'm', 'e',                                           /* names: */
    0x01, 0x0f, 0x02, 0x00, 0x04, 'n', 'e', 'x', 't', 0x01, 0x06, 's', 'e', 'a', 'r', 'c', 'h',
};

struct session {
    wasm_store_t *store;
    wasm_instance_t *instance;
    stepwell_debugger_t *debugger;
    int stops;
};

static stepwell_action_t on_stop(void *env, stepwell_stop_t *stop) {
    struct session *session = env;
    for (size_t i = 0; i < stepwell_stop_frame_count(stop); i++) {
        const stepwell_frame_t *frame = stepwell_stop_frame(stop, i);
        size_t size;
        const char *name = stepwell_frame_func_name(frame, &size);
        wasm_val_t local;
        printf("  #%zu %.*s at 0x%zx, ", i, (int)size, name, stepwell_frame_offset(frame));
        if (stepwell_frame_is_production(frame)) {
            printf("which was there before\n"); /* what is in it is not known */
        } else if (stepwell_frame_local(frame, 0, &local)) {
            printf("with %s in local 0\n", local.of.i64 > 0 ? "a number" : "nothing");
        }
    }
    if (++session->stops == 2) { /* enough: the guest sees another value in its global */
        wasm_extern_t *found = stepwell_instance_export(session->instance, "found");
        wasm_val_t yes = WASM_I32_VAL(1);
        wasm_global_set(wasm_extern_as_global(found), &yes);
        wasm_extern_delete(found);
    }
    return STEPWELL_ACTION_CONTINUE;
}

/* On the guest's thread, in the middle of its loop. */
static void on_asked(void *env, stepwell_outcome_t *outcome) {
    struct session *session = env;
    stepwell_breakpoint_t at;
    check(stepwell_debugger_attach(session->store, on_stop, session, NULL, &session->debugger), "attaching");
    check(stepwell_breakpoint_add_at_function(session->debugger, NULL, "next", &at), "setting a breakpoint");
    printf("attached\n");
    outcome->done = 1;
}

static void *ask(void *attacher) {
    nanosleep(&(struct timespec){.tv_nsec = 50 * 1000 * 1000}, NULL); /* it computes meanwhile */
    stepwell_attacher_request(attacher);
    return NULL;
}

int main(void) {
    wasm_config_t *config = wasm_config_new();
    stepwell_config_debug_set(config, true);
    stepwell_config_epoch_set(config, true); /* so that a guest that computes can be asked */
    wasm_engine_t *engine = wasm_engine_new_with_config(config);
    struct session session = {.store = wasm_store_new(engine)};
    wasm_byte_vec_t binary = {sizeof(GUEST), (char *)GUEST};
    wasm_module_t *module;
    check(stepwell_module_new(session.store, &binary, &module), "compiling");
    check(stepwell_instance_new(session.store, module, NULL, &session.instance, NULL), "instantiating");
    wasm_extern_t *search = stepwell_instance_export(session.instance, "search");

    stepwell_attacher_t *attacher;
    check(stepwell_attacher_new(session.store, on_asked, &session, NULL, &attacher), "making an attacher");
    pthread_t thread;
    if (pthread_create(&thread, NULL, ask, attacher)) fail("no thread");

    wasm_val_t arg = WASM_I64_VAL(0), result = WASM_INIT_VAL;
    wasm_val_vec_t args = {1, &arg}, results = {1, &result};
    wasm_trap_t *trap = wasm_func_call(wasm_extern_as_func(search), &args, &results);
    if (trap) fail("trap: %s", stepwell_trap_message(trap));
    printf("the guest has returned after %d stops\n", session.stops);
    pthread_join(thread, NULL);

    stepwell_attacher_delete(attacher);
    stepwell_debugger_delete(session.debugger);
    wasm_extern_delete(search);
    wasm_instance_delete(session.instance);
    wasm_module_delete(module);
    wasm_store_delete(session.store);
    wasm_engine_delete(engine);
    return 0;
}
