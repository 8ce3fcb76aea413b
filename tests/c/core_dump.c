/* The state of a stopped store as a core dump. */
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

int main(void) {
  wasm_config_t *config = wasm_config_new();
  wasm_engine_t *engine;
  wasm_store_t *store;
  wasm_module_t *module;
  wasm_instance_t *instance;
  wasm_func_t *fib;
  wasm_byte_vec_t dump;
  stepwell_debugger_t *debugger;
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
