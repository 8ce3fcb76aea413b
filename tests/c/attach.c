/* A debugger is attached to guests that run: in a host function, and where another thread or a signal handler asks for it. */
#include "check.h"
#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

static wasm_store_t *store;
static wasm_instance_t *instance;
static stepwell_debugger_t *debugger;
static stepwell_attacher_t *attacher;
static int stops, asked, finalized, ends;
static size_t frames;

static stepwell_action_t stopped(void *env, stepwell_stop_t *stop) {
  const stepwell_frame_t *top = stepwell_stop_frame(stop, 0), *outer = stepwell_stop_frame(stop, 1);
  wasm_instance_t *found;
  wasm_val_t vals[2];
  wasm_message_t text, type;
  stepwell_variable_t *scope = NULL;
  stepwell_error_t *error;
  size_t size;
  CHECK(env == &stops);
  stops++;
  frames = stepwell_stop_frame_count(stop);
  CHECK(!stepwell_frame_is_production(top) && stepwell_frame_local_count(top) == 1 && stepwell_frame_local(top, 0, vals));
  /* what called it was there before: its place is known, not what is in it */
  CHECK(outer && stepwell_frame_is_production(outer));
  CHECK(stepwell_frame_func_name(outer, &size) && stepwell_frame_offset(outer) != SIZE_MAX);
  CHECK(stepwell_frame_id(outer) > stepwell_frame_id(top) && stepwell_frame_source_count(outer) == 0);
  found = stepwell_frame_instance(outer);
  CHECK(found && wasm_instance_same(found, instance));
  wasm_instance_delete(found);
  CHECK(!stepwell_last_error() && stepwell_frame_local_count(outer) == 1);
  CHECK(!stepwell_frame_local(outer, 0, vals));
  LAST("production code");
  CHECK(stepwell_frame_locals(outer, vals, 2) == 0);
  LAST("production code");
  CHECK(stepwell_frame_operand_count(outer) == 0);
  LAST("production code");
  CHECK(stepwell_frame_operands(outer, NULL, 0) == 0);
  LAST("production code");
  error = stepwell_frame_evaluate(outer, "n", &text, &type);
  CHECK(error);
  stepwell_error_delete(error);
  OK(stepwell_frame_variables(outer, 0, STEPWELL_SCOPE_LOCALS, &scope));
  stepwell_variable_delete(scope);
  vals[0] = val_i32(1);
  FAILS(stepwell_frame_local_set(outer, 0, &vals[0]), STEPWELL_ERROR_STATE, "production code");
  FAILS(stepwell_debugger_watch_local(debugger, outer, 0, STEPWELL_WATCH_KIND_WRITE, NULL), STEPWELL_ERROR_STATE, "production code");
  if (ends) {
    wasm_extern_t *end = stepwell_instance_export(instance, "end");
    vals[0] = val_i32(1);
    wasm_global_set(wasm_extern_as_global(end), &vals[0]);
    wasm_extern_delete(end);
  }
  return STEPWELL_ACTION_CONTINUE;
}

static void attach(void) {
  stepwell_breakpoint_t at;
  OK(stepwell_debugger_attach(store, stopped, &stops, NULL, &debugger));
  OK(stepwell_breakpoint_add_at_function(debugger, NULL, "leaf", &at));
}

static wasm_trap_t *host(void *env, const wasm_val_vec_t *args, wasm_val_vec_t *results) {
  stepwell_debugger_t *another;
  (void)env, (void)args, (void)results;
  if (!debugger) {
    attach();
    FAILS(stepwell_debugger_attach(store, stopped, &stops, NULL, &another), STEPWELL_ERROR_STATE, "already");
    stepwell_debugger_delete(debugger);
    LAST("inside a callback");
  }
  return NULL;
}

static void on_asked(void *env, stepwell_outcome_t *outcome) {
  CHECK(env == &asked);
  asked++;
  if (!debugger) attach();
  outcome->done = 1;
}

static void fails(void *env, stepwell_outcome_t *outcome) {
  wasm_message_t message;
  (void)env;
  wasm_name_new_from_string_nt(&message, "enough");
  outcome->trap = wasm_trap_new(store, &message);
  wasm_name_delete(&message);
  outcome->done = 1;
}

static void finalize(void *env) {
  CHECK(env == &asked);
  finalized++;
}

static void *request(void *env) {
  const struct timespec while_it_runs = {0, 20000000};
  (void)env;
  nanosleep(&while_it_runs, NULL);
  stepwell_attacher_request(attacher);
  return NULL;
}

static void on_signal(int signal) {
  (void)signal;
  stepwell_attacher_request(attacher);
}

