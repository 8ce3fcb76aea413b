/* Misuse of every function: NULL where none may be, objects of the wrong kind, wrong numbers, the wrong thread. Each is an
 * error, or an abort with a message that names function and parameter; never undefined behaviour. */
#include "check.h"

#include <pthread.h>
#include <signal.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

/* The call ends the process, saying "`function`: `param` must not be NULL". */
#define ABORTS(function, param, args)                                                        \
  do {                                                                                       \
    int output = begin_child();                                                              \
    if (output < 0) {                                                                        \
      (void)function args;                                                                   \
      _exit(0);                                                                              \
    }                                                                                        \
    end_child(output, #function, param, __LINE__);                                           \
  } while (0)

static pid_t child;

/* In the child, whose stderr goes to a pipe: -1. In the parent: the pipe. */
static int begin_child(void) {
  int ends[2];
  CHECK(pipe(ends) == 0);
  child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    dup2(ends[1], 2);
    close(ends[0]);
    close(ends[1]);
    return -1;
  }
  close(ends[1]);
  return ends[0];
}

static void end_child(int output, const char *function, const char *param, int line) {
  char said[4096], wanted[256];
  size_t size = 0;
  ssize_t got;
  int status;
  while ((got = read(output, said + size, sizeof(said) - 1 - size)) > 0) size += (size_t)got;
  said[size] = 0;
  close(output);
  CHECK(waitpid(child, &status, 0) == child);
  snprintf(wanted, sizeof(wanted), "`%s`: `%s` must not be NULL", function, param);
  if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT || !strstr(said, wanted)) {
    fprintf(stderr, "misuse.c:%d: %s ended with status %x, saying \"%s\", not with an abort, saying \"%s\"\n", line,
            function, (unsigned)status, said, wanted);
    exit(1);
  }
}

