/* What ends guests: fuel, deadlines, interrupts from other threads. Fast calls both ways on raw values, callers, instances of imports
   that were found before. */
#include "check.h"

#include <pthread.h>
#include <time.h>

static int finalized;

static void finalize(void *env) {
  ++*(int *)env;
}

/* A call must trap, with this code. */
static void traps(stepwell_error_t *error, wasm_trap_t **trap, int code) {
  OK(error);
  CHECK(*trap && stepwell_trap_code(*trap) == code);
  wasm_trap_delete(*trap);
  *trap = NULL;
}

static wasm_trap_t *mix(void *env, const stepwell_caller_t *caller, stepwell_raw_val_t *values) {
  double sum = values[0].i32 + (double)values[1].i64 + values[2].f32 + values[3].f64;
  CHECK(env == &finalized && caller);
  if (values[0].i32 == -1) {
    wasm_message_t message;
    wasm_trap_t *trap;
    wasm_name_new_from_string_nt(&message, "minus one is refused");
    trap = wasm_trap_new(stepwell_caller_store(caller), &message);
    wasm_name_delete(&message);
    return trap;
  }
  values[1].i32 = values[0].i32 * 2;
  values[0].f64 = sum;
  return NULL;
}

/* What is in the memory of whoever calls. */
static wasm_trap_t *peek(void *env, const stepwell_caller_t *caller, const wasm_val_vec_t *args, wasm_val_vec_t *results) {
  wasm_extern_t *memory = stepwell_caller_export(caller, "memory");
  wasm_instance_t *instance = stepwell_caller_instance(caller);
  (void)env;
  CHECK(stepwell_caller_store(caller) && !stepwell_caller_export(caller, "nothing"));
  if (!memory) { /* called by the host */
    CHECK(!instance);
    results->data[0] = val_i32(-1);
    return NULL;
  }
  CHECK(instance);
  /* the store is borrowed, and in use: it is not deleted */
  stepwell_last_error_clear();
  wasm_store_delete(stepwell_caller_store(caller));
  LAST("inside a callback");
  results->data[0] = val_i32(wasm_memory_data(wasm_extern_as_memory(memory))[args->data[0].of.i32]);
  wasm_extern_delete(memory);
  wasm_instance_delete(instance);
  return NULL;
}

static wasm_functype_t *mix_type(void) {
  wasm_valtype_t *list[4];
  wasm_valtype_vec_t params, results;
  list[0] = wasm_valtype_new_i32();
  list[1] = wasm_valtype_new_i64();
  list[2] = wasm_valtype_new_f32();
  list[3] = wasm_valtype_new_f64();
  wasm_valtype_vec_new(&params, 4, list);
  list[0] = wasm_valtype_new_f64();
  list[1] = wasm_valtype_new_i32();
  wasm_valtype_vec_new(&results, 2, list);
  return wasm_functype_new(&params, &results);
}

static wasm_config_t *limited(void) {
  wasm_config_t *config = wasm_config_new();
  stepwell_config_fuel_set(config, true);
  stepwell_config_epoch_set(config, true);
  return config;
}

