/* Types, their copies and conversions, and vectors. */
#include "check.h"

static void valtypes(void) {
  static const wasm_valkind_t kinds[] = {WASM_I32, WASM_I64, WASM_F32, WASM_F64, STEPWELL_VALKIND_V128, WASM_EXTERNREF,
                                         WASM_FUNCREF, STEPWELL_VALKIND_EXNREF, STEPWELL_VALKIND_ANYREF};
  for (size_t i = 0; i < sizeof(kinds); i++) {
    wasm_valtype_t *type = wasm_valtype_new(kinds[i]);
    wasm_valtype_t *copy = wasm_valtype_copy(type);
    CHECK(wasm_valtype_kind(type) == kinds[i] && wasm_valtype_kind(copy) == kinds[i]);
    CHECK(wasm_valtype_is_num(type) == (i < 5) && wasm_valtype_is_ref(type) == (i >= 5));
    wasm_valtype_delete(type);
    wasm_valtype_delete(copy);
  }
  for (int kind = 5; kind < 256; kind++) {
    if (kind != WASM_EXTERNREF && kind != WASM_FUNCREF && kind != STEPWELL_VALKIND_EXNREF &&
        kind != STEPWELL_VALKIND_ANYREF) {
      CHECK(!wasm_valtype_new((wasm_valkind_t)kind));
      LAST("no kind of value");
    }
  }
}

/* Reads a type, and checks what is said of it. */
static wasm_valtype_t *read_type(const char *text, stepwell_heapkind_t heap, bool nullable, wasm_valkind_t kind) {
  wasm_valtype_t *type = stepwell_valtype_parse(text), *copy;
  CHECK(type);
  copy = wasm_valtype_copy(type);
  CHECK(wasm_valtype_kind(type) == kind && stepwell_valtype_heapkind(type) == heap);
  CHECK(stepwell_valtype_is_nullable(type) == nullable && !stepwell_valtype_functype(type));
  CHECK(stepwell_valtype_same(type, copy) && strcmp(stepwell_valtype_text(copy), stepwell_valtype_text(type)) == 0);
  wasm_valtype_delete(copy);
  return type;
}

