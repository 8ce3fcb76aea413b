/* Variables of the source as objects: found by scope and by path, their parts, pages of children, new values, and after the stop. */
#include "check.h"

static stepwell_variable_t *left_over, *left_scope;
static int stops, changes, ends;
static stepwell_watchpoint_t watchpoint;

static void type_is(const stepwell_variable_t *variable, const char *text) {
  wasm_message_t found;
  OK(stepwell_variable_type_name(variable, &found));
  CHECK(strcmp(found.data, text) == 0 && found.size == strlen(text) + 1);
  wasm_byte_vec_delete(&found);
}

static void text_is(const stepwell_variable_t *variable, const char *text) {
  wasm_message_t found;
  OK(stepwell_variable_text(variable, &found));
  CHECK(strcmp(found.data, text) == 0 && found.size == strlen(text) + 1);
  wasm_byte_vec_delete(&found);
}

static void name_of(const stepwell_variable_t *variable, const char *text) {
  size_t size = 0;
  CHECK(strcmp(stepwell_variable_name(variable, &size), text) == 0 && size == strlen(text));
  CHECK(strcmp(stepwell_variable_name(variable, NULL), text) == 0);
}

/* The children of one, all of which must fit. */
static size_t children(const stepwell_variable_t *variable, stepwell_variable_t **page, size_t capacity) {
  uint64_t count = 0;
  size_t written = 0;
  OK(stepwell_variable_child_count(variable, &count));
  OK(stepwell_variable_children(variable, 0, capacity, page, &written));
  CHECK(written == count && count <= capacity);
  return written;
}

static void delete_all(stepwell_variable_t **page, size_t count) {
  while (count > 0) stepwell_variable_delete(page[--count]);
}

