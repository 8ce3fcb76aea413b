/* Debugging: attach, breakpoints, steps, frames, traps, nested stops, and what a callback may not do. */
#include "check.h"

#include <pthread.h>

struct session {
  wasm_store_t *store;
  stepwell_debugger_t *debugger;
  wasm_module_t *module;
  wasm_func_t *outer;
  int stops, finalized;
  int deepest;
  stepwell_action_t answer;
  stepwell_breakpoint_t breakpoint;
  const stepwell_stop_t *kept_stop;
  const stepwell_frame_t *kept_frame;
  char log[4096];
};

static void finalize(void *env) {
  ((struct session *)env)->finalized++;
}

static void note(struct session *session, const char *text) {
  strncat(session->log, text, sizeof(session->log) - strlen(session->log) - 1);
}

/* Logs function, offset relative to nothing, and reason; keeps going as told. */
static stepwell_action_t on_stop(void *env, stepwell_stop_t *stop) {
  struct session *session = env;
  const stepwell_frame_t *frame = stepwell_stop_frame(stop, 0);
  char line[64];
  int depth = (int)stepwell_stop_frame_count(stop);
  CHECK(frame);
  session->stops++;
  session->kept_stop = stop;
  session->kept_frame = frame;
  if (depth > session->deepest) session->deepest = depth;
  CHECK(stepwell_frame_func_name(frame, NULL));
  snprintf(line, sizeof(line), "%s/%d/%d ", stepwell_frame_func_name(frame, NULL), depth, (int)stepwell_stop_reason(stop));
  note(session, line);
  return session->answer;
}

static wasm_engine_t *debug_engine(void) {
  wasm_config_t *config = wasm_config_new();
  wasm_engine_t *engine;
  stepwell_config_debug_set(config, true);
  engine = wasm_engine_new_with_config(config);
  CHECK(engine);
  return engine;
}

struct progress {
  size_t calls, last, total, allowed;
};

static bool on_progress(void *env, size_t done, size_t total) {
  struct progress *progress = env;
  CHECK(done >= 1 && done <= total);
  progress->calls++;
  if (done > progress->last) progress->last = done;
  progress->total = total;
  return progress->calls <= progress->allowed;
}

/* Debug code made ahead of time: cancelled, begun again, made once for every store. */
static void compiling_ahead(void) {
  wasm_engine_t *plain = wasm_engine_new(), *engine = debug_engine();
  wasm_store_t *no = wasm_store_new(plain), *store = wasm_store_new(engine);
  wasm_module_t *refused = MODULE(no, FIB), *module = MODULE(store, FIB);
  wasm_shared_module_t *shared = wasm_module_share(module);
  struct progress progress = {0, 0, 0, 0};
  CHECK(shared);
  FAILS(stepwell_module_compile_debug(NULL, NULL, NULL), STEPWELL_ERROR_ARGUMENT, "module");
  FAILS(stepwell_shared_module_compile_debug(NULL, NULL, NULL), STEPWELL_ERROR_ARGUMENT, "module");
  FAILS(stepwell_module_compile_debug(refused, on_progress, &progress), STEPWELL_ERROR_STATE, "debug");
  CHECK(progress.calls == 0);
  FAILS(stepwell_module_compile_debug(module, on_progress, &progress), STEPWELL_ERROR_CANCELLED, "cancelled");
  CHECK(progress.calls >= 1);
  progress.calls = progress.last = 0;
  progress.allowed = 1000;
  OK(stepwell_shared_module_compile_debug(shared, on_progress, &progress));
  CHECK(progress.calls == progress.total && progress.last == progress.total && progress.total >= 1);
  /* It is there now. */
  progress.calls = 0;
  OK(stepwell_module_compile_debug(module, on_progress, &progress));
  OK(stepwell_module_compile_debug(module, NULL, NULL));
  CHECK(progress.calls == 0);
  wasm_shared_module_delete(shared);
  wasm_module_delete(refused);
  wasm_module_delete(module);
  wasm_store_delete(no);
  wasm_store_delete(store);
  wasm_engine_delete(plain);
  wasm_engine_delete(engine);
}