/* What references refer to, whether they may be null, and which types are below which. */
static void references(void) {
  static const struct {
    const char *text, *plain;
    stepwell_heapkind_t heap, top;
    wasm_valkind_t kind;
  } all[] = {
      {"funcref", "(ref func)", STEPWELL_HEAPKIND_FUNC, STEPWELL_HEAPKIND_FUNC, WASM_FUNCREF},
      {"nullfuncref", "(ref nofunc)", STEPWELL_HEAPKIND_NOFUNC, STEPWELL_HEAPKIND_FUNC, WASM_FUNCREF},
      {"externref", "(ref extern)", STEPWELL_HEAPKIND_EXTERN, STEPWELL_HEAPKIND_EXTERN, WASM_EXTERNREF},
      {"nullexternref", "(ref noextern)", STEPWELL_HEAPKIND_NOEXTERN, STEPWELL_HEAPKIND_EXTERN, WASM_EXTERNREF},
      {"exnref", "(ref exn)", STEPWELL_HEAPKIND_EXN, STEPWELL_HEAPKIND_EXN, STEPWELL_VALKIND_EXNREF},
      {"nullexnref", "(ref noexn)", STEPWELL_HEAPKIND_NOEXN, STEPWELL_HEAPKIND_EXN, STEPWELL_VALKIND_EXNREF},
      {"anyref", "(ref any)", STEPWELL_HEAPKIND_ANY, STEPWELL_HEAPKIND_ANY, STEPWELL_VALKIND_ANYREF},
      {"eqref", "(ref eq)", STEPWELL_HEAPKIND_EQ, STEPWELL_HEAPKIND_ANY, STEPWELL_VALKIND_ANYREF},
      {"i31ref", "(ref i31)", STEPWELL_HEAPKIND_I31, STEPWELL_HEAPKIND_ANY, STEPWELL_VALKIND_ANYREF},
      {"structref", "(ref struct)", STEPWELL_HEAPKIND_STRUCT, STEPWELL_HEAPKIND_ANY, STEPWELL_VALKIND_ANYREF},
      {"arrayref", "(ref array)", STEPWELL_HEAPKIND_ARRAY, STEPWELL_HEAPKIND_ANY, STEPWELL_VALKIND_ANYREF},
      {"nullref", "(ref none)", STEPWELL_HEAPKIND_NONE, STEPWELL_HEAPKIND_ANY, STEPWELL_VALKIND_ANYREF},
  };
  static const char *const none[] = {"", "i33", "ref func", "(ref null)", "(ref func", "(ref null func ) ", "(ref $type4294967295)",
                                     "(ref $typex)", "(ref $type99999999999)", "(ref i32)"};
  wasm_valtype_t *number = wasm_valtype_new(WASM_I32);
  for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
    wasm_valtype_t *nullable = read_type(all[i].text, all[i].heap, true, all[i].kind);
    wasm_valtype_t *plain = read_type(all[i].plain, all[i].heap, false, all[i].kind);
    wasm_valtype_t *made = stepwell_valtype_new_ref(all[i].heap, false), *top = stepwell_valtype_new_ref(all[i].top, true);
    CHECK(strcmp(stepwell_valtype_text(nullable), all[i].text) == 0 && strcmp(stepwell_valtype_text(plain), all[i].plain) == 0);
    CHECK(stepwell_valtype_same(made, plain) && !stepwell_valtype_same(made, nullable));
    CHECK(stepwell_valtype_matches(plain, nullable) && !stepwell_valtype_matches(nullable, plain));
    CHECK(stepwell_valtype_matches(nullable, top) && stepwell_valtype_matches(top, nullable) == (all[i].heap == all[i].top));
    CHECK(!stepwell_valtype_matches(nullable, number) && !stepwell_valtype_same(number, nullable));
    wasm_valtype_delete(nullable);
    wasm_valtype_delete(plain);
    wasm_valtype_delete(made);
    wasm_valtype_delete(top);
  }
  CHECK(stepwell_valtype_heapkind(number) == STEPWELL_HEAPKIND_NO_REF && !stepwell_valtype_is_nullable(number));
  CHECK(strcmp(stepwell_valtype_text(number), "i32") == 0);
  wasm_valtype_delete(number);
  wasm_valtype_delete(read_type("(ref null func)", STEPWELL_HEAPKIND_FUNC, true, WASM_FUNCREF));
  for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++) {
    CHECK(!stepwell_valtype_parse(none[i]));
    LAST("`text` is");
  }
  for (int heap = STEPWELL_HEAPKIND_DEFINED_FUNC; heap <= 256; heap++) {
    CHECK(!stepwell_valtype_new_ref((stepwell_heapkind_t)heap, true));
    LAST("none of the kinds");
  }
}

/* References to functions of one type: the same type wherever it comes from, and known as long as somebody has it. */
static void typed_references(void) {
  wasm_functype_t *func = wasm_functype_new_1_1(wasm_valtype_new_i64(), wasm_valtype_new_f32()), *other, *back;
  wasm_valtype_t *type = stepwell_valtype_new_func_ref(func, false), *nullable = stepwell_valtype_new_func_ref(func, true);
  wasm_valtype_t *read, *any = stepwell_valtype_new_ref(STEPWELL_HEAPKIND_FUNC, false), *different;
  char text[64];
  wasm_functype_delete(func);
  CHECK(wasm_valtype_kind(type) == WASM_FUNCREF && stepwell_valtype_heapkind(type) == STEPWELL_HEAPKIND_DEFINED_FUNC);
  CHECK(!stepwell_valtype_is_nullable(type) && stepwell_valtype_is_nullable(nullable));
  CHECK(stepwell_valtype_matches(type, nullable) && stepwell_valtype_matches(type, any) && !stepwell_valtype_matches(any, type));
  CHECK(strncmp(stepwell_valtype_text(type), "(ref $type", 10) == 0);
  back = stepwell_valtype_functype(nullable);
  CHECK(wasm_functype_params(back)->size == 1 && wasm_valtype_kind(wasm_functype_params(back)->data[0]) == WASM_I64);
  different = stepwell_valtype_new_func_ref(back, false);
  CHECK(stepwell_valtype_same(different, type));
  wasm_valtype_delete(different);
  wasm_functype_delete(back);
  other = wasm_functype_new_1_0(wasm_valtype_copy(type)); /* a type that refers to a type */
  different = stepwell_valtype_new_func_ref(other, true);
  wasm_functype_delete(other);
  CHECK(!stepwell_valtype_same(different, type) && !stepwell_valtype_matches(different, type));
  snprintf(text, sizeof(text), "%s", stepwell_valtype_text(type));
  read = stepwell_valtype_parse(text);
  CHECK(read && stepwell_valtype_same(read, type));
  wasm_valtype_delete(read);
  wasm_valtype_delete(type);
  wasm_valtype_delete(nullable);
  read = stepwell_valtype_parse(text); /* the other one still refers to it */
  CHECK(read);
  wasm_valtype_delete(read);
  wasm_valtype_delete(different);
  CHECK(!stepwell_valtype_parse(text));
  LAST("no such type any more");
  wasm_valtype_delete(any);
}

