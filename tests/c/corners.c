/* What is rare and must work, or be refused: callbacks that delete what is in use and call back in; names that are empty, of
 * all the world's letters, with a NUL inside, or there twice; very many imports. */
#include "check.h"

/* A module, written byte by byte. */
struct binary {
  unsigned char bytes[64 * 1024];
  size_t size;
};

static void put(struct binary *binary, unsigned byte) {
  CHECK(binary->size < sizeof(binary->bytes));
  binary->bytes[binary->size++] = (unsigned char)byte;
}

static void number(struct binary *binary, unsigned value) {
  for (; value >= 0x80; value >>= 7) put(binary, value | 0x80);
  put(binary, value);
}

static void text(struct binary *binary, const char *data, size_t size) {
  number(binary, (unsigned)size);
  for (size_t i = 0; i < size; i++) put(binary, (unsigned char)data[i]);
}

static void section(struct binary *binary, unsigned id, const struct binary *content) {
  put(binary, id);
  text(binary, (const char *)content->bytes, content->size);
}

/* `() -> ()` imports of these names from this module, and a function that calls all in order, exported by these names. */
static struct binary *build(const char *from, size_t imports, const char *const *names, const size_t *sizes, size_t exports) {
  static struct binary binary, content, code;
  static const char HEAD[] = "\0asm\1\0\0";
  binary.size = 0;
  for (size_t i = 0; i < sizeof(HEAD); i++) put(&binary, (unsigned char)HEAD[i]);
  content.size = 0;
  number(&content, 1);
  put(&content, 0x60);
  put(&content, 0);
  put(&content, 0);
  section(&binary, 1, &content);
  content.size = 0;
  number(&content, (unsigned)imports);
  for (size_t i = 0; i < imports; i++) {
    char name[32];
    int size = snprintf(name, sizeof(name), "f%d", (int)i);
    text(&content, from, strlen(from));
    text(&content, name, (size_t)size);
    put(&content, 0);
    put(&content, 0);
  }
  section(&binary, 2, &content);
  content.size = 0;
  number(&content, 1);
  number(&content, 0);
  section(&binary, 3, &content);
  content.size = 0;
  number(&content, (unsigned)exports);
  for (size_t i = 0; i < exports; i++) {
    text(&content, names[i], sizes[i]);
    put(&content, 0);
    number(&content, (unsigned)imports);
  }
  section(&binary, 7, &content);
  code.size = 0;
  put(&code, 0);
  for (size_t i = 0; i < imports; i++) {
    put(&code, 0x10);
    number(&code, (unsigned)i);
  }
  put(&code, 0x0b);
  content.size = 0;
  number(&content, 1);
  text(&content, (const char *)code.bytes, code.size);
  section(&binary, 10, &content);
  return &binary;
}

static stepwell_error_t *compile(wasm_store_t *store, const struct binary *binary, wasm_module_t **out) {
  wasm_byte_vec_t bytes;
  bytes.size = binary->size;
  bytes.data = (char *)(uintptr_t)binary->bytes;
  return stepwell_module_new(store, &bytes, out);
}

static int calls, finalized;

static void finalize(void *env) { ++*(int *)env; }

static wasm_trap_t *count(void *env, const wasm_val_vec_t *args, wasm_val_vec_t *results) {
  (void)env;
  CHECK(args->size == 0 && results->size == 0);
  calls++;
  return NULL;
}

static void call(const wasm_func_t *func) {
  wasm_val_vec_t none = WASM_EMPTY_VEC;
  CHECK(!wasm_func_call(func, &none, &none));
}

