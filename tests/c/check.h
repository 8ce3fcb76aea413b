/* What the C tests share: a check that names its place, and short ways to the objects under test. */
#ifndef CHECK_H
#define CHECK_H

#include <stepwell.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "modules.h"

#define CHECK(condition)                                                              \
  do {                                                                                \
    if (!(condition)) {                                                               \
      fprintf(stderr, "%s:%d: %s is not so\n", __FILE__, __LINE__, #condition);       \
      exit(1);                                                                        \
    }                                                                                 \
  } while (0)

/* Fails with the error's message, if there is one. */
#define OK(call) check_ok((call), __FILE__, __LINE__)

static inline void check_ok(stepwell_error_t *error, const char *file, int line) {
  if (error) {
    fprintf(stderr, "%s:%d: error %d: %s\n", file, line, (int)stepwell_error_code(error), stepwell_error_message(error));
    exit(1);
  }
}

/* Checks that the call fails with this code and a message that contains this text. */
#define FAILS(call, code, text) check_fails((call), (code), (text), __FILE__, __LINE__)

static inline void check_fails(stepwell_error_t *error, int code, const char *text, const char *file, int line) {
  const char *message;
  if (!error) {
    fprintf(stderr, "%s:%d: succeeded; error %d \"%s\" was due\n", file, line, code, text);
    exit(1);
  }
  message = stepwell_error_message(error);
  if (stepwell_error_code(error) != code || !strstr(message, text)) {
    fprintf(stderr, "%s:%d: error %d \"%s\", not %d \"%s\"\n", file, line, (int)stepwell_error_code(error),
            message, code, text);
    exit(1);
  }
  stepwell_error_delete(error);
}

/* Checks the last error's message, and forgets it. */
#define LAST(text) check_last((text), __FILE__, __LINE__)

static inline void check_last(const char *text, const char *file, int line) {
  const stepwell_error_t *error = stepwell_last_error();
  const char *message;
  if (!error) {
    fprintf(stderr, "%s:%d: no last error; \"%s\" was due\n", file, line, text);
    exit(1);
  }
  message = stepwell_error_message(error);
  if (!strstr(message, text)) {
    fprintf(stderr, "%s:%d: last error \"%s\", not \"%s\"\n", file, line, message, text);
    exit(1);
  }
  stepwell_last_error_clear();
}

static inline bool name_is(const wasm_name_t *name, const char *text) {
  return name->size == strlen(text) && memcmp(name->data, text, name->size) == 0;
}

/* A module of modules.h. */
#define MODULE(store, bytes) check_module((store), (bytes), sizeof(bytes))

static inline wasm_module_t *check_module(wasm_store_t *store, const unsigned char *bytes, size_t size) {
  wasm_byte_vec_t binary;
  wasm_module_t *module = NULL;
  binary.size = size;
  binary.data = (char *)(uintptr_t)bytes;
  OK(stepwell_module_new(store, &binary, &module));
  CHECK(module);
  return module;
}

/* An instance without imports. */
static inline wasm_instance_t *check_instance(wasm_store_t *store, const wasm_module_t *module) {
  wasm_instance_t *instance = NULL;
  OK(stepwell_instance_new(store, module, NULL, &instance, NULL));
  CHECK(instance);
  return instance;
}

/* An exported function, owned. */
static inline wasm_func_t *check_func(const wasm_instance_t *instance, const char *name) {
  wasm_extern_t *item = stepwell_instance_export(instance, name);
  wasm_func_t *func;
  CHECK(item);
  func = wasm_func_copy(wasm_extern_as_func(item));
  CHECK(func);
  wasm_extern_delete(item);
  return func;
}

static inline wasm_val_t val_i32(int32_t value) {
  wasm_val_t val;
  memset(&val, 0, sizeof(val));
  val.kind = WASM_I32;
  val.of.i32 = value;
  return val;
}

/* Calls a function of type (i32) -> i32 that must not trap. */
static inline int32_t call_i32(const wasm_func_t *func, int32_t arg) {
  wasm_val_t args[1], results[1];
  wasm_val_vec_t args_vec = WASM_ARRAY_VEC(args), results_vec = WASM_ARRAY_VEC(results);
  wasm_trap_t *trap;
  args[0] = val_i32(arg);
  trap = wasm_func_call(func, &args_vec, &results_vec);
  if (trap) {
    fprintf(stderr, "trap: %s\n", stepwell_trap_message(trap));
    exit(1);
  }
  CHECK(results[0].kind == WASM_I32);
  return results[0].of.i32;
}

/* A file, found from this folder. */
static inline void read_beside(const char *name, wasm_byte_vec_t *out) {
  char path[4096];
  const char *slash = strrchr(__FILE__, '/');
  FILE *file;
  snprintf(path, sizeof path, "%.*s%s", slash ? (int)(slash + 1 - __FILE__) : 0, __FILE__, name);
  file = fopen(path, "rb");
  CHECK(file);
  wasm_byte_vec_new_uninitialized(out, 1 << 16);
  out->size = fread(out->data, 1, 1 << 16, file);
  CHECK(out->size > 0 && out->size < 1 << 16);
  fclose(file);
}

#endif /* CHECK_H */
