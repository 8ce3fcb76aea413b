/* The check of handles: each kind of misuse, in a child of its own, ends with a message that names function and parameter. */
#include "check.h"

#include <signal.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

static wasm_engine_t *engine;
static wasm_store_t *store;

/* Runs `misuse` in a child; checks that it aborts and says `function`, `param` and `what`. With `what` NULL: that it does not. */
static void aborts(void (*misuse)(void), const char *function, const char *param, const char *what, int line) {
  int ends[2], status;
  char said[4096], wanted[256];
  size_t size = 0;
  ssize_t got;
  pid_t child;
  CHECK(pipe(ends) == 0);
  child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    dup2(ends[1], 2);
    close(ends[0]);
    close(ends[1]);
    misuse();
    _exit(0);
  }
  close(ends[1]);
  while ((got = read(ends[0], said + size, sizeof(said) - 1 - size)) > 0) size += (size_t)got;
  said[size] = 0;
  close(ends[0]);
  CHECK(waitpid(child, &status, 0) == child);
  snprintf(wanted, sizeof(wanted), "`%s`: `%s` ", function, param);
  if (what ? !WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT || !strstr(said, wanted) || !strstr(said, what)
           : !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    fprintf(stderr, "handles.c:%d: status %x, saying \"%s\", not \"%s%s\"\n", line, (unsigned)status, said, wanted,
            what ? what : "");
    exit(1);
  }
}
#define ABORTS(misuse, function, param, what) aborts(misuse, function, param, what, __LINE__)

/* ---- deleted twice, and used after it ---- */

static void config_twice(void) {
  wasm_config_t *config = wasm_config_new();
  wasm_config_delete(config);
  wasm_config_delete(config);
}
static void functype_twice(void) {
  wasm_functype_t *type = wasm_functype_new_0_0();
  wasm_functype_delete(type);
  wasm_functype_delete(type);
}
static void engine_used(void) {
  wasm_engine_delete(engine);
  (void)wasm_store_new(engine);
}
static void store_twice(void) {
  wasm_store_delete(store);
  wasm_store_delete(store);
}
static void copy_of_deleted(void) {
  wasm_foreign_t *foreign = wasm_foreign_new(store);
  wasm_foreign_delete(foreign);
  (void)wasm_foreign_copy(foreign);
}
static void foreign_twice(void) {
  wasm_foreign_t *foreign = wasm_foreign_new(store);
  /* Many others in between do not get the address. */
  wasm_foreign_delete(foreign);
  for (int i = 0; i < 1000; i++) wasm_foreign_delete(wasm_foreign_new(store));
  wasm_foreign_delete(foreign);
}
static void copy_of_deleted_vector(void) {
  wasm_byte_vec_t bytes, again, copy;
  wasm_byte_vec_new(&bytes, 3, "abc");
  again = bytes;
  wasm_byte_vec_delete(&bytes);
  wasm_byte_vec_copy(&copy, &again);
}
static void message_of_deleted_vector(void) {
  wasm_byte_vec_t bytes, again;
  wasm_byte_vec_new(&bytes, 3, "abc");
  again = bytes;
  wasm_byte_vec_delete(&bytes);
  (void)wasm_trap_new(store, &again);
}
static void one_element_twice(void) {
  wasm_valtype_t *type = wasm_valtype_new(WASM_I32), *both[2];
  wasm_valtype_vec_t params, results = WASM_EMPTY_VEC;
  both[0] = both[1] = type;
  wasm_valtype_vec_new(&params, 2, both);
  (void)wasm_functype_new(&params, &results);
}
static void deleted_element(void) {
  wasm_valtype_t *type = wasm_valtype_new(WASM_I32);
  wasm_valtype_delete(type);
  (void)wasm_functype_new_1_0(type);
}
static void value_twice(void) {
  wasm_val_t val = WASM_INIT_VAL, copy;
  val.kind = WASM_EXTERNREF;
  val.of.ref = wasm_foreign_as_ref(wasm_foreign_new(store));
  copy = val;
  wasm_val_delete(&val);
  wasm_val_delete(&copy);
}
static const uint8_t LANES[16] = {1};
static void vector_value_twice(void) {
  wasm_val_t val, copy;
  stepwell_val_new_v128(LANES, &val);
  copy = val;
  wasm_val_delete(&val);
  wasm_val_delete(&copy);
}
static void vector_value_used(void) {
  wasm_val_t val, copy;
  stepwell_val_new_v128(LANES, &val);
  copy = val;
  wasm_val_delete(&val);
  (void)stepwell_val_v128(&copy);
}
static void vector_value_passed(void) {
  wasm_val_t val, copy;
  wasm_globaltype_t *type = wasm_globaltype_new(wasm_valtype_new(STEPWELL_VALKIND_V128), WASM_CONST);
  stepwell_val_new_v128(LANES, &val);
  copy = val;
  wasm_val_delete(&val);
  (void)wasm_global_new(store, type, &copy);
}
static void lent_vector_deleted(void) {
  wasm_val_t val = STEPWELL_V128_VAL(LANES);
  wasm_val_delete(&val);
}
static wasm_trap_t *lends(const wasm_val_vec_t *args, wasm_val_vec_t *results) {
  wasm_val_t val = STEPWELL_V128_VAL(LANES);
  (void)args;
  results->data[0] = val;
  return NULL;
}
static void lent_vector_given(void) {
  wasm_functype_t *type = wasm_functype_new_0_1(wasm_valtype_new(STEPWELL_VALKIND_V128));
  wasm_val_t result;
  wasm_val_vec_t none = WASM_EMPTY_VEC, results = {1, NULL};
  results.data = &result;
  (void)wasm_func_call(wasm_func_new(store, type, lends), &none, &results);
}

