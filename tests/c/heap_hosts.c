/* Structures and arrays where the host does more than look: limits, stores, host functions, stops of a debugger. */
#include "heap.h"

static int fills, nested;

/* Puts into a box what it makes: for a number below zero an array of what was there, else a point. */
static wasm_trap_t *fill(void *env, const stepwell_caller_t *caller, const wasm_val_vec_t *args, wasm_val_vec_t *results) {
  wasm_store_t *inside = stepwell_caller_store(caller);
  const wasm_ref_t *box = args->data[0].of.ref;
  int32_t number_ = args->data[1].of.i32;
  wasm_val_t val = get(box, 0);
  wasm_ref_t *ref = NULL;
  (void)env;
  fills++;
  CHECK(args->size == 2 && results->size == 0 && args->data[0].kind == STEPWELL_VALKIND_ANYREF && length(box) == 1);
  if (number_ < 0) {
    stepwell_field_t element = field(number(STEPWELL_VALKIND_ANYREF), true);
    wasm_valtype_t *type = stepwell_valtype_new_array(&element);
    wasm_val_vec_t vec = {1, &val};
    OK(stepwell_array_new(inside, type, &vec, &ref));
    wasm_valtype_delete(type);
  } else {
    for (int i = 0; i < 3; i++) wasm_ref_delete(new_point(inside, i, i)); /* garbage */
    if (number_ % 100 == 0) { /* a guest makes it, inside */
      wasm_val_t made = call_2("point", val_i32(0), val_i64(number_));
      ref = made.of.ref;
      nested++;
    } else {
      ref = new_point(store, 0, number_);
    }
  }
  wasm_val_delete(&val);
  val = val_any(ref);
  OK(stepwell_object_set(box, 0, &val));
  wasm_ref_delete(ref);
  return NULL;
}

/* The limit of the heap, of a new store: garbage makes room, and where there is none it is an error and no end. */
static void limits(void) {
  wasm_store_t *outer_store = store;
  wasm_module_t *outer_module = module;
  wasm_instance_t *outer_instance = instance;
  wasm_valtype_t *type = bytes_type(), *refs_type;
  wasm_val_t zero = val_i32(1);
  wasm_ref_t *first = NULL, *second = NULL, *point;
  stepwell_field_t element = field(number(WASM_EXTERNREF), true);
  instantiate(fill);
  OK(stepwell_store_heap_limit_set(store, 3000000));
  FAILS(stepwell_array_new_of(store, type, &zero, UINT32_MAX, &first), STEPWELL_ERROR_LIMIT, "full");
  CHECK(!first);
  OK(stepwell_array_new_of(store, type, &zero, 2000000, &first));
  FAILS(stepwell_array_new_of(store, type, &zero, 2000000, &second), STEPWELL_ERROR_LIMIT, "full");
  CHECK(!second && !stepwell_store_is_poisoned(store));
  wasm_ref_delete(first);
  OK(stepwell_array_new_of(store, type, &zero, 2000000, &second));
  point = new_point(store, 1, 1);
  CHECK(call_1("sum", val_any(point)).of.i64 == 2);
  wasm_ref_delete(point);
  wasm_ref_delete(second);
  for (int i = 0; i < 200; i++) {
    OK(stepwell_array_new_of(store, type, &zero, 100000, &first));
    wasm_ref_delete(first);
  }
  /* what is collected while an object is made is not what the object is made of */
  OK(stepwell_store_heap_limit_set(store, 16000000));
  refs_type = stepwell_valtype_new_array(&element);
  for (int i = 0; i < 50; i++) {
    wasm_val_t values[64], val;
    wasm_val_vec_t vec = WASM_ARRAY_VEC(values);
    wasm_func_t *func = check_func(instance, "sum");
    wasm_ref_t *made = NULL, *garbage = NULL;
    for (int j = 0; j < 64; j++) {
      wasm_ref_t *inner = new_point(store, j, i);
      wasm_ref_t *external = stepwell_ref_to_extern(inner);
      values[j] = val_ref(WASM_EXTERNREF, j % 2 ? external : wasm_ref_copy(wasm_func_as_ref(func)));
      if (j % 2 == 0) wasm_ref_delete(external);
      wasm_ref_delete(inner);
    }
    OK(stepwell_array_new_of(store, type, &zero, 1000000 + (uint32_t)i * 32768, &garbage));
    wasm_ref_delete(garbage);
    OK(stepwell_array_new(store, refs_type, &vec, &made));
    for (int j = 0; j < 64; j++) wasm_val_delete(&values[j]);
    OK(stepwell_array_new_of(store, type, &zero, 4000000, &garbage));
    for (int j = 0; j < 64; j++) {
      val = get(made, (uint32_t)j);
      if (j % 2 == 0) {
        CHECK(wasm_func_same(wasm_ref_as_func(val.of.ref), func));
      } else {
        wasm_ref_t *inner = stepwell_ref_to_any(val.of.ref);
        CHECK(get(inner, 0).of.i32 == j && get(inner, 1).of.i64 == i);
        wasm_ref_delete(inner);
      }
      wasm_val_delete(&val);
    }
    wasm_ref_delete(garbage);
    wasm_ref_delete(made);
    wasm_func_delete(func);
  }
  wasm_valtype_delete(type);
  wasm_valtype_delete(refs_type);
  drop();
  store = outer_store;
  module = outer_module;
  instance = outer_instance;
}

