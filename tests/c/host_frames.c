/* Host functions in backtraces, by their symbols. The program is linked so that what is not static is exported. */
#include "check.h"

static wasm_engine_t *engine;
static wasm_store_t *store;
static wasm_instance_t *instance;
/* What the frame that waits for the host is to say; NULL for nothing. */
static const char *expected;
static int stops;

static wasm_trap_t *call_leaf(void) {
  wasm_func_t *leaf = check_func(instance, "leaf");
  CHECK(call_i32(leaf, 1) == 2);
  wasm_func_delete(leaf);
  return NULL;
}

wasm_trap_t *exported_host(const wasm_val_vec_t *args, wasm_val_vec_t *results);
wasm_trap_t *exported_host_with_env(void *env, const wasm_val_vec_t *args, wasm_val_vec_t *results);
wasm_trap_t *exported_caller_host(void *env, const stepwell_caller_t *caller, const wasm_val_vec_t *args, wasm_val_vec_t *results);
wasm_trap_t *exported_unchecked_host(void *env, const stepwell_caller_t *caller, stepwell_raw_val_t *values);
void exported_guarded_host(
    void *env, const stepwell_caller_t *caller, const wasm_val_vec_t *args, wasm_val_vec_t *results, stepwell_outcome_t *outcome);
/* As a compiler of C++ names `shop::Till::ring(int)`. */
wasm_trap_t *_ZN4shop4Till4ringEi(void *env, const wasm_val_vec_t *args, wasm_val_vec_t *results);

wasm_trap_t *exported_host(const wasm_val_vec_t *args, wasm_val_vec_t *results) {
  (void)args, (void)results;
  return call_leaf();
}

wasm_trap_t *exported_host_with_env(void *env, const wasm_val_vec_t *args, wasm_val_vec_t *results) {
  (void)env, (void)args, (void)results;
  return call_leaf();
}

wasm_trap_t *exported_caller_host(void *env, const stepwell_caller_t *caller, const wasm_val_vec_t *args, wasm_val_vec_t *results) {
  (void)env, (void)caller, (void)args, (void)results;
  return call_leaf();
}

wasm_trap_t *exported_unchecked_host(void *env, const stepwell_caller_t *caller, stepwell_raw_val_t *values) {
  (void)env, (void)caller, (void)values;
  return call_leaf();
}

void exported_guarded_host(
    void *env, const stepwell_caller_t *caller, const wasm_val_vec_t *args, wasm_val_vec_t *results, stepwell_outcome_t *outcome) {
  (void)env, (void)caller, (void)args, (void)results;
  call_leaf();
  outcome->done = 1;
}

wasm_trap_t *_ZN4shop4Till4ringEi(void *env, const wasm_val_vec_t *args, wasm_val_vec_t *results) {
  return (void)args, exported_host_with_env(env, args, results);
}

/* Not exported: the nearest symbol that is would be another function's. */
static wasm_trap_t *static_host(void *env, const wasm_val_vec_t *args, wasm_val_vec_t *results) {
  return exported_host_with_env(env, args, results);
}

static stepwell_action_t on_stop(void *env, stepwell_stop_t *stop) {
  wasm_name_t name;
  (void)env;
  if (stepwell_stop_frame_count(stop) == 2) {
    /* The guest itself has called. */
    CHECK(!stepwell_frame_host_symbol(stepwell_stop_frame(stop, 1), &name));
    return STEPWELL_ACTION_CONTINUE;
  }
  CHECK(stepwell_stop_frame_count(stop) == 3);
  for (size_t i = 0; i < 3; i++) {
    const stepwell_frame_t *frame = stepwell_stop_frame(stop, i);
    CHECK(stepwell_frame_called_through_host(frame) == (i == 1));
    if (i == 1 && expected) {
      CHECK(stepwell_frame_host_symbol(frame, &name));
      if (!name_is(&name, expected)) fprintf(stderr, "%.*s, not %s\n", (int)name.size, name.data, expected);
      CHECK(name_is(&name, expected));
      wasm_byte_vec_delete(&name);
    } else {
      CHECK(!stepwell_frame_host_symbol(frame, &name));
      CHECK(!stepwell_last_error());
    }
  }
  CHECK(!stepwell_frame_host_symbol(stepwell_stop_frame(stop, 0), NULL));
  LAST("`out` must not be NULL");
  CHECK(!stepwell_frame_host_symbol(NULL, &name));
  LAST("`frame` must not be NULL");
  stops++;
  return STEPWELL_ACTION_CONTINUE;
}

