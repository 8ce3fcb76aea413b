/* WASI: what a configuration gives a program, its end, output callbacks that call the program again, and finalizers. */
#include "beside.h"

#include <unistd.h>

typedef struct stream {
  wasm_func_t *again; /* called from inside the callback */
  char text[64];
  size_t size;
  int inside;
  int finalized;
} stream;

static int32_t call(wasm_func_t *func, int32_t argument) {
  wasm_val_t args[1], results[1];
  wasm_val_vec_t args_vec = WASM_ARRAY_VEC(args), results_vec = WASM_ARRAY_VEC(results);
  args[0] = val_i32(argument);
  CHECK(!wasm_func_call(func, &args_vec, &results_vec));
  return results[0].of.i32;
}

static void on_output(void *env, const byte_t *data, size_t size) {
  stream *s = env;
  CHECK(s->size + size <= sizeof s->text);
  memcpy(s->text + s->size, data, size);
  s->size += size;
  if (s->again) {
    s->inside = call(s->again, 1);
  }
}

static void finalize(void *env) {
  stream *s = env;
  s->finalized++;
}

static bool written(const stream *s, const char *text) {
  return s->size == strlen(text) && memcmp(s->text, text, s->size) == 0;
}

/* Fills the input once; afterwards it fails. */
static size_t on_input(void *env, byte_t *data, size_t size) {
  stream *s = env;
  CHECK(size >= 2);
  if (s->size > 0) {
    return size + 1;
  }
  memcpy(data, "in", 2);
  s->size = 2;
  return 2;
}

/* A new store with a configuration: its linker and instance. */
static wasm_instance_t *run(wasm_engine_t *engine, stepwell_wasi_config_t *config, wasm_store_t **store) {
  stepwell_linker_t *linker = stepwell_linker_new(engine);
  wasm_instance_t *instance;
  wasm_module_t *module;
  *store = wasm_store_new(engine);
  module = MODULE(*store, WASI);
  OK(stepwell_linker_define_wasi(linker, *store, config));
  OK(stepwell_linker_instantiate(linker, *store, module, &instance, NULL));
  wasm_module_delete(module);
  stepwell_linker_delete(linker);
  return instance;
}

static int32_t call_export(wasm_instance_t *instance, const char *name, int32_t argument) {
  wasm_func_t *func = check_func(instance, name);
  int32_t result = call(func, argument);
  wasm_func_delete(func);
  return result;
}