static void functypes(void) {
  wasm_functype_t *type = wasm_functype_new_3_2(wasm_valtype_new_i32(), wasm_valtype_new_i64(), wasm_valtype_new_f32(),
                                                wasm_valtype_new_f64(), wasm_valtype_new_externref());
  const wasm_valtype_vec_t *params = wasm_functype_params(type), *results = wasm_functype_results(type);
  wasm_externtype_t *copy;
  CHECK(params->size == 3 && results->size == 2);
  CHECK(wasm_valtype_kind(params->data[2]) == WASM_F32 && wasm_valtype_kind(results->data[1]) == WASM_EXTERNREF);
  CHECK(wasm_externtype_kind(wasm_functype_as_externtype_const(type)) == WASM_EXTERN_FUNC);
  copy = wasm_externtype_copy(wasm_functype_as_externtype(type));
  wasm_functype_delete(type);
  CHECK(wasm_externtype_as_functype(copy) && !wasm_externtype_as_globaltype(copy));
  CHECK(!wasm_externtype_as_tabletype(copy) && !wasm_externtype_as_memorytype_const(copy));
  CHECK(wasm_functype_params(wasm_externtype_as_functype(copy))->size == 3);
  /* An owned type may be deleted through the more general one. */
  wasm_externtype_delete(copy);

  type = wasm_functype_new_0_0();
  CHECK(wasm_functype_params(type)->size == 0 && wasm_functype_results(type)->size == 0);
  wasm_functype_delete(type);

  {
    wasm_valtype_vec_t holes, none;
    wasm_valtype_vec_new_uninitialized(&holes, 2);
    wasm_valtype_vec_new_empty(&none);
    holes.data[0] = wasm_valtype_new_i32();
    CHECK(!wasm_functype_new(&holes, &none));
    LAST("`wasm_functype_new`: `params` has NULL at 1");
    CHECK(holes.size == 0 && !holes.data); /* taken, and freed */
  }
}

