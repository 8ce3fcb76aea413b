/* Structures, arrays and integers of 31 bits: made by host and guests, looked into and changed by both, and held. What
 * else their hosts do is in heap_hosts.c. */
#include "heap.h"

/* Types: what was said of fields is said again, what is no field is refused, and what is the same is the same. */
static void types(void) {
  wasm_valtype_t *point = point_type(), *again = point_type(), *guest = type_of("point", true, 0), *nothing, *bytes = bytes_type();
  wasm_valtype_t *nullable = type_of("sum", false, 0), *any = heap(STEPWELL_HEAPKIND_STRUCT), *nested, *copy;
  stepwell_field_t fields[3], found;
  CHECK(stepwell_valtype_heapkind(point) == STEPWELL_HEAPKIND_DEFINED_STRUCT && wasm_valtype_kind(point) == STEPWELL_VALKIND_ANYREF);
  CHECK(stepwell_valtype_heapkind(bytes) == STEPWELL_HEAPKIND_DEFINED_ARRAY && !stepwell_valtype_is_nullable(bytes));
  CHECK(stepwell_valtype_same(point, again) && stepwell_valtype_same(point, guest) && !stepwell_valtype_same(point, nullable));
  CHECK(stepwell_valtype_matches(point, nullable) && stepwell_valtype_matches(point, any) && !stepwell_valtype_matches(bytes, any));
  CHECK(stepwell_valtype_field_count(point) == 2 && stepwell_valtype_field_count(nullable) == 2);
  CHECK(stepwell_valtype_field_count(bytes) == 1 && stepwell_valtype_field_count(any) == 0 && stepwell_valtype_field_count(number(WASM_I32)) == 0);
  CHECK(stepwell_valtype_field(guest, 0, &found) && wasm_valtype_kind(found.type) == WASM_I32);
  CHECK(found.storage == STEPWELL_STORAGE_VALUE && !found.is_mutable);
  CHECK(stepwell_valtype_field(guest, 1, &found) && wasm_valtype_kind(found.type) == WASM_I64 && found.is_mutable);
  found.type = NULL;
  CHECK(!stepwell_valtype_field(guest, 2, &found) && !stepwell_valtype_field(guest, (size_t)-1, &found) && !found.type);
  CHECK(!stepwell_valtype_field(any, 0, &found) && !stepwell_valtype_field(number(WASM_F32), 0, &found) && !stepwell_last_error());
  CHECK(stepwell_valtype_field(bytes, 0, &found) && found.storage == STEPWELL_STORAGE_I8 && wasm_valtype_kind(found.type) == WASM_I32);
  CHECK(!stepwell_valtype_field(bytes, 1, &found));

  /* a field's type is the type's, and its copy on its own */
  fields[0] = field(point, true);
  fields[1] = packed(STEPWELL_STORAGE_I16, false);
  fields[2] = packed(STEPWELL_STORAGE_I8, true);
  fields[2].type = number(WASM_I32);
  nested = stepwell_valtype_new_struct(fields, 3);
  CHECK(nested && stepwell_valtype_field(nested, 0, &found) && stepwell_valtype_same(found.type, point));
  copy = wasm_valtype_copy(found.type);
  CHECK(stepwell_valtype_field(nested, 1, &found) && found.storage == STEPWELL_STORAGE_I16 && !found.is_mutable);
  CHECK(stepwell_valtype_field(nested, 2, &found) && found.storage == STEPWELL_STORAGE_I8 && found.is_mutable);
  wasm_valtype_delete(nested);
  CHECK(stepwell_valtype_same(copy, point) && stepwell_valtype_field_count(copy) == 2);
  wasm_valtype_delete(copy);

  /* one without fields */
  nothing = stepwell_valtype_new_struct(NULL, 0);
  CHECK(nothing && stepwell_valtype_field_count(nothing) == 0 && stepwell_valtype_heapkind(nothing) == STEPWELL_HEAPKIND_DEFINED_STRUCT);
  CHECK(!stepwell_valtype_same(nothing, point));
  wasm_valtype_delete(nothing);

  /* what is no field */
  fields[0] = field(number(WASM_I32), true);
  fields[1] = field(NULL, true);
  CHECK(!stepwell_valtype_new_struct(fields, 2));
  LAST("`fields[1]` must not be NULL");
  fields[1] = packed(STEPWELL_STORAGE_I8, true);
  fields[1].type = number(WASM_I64);
  CHECK(!stepwell_valtype_new_struct(fields, 2));
  LAST("`fields[1]` is kept in fewer bits, and its type is i64, not i32");
  fields[1] = packed(3, true);
  CHECK(!stepwell_valtype_new_struct(fields, 2));
  LAST("the storage of `fields[1]` is 3");
  CHECK(!stepwell_valtype_new_array(&fields[1]));
  LAST("the storage of `element` is 3");
  CHECK(!stepwell_valtype_new_struct(NULL, 1));
  LAST("`fields` must not be NULL");
  CHECK(!stepwell_valtype_new_array(NULL));
  LAST("`element` must not be NULL");
  { /* more fields than there may be */
    enum { MANY = 10001 };
    stepwell_field_t *many = malloc(MANY * sizeof(*many));
    wasm_valtype_t *most;
    CHECK(many);
    for (size_t i = 0; i < MANY; i++) many[i] = packed(STEPWELL_STORAGE_I8, true);
    CHECK(!stepwell_valtype_new_struct(many, MANY));
    LAST("10000");
    most = stepwell_valtype_new_struct(many, MANY - 1);
    CHECK(most && stepwell_valtype_field_count(most) == MANY - 1);
    CHECK(stepwell_valtype_field(most, MANY - 2, &found) && found.storage == STEPWELL_STORAGE_I8);
    wasm_valtype_delete(most);
    free(many);
  }
  wasm_valtype_delete(point);
  wasm_valtype_delete(again);
  wasm_valtype_delete(guest);
  wasm_valtype_delete(bytes);
  wasm_valtype_delete(nullable);
  wasm_valtype_delete(any);
}

