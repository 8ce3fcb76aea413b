/* Globals, tables, memories, externs: made by the host, imported, seen from both sides. */
#include "check.h"

static wasm_trap_t *multiply(const wasm_val_vec_t *args, wasm_val_vec_t *results) {
  CHECK(args->size == 2 && results->size == 1);
  results->data[0].kind = WASM_F64;
  results->data[0].of.f64 = (double)args->data[0].of.i32 * (double)args->data[1].of.i64;
  return NULL;
}

int main(void) {
  wasm_engine_t *engine = wasm_engine_new();
  wasm_store_t *store = wasm_store_new(engine);
  wasm_module_t *module = MODULE(store, KINDS);
  wasm_functype_t *functype = wasm_functype_new_2_1(wasm_valtype_new_i32(), wasm_valtype_new_i64(), wasm_valtype_new_f64());
  wasm_globaltype_t *globaltype = wasm_globaltype_new(wasm_valtype_new_i64(), WASM_VAR);
  wasm_limits_t table_limits = {2, 8}, memory_limits = {1, 3};
  wasm_tabletype_t *tabletype = wasm_tabletype_new(wasm_valtype_new_funcref(), &table_limits);
  wasm_memorytype_t *memorytype = wasm_memorytype_new(&memory_limits);
  wasm_val_t value;
  wasm_func_t *func = wasm_func_new(store, functype, multiply);
  wasm_global_t *global;
  wasm_table_t *table = wasm_table_new(store, tabletype, NULL);
  wasm_memory_t *memory = wasm_memory_new(store, memorytype);
  wasm_extern_t *imports[4];
  wasm_extern_vec_t imports_vec = WASM_ARRAY_VEC(imports), exports;
  wasm_instance_t *instance;
  wasm_trap_t *trap = NULL;

  value = val_i32(5);
  CHECK(!wasm_global_new(store, globaltype, &value)); /* an i32 for an i64 */
  stepwell_last_error_clear();
  value.kind = WASM_I64;
  value.of.i64 = 0x123456789abcdefLL;
  global = wasm_global_new(store, globaltype, &value);
  CHECK(func && global && table && memory);
  CHECK(wasm_func_param_arity(func) == 2 && wasm_func_result_arity(func) == 1);

  /* a wrong number, a hole, a wrong order, and then the right imports */
  imports[0] = wasm_func_as_extern(func);
  imports[1] = wasm_global_as_extern(global);
  imports[2] = wasm_table_as_extern(table);
  imports[3] = wasm_memory_as_extern(memory);
  imports_vec.size = 3;
  CHECK(!wasm_instance_new(store, module, &imports_vec, NULL));
  CHECK(stepwell_error_code(stepwell_last_error()) == STEPWELL_ERROR_LINK);
  stepwell_last_error_clear();
  imports_vec.size = 4;
  imports[1] = NULL;
  CHECK(!wasm_instance_new(store, module, &imports_vec, NULL));
  LAST("`imports[1]` must not be NULL");
  imports[1] = wasm_memory_as_extern(memory);
  CHECK(!wasm_instance_new(store, module, &imports_vec, &trap));
  CHECK(trap);
  {
    wasm_message_t message;
    wasm_trap_message(trap, &message);
    CHECK(strstr(message.data, "global"));
    wasm_byte_vec_delete(&message);
    wasm_trap_delete(trap);
  }
  imports[1] = wasm_global_as_extern(global);
  instance = wasm_instance_new(store, module, &imports_vec, &trap);
  CHECK(instance && !trap);

  wasm_instance_exports(instance, &exports);
  CHECK(exports.size == 11);
  CHECK(wasm_extern_kind(exports.data[6]) == WASM_EXTERN_GLOBAL && wasm_extern_kind(exports.data[10]) == WASM_EXTERN_MEMORY);
  /* what went in comes out */
  CHECK(wasm_func_same(wasm_extern_as_func(exports.data[7]), func));
  CHECK(wasm_global_same(wasm_extern_as_global(exports.data[8]), global));
  CHECK(wasm_table_same(wasm_extern_as_table(exports.data[9]), table));
  CHECK(wasm_memory_same(wasm_extern_as_memory(exports.data[10]), memory));
  CHECK(!wasm_extern_as_func(exports.data[10]) && !wasm_extern_as_global_const(exports.data[9]));
  CHECK(wasm_ref_same(wasm_extern_as_ref(exports.data[9]), wasm_table_as_ref(table)));
  CHECK(wasm_ref_as_table(wasm_table_as_ref(table)) == table && !wasm_ref_as_memory(wasm_table_as_ref(table)));
  {
    wasm_externtype_t *type = wasm_extern_type(exports.data[9]);
    CHECK(wasm_externtype_kind(type) == WASM_EXTERN_TABLE);
    wasm_externtype_delete(type);
  }

  { /* calls through the guest */
    wasm_val_t args[2], results[1];
    wasm_val_vec_t args_vec = WASM_ARRAY_VEC(args), results_vec = WASM_ARRAY_VEC(results);
    args[0] = val_i32(-3);
    args[1].kind = WASM_I64;
    args[1].of.i64 = 7;
    CHECK(!wasm_func_call(wasm_extern_as_func(exports.data[1]), &args_vec, &results_vec));
    CHECK(results[0].kind == WASM_F64 && results[0].of.f64 == -21.0);
    CHECK(!wasm_func_call(wasm_extern_as_func(exports.data[2]), NULL, &results_vec));
    CHECK(results[0].kind == WASM_I64 && results[0].of.i64 == 0x123456789abcdefLL);
  }

  { /* a global, from the host */
    wasm_val_t seen;
    wasm_val_t wrong = val_i32(1);
    wasm_globaltype_t *type = wasm_global_type(global);
    CHECK(wasm_globaltype_mutability(type) == WASM_VAR);
    wasm_globaltype_delete(type);
    value.of.i64 = -1;
    wasm_global_set(global, &value);
    wasm_global_get(global, &seen);
    CHECK(seen.kind == WASM_I64 && seen.of.i64 == -1);
    wasm_global_set(global, &wrong);
    LAST("");
    wasm_global_set(wasm_extern_as_global(exports.data[6]), &wrong); /* immutable */
    LAST("");
    wasm_global_get(wasm_extern_as_global(exports.data[6]), &seen);
    CHECK(seen.of.i32 == 7);
  }

  { /* a table, from the host */
    wasm_func_t *twice = wasm_extern_as_func(exports.data[0]);
    wasm_ref_t *element;
    wasm_val_t args[1], results[1];
    wasm_val_vec_t args_vec = WASM_ARRAY_VEC(args), results_vec = WASM_ARRAY_VEC(results);
    wasm_foreign_t *foreign = wasm_foreign_new(store);
    CHECK(wasm_table_size(table) == 2 && !wasm_table_get(table, 0) && !wasm_table_get(table, 2));
    CHECK(wasm_table_set(table, 1, wasm_func_as_ref(twice)));
    CHECK(!wasm_table_set(table, 2, NULL));
    LAST("beyond");
    CHECK(!wasm_table_set(table, 0, wasm_foreign_as_ref(foreign)));
    LAST("no function");
    CHECK(!wasm_table_set(table, 0, wasm_memory_as_ref(memory)));
    LAST("no function");
    wasm_foreign_delete(foreign);
    element = wasm_table_get(table, 1);
    CHECK(element && wasm_ref_same(element, wasm_func_as_ref(twice)));
    wasm_ref_delete(element);
    args[0] = val_i32(1);
    CHECK(!wasm_func_call(wasm_extern_as_func(exports.data[5]), &args_vec, &results_vec));
    CHECK(results[0].of.i64 == 42);
    CHECK(wasm_table_grow(table, 6, wasm_func_as_ref(twice)) && wasm_table_size(table) == 8);
    CHECK(!wasm_table_grow(table, 1, NULL));
    LAST("cannot grow");
  }

  { /* a memory, from the host */
    wasm_memorytype_t *type;
    byte_t *data = wasm_memory_data(memory);
    CHECK(wasm_memory_data_size(memory) == MEMORY_PAGE_SIZE && wasm_memory_size(memory) == 1);
    data[100] = (byte_t)200;
    CHECK(call_i32(wasm_extern_as_func(exports.data[3]), 100) == 200);
    CHECK(wasm_memory_grow(memory, 2) && wasm_memory_size(memory) == 3);
    CHECK(!wasm_memory_grow(memory, 1));
    LAST("cannot grow");
    CHECK((unsigned char)wasm_memory_data(memory)[100] == 200);
    type = wasm_memory_type(memory);
    CHECK(wasm_memorytype_limits(type)->min == 3 && wasm_memorytype_limits(type)->max == 3);
    wasm_memorytype_delete(type);
  }

  { /* limits of a store */
    wasm_memory_t *fourth;
    OK(stepwell_store_limits_set(store, 4 * MEMORY_PAGE_SIZE, 100, 100));
    fourth = wasm_memory_new(store, memorytype); /* three pages are taken */
    CHECK(fourth && !wasm_memory_new(store, memorytype));
    LAST("memory");
    wasm_memory_delete(fourth);
    CHECK(!stepwell_store_is_poisoned(store));
  }

  { /* objects by index, exported or not */
    wasm_global_t *own_global = stepwell_instance_global(instance, 1);
    wasm_memory_t *own_memory = stepwell_instance_memory(instance, 0);
    wasm_func_t *own_func = stepwell_instance_func(instance, 1);
    wasm_module_t *own_module = stepwell_instance_module(instance);
    CHECK(own_global && wasm_memory_same(own_memory, memory));
    CHECK(wasm_func_same(own_func, wasm_extern_as_func(exports.data[0])) && wasm_module_same(own_module, module));
    CHECK(!stepwell_instance_func(instance, 1000) && !stepwell_instance_table(instance, 1));
    wasm_global_delete(own_global);
    wasm_memory_delete(own_memory);
    wasm_func_delete(own_func);
    wasm_module_delete(own_module);
    CHECK(!stepwell_instance_export(instance, "nothing"));
    LAST("no export \"nothing\"");
  }

  wasm_functype_delete(functype);
  wasm_globaltype_delete(globaltype);
  wasm_tabletype_delete(tabletype);
  wasm_memorytype_delete(memorytype);
  wasm_engine_delete(engine);
  wasm_store_delete(store);
  wasm_module_delete(module);
  wasm_extern_vec_delete(&exports);
  wasm_memory_delete(memory);
  wasm_table_delete(table);
  wasm_global_delete(global);
  wasm_func_delete(func);
  wasm_instance_delete(instance);
  return 0;
}
