/* Hosts of all kinds: guests on threads that the host has made, with little stack, and on coroutines, which are left inside host
 * functions and go on in any order. Forks are in fork.c. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "check.h"
#include "yield.h"

/* Calls a function without parameters or results; the code of its trap. */
static stepwell_trap_code_t trap_of(const wasm_func_t *func, int32_t *arg) {
  wasm_val_t args[1], results[1];
  wasm_val_vec_t none = WASM_EMPTY_VEC, args_vec = WASM_ARRAY_VEC(args), results_vec = WASM_ARRAY_VEC(results);
  wasm_trap_t *trap;
  stepwell_trap_code_t code;
  if (arg) args[0] = val_i32(*arg);
  trap = wasm_func_call(func, arg ? &args_vec : &none, arg ? &results_vec : &none);
  CHECK(trap);
  code = stepwell_trap_code(trap);
  wasm_trap_delete(trap);
  return code;
}

static wasm_engine_t *engine;

/* A guest with little stack runs, overflows the stack, and runs again. */
static void *thread_main(void *env) {
  wasm_store_t *store = wasm_store_new(engine);
  wasm_module_t *fibs = MODULE(store, FIB), *traps = MODULE(store, TRAPS);
  wasm_instance_t *fib_instance = check_instance(store, fibs), *instance = check_instance(store, traps);
  wasm_func_t *fib = check_func(fib_instance, "fib"), *recurse = check_func(instance, "recurse");
  (void)env;
  for (int i = 0; i < 3; i++) {
    CHECK(call_i32(fib, 12) == 144);
    CHECK(trap_of(recurse, NULL) == STEPWELL_TRAP_STACK_OVERFLOW);
  }
  wasm_func_delete(fib);
  wasm_func_delete(recurse);
  wasm_instance_delete(fib_instance);
  wasm_instance_delete(instance);
  wasm_module_delete(fibs);
  wasm_module_delete(traps);
  wasm_store_delete(store);
  return NULL;
}

static void foreign_threads(void) {
  static const size_t stacks[] = {256 << 10, 512 << 10, 1 << 20, 8 << 20};
  for (int round = 0; round < 4; round++) {
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
      pthread_attr_t attr;
      CHECK(pthread_attr_init(&attr) == 0);
      CHECK(pthread_attr_setstacksize(&attr, stacks[i]) == 0);
      CHECK(pthread_create(&threads[i], &attr, thread_main, NULL) == 0);
      pthread_attr_destroy(&attr);
    }
    for (int i = 0; i < 4; i++) CHECK(pthread_join(threads[i], NULL) == 0);
  }
}

/* AddressSanitizer wants to be told of stacks, too, or takes what traps leave on them for what is in use. */
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#define LEAVE(saved, bottom, bytes) __sanitizer_start_switch_fiber((saved), (bottom), (bytes))
#define ARRIVE(saved, bottom, bytes) __sanitizer_finish_switch_fiber((saved), (bottom), (bytes))
#else
#define LEAVE(saved, bottom, bytes) ((void)(saved), (void)(bottom), (void)(bytes))
#define ARRIVE(saved, bottom, bytes) ((void)(saved), (void)(bottom), (void)(bytes))
#endif

/* A coroutine: its stack with a closed page below, and where it and its resumer stand. */
typedef struct {
  ucontext_t here, resumer;
  void *pages;
  stepwell_stack_t *stack;
  wasm_store_t *store;
  wasm_func_t *run, *recurse;
  wasm_instance_t *instances[2];
  wasm_module_t *modules[2];
  int32_t answer;
  int steps;
  bool done;
  /* The resumer's stack. */
  const void *bottom;
  size_t bytes;
} coroutine_t;

enum { STACK_BYTES = 256 << 10, PAGE = 4096 };

static coroutine_t *running;

/* Switches to a coroutine, until it yields or ends. */
static void resume(coroutine_t *coroutine) {
  coroutine_t *before = running;
  void *saved = NULL;
  running = coroutine;
  OK(stepwell_thread_stack_set(coroutine->stack));
  LEAVE(&saved, (char *)coroutine->pages + PAGE, STACK_BYTES);
  CHECK(swapcontext(&coroutine->resumer, &coroutine->here) == 0);
  ARRIVE(saved, (const void **)NULL, (size_t *)NULL);
  running = before;
  OK(stepwell_thread_stack_set(before ? before->stack : NULL));
}