/* ---- given away ---- */

static void config_given_and_deleted(void) {
  wasm_config_t *config = wasm_config_new();
  CHECK(wasm_engine_new_with_config(config));
  wasm_config_delete(config);
}
static void config_given_twice(void) {
  wasm_config_t *config = wasm_config_new();
  CHECK(wasm_engine_new_with_config(config));
  (void)wasm_engine_new_with_config(config);
}
static void config_given_and_used(void) {
  wasm_config_t *config = wasm_config_new();
  CHECK(wasm_engine_new_with_config(config));
  stepwell_config_debug_set(config, true);
}
static void content_given_twice(void) {
  wasm_valtype_t *content = wasm_valtype_new(WASM_I32);
  (void)wasm_globaltype_new(content, WASM_CONST);
  (void)wasm_globaltype_new(content, WASM_CONST);
}

/* ---- vectors ---- */

static void vector_twice(void) {
  wasm_byte_vec_t vec, copy;
  wasm_byte_vec_new_uninitialized(&vec, 10);
  copy = vec;
  wasm_byte_vec_delete(&vec);
  wasm_byte_vec_delete(&vec); /* it is empty now: no mistake */
  wasm_byte_vec_delete(&copy);
}
static void vector_given_twice(void) {
  wasm_valtype_vec_t params, copy, results = WASM_EMPTY_VEC;
  wasm_valtype_t *type = wasm_valtype_new(WASM_I32);
  wasm_valtype_vec_new(&params, 1, &type);
  copy = params;
  (void)wasm_functype_new(&params, &results);
  (void)wasm_functype_new(&copy, &results);
}
static void vector_given_and_deleted(void) {
  wasm_valtype_vec_t params, copy, results = WASM_EMPTY_VEC;
  wasm_valtype_t *type = wasm_valtype_new(WASM_I32);
  wasm_valtype_vec_new(&params, 1, &type);
  copy = params;
  (void)wasm_functype_new(&params, &results);
  wasm_valtype_vec_delete(&copy);
}
static void element_deleted_twice(void) {
  wasm_valtype_vec_t vec;
  wasm_valtype_t *type = wasm_valtype_new(WASM_I32);
  wasm_valtype_vec_new(&vec, 1, &type);
  wasm_valtype_vec_delete(&vec);
  wasm_valtype_delete(type);
}
static void vector_not_ours(void) {
  wasm_byte_vec_t vec;
  vec.size = 8;
  vec.data = malloc(8);
  wasm_byte_vec_delete(&vec);
}

/* ---- other memory, other kinds ---- */

static void stack_pointer(void) {
  char here[256] = {0};
  (void)wasm_store_new((wasm_engine_t *)(void *)here);
}
static void random_pointer(void) { (void)wasm_store_new((wasm_engine_t *)(uintptr_t)0x1234560); }
static void wild_delete(void) { wasm_store_delete((wasm_store_t *)(void *)&store); }
static void other_kind(void) { (void)wasm_store_new((wasm_engine_t *)(void *)store); }
static void other_kind_deleted(void) { wasm_engine_delete((wasm_engine_t *)(void *)wasm_config_new()); }
static void borrowed_deleted(void) {
  wasm_globaltype_t *type = wasm_globaltype_new(wasm_valtype_new(WASM_I32), WASM_CONST);
  wasm_valtype_delete((wasm_valtype_t *)(uintptr_t)wasm_globaltype_content(type));
}

/* ---- no misuse ---- */

