/* Objects that are collected: integers of 31 bits and structures, made by the host and by a guest. */
#include "port.h"

static const char TEXT[] =
    "(module (type $pair (struct (field (mut i32)) (field i64)))"
    "  (table (export \"table\") 10 anyref)"
    "  (func (export \"make\") (param i32 i64) (result anyref) (struct.new $pair (local.get 0) (local.get 1)))"
    "  (func (export \"first\") (param anyref) (result i32)"
    "    (struct.get $pair 0 (ref.cast (ref $pair) (local.get 0))))"
    "  (func (export \"is_small\") (param anyref) (result i32) (ref.test (ref i31) (local.get 0))))";

int main(void) {
    wasm_engine_t *engine = wasm_engine_new();
    wasm_store_t *store = wasm_store_new(engine);
    wasm_module_t *module = compile(store, TEXT);
    wasm_instance_t *instance = instantiate(NULL, store, module);
    int32_t number;

    /* An integer of 31 bits is a reference by itself. */
    wasm_ref_t *small = stepwell_i31_new(store, 1234);
    wasm_val_t arg = {.kind = STEPWELL_VALKIND_ANYREF, .of = {.ref = small}}, result = WASM_INIT_VAL;
    call(instance, "is_small", &arg, 1, &result, 1);
    expect(result.of.i32 == 1, "the guest sees that it is one");
    wasm_extern_t *table = export_of(instance, "table");
    expect(wasm_table_set(wasm_extern_as_table(table), 3, small), "a table takes it");
    wasm_ref_t *element = wasm_table_get(wasm_extern_as_table(table), 3);
    expect(element && stepwell_ref_i31(element, &number) && number == 1234, "it is there");
    wasm_ref_delete(element);
    wasm_ref_delete(small);

    /* A structure of the guest's, looked into and changed by the host. */
    wasm_val_t fields[] = {WASM_I32_VAL(7), WASM_I64_VAL(8)}, object = WASM_INIT_VAL, value;
    call(instance, "make", fields, 2, &object, 1);
    check(stepwell_object_get(object.of.ref, 1, &value), "reading a field");
    expect(value.of.i64 == 8, "the second field");
    value = (wasm_val_t)WASM_I32_VAL(70);
    check(stepwell_object_set(object.of.ref, 0, &value), "writing a field");
    call(instance, "first", &object, 1, &result, 1);
    printf("the first field is %d\n", (int)result.of.i32);
    expect(result.of.i32 == 70, "the guest sees it");

    /* One of the host's, of the same type. */
    wasm_valtype_t *type = stepwell_ref_type(object.of.ref);
    wasm_val_vec_t values = WASM_ARRAY_VEC(fields);
    wasm_ref_t *own_pair;
    check(stepwell_struct_new(store, type, &values, &own_pair), "making a structure");
    arg.of.ref = own_pair;
    call(instance, "first", &arg, 1, &result, 1);
    expect(result.of.i32 == 7, "the guest takes it for its own");

    wasm_ref_delete(own_pair);
    wasm_valtype_delete(type);
    wasm_val_delete(&object);
    wasm_extern_delete(table);
    wasm_instance_delete(instance);
    wasm_module_delete(module);
    wasm_store_delete(store);
    wasm_engine_delete(engine);
    return 0;
}
