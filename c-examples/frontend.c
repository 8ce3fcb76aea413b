/* A debugger's front end: it reads commands and shows source lines and variables. All that it knows of DWARF is in the library.
   usage: frontend GUEST.wasm FUNCTION [NUMBER]     runs FUNCTION, which takes one i32, under commands from standard input
   b FILE:LINE  sets a breakpoint        s, n   steps into calls, over calls      bt      shows the frames
   r            runs the function        fin    runs out of the frame             f N     looks at another frame
   c            goes on                  u LINE runs to a line of the function    p PATH, locals  show variables
   q            ends                     Ctrl-C stops a guest that computes       w PATH  stops where that changes */
#include "util.h"
#include <signal.h>

static wasm_module_t *module;
static stepwell_debugger_t *debugger;
static stepwell_pauser_t *pauser;
static size_t selected; /* the frame that `p`, `w`, `locals` and `fin` are about */
/* An error is something to read here, and no end. */
static bool said(stepwell_error_t *error) {
    if (!error) return false;
    printf("%s\n", stepwell_error_message(error));
    stepwell_error_delete(error);
    return true;
}

static void show_place(const stepwell_frame_t *frame) {
    stepwell_source_t source;
    if (stepwell_frame_source(frame, 0, &source) && source.line)
        printf("%s at %s:%u\n", source.function, source.file, (unsigned)source.line);
    else
        printf("function %u at %#zx\n", (unsigned)stepwell_frame_func_index(frame), stepwell_frame_offset(frame));
}

/* What a variable is; it is not needed behind that. */
static void show_value(stepwell_variable_t *variable, const char *name) {
    wasm_message_t text;
    if (!said(stepwell_variable_text(variable, &text))) {
        printf("%s = %s\n", name, text.data);
        wasm_byte_vec_delete(&text);
    }
    stepwell_variable_delete(variable);
}

static void show_variables(const stepwell_frame_t *frame, stepwell_scope_t scope) {
    stepwell_variable_t *all, *page[100];
    size_t count = 0;
    if (said(stepwell_frame_variables(frame, 0, scope, &all))) return;
    if (!said(stepwell_variable_children(all, 0, 100, page, &count)))
        for (size_t i = 0; i < count; i++) show_value(page[i], stepwell_variable_name(page[i], NULL));
    stepwell_variable_delete(all);
}

/* Stops wherever a variable changes, and where its frame is gone. */
static void watch(stepwell_variable_t *variable) {
    stepwell_watchpoint_t id;
    if (!said(stepwell_debugger_watch_variable(debugger, variable, STEPWELL_WATCH_KIND_CHANGE, &id)))
        printf("watchpoint %u: %s\n", (unsigned)id, stepwell_variable_name(variable, NULL));
    stepwell_variable_delete(variable);
}

static void set_breakpoint(char *where) {
    stepwell_breakpoint_t id;
    stepwell_source_t source;
    char *colon = strrchr(where, ':');
    if (!colon) return;
    *colon = 0;
    if (said(stepwell_breakpoint_add_at_line(debugger, module, where, (uint32_t)strtoul(colon + 1, NULL, 10), 0, &id))) return;
    if (stepwell_breakpoint_source(debugger, id, 0, &source))
        printf("breakpoint %u: %s at %s:%u\n", (unsigned)id, source.function, source.file, (unsigned)source.line);
}

/* Reads a command and what is behind it. */
static const char *next_command(char line[256], char **rest) {
    printf("> ");
    fflush(stdout);
    if (!fgets(line, 256, stdin)) strcpy(line, "q");
    line[strcspn(line, "\n")] = 0;
    *rest = line + strcspn(line, " ");
    if (**rest) *(*rest)++ = 0;
    return line;
}