/* Structures go to the guest and come from it. */
static void structures(void) {
  wasm_ref_t *ref = new_point(store, 40, 2), *copy = wasm_ref_copy(ref), *made = NULL;
  wasm_val_t made_by_guest, val, other = val_i64(-1);
  wasm_valtype_t *type = point_type();
  wasm_val_vec_t none = WASM_EMPTY_VEC;
  CHECK(is_of(ref, point_type()) && length(ref) == 2);
  CHECK(call_1("sum", val_any(ref)).of.i64 == 42);
  OK(stepwell_object_set(ref, 1, &other));
  CHECK(call_1("sum", val_any(copy)).of.i64 == 39 && wasm_ref_same(ref, copy));
  val = get(copy, 1);
  CHECK(val.kind == WASM_I64 && val.of.i64 == -1);
  CHECK(get(copy, 0).kind == WASM_I32 && get(copy, 0).of.i32 == 40);
  val = val_i32(1);
  FAILS(stepwell_object_set(ref, 0, &val), STEPWELL_ERROR_ARGUMENT, "field 0 may not change");
  FAILS(stepwell_object_set(ref, 1, &val), STEPWELL_ERROR_ARGUMENT, "i64");
  FAILS(stepwell_object_set(ref, 2, &other), STEPWELL_ERROR_ARGUMENT, "no field or element 2: there are 2");
  val.of.i32 = 77;
  FAILS(stepwell_object_get(ref, 2, &val), STEPWELL_ERROR_ARGUMENT, "no field or element 2");
  FAILS(stepwell_object_get(ref, UINT32_MAX, &val), STEPWELL_ERROR_ARGUMENT, "no field or element 4294967295");
  CHECK(val.of.i32 == 77); /* nothing was written */
  val.kind = 99;
  FAILS(stepwell_object_set(ref, 1, &val), STEPWELL_ERROR_ARGUMENT, "value");
  CHECK(get(ref, 1).of.i64 == -1);
  FAILS(stepwell_array_read(ref, 0, &val, 1), STEPWELL_ERROR_ARGUMENT, "not to an array");
  FAILS(stepwell_array_write(ref, 0, &val, 1), STEPWELL_ERROR_ARGUMENT, "not to an array");

  made_by_guest = call_2("point", val_i32(7), val_i64(INT64_MIN));
  CHECK(made_by_guest.kind == STEPWELL_VALKIND_ANYREF && is_of(made_by_guest.of.ref, point_type()));
  CHECK(get(made_by_guest.of.ref, 0).of.i32 == 7 && get(made_by_guest.of.ref, 1).of.i64 == INT64_MIN);
  CHECK(!wasm_ref_same(made_by_guest.of.ref, ref));
  wasm_val_delete(&made_by_guest);

  /* wrong numbers of fields, and another type */
  FAILS(stepwell_struct_new(store, type, &none, &made), STEPWELL_ERROR_ARGUMENT, "0 fields given for a structure of 2");
  FAILS(stepwell_struct_new(store, type, NULL, &made), STEPWELL_ERROR_ARGUMENT, "0 fields given for a structure of 2");
  {
    wasm_val_t values[3];
    wasm_val_vec_t vec = WASM_ARRAY_VEC(values);
    values[0] = val_i32(1);
    values[1] = val_i64(1);
    values[2] = val_i64(1);
    FAILS(stepwell_struct_new(store, type, &vec, &made), STEPWELL_ERROR_ARGUMENT, "3 fields");
    vec.size = 2;
    values[1] = val_i32(1);
    FAILS(stepwell_struct_new(store, type, &vec, &made), STEPWELL_ERROR_ARGUMENT, "value 1 is i32, where i64 is asked for");
    FAILS(stepwell_struct_new(store, number(WASM_I32), &vec, &made), STEPWELL_ERROR_ARGUMENT, "`type` is i32");
    FAILS(stepwell_struct_new(store, number(STEPWELL_VALKIND_ANYREF), &vec, &made), STEPWELL_ERROR_ARGUMENT, "`type` is anyref");
    FAILS(stepwell_array_new(store, type, &vec, &made), STEPWELL_ERROR_ARGUMENT, "no type of arrays");
    FAILS(stepwell_array_new_of(store, type, &values[0], 1, &made), STEPWELL_ERROR_ARGUMENT, "no type of arrays");
    vec.data = NULL;
    FAILS(stepwell_struct_new(store, type, &vec, &made), STEPWELL_ERROR_ARGUMENT, "`fields` has a size of 2 but no data");
  }
  {
    wasm_valtype_t *bytes = bytes_type();
    FAILS(stepwell_struct_new(store, bytes, &none, &made), STEPWELL_ERROR_ARGUMENT, "no type of structures");
    wasm_valtype_delete(bytes);
  }
  CHECK(!made);
  { /* without fields, nullable, and a null that is none */
    wasm_valtype_t *empty = stepwell_valtype_new_struct(NULL, 0), *nullable = type_of("sum", false, 0);
    wasm_val_t values[2];
    wasm_val_vec_t vec = WASM_ARRAY_VEC(values);
    OK(stepwell_struct_new(store, empty, NULL, &made));
    CHECK(length(made) == 0);
    FAILS(stepwell_object_get(made, 0, &val), STEPWELL_ERROR_ARGUMENT, "there are 0");
    refuses("sum", val_any(made));
    wasm_ref_delete(made);
    values[0] = val_i32(1);
    values[1] = val_i64(1);
    OK(stepwell_struct_new(store, nullable, &vec, &made));
    CHECK(is_of(made, point_type()));
    wasm_ref_delete(made);
    wasm_valtype_delete(empty);
    wasm_valtype_delete(nullable);
  }
  refuses("sum", val_i32(0));
  refuses("packed", val_any(NULL));
  refuses("packed", val_any(ref));
  wasm_valtype_delete(type);
  wasm_ref_delete(ref);
  wasm_ref_delete(copy);
}

