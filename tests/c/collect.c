/* Giving back what nobody holds: what handles, linkers and guests keep, what goes, when, and that finalizers run once. Run
 * with the library built with AddressSanitizer by `cargo xtask asan`. */
#include "check.h"

/* (module (memory (export "memory") 1) (table (export "table") 4 funcref) (table (export "refs") 2 externref)
 *   (global (export "global") (mut i32) (i32.const 7))
 *   (global (export "ref") (mut externref) (ref.null extern))
 *   (func (export "get") (result i32) (i32.add (global.get 0) (i32.load8_u (i32.const 0))))
 *   (func (export "call") (result i32) (call_indirect (result i32) (i32.const 0)))) */
static const unsigned char PARTS[] = {
  0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x05, 0x01, 0x60, 0x00, 0x01, 0x7f, 0x03,
  0x03, 0x02, 0x00, 0x00, 0x04, 0x07, 0x02, 0x70, 0x00, 0x04, 0x6f, 0x00, 0x02, 0x05, 0x03, 0x01,
  0x00, 0x01, 0x06, 0x0b, 0x02, 0x7f, 0x01, 0x41, 0x07, 0x0b, 0x6f, 0x01, 0xd0, 0x6f, 0x0b, 0x07,
  0x35, 0x07, 0x06, 0x6d, 0x65, 0x6d, 0x6f, 0x72, 0x79, 0x02, 0x00, 0x05, 0x74, 0x61, 0x62, 0x6c,
  0x65, 0x01, 0x00, 0x04, 0x72, 0x65, 0x66, 0x73, 0x01, 0x01, 0x06, 0x67, 0x6c, 0x6f, 0x62, 0x61,
  0x6c, 0x03, 0x00, 0x03, 0x72, 0x65, 0x66, 0x03, 0x01, 0x03, 0x67, 0x65, 0x74, 0x00, 0x00, 0x04,
  0x63, 0x61, 0x6c, 0x6c, 0x00, 0x01, 0x0a, 0x14, 0x02, 0x0a, 0x00, 0x23, 0x00, 0x41, 0x00, 0x2d,
  0x00, 0x00, 0x6a, 0x0b, 0x07, 0x00, 0x41, 0x00, 0x11, 0x00, 0x00, 0x0b,
};

/* (module (import "" "f" (func $f)) (func (export "run") (call $f))) */
static const unsigned char CALLS[] = {
  0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x04, 0x01, 0x60, 0x00, 0x00, 0x02, 0x06,
  0x01, 0x00, 0x01, 0x66, 0x00, 0x00, 0x03, 0x02, 0x01, 0x00, 0x07, 0x07, 0x01, 0x03, 0x72, 0x75,
  0x6e, 0x00, 0x01, 0x0a, 0x06, 0x01, 0x04, 0x00, 0x10, 0x00, 0x0b, 0x00, 0x0b, 0x04, 0x6e, 0x61,
  0x6d, 0x65, 0x01, 0x04, 0x01, 0x00, 0x01, 0x66,
};

/* How many times finalizers ran, by what they were given. */
static int finalized[16];

static void finalize(void *env) { ++*(int *)env; }

static wasm_store_t *store;
static wasm_module_t *parts;

static void collect(void) { OK(stepwell_store_collect(store)); }

/* An export, owned. */
static wasm_extern_t *part(const wasm_instance_t *instance, const char *name) {
  wasm_extern_t *item = stepwell_instance_export(instance, name);
  CHECK(item);
  return item;
}

/* A new instance's export; the instance's handle is deleted. */
static wasm_extern_t *lone(const char *name) {
  wasm_instance_t *instance = check_instance(store, parts);
  wasm_extern_t *item = part(instance, name);
  wasm_instance_delete(instance);
  return item;
}

static int32_t call(const wasm_func_t *func) {
  wasm_val_t results[1];
  wasm_val_vec_t args_vec = WASM_EMPTY_VEC, results_vec = WASM_ARRAY_VEC(results);
  CHECK(!wasm_func_call(func, &args_vec, &results_vec));
  return results[0].of.i32;
}

/* An instance is itself, a memory and two tables. */
enum { INSTANCE = 4 };

#define COUNT(n) CHECK(stepwell_store_object_count(store) == (size_t)(n))

