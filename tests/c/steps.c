/* Steps by lines of the source, out of frames, and to a place: by the callback's answer, and by that of another thread; and what
   of the source is reached. */
#include "check.h"
#include <pthread.h>

enum { MOST = 64 };

struct session {
  stepwell_action_t answer;
  int stops;
  uint32_t lines[MOST];
  size_t depths[MOST];
  int what;
};

static uint32_t line_of(const stepwell_stop_t *stop) {
  stepwell_source_t source;
  return stepwell_frame_source(stepwell_stop_frame(stop, 0), 0, &source) ? source.line : 0;
}

static void note(struct session *session, const stepwell_stop_t *stop) {
  if (session->stops < MOST) {
    session->lines[session->stops] = line_of(stop);
    session->depths[session->stops] = stepwell_stop_frame_count(stop);
  }
  session->stops++;
}

enum { LINES, OUT_OF, TO_LINE, TO_OFFSET, TO_NOWHERE };

static stepwell_stop_t *over;

static stepwell_action_t on_stop(void *env, stepwell_stop_t *stop) {
  struct session *session = env;
  const size_t depth = stepwell_stop_frame_count(stop);
  size_t offset;
  note(session, stop);
  if (stepwell_stop_breakpoint(stop, 0)) OK(stepwell_breakpoint_remove(stepwell_stop_debugger(stop), stepwell_stop_breakpoint(stop, 0)));
  over = stop;
  switch (session->what) {
  case LINES:
    return session->answer;
  case OUT_OF:
    if (depth < 6) return STEPWELL_ACTION_STEP_LINE;
    session->what = -1;
    FAILS(stepwell_stop_step_out_of_set(stop, depth), STEPWELL_ERROR_ARGUMENT, "there are 6, and one must stay");
    FAILS(stepwell_stop_step_out_of_set(stop, SIZE_MAX), STEPWELL_ERROR_ARGUMENT, "cannot be left");
    OK(stepwell_stop_step_out_of_set(stop, 2));
    OK(stepwell_stop_step_out_of_set(stop, 3));
    return STEPWELL_ACTION_STEP_OUT_OF;
  case TO_LINE:
    session->what = -1;
    FAILS(stepwell_stop_run_to_line_set(stop, 8), STEPWELL_ERROR_ARGUMENT, "has no code at line 8");
    FAILS(stepwell_stop_run_to_line_set(stop, 0), STEPWELL_ERROR_ARGUMENT, "has no code at line 0");
    OK(stepwell_stop_run_to_line_set(stop, 40));
    OK(stepwell_stop_run_to_line_set(stop, 38));
    return STEPWELL_ACTION_RUN_TO;
  case TO_OFFSET:
    session->what = -1;
    FAILS(stepwell_stop_run_to_offset_set(stop, 0), STEPWELL_ERROR_ARGUMENT, "outside of function");
    FAILS(stepwell_stop_run_to_offset_set(stop, SIZE_MAX), STEPWELL_ERROR_ARGUMENT, "outside of function");
    {
      wasm_module_t *module = stepwell_frame_module(stepwell_stop_frame(stop, 0));
      CHECK(stepwell_module_source_find(module, "steps.c", 34, 0, &offset));
      wasm_module_delete(module);
    }
    OK(stepwell_stop_run_to_offset_set(stop, offset));
    return STEPWELL_ACTION_RUN_TO;
  case TO_NOWHERE:
    return STEPWELL_ACTION_RUN_TO;
  default:
    return STEPWELL_ACTION_CONTINUE;
  }
}

struct guest {
  wasm_store_t *store;
  wasm_module_t *module;
  wasm_instance_t *instance;
  wasm_func_t *run, *dive;
};

static void *run_it(void *env) {
  struct guest *guest = env;
  CHECK(call_i32(guest->run, 3) != 0);
  return NULL;
}

static void lines_are(const struct session *session, const uint32_t *lines, int count) {
  CHECK(session->stops == count);
  for (int i = 0; i < count; i++) CHECK(session->lines[i] == lines[i]);
}

static stepwell_action_t on_no_stop(void *env, stepwell_stop_t *stop) {
  (void)env;
  (void)stop;
  CHECK(!"coverage stops nobody");
  return STEPWELL_ACTION_CONTINUE;
}

