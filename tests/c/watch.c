/* Watchpoints: what stops the guest, what is told, what is refused. */
#include "check.h"

struct watch {
  stepwell_debugger_t *debugger;
  stepwell_watchpoint_t watchpoint;
  wasm_global_t *count;
  int stops;
  int32_t old[8], new[8];
  uint64_t address[8];
  bool is_read[8];
  size_t offset[8], stood[8];
  bool by_host[8], removes;
};

static int32_t number(const stepwell_stop_t *stop, size_t index, bool (*read)(const stepwell_stop_t *, size_t, wasm_byte_vec_t *)) {
  wasm_byte_vec_t bytes;
  int32_t value;
  CHECK(read(stop, index, &bytes) && bytes.size == sizeof value);
  memcpy(&value, bytes.data, sizeof value);
  wasm_byte_vec_delete(&bytes);
  return value;
}

static stepwell_action_t on_stop(void *env, stepwell_stop_t *stop) {
  struct watch *watch = env;
  int at = watch->stops++;
  wasm_byte_vec_t bytes;
  CHECK(at < 8);
  CHECK(stepwell_stop_reason(stop) == STEPWELL_STOP_WATCHPOINT && stepwell_stop_watchpoint_count(stop) == 1);
  CHECK(stepwell_stop_watchpoint(stop, 0) == watch->watchpoint && stepwell_stop_breakpoint_count(stop) == 0);
  watch->old[at] = number(stop, 0, stepwell_stop_watchpoint_old_value);
  watch->new[at] = number(stop, 0, stepwell_stop_watchpoint_new_value);
  watch->offset[at] = stepwell_stop_watchpoint_offset(stop, 0);
  watch->address[at] = stepwell_stop_watchpoint_address(stop, 0);
  watch->is_read[at] = stepwell_stop_watchpoint_is_read(stop, 0);
  watch->by_host[at] = stepwell_stop_watchpoint_by_host(stop, 0);
  watch->stood[at] = stepwell_frame_offset(stepwell_stop_frame(stop, 0));
  CHECK(stepwell_stop_watchpoint_func_index(stop, 0) == stepwell_frame_func_index(stepwell_stop_frame(stop, 0)));
  /* Beyond the last. */
  CHECK(stepwell_stop_watchpoint_address(stop, 1) == UINT64_MAX && !stepwell_stop_watchpoint_is_read(stop, 1));
  CHECK(stepwell_stop_watchpoint(stop, 1) == 0 && stepwell_stop_watchpoint_offset(stop, 1) == SIZE_MAX);
  CHECK(stepwell_stop_watchpoint_func_index(stop, 1) == UINT32_MAX && !stepwell_stop_watchpoint_by_host(stop, 1));
  CHECK(!stepwell_stop_watchpoint_old_value(stop, 1, &bytes) && !stepwell_stop_watchpoint_new_value(stop, SIZE_MAX, &bytes));
  if (watch->removes) OK(stepwell_watchpoint_remove(stepwell_stop_debugger(stop), watch->watchpoint));
  return STEPWELL_ACTION_CONTINUE;
}

static wasm_trap_t *set(void *env, const wasm_val_vec_t *args, wasm_val_vec_t *results) {
  struct watch *watch = env;
  (void)results;
  wasm_global_set(watch->count, &args->data[0]);
  return NULL;
}

static void call(wasm_instance_t *instance, const char *name, int32_t value) {
  wasm_func_t *func = check_func(instance, name);
  wasm_val_t arg = {.kind = WASM_I32, .of = {.i32 = value}};
  wasm_val_vec_t args = {1, &arg}, none = WASM_EMPTY_VEC;
  CHECK(!wasm_func_call(func, &args, &none));
  wasm_func_delete(func);
}

static wasm_global_t *global(wasm_instance_t *instance, const char *name) {
  wasm_extern_t *item = stepwell_instance_export(instance, name);
  wasm_global_t *found = wasm_global_copy(wasm_extern_as_global(item));
  wasm_extern_delete(item);
  return found;
}