static void attaching(void) {
  wasm_engine_t *plain = wasm_engine_new(), *engine = debug_engine();
  wasm_store_t *no = wasm_store_new(plain), *store = wasm_store_new(engine), *other = wasm_store_new(engine);
  wasm_module_t *module = MODULE(store, FIB);
  wasm_instance_t *instance = check_instance(store, module), *second = check_instance(other, module);
  wasm_func_t *fib = check_func(instance, "fib"), *fib2 = check_func(second, "fib");
  struct session session;
  stepwell_debugger_t *twice = NULL;
  memset(&session, 0, sizeof(session));

  FAILS(stepwell_debugger_attach(no, on_stop, &session, finalize, &session.debugger), STEPWELL_ERROR_STATE, "debug");
  CHECK(session.finalized == 1 && !session.debugger);
  FAILS(stepwell_debugger_attach(store, NULL, &session, finalize, &session.debugger), STEPWELL_ERROR_ARGUMENT,
        "`callback` must not be NULL");
  FAILS(stepwell_debugger_attach(NULL, on_stop, &session, finalize, &session.debugger), STEPWELL_ERROR_ARGUMENT,
        "`store` must not be NULL");
  FAILS(stepwell_debugger_attach(store, on_stop, &session, finalize, NULL), STEPWELL_ERROR_ARGUMENT,
        "`out` must not be NULL");
  CHECK(session.finalized == 4);

  /* No progress is no attaching, and changes nothing. */
  struct progress progress = {0, 0, 0, 0};
  session.finalized = 0;
  FAILS(stepwell_debugger_attach_with_progress(store, on_stop, &session, finalize, on_progress, &progress, &session.debugger),
        STEPWELL_ERROR_CANCELLED, "cancelled");
  CHECK(session.finalized == 1 && !session.debugger && progress.calls >= 1);
  CHECK(call_i32(fib, 5) == 5 && session.stops == 0);
  progress.calls = progress.last = 0;
  progress.allowed = 1000;
  OK(stepwell_debugger_attach_with_progress(store, on_stop, &session, finalize, on_progress, &progress, &session.debugger));
  CHECK(progress.calls == progress.total && progress.last == progress.total && progress.total >= 1);
  stepwell_debugger_delete(session.debugger);
  session.debugger = NULL;
  /* The code is there now; nobody need be told. */
  OK(stepwell_debugger_attach_with_progress(store, on_stop, &session, finalize, NULL, NULL, &session.debugger));
  stepwell_debugger_delete(session.debugger);
  session.debugger = NULL;
  CHECK(session.finalized == 3);

  for (int round = 0; round < 3; round++) {
    session.stops = session.finalized = 0;
    OK(stepwell_debugger_attach(store, on_stop, &session, finalize, &session.debugger));
    FAILS(stepwell_debugger_attach(store, on_stop, &session, finalize, &twice), STEPWELL_ERROR_STATE, "attached");
    CHECK(!twice && session.finalized == 1);
    CHECK(call_i32(fib, 10) == 55 && session.stops == 0);
    OK(stepwell_breakpoint_add_at_function(session.debugger, module, "fib", &session.breakpoint));
    CHECK(session.breakpoint != 0);
    CHECK(call_i32(fib, 5) == 5 && session.stops == 15);
    CHECK(call_i32(fib2, 5) == 5 && session.stops == 15); /* the other store never stops */
    OK(stepwell_breakpoint_remove(session.debugger, session.breakpoint));
    FAILS(stepwell_breakpoint_remove(session.debugger, session.breakpoint), STEPWELL_ERROR_ARGUMENT, "breakpoint");
    CHECK(call_i32(fib, 5) == 5 && session.stops == 15);
    OK(stepwell_breakpoint_add_at_function_index(session.debugger, module, 0, NULL));
    CHECK(stepwell_debugger_breakpoint_count(session.debugger) == 1);
    stepwell_debugger_delete(session.debugger);
    CHECK(session.finalized == 2);
    CHECK(call_i32(fib, 5) == 5 && session.stops == 15); /* production again */
  }

  wasm_func_delete(fib);
  wasm_func_delete(fib2);
  wasm_instance_delete(instance);
  wasm_instance_delete(second);
  wasm_module_delete(module);
  wasm_store_delete(no);
  wasm_store_delete(store);
  wasm_store_delete(other);
  wasm_engine_delete(plain);
  wasm_engine_delete(engine);
}

