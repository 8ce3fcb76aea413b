/*
 * debug-session: a C host debugs a guest in one store, while another store runs the same module undisturbed.
 *
 *   debug-session [GUEST.wasm]
 *
 * The guest is guest/warehouse.wasm, see its source beside it. The session runs it once without a debugger, attaches one to
 * the first store, breaks at a function by name, prints backtraces and locals, steps over and out, and compares the guest's
 * results.
 */
#include "util.h"

#include <inttypes.h>
#include <stdbool.h>
#include <time.h>

enum { ORDERS = 20, HITS_SHOWN = 2, STEPS_OVER = 4 };

/* A store with an instance of the guest in it. */
typedef struct guest {
    wasm_store_t *store;
    wasm_module_t *module;
    wasm_instance_t *instance;
    wasm_extern_t *run;
    int reports; /* calls of env.report */
} guest;

/* What the stop callback needs. */
typedef struct session {
    guest *debugged, *other;
    int expected; /* the guest's result without a debugger */
    int stops, hits, steps_left;
    bool stepped_out;
} session;

static double microseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec * 1e-3;
}

/* ---- the guests --------------------------------------------------------------------------------------------- */

static wasm_trap_t *report(void *env, const wasm_val_vec_t *arguments, wasm_val_vec_t *results) {
    guest *g = env;
    (void)arguments, (void)results;
    g->reports++;
    return NULL;
}

static void start_guest(wasm_engine_t *engine, const wasm_shared_module_t *shared, guest *g) {
    g->reports = 0;
    g->store = wasm_store_new(engine);
    g->module = wasm_module_obtain(g->store, shared);
    stepwell_linker_t *linker = stepwell_linker_new(engine);
    wasm_functype_t *type = wasm_functype_new_2_0(wasm_valtype_new_i32(), wasm_valtype_new_i32());
    check(stepwell_linker_define_func(linker, "env", "report", type, report, g, NULL), "defining env.report");
    wasm_functype_delete(type);
    check(stepwell_linker_instantiate(linker, g->store, g->module, &g->instance, NULL), "instantiating the guest");
    stepwell_linker_delete(linker);
    g->run = stepwell_instance_export(g->instance, "run");
    if (!g->run || !wasm_extern_as_func(g->run)) {
        fail("the guest does not export `run`");
    }
}

static int run_guest(guest *g) {
    wasm_val_t argument[] = {WASM_I32_VAL(ORDERS)}, result[] = {WASM_INIT_VAL};
    wasm_val_vec_t arguments = WASM_ARRAY_VEC(argument), results = WASM_ARRAY_VEC(result);
    check(stepwell_func_call(wasm_extern_as_func(g->run), &arguments, &results, NULL), "running the guest");
    return result[0].of.i32;
}

static void end_guest(guest *g) {
    wasm_extern_delete(g->run);
    wasm_instance_delete(g->instance);
    wasm_module_delete(g->module);
    wasm_store_delete(g->store);
}

/* ---- what is shown at a stop -------------------------------------------------------------------------------- */

static void print_value(const wasm_val_t *value) {
    switch (value->kind) {
    case WASM_I32:
        printf(" %" PRId32, value->of.i32);
        break;
    case WASM_I64:
        printf(" %" PRId64, value->of.i64);
        break;
    case WASM_F32:
        printf(" %g", (double)value->of.f32);
        break;
    case WASM_F64:
        printf(" %g", value->of.f64);
        break;
    case STEPWELL_VALKIND_V128:
        fputs(" 0x", stdout);
        print_v128(stdout, value);
        break;
    default:
        printf(" %s", value->of.ref ? "(reference)" : "null");
    }
}

static void print_values(const char *what, const wasm_val_vec_t *values) {
    printf("      %s:", what);
    for (size_t i = 0; i < values->size; i++) {
        print_value(&values->data[i]);
    }
    puts(values->size ? "" : " none");
}

static void print_frame(const stepwell_frame_t *frame, size_t level) {
    const char *name = stepwell_frame_func_name(frame, NULL);
    printf("  #%zu %s (function %" PRIu32 ") at %#zx\n", level, name ? name : "", stepwell_frame_func_index(frame),
           stepwell_frame_offset(frame));
}

static void print_backtrace(stepwell_stop_t *stop) {
    for (size_t i = 0; i < stepwell_stop_frame_count(stop); i++) {
        const stepwell_frame_t *frame = stepwell_stop_frame(stop, i);
        wasm_val_vec_t values = values_of(frame, stepwell_frame_locals);
        print_frame(frame, i);
        print_values("locals", &values);
        wasm_val_vec_delete(&values);
        values = values_of(frame, stepwell_frame_operands);
        print_values("operands", &values);
        wasm_val_vec_delete(&values);
    }
}