/* The call returns NULL or false, and the last error says "`function`: `param` must not be NULL". */
#define NULLS(function, param, args)                                                         \
  do {                                                                                       \
    stepwell_last_error_clear();                                                             \
    CHECK(!function args);                                                                   \
    LAST("`" #function "`: `" param "` must not be NULL");                                   \
  } while (0)

/* The call returns the error "`function`: `param` must not be NULL". */
#define ERRORS(function, param, args) \
  FAILS(function args, STEPWELL_ERROR_ARGUMENT, "`" #function "`: `" param "` must not be NULL")

#define VEC(noun)                                                                            \
  do {                                                                                       \
    wasm_##noun##_vec_t some = WASM_EMPTY_VEC;                                               \
    ABORTS(wasm_##noun##_vec_new_empty, "out", (NULL));                                      \
    ABORTS(wasm_##noun##_vec_new_uninitialized, "out", (NULL, 1));                           \
    ABORTS(wasm_##noun##_vec_new, "out", (NULL, 0, NULL));                                   \
    ABORTS(wasm_##noun##_vec_new, "data", (&some, 1, NULL));                                 \
    ABORTS(wasm_##noun##_vec_copy, "out", (NULL, &some));                                    \
    ABORTS(wasm_##noun##_vec_copy, "source", (&some, NULL));                                 \
    wasm_##noun##_vec_delete(NULL);                                                          \
    wasm_##noun##_vec_delete(&some);                                                         \
  } while (0)

/* Deleting, copying, comparing, converting references. */
#define REF(noun)                                                                            \
  do {                                                                                       \
    wasm_##noun##_delete(NULL);                                                              \
    NULLS(wasm_##noun##_copy, "object", (NULL));                                             \
    NULLS(wasm_##noun##_same, "a", (NULL, NULL));                                            \
  } while (0)

#define AS(noun, general)                                                                    \
  do {                                                                                       \
    CHECK(!wasm_##noun##_as_##general(NULL) && !wasm_##noun##_as_##general##_const(NULL));   \
    CHECK(!wasm_##general##_as_##noun(NULL) && !wasm_##general##_as_##noun##_const(NULL));   \
  } while (0)

static void types(void) {
  wasm_name_t name = WASM_EMPTY_VEC;
  VEC(byte);
  VEC(valtype);
  VEC(functype);
  VEC(globaltype);
  VEC(tabletype);
  VEC(memorytype);
  VEC(externtype);
  VEC(importtype);
  VEC(exporttype);
  VEC(val);
  VEC(frame);
  VEC(extern);

  wasm_valtype_delete(NULL);
  wasm_functype_delete(NULL);
  wasm_globaltype_delete(NULL);
  wasm_tabletype_delete(NULL);
  wasm_memorytype_delete(NULL);
  wasm_externtype_delete(NULL);
  wasm_importtype_delete(NULL);
  wasm_exporttype_delete(NULL);
  NULLS(wasm_valtype_copy, "ty", (NULL));
  NULLS(wasm_functype_copy, "ty", (NULL));
  NULLS(wasm_globaltype_copy, "ty", (NULL));
  NULLS(wasm_tabletype_copy, "ty", (NULL));
  NULLS(wasm_memorytype_copy, "ty", (NULL));
  NULLS(wasm_externtype_copy, "ty", (NULL));
  NULLS(wasm_importtype_copy, "importtype", (NULL));
  NULLS(wasm_exporttype_copy, "exporttype", (NULL));
  ABORTS(wasm_valtype_kind, "ty", (NULL));
  ABORTS(wasm_globaltype_mutability, "ty", (NULL));
  ABORTS(wasm_externtype_kind, "ty", (NULL));
  NULLS(wasm_functype_params, "ty", (NULL));
  NULLS(wasm_functype_results, "ty", (NULL));
  NULLS(wasm_globaltype_content, "ty", (NULL));
  NULLS(wasm_tabletype_element, "ty", (NULL));
  NULLS(wasm_tabletype_limits, "ty", (NULL));
  NULLS(wasm_memorytype_limits, "ty", (NULL));
  NULLS(wasm_globaltype_new, "content", (NULL, WASM_VAR));
  NULLS(wasm_tabletype_new, "element", (NULL, NULL));
  NULLS(wasm_tabletype_new, "limits", (wasm_valtype_new_funcref(), NULL));
  NULLS(wasm_memorytype_new, "limits", (NULL));
  NULLS(wasm_importtype_new, "ty", (&name, NULL, NULL));
  NULLS(wasm_exporttype_new, "ty", (&name, NULL));
  NULLS(wasm_importtype_module, "importtype", (NULL));
  NULLS(wasm_importtype_name, "importtype", (NULL));
  NULLS(wasm_importtype_type, "importtype", (NULL));
  NULLS(wasm_exporttype_name, "exporttype", (NULL));
  NULLS(wasm_exporttype_type, "exporttype", (NULL));
  /* a conversion of NULL is NULL, and no error */
  stepwell_last_error_clear();
  CHECK(!wasm_functype_as_externtype(NULL) && !wasm_externtype_as_functype_const(NULL) && !stepwell_last_error());
  /* NULL counts as an empty list */
  wasm_functype_delete(wasm_functype_new(NULL, NULL));
  { /* an object of another kind: a cast that C lets through */
    wasm_functype_t *type = wasm_functype_new_0_0();
    CHECK(!wasm_globaltype_content((wasm_globaltype_t *)type));
    LAST("`wasm_globaltype_content`: `ty` is an object of another kind");
    wasm_functype_delete(type);
  }
}

static wasm_trap_t *let_in(const wasm_val_vec_t *args, wasm_val_vec_t *results);

static void objects(wasm_engine_t *engine, wasm_store_t *store, wasm_module_t *module, wasm_instance_t *instance) {
  wasm_byte_vec_t binary = WASM_EMPTY_VEC;
  wasm_name_t name;
  wasm_val_t val = val_i32(1);
  wasm_functype_t *functype = wasm_functype_new_0_0();
  wasm_func_t *func = check_func(instance, "fib");
  wasm_extern_t *item = stepwell_instance_export(instance, "fib");

  wasm_config_delete(NULL);
  wasm_engine_delete(NULL);
  wasm_store_delete(NULL);
  wasm_shared_module_delete(NULL);
  wasm_frame_delete(NULL);
  wasm_val_delete(NULL);
  stepwell_error_delete(NULL);
  stepwell_linker_delete(NULL);
  stepwell_debugger_delete(NULL);
  ABORTS(stepwell_config_debug_set, "config", (NULL, true));
  ABORTS(stepwell_config_max_stack_set, "config", (NULL, 1));
  ABORTS(stepwell_config_rerun_cache_set, "config", (NULL, 1));
  ABORTS(stepwell_config_memory_images_set, "config", (NULL, true));
  ABORTS(stepwell_config_kept_memories_set, "config", (NULL, 1));
  ABORTS(stepwell_engine_trim, "engine", (NULL));
  ERRORS(stepwell_config_debug_tier_set, "config", (NULL, STEPWELL_DEBUG_TIER_SIMPLE));
  ABORTS(stepwell_error_code, "error", (NULL));
  NULLS(stepwell_error_message, "error", (NULL));
  NULLS(stepwell_error_offset, "error", (NULL, NULL));
  ERRORS(stepwell_engine_new, "out", (NULL, NULL));
  NULLS(wasm_store_new, "engine", (NULL));
  ERRORS(stepwell_store_limits_set, "store", (NULL, 0, 0, 0));
  NULLS(stepwell_store_is_poisoned, "store", (NULL));
  NULLS(stepwell_store_same, "a", (NULL, NULL));

  REF(ref);
  REF(trap);
  REF(foreign);
  REF(module);
  REF(func);
  REF(global);
  REF(table);
  REF(memory);
  REF(extern);
  REF(instance);
  AS(trap, ref);
  AS(foreign, ref);
  AS(module, ref);
  AS(func, ref);
  AS(global, ref);
  AS(table, ref);
  AS(memory, ref);
  AS(extern, ref);
  AS(instance, ref);
  AS(func, extern);
  AS(global, extern);
  AS(table, extern);
  AS(memory, extern);

  NULLS(wasm_module_new, "store", (NULL, &binary));
  NULLS(wasm_module_new, "binary", (store, NULL));
  NULLS(wasm_module_validate, "store", (NULL, &binary));
  NULLS(wasm_module_validate, "binary", (store, NULL));
  ERRORS(stepwell_module_new, "out", (store, &binary, NULL));
  ERRORS(stepwell_shared_module_new, "out", (engine, &binary, NULL));
  ABORTS(wasm_module_imports, "module", (NULL, NULL));
  ABORTS(wasm_module_imports, "out", (module, NULL));
  ABORTS(wasm_module_exports, "module", (NULL, NULL));
  ABORTS(wasm_module_exports, "out", (module, NULL));
  NULLS(wasm_module_share, "module", (NULL));
  NULLS(wasm_module_obtain, "store", (NULL, NULL));
  NULLS(wasm_module_obtain, "shared", (store, NULL));
  NULLS(stepwell_module_name, "module", (NULL, NULL));
  ABORTS(stepwell_module_func_count, "module", (NULL));
  NULLS(stepwell_module_func_name, "module", (NULL, 0, NULL));
  NULLS(stepwell_module_func_find, "name", (module, NULL, NULL));
  NULLS(stepwell_module_func_find, "index_out", (module, "fib", NULL));

  NULLS(wasm_instance_new, "store", (NULL, module, NULL, NULL));
  NULLS(wasm_instance_new, "module", (store, NULL, NULL, NULL));
  ABORTS(wasm_instance_exports, "instance", (NULL, NULL));
  ABORTS(wasm_instance_exports, "out", (instance, NULL));
  ERRORS(stepwell_instance_new, "out", (store, module, NULL, NULL, NULL));
  NULLS(stepwell_instance_export, "instance", (NULL, "fib"));
  NULLS(stepwell_instance_export, "name", (instance, NULL));
  NULLS(stepwell_instance_module, "instance", (NULL));
  NULLS(stepwell_instance_func, "instance", (NULL, 0));
  NULLS(stepwell_instance_global, "instance", (NULL, 0));
  NULLS(stepwell_instance_memory, "instance", (NULL, 0));
  NULLS(stepwell_instance_table, "instance", (NULL, 0));

  NULLS(wasm_func_new, "store", (NULL, functype, let_in));
  NULLS(wasm_func_new, "callback", (store, functype, NULL));
  NULLS(wasm_func_new_with_env, "callback", (store, NULL, NULL, NULL, NULL));
  NULLS(wasm_func_type, "func", (NULL));
  ABORTS(wasm_func_param_arity, "func", (NULL));
  ABORTS(wasm_func_result_arity, "func", (NULL));
  ABORTS(wasm_func_call, "func", (NULL, NULL, NULL));
  ERRORS(stepwell_func_call, "func", (NULL, NULL, NULL, NULL));
  NULLS(wasm_global_new, "store", (NULL, NULL, &val));
  NULLS(wasm_global_type, "global", (NULL));
  ABORTS(wasm_global_get, "global", (NULL, &val));
  ABORTS(wasm_global_set, "global", (NULL, &val));
  ABORTS(wasm_func_set_host_info, "object", (NULL, NULL));
  NULLS(wasm_table_new, "store", (NULL, NULL, NULL));
  NULLS(wasm_table_new, "type", (store, NULL, NULL));
  NULLS(wasm_table_type, "table", (NULL));
  NULLS(wasm_table_get, "table", (NULL, 0));
  NULLS(wasm_table_set, "table", (NULL, 0, NULL));
  ABORTS(wasm_table_size, "table", (NULL));
  NULLS(wasm_table_grow, "table", (NULL, 0, NULL));
  NULLS(wasm_memory_new, "store", (NULL, NULL));
  NULLS(wasm_memory_new, "type", (store, NULL));
  NULLS(wasm_memory_type, "memory", (NULL));
  NULLS(wasm_memory_data, "memory", (NULL));
  ABORTS(wasm_memory_data_size, "memory", (NULL));
  ABORTS(wasm_memory_size, "memory", (NULL));
  NULLS(wasm_memory_grow, "memory", (NULL, 0));
  ABORTS(wasm_extern_kind, "external", (NULL));
  NULLS(wasm_extern_type, "external", (NULL));
  NULLS(wasm_foreign_new, "store", (NULL));
  NULLS(wasm_trap_new, "store", (NULL, &binary));
  NULLS(wasm_trap_new, "message", (store, NULL));
  ABORTS(wasm_trap_message, "trap", (NULL, &name));
  NULLS(wasm_trap_origin, "trap", (NULL));
  ABORTS(wasm_trap_trace, "trap", (NULL, NULL));
  ABORTS(stepwell_trap_code, "trap", (NULL));
  NULLS(stepwell_trap_backtrace, "trap", (NULL));
  NULLS(wasm_frame_copy, "frame", (NULL));
  NULLS(wasm_frame_instance, "frame", (NULL));
  ABORTS(wasm_frame_func_index, "frame", (NULL));
  ABORTS(wasm_frame_func_offset, "frame", (NULL));
  ABORTS(wasm_frame_module_offset, "frame", (NULL));
  NULLS(stepwell_trap_frame_func_name, "frame", (NULL, NULL));
  NULLS(stepwell_trap_frame_module_name, "frame", (NULL, NULL));
  ABORTS(wasm_val_copy, "out", (NULL, &val));
  ABORTS(wasm_val_copy, "source", (&val, NULL));

  NULLS(stepwell_linker_new, "engine", (NULL));
  {
    stepwell_linker_t *linker = stepwell_linker_new(engine);
    wasm_instance_t *made = NULL;
    ERRORS(stepwell_linker_shadowing_set, "linker", (NULL, true));
    ERRORS(stepwell_linker_define, "linker", (NULL, "a", "b", item));
    ERRORS(stepwell_linker_define, "item", (linker, "a", "b", NULL));
    ERRORS(stepwell_linker_define, "module", (linker, NULL, "b", item));
    ERRORS(stepwell_linker_define, "name", (linker, "a", NULL, item));
    FAILS(stepwell_linker_define(linker, "\xff", "b", item), STEPWELL_ERROR_ARGUMENT, "`module` is no valid UTF-8");
    ERRORS(stepwell_linker_define_instance, "instance", (linker, "a", NULL));
    NULLS(stepwell_linker_get, "linker", (NULL, store, "a", "b"));
    NULLS(stepwell_linker_get, "store", (linker, NULL, "a", "b"));
    ERRORS(stepwell_linker_fill_missing_with_defaults, "module", (linker, store, NULL));
    ERRORS(stepwell_linker_instantiate, "linker", (NULL, store, module, &made, NULL));
    ERRORS(stepwell_linker_instantiate, "module", (linker, store, NULL, &made, NULL));
    ERRORS(stepwell_linker_instantiate, "out", (linker, store, module, NULL, NULL));
    CHECK(!made);
    stepwell_linker_delete(linker);
  }
  ERRORS(stepwell_breakpoint_add, "debugger", (NULL, module, 0, NULL));
  ERRORS(stepwell_breakpoint_add_at_function, "name", (NULL, module, NULL, NULL));
  ERRORS(stepwell_breakpoint_add_at_function_index, "debugger", (NULL, module, 0, NULL));
  ERRORS(stepwell_breakpoint_remove, "debugger", (NULL, 1));
  ERRORS(stepwell_debugger_step_always_set, "debugger", (NULL, true));
  ERRORS(stepwell_debugger_stop_at_exceptions_set, "debugger", (NULL, 1));
  ABORTS(stepwell_debugger_breakpoint_count, "debugger", (NULL));
  ABORTS(stepwell_breakpoint_func_index, "debugger", (NULL, 1));
  ABORTS(stepwell_stop_reason, "stop", (NULL));
  ABORTS(stepwell_frame_locals, "out", (NULL, NULL, 1));
  ABORTS(stepwell_store_object_count, "store", (NULL));

  /* objects of another kind: casts that C lets through */
  CHECK(!wasm_memory_data((wasm_memory_t *)func));
  LAST("`memory` is an object of another kind");
  FAILS(stepwell_func_call((wasm_func_t *)instance, NULL, NULL, NULL), STEPWELL_ERROR_ARGUMENT, "of another kind");
  CHECK(!wasm_extern_type((wasm_extern_t *)module));
  LAST("`external` is an object of another kind");

  { /* vectors that lie */
    wasm_val_vec_t liar;
    wasm_val_t results[1];
    wasm_val_vec_t results_vec = WASM_ARRAY_VEC(results);
    liar.size = 1;
    liar.data = NULL;
    FAILS(stepwell_func_call(func, &liar, &results_vec, NULL), STEPWELL_ERROR_ARGUMENT, "size of 1 but no data");
  }

  wasm_extern_delete(item);
  wasm_func_delete(func);
  wasm_functype_delete(functype);
}

static wasm_store_t *shared_store;
static wasm_func_t *shared_func;

static void count(void *info) { ++*(int *)info; }

static void *intrude(void *arg) {
  wasm_memorytype_t *type;
  wasm_limits_t limits = {1, 1};
  (void)arg;
  type = wasm_memorytype_new(&limits);
  CHECK(!wasm_memory_new(shared_store, type));
  LAST("in use on another thread");
  wasm_memorytype_delete(type);
  { /* a host info that could not be set is finalized */
    int finalized = 0;
    wasm_func_set_host_info_with_finalizer(shared_func, &finalized, count);
    LAST("in use on another thread");
    CHECK(finalized == 1);
  }
  wasm_store_delete(shared_store);
  LAST("inside a callback");
  return NULL;
}

static wasm_trap_t *let_in(const wasm_val_vec_t *args, wasm_val_vec_t *results) {
  pthread_t thread;
  (void)args;
  (void)results;
  CHECK(pthread_create(&thread, NULL, intrude, NULL) == 0);
  CHECK(pthread_join(thread, NULL) == 0);
  return NULL;
}

static void threads(wasm_engine_t *engine) {
  wasm_functype_t *type = wasm_functype_new_0_0();
  shared_store = wasm_store_new(engine);
  shared_func = wasm_func_new(shared_store, type, let_in);
  CHECK(!wasm_func_call(shared_func, NULL, NULL));
  wasm_func_delete(shared_func);
  wasm_functype_delete(type);
  wasm_store_delete(shared_store);
}

int main(void) {
  wasm_engine_t *engine;
  wasm_store_t *store;
  wasm_module_t *module;
  wasm_instance_t *instance;
  types();
  engine = wasm_engine_new();
  store = wasm_store_new(engine);
  module = MODULE(store, FIB);
  instance = check_instance(store, module);
  objects(engine, store, module, instance);
  threads(engine);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  return 0;
}