/* Fields of fewer bits: the lowest are taken, and they have no sign. */
static void packed_fields(void) {
  stepwell_field_t fields[3];
  wasm_valtype_t *type;
  wasm_val_t values[3];
  wasm_val_vec_t vec = WASM_ARRAY_VEC(values);
  wasm_ref_t *ref = NULL;
  fields[0] = packed(STEPWELL_STORAGE_I8, true);
  fields[1] = packed(STEPWELL_STORAGE_I16, true);
  fields[2] = packed(STEPWELL_STORAGE_I8, false);
  type = stepwell_valtype_new_struct(fields, 3);
  values[0] = val_i32(-2);
  values[1] = val_i32(0x12345678);
  values[2] = val_i32(0x17f);
  OK(stepwell_struct_new(store, type, &vec, &ref));
  CHECK(get(ref, 0).of.i32 == 254 && get(ref, 1).of.i32 == 0x5678 && get(ref, 2).of.i32 == 0x7f && get(ref, 1).kind == WASM_I32);
  CHECK(call_1("packed", val_any(ref)).of.i32 == -2 * 1000000 + 0x5678 + 0x7f);
  OK(stepwell_object_set(ref, 1, &values[0]));
  OK(stepwell_object_set(ref, 0, &values[1]));
  CHECK(get(ref, 0).of.i32 == 0x78 && get(ref, 1).of.i32 == 0xfffe && get(ref, 2).of.i32 == 0x7f);
  FAILS(stepwell_object_set(ref, 2, &values[0]), STEPWELL_ERROR_ARGUMENT, "may not change");
  values[0] = val_i64(1);
  FAILS(stepwell_object_set(ref, 0, &values[0]), STEPWELL_ERROR_ARGUMENT, "i32");
  wasm_ref_delete(ref);
  wasm_valtype_delete(type);
}