static void each_handle_keeps_the_instance(void) {
  static const char *const NAMES[] = {"memory", "table", "global", "get"};
  for (int i = 0; i < 4; i++) {
    wasm_extern_t *item = lone(NAMES[i]), *copy;
    COUNT(INSTANCE);
    collect();
    COUNT(INSTANCE);
    copy = wasm_extern_copy(item);
    wasm_extern_delete(item);
    collect();
    COUNT(INSTANCE);
    if (i == 0) {
      wasm_memory_t *memory = wasm_extern_as_memory(copy);
      CHECK(wasm_memory_grow(memory, 2) && wasm_memory_size(memory) == 3);
      wasm_memory_data(memory)[3 * MEMORY_PAGE_SIZE - 1] = 1;
    } else if (i == 3) {
      CHECK(call(wasm_extern_as_func(copy)) == 7);
    }
    wasm_extern_delete(copy);
    collect();
    COUNT(0);
  }
}

/* Two instances hold each other through their tables; a third holds a function that nobody else does. */
static void tables_and_cycles(void) {
  wasm_extern_t *a = lone("table"), *b = lone("table"), *get_a, *get_b, *get_c = lone("get"), *call_a;
  wasm_instance_t *instance = check_instance(store, parts);
  wasm_extern_delete(a);
  a = part(instance, "table");
  get_a = part(instance, "get");
  call_a = part(instance, "call");
  wasm_instance_delete(instance);
  collect();
  COUNT(3 * INSTANCE); /* the first is gone */
  instance = check_instance(store, parts);
  wasm_extern_delete(b);
  b = part(instance, "table");
  get_b = part(instance, "get");
  wasm_instance_delete(instance);
  CHECK(wasm_table_set(wasm_extern_as_table(a), 1, wasm_extern_as_ref(get_b)));
  CHECK(wasm_table_set(wasm_extern_as_table(b), 1, wasm_extern_as_ref(get_a)));
  CHECK(wasm_table_set(wasm_extern_as_table(a), 0, wasm_extern_as_ref(get_c)));
  wasm_extern_delete(get_a);
  wasm_extern_delete(get_b);
  wasm_extern_delete(get_c);
  wasm_extern_delete(a);
  wasm_extern_delete(b);
  collect();
  COUNT(3 * INSTANCE);
  CHECK(call(wasm_extern_as_func(call_a)) == 7); /* of the third instance */
  wasm_extern_delete(call_a);
  collect();
  COUNT(0);
}

static wasm_trap_t *five(void *env, const wasm_val_vec_t *args, wasm_val_vec_t *results) {
  (void)env;
  (void)args;
  results->data[0] = val_i32(5);
  return NULL;
}

/* Host functions and foreign objects that guests alone hold. */
static void what_guests_hold(void) {
  wasm_instance_t *instance = check_instance(store, parts);
  wasm_extern_t *table = part(instance, "table"), *refs = part(instance, "refs"), *global = part(instance, "ref");
  wasm_func_t *call_0 = check_func(instance, "call");
  wasm_functype_t *type = wasm_functype_new_0_1(wasm_valtype_new_i32());
  wasm_func_t *func = wasm_func_new_with_env(store, type, five, &finalized[0], finalize);
  wasm_foreign_t *foreign = wasm_foreign_new(store), *other = wasm_foreign_new(store);
  wasm_val_t value;
  wasm_ref_t *ref;
  wasm_functype_delete(type);
  CHECK(wasm_table_set(wasm_extern_as_table(table), 0, wasm_func_as_ref(func)));
  wasm_func_delete(func);
  wasm_foreign_set_host_info_with_finalizer(foreign, &finalized[1], finalize);
  value.kind = WASM_EXTERNREF;
  value.of.ref = wasm_foreign_as_ref(foreign);
  wasm_global_set(wasm_extern_as_global(global), &value);
  wasm_foreign_delete(foreign);
  wasm_foreign_set_host_info_with_finalizer(other, &finalized[2], finalize);
  CHECK(wasm_foreign_get_host_info(other) == &finalized[2]);
  wasm_foreign_delete(other);
  /* a function of another instance, as an external reference */
  {
    wasm_extern_t *lonely = lone("get");
    CHECK(wasm_table_set(wasm_extern_as_table(refs), 1, wasm_extern_as_ref(lonely)));
    wasm_extern_delete(lonely);
  }
  collect();
  CHECK(finalized[0] == 0 && finalized[1] == 0 && finalized[2] == 1);
  COUNT(2 * INSTANCE + 1 + 2); /* the host function; the foreign object and the function as one */
  CHECK(call(call_0) == 5);
  wasm_global_get(wasm_extern_as_global(global), &value);
  CHECK(value.kind == WASM_EXTERNREF && wasm_ref_get_host_info(value.of.ref) == &finalized[1]);
  wasm_val_delete(&value);
  ref = wasm_table_get(wasm_extern_as_table(refs), 1);
  CHECK(call(wasm_ref_as_func(ref)) == 7);
  CHECK(wasm_table_set(wasm_extern_as_table(refs), 1, NULL));
  CHECK(wasm_table_set(wasm_extern_as_table(table), 0, NULL));
  value.kind = WASM_EXTERNREF;
  value.of.ref = NULL;
  wasm_global_set(wasm_extern_as_global(global), &value);
  collect();
  CHECK(finalized[0] == 1 && finalized[1] == 1);
  COUNT(2 * INSTANCE);
  wasm_ref_delete(ref);
  wasm_extern_delete(table);
  wasm_extern_delete(refs);
  wasm_extern_delete(global);
  wasm_func_delete(call_0);
  wasm_instance_delete(instance);
  collect();
  COUNT(0);
}