static void fast_calls(void) {
  wasm_engine_t *engine = wasm_engine_new();
  wasm_store_t *store = wasm_store_new(engine);
  wasm_module_t *module = MODULE(store, LIMITS);
  stepwell_linker_t *linker = stepwell_linker_new(engine);
  wasm_functype_t *type = mix_type();
  wasm_functype_t *unary = wasm_functype_new_1_1(wasm_valtype_new_i32(), wasm_valtype_new_i32());
  wasm_functype_t *refs = wasm_functype_new_1_1(wasm_valtype_new_externref(), wasm_valtype_new_externref());
  stepwell_instance_pre_t *pre = NULL;
  stepwell_typed_func_t *typed = NULL;
  wasm_func_t *func = NULL;
  wasm_trap_t *trap = NULL;
  int ends = 0;

  FAILS(stepwell_linker_instantiate_pre(linker, module, &pre), STEPWELL_ERROR_LINK, "\"host\".\"mix\"");
  FAILS(stepwell_linker_define_func_unchecked(linker, "host", "mix", refs, mix, &ends, finalize),
        STEPWELL_ERROR_ARGUMENT, "references");
  FAILS(stepwell_linker_define_func_unchecked(linker, "host", "mix", type, NULL, &ends, finalize),
        STEPWELL_ERROR_ARGUMENT, "`callback` must not be NULL");
  CHECK(ends == 2);
  OK(stepwell_linker_define_func_unchecked(linker, "host", "mix", type, mix, &finalized, finalize));
  OK(stepwell_linker_define_caller_func(linker, "host", "peek", unary, peek, &finalized, finalize));
  OK(stepwell_linker_instantiate_pre(linker, module, &pre));
  stepwell_linker_delete(linker);

  for (int round = 0; round < 3; round++) { /* in stores of their own */
    wasm_store_t *other = round ? wasm_store_new(engine) : store;
    wasm_instance_t *instance = NULL;
    stepwell_raw_val_t values[4];
    OK(stepwell_instance_pre_instantiate(pre, other, &instance, &trap));
    CHECK(instance && !trap);
    func = check_func(instance, "peek");
    CHECK(call_i32(func, 16) == 'g');
    wasm_func_delete(func);

    func = check_func(instance, "mix");
    FAILS(stepwell_typed_func_new(func, unary, &typed), STEPWELL_ERROR_ARGUMENT, "the function's type is");
    OK(stepwell_typed_func_new(func, type, &typed));
    wasm_func_delete(func);
    values[0].i32 = 7;
    values[1].i64 = 1LL << 40;
    values[2].f32 = 0.5f;
    values[3].f64 = -2.25;
    FAILS(stepwell_typed_func_call(typed, values, 3, &trap), STEPWELL_ERROR_ARGUMENT, "needs 4");
    FAILS(stepwell_typed_func_call(typed, NULL, 4, &trap), STEPWELL_ERROR_ARGUMENT, "`values` must not be NULL");
    OK(stepwell_typed_func_call(typed, values, 4, &trap));
    CHECK(!trap && values[0].f64 == 7 + (double)(1LL << 40) + 0.5 - 2.25 && values[1].i32 == 14);
    values[0].i32 = -1;
    values[1].i64 = 0;
    values[2].f32 = 0;
    values[3].f64 = 0;
    OK(stepwell_typed_func_call(typed, values, 4, &trap));
    CHECK(trap && stepwell_trap_code(trap) == STEPWELL_TRAP_HOST);
    wasm_trap_delete(trap);
    trap = NULL;
    values[0].i32 = -1;
    FAILS(stepwell_typed_func_call(typed, values, 4, NULL), STEPWELL_ERROR_TRAP, "minus one is refused");
    stepwell_typed_func_delete(typed);
    typed = NULL;

    func = check_func(instance, "refs");
    FAILS(stepwell_typed_func_new(func, refs, &typed), STEPWELL_ERROR_ARGUMENT, "references");
    wasm_func_delete(func);
    wasm_instance_delete(instance);
    if (round) wasm_store_delete(other);
  }
  stepwell_instance_pre_delete(pre);

  /* called by the host itself, checked and raw */
  OK(stepwell_func_new(store, unary, peek, &ends, finalize, &func));
  CHECK(call_i32(func, 0) == -1);
  wasm_func_delete(func);
  OK(stepwell_func_new_unchecked(store, type, mix, &finalized, finalize, &func));
  OK(stepwell_typed_func_new(func, type, &typed));
  wasm_func_delete(func);
  {
    stepwell_raw_val_t values[4] = {{.i32 = 1}, {.i64 = 2}, {.f32 = 3}, {.f64 = 4}};
    OK(stepwell_typed_func_call(typed, values, 4, NULL));
    CHECK(values[0].f64 == 10 && values[1].i32 == 2);
  }
  FAILS(stepwell_func_new(store, unary, NULL, &ends, finalize, &func), STEPWELL_ERROR_ARGUMENT, "`callback`");
  FAILS(stepwell_func_new(NULL, unary, peek, &ends, finalize, &func), STEPWELL_ERROR_ARGUMENT, "`store`");
  FAILS(stepwell_func_new_unchecked(store, refs, mix, &ends, finalize, &func), STEPWELL_ERROR_ARGUMENT, "references");
  CHECK(ends == 5);
  wasm_functype_delete(type);
  wasm_functype_delete(unary);
  wasm_functype_delete(refs);
  wasm_module_delete(module);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  stepwell_typed_func_delete(typed); /* it has kept all that alive */
  CHECK(finalized == 3 && ends == 6);
}

