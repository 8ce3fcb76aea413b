/* Calls on stacks of their own: an event loop with many of them, slices, stops that are answered later, on any thread. */
#include "check.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CALLS = 40 };

static int freed;

static void count_free(void *env) {
  (void)env;
  freed++;
}

/* later(n): no answer yet; the token is n + 1. */
static wasm_trap_t *later(void *env, const stepwell_caller_t *caller, const wasm_val_vec_t *args, wasm_val_vec_t *results) {
  (void)env, (void)results;
  return stepwell_trap_not_yet(stepwell_caller_store(caller), (uint64_t)args->data[0].of.i32 + 1);
}

struct guest {
  wasm_store_t *store;
  wasm_module_t *module;
  wasm_instance_t *instance;
};

static void start(wasm_engine_t *engine, struct guest *guest) {
  stepwell_linker_t *linker = stepwell_linker_new(engine);
  wasm_functype_t *type = wasm_functype_new_1_1(wasm_valtype_new_i32(), wasm_valtype_new_i32());
  guest->store = wasm_store_new(engine);
  guest->module = MODULE(guest->store, SUSPENDED);
  OK(stepwell_linker_define_caller_func(linker, "host", "later", type, later, NULL, count_free));
  OK(stepwell_linker_instantiate(linker, guest->store, guest->module, &guest->instance, NULL));
  wasm_functype_delete(type);
  stepwell_linker_delete(linker);
}

static void end(struct guest *guest) {
  wasm_instance_delete(guest->instance);
  wasm_module_delete(guest->module);
  wasm_store_delete(guest->store);
}

static stepwell_call_t *call_of(const struct guest *guest, const char *name, int32_t n) {
  wasm_func_t *func = check_func(guest->instance, name);
  wasm_val_t arg = val_i32(n);
  wasm_val_vec_t args = {1, &arg};
  stepwell_call_t *call = NULL;
  OK(stepwell_call_new(func, &args, &call));
  wasm_func_delete(func);
  return call;
}

static int32_t run(stepwell_call_t *call) {
  stepwell_call_status_t status = -1;
  wasm_trap_t *trap = NULL;
  OK(stepwell_call_run(call, &trap, &status));
  CHECK(!trap && status == stepwell_call_status(call));
  return status;
}

static void answer(stepwell_call_t *call, int32_t value) {
  wasm_val_t result = val_i32(value);
  wasm_val_vec_t results = {1, &result};
  OK(stepwell_call_answer(call, &results));
}

static int32_t result_of(const stepwell_call_t *call) {
  wasm_val_t result = {0};
  wasm_val_vec_t results = {1, &result};
  OK(stepwell_call_results(call, &results));
  CHECK(result.kind == WASM_I32);
  return result.of.i32;
}