static void others(void) {
  wasm_limits_t limits = {2, 9}, open, wrong = {3, 2};
  wasm_globaltype_t *global = wasm_globaltype_new(wasm_valtype_new_f64(), WASM_VAR);
  wasm_tabletype_t *table = wasm_tabletype_new(wasm_valtype_new_funcref(), &limits);
  wasm_memorytype_t *memory;
  open.min = 1;
  open.max = wasm_limits_max_default;
  memory = wasm_memorytype_new(&open);
  CHECK(wasm_globaltype_mutability(global) == WASM_VAR);
  CHECK(wasm_valtype_kind(wasm_globaltype_content(global)) == WASM_F64);
  CHECK(wasm_valtype_kind(wasm_tabletype_element(table)) == WASM_FUNCREF);
  CHECK(wasm_tabletype_limits(table)->min == 2 && wasm_tabletype_limits(table)->max == 9);
  {
    wasm_memorytype_t *copy = wasm_memorytype_copy(memory);
    CHECK(wasm_memorytype_limits(copy)->min == 1 && wasm_memorytype_limits(copy)->max == wasm_limits_max_default);
    wasm_memorytype_delete(copy);
  }
  CHECK(wasm_externtype_kind(wasm_globaltype_as_externtype(global)) == WASM_EXTERN_GLOBAL);
  CHECK(wasm_externtype_kind(wasm_tabletype_as_externtype(table)) == WASM_EXTERN_TABLE);
  CHECK(wasm_externtype_kind(wasm_memorytype_as_externtype(memory)) == WASM_EXTERN_MEMORY);
  wasm_globaltype_delete(global);
  wasm_tabletype_delete(table);
  wasm_memorytype_delete(memory);
  CHECK(!wasm_globaltype_new(wasm_valtype_new_i32(), 2));
  LAST("`mutability` is 2");
  CHECK(!wasm_tabletype_new(wasm_valtype_new_i32(), &limits));
  LAST("tables hold references");
  CHECK(!wasm_memorytype_new(&wrong));
  LAST("minimum of 3 above its maximum 2");
}

/* Limits of 64 bits, and what the standard's functions say of them. */
static void wide(void) {
  uint64_t most = 7;
  wasm_memorytype_t *memory = stepwell_memorytype_new((uint64_t)1 << 40, true, (uint64_t)1 << 48, true, false, 16), *copy;
  wasm_tabletype_t *table = stepwell_tabletype_new(wasm_valtype_new_externref(), 5, false, 3, true), *table_copy;
  copy = wasm_memorytype_copy(memory);
  CHECK(stepwell_memorytype_min(copy) == (uint64_t)1 << 40 && stepwell_memorytype_is_64(copy));
  CHECK(stepwell_memorytype_max(copy, &most) && most == (uint64_t)1 << 48);
  CHECK(stepwell_memorytype_page_size_log2(copy) == 16);
  CHECK(wasm_memorytype_limits(copy)->min == 0xffffffff && wasm_memorytype_limits(copy)->max == wasm_limits_max_default);
  wasm_memorytype_delete(copy);
  wasm_memorytype_delete(memory);
  table_copy = wasm_externtype_as_tabletype(wasm_externtype_copy(wasm_tabletype_as_externtype(table)));
  most = 7;
  CHECK(stepwell_tabletype_min(table_copy) == 5 && stepwell_tabletype_is_64(table_copy));
  CHECK(!stepwell_tabletype_max(table_copy, &most) && most == 7);
  CHECK(wasm_valtype_kind(wasm_tabletype_element(table_copy)) == WASM_EXTERNREF);
  CHECK(wasm_tabletype_limits(table_copy)->min == 5 && wasm_tabletype_limits(table_copy)->max == wasm_limits_max_default);
  wasm_tabletype_delete(table_copy);
  wasm_tabletype_delete(table);
  memory = stepwell_memorytype_new(3, true, 4, false, false, 0);
  CHECK(stepwell_memorytype_page_size_log2(memory) == 0 && !stepwell_memorytype_is_64(memory));
  CHECK(!stepwell_memorytype_is_shared(memory));
  wasm_memorytype_delete(memory);
  CHECK(!stepwell_memorytype_new(3, true, 2, true, false, 16));
  LAST("`min` is 3, above `max`, which is 2");
  CHECK(!stepwell_memorytype_new(1, false, 0, false, true, 16));
  LAST("a shared memory must have a maximum");
  CHECK(!stepwell_memorytype_new(0, false, 0, false, false, 12));
  LAST("no pages of 2^12 bytes");
  CHECK(!stepwell_tabletype_new(wasm_valtype_new_i32(), 0, false, 0, false));
  LAST("tables hold references");
  CHECK(!stepwell_tabletype_new(wasm_valtype_new_funcref(), 1, true, 0, false));
  LAST("above `max`");
}

