/* A host that debuggers of the process look into (tests/native_debug.rs): its guest calls it back. `native MODULE [debug]`; with
 * `debug`, a debugger of Stepwell's is attached and stops in the guest. */
#include "../check.h"

/* The test has a breakpoint here. */
__attribute__((noinline)) int in_host(int value) {
  __asm__ volatile("" : : "r"(value) : "memory");
  return value + 1;
}

/* And here. */
__attribute__((noinline)) void at_stop(void) { __asm__ volatile("" : : : "memory"); }

static wasm_trap_t *host(void *env, const wasm_val_vec_t *args, wasm_val_vec_t *results) {
  (void)env;
  results->data[0] = val_i32(in_host(args->data[0].of.i32));
  return NULL;
}

static stepwell_action_t on_stop(void *env, stepwell_stop_t *stop) {
  (void)env;
  (void)stop;
  at_stop();
  return STEPWELL_ACTION_CONTINUE;
}

int main(int argc, char **argv) {
  static unsigned char bytes[1 << 16];
  bool debug = argc > 2 && strcmp(argv[2], "debug") == 0;
  wasm_config_t *config = wasm_config_new();
  wasm_engine_t *engine = NULL;
  wasm_store_t *store;
  wasm_module_t *module;
  stepwell_linker_t *linker;
  wasm_functype_t *type;
  stepwell_debugger_t *debugger = NULL;
  wasm_instance_t *instance = NULL;
  wasm_func_t *outer;
  size_t size;
  FILE *file = fopen(argv[1], "rb");
  CHECK(file);
  size = fread(bytes, 1, sizeof(bytes), file);
  fclose(file);

  stepwell_config_native_debug_info_set(config, true);
  stepwell_config_debug_set(config, debug);
  OK(stepwell_engine_new(config, &engine));
  store = wasm_store_new(engine);
  module = check_module(store, bytes, size);
  linker = stepwell_linker_new(engine);
  type = wasm_functype_new_1_1(wasm_valtype_new_i32(), wasm_valtype_new_i32());
  OK(stepwell_linker_define_func(linker, "host", "call", type, host, NULL, NULL));
  OK(stepwell_linker_instantiate(linker, store, module, &instance, NULL));
  if (debug) {
    OK(stepwell_debugger_attach(store, on_stop, NULL, NULL, &debugger));
    OK(stepwell_breakpoint_add_at_function(debugger, module, "inner", NULL));
  }
  outer = check_func(instance, "outer");
  printf("%d\n", (int)call_i32(outer, 5));
  stepwell_debugger_delete(debugger);
  wasm_functype_delete(type);
  stepwell_linker_delete(linker);
  wasm_func_delete(outer);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  return 0;
}