/* Stores do not mix; integers alone are the same in all, and their handles are of one all the same. */
static void stores(void) {
  wasm_store_t *other = wasm_store_new(engine);
  wasm_ref_t *theirs = new_point(other, 1, 2), *made = NULL, *ours = NULL;
  wasm_valtype_t *list_type = type_of("cons", true, 0);
  wasm_val_t values[2];
  wasm_val_vec_t vec = WASM_ARRAY_VEC(values);
  values[0] = val_any(theirs);
  values[1] = val_any(NULL);
  FAILS(stepwell_struct_new(store, list_type, &vec, &made), STEPWELL_ERROR_ARGUMENT, "reference of another store");
  values[0] = val_any(NULL);
  OK(stepwell_struct_new(store, list_type, &vec, &ours));
  values[0] = val_any(theirs);
  FAILS(stepwell_object_set(ours, 0, &values[0]), STEPWELL_ERROR_ARGUMENT, "reference of another store");
  refuses("sum", val_any(theirs));
  OK(stepwell_struct_new(other, list_type, &vec, &made)); /* of a guest's type, where that guest is not */
  wasm_valtype_delete(list_type);
  wasm_store_delete(other);
  wasm_ref_delete(theirs);
  { /* it outlives its store's handle, and its type those of the guest and of C */
    wasm_val_t inner = get(made, 0);
    CHECK(get(inner.of.ref, 1).of.i64 == 2 && length(made) == 2);
    wasm_ref_delete(made);
    CHECK(get(inner.of.ref, 0).of.i32 == 1);
    wasm_val_delete(&inner);
  }
  wasm_ref_delete(ours);
}

/* Switched off. */
static void without_gc(void) {
  wasm_config_t *config = wasm_config_new();
  wasm_engine_t *own;
  wasm_store_t *in;
  wasm_valtype_t *type = bytes_type();
  wasm_val_t zero = val_i32(0);
  wasm_ref_t *ref = NULL;
  OK(stepwell_config_feature_set(config, STEPWELL_FEATURE_GC, false));
  own = wasm_engine_new_with_config(config);
  in = wasm_store_new(own);
  FAILS(stepwell_array_new_of(in, type, &zero, 1, &ref), STEPWELL_ERROR_UNSUPPORTED, "gc");
  FAILS(stepwell_array_new(in, type, NULL, &ref), STEPWELL_ERROR_UNSUPPORTED, "gc");
  CHECK(!ref && stepwell_store_heap_bytes(in) == 0);
  wasm_valtype_delete(type);
  wasm_store_delete(in);
  wasm_engine_delete(own);
}

static void host_functions(void) {
  wasm_ref_t *point = new_point(store, 1, 2);
  wasm_val_t val = call_2("fills", val_any(point), val_i32(-1)), inner;
  enum { COUNT = 20000 };
  wasm_ref_delete(point);
  (void)heap_bytes();
  CHECK(fills == 1 && length(val.of.ref) == 1);
  inner = get(val.of.ref, 0);
  CHECK(get(inner.of.ref, 1).of.i64 == 2);
  wasm_val_delete(&inner);
  wasm_val_delete(&val);
  val = call_2("fills", val_any(NULL), val_i32(-1));
  inner = get(val.of.ref, 0);
  CHECK(!inner.of.ref);
  wasm_val_delete(&val);
  /* so many that there are collections while the guest waits */
  CHECK(call_1("makes", val_i32(COUNT)).of.i64 == (int64_t)COUNT * (COUNT + 1) / 2 + 2);
  CHECK(fills == 2 + COUNT && nested == COUNT / 100);
}

