/* What embedders need beside running: WASI once for many stores, data of the host's on a store, modules without a store, linkers that
   are copied, imports that are not there, memory that is read and written with a check, and a say in growth and deadlines. */
#include "check.h"

#include <fenv.h>
#include <stdint.h>

static int finalized;
static void *finalized_last;

static void finalize(void *env) {
  finalized++;
  finalized_last = env;
}

static wasm_byte_vec_t binary_of(const unsigned char *bytes, size_t size) {
  wasm_byte_vec_t binary;
  binary.size = size;
  binary.data = (char *)(uintptr_t)bytes;
  return binary;
}

static wasm_engine_t *engine_with_epochs(void) {
  wasm_config_t *config = wasm_config_new();
  stepwell_config_epoch_set(config, true);
  return wasm_engine_new_with_config(config);
}

/* One linker, one shared module, one instance_pre: a store each. */
static void wasi_for_stores(void) {
  wasm_engine_t *engine = wasm_engine_new();
  stepwell_linker_t *linker = stepwell_linker_new(engine);
  wasm_byte_vec_t binary = binary_of(WASI, sizeof WASI), written;
  wasm_shared_module_t *shared = NULL;
  stepwell_instance_pre_t *pre = NULL;
  const char *args[] = {"a", "b", "c"};
  OK(stepwell_shared_module_new(engine, &binary, &shared));
  FAILS(stepwell_linker_instantiate_pre_shared(linker, shared, &pre), STEPWELL_ERROR_LINK, "args_sizes_get");
  CHECK(!pre);
  OK(stepwell_linker_define_wasi_for_stores(linker));
  FAILS(stepwell_linker_define_wasi_for_stores(linker), STEPWELL_ERROR_ARGUMENT, "is defined already");
  OK(stepwell_linker_instantiate_pre_shared(linker, shared, &pre));
  stepwell_linker_delete(linker);
  wasm_shared_module_delete(shared);
  for (size_t i = 0; i < 3; i++) {
    wasm_store_t *store = wasm_store_new(engine);
    stepwell_wasi_config_t *config = stepwell_wasi_config_new();
    stepwell_wasi_buffer_t *buffer = stepwell_wasi_buffer_new(100);
    wasm_instance_t *instance = NULL;
    wasm_func_t *func, *write;
    wasm_val_t values[1], results[1];
    wasm_val_vec_t args_vec = WASM_ARRAY_VEC(values), results_vec = WASM_ARRAY_VEC(results);
    wasm_trap_t *trap;
    int32_t status = 0;
    OK(stepwell_instance_pre_instantiate(pre, store, &instance, NULL));
    /* nothing yet: a trap that says what to call */
    write = check_func(instance, "write");
    values[0] = val_i32(1);
    trap = wasm_func_call(write, &args_vec, &results_vec);
    CHECK(trap && strstr(stepwell_trap_message(trap), "`fd_write`") && strstr(stepwell_trap_message(trap), "stepwell_store_wasi_set"));
    CHECK(stepwell_trap_code(trap) == STEPWELL_TRAP_HOST && !stepwell_trap_exit_status(trap, NULL));
    wasm_trap_delete(trap);
    OK(stepwell_wasi_config_args_set(config, i, args));
    OK(stepwell_wasi_config_stdout_buffer_set(config, buffer));
    OK(stepwell_store_wasi_set(store, config));
    CHECK(call_i32(write, 1) == 0);
    func = check_func(instance, "args");
    CHECK(call_i32(func, 0) == (int32_t)i);
    wasm_func_delete(func);
    OK(stepwell_wasi_buffer_read(buffer, true, &written));
    CHECK(name_is(&written, "abcd"));
    wasm_byte_vec_delete(&written);
    /* another takes its place, with a callback's environment that goes once */
    config = stepwell_wasi_config_new();
    stepwell_wasi_config_args_inherit(config);
    OK(stepwell_store_wasi_set(store, config));
    func = check_func(instance, "args");
    CHECK(call_i32(func, 0) == 1);
    wasm_func_delete(func);
    CHECK(call_i32(write, 1) == 0 && stepwell_wasi_buffer_size(buffer) == 0);
    func = check_func(instance, "exit");
    values[0] = val_i32(5);
    trap = wasm_func_call(func, &args_vec, &results_vec);
    CHECK(trap && stepwell_trap_exit_status(trap, &status) && status == 5);
    wasm_trap_delete(trap);
    wasm_func_delete(func);
    wasm_func_delete(write);
    wasm_instance_delete(instance);
    stepwell_wasi_buffer_delete(buffer);
    wasm_store_delete(store);
  }
  stepwell_instance_pre_delete(pre);
  wasm_engine_delete(engine);
}