/* What a stop in "fib" shows. */
static stepwell_action_t look(void *env, stepwell_stop_t *stop) {
  struct session *session = env;
  size_t count = stepwell_stop_frame_count(stop);
  const stepwell_frame_t *frame = stepwell_stop_frame(stop, 0);
  wasm_val_t val;
  size_t size = 0;
  session->stops++;
  CHECK(stepwell_stop_reason(stop) == STEPWELL_STOP_BREAKPOINT);
  CHECK(stepwell_stop_breakpoint_count(stop) == 1 && stepwell_stop_breakpoint(stop, 0) == session->breakpoint);
  CHECK(stepwell_stop_breakpoint(stop, 1) == 0 && stepwell_stop_trap_code(stop) == 0);
  CHECK(stepwell_stop_debugger(stop) && stepwell_debugger_breakpoint_count(stepwell_stop_debugger(stop)) == 1);
  CHECK(count >= 1 && !stepwell_stop_frame(stop, count));
  for (size_t i = 0; i < count; i++) {
    const stepwell_frame_t *one = stepwell_stop_frame(stop, i);
    CHECK(stepwell_frame_func_index(one) == 0 && stepwell_frame_local_count(one) == 2);
    CHECK(!stepwell_frame_called_through_host(one));
    CHECK(stepwell_frame_id(one) != 0 && (i == 0 || stepwell_frame_id(one) != stepwell_frame_id(frame)));
    /* a caller stands at its call, with the argument still on its stack */
    CHECK(FIB[stepwell_frame_offset(one)] == (i == 0 ? 0x23 : 0x10));
    CHECK(stepwell_frame_local(one, 0, &val) && val.kind == WASM_I32);
    if (i > 0) {
      wasm_val_t twice;
      CHECK(stepwell_frame_local(one, 1, &twice) && twice.of.i32 == 2 * val.of.i32);
    }
  }
  CHECK(stepwell_frame_offset(frame) == stepwell_breakpoint_offset(session->debugger, session->breakpoint));
  CHECK(stepwell_frame_operand_count(frame) == 0 && stepwell_frame_operands(frame, NULL, 0) == 0);
  CHECK(!stepwell_frame_local(frame, 2, &val));
  CHECK(strcmp(stepwell_frame_local_name(frame, 0, &size), "n") == 0 && size == 1);
  CHECK(strcmp(stepwell_frame_local_name(frame, 1, NULL), "twice") == 0);
  CHECK(!stepwell_frame_local_name(frame, 2, NULL) && !stepwell_frame_local_name(frame, SIZE_MAX, NULL));
  { /* all that there are, or the first ones; what is behind them is left alone */
    wasm_val_t vals[3];
    size_t room;
    for (room = 0; room <= 3; room++) {
      vals[0].of.i32 = vals[1].of.i32 = vals[2].of.i32 = -1;
      CHECK(stepwell_frame_locals(frame, vals, room) == 2);
      CHECK(stepwell_frame_local(frame, 0, &val) && vals[0].of.i32 == (room > 0 ? val.of.i32 : -1));
      CHECK(stepwell_frame_local(frame, 1, &val) && vals[1].of.i32 == (room > 1 ? val.of.i32 : -1));
      CHECK(vals[2].of.i32 == -1);
    }
    CHECK(stepwell_frame_locals(frame, NULL, 0) == 2);
    CHECK(stepwell_frame_operands(frame, vals, 3) == 0 && vals[2].of.i32 == -1);
  }
  { /* the instance: its global counts the calls, its memory is there, and its module is the module */
    wasm_instance_t *instance = stepwell_frame_instance(frame);
    wasm_module_t *module = stepwell_frame_module(frame);
    wasm_global_t *calls = stepwell_instance_global(instance, 0);
    wasm_memory_t *memory = stepwell_instance_memory(instance, 0);
    wasm_global_get(calls, &val);
    CHECK(val.of.i32 == session->stops - 1);
    CHECK(memcmp(wasm_memory_data(memory) + 8, "hello", 5) == 0);
    CHECK(wasm_module_same(module, session->module));
    wasm_global_delete(calls);
    wasm_memory_delete(memory);
    wasm_module_delete(module);
    wasm_instance_delete(instance);
  }
  { /* nested: an export called from inside the stop, which stops in turn, but not here */
    if (session->stops == 3) {
      CHECK(call_i32(session->outer, 7) == 22);
    }
  }
  if (session->stops == 4) { /* deleting what is running is refused */
    stepwell_last_error_clear();
    wasm_store_delete(session->store);
    LAST("inside a callback");
    wasm_store_delete(stepwell_stop_store(stop));
    LAST("inside a callback");
    stepwell_debugger_delete(session->debugger);
    LAST("inside a callback");
    stepwell_debugger_delete(stepwell_stop_debugger(stop));
    LAST("inside a callback");
    {
      stepwell_debugger_t *another = NULL;
      FAILS(stepwell_debugger_attach(session->store, on_stop, session, NULL, &another), STEPWELL_ERROR_STATE, "");
    }
  }
  session->kept_stop = stop;
  session->kept_frame = frame;
  return session->answer;
}

static void *on_another_thread(void *arg) {
  const struct session *session = arg;
  CHECK(stepwell_stop_reason(session->kept_stop) == 0);
  LAST("on another thread");
  CHECK(stepwell_stop_frame_count(session->kept_stop) == 0);
  return NULL;
}

static stepwell_action_t from_another_thread(void *env, stepwell_stop_t *stop) {
  struct session *session = env;
  pthread_t thread;
  session->kept_stop = stop;
  CHECK(pthread_create(&thread, NULL, on_another_thread, session) == 0);
  CHECK(pthread_join(thread, NULL) == 0);
  return STEPWELL_ACTION_CONTINUE;
}

static stepwell_action_t remove_self(void *env, stepwell_stop_t *stop) {
  struct session *session = env;
  session->stops++;
  OK(stepwell_breakpoint_remove(stepwell_stop_debugger(stop), stepwell_stop_breakpoint(stop, 0)));
  if (session->stops == 1) { /* a new one, in a frame that is already running: the second call of "fib" */
    size_t at = stepwell_frame_offset(stepwell_stop_frame(stop, 0));
    while (FIB[at] != 0x6a) at++; /* i32.add */
    OK(stepwell_breakpoint_add(session->debugger, session->module, at, &session->breakpoint));
    CHECK(stepwell_breakpoint_offset(session->debugger, session->breakpoint) == at);
    CHECK(stepwell_breakpoint_func_index(session->debugger, session->breakpoint) == 0);
  }
  return STEPWELL_ACTION_CONTINUE;
}