/* Has the guest call the host, which calls it. */
static void run(const wasm_module_t *module, wasm_instance_t *made, const char *name) {
  stepwell_debugger_t *debugger;
  wasm_func_t *deep;
  wasm_val_t args[1] = {val_i32(1)}, results[1];
  wasm_val_vec_t args_vec = WASM_ARRAY_VEC(args), results_vec = WASM_ARRAY_VEC(results);
  wasm_trap_t *trap = NULL;
  instance = made;
  expected = name;
  stops = 0;
  OK(stepwell_debugger_attach(store, on_stop, NULL, NULL, &debugger));
  OK(stepwell_breakpoint_add_at_function(debugger, module, "leaf", NULL));
  deep = check_func(instance, "deep");
  /* At the bottom the host calls; then, on the way back, the guest itself. */
  OK(stepwell_func_call(deep, &args_vec, &results_vec, &trap));
  CHECK(!trap);
  wasm_func_delete(deep);
  stepwell_debugger_delete(debugger);
  CHECK(stops == 1);
  wasm_instance_delete(made);
}

static void run_import(const wasm_module_t *module, wasm_func_t *func, const char *name) {
  wasm_extern_t *import = wasm_func_as_extern(func);
  wasm_extern_vec_t imports = {1, &import};
  wasm_instance_t *made = NULL;
  CHECK(func);
  OK(stepwell_instance_new(store, module, &imports, &made, NULL));
  wasm_func_delete(func);
  run(module, made, name);
}

/* Which of the linker's functions is defined. */
static void run_linked(const wasm_module_t *module, stepwell_linker_t *linker, const char *name) {
  wasm_instance_t *made = NULL;
  OK(stepwell_linker_instantiate(linker, store, module, &made, NULL));
  stepwell_linker_delete(linker);
  run(module, made, name);
}

static stepwell_linker_t *linker(void) {
  stepwell_linker_t *linker = stepwell_linker_new(engine);
  CHECK(linker);
  return linker;
}

int main(void) {
  wasm_config_t *config = wasm_config_new();
  wasm_functype_t *type = wasm_functype_new_0_0();
  wasm_func_t *func = NULL;
  wasm_module_t *module;
  stepwell_linker_t *to;
  stepwell_config_debug_set(config, true);
  engine = wasm_engine_new_with_config(config);
  store = wasm_store_new(engine);
  module = MODULE(store, ATTACH);

  run_import(module, wasm_func_new(store, type, exported_host), "exported_host");
  run_import(module, wasm_func_new_with_env(store, type, exported_host_with_env, NULL, NULL), "exported_host_with_env");
  run_import(module, wasm_func_new_with_env(store, type, static_host, NULL, NULL), NULL);
  run_import(module, wasm_func_new_with_env(store, type, _ZN4shop4Till4ringEi, NULL, NULL), "shop::Till::ring(int)");
  OK(stepwell_func_new(store, type, exported_caller_host, NULL, NULL, &func));
  run_import(module, func, "exported_caller_host");
  OK(stepwell_func_new_unchecked(store, type, exported_unchecked_host, NULL, NULL, &func));
  run_import(module, func, "exported_unchecked_host");
  OK(stepwell_guarded_func_new(store, type, exported_guarded_host, NULL, NULL, &func));
  run_import(module, func, "exported_guarded_host");

  OK(stepwell_linker_define_func(to = linker(), "h", "at", type, exported_host_with_env, NULL, NULL));
  run_linked(module, to, "exported_host_with_env");
  OK(stepwell_linker_define_func(to = linker(), "h", "at", type, static_host, NULL, NULL));
  run_linked(module, to, NULL);
  OK(stepwell_linker_define_caller_func(to = linker(), "h", "at", type, exported_caller_host, NULL, NULL));
  run_linked(module, to, "exported_caller_host");
  OK(stepwell_linker_define_func_unchecked(to = linker(), "h", "at", type, exported_unchecked_host, NULL, NULL));
  run_linked(module, to, "exported_unchecked_host");
  OK(stepwell_linker_define_guarded_func(to = linker(), "h", "at", type, exported_guarded_host, NULL, NULL));
  run_linked(module, to, "exported_guarded_host");

  wasm_functype_delete(type);
  wasm_module_delete(module);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  return 0;
}
