/* Events as stops: what is told of modules, instances, memories and calls of the host. */
#include "check.h"

struct seen {
  char text[2048];
  stepwell_action_t answer;
  wasm_memory_t *deleted; /* by the callback, if there is one */
};

static void note(struct seen *seen, const char *text) { strncat(seen->text, text, sizeof(seen->text) - strlen(seen->text) - 1); }

static stepwell_action_t on_stop(void *env, stepwell_stop_t *stop) {
  struct seen *seen = env;
  wasm_val_t values[4] = {WASM_INIT_VAL, WASM_INIT_VAL, WASM_INIT_VAL, WASM_INIT_VAL};
  char text[200];
  wasm_module_t *module = stepwell_stop_module(stop);
  wasm_instance_t *instance = stepwell_stop_instance(stop);
  wasm_memory_t *memory = stepwell_stop_memory(stop);
  wasm_func_t *func = stepwell_stop_host_func(stop);
  const stepwell_stop_reason_t reason = stepwell_stop_reason(stop);
  const size_t count = stepwell_stop_host_values(stop, NULL, 0), frames = stepwell_stop_frame_count(stop);
  CHECK(stepwell_stop_host_values(stop, values, 1) == count && stepwell_stop_host_values(stop, values, 4) == count);
  CHECK(!stepwell_last_error());
  switch (reason) {
    case STEPWELL_STOP_MODULE:
      CHECK(module && !instance && !memory && !func && !count && !frames);
      note(seen, "module ");
      break;
    case STEPWELL_STOP_INSTANCE: {
      wasm_global_t *started = stepwell_instance_global(instance, 0);
      wasm_val_t val;
      CHECK(module && instance && !memory && !func && !count && !frames);
      wasm_global_get(started, &val);
      CHECK(val.of.i32 == 0);
      wasm_global_delete(started);
      note(seen, "instance ");
      break;
    }
    case STEPWELL_STOP_MEMORY_GROWN:
      CHECK(!module && !instance && memory && !func && !count);
      snprintf(text, sizeof(text), "grown %d->%d %d ", (int)stepwell_stop_memory_old_size(stop), (int)stepwell_memory_size(memory), (int)frames);
      note(seen, text);
      if (seen->deleted) wasm_memory_delete(seen->deleted);
      break;
    case STEPWELL_STOP_HOST_CALL:
    case STEPWELL_STOP_HOST_RETURN:
      CHECK(!module && !instance && !memory && func && frames == 1);
      CHECK(strcmp(stepwell_stop_import_module(stop), "host") == 0);
      snprintf(text, sizeof(text), "%s %s %d:%d%s ", reason == STEPWELL_STOP_HOST_CALL ? "call" : "return",
               stepwell_stop_import_name(stop), (int)count, count ? (int)values[0].of.i32 : 0,
               stepwell_stop_host_failed(stop) ? " failed" : "");
      note(seen, text);
      break;
    case STEPWELL_STOP_TRAP:
      CHECK(!stepwell_stop_import_module(stop) && !stepwell_stop_import_name(stop) && !stepwell_stop_host_failed(stop));
      note(seen, "trap ");
      break;
    default: CHECK(!"no such reason");
  }
  wasm_module_delete(module);
  wasm_instance_delete(instance);
  wasm_memory_delete(memory);
  wasm_func_delete(func);
  return seen->answer;
}

static wasm_trap_t *add(const wasm_val_vec_t *args, wasm_val_vec_t *results) {
  results->data[0].kind = WASM_I64;
  results->data[0].of.i64 = args->data[0].of.i32 + args->data[1].of.i64;
  return NULL;
}

static wasm_store_t *the_store;

static wasm_trap_t *fail(const wasm_val_vec_t *args, wasm_val_vec_t *results) {
  wasm_message_t message;
  wasm_trap_t *trap;
  (void)results;
  if (!args->data[0].of.i32) return NULL;
  wasm_name_new_from_string_nt(&message, "as asked");
  trap = wasm_trap_new(the_store, &message);
  wasm_name_delete(&message);
  return trap;
}