static void *seen;

static wasm_trap_t *look(void *env, const stepwell_caller_t *caller, const wasm_val_vec_t *args, wasm_val_vec_t *results) {
  (void)args;
  seen = stepwell_caller_data(caller);
  CHECK(seen == stepwell_store_data_get(stepwell_caller_store(caller)));
  /* the host function may put something else there */
  OK(stepwell_store_data_set(stepwell_caller_store(caller), env, finalize));
  results->data[0] = val_i32(0);
  return NULL;
}

static stepwell_action_t at_stop(void *env, stepwell_stop_t *stop) {
  *(void **)env = stepwell_store_data_get(stepwell_stop_store(stop));
  return STEPWELL_ACTION_CONTINUE;
}

static void data_on_a_store(void) {
  wasm_config_t *config = wasm_config_new();
  wasm_engine_t *engine;
  wasm_store_t *store;
  wasm_functype_t *type = wasm_functype_new_1_1(wasm_valtype_new_i32(), wasm_valtype_new_i32());
  wasm_func_t *func = NULL;
  stepwell_debugger_t *debugger = NULL;
  wasm_module_t *module;
  wasm_instance_t *instance;
  int one, two, three;
  void *stopped = NULL;
  stepwell_config_debug_set(config, true);
  engine = wasm_engine_new_with_config(config);
  store = wasm_store_new(engine);
  finalized = 0;
  CHECK(!stepwell_store_data_get(store) && !stepwell_last_error());
  OK(stepwell_store_data_set(store, &one, finalize));
  CHECK(stepwell_store_data_get(store) == &one && finalized == 0);
  OK(stepwell_store_data_set(store, &two, finalize));
  CHECK(stepwell_store_data_get(store) == &two && finalized == 1 && finalized_last == &one);
  FAILS(stepwell_store_data_set(NULL, &three, finalize), STEPWELL_ERROR_ARGUMENT, "`store`");
  CHECK(finalized == 2 && finalized_last == &three);
  OK(stepwell_func_new(store, type, look, &three, NULL, &func));
  CHECK(call_i32(func, 1) == 0 && seen == &two && finalized == 3 && finalized_last == &two);
  CHECK(stepwell_store_data_get(store) == &three);
  /* seen at a stop by the store */
  module = MODULE(store, FIB);
  OK(stepwell_debugger_attach(store, at_stop, &stopped, NULL, &debugger));
  OK(stepwell_breakpoint_add_at_function(debugger, module, "fib", NULL));
  instance = check_instance(store, module);
  wasm_func_delete(func);
  func = check_func(instance, "fib");
  CHECK(call_i32(func, 1) == 1 && stopped == &three);
  wasm_func_delete(func);
  stepwell_debugger_delete(debugger);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wasm_functype_delete(type);
  wasm_store_delete(store);
  CHECK(finalized == 4 && finalized_last == &three);
  wasm_engine_delete(engine);
}

/* The store's data is there until everything in it is gone. */
static void finalize_func(void *env) {
  CHECK(finalized == 0);
  *(int *)env = 1;
}

