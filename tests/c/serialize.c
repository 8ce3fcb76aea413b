/* Modules as bytes and files, what is refused and why, and what a module says about itself. */
#include "beside.h"

#include <pthread.h>
#include <unistd.h>

/* FIB with three custom sections behind it. */
static const unsigned char CUSTOM[] = {0, 8,  5, 'n', 'o', 't', 'e', 's', 'h', 'i', 0, 6, 5, 'n', 'o', 't',
                                       'e', 's', 0, 4, 0,  'x', 'y', 'z'};

static wasm_byte_vec_t fib_with_custom(void) {
  wasm_byte_vec_t binary;
  wasm_byte_vec_new_uninitialized(&binary, sizeof(FIB) + sizeof(CUSTOM));
  memcpy(binary.data, FIB, sizeof(FIB));
  memcpy(binary.data + sizeof(FIB), CUSTOM, sizeof(CUSTOM));
  return binary;
}

static void check_fib(wasm_store_t *store, const wasm_module_t *module) {
  wasm_instance_t *instance = check_instance(store, module);
  wasm_func_t *fib = check_func(instance, "fib");
  CHECK(call_i32(fib, 20) == 6765);
  wasm_func_delete(fib);
  wasm_instance_delete(instance);
}

struct stops {
  int count;
  int32_t first_local;
};

static stepwell_action_t on_stop(void *env, stepwell_stop_t *stop) {
  struct stops *stops = env;
  wasm_val_t value;
  const stepwell_frame_t *frame = stepwell_stop_frame(stop, 0);
  CHECK(frame);
  CHECK(stepwell_frame_local(frame, 0, &value));
  if (stops->count++ == 0) stops->first_local = value.of.i32;
  return STEPWELL_ACTION_CONTINUE;
}

/* Stops at `fib` in a store of its own. */
static void check_debugged(wasm_engine_t *engine, const wasm_shared_module_t *shared) {
  wasm_store_t *store = wasm_store_new(engine);
  wasm_module_t *module = wasm_module_obtain(store, shared);
  wasm_instance_t *instance = check_instance(store, module);
  wasm_func_t *fib = check_func(instance, "fib");
  stepwell_debugger_t *debugger = NULL;
  struct stops stops = {0, 0};
  OK(stepwell_debugger_attach(store, on_stop, &stops, NULL, &debugger));
  OK(stepwell_breakpoint_add_at_function(debugger, module, "fib", NULL));
  CHECK(call_i32(fib, 5) == 5);
  CHECK(stops.count == 15 && stops.first_local == 5);
  stepwell_debugger_delete(debugger);
  wasm_func_delete(fib);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wasm_store_delete(store);
}

struct shared {
  wasm_engine_t *engine;
  wasm_shared_module_t *module;
};

static void *other_thread(void *arg) {
  struct shared *shared = arg;
  wasm_store_t *store = wasm_store_new(shared->engine);
  wasm_module_t *module = wasm_module_obtain(store, shared->module);
  CHECK(module);
  check_fib(store, module);
  check_debugged(shared->engine, shared->module);
  wasm_module_delete(module);
  wasm_store_delete(store);
  return NULL;
}

static wasm_engine_t *engine_with(bool debug, bool signals) {
  wasm_config_t *config = wasm_config_new();
  wasm_engine_t *engine;
  stepwell_config_debug_set(config, debug);
  stepwell_config_signals_set(config, signals);
  engine = wasm_engine_new_with_config(config);
  CHECK(engine);
  return engine;
}

static bool is(const char *text, size_t size, const char *expected) {
  return text && size == strlen(expected) && memcmp(text, expected, size) == 0;
}

