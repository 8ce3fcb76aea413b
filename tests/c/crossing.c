/* What crosses from one store to another, and what is asked of a stop at another time than its own: traps that go through several stores,
 * objects where another store's are due, stops within stops, stops that end in another order than they began. */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <ucontext.h>

#include "check.h"
#include "yield.h"

/* A store with a guest that calls `host`, and one that traps. */
typedef struct {
  wasm_store_t *store;
  wasm_module_t *yields, *traps;
  wasm_instance_t *yielding, *trapping;
  wasm_func_t *run, *recurse;
} world_t;

static world_t worlds[2];
static wasm_trap_t *kept;

static wasm_trap_t *host(void *env, const wasm_val_vec_t *args, wasm_val_vec_t *results);

static void open_world(world_t *world, wasm_engine_t *engine) {
  stepwell_linker_t *linker = stepwell_linker_new(engine);
  wasm_functype_t *type = wasm_functype_new_1_1(wasm_valtype_new_i32(), wasm_valtype_new_i32());
  world->store = wasm_store_new(engine);
  world->yields = MODULE(world->store, YIELD);
  world->traps = MODULE(world->store, TRAPS);
  OK(stepwell_linker_define_func(linker, "host", "yield", type, host, world, NULL));
  OK(stepwell_linker_instantiate(linker, world->store, world->yields, &world->yielding, NULL));
  world->trapping = check_instance(world->store, world->traps);
  world->run = check_func(world->yielding, "run");
  world->recurse = check_func(world->trapping, "recurse");
  wasm_functype_delete(type);
  stepwell_linker_delete(linker);
}

static void close_world(world_t *world) {
  wasm_func_delete(world->run);
  wasm_func_delete(world->recurse);
  wasm_instance_delete(world->yielding);
  wasm_instance_delete(world->trapping);
  wasm_module_delete(world->yields);
  wasm_module_delete(world->traps);
  wasm_store_delete(world->store);
  memset(world, 0, sizeof(*world));
}

/* The guest of the other store, with one turn fewer. */
static wasm_trap_t *host(void *env, const wasm_val_vec_t *args, wasm_val_vec_t *results) {
  world_t *here = env, *there = here == &worlds[0] ? &worlds[1] : &worlds[0];
  wasm_val_t one[1], result[1];
  wasm_val_vec_t one_vec = WASM_ARRAY_VEC(one), result_vec = WASM_ARRAY_VEC(result), none = WASM_EMPTY_VEC;
  wasm_trap_t *trap;
  (void)results;
  if (kept) return wasm_trap_copy(kept);
  if (args->data[0].of.i32 == 0) {
    trap = wasm_func_call(there->recurse, &none, &none);
  } else {
    one[0] = val_i32(args->data[0].of.i32 - 1);
    trap = wasm_func_call(there->run, &one_vec, &result_vec);
  }
  CHECK(trap);
  /* Given away as it came. */
  return trap;
}

static wasm_trap_t *run(world_t *world, int32_t turns) {
  wasm_val_t args[1], results[1];
  wasm_val_vec_t args_vec = WASM_ARRAY_VEC(args), results_vec = WASM_ARRAY_VEC(results);
  args[0] = val_i32(turns);
  return wasm_func_call(world->run, &args_vec, &results_vec);
}

/* Everything of a trap, and how many of its frames know an instance; all that do, one of this world. */
static int look(wasm_trap_t *trap, const world_t *world) {
  wasm_frame_vec_t frames;
  wasm_frame_t *origin = wasm_trap_origin(trap);
  int known = 0;
  CHECK(origin);
  wasm_frame_delete(origin);
  CHECK(strlen(stepwell_trap_backtrace(trap)) > 20);
  wasm_trap_trace(trap, &frames);
  CHECK(frames.size > 0);
  for (size_t i = 0; i < frames.size; i++) {
    wasm_instance_t *instance = wasm_frame_instance(frames.data[i]);
    CHECK(wasm_frame_module_offset(frames.data[i]) > 0);
    if (!instance) continue;
    wasm_extern_vec_t exports;
    CHECK(world && (wasm_instance_same(instance, world->yielding) || wasm_instance_same(instance, world->trapping)));
    wasm_instance_exports(instance, &exports);
    CHECK(exports.size > 0);
    wasm_extern_vec_delete(&exports);
    known++;
  }
  wasm_frame_vec_delete(&frames);
  return known;
}