static stepwell_action_t on_stop(void *env, stepwell_stop_t *stop) {
  const stepwell_frame_t *frame = stepwell_stop_frame(stop, 0), *caller = stepwell_stop_frame(stop, 1);
  stepwell_variable_t *scope, *variable = NULL, *page[32], *inner[4];
  stepwell_number_t number;
  uint64_t size = 0, address = 0, count = 0;
  size_t written = 99, all;
  stepwell_watchpoint_t none = 99;
  stepwell_debugger_t *debugger = stepwell_stop_debugger(stop);
  (void)env;
  if (stepwell_stop_reason(stop) == STEPWELL_STOP_WATCHPOINT) {
    /* `limit` becomes 0, and is gone. */
    CHECK(stepwell_stop_watchpoint_count(stop) == 1 && stepwell_stop_watchpoint(stop, 0) == watchpoint);
    CHECK(stepwell_stop_watchpoint_address(stop, 0) < UINT64_MAX);
    if (stepwell_stop_watchpoint_is_end(stop, 0)) ends++;
    else changes++;
    return STEPWELL_ACTION_CONTINUE;
  }
  stops++;

  /* Scopes. */
  OK(stepwell_frame_variables(frame, 0, STEPWELL_SCOPE_PARAMETERS, &scope));
  CHECK(stepwell_variable_kind(scope) == STEPWELL_VARIABLE_SCOPE && stepwell_variable_scope(scope) == STEPWELL_SCOPE_PARAMETERS);
  name_of(scope, "parameters");
  type_is(scope, "");
  text_is(scope, "");
  FAILS(stepwell_variable_number(scope, &number), STEPWELL_ERROR_ARGUMENT, "is a scope");
  FAILS(stepwell_variable_assign(scope, "1"), STEPWELL_ERROR_ARGUMENT, "is a scope");
  FAILS(stepwell_debugger_watch_variable(debugger, scope, STEPWELL_WATCH_KIND_WRITE, &none), STEPWELL_ERROR_ARGUMENT, "is a scope");
  CHECK(!stepwell_variable_address(scope, &address) && !stepwell_variable_missing(scope));
  CHECK(children(scope, page, 32) == 2);
  name_of(page[0], "from");
  type_is(page[0], "const node *");
  CHECK(stepwell_variable_kind(page[0]) == STEPWELL_VARIABLE_POINTER && stepwell_variable_scope(page[0]) == STEPWELL_SCOPE_PARAMETERS);
  CHECK(stepwell_variable_line(page[0]) == 24 && stepwell_variable_depth(page[0]) == 0 && !stepwell_variable_is_shadowed(page[0]));
  name_of(page[1], "limit");
  text_is(page[1], "5");
  OK(stepwell_variable_number(page[1], &number));
  CHECK(number.kind == STEPWELL_NUMBER_SIGNED && number.low == 5 && number.high == 0 && number.real == 5);
  OK(stepwell_variable_size(page[1], &size));
  CHECK(size == 4 && stepwell_variable_address(page[1], &address) && address > 0);
  OK(stepwell_variable_child_count(page[1], &count));
  CHECK(count == 0);

  /* A pointer's child, and its children, in pages. */
  OK(stepwell_variable_children(page[0], 0, 4, inner, &written));
  CHECK(written == 1 && stepwell_variable_scope(inner[0]) == 0);
  name_of(inner[0], "*");
  CHECK(stepwell_variable_kind(inner[0]) == STEPWELL_VARIABLE_STRUCTURE);
  variable = inner[0];
  OK(stepwell_variable_children(variable, 1, 4, inner, &written));
  CHECK(written == 1);
  name_of(inner[0], "next");
  delete_all(inner, written);
  OK(stepwell_variable_children(variable, 2, 4, inner, &written));
  CHECK(written == 0);
  OK(stepwell_variable_children(variable, UINT64_MAX, 4, inner, &written));
  CHECK(written == 0);
  OK(stepwell_variable_children(scope, UINT64_MAX, SIZE_MAX, inner, &written));
  CHECK(written == 0);
  OK(stepwell_variable_children(variable, 0, 0, NULL, &written));
  CHECK(written == 0);
  FAILS(stepwell_variable_children(variable, 0, 1, NULL, &written), STEPWELL_ERROR_ARGUMENT, "`out` must not be NULL");
  FAILS(stepwell_variable_children(variable, 0, 1, inner, NULL), STEPWELL_ERROR_ARGUMENT, "`count_out` must not be NULL");
  stepwell_variable_delete(variable);
  /* What is deleted takes nothing with it. */
  stepwell_variable_delete(scope);
  text_is(page[1], "5");

  /* Another value. */
  FAILS(stepwell_variable_assign(page[1], "many"), STEPWELL_ERROR_ARGUMENT, "no variable `many`");
  OK(stepwell_variable_assign(page[1], "1"));
  text_is(page[1], "1");

  /* Watched, with its value of now. */
  FAILS(stepwell_debugger_watch_variable(debugger, page[1], 9, &none), STEPWELL_ERROR_ARGUMENT, "no kind of watchpoint");
  FAILS(stepwell_debugger_watch_variable(debugger, NULL, STEPWELL_WATCH_KIND_WRITE, &none), STEPWELL_ERROR_ARGUMENT, "variable");
  FAILS(stepwell_debugger_watch_variable(NULL, page[1], STEPWELL_WATCH_KIND_WRITE, &none), STEPWELL_ERROR_ARGUMENT, "debugger");
  OK(stepwell_debugger_watch_variable(debugger, page[1], STEPWELL_WATCH_KIND_CHANGE, &watchpoint));
  CHECK(none == 99 && stepwell_watchpoint_kind(debugger, watchpoint) == STEPWELL_WATCH_KIND_CHANGE);
  delete_all(page, 2);

  /* In a caller: two of one name, structures, what is missing. */
  OK(stepwell_frame_variables(caller, 0, STEPWELL_SCOPE_LOCALS, &scope));
  all = children(scope, page, 32);
  CHECK(all == 2);
  name_of(page[0], "all");
  stepwell_variable_delete(scope);
  OK(stepwell_frame_variables(caller, 0, STEPWELL_SCOPE_STATICS, &scope));
  CHECK(children(scope, page + all, 30) == 4);
  name_of(page[all + 1], "pinned");
  CHECK(strstr(stepwell_variable_missing(page[all + 1]), "optimised out") && !stepwell_variable_missing(page[0]));
  FAILS(stepwell_variable_number(page[all + 1], &number), STEPWELL_ERROR_STATE, "optimised out");
  FAILS(stepwell_debugger_watch_variable(debugger, page[all + 1], STEPWELL_WATCH_KIND_WRITE, NULL), STEPWELL_ERROR_STATE, "optimised out");
  OK(stepwell_variable_child_count(page[all + 1], &count));
  CHECK(count == 0);
  delete_all(page, all + 4);
  left_scope = scope;

  /* By path, and what there is not. */
  OK(stepwell_frame_variable(caller, 0, "all.d", &variable));
  OK(stepwell_variable_number(variable, &number));
  CHECK(number.kind == STEPWELL_NUMBER_FLOAT && number.real == -2.25 && number.low == 0 && number.high == 0);
  stepwell_variable_delete(variable);
  OK(stepwell_frame_variable(caller, 0, "all.ll", &variable));
  OK(stepwell_variable_number(variable, &number));
  CHECK((int64_t)number.low == -5000000000 && number.high == UINT64_MAX);
  name_of(variable, "all.ll");
  left_over = variable;
  FAILS(stepwell_frame_variable(caller, 0, "nobody", &variable), STEPWELL_ERROR_ARGUMENT, "no variable `nobody`");
  FAILS(stepwell_frame_variable(caller, 1, "n", &variable), STEPWELL_ERROR_ARGUMENT, "no function 1 of the source here");
  FAILS(stepwell_frame_variables(caller, SIZE_MAX, STEPWELL_SCOPE_LOCALS, &variable), STEPWELL_ERROR_ARGUMENT, "there are 1");
  FAILS(stepwell_frame_variables(caller, 0, 0, &variable), STEPWELL_ERROR_ARGUMENT, "`scope` is 0, which is no scope");
  CHECK(variable == left_over);
  return STEPWELL_ACTION_CONTINUE;
}