/* How many sides there are of branches, and how many of them were taken. */
static size_t sides_of(const stepwell_debugger_t *debugger, const wasm_module_t *module, size_t *taken) {
  stepwell_covered_side_t sides[256], one;
  const size_t count = stepwell_debugger_coverage_branches(debugger, module, sides, 256);
  CHECK(count <= 256 && stepwell_debugger_coverage_branches(debugger, module, NULL, 0) == count);
  *taken = 0;
  for (size_t i = 0; i < count; i++) {
    const bool same = i > 0 && sides[i].branch == sides[i - 1].branch;
    CHECK(sides[i].side == (same ? sides[i - 1].side + 1 : 0) && sides[i].to != sides[i].branch);
    CHECK(i == 0 || sides[i].branch >= sides[i - 1].branch);
    CHECK(sides[i].func_index < stepwell_module_func_count(module));
    *taken += sides[i].is_reached;
  }
  if (count) {
    CHECK(stepwell_debugger_coverage_branches(debugger, module, &one, 1) == count);
    CHECK(one.branch == sides[0].branch && one.to == sides[0].to && one.is_reached == sides[0].is_reached);
  }
  return count;
}

static void coverage(void) {
  wasm_config_t *config = wasm_config_new();
  wasm_engine_t *engine;
  wasm_store_t *store;
  wasm_module_t *module;
  wasm_instance_t *instance;
  wasm_byte_vec_t binary, text;
  stepwell_debugger_t *debugger;
  size_t all, taken, more;
  stepwell_config_debug_set(config, true);
  OK(stepwell_config_debug_tier_set(config, STEPWELL_DEBUG_TIER_BLOCKS));
  engine = wasm_engine_new_with_config(config);
  store = wasm_store_new(engine);
  read_beside("../support/steps/steps.wasm", &binary);
  OK(stepwell_module_new(store, &binary, &module));
  wasm_byte_vec_delete(&binary);
  instance = wasm_instance_new(store, module, NULL, NULL);
  OK(stepwell_debugger_attach(store, on_no_stop, NULL, NULL, &debugger));
  CHECK(sides_of(debugger, module, &taken) == 0);
  OK(stepwell_debugger_cover(debugger, NULL));
  all = sides_of(debugger, module, &taken);
  CHECK(all > 4 && taken == 0);
  call_i32(check_func(instance, "run"), 3);
  CHECK(sides_of(debugger, module, &taken) == all && taken > 0 && taken < all);
  CHECK(call_i32(check_func(instance, "dive"), 2) == 3);
  CHECK(sides_of(debugger, module, &more) == all && more >= taken);
  OK(stepwell_debugger_coverage_lcov(debugger, &text));
  CHECK(text.size > 7 && !memcmp(text.data, "TN:\nSF:", 7));
  wasm_byte_vec_delete(&text);
  stepwell_debugger_delete(debugger);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
}

