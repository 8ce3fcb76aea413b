/*
 * What instances of a module cost a C host, in Stepwell or in another engine (wasmtime), there with or without its
 * pooling allocator. `scripts/bench-instances` builds it, runs it for each engine in turn, and prints the medians.
 *
 *   instances ENGINE LIBRARY MODULE COUNT      ENGINE is stepwell, wasmtime or wasmtime-pooled
 *
 * makes COUNT stores with an instance each, all alive at once, and deletes them, and prints a line `NAME FIGURE` for
 * each figure: nanoseconds, bytes or mappings for one of them. The library is loaded when the program runs, so that it
 * can be held against any build of either engine. What wasm.h declares is the same for both; the other engine's own
 * functions are declared here, from its documentation.
 */
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <stepwell.h>

/* The other engine's. */
typedef struct wasmtime_error wasmtime_error_t;
typedef struct wasmtime_module wasmtime_module_t;
typedef struct wasmtime_store wasmtime_store_t;
typedef struct wasmtime_context wasmtime_context_t;
typedef struct wasmtime_linker wasmtime_linker_t;
typedef struct wasmtime_instance_pre wasmtime_instance_pre_t;
typedef struct wasmtime_pooling_allocation_config wasmtime_pooling_allocation_config_t;
typedef struct {
  uint64_t store;
  size_t inside;
} wasmtime_instance_t;

void wasmtime_error_message(const wasmtime_error_t *, wasm_name_t *);
wasmtime_error_t *wasmtime_module_new(wasm_engine_t *, const uint8_t *, size_t, wasmtime_module_t **);
wasmtime_linker_t *wasmtime_linker_new(wasm_engine_t *);
wasmtime_error_t *wasmtime_linker_define_unknown_imports_as_traps(wasmtime_linker_t *, wasmtime_module_t *);
wasmtime_error_t *wasmtime_linker_instantiate_pre(const wasmtime_linker_t *, const wasmtime_module_t *,
                                                  wasmtime_instance_pre_t **);
wasmtime_error_t *wasmtime_instance_pre_instantiate(const wasmtime_instance_pre_t *, wasmtime_context_t *,
                                                    wasmtime_instance_t *, wasm_trap_t **);
wasmtime_store_t *wasmtime_store_new(wasm_engine_t *, void *, void (*)(void *));
wasmtime_context_t *wasmtime_store_context(wasmtime_store_t *);
void wasmtime_store_delete(wasmtime_store_t *);
wasmtime_pooling_allocation_config_t *wasmtime_pooling_allocation_config_new(void);
void wasmtime_pooling_allocation_config_delete(wasmtime_pooling_allocation_config_t *);
void wasmtime_pooling_allocation_config_total_core_instances_set(wasmtime_pooling_allocation_config_t *, uint32_t);
void wasmtime_pooling_allocation_config_total_memories_set(wasmtime_pooling_allocation_config_t *, uint32_t);
void wasmtime_pooling_allocation_config_total_tables_set(wasmtime_pooling_allocation_config_t *, uint32_t);
void wasmtime_pooling_allocation_config_total_stacks_set(wasmtime_pooling_allocation_config_t *, uint32_t);
void wasmtime_pooling_allocation_config_total_gc_heaps_set(wasmtime_pooling_allocation_config_t *, uint32_t);
void wasmtime_pooling_allocation_strategy_set(wasm_config_t *, const wasmtime_pooling_allocation_config_t *);

