/* Host functions, values and references through guests, environments and their finalizers, the linker. */
#include "check.h"

static int finalized;

static void finalize(void *env) {
  ++*(int *)env;
}

/* Gives its parameters back in reverse order. */
static wasm_trap_t *swap(void *env, const wasm_val_vec_t *args, wasm_val_vec_t *results) {
  CHECK(env == &finalized && args->size == 6 && results->size == 6);
  for (size_t i = 0; i < 6; i++) wasm_val_copy(&results->data[i], &args->data[5 - i]);
  return NULL;
}

struct state {
  wasm_store_t *store;
  wasm_func_t *again;
  int depth;
};

/* What the guest's "fail" asks for by its argument. */
static wasm_trap_t *fail(void *env, const wasm_val_vec_t *args, wasm_val_vec_t *results) {
  struct state *state = env;
  int32_t what = args->data[0].of.i32;
  wasm_message_t message;
  if (what == 0) { /* a trap with a message */
    wasm_trap_t *trap;
    wasm_name_new_from_string_nt(&message, "the host says no");
    trap = wasm_trap_new(state->store, &message);
    wasm_name_delete(&message);
    return trap;
  }
  if (what == 1) { /* a result of another type */
    results->data[0].kind = WASM_F32;
    return NULL;
  }
  if (what == 2) { /* a reference where a number is due */
    wasm_foreign_t *foreign = wasm_foreign_new(state->store);
    results->data[0].kind = WASM_EXTERNREF;
    results->data[0].of.ref = wasm_foreign_as_ref(foreign);
    return NULL;
  }
  if (what == 3) { /* back into the guest, which fails: its trap goes through */
    wasm_val_t arg = val_i32(0), result;
    wasm_val_vec_t args_vec, results_vec;
    args_vec.size = results_vec.size = 1;
    args_vec.data = &arg;
    results_vec.data = &result;
    return wasm_func_call(state->again, &args_vec, &results_vec);
  }
  if (what == 4) { /* deleting what is running */
    stepwell_last_error_clear();
    wasm_store_delete(state->store);
    LAST("inside a callback");
    wasm_func_delete(state->again);
    state->again = NULL;
  }
  if (what >= 10) { /* nested runs */
    state->depth++;
    if (what > 10) return results->data[0].of.i32 = call_i32(state->again, what - 1) + 1, NULL;
  }
  results->data[0] = val_i32(what);
  return NULL;
}

static wasm_trap_t *plain(const wasm_val_vec_t *args, wasm_val_vec_t *results) {
  (void)args;
  (void)results;
  return NULL;
}

static void message_is(wasm_trap_t *trap, const char *text) {
  wasm_message_t message;
  CHECK(trap);
  wasm_trap_message(trap, &message);
  if (!strstr(message.data, text)) fprintf(stderr, "trap: %s\n", message.data);
  CHECK(strstr(message.data, text) && message.data[message.size - 1] == 0);
  wasm_byte_vec_delete(&message);
  wasm_trap_delete(trap);
}

