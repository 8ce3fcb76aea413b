/* Configurations: each way of running the same guest gives the same, and what cannot work is refused. */
#include "check.h"

static void works(wasm_config_t *config, bool debug) {
  wasm_engine_t *engine = NULL;
  wasm_store_t *store;
  wasm_module_t *module;
  wasm_instance_t *instance;
  wasm_func_t *fib;
  stepwell_config_debug_set(config, debug);
  OK(stepwell_engine_new(config, &engine));
  store = wasm_store_new(engine);
  module = MODULE(store, FIB);
  instance = check_instance(store, module);
  fib = check_func(instance, "fib");
  CHECK(call_i32(fib, 15) == 610);
  wasm_engine_delete(engine);
  wasm_store_delete(store);
  wasm_module_delete(module);
  wasm_instance_delete(instance);
  wasm_func_delete(fib);
}

int main(void) {
  for (int debug = 0; debug < 2; debug++) {
    wasm_config_t *config = wasm_config_new();
    works(config, debug);

    config = wasm_config_new();
    stepwell_config_signals_set(config, false);
    works(config, debug);

    config = wasm_config_new();
    stepwell_config_memory_reservation_set(config, 1 << 20);
    stepwell_config_memory_guard_set(config, 1 << 16);
    works(config, debug);

    config = wasm_config_new();
    stepwell_config_memory_images_set(config, false);
    stepwell_config_kept_memories_set(config, 0);
    works(config, debug);

    config = wasm_config_new();
    stepwell_config_nan_canonicalization_set(config, true);
    stepwell_config_optimize_set(config, false);
    stepwell_config_parallel_set(config, false);
    stepwell_config_max_stack_set(config, 1 << 18);
    stepwell_config_stop_reserve_set(config, 1 << 17);
    works(config, debug);

    config = wasm_config_new();
    OK(stepwell_config_debug_tier_set(config, STEPWELL_DEBUG_TIER_REGIONS));
    stepwell_config_rerun_cache_set(config, 0);
    works(config, debug);

    config = wasm_config_new();
    OK(stepwell_config_debug_tier_set(config, STEPWELL_DEBUG_TIER_BLOCKS));
    OK(stepwell_config_debug_tier_set(config, STEPWELL_DEBUG_TIER_SIMPLE));
    stepwell_config_rerun_cache_set(config, SIZE_MAX);
    works(config, debug);
  }
  { /* numbers that are no tier are refused, and leave the configuration as it was */
    wasm_config_t *config = wasm_config_new();
    FAILS(stepwell_config_debug_tier_set(config, -1), STEPWELL_ERROR_ARGUMENT, "-1");
    FAILS(stepwell_config_debug_tier_set(config, 3), STEPWELL_ERROR_ARGUMENT, "`tier` is 3, which is no tier");
    FAILS(stepwell_config_debug_tier_set(config, INT32_MAX), STEPWELL_ERROR_ARGUMENT, "no tier");
    works(config, true);
  }
  { /* what cannot work is refused, and the configuration is taken all the same */
    wasm_config_t *config = wasm_config_new();
    wasm_engine_t *engine = NULL;
    stepwell_config_max_stack_set(config, 1);
    FAILS(stepwell_engine_new(config, &engine), STEPWELL_ERROR_ARGUMENT, "max_stack");
    CHECK(!engine);
    config = wasm_config_new();
    stepwell_config_max_stack_set(config, 1);
    CHECK(!wasm_engine_new_with_config(config));
    LAST("max_stack");
  }
  wasm_config_delete(wasm_config_new());
  return 0;
}
