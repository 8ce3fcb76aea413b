/* A plugin that runs guests; unload.c loads and unloads it. */
#include "../check.h"

int plugin_run(int input);

/* A guest's answer, after another guest's trap. */
int plugin_run(int input) {
  wasm_engine_t *engine = wasm_engine_new();
  wasm_store_t *store = wasm_store_new(engine);
  wasm_module_t *fibs = MODULE(store, FIB), *traps = MODULE(store, TRAPS);
  wasm_instance_t *fib_instance = check_instance(store, fibs), *instance = check_instance(store, traps);
  wasm_func_t *fib = check_func(fib_instance, "fib"), *load = check_func(instance, "load");
  wasm_val_t args[1], results[1];
  wasm_val_vec_t args_vec = WASM_ARRAY_VEC(args), results_vec = WASM_ARRAY_VEC(results);
  wasm_trap_t *trap;
  int answer;
  args[0] = val_i32(-4);
  trap = wasm_func_call(load, &args_vec, &results_vec);
  CHECK(trap && stepwell_trap_code(trap) == STEPWELL_TRAP_MEMORY_OUT_OF_BOUNDS);
  wasm_trap_delete(trap);
  answer = call_i32(fib, input);
  wasm_func_delete(fib);
  wasm_func_delete(load);
  wasm_instance_delete(fib_instance);
  wasm_instance_delete(instance);
  wasm_module_delete(fibs);
  wasm_module_delete(traps);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  return answer;
}