int main(void) {
  wasm_config_t *config = wasm_config_new();
  wasm_engine_t *engine;
  wasm_store_t *store;
  wasm_byte_vec_t binary, text;
  wasm_module_t *shapes;
  wasm_instance_t *instance;
  wasm_func_t *run;
  stepwell_debugger_t *debugger;
  stepwell_variable_t *page[1];
  stepwell_number_t number;
  uint64_t count;
  size_t offset, written;
  stepwell_config_debug_set(config, true);
  engine = wasm_engine_new_with_config(config);
  store = wasm_store_new(engine);
  read_beside("../support/dwarf/c0_5.wasm", &binary);
  OK(stepwell_module_new(store, &binary, &shapes));
  wasm_byte_vec_delete(&binary);
  OK(stepwell_debugger_attach(store, on_stop, NULL, NULL, &debugger));
  CHECK(stepwell_module_source_find(shapes, "shapes.c", 25, 0, &offset));
  OK(stepwell_breakpoint_add(debugger, shapes, offset, NULL));
  instance = wasm_instance_new(store, shapes, NULL, NULL);
  run = check_func(instance, "run");
  /* One node instead of three: 1 * 1 + 2, 5 and -300. */
  CHECK(call_i32(run, 5) == 3 + 5 - 300 && stops == 1 && changes == 1 && ends == 1);
  CHECK(stepwell_debugger_watchpoint_count(debugger) == 0);

  /* Behind the stop, names are left, and errors. */
  name_of(left_over, "all.ll");
  name_of(left_scope, "statics");
  CHECK(stepwell_variable_scope(left_scope) == STEPWELL_SCOPE_STATICS && stepwell_variable_line(left_over) == 0);
  FAILS(stepwell_variable_text(left_over, &text), STEPWELL_ERROR_ARGUMENT, "`variable` is used after its stop callback returned");
  FAILS(stepwell_variable_text(left_scope, &text), STEPWELL_ERROR_ARGUMENT, "`variable` is used after its stop callback returned");
  FAILS(stepwell_variable_number(left_over, &number), STEPWELL_ERROR_ARGUMENT, "after its stop");
  FAILS(stepwell_variable_size(left_over, &count), STEPWELL_ERROR_ARGUMENT, "after its stop");
  FAILS(stepwell_variable_child_count(left_scope, &count), STEPWELL_ERROR_ARGUMENT, "after its stop");
  FAILS(stepwell_variable_children(left_scope, 0, 1, page, &written), STEPWELL_ERROR_ARGUMENT, "after its stop");
  FAILS(stepwell_variable_assign(left_over, "1"), STEPWELL_ERROR_ARGUMENT, "after its stop");
  FAILS(stepwell_debugger_watch_variable(debugger, left_over, STEPWELL_WATCH_KIND_WRITE, NULL), STEPWELL_ERROR_ARGUMENT, "after its stop");
  CHECK(stepwell_variable_kind(left_over) == 0);
  LAST("after its stop");
  CHECK(!stepwell_variable_missing(left_over));
  LAST("after its stop");
  CHECK(!stepwell_variable_address(left_over, &count));
  LAST("after its stop");
  stepwell_debugger_delete(debugger);
  wasm_func_delete(run);
  wasm_instance_delete(instance);
  wasm_module_delete(shapes);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  name_of(left_over, "all.ll");
  stepwell_variable_delete(left_over);
  stepwell_variable_delete(left_scope);
  stepwell_variable_delete(NULL);
  return 0;
}