static wasm_trap_t *yield(void *env, const wasm_val_vec_t *args, wasm_val_vec_t *results) {
  coroutine_t *me = running;
  void *saved = NULL;
  (void)env;
  CHECK(args->data[0].of.i32 == 7);
  me->steps++;
  LEAVE(&saved, me->bottom, me->bytes);
  CHECK(swapcontext(&me->here, &me->resumer) == 0);
  ARRIVE(saved, &me->bottom, &me->bytes);
  results->data[0] = val_i32(me->answer);
  return NULL;
}

static void coroutine_main(void) {
  coroutine_t *me = running;
  int32_t seven = 7;
  ARRIVE(NULL, &me->bottom, &me->bytes);
  CHECK(call_i32(me->run, 7) == 100 / me->answer);
  /* More than this stack has: a trap, and the page below is not touched. */
  CHECK(trap_of(me->recurse, NULL) == STEPWELL_TRAP_STACK_OVERFLOW);
  CHECK(trap_of(me->run, &seven) == STEPWELL_TRAP_INTEGER_DIVISION_BY_ZERO);
  CHECK(call_i32(me->run, 7) == 100 / me->answer);
  me->done = true;
  LEAVE((void **)NULL, me->bottom, me->bytes);
  swapcontext(&me->here, &me->resumer);
}