/* Host info belongs to the object. */
static void host_info(void) {
  wasm_instance_t *instance = check_instance(store, parts), *copy = wasm_instance_copy(instance);
  wasm_extern_t *memory = part(instance, "memory"), *again = part(instance, "memory");
  wasm_message_t message;
  wasm_trap_t *trap;
  wasm_module_t *module = wasm_module_copy(parts);
  CHECK(!wasm_instance_get_host_info(instance));
  wasm_instance_set_host_info_with_finalizer(instance, &finalized[3], finalize);
  CHECK(wasm_instance_get_host_info(copy) == &finalized[3]);
  wasm_instance_set_host_info_with_finalizer(copy, &finalized[4], finalize);
  CHECK(finalized[3] == 1 && wasm_instance_get_host_info(instance) == &finalized[4]);
  wasm_extern_set_host_info(memory, &finalized[5]);
  CHECK(wasm_memory_get_host_info(wasm_extern_as_memory(again)) == &finalized[5]);
  CHECK(wasm_ref_get_host_info(wasm_extern_as_ref(again)) == &finalized[5]);
  wasm_instance_delete(instance);
  wasm_instance_delete(copy);
  collect();
  CHECK(finalized[4] == 0);
  wasm_extern_delete(memory);
  wasm_extern_delete(again);
  collect();
  CHECK(finalized[4] == 1 && finalized[5] == 0); /* set without a finalizer */
  wasm_module_set_host_info_with_finalizer(module, &finalized[6], finalize);
  wasm_module_delete(module);
  CHECK(wasm_module_get_host_info(parts) == &finalized[6]);
  wasm_name_new_from_string_nt(&message, "oh");
  trap = wasm_trap_new(store, &message);
  wasm_byte_vec_delete(&message);
  wasm_trap_set_host_info_with_finalizer(trap, &finalized[7], finalize);
  CHECK(wasm_trap_get_host_info(trap) == &finalized[7]);
  wasm_trap_delete(trap);
  CHECK(finalized[7] == 1);
  CHECK(!wasm_global_get_host_info(NULL));
  LAST("`wasm_global_get_host_info`: `object` must not be NULL");
}

static wasm_trap_t *in_callback(void *env, const wasm_val_vec_t *args, wasm_val_vec_t *results) {
  size_t before = stepwell_store_object_count(store);
  (void)env;
  (void)args;
  (void)results;
  FAILS(stepwell_store_collect(store), STEPWELL_ERROR_STATE, "inside a callback");
  /* more than enough for a collection, which waits */
  for (int i = 0; i < 3000; i++) wasm_foreign_delete(wasm_foreign_new(store));
  CHECK(stepwell_store_object_count(store) == before + 3000);
  return NULL;
}