int main(void) {
  wasm_engine_t *engine = engine_with(true, true), *second = engine_with(true, true), *other = engine_with(true, false);
  wasm_store_t *store = wasm_store_new(engine), *store2 = wasm_store_new(second), *foreign = wasm_store_new(other);
  wasm_byte_vec_t binary = fib_with_custom(), bytes, again;
  wasm_module_t *module = NULL, *loaded = NULL;
  char path[1024], file[1100];

  check_beside("serialize", path, sizeof path);
  CHECK(mkdtemp(path));
  snprintf(file, sizeof(file), "%s/fib", path);

  OK(stepwell_module_new(store, &binary, &module));

  { /* the standard's two functions */
    wasm_module_serialize(module, &bytes);
    CHECK(bytes.size > binary.size);
    loaded = wasm_module_deserialize(store2, &bytes);
    CHECK(loaded);
    check_fib(store2, loaded);
    CHECK(stepwell_module_debug_text_size(loaded) == 0);
    wasm_module_delete(loaded);
    CHECK(!wasm_module_deserialize(store2, &binary));
    LAST("it is WebAssembly");
    CHECK(!wasm_module_deserialize(foreign, &bytes));
    LAST("`signals`");
  }

  { /* with errors, and debug code */
    OK(stepwell_module_compile_debug(module, NULL, NULL));
    OK(stepwell_module_serialize(module, &again));
    CHECK(again.size > bytes.size);
    loaded = NULL;
    OK(stepwell_module_deserialize(store2, &again, &loaded));
    CHECK(stepwell_module_debug_text_size(loaded) == stepwell_module_debug_text_size(module));
    CHECK(stepwell_module_debug_text_size(module) > stepwell_module_text_size(module));
    CHECK(stepwell_module_text_size(loaded) == stepwell_module_text_size(module));
    check_fib(store2, loaded);
    wasm_module_delete(loaded);
    loaded = NULL;
    FAILS(stepwell_module_deserialize(foreign, &again, &loaded), STEPWELL_ERROR_UNSUPPORTED, "`signals`");
    again.size -= 1;
    FAILS(stepwell_module_deserialize(store2, &again, &loaded), STEPWELL_ERROR_INVALID_MODULE, "truncated");
    again.size += 1;
    again.data[again.size / 2] ^= 1;
    FAILS(stepwell_module_deserialize(store2, &again, &loaded), STEPWELL_ERROR_INVALID_MODULE, "damaged");
    CHECK(!loaded);
    wasm_byte_vec_delete(&again);
  }

  { /* files, of modules and shared modules; and threads */
    wasm_shared_module_t *shared = NULL;
    struct shared arg;
    pthread_t threads[2];
    FILE *overwritten;
    OK(stepwell_module_serialize_file(module, file));
    OK(stepwell_module_deserialize_file(store2, file, &loaded));
    check_fib(store2, loaded);
    wasm_module_delete(loaded);
    loaded = NULL;
    OK(stepwell_shared_module_deserialize_file(second, file, &shared));
    OK(stepwell_shared_module_serialize_file(shared, file));
    OK(stepwell_shared_module_serialize(shared, &again));
    wasm_shared_module_delete(shared);
    OK(stepwell_shared_module_deserialize_file(second, file, &shared));
    overwritten = fopen(file, "wb");
    CHECK(overwritten && fputs("overwritten", overwritten) >= 0 && fclose(overwritten) == 0);
    FAILS(stepwell_module_deserialize_file(store2, file, &loaded), STEPWELL_ERROR_INVALID_MODULE, file);
    arg.engine = second;
    arg.module = shared;
    for (int i = 0; i < 2; i++) CHECK(pthread_create(&threads[i], NULL, other_thread, &arg) == 0);
    for (int i = 0; i < 2; i++) CHECK(pthread_join(threads[i], NULL) == 0);
    wasm_shared_module_delete(shared);
    OK(stepwell_shared_module_deserialize(second, &again, &shared));
    check_debugged(second, shared);
    wasm_shared_module_delete(shared);
    CHECK(remove(file) == 0);
    FAILS(stepwell_module_deserialize_file(store2, file, &loaded), STEPWELL_ERROR_SYSTEM, file);
    FAILS(stepwell_shared_module_deserialize_file(second, path, &shared), STEPWELL_ERROR_SYSTEM, "regular file");
    FAILS(stepwell_module_serialize_file(module, "/nowhere/at/all"), STEPWELL_ERROR_SYSTEM, "/nowhere/at/all");
    CHECK(rmdir(path) == 0);
    wasm_byte_vec_delete(&again);
  }

  { /* NULL */
    wasm_shared_module_t *shared = NULL;
    FAILS(stepwell_module_serialize(NULL, &again), STEPWELL_ERROR_ARGUMENT, "`module`");
    FAILS(stepwell_module_serialize(module, NULL), STEPWELL_ERROR_ARGUMENT, "`out`");
    FAILS(stepwell_module_serialize_file(module, NULL), STEPWELL_ERROR_ARGUMENT, "`path`");
    FAILS(stepwell_module_deserialize(NULL, &bytes, &loaded), STEPWELL_ERROR_ARGUMENT, "`store`");
    FAILS(stepwell_module_deserialize(store, NULL, &loaded), STEPWELL_ERROR_ARGUMENT, "`binary`");
    FAILS(stepwell_module_deserialize(store, &bytes, NULL), STEPWELL_ERROR_ARGUMENT, "`out`");
    FAILS(stepwell_module_deserialize_file(store, NULL, &loaded), STEPWELL_ERROR_ARGUMENT, "`path`");
    FAILS(stepwell_shared_module_deserialize(NULL, &bytes, &shared), STEPWELL_ERROR_ARGUMENT, "`engine`");
    FAILS(stepwell_shared_module_serialize_file(NULL, file), STEPWELL_ERROR_ARGUMENT, "`module`");
    CHECK(!wasm_module_deserialize(NULL, &bytes));
    LAST("`store`");
  }

  { /* what it says about itself, when loaded */
    size_t size = 99, index = 99;
    const char *text;
    loaded = wasm_module_deserialize(store2, &bytes);
    CHECK(loaded);
    CHECK(stepwell_module_custom_section_count(loaded) == 4);
    text = stepwell_module_custom_section_name(loaded, 0, &size);
    CHECK(is(text, size, "name"));
    CHECK(stepwell_module_custom_section_find(loaded, "notes", 0, &index) && index == 1);
    text = stepwell_module_custom_section_data(loaded, index, &size);
    CHECK(is(text, size, "hi"));
    CHECK(stepwell_module_custom_section_find(loaded, "notes", index + 1, &index) && index == 2);
    text = stepwell_module_custom_section_data(loaded, index, &size);
    CHECK(text && size == 0);
    CHECK(!stepwell_module_custom_section_find(loaded, "notes", index + 1, &index) && index == 2);
    CHECK(stepwell_module_custom_section_find(loaded, "", 0, &index) && index == 3);
    text = stepwell_module_custom_section_name(loaded, 3, &size);
    CHECK(text && size == 0);
    text = stepwell_module_custom_section_data(loaded, 3, &size);
    CHECK(is(text, size, "xyz"));
    CHECK(!stepwell_module_custom_section_data(loaded, 4, &size));
    LAST("4 custom sections");
    CHECK(stepwell_module_import_count(loaded) == 0 && stepwell_module_export_count(loaded) == 3);
    CHECK(!stepwell_module_has_start(loaded));
    text = stepwell_module_local_name(loaded, 0, 0, &size);
    CHECK(is(text, size, "n") && text[size] == 0);
    text = stepwell_module_local_name(loaded, 0, 1, NULL);
    CHECK(text && strcmp(text, "twice") == 0);
    CHECK(!stepwell_module_local_name(loaded, 9, 0, NULL) && !stepwell_module_local_name(loaded, 0, 2, NULL));
    text = stepwell_module_global_name(loaded, 0, NULL);
    CHECK(text && strcmp(text, "calls") == 0);
    CHECK(!stepwell_module_table_name(loaded, 0, NULL) && !stepwell_module_memory_name(loaded, 0, NULL));
    CHECK(!stepwell_module_data_name(loaded, 0, NULL) && !stepwell_module_elem_name(loaded, 0, NULL));
    wasm_module_delete(loaded);
  }

  { /* a component */
    static const unsigned char component[] = {0, 'a', 's', 'm', 13, 0, 1, 0};
    wasm_byte_vec_t vec;
    vec.size = sizeof(component);
    vec.data = (char *)(uintptr_t)component;
    FAILS(stepwell_module_new(store, &vec, &loaded), STEPWELL_ERROR_UNSUPPORTED, "component");
    FAILS(stepwell_module_deserialize(store, &vec, &loaded), STEPWELL_ERROR_INVALID_MODULE, "WebAssembly");
  }

  wasm_byte_vec_delete(&bytes);
  wasm_byte_vec_delete(&binary);
  wasm_module_delete(module);
  wasm_store_delete(store);
  wasm_store_delete(store2);
  wasm_store_delete(foreign);
  wasm_engine_delete(engine);
  wasm_engine_delete(second);
  wasm_engine_delete(other);
  return 0;
}