static void start(coroutine_t *coroutine) {
  stepwell_linker_t *linker = stepwell_linker_new(engine);
  wasm_functype_t *type = wasm_functype_new_1_1(wasm_valtype_new_i32(), wasm_valtype_new_i32());
  memset(coroutine, 0, sizeof(*coroutine));
  coroutine->store = wasm_store_new(engine);
  coroutine->modules[0] = MODULE(coroutine->store, YIELD);
  coroutine->modules[1] = MODULE(coroutine->store, TRAPS);
  OK(stepwell_linker_define_func(linker, "host", "yield", type, yield, NULL, NULL));
  OK(stepwell_linker_instantiate(linker, coroutine->store, coroutine->modules[0], &coroutine->instances[0], NULL));
  coroutine->instances[1] = check_instance(coroutine->store, coroutine->modules[1]);
  coroutine->run = check_func(coroutine->instances[0], "run");
  coroutine->recurse = check_func(coroutine->instances[1], "recurse");
  wasm_functype_delete(type);
  stepwell_linker_delete(linker);
  coroutine->pages =
      mmap(NULL, PAGE + STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(coroutine->pages != MAP_FAILED);
  CHECK(mprotect(coroutine->pages, PAGE, PROT_NONE) == 0);
  OK(stepwell_stack_new((char *)coroutine->pages + PAGE, STACK_BYTES, &coroutine->stack));
  CHECK(getcontext(&coroutine->here) == 0);
  coroutine->here.uc_stack.ss_sp = (char *)coroutine->pages + PAGE;
  coroutine->here.uc_stack.ss_size = STACK_BYTES;
  makecontext(&coroutine->here, coroutine_main, 0);
}

static void end(coroutine_t *coroutine) {
  wasm_func_delete(coroutine->run);
  wasm_func_delete(coroutine->recurse);
  for (int i = 0; i < 2; i++) {
    wasm_instance_delete(coroutine->instances[i]);
    wasm_module_delete(coroutine->modules[i]);
  }
  wasm_store_delete(coroutine->store);
  stepwell_stack_delete(coroutine->stack);
  CHECK(!stepwell_last_error());
  CHECK(munmap(coroutine->pages, PAGE + STACK_BYTES) == 0);
}

/* Another thread may not go on with a coroutine. */
static void *other_thread(void *env) {
  FAILS(stepwell_thread_stack_set(env), STEPWELL_ERROR_STATE, "the thread that has called it");
  return NULL;
}

static void coroutines(void) {
  enum { COUNT = 5 };
  static coroutine_t all[COUNT];
  pthread_t thread;
  unsigned seed = 1;
  int left = COUNT;
  for (int i = 0; i < COUNT; i++) start(&all[i]);
  for (int i = 0; i < COUNT; i++) resume(&all[i]);
  for (int i = 0; i < COUNT; i++) CHECK(all[i].steps == 1);

  /* All wait inside their guests. What is not possible now is refused. */
  CHECK(pthread_create(&thread, NULL, other_thread, all[0].stack) == 0);
  CHECK(pthread_join(thread, NULL) == 0);
  {
    wasm_val_t args[1], results[1];
    wasm_val_vec_t args_vec = WASM_ARRAY_VEC(args), results_vec = WASM_ARRAY_VEC(results);
    args[0] = val_i32(7);
    FAILS(stepwell_func_call(all[0].run, &args_vec, &results_vec, NULL), STEPWELL_ERROR_STATE, "on another stack");
  }
  stepwell_stack_delete(all[0].stack);
  LAST("a guest waits on it");

  /* They go on in any order, and each traps and ends as if it were alone. Meanwhile this stack has guests too. */
  while (left > 0) {
    coroutine_t *next;
    seed = seed * 1664525 + 1013904223;
    next = &all[(seed >> 16) % COUNT];
    if (next->done) continue;
    next->answer = next->steps == 2 ? 0 : 4;
    resume(next);
    if (next->done) left--;
    if (left % 2) thread_main(NULL);
  }
  for (int i = 0; i < COUNT; i++) {
    CHECK(all[i].steps == 3);
    end(&all[i]);
  }
}

static void bad_stacks(void) {
  static char memory[32 << 10];
  stepwell_stack_t *stack = NULL;
  FAILS(stepwell_stack_new(memory, 100, &stack), STEPWELL_ERROR_ARGUMENT, "less than 16 KiB");
  FAILS(stepwell_stack_new(NULL, 1 << 20, &stack), STEPWELL_ERROR_ARGUMENT, "`base`");
  FAILS(stepwell_stack_new(memory, sizeof(memory), NULL), STEPWELL_ERROR_ARGUMENT, "`out`");
  CHECK(!stack);
  OK(stepwell_stack_new(memory, sizeof(memory), &stack));
  /* A thread that is not where it says is bounded by its own stack. */
  OK(stepwell_thread_stack_set(stack));
  thread_main(NULL);
  stepwell_stack_delete(stack);
  LAST("a thread is on the stack");
  OK(stepwell_thread_stack_set(NULL));
  OK(stepwell_thread_stack_set(NULL));
  stepwell_stack_delete(stack);
  CHECK(!stepwell_last_error());
  stepwell_stack_delete(NULL);
}

static int messages, finalized;

static void on_message(void *env, stepwell_log_level_t level, const char *message) {
  CHECK(env == &messages);
  CHECK(level == STEPWELL_LOG_INFO && strstr(message, "compiled module fib of 4 functions"));
  messages++;
}

static void finalize(void *env) {
  CHECK(env == &messages);
  finalized++;
}

/* What an engine tells; nothing here is refused by the system. */
static void log_messages(void) {
  wasm_config_t *config = wasm_config_new();
  wasm_store_t *store;
  FAILS(stepwell_config_log_set(config, 9, on_message, &messages, finalize), STEPWELL_ERROR_ARGUMENT, "`level` is 9");
  FAILS(stepwell_config_log_set(config, STEPWELL_LOG_WARN, NULL, &messages, finalize), STEPWELL_ERROR_ARGUMENT,
        "`callback`");
  CHECK(finalized == 2);
  FAILS(stepwell_config_profiler_set(config, 3), STEPWELL_ERROR_ARGUMENT, "`profiler` is 3, which is no profiler");
  OK(stepwell_config_profiler_set(config, STEPWELL_PROFILER_NONE));
  stepwell_config_native_debug_info_set(config, false);
  OK(stepwell_config_log_set(config, STEPWELL_LOG_INFO, on_message, &messages, finalize));
  OK(stepwell_engine_new(config, &engine));
  CHECK(stepwell_engine_fallbacks(engine) == 0);
  store = wasm_store_new(engine);
  wasm_module_delete(MODULE(store, FIB));
  CHECK(messages == 1 && finalized == 2);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  CHECK(finalized == 3);
}

int main(void) {
  log_messages();
  for (int signals = 0; signals < 2; signals++) {
    wasm_config_t *config = wasm_config_new();
    stepwell_config_signals_set(config, signals);
    OK(stepwell_engine_new(config, &engine));
    foreign_threads();
    coroutines();
    bad_stacks();
    wasm_engine_delete(engine);
  }
  return 0;
}