static wasm_instance_t *make(wasm_store_t *store, const wasm_module_t *module, stepwell_error_t **error) {
  wasm_importtype_vec_t imports;
  wasm_extern_t *items[2];
  wasm_func_t *funcs[2];
  wasm_instance_t *instance = NULL;
  wasm_extern_vec_t given = WASM_ARRAY_VEC(items);
  wasm_module_imports(module, &imports);
  for (int i = 0; i < 2; i++) {
    funcs[i] = wasm_func_new(store, wasm_externtype_as_functype_const(wasm_importtype_type(imports.data[i])), i ? fail : add);
    items[i] = wasm_func_as_extern(funcs[i]);
  }
  *error = stepwell_instance_new(store, module, &given, &instance, NULL);
  for (int i = 0; i < 2; i++) wasm_func_delete(funcs[i]);
  wasm_importtype_vec_delete(&imports);
  return instance;
}

static wasm_trap_t *call(wasm_instance_t *instance, const char *name, int32_t arg) {
  wasm_func_t *func = check_func(instance, name);
  wasm_val_t args[1], out[1] = {WASM_INIT_VAL};
  wasm_val_vec_t given = {wasm_func_param_arity(func), args}, results = {wasm_func_result_arity(func), out};
  wasm_trap_t *trap;
  args[0] = val_i32(arg);
  trap = wasm_func_call(func, &given, &results);
  wasm_func_delete(func);
  return trap;
}

#define TOLD(expected) (told(&seen, (expected), __LINE__))

static void told(struct seen *seen, const char *expected, int line) {
  if (strcmp(seen->text, expected)) {
    fprintf(stderr, "%s:%d: told \"%s\", not \"%s\"\n", __FILE__, line, seen->text, expected);
    exit(1);
  }
  seen->text[0] = 0;
}

int main(void) {
  wasm_config_t *config = wasm_config_new();
  struct seen seen = {"", STEPWELL_ACTION_CONTINUE, NULL};
  wasm_engine_t *engine;
  wasm_store_t *store;
  wasm_module_t *module;
  wasm_instance_t *instance;
  wasm_trap_t *trap;
  stepwell_debugger_t *debugger;
  stepwell_error_t *error;
  stepwell_config_debug_set(config, true);
  engine = wasm_engine_new_with_config(config);
  the_store = store = wasm_store_new(engine);
  module = MODULE(store, EVENTS);
  OK(stepwell_debugger_attach(store, on_stop, &seen, NULL, &debugger));
  CHECK(stepwell_debugger_events(debugger) == STEPWELL_EVENT_TRAP);
  FAILS(stepwell_debugger_events_set(debugger, 0x141), STEPWELL_ERROR_ARGUMENT, "0x140 is no event");
  FAILS(stepwell_debugger_events_set(NULL, 1), STEPWELL_ERROR_ARGUMENT, "debugger");
  OK(stepwell_debugger_events_set(debugger, 63));
  CHECK(stepwell_debugger_events(debugger) == 63);
  /* An instantiation that is refused. */
  seen.answer = STEPWELL_ACTION_TRAP;
  instance = make(store, module, &error);
  CHECK(!instance);
  FAILS(error, STEPWELL_ERROR_TRAP, "ended by the debugger");
  TOLD("module ");
  seen.answer = STEPWELL_ACTION_CONTINUE;
  instance = make(store, module, &error);
  OK(error);
  TOLD("module instance ");
  CHECK(!call(instance, "add", 2));
  TOLD("call add 2:2 return add 1:42 ");
  CHECK(!call(instance, "fail", 0));
  TOLD("call fail 1:0 return fail 0:0 ");
  trap = call(instance, "fail", 1);
  CHECK(trap && strcmp(stepwell_trap_message(trap), "as asked") == 0);
  wasm_trap_delete(trap);
  TOLD("call fail 1:1 return fail 0:0 failed ");
  CHECK(!call(instance, "grow", 1));
  CHECK(!call(instance, "grow", 100));
  TOLD("grown 1->2 1 ");
  trap = call(instance, "trap", 0);
  CHECK(trap);
  wasm_trap_delete(trap);
  TOLD("trap ");
  /* The host grows it by a handle that the callback deletes. */
  seen.deleted = stepwell_instance_memory(instance, 0);
  CHECK(wasm_memory_grow(seen.deleted, 1));
  seen.deleted = stepwell_instance_memory(instance, 0);
  {
    uint64_t before = 0;
    OK(stepwell_memory_grow(seen.deleted, 1, &before));
    CHECK(before == 3);
  }
  seen.deleted = NULL;
  TOLD("grown 2->3 0 grown 3->4 0 ");
  OK(stepwell_debugger_events_set(debugger, 0));
  trap = call(instance, "trap", 0);
  CHECK(trap && !call(instance, "add", 1));
  wasm_trap_delete(trap);
  TOLD("");
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  stepwell_debugger_delete(debugger);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  return 0;
}