/* The library calls this wherever the guest stops; what it returns is how the guest goes on. */
static stepwell_action_t on_stop(void *env, stepwell_stop_t *stop) {
    static const char *const reasons[] = {"over", "breakpoint", "step", "trap", "exception", "pause", "watchpoint"};
    char line[256], *rest;
    (void)env;
    selected = 0;
    printf("%s: ", reasons[stepwell_stop_reason(stop)]);
    if (stepwell_stop_reason(stop) == STEPWELL_STOP_TRAP) printf("%s, ", stepwell_stop_trap_message(stop));
    if (stepwell_stop_watchpoint_is_end(stop, 0)) printf("its frame is gone, ");
    show_place(stepwell_stop_frame(stop, 0));
    for (;;) {
        const char *command = next_command(line, &rest);
        const stepwell_frame_t *frame = stepwell_stop_frame(stop, selected);
        if (!strcmp(command, "c")) return STEPWELL_ACTION_CONTINUE;
        if (!strcmp(command, "s")) return STEPWELL_ACTION_STEP_LINE;
        if (!strcmp(command, "n")) return STEPWELL_ACTION_NEXT_LINE;
        if (!strcmp(command, "fin") && !said(stepwell_stop_step_out_of_set(stop, selected + 1)))
            return STEPWELL_ACTION_STEP_OUT_OF;
        if (!strcmp(command, "u") && !said(stepwell_stop_run_to_line_set(stop, (uint32_t)strtoul(rest, NULL, 10))))
            return STEPWELL_ACTION_RUN_TO;
        if (!strcmp(command, "q")) return stepwell_stop_message_set(stop, "ended by q"), STEPWELL_ACTION_TRAP;
        if (!strcmp(command, "b")) set_breakpoint(rest);
        stepwell_variable_t *variable;
        if (!strcmp(command, "p") && !said(stepwell_frame_variable(frame, 0, rest, &variable))) show_value(variable, rest);
        if (!strcmp(command, "w") && !said(stepwell_frame_variable(frame, 0, rest, &variable))) watch(variable);
        if (!strcmp(command, "locals")) show_variables(frame, STEPWELL_SCOPE_PARAMETERS), show_variables(frame, STEPWELL_SCOPE_LOCALS);
        if (!strcmp(command, "f") && strtoul(rest, NULL, 10) < stepwell_stop_frame_count(stop))
            show_place(stepwell_stop_frame(stop, selected = strtoul(rest, NULL, 10)));
        if (!strcmp(command, "bt"))
            for (size_t i = 0; i < stepwell_stop_frame_count(stop); i++) printf("#%zu ", i), show_place(stepwell_stop_frame(stop, i));
    }
}

static void on_interrupt(int signal) {
    (void)signal, stepwell_pauser_pause(pauser); /* this may be called in a signal handler; `on_stop` follows on the guest's stack */
}

int main(int argc, char **argv) {
    if (argc < 3) fail("usage: frontend GUEST.wasm FUNCTION [NUMBER]");
    wasm_byte_vec_t binary;
    wasm_config_t *config = wasm_config_new();
    stepwell_config_debug_set(config, true);
    wasm_engine_t *engine = wasm_engine_new_with_config(config);
    wasm_store_t *store = wasm_store_new(engine);
    read_file(argv[1], &binary);
    check(stepwell_module_new(store, &binary, &module), argv[1]);
    wasm_byte_vec_delete(&binary);
    wasm_instance_t *instance;
    check(stepwell_instance_new(store, module, NULL, &instance, NULL), argv[1]);
    wasm_extern_t *function = stepwell_instance_export(instance, argv[2]);
    if (!function || !wasm_extern_as_func(function)) fail("%s has no function %s", argv[1], argv[2]);
    check(stepwell_debugger_attach(store, on_stop, NULL, NULL, &debugger), "attaching");
    check(stepwell_pauser_new(debugger, &pauser), "making a pauser");
    signal(SIGINT, on_interrupt);
    char line[256], *rest;
    for (const char *command; strcmp(command = next_command(line, &rest), "q");) {
        wasm_val_t argument = WASM_I32_VAL(argc > 3 ? atoi(argv[3]) : 0), result = WASM_INIT_VAL;
        wasm_val_vec_t given = {1, &argument}, results = {1, &result};
        if (!strcmp(command, "b")) set_breakpoint(rest);
        if (!strcmp(command, "r") && !said(stepwell_func_call(wasm_extern_as_func(function), &given, &results, NULL)))
            printf("%s has returned %d\n", argv[2], (int)result.of.i32);
    }
    stepwell_pauser_delete(pauser), stepwell_debugger_delete(debugger);
    wasm_extern_delete(function);
    wasm_instance_delete(instance), wasm_module_delete(module);
    wasm_store_delete(store), wasm_engine_delete(engine);
    return 0;
}
