/* Source positions: of modules, of a trap's frames, of a stop's. */
#include "check.h"

static wasm_module_t *module; /* in one store, for as long as all this runs */
static const stepwell_frame_t *stale;
static int stops;

static void is(const stepwell_source_t *source, const char *function, const char *file) {
  CHECK(source->function && strcmp(source->function, function) == 0);
  CHECK(source->file && strcmp(source->file, file) == 0);
  CHECK(source->line > 0 && source->column > 0);
}

static stepwell_action_t on_stop(void *env, stepwell_stop_t *stop) {
  const stepwell_frame_t *frame = stepwell_stop_frame(stop, 0);
  stepwell_source_t source, same;
  (void)env;
  stops++;
  stale = frame;
  CHECK(stepwell_frame_source_count(frame) == 3);
  CHECK(stepwell_frame_source(frame, 0, &source));
  is(&source, "quotient", "program.h");
  CHECK(stepwell_module_source(module, stepwell_frame_offset(frame), 0, &same));
  CHECK(source.file == same.file && source.function == same.function && source.line == same.line);
  CHECK(stepwell_frame_source(frame, 2, &source));
  is(&source, "divide", "program.c");
  CHECK(!stepwell_frame_source(frame, 3, &source) && !stepwell_frame_source(frame, SIZE_MAX, &source));
  CHECK(!stepwell_frame_source(frame, 0, NULL));
  LAST("`out` must not be NULL");
  return STEPWELL_ACTION_CONTINUE;
}

/* Split DWARF: names and what is inlined are in a file beside the module. */
static void split(wasm_store_t *store) {
  wasm_byte_vec_t binary, package, none = WASM_EMPTY_VEC;
  wasm_module_t *first, *second;
  wasm_shared_module_t *shared;
  stepwell_source_t source;
  stepwell_error_t *error;
  const char *name;
  size_t offset, size = 0;
  read_beside("../support/split/split5.wasm", &binary);
  read_beside("../support/split/split5.dwp", &package);
  OK(stepwell_module_new(store, &binary, &first));
  shared = wasm_module_share(first);
  second = wasm_module_obtain(store, shared);
  wasm_shared_module_delete(shared);
  CHECK(stepwell_module_source_find(first, "orders.h", 14, 0, &offset));
  CHECK(stepwell_module_source_count(first, offset) == 1);
  CHECK(stepwell_module_source(first, offset, 0, &source) && !source.function && source.line == 14);
  CHECK(stepwell_module_split_dwarf_missing(first) == 3);
  name = stepwell_module_split_dwarf_missing_name(first, 1, &size);
  CHECK(name && size == 10 && strcmp(name, "orders.dwo") == 0);
  CHECK(!stepwell_module_split_dwarf_missing_name(first, 3, NULL) && !stepwell_module_split_dwarf_missing_name(first, SIZE_MAX, NULL));
  error = stepwell_module_split_dwarf_add(first, &binary);
  CHECK(stepwell_error_code(error) == STEPWELL_ERROR_ARGUMENT);
  stepwell_error_delete(error);
  error = stepwell_module_split_dwarf_add(first, &none);
  CHECK(stepwell_error_code(error) == STEPWELL_ERROR_ARGUMENT);
  stepwell_error_delete(error);
  error = stepwell_module_split_dwarf_add(first, NULL);
  CHECK(stepwell_error_code(error) == STEPWELL_ERROR_ARGUMENT);
  stepwell_error_delete(error);
  OK(stepwell_module_split_dwarf_add(first, &package));
  wasm_byte_vec_delete(&package);
  wasm_byte_vec_delete(&binary);
  wasm_module_delete(first);
  /* Every handle of the module has it, and what was given out before stays. */
  CHECK(source.file && strcmp(source.file, "orders.h") == 0);
  CHECK(stepwell_module_split_dwarf_missing(second) == 0);
  CHECK(stepwell_module_source_count(second, offset) == 3);
  CHECK(stepwell_module_source(second, offset, 0, &source));
  is(&source, "quotient", "orders.h");
  CHECK(stepwell_module_source(second, offset, 2, &source));
  is(&source, "discount", "orders.c");
  wasm_module_delete(second);
}

/* The frame of a stop at which an expression calls. */
static const stepwell_frame_t *calling;

