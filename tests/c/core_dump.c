/* The state of a store as a core dump: at a stop, and at a trap without a debugger. */
#include "check.h"

static const stepwell_stop_t *stale;
static int stops;

static stepwell_action_t on_stop(void *env, stepwell_stop_t *stop) {
  wasm_byte_vec_t dump;
  wasm_module_t *module = NULL;
  wasm_store_t *other = wasm_store_new(env);
  stale = stop;
  stops++;
  OK(stepwell_stop_core_dump(stop, &dump));
  CHECK(dump.size > 8 && memcmp(dump.data, "\0asm\1\0\0\0", 8) == 0);
  OK(stepwell_module_new(other, &dump, &module));
  CHECK(stepwell_module_custom_section_count(module) == 4);
  wasm_byte_vec_delete(&dump);
  wasm_module_delete(module);
  wasm_store_delete(other);
  FAILS(stepwell_stop_core_dump(stop, NULL), STEPWELL_ERROR_ARGUMENT, "`out` must not be NULL");
  FAILS(stepwell_stop_core_dump(NULL, &dump), STEPWELL_ERROR_ARGUMENT, "`stop` must not be NULL");
  return STEPWELL_ACTION_CONTINUE;
}

/* What a trap leaves without a debugger. */
static void of_traps(void) {
  wasm_engine_t *engine = wasm_engine_new();
  wasm_store_t *store = wasm_store_new(engine), *other = wasm_store_new(engine);
  wasm_module_t *module = MODULE(store, TRAPS), *read = NULL;
  wasm_instance_t *instance = check_instance(store, module);
  wasm_func_t *nested = check_func(instance, "nested");
  wasm_val_t args[2], results[1];
  wasm_val_vec_t args_vec = WASM_ARRAY_VEC(args), results_vec = WASM_ARRAY_VEC(results);
  wasm_byte_vec_t dump, again;
  wasm_message_t message;
  wasm_trap_t *trap, *copy;
  args[0] = val_i32(1);
  args[1] = val_i32(0);
  trap = wasm_func_call(nested, &args_vec, &results_vec);
  FAILS(stepwell_trap_core_dump(trap, &dump), STEPWELL_ERROR_STATE, "none was asked for");
  wasm_trap_delete(trap);
  OK(stepwell_store_core_dumps_set(store, true));
  trap = wasm_func_call(nested, &args_vec, &results_vec);
  CHECK(trap && stepwell_trap_code(trap) == STEPWELL_TRAP_INTEGER_DIVISION_BY_ZERO);
  OK(stepwell_trap_core_dump(trap, &dump));
  copy = wasm_trap_copy(trap);
  wasm_trap_delete(trap);
  OK(stepwell_trap_core_dump(copy, &again));
  CHECK(dump.size == again.size && memcmp(dump.data, again.data, dump.size) == 0);
  FAILS(stepwell_trap_core_dump(copy, NULL), STEPWELL_ERROR_ARGUMENT, "`out` must not be NULL");
  wasm_trap_delete(copy);
  OK(stepwell_module_new(other, &dump, &read));
  CHECK(stepwell_module_custom_section_count(read) == 4);
  wasm_byte_vec_delete(&dump);
  wasm_byte_vec_delete(&again);
  OK(stepwell_store_core_dumps_set(store, false));
  trap = wasm_func_call(nested, &args_vec, &results_vec);
  FAILS(stepwell_trap_core_dump(trap, &dump), STEPWELL_ERROR_STATE, "none was asked for");
  wasm_trap_delete(trap);
  wasm_name_new_from_string_nt(&message, "of the host");
  trap = wasm_trap_new(store, &message);
  FAILS(stepwell_trap_core_dump(trap, &dump), STEPWELL_ERROR_STATE, "it has left no guest yet");
  wasm_trap_delete(trap);
  wasm_byte_vec_delete(&message);
  FAILS(stepwell_trap_core_dump(NULL, &dump), STEPWELL_ERROR_ARGUMENT, "`trap` must not be NULL");
  FAILS(stepwell_store_core_dumps_set(NULL, true), STEPWELL_ERROR_ARGUMENT, "`store` must not be NULL");
  wasm_func_delete(nested);
  wasm_instance_delete(instance);
  wasm_module_delete(read);
  wasm_module_delete(module);
  wasm_store_delete(other);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
}

int main(void) {
  wasm_config_t *config = wasm_config_new();
  wasm_engine_t *engine;
  wasm_store_t *store;
  wasm_module_t *module;
  wasm_instance_t *instance;
  wasm_func_t *fib;
  wasm_byte_vec_t dump;
  stepwell_debugger_t *debugger;
  of_traps();
  stepwell_config_debug_set(config, true);
  engine = wasm_engine_new_with_config(config);
  store = wasm_store_new(engine);
  module = MODULE(store, FIB);
  instance = check_instance(store, module);
  fib = check_func(instance, "fib");
  OK(stepwell_debugger_attach(store, on_stop, engine, NULL, &debugger));
  OK(stepwell_breakpoint_add_at_function(debugger, module, "fib", NULL));
  CHECK(call_i32(fib, 4) == 3 && stops > 3);
  FAILS(stepwell_stop_core_dump(stale, &dump), STEPWELL_ERROR_ARGUMENT, "`stop` is used after its stop callback returned");
  stepwell_debugger_delete(debugger);
  wasm_func_delete(fib);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  return 0;
}
