/*
 * stepwell-trace: steps through everything a call does and prints one line for each instruction.
 *
 *   stepwell-trace [--max N] [--deterministic] [--simple] [--dir HOST] MODULE.wasm EXPORT [ARGS...]
 *
 * Before each reachable instruction, the start function's included:
 *
 *   DEPTH FUNC OFFSET [LOCALS] [STACK]
 *
 * DEPTH is the number of live Wasm frames, FUNC the function's index in its module (imports counted), OFFSET the byte
 * offset in the module of the instruction about to run; LOCALS are parameters first, STACK is bottom first. Values are
 * `i32:0000002a` and so on, bits in hexadecimal, of a `v128` with lane 0 last; references `funcref:null`, `externref:set`, and so `exnref:` and
 * `anyref:`. The last line is `return VALUES`, `trap MESSAGE`, or `max` once N lines are out. Modules may use all proposals that there are.
 *
 * With `--deterministic`, all NaNs that arithmetic yields are the same, and relaxed vector instructions give the same on all machines.
 *
 * With `--dir`, WASI preview 1 is there: the directory HOST as ".", to look at, and the standard error; standard output is the
 * trace's, so the program's goes nowhere. The last line of a program that exits is `exit STATUS`.
 *
 * Other missing imports are functions that return zeros, and globals, tables and memories of zeros. ARGS follow the parameters'
 * types: integers in decimal or 0x hexadecimal, floats in decimal (also nan, inf), vectors as one number, references
 * `null`.
 */
#include "util.h"

#include <inttypes.h>

typedef struct tracer {
    bool limited;
    unsigned long long lines_left;
} tracer;

/* ---- printing ----------------------------------------------------------------------------------------------- */

static void print_value(const wasm_val_t *value) {
    uint32_t narrow;
    uint64_t wide;
    switch (value->kind) {
    case WASM_I32:
        printf("i32:%08" PRIx32, (uint32_t)value->of.i32);
        break;
    case WASM_I64:
        printf("i64:%016" PRIx64, (uint64_t)value->of.i64);
        break;
    case WASM_F32:
        memcpy(&narrow, &value->of.f32, sizeof narrow);
        printf("f32:%08" PRIx32, narrow);
        break;
    case WASM_F64:
        memcpy(&wide, &value->of.f64, sizeof wide);
        printf("f64:%016" PRIx64, wide);
        break;
    case STEPWELL_VALKIND_V128:
        fputs("v128:", stdout);
        print_v128(stdout, value);
        break;
    case WASM_FUNCREF:
        printf("funcref:%s", value->of.ref ? "set" : "null");
        break;
    case WASM_EXTERNREF:
        printf("externref:%s", value->of.ref ? "set" : "null");
        break;
    case STEPWELL_VALKIND_EXNREF:
        printf("exnref:%s", value->of.ref ? "set" : "null");
        break;
    case STEPWELL_VALKIND_ANYREF:
        printf("anyref:%s", value->of.ref ? "set" : "null");
        break;
    default:
        fail("a value of an unknown kind: %d", value->kind);
    }
}

static void print_values(const wasm_val_vec_t *values) {
    for (size_t i = 0; i < values->size; i++) {
        if (i > 0) {
            putchar(' ');
        }
        print_value(&values->data[i]);
    }
}

/* The program ends here, in the middle of the guest. */
static void end_at_max(void) {
    puts("max");
    exit(fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS);
}

static stepwell_action_t on_stop(void *env, stepwell_stop_t *stop) {
    tracer *t = env;
    if (stepwell_stop_reason(stop) == STEPWELL_STOP_TRAP) {
        return STEPWELL_ACTION_CONTINUE;
    }
    const stepwell_frame_t *frame = stepwell_stop_frame(stop, 0);
    wasm_val_vec_t values = values_of(frame, stepwell_frame_locals);
    printf("%zu %" PRIu32 " %zu [", stepwell_stop_frame_count(stop), stepwell_frame_func_index(frame),
           stepwell_frame_offset(frame));
    print_values(&values);
    wasm_val_vec_delete(&values);
    fputs("] [", stdout);
    values = values_of(frame, stepwell_frame_operands);
    print_values(&values);
    wasm_val_vec_delete(&values);
    puts("]");
    if (t->limited && --t->lines_left == 0) {
        end_at_max();
    }
    return STEPWELL_ACTION_STEP;
}

/* ---- the arguments ------------------------------------------------------------------------------------------ */

static wasm_val_t argument(const char *text, wasm_valkind_t kind) {
    wasm_val_t value;
    if (!parse_value(text, kind, &value)) {
        fail("`%s` is no value of the parameter's type", text);
    }
    return value;
}

/* ---- the whole ---------------------------------------------------------------------------------------------- */

/* Prints the last line for a call or instantiation that trapped, and ends. */
static void end_with_trap(const wasm_trap_t *trap) {
    wasm_message_t message;
    int32_t status;
    if (stepwell_trap_exit_status(trap, &status)) {
        printf("exit %" PRId32 "\n", status);
        exit(fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS);
    }
    stepwell_exception_t *thrown = stepwell_trap_exception(trap);
    if (thrown) { /* without the tag's name, which is the engine's */
        stepwell_exception_delete(thrown);
        puts("trap uncaught exception");
        exit(fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS);
    }
    wasm_trap_message(trap, &message);
    /* The reason alone: at instantiation a message says behind a colon which segment it was. */
    printf("trap %.*s\n", (int)strcspn(message.data, ":\n"), message.data);
    exit(fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS);
}

