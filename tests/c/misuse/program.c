/* Misuse of every function, by the cases that generate.py puts in here. What a function does on NULL, and on an object of another kind,
 * follows from what it returns: it fails, or the process ends. */
#include "beside.h"

#include <signal.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

/* An object of each kind. */
struct objects {
  wasm_config_t *config;
  wasm_engine_t *engine;
  wasm_store_t *store;
  wasm_valtype_t *valtype;
  wasm_functype_t *functype;
  wasm_globaltype_t *globaltype;
  wasm_tabletype_t *tabletype;
  wasm_memorytype_t *memorytype;
  wasm_tagtype_t *tagtype;
  wasm_externtype_t *externtype;
  wasm_importtype_t *importtype;
  wasm_exporttype_t *exporttype;
  wasm_ref_t *ref;
  wasm_frame_t *frame;
  wasm_trap_t *trap;
  wasm_foreign_t *foreign;
  wasm_module_t *module;
  wasm_shared_module_t *shared_module;
  wasm_func_t *func;
  wasm_global_t *global;
  wasm_table_t *table;
  wasm_memory_t *memory;
  wasm_extern_t *extern_;
  wasm_instance_t *instance;
  stepwell_error_t *error;
  stepwell_tag_t *tag;
  stepwell_exception_t *exception;
  stepwell_linker_t *linker;
  stepwell_instance_pre_t *instance_pre;
  stepwell_typed_func_t *typed_func;
  stepwell_call_t *call;
  stepwell_sharedmemory_t *sharedmemory;
  stepwell_interrupt_t *interrupt;
  stepwell_breakpoint_set_t *breakpoint_set;
  stepwell_pauser_t *pauser;
  stepwell_attacher_t *attacher;
  stepwell_serve_options_t *serve_options;
  stepwell_server_t *server;
  stepwell_stop_queue_t *stop_queue;
  stepwell_wasi_config_t *wasi_config;
  stepwell_wasi_buffer_t *wasi_buffer;
  stepwell_stack_t *stack;
  stepwell_debugger_t *debugger;
  stepwell_breakpoint_t breakpoint;
  stepwell_watchpoint_t watchpoint;
  /* while one is there */
  stepwell_stop_t *stop;
  const stepwell_frame_t *stop_frame;
  stepwell_variable_t *variable;
  const stepwell_caller_t *caller;
  /* plain things */
  wasm_byte_vec_t bytes;
  wasm_limits_t limits;
  wasm_val_t val;
  stepwell_field_t field;
  char text[8];
  const char *strings[2];
  void *out;
  uint64_t room[16];
  wasm_extern_t *callee;
  wasm_extern_vec_t imports;
};
#define extern extern_

static struct objects o, other, kept;

static void nothing(void *env) { (void)env; }

static wasm_trap_t *host(const wasm_val_vec_t *args, wasm_val_vec_t *results) {
  (void)args;
  (void)results;
  return NULL;
}

static wasm_trap_t *host_env(void *env, const wasm_val_vec_t *args, wasm_val_vec_t *results) {
  (void)env;
  return host(args, results);
}

static wasm_trap_t *host_unchecked(void *env, const stepwell_caller_t *caller, union stepwell_raw_val_t *values) {
  (void)env;
  (void)caller;
  (void)values;
  return NULL;
}

static bool progress(void *env, size_t done, size_t total) {
  (void)env;
  return done <= total;
}

static size_t input(void *env, byte_t *data, size_t size) {
  (void)env;
  (void)data;
  (void)size;
  return 0;
}

static void output(void *env, const byte_t *data, size_t size) {
  (void)env;
  (void)data;
  (void)size;
}

static void log_line(void *env, stepwell_log_level_t level, const char *message) {
  (void)env;
  (void)level;
  (void)message;
}

static void guarded_host(
    void *env, const stepwell_caller_t *caller, const wasm_val_vec_t *args, wasm_val_vec_t *results, stepwell_outcome_t *outcome) {
  (void)env;
  (void)caller;
  (void)args;
  (void)results;
  outcome->done = 1;
}

static void guarded_stopped(void *env, stepwell_stop_t *stop, stepwell_outcome_t *outcome) {
  (void)env;
  (void)stop;
  outcome->done = 1;
}

static void guarded_input(void *env, byte_t *data, size_t size, stepwell_outcome_t *outcome) {
  (void)env;
  (void)data;
  (void)size;
  outcome->done = 1;
}

static void guarded_progress(void *env, size_t done, size_t total, stepwell_outcome_t *outcome) {
  (void)env;
  outcome->value = done <= total;
  outcome->done = 1;
}

static void ask(void *env, stepwell_outcome_t *outcome) {
  (void)env;
  outcome->done = 1;
}

