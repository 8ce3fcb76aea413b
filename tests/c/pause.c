/* A guest that computes is paused by another thread; stops are looked at, changed and answered there. */
#include "check.h"
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

struct guest {
  wasm_store_t *store;
  wasm_module_t *module;
  wasm_instance_t *instance;
  wasm_func_t *leaf, *spin;
  wasm_val_t result;
};

static void start(wasm_engine_t *engine, struct guest *guest) {
  guest->store = wasm_store_new(engine);
  guest->module = MODULE(guest->store, PAUSE);
  guest->instance = check_instance(guest->store, guest->module);
  guest->leaf = check_func(guest->instance, "leaf");
  guest->spin = check_func(guest->instance, "spin");
}

static void end(struct guest *guest) {
  wasm_func_delete(guest->leaf);
  wasm_func_delete(guest->spin);
  wasm_instance_delete(guest->instance);
  wasm_module_delete(guest->module);
  wasm_store_delete(guest->store);
}

/* Runs spin(0, 0): without end, until a stop changes local 1. */
static void *run(void *env) {
  struct guest *guest = env;
  wasm_val_t args[2];
  wasm_val_vec_t given = WASM_ARRAY_VEC(args), results = {1, &guest->result};
  args[0] = args[1] = val_i32(0);
  CHECK(!wasm_func_call(guest->spin, &given, &results));
  return NULL;
}

struct caller {
  wasm_func_t *leaf;
  int32_t result;
};

static void *call_leaf(void *env) {
  struct caller *caller = env;
  wasm_val_t result;
  wasm_val_vec_t none = WASM_EMPTY_VEC, results = {1, &result};
  for (int i = 0; i < 50; i++) CHECK(!wasm_func_call(caller->leaf, &none, &results));
  caller->result = result.of.i32;
  return NULL;
}

static const stepwell_stop_t *over;

