/* Changing a guest at a stop: a parameter before it is used, and what a function returns; and another function that is
   called in between. For variables of the source see variables.c.

   usage: change guest/warehouse.wasm */
#include "debugged.h"

static const wasm_val_t TWO = WASM_I32_VAL(2), THREE = WASM_I32_VAL(3);
static int stops;

static stepwell_action_t on_stop(void *env, stepwell_stop_t *stop) {
    const stepwell_frame_t *frame = stepwell_stop_frame(stop, 0);
    debugged *guest = env;
    wasm_val_t n, seven[] = {WASM_I32_VAL(7)};
    wasm_val_vec_t sevens = WASM_ARRAY_VEC(seven);
    int32_t other[] = {12, 4}, quotient;
    if (stepwell_stop_reason(stop) != STEPWELL_STOP_BREAKPOINT) return STEPWELL_ACTION_CONTINUE;
    switch (++stops) {
    case 1: /* divide(1, 0): the second parameter becomes 2 before anything reads it, so there is no trap. */
        check(stepwell_frame_local_set(frame, 1, &TWO), "changing a parameter");
        break;
    case 2: /* divide(9, 0): it does not divide at all, and returns 7. */
        check(stepwell_stop_return_early(stop, &sevens), "returning early");
        break;
    case 3: /* fib(8): calls of the store's functions are fine here; then it is fib(3). */
        if (!call(guest, "divide", 2, other, &quotient)) fail("12 / 4 traps?");
        printf("12 / 4 is %d, says the guest meanwhile\n", (int)quotient);
        check(stepwell_frame_local_set(frame, 0, &THREE), "changing a parameter");
        break;
    case 4: /* What fib(3) calls first returns 7 to it. */
        if (!stepwell_frame_local(stepwell_stop_frame(stop, 1), 0, &n)) fail("the caller has a parameter");
        printf("the caller is fib(%d); this call of it returns 7\n", (int)n.of.i32);
        check(stepwell_stop_return_early(stop, &sevens), "returning early");
        break;
    }
    return STEPWELL_ACTION_CONTINUE;
}

/* Calls an export with a breakpoint at its first instruction. */
static int32_t stopped(debugged *guest, const char *name, size_t count, const int32_t *numbers) {
    stepwell_breakpoint_t id;
    int32_t result;
    check(stepwell_breakpoint_add_at_function(guest->debugger, guest->module, name, &id), "breaking at a function");
    if (!call(guest, name, count, numbers, &result)) fail("%s was to be saved", name);
    check(stepwell_breakpoint_remove(guest->debugger, id), "removing a breakpoint");
    printf("%s gives %d\n", name, (int)result);
    return result;
}

int main(int argc, char **argv) {
    if (argc != 2) fail("usage: %s guest/warehouse.wasm", argv[0]);
    debugged guest;
    start_debugged(&guest, argv[1], on_stop);
    if (stopped(&guest, "divide", 2, (int32_t[]){8, 0}) != 4) fail("8 / 2 is 4");
    if (stopped(&guest, "divide", 2, (int32_t[]){9, 0}) != 7) fail("7 was returned");
    /* fib(3) is fib(2) + fib(1): the one that is called first gives 7 now, the other 1. */
    int32_t sum = stopped(&guest, "fib", 1, (int32_t[]){8});
    if (sum != 7 + 1) fail("7 and 1 were expected");
    end_debugged(&guest);
    return 0;
}