static void callbacks(void) {
  wasm_functype_t *type = wasm_functype_new_0_0();
  wasm_func_t *func = wasm_func_new_with_env(store, type, in_callback, &finalized[9], finalize), *run;
  wasm_module_t *calls = MODULE(store, CALLS);
  wasm_extern_t *imports[1];
  wasm_extern_vec_t imports_vec = WASM_ARRAY_VEC(imports);
  wasm_val_vec_t none = WASM_EMPTY_VEC;
  wasm_instance_t *instance;
  size_t before;
  imports[0] = wasm_func_as_extern(func);
  instance = wasm_instance_new(store, calls, &imports_vec, NULL);
  CHECK(instance);
  run = check_func(instance, "run");
  before = stepwell_store_object_count(store);
  wasm_func_delete(func);
  CHECK(!wasm_func_call(run, &none, &none));
  COUNT(before); /* collected when the call had returned */
  /* called directly by the host, no guest is on the stack, but the function itself is */
  func = wasm_func_new_with_env(store, type, in_callback, &finalized[10], finalize);
  CHECK(!wasm_func_call(func, &none, &none));
  COUNT(before + 1);
  wasm_func_delete(func);
  collect();
  CHECK(finalized[9] == 0 && finalized[10] == 1);
  wasm_instance_delete(instance);
  wasm_func_delete(run);
  collect();
  CHECK(finalized[9] == 1);
  wasm_functype_delete(type);
  wasm_module_delete(calls);
}

/* A finalizer that deletes and makes objects of the store, though it should not. */
static wasm_extern_t *for_finalizer;

static void busy_finalizer(void *env) {
  ++*(int *)env;
  wasm_extern_delete(for_finalizer);
  wasm_foreign_delete(wasm_foreign_new(store));
  FAILS(stepwell_store_collect(store), STEPWELL_ERROR_STATE, "inside a callback");
}

static void finalizers_that_call(void) {
  wasm_instance_t *instance = check_instance(store, parts);
  size_t before = stepwell_store_object_count(store) - INSTANCE;
  wasm_instance_set_host_info_with_finalizer(instance, &finalized[11], busy_finalizer);
  for_finalizer = lone("get");
  CHECK(call(wasm_extern_as_func(for_finalizer)) == 7);
  wasm_instance_delete(instance);
  collect();
  CHECK(finalized[11] == 1);
  COUNT(before + INSTANCE + 1);
  collect();
  COUNT(before);
}

/* What a finalizer of one store deletes: the last handles of another store, whose own finalizers run inside, and a handle of the store
 * that is being collected, which is refused. */
static struct {
  wasm_store_t *own, *other;
  wasm_extern_t *memory;
  wasm_trap_t *trap;
  stepwell_linker_t *linker;
} doomed;

static void deleting_finalizer(void *env) {
  ++*(int *)env;
  wasm_extern_delete(doomed.memory);
  wasm_trap_delete(doomed.trap);
  stepwell_linker_delete(doomed.linker);
  wasm_store_delete(doomed.other);
  if (doomed.own) {
    stepwell_last_error_clear();
    wasm_store_delete(doomed.own);
    if (stepwell_last_error()) {
      LAST("the handle stays valid");
    } else {
      doomed.own = NULL;
    }
  }
}

/* In a collection, with a store, and with a linker. */
static void finalizers_that_delete(wasm_engine_t *engine) {
  for (int how = 0; how < 3; how++) {
    wasm_functype_t *type = wasm_functype_new_0_0();
    wasm_store_t *own = wasm_store_new(engine);
    wasm_module_t *traps;
    wasm_instance_t *instance;
    wasm_func_t *func;
    wasm_val_t results[1];
    wasm_val_vec_t none = WASM_EMPTY_VEC, results_vec = WASM_ARRAY_VEC(results);
    finalized[13] = finalized[14] = 0;
    memset(&doomed, 0, sizeof(doomed));
    doomed.other = wasm_store_new(engine);
    doomed.linker = stepwell_linker_new(engine);
    traps = MODULE(doomed.other, PARTS);
    instance = check_instance(doomed.other, traps);
    doomed.memory = part(instance, "memory");
    wasm_instance_set_host_info_with_finalizer(instance, &finalized[14], finalize);
    OK(stepwell_linker_define_instance(doomed.linker, "i", instance));
    func = check_func(instance, "call");
    doomed.trap = wasm_func_call(func, &none, &results_vec);
    CHECK(doomed.trap);
    wasm_trap_set_host_info_with_finalizer(doomed.trap, &finalized[14], finalize);
    wasm_func_delete(func);
    wasm_instance_delete(instance);
    wasm_module_delete(traps);
    if (how == 2) {
      stepwell_linker_t *linker = stepwell_linker_new(engine);
      doomed.own = own;
      OK(stepwell_linker_define_func(linker, "", "f", type, in_callback, &finalized[13], deleting_finalizer));
      stepwell_linker_delete(linker);
      CHECK(!doomed.own);
    } else {
      wasm_func_delete(wasm_func_new_with_env(own, type, in_callback, &finalized[13], deleting_finalizer));
      if (how == 0) {
        doomed.own = own;
        OK(stepwell_store_collect(own));
        CHECK(doomed.own == own && stepwell_store_object_count(own) == 0);
      }
      wasm_store_delete(own);
    }
    CHECK(finalized[13] == 1 && finalized[14] == 2);
    wasm_functype_delete(type);
  }
}