/* Arrays, and the bytes of those of numbers. */
static void arrays(void) {
  wasm_ref_t *text = new_text("hello"), *longs = NULL, *refused = NULL, *empty = NULL, *vectors = NULL;
  wasm_val_t val = val_i32('J'), hello, values[2];
  wasm_val_vec_t vec = WASM_ARRAY_VEC(values);
  wasm_valtype_t *bytes = bytes_type(), *longs_type = type_of("longs", false, 0), *vectors_type;
  stepwell_field_t element;
  char room[8] = "-------";
  CHECK(length(text) == 5 && is_of(text, bytes_type()) && call_1("total", val_any(text)).of.i32 == 532);
  OK(stepwell_object_set(text, 0, &val));
  OK(stepwell_array_read(text, 0, room, 5));
  CHECK(memcmp(room, "Jello--", 8) == 0);
  OK(stepwell_array_read(text, 3, room, 2));
  CHECK(memcmp(room, "lollo--", 8) == 0);
  OK(stepwell_array_write(text, 4, "\xff", 1));
  CHECK(get(text, 4).of.i32 == 255);
  OK(stepwell_array_read(text, 5, NULL, 0));
  OK(stepwell_array_write(text, 5, NULL, 0));
  FAILS(stepwell_array_read(text, 0, NULL, 1), STEPWELL_ERROR_ARGUMENT, "`out` must not be NULL");
  FAILS(stepwell_array_write(text, 0, NULL, 1), STEPWELL_ERROR_ARGUMENT, "`data` must not be NULL");
  memcpy(room, "-------", 8);
  FAILS(stepwell_array_read(text, 4, room, 2), STEPWELL_ERROR_ARGUMENT, "no 2 elements from 4 on: there are 5");
  FAILS(stepwell_array_read(text, 6, room, 0), STEPWELL_ERROR_ARGUMENT, "no 0 elements from 6");
  FAILS(stepwell_array_read(text, UINT32_MAX, room, 1), STEPWELL_ERROR_ARGUMENT, "no 1 elements from 4294967295");
  FAILS(stepwell_array_write(text, 4, "ab", 2), STEPWELL_ERROR_ARGUMENT, "no 2 elements");
  CHECK(get(text, 4).of.i32 == 255 && memcmp(room, "-------", 8) == 0);
  FAILS(stepwell_object_get(text, 5, &val), STEPWELL_ERROR_ARGUMENT, "there are 5");
  hello = call("hello", 0, NULL);
  OK(stepwell_array_read(hello.of.ref, 0, room, 5));
  CHECK(memcmp(room, "hello--", 8) == 0);
  wasm_val_delete(&hello);

  /* what may not change; elements of several bytes */
  values[0] = val_i64(0x0102030405060708);
  values[1] = val_i64(-1);
  OK(stepwell_array_new(store, longs_type, &vec, &longs));
  CHECK(length(longs) == 2 && call_1("longs", val_any(longs)).of.i64 == 0x0102030405060709);
  FAILS(stepwell_object_set(longs, 0, &values[1]), STEPWELL_ERROR_ARGUMENT, "may not change");
  FAILS(stepwell_array_write(longs, 0, room, 8), STEPWELL_ERROR_ARGUMENT, "may not change");
  FAILS(stepwell_array_read(longs, 0, room, 7), STEPWELL_ERROR_ARGUMENT, "7 bytes are no whole elements");
  OK(stepwell_array_read(longs, 0, room, 8));
  CHECK(memcmp(room, "\x08\x07\x06\x05\x04\x03\x02\x01", 8) == 0);
  FAILS(stepwell_array_read(longs, 2, room, 8), STEPWELL_ERROR_ARGUMENT, "no 1 elements from 2");
  values[1] = val_i32(1);
  FAILS(stepwell_array_new(store, longs_type, &vec, &refused), STEPWELL_ERROR_ARGUMENT, "value 1 is i32");
  FAILS(stepwell_array_new_of(store, longs_type, &values[1], 3, &refused), STEPWELL_ERROR_ARGUMENT, "value 0 is i32");
  FAILS(stepwell_struct_new(store, longs_type, &vec, &refused), STEPWELL_ERROR_ARGUMENT, "no type of structures");

  /* none, and of vectors */
  OK(stepwell_array_new(store, bytes, NULL, &empty));
  CHECK(length(empty) == 0);
  OK(stepwell_array_read(empty, 0, NULL, 0));
  FAILS(stepwell_object_get(empty, 0, &val), STEPWELL_ERROR_ARGUMENT, "there are 0");
  wasm_ref_delete(empty);
  OK(stepwell_array_new_of(store, bytes, &values[1], 0, &empty));
  CHECK(length(empty) == 0 && call_1("total", val_any(empty)).of.i32 == 0);
  element = field(number(STEPWELL_VALKIND_V128), true);
  vectors_type = stepwell_valtype_new_array(&element);
  {
    const uint8_t lanes[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
    wasm_val_t vector = STEPWELL_V128_VAL(lanes), read;
    uint8_t all[48];
    OK(stepwell_array_new_of(store, vectors_type, &vector, 3, &vectors));
    read = get(vectors, 2);
    CHECK(read.kind == STEPWELL_VALKIND_V128 && memcmp(stepwell_val_v128(&read), lanes, 16) == 0);
    wasm_val_delete(&read);
    OK(stepwell_array_read(vectors, 0, all, 48));
    CHECK(memcmp(all + 32, lanes, 16) == 0 && memcmp(all, lanes, 16) == 0);
    FAILS(stepwell_array_read(vectors, 0, all, 8), STEPWELL_ERROR_ARGUMENT, "whole elements");
    vector = val_ref(STEPWELL_VALKIND_V128, NULL);
    OK(stepwell_object_set(vectors, 1, &vector)); /* 16 zeros */
    read = get(vectors, 1);
    CHECK(stepwell_val_v128(&read)[15] == 0);
    wasm_val_delete(&read);
  }
  CHECK(!refused);
  wasm_valtype_delete(bytes);
  wasm_valtype_delete(longs_type);
  wasm_valtype_delete(vectors_type);
  wasm_ref_delete(text);
  wasm_ref_delete(longs);
  wasm_ref_delete(empty);
  wasm_ref_delete(vectors);
}

/* Types that refer to themselves, and those below others: a guest's, from which the host makes objects. */
static void recursive(void) {
  wasm_valtype_t *list_type = type_of("cons", true, 0), *named_type = type_of("named", true, 0), *lists_type = type_of("lists", true, 0);
  wasm_ref_t *list = NULL, *named = NULL, *name = new_text("Ada"), *lists;
  wasm_val_t values[3], args[3], val;
  wasm_val_vec_t vec = {2, values};
  stepwell_field_t found;
  CHECK(stepwell_valtype_field_count(list_type) == 2 && stepwell_valtype_field_count(named_type) == 3);
  CHECK(stepwell_valtype_matches(named_type, list_type) && !stepwell_valtype_matches(list_type, named_type));
  CHECK(stepwell_valtype_field(list_type, 1, &found) && stepwell_valtype_is_nullable(found.type) && found.is_mutable);
  CHECK(stepwell_valtype_matches(list_type, found.type) && stepwell_valtype_field_count(found.type) == 2);
  values[0] = val_any(NULL);
  values[1] = val_any(NULL);
  OK(stepwell_struct_new(store, list_type, &vec, &list));
  values[0] = val_any(list);
  values[1] = val_any(list);
  values[2] = val_any(name);
  vec.size = 3;
  OK(stepwell_struct_new(store, named_type, &vec, &named));
  CHECK(is_of(named, wasm_valtype_copy(named_type)) && is_of(list, wasm_valtype_copy(list_type)));
  CHECK(call_1("length", val_any(named)).of.i32 == 2 && call_1("length", val_any(NULL)).of.i32 == 0);
  val = call_1("name", val_any(named));
  CHECK(wasm_ref_same(val.of.ref, name));
  wasm_val_delete(&val);
  val = call_1("name", val_any(list));
  CHECK(val.kind == STEPWELL_VALKIND_ANYREF && !val.of.ref);
  /* what is not null may not be, and what is above is not what is below */
  values[2] = val_any(NULL);
  FAILS(stepwell_struct_new(store, named_type, &vec, &lists), STEPWELL_ERROR_ARGUMENT, "value 2");
  values[2] = val_any(list);
  FAILS(stepwell_struct_new(store, named_type, &vec, &lists), STEPWELL_ERROR_ARGUMENT, "value 2");
  values[1] = val_any(name);
  FAILS(stepwell_object_set(list, 1, &values[1]), STEPWELL_ERROR_ARGUMENT, "value 1");
  values[1] = val_ref(WASM_EXTERNREF, list);
  FAILS(stepwell_object_set(list, 1, &values[1]), STEPWELL_ERROR_ARGUMENT, "value");
  values[1] = val_any(named);
  OK(stepwell_object_set(list, 1, &values[1])); /* a circle */
  val = get(list, 1);
  CHECK(wasm_ref_same(val.of.ref, named));
  wasm_val_delete(&val);
  val = get(named, 0);
  CHECK(wasm_ref_same(val.of.ref, list));
  wasm_val_delete(&val);
  wasm_ref_delete(list);
  (void)heap_bytes();
  val = get(named, 1); /* the first is held by the second */
  values[1] = val_any(NULL);
  OK(stepwell_object_set(val.of.ref, 1, &values[1]));
  wasm_val_delete(&val);
  CHECK(call_1("length", val_any(named)).of.i32 == 2);

  /* arrays of them, from the guest */
  args[0] = val_i32(3);
  val = call("lists", 1, args);
  lists = val.of.ref;
  CHECK(length(lists) == 3 && is_of(lists, wasm_valtype_copy(lists_type)));
  val = get(lists, 2);
  CHECK(val.kind == STEPWELL_VALKIND_ANYREF && !val.of.ref);
  val = val_any(named);
  OK(stepwell_object_set(lists, 2, &val));
  val = val_any(name);
  FAILS(stepwell_object_set(lists, 1, &val), STEPWELL_ERROR_ARGUMENT, "value 1");
  val = get(lists, 2);
  CHECK(wasm_ref_same(val.of.ref, named));
  wasm_val_delete(&val);
  FAILS(stepwell_array_read(lists, 0, &val, 4), STEPWELL_ERROR_ARGUMENT, "they have no bytes");
  FAILS(stepwell_array_write(lists, 0, &val, 4), STEPWELL_ERROR_ARGUMENT, "they have no bytes");
  wasm_ref_delete(lists);
  val = val_any(named);
  {
    wasm_extern_t *table = stepwell_instance_export(instance, "table"), *kept = stepwell_instance_export(instance, "kept");
    wasm_ref_t *element;
    CHECK(wasm_table_set(wasm_extern_as_table(table), 1, named));
    CHECK(!wasm_table_set(wasm_extern_as_table(table), 0, name));
    LAST("");
    wasm_global_set(wasm_extern_as_global(kept), &val);
    CHECK(!stepwell_last_error());
    wasm_ref_delete(named);
    (void)heap_bytes();
    element = wasm_table_get(wasm_extern_as_table(table), 1);
    wasm_global_get(wasm_extern_as_global(kept), &val);
    CHECK(wasm_ref_same(element, val.of.ref) && length(element) == 3);
    wasm_ref_delete(element);
    wasm_val_delete(&val);
    val = val_any(NULL);
    wasm_global_set(wasm_extern_as_global(kept), &val);
    CHECK(wasm_table_set(wasm_extern_as_table(table), 1, NULL));
    wasm_extern_delete(table);
    wasm_extern_delete(kept);
  }
  wasm_ref_delete(name);
  wasm_valtype_delete(list_type);
  wasm_valtype_delete(named_type);
  wasm_valtype_delete(lists_type);
}

/* Integers of 31 bits. */
static void i31(void) {
  static const int32_t values[][2] = {{0, 0}, {-1, -1}, {1 << 30, -(1 << 30)}, {(1 << 30) - 1, (1 << 30) - 1}, {INT32_MIN, 0}, {INT32_MAX, -1}};
  wasm_ref_t *one = stepwell_i31_new(store, 1), *again = stepwell_i31_new(store, 1), *two = stepwell_i31_new(store, 2), *external, *back;
  wasm_ref_t *point = new_point(store, 1, 2);
  wasm_foreign_t *foreign = wasm_foreign_new(store);
  int32_t out = 77;
  uint32_t count;
  wasm_val_t val;
  for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
    wasm_ref_t *ref = stepwell_i31_new(store, values[i][0]);
    CHECK(stepwell_ref_i31(ref, &out) && out == values[i][1] && is_of(ref, heap(STEPWELL_HEAPKIND_I31)));
    CHECK(call_1("is_i31", val_any(ref)).of.i32 == values[i][1]);
    wasm_ref_delete(ref);
  }
  out = 77;
  CHECK(!stepwell_ref_i31(point, &out) && !stepwell_ref_i31(wasm_foreign_as_ref(foreign), &out) && out == 77 && !stepwell_last_error());
  CHECK(wasm_ref_same(one, again) && !wasm_ref_same(one, two) && stepwell_ref_hash(one) == stepwell_ref_hash(again));
  CHECK(call_2("same", val_any(one), val_any(again)).of.i32 == 1 && call_2("same", val_any(one), val_any(two)).of.i32 == 0);
  FAILS(stepwell_object_length(one, &count), STEPWELL_ERROR_ARGUMENT, "neither");
  FAILS(stepwell_object_get(one, 0, &val), STEPWELL_ERROR_ARGUMENT, "neither");
  val = val_i32(1);
  FAILS(stepwell_object_set(one, 0, &val), STEPWELL_ERROR_ARGUMENT, "neither");
  FAILS(stepwell_array_read(one, 0, &out, 4), STEPWELL_ERROR_ARGUMENT, "neither");
  FAILS(stepwell_array_read(one, 0, NULL, 0), STEPWELL_ERROR_ARGUMENT, "neither");
  /* as external references */
  external = stepwell_ref_to_extern(one);
  CHECK(external);
  val = call_1("any", val_ref(WASM_EXTERNREF, external));
  CHECK(val.kind == STEPWELL_VALKIND_ANYREF && stepwell_ref_i31(val.of.ref, &out) && out == 1 && wasm_ref_same(val.of.ref, one));
  wasm_val_delete(&val);
  back = stepwell_ref_to_any(external);
  CHECK(wasm_ref_same(back, one) && stepwell_ref_i31(back, &out) && out == 1);
  wasm_ref_delete(back);
  val = call_1("external", val_any(two));
  CHECK(val.kind == WASM_EXTERNREF && val.of.ref);
  back = stepwell_ref_to_any(val.of.ref);
  CHECK(stepwell_ref_i31(back, &out) && out == 2);
  wasm_ref_delete(back);
  wasm_val_delete(&val);
  wasm_ref_delete(one);
  wasm_ref_delete(again);
  wasm_ref_delete(two);
  wasm_ref_delete(external);
  wasm_ref_delete(point);
  wasm_foreign_delete(foreign);
}