static void over(void *env, uint64_t *epochs, stepwell_outcome_t *outcome) {
  (void)env;
  (void)epochs;
  outcome->done = 1;
}

static void limit(void *env, const stepwell_growth_t *growth, stepwell_outcome_t *outcome) {
  (void)env;
  (void)growth;
  outcome->value = 1;
  outcome->done = 1;
}

static void waited(void *env) {
  (void)env;
}

static stepwell_action_t stopped(void *env, stepwell_stop_t *stop);
static wasm_trap_t *host_caller(void *env, const stepwell_caller_t *caller, const wasm_val_vec_t *args, wasm_val_vec_t *results);

/* (module (import "" "f" (func $f)) (func (export "run") (call $f))) */
static const unsigned char CALLS[] = {
  0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x04, 0x01, 0x60, 0x00, 0x00, 0x02, 0x06,
  0x01, 0x00, 0x01, 0x66, 0x00, 0x00, 0x03, 0x02, 0x01, 0x00, 0x07, 0x07, 0x01, 0x03, 0x72, 0x75,
  0x6e, 0x00, 0x01, 0x0a, 0x06, 0x01, 0x04, 0x00, 0x10, 0x00, 0x0b,
};

static char stack_bytes[64 * 1024];

/* Makes an object of each kind in a store of its own. */
static void make(wasm_engine_t *engine) {
  wasm_val_vec_t none = WASM_EMPTY_VEC;
  wasm_func_t *callee;
  wasm_message_t message;
  wasm_byte_vec_t binary;
  memset(&o, 0, sizeof(o));
  o.limits.min = 1;
  o.limits.max = 2;
  memcpy(o.text, "text", 5);
  o.strings[0] = o.text;
  o.bytes.data = o.text;
  o.bytes.size = 5;
  o.config = wasm_config_new();
  o.engine = engine;
  o.store = wasm_store_new(o.engine);
  OK(stepwell_store_fuel_set(o.store, 1000000));
  o.field.storage = STEPWELL_STORAGE_I8; /* without a type, which would be an object of its own */
  o.field.is_mutable = true;
  o.valtype = stepwell_valtype_new_array(&o.field);
  o.functype = wasm_functype_new_0_0();
  o.globaltype = wasm_globaltype_new(wasm_valtype_new_i32(), WASM_VAR);
  o.tabletype = wasm_tabletype_new(wasm_valtype_new_funcref(), &o.limits);
  o.memorytype = wasm_memorytype_new(&o.limits);
  o.tagtype = wasm_tagtype_new(wasm_functype_new_0_0());
  o.externtype = wasm_externtype_copy(wasm_functype_as_externtype(o.functype));
  wasm_name_new_from_string(&message, "run");
  o.exporttype = wasm_exporttype_new(&message, wasm_externtype_copy(o.externtype));
  {
    wasm_name_t from, name;
    wasm_name_new_from_string(&from, "");
    wasm_name_new_from_string(&name, "f");
    o.importtype = wasm_importtype_new(&from, &name, wasm_externtype_copy(o.externtype));
  }
  o.val = val_i32(7);
  o.module = MODULE(o.store, CALLS);
  o.shared_module = wasm_module_share(o.module);
  callee = NULL;
  OK(stepwell_func_new(o.store, o.functype, host_caller, NULL, NULL, &callee));
  o.callee = wasm_func_as_extern(callee);
  wasm_extern_vec_new(&o.imports, 1, &o.callee);
  o.instance = wasm_instance_new(o.store, o.module, &o.imports, NULL);
  CHECK(o.instance);
  o.func = check_func(o.instance, "run");
  o.global = wasm_global_new(o.store, o.globaltype, &o.val);
  o.table = wasm_table_new(o.store, o.tabletype, NULL);
  o.memory = wasm_memory_new(o.store, o.memorytype);
  o.extern = wasm_extern_copy(wasm_memory_as_extern(o.memory));
  o.foreign = wasm_foreign_new(o.store);
  OK(stepwell_array_new_of(o.store, o.valtype, &o.val, 1, &o.ref));
  { /* a trap with a frame */
    wasm_module_t *traps = MODULE(o.store, START_TRAPS);
    CHECK(!wasm_instance_new(o.store, traps, NULL, &o.trap));
    CHECK(o.trap);
    wasm_module_delete(traps);
  }
  o.tag = stepwell_tag_new(o.store, o.tagtype);
  OK(stepwell_exception_new(o.tag, NULL, &o.exception));
  o.frame = wasm_trap_origin(o.trap);
  CHECK(o.frame);
  o.linker = stepwell_linker_new(o.engine);
  OK(stepwell_linker_define(o.linker, "", "f", o.callee));
  OK(stepwell_linker_instantiate_pre(o.linker, o.module, &o.instance_pre));
  OK(stepwell_typed_func_new(o.func, o.functype, &o.typed_func));
  OK(stepwell_call_new(o.func, NULL, &o.call));
  {
    wasm_memorytype_t *type = stepwell_memorytype_new(1, true, 2, false, true, 16);
    o.sharedmemory = stepwell_sharedmemory_new(o.engine, type);
    CHECK(o.sharedmemory);
    wasm_memorytype_delete(type);
  }
  OK(stepwell_interrupt_new(o.store, &o.interrupt));
  o.breakpoint_set = stepwell_breakpoint_set_new();
  OK(stepwell_attacher_new(o.store, ask, NULL, NULL, &o.attacher));
  o.stop_queue = stepwell_stop_queue_new();
  o.serve_options = stepwell_serve_options_new();
  {
    wasm_store_t *served = wasm_store_new(engine);
    OK(stepwell_debugger_serve(served, o.serve_options, &o.server));
    wasm_store_delete(served);
  }
  OK(stepwell_stack_new(stack_bytes, sizeof(stack_bytes), &o.stack));
  o.wasi_config = stepwell_wasi_config_new();
  o.wasi_buffer = stepwell_wasi_buffer_new(100);
  binary.size = 1;
  binary.data = o.text;
  {
    wasm_module_t *bad = NULL;
    o.error = stepwell_module_new(o.store, &binary, &bad);
    CHECK(o.error);
  }
  CHECK(!wasm_func_call(o.func, &none, &none));
  stepwell_last_error_clear();
}