static stepwell_action_t with_message(void *env, stepwell_stop_t *stop) {
  (void)env;
  CHECK(stepwell_stop_message_set(stop, "enough"));
  return STEPWELL_ACTION_TRAP;
}

static void trap_says(wasm_func_t *func, const char *text) {
  wasm_val_t args[1], results[1];
  wasm_val_vec_t args_vec = WASM_ARRAY_VEC(args), results_vec = WASM_ARRAY_VEC(results);
  wasm_trap_t *trap;
  wasm_message_t message;
  args[0] = val_i32(5);
  trap = wasm_func_call(func, &args_vec, &results_vec);
  CHECK(trap);
  wasm_trap_message(trap, &message);
  CHECK(strstr(message.data, text));
  wasm_byte_vec_delete(&message);
  wasm_trap_delete(trap);
}

static void stopping(void) {
  wasm_engine_t *engine = debug_engine();
  struct session session;
  wasm_instance_t *instance;
  wasm_func_t *fib;
  wasm_val_t val;
  memset(&session, 0, sizeof(session));
  session.store = wasm_store_new(engine);
  session.module = MODULE(session.store, FIB);
  instance = check_instance(session.store, session.module);
  fib = check_func(instance, "fib");
  session.outer = check_func(instance, "outer");

  OK(stepwell_debugger_attach(session.store, look, &session, finalize, &session.debugger));
  OK(stepwell_breakpoint_add_at_function(session.debugger, session.module, "fib", &session.breakpoint));
  CHECK(call_i32(fib, 5) == 5 && session.stops == 15);

  /* a stop and a frame that are over are errors */
  stepwell_last_error_clear();
  CHECK(stepwell_stop_reason(session.kept_stop) == 0);
  LAST("after its stop callback returned");
  CHECK(stepwell_stop_frame_count(session.kept_stop) == 0 && !stepwell_stop_frame(session.kept_stop, 0));
  CHECK(!stepwell_stop_store(session.kept_stop) && !stepwell_stop_debugger(session.kept_stop));
  CHECK(stepwell_frame_func_index(session.kept_frame) == UINT32_MAX);
  LAST("`frame` is used after");
  CHECK(stepwell_frame_offset(session.kept_frame) == SIZE_MAX && stepwell_frame_local_count(session.kept_frame) == 0);
  CHECK(!stepwell_frame_local(session.kept_frame, 0, &val) && !stepwell_frame_func_name(session.kept_frame, NULL));
  CHECK(!stepwell_frame_instance(session.kept_frame) && !stepwell_frame_module(session.kept_frame));
  CHECK(stepwell_frame_locals(session.kept_frame, &val, 1) == 0 && stepwell_frame_operands(session.kept_frame, NULL, 0) == 0);
  LAST("`frame` is used after");
  /* one is not the other */
  CHECK(stepwell_stop_reason((const stepwell_stop_t *)session.kept_frame) == 0);
  LAST("no stop");
  CHECK(stepwell_frame_func_index((const stepwell_frame_t *)session.kept_stop) == UINT32_MAX);
  LAST("no frame");
  CHECK(!stepwell_frame_module(NULL));
  LAST("`frame` must not be NULL");

  /* places */
  FAILS(stepwell_breakpoint_add(session.debugger, session.module, sizeof(FIB) + 1000, NULL), STEPWELL_ERROR_ARGUMENT,
        "offset");
  FAILS(stepwell_breakpoint_add(session.debugger, session.module, SIZE_MAX, NULL), STEPWELL_ERROR_ARGUMENT, "4 GiB");
  FAILS(stepwell_breakpoint_add_at_function(session.debugger, session.module, "nobody", NULL), STEPWELL_ERROR_ARGUMENT,
        "nobody");
  FAILS(stepwell_breakpoint_add_at_function_index(session.debugger, session.module, 4, NULL), STEPWELL_ERROR_ARGUMENT,
        "");
  CHECK(stepwell_breakpoint_offset(session.debugger, 999) == SIZE_MAX);
  LAST("no breakpoint 999");

  /* answers that are none */
  session.stops = 0;
  session.answer = 17;
  {
    wasm_global_t *calls = stepwell_instance_global(instance, 0);
    val = val_i32(0);
    wasm_global_set(calls, &val);
    wasm_global_delete(calls);
  }
  trap_says(fib, "17, which is no action");
  stepwell_debugger_delete(session.debugger);
  CHECK(session.finalized == 1);

  OK(stepwell_debugger_attach(session.store, with_message, &session, NULL, &session.debugger));
  OK(stepwell_breakpoint_add_at_function(session.debugger, session.module, "fib", NULL));
  trap_says(fib, "enough");
  CHECK(call_i32(session.outer, 1) == 4);
  stepwell_debugger_delete(session.debugger);

  OK(stepwell_debugger_attach(session.store, from_another_thread, &session, NULL, &session.debugger));
  OK(stepwell_breakpoint_add_at_function(session.debugger, session.module, "helper", NULL));
  CHECK(call_i32(session.outer, 1) == 4);
  stepwell_debugger_delete(session.debugger);

  session.stops = 0;
  OK(stepwell_debugger_attach(session.store, remove_self, &session, NULL, &session.debugger));
  OK(stepwell_breakpoint_add_at_function(session.debugger, session.module, "fib", NULL));
  CHECK(call_i32(fib, 5) == 5 && session.stops == 2);
  CHECK(stepwell_debugger_breakpoint_count(session.debugger) == 0);
  stepwell_debugger_delete(session.debugger);

  wasm_func_delete(fib);
  wasm_func_delete(session.outer);
  wasm_instance_delete(instance);
  wasm_module_delete(session.module);
  wasm_store_delete(session.store);
  wasm_engine_delete(engine);
}

