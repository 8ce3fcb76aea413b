/* Signals, and how floats are computed with, where the host has other ideas of them than most: each case in a process of its own. */
#define _GNU_SOURCE
#include <errno.h>
#include <fenv.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "yield.h"

/* (func (export "add") (param f64 f64) (result f64)), and the same after a call of the host:
 *   (module (import "h" "f" (func $f)) (func (export "add") (param f64 f64) (result f64) (f64.add (local.get 0) (local.get 1)))
 *     (func (export "call_add") (param f64 f64) (result f64) (call $f) (f64.add (local.get 0) (local.get 1)))) */
static const unsigned char ADD[] = {
  0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x0a, 0x02, 0x60, 0x00, 0x00, 0x60, 0x02, 0x7c, 0x7c, 0x01, 0x7c,
  0x02, 0x07, 0x01, 0x01, 'h', 0x01, 'f', 0x00, 0x00, 0x03, 0x03, 0x02, 0x01, 0x01,
  0x07, 0x12, 0x02, 0x03, 'a', 'd', 'd', 0x00, 0x01, 0x08, 'c', 'a', 'l', 'l', '_', 'a', 'd', 'd', 0x00, 0x02,
  0x0a, 0x13, 0x02, 0x07, 0x00, 0x20, 0x00, 0x20, 0x01, 0xa0, 0x0b, 0x09, 0x00, 0x10, 0x00, 0x20, 0x00, 0x20, 0x01, 0xa0, 0x0b,
};

/* Runs a case in a child; how that ended. */
static int in_child(void (*body)(void)) {
  int status;
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    alarm(20);
    body();
    _exit(0);
  }
  CHECK(waitpid(child, &status, 0) == child);
  return status;
}

#define ENDS_WELL(body) CHECK(in_child(body) == 0)
#define KILLED_BY(body, number)                        \
  do {                                                 \
    int status_ = in_child(body);                      \
    CHECK(WIFSIGNALED(status_) && WTERMSIG(status_) == (number)); \
  } while (0)

/* A guest's trap that is a signal is a trap. */
static void guest_traps(wasm_engine_t *engine) {
  wasm_store_t *store = wasm_store_new(engine);
  wasm_module_t *module = MODULE(store, TRAPS);
  wasm_instance_t *instance = check_instance(store, module);
  wasm_func_t *load = check_func(instance, "load");
  wasm_val_t args[1], results[1];
  wasm_val_vec_t args_vec = WASM_ARRAY_VEC(args), results_vec = WASM_ARRAY_VEC(results);
  args[0] = val_i32(-1);
  wasm_trap_t *trap = wasm_func_call(load, &args_vec, &results_vec);
  CHECK(trap && stepwell_trap_code(trap) == STEPWELL_TRAP_MEMORY_OUT_OF_BOUNDS);
  wasm_trap_delete(trap);
  wasm_func_delete(load);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wasm_store_delete(store);
}

/* Nothing that a compiler can see through. */
static volatile uintptr_t nowhere = 16;
static void own_fault(void) { *(volatile int *)nowhere = 1; }

static void set_handler(void (*handler)(int), int flags) {
  struct sigaction action;
  memset(&action, 0, sizeof(action));
  action.sa_handler = handler;
  action.sa_flags = flags;
  CHECK(sigaction(SIGSEGV, &action, NULL) == 0);
}

static void ignored(void) {
  signal(SIGSEGV, SIG_IGN);
  wasm_engine_t *engine = wasm_engine_new();
  guest_traps(engine);
  /* One that was sent is ignored, as it would be without an engine. */
  CHECK(raise(SIGSEGV) == 0);
  guest_traps(engine);
  own_fault();
}

static void by_default(void) {
  wasm_engine_t *engine = wasm_engine_new();
  guest_traps(engine);
  own_fault();
}

static volatile sig_atomic_t handled;
static void count(int number) {
  (void)number;
  if (++handled > 3) _exit(7);
}

static void for_one_signal(void) {
  set_handler(count, SA_RESETHAND | SA_NODEFER);
  wasm_engine_t *engine = wasm_engine_new();
  guest_traps(engine);
  own_fault();
}

static void end_well(int number) { _exit(number == SIGSEGV ? 0 : 8); }

/* A handler that the host installs later is found behind ours by the next store. */
static void installed_later(void) {
  wasm_engine_t *engine = wasm_engine_new();
  guest_traps(engine);
  set_handler(end_well, SA_ONSTACK);
  guest_traps(engine);
  guest_traps(engine);
  own_fault();
}

static struct sigaction before;
static void hands_on(int number, siginfo_t *info, void *context) {
  if (++handled > 3) _exit(7);
  before.sa_sigaction(number, info, context);
}

/* One that hands on to what it found, which was ours; and one that puts that back and sends the signal again. */
static void hands_on_to_ours(void) {
  struct sigaction action;
  wasm_engine_t *engine = wasm_engine_new();
  memset(&action, 0, sizeof(action));
  action.sa_sigaction = hands_on;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  CHECK(sigaction(SIGSEGV, &action, &before) == 0);
  guest_traps(engine);
  OK(stepwell_signal_handlers_renew());
  CHECK(handled == 0);
  own_fault();
}