/* Stops wait in a queue; this thread looks, changes, edits and answers. */
static void queued(wasm_engine_t *engine) {
  struct guest guest;
  stepwell_stop_queue_t *queue = stepwell_stop_queue_new(), *other = stepwell_stop_queue_new();
  stepwell_debugger_t *debugger;
  stepwell_pauser_t *pauser;
  stepwell_stop_t *stop;
  pthread_t thread;
  int32_t turns = 0;
  int further = 0;
  start(engine, &guest);
  FAILS(stepwell_debugger_attach_with_queue(guest.store, NULL, &debugger), STEPWELL_ERROR_ARGUMENT, "queue");
  OK(stepwell_debugger_attach_with_queue(guest.store, queue, &debugger));
  OK(stepwell_pauser_new(debugger, &pauser));
  CHECK(!stepwell_stop_queue_next(queue, 0) && !stepwell_stop_queue_next(queue, 1));
  CHECK(!pthread_create(&thread, NULL, run, &guest));
  for (int i = 0; i < 200; i++) {
    const stepwell_frame_t *frame;
    wasm_val_t val = {.kind = WASM_I32}, args[1];
    wasm_val_vec_t none = WASM_EMPTY_VEC, results = {1, args};
    stepwell_breakpoint_t breakpoint;
    wasm_trap_t *trap;
    wasm_extern_t *item;
    CHECK(stepwell_pauser_pause(pauser));
    /* Called again before the stop, it is one stop. Where the guest was quicker, it would be another one. */
    CHECK(stepwell_pauser_pause(pauser));
    stop = stepwell_stop_queue_next(queue, UINT64_MAX);
    stepwell_pauser_cancel(pauser);
    CHECK(stop && stepwell_stop_reason(stop) == STEPWELL_STOP_PAUSE && stepwell_stop_frame_count(stop) == 1);
    frame = stepwell_stop_frame(stop, 0);
    CHECK(stepwell_frame_local(frame, 0, &val));
    further += val.of.i32 != turns;
    turns = val.of.i32;
    /* The store may be used, but for what would run a guest. */
    item = stepwell_instance_export(guest.instance, "memory");
    CHECK(item && wasm_memory_size(wasm_extern_as_memory(item)) == 1);
    wasm_memory_data(wasm_extern_as_memory(item))[5] = (char)i;
    wasm_extern_delete(item);
    trap = wasm_func_call(guest.leaf, &none, &results);
    CHECK(trap && strstr(stepwell_trap_message(trap), "another stack"));
    wasm_trap_delete(trap);
    OK(stepwell_breakpoint_add_at_function(debugger, guest.module, "leaf", &breakpoint));
    OK(stepwell_breakpoint_remove(debugger, breakpoint));
    CHECK(stepwell_stop_debugger(stop) && stepwell_stop_store(stop));
    stepwell_debugger_delete(debugger);
    LAST("inside a callback");
    FAILS(stepwell_store_collect(guest.store), STEPWELL_ERROR_STATE, "in use");
    if (i % 4 == 1) { /* a step ends in the queue too */
      CHECK(stepwell_stop_queue_answer(queue, stop, STEPWELL_ACTION_STEP));
      over = stop;
      stop = stepwell_stop_queue_next(queue, UINT64_MAX);
      CHECK(stop && stop != over && stepwell_stop_reason(stop) == STEPWELL_STOP_STEP);
      CHECK(stepwell_stop_reason(over) == 0);
      LAST("after its stop callback returned");
    }
    CHECK(!stepwell_stop_queue_answer(other, stop, STEPWELL_ACTION_CONTINUE));
    LAST("does not wait for an answer of this queue");
    CHECK(!stepwell_stop_queue_answer(queue, NULL, STEPWELL_ACTION_CONTINUE));
    LAST("stop");
    if (i == 199) {
      val.of.i32 = 1;
      OK(stepwell_frame_local_set(stepwell_stop_frame(stop, 0), 1, &val));
    }
    CHECK(stepwell_stop_queue_answer(queue, stop, STEPWELL_ACTION_CONTINUE));
    CHECK(!stepwell_stop_queue_answer(queue, stop, STEPWELL_ACTION_CONTINUE));
    LAST("it may have been answered");
  }
  CHECK(!pthread_join(thread, NULL));
  CHECK(further > 0);
  /* A guest that waits when the queue goes runs on, and stops no more. */
  CHECK(stepwell_pauser_pause(pauser));
  CHECK(!pthread_create(&thread, NULL, run, &guest));
  stop = stepwell_stop_queue_next(queue, UINT64_MAX);
  {
    wasm_val_t one = val_i32(1);
    OK(stepwell_frame_local_set(stepwell_stop_frame(stop, 0), 1, &one));
  }
  stepwell_stop_queue_close(queue);
  CHECK(!stepwell_stop_queue_next(queue, UINT64_MAX));
  CHECK(!pthread_join(thread, NULL));
  stepwell_stop_queue_delete(queue);
  stepwell_stop_queue_delete(other);
  stepwell_stop_queue_delete(NULL);
  CHECK(stepwell_pauser_pause(pauser));
  {
    struct caller caller = {guest.leaf, 0};
    call_leaf(&caller);
    CHECK(caller.result == 5);
  }
  stepwell_debugger_delete(debugger);
  end(&guest);
  CHECK(stepwell_pauser_pause(pauser));
  stepwell_pauser_cancel(pauser);
  stepwell_pauser_delete(pauser);
  stepwell_pauser_delete(NULL);
}

/* A callback lends its stop by hand. */
struct lending {
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  stepwell_stop_t *stop; /* while it is lent */
  bool done;
  int served;
};

static void wait_until_done(void *env) {
  struct lending *lending = env;
  pthread_mutex_lock(&lending->mutex);
  pthread_cond_broadcast(&lending->changed);
  while (!lending->done) pthread_cond_wait(&lending->changed, &lending->mutex);
  lending->done = false;
  lending->stop = NULL;
  pthread_mutex_unlock(&lending->mutex);
}