static void watching(stepwell_debug_tier_t tier) {
  struct watch watch = {0};
  wasm_config_t *config = wasm_config_new();
  stepwell_config_debug_set(config, true);
  OK(stepwell_config_debug_tier_set(config, tier));
  wasm_engine_t *engine = wasm_engine_new_with_config(config);
  wasm_store_t *store = wasm_store_new(engine);
  wasm_module_t *module = MODULE(store, WATCH);
  wasm_functype_t *type = wasm_functype_new_1_0(wasm_valtype_new_i32());
  wasm_func_t *host = wasm_func_new_with_env(store, type, set, &watch, NULL);
  wasm_extern_t *items[] = {wasm_func_as_extern(host)};
  wasm_extern_vec_t imports = {1, items};
  stepwell_watchpoint_t second;
  OK(stepwell_debugger_attach(store, on_stop, &watch, NULL, &watch.debugger));
  wasm_instance_t *instance = wasm_instance_new(store, module, &imports, NULL);
  CHECK(instance);
  watch.count = global(instance, "count");
  wasm_global_t *fixed = global(instance, "fixed"), *other = global(instance, "other");
  FAILS(stepwell_debugger_watch_global(watch.debugger, fixed, STEPWELL_WATCH_KIND_WRITE, NULL), STEPWELL_ERROR_ARGUMENT, "immutable");
  FAILS(stepwell_debugger_watch_global(watch.debugger, other, 77, NULL), STEPWELL_ERROR_ARGUMENT, "77");
  FAILS(stepwell_debugger_watch_global(watch.debugger, NULL, STEPWELL_WATCH_KIND_WRITE, NULL), STEPWELL_ERROR_ARGUMENT, "global");
  CHECK(stepwell_debugger_watchpoint_count(watch.debugger) == 0 && stepwell_debugger_watchpoint(watch.debugger, 0) == 0);

  OK(stepwell_debugger_watch_global(watch.debugger, watch.count, STEPWELL_WATCH_KIND_CHANGE, &watch.watchpoint));
  CHECK(stepwell_watchpoint_kind(watch.debugger, watch.watchpoint) == STEPWELL_WATCH_KIND_CHANGE);
  CHECK(stepwell_watchpoint_enabled(watch.debugger, watch.watchpoint));
  call(instance, "down", 2);
  CHECK(watch.stops == 2 && watch.old[0] == 10 && watch.new[0] == 9 && watch.old[1] == 9 && watch.new[1] == 8);
  CHECK(watch.offset[0] == watch.offset[1] && watch.stood[0] == watch.offset[0] + 2 && !watch.by_host[0]);
  CHECK(WATCH[watch.offset[0]] == 0x24 && watch.address[0] == UINT64_MAX && !watch.is_read[0]);

  call(instance, "host", 8);
  CHECK(watch.stops == 2);
  call(instance, "host", 20);
  CHECK(watch.stops == 3 && watch.old[2] == 8 && watch.new[2] == 20 && watch.by_host[2]);
  CHECK(WATCH[watch.offset[2]] == 0x10 && watch.stood[2] == watch.offset[2] + 2);
  CHECK(stepwell_watchpoint_hit_count(watch.debugger, watch.watchpoint) == 3);

  /* One that is not enabled stops nothing. */
  OK(stepwell_watchpoint_enabled_set(watch.debugger, watch.watchpoint, false));
  CHECK(!stepwell_watchpoint_enabled(watch.debugger, watch.watchpoint));
  call(instance, "down", 1);
  CHECK(watch.stops == 3);
  OK(stepwell_watchpoint_enabled_set(watch.debugger, watch.watchpoint, true));

  /* It is removed where it stops. */
  OK(stepwell_debugger_watch_global(watch.debugger, other, STEPWELL_WATCH_KIND_CHANGE, &second));
  CHECK(second != watch.watchpoint && stepwell_debugger_watchpoint(watch.debugger, 1) == second);
  OK(stepwell_watchpoint_enabled_set(watch.debugger, second, false));
  watch.removes = true;
  call(instance, "down", 3);
  CHECK(watch.stops == 4 && watch.old[3] == 19 && watch.new[3] == 18);
  CHECK(stepwell_debugger_watchpoint_count(watch.debugger) == 1);
  FAILS(stepwell_watchpoint_remove(watch.debugger, watch.watchpoint), STEPWELL_ERROR_ARGUMENT, "no watchpoint");
  CHECK(stepwell_watchpoint_hit_count(watch.debugger, watch.watchpoint) == 0);
  CHECK(stepwell_watchpoint_kind(watch.debugger, watch.watchpoint) == 0);
  FAILS(stepwell_watchpoint_enabled_set(watch.debugger, 0, true), STEPWELL_ERROR_ARGUMENT, "no watchpoint");

  /* Bytes of a memory. */
  wasm_extern_t *item = stepwell_instance_export(instance, "memory");
  wasm_memory_t *memory = wasm_extern_as_memory(item);
  FAILS(stepwell_debugger_watch_memory(watch.debugger, memory, 65533, 4, STEPWELL_WATCH_KIND_READ, NULL), STEPWELL_ERROR_ARGUMENT, "0x10000");
  FAILS(stepwell_debugger_watch_memory(watch.debugger, memory, UINT64_MAX, UINT64_MAX, STEPWELL_WATCH_KIND_READ, NULL), STEPWELL_ERROR_ARGUMENT, "bytes");
  FAILS(stepwell_debugger_watch_memory(watch.debugger, memory, 0, 0, STEPWELL_WATCH_KIND_READ, NULL), STEPWELL_ERROR_ARGUMENT, "bytes");
  FAILS(stepwell_debugger_watch_memory(watch.debugger, memory, 0, 1, 0, NULL), STEPWELL_ERROR_ARGUMENT, "kind");
  FAILS(stepwell_debugger_watch_memory(watch.debugger, NULL, 0, 1, STEPWELL_WATCH_KIND_READ, NULL), STEPWELL_ERROR_ARGUMENT, "memory");
  FAILS(stepwell_debugger_watch_global(watch.debugger, other, STEPWELL_WATCH_KIND_READ, NULL), STEPWELL_ERROR_ARGUMENT, "reads");
  watch.removes = false;
  OK(stepwell_debugger_watch_memory(watch.debugger, memory, 64, 4, STEPWELL_WATCH_KIND_ACCESS, &watch.watchpoint));
  CHECK(stepwell_watchpoint_kind(watch.debugger, watch.watchpoint) == STEPWELL_WATCH_KIND_ACCESS);
  call(instance, "store", 77);
  CHECK(watch.stops == 5 && watch.old[4] == 0 && watch.new[4] == 77 && watch.address[4] == 64 && !watch.is_read[4]);
  CHECK(WATCH[watch.offset[4]] == 0x36 && watch.stood[4] > watch.offset[4]);
  call(instance, "load", 64);
  CHECK(watch.stops == 6 && watch.old[5] == 77 && watch.new[5] == 77 && watch.address[5] == 64 && watch.is_read[5]);
  CHECK(WATCH[watch.offset[5]] == 0x28);
  call(instance, "load", 60);
  call(instance, "load", 68);
  CHECK(watch.stops == 6 && wasm_memory_data(memory)[64] == 77);
  wasm_extern_delete(item);

  /* A watched global is held; deleting the debugger gives it up. */
  wasm_global_delete(watch.count);
  wasm_global_delete(fixed);
  wasm_global_delete(other);
  wasm_instance_delete(instance);
  stepwell_debugger_delete(watch.debugger);
  wasm_func_delete(host);
  wasm_functype_delete(type);
  wasm_module_delete(module);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
}