int main(void) {
  wasm_engine_t *engine = wasm_engine_new();
  wasm_store_t *store = wasm_store_new(engine);
  wasm_module_t *module = MODULE(store, VALUES);
  stepwell_linker_t *linker = stepwell_linker_new(engine);
  wasm_functype_t *swap_type, *fail_type;
  wasm_instance_t *instance = NULL;
  wasm_func_t *through, *failing, *same;
  struct state state = {NULL, NULL, 0};
  int fail_finalized = 0;
  wasm_trap_t *trap = NULL;

  {
    wasm_valtype_t *list[6];
    wasm_valtype_vec_t params, results;
    list[0] = wasm_valtype_new_i32();
    list[1] = wasm_valtype_new_i64();
    list[2] = wasm_valtype_new_f32();
    list[3] = wasm_valtype_new_f64();
    list[4] = wasm_valtype_new_funcref();
    list[5] = wasm_valtype_new_externref();
    wasm_valtype_vec_new(&params, 6, list);
    wasm_valtype_vec_new_uninitialized(&results, 6);
    for (size_t i = 0; i < 6; i++) results.data[i] = wasm_valtype_copy(list[5 - i]);
    swap_type = wasm_functype_new(&params, &results);
    fail_type = wasm_functype_new_1_1(wasm_valtype_new_i32(), wasm_valtype_new_i32());
  }

  state.store = store;
  /* the linker: unknown imports are named; names are defined once */
  FAILS(stepwell_linker_instantiate(linker, store, module, &instance, &trap), STEPWELL_ERROR_LINK, "\"host\".\"swap\"");
  CHECK(!trap && !instance);
  OK(stepwell_linker_define_func(linker, "host", "swap", swap_type, swap, &finalized, finalize));
  FAILS(stepwell_linker_define_func(linker, "host", "swap", swap_type, swap, &finalized, finalize),
        STEPWELL_ERROR_ARGUMENT, "defined already");
  CHECK(finalized == 1); /* also when registering fails */
  FAILS(stepwell_linker_define_func(linker, "host", "x", NULL, swap, &finalized, finalize), STEPWELL_ERROR_ARGUMENT,
        "`type` must not be NULL");
  FAILS(stepwell_linker_define_func(linker, "host", "x", swap_type, NULL, &finalized, finalize), STEPWELL_ERROR_ARGUMENT,
        "`callback` must not be NULL");
  CHECK(finalized == 3);
  OK(stepwell_linker_define_func(linker, "host", "fail", fail_type, fail, &state, NULL));
  OK(stepwell_linker_instantiate(linker, store, module, &instance, &trap));
  CHECK(instance && !trap);
  through = check_func(instance, "through");
  failing = check_func(instance, "fail");
  same = check_func(instance, "same");
  state.again = wasm_func_copy(failing);

  { /* every kind of value, out of the host, through the guest, into the host, and back, to the bit */
    wasm_foreign_t *foreign = wasm_foreign_new(store);
    wasm_val_t args[6], results[6];
    wasm_val_vec_t args_vec = WASM_ARRAY_VEC(args), results_vec = WASM_ARRAY_VEC(results);
    memset(args, 0, sizeof(args));
    args[0] = val_i32(-5);
    args[1].kind = WASM_I64;
    args[1].of.i64 = INT64_MIN;
    args[2].kind = WASM_F32;
    args[2].of.i32 = 0x7fa00001; /* a signalling NaN */
    args[3].kind = WASM_F64;
    args[3].of.i64 = 0x7ff4000000000001LL;
    args[4].kind = WASM_FUNCREF;
    args[4].of.ref = wasm_func_as_ref(same);
    args[5].kind = WASM_EXTERNREF;
    args[5].of.ref = wasm_foreign_as_ref(foreign);
    CHECK(!wasm_func_call(through, &args_vec, &results_vec));
    CHECK(results[0].kind == WASM_EXTERNREF && wasm_ref_same(results[0].of.ref, wasm_foreign_as_ref(foreign)));
    CHECK(wasm_ref_as_foreign(results[0].of.ref) && !wasm_ref_as_func(results[0].of.ref));
    CHECK(results[1].kind == WASM_FUNCREF && wasm_func_same(wasm_ref_as_func(results[1].of.ref), same));
    CHECK(results[2].kind == WASM_F64 && results[2].of.i64 == 0x7ff4000000000001LL);
    CHECK(results[3].kind == WASM_F32 && results[3].of.i32 == 0x7fa00001);
    CHECK(results[4].kind == WASM_I64 && results[4].of.i64 == INT64_MIN);
    CHECK(results[5].kind == WASM_I32 && results[5].of.i32 == -5);
    wasm_val_delete(&results[0]);
    wasm_val_delete(&results[1]);
    CHECK(!results[1].of.ref);
    wasm_foreign_delete(foreign);

    /* nulls; and an object of the host's that is no foreign one, as an externref */
    args[4].of.ref = NULL;
    args[5].of.ref = wasm_instance_as_ref(instance);
    CHECK(!wasm_func_call(through, &args_vec, &results_vec));
    CHECK(!results[1].of.ref && wasm_instance_same(wasm_ref_as_instance(results[0].of.ref), instance));
    wasm_val_delete(&results[0]);

    /* what does not fit is a trap that says so, and nothing is written */
    args_vec.size = 5;
    message_is(wasm_func_call(through, &args_vec, &results_vec), "5 parameters");
    LAST("5 parameters");
    args_vec.size = 6;
    args[0].kind = WASM_I64;
    message_is(wasm_func_call(through, &args_vec, &results_vec), "parameter 0 is i64");
    args[0].kind = 77;
    message_is(wasm_func_call(through, &args_vec, &results_vec), "no kind of value");
    args[0].kind = WASM_I32;
    results_vec.size = 5;
    message_is(wasm_func_call(through, &args_vec, &results_vec), "room for 5");
    message_is(wasm_func_call(through, NULL, NULL), "0 parameters given");
    CHECK(!wasm_func_call(through, &args_vec, NULL)); /* results that nobody wants are dropped */
    stepwell_last_error_clear();
    args[4].of.ref = wasm_instance_as_ref(instance);
    results_vec.size = 6;
    FAILS(stepwell_func_call(through, &args_vec, &results_vec, &trap), STEPWELL_ERROR_ARGUMENT, "no function");
    CHECK(!trap);
  }

  { /* objects of another store are refused */
    wasm_store_t *other = wasm_store_new(engine);
    wasm_functype_t *type = wasm_functype_new_0_0();
    wasm_func_t *stranger = wasm_func_new(other, type, plain);
    wasm_val_t args[1], results[1];
    wasm_val_vec_t args_vec = WASM_ARRAY_VEC(args), results_vec = WASM_ARRAY_VEC(results);
    wasm_extern_t *imports[2];
    wasm_extern_vec_t imports_vec = WASM_ARRAY_VEC(imports);
    args[0].kind = WASM_FUNCREF;
    args[0].of.ref = wasm_func_as_ref(stranger);
    FAILS(stepwell_func_call(same, &args_vec, &results_vec, &trap), STEPWELL_ERROR_ARGUMENT, "another store");
    imports[0] = imports[1] = wasm_func_as_extern(stranger);
    FAILS(stepwell_instance_new(store, module, &imports_vec, &instance, &trap), STEPWELL_ERROR_ARGUMENT,
          "`imports[0]` is an object of another store");
    OK(stepwell_linker_define(linker, "other", "f", wasm_func_as_extern(stranger)));
    CHECK(!stepwell_linker_get(linker, store, "other", "f"));
    LAST("store");
    CHECK(!stepwell_linker_get(linker, store, "other", "g"));
    LAST("not defined");
    {
      wasm_extern_t *found = stepwell_linker_get(linker, other, "other", "f");
      CHECK(found && wasm_func_same(wasm_extern_as_func(found), stranger));
      wasm_extern_delete(found);
    }
    wasm_functype_delete(type);
    wasm_func_delete(stranger);
    wasm_store_delete(other);
  }

  { /* what host functions can do wrong, and right */
    wasm_val_t args[1], results[1];
    wasm_val_vec_t args_vec = WASM_ARRAY_VEC(args), results_vec = WASM_ARRAY_VEC(results);
    args[0] = val_i32(0);
    results[0] = val_i32(123);
    OK(stepwell_func_call(failing, &args_vec, &results_vec, &trap));
    CHECK(trap && stepwell_trap_code(trap) == STEPWELL_TRAP_HOST);
    {
      wasm_frame_t *origin = wasm_trap_origin(trap);
      CHECK(origin && wasm_frame_func_index(origin) == 3);
      wasm_frame_delete(origin);
    }
    message_is(trap, "the host says no");
    CHECK(results[0].of.i32 == 123);
    args[0] = val_i32(1);
    message_is(wasm_func_call(failing, &args_vec, &results_vec), "returned f32 as result 0");
    args[0] = val_i32(2);
    message_is(wasm_func_call(failing, &args_vec, &results_vec), "returned externref as result 0");
    args[0] = val_i32(3);
    message_is(wasm_func_call(failing, &args_vec, &results_vec), "the host says no");
    CHECK(call_i32(failing, 30) == 30); /* each level adds 1 to 10 */
    CHECK(state.depth == 21);
    CHECK(call_i32(failing, 4) == 4);
    CHECK(!state.again);
    CHECK(!stepwell_store_is_poisoned(store));
  }

  { /* defaults for what is missing */
    stepwell_linker_t *empty = stepwell_linker_new(engine);
    wasm_instance_t *filled = NULL;
    wasm_func_t *func;
    OK(stepwell_linker_fill_missing_with_defaults(empty, store, module));
    OK(stepwell_linker_instantiate(empty, store, module, &filled, NULL));
    func = check_func(filled, "fail");
    CHECK(call_i32(func, 99) == 0);
    wasm_func_delete(func);
    wasm_instance_delete(filled);
    stepwell_linker_delete(empty);
  }

  { /* all exports of an instance as names */
    stepwell_linker_t *names = stepwell_linker_new(engine);
    wasm_module_t *fib = MODULE(store, FIB);
    wasm_instance_t *fib_instance = check_instance(store, fib);
    wasm_extern_t *found;
    OK(stepwell_linker_define_instance(names, "fib", fib_instance));
    FAILS(stepwell_linker_define_instance(names, "fib", fib_instance), STEPWELL_ERROR_ARGUMENT, "defined already");
    OK(stepwell_linker_shadowing_set(names, true));
    OK(stepwell_linker_define_instance(names, "fib", fib_instance));
    found = stepwell_linker_get(names, store, "fib", "fib");
    CHECK(found && call_i32(wasm_extern_as_func(found), 7) == 13);
    wasm_extern_delete(found);
    wasm_module_delete(fib);
    wasm_instance_delete(fib_instance);
    stepwell_linker_delete(names);
  }

  { /* finalizers: once, when nothing can call any more */
    wasm_functype_t *type = wasm_functype_new_0_0();
    wasm_store_t *short_lived = wasm_store_new(engine);
    int count = 0;
    wasm_func_t *func = wasm_func_new_with_env(short_lived, type, swap, &count, finalize);
    CHECK(func && count == 0);
    wasm_func_delete(func);
    CHECK(count == 0); /* the store could still call it */
    wasm_store_delete(short_lived);
    CHECK(count == 1);
    CHECK(!wasm_func_new_with_env(NULL, type, swap, &count, finalize));
    CHECK(count == 2);
    CHECK(!wasm_func_new_with_env(store, type, NULL, &count, finalize));
    CHECK(count == 3);
    wasm_functype_delete(type);
  }

  wasm_functype_delete(swap_type);
  wasm_functype_delete(fail_type);
  wasm_func_delete(through);
  wasm_func_delete(failing);
  wasm_func_delete(same);
  wasm_module_delete(module);
  wasm_instance_delete(instance);
  CHECK(finalized == 3 && fail_finalized == 0);
  stepwell_linker_delete(linker);
  CHECK(finalized == 3); /* the store still has the function */
  wasm_store_delete(store);
  CHECK(finalized == 4);
  wasm_engine_delete(engine);
  return 0;
}