int main(int argc, char **argv) {
    tracer t = {false, 0};
    bool deterministic = false;
    stepwell_debug_tier_t tier = STEPWELL_DEBUG_TIER_REGIONS;
    const char *directory = NULL;
    int next = 1;
    for (; next < argc && !strncmp(argv[next], "--", 2); next++) {
        if (!strcmp(argv[next], "--deterministic")) {
            deterministic = true;
        } else if (!strcmp(argv[next], "--simple")) {
            tier = STEPWELL_DEBUG_TIER_SIMPLE;
        } else if (!strcmp(argv[next], "--max") && next + 1 < argc) {
            t.limited = true;
            uint64_t lines;
            if (!parse_integer(argv[++next], 64, &lines)) {
                fail("stepwell-trace: `%s` is no number", argv[next]);
            }
            t.lines_left = lines;
        } else if (!strcmp(argv[next], "--dir") && next + 1 < argc) {
            directory = argv[++next];
        } else {
            fail("stepwell-trace: unknown option `%s`", argv[next]);
        }
    }
    if (argc - next < 2) {
        fail("usage: stepwell-trace [--max N] [--deterministic] [--simple] [--dir HOST] MODULE.wasm EXPORT [ARGS...]");
    }
    const char *path = argv[next], *export_name = argv[next + 1];
    char **arguments = argv + next + 2;
    size_t argument_count = (size_t)(argc - next - 2);

    wasm_config_t *config = wasm_config_new();
    stepwell_config_debug_set(config, true);
    stepwell_config_nan_canonicalization_set(config, deterministic);
    stepwell_config_relaxed_simd_deterministic_set(config, deterministic);
    check(stepwell_config_debug_tier_set(config, tier), "choosing the kind of debug code");
    check(stepwell_config_feature_set(config, STEPWELL_FEATURE_GC, true), "switching a proposal on");
    check(stepwell_config_feature_set(config, STEPWELL_FEATURE_CUSTOM_PAGE_SIZES, true), "switching a proposal on");
    wasm_engine_t *engine = wasm_engine_new_with_config(config);
    if (!engine) {
        fail_last("making an engine");
    }
    wasm_store_t *store = wasm_store_new(engine);

    wasm_byte_vec_t binary;
    read_file(path, &binary);
    wasm_module_t *module = wasm_module_new(store, &binary);
    wasm_byte_vec_delete(&binary);
    if (!module) {
        fail_last(path);
    }

    stepwell_debugger_t *debugger;
    check(stepwell_debugger_attach(store, on_stop, &t, NULL, &debugger), "attaching a debugger");
    check(stepwell_debugger_step_always_set(debugger, true), "stepping");
    if (t.limited && t.lines_left == 0) {
        end_at_max();
    }

    stepwell_linker_t *linker = stepwell_linker_new(engine);
    wasm_instance_t *instance;
    wasm_trap_t *trap;
    if (directory) {
        stepwell_wasi_config_t *wasi = stepwell_wasi_config_new();
        stepwell_wasi_config_stderr_inherit(wasi);
        check(stepwell_wasi_config_args_set(wasi, 1, &path), "setting the arguments");
        check(stepwell_wasi_config_preopen_dir(wasi, directory, ".", false), "opening a directory");
        check(stepwell_linker_define_wasi(linker, store, wasi), "defining WASI");
    }
    check(stepwell_linker_fill_missing_with_defaults(linker, store, module), "making the imports");
    check(stepwell_linker_instantiate(linker, store, module, &instance, &trap), "instantiating");
    if (trap) {
        end_with_trap(trap);
    }
    wasm_extern_t *item = stepwell_instance_export(instance, export_name);
    wasm_func_t *func = item ? wasm_extern_as_func(item) : NULL;
    if (!func) {
        fail("%s: no function is exported as `%s`", path, export_name);
    }
    wasm_functype_t *type = wasm_func_type(func);
    const wasm_valtype_vec_t *params = wasm_functype_params(type);
    if (params->size != argument_count) {
        fail("%s: `%s` takes %zu arguments, %zu given", path, export_name, params->size, argument_count);
    }
    wasm_val_vec_t given, results;
    wasm_val_vec_new_uninitialized(&given, argument_count);
    for (size_t i = 0; i < argument_count; i++) {
        given.data[i] = argument(arguments[i], wasm_valtype_kind(params->data[i]));
    }
    wasm_val_vec_new_uninitialized(&results, wasm_functype_results(type)->size);
    check(stepwell_func_call(func, &given, &results, &trap), "calling");
    if (trap) {
        end_with_trap(trap);
    }
    fputs(results.size ? "return " : "return", stdout);
    print_values(&results);
    putchar('\n');

    stepwell_debugger_delete(debugger);
    wasm_val_vec_delete(&results);
    wasm_val_vec_delete(&given);
    wasm_functype_delete(type);
    wasm_extern_delete(item);
    wasm_instance_delete(instance);
    stepwell_linker_delete(linker);
    wasm_module_delete(module);
    wasm_store_delete(store);
    wasm_engine_delete(engine);
    return fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}
