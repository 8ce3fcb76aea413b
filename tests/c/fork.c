/* A host that forks. There is one thread until a large module is compiled in parallel; a forked child runs guests, compiles on threads
 * of its own, debugs, and forks again, wherever it was forked. */
#define _GNU_SOURCE
#include <dirent.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "yield.h"

/* How many threads this process has. */
static int threads(void) {
  int count = 0;
  struct dirent *entry;
  DIR *tasks = opendir("/proc/self/task");
  CHECK(tasks);
  while ((entry = readdir(tasks))) count += entry->d_name[0] != '.';
  closedir(tasks);
  return count;
}

static unsigned char large[1 << 16];
static size_t large_size;

static void byte(unsigned value) { large[large_size++] = (unsigned char)value; }

static void number(unsigned value) {
  for (; value >= 0x80; value >>= 7) byte((value & 0x7f) | 0x80);
  byte(value);
}

/* A module of 1000 functions, of which `f`, the last, answers 999. */
static void write_large(void) {
  enum { COUNT = 1000, BODY = 6 };
  static const unsigned char head[] = {0, 'a', 's', 'm', 1, 0, 0, 0, 1, 5, 1, 0x60, 0, 1, 0x7f};
  large_size = 0;
  for (size_t i = 0; i < sizeof(head); i++) byte(head[i]);
  byte(3), number(2 + COUNT), number(COUNT);
  for (int i = 0; i < COUNT; i++) byte(0);
  byte(7), number(6), byte(1), byte(1), byte('f'), byte(0), number(COUNT - 1);
  byte(10), number(2 + COUNT * (BODY + 1)), number(COUNT);
  for (unsigned i = 0; i < COUNT; i++) {
    /* i32.const i, of three bytes always */
    byte(BODY), byte(0), byte(0x41), byte((i & 0x7f) | 0x80), byte((i >> 7 & 0x7f) | 0x80), byte(0), byte(0x0b);
  }
}

static wasm_engine_t *new_engine(bool parallel, bool debug) {
  wasm_config_t *config = wasm_config_new();
  wasm_engine_t *engine = NULL;
  stepwell_config_parallel_set(config, parallel);
  stepwell_config_debug_set(config, debug);
  OK(stepwell_engine_new(config, &engine));
  return engine;
}

static stepwell_action_t on_stop(void *env, stepwell_stop_t *stop) {
  (void)stop;
  ++*(int *)env;
  return STEPWELL_ACTION_CONTINUE;
}

/* Compiles, runs and, if it is asked to, debugs the large module. */
static void run_large(wasm_engine_t *engine, bool debug) {
  wasm_store_t *store = wasm_store_new(engine);
  wasm_module_t *module = check_module(store, large, large_size);
  wasm_instance_t *instance = check_instance(store, module);
  wasm_func_t *f = check_func(instance, "f");
  stepwell_debugger_t *debugger = NULL;
  wasm_val_t results[1];
  wasm_val_vec_t none = WASM_EMPTY_VEC, results_vec = WASM_ARRAY_VEC(results);
  int stops = 0;
  if (debug) {
    OK(stepwell_debugger_attach(store, on_stop, &stops, NULL, &debugger));
    OK(stepwell_breakpoint_add_at_function(debugger, module, "f", NULL));
  }
  CHECK(!wasm_func_call(f, &none, &results_vec));
  CHECK(results[0].of.i32 == 999);
  CHECK(stops == debug);
  stepwell_debugger_delete(debugger);
  wasm_func_delete(f);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wasm_store_delete(store);
}

/* An instance that child and parent both have. */
static wasm_store_t *store;
static wasm_func_t *fib, *calls, *divide;

static int32_t fib_calls(void) {
  wasm_val_t results[1];
  wasm_val_vec_t none = WASM_EMPTY_VEC, results_vec = WASM_ARRAY_VEC(results);
  CHECK(!wasm_func_call(calls, &none, &results_vec));
  return results[0].of.i32;
}

static void run_inherited(void) {
  wasm_val_t args[2], results[1];
  wasm_val_vec_t args_vec = WASM_ARRAY_VEC(args), results_vec = WASM_ARRAY_VEC(results);
  wasm_trap_t *trap;
  CHECK(call_i32(fib, 10) == 55);
  args[0] = val_i32(1);
  args[1] = val_i32(0);
  trap = wasm_func_call(divide, &args_vec, &results_vec);
  CHECK(trap && stepwell_trap_code(trap) == STEPWELL_TRAP_INTEGER_DIVISION_BY_ZERO);
  wasm_trap_delete(trap);
}

/* What a child does: all of it. It must end soon. */
static void child(wasm_engine_t *engine, int depth);