static void stepping(void) {
  wasm_engine_t *engine = debug_engine();
  wasm_store_t *store = wasm_store_new(engine);
  wasm_module_t *module = MODULE(store, FIB);
  wasm_instance_t *instance = check_instance(store, module);
  wasm_func_t *outer = check_func(instance, "outer"), *fib = check_func(instance, "fib");
  struct session session;
  memset(&session, 0, sizeof(session));
  OK(stepwell_debugger_attach(store, on_stop, &session, NULL, &session.debugger));

  /* over: the callee runs through */
  OK(stepwell_breakpoint_add_at_function(session.debugger, module, "outer", &session.breakpoint));
  session.answer = STEPWELL_ACTION_STEP_OVER;
  CHECK(call_i32(outer, 5) == 16);
  CHECK(strcmp(session.log, "outer/1/1 outer/1/2 outer/1/2 outer/1/2 outer/1/2 ") == 0);

  /* into: every instruction of both */
  session.log[0] = 0;
  session.answer = STEPWELL_ACTION_STEP;
  CHECK(call_i32(outer, 5) == 16);
  CHECK(strcmp(session.log,
               "outer/1/1 outer/1/2 helper/2/2 helper/2/2 helper/2/2 helper/2/2 outer/1/2 outer/1/2 outer/1/2 ") == 0);
  OK(stepwell_breakpoint_remove(session.debugger, session.breakpoint));

  /* out: from the callee to its caller, then out of that */
  session.log[0] = 0;
  session.answer = STEPWELL_ACTION_STEP_OUT;
  OK(stepwell_breakpoint_add_at_function(session.debugger, module, "helper", &session.breakpoint));
  CHECK(call_i32(outer, 5) == 16);
  CHECK(strcmp(session.log, "helper/2/1 outer/1/2 ") == 0);
  OK(stepwell_breakpoint_remove(session.debugger, session.breakpoint));

  /* always: from the first instruction on, whatever is answered; the result is the same */
  session.stops = session.deepest = 0;
  session.answer = STEPWELL_ACTION_CONTINUE;
  OK(stepwell_debugger_step_always_set(session.debugger, true));
  CHECK(call_i32(fib, 8) == 21);
  CHECK(session.stops > 8 * 67 && session.deepest == 8);
  OK(stepwell_debugger_step_always_set(session.debugger, false));
  session.stops = 0;
  CHECK(call_i32(fib, 8) == 21 && session.stops == 0);

  /* the debugger last: it keeps the store alive */
  wasm_func_delete(fib);
  wasm_func_delete(outer);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  stepwell_debugger_delete(session.debugger);
}

static stepwell_action_t on_trap(void *env, stepwell_stop_t *stop) {
  struct session *session = env;
  wasm_val_t val, operands[2];
  session->stops++;
  CHECK(stepwell_stop_reason(stop) == STEPWELL_STOP_TRAP);
  CHECK(stepwell_stop_trap_code(stop) == STEPWELL_TRAP_INTEGER_DIVISION_BY_ZERO);
  CHECK(strcmp(stepwell_stop_trap_message(stop), "integer divide by zero") == 0);
  CHECK(stepwell_stop_frame_count(stop) == 2);
  CHECK(TRAPS[stepwell_frame_offset(stepwell_stop_frame(stop, 0))] == 0x6d);
  CHECK(stepwell_frame_operand_count(stepwell_stop_frame(stop, 0)) == 2);
  CHECK(stepwell_frame_operands(stepwell_stop_frame(stop, 0), operands, 2) == 2);
  CHECK(operands[0].of.i32 == 41 && operands[1].of.i32 == 0);
  CHECK(stepwell_frame_operands(stepwell_stop_frame(stop, 0), &val, 1) == 2 && val.of.i32 == 41);
  CHECK(stepwell_frame_local(stepwell_stop_frame(stop, 1), 0, &val) && val.of.i32 == 41);
  return STEPWELL_ACTION_CONTINUE;
}