int main(void) {
  static const uint32_t next[] = {28, 29, 30, 29, 30, 29, 30, 29, 32, 33, 34, 35, 36, 37, 36, 37, 36, 37, 36, 38, 39, 40, 41, 44, 47, 46, 48, 52};
  const int count = sizeof next / sizeof next[0];
  wasm_config_t *config = wasm_config_new();
  wasm_engine_t *engine;
  wasm_byte_vec_t binary;
  struct guest guest;
  struct session session;
  stepwell_debugger_t *debugger;
  stepwell_stop_queue_t *queue;
  stepwell_stop_t *stop;
  pthread_t thread;
  wasm_trap_t *trap;
  wasm_val_t args[1], result;
  wasm_val_vec_t given = {1, args}, results = {1, &result};
  stepwell_config_debug_set(config, true);
  engine = wasm_engine_new_with_config(config);
  guest.store = wasm_store_new(engine);
  read_beside("../support/steps/steps.wasm", &binary);
  OK(stepwell_module_new(guest.store, &binary, &guest.module));
  wasm_byte_vec_delete(&binary);
  guest.instance = wasm_instance_new(guest.store, guest.module, NULL, NULL);
  guest.run = check_func(guest.instance, "run");
  guest.dive = check_func(guest.instance, "dive");
  memset(&session, 0, sizeof session);
  OK(stepwell_debugger_attach(guest.store, on_stop, &session, NULL, &debugger));

  /* By lines: over calls, and into them. */
  OK(stepwell_breakpoint_add_at_line(debugger, guest.module, "steps.c", 28, 0, NULL));
  session.answer = STEPWELL_ACTION_NEXT_LINE;
  call_i32(guest.run, 3);
  lines_are(&session, next, count);
  memset(&session, 0, sizeof session);
  OK(stepwell_breakpoint_add_at_line(debugger, guest.module, "steps.c", 57, 0, NULL));
  session.answer = STEPWELL_ACTION_STEP_LINE;
  CHECK(call_i32(guest.dive, 1) == 2);
  {
    /* Where a call returns, in the middle of a line, is a stop. */
    static const uint32_t into[] = {57, 15, 17, 15, 16, 19, 17, 18, 19, 57, 58};
    lines_are(&session, into, sizeof into / sizeof into[0]);
    CHECK(session.depths[3] == 3 && session.depths[6] == 2 && session.depths[9] == 1);
  }

  /* Out of several frames; without saying of how many, out of one. */
  memset(&session, 0, sizeof session);
  session.what = OUT_OF;
  OK(stepwell_breakpoint_add_at_line(debugger, guest.module, "steps.c", 57, 0, NULL));
  CHECK(call_i32(guest.dive, 9) == 10);
  CHECK(session.depths[session.stops - 1] == 3 && session.depths[session.stops - 2] == 6);
  memset(&session, 0, sizeof session);
  session.answer = STEPWELL_ACTION_STEP_OUT_OF;
  OK(stepwell_breakpoint_add_at_line(debugger, guest.module, "steps.c", 15, 0, NULL));
  CHECK(call_i32(guest.dive, 2) == 3);
  CHECK(session.stops == 2 && session.depths[0] == 2 && session.depths[1] == 1 && session.lines[1] == 57);

  /* To a line and to an instruction. */
  for (int what = TO_LINE; what <= TO_OFFSET; what++) {
    memset(&session, 0, sizeof session);
    session.what = what;
    OK(stepwell_breakpoint_add_at_line(debugger, guest.module, "steps.c", 28, 0, NULL));
    call_i32(guest.run, 3);
    CHECK(session.stops == 2 && session.lines[1] == (what == TO_LINE ? 38u : 34u));
  }
  /* Who says no place gets none. */
  memset(&session, 0, sizeof session);
  session.what = TO_NOWHERE;
  OK(stepwell_breakpoint_add_at_line(debugger, guest.module, "steps.c", 28, 0, NULL));
  args[0] = val_i32(3);
  trap = wasm_func_call(guest.run, &given, &results);
  CHECK(trap && strstr(stepwell_trap_message(trap), "has said none"));
  wasm_trap_delete(trap);
  FAILS(stepwell_stop_run_to_line_set(over, 38), STEPWELL_ERROR_ARGUMENT, "after its stop callback returned");
  FAILS(stepwell_stop_run_to_offset_set(over, 38), STEPWELL_ERROR_ARGUMENT, "after its stop callback returned");
  FAILS(stepwell_stop_step_out_of_set(over, 0), STEPWELL_ERROR_ARGUMENT, "after its stop callback returned");
  FAILS(stepwell_stop_step_out_of_set(NULL, 0), STEPWELL_ERROR_ARGUMENT, "stop");
  stepwell_debugger_delete(debugger);

  /* All of it as answers of a queue. */
  queue = stepwell_stop_queue_new();
  OK(stepwell_debugger_attach_with_queue(guest.store, queue, &debugger));
  OK(stepwell_breakpoint_add_at_line(debugger, guest.module, "steps.c", 8, 0, NULL));
  CHECK(!pthread_create(&thread, NULL, run_it, &guest));
  stop = stepwell_stop_queue_next(queue, UINT64_MAX);
  CHECK(stop && line_of(stop) == 8);
  OK(stepwell_breakpoint_remove(debugger, stepwell_stop_breakpoint(stop, 0)));
  OK(stepwell_stop_step_out_of_set(stop, 1));
  CHECK(stepwell_stop_queue_answer(queue, stop, STEPWELL_ACTION_STEP_OUT_OF));
  stop = stepwell_stop_queue_next(queue, UINT64_MAX);
  CHECK(stop && line_of(stop) == 30 && stepwell_stop_reason(stop) == STEPWELL_STOP_STEP);
  OK(stepwell_stop_run_to_line_set(stop, 32));
  CHECK(stepwell_stop_queue_answer(queue, stop, STEPWELL_ACTION_RUN_TO));
  stop = stepwell_stop_queue_next(queue, UINT64_MAX);
  CHECK(stop && line_of(stop) == 32);
  CHECK(stepwell_stop_queue_answer(queue, stop, STEPWELL_ACTION_STEP_LINE));
  stop = stepwell_stop_queue_next(queue, UINT64_MAX);
  CHECK(stop && line_of(stop) == 12 && stepwell_stop_frame_count(stop) == 2);
  CHECK(stepwell_stop_queue_answer(queue, stop, STEPWELL_ACTION_NEXT_LINE));
  stop = stepwell_stop_queue_next(queue, UINT64_MAX);
  CHECK(stop && line_of(stop) == 32 && stepwell_stop_frame_count(stop) == 1);
  CHECK(stepwell_stop_queue_answer(queue, stop, STEPWELL_ACTION_CONTINUE));
  pthread_join(thread, NULL);
  stepwell_debugger_delete(debugger);
  stepwell_stop_queue_delete(queue);

  wasm_func_delete(guest.run);
  wasm_func_delete(guest.dive);
  wasm_instance_delete(guest.instance);
  wasm_module_delete(guest.module);
  wasm_store_delete(guest.store);
  wasm_engine_delete(engine);
  coverage();
  return 0;
}