/* A trap of one store, returned by a host function of the other: its frames are shown, its instances are nobody's here. */
static void traps_cross(wasm_engine_t *engine) {
  for (int32_t turns = 0; turns < 4; turns++) {
    open_world(&worlds[0], engine);
    open_world(&worlds[1], engine);
    wasm_trap_t *trap = run(&worlds[0], turns);
    CHECK(trap && stepwell_trap_code(trap) == STEPWELL_TRAP_STACK_OVERFLOW);
    /* It came to be in the one world or the other. */
    CHECK((look(trap, &worlds[0]) > 0) == (turns % 2 == 1));
    for (int i = 0; i < 2; i++) {
      OK(stepwell_store_collect(worlds[0].store));
      OK(stepwell_store_collect(worlds[1].store));
    }
    CHECK((look(trap, &worlds[0]) > 0) == (turns % 2 == 1));
    /* Into the store that it came from, after that has gone; then out of this one again. */
    close_world(&worlds[1]);
    open_world(&worlds[1], engine);
    kept = trap;
    for (int i = 0; i < 2; i++) {
      wasm_trap_t *again = run(&worlds[i], 1);
      CHECK(again && stepwell_trap_code(again) == STEPWELL_TRAP_STACK_OVERFLOW);
      look(again, &worlds[i]);
      OK(stepwell_store_collect(worlds[0].store));
      OK(stepwell_store_collect(worlds[1].store));
      look(again, &worlds[i]);
      wasm_trap_delete(again);
    }
    kept = NULL;
    /* It keeps its own store. */
    close_world(&worlds[0]);
    wasm_frame_t *origin = wasm_trap_origin(trap);
    CHECK(origin);
    wasm_frame_delete(origin);
    wasm_trap_delete(trap);
    close_world(&worlds[1]);
  }
}

/* The instance of a trap's frame, after the instance was collected in a store that the trap was not rooted in. */
static void a_trap_comes_back_when_its_instance_is_gone(wasm_engine_t *engine) {
  open_world(&worlds[0], engine);
  open_world(&worlds[1], engine);
  /* A trap of the first world's, kept by the second alone. */
  wasm_trap_t *trap = run(&worlds[1], 0);
  CHECK(trap && look(trap, &worlds[1]) == 0);
  size_t before = stepwell_store_object_count(worlds[0].store);
  wasm_func_delete(worlds[0].recurse);
  wasm_instance_delete(worlds[0].trapping);
  OK(stepwell_store_collect(worlds[0].store));
  CHECK(stepwell_store_object_count(worlds[0].store) < before);
  worlds[0].trapping = NULL;
  worlds[0].recurse = NULL;
  kept = trap;
  wasm_trap_t *again = run(&worlds[0], 1);
  CHECK(again);
  wasm_frame_t *origin = wasm_trap_origin(again);
  CHECK(origin && !wasm_frame_instance(origin));
  wasm_frame_delete(origin);
  OK(stepwell_store_collect(worlds[0].store));
  wasm_trap_delete(again);
  kept = NULL;
  wasm_trap_delete(trap);
  close_world(&worlds[0]);
  close_world(&worlds[1]);
}

/* --- Stops --- */

static int depth, nested_frames;
static wasm_instance_t *overflowing;

/* The stop callback at a stack overflow calls an export, which overflows as well. */
static stepwell_action_t overflowed(void *env, stepwell_stop_t *stop) {
  wasm_val_vec_t none = WASM_EMPTY_VEC;
  wasm_trap_t *trap = NULL;
  size_t count;
  int boundaries = 0;
  (void)env;
  CHECK(stepwell_stop_reason(stop) == STEPWELL_STOP_TRAP && stepwell_stop_trap_code(stop) == STEPWELL_TRAP_STACK_OVERFLOW);
  count = stepwell_stop_frame_count(stop);
  for (size_t i = 0; i < count; i++) {
    const stepwell_frame_t *frame = stepwell_stop_frame(stop, i);
    wasm_instance_t *instance = stepwell_frame_instance(frame);
    CHECK(instance && wasm_instance_same(instance, overflowing));
    wasm_instance_delete(instance);
    if (stepwell_frame_called_through_host(frame)) boundaries++;
  }
  /* A run within another overflows in its first frame. That one is shown, for the event knows it; in the runs outside, the frame that
   * overflowed was never set up and is passed over. So the one boundary left is next to the innermost frame. */
  CHECK(boundaries == (depth > 0));
  CHECK(!depth || stepwell_frame_called_through_host(stepwell_stop_frame(stop, 0)));
  if (depth == 1) nested_frames++;
  if (depth++ < 2) {
    wasm_func_t *recurse = check_func(overflowing, "recurse");
    OK(stepwell_func_call(recurse, &none, &none, &trap));
    CHECK(trap && stepwell_trap_code(trap) == STEPWELL_TRAP_STACK_OVERFLOW);
    wasm_trap_delete(trap);
    wasm_func_delete(recurse);
  }
  depth--;
  return STEPWELL_ACTION_CONTINUE;
}

