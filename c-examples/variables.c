/* Variables of the source: all that a function has, one by a path, another value for one, and one that is watched.

   usage: variables ../tests/support/steps/steps.wasm */
#include "debugged.h"

/* Of steps.c: the line behind `int below = deep(n - 1);`. */
enum { BEHIND_THE_CALL = 18 };

/* Prints a variable and, one level down, its parts. */
static void show(const stepwell_variable_t *variable, int depth) {
    wasm_message_t text, type;
    stepwell_variable_t *parts[16];
    size_t count;
    check(stepwell_variable_text(variable, &text), "showing a variable");
    check(stepwell_variable_type_name(variable, &type), "showing a type");
    printf("  %*s%s %s = %s\n", 2 * depth, "", type.data, stepwell_variable_name(variable, NULL), text.data);
    wasm_byte_vec_delete(&text);
    wasm_byte_vec_delete(&type);
    if (depth > 0) return;
    check(stepwell_variable_children(variable, 0, 16, parts, &count), "its parts");
    for (size_t i = 0; i < count; i++) {
        show(parts[i], depth + 1);
        stepwell_variable_delete(parts[i]);
    }
}

/* The variables of a list are its children. */
static void show_all(const stepwell_frame_t *frame, stepwell_scope_t scope) {
    stepwell_variable_t *list, *all[16];
    size_t count;
    check(stepwell_frame_variables(frame, 0, scope, &list), "the variables");
    check(stepwell_variable_children(list, 0, 16, all, &count), "the variables");
    for (size_t i = 0; i < count; i++) {
        show(all[i], 0);
        stepwell_variable_delete(all[i]);
    }
    stepwell_variable_delete(list);
}

static int stops, watched;

/* The caller's `below` has another value now, or is no more. */
static void show_watched(const stepwell_stop_t *stop) {
    wasm_byte_vec_t now;
    if (stepwell_stop_watchpoint_is_end(stop, 0)) {
        printf("below of the caller is gone with its frame\n");
    } else if (stepwell_stop_watchpoint_new_value(stop, 0, &now)) {
        printf("below of the caller becomes %d\n", now.data[0]);
        wasm_byte_vec_delete(&now);
    }
    watched++;
}

/* Has the guest stop where a variable of a frame becomes another one, until the frame is gone. */
static void watch(stepwell_stop_t *stop, const stepwell_frame_t *frame, const char *path) {
    stepwell_variable_t *variable;
    check(stepwell_frame_variable(frame, 0, path, &variable), "finding a variable");
    check(stepwell_debugger_watch_variable(stepwell_stop_debugger(stop), variable, STEPWELL_WATCH_KIND_CHANGE, NULL), "watching");
    stepwell_variable_delete(variable);
}

static stepwell_action_t on_stop(void *env, stepwell_stop_t *stop) {
    const stepwell_frame_t *frame = stepwell_stop_frame(stop, 0);
    (void)env;
    if (stepwell_stop_reason(stop) == STEPWELL_STOP_WATCHPOINT) show_watched(stop);
    if (stepwell_stop_reason(stop) != STEPWELL_STOP_BREAKPOINT) return STEPWELL_ACTION_CONTINUE;
    printf("stop %d: parameters and variables are\n", ++stops);
    show_all(frame, STEPWELL_SCOPE_PARAMETERS);
    show_all(frame, STEPWELL_SCOPE_LOCALS);

    /* What a user types is a path; the answer is for people. */
    wasm_message_t text, type;
    check(stepwell_frame_evaluate(frame, "&n", &text, &type), "evaluating");
    printf("  &n is %s, of type %s\n", text.data, type.data);
    wasm_byte_vec_delete(&text);
    wasm_byte_vec_delete(&type);

    /* A frame further out has variables of its own. */
    check(stepwell_frame_evaluate(stepwell_stop_frame(stop, 1), "n", &text, NULL), "evaluating in the caller");
    printf("  n of the caller is %s\n", text.data);
    wasm_byte_vec_delete(&text);

    if (stops == 1) {
        /* The guest goes on with 40, and the caller gets 41. */
        check(stepwell_frame_assign(frame, "below", "40"), "assigning");
        watch(stop, stepwell_stop_frame(stop, 1), "below");
    }
    return STEPWELL_ACTION_CONTINUE;
}

int main(int argc, char **argv) {
    if (argc != 2) fail("usage: %s ../tests/support/steps/steps.wasm", argv[0]);
    debugged guest;
    stepwell_breakpoint_t id;
    int32_t depth = 2, result;
    start_debugged(&guest, argv[1], on_stop);
    check(stepwell_breakpoint_add_at_line(guest.debugger, guest.module, "steps.c", BEHIND_THE_CALL, 0, &id),
          "breaking at a line");
    if (!call(&guest, "dive", 1, &depth, &result)) return EXIT_FAILURE;
    /* By itself it is 1 and one more for each call. */
    printf("dive(2) gives %d\n", (int)result);
    if (stops != 2 || watched != 2 || result != 42) fail("42 was expected");
    end_debugged(&guest);
    return 0;
}