/* Buffers that are read back, an input callback, files, and a bound on descriptors. */
static void buffers_and_files(wasm_engine_t *engine) {
  stepwell_wasi_config_t *config = stepwell_wasi_config_new();
  stepwell_wasi_buffer_t *buffer = stepwell_wasi_buffer_new(10);
  wasm_store_t *store;
  wasm_instance_t *instance;
  wasm_byte_vec_t bytes;
  stream in;
  char path[1024];
  FILE *file;
  int fd;
  check_beside("wasi", path, sizeof path);
  fd = mkstemp(path);
  CHECK(fd >= 0 && write(fd, "old", 3) == 3 && close(fd) == 0);
  memset(&in, 0, sizeof in);

  FAILS(stepwell_wasi_config_stdout_buffer_set(NULL, buffer), STEPWELL_ERROR_ARGUMENT, "`config`");
  FAILS(stepwell_wasi_config_stdout_buffer_set(config, NULL), STEPWELL_ERROR_ARGUMENT, "`buffer`");
  FAILS(stepwell_wasi_config_stderr_buffer_set(config, NULL), STEPWELL_ERROR_ARGUMENT, "`buffer`");
  FAILS(stepwell_wasi_buffer_read(NULL, false, &bytes), STEPWELL_ERROR_ARGUMENT, "`buffer`");
  FAILS(stepwell_wasi_buffer_read(buffer, false, NULL), STEPWELL_ERROR_ARGUMENT, "`out`");
  FAILS(stepwell_wasi_config_stdin_callback_set(config, NULL, &in, finalize), STEPWELL_ERROR_ARGUMENT, "`callback`");
  FAILS(stepwell_wasi_config_stdin_callback_set(NULL, on_input, &in, finalize), STEPWELL_ERROR_ARGUMENT, "`config`");
  CHECK(in.finalized == 2);
  FAILS(stepwell_wasi_config_stdin_file_set(config, NULL), STEPWELL_ERROR_ARGUMENT, "`path`");
  FAILS(stepwell_wasi_config_stdin_file_set(config, "/no/such/file"), STEPWELL_ERROR_SYSTEM, "/no/such/file");
  FAILS(stepwell_wasi_config_stdout_file_set(config, NULL, true), STEPWELL_ERROR_ARGUMENT, "`path`");
  FAILS(stepwell_wasi_config_stderr_file_set(config, "/", true), STEPWELL_ERROR_SYSTEM, "/");

  OK(stepwell_wasi_config_stdin_callback_set(config, on_input, &in, finalize));
  OK(stepwell_wasi_config_stdout_buffer_set(config, buffer));
  OK(stepwell_wasi_config_stderr_buffer_set(config, buffer));
  instance = run(engine, config, &store);
  CHECK(stepwell_wasi_buffer_size(buffer) == 0);
  CHECK(call_export(instance, "write", 1) == 0 && call_export(instance, "write", 2) == 0);
  OK(stepwell_wasi_buffer_read(buffer, false, &bytes));
  CHECK(bytes.size == 8 && memcmp(bytes.data, "abcdabcd", 8) == 0);
  wasm_byte_vec_delete(&bytes);
  CHECK(call_export(instance, "write", 1) == 0 && stepwell_wasi_buffer_size(buffer) == 10);
  CHECK(call_export(instance, "write", 1) == 51); /* ENOSPC */
  CHECK(call_export(instance, "read", 0) == 0 && call_export(instance, "read", 0) == 29 /* EIO */);
  wasm_instance_delete(instance);
  wasm_store_delete(store);
  CHECK(in.finalized == 3);
  OK(stepwell_wasi_buffer_read(buffer, true, &bytes));
  CHECK(bytes.size == 10 && stepwell_wasi_buffer_size(buffer) == 0);
  wasm_byte_vec_delete(&bytes);
  stepwell_wasi_buffer_delete(buffer);
  stepwell_wasi_buffer_delete(NULL);

  config = stepwell_wasi_config_new();
  stepwell_wasi_config_max_descriptors_set(config, 3);
  OK(stepwell_wasi_config_stdin_file_set(config, path));
  OK(stepwell_wasi_config_stdout_file_set(config, path, true));
  instance = run(engine, config, &store);
  CHECK(call_export(instance, "write", 1) == 0 && call_export(instance, "read", 0) == 0);
  wasm_instance_delete(instance);
  wasm_store_delete(store);
  file = fopen(path, "rb");
  {
    char text[16];
    CHECK(file && fread(text, 1, sizeof text, file) == 7 && memcmp(text, "oldabcd", 7) == 0);
  }
  fclose(file);
  remove(path);
}