static void put_back(int number, siginfo_t *info, void *context) {
  (void)info;
  (void)context;
  if (++handled > 3) _exit(7);
  sigaction(number, &before, NULL);
  raise(number);
}

static void puts_ours_back(void) {
  struct sigaction action;
  wasm_engine_t *engine = wasm_engine_new();
  memset(&action, 0, sizeof(action));
  action.sa_sigaction = put_back;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  CHECK(sigaction(SIGSEGV, &action, &before) == 0);
  guest_traps(engine);
  own_fault();
}

static void *blocks_all(void *env) {
  sigset_t all;
  sigfillset(&all);
  CHECK(pthread_sigmask(SIG_BLOCK, &all, NULL) == 0);
  guest_traps(env);
  return NULL;
}

static void blocked(void) {
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, blocks_all, wasm_engine_new()) == 0);
  CHECK(pthread_join(thread, NULL) == 0);
}

/* --- Leaving a host function otherwise than by returning --- */

static wasm_trap_t *leaves(void *env, const wasm_val_vec_t *args, wasm_val_vec_t *results) {
  (void)env;
  (void)args;
  (void)results;
  pthread_exit(NULL);
}

static void *exits(void *env) {
  wasm_engine_t *engine = env;
  wasm_store_t *store = wasm_store_new(engine);
  wasm_functype_t *type = wasm_functype_new_0_0();
  wasm_val_vec_t none = WASM_EMPTY_VEC;
  wasm_func_call(wasm_func_new_with_env(store, type, leaves, NULL, NULL), &none, &none);
  return NULL;
}

static int message[2];
static void exits_in_a_host_function(void) {
  pthread_t thread;
  CHECK(dup2(message[1], 2) == 2);
  CHECK(pthread_create(&thread, NULL, exits, wasm_engine_new()) == 0);
  CHECK(pthread_join(thread, NULL) == 0);
}

/* --- The language of guarded callbacks ends --- */

static int guarded_calls, guarded_finalized;
static volatile int inside, ended;

static void guarded(void *env, const stepwell_caller_t *caller, const wasm_val_vec_t *args, wasm_val_vec_t *results,
                    stepwell_outcome_t *outcome) {
  (void)caller;
  (void)args;
  (void)results;
  guarded_calls++;
  if (env == &inside) {
    inside = 1;
    while (!ended) usleep(1000);
    pthread_exit(NULL);
  }
  outcome->done = 1;
}

static void finalized(void *env) {
  (void)env;
  guarded_finalized++;
}

/* Calls a guarded function: 1 if it was, 0 if that was a trap which says so; the store goes. */
static int calls_guarded(void *env) {
  wasm_engine_t *engine = wasm_engine_new();
  wasm_store_t *store = wasm_store_new(engine);
  wasm_functype_t *type = wasm_functype_new_0_0();
  wasm_val_vec_t none = WASM_EMPTY_VEC;
  wasm_func_t *func;
  wasm_trap_t *trap;
  int called;
  OK(stepwell_guarded_func_new(store, type, guarded, env, finalized, &func));
  trap = wasm_func_call(func, &none, &none);
  called = trap == NULL;
  if (trap) {
    wasm_message_t text;
    wasm_trap_message(trap, &text);
    CHECK(strstr(text.data, "the host function was left before it came to its end"));
    wasm_byte_vec_delete(&text);
    wasm_trap_delete(trap);
  }
  wasm_func_delete(func);
  wasm_functype_delete(type);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  return called;
}

static void *calls_guarded_elsewhere(void *env) {
  return (void *)(intptr_t)calls_guarded(env);
}

static void language_ends(void) {
  pthread_t stays, other;
  void *called;
  CHECK(calls_guarded(NULL) == 1 && guarded_finalized == 1);
  CHECK(pthread_create(&stays, NULL, calls_guarded_elsewhere, (void *)&inside) == 0);
  while (!inside) usleep(1000);
  stepwell_guarded_callbacks_end(finalized);
  ended = 1;
  CHECK(pthread_create(&other, NULL, calls_guarded_elsewhere, NULL) == 0);
  CHECK(pthread_join(other, &called) == 0);
  CHECK(called == NULL && guarded_calls == 2 && guarded_finalized == 1);
  CHECK(calls_guarded(NULL) == 1 && guarded_calls == 3 && guarded_finalized == 2);
  /* The one that left its callback has had time to end the process, and has not come to its end either. */
  usleep(50000);
  CHECK(pthread_tryjoin_np(stays, NULL) == EBUSY);
}

/* --- Floats --- */

static double add(const wasm_func_t *func, double a, double b) {
  wasm_val_t args[2], results[1];
  wasm_val_vec_t args_vec = WASM_ARRAY_VEC(args), results_vec = WASM_ARRAY_VEC(results);
  memset(args, 0, sizeof(args));
  args[0].kind = args[1].kind = WASM_F64;
  args[0].of.f64 = a;
  args[1].of.f64 = b;
  CHECK(!wasm_func_call(func, &args_vec, &results_vec));
  return results[0].of.f64;
}