static void overflows_within_overflows(void) {
  for (int variant = 0; variant < 8; variant++) {
    wasm_config_t *config = wasm_config_new();
    wasm_val_vec_t none = WASM_EMPTY_VEC;
    stepwell_debugger_t *debugger = NULL;
    stepwell_config_debug_set(config, true);
    stepwell_config_signals_set(config, variant & 1);
    OK(stepwell_config_debug_tier_set(config, variant & 2 ? STEPWELL_DEBUG_TIER_SIMPLE : STEPWELL_DEBUG_TIER_REGIONS));
    wasm_engine_t *engine = wasm_engine_new_with_config(config);
    wasm_store_t *store = wasm_store_new(engine);
    wasm_module_t *module = MODULE(store, TRAPS);
    wasm_instance_t *other = check_instance(store, module);
    overflowing = check_instance(store, module);
    wasm_func_t *recurse = check_func(overflowing, "recurse");
    if (variant & 4) OK(stepwell_debugger_attach(store, overflowed, NULL, NULL, &debugger));
    nested_frames = 0;
    wasm_trap_t *trap = wasm_func_call(recurse, &none, &none);
    CHECK(trap && stepwell_trap_code(trap) == STEPWELL_TRAP_STACK_OVERFLOW && nested_frames == (variant & 4 ? 1 : 0));
    OK(stepwell_store_collect(store));
    wasm_trap_delete(trap);
    stepwell_debugger_delete(debugger);
    wasm_func_delete(recurse);
    wasm_instance_delete(overflowing);
    wasm_instance_delete(other);
    wasm_module_delete(module);
    wasm_store_delete(store);
    wasm_engine_delete(engine);
  }
}

static stepwell_stop_t *outer;
static wasm_func_t *fib;
static int inner_stops;

/* One frame of the outer stop, at the entry of `fib(6)`, whoever asks. */
static void look_at_outer(size_t frames) {
  const stepwell_frame_t *frame = stepwell_stop_frame(outer, 0);
  wasm_val_t local;
  CHECK(stepwell_stop_frame_count(outer) == frames);
  CHECK(stepwell_frame_local(frame, 0, &local) && local.of.i32 == 6);
  CHECK(stepwell_frame_local_count(frame) == 2);
}

static stepwell_action_t within(void *env, stepwell_stop_t *stop) {
  bool look_first = *(bool *)env;
  if (!outer && inner_stops) return STEPWELL_ACTION_CONTINUE;
  if (!outer) {
    outer = stop;
    if (look_first) look_at_outer(1);
    CHECK(call_i32(fib, 2) == 1);
    look_at_outer(1);
    outer = NULL;
    return STEPWELL_ACTION_CONTINUE;
  }
  inner_stops++;
  CHECK(stepwell_stop_frame_count(stop) >= 2);
  look_at_outer(1);
  return inner_stops % 2 ? STEPWELL_ACTION_STEP : STEPWELL_ACTION_STEP_OVER;
}

static void stops_within_stops(wasm_engine_t *engine) {
  for (int first = 0; first < 2; first++) {
    bool look_first = first;
    wasm_store_t *store = wasm_store_new(engine);
    wasm_module_t *module = MODULE(store, FIB);
    wasm_instance_t *instance = check_instance(store, module);
    stepwell_debugger_t *debugger = NULL;
    stepwell_breakpoint_t breakpoint;
    fib = check_func(instance, "fib");
    OK(stepwell_debugger_attach(store, within, &look_first, NULL, &debugger));
    OK(stepwell_breakpoint_add_at_function(debugger, module, "fib", &breakpoint));
    inner_stops = 0;
    CHECK(call_i32(fib, 6) == 8);
    CHECK(inner_stops > 10);
    OK(stepwell_store_collect(store));
    stepwell_debugger_delete(debugger);
    wasm_func_delete(fib);
    wasm_instance_delete(instance);
    wasm_module_delete(module);
    wasm_store_delete(store);
  }
}