/* A function of the library, which is looked for once. */
#define CALL(name)                                                                                                     \
  (*({                                                                                                                 \
    static __typeof__(name) *found;                                                                                    \
    if (found == NULL) found = (__typeof__(name) *)symbol(#name);                                                      \
    found;                                                                                                             \
  }))

/* So many are made before anything is measured, so that what is made once is not counted. */
enum { BEFORE = 2, PART = 1000, AGAIN = 200 };

static void *library;

static void fail(const char *what, const char *why) {
  fprintf(stderr, "instances: %s: %s\n", what, why);
  exit(1);
}

static void *symbol(const char *name) {
  void *found = dlsym(library, name);
  if (found == NULL) fail(name, "the library has no such function");
  return found;
}

static wasm_engine_t *engine;

/* What a side does: a store with an instance in it, and one more in a store that lives. */
typedef struct side_t {
  void (*prepare)(wasm_byte_vec_t *binary, uint32_t count);
  void *(*make)(void);
  void (*delete)(void *made);
  /* NULL where a store cannot be rid of an instance. */
  void (*again)(void *made);
} side_t;

/* Stepwell. */

static stepwell_instance_pre_t *pre;

typedef struct made_t {
  wasm_store_t *store;
  wasm_instance_t *instance;
} made_t;

static void check(stepwell_error_t *error, const char *what) {
  if (error != NULL) fail(what, CALL(stepwell_error_message)(error));
}

static wasm_trap_t *do_nothing(void *env, const wasm_val_vec_t *args, wasm_val_vec_t *results) {
  (void)env;
  (void)args;
  (void)results;
  return NULL;
}

static char *text_of(const wasm_name_t *name) {
  char *text = calloc(name->size + 1, 1);
  if (text == NULL) fail("a name", "no memory");
  return memcpy(text, name->data, name->size);
}

static void prepare_ours(wasm_byte_vec_t *binary, uint32_t count) {
  (void)count;
  engine = CALL(wasm_engine_new)();
  wasm_store_t *store = CALL(wasm_store_new)(engine);
  wasm_module_t *module;
  check(CALL(stepwell_module_new)(store, binary, &module), "compiling");
  stepwell_linker_t *linker = CALL(stepwell_linker_new)(engine);
  wasm_importtype_vec_t imports;
  CALL(wasm_module_imports)(module, &imports);
  for (size_t i = 0; i < imports.size; ++i) {
    const wasm_functype_t *type = CALL(wasm_externtype_as_functype_const)(CALL(wasm_importtype_type)(imports.data[i]));
    if (type == NULL) fail("the module", "it imports what is no function");
    char *module_name = text_of(CALL(wasm_importtype_module)(imports.data[i]));
    char *name = text_of(CALL(wasm_importtype_name)(imports.data[i]));
    check(CALL(stepwell_linker_define_func)(linker, module_name, name, type, do_nothing, NULL, NULL), "an import");
    free(module_name);
    free(name);
  }
  CALL(wasm_importtype_vec_delete)(&imports);
  check(CALL(stepwell_linker_instantiate_pre)(linker, module, &pre), "finding imports");
  CALL(stepwell_linker_delete)(linker);
  CALL(wasm_module_delete)(module);
  CALL(wasm_store_delete)(store);
}

static wasm_instance_t *instantiate_ours(wasm_store_t *store) {
  wasm_instance_t *instance;
  check(CALL(stepwell_instance_pre_instantiate)(pre, store, &instance, NULL), "an instance");
  return instance;
}

static void *make_ours(void) {
  made_t *made = malloc(sizeof *made);
  if (made == NULL) fail("an instance", "no memory");
  made->store = CALL(wasm_store_new)(engine);
  if (made->store == NULL) fail("a store", "refused");
  made->instance = instantiate_ours(made->store);
  return made;
}

static void delete_ours(void *of) {
  made_t *made = of;
  CALL(wasm_instance_delete)(made->instance);
  CALL(wasm_store_delete)(made->store);
  free(made);
}

static void again_ours(void *of) {
  made_t *made = of;
  CALL(wasm_instance_delete)(instantiate_ours(made->store));
  check(CALL(stepwell_store_collect)(made->store), "collecting");
}

/* The other engine. */

static bool pooled;
static wasmtime_instance_pre_t *their_pre;

static void check_theirs(wasmtime_error_t *error, const char *what) {
  if (error == NULL) return;
  wasm_name_t message;
  CALL(wasmtime_error_message)(error, &message);
  fail(what, text_of(&message));
}

static void prepare_theirs(wasm_byte_vec_t *binary, uint32_t count) {
  wasm_config_t *config = CALL(wasm_config_new)();
  if (pooled) {
    wasmtime_pooling_allocation_config_t *pool = CALL(wasmtime_pooling_allocation_config_new)();
    uint32_t most = count + BEFORE + 10;
    CALL(wasmtime_pooling_allocation_config_total_core_instances_set)(pool, most);
    CALL(wasmtime_pooling_allocation_config_total_memories_set)(pool, most);
    CALL(wasmtime_pooling_allocation_config_total_tables_set)(pool, most);
    /* What the module does not use takes no room. */
    CALL(wasmtime_pooling_allocation_config_total_stacks_set)(pool, 1);
    CALL(wasmtime_pooling_allocation_config_total_gc_heaps_set)(pool, 1);
    CALL(wasmtime_pooling_allocation_strategy_set)(config, pool);
    CALL(wasmtime_pooling_allocation_config_delete)(pool);
  }
  engine = CALL(wasm_engine_new_with_config)(config);
  if (engine == NULL) fail("an engine", "refused");
  wasmtime_module_t *module;
  check_theirs(CALL(wasmtime_module_new)(engine, (const uint8_t *)binary->data, binary->size, &module), "compiling");
  wasmtime_linker_t *linker = CALL(wasmtime_linker_new)(engine);
  check_theirs(CALL(wasmtime_linker_define_unknown_imports_as_traps)(linker, module), "imports");
  check_theirs(CALL(wasmtime_linker_instantiate_pre)(linker, module, &their_pre), "finding imports");
}

static void *make_theirs(void) {
  wasmtime_store_t *store = CALL(wasmtime_store_new)(engine, NULL, NULL);
  wasmtime_instance_t instance;
  wasm_trap_t *trap = NULL;
  check_theirs(
      CALL(wasmtime_instance_pre_instantiate)(their_pre, CALL(wasmtime_store_context)(store), &instance, &trap),
      "an instance");
  if (trap != NULL) fail("an instance", "it trapped");
  return store;
}

static void delete_theirs(void *made) { CALL(wasmtime_store_delete)(made); }

/* What the process has taken. */

typedef struct taken_t {
  double private;
  double page_tables;
  double mappings;
} taken_t;

static taken_t taken(void) {
  taken_t taken = {0};
  char line[512];
  const char *paths[] = {"/proc/self/smaps_rollup", "/proc/self/status"};
  for (size_t i = 0; i < 2; ++i) {
    FILE *file = fopen(paths[i], "r");
    if (file == NULL) fail(paths[i], "cannot be read");
    while (fgets(line, sizeof line, file) != NULL) {
      double kilobytes;
      if (sscanf(line, "Private_Clean: %lf", &kilobytes) == 1 || sscanf(line, "Private_Dirty: %lf", &kilobytes) == 1)
        taken.private += kilobytes * 1024;
      if (sscanf(line, "VmPTE: %lf", &kilobytes) == 1) taken.page_tables = kilobytes * 1024;
    }
    fclose(file);
  }
  FILE *maps = fopen("/proc/self/maps", "r");
  if (maps == NULL) fail("/proc/self/maps", "cannot be read");
  while (fgets(line, sizeof line, maps) != NULL)
    if (strchr(line, '\n') != NULL) taken.mappings += 1;
  fclose(maps);
  return taken;
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static wasm_byte_vec_t read_file(const char *path) {
  FILE *file = fopen(path, "rb");
  if (file == NULL || fseek(file, 0, SEEK_END) != 0) fail(path, "cannot be read");
  wasm_byte_vec_t bytes = {.size = (size_t)ftell(file)};
  rewind(file);
  bytes.data = malloc(bytes.size);
  if (bytes.data == NULL || fread(bytes.data, 1, bytes.size, file) != bytes.size) fail(path, "cannot be read");
  fclose(file);
  return bytes;
}

static double delete_all(const side_t *side, void **made, uint32_t count) {
  double start = now();
  for (uint32_t i = 0; i < count; ++i) side->delete(made[i]);
  return (now() - start) / count;
}

int main(int argc, char **argv) {
  if (argc != 5) fail("usage", "instances ENGINE LIBRARY MODULE COUNT");
  side_t side = {prepare_theirs, make_theirs, delete_theirs, NULL};
  if (strcmp(argv[1], "stepwell") == 0)
    side = (side_t){prepare_ours, make_ours, delete_ours, again_ours};
  else if (strcmp(argv[1], "wasmtime-pooled") == 0)
    pooled = true;
  else if (strcmp(argv[1], "wasmtime") != 0)
    fail(argv[1], "there is no such engine");
  library = dlopen(argv[2], RTLD_NOW);
  if (library == NULL) fail(argv[2], dlerror());
  wasm_byte_vec_t binary = read_file(argv[3]);
  uint32_t count = (uint32_t)strtoul(argv[4], NULL, 10);
  if (count == 0) fail(argv[4], "a number of instances is wanted");
  side.prepare(&binary, count);

  uint32_t part = count < PART ? count : PART;
  void **made = calloc(count, sizeof *made);
  void *first[BEFORE];
  if (made == NULL) fail("instances", "no memory");
  for (size_t i = 0; i < BEFORE; ++i) first[i] = side.make();

  taken_t before = taken();
  double start = now();
  double first_part = 0;
  double last_part = start;
  for (uint32_t i = 0; i < count; ++i) {
    if (i == part) first_part = now() - start;
    if (i == count - part) last_part = now();
    made[i] = side.make();
  }
  double end = now();
  taken_t after = taken();
  printf("make %f\n", (end - start) / count);
  printf("make-first %f\n", (count == part ? end - start : first_part) / part);
  printf("make-last %f\n", (end - last_part) / part);
  printf("delete %f\n", delete_all(&side, made, count));
  printf("private %f\n", (after.private - before.private) / count);
  printf("page-tables %f\n", (after.page_tables - before.page_tables) / count);
  printf("mappings %f\n", (after.mappings - before.mappings) / count);

  start = now();
  for (uint32_t i = 0; i < count; ++i) made[i] = side.make();
  printf("make-again %f\n", (now() - start) / count);
  printf("delete-again %f\n", delete_all(&side, made, count));

  /* Where a store cannot be rid of an instance, a store is made for it. */
  start = now();
  for (int i = 0; i < AGAIN; ++i) {
    if (side.again != NULL)
      side.again(first[0]);
    else
      side.delete(side.make());
  }
  printf("one-more %f\n", (now() - start) / AGAIN);
  return 0;
}
