
/*
 * What is here:
 *  - stepwell_error_*: errors with code, message and place;
 *  - stepwell_config_*_set: how an engine is made;
 *  - stepwell_module_*, stepwell_instance_*, stepwell_func_call: what wasm.h has, with errors apart from traps;
 *  - stepwell_linker_*: imports by name;
 *  - stepwell_debugger_*, stepwell_stop_*, stepwell_frame_*: debugging one store, while all others run at full speed.
 *
 * To debug, configure the engine for it, attach to a store, set breakpoints, and run:
 *
 *   static stepwell_action_t on_stop(void *env, stepwell_stop_t *stop) {
 *     for (size_t i = 0; i < stepwell_stop_frame_count(stop); i++) {
 *       const stepwell_frame_t *frame = stepwell_stop_frame(stop, i);
 *       printf("function %u at %zu\n", stepwell_frame_func_index(frame), stepwell_frame_offset(frame));
 *     }
 *     return STEPWELL_CONTINUE;
 *   }
 *
 *   wasm_config_t *config = wasm_config_new();
 *   stepwell_config_debug_set(config, true);
 *   wasm_engine_t *engine = wasm_engine_new_with_config(config);
 *   wasm_store_t *store = wasm_store_new(engine);
 *   ... make a module and an instance; production code runs, until:
 *   stepwell_debugger_t *debugger;
 *   stepwell_error_t *error = stepwell_debugger_attach(store, on_stop, NULL, NULL, &debugger);
 *   error = stepwell_debugger_break_at_function(debugger, module, "fib", NULL);
 *   ... call functions ...
 *   stepwell_debugger_delete(debugger);
 *
 * Ownership (`own`), failure and threads: see wasm.h.
 */

@VERSION_MACROS@

#ifndef STEPWELL_API
#define STEPWELL_API
#endif

/* The result must be looked at: an error that nobody deletes leaks. */
#ifndef STEPWELL_NODISCARD
#if defined(__GNUC__)
#define STEPWELL_NODISCARD __attribute__((warn_unused_result))
#else
#define STEPWELL_NODISCARD
#endif
#endif

#ifndef own
#define own
#endif