/* --- Stops on coroutines --- */

enum { STACK_BYTES = 256 << 10, COROUTINES = 3 };

typedef struct {
  ucontext_t here, resumer;
  void *pages;
  stepwell_stack_t *stack;
  wasm_store_t *store;
  wasm_func_t *fib;
  stepwell_stop_t *stop;
  int32_t argument;
  bool done;
} coroutine_t;

static coroutine_t coroutines[COROUTINES];
static coroutine_t *running;

static stepwell_action_t waits(void *env, stepwell_stop_t *stop) {
  coroutine_t *me = env;
  if (me->stop) return STEPWELL_ACTION_CONTINUE;
  me->stop = stop;
  CHECK(swapcontext(&me->here, &me->resumer) == 0);
  CHECK(stepwell_stop_frame_count(stop) == 1);
  return STEPWELL_ACTION_CONTINUE;
}

static void coroutine_main(void) {
  coroutine_t *me = running;
  CHECK(call_i32(me->fib, me->argument) > 0);
  me->done = true;
  swapcontext(&me->here, &me->resumer);
}

static void resume(coroutine_t *coroutine) {
  running = coroutine;
  OK(stepwell_thread_stack_set(coroutine->stack));
  CHECK(swapcontext(&coroutine->resumer, &coroutine->here) == 0);
  OK(stepwell_thread_stack_set(NULL));
}

static void stops_end_in_any_order(wasm_engine_t *engine) {
  static const int ORDERS[6][COROUTINES] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
  for (int order = 0; order < 6; order++) {
    stepwell_debugger_t *debuggers[COROUTINES];
    wasm_module_t *modules[COROUTINES];
    wasm_instance_t *instances[COROUTINES];
    for (int i = 0; i < COROUTINES; i++) {
      coroutine_t *me = &coroutines[i];
      memset(me, 0, sizeof(*me));
      me->store = wasm_store_new(engine);
      modules[i] = MODULE(me->store, FIB);
      instances[i] = check_instance(me->store, modules[i]);
      me->fib = check_func(instances[i], "fib");
      me->argument = 3 + i;
      OK(stepwell_debugger_attach(me->store, waits, me, NULL, &debuggers[i]));
      OK(stepwell_breakpoint_add_at_function(debuggers[i], modules[i], "fib", NULL));
      me->pages = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      CHECK(me->pages != MAP_FAILED);
      OK(stepwell_stack_new(me->pages, STACK_BYTES, &me->stack));
      CHECK(getcontext(&me->here) == 0);
      me->here.uc_stack.ss_sp = me->pages;
      me->here.uc_stack.ss_size = STACK_BYTES;
      makecontext(&me->here, coroutine_main, 0);
      resume(me);
    }
    for (int turn = 0; turn < COROUTINES; turn++) {
      coroutine_t *me = &coroutines[ORDERS[order][turn]];
      resume(me);
      CHECK(me->done);
      OK((stepwell_stack_delete(me->stack), NULL));
      CHECK(munmap(me->pages, STACK_BYTES) == 0);
      for (int i = 0; i < COROUTINES; i++) {
        coroutine_t *other = &coroutines[i];
        wasm_val_t local;
        if (other->done) {
          CHECK(stepwell_stop_frame_count(other->stop) == 0);
          LAST("after its stop callback returned");
          continue;
        }
        CHECK(stepwell_stop_frame_count(other->stop) == 1);
        CHECK(stepwell_frame_local(stepwell_stop_frame(other->stop, 0), 0, &local) && local.of.i32 == other->argument);
      }
    }
    for (int i = 0; i < COROUTINES; i++) {
      stepwell_debugger_delete(debuggers[i]);
      wasm_func_delete(coroutines[i].fib);
      wasm_instance_delete(instances[i]);
      wasm_module_delete(modules[i]);
      wasm_store_delete(coroutines[i].store);
    }
  }
}

int main(void) {
  wasm_config_t *config = wasm_config_new();
  stepwell_config_debug_set(config, true);
  wasm_engine_t *engine = wasm_engine_new_with_config(config);
  traps_cross(engine);
  a_trap_comes_back_when_its_instance_is_gone(engine);
  stops_within_stops(engine);
  stops_end_in_any_order(engine);
  wasm_engine_delete(engine);
  overflows_within_overflows();
  return 0;
}