static int finalized;

static void finalize(void *env) { ++*(int *)env; }

/* References as external ones and back; functions and exceptions are none. */
static void any_and_extern(void) {
  wasm_ref_t *point = new_point(store, 3, 4), *external = stepwell_ref_to_extern(point), *back = stepwell_ref_to_any(external), *any, *twice;
  wasm_foreign_t *foreign = wasm_foreign_new(store);
  wasm_func_t *func = check_func(instance, "sum");
  wasm_extern_t *table = stepwell_instance_export(instance, "table");
  wasm_val_t val;
  uint32_t count;
  CHECK(external && back && wasm_ref_same(back, point) && length(back) == 2);
  twice = stepwell_ref_to_extern(external);
  CHECK(wasm_ref_same(twice, external));
  wasm_ref_delete(twice);
  val = call_1("any", val_ref(WASM_EXTERNREF, external));
  CHECK(wasm_ref_same(val.of.ref, point) && get(val.of.ref, 1).of.i64 == 4);
  wasm_val_delete(&val);
  val = call_1("external", val_any(point));
  CHECK(wasm_ref_same(val.of.ref, external));
  wasm_val_delete(&val);
  CHECK(is_of(external, heap(STEPWELL_HEAPKIND_EXTERN)));
  FAILS(stepwell_object_length(external, &count), STEPWELL_ERROR_ARGUMENT, "neither");
  refuses("sum", val_any(external));

  /* an object of the host's: with the guest it is the same in all shapes, and it is held in each */
  wasm_foreign_set_host_info_with_finalizer(foreign, &finalized, finalize);
  any = stepwell_ref_to_any(wasm_foreign_as_ref(foreign));
  CHECK(any);
  val = call_1("external", val_any(any));
  CHECK(wasm_ref_same(val.of.ref, wasm_foreign_as_ref(foreign)) && wasm_ref_get_host_info(val.of.ref) == &finalized);
  wasm_val_delete(&val);
  twice = stepwell_ref_to_any(any);
  CHECK(wasm_ref_same(twice, any));
  wasm_ref_delete(twice);
  val = call_1("any", val_ref(WASM_EXTERNREF, wasm_foreign_as_ref(foreign)));
  CHECK(wasm_ref_same(val.of.ref, any));
  wasm_val_delete(&val);
  wasm_foreign_delete(foreign);
  OK(stepwell_store_collect(store));
  CHECK(finalized == 0);
  FAILS(stepwell_object_length(any, &count), STEPWELL_ERROR_ARGUMENT, "neither");
  CHECK(is_of(any, heap(STEPWELL_HEAPKIND_ANY)));
  twice = stepwell_ref_to_extern(any);
  wasm_ref_delete(any);
  OK(stepwell_store_collect(store));
  CHECK(finalized == 0 && wasm_ref_get_host_info(twice) == &finalized);
  wasm_ref_delete(twice);
  OK(stepwell_store_collect(store));
  CHECK(finalized == 1);

  /* any other object of the host's */
  any = stepwell_ref_to_any(wasm_extern_as_ref(table));
  CHECK(any);
  OK(stepwell_store_collect(store));
  twice = stepwell_ref_to_extern(any);
  CHECK(wasm_ref_same(twice, wasm_extern_as_ref(table)) && wasm_ref_as_table(twice));
  wasm_ref_delete(twice);
  val = call_1("external", val_any(any));
  CHECK(wasm_table_size(wasm_ref_as_table(val.of.ref)) == 2);
  wasm_val_delete(&val);
  wasm_ref_delete(any);

  CHECK(!stepwell_ref_to_any(wasm_func_as_ref(func)));
  LAST("function");
  twice = stepwell_ref_to_extern(wasm_func_as_ref(func));
  CHECK(wasm_ref_same(twice, wasm_func_as_ref(func)));
  {
    wasm_valtype_t *type = stepwell_ref_type(twice);
    wasm_functype_t *functype = stepwell_valtype_functype(type);
    CHECK(stepwell_valtype_heapkind(type) == STEPWELL_HEAPKIND_DEFINED_FUNC && wasm_functype_params(functype)->size == 1);
    wasm_functype_delete(functype);
    wasm_valtype_delete(type);
  }
  wasm_ref_delete(twice);
  { /* what an exception carries, and itself */
    wasm_tagtype_t *tagtype = wasm_tagtype_new(wasm_functype_new_1_0(wasm_valtype_new(STEPWELL_VALKIND_ANYREF)));
    stepwell_tag_t *tag = stepwell_tag_new(store, tagtype);
    wasm_val_t values[1];
    wasm_val_vec_t vec = WASM_ARRAY_VEC(values), carried;
    stepwell_exception_t *exception = NULL;
    values[0] = val_any(point);
    OK(stepwell_exception_new(tag, &vec, &exception));
    CHECK(!stepwell_ref_to_any(stepwell_exception_as_ref(exception)));
    LAST("exception");
    CHECK(is_of(stepwell_exception_as_ref(exception), heap(STEPWELL_HEAPKIND_EXN)));
    wasm_ref_delete(point);
    wasm_ref_delete(back);
    wasm_ref_delete(external);
    (void)heap_bytes();
    OK(stepwell_exception_values(exception, &carried));
    CHECK(carried.size == 1 && get(carried.data[0].of.ref, 0).of.i32 == 3);
    wasm_val_vec_delete(&carried);
    stepwell_exception_delete(exception);
    stepwell_tag_delete(tag);
    wasm_tagtype_delete(tagtype);
  }
  CHECK(!stepwell_ref_to_any(NULL));
  LAST("`ref` must not be NULL");
  wasm_func_delete(func);
  wasm_extern_delete(table);
}

