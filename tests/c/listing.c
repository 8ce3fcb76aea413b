/* What a module says of its source and code, as data: files, lines, places, functions, instructions. */
#include "check.h"

/* The instructions of a function, one page after the other, are all of its bytes behind its locals. */
static size_t all_instructions(const wasm_module_t *module, const stepwell_function_t *function) {
  stepwell_instruction_t page[3];
  size_t at = 0, count = 0, written = 0, i;
  do {
    OK(stepwell_module_instructions(module, function->index, at, page, 3, &written));
    for (i = 0; i < written; i++, count++) {
      CHECK(page[i].offset == (count == 0 ? function->entry : at) && page[i].size > 0);
      CHECK(page[i].text.size > 1 && page[i].text.data[page[i].text.size - 1] == 0);
      at = page[i].offset + page[i].size;
      if (at == function->end) CHECK(strcmp(page[i].text.data, "end") == 0);
      wasm_byte_vec_delete(&page[i].text);
    }
  } while (written == 3);
  CHECK(at == function->end);
  return count;
}

/* The machine code of a function, a few pieces at a time; how many there are. */
static size_t machine_code(const wasm_module_t *module, uint32_t func, bool debug) {
  stepwell_machine_code_t page[3];
  size_t at = 0, next = 0, count = 0, written = 0, of_wasm = 0, i;
  do {
    OK(stepwell_module_machine_code(module, func, debug, at, page, 3, &written));
    for (i = 0; i < written; i++, count++) {
      CHECK(page[i].bytes.size > 0 && (count == 0 || page[i].offset == next));
      CHECK(page[i].text.size == 0 || page[i].text.data[page[i].text.size - 1] == 0);
      next = page[i].offset + page[i].bytes.size;
      at = page[i].offset + 1;
      if (page[i].module_offset != SIZE_MAX) of_wasm++;
      wasm_byte_vec_delete(&page[i].bytes);
      wasm_byte_vec_delete(&page[i].text);
    }
  } while (written == 3);
  CHECK(of_wasm > 0);
  OK(stepwell_module_machine_code(module, func, debug, next, page, 3, &written));
  CHECK(written == 0);
  return count;
}