/* A trap in an object's host info keeps the instances that it came from, which may lead to the object: a circle through the host, which
 * is there until the host ends it. */
static void delete_trap(void *trap) { wasm_trap_delete(trap); }

static void circles_through_the_host(void) {
  wasm_instance_t *instance = check_instance(store, parts);
  size_t before = stepwell_store_object_count(store) - INSTANCE;
  wasm_foreign_t *foreign = wasm_foreign_new(store);
  wasm_extern_t *ref = part(instance, "ref");
  wasm_func_t *func = check_func(instance, "call");
  wasm_val_t value = {.kind = WASM_EXTERNREF, .of = {.ref = wasm_foreign_as_ref(foreign)}}, results[1];
  wasm_val_vec_t none = WASM_EMPTY_VEC, results_vec = WASM_ARRAY_VEC(results);
  wasm_trap_t *trap = wasm_func_call(func, &none, &results_vec);
  wasm_frame_t *frame = wasm_trap_origin(trap);
  bool known = wasm_frame_instance(frame) != NULL;
  wasm_frame_delete(frame);
  wasm_global_set(wasm_extern_as_global(ref), &value);
  wasm_foreign_set_host_info_with_finalizer(foreign, trap, delete_trap);
  wasm_extern_delete(ref);
  wasm_func_delete(func);
  wasm_instance_delete(instance);
  collect();
  COUNT(before + INSTANCE + 1 - (known ? 0 : INSTANCE));
  wasm_foreign_set_host_info(foreign, NULL);
  collect();
  COUNT(before + 1);
  wasm_foreign_delete(foreign);
  collect();
  COUNT(before);
}

/* A linker keeps what is defined in it; a trap keeps the instances of its frames. */
static void linkers_and_traps(wasm_engine_t *engine) {
  stepwell_linker_t *linker = stepwell_linker_new(engine);
  size_t before = stepwell_store_object_count(store);
  wasm_extern_t *get = lone("get"), *table;
  wasm_instance_t *instance = check_instance(store, parts);
  wasm_func_t *call_0 = check_func(instance, "call");
  wasm_val_t results[1];
  wasm_val_vec_t none = WASM_EMPTY_VEC, results_vec = WASM_ARRAY_VEC(results);
  wasm_trap_t *trap;
  wasm_frame_t *frame;
  OK(stepwell_linker_define(linker, "", "get", get));
  wasm_extern_delete(get);
  OK(stepwell_linker_define_instance(linker, "i", instance));
  wasm_instance_delete(instance);
  trap = wasm_func_call(call_0, &none, &results_vec);
  CHECK(trap);
  wasm_func_delete(call_0);
  collect();
  COUNT(before + 2 * INSTANCE);
  get = stepwell_linker_get(linker, store, "", "get");
  CHECK(call(wasm_extern_as_func(get)) == 7);
  wasm_extern_delete(get);
  stepwell_linker_delete(linker);
  collect();
  /* where frames tell their instance, the trap holds it */
  frame = wasm_trap_origin(trap);
  CHECK(frame);
  COUNT(before + (wasm_frame_instance(frame) ? INSTANCE : 0));
  if (wasm_frame_instance(frame)) {
    table = part(wasm_frame_instance(frame), "table");
    CHECK(wasm_table_size(wasm_extern_as_table(table)) == 4);
    wasm_extern_delete(table);
  }
  wasm_frame_delete(frame);
  wasm_trap_delete(trap);
  collect();
  COUNT(before);
}

