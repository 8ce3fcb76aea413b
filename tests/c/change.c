/* What a stop callback changes in the frame that stands: locals, operands, the next instruction, an early return. */
#include "check.h"

enum what { LOCALS, OPERANDS, JUMP, RETURN, WAITS, LEAVE, TRAP, REFUSED };

struct change {
  enum what what;
  int stops;
  size_t nine; /* where steps has its last constant */
  wasm_ref_t *foreign, *other_store;
};

static wasm_val_t i32(int32_t value) {
  wasm_val_t val = {.kind = WASM_I32, .of = {.i32 = value}};
  return val;
}

static wasm_val_t i64(int64_t value) {
  wasm_val_t val = {.kind = WASM_I64, .of = {.i64 = value}};
  return val;
}

static void others(wasm_val_t out[6], const struct change *change) {
  static const uint8_t lanes[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
  out[0] = i32(-1);
  out[1] = i64(INT64_MIN);
  out[2] = (wasm_val_t){.kind = WASM_F32, .of = {.f32 = 2.5f}};
  out[3] = (wasm_val_t){.kind = WASM_F64, .of = {.f64 = -0.5}};
  stepwell_val_new_v128(lanes, &out[4]);
  out[5] = (wasm_val_t){.kind = WASM_EXTERNREF, .of = {.ref = change->foreign}};
}

static stepwell_action_t on_stop(void *env, stepwell_stop_t *stop) {
  struct change *change = env;
  const stepwell_frame_t *frame = stepwell_stop_frame(stop, 0);
  wasm_val_t values[6], val;
  wasm_val_vec_t none = WASM_EMPTY_VEC;
  change->stops++;
  switch (change->what) {
  case LOCALS:
  case OPERANDS:
    others(values, change);
    for (size_t i = 0; i < 6; i++) {
      if (change->what == LOCALS) {
        OK(stepwell_frame_local_set(frame, i, &values[i]));
      } else {
        OK(stepwell_frame_operand_set(frame, i, &values[i]));
      }
    }
    CHECK(stepwell_frame_local(frame, 0, &val) && val.of.i32 == (change->what == LOCALS ? -1 : 7));
    wasm_val_delete(&values[4]);
    break;
  case JUMP:
    FAILS(stepwell_stop_jump(stop, change->nine + 1), STEPWELL_ERROR_ARGUMENT, "no instruction");
    FAILS(stepwell_stop_jump(stop, SIZE_MAX), STEPWELL_ERROR_ARGUMENT, "no instruction");
    OK(stepwell_stop_jump(stop, change->nine));
    CHECK(stepwell_frame_offset(frame) == change->nine);
    break;
  case RETURN:
    values[0] = i64(100);
    values[1] = i32(1);
    {
      wasm_val_vec_t right = {1, values}, wrong = {1, values + 1}, many = {2, values};
      FAILS(stepwell_stop_return_early(stop, NULL), STEPWELL_ERROR_ARGUMENT, "0 results");
      FAILS(stepwell_stop_return_early(stop, &none), STEPWELL_ERROR_ARGUMENT, "0 results");
      FAILS(stepwell_stop_return_early(stop, &wrong), STEPWELL_ERROR_ARGUMENT, "i32");
      FAILS(stepwell_stop_return_early(stop, &many), STEPWELL_ERROR_ARGUMENT, "2 results");
      OK(stepwell_stop_return_early(stop, &right));
    }
    break;
  case WAITS: {
    const stepwell_frame_t *outer = stepwell_stop_frame(stop, 1);
    const wasm_val_t big = i64(1000);
    CHECK(stepwell_frame_operand_count(outer) == 2);
    OK(stepwell_frame_local_set(outer, 0, &big));
    OK(stepwell_frame_operand_set(outer, 0, &big));
    FAILS(stepwell_frame_operand_set(outer, 1, &big), STEPWELL_ERROR_ARGUMENT, "operand 1 is gone");
    FAILS(stepwell_frame_local_set(outer, 1, &big), STEPWELL_ERROR_ARGUMENT, "there is no local 1");
    FAILS(stepwell_frame_local_set(outer, 0, NULL), STEPWELL_ERROR_ARGUMENT, "value");
    CHECK(stepwell_frame_local(outer, 0, &val) && val.of.i64 == 1000);
    CHECK(stepwell_frame_operands(outer, values, 6) == 2 && values[0].of.i64 == 1000 && values[1].of.i64 == 3);
    CHECK(stepwell_frame_local(frame, 0, &val) && val.of.i64 == 3);
    break;
  }
  case LEAVE: {
    const stepwell_frame_t *outer = stepwell_stop_frame(stop, 1);
    const size_t id = stepwell_frame_id(outer);
    values[0] = i64(100);
    values[1] = i32(1);
    wasm_val_vec_t right = {1, values}, wrong = {1, values + 1};
    FAILS(stepwell_frame_return_early(NULL, &right), STEPWELL_ERROR_ARGUMENT, "frame");
    FAILS(stepwell_frame_return_early(outer, NULL), STEPWELL_ERROR_ARGUMENT, "0 results");
    FAILS(stepwell_frame_return_early(outer, &none), STEPWELL_ERROR_ARGUMENT, "0 results");
    FAILS(stepwell_frame_return_early(outer, &wrong), STEPWELL_ERROR_ARGUMENT, "i32");
    CHECK(stepwell_stop_frame_count(stop) == 2);
    OK(stepwell_frame_return_early(outer, &right));
    CHECK(stepwell_stop_frame_count(stop) == 1 && !stepwell_stop_frame(stop, 1));
    CHECK(stepwell_frame_id(stepwell_stop_frame(stop, 0)) == id);
    FAILS(stepwell_frame_return_early(outer, &right), STEPWELL_ERROR_ARGUMENT, "there is no frame 1");
    values[0] = i64(200);
    OK(stepwell_frame_return_early(stepwell_stop_frame(stop, 0), &right));
    break;
  }
  case TRAP:
    val = i32(1);
    if (stepwell_stop_reason(stop) == STEPWELL_STOP_TRAP) {
      FAILS(stepwell_frame_local_set(frame, 0, &val), STEPWELL_ERROR_STATE, "trapped");
      FAILS(stepwell_stop_jump(stop, 0), STEPWELL_ERROR_STATE, "trapped");
      FAILS(stepwell_stop_return_early(stop, NULL), STEPWELL_ERROR_STATE, "trapped");
      FAILS(stepwell_frame_return_early(frame, NULL), STEPWELL_ERROR_STATE, "trapped");
    }
    break;
  case REFUSED:
    val = i32(1);
    FAILS(stepwell_frame_local_set(frame, 0, NULL), STEPWELL_ERROR_ARGUMENT, "value");
    FAILS(stepwell_frame_local_set(NULL, 0, &val), STEPWELL_ERROR_ARGUMENT, "frame");
    FAILS(stepwell_frame_local_set(frame, 6, &val), STEPWELL_ERROR_ARGUMENT, "there is no local 6");
    FAILS(stepwell_frame_local_set(frame, SIZE_MAX, &val), STEPWELL_ERROR_ARGUMENT, "there is no local");
    FAILS(stepwell_frame_local_set(frame, 1, &val), STEPWELL_ERROR_ARGUMENT, "local 1 is of type i64");
    FAILS(stepwell_frame_operand_set(frame, 0, &val), STEPWELL_ERROR_ARGUMENT, "there is no operand 0");
    FAILS(stepwell_frame_operand_set(frame, 0, NULL), STEPWELL_ERROR_ARGUMENT, "value");
    FAILS(stepwell_frame_local_set(stepwell_stop_frame(stop, 1), 0, &val), STEPWELL_ERROR_ARGUMENT, "frame");
    val.kind = (wasm_valkind_t)77;
    FAILS(stepwell_frame_local_set(frame, 0, &val), STEPWELL_ERROR_ARGUMENT, "77");
    val = (wasm_val_t){.kind = WASM_EXTERNREF, .of = {.ref = change->other_store}};
    FAILS(stepwell_frame_local_set(frame, 5, &val), STEPWELL_ERROR_ARGUMENT, "another store");
    FAILS(stepwell_stop_jump(NULL, 0), STEPWELL_ERROR_ARGUMENT, "stop");
    FAILS(stepwell_stop_return_early(NULL, NULL), STEPWELL_ERROR_ARGUMENT, "stop");
    break;
  }
  return STEPWELL_ACTION_CONTINUE;
}

/* A condition has the stop in its hands as well, but no frame can be left there. */
static bool holds(void *env, stepwell_stop_t *stop) {
  const stepwell_frame_t *outer = stepwell_stop_frame(stop, 1);
  wasm_val_t seven = i64(7);
  wasm_val_vec_t values = {1, &seven};
  ++*(int *)env;
  FAILS(stepwell_frame_return_early(outer, &values), STEPWELL_ERROR_STATE, "condition");
  OK(stepwell_frame_local_set(outer, 0, &seven));
  return false;
}

/* Where bytes of the module are. */
static size_t find(const char *bytes, size_t size) {
  for (size_t at = 0; at + size <= sizeof(CHANGE); at++) {
    if (!memcmp(CHANGE + at, bytes, size)) return at;
  }
  CHECK(!"the module has these bytes");
  return 0;
}

static wasm_trap_t *call(wasm_instance_t *instance, const char *name, wasm_val_vec_t *args, wasm_val_vec_t *results) {
  wasm_extern_t *item = stepwell_instance_export(instance, name);
  wasm_trap_t *trap = wasm_func_call(wasm_extern_as_func(item), args, results);
  wasm_extern_delete(item);
  return trap;
}

static void changing(stepwell_debug_tier_t tier) {
  struct change change = {LOCALS, 0, 0, NULL, NULL};
  wasm_config_t *config = wasm_config_new();
  stepwell_config_debug_set(config, true);
  OK(stepwell_config_debug_tier_set(config, tier));
  wasm_engine_t *engine = wasm_engine_new_with_config(config);
  wasm_store_t *store = wasm_store_new(engine), *elsewhere = wasm_store_new(engine);
  wasm_module_t *module = MODULE(store, CHANGE);
  wasm_instance_t *instance = wasm_instance_new(store, module, NULL, NULL);
  wasm_foreign_t *foreign = wasm_foreign_new(store), *other = wasm_foreign_new(elsewhere);
  stepwell_debugger_t *debugger;
  stepwell_breakpoint_t breakpoint;
  wasm_val_t args[6] = {i32(7), i64(7)}, got[6], wanted[6];
  wasm_val_vec_t given = {6, args}, results = {6, got};
  CHECK(instance);
  change.foreign = wasm_foreign_as_ref(foreign);
  change.other_store = wasm_foreign_as_ref(other);
  OK(stepwell_debugger_attach(store, on_stop, &change, NULL, &debugger));
  args[2] = (wasm_val_t){.kind = WASM_F32};
  args[3] = (wasm_val_t){.kind = WASM_F64};
  stepwell_val_new_v128((const uint8_t[16]){0}, &args[4]);
  args[5] = (wasm_val_t){.kind = WASM_EXTERNREF, .of = {.ref = change.foreign}};

  /* The nop, and the end with all six on the stack. */
  for (change.what = LOCALS; change.what <= OPERANDS; change.what++) {
    size_t at = find("\x01\x20\x00", 3) + (change.what == LOCALS ? 0 : 13);
    OK(stepwell_breakpoint_add(debugger, module, at, &breakpoint));
    CHECK(stepwell_breakpoint_offset(debugger, breakpoint) == at);
    change.stops = 0;
    CHECK(!call(instance, "values", &given, &results));
    others(wanted, &change);
    CHECK(change.stops == 1 && got[0].of.i32 == -1 && got[1].of.i64 == INT64_MIN && got[2].of.f32 == 2.5f);
    CHECK(got[3].of.f64 == -0.5 && !memcmp(stepwell_val_v128(&got[4]), stepwell_val_v128(&wanted[4]), 16));
    CHECK(wasm_ref_same(got[5].of.ref, change.foreign));
    wasm_val_delete(&wanted[4]);
    wasm_val_delete(&got[4]);
    wasm_val_delete(&got[5]);
    OK(stepwell_breakpoint_remove(debugger, breakpoint));
  }

  change.what = REFUSED;
  OK(stepwell_breakpoint_add(debugger, module, find("\x01\x20\x00", 3), &breakpoint));
  CHECK(!call(instance, "values", &given, &results));
  CHECK(got[0].of.i32 == 7 && got[1].of.i64 == 7);
  wasm_val_delete(&got[4]);
  wasm_val_delete(&got[5]);
  wasm_val_delete(&args[4]);

  change.what = JUMP;
  change.nine = find("\x41\x09", 2);
  OK(stepwell_breakpoint_add_at_function(debugger, module, "steps", &breakpoint));
  given.size = 0;
  results.size = 1;
  CHECK(!call(instance, "steps", &given, &results));
  CHECK(got[0].of.i32 == 9);
  wasm_extern_t *global = stepwell_instance_export(instance, "g");
  wasm_global_get(wasm_extern_as_global(global), &got[0]);
  CHECK(got[0].of.i32 == 0);
  wasm_extern_delete(global);

  change.what = RETURN;
  OK(stepwell_breakpoint_add_at_function(debugger, module, "inner", &breakpoint));
  args[0] = i64(3);
  given.size = 1;
  CHECK(!call(instance, "outer", &given, &results));
  CHECK(got[0].of.i64 == 101);

  change.what = WAITS;
  CHECK(!call(instance, "waits", &given, &results));
  CHECK(got[0].of.i64 == 1000 + 6 + 1000);
  change.what = LEAVE;
  CHECK(!call(instance, "waits", &given, &results));
  CHECK(got[0].of.i64 == 200);
  int asked = 0;
  change.stops = 0;
  OK(stepwell_breakpoint_condition_callback_set(debugger, breakpoint, holds, &asked, NULL));
  CHECK(!call(instance, "waits", &given, &results));
  CHECK(asked == 1 && change.stops == 0 && got[0].of.i64 == 10 + 6 + 7);
  OK(stepwell_breakpoint_remove(debugger, breakpoint));
  CHECK(!call(instance, "waits", &given, &results));
  CHECK(got[0].of.i64 == 10 + 6 + 3);

  change.what = TRAP;
  change.stops = 0;
  args[0] = i32(3);
  results.size = 0;
  wasm_trap_t *trap = call(instance, "fail", &given, &results);
  CHECK(trap && change.stops == 1);
  wasm_trap_delete(trap);

  stepwell_debugger_delete(debugger);
  wasm_foreign_delete(foreign);
  wasm_foreign_delete(other);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wasm_store_delete(store);
  wasm_store_delete(elsewhere);
  wasm_engine_delete(engine);
}

int main(void) {
  changing(STEPWELL_DEBUG_TIER_REGIONS);
  changing(STEPWELL_DEBUG_TIER_SIMPLE);
  return 0;
}