/* Expressions that assign and call; where they are wrong. */
static void expressions(const stepwell_frame_t *frame) {
  const uint32_t both = STEPWELL_EVALUATE_ASSIGN | STEPWELL_EVALUATE_CALL;
  stepwell_variable_t *found = NULL;
  stepwell_number_t number;
  stepwell_error_t *error;
  wasm_message_t text;
  size_t first = 0, behind = 0;
  OK(stepwell_frame_evaluate(frame, "at->key + limit * 2 == 11 ? (char)'x' : 0", &text, NULL));
  CHECK(strcmp(text.data, "120") == 0);
  wasm_byte_vec_delete(&text);
  FAILS(stepwell_frame_expression(frame, 0, "limit = 4", 0, &found), STEPWELL_ERROR_ARGUMENT, "assignments are not allowed here");
  FAILS(stepwell_frame_expression(frame, 0, "run(0)", STEPWELL_EVALUATE_ASSIGN, &found), STEPWELL_ERROR_ARGUMENT, "calls are not allowed here");
  FAILS(stepwell_frame_expression(frame, 0, "limit", 4, &found), STEPWELL_ERROR_ARGUMENT, "`flags` is 0x4");
  FAILS(stepwell_frame_expression(frame, 9, "limit", 0, &found), STEPWELL_ERROR_ARGUMENT, "no function 9");
  FAILS(stepwell_frame_expression(frame, 0, NULL, 0, &found), STEPWELL_ERROR_ARGUMENT, "`text`");
  OK(stepwell_frame_expression(frame, 0, "limit = at->key + 3", STEPWELL_EVALUATE_ASSIGN, &found));
  OK(stepwell_variable_number(found, &number));
  CHECK(number.low == 4 && strcmp(stepwell_variable_name(found, NULL), "limit = at->key + 3") == 0);
  stepwell_variable_delete(found);
  /* It stops in turn; who is called cannot use this stop. */
  calling = frame;
  OK(stepwell_frame_expression(frame, 0, "limit + run(1)", both, &found));
  CHECK(!calling);
  OK(stepwell_variable_number(found, &number));
  CHECK(number.kind == STEPWELL_NUMBER_SIGNED && (int64_t)number.low == 4 + 1 + 2 + 1 - 300);
  stepwell_variable_delete(found);
  OK(stepwell_frame_expression(frame, 0, "limit = 5", both, &found));
  stepwell_variable_delete(found);
  error = stepwell_frame_expression(frame, 0, "1 + 2 / (limit - 5)", 0, &found);
  CHECK(error && stepwell_error_columns(error, &first, &behind) && first == 7 && behind == 8);
  CHECK(stepwell_error_columns(error, NULL, NULL) && strstr(stepwell_error_message(error), "at column 7: a division by zero"));
  stepwell_error_delete(error);
  error = stepwell_frame_expression(frame, 9, "1", 0, &found);
  CHECK(error && !stepwell_error_columns(error, &first, &behind));
  stepwell_error_delete(error);
}

static stepwell_action_t on_variables(void *env, stepwell_stop_t *stop) {
  const stepwell_frame_t *frame = stepwell_stop_frame(stop, 0);
  wasm_message_t text, type;
  if (calling) {
    FAILS(stepwell_frame_evaluate(calling, "limit", &text, NULL), STEPWELL_ERROR_STATE, "is calling");
    calling = NULL;
    OK(stepwell_frame_evaluate(frame, "limit", &text, NULL));
    CHECK(strcmp(text.data, "1") == 0);
    wasm_byte_vec_delete(&text);
    return STEPWELL_ACTION_CONTINUE;
  }
  *(int *)env += 1;
  expressions(frame);
  OK(stepwell_frame_evaluate(frame, "from->next->key", &text, &type));
  CHECK(strcmp(text.data, "2") == 0 && text.size == 2 && strcmp(type.data, "int") == 0 && type.size == 4);
  wasm_byte_vec_delete(&text);
  wasm_byte_vec_delete(&type);
  OK(stepwell_frame_evaluate(stepwell_stop_frame(stop, 1), "shadow", &text, NULL));
  CHECK(strcmp(text.data, "5") == 0);
  wasm_byte_vec_delete(&text);
  FAILS(stepwell_frame_evaluate(frame, "nobody", &text, &type), STEPWELL_ERROR_ARGUMENT, "no variable `nobody`");
  FAILS(stepwell_frame_evaluate(frame, "limit", NULL, &type), STEPWELL_ERROR_ARGUMENT, "text_out");
  FAILS(stepwell_frame_assign(frame, "limit", "many"), STEPWELL_ERROR_ARGUMENT, "no variable `many`");
  FAILS(stepwell_frame_assign(frame, "nodes", "1"), STEPWELL_ERROR_ARGUMENT, "only numbers can be written");
  OK(stepwell_frame_assign(frame, "limit", "1"));
  OK(stepwell_frame_assign(frame, "at->key", "10"));
  OK(stepwell_frame_evaluate(frame, "from->key", &text, NULL));
  CHECK(strcmp(text.data, "10") == 0);
  wasm_byte_vec_delete(&text);
  return STEPWELL_ACTION_CONTINUE;
}