static void names(wasm_store_t *store) {
  /* NULs inside, letters of one to four bytes, nothing at all */
  static const char *const NAMES[] = {"", "a\0b", "\xc3\xa4\xe6\xbc\xa2\xf0\x9f\x8e\x89", " \n\t\"`", "a"};
  static const size_t SIZES[] = {0, 3, 9, 5, 1};
  static const char *const TWICE[] = {"same", "other", "same"};
  static const size_t TWICE_SIZES[] = {4, 5, 4};
  static const char *const BAD[] = {"\xff\xfe"};
  static const size_t BAD_SIZES[] = {2};
  wasm_module_t *module = NULL, *none = NULL;
  wasm_exporttype_vec_t exports;
  wasm_extern_vec_t items;
  wasm_instance_t *instance;
  wasm_extern_t *item;
  stepwell_linker_t *linker;
  wasm_message_t message;
  wasm_trap_t *trap;
  OK(compile(store, build("", 0, NAMES, SIZES, 5), &module));
  wasm_module_exports(module, &exports);
  CHECK(exports.size == 5);
  for (int i = 0; i < 5; i++) {
    const wasm_name_t *name = wasm_exporttype_name(exports.data[i]);
    CHECK(name->size == SIZES[i] && memcmp(name->data, NAMES[i], SIZES[i]) == 0);
  }
  wasm_exporttype_vec_delete(&exports);
  instance = check_instance(store, module);
  wasm_instance_exports(instance, &items);
  CHECK(items.size == 5);
  for (int i = 0; i < 5; i++) call(wasm_extern_as_func(items.data[i]));
  wasm_extern_vec_delete(&items);
  for (int i = 0; i < 5; i++) {
    if (i == 1) continue; /* no C string names it */
    item = stepwell_instance_export(instance, NAMES[i]);
    CHECK(item);
    wasm_extern_delete(item);
  }
  CHECK(!stepwell_instance_export(instance, "nobody"));
  LAST("nobody");
  CHECK(!stepwell_instance_export(instance, "\xff"));
  LAST("`name` is no valid UTF-8");
  wasm_instance_delete(instance);
  wasm_module_delete(module);

  FAILS(compile(store, build("", 0, TWICE, TWICE_SIZES, 3), &none), STEPWELL_ERROR_INVALID_MODULE, "same");
  FAILS(compile(store, build("", 0, BAD, BAD_SIZES, 1), &none), STEPWELL_ERROR_INVALID_MODULE, "UTF-8");
  CHECK(!none);

  /* a linker takes them, too */
  {
    wasm_engine_t *engine = wasm_engine_new();
    wasm_store_t *other = wasm_store_new(engine);
    wasm_functype_t *type = wasm_functype_new_0_0();
    linker = stepwell_linker_new(engine);
    OK(stepwell_linker_define_func(linker, "", "", type, count, NULL, NULL));
    OK(stepwell_linker_define_func(linker, NAMES[2], "f0", type, count, NULL, NULL));
    FAILS(stepwell_linker_define_func(linker, NAMES[2], "f0", type, count, &finalized, finalize), STEPWELL_ERROR_ARGUMENT,
          "is defined already");
    CHECK(finalized == 1);
    OK(compile(other, build(NAMES[2], 1, NAMES, SIZES, 1), &module));
    OK(stepwell_linker_instantiate(linker, other, module, &instance, NULL));
    item = stepwell_instance_export(instance, "");
    calls = 0;
    call(wasm_extern_as_func(item));
    CHECK(calls == 1);
    wasm_extern_delete(item);
    wasm_instance_delete(instance);
    wasm_module_delete(module);
    wasm_functype_delete(type);
    stepwell_linker_delete(linker);
    wasm_store_delete(other);
    wasm_engine_delete(engine);
  }

  /* a message with a NUL inside is shown whole, and ends with one */
  wasm_byte_vec_new(&message, 3, "a\0b");
  trap = wasm_trap_new(store, &message);
  CHECK(trap);
  wasm_byte_vec_delete(&message);
  wasm_trap_message(trap, &message);
  CHECK(message.size == 4 && memcmp(message.data, "a\0b", 4) == 0);
  wasm_byte_vec_delete(&message);
  wasm_trap_delete(trap);
}

enum { MANY = 1000 };