/* Locals of a frame. */
struct locals {
  stepwell_watchpoint_t watchpoint;
  int stops, ends;
  int32_t old[4], new[4];
  size_t offset;
};

static stepwell_action_t on_local(void *env, stepwell_stop_t *stop) {
  struct locals *seen = env;
  const stepwell_frame_t *frame = stepwell_stop_frame(stop, 0), *caller = stepwell_stop_frame(stop, 1);
  stepwell_debugger_t *debugger = stepwell_stop_debugger(stop);
  stepwell_watchpoint_t none = 99;
  wasm_byte_vec_t bytes;
  if (stepwell_stop_reason(stop) == STEPWELL_STOP_BREAKPOINT) {
    FAILS(stepwell_debugger_watch_local(debugger, frame, 1, STEPWELL_WATCH_KIND_CHANGE, &none), STEPWELL_ERROR_ARGUMENT, "no local 1: it has 1");
    FAILS(stepwell_debugger_watch_local(debugger, frame, SIZE_MAX, STEPWELL_WATCH_KIND_CHANGE, &none), STEPWELL_ERROR_ARGUMENT, "no local");
    FAILS(stepwell_debugger_watch_local(debugger, frame, 0, STEPWELL_WATCH_KIND_READ, &none), STEPWELL_ERROR_ARGUMENT, "reads of locals");
    FAILS(stepwell_debugger_watch_local(debugger, frame, 0, 0, &none), STEPWELL_ERROR_ARGUMENT, "no kind of watchpoint");
    FAILS(stepwell_debugger_watch_local(debugger, NULL, 0, STEPWELL_WATCH_KIND_WRITE, &none), STEPWELL_ERROR_ARGUMENT, "frame");
    FAILS(stepwell_debugger_watch_local(NULL, frame, 0, STEPWELL_WATCH_KIND_WRITE, &none), STEPWELL_ERROR_ARGUMENT, "debugger");
    CHECK(none == 99 && stepwell_debugger_watchpoint_count(debugger) == 0 && !stepwell_stop_watchpoint_is_end(stop, 0));
    OK(stepwell_debugger_watch_local(debugger, frame, 0, STEPWELL_WATCH_KIND_CHANGE, &seen->watchpoint));
    /* That of the caller is another one, which nobody writes. */
    if (caller) OK(stepwell_debugger_watch_local(debugger, caller, 0, STEPWELL_WATCH_KIND_WRITE, NULL));
    return STEPWELL_ACTION_CONTINUE;
  }
  CHECK(stepwell_stop_reason(stop) == STEPWELL_STOP_WATCHPOINT && stepwell_stop_watchpoint_count(stop) == 1);
  CHECK(stepwell_stop_watchpoint(stop, 0) == seen->watchpoint && stepwell_stop_watchpoint_address(stop, 0) == UINT64_MAX);
  CHECK(!stepwell_stop_watchpoint_is_read(stop, 0) && !stepwell_stop_watchpoint_by_host(stop, 0) && !stepwell_stop_watchpoint_is_end(stop, 1));
  CHECK(stepwell_stop_watchpoint_func_index(stop, 0) == stepwell_frame_func_index(frame));
  seen->offset = stepwell_stop_watchpoint_offset(stop, 0);
  if (!stepwell_stop_watchpoint_is_end(stop, 0)) {
    CHECK(seen->stops < 4 && WATCH[seen->offset] == 0x22 && stepwell_frame_offset(frame) == seen->offset + 2);
    seen->old[seen->stops] = number(stop, 0, stepwell_stop_watchpoint_old_value);
    seen->new[seen->stops++] = number(stop, 0, stepwell_stop_watchpoint_new_value);
    return STEPWELL_ACTION_CONTINUE;
  }
  /* In the caller, behind the call. */
  seen->ends++;
  CHECK(WATCH[seen->offset] == 0x10 && stepwell_frame_offset(frame) == seen->offset + 2 && stepwell_stop_frame_count(stop) == 1);
  CHECK(number(stop, 0, stepwell_stop_watchpoint_old_value) == 0);
  CHECK(stepwell_stop_watchpoint_new_value(stop, 0, &bytes) && bytes.size == 0);
  wasm_byte_vec_delete(&bytes);
  CHECK(stepwell_watchpoint_kind(debugger, seen->watchpoint) == 0 && stepwell_debugger_watchpoint_count(debugger) == 1);
  FAILS(stepwell_watchpoint_remove(debugger, seen->watchpoint), STEPWELL_ERROR_ARGUMENT, "no watchpoint");
  return STEPWELL_ACTION_CONTINUE;
}

