/* Configurations: each way of running the same guest gives the same, and what cannot work is refused. */
#include "beside.h"

#include <unistd.h>

/* What an engine has said: how often it compiled a module, and found one. */
struct said {
  int compiled, found, refused;
};

static void listen(void *env, stepwell_log_level_t level, const char *message) {
  struct said *said = env;
  (void)level;
  said->compiled += strncmp(message, "compiled", 8) == 0;
  said->found += strncmp(message, "found", 5) == 0;
  said->refused += strstr(message, "not kept") != NULL;
}

/* Makes a module twice, in engines of their own with this cache. */
static struct said twice(const char *folder, uint32_t fallbacks) {
  struct said said = {0, 0, 0};
  for (int i = 0; i < 2; i++) {
    wasm_config_t *config = wasm_config_new();
    wasm_engine_t *engine = NULL;
    wasm_store_t *store;
    wasm_module_t *module;
    OK(stepwell_config_cache_set(config, folder, 1 << 20));
    OK(stepwell_config_log_set(config, STEPWELL_LOG_INFO, listen, &said, NULL));
    OK(stepwell_engine_new(config, &engine));
    store = wasm_store_new(engine);
    module = MODULE(store, FIB);
    CHECK(stepwell_engine_fallbacks(engine) == fallbacks);
    wasm_module_delete(module);
    wasm_store_delete(store);
    wasm_engine_delete(engine);
  }
  return said;
}

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
  { /* a cache: in a folder of our own, and where there can be none */
    char folder[1024], inside[1100];
    struct said said;
    wasm_config_t *config = wasm_config_new();
    check_beside("cache", folder, sizeof folder);
    CHECK(mkdtemp(folder));
    said = twice(folder, 0);
    CHECK(said.compiled == 1 && said.found == 1 && said.refused == 0);
    snprintf(inside, sizeof inside, "rm -r '%s'", folder);
    CHECK(system(inside) == 0);
    said = twice("/dev/null/inside", STEPWELL_FALLBACK_NO_CACHE);
    CHECK(said.compiled == 2 && said.found == 0 && said.refused == 2);
    FAILS(stepwell_config_cache_set(config, "", 1), STEPWELL_ERROR_ARGUMENT, "`folder` is empty");
    FAILS(stepwell_config_cache_set(config, NULL, 1), STEPWELL_ERROR_ARGUMENT, "`folder`");
    works(config, false);
  }
  { /* processors: what is none is refused, and leaves the configuration as it was */
    wasm_config_t *config = wasm_config_new();
    FAILS(stepwell_config_processor_set(config, "x86-64-v3 i486"), STEPWELL_ERROR_ARGUMENT, "`processor`: `i486` is no feature of a processor");
    FAILS(stepwell_config_processor_set(config, "x86-64"), STEPWELL_ERROR_ARGUMENT, "x86-64-v2");
    FAILS(stepwell_config_processor_set(config, "\xff"), STEPWELL_ERROR_ARGUMENT, "UTF-8");
    works(config, true);
    config = wasm_config_new();
    OK(stepwell_config_processor_set(config, ""));
    works(config, true);
  }
  { /* a feature that this machine lacks, if there is one: made and serialized here, refused here */
    static const char *const all = "x86-64-v4 avx512vbmi avx512bitalg avx512vnni avx_vnni";
    wasm_config_t *config = wasm_config_new();
    wasm_engine_t *engine = NULL;
    wasm_store_t *store;
    wasm_module_t *module, *again = NULL;
    wasm_instance_t *instance = NULL;
    wasm_byte_vec_t bytes;
    stepwell_error_t *error;
    OK(stepwell_config_processor_set(config, all));
    OK(stepwell_engine_new(config, &engine));
    store = wasm_store_new(engine);
    module = MODULE(store, FIB);
    OK(stepwell_module_serialize(module, &bytes));
    error = stepwell_instance_new(store, module, NULL, &instance, NULL);
    if (error) {
      FAILS(error, STEPWELL_ERROR_UNSUPPORTED, "which this one has not");
      FAILS(stepwell_module_deserialize(store, &bytes, &again), STEPWELL_ERROR_UNSUPPORTED, "which this one has not");
    } else {
      OK(stepwell_module_deserialize(store, &bytes, &again));
    }
    wasm_byte_vec_delete(&bytes);
    wasm_instance_delete(instance);
    wasm_module_delete(again);
    wasm_module_delete(module);
    wasm_store_delete(store);
    wasm_engine_delete(engine);
  }
  wasm_config_delete(wasm_config_new());
  return 0;
}