static stepwell_action_t lend(void *env, stepwell_stop_t *stop) {
  struct lending *lending = env;
  FAILS(stepwell_stop_serve(stop, NULL, NULL), STEPWELL_ERROR_ARGUMENT, "wait");
  FAILS(stepwell_stop_serve(NULL, wait_until_done, env), STEPWELL_ERROR_ARGUMENT, "stop");
  pthread_mutex_lock(&lending->mutex);
  lending->stop = stop;
  pthread_mutex_unlock(&lending->mutex);
  OK(stepwell_stop_serve(stop, wait_until_done, env));
  /* It is this thread's again. */
  CHECK(stepwell_stop_reason(stop) == STEPWELL_STOP_BREAKPOINT && stepwell_stop_breakpoint_count(stop) == 1);
  lending->served++;
  return STEPWELL_ACTION_CONTINUE;
}

static void lent(wasm_engine_t *engine) {
  static struct lending lending = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, NULL, false, 0};
  struct guest guest;
  struct caller caller;
  stepwell_debugger_t *debugger;
  pthread_t thread;
  wasm_val_t nine = val_i32(9);
  wasm_val_vec_t values = {1, &nine};
  lending.served = 0;
  start(engine, &guest);
  OK(stepwell_debugger_attach(guest.store, lend, &lending, NULL, &debugger));
  OK(stepwell_breakpoint_add_at_function(debugger, guest.module, "leaf", NULL));
  caller.leaf = guest.leaf;
  CHECK(!pthread_create(&thread, NULL, call_leaf, &caller));
  for (int i = 0; i < 50; i++) {
    pthread_mutex_lock(&lending.mutex);
    while (!lending.stop || lending.done) pthread_cond_wait(&lending.changed, &lending.mutex);
    OK(stepwell_stop_return_early(lending.stop, &values));
    lending.done = true;
    pthread_cond_broadcast(&lending.changed);
    pthread_mutex_unlock(&lending.mutex);
  }
  CHECK(!pthread_join(thread, NULL));
  CHECK(lending.served == 50 && caller.result == 9);
  stepwell_debugger_delete(debugger);
  end(&guest);
}

/* Whose stop is neither lent nor of this thread is refused. */
static void *look(void *env) {
  CHECK(stepwell_stop_reason(env) == 0);
  LAST("another thread");
  FAILS(stepwell_stop_serve(env, wait_until_done, NULL), STEPWELL_ERROR_ARGUMENT, "another thread");
  return NULL;
}

static stepwell_action_t refuse(void *env, stepwell_stop_t *stop) {
  pthread_t thread;
  (void)env;
  CHECK(!pthread_create(&thread, NULL, look, stop));
  CHECK(!pthread_join(thread, NULL));
  return STEPWELL_ACTION_CONTINUE;
}

static void refused(wasm_engine_t *engine) {
  struct guest guest;
  struct caller caller;
  stepwell_debugger_t *debugger;
  start(engine, &guest);
  OK(stepwell_debugger_attach(guest.store, refuse, NULL, NULL, &debugger));
  OK(stepwell_breakpoint_add_at_function(debugger, guest.module, "leaf", NULL));
  caller.leaf = guest.leaf;
  call_leaf(&caller);
  CHECK(caller.result == 5);
  stepwell_debugger_delete(debugger);
  end(&guest);
}

int main(void) {
  static const stepwell_debug_tier_t tiers[] = {STEPWELL_DEBUG_TIER_REGIONS, STEPWELL_DEBUG_TIER_SIMPLE};
  for (int i = 0; i < 2; i++) {
    wasm_config_t *config = wasm_config_new();
    stepwell_config_debug_set(config, true);
    OK(stepwell_config_debug_tier_set(config, tiers[i]));
    wasm_engine_t *engine = wasm_engine_new_with_config(config);
    queued(engine);
    lent(engine);
    refused(engine);
    wasm_engine_delete(engine);
  }
  return 0;
}