static void data_goes_last(void) {
  wasm_engine_t *engine = wasm_engine_new();
  wasm_store_t *store = wasm_store_new(engine);
  wasm_functype_t *type = wasm_functype_new_1_1(wasm_valtype_new_i32(), wasm_valtype_new_i32());
  wasm_func_t *func = NULL;
  int gone = 0;
  finalized = 0;
  OK(stepwell_store_data_set(store, &gone, finalize));
  OK(stepwell_func_new(store, type, look, &gone, finalize_func, &func));
  wasm_functype_delete(type);
  wasm_store_delete(store);
  CHECK(!gone && finalized == 0); /* the function keeps it */
  wasm_func_delete(func);
  CHECK(gone && finalized == 1);
  wasm_engine_delete(engine);
}

static void validation(void) {
  static const unsigned char BAD[] = {0, 'a', 's', 'm', 1, 0, 0, 0, 10, 1};
  wasm_engine_t *engine = wasm_engine_new();
  wasm_byte_vec_t good = binary_of(FIB, sizeof FIB), bad = binary_of(BAD, sizeof BAD);
  stepwell_error_t *error;
  size_t offset = 0;
  OK(stepwell_module_validate(engine, &good));
  error = stepwell_module_validate(engine, &bad);
  CHECK(error && stepwell_error_code(error) == STEPWELL_ERROR_INVALID_MODULE && stepwell_error_offset(error, &offset) && offset >= 8);
  CHECK(strlen(stepwell_error_message(error)) > 0);
  stepwell_error_delete(error);
  FAILS(stepwell_module_validate(NULL, &good), STEPWELL_ERROR_ARGUMENT, "`engine`");
  FAILS(stepwell_module_validate(engine, NULL), STEPWELL_ERROR_ARGUMENT, "`binary`");
  wasm_engine_delete(engine);
}

static void linkers(void) {
  wasm_engine_t *engine = wasm_engine_new();
  wasm_store_t *store = wasm_store_new(engine);
  wasm_module_t *module = MODULE(store, WASI);
  stepwell_linker_t *linker = stepwell_linker_new(engine), *copy;
  wasm_instance_t *instance = NULL;
  wasm_trap_t *trap = NULL;
  wasm_extern_t *item;
  wasm_func_t *write;
  wasm_val_t values[1], results[1];
  wasm_val_vec_t args_vec = WASM_ARRAY_VEC(values), results_vec = WASM_ARRAY_VEC(results);
  CHECK(!stepwell_linker_clone(NULL));
  stepwell_last_error_clear();
  copy = stepwell_linker_clone(linker);
  OK(stepwell_linker_define_unknown_imports_as_traps(copy, module));
  FAILS(stepwell_linker_instantiate(linker, store, module, &instance, NULL), STEPWELL_ERROR_LINK, "args_sizes_get");
  stepwell_linker_delete(linker); /* the copy is its own */
  OK(stepwell_linker_instantiate(copy, store, module, &instance, NULL));
  write = check_func(instance, "write");
  values[0] = val_i32(1);
  trap = wasm_func_call(write, &args_vec, &results_vec);
  CHECK(trap && strstr(stepwell_trap_message(trap), "\"wasi_snapshot_preview1\".\"fd_write\""));
  wasm_trap_delete(trap);
  wasm_func_delete(write);
  wasm_instance_delete(instance);
  /* a module's exports as names: this one is a reactor without `_initialize` */
  trap = NULL;
  OK(stepwell_linker_define_module(copy, store, "lib", module, &trap));
  CHECK(!trap);
  item = stepwell_linker_get(copy, store, "lib", "args");
  CHECK(item && wasm_extern_kind(item) == WASM_EXTERN_FUNC);
  wasm_extern_delete(item);
  FAILS(stepwell_linker_define_module(copy, store, "lib", module, NULL), STEPWELL_ERROR_ARGUMENT, "is defined already");
  wasm_module_delete(module);
  /* one whose start function traps defines nothing */
  module = MODULE(store, START_TRAPS);
  OK(stepwell_linker_define_module(copy, store, "broken", module, &trap));
  CHECK(trap && stepwell_trap_code(trap) == STEPWELL_TRAP_UNREACHABLE);
  wasm_trap_delete(trap);
  FAILS(stepwell_linker_define_module(copy, store, "broken", module, NULL), STEPWELL_ERROR_TRAP, "unreachable");
  wasm_module_delete(module);
  stepwell_linker_delete(copy);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
}