/* Limits are for what is there: what nobody holds makes room. */
static void limits(wasm_engine_t *engine) {
  wasm_store_t *outer = store;
  wasm_module_t *outer_parts = parts;
  store = wasm_store_new(engine);
  parts = MODULE(store, PARTS);
  OK(stepwell_store_limits_set(store, 10 * MEMORY_PAGE_SIZE, 60, 10));
  for (int i = 0; i < 100; i++) {
    wasm_instance_delete(check_instance(store, parts));
    CHECK(stepwell_store_object_count(store) <= 10 * INSTANCE);
  }
  collect();
  {
    wasm_instance_t *held[10], *one_more = NULL;
    for (int i = 0; i < 10; i++) held[i] = check_instance(store, parts);
    FAILS(stepwell_instance_new(store, parts, NULL, &one_more, NULL), STEPWELL_ERROR_LIMIT, "10 instances");
    wasm_instance_delete(held[5]);
    held[5] = check_instance(store, parts);
    for (int i = 0; i < 10; i++) wasm_instance_delete(held[i]);
  }
  wasm_module_delete(parts);
  wasm_store_delete(store);
  store = outer;
  parts = outer_parts;
}

/* Resident memory in KiB. */
static long resident(void) {
  FILE *file = fopen("/proc/self/statm", "r");
  long size = 0, pages = 0;
  CHECK(file && fscanf(file, "%ld %ld", &size, &pages) == 2);
  fclose(file);
  return pages * 4;
}

/* Very many instances with a memory each, written to: by themselves they go. */
static void very_many(int count) {
  long first = 0;
  size_t before, most = 0;
  collect();
  before = stepwell_store_object_count(store);
  for (int i = 0; i < count; i++) {
    wasm_instance_t *instance = check_instance(store, parts);
    wasm_extern_t *memory = part(instance, "memory");
    size_t now = stepwell_store_object_count(store);
    wasm_memory_data(wasm_extern_as_memory(memory))[i % 65536] = 1;
    wasm_instance_set_host_info_with_finalizer(instance, &finalized[12], finalize);
    wasm_instance_delete(instance);
    wasm_extern_delete(memory);
    if (now > most) most = now;
    if (i == count / 10) first = resident();
  }
  CHECK(most < before + 2000 * INSTANCE);
#if !defined(__SANITIZE_ADDRESS__)
  CHECK(resident() < first + 64 * 1024);
#endif
  collect();
  COUNT(before);
  CHECK(finalized[12] == count);
}

static stepwell_action_t on_stop(void *env, stepwell_stop_t *stop) {
  (void)stop;
  ++*(int *)env;
  FAILS(stepwell_store_collect(store), STEPWELL_ERROR_STATE, "inside a callback");
  return STEPWELL_ACTION_STEP;
}

int main(int argc, char **argv) {
  wasm_config_t *config = wasm_config_new();
  wasm_engine_t *engine;
  int count = argc > 1 ? atoi(argv[1]) : 100000, stops = 0;
  stepwell_config_debug_set(config, true);
  engine = wasm_engine_new_with_config(config);
  for (int debugged = 0; debugged < 2; debugged++) {
    stepwell_debugger_t *debugger = NULL;
    memset(finalized, 0, sizeof(finalized));
    store = wasm_store_new(engine);
    parts = MODULE(store, PARTS);
    if (debugged) {
      OK(stepwell_debugger_attach(store, on_stop, &stops, NULL, &debugger));
      OK(stepwell_breakpoint_add_at_function(debugger, parts, "get", NULL));
    }
    each_handle_keeps_the_instance();
    tables_and_cycles();
    what_guests_hold();
    host_info();
    callbacks();
    finalizers_that_call();
    finalizers_that_delete(engine);
    circles_through_the_host();
    linkers_and_traps(engine);
    limits(engine);
    very_many(debugged ? count / 100 : count);
    FAILS(stepwell_store_collect(NULL), STEPWELL_ERROR_ARGUMENT, "`store` must not be NULL");
    stepwell_debugger_delete(debugger);
    wasm_module_delete(parts);
    CHECK(finalized[6] == 0);
    wasm_store_delete(store);
  }
  CHECK(stops > 10);
  wasm_engine_delete(engine);
  return 0;
}