static void watching_locals(stepwell_debug_tier_t tier) {
  struct locals seen = {0};
  wasm_config_t *config = wasm_config_new();
  stepwell_config_debug_set(config, true);
  OK(stepwell_config_debug_tier_set(config, tier));
  wasm_engine_t *engine = wasm_engine_new_with_config(config);
  wasm_store_t *store = wasm_store_new(engine);
  wasm_module_t *module = MODULE(store, WATCH);
  wasm_functype_t *type = wasm_functype_new_1_0(wasm_valtype_new_i32());
  wasm_func_t *host = wasm_func_new_with_env(store, type, set, NULL, NULL);
  wasm_extern_t *items[] = {wasm_func_as_extern(host)};
  wasm_extern_vec_t imports = {1, items};
  stepwell_debugger_t *debugger;
  OK(stepwell_debugger_attach(store, on_local, &seen, NULL, &debugger));
  wasm_instance_t *instance = wasm_instance_new(store, module, &imports, NULL);
  OK(stepwell_breakpoint_add_at_function(debugger, module, "down", NULL));
  call(instance, "outer", 2);
  CHECK(seen.stops == 2 && seen.ends == 1 && seen.old[0] == 2 && seen.new[0] == 1 && seen.old[1] == 1 && seen.new[1] == 0);
  CHECK(stepwell_debugger_watchpoint_count(debugger) == 0 && stepwell_debugger_breakpoint_count(debugger) == 1);
  /* The host is the caller: the end is told to nobody. */
  call(instance, "down", 1);
  CHECK(seen.stops == 3 && seen.ends == 1 && seen.new[2] == 0 && stepwell_debugger_watchpoint_count(debugger) == 0);
  wasm_instance_delete(instance);
  stepwell_debugger_delete(debugger);
  wasm_func_delete(host);
  wasm_functype_delete(type);
  wasm_module_delete(module);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
}

int main(void) {
  watching_locals(STEPWELL_DEBUG_TIER_REGIONS);
  watching_locals(STEPWELL_DEBUG_TIER_SIMPLE);
  watching(STEPWELL_DEBUG_TIER_REGIONS);
  watching(STEPWELL_DEBUG_TIER_SIMPLE);
  return 0;
}
