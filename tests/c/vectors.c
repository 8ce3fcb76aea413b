/* Values of type v128: through guests and host functions, raw and not, in globals, at a debugger's stops; who owns their bytes; and
 * what is not right. */
#include "check.h"

static const uint8_t ASCENDING[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
static const uint8_t DESCENDING[16] = {15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0};
static const uint8_t FOURS[16] = {1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0};
static const uint8_t ZEROS[16];

/* Whether a value is a v128 of these bytes. */
static bool is(const wasm_val_t *val, const uint8_t *bytes) {
  const uint8_t *has = stepwell_val_v128(val);
  return has && val->kind == STEPWELL_VALKIND_V128 && memcmp(has, bytes, 16) == 0;
}

static wasm_valtype_t *v128(void) {
  return wasm_valtype_new(STEPWELL_VALKIND_V128);
}

static void reverse(const uint8_t *from, uint8_t *to) {
  for (int i = 0; i < 16; i++) to[i] = from[15 - i];
}

/* What "turn" of the host gives: a vector of its own, the argument as it came, a copy, nothing, or what is not right. */
enum { NEW, AS_IT_CAME, COPIED, NOTHING, NUMBER };

static wasm_trap_t *turn(void *env, const wasm_val_vec_t *args, wasm_val_vec_t *results) {
  uint8_t turned[16];
  (void)env;
  CHECK(args->size == 2 && results->size == 2);
  CHECK(args->data[0].kind == STEPWELL_VALKIND_V128 && args->data[1].kind == WASM_I32);
  CHECK(results->data[1].kind == STEPWELL_VALKIND_V128 && is(&results->data[1], ZEROS)); /* preset */
  results->data[0] = args->data[1];
  switch (args->data[1].of.i32) {
    case AS_IT_CAME: results->data[1] = args->data[0]; break;
    case COPIED: wasm_val_copy(&results->data[1], &args->data[0]); break;
    case NOTHING: break;
    case NUMBER: results->data[1] = val_i32(5); break;
    default:
      reverse(stepwell_val_v128(&args->data[0]), turned);
      stepwell_val_new_v128(turned, &results->data[1]);
  }
  return NULL;
}

/* Both vectors, each turned, the second one first. */
static wasm_trap_t *raw(void *env, const stepwell_caller_t *caller, stepwell_raw_val_t *values) {
  uint8_t first[16], second[16];
  (void)env;
  (void)caller;
  CHECK(values[0].i32 == 77);
  reverse(values[1].v128, first);
  reverse(values[2].v128, second);
  memcpy(values[0].v128, second, 16);
  memcpy(values[1].v128, first, 16);
  return NULL;
}

/* The vector, the reference, and the number in both lanes. */
static wasm_trap_t *mixed(void *env, const wasm_val_vec_t *args, wasm_val_vec_t *results) {
  double lanes[2];
  uint8_t bytes[16];
  (void)env;
  lanes[0] = lanes[1] = args->data[2].of.f64;
  memcpy(bytes, lanes, 16);
  results->data[0] = args->data[1]; /* as it came */
  wasm_val_copy(&results->data[1], &args->data[0]);
  stepwell_val_new_v128(bytes, &results->data[2]);
  return NULL;
}

static wasm_functype_t *mixed_type(void) {
  wasm_valtype_t *given[3], *returned[3];
  wasm_valtype_vec_t params, results;
  given[0] = wasm_valtype_new_externref();
  given[1] = v128();
  given[2] = wasm_valtype_new_f64();
  returned[0] = v128();
  returned[1] = wasm_valtype_new_externref();
  returned[2] = v128();
  wasm_valtype_vec_new(&params, 3, given);
  wasm_valtype_vec_new(&results, 3, returned);
  return wasm_functype_new(&params, &results);
}

/* ---- values by themselves ---- */

static void values(void) {
  uint8_t bytes[16];
  wasm_val_t val, copy, lent = STEPWELL_V128_VAL(ASCENDING), zero = STEPWELL_V128_VAL(NULL), number = val_i32(4);
  wasm_valtype_t *type = v128(), *again = wasm_valtype_copy(type);
  wasm_val_vec_t vec, vecs;
  CHECK(sizeof(wasm_val_t) == 16 && sizeof(stepwell_raw_val_t) == 16);
  CHECK(wasm_valtype_kind(type) == STEPWELL_VALKIND_V128 && wasm_valtype_kind(again) == STEPWELL_VALKIND_V128);
  CHECK(!wasm_valtype_is_ref(type));
  wasm_valtype_delete(type);
  wasm_valtype_delete(again);

  /* owned: a copy of the bytes; a copy of the value is another */
  memcpy(bytes, ASCENDING, 16);
  stepwell_val_new_v128(bytes, &val);
  memset(bytes, 0xff, 16);
  CHECK(is(&val, ASCENDING));
  wasm_val_copy(&copy, &val);
  wasm_val_delete(&val);
  CHECK(is(&copy, ASCENDING) && is(&val, ZEROS)); /* what was deleted is zeros, as a reference is null then */
  wasm_val_delete(&copy);
  wasm_val_delete(&copy); /* nothing more to do */

  /* lent: the host's bytes themselves */
  CHECK(stepwell_val_v128(&lent) == ASCENDING && is(&zero, ZEROS));
  wasm_val_copy(&copy, &lent);
  CHECK(is(&copy, ASCENDING) && stepwell_val_v128(&copy) != ASCENDING);
  wasm_val_delete(&copy);
  wasm_val_copy(&copy, &zero);
  CHECK(is(&copy, ZEROS));
  wasm_val_delete(&copy);
  stepwell_val_new_v128(ZEROS, &copy);
  CHECK(is(&copy, ZEROS));
  wasm_val_delete(&copy);

  /* vectors own theirs */
  wasm_val_vec_new_uninitialized(&vec, 3);
  stepwell_val_new_v128(ASCENDING, &vec.data[0]);
  vec.data[1] = number;
  stepwell_val_new_v128(DESCENDING, &vec.data[2]);
  wasm_val_vec_copy(&vecs, &vec);
  wasm_val_vec_delete(&vec);
  CHECK(vecs.size == 3 && is(&vecs.data[0], ASCENDING) && vecs.data[1].of.i32 == 4 && is(&vecs.data[2], DESCENDING));
  wasm_val_vec_delete(&vecs);

  CHECK(!stepwell_val_v128(&number));
  LAST("`val` is of kind 0, and not a v128");
  CHECK(!stepwell_val_v128(NULL));
  LAST("`val` must not be NULL");
}

static void types(void) {
  wasm_limits_t limits = {1, 2};
  wasm_globaltype_t *global = wasm_globaltype_new(v128(), WASM_VAR);
  wasm_functype_t *func = mixed_type();
  CHECK(wasm_valtype_kind(wasm_globaltype_content(global)) == STEPWELL_VALKIND_V128);
  CHECK(wasm_valtype_kind(wasm_functype_params(func)->data[1]) == STEPWELL_VALKIND_V128);
  CHECK(wasm_valtype_kind(wasm_functype_results(func)->data[2]) == STEPWELL_VALKIND_V128);
  wasm_globaltype_delete(global);
  wasm_functype_delete(func);
  CHECK(!wasm_tabletype_new(v128(), &limits));
  LAST("`element` is v128; tables hold references");
}

/* ---- with guests ---- */

struct setting {
  wasm_engine_t *engine;
  wasm_store_t *store;
  wasm_module_t *module;
  wasm_global_t *shared;
  wasm_instance_t *instance;
};

static void set_up(struct setting *s, wasm_config_t *config) {
  wasm_functype_t *turn_type = wasm_functype_new_2_2(v128(), wasm_valtype_new_i32(), wasm_valtype_new_i32(), v128());
  wasm_functype_t *raw_type = wasm_functype_new_3_2(wasm_valtype_new_i32(), v128(), v128(), v128(), v128());
  wasm_functype_t *other_type = mixed_type();
  wasm_globaltype_t *global_type = wasm_globaltype_new(v128(), WASM_VAR);
  wasm_val_t first = STEPWELL_V128_VAL(FOURS);
  stepwell_linker_t *linker;
  s->engine = wasm_engine_new_with_config(config);
  s->store = wasm_store_new(s->engine);
  s->module = MODULE(s->store, VECTORS);
  linker = stepwell_linker_new(s->engine);
  OK(stepwell_linker_define_func(linker, "host", "turn", turn_type, turn, NULL, NULL));
  OK(stepwell_linker_define_func_unchecked(linker, "host", "raw", raw_type, raw, NULL, NULL));
  OK(stepwell_linker_define_func(linker, "host", "mixed", other_type, mixed, NULL, NULL));
  s->shared = wasm_global_new(s->store, global_type, &first);
  CHECK(s->shared);
  OK(stepwell_linker_define(linker, "host", "shared", wasm_global_as_extern(s->shared)));
  OK(stepwell_linker_instantiate(linker, s->store, s->module, &s->instance, NULL));
  stepwell_linker_delete(linker);
  wasm_functype_delete(turn_type);
  wasm_functype_delete(raw_type);
  wasm_functype_delete(other_type);
  wasm_globaltype_delete(global_type);
}

static void tear_down(struct setting *s) {
  wasm_instance_delete(s->instance);
  wasm_global_delete(s->shared);
  wasm_module_delete(s->module);
  wasm_store_delete(s->store);
  wasm_engine_delete(s->engine);
}

static void calls(const struct setting *s) {
  wasm_func_t *add = check_func(s->instance, "add"), *turns = check_func(s->instance, "turn");
  wasm_func_t *through = check_func(s->instance, "mixed");
  wasm_val_t args[3], results[3];
  wasm_val_vec_t args_vec = {2, NULL}, results_vec = {1, NULL};
  wasm_val_t ascending = STEPWELL_V128_VAL(ASCENDING), descending = STEPWELL_V128_VAL(DESCENDING);
  uint8_t sum[16];
  args_vec.data = args;
  results_vec.data = results;
  args[0] = ascending;
  args[1] = descending;
  memset(sum, 15, 16);
  CHECK(!wasm_func_call(add, &args_vec, &results_vec) && is(&results[0], sum));
  args[0] = results[0]; /* owned by the host, and lent again */
  CHECK(!wasm_func_call(add, &args_vec, NULL));
  args[1] = ascending;
  args[1].of.ref = NULL; /* zeros */
  CHECK(!wasm_func_call(add, &args_vec, &results_vec) && is(&results[0], sum) && is(&args[0], sum));
  wasm_val_delete(&results[0]);
  wasm_val_delete(&args[0]);

  /* a host function's results: made there, the argument as it came or copied, as they were preset */
  results_vec.size = 2;
  for (int32_t what = NEW; what <= NOTHING; what++) {
    args[0] = ascending;
    args[1] = val_i32(what);
    CHECK(!wasm_func_call(turns, &args_vec, &results_vec));
    CHECK(results[0].of.i32 == what && is(&results[1], what == NEW ? DESCENDING : what == NOTHING ? ZEROS : ASCENDING));
    wasm_val_delete(&results[1]);
  }

  { /* beside references */
    wasm_foreign_t *foreign = wasm_foreign_new(s->store);
    double lanes[2] = {0.5, 0.5};
    uint8_t bytes[16];
    memcpy(bytes, lanes, 16);
    args_vec.size = results_vec.size = 3;
    args[0].kind = WASM_EXTERNREF;
    args[0].of.ref = wasm_foreign_as_ref(foreign);
    args[1] = descending;
    args[2].kind = WASM_F64;
    args[2].of.f64 = 0.5;
    CHECK(!wasm_func_call(through, &args_vec, &results_vec));
    CHECK(is(&results[0], DESCENDING) && wasm_ref_same(results[1].of.ref, args[0].of.ref) && is(&results[2], bytes));
    for (int i = 0; i < 3; i++) wasm_val_delete(&results[i]);
    wasm_foreign_delete(foreign);
  }
  wasm_func_delete(add);
  wasm_func_delete(turns);
  wasm_func_delete(through);
}

static void misuse(const struct setting *s) {
  wasm_func_t *add = check_func(s->instance, "add"), *turns = check_func(s->instance, "turn");
  wasm_val_t args[2], results[2];
  wasm_val_vec_t args_vec = WASM_ARRAY_VEC(args), results_vec = WASM_ARRAY_VEC(results);
  wasm_val_t ascending = STEPWELL_V128_VAL(ASCENDING), number = val_i32(3);
  wasm_trap_t *trap = NULL;
  /* another kind, each way round */
  args[0] = ascending;
  args[1] = number;
  FAILS(stepwell_func_call(add, &args_vec, &results_vec, &trap), STEPWELL_ERROR_ARGUMENT, "parameter 1 is i32");
  args[1] = ascending;
  FAILS(stepwell_func_call(turns, &args_vec, &results_vec, &trap), STEPWELL_ERROR_ARGUMENT, "parameter 1 is v128");
  args[1].kind = 5;
  FAILS(stepwell_func_call(add, &args_vec, &results_vec, &trap), STEPWELL_ERROR_ARGUMENT, "`args` is 5, which is no kind");
  /* a host function that returns another kind */
  args[1] = val_i32(NUMBER);
  FAILS(stepwell_func_call(turns, &args_vec, &results_vec, NULL), STEPWELL_ERROR_HOST, "returned i32 as result 1");
  wasm_global_set(s->shared, &number);
  LAST("i32");
  {
    wasm_globaltype_t *type = wasm_globaltype_new(wasm_valtype_new_i32(), WASM_CONST);
    CHECK(!wasm_global_new(s->store, type, &ascending));
    LAST("v128");
    wasm_globaltype_delete(type);
  }
  wasm_func_delete(add);
  wasm_func_delete(turns);
}

static void globals(const struct setting *s) {
  wasm_extern_t *own = stepwell_instance_export(s->instance, "own"), *constant = stepwell_instance_export(s->instance, "constant");
  wasm_func_t *shared = check_func(s->instance, "shared");
  wasm_val_t val, result, ascending = STEPWELL_V128_VAL(ASCENDING);
  wasm_val_vec_t none = WASM_EMPTY_VEC, results = {1, NULL};
  results.data = &result;
  wasm_global_get(wasm_extern_as_global(own), &val);
  CHECK(is(&val, FOURS));
  wasm_global_set(wasm_extern_as_global(own), &ascending);
  wasm_val_delete(&val);
  wasm_global_get(wasm_extern_as_global(own), &val);
  CHECK(is(&val, ASCENDING));
  wasm_val_delete(&val);
  wasm_global_get(wasm_extern_as_global(constant), &val);
  CHECK(is(&val, ZEROS));
  wasm_val_delete(&val);
  wasm_global_set(wasm_extern_as_global(constant), &ascending);
  LAST("immutable");
  CHECK(!wasm_func_call(shared, &none, &results) && is(&result, FOURS));
  wasm_val_delete(&result);
  wasm_global_set(s->shared, &ascending);
  CHECK(!wasm_func_call(shared, &none, &results) && is(&result, ASCENDING));
  wasm_val_delete(&result);
  wasm_extern_delete(own);
  wasm_extern_delete(constant);
  wasm_func_delete(shared);
}

/* Raw calls: of a guest, that calls a raw host function; of host functions alone. The values may stand at any multiple of 8. */
static void raw_calls(const struct setting *s) {
  stepwell_raw_val_t room[4];
  wasm_functype_t *type = wasm_functype_new_3_2(wasm_valtype_new_i32(), v128(), v128(), v128(), v128());
  wasm_functype_t *add_type = wasm_functype_new_2_1(v128(), v128(), v128());
  wasm_functype_t *turn_type = wasm_functype_new_2_2(v128(), wasm_valtype_new_i32(), wasm_valtype_new_i32(), v128());
  wasm_func_t *of_guest = check_func(s->instance, "raw"), *add = check_func(s->instance, "add"), *of_host, *checked;
  stepwell_typed_func_t *typed = NULL;
  uint8_t sum[16];
  OK(stepwell_func_new_unchecked(s->store, type, raw, NULL, NULL, &of_host));
  checked = wasm_func_new_with_env(s->store, turn_type, turn, NULL, NULL);
  CHECK(checked);
  for (int i = 0; i < 2; i++) {
    for (size_t offset = 0; offset <= 8; offset += 8) {
      stepwell_raw_val_t *at = (stepwell_raw_val_t *)(void *)((char *)room + offset);
      OK(stepwell_typed_func_new(i ? of_host : of_guest, type, &typed));
      at[0].i32 = 77;
      memcpy(at[1].v128, ASCENDING, 16);
      memcpy(at[2].v128, FOURS, 16);
      OK(stepwell_typed_func_call(typed, at, 3, NULL));
      reverse(FOURS, sum);
      CHECK(memcmp(at[0].v128, sum, 16) == 0 && memcmp(at[1].v128, DESCENDING, 16) == 0);
      stepwell_typed_func_delete(typed);

      OK(stepwell_typed_func_new(add, add_type, &typed));
      memcpy(at[0].v128, ASCENDING, 16);
      memcpy(at[1].v128, DESCENDING, 16);
      OK(stepwell_typed_func_call(typed, at, 2, NULL));
      memset(sum, 15, 16);
      CHECK(memcmp(at[0].v128, sum, 16) == 0);
      FAILS(stepwell_typed_func_call(typed, at, 1, NULL), STEPWELL_ERROR_ARGUMENT, "needs 2");
      stepwell_typed_func_delete(typed);

      OK(stepwell_typed_func_new(checked, turn_type, &typed));
      memcpy(at[0].v128, ASCENDING, 16);
      at[1].i32 = NEW;
      OK(stepwell_typed_func_call(typed, at, 2, NULL));
      CHECK(at[0].i32 == NEW && memcmp(at[1].v128, DESCENDING, 16) == 0);
      stepwell_typed_func_delete(typed);
    }
  }
  FAILS(stepwell_typed_func_new(add, type, &typed), STEPWELL_ERROR_ARGUMENT, "v128");
  wasm_func_delete(of_guest);
  wasm_func_delete(of_host);
  wasm_func_delete(checked);
  wasm_func_delete(add);
  wasm_functype_delete(type);
  wasm_functype_delete(add_type);
  wasm_functype_delete(turn_type);
}

/* ---- at a debugger's stops ---- */

struct seen {
  int stops;
  size_t deepest;
  bool first_set, last_set;
};

static stepwell_action_t look(void *env, stepwell_stop_t *stop) {
  struct seen *seen = env;
  const stepwell_frame_t *frame = stepwell_stop_frame(stop, 0);
  static const wasm_valkind_t KINDS_OF[] = {STEPWELL_VALKIND_V128, WASM_I32, STEPWELL_VALKIND_V128, WASM_I64, STEPWELL_VALKIND_V128};
  wasm_val_t locals[5], operands[4], one;
  uint8_t splat[16], last[16];
  size_t depth;
  memset(splat, COPIED, 16);
  memset(last, 0xff, 8);
  memset(last + 8, 0, 8);
  last[8] = 1;
  seen->stops++;
  CHECK(stepwell_frame_locals(frame, locals, 5) == 5);
  for (size_t i = 0; i < 5; i++) {
    CHECK(locals[i].kind == KINDS_OF[i] && stepwell_frame_local(frame, i, &one) && one.kind == KINDS_OF[i]);
    if (one.kind == STEPWELL_VALKIND_V128) CHECK(is(&one, stepwell_val_v128(&locals[i])));
    wasm_val_delete(&one);
  }
  CHECK(is(&locals[0], ASCENDING) && locals[1].of.i32 == COPIED && locals[3].of.i64 == 0);
  seen->first_set |= is(&locals[2], splat);
  CHECK(is(&locals[2], seen->first_set ? splat : ZEROS));
  seen->last_set |= is(&locals[4], last);
  CHECK(is(&locals[4], seen->last_set ? last : ZEROS));
  depth = stepwell_frame_operands(frame, operands, 4);
  CHECK(depth <= 4 && depth == stepwell_frame_operand_count(frame));
  if (seen->first_set && depth >= 2) { /* what is added in the end stands below all the rest */
    CHECK(is(&operands[0], ASCENDING) && is(&operands[1], splat));
    if (depth > seen->deepest) seen->deepest = depth;
    if (depth == 4) CHECK(operands[3].kind == WASM_I32 ? is(&operands[2], ASCENDING) : is(&operands[3], ASCENDING));
  }
  for (size_t i = 0; i < 5; i++) wasm_val_delete(&locals[i]);
  for (size_t i = 0; i < depth; i++) wasm_val_delete(&operands[i]);
  return STEPWELL_ACTION_STEP;
}

static void stops(stepwell_debug_tier_t tier) {
  struct setting s;
  struct seen seen = {0, 0, false, false};
  wasm_config_t *config = wasm_config_new();
  stepwell_debugger_t *debugger = NULL;
  wasm_val_t args[2] = {STEPWELL_V128_VAL(ASCENDING)}, result;
  wasm_val_vec_t args_vec = WASM_ARRAY_VEC(args), results_vec = {1, NULL};
  wasm_func_t *func;
  uint8_t wanted[16];
  stepwell_config_debug_set(config, true);
  OK(stepwell_config_debug_tier_set(config, tier));
  set_up(&s, config);
  OK(stepwell_debugger_attach(s.store, look, &seen, NULL, &debugger));
  OK(stepwell_debugger_step_always_set(debugger, true));
  func = check_func(s.instance, "seen");
  args[1] = val_i32(COPIED);
  results_vec.data = &result;
  CHECK(!wasm_func_call(func, &args_vec, &results_vec));
  for (int i = 0; i < 16; i++) wanted[i] = (uint8_t)(ASCENDING[i] ^ COPIED);
  CHECK(is(&result, wanted) && seen.deepest == 4 && seen.stops >= 13 && seen.first_set && seen.last_set);
  wasm_val_delete(&result);
  stepwell_debugger_delete(debugger);
  wasm_func_delete(func);
  tear_down(&s);
}

int main(void) {
  struct setting s;
  values();
  types();
  set_up(&s, NULL);
  calls(&s);
  misuse(&s);
  globals(&s);
  raw_calls(&s);
  tear_down(&s);
  stops(STEPWELL_DEBUG_TIER_REGIONS);
  stops(STEPWELL_DEBUG_TIER_SIMPLE);
  { /* what nobody defines is zeros */
    wasm_engine_t *engine = wasm_engine_new();
    wasm_store_t *store = wasm_store_new(engine);
    wasm_module_t *module = MODULE(store, VECTORS);
    stepwell_linker_t *linker = stepwell_linker_new(engine);
    wasm_instance_t *instance = NULL;
    wasm_val_t args[2] = {STEPWELL_V128_VAL(ASCENDING)}, results[2];
    wasm_val_vec_t args_vec = WASM_ARRAY_VEC(args), results_vec = WASM_ARRAY_VEC(results);
    wasm_func_t *func;
    args[1] = val_i32(1);
    OK(stepwell_linker_fill_missing_with_defaults(linker, store, module));
    OK(stepwell_linker_instantiate(linker, store, module, &instance, NULL));
    func = check_func(instance, "turn");
    CHECK(!wasm_func_call(func, &args_vec, &results_vec) && results[0].of.i32 == 0 && is(&results[1], ZEROS));
    wasm_func_delete(func);
    wasm_instance_delete(instance);
    stepwell_linker_delete(linker);
    wasm_module_delete(module);
    wasm_store_delete(store);
    wasm_engine_delete(engine);
  }
  return 0;
}