static void trapping(void) {
  wasm_engine_t *engine = debug_engine();
  wasm_store_t *store = wasm_store_new(engine);
  wasm_module_t *module = MODULE(store, TRAPS);
  wasm_instance_t *instance = check_instance(store, module);
  wasm_func_t *nested = check_func(instance, "nested");
  struct session session;
  wasm_val_t args[2], results[1];
  wasm_val_vec_t args_vec = WASM_ARRAY_VEC(args), results_vec = WASM_ARRAY_VEC(results);
  wasm_trap_t *trap;
  memset(&session, 0, sizeof(session));
  OK(stepwell_debugger_attach(store, on_trap, &session, NULL, &session.debugger));
  args[0] = val_i32(41);
  args[1] = val_i32(0);
  trap = wasm_func_call(nested, &args_vec, &results_vec);
  CHECK(trap && session.stops == 1);
  CHECK(stepwell_trap_code(trap) == STEPWELL_TRAP_INTEGER_DIVISION_BY_ZERO);
  {
    wasm_frame_t *origin = wasm_trap_origin(trap);
    CHECK(wasm_instance_same(wasm_frame_instance(origin), instance));
    wasm_frame_delete(origin);
  }
  wasm_trap_delete(trap);
  args[1] = val_i32(1);
  CHECK(!wasm_func_call(nested, &args_vec, &results_vec) && results[0].of.i32 == 41 && session.stops == 1);
  stepwell_debugger_delete(session.debugger);
  wasm_func_delete(nested);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
}

/* Logs an exception: what it carries, the function that catches it, and how deep that is. */
static stepwell_action_t on_exception(void *env, stepwell_stop_t *stop) {
  struct session *session = env;
  stepwell_exception_t *exception = stepwell_stop_exception(stop);
  const stepwell_frame_t *catching = stepwell_stop_catching_frame(stop);
  wasm_val_vec_t values;
  char line[64];
  session->stops++;
  session->kept_stop = stop;
  if (stepwell_stop_reason(stop) != STEPWELL_STOP_EXCEPTION) {
    CHECK(!exception && !catching);
    return on_stop(env, stop);
  }
  CHECK(exception && stepwell_stop_trap_code(stop) == 0 && !stepwell_stop_trap_message(stop));
  OK(stepwell_exception_values(exception, &values));
  CHECK(values.size == 1 && values.data[0].kind == WASM_I32);
  CHECK(!catching || catching == stepwell_stop_frame(stop, 1));
  snprintf(line, sizeof(line), "%d %s ", values.data[0].of.i32, catching ? stepwell_frame_func_name(catching, NULL) : "-");
  note(session, line);
  wasm_val_vec_delete(&values);
  stepwell_exception_delete(exception);
  return session->answer;
}

/* Which exceptions are stops, and where a step from one ends. */
static void throwing(void) {
  wasm_engine_t *engine = debug_engine();
  wasm_store_t *store = wasm_store_new(engine);
  wasm_module_t *module = MODULE(store, EXCEPTIONS);
  wasm_instance_t *instance = check_instance(store, module);
  wasm_func_t *caught = check_func(instance, "caught"), *uncaught = check_func(instance, "uncaught");
  struct session session;
  wasm_val_t arg[1], result[1];
  wasm_val_vec_t args = WASM_ARRAY_VEC(arg), results = WASM_ARRAY_VEC(result);
  int which;
  static const char *const expected[] = {"", "9 - ", "7 caught 9 - "};
  memset(&session, 0, sizeof(session));
  OK(stepwell_debugger_attach(store, on_exception, &session, NULL, &session.debugger));
  FAILS(stepwell_debugger_stop_at_exceptions_set(session.debugger, 3), STEPWELL_ERROR_ARGUMENT, "3");
  for (which = STEPWELL_EXCEPTION_STOPS_NONE; which <= STEPWELL_EXCEPTION_STOPS_ALL; which++) {
    wasm_trap_t *trap;
    OK(stepwell_debugger_stop_at_exceptions_set(session.debugger, which));
    CHECK(call_i32(caught, 7) == 7);
    arg[0] = val_i32(9);
    trap = wasm_func_call(uncaught, &args, &results);
    CHECK(trap);
    wasm_trap_delete(trap);
    CHECK(strcmp(session.log, expected[which]) == 0);
    session.log[0] = 0;
  }
  CHECK(!stepwell_stop_exception(session.kept_stop) && !stepwell_stop_catching_frame(session.kept_stop));
  stepwell_last_error_clear();

  /* out of the function that throws is where it is caught */
  session.answer = STEPWELL_ACTION_STEP_OUT;
  CHECK(call_i32(caught, 5) == 5);
  CHECK(strcmp(session.log, "5 caught caught/1/2 ") == 0);

  /* ended there, nothing catches it */
  session.answer = STEPWELL_ACTION_TRAP;
  {
    wasm_trap_t *trap = wasm_func_call(caught, &args, &results);
    CHECK(trap && !stepwell_trap_exception(trap));
    wasm_trap_delete(trap);
  }
  stepwell_debugger_delete(session.debugger);
  wasm_func_delete(uncaught);
  wasm_func_delete(caught);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
}

typedef struct {
  int stops, asked, freed;
} counted_t;

static stepwell_action_t on_counted(void *env, stepwell_stop_t *stop) {
  ((counted_t *)env)->stops++;
  CHECK(stepwell_stop_breakpoint_count(stop) > 0);
  return STEPWELL_ACTION_CONTINUE;
}