static stepwell_action_t on_stop(void *env, stepwell_stop_t *stop) {
    session *s = env;
    s->stops++;
    switch (stepwell_stop_reason(stop)) {
    case STEPWELL_STOP_BREAKPOINT:
        if (++s->hits > HITS_SHOWN) {
            return STEPWELL_ACTION_CONTINUE;
        }
        printf("\nhit %d, the guest has reported %d orders:\n", s->hits, s->debugged->reports);
        print_backtrace(stop);
        s->steps_left = STEPS_OVER;
        puts("stepping over:");
        return STEPWELL_ACTION_STEP_OVER;
    case STEPWELL_STOP_STEP:
        print_frame(stepwell_stop_frame(stop, 0), 0);
        if (--s->steps_left > 0) {
            return STEPWELL_ACTION_STEP_OVER;
        }
        if (s->steps_left == 0) {
            puts("stepping out:");
            return STEPWELL_ACTION_STEP_OUT;
        }
        /* While this guest stands here, the other one runs from end to end. */
        if (!s->stepped_out) {
            int stops = s->stops;
            double begin = microseconds();
            int result = run_guest(s->other);
            printf("the other store, meanwhile: result %d in %.0f us, %d stops\n", result, microseconds() - begin,
                   s->stops - stops);
            if (result != s->expected || s->stops != stops) {
                fail("the other store was disturbed");
            }
        }
        s->stepped_out = true;
        return STEPWELL_ACTION_CONTINUE;
    default:
        fail("an unexpected stop");
        return STEPWELL_ACTION_CONTINUE;
    }
}

/* ---- the session -------------------------------------------------------------------------------------------- */

int main(int argc, char **argv) {
    wasm_byte_vec_t binary;
    read_file(argc > 1 ? argv[1] : "c-examples/guest/warehouse.wasm", &binary);

    wasm_config_t *config = wasm_config_new();
    stepwell_config_debug_set(config, true); /* this engine can make debug code; costs no store anything */
    wasm_engine_t *engine = wasm_engine_new_with_config(config);
    if (!engine) {
        fail_last("making an engine");
    }
    wasm_shared_module_t *shared;
    check(stepwell_shared_module_new(engine, &binary, &shared), "compiling the guest");
    wasm_byte_vec_delete(&binary);
    guest debugged, other; /* two stores, one module */
    start_guest(engine, shared, &debugged);
    start_guest(engine, shared, &other);
    wasm_shared_module_delete(shared);

    session s = {.debugged = &debugged, .other = &other};
    run_guest(&debugged); /* warm */
    double begin = microseconds();
    s.expected = run_guest(&debugged);
    printf("without a debugger: result %d in %.0f us\n", s.expected, microseconds() - begin);

    /* The first attach compiles the module's debug code; what one costs from then on is measured by a second one. */
    stepwell_debugger_t *debugger;
    begin = microseconds();
    check(stepwell_debugger_attach(debugged.store, on_stop, &s, NULL, &debugger), "attaching");
    double first = microseconds() - begin;
    stepwell_debugger_delete(debugger);
    begin = microseconds();
    check(stepwell_debugger_attach(debugged.store, on_stop, &s, NULL, &debugger), "attaching again");
    double again = microseconds() - begin;
    printf("attaching cost %.0f us, debug code compiled; attaching again %.1f us\n", first, again);

    check(stepwell_breakpoint_add_at_function(debugger, debugged.module, "find_path", NULL), "setting a breakpoint");
    debugged.reports = 0;
    int result = run_guest(&debugged);
    printf("\nwith the debugger: result %d, %d stops, %d of them at the breakpoint\n", result, s.stops, s.hits);
    if (result != s.expected) {
        fail("the debugger changed the guest's result");
    }
    if (!s.stepped_out || s.hits <= HITS_SHOWN) {
        fail("the guest was not stopped as it should have been");
    }

    stepwell_debugger_delete(debugger); /* production again */
    int stops = s.stops;
    begin = microseconds();
    result = run_guest(&debugged);
    printf("detached: result %d in %.0f us, %d stops\n", result, microseconds() - begin, s.stops - stops);
    if (result != s.expected || s.stops != stops) {
        fail("the debugger left something behind");
    }
    end_guest(&debugged);
    end_guest(&other);
    wasm_engine_delete(engine);
    puts("the guest's result is the same throughout; the other store was never stopped");
    return EXIT_SUCCESS;
}