static void fuel(void) {
  wasm_engine_t *engine = wasm_engine_new_with_config(limited());
  wasm_store_t *store = wasm_store_new(engine);
  wasm_module_t *module = MODULE(store, FIB);
  wasm_instance_t *instance = check_instance(store, module);
  wasm_func_t *fib = check_func(instance, "fib");
  wasm_val_t args[1], results[1];
  wasm_val_vec_t args_vec = WASM_ARRAY_VEC(args), results_vec = WASM_ARRAY_VEC(results);
  wasm_trap_t *trap = NULL;
  uint64_t left = 0;

  args[0] = val_i32(10);
  traps(stepwell_func_call(fib, &args_vec, &results_vec, &trap), &trap, STEPWELL_TRAP_OUT_OF_FUEL);
  OK(stepwell_store_fuel_set(store, 1000000));
  CHECK(call_i32(fib, 10) == 55);
  OK(stepwell_store_fuel_get(store, &left));
  /* 177 calls: 12 instructions each to the `if`, then one, or 9 with two calls */
  CHECK(left == 1000000 - (177 * 12 + 89 + 88 * 9));
  OK(stepwell_store_fuel_set(store, 500));
  traps(stepwell_func_call(fib, &args_vec, &results_vec, &trap), &trap, STEPWELL_TRAP_OUT_OF_FUEL);
  OK(stepwell_store_fuel_get(store, &left));
  CHECK(left == 0);
  FAILS(stepwell_store_fuel_get(store, NULL), STEPWELL_ERROR_ARGUMENT, "`out`");
  FAILS(stepwell_store_fuel_set(NULL, 1), STEPWELL_ERROR_ARGUMENT, "`store`");
  wasm_func_delete(fib);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
}

static void *interrupt_soon(void *interrupt) {
  struct timespec time = {0, 2000000};
  nanosleep(&time, NULL);
  stepwell_interrupt_raise(interrupt);
  return NULL;
}

static void *tick(void *engine) {
  struct timespec time = {0, 1000000};
  for (int i = 0; i < 3; i++) {
    nanosleep(&time, NULL);
    stepwell_engine_epoch_increment(engine);
  }
  return NULL;
}

static wasm_trap_t *nothing(void *env, const stepwell_caller_t *caller, const wasm_val_vec_t *args,
                            wasm_val_vec_t *results) {
  (void)env, (void)caller, (void)args, (void)results;
  return NULL;
}