/* Many calls of one store wait at once; what they wait for comes in another order. */
static void event_loop(wasm_engine_t *engine) {
  struct guest guest;
  stepwell_call_t *calls[CALLS];
  start(engine, &guest);
  for (int i = 0; i < CALLS; i++) {
    calls[i] = call_of(&guest, "twice", i);
    CHECK(stepwell_call_status(calls[i]) == STEPWELL_CALL_NEW && stepwell_call_token(calls[i]) == 0);
    CHECK(run(calls[i]) == STEPWELL_CALL_WAITING && stepwell_call_token(calls[i]) == (uint64_t)i + 1);
    FAILS(stepwell_call_run(calls[i], NULL, NULL), STEPWELL_ERROR_STATE, "not been answered");
    {
      wasm_functype_t *type = stepwell_call_awaited_type(calls[i]);
      CHECK(wasm_functype_results(type)->size == 1 && wasm_functype_params(type)->size == 1);
      wasm_functype_delete(type);
    }
    FAILS(stepwell_call_answer(calls[i], NULL), STEPWELL_ERROR_ARGUMENT, "0 results");
  }
  for (int turn = 1; turn <= 2; turn++) {
    for (int i = CALLS - 1; i >= 0; i -= 2) {
      answer(calls[i], 5);
      CHECK(run(calls[i]) == (turn == 1 ? STEPWELL_CALL_WAITING : STEPWELL_CALL_FINISHED));
    }
  }
  for (int i = CALLS - 1; i >= 0; i -= 2) {
    CHECK(result_of(calls[i]) == 10 * i + 5 + 10 * (i + 1) + 5 && result_of(calls[i]) == 20 * i + 20);
    FAILS(stepwell_call_run(calls[i], NULL, NULL), STEPWELL_ERROR_STATE, "done");
    CHECK(!stepwell_call_awaited_type(calls[i]));
    LAST("waits for no answer");
    stepwell_call_delete(calls[i]);
  }
  {
    wasm_val_vec_t none = WASM_EMPTY_VEC;
    FAILS(stepwell_call_results(calls[0], &none), STEPWELL_ERROR_STATE, "no results");
  }
  /* One ends with a trap of the host's, one with one of its own; others are given up, or are left to their store. */
  {
    wasm_message_t message;
    wasm_trap_t *trap = NULL;
    stepwell_call_status_t status = -1;
    stepwell_call_t *call = call_of(&guest, "traps", 0);
    wasm_name_new_from_string_nt(&message, "gone");
    OK(stepwell_call_answer_trap(calls[0], wasm_trap_new(guest.store, &message)));
    wasm_name_delete(&message);
    OK(stepwell_call_run(calls[0], &trap, &status));
    CHECK(trap && status == STEPWELL_CALL_FINISHED);
    wasm_trap_delete(trap);
    CHECK(run(call) == STEPWELL_CALL_WAITING);
    answer(call, 0);
    FAILS(stepwell_call_run(call, NULL, &status), STEPWELL_ERROR_TRAP, "out of bounds");
    CHECK(status == STEPWELL_CALL_FINISHED);
    stepwell_call_delete(call);
  }
  stepwell_call_delete(calls[0]);
  stepwell_call_delete(calls[2]);
  OK(stepwell_store_call_limit_set(guest.store, 1));
  {
    stepwell_call_t *call = NULL;
    wasm_func_t *func = check_func(guest.instance, "plain");
    wasm_val_t arg = val_i32(0);
    wasm_val_vec_t args = {1, &arg}, none = WASM_EMPTY_VEC;
    FAILS(stepwell_call_new(func, &args, &call), STEPWELL_ERROR_LIMIT, "limit of 1 calls");
    FAILS(stepwell_call_new(func, &none, &call), STEPWELL_ERROR_ARGUMENT, "0 parameters");
    CHECK(!call);
    wasm_func_delete(func);
  }
  end(&guest);
  for (int i = 4; i < CALLS; i += 2) stepwell_call_delete(calls[i]);
  stepwell_call_delete(NULL);
}

/* A guest that was called as usual cannot wait, and is told so. */
static void usual(wasm_engine_t *engine) {
  struct guest guest;
  wasm_val_t arg = val_i32(3), result = {0};
  wasm_val_vec_t args = {1, &arg}, results = {1, &result};
  wasm_func_t *func;
  start(engine, &guest);
  func = check_func(guest.instance, "twice");
  FAILS(stepwell_func_call(func, &args, &results, NULL), STEPWELL_ERROR_STATE, "cannot wait");
  wasm_func_delete(func);
  end(&guest);
}

static void slices(void) {
  wasm_config_t *config = wasm_config_new();
  wasm_engine_t *engine;
  struct guest guest;
  stepwell_call_t *calls[3];
  int finished = 0, turns = 0;
  stepwell_config_fuel_set(config, true);
  stepwell_config_fuel_slices_set(config, true);
  stepwell_config_kept_stacks_set(config, 1);
  engine = wasm_engine_new_with_config(config);
  start(engine, &guest);
  OK(stepwell_store_fuel_set(guest.store, 10000000));
  for (int i = 0; i < 3; i++) calls[i] = call_of(&guest, "count", 1000 * (i + 1));
  while (finished < 3) {
    turns++;
    for (int i = 0; i < 3; i++) {
      stepwell_call_status_t status;
      if (stepwell_call_status(calls[i]) == STEPWELL_CALL_FINISHED) continue;
      OK(stepwell_call_run_slice(calls[i], 500, NULL, &status));
      if (status == STEPWELL_CALL_FINISHED) finished++;
      else CHECK(status == STEPWELL_CALL_OUT_OF_SLICE);
    }
  }
  CHECK(turns > 20);
  for (int i = 0; i < 3; i++) {
    CHECK(result_of(calls[i]) == 1000 * (i + 1));
    stepwell_call_delete(calls[i]);
  }
  end(&guest);
  wasm_engine_delete(engine);
}

static void deadlines(void) {
  wasm_config_t *config = wasm_config_new();
  wasm_engine_t *engine;
  struct guest guest;
  stepwell_call_t *call;
  stepwell_config_epoch_set(config, true);
  engine = wasm_engine_new_with_config(config);
  start(engine, &guest);
  OK(stepwell_store_epoch_deadline_set(guest.store, 0));
  call = call_of(&guest, "count", 100000);
  stepwell_call_wait_at_deadline(call, true);
  CHECK(run(call) == STEPWELL_CALL_AT_DEADLINE);
  OK(stepwell_store_epoch_deadline_set(guest.store, 10));
  CHECK(run(call) == STEPWELL_CALL_FINISHED && result_of(call) == 100000);
  stepwell_call_delete(call);
  end(&guest);
  wasm_engine_delete(engine);
}