static void all_is_well(void) {
  wasm_valtype_vec_t params, results = WASM_EMPTY_VEC;
  wasm_valtype_t *type = wasm_valtype_new(WASM_EXTERNREF);
  wasm_valtype_vec_new(&params, 1, &type);
  wasm_functype_t *functype = wasm_functype_new(&params, &results);
  wasm_externtype_t *copy = wasm_externtype_copy(wasm_functype_as_externtype(functype));
  CHECK(wasm_valtype_kind(wasm_functype_params(wasm_externtype_as_functype(copy))->data[0]) == WASM_EXTERNREF);
  wasm_functype_delete(functype);
  wasm_externtype_delete(copy);
  wasm_foreign_t *foreign = wasm_foreign_new(store);
  wasm_foreign_t *other = wasm_foreign_copy(foreign);
  CHECK(wasm_ref_same(wasm_foreign_as_ref(foreign), wasm_foreign_as_ref(other)));
  wasm_ref_delete(wasm_foreign_as_ref(foreign));
  wasm_foreign_delete(other);
  wasm_foreign_delete(NULL);
  CHECK(!wasm_engine_new_with_config(NULL) || true);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
}

int main(void) {
  wasm_config_t *config = wasm_config_new();
  stepwell_config_check_handles_set(config, true);
  engine = wasm_engine_new_with_config(config);
  store = wasm_store_new(engine);
  CHECK(engine && store);

  ABORTS(copy_of_deleted_vector, "wasm_byte_vec_copy", "a vector", "was deleted before, by `wasm_byte_vec_delete`");
  ABORTS(message_of_deleted_vector, "wasm_trap_new", "a vector", "was deleted before");
  ABORTS(one_element_twice, "wasm_functype_new", "params", "the same handle in it twice");
  ABORTS(deleted_element, "wasm_functype_new", "params", "was deleted before, by `wasm_valtype_delete`");
  ABORTS(config_twice, "wasm_config_delete", "config", "deleted before, by `wasm_config_delete`");
  ABORTS(functype_twice, "wasm_functype_delete", "ty", "deleted before, by `wasm_functype_delete`");
  ABORTS(engine_used, "wasm_store_new", "engine", "deleted before, by `wasm_engine_delete`");
  ABORTS(store_twice, "wasm_store_delete", "store", "deleted before, by `wasm_store_delete`");
  ABORTS(copy_of_deleted, "wasm_foreign_copy", "object", "deleted before, by `wasm_foreign_delete`");
  ABORTS(foreign_twice, "wasm_foreign_delete", "object", "deleted before, by `wasm_foreign_delete`");
  ABORTS(value_twice, "wasm_val_delete", "v", "deleted before, by `wasm_val_delete`");
  ABORTS(vector_value_twice, "wasm_val_delete", "v", "deleted before, by `wasm_val_delete`");
  ABORTS(vector_value_used, "stepwell_val_v128", "val", "deleted before, by `wasm_val_delete`");
  ABORTS(vector_value_passed, "wasm_global_new", "value", "deleted before, by `wasm_val_delete`");
  ABORTS(lent_vector_deleted, "wasm_val_delete", "v", "no handle that Stepwell gave out");
  ABORTS(lent_vector_given, "wasm_val_delete", "v", "no handle that Stepwell gave out");

  ABORTS(config_given_and_deleted, "wasm_config_delete", "config", "given away before, by `wasm_engine_new_with_config`");
  ABORTS(config_given_twice, "wasm_engine_new_with_config", "config", "given away before");
  ABORTS(config_given_and_used, "stepwell_config_debug_set", "config", "given away before");
  ABORTS(content_given_twice, "wasm_globaltype_new", "content", "given away before, by `wasm_globaltype_new`");

  ABORTS(vector_twice, "wasm_byte_vec_delete", "vec", "deleted before, by `wasm_byte_vec_delete`");
  ABORTS(vector_given_twice, "wasm_functype_new", "params", "given away before, by `wasm_functype_new`");
  ABORTS(vector_given_and_deleted, "wasm_valtype_vec_delete", "vec", "given away before, by `wasm_functype_new`");
  ABORTS(element_deleted_twice, "wasm_valtype_delete", "ty", "deleted before");
  ABORTS(vector_not_ours, "wasm_byte_vec_delete", "vec", "not of Stepwell's");

  ABORTS(stack_pointer, "wasm_store_new", "engine", "no handle that Stepwell gave out");
  ABORTS(random_pointer, "wasm_store_new", "engine", "no handle that Stepwell gave out");
  ABORTS(wild_delete, "wasm_store_delete", "store", "no handle that Stepwell gave out");
  ABORTS(other_kind, "wasm_store_new", "engine", "of another kind: `wasm_store_t`, not `wasm_engine_t`");
  ABORTS(other_kind_deleted, "wasm_engine_delete", "engine", "of another kind: `wasm_config_t`, not `wasm_engine_t`");
  ABORTS(borrowed_deleted, "wasm_valtype_delete", "ty", "borrowed");

  ABORTS(all_is_well, "", "", NULL);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  return 0;
}