int main(void) {
  wasm_engine_t *engine = wasm_engine_new();
  wasm_store_t *store = wasm_store_new(engine);
  wasm_byte_vec_t binary;
  wasm_module_t *shapes, *fib;
  stepwell_function_t functions[16], *sum = NULL;
  stepwell_line_t *lines;
  stepwell_line_place_t places[16];
  stepwell_instruction_t instruction;
  const char *files[2] = {NULL, NULL};
  size_t count, i, offset, written = 9, statements = 0;
  read_beside("../support/dwarf/c2_5.wasm", &binary);
  OK(stepwell_module_new(store, &binary, &shapes));
  wasm_byte_vec_delete(&binary);
  fib = MODULE(store, FIB);

  CHECK(stepwell_module_source_files(shapes, NULL, 0) == 1 && stepwell_module_source_files(shapes, files, 2) == 1);
  CHECK(strstr(files[0], "shapes.c") && !files[1]);
  CHECK(stepwell_module_source_files(fib, files, 2) == 0 && stepwell_module_line_table(fib, NULL, 0) == 0);

  count = stepwell_module_line_table(shapes, NULL, 0);
  CHECK(count > 20);
  lines = calloc(count, sizeof *lines);
  CHECK(lines && stepwell_module_line_table(shapes, lines, count) == count);
  for (i = 0; i < count; i++) {
    stepwell_source_t source;
    CHECK(lines[i].offset >= stepwell_module_code_start(shapes));
    statements += lines[i].is_statement;
    if (lines[i].is_end || (i + 1 < count && lines[i + 1].offset == lines[i].offset)) continue;
    CHECK(stepwell_module_source(shapes, lines[i].offset, 0, &source));
    CHECK(source.line == lines[i].line && source.column == lines[i].column && strcmp(source.file, lines[i].file) == 0);
  }
  CHECK(lines[count - 1].is_end && statements > 10);
  free(lines);

  /* Where `square` is inlined into `sum`, and where else it has code. */
  count = stepwell_module_line_places(shapes, "shapes.c", 21, 0, places, 16);
  CHECK(count > 0 && count <= 16);
  for (i = 0; i < count; i++) {
    CHECK(places[i].source.line == 21 && places[i].source.column > 0 && strcmp(places[i].source.function, "square") == 0);
    CHECK(stepwell_module_source_find(shapes, "shapes.c", 21, i, &offset) && offset == places[i].offset && places[i].is_inlined);
  }
  CHECK(!stepwell_module_source_find(shapes, "shapes.c", 21, count, &offset));
  CHECK(stepwell_module_line_places(shapes, "shapes.c", 21, UINT32_MAX, NULL, 0) <= count);
  CHECK(stepwell_module_line_places(shapes, "nothing.c", 1, 0, places, 16) == 0);
  stepwell_last_error_clear();
  CHECK(stepwell_module_line_places(shapes, "\xff", 1, 0, places, 16) == 0);
  LAST("UTF-8");

  count = stepwell_module_functions(shapes, 0, functions, 16);
  CHECK(count == stepwell_module_func_count(shapes) && count < 16);
  for (i = 0; i < count; i++) {
    CHECK(functions[i].index == i && functions[i].begin < functions[i].entry && functions[i].entry < functions[i].end);
    if (functions[i].name && strcmp(functions[i].name, "sum") == 0) sum = &functions[i];
    CHECK(all_instructions(shapes, &functions[i]) > 0);
  }
  CHECK(sum && sum->line == 24 && strstr(sum->file, "shapes.c") && !sum->linkage_name);
  CHECK(stepwell_module_functions(shapes, (uint32_t)count, functions, 16) == 0);
  CHECK(stepwell_module_functions(shapes, UINT32_MAX, functions, 16) == 0 && stepwell_module_functions(shapes, 0, NULL, 0) == 0);

  /* Without DWARF. */
  CHECK(stepwell_module_functions(fib, 0, functions, 1) == 1);
  CHECK(strcmp(functions[0].name, "fib") == 0 && !functions[0].file && functions[0].line == 0 && functions[0].entry > 0);
  OK(stepwell_module_instructions(fib, 0, 0, &instruction, 1, &written));
  CHECK(written == 1 && instruction.offset == functions[0].entry);
  wasm_byte_vec_delete(&instruction.text);
  OK(stepwell_module_instructions(fib, 0, SIZE_MAX, &instruction, 1, &written));
  CHECK(written == 0);
  OK(stepwell_module_instructions(fib, 0, 0, NULL, 0, &written));
  FAILS(stepwell_module_instructions(fib, 99, 0, &instruction, 1, &written), STEPWELL_ERROR_ARGUMENT, "function 99 is not there");
  FAILS(stepwell_module_instructions(fib, 0, 0, NULL, 1, &written), STEPWELL_ERROR_ARGUMENT, "`out` must not be NULL");
  CHECK(machine_code(fib, 0, false) > 3);
  FAILS(stepwell_module_machine_code(fib, 0, true, 0, NULL, 0, &written), STEPWELL_ERROR_STATE, "configured for debugging");
  FAILS(stepwell_module_machine_code(fib, 99, false, 0, NULL, 0, &written), STEPWELL_ERROR_ARGUMENT, "function 99 is not there");
  FAILS(stepwell_module_machine_code(fib, 0, false, 0, NULL, 1, &written), STEPWELL_ERROR_ARGUMENT, "`out` must not be NULL");
  {
    wasm_config_t *config = wasm_config_new();
    wasm_engine_t *debugged;
    wasm_store_t *other;
    wasm_module_t *again;
    stepwell_config_debug_set(config, true);
    debugged = wasm_engine_new_with_config(config);
    other = wasm_store_new(debugged);
    again = MODULE(other, FIB);
    CHECK(machine_code(again, 0, false) > 3 && machine_code(again, 0, true) > 3);
    wasm_module_delete(again);
    wasm_store_delete(other);
    wasm_engine_delete(debugged);
  }
  wasm_module_delete(fib);
  wasm_module_delete(shapes);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  return 0;
}