static int calls, wanted;
static wasm_trap_t *sees_its_mode(void *env, const wasm_val_vec_t *args, wasm_val_vec_t *results) {
  (void)env;
  (void)args;
  (void)results;
  CHECK(fegetround() == wanted);
  /* Set here, it is the host's, and not the guest's. */
  if (++calls % 2) fesetround(wanted = FE_UPWARD);
  return NULL;
}

static stepwell_action_t sees_it_too(void *env, stepwell_stop_t *stop) {
  (void)env;
  (void)stop;
  CHECK(fegetround() == wanted);
  fesetround(wanted = wanted == FE_DOWNWARD ? FE_TONEAREST : FE_DOWNWARD);
  return STEPWELL_ACTION_STEP;
}

static void rounds_up(void *env, const char *data, size_t size) {
  (void)env;
  (void)data;
  CHECK(size == 1 && fegetround() == wanted);
  fesetround(wanted = FE_UPWARD);
}

/* What a guest writes to may set them, too. */
static void floats_of_wasi(wasm_engine_t *engine) {
  wasm_store_t *store = wasm_store_new(engine);
  wasm_module_t *module = MODULE(store, WRITE_ADD);
  stepwell_linker_t *linker = stepwell_linker_new(engine);
  stepwell_wasi_config_t *config = stepwell_wasi_config_new();
  wasm_instance_t *instance = NULL;
  OK(stepwell_wasi_config_stdout_callback_set(config, rounds_up, NULL, NULL));
  OK(stepwell_linker_define_wasi(linker, store, config));
  OK(stepwell_linker_instantiate(linker, store, module, &instance, NULL));
  for (int i = 0; i < 2; i++) {
    wanted = i ? FE_DOWNWARD : FE_TONEAREST;
    CHECK(fesetround(wanted) == 0);
    double sum = add(check_func(instance, "add"), 1.0, 0x1p-60);
    CHECK(fegetround() == FE_UPWARD && sum == 1.0);
  }
  CHECK(fesetround(FE_TONEAREST) == 0);
  stepwell_linker_delete(linker);
}

static void floats(void) {
  static const int MODES[] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
  wasm_config_t *config = wasm_config_new();
  stepwell_config_debug_set(config, true);
  wasm_engine_t *engine = wasm_engine_new_with_config(config);
  for (int debugged = 0; debugged < 2; debugged++) {
    wasm_store_t *store = wasm_store_new(engine);
    wasm_module_t *module = MODULE(store, ADD);
    wasm_functype_t *type = wasm_functype_new_0_0();
    wasm_extern_t *import = wasm_func_as_extern(wasm_func_new_with_env(store, type, sees_its_mode, NULL, NULL));
    wasm_extern_vec_t imports = {1, &import};
    wasm_instance_t *instance = wasm_instance_new(store, module, &imports, NULL);
    wasm_func_t *plain = check_func(instance, "add"), *calling = check_func(instance, "call_add");
    stepwell_debugger_t *debugger = NULL;
    if (debugged) {
      OK(stepwell_debugger_attach(store, sees_it_too, NULL, NULL, &debugger));
      OK(stepwell_debugger_step_always_set(debugger, true));
    }
    for (int mode = 0; mode < 4; mode++) {
      for (int masked = 0; masked < 2; masked++) {
        wanted = MODES[mode];
        CHECK(fesetround(wanted) == 0);
        feclearexcept(FE_ALL_EXCEPT);
        /* With exceptions that kill, were they the guest's. */
        if (!masked) CHECK(feenableexcept(FE_INEXACT | FE_DIVBYZERO | FE_INVALID | FE_OVERFLOW) != -1);
        double a = add(plain, 1.0, 0x1p-60), b = add(calling, -1.0, -0x1p-60), c = add(calling, 0x1p-1074, 0.0);
        CHECK(fegetround() == wanted);
        CHECK(masked == (fegetexcept() == 0));
        fedisableexcept(FE_ALL_EXCEPT);
        CHECK(a == 1.0 && b == -1.0 && c == 0x1p-1074);
      }
    }
    stepwell_debugger_delete(debugger);
  }
  CHECK(calls > 0);
  floats_of_wasi(engine);
}

int main(void) {
  char text[512];
  ssize_t length;
  int status;
  KILLED_BY(ignored, SIGSEGV);
  KILLED_BY(by_default, SIGSEGV);
  KILLED_BY(for_one_signal, SIGSEGV);
  ENDS_WELL(installed_later);
  KILLED_BY(hands_on_to_ours, SIGSEGV);
  KILLED_BY(puts_ours_back, SIGSEGV);
  ENDS_WELL(blocked);
  ENDS_WELL(floats);
  CHECK(pipe(message) == 0);
  status = in_child(exits_in_a_host_function);
  CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
  length = read(message[0], text, sizeof(text) - 1);
  CHECK(length > 0);
  text[length] = 0;
  CHECK(strstr(text, "a host function was left by an exception, `pthread_exit`"));
  ENDS_WELL(language_ends);
  return 0;
}