static void fork_and_wait(wasm_engine_t *engine, int depth) {
  int status = -1;
  pid_t pid;
  fflush(NULL);
  pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    alarm(100);
    child(engine, depth);
    _exit(0);
  }
  CHECK(waitpid(pid, &status, 0) == pid);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void child(wasm_engine_t *engine, int depth) {
  wasm_engine_t *own;
  CHECK(threads() == 1);
  run_inherited();
  CHECK(threads() == 1);
  run_large(engine, true);
  own = new_engine(true, false);
  run_large(own, false);
  wasm_engine_delete(own);
  CHECK(sysconf(_SC_NPROCESSORS_ONLN) < 2 || threads() > 1);
  if (depth > 0) fork_and_wait(engine, depth - 1);
}

static void *forking_thread(void *engine) {
  fork_and_wait(engine, 0);
  return NULL;
}

/* A host function that forks; the child goes on in the guest. */
static wasm_trap_t *forking_host(void *env, const wasm_val_vec_t *args, wasm_val_vec_t *results) {
  pid_t *pid = env;
  (void)args;
  *pid = fork();
  CHECK(*pid >= 0);
  results->data[0] = val_i32(*pid == 0 ? 0 : 5);
  return NULL;
}

static void fork_inside(wasm_engine_t *engine) {
  wasm_store_t *own = wasm_store_new(engine);
  wasm_module_t *module = MODULE(own, YIELD);
  stepwell_linker_t *linker = stepwell_linker_new(engine);
  wasm_functype_t *type = wasm_functype_new_1_1(wasm_valtype_new_i32(), wasm_valtype_new_i32());
  wasm_instance_t *instance = NULL;
  wasm_func_t *run;
  pid_t pid = -1;
  wasm_val_t args[1], results[1];
  wasm_val_vec_t args_vec = WASM_ARRAY_VEC(args), results_vec = WASM_ARRAY_VEC(results);
  wasm_trap_t *trap;
  int status = -1;
  OK(stepwell_linker_define_func(linker, "host", "yield", type, forking_host, &pid, NULL));
  OK(stepwell_linker_instantiate(linker, own, module, &instance, NULL));
  run = check_func(instance, "run");
  args[0] = val_i32(0);
  fflush(NULL);
  trap = wasm_func_call(run, &args_vec, &results_vec);
  if (pid == 0) {
    /* The child's guest divides by the 0 that it got. */
    alarm(100);
    _exit(trap && stepwell_trap_code(trap) == STEPWELL_TRAP_INTEGER_DIVISION_BY_ZERO ? 0 : 1);
  }
  CHECK(!trap && results[0].of.i32 == 20);
  CHECK(waitpid(pid, &status, 0) == pid);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  wasm_func_delete(run);
  wasm_instance_delete(instance);
  wasm_functype_delete(type);
  stepwell_linker_delete(linker);
  wasm_module_delete(module);
  wasm_store_delete(own);
}

int main(void) {
  wasm_engine_t *engine, *alone;
  wasm_module_t *fibs, *traps;
  wasm_instance_t *fib_instance, *instance;
  pthread_t thread;
  write_large();
  CHECK(threads() == 1);
  engine = new_engine(true, true);
  store = wasm_store_new(engine);
  fibs = MODULE(store, FIB);
  traps = MODULE(store, TRAPS);
  fib_instance = check_instance(store, fibs);
  instance = check_instance(store, traps);
  fib = check_func(fib_instance, "fib");
  calls = check_func(fib_instance, "calls");
  divide = check_func(instance, "divide");
  run_inherited();
  CHECK(threads() == 1);
  alone = new_engine(false, true);
  run_large(alone, true);
  wasm_engine_delete(alone);
  CHECK(threads() == 1);

  /* Forked before there were threads, and after. */
  fork_and_wait(engine, 1);
  run_large(engine, false);
  CHECK(sysconf(_SC_NPROCESSORS_ONLN) < 2 || threads() > 1);
  fork_and_wait(engine, 1);
  CHECK(pthread_create(&thread, NULL, forking_thread, engine) == 0);
  CHECK(pthread_join(thread, NULL) == 0);
  fork_inside(engine);

  /* What children did is theirs: the guest here was called twice. */
  {
    int32_t before = fib_calls();
    run_inherited();
    CHECK(fib_calls() == 2 * before);
  }
  run_large(engine, true);
  wasm_func_delete(fib);
  wasm_func_delete(calls);
  wasm_func_delete(divide);
  wasm_instance_delete(fib_instance);
  wasm_instance_delete(instance);
  wasm_module_delete(fibs);
  wasm_module_delete(traps);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  return 0;
}