/* Deletes what is left of them. */
static void unmake(void) {
  stepwell_variable_delete(o.variable);
  stepwell_debugger_delete(o.debugger);
  wasm_store_delete(o.store);
  wasm_engine_delete(o.engine);
  wasm_config_delete(o.config);
  wasm_valtype_delete(o.valtype);
  wasm_functype_delete(o.functype);
  wasm_globaltype_delete(o.globaltype);
  wasm_tabletype_delete(o.tabletype);
  wasm_memorytype_delete(o.memorytype);
  wasm_tagtype_delete(o.tagtype);
  wasm_externtype_delete(o.externtype);
  wasm_importtype_delete(o.importtype);
  wasm_exporttype_delete(o.exporttype);
  wasm_ref_delete(o.ref);
  wasm_trap_delete(o.trap);
  stepwell_exception_delete(o.exception);
  stepwell_tag_delete(o.tag);
  wasm_frame_delete(o.frame);
  wasm_foreign_delete(o.foreign);
  wasm_instance_delete(o.instance);
  wasm_module_delete(o.module);
  wasm_shared_module_delete(o.shared_module);
  wasm_func_delete(o.func);
  wasm_global_delete(o.global);
  wasm_table_delete(o.table);
  wasm_memory_delete(o.memory);
  wasm_extern_delete(o.extern);
  wasm_extern_vec_delete(&o.imports);
  stepwell_error_delete(o.error);
  stepwell_linker_delete(o.linker);
  stepwell_instance_pre_delete(o.instance_pre);
  stepwell_typed_func_delete(o.typed_func);
  stepwell_call_delete(o.call);
  stepwell_sharedmemory_delete(o.sharedmemory);
  stepwell_interrupt_delete(o.interrupt);
  stepwell_breakpoint_set_delete(o.breakpoint_set);
  stepwell_pauser_delete(o.pauser);
  stepwell_attacher_delete(o.attacher);
  stepwell_serve_options_delete(o.serve_options);
  stepwell_server_delete(o.server);
  stepwell_stop_queue_delete(o.stop_queue);
  stepwell_stack_delete(o.stack);
  stepwell_wasi_config_delete(o.wasi_config);
  stepwell_wasi_buffer_delete(o.wasi_buffer);
}

/* How a case ended. */
enum { NAMED = 10, UNNAMED, FINE };

static const char *parameter;

static int judge_message(const stepwell_error_t *error) {
  const char *message = stepwell_error_message(error);
  char wanted[128];
  snprintf(wanted, sizeof(wanted), "`%s`", parameter);
  if (strstr(message, wanted) || strstr(message, "another store")) return NAMED;
  fprintf(stderr, "%s", message);
  return UNNAMED;
}

static void judge_last(void) { _exit(stepwell_last_error() ? judge_message(stepwell_last_error()) : FINE); }
static void judge_error(stepwell_error_t *error) { _exit(error ? judge_message(error) : FINE); }

static void judge_null(bool is) {
  if (is) _exit(FINE);
  judge_last();
}

enum where { HOST, DEBUGGER, STOP, CALLER };

/* What the function is to do: succeed (or fail for another reason), fail with an error that names the parameter, end the process
 * with a message that names both, or one of the last two. */
enum wanted { SUCCEED, FAIL, END, FAIL_OR_END };