/* Gives what it makes, a handle of what it was given, or what was given as an external reference. */
static wasm_trap_t *gives(void *env, const stepwell_caller_t *caller, const wasm_val_vec_t *args, wasm_val_vec_t *results) {
  wasm_store_t *inside = stepwell_caller_store(caller);
  wasm_ref_t *given = args->data[1].of.ref, *made = new_point(inside, 7, 8);
  int32_t what = args->data[0].of.i32;
  (void)env;
  for (int i = 0; i < 10; i++) wasm_ref_delete(new_point(inside, i, i)); /* garbage */
  results->data[0] = val_any(what == 0 ? made : wasm_ref_copy(given));
  results->data[1] = val_ref(WASM_EXTERNREF, stepwell_ref_to_extern(what == 0 ? made : given));
  if (what != 0) wasm_ref_delete(made);
  return NULL;
}

/* What a host function gives is held until its caller has it. */
static void results(void) {
  wasm_valtype_t *params[2], *types[2];
  wasm_valtype_vec_t params_vec, types_vec;
  wasm_functype_t *type;
  wasm_func_t *func = NULL;
  params[0] = wasm_valtype_new_i32();
  params[1] = wasm_valtype_new(STEPWELL_VALKIND_ANYREF);
  types[0] = wasm_valtype_new(STEPWELL_VALKIND_ANYREF);
  types[1] = wasm_valtype_new(WASM_EXTERNREF);
  wasm_valtype_vec_new(&params_vec, 2, params);
  wasm_valtype_vec_new(&types_vec, 2, types);
  type = wasm_functype_new(&params_vec, &types_vec);
  OK(stepwell_func_new(store, type, gives, NULL, NULL, &func));
  for (int i = 0; i < 3; i++) {
    wasm_ref_t *point = i == 2 ? stepwell_i31_new(store, -3) : new_point(store, 1, 2), *back;
    wasm_val_t args[2], out[2];
    wasm_val_vec_t args_vec = WASM_ARRAY_VEC(args), out_vec = WASM_ARRAY_VEC(out);
    int32_t number_ = 0;
    args[0] = val_i32(i);
    args[1] = val_any(point);
    CHECK(!wasm_func_call(func, &args_vec, &out_vec));
    (void)heap_bytes();
    CHECK(wasm_ref_same(out[0].of.ref, point) == (i != 0));
    back = stepwell_ref_to_any(out[1].of.ref);
    CHECK(wasm_ref_same(back, out[0].of.ref));
    if (i == 2) {
      CHECK(stepwell_ref_i31(back, &number_) && number_ == -3);
    } else {
      CHECK(get(out[0].of.ref, 0).of.i32 == (i == 0 ? 7 : 1) && get(back, 1).of.i64 == (i == 0 ? 8 : 2));
    }
    wasm_ref_delete(back);
    wasm_ref_delete(point);
    for (int j = 0; j < 2; j++) wasm_val_delete(&out[j]);
  }
  wasm_func_delete(func);
  wasm_functype_delete(type);
}

/* What a host function gives that is not of the type that it promised. */
static wasm_trap_t *wrong(void *env, const stepwell_caller_t *caller, const wasm_val_vec_t *args, wasm_val_vec_t *results) {
  wasm_valtype_t *type = bytes_type();
  wasm_ref_t *ref = NULL;
  (void)env;
  if (args->data[0].of.i32 == 1) OK(stepwell_array_new(stepwell_caller_store(caller), type, NULL, &ref));
  wasm_valtype_delete(type);
  results->data[0] = val_any(ref);
  return NULL;
}

static void wrong_results(void) {
  wasm_functype_t *type = wasm_functype_new_1_1(wasm_valtype_new_i32(), point_type());
  wasm_func_t *func = NULL;
  OK(stepwell_func_new(store, type, wrong, NULL, NULL, &func));
  for (int i = 0; i < 2; i++) {
    wasm_val_t args[1], results[1];
    wasm_val_vec_t args_vec = WASM_ARRAY_VEC(args), results_vec = WASM_ARRAY_VEC(results);
    wasm_trap_t *trap;
    args[0] = val_i32(i);
    trap = wasm_func_call(func, &args_vec, &results_vec);
    CHECK(trap);
    wasm_trap_delete(trap);
  }
  wasm_func_delete(func);
  wasm_functype_delete(type);
}

static int stops;
static wasm_ref_t *taken;