static void very_many_imports(wasm_store_t *store) {
  static const char *const NAMES[] = {"run"};
  static const size_t SIZES[] = {3};
  wasm_functype_t *type = wasm_functype_new_0_0();
  wasm_extern_t *imports[MANY];
  wasm_extern_vec_t imports_vec = WASM_ARRAY_VEC(imports);
  wasm_importtype_vec_t types;
  wasm_module_t *module = NULL;
  wasm_instance_t *instance;
  wasm_func_t *run;
  OK(compile(store, build("m", MANY, NAMES, SIZES, 1), &module));
  wasm_module_imports(module, &types);
  CHECK(types.size == MANY && name_is(wasm_importtype_name(types.data[999]), "f999"));
  wasm_importtype_vec_delete(&types);
  finalized = 0;
  for (int i = 0; i < MANY; i++) {
    imports[i] = wasm_func_as_extern(wasm_func_new_with_env(store, type, count, &finalized, finalize));
    CHECK(imports[i]);
  }
  imports_vec.size = MANY - 1;
  CHECK(!wasm_instance_new(store, module, &imports_vec, NULL));
  LAST("\"f999\" is missing");
  imports_vec.size = MANY;
  instance = wasm_instance_new(store, module, &imports_vec, NULL);
  CHECK(instance);
  for (int i = 0; i < MANY; i++) wasm_extern_delete(imports[i]);
  run = check_func(instance, "run");
  wasm_instance_delete(instance);
  OK(stepwell_store_collect(store));
  CHECK(finalized == 0);
  calls = 0;
  call(run);
  CHECK(calls == MANY);
  wasm_func_delete(run);
  OK(stepwell_store_collect(store));
  CHECK(finalized == MANY);
  wasm_module_delete(module);
  wasm_functype_delete(type);
}

/* What a callback deletes while it is in use. */
static struct {
  wasm_engine_t *engine;
  wasm_store_t *store;
  wasm_module_t *module;
  wasm_instance_t *instance;
  wasm_func_t *host, *run;
  stepwell_linker_t *linker;
} in_use;

static int depth;

static wasm_trap_t *delete_all(void *env, const wasm_val_vec_t *args, wasm_val_vec_t *results) {
  (void)args;
  (void)results;
  CHECK(*(int *)env == 0);
  calls++;
  if (depth < 3) {
    /* back in, from where this is called again */
    depth++;
    call(in_use.run);
    depth--;
    return NULL;
  }
  if (!in_use.module) return NULL;
  wasm_store_delete(in_use.store);
  LAST("inside a callback");
  wasm_module_delete(in_use.module);
  wasm_instance_delete(in_use.instance);
  wasm_func_delete(in_use.host);
  wasm_engine_delete(in_use.engine);
  stepwell_linker_delete(in_use.linker);
  in_use.module = NULL;
  for (int i = 0; i < 5000; i++) wasm_foreign_delete(wasm_foreign_new(in_use.store));
  CHECK(*(int *)env == 0);
  return NULL;
}

static void callbacks_that_delete(void) {
  static const char *const NAMES[] = {"run"};
  static const size_t SIZES[] = {3};
  wasm_functype_t *type = wasm_functype_new_0_0();
  wasm_extern_t *imports[1], *item;
  wasm_extern_vec_t imports_vec = WASM_ARRAY_VEC(imports);
  in_use.engine = wasm_engine_new();
  in_use.store = wasm_store_new(in_use.engine);
  in_use.linker = stepwell_linker_new(in_use.engine);
  finalized = 0;
  in_use.host = wasm_func_new_with_env(in_use.store, type, delete_all, &finalized, finalize);
  OK(compile(in_use.store, build("", 1, NAMES, SIZES, 1), &in_use.module));
  imports[0] = wasm_func_as_extern(in_use.host);
  OK(stepwell_linker_define(in_use.linker, "", "f0", imports[0]));
  in_use.instance = wasm_instance_new(in_use.store, in_use.module, &imports_vec, NULL);
  CHECK(in_use.instance);
  item = stepwell_instance_export(in_use.instance, "run");
  in_use.run = wasm_func_copy(wasm_extern_as_func(item));
  wasm_extern_delete(item);
  calls = 0;
  call(in_use.run);
  CHECK(calls == 4 && finalized == 0 && !in_use.module);
  depth = 3;
  call(in_use.run);
  CHECK(calls == 5);
  OK(stepwell_store_collect(in_use.store));
  CHECK(finalized == 0);
  wasm_func_delete(in_use.run);
  OK(stepwell_store_collect(in_use.store));
  CHECK(finalized == 1 && stepwell_store_object_count(in_use.store) == 0);
  wasm_store_delete(in_use.store);
  wasm_functype_delete(type);
}

int main(void) {
  wasm_engine_t *engine = wasm_engine_new();
  wasm_store_t *store = wasm_store_new(engine);
  names(store);
  very_many_imports(store);
  callbacks_that_delete();
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  return 0;
}