static const struct row {
  enum where where;
  const char *function, *parameter, *what;
  enum wanted wanted;
} ROWS[] = {
/* @ROWS@ */
};

static void run_case(int number) {
  switch (number) {
/* @CASES@ */  }
}

static int ran, bad, stops;

/* Runs the cases that belong here, each in a child. */
static void run_cases(enum where where) {
  fflush(stdout);
  for (int i = 0; i < (int)(sizeof(ROWS) / sizeof(*ROWS)); i++) {
    const struct row *row = &ROWS[i];
    char said[4096], function[128], wanted[128];
    size_t size = 0;
    ssize_t got;
    int ends[2], status;
    bool fine;
    pid_t child;
    if (row->where != where) continue;
    CHECK(pipe(ends) == 0);
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
      dup2(ends[1], 2);
      close(ends[0]);
      alarm(60);
      parameter = row->parameter;
      stepwell_last_error_clear();
      run_case(i);
      _exit(FINE);
    }
    close(ends[1]);
    while ((got = read(ends[0], said + size, sizeof(said) - 1 - size)) > 0) size += (size_t)got;
    said[size] = 0;
    close(ends[0]);
    CHECK(waitpid(child, &status, 0) == child);
    snprintf(function, sizeof(function), "`%s`", row->function);
    snprintf(wanted, sizeof(wanted), "`%s`", row->parameter);
    if (WIFSIGNALED(status)) {
      /* an abort that says who and what */
      fine = row->wanted >= END && WTERMSIG(status) == SIGABRT && strstr(said, function) && strstr(said, wanted);
    } else {
      int code = WEXITSTATUS(status);
      fine = row->wanted == SUCCEED ? code == FINE || code == UNNAMED || code == NAMED : row->wanted != END && code == NAMED;
    }
    ran++;
    if (!fine) {
      bad++;
      printf("%s: `%s` %s: status %x, saying \"%s\"\n", row->function, row->parameter, row->what, (unsigned)status, said);
    }
  }
}

static stepwell_action_t stopped(void *env, stepwell_stop_t *stop) {
  (void)env;
  if (stops++ == 0) {
    o.stop = stop;
    o.stop_frame = stepwell_stop_frame(stop, 0);
    OK(stepwell_frame_variables(o.stop_frame, 0, STEPWELL_SCOPE_LOCALS, &o.variable));
    run_cases(STOP);
    stepwell_variable_delete(o.variable);
    o.variable = NULL;
    o.stop = NULL;
    o.stop_frame = NULL;
  }
  return STEPWELL_ACTION_CONTINUE;
}

static int calls;

static wasm_trap_t *host_caller(void *env, const stepwell_caller_t *caller, const wasm_val_vec_t *args, wasm_val_vec_t *results) {
  (void)env;
  if (stops == 1 && calls++ == 0) {
    o.caller = caller;
    run_cases(CALLER);
    o.caller = NULL;
  }
  return host(args, results);
}

int main(void) {
  wasm_config_t *config = wasm_config_new();
  wasm_engine_t *engine;
  wasm_val_vec_t none = WASM_EMPTY_VEC;
  char directory[1024];
  pid_t cleaner;
  /* what is written goes there */
  check_beside("misuse", directory, sizeof directory);
  CHECK(mkdtemp(directory) && chdir(directory) == 0);
  stepwell_config_debug_set(config, true);
  stepwell_error_delete(stepwell_config_debug_tier_set(config, STEPWELL_DEBUG_TIER_BLOCKS)); /* what coverage needs */
  stepwell_config_epoch_set(config, true);
  stepwell_config_fuel_set(config, true);
  engine = wasm_engine_new_with_config(config);
  make(engine);
  other = o;
  make(engine);
  run_cases(HOST); /* without a debugger */
  OK(stepwell_debugger_attach(o.store, stopped, NULL, NULL, &o.debugger));
  OK(stepwell_pauser_new(o.debugger, &o.pauser));
  OK(stepwell_breakpoint_add_at_function(o.debugger, o.module, "run", &o.breakpoint));
  OK(stepwell_debugger_watch_global(o.debugger, o.global, STEPWELL_WATCH_KIND_WRITE, &o.watchpoint));
  run_cases(HOST);
  run_cases(DEBUGGER);
  CHECK(!wasm_func_call(o.func, &none, &none));
  CHECK(stops == 1 && calls == 1);
  unmake();
  o = other;
  o.engine = NULL; /* deleted with the first */
  unmake();
  cleaner = fork();
  if (cleaner == 0) {
    execlp("rm", "rm", "-rf", directory, (char *)NULL);
    _exit(1);
  }
  CHECK(waitpid(cleaner, NULL, 0) == cleaner);
  printf("%d cases, %d bad\n", ran, bad);
  return bad != 0;
}