/* Fields of every kind of value. */
static void mixed(void) {
  wasm_valtype_t *type = type_of("mixed", true, 0);
  wasm_foreign_t *foreign = wasm_foreign_new(store);
  wasm_func_t *func = check_func(instance, "sum");
  wasm_ref_t *point = new_point(store, 5, 6), *small = stepwell_i31_new(store, -7), *ref = NULL, *external;
  const uint8_t lanes[16] = {9};
  wasm_val_t vector = STEPWELL_V128_VAL(lanes), values[8], val, kept;
  wasm_val_vec_t vec = WASM_ARRAY_VEC(values);
  int32_t out;
  values[0] = val_i32(0);
  values[0].kind = WASM_F32;
  values[0].of.i32 = 0x7fa00001; /* a signalling NaN stays what it is */
  values[1] = val_i64(0);
  values[1].kind = WASM_F64;
  values[1].of.f64 = -0.5;
  values[2] = vector;
  values[3] = val_ref(WASM_EXTERNREF, wasm_foreign_as_ref(foreign));
  values[4] = val_ref(WASM_FUNCREF, wasm_func_as_ref(func));
  values[5] = val_any(point);
  values[6] = val_any(small);
  values[7] = val_any(point);
  OK(stepwell_struct_new(store, type, &vec, &ref));
  wasm_foreign_set_host_info_with_finalizer(foreign, &finalized, finalize);
  wasm_foreign_delete(foreign);
  wasm_ref_delete(point);
  wasm_ref_delete(small);
  (void)heap_bytes();
  kept = call_1("mixed", val_any(ref));
  wasm_ref_delete(ref);
  ref = kept.of.ref;
  CHECK(get(ref, 0).of.i32 == 0x7fa00001 && get(ref, 0).kind == WASM_F32 && get(ref, 1).of.f64 == -0.5);
  val = get(ref, 2);
  CHECK(memcmp(stepwell_val_v128(&val), lanes, 16) == 0);
  wasm_val_delete(&val);
  val = get(ref, 3);
  CHECK(val.kind == WASM_EXTERNREF && wasm_ref_get_host_info(val.of.ref) == &finalized);
  wasm_val_delete(&val);
  val = get(ref, 4);
  CHECK(val.kind == WASM_FUNCREF && wasm_func_same(wasm_ref_as_func(val.of.ref), func));
  wasm_val_delete(&val);
  val = get(ref, 5);
  CHECK(get(val.of.ref, 1).of.i64 == 6);
  {
    wasm_val_t other = get(ref, 7);
    CHECK(wasm_ref_same(other.of.ref, val.of.ref));
    wasm_val_delete(&other);
  }
  /* what is not of the types */
  FAILS(stepwell_object_set(ref, 6, &val), STEPWELL_ERROR_ARGUMENT, "value 6");
  FAILS(stepwell_object_set(ref, 4, &val), STEPWELL_ERROR_ARGUMENT, "value 4");
  external = stepwell_ref_to_extern(val.of.ref);
  wasm_val_delete(&val);
  val = val_any(NULL);
  FAILS(stepwell_object_set(ref, 7, &val), STEPWELL_ERROR_ARGUMENT, "value 7");
  OK(stepwell_object_set(ref, 6, &val));
  OK(stepwell_object_set(ref, 5, &val));
  val = val_ref(WASM_EXTERNREF, external); /* a structure in an external field, which holds it */
  OK(stepwell_object_set(ref, 3, &val));
  wasm_ref_delete(external);
  values[7] = val_any(stepwell_i31_new(store, 4));
  OK(stepwell_object_set(ref, 7, &values[7]));
  wasm_val_delete(&values[7]);
  (void)heap_bytes();
  CHECK(finalized == 2); /* the foreign object is gone */
  val = get(ref, 3);
  external = stepwell_ref_to_any(val.of.ref);
  CHECK(get(external, 0).of.i32 == 5);
  wasm_ref_delete(external);
  wasm_val_delete(&val);
  val = get(ref, 7);
  CHECK(stepwell_ref_i31(val.of.ref, &out) && out == 4);
  wasm_val_delete(&val);
  /* a function as an external reference is what it was */
  val = val_ref(WASM_EXTERNREF, wasm_func_as_ref(func));
  OK(stepwell_object_set(ref, 3, &val));
  (void)heap_bytes();
  val = get(ref, 3);
  CHECK(wasm_func_same(wasm_ref_as_func(val.of.ref), func));
  wasm_val_delete(&val);
  wasm_ref_delete(ref);
  wasm_func_delete(func);
  wasm_valtype_delete(type);
}