/* Memories of such types. */
static void wide_memories(void) {
  wasm_engine_t *engine = wasm_engine_new();
  wasm_store_t *store = wasm_store_new(engine);
  wasm_memorytype_t *type = stepwell_memorytype_new(10, true, (uint64_t)1 << 33, true, false, 0), *seen;
  wasm_memory_t *memory = wasm_memory_new(store, type);
  uint64_t before = 7;
  CHECK(memory && stepwell_memory_size(memory) == 10 && wasm_memory_size(memory) == 10 && wasm_memory_data_size(memory) == 10);
  OK(stepwell_memory_grow(memory, 5, &before));
  CHECK(before == 10 && wasm_memory_data_size(memory) == 15);
  OK(stepwell_memory_grow(memory, 0, NULL));
  FAILS(stepwell_memory_grow(memory, (uint64_t)1 << 33, &before), STEPWELL_ERROR_LIMIT, "cannot grow by 8589934592 pages");
  CHECK(before == 10 && wasm_memory_grow(memory, 1) && stepwell_memory_size(memory) == 16);
  seen = wasm_memory_type(memory);
  CHECK(stepwell_memorytype_min(seen) == 16 && stepwell_memorytype_page_size_log2(seen) == 0 && stepwell_memorytype_is_64(seen));
  wasm_memorytype_delete(seen);
  wasm_memorytype_delete(type);
  type = stepwell_memorytype_new((uint64_t)1 << 48, false, 0, true, false, 16);
  CHECK(!wasm_memory_new(store, type));
  LAST("a memory of 281474976710656 pages");
  wasm_memorytype_delete(type);
  wasm_memory_delete(memory);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
}

/* A memory of two stores, and what only a shared one is good for. */
static void shared_memories(void) {
  wasm_engine_t *engine = wasm_engine_new(), *other = wasm_engine_new();
  wasm_store_t *stores[] = {wasm_store_new(engine), wasm_store_new(engine), wasm_store_new(other)};
  wasm_memorytype_t *type = stepwell_memorytype_new(1, true, 3, false, true, 16), *seen;
  stepwell_sharedmemory_t *shared = stepwell_sharedmemory_new(engine, type), *clone = stepwell_sharedmemory_clone(shared), *again;
  wasm_memory_t *memory, *second;
  uint64_t before = 7;
  char bytes[6] = "bytes";
  CHECK(shared && clone && stepwell_memorytype_is_shared(type));
  stepwell_sharedmemory_delete(shared);
  memory = stepwell_memory_from_shared(stores[0], clone);
  second = stepwell_memory_from_shared(stores[1], clone);
  CHECK(memory && second && wasm_memory_data(memory) == wasm_memory_data(second));
  CHECK(wasm_memory_data(memory) == stepwell_sharedmemory_data(clone) && stepwell_memory_is_fixed(memory));
  CHECK(!stepwell_memory_from_shared(stores[2], clone));
  LAST("for another engine");
  OK(stepwell_memory_grow(memory, 1, &before));
  CHECK(before == 1 && stepwell_sharedmemory_size(clone) == 2 && stepwell_memory_size(second) == 2);
  CHECK(stepwell_sharedmemory_data_size(clone) == 2 << 16 && wasm_memory_data_size(second) == 2 << 16);
  OK(stepwell_sharedmemory_grow(clone, 1, &before));
  CHECK(before == 2 && wasm_memory_size(memory) == 3);
  OK(stepwell_sharedmemory_grow(clone, 0, NULL));
  FAILS(stepwell_sharedmemory_grow(clone, 1, &before), STEPWELL_ERROR_LIMIT, "cannot grow by 1 pages");
  seen = stepwell_sharedmemory_type(clone);
  CHECK(stepwell_memorytype_is_shared(seen) && stepwell_memorytype_min(seen) == 3);
  wasm_memorytype_delete(seen);
  OK(stepwell_sharedmemory_write(clone, 7, bytes, 5));
  CHECK(memcmp(wasm_memory_data(second) + 7, "bytes", 5) == 0);
  OK(stepwell_sharedmemory_read(clone, 8, bytes, 4));
  CHECK(memcmp(bytes, "ytess", 5) == 0);
  OK(stepwell_sharedmemory_read(clone, 3 << 16, bytes, 0));
  FAILS(stepwell_sharedmemory_read(clone, (3 << 16) - 3, bytes, 4), STEPWELL_ERROR_ARGUMENT, "beyond a memory of 0x30000 bytes");
  FAILS(stepwell_sharedmemory_write(clone, (size_t)-1, bytes, 4), STEPWELL_ERROR_ARGUMENT, "beyond a memory");
  CHECK(stepwell_sharedmemory_notify(clone, 8, 1) == 0);
  again = stepwell_memory_shared(second);
  stepwell_sharedmemory_delete(clone);
  CHECK(again && stepwell_sharedmemory_size(again) == 3);
  wasm_memory_delete(memory);
  wasm_memory_delete(second);
  memory = wasm_memory_new(stores[2], type);
  CHECK(memory);
  wasm_memory_delete(memory);
  wasm_memorytype_delete(type);
  type = stepwell_memorytype_new(1, true, 3, false, false, 16);
  memory = wasm_memory_new(stores[0], type);
  CHECK(!stepwell_memory_shared(memory));
  LAST("the memory is not shared");
  CHECK(!stepwell_sharedmemory_new(engine, type));
  LAST("must be shared");
  wasm_memory_delete(memory);
  wasm_memorytype_delete(type);
  wasm_store_delete(stores[0]);
  wasm_store_delete(stores[1]);
  CHECK(stepwell_sharedmemory_data_size(again) == 3 << 16);
  stepwell_sharedmemory_delete(again);
  wasm_store_delete(stores[2]);
  wasm_engine_delete(engine);
  wasm_engine_delete(other);
}