static int32_t call(const char *name, int32_t n) {
  wasm_func_t *func = check_func(instance, name);
  wasm_val_t arg = val_i32(n), result = val_i32(-1);
  wasm_val_vec_t args = {1, &arg}, results = {1, &result};
  wasm_trap_t *trap = wasm_func_call(func, &args, &results);
  wasm_func_delete(func);
  if (trap) {
    CHECK(!strcmp(stepwell_trap_message(trap), "enough"));
    wasm_trap_delete(trap);
    return -2;
  }
  return result.of.i32;
}

static void set_end(int32_t value) {
  wasm_extern_t *end = stepwell_instance_export(instance, "end");
  wasm_val_t val = val_i32(value);
  wasm_global_set(wasm_extern_as_global(end), &val);
  wasm_extern_delete(end);
}

static void detach(void) {
  stepwell_debugger_delete(debugger);
  CHECK(!stepwell_last_error());
  debugger = NULL;
}

/* What is refused, and runs nothing. */
static void refused(void) {
  stepwell_attacher_t *other = NULL;
  wasm_engine_t *plain = wasm_engine_new();
  wasm_store_t *of_plain = wasm_store_new(plain);
  FAILS(stepwell_attacher_new(of_plain, on_asked, &asked, finalize, &other), STEPWELL_ERROR_STATE, "configured for debugging");
  CHECK(finalized == 1 && !other);
  wasm_store_delete(of_plain);
  wasm_engine_delete(plain);
}

/* All of it in an engine whose guests look at epochs, or count fuel. */
static void attach_in(void (*look)(wasm_config_t *, bool)) {
  wasm_config_t *config = wasm_config_new();
  wasm_engine_t *engine;
  wasm_module_t *module;
  wasm_functype_t *type;
  wasm_func_t *func;
  wasm_extern_t *import;
  wasm_extern_vec_t imports = {1, &import};
  pthread_t thread;
  const bool counts = look == stepwell_config_fuel_set;
  uint64_t fuel = 0, left = 0;

  ends = asked = finalized = 0;
  stepwell_config_debug_set(config, true);
  look(config, true);
  engine = wasm_engine_new_with_config(config);
  store = wasm_store_new(engine);
  if (counts) OK(stepwell_store_fuel_set(store, UINT64_MAX));
  module = MODULE(store, ATTACH);
  type = wasm_functype_new_0_0();
  func = wasm_func_new_with_env(store, type, host, NULL, NULL);
  import = wasm_func_as_extern(func);
  OK(stepwell_instance_new(store, module, &imports, &instance, NULL));

  /* in a host function, 200 calls deep; and again */
  for (int round = 0; round < 3; round++) {
    stops = 0;
    CHECK(call("deep", 200) == 200 * 201 / 2 + 200);
    CHECK(stops == 200 && frames == 2);
    detach();
  }

  /* from another thread, and from a signal handler */
  ends = 1;
  FAILS(stepwell_attacher_new(NULL, on_asked, &asked, finalize, &attacher), STEPWELL_ERROR_ARGUMENT, "store");
  FAILS(stepwell_attacher_new(store, NULL, &asked, finalize, &attacher), STEPWELL_ERROR_ARGUMENT, "callback");
  CHECK(finalized == 2);
  OK(stepwell_attacher_new(store, on_asked, &asked, finalize, &attacher));
  for (int round = 0; round < 3; round++) {
    stops = asked = 0;
    set_end(0);
    CHECK(!pthread_create(&thread, NULL, request, NULL));
    if (counts) OK(stepwell_store_fuel_get(store, &fuel));
    CHECK(call("spin", 1) > 1);
    if (counts) OK(stepwell_store_fuel_get(store, &left));
    CHECK(!counts || (left < fuel && fuel - left > 1000));
    CHECK(!pthread_join(thread, NULL));
    CHECK(stops == 1 && asked == 1 && frames == 2);
    detach();
  }
  signal(SIGALRM, on_signal);
  stops = asked = 0;
  set_end(0);
  alarm(1);
  CHECK(call("spin", 1) > 1);
  CHECK(stops == 1 && asked == 1);
  detach();

  /* taken back, and where no guest runs */
  asked = 0;
  stepwell_attacher_request(attacher);
  stepwell_attacher_cancel(attacher);
  call("leaf", 1);
  CHECK(!asked && !debugger);
  stepwell_attacher_delete(attacher);
  CHECK(finalized == 3);

  /* an outcome with a trap ends the guest */
  OK(stepwell_attacher_new(store, fails, NULL, NULL, &attacher));
  stepwell_attacher_request(attacher);
  CHECK(call("leaf", 1) == -2 && call("leaf", 1) == 2);

  wasm_func_delete(func);
  wasm_functype_delete(type);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  /* it is none's now */
  stepwell_attacher_request(attacher);
  stepwell_attacher_delete(attacher);
  stepwell_attacher_delete(NULL);
}

int main(void) {
  refused();
  attach_in(stepwell_config_epoch_set);
  attach_in(stepwell_config_fuel_set);
  return 0;
}
