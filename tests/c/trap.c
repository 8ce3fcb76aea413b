/* Traps: codes, messages, frames; what a trap keeps alive. */
#include "check.h"

static wasm_trap_t *call2(wasm_instance_t *instance, const char *name, int32_t a, int32_t b, size_t count) {
  wasm_val_t args[2], results[1];
  wasm_val_vec_t args_vec, results_vec = WASM_ARRAY_VEC(results);
  wasm_func_t *func = check_func(instance, name);
  wasm_trap_t *trap;
  args[0] = val_i32(a);
  args[1] = val_i32(b);
  args_vec.size = count;
  args_vec.data = args;
  trap = wasm_func_call(func, &args_vec, &results_vec);
  wasm_func_delete(func);
  return trap;
}

static void expect(wasm_instance_t *instance, const char *name, int32_t a, int32_t b, size_t count, int code,
                   const char *text) {
  wasm_trap_t *trap = call2(instance, name, a, b, count);
  wasm_message_t message;
  CHECK(trap);
  CHECK(stepwell_trap_code(trap) == code);
  wasm_trap_message(trap, &message);
  CHECK(strcmp(message.data, text) == 0);
  wasm_byte_vec_delete(&message);
  wasm_trap_delete(trap);
}

static void run(bool signals) {
  wasm_config_t *config = wasm_config_new();
  wasm_engine_t *engine;
  wasm_store_t *store;
  wasm_module_t *module;
  wasm_instance_t *instance;
  wasm_trap_t *trap;
  stepwell_config_signals_set(config, signals);
  engine = wasm_engine_new_with_config(config);
  CHECK(engine);
  store = wasm_store_new(engine);
  module = MODULE(store, TRAPS);
  instance = check_instance(store, module);

  expect(instance, "divide", 1, 0, 2, STEPWELL_TRAP_INTEGER_DIVISION_BY_ZERO, "integer divide by zero");
  expect(instance, "divide", INT32_MIN, -1, 2, STEPWELL_TRAP_INTEGER_OVERFLOW, "integer overflow");
  expect(instance, "unreachable", 0, 0, 0, STEPWELL_TRAP_UNREACHABLE, "unreachable");
  expect(instance, "load", -4, 0, 1, STEPWELL_TRAP_MEMORY_OUT_OF_BOUNDS, "out of bounds memory access");
  expect(instance, "indirect", 5, 0, 1, STEPWELL_TRAP_UNDEFINED_ELEMENT, "undefined element");
  expect(instance, "indirect", 1, 0, 1, STEPWELL_TRAP_UNINITIALIZED_ELEMENT, "uninitialized element");
  expect(instance, "recurse", 0, 0, 0, STEPWELL_TRAP_STACK_OVERFLOW, "call stack exhausted");
  CHECK(!call2(instance, "divide", 6, 3, 2));

  { /* frames */
    wasm_frame_vec_t frames;
    wasm_frame_t *origin, *copy;
    const char *text;
    size_t size = 0;
    trap = call2(instance, "nested", 1, 0, 2);
    CHECK(trap);
    wasm_trap_trace(trap, &frames);
    CHECK(frames.size == 2);
    CHECK(wasm_frame_func_index(frames.data[0]) == 0 && wasm_frame_func_index(frames.data[1]) == 1);
    CHECK(wasm_frame_module_offset(frames.data[0]) < sizeof(TRAPS));
    CHECK(TRAPS[wasm_frame_module_offset(frames.data[0])] == 0x6d); /* i32.div_s */
    CHECK(TRAPS[wasm_frame_module_offset(frames.data[1])] == 0x10); /* call */
    CHECK(wasm_frame_func_offset(frames.data[0]) > 0 && wasm_frame_func_offset(frames.data[0]) < 16);
    text = stepwell_trap_frame_func_name(frames.data[0], &size);
    CHECK(text && strcmp(text, "divide") == 0 && size == 6);
    text = stepwell_trap_frame_module_name(frames.data[1], NULL);
    CHECK(text && strcmp(text, "traps") == 0);
    if (wasm_frame_instance(frames.data[0])) CHECK(wasm_instance_same(wasm_frame_instance(frames.data[0]), instance));
    text = stepwell_trap_backtrace(trap);
    CHECK(strstr(text, "divide by zero") && strstr(text, "traps!divide") && strstr(text, "traps!nested"));
    CHECK(strcmp(stepwell_trap_message(trap), "integer divide by zero") == 0 && stepwell_trap_backtrace(trap) == text);
    origin = wasm_trap_origin(trap);
    copy = wasm_frame_copy(origin);
    CHECK(wasm_frame_module_offset(copy) == wasm_frame_module_offset(frames.data[0]));
    wasm_frame_delete(origin);
    wasm_frame_delete(copy);
    wasm_frame_vec_delete(&frames);
  }

  { /* a trap is a reference like any other, and keeps its store alive */
    wasm_trap_t *copy = wasm_trap_copy(trap);
    CHECK(wasm_trap_same(copy, trap) && wasm_ref_as_trap(wasm_trap_as_ref(trap)) == trap);
    CHECK(!wasm_ref_as_func(wasm_trap_as_ref(trap)));
    wasm_trap_delete(trap);
    trap = copy;
  }

  { /* start functions */
    wasm_module_t *start = MODULE(store, START_TRAPS);
    wasm_trap_t *start_trap = NULL;
    wasm_instance_t *none = NULL;
    CHECK(!wasm_instance_new(store, start, NULL, &start_trap));
    CHECK(start_trap && stepwell_trap_code(start_trap) == STEPWELL_TRAP_UNREACHABLE);
    wasm_trap_delete(start_trap);
    CHECK(!wasm_instance_new(store, start, NULL, NULL));
    CHECK(stepwell_error_code(stepwell_last_error()) == STEPWELL_ERROR_TRAP);
    OK(stepwell_instance_new(store, start, NULL, &none, &start_trap));
    CHECK(!none && start_trap);
    wasm_trap_delete(start_trap);
    FAILS(stepwell_instance_new(store, start, NULL, &none, NULL), STEPWELL_ERROR_TRAP, "unreachable");
    wasm_module_delete(start);
  }

  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wasm_engine_delete(engine);
  wasm_store_delete(store);
  CHECK(stepwell_trap_code(trap) == STEPWELL_TRAP_INTEGER_DIVISION_BY_ZERO);
  wasm_trap_delete(trap);
}

int main(void) {
  run(true);
  run(false);
  return 0;
}