/* A guest sleeps, and reads from a pipe; whoever runs it is not blocked. */
static void blocked(wasm_engine_t *engine) {
  char path[64];
  int fd;
  stepwell_call_io_t io = {-1, true};
  struct guest guest = {wasm_store_new(engine), NULL, NULL};
  stepwell_linker_t *linker = stepwell_linker_new(engine);
  stepwell_wasi_config_t *config = stepwell_wasi_config_new();
  stepwell_call_t *sleeps, *reads;
  snprintf(path, sizeof path, "/tmp/stepwell-suspended-%ld", (long)getpid());
  CHECK(mkfifo(path, 0600) == 0);
  fd = open(path, O_RDWR);
  CHECK(fd >= 0);
  OK(stepwell_wasi_config_stdin_file_set(config, path));
  unlink(path);
  OK(stepwell_linker_define_wasi(linker, guest.store, config));
  guest.module = MODULE(guest.store, IO_GUEST);
  OK(stepwell_linker_instantiate(linker, guest.store, guest.module, &guest.instance, NULL));
  stepwell_linker_delete(linker);
  sleeps = call_of(&guest, "sleep", 300);
  reads = call_of(&guest, "read", 1000);
  CHECK(stepwell_call_io_timeout(sleeps) == UINT64_MAX && stepwell_call_io(sleeps, NULL, 0) == 0);
  stepwell_call_wait_at_io(sleeps, true);
  stepwell_call_wait_at_io(reads, true);
  CHECK(run(reads) == STEPWELL_CALL_BLOCKED && run(sleeps) == STEPWELL_CALL_BLOCKED);
  CHECK(stepwell_call_io_timeout(sleeps) <= 300 * 1000000u && stepwell_call_io(sleeps, &io, 1) == 0);
  CHECK(stepwell_call_io_timeout(reads) == UINT64_MAX && stepwell_call_io(reads, NULL, 0) == 1);
  CHECK(stepwell_call_io(reads, &io, 1) == 1 && !io.write);
  {
    struct pollfd pollfd = {0, POLLIN, 0};
    pollfd.fd = io.fd;
    CHECK(poll(&pollfd, 1, 0) == 0 && run(reads) == STEPWELL_CALL_BLOCKED);
    CHECK(write(fd, "*", 1) == 1 && poll(&pollfd, 1, -1) == 1);
  }
  CHECK(run(reads) == STEPWELL_CALL_FINISHED && result_of(reads) == 1000 + '*');
  while (stepwell_call_status(sleeps) == STEPWELL_CALL_BLOCKED) {
    uint64_t left = stepwell_call_io_timeout(sleeps);
    CHECK(left < 1000000000);
    poll(NULL, 0, (int)(left / 1000000) + 1);
    run(sleeps);
  }
  CHECK(result_of(sleeps) == 0);
  stepwell_call_delete(sleeps);
  stepwell_call_delete(reads);
  /* One that waits is given up. */
  sleeps = call_of(&guest, "sleep", 3600000);
  stepwell_call_wait_at_io(sleeps, true);
  CHECK(run(sleeps) == STEPWELL_CALL_BLOCKED);
  stepwell_call_delete(sleeps);
  end(&guest);
  close(fd);
}

static int told;

static stepwell_action_t on_stop(void *env, stepwell_stop_t *stop) {
  (void)env, (void)stop;
  told++;
  return STEPWELL_ACTION_LATER;
}

struct looked {
  stepwell_debugger_t *debugger;
  stepwell_call_t *call;
  wasm_func_t *plain;
  stepwell_stop_t *stop;
};

/* Looks at a stop, and has it do a step over. */
static void *look(void *env) {
  struct looked *looked = env;
  const stepwell_frame_t *frame;
  wasm_val_t local = {0}, arg = val_i32(41), result = {0};
  wasm_val_vec_t args = {1, &arg}, results = {1, &result};
  CHECK((looked->stop = stepwell_debugger_stop_of(looked->debugger, looked->call)));
  CHECK(stepwell_stop_frame_count(looked->stop) == 2);
  CHECK((frame = stepwell_stop_frame(looked->stop, 0)));
  CHECK(stepwell_frame_local(frame, 0, &local) && local.kind == WASM_I32);
  /* Guests may be called at it, as in its callback. */
  CHECK(!wasm_func_call(looked->plain, &args, &results) && result.of.i32 == 42);
  OK(stepwell_debugger_answer(looked->debugger, looked->call, STEPWELL_ACTION_STEP_OVER));
  return NULL;
}