static void interrupts(void) {
  wasm_engine_t *engine = wasm_engine_new_with_config(limited());
  wasm_store_t *store = wasm_store_new(engine);
  wasm_module_t *module = MODULE(store, LIMITS);
  stepwell_linker_t *linker = stepwell_linker_new(engine);
  wasm_functype_t *type = mix_type();
  wasm_functype_t *unary = wasm_functype_new_1_1(wasm_valtype_new_i32(), wasm_valtype_new_i32());
  wasm_val_vec_t none = WASM_EMPTY_VEC;
  wasm_instance_t *instance = NULL;
  stepwell_interrupt_t *interrupt = NULL;
  wasm_func_t *forever;
  wasm_trap_t *trap = NULL;
  pthread_t thread;

  OK(stepwell_linker_define_caller_func(linker, "host", "mix", type, nothing, NULL, NULL));
  OK(stepwell_linker_define_caller_func(linker, "host", "peek", unary, nothing, NULL, NULL));
  OK(stepwell_linker_instantiate(linker, store, module, &instance, NULL));
  stepwell_linker_delete(linker);
  wasm_functype_delete(type);
  wasm_functype_delete(unary);
  forever = check_func(instance, "forever");
  OK(stepwell_store_fuel_set(store, UINT64_MAX));
  OK(stepwell_interrupt_new(store, &interrupt));
  for (int i = 0; i < 3; i++) {
    CHECK(!pthread_create(&thread, NULL, interrupt_soon, interrupt));
    traps(stepwell_func_call(forever, &none, &none, &trap), &trap, STEPWELL_TRAP_INTERRUPT);
    CHECK(!pthread_join(thread, NULL));
  }
  OK(stepwell_store_epoch_deadline_set(store, 2));
  CHECK(!pthread_create(&thread, NULL, tick, engine));
  traps(stepwell_func_call(forever, &none, &none, &trap), &trap, STEPWELL_TRAP_INTERRUPT);
  CHECK(!pthread_join(thread, NULL));
  OK(stepwell_store_epoch_deadline_set(store, UINT64_MAX));
  stepwell_interrupt_raise(interrupt);
  stepwell_store_interrupt_clear(store);
  OK(stepwell_store_fuel_set(store, 10000));
  traps(stepwell_func_call(forever, &none, &none, &trap), &trap, STEPWELL_TRAP_OUT_OF_FUEL);
  FAILS(stepwell_interrupt_new(NULL, &interrupt), STEPWELL_ERROR_ARGUMENT, "`store`");
  FAILS(stepwell_interrupt_new(store, NULL), STEPWELL_ERROR_ARGUMENT, "`out`");
  wasm_func_delete(forever);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  stepwell_interrupt_raise(interrupt); /* it outlives all */
  stepwell_interrupt_delete(interrupt);
  stepwell_interrupt_delete(NULL);
}

static void not_configured(void) {
  wasm_engine_t *engine = wasm_engine_new();
  wasm_store_t *store = wasm_store_new(engine);
  stepwell_interrupt_t *interrupt = NULL;
  uint64_t left = 17;
  FAILS(stepwell_store_fuel_set(store, 1), STEPWELL_ERROR_STATE, "`fuel`");
  FAILS(stepwell_store_fuel_get(store, &left), STEPWELL_ERROR_STATE, "`fuel`");
  FAILS(stepwell_store_epoch_deadline_set(store, 1), STEPWELL_ERROR_STATE, "`epoch`");
  FAILS(stepwell_interrupt_new(store, &interrupt), STEPWELL_ERROR_STATE, "`epoch`");
  CHECK(left == 17 && !interrupt);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
}

static void features(void) {
  wasm_config_t *config = wasm_config_new();
  wasm_engine_t *engine;
  wasm_store_t *store;
  wasm_module_t *module = NULL;
  wasm_byte_vec_t binary;
  FAILS(stepwell_config_feature_set(config, 99, false), STEPWELL_ERROR_ARGUMENT, "99");
  FAILS(stepwell_config_feature_set(config, -1, true), STEPWELL_ERROR_ARGUMENT, "-1");
  FAILS(stepwell_config_feature_set(NULL, 0, true), STEPWELL_ERROR_ARGUMENT, "`config`");
  for (int feature = STEPWELL_FEATURE_SIGN_EXTENSION; feature <= STEPWELL_FEATURE_COMPACT_IMPORTS; feature++) {
    OK(stepwell_config_feature_set(config, feature, true));
  }
  OK(stepwell_config_feature_set(config, STEPWELL_FEATURE_REFERENCE_TYPES, false));
  OK(stepwell_config_feature_set(config, STEPWELL_FEATURE_MULTI_VALUE, false));
  engine = wasm_engine_new_with_config(config);
  store = wasm_store_new(engine);
  binary.size = sizeof(LIMITS);
  binary.data = (char *)(uintptr_t)LIMITS;
  FAILS(stepwell_module_new(store, &binary, &module), STEPWELL_ERROR_UNSUPPORTED, "switched off in the configuration");
  CHECK(!module);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
}

int main(void) {
  fast_calls();
  fuel();
  interrupts();
  not_configured();
  features();
  puts("ok");
  return 0;
}