int main(void) {
  wasm_engine_t *engine = wasm_engine_new();
  wasm_store_t *store = wasm_store_new(engine);
  wasm_module_t *module = MODULE(store, WASI);
  stepwell_linker_t *linker = stepwell_linker_new(engine);
  stepwell_wasi_config_t *config = stepwell_wasi_config_new();
  const char *argv[] = {"prog", "one", "two"}, *names[] = {"A"}, *values[] = {"bc"}, *holes[] = {"prog", NULL};
  stream out, err, dropped;
  wasm_instance_t *instance;
  wasm_func_t *func;
  wasm_byte_vec_t input;
  memset(&out, 0, sizeof out);
  memset(&err, 0, sizeof err);
  memset(&dropped, 0, sizeof dropped);

  /* What is refused; finalizers run also then. */
  FAILS(stepwell_wasi_config_args_set(NULL, 3, argv), STEPWELL_ERROR_ARGUMENT, "`config`");
  FAILS(stepwell_wasi_config_args_set(config, 1, NULL), STEPWELL_ERROR_ARGUMENT, "`argv`");
  FAILS(stepwell_wasi_config_args_set(config, 2, holes), STEPWELL_ERROR_ARGUMENT, "`argv[1]`");
  FAILS(stepwell_wasi_config_env_set(config, 1, names, NULL), STEPWELL_ERROR_ARGUMENT, "`values`");
  FAILS(stepwell_wasi_config_stdin_bytes_set(config, NULL), STEPWELL_ERROR_ARGUMENT, "`bytes`");
  FAILS(stepwell_wasi_config_preopen_dir(config, "/no/such/place", ".", false), STEPWELL_ERROR_SYSTEM, "/no/such/place");
  FAILS(stepwell_wasi_config_preopen_dir(config, "/", NULL, false), STEPWELL_ERROR_ARGUMENT, "`guest`");
  FAILS(stepwell_wasi_config_stdout_callback_set(config, NULL, &dropped, finalize), STEPWELL_ERROR_ARGUMENT, "`callback`");
  CHECK(dropped.finalized == 1);
  FAILS(stepwell_wasi_config_stderr_callback_set(NULL, on_output, &dropped, finalize), STEPWELL_ERROR_ARGUMENT, "`config`");
  CHECK(dropped.finalized == 2);
  OK(stepwell_wasi_config_stdout_callback_set(config, on_output, &dropped, finalize));
  CHECK(dropped.finalized == 2);

  OK(stepwell_wasi_config_args_set(config, 3, argv));
  OK(stepwell_wasi_config_env_set(config, 1, names, values));
  wasm_byte_vec_new(&input, 2, "xy");
  OK(stepwell_wasi_config_stdin_bytes_set(config, &input));
  wasm_byte_vec_delete(&input);
  OK(stepwell_wasi_config_stdout_callback_set(config, on_output, &out, finalize));
  CHECK(dropped.finalized == 3); /* replaced */
  OK(stepwell_wasi_config_stderr_callback_set(config, on_output, &err, finalize));
  OK(stepwell_wasi_config_preopen_dir(config, "/", "/", false));
  OK(stepwell_linker_define_wasi(linker, store, config));
  FAILS(stepwell_linker_define_wasi(linker, store, NULL), STEPWELL_ERROR_ARGUMENT, "`config`");
  FAILS(stepwell_linker_define_wasi(linker, store, stepwell_wasi_config_new()), STEPWELL_ERROR_ARGUMENT, "defined already");
  config = stepwell_wasi_config_new();
  OK(stepwell_wasi_config_stdout_callback_set(config, on_output, &dropped, finalize));
  FAILS(stepwell_linker_define_wasi(linker, NULL, config), STEPWELL_ERROR_ARGUMENT, "`store`");
  CHECK(dropped.finalized == 4);

  OK(stepwell_linker_instantiate(linker, store, module, &instance, NULL));
  func = check_func(instance, "args");
  CHECK(call(func, 0) == 3);
  wasm_func_delete(func);
  func = check_func(instance, "environ");
  CHECK(call(func, 0) == ('A' | '=' << 8 | 'b' << 16 | 'c' << 24));
  wasm_func_delete(func);
  func = check_func(instance, "prestat");
  CHECK(call(func, 3) == 0 && call(func, 4) == 8);
  wasm_func_delete(func);
  func = check_func(instance, "write");
  CHECK(call(func, 1) == 0 && call(func, 2) == 0 && call(func, 7) == 8);
  CHECK(written(&out, "abcd") && written(&err, "abcd"));
  /* A callback may call the program; to write to the same stream meanwhile is EDEADLK, to another one is well. */
  out.again = func;
  CHECK(call(func, 1) == 0 && out.inside == 16);
  out.again = NULL;
  err.again = func;
  CHECK(call(func, 2) == 0 && err.inside == 0);
  err.again = NULL;
  CHECK(call(func, 1) == 0);
  CHECK(written(&out, "abcdabcdabcdabcd") && written(&err, "abcdabcd"));
  { /* what is read is there to be written */
    wasm_func_t *read = check_func(instance, "read");
    out.size = 0;
    CHECK(call(read, 0) == 0 && call(func, 1) == 0 && written(&out, "xycd"));
    wasm_func_delete(read);
  }
  wasm_func_delete(func);

  { /* the end of the program, as a trap and as an error */
    wasm_val_t args[1], results[1];
    wasm_val_vec_t args_vec = WASM_ARRAY_VEC(args), results_vec = WASM_ARRAY_VEC(results);
    wasm_trap_t *trap;
    wasm_message_t message;
    stepwell_error_t *error;
    int32_t status = -1;
    func = check_func(instance, "exit");
    args[0] = val_i32(42);
    OK(stepwell_func_call(func, &args_vec, &results_vec, &trap));
    CHECK(trap && stepwell_trap_exit_status(trap, &status) && status == 42);
    CHECK(stepwell_trap_exit_status(trap, NULL) && stepwell_trap_code(trap) == STEPWELL_TRAP_HOST);
    wasm_trap_delete(trap);
    args[0] = val_i32(-7);
    error = stepwell_func_call(func, &args_vec, &results_vec, NULL);
    CHECK(error && stepwell_error_exit_status(error, &status) && status == -7);
    stepwell_error_delete(error);
    wasm_func_delete(func);

    wasm_name_new_from_string_nt(&message, "exit");
    trap = wasm_trap_new(store, &message);
    CHECK(!stepwell_trap_exit_status(trap, &status) && status == -7);
    wasm_byte_vec_delete(&message);
    wasm_trap_delete(trap);
  }

  CHECK(out.finalized == 0);
  wasm_instance_delete(instance);
  stepwell_linker_delete(linker);
  wasm_module_delete(module);
  wasm_store_delete(store);
  CHECK(out.finalized == 1 && err.finalized == 1 && dropped.finalized == 4);
  buffers_and_files(engine);
  wasm_engine_delete(engine);
  stepwell_wasi_config_delete(NULL);
  return 0;
}