static void memory_with_a_check(void) {
  wasm_engine_t *engine = wasm_engine_new();
  wasm_store_t *store = wasm_store_new(engine);
  wasm_limits_t limits = {1, 3};
  wasm_memorytype_t *type = wasm_memorytype_new(&limits);
  wasm_memory_t *memory = wasm_memory_new(store, type);
  char buffer[8] = "unread";
  OK(stepwell_memory_write(memory, 0xfffc, "abcd", 4));
  OK(stepwell_memory_read(memory, 0xfffb, buffer, 5));
  CHECK(memcmp(buffer, "\0abcd", 5) == 0);
  memcpy(buffer, "unread", 7);
  FAILS(stepwell_memory_read(memory, 0xfffd, buffer, 4), STEPWELL_ERROR_ARGUMENT, "4 bytes at 0xfffd are beyond a memory of 0x10000 bytes");
  FAILS(stepwell_memory_read(memory, UINT64_MAX, buffer, 2), STEPWELL_ERROR_ARGUMENT, "2 bytes at 0xffffffffffffffff");
  FAILS(stepwell_memory_write(memory, 0xfffd, "wxyz", 4), STEPWELL_ERROR_ARGUMENT, "4 bytes at 0xfffd are beyond a memory of 0x10000 bytes");
  CHECK(strcmp(buffer, "unread") == 0 && memcmp(wasm_memory_data(memory) + 0xfffc, "abcd", 4) == 0);
  /* nothing at the end is inside, and nothing beyond it is not */
  OK(stepwell_memory_read(memory, 0x10000, NULL, 0));
  OK(stepwell_memory_write(memory, 0x10000, NULL, 0));
  FAILS(stepwell_memory_read(memory, 0x10001, NULL, 0), STEPWELL_ERROR_ARGUMENT, "0x10001");
  CHECK(wasm_memory_grow(memory, 1));
  OK(stepwell_memory_write(memory, 0xfffd, "wxyz", 4));
  wasm_memory_delete(memory);
  wasm_memorytype_delete(type);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
}

typedef struct limiter {
  wasm_store_t *store;
  wasm_memory_t *memory;
  uint64_t most; /* bytes */
  int asked;
  bool leaves;     /* without an answer */
  const char *say; /* as a trap */
  stepwell_growth_t last;
} limiter;

/* How numbers are computed; `fegetround` tells of a register that guests do not use. */
static bool rounds_up(void) {
  volatile double one = 1.0, three = 3.0;
  return one / three > 0x1.5555555555555p-2;
}

static void limit(void *env, const stepwell_growth_t *growth, stepwell_outcome_t *outcome) {
  limiter *l = env;
  CHECK(rounds_up()); /* the host's way, whoever asks */
  l->asked++;
  l->last = *growth;
  if (l->leaves) {
    return;
  }
  if (l->say) {
    wasm_message_t message;
    wasm_name_new_from_string_nt(&message, l->say);
    outcome->trap = wasm_trap_new(l->store, &message);
    wasm_name_delete(&message);
  }
  if (l->memory) { /* it may look at the store, not have it grow, nor delete it */
    CHECK(wasm_memory_size(l->memory) * (uint64_t)65536 == growth->current);
    FAILS(stepwell_memory_grow(l->memory, 1, NULL), STEPWELL_ERROR_LIMIT, "limiter");
    wasm_store_delete(l->store);
    LAST("inside a callback");
  }
  outcome->value = growth->what == STEPWELL_GROWING_TABLE ? growth->desired <= 4 : growth->desired <= l->most;
  outcome->done = 1;
}