/* Variables of the source: run(5) of shapes.c adds 5 and -300 to key * key + 2 * key of as many nodes as `limit` says. */
static void variables(wasm_store_t *store) {
  wasm_byte_vec_t binary;
  wasm_module_t *shapes;
  wasm_instance_t *instance;
  wasm_extern_t *run;
  stepwell_debugger_t *debugger;
  stepwell_breakpoint_t at, other, by_name;
  stepwell_source_t source;
  wasm_module_t *found;
  size_t offset;
  int seen = 0;
  wasm_val_t args[1] = {WASM_I32_VAL(5)}, results[1];
  wasm_val_vec_t args_vec = WASM_ARRAY_VEC(args), results_vec = WASM_ARRAY_VEC(results);
  read_beside("../support/dwarf/c0_4.wasm", &binary);
  OK(stepwell_module_new(store, &binary, &shapes));
  wasm_byte_vec_delete(&binary);
  OK(stepwell_debugger_attach(store, on_variables, &seen, NULL, &debugger));
  CHECK(stepwell_module_source_find(shapes, "shapes.c", 27, 0, &offset));
  /* By line, for any module: at each place of the line, once there is one. */
  OK(stepwell_breakpoint_add_at_line(debugger, NULL, "shapes.c", 27, 0, &at));
  CHECK(stepwell_breakpoint_place_count(debugger, at) == 0 && stepwell_breakpoint_offset(debugger, at) == SIZE_MAX);
  CHECK(stepwell_breakpoint_func_index(debugger, at) == UINT32_MAX && !stepwell_breakpoint_source(debugger, at, 0, &source));
  CHECK(!stepwell_breakpoint_place_module(debugger, at, 0));
  instance = wasm_instance_new(store, shapes, NULL, NULL);
  CHECK(stepwell_breakpoint_place_count(debugger, at) == 1 && stepwell_breakpoint_place_offset(debugger, at, 0) == offset);
  CHECK(stepwell_breakpoint_place_func_index(debugger, at, 0) == stepwell_breakpoint_func_index(debugger, at));
  CHECK(stepwell_breakpoint_place_source(debugger, at, 0, 0, &source) && source.line == 27);
  CHECK(!stepwell_breakpoint_place_source(debugger, at, 1, 0, &source));
  CHECK(stepwell_breakpoint_place_offset(debugger, at, 1) == SIZE_MAX && stepwell_breakpoint_place_func_index(debugger, at, 1) == UINT32_MAX);
  found = stepwell_breakpoint_place_module(debugger, at, 0);
  CHECK(wasm_module_same(found, shapes));
  wasm_module_delete(found);
  /* The first line of a function: where its parameters are. */
  OK(stepwell_breakpoint_add_at_line(debugger, shapes, "shapes.c", 24, 0, &other));
  OK(stepwell_breakpoint_add_at_function(debugger, shapes, "sum", &by_name));
  CHECK(stepwell_breakpoint_offset(debugger, other) > stepwell_breakpoint_offset(debugger, by_name));
  OK(stepwell_breakpoint_remove(debugger, other));
  OK(stepwell_breakpoint_remove(debugger, by_name));
  CHECK(stepwell_breakpoint_place_count(debugger, other) == 0 && stepwell_breakpoint_place_offset(debugger, other, 0) == SIZE_MAX);
  stepwell_last_error_clear();
  FAILS(stepwell_breakpoint_add_at_line(debugger, shapes, "shapes.c", 9999, 0, NULL), STEPWELL_ERROR_ARGUMENT, "line 9999");
  FAILS(stepwell_breakpoint_add_at_line(debugger, shapes, "s.c", 1, 0, NULL), STEPWELL_ERROR_ARGUMENT, "no code of a file `s.c`");
  FAILS(stepwell_breakpoint_add_at_line(debugger, NULL, NULL, 1, 0, NULL), STEPWELL_ERROR_ARGUMENT, "`file`");
  FAILS(stepwell_breakpoint_add_at_function(debugger, shapes, "summ", NULL), STEPWELL_ERROR_ARGUMENT, "did you mean `sum`");
  run = stepwell_instance_export(instance, "run");
  CHECK(!wasm_func_call(wasm_extern_as_func(run), &args_vec, &results_vec));
  CHECK(seen == 1 && results[0].of.i32 == 120 + 5 - 300);
  stepwell_debugger_delete(debugger);
  wasm_extern_delete(run);
  wasm_instance_delete(instance);
  wasm_module_delete(shapes);
}