/* What a frame's locals are of, looked into at each stop. */
static stepwell_action_t stopped(void *env, stepwell_stop_t *stop) {
  const stepwell_frame_t *frame = stepwell_stop_frame(stop, 0);
  wasm_val_t locals[7], val;
  char text[3];
  (void)env;
  stops++;
  CHECK(stepwell_frame_locals(frame, locals, 7) == 7);
  CHECK(locals[0].kind == STEPWELL_VALKIND_ANYREF && is_of(locals[0].of.ref, point_type()));
  CHECK(get(locals[0].of.ref, 0).of.i32 == 10);
  CHECK(length(locals[1].of.ref) == 3);
  OK(stepwell_array_read(locals[1].of.ref, 0, text, 3));
  CHECK(memcmp(text, "Bob", 3) == 0);
  CHECK(locals[2].kind == STEPWELL_VALKIND_ANYREF && !locals[2].of.ref);
  val = get(locals[3].of.ref, 0);
  CHECK(wasm_ref_same(val.of.ref, locals[0].of.ref));
  wasm_val_delete(&val);
  CHECK(locals[4].kind == WASM_EXTERNREF && wasm_ref_get_host_info(locals[4].of.ref) == &stops);
  val = val_i32(0);
  if (locals[5].of.ref) { /* it has been made by now */
    CHECK(length(locals[5].of.ref) == 3 && get(locals[5].of.ref, 1).of.i32 == 65535 && get(locals[5].of.ref, 0).of.i32 == 255);
    if (!taken) {
      taken = wasm_ref_copy(locals[5].of.ref);
      OK(stepwell_object_set(locals[5].of.ref, 0, &val));
    } else {
      CHECK(wasm_ref_same(taken, locals[5].of.ref));
    }
    val.of.i32 = 255;
    OK(stepwell_object_set(locals[5].of.ref, 0, &val));
  }
  if (locals[6].of.ref) {
    int32_t out;
    CHECK(stepwell_ref_i31(locals[6].of.ref, &out) && out == -5);
  }
  /* the host makes objects there as well, and gives one to the guest's */
  for (int i = 0; i < 2000; i++) wasm_ref_delete(new_point(stepwell_stop_store(stop), i, i));
  val = val_i64(1000 + stops);
  OK(stepwell_object_set(locals[0].of.ref, 1, &val));
  for (int i = 0; i < 7; i++) wasm_val_delete(&locals[i]);
  return STEPWELL_ACTION_STEP;
}

static void debugged(void) {
  wasm_config_t *config = wasm_config_new();
  wasm_engine_t *outer = engine;
  stepwell_debugger_t *debugger = NULL;
  wasm_val_t args[5], list;
  wasm_foreign_t *foreign;
  stepwell_config_debug_set(config, true);
  engine = wasm_engine_new_with_config(config);
  instantiate(fill);
  OK(stepwell_debugger_attach(store, stopped, NULL, NULL, &debugger));
  OK(stepwell_breakpoint_add_at_function(debugger, module, "shows", NULL));
  OK(stepwell_store_heap_limit_set(store, heap_bytes() + 100000));
  foreign = wasm_foreign_new(store);
  wasm_foreign_set_host_info(foreign, &stops);
  args[0] = val_any(new_point(store, 10, 20));
  args[1] = val_any(new_text("Bob"));
  args[2] = val_any(NULL);
  list = call_2("cons", args[0], val_any(NULL));
  args[3] = list;
  args[4] = val_ref(WASM_EXTERNREF, wasm_foreign_as_ref(foreign));
  {
    wasm_func_t *func = check_func(instance, "shows");
    wasm_val_t results[1];
    wasm_val_vec_t args_vec = WASM_ARRAY_VEC(args), results_vec = WASM_ARRAY_VEC(results);
    CHECK(!wasm_func_call(func, &args_vec, &results_vec));
    CHECK(results[0].of.i64 > 1000 && results[0].of.i64 < 1000 + stops); /* what was set when it was read */
    wasm_func_delete(func);
  }
  CHECK(stops > 10 && taken);
  CHECK(get(taken, 2).of.i32 == 1); /* it outlives the stop */
  wasm_ref_delete(taken);
  for (int i = 0; i < 4; i++) wasm_val_delete(&args[i]);
  wasm_foreign_delete(foreign);
  stepwell_debugger_delete(debugger);
  (void)heap_bytes();
  drop();
  wasm_engine_delete(engine);
  engine = outer;
}

int main(void) {
  uint64_t before;
  engine = wasm_engine_new();
  instantiate(fill);
  before = heap_bytes();
  limits();
  stores();
  without_gc();
  host_functions();
  results();
  wrong_results();
  CHECK(heap_bytes() == before); /* nothing was forgotten */
  drop();
  debugged();
  wasm_engine_delete(engine);
  for (int kind = 0; kind < 256; kind++) wasm_valtype_delete(known_types[kind]);
  return 0;
}
