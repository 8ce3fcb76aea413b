/* Breakpoints that stop where it matters: with a condition, after some hits, once, and not now.

   usage: breakpoints guest/warehouse.wasm */
#include "debugged.h"

static int stops;

static stepwell_action_t on_stop(void *env, stepwell_stop_t *stop) {
    const stepwell_frame_t *frame = stepwell_stop_frame(stop, 0);
    wasm_val_t first;
    (void)env;
    if (!stepwell_frame_local(frame, 0, &first)) fail("no first argument");
    printf("  stopped in %s(%d), in %zu frames\n", stepwell_frame_func_name(frame, NULL), (int)first.of.i32,
           stepwell_stop_frame_count(stop));
    stops++;
    return STEPWELL_ACTION_CONTINUE;
}

/* How often the guest stops in fib(12), which comes to fib(5) eight times: compiled with -O1, one of two calls is a loop. */
static int stops_in_fib(debugged *guest, const char *what) {
    int32_t n = 12, result;
    stops = 0;
    printf("%s\n", what);
    if (!call(guest, "fib", 1, &n, &result) || result != 144) fail("fib(12) is 144");
    return stops;
}

int main(int argc, char **argv) {
    if (argc != 2) fail("usage: %s guest/warehouse.wasm", argv[0]);
    debugged guest;
    stepwell_breakpoint_t id;
    start_debugged(&guest, argv[1], on_stop);
    stepwell_debugger_t *debugger = guest.debugger;

    /* The first parameter is local 0. What the text refers to is read without calling anybody. */
    check(stepwell_breakpoint_add_at_function(debugger, guest.module, "fib", &id), "adding a breakpoint");
    check(stepwell_breakpoint_condition_set(debugger, id, "local(0) == 5"), "setting the condition");
    if (stops_in_fib(&guest, "where n is 5:") != 8) fail("not eight stops");

    /* Only where the condition holds is a hit; five of them are let go. */
    check(stepwell_breakpoint_ignore_count_set(debugger, id, 5), "ignoring hits");
    if (stops_in_fib(&guest, "the same, behind five of them:") != 3) fail("not three stops");
    printf("hit %llu times\n", (unsigned long long)stepwell_breakpoint_hit_count(debugger, id));

    /* A mistake is an error that says where, and the breakpoint is as it was. */
    stepwell_error_t *error = stepwell_breakpoint_condition_set(debugger, id, "local(0) = 5");
    if (!error) fail("that is no condition");
    printf("refused: %s\n", stepwell_error_message(error));
    stepwell_error_delete(error);

    check(stepwell_breakpoint_enabled_set(debugger, id, false), "disabling");
    if (stops_in_fib(&guest, "disabled:") != 0) fail("a stop");

    /* Of another breakpoint there, only the first hit counts: then it is gone. */
    check(stepwell_breakpoint_add_at_function(debugger, guest.module, "fib", &id), "adding another");
    check(stepwell_breakpoint_one_shot_set(debugger, id, true), "having it stop once");
    if (stops_in_fib(&guest, "once:") != 1) fail("not one stop");

    end_debugged(&guest);
    return 0;
}
