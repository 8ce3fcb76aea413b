/* What the tests of structures and arrays share: their guest, and short ways to its objects. */
#ifndef HEAP_H
#define HEAP_H

#include "check.h"

static wasm_engine_t *engine;
static wasm_store_t *store;
static wasm_module_t *module;
static wasm_instance_t *instance;

static inline wasm_val_t val_i64(int64_t value) {
  wasm_val_t val = val_i32(0);
  val.kind = WASM_I64;
  val.of.i64 = value;
  return val;
}

/* A reference as a value of this kind, which lends it. */
static inline wasm_val_t val_ref(wasm_valkind_t kind, wasm_ref_t *ref) {
  wasm_val_t val = val_i32(0);
  val.kind = kind;
  val.of.ref = ref;
  return val;
}

static inline wasm_val_t val_any(wasm_ref_t *ref) { return val_ref(STEPWELL_VALKIND_ANYREF, ref); }

/* Calls an export, which must not fail, and gives its result. */
static inline wasm_val_t call(const char *name, size_t count, const wasm_val_t *given) {
  wasm_val_t args[5], results[1];
  wasm_val_vec_t args_vec = {count, args}, results_vec = WASM_ARRAY_VEC(results);
  wasm_func_t *func = check_func(instance, name);
  wasm_trap_t *trap = NULL;
  for (size_t i = 0; i < count; i++) args[i] = given[i];
  OK(stepwell_func_call(func, &args_vec, &results_vec, &trap));
  if (trap) fprintf(stderr, "trap: %s\n", stepwell_trap_message(trap));
  CHECK(!trap);
  wasm_func_delete(func);
  return results[0];
}

static inline wasm_val_t call_1(const char *name, wasm_val_t a) { return call(name, 1, &a); }

static inline wasm_val_t call_2(const char *name, wasm_val_t a, wasm_val_t b) {
  wasm_val_t args[2];
  args[0] = a;
  args[1] = b;
  return call(name, 2, args);
}

/* A call with an argument that is not of the parameter's type. */
static inline void refuses(const char *name, wasm_val_t arg) {
  wasm_val_t args[1], results[1];
  wasm_val_vec_t args_vec = WASM_ARRAY_VEC(args), results_vec = WASM_ARRAY_VEC(results);
  wasm_func_t *func = check_func(instance, name);
  args[0] = arg;
  FAILS(stepwell_func_call(func, &args_vec, &results_vec, NULL), STEPWELL_ERROR_ARGUMENT, "");
  wasm_func_delete(func);
}

static wasm_valtype_t *known_types[256];

/* The type of a kind, which is there until the end. */
static inline const wasm_valtype_t *number(wasm_valkind_t kind) {
  if (!known_types[kind]) known_types[kind] = wasm_valtype_new(kind);
  return known_types[kind];
}

static inline stepwell_field_t field(const wasm_valtype_t *type, bool is_mutable) {
  stepwell_field_t made;
  memset(&made, 0, sizeof(made));
  made.type = type;
  made.storage = STEPWELL_STORAGE_VALUE;
  made.is_mutable = is_mutable;
  return made;
}

static inline stepwell_field_t packed(stepwell_storage_t storage, bool is_mutable) {
  stepwell_field_t made = field(NULL, is_mutable);
  made.storage = storage;
  return made;
}

/* The type $point of the module, made by the host. */
static inline wasm_valtype_t *point_type(void) {
  stepwell_field_t fields[2];
  wasm_valtype_t *type;
  fields[0] = field(number(WASM_I32), false);
  fields[1] = field(number(WASM_I64), true);
  type = stepwell_valtype_new_struct(fields, 2);
  CHECK(type);
  return type;
}

static inline wasm_valtype_t *bytes_type(void) {
  stepwell_field_t element = packed(STEPWELL_STORAGE_I8, true);
  wasm_valtype_t *type = stepwell_valtype_new_array(&element);
  CHECK(type);
  return type;
}

static inline wasm_ref_t *new_point(wasm_store_t *in, int32_t a, int64_t b) {
  wasm_valtype_t *type = point_type();
  wasm_val_t values[2];
  wasm_val_vec_t vec = WASM_ARRAY_VEC(values);
  wasm_ref_t *ref = NULL;
  values[0] = val_i32(a);
  values[1] = val_i64(b);
  OK(stepwell_struct_new(in, type, &vec, &ref));
  CHECK(ref);
  wasm_valtype_delete(type);
  return ref;
}

/* An array of the bytes of a text. */
static inline wasm_ref_t *new_text(const char *text) {
  wasm_valtype_t *type = bytes_type();
  wasm_val_t zero = val_i32(0);
  wasm_ref_t *ref = NULL;
  OK(stepwell_array_new_of(store, type, &zero, (uint32_t)strlen(text), &ref));
  OK(stepwell_array_write(ref, 0, text, strlen(text)));
  wasm_valtype_delete(type);
  return ref;
}

static inline wasm_val_t get(const wasm_ref_t *ref, uint32_t index) {
  wasm_val_t val;
  OK(stepwell_object_get(ref, index, &val));
  return val;
}

static inline uint32_t length(const wasm_ref_t *ref) {
  uint32_t count = 12345;
  OK(stepwell_object_length(ref, &count));
  return count;
}

/* Whether a reference's type is this one, which is deleted. */
static inline bool is_of(const wasm_ref_t *ref, wasm_valtype_t *wanted) {
  wasm_valtype_t *type = stepwell_ref_type(ref);
  bool same;
  CHECK(type && wanted && !stepwell_valtype_is_nullable(type));
  same = stepwell_valtype_same(type, wanted);
  wasm_valtype_delete(type);
  wasm_valtype_delete(wanted);
  return same;
}

static inline wasm_valtype_t *heap(stepwell_heapkind_t kind) { return stepwell_valtype_new_ref(kind, false); }

/* The type of an export's parameter, or result. */
static inline wasm_valtype_t *type_of(const char *name, bool is_result, size_t index) {
  wasm_func_t *func = check_func(instance, name);
  wasm_functype_t *type = wasm_func_type(func);
  const wasm_valtype_vec_t *list = is_result ? wasm_functype_results(type) : wasm_functype_params(type);
  wasm_valtype_t *found;
  CHECK(index < list->size);
  found = wasm_valtype_copy(list->data[index]);
  wasm_functype_delete(type);
  wasm_func_delete(func);
  return found;
}

static inline uint64_t heap_bytes(void) {
  OK(stepwell_store_collect(store));
  return stepwell_store_heap_bytes(store);
}

/* The guest in a new store; `fill` is its import. */
static inline void instantiate(stepwell_func_callback_t fill) {
  stepwell_linker_t *linker = stepwell_linker_new(engine);
  wasm_importtype_vec_t imports;
  store = wasm_store_new(engine);
  module = MODULE(store, HEAP_OBJECTS);
  wasm_module_imports(module, &imports);
  CHECK(imports.size == 1);
  OK(stepwell_linker_define_caller_func(linker, "host", "fill", wasm_externtype_as_functype_const(wasm_importtype_type(imports.data[0])),
                                        fill, NULL, NULL));
  OK(stepwell_linker_instantiate(linker, store, module, &instance, NULL));
  wasm_importtype_vec_delete(&imports);
  stepwell_linker_delete(linker);
}

static inline void drop(void) {
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wasm_store_delete(store);
}

#endif