/* Whether it is the call with 4; the stop's frames can be looked at, and changed. */
static bool on_condition(void *env, stepwell_stop_t *stop) {
  wasm_val_t value;
  ((counted_t *)env)->asked++;
  CHECK(stepwell_stop_reason(stop) == STEPWELL_STOP_BREAKPOINT && stepwell_stop_breakpoint_count(stop) == 1);
  CHECK(stepwell_frame_local(stepwell_stop_frame(stop, 0), 0, &value) && value.kind == WASM_I32);
  return value.of.i32 == 4;
}

/* Removes the breakpoint that it is asked about. */
static bool on_removing(void *env, stepwell_stop_t *stop) {
  (void)env;
  OK(stepwell_breakpoint_remove(stepwell_stop_debugger(stop), stepwell_stop_breakpoint(stop, 0)));
  return true;
}

static void on_condition_gone(void *env) { ((counted_t *)env)->freed++; }

static void options(void) {
  counted_t counted = {0, 0, 0};
  wasm_config_t *config = wasm_config_new();
  wasm_engine_t *engine;
  wasm_store_t *store;
  wasm_module_t *module;
  wasm_instance_t *instance, *other, *found;
  wasm_extern_t *run;
  wasm_func_t *fib;
  stepwell_debugger_t *debugger;
  stepwell_breakpoint_t at, ids[3];
  wasm_message_t text;
  size_t offsets[3];
  stepwell_breakpoint_set_t *set;
  wasm_val_t args[1] = {WASM_I32_VAL(5)}, results[1];
  wasm_val_vec_t args_vec = WASM_ARRAY_VEC(args), results_vec = WASM_ARRAY_VEC(results);
  stepwell_config_debug_set(config, true);
  engine = wasm_engine_new_with_config(config);
  store = wasm_store_new(engine);
  module = MODULE(store, FIB);
  instance = wasm_instance_new(store, module, NULL, NULL);
  other = wasm_instance_new(store, module, NULL, NULL);
  run = stepwell_instance_export(instance, "fib");
  fib = wasm_extern_as_func(run);
  OK(stepwell_debugger_attach(store, on_counted, &counted, NULL, &debugger));
  OK(stepwell_breakpoint_add_at_function(debugger, NULL, "fib", &at));
#define CALL() CHECK(!wasm_func_call(fib, &args_vec, &results_vec) && results[0].of.i32 == 5)
  CHECK(stepwell_breakpoint_enabled(debugger, at) && !stepwell_breakpoint_one_shot(debugger, at));
  CHECK(!stepwell_breakpoint_condition(debugger, at, &text) && !stepwell_breakpoint_instance(debugger, at));
  OK(stepwell_breakpoint_enabled_set(debugger, at, false));
  CALL();
  CHECK(counted.stops == 0 && !stepwell_breakpoint_enabled(debugger, at) && stepwell_breakpoint_hit_count(debugger, at) == 0);
  OK(stepwell_breakpoint_enabled_set(debugger, at, true));
  OK(stepwell_breakpoint_ignore_count_set(debugger, at, 14));
  CHECK(stepwell_breakpoint_ignore_count(debugger, at) == 14);
  CALL();
  CHECK(counted.stops == 1 && stepwell_breakpoint_hit_count(debugger, at) == 15 && stepwell_breakpoint_ignore_count(debugger, at) == 0);
  OK(stepwell_breakpoint_hit_count_set(debugger, at, 0));
  OK(stepwell_breakpoint_condition_set(debugger, at, "local(0) == 5"));
  CALL();
  CHECK(counted.stops == 2 && stepwell_breakpoint_hit_count(debugger, at) == 1);
  CHECK(stepwell_breakpoint_condition(debugger, at, &text) && strcmp(text.data, "local(0) == 5") == 0 && text.size == 14);
  wasm_byte_vec_delete(&text);
  FAILS(stepwell_breakpoint_condition_set(debugger, at, "local(0) = 5"), STEPWELL_ERROR_ARGUMENT, "at column 10: assignments are not allowed here");
  FAILS(stepwell_breakpoint_condition_set(debugger, at, "local(77) == 5"), STEPWELL_ERROR_ARGUMENT, "has no local 77");
  FAILS(stepwell_breakpoint_condition_set(debugger, at, "\xff"), STEPWELL_ERROR_ARGUMENT, "UTF-8");
  OK(stepwell_breakpoint_condition_callback_set(debugger, at, on_condition, &counted, on_condition_gone));
  CHECK(!stepwell_breakpoint_condition(debugger, at, &text));
  CALL();
  CHECK(counted.stops == 3 && counted.asked == 15 && counted.freed == 0);
  FAILS(stepwell_breakpoint_condition_callback_set(debugger, at, NULL, &counted, on_condition_gone), STEPWELL_ERROR_ARGUMENT, "`callback`");
  FAILS(stepwell_breakpoint_condition_callback_set(debugger, 99, on_condition, &counted, on_condition_gone), STEPWELL_ERROR_ARGUMENT,
        "there is no breakpoint 99");
  CHECK(counted.freed == 2);
  OK(stepwell_breakpoint_condition_set(debugger, at, NULL));
  CHECK(counted.freed == 3);
  OK(stepwell_breakpoint_instance_set(debugger, at, other));
  found = stepwell_breakpoint_instance(debugger, at);
  CHECK(wasm_instance_same(found, other));
  wasm_instance_delete(found);
  CALL();
  CHECK(counted.stops == 3);
  OK(stepwell_breakpoint_instance_set(debugger, at, NULL));
  OK(stepwell_breakpoint_one_shot_set(debugger, at, true));
  CHECK(stepwell_breakpoint_one_shot(debugger, at));
  CALL();
  CHECK(counted.stops == 4 && stepwell_debugger_breakpoint_count(debugger) == 0);
  /* All of one that is gone. */
  CHECK(!stepwell_breakpoint_enabled(debugger, at) && stepwell_breakpoint_hit_count(debugger, at) == 0);
  FAILS(stepwell_breakpoint_enabled_set(debugger, at, true), STEPWELL_ERROR_ARGUMENT, "there is no breakpoint");
  stepwell_last_error_clear();
  /* A condition that removes its own breakpoint: it is gone, and does not stop. */
  OK(stepwell_breakpoint_add_at_function(debugger, module, "fib", &at));
  OK(stepwell_breakpoint_condition_callback_set(debugger, at, on_removing, NULL, NULL));
  CALL();
  CHECK(counted.stops == 4 && stepwell_debugger_breakpoint_count(debugger) == 0);
  /* Sets that were prepared: in this store, and in the order in which they were added. */
  set = stepwell_breakpoint_set_new();
  CHECK(set && stepwell_breakpoint_set_count(set) == 0);
  OK(stepwell_breakpoint_add_set(debugger, set, NULL));
  OK(stepwell_breakpoint_set_add_at_function(set, module, "fib"));
  OK(stepwell_breakpoint_set_add_at_function_index(set, module, 0));
  FAILS(stepwell_breakpoint_set_add(set, module, 0), STEPWELL_ERROR_ARGUMENT, "in no function's body");
  FAILS(stepwell_breakpoint_set_add_at_function(set, module, "fob"), STEPWELL_ERROR_ARGUMENT, "fib");
  FAILS(stepwell_breakpoint_set_add_at_function(set, NULL, "fib"), STEPWELL_ERROR_ARGUMENT, "`module`");
  FAILS(stepwell_breakpoint_set_add_at_line(set, module, "fib.c", 1, 0), STEPWELL_ERROR_ARGUMENT, "");
  CHECK(stepwell_breakpoint_set_count(set) == 2);
  OK(stepwell_breakpoint_add_set(debugger, set, ids));
  CHECK(ids[1] == ids[0] + 1 && stepwell_debugger_breakpoint_count(debugger) == 2);
  OK(stepwell_breakpoint_remove_all(debugger, ids, 2));
  OK(stepwell_breakpoint_add_set(debugger, set, NULL));
  stepwell_breakpoint_set_delete(set);
  CHECK(stepwell_debugger_breakpoint_count(debugger) == 2);
  for (at = ids[1] + 1; at <= ids[1] + 2; at++) OK(stepwell_breakpoint_remove(debugger, at));
  /* Sets. */
  OK(stepwell_breakpoint_add_at_function(debugger, module, "fib", &at));
  offsets[0] = offsets[1] = stepwell_breakpoint_offset(debugger, at);
  offsets[1]++;
  offsets[2] = 0;
  FAILS(stepwell_breakpoint_add_all(debugger, module, offsets, 3, ids), STEPWELL_ERROR_ARGUMENT, "in no function's body");
  CHECK(stepwell_debugger_breakpoint_count(debugger) == 1);
  OK(stepwell_breakpoint_add_all(debugger, module, offsets, 2, ids));
  CHECK(ids[0] == at + 1 && ids[1] == at + 2 && stepwell_debugger_breakpoint_count(debugger) == 3);
  OK(stepwell_breakpoint_add_all(debugger, module, NULL, 0, NULL));
  FAILS(stepwell_breakpoint_add_all(debugger, module, NULL, 1, NULL), STEPWELL_ERROR_ARGUMENT, "`offsets`");
  FAILS(stepwell_breakpoint_add_all(debugger, module, offsets, SIZE_MAX, NULL), STEPWELL_ERROR_ARGUMENT, "`count`");
  ids[2] = at;
  OK(stepwell_breakpoint_remove_all(debugger, ids, 3));
  FAILS(stepwell_breakpoint_remove_all(debugger, ids, 3), STEPWELL_ERROR_ARGUMENT, "there is no breakpoint");
  CHECK(stepwell_debugger_breakpoint_count(debugger) == 0);
  CALL();
  CHECK(counted.stops == 4);
  stepwell_debugger_delete(debugger);
  wasm_extern_delete(run);
  wasm_instance_delete(instance);
  wasm_instance_delete(other);
  wasm_module_delete(module);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
#undef CALL
}

int main(void) {
  options();
  compiling_ahead();
  attaching();
  stopping();
  stepping();
  trapping();
  throwing();
  return 0;
}
