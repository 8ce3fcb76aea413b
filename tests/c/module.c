/* Modules: errors with places, imports, exports, sharing between threads, names. */
#include "check.h"

#include <pthread.h>

static wasm_byte_vec_t borrow(const void *bytes, size_t size) {
  wasm_byte_vec_t vec;
  vec.size = size;
  vec.data = (char *)(uintptr_t)bytes;
  return vec;
}

static void *other_thread(void *arg) {
  wasm_shared_module_t *shared = ((void **)arg)[0];
  wasm_engine_t *engine = ((void **)arg)[1];
  wasm_store_t *store = wasm_store_new(engine);
  wasm_module_t *module = wasm_module_obtain(store, shared);
  wasm_instance_t *instance;
  wasm_func_t *fib;
  CHECK(module);
  instance = check_instance(store, module);
  fib = check_func(instance, "fib");
  CHECK(call_i32(fib, 20) == 6765);
  wasm_store_delete(store);
  wasm_module_delete(module);
  wasm_instance_delete(instance);
  wasm_func_delete(fib);
  return NULL;
}

int main(void) {
  wasm_engine_t *engine = wasm_engine_new();
  wasm_store_t *store = wasm_store_new(engine);
  wasm_module_t *module = NULL;

  { /* from text: what it says, and where it is wrong */
    static const char text[] = "(module (func (export \"seven\") (result i32) i32.const 7))";
    wasm_byte_vec_t binary = WASM_EMPTY_VEC, same = WASM_EMPTY_VEC;
    wasm_module_t *made = NULL;
    wasm_instance_t *instance;
    wasm_func_t *seven;
    wasm_val_t result = WASM_INIT_VAL;
    wasm_val_vec_t none = WASM_EMPTY_VEC, results = {1, &result};
    OK(stepwell_wat2wasm(text, strlen(text), &binary));
    OK(stepwell_wat2wasm(binary.data, binary.size, &same));
    CHECK(same.size == binary.size && memcmp(same.data, binary.data, same.size) == 0);
    OK(stepwell_module_new(store, &binary, &made));
    instance = check_instance(store, made);
    seven = check_func(instance, "seven");
    CHECK(!wasm_func_call(seven, &none, &results) && result.of.i32 == 7);
    wasm_func_delete(seven);
    wasm_instance_delete(instance);
    wasm_module_delete(made);
    wasm_byte_vec_delete(&binary);
    wasm_byte_vec_delete(&same);
    FAILS(stepwell_wat2wasm(text, sizeof(text) - 2, &binary), STEPWELL_ERROR_INVALID_MODULE, "line 1, column 57");
    FAILS(stepwell_wat2wasm("(module\n  (func\n    frob))", 26, &binary), STEPWELL_ERROR_INVALID_MODULE, "line 3, column 5");
    FAILS(stepwell_wat2wasm("", 0, &binary), STEPWELL_ERROR_INVALID_MODULE, "no module");
    CHECK(binary.size == 0); /* as it was made empty */
  }
  { /* what is invalid, and where */
    /* (type $ft (func)) (type (cont $ft)) */
    static const unsigned char stacks[] = {0, 'a', 's', 'm', 1, 0, 0, 0, 1, 6, 2, 0x60, 0, 0, 0x5d, 0};
    wasm_byte_vec_t garbage = borrow("not wasm", 8), truncated = borrow(FIB, sizeof(FIB) - 5);
    wasm_byte_vec_t unsupported = borrow(stacks, sizeof(stacks)), good = borrow(FIB, sizeof(FIB));
    wasm_byte_vec_t empty = WASM_EMPTY_VEC;
    size_t offset = 0;
    stepwell_error_t *error;
    FAILS(stepwell_module_new(store, &garbage, &module), STEPWELL_ERROR_INVALID_MODULE, "");
    FAILS(stepwell_module_new(store, &empty, &module), STEPWELL_ERROR_INVALID_MODULE, "");
    FAILS(stepwell_module_new(store, &truncated, &module), STEPWELL_ERROR_INVALID_MODULE, "");
    CHECK(!module);
    error = stepwell_module_new(store, &unsupported, &module);
    CHECK(error && stepwell_error_code(error) == STEPWELL_ERROR_UNSUPPORTED);
    CHECK(stepwell_error_offset(error, &offset) && offset > 10 && offset < sizeof(stacks));
    stepwell_error_delete(error);
    CHECK(!wasm_module_new(store, &unsupported));
    LAST("stack-switching");
    CHECK(!wasm_module_validate(store, &garbage));
    stepwell_last_error_clear();
    CHECK(wasm_module_validate(store, &good));
    CHECK(!stepwell_last_error());
  }

  { /* imports and exports, in order */
    wasm_importtype_vec_t imports;
    wasm_exporttype_vec_t exports;
    const wasm_limits_t *limits;
    module = MODULE(store, KINDS);
    wasm_module_imports(module, &imports);
    wasm_module_exports(module, &exports);
    CHECK(imports.size == 4 && exports.size == 11);
    CHECK(name_is(wasm_importtype_module(imports.data[0]), "env") && name_is(wasm_importtype_name(imports.data[0]), "f"));
    CHECK(wasm_externtype_kind(wasm_importtype_type(imports.data[1])) == WASM_EXTERN_GLOBAL);
    limits = wasm_tabletype_limits(wasm_externtype_as_tabletype_const(wasm_importtype_type(imports.data[2])));
    CHECK(limits->min == 2 && limits->max == 8);
    limits = wasm_memorytype_limits(wasm_externtype_as_memorytype_const(wasm_importtype_type(imports.data[3])));
    CHECK(limits->min == 1 && limits->max == 3);
    CHECK(name_is(wasm_exporttype_name(exports.data[0]), "twice"));
    CHECK(name_is(wasm_exporttype_name(exports.data[10]), "m"));
    wasm_importtype_vec_delete(&imports);
    wasm_exporttype_vec_delete(&exports);
    CHECK(!stepwell_module_name(module, NULL));
    wasm_module_delete(module);
  }

  { /* names */
    const char *name;
    size_t size = 99;
    uint32_t index = 99;
    module = MODULE(store, FIB);
    name = stepwell_module_name(module, &size);
    CHECK(name && strcmp(name, "fib") == 0 && size == 3);
    CHECK(stepwell_module_name(module, NULL) == name); /* it stays where it is */
    CHECK(stepwell_module_func_count(module) == 4);
    CHECK(stepwell_module_func_find(module, "helper", &index) && index == 1);
    CHECK(stepwell_module_func_find(module, "outer", &index) && index == 2);
    CHECK(!stepwell_module_func_find(module, "nobody", &index) && index == 2);
    name = stepwell_module_func_name(module, 0, &size);
    CHECK(name && strcmp(name, "fib") == 0 && size == 3);
    size = 99;
    CHECK(!stepwell_module_func_name(module, 4, &size) && size == 99);
  }

  { /* sharing: another thread, another engine, and the handles deleted early */
    wasm_shared_module_t *shared = wasm_module_share(module);
    wasm_engine_t *foreign = wasm_engine_new();
    wasm_store_t *elsewhere = wasm_store_new(foreign);
    pthread_t threads[2];
    void *arg[2];
    arg[0] = shared;
    arg[1] = engine;
    wasm_engine_delete(foreign);
    CHECK(!wasm_module_obtain(elsewhere, shared));
    LAST("another engine");
    wasm_store_delete(elsewhere);
    wasm_module_delete(module);
    for (int i = 0; i < 2; i++) CHECK(pthread_create(&threads[i], NULL, other_thread, arg) == 0);
    for (int i = 0; i < 2; i++) CHECK(pthread_join(threads[i], NULL) == 0);
    module = wasm_module_obtain(store, shared);
    CHECK(module);
    wasm_shared_module_delete(shared);
  }

  { /* one module object instantiated in two stores of its engine */
    wasm_store_t *second = wasm_store_new(engine);
    wasm_instance_t *a = check_instance(store, module), *b = check_instance(second, module);
    wasm_func_t *fa = check_func(a, "fib"), *fb = check_func(b, "fib");
    CHECK(call_i32(fa, 10) == 55 && call_i32(fb, 11) == 89);
    wasm_store_delete(second);
    wasm_instance_delete(a);
    wasm_instance_delete(b);
    wasm_func_delete(fa);
    wasm_func_delete(fb);
  }

  wasm_module_delete(module);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  return 0;
}