static void growth(void) {
  wasm_engine_t *engine = wasm_engine_new();
  wasm_store_t *store = wasm_store_new(engine);
  wasm_limits_t limits = {1, 6};
  wasm_memorytype_t *type = wasm_memorytype_new(&limits);
  wasm_module_t *module = MODULE(store, WASI);
  stepwell_linker_t *linker = stepwell_linker_new(engine);
  wasm_instance_t *instance = NULL;
  wasm_memory_t *memory;
  limiter l = {0}, other = {0};
  uint64_t before = 9;
  wasm_func_t *grow;
  CHECK(fesetround(FE_UPWARD) == 0);
  finalized = 0;
  l.store = store;
  l.most = 2 * 65536;
  OK(stepwell_store_limiter_set(store, limit, &l, finalize));
  FAILS(stepwell_store_limiter_set(store, NULL, &other, finalize), STEPWELL_ERROR_ARGUMENT, "`callback`");
  CHECK(finalized == 1 && finalized_last == &other && l.asked == 0);
  memory = wasm_memory_new(store, type);
  CHECK(memory && l.asked == 1 && l.last.what == STEPWELL_GROWING_MEMORY && l.last.current == 0);
  CHECK(l.last.desired == 65536 && l.last.maximum == 6 * 65536);
  l.memory = memory;
  OK(stepwell_memory_grow(memory, 1, &before));
  CHECK(before == 1 && l.asked == 2 && l.last.current == 65536 && l.last.desired == 2 * 65536);
  FAILS(stepwell_memory_grow(memory, 1, &before), STEPWELL_ERROR_LIMIT, "196608 bytes");
  CHECK(!wasm_memory_grow(memory, 1));
  LAST("limiter has refused");
  FAILS(stepwell_memory_grow(memory, 9, &before), STEPWELL_ERROR_LIMIT, "cannot grow");
  CHECK(l.asked == 4 && before == 1); /* what the type does not allow is no question */
  l.memory = NULL;
  l.say = "no more, please";
  FAILS(stepwell_memory_grow(memory, 1, NULL), STEPWELL_ERROR_TRAP, "no more, please");
  l.say = NULL;
  l.leaves = true;
  FAILS(stepwell_memory_grow(memory, 1, NULL), STEPWELL_ERROR_TRAP, "limiter was left");
  l.leaves = false;
  /* at instantiation */
  OK(stepwell_linker_define_wasi_for_stores(linker));
  l.most = 65535;
  FAILS(stepwell_linker_instantiate(linker, store, module, &instance, NULL), STEPWELL_ERROR_LIMIT, "65536 bytes");
  CHECK(!instance && l.last.maximum == UINT64_MAX);
  l.most = 65536;
  OK(stepwell_linker_instantiate(linker, store, module, &instance, NULL));
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  /* asked by a guest */
  module = MODULE(store, EVENTS);
  OK(stepwell_linker_define_unknown_imports_as_traps(linker, module));
  OK(stepwell_linker_instantiate(linker, store, module, &instance, NULL));
  grow = check_func(instance, "grow");
  l.most = 3 * 65536;
  CHECK(call_i32(grow, 2) == 1 && call_i32(grow, 1) == -1 && rounds_up());
  CHECK(l.last.current == 3 * 65536 && l.last.desired == 4 * 65536 && l.last.maximum == 4 * 65536);
  wasm_func_delete(grow);
  /* another takes its place */
  other.most = UINT64_MAX;
  OK(stepwell_store_limiter_set(store, limit, &other, finalize));
  CHECK(finalized == 2 && finalized_last == &l);
  OK(stepwell_memory_grow(memory, 1, NULL));
  CHECK(other.asked == 1);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  stepwell_linker_delete(linker);
  wasm_memory_delete(memory);
  wasm_memorytype_delete(type);
  wasm_store_delete(store);
  CHECK(finalized == 3 && finalized_last == &other);
  wasm_engine_delete(engine);
  CHECK(fesetround(FE_TONEAREST) == 0);
}

typedef struct deadline {
  int asked;
  uint64_t answer, epochs;
  wasm_store_t *store;
  wasm_func_t *func;
  const char *say;
} deadline;