int main(void) {
  wasm_config_t *config = wasm_config_new();
  wasm_engine_t *engine;
  wasm_store_t *store;
  wasm_byte_vec_t binary;
  stepwell_linker_t *linker;
  stepwell_debugger_t *debugger;
  wasm_instance_t *instance;
  wasm_func_t *divide;
  wasm_trap_t *trap;
  wasm_frame_t *frame, *copy;
  const char *text;
  stepwell_source_t source;
  size_t offset = 0, last = 0, count;
  wasm_val_t args[2], results[1];
  wasm_val_vec_t args_vec = WASM_ARRAY_VEC(args), results_vec = WASM_ARRAY_VEC(results);

  stepwell_config_debug_set(config, true);
  engine = wasm_engine_new_with_config(config);
  store = wasm_store_new(engine);
  read_beside("../../c-examples/guest/program.wasm", &binary);
  OK(stepwell_module_new(store, &binary, &module));
  wasm_byte_vec_delete(&binary);

  split(store);
  variables(store);

  /* Lines are found, and what is there is what was asked for. */
  for (count = 0; stepwell_module_source_find(module, "program.h", 3, count, &offset); count++) {
    CHECK(offset > last);
    last = offset;
    CHECK(stepwell_module_source_count(module, offset) == 3);
    CHECK(stepwell_module_source(module, offset, 0, &source));
    is(&source, "quotient", "program.h");
    CHECK(source.line == 3);
  }
  CHECK(count == 2 && offset == last);
  CHECK(!stepwell_module_source_find(module, "nothing.c", 3, 0, &offset) && offset == last);
  CHECK(!stepwell_module_source_find(module, "program.h", UINT32_MAX, 0, &offset));
  CHECK(!stepwell_module_source(module, 0, 0, &source) && stepwell_module_source_count(module, 0) == 0);
  CHECK(!stepwell_module_source(module, SIZE_MAX, 0, &source) && stepwell_module_source_count(module, SIZE_MAX) == 0);
  stepwell_last_error_clear();
  CHECK(!stepwell_module_source(NULL, 0, 0, &source));
  LAST("`module` must not be NULL");
  CHECK(!stepwell_module_source(module, last, 0, NULL));
  LAST("`out` must not be NULL");
  CHECK(!stepwell_module_source_find(module, NULL, 3, 0, &offset));
  LAST("`file` must not be NULL");
  CHECK(!stepwell_module_source_find(module, "\xff", 3, 0, &offset));
  LAST("UTF-8");
  CHECK(!stepwell_module_source_find(module, "program.h", 3, 0, NULL));
  LAST("`offset_out` must not be NULL");

  /* Frames of a stop. */
  linker = stepwell_linker_new(engine);
  OK(stepwell_linker_fill_missing_with_defaults(linker, store, module));
  OK(stepwell_linker_instantiate(linker, store, module, &instance, NULL));
  stepwell_linker_delete(linker);
  divide = check_func(instance, "divide");
  args[0] = val_i32(7);
  args[1] = val_i32(2);
  OK(stepwell_debugger_attach(store, on_stop, NULL, NULL, &debugger));
  CHECK(stepwell_module_source_find(module, "program.h", 3, 1, &offset));
  OK(stepwell_breakpoint_add(debugger, module, offset, NULL));
  OK(stepwell_func_call(divide, &args_vec, &results_vec, NULL));
  CHECK(results[0].of.i32 == 351 && stops == 1);
  CHECK(!stepwell_frame_source(stale, 0, &source));
  LAST("after its stop callback returned");
  CHECK(stepwell_frame_source_count(stale) == 0);
  stepwell_debugger_delete(debugger);

  /* Frames of a trap: the strings live as long as the frame, though everything else is gone. */
  args[1] = val_i32(0);
  trap = wasm_func_call(divide, &args_vec, &results_vec);
  CHECK(trap);
  text = stepwell_trap_backtrace(trap);
  CHECK(strstr(text, "in quotient at program.h:3:14, inlined\n") && strstr(text, "at program.c:"));
  frame = wasm_trap_origin(trap);
  CHECK(stepwell_trap_frame_source_count(frame) == 3);
  CHECK(stepwell_trap_frame_source(frame, 0, &source) && source.line == 3);
  CHECK(!stepwell_trap_frame_source(frame, 3, &source));
  CHECK(!stepwell_trap_frame_source(frame, 0, NULL));
  LAST("`out` must not be NULL");
  copy = wasm_frame_copy(frame);
  wasm_frame_delete(frame);
  wasm_trap_delete(trap);
  wasm_func_delete(divide);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  is(&source, "quotient", "program.h");
  CHECK(stepwell_trap_frame_source(copy, 1, &source));
  is(&source, "ratio", "program.h");
  wasm_frame_delete(copy);
  return 0;
}