static void imports_and_exports(void) {
  wasm_name_t module, name;
  wasm_importtype_t *import, *copy;
  wasm_exporttype_t *export_;
  wasm_name_new_from_string(&module, "env");
  wasm_name_new(&name, 3, "a\0b");
  import = wasm_importtype_new(&module, &name, wasm_functype_as_externtype(wasm_functype_new_0_0()));
  CHECK(module.size == 0 && name.size == 0);
  copy = wasm_importtype_copy(import);
  wasm_importtype_delete(import);
  CHECK(name_is(wasm_importtype_module(copy), "env"));
  CHECK(wasm_importtype_name(copy)->size == 3 && memcmp(wasm_importtype_name(copy)->data, "a\0b", 3) == 0);
  CHECK(wasm_externtype_kind(wasm_importtype_type(copy)) == WASM_EXTERN_FUNC);
  wasm_importtype_delete(copy);

  wasm_name_new_from_string(&name, "");
  export_ = wasm_exporttype_new(&name, wasm_globaltype_as_externtype(wasm_globaltype_new(wasm_valtype_new_i32(), 0)));
  CHECK(wasm_exporttype_name(export_)->size == 0);
  CHECK(wasm_externtype_kind(wasm_exporttype_type(export_)) == WASM_EXTERN_GLOBAL);
  wasm_exporttype_delete(export_);

  wasm_name_new_from_string(&name, "lost");
  CHECK(!wasm_exporttype_new(&name, NULL));
  LAST("`ty` must not be NULL");
  CHECK(name.size == 0); /* taken, and freed */
}

static void vectors(void) {
  wasm_valtype_vec_t vec, copy;
  wasm_byte_vec_t bytes;
  wasm_valtype_t *two[2];
  two[0] = wasm_valtype_new_i32();
  two[1] = NULL;
  wasm_valtype_vec_new(&vec, 2, two);
  CHECK(vec.size == 2 && vec.data[0] == two[0] && vec.data != two);
  wasm_valtype_vec_copy(&copy, &vec);
  CHECK(copy.size == 2 && copy.data[0] != two[0] && !copy.data[1]);
  wasm_valtype_vec_delete(&vec);
  wasm_valtype_vec_delete(&vec); /* empty by now */
  CHECK(wasm_valtype_kind(copy.data[0]) == WASM_I32);
  wasm_valtype_vec_delete(&copy);

  wasm_valtype_vec_new_uninitialized(&vec, 1000);
  CHECK(vec.size == 1000 && !vec.data[999]);
  vec.size = 10; /* a host that filled less than it asked for */
  wasm_valtype_vec_delete(&vec);

  wasm_byte_vec_new_uninitialized(&bytes, 0);
  CHECK(bytes.size == 0);
  wasm_byte_vec_delete(&bytes);
  wasm_byte_vec_new(&bytes, 0, NULL);
  wasm_byte_vec_delete(&bytes);
  wasm_name_new_from_string_nt(&bytes, "abc");
  CHECK(bytes.size == 4 && strcmp(bytes.data, "abc") == 0);
  wasm_name_delete(&bytes);
}