/* A stop is answered by another thread while many other stores run on this one. */
static void stops(void) {
  wasm_config_t *config = wasm_config_new();
  wasm_engine_t *engine;
  struct guest guest, others[20];
  struct looked looked;
  stepwell_breakpoint_t breakpoint;
  stepwell_stop_t *stop;
  stepwell_config_debug_set(config, true);
  engine = wasm_engine_new_with_config(config);
  start(engine, &guest);
  OK(stepwell_debugger_attach(guest.store, on_stop, NULL, count_free, &looked.debugger));
  OK(stepwell_breakpoint_add_at_function(looked.debugger, NULL, "inner", &breakpoint));
  looked.call = call_of(&guest, "twice", 1);
  looked.plain = check_func(guest.instance, "plain");
  CHECK(!stepwell_debugger_stop_of(looked.debugger, looked.call));
  LAST("does not stand at a stop");
  FAILS(stepwell_debugger_answer(looked.debugger, looked.call, STEPWELL_ACTION_CONTINUE), STEPWELL_ERROR_STATE, "stand");
  CHECK(run(looked.call) == STEPWELL_CALL_STOPPED && told == 1);
  for (int i = 0; i < 20; i++) {
    wasm_val_t arg = val_i32(i), result = {0};
    wasm_val_vec_t args = {1, &arg}, results = {1, &result};
    wasm_func_t *func;
    start(engine, &others[i]);
    func = check_func(others[i].instance, "plain");
    CHECK(!wasm_func_call(func, &args, &results) && result.of.i32 == i + 1);
    wasm_func_delete(func);
  }
  for (int steps = 0; steps < 3; steps++) {
    pthread_t thread;
    uint64_t before = (uint64_t)told;
    CHECK(!pthread_create(&thread, NULL, look, &looked));
    CHECK(!pthread_join(thread, NULL));
    stop = looked.stop;
    CHECK(stepwell_stop_frame_count(stop) == 2);
    /* Where it cannot be run it stands as before. */
    FAILS(stepwell_call_run_slice(looked.call, 1, NULL, NULL), STEPWELL_ERROR_STATE, "slice");
    CHECK(stepwell_stop_frame_count(stop) == 2);
    CHECK(run(looked.call) == STEPWELL_CALL_STOPPED && (uint64_t)told == before + 1);
    /* It is another stop. */
    CHECK(!stepwell_stop_frame(stop, 0));
    LAST("used after");
  }
  /* The debugger is not deleted while a guest stands. */
  stepwell_debugger_delete(looked.debugger);
  CHECK(stepwell_last_error());
  CHECK((stop = stepwell_debugger_stop_of(looked.debugger, looked.call)));
  CHECK(stepwell_stop_message_set(stop, "enough"));
  OK(stepwell_debugger_answer(looked.debugger, looked.call, STEPWELL_ACTION_TRAP));
  FAILS(stepwell_call_run(looked.call, NULL, NULL), STEPWELL_ERROR_TRAP, "enough");
  stepwell_call_delete(looked.call);
  /* Who was called as usual cannot wait. */
  {
    wasm_func_t *func = check_func(guest.instance, "twice");
    wasm_val_t arg = val_i32(1), result = {0};
    wasm_val_vec_t args = {1, &arg}, results = {1, &result};
    FAILS(stepwell_func_call(func, &args, &results, NULL), STEPWELL_ERROR_TRAP, "cannot wait");
    wasm_func_delete(func);
  }
  /* One that stands is given up. */
  looked.call = call_of(&guest, "twice", 1);
  CHECK(run(looked.call) == STEPWELL_CALL_STOPPED);
  CHECK((stop = stepwell_debugger_stop_of(looked.debugger, looked.call)));
  stepwell_call_delete(looked.call);
  CHECK(!stepwell_stop_frame(stop, 0));
  stepwell_debugger_delete(looked.debugger);
  wasm_func_delete(looked.plain);
  for (int i = 0; i < 20; i++) end(&others[i]);
  end(&guest);
  wasm_engine_delete(engine);
}

int main(void) {
  wasm_engine_t *engine = wasm_engine_new();
  event_loop(engine);
  usual(engine);
  blocked(engine);
  wasm_engine_delete(engine);
  slices();
  deadlines();
  stops();
  CHECK(freed > 0);
  return 0;
}
