/* The handles of engine, module, store, instance and function, deleted in all 120 orders; without a debugger, with one
 * deleted first, and with one deleted last. Run with the library built with AddressSanitizer by `cargo xtask asan`. */
#include "check.h"

enum { ENGINE, MODULE_, STORE, INSTANCE, FUNC, COUNT };
enum debugger { NONE, FIRST, LAST_ };

static int finalized;

static void finalize(void *env) {
  CHECK(env == &finalized);
  finalized++;
}

static stepwell_action_t on_stop(void *env, stepwell_stop_t *stop) {
  (void)env;
  (void)stop;
  return STEPWELL_ACTION_STEP_OVER;
}

static wasm_trap_t *host(void *env, const wasm_val_vec_t *args, wasm_val_vec_t *results) {
  CHECK(env == &finalized);
  results->data[0] = args->data[0];
  return NULL;
}

static void run(const int order[COUNT], enum debugger debugger) {
  void *handles[COUNT];
  wasm_config_t *config = wasm_config_new();
  stepwell_linker_t *linker;
  wasm_functype_t *type;
  stepwell_debugger_t *attached = NULL;
  wasm_instance_t *instance = NULL;
  int expected = finalized;
  stepwell_config_debug_set(config, true);
  handles[ENGINE] = wasm_engine_new_with_config(config);
  handles[STORE] = wasm_store_new(handles[ENGINE]);
  handles[MODULE_] = MODULE(handles[STORE], VALUES);
  linker = stepwell_linker_new(handles[ENGINE]);
  type = wasm_functype_new_1_1(wasm_valtype_new_i32(), wasm_valtype_new_i32());
  OK(stepwell_linker_define_func(linker, "host", "fail", type, host, &finalized, finalize));
  OK(stepwell_linker_fill_missing_with_defaults(linker, handles[STORE], handles[MODULE_]));
  OK(stepwell_linker_instantiate(linker, handles[STORE], handles[MODULE_], &instance, NULL));
  handles[INSTANCE] = instance;
  handles[FUNC] = check_func(instance, "fail");
  wasm_functype_delete(type);
  stepwell_linker_delete(linker);
  if (debugger != NONE) {
    OK(stepwell_debugger_attach(handles[STORE], on_stop, &finalized, finalize, &attached));
    OK(stepwell_breakpoint_add_at_function(attached, handles[MODULE_], "fail", NULL));
    expected++;
  }
  CHECK(call_i32(handles[FUNC], 9) == 9);
  if (debugger == FIRST) stepwell_debugger_delete(attached);
  for (int i = 0; i < COUNT; i++) {
    switch (order[i]) {
      case ENGINE: wasm_engine_delete(handles[ENGINE]); break;
      case MODULE_: wasm_module_delete(handles[MODULE_]); break;
      case STORE: wasm_store_delete(handles[STORE]); break;
      case INSTANCE: wasm_instance_delete(handles[INSTANCE]); break;
      case FUNC: wasm_func_delete(handles[FUNC]); break;
    }
    /* what is left still works */
    if (i < COUNT - 1) {
      int func_left = 0;
      for (int j = i + 1; j < COUNT; j++) func_left |= order[j] == FUNC;
      if (func_left) CHECK(call_i32(handles[FUNC], i) == i);
    }
  }
  if (debugger == LAST_) stepwell_debugger_delete(attached);
  CHECK(finalized == expected + 1); /* the host function's, with the store */
}

static void permute(int order[COUNT], int n, enum debugger debugger, int *runs) {
  if (n == 1) {
    run(order, debugger);
    ++*runs;
    return;
  }
  for (int i = 0; i < n; i++) {
    int swapped = n % 2 ? 0 : i, last = order[n - 1];
    permute(order, n - 1, debugger, runs);
    if (i < n - 1) {
      order[n - 1] = order[swapped];
      order[swapped] = last;
    }
  }
}

int main(void) {
  for (int debugger = NONE; debugger <= LAST_; debugger++) {
    int order[COUNT] = {ENGINE, MODULE_, STORE, INSTANCE, FUNC}, runs = 0;
    permute(order, COUNT, (enum debugger)debugger, &runs);
    CHECK(runs == 120);
  }
  return 0;
}
