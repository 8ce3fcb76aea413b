/* What a guest asks of its host, as strace shows what a program asks of its system: each call with its values and from where, and what
   the guest's memory becomes.

   usage: host-calls guest/warehouse.wasm */
#include "debugged.h"

static int calls, grown;

static void print_values(stepwell_stop_t *stop) {
    wasm_val_t values[8];
    size_t count = stepwell_stop_host_values(stop, values, 8);
    for (size_t i = 0; i < count && i < 8; i++) {
        if (values[i].kind == WASM_I32) printf("%s%d", i ? ", " : "", (int)values[i].of.i32);
        else printf("%s...", i ? ", " : "");
        wasm_val_delete(&values[i]);
    }
}

static stepwell_action_t on_stop(void *env, stepwell_stop_t *stop) {
    (void)env;
    switch (stepwell_stop_reason(stop)) {
    case STEPWELL_STOP_HOST_CALL:
        /* The guest's frames are there, as at any stop. */
        printf("%s.%s(", stepwell_stop_import_module(stop), stepwell_stop_import_name(stop));
        print_values(stop);
        printf(") in %s\n", stepwell_frame_func_name(stepwell_stop_frame(stop, 0), NULL));
        calls++;
        break;
    case STEPWELL_STOP_HOST_RETURN:
        printf("  -> %s\n", stepwell_stop_host_failed(stop) ? "failed" : "done");
        break;
    case STEPWELL_STOP_MEMORY_GROWN: {
        wasm_memory_t *memory = stepwell_stop_memory(stop);
        printf("memory: %d pages, were %d\n", (int)stepwell_memory_size(memory), (int)stepwell_stop_memory_old_size(stop));
        wasm_memory_delete(memory);
        grown++;
        break;
    }
    default:
        fail("nobody asked for this");
    }
    return STEPWELL_ACTION_CONTINUE;
}

int main(int argc, char **argv) {
    if (argc != 2) fail("usage: %s guest/warehouse.wasm", argv[0]);
    debugged guest;
    int32_t orders = 3, result;
    start_debugged(&guest, argv[1], on_stop);
    stepwell_events_t events = STEPWELL_EVENT_MEMORY_GROWN | STEPWELL_EVENT_HOST_CALL | STEPWELL_EVENT_HOST_RETURN;
    check(stepwell_debugger_events_set(guest.debugger, events), "asking for events");
    if (!call(&guest, "run", 1, &orders, &result)) return 1;
    printf("%d calls\n", calls);

    /* What the host does by itself is told, too. */
    wasm_memory_t *memory = stepwell_instance_memory(guest.instance, 0);
    check(stepwell_memory_grow(memory, 1, NULL), "growing");
    wasm_memory_delete(memory);
    if (!calls || grown != 1) fail("calls and growing should have been told");
    end_debugged(&guest);
    return 0;
}