static void over(void *env, uint64_t *epochs, stepwell_outcome_t *outcome) {
  deadline *d = env;
  wasm_val_t args[1], results[1];
  wasm_val_vec_t args_vec = WASM_ARRAY_VEC(args), results_vec = WASM_ARRAY_VEC(results);
  wasm_trap_t *trap;
  d->asked++;
  CHECK(*epochs == 1);
  *epochs = d->epochs;
  if (d->say) {
    wasm_message_t message;
    wasm_name_new_from_string_nt(&message, d->say);
    outcome->trap = wasm_trap_new(d->store, &message);
    wasm_name_delete(&message);
  }
  args[0] = val_i32(1);
  trap = wasm_func_call(d->func, &args_vec, &results_vec); /* guests are not called */
  CHECK(trap);
  wasm_trap_delete(trap);
  outcome->value = d->answer;
  outcome->done = 1;
}

static void deadlines(void) {
  wasm_engine_t *engine = engine_with_epochs();
  wasm_store_t *store = wasm_store_new(engine);
  wasm_module_t *module = MODULE(store, FIB);
  wasm_instance_t *instance = check_instance(store, module);
  wasm_func_t *func = check_func(instance, "fib");
  wasm_val_t args[1], results[1];
  wasm_val_vec_t args_vec = WASM_ARRAY_VEC(args), results_vec = WASM_ARRAY_VEC(results);
  wasm_trap_t *trap;
  deadline d = {0, STEPWELL_AT_DEADLINE_EXTEND, 2, NULL, NULL, NULL};
  d.func = func;
  d.store = store;
  args[0] = val_i32(5);
  finalized = 0;
  OK(stepwell_store_at_deadline_set(store, over, &d, finalize));
  FAILS(stepwell_store_at_deadline_set(store, NULL, &args, finalize), STEPWELL_ERROR_ARGUMENT, "`callback`");
  CHECK(finalized == 1 && finalized_last == &args);
  OK(stepwell_store_epoch_deadline_set(store, 0));
  CHECK(call_i32(func, 10) == 55 && d.asked == 1);
  stepwell_engine_epoch_increment(engine);
  CHECK(call_i32(func, 10) == 55 && d.asked == 1);
  stepwell_engine_epoch_increment(engine);
  d.answer = STEPWELL_AT_DEADLINE_END;
  trap = wasm_func_call(func, &args_vec, &results_vec);
  CHECK(trap && stepwell_trap_code(trap) == STEPWELL_TRAP_INTERRUPT && d.asked == 2);
  wasm_trap_delete(trap);
  d.say = "time is over";
  trap = wasm_func_call(func, &args_vec, &results_vec);
  CHECK(trap && !strcmp(stepwell_trap_message(trap), "time is over") && stepwell_trap_code(trap) == STEPWELL_TRAP_HOST);
  wasm_trap_delete(trap);
  d.say = NULL;
  d.answer = 77;
  trap = wasm_func_call(func, &args_vec, &results_vec);
  CHECK(trap && strstr(stepwell_trap_message(trap), "answered 77"));
  wasm_trap_delete(trap);
  d.answer = STEPWELL_AT_DEADLINE_EXTEND;
  d.epochs = UINT64_MAX;
  CHECK(call_i32(func, 10) == 55 && call_i32(func, 10) == 55 && d.asked == 5);
  wasm_func_delete(func);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wasm_store_delete(store);
  CHECK(finalized == 2 && finalized_last == &d);
  wasm_engine_delete(engine);
  engine = wasm_engine_new();
  store = wasm_store_new(engine);
  FAILS(stepwell_store_at_deadline_set(store, over, &d, finalize), STEPWELL_ERROR_STATE, "`epoch`");
  CHECK(finalized == 3);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
}

int main(void) {
  wasi_for_stores();
  data_on_a_store();
  data_goes_last();
  validation();
  linkers();
  memory_with_a_check();
  growth();
  deadlines();
  puts("ok");
  return 0;
}