/* What handles hold is there; what nothing holds goes. */
static void held(void) {
  enum { MANY = 1000, SIZE = 10000 };
  static wasm_ref_t *refs[MANY];
  wasm_valtype_t *type = bytes_type();
  wasm_val_t zero = val_i32(0);
  uint64_t before = heap_bytes(), all, half;
  for (int i = 0; i < MANY; i++) {
    zero.of.i32 = i;
    OK(stepwell_array_new_of(store, type, &zero, SIZE, &refs[i]));
  }
  wasm_valtype_delete(type);
  all = heap_bytes();
  CHECK(all >= before + MANY * SIZE);
  for (int i = 0; i < MANY; i += 2) wasm_ref_delete(refs[i]);
  half = heap_bytes();
  CHECK(half <= before + (all - before) / 2 + MANY * SIZE / 100);
  for (int i = 1; i < MANY; i += 2) {
    wasm_ref_t *copy = wasm_ref_copy(refs[i]);
    wasm_ref_delete(refs[i]);
    refs[i] = copy;
  }
  CHECK(heap_bytes() == half);
  for (int i = 1; i < MANY; i += 2) {
    CHECK(length(refs[i]) == SIZE && get(refs[i], SIZE - 1).of.i32 == i % 256);
    wasm_ref_delete(refs[i]);
  }
  CHECK(heap_bytes() == before);
}

static wasm_trap_t *uncalled(void *env, const stepwell_caller_t *caller, const wasm_val_vec_t *args, wasm_val_vec_t *results) {
  (void)env, (void)caller, (void)args, (void)results;
  CHECK(!"nothing is filled here");
  return NULL;
}

int main(void) {
  uint64_t before;
  engine = wasm_engine_new();
  instantiate(uncalled);
  before = heap_bytes();
  types();
  structures();
  packed_fields();
  arrays();
  recursive();
  i31();
  any_and_extern();
  mixed();
  held();
  CHECK(heap_bytes() == before); /* nothing was forgotten */
  drop();
  wasm_engine_delete(engine);
  for (int kind = 0; kind < 256; kind++) wasm_valtype_delete(known_types[kind]);
  return 0;
}