/* Returns its parameter and 10 more. */
static wasm_trap_t *add_ten(const wasm_val_vec_t *args, wasm_val_vec_t *results) {
  results->data[0] = (wasm_val_t)WASM_I32_VAL(args->data[0].of.i32 + 10);
  return NULL;
}

/* Types in recursion groups: what a module tells of its imports makes what fits there, and what looks alike does not. */
static void grouped(void) {
  wasm_engine_t *engine = wasm_engine_new();
  wasm_store_t *store = wasm_store_new(engine);
  wasm_byte_vec_t binary;
  wasm_module_t *module;
  wasm_importtype_vec_t imports;
  wasm_functype_t *unary, *told, *anew = wasm_functype_new_1_1(wasm_valtype_new_i32(), wasm_valtype_new_i32());
  wasm_func_t *func, *other;
  stepwell_tag_t *tag;
  wasm_extern_t *given[2];
  wasm_extern_vec_t externs = WASM_ARRAY_VEC(given);
  wasm_instance_t *instance;
  wasm_extern_t *run;
  wasm_val_t one[1] = {WASM_I32_VAL(1)}, sum[1] = {WASM_INIT_VAL};
  wasm_val_vec_t args = WASM_ARRAY_VEC(one), results = WASM_ARRAY_VEC(sum);
  wasm_byte_vec_new(&binary, sizeof(GROUPED), (const char *)GROUPED);
  module = wasm_module_new(store, &binary);
  wasm_byte_vec_delete(&binary);
  CHECK(module);
  wasm_module_imports(module, &imports);
  CHECK(imports.size == 2);
  /* A copy is as good, and outlives what it was made of. */
  unary = wasm_functype_copy(wasm_externtype_as_functype_const(wasm_importtype_type(imports.data[0])));
  tag = stepwell_tag_new(store, wasm_externtype_as_tagtype_const(wasm_importtype_type(imports.data[1])));
  wasm_importtype_vec_delete(&imports);
  func = wasm_func_new(store, unary, add_ten);
  told = wasm_func_type(func);
  other = wasm_func_new(store, told, add_ten);
  given[1] = stepwell_tag_as_extern(tag);
  given[0] = wasm_func_as_extern(func);
  instance = wasm_instance_new(store, module, &externs, NULL);
  CHECK(instance);
  wasm_instance_delete(instance);
  given[0] = wasm_func_as_extern(other);
  instance = wasm_instance_new(store, module, &externs, NULL);
  CHECK(instance && (run = stepwell_instance_export(instance, "run")));
  CHECK(!wasm_func_call(wasm_extern_as_func(run), &args, &results) && sum[0].of.i32 == 11);
  wasm_extern_delete(run);
  wasm_instance_delete(instance);
  wasm_func_delete(other);
  other = wasm_func_new(store, anew, add_ten);
  given[0] = wasm_func_as_extern(other);
  CHECK(!wasm_instance_new(store, module, &externs, NULL));
  LAST("another type that looks alike");
  wasm_functype_delete(anew);
  wasm_functype_delete(told);
  wasm_functype_delete(unary);
  wasm_func_delete(other);
  wasm_func_delete(func);
  stepwell_tag_delete(tag);
  wasm_module_delete(module);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
}

int main(void) {
  CHECK(stepwell_version_number() == STEPWELL_VERSION_NUMBER);
  CHECK(strcmp(stepwell_version_string(), STEPWELL_VERSION_STRING) == 0);
  valtypes();
  references();
  typed_references();
  functypes();
  others();
  wide();
  wide_memories();
  shared_memories();
  imports_and_exports();
  vectors();
  grouped();
  return 0;
}
