/* Sequences of C API calls over several stores and engines, in host functions and stop callbacks too, as the bytes of an input have it.
 *
 * Each kind of handle has a few places. An operation takes what is at places of its choice, whatever store it belongs to, and puts what it
 * makes at another one, deleting what was there. Nothing that the headers forbid is done: no NULL where none may be, nothing used after it
 * was deleted or given away. What is left must be no crash, no use of freed memory, and no leak. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stepwell.h>
#include <wasm.h>

enum { PLACES = 4, STORES = 3, KEPT = 16, DEEPEST = 3, CALLBACKS = 200 };

/* The input, taken a byte at a time; behind its end, numbers that follow from its first byte. */
static const uint8_t *input, *input_end;
static uint32_t beyond;
static unsigned take(unsigned limit) {
  if (input < input_end) return *input++ % limit;
  beyond = beyond * 1103515245 + 12345;
  return (beyond >> 16) % limit;
}

static wasm_engine_t *engines[2];
static wasm_byte_vec_t binaries[8];
static size_t binary_count;
/* The same, compiled once for each engine. */
static wasm_shared_module_t *compiled[2][8];

static wasm_store_t *stores[STORES];
static stepwell_debugger_t *debuggers[STORES];
static wasm_module_t *modules[PLACES];
static wasm_shared_module_t *shared[PLACES];
static wasm_instance_t *instances[PLACES];
static wasm_extern_t *externs[PLACES * 2];
static wasm_ref_t *refs[PLACES * 2];
static wasm_trap_t *traps[PLACES];
static wasm_frame_t *frames[PLACES];
static stepwell_linker_t *linkers[PLACES];
static stepwell_instance_pre_t *pres[PLACES];
static stepwell_typed_func_t *typed[PLACES];
static stepwell_interrupt_t *interrupts[PLACES];
static stepwell_stop_t *stops[PLACES];
static int depth, callbacks;
static long finalized, to_finalize;

#define PLACE(array) (&(array)[take(sizeof(array) / sizeof((array)[0]))])
/* Puts what was made at a place, in the place of what was there. */
#define PUT(kind, array, value)                    \
  do {                                             \
    __typeof__((array)[0]) made_ = (value);        \
    __typeof__(&(array)[0]) place_ = PLACE(array); \
    if (made_) {                                   \
      __typeof__(made_) before_ = *place_;         \
      *place_ = made_;                             \
      kind##_delete(before_);                      \
    }                                              \
  } while (0)
/* Finalizers run in here: what is being deleted is at no place any more. */
#define DROP_AT(kind, place)                       \
  do {                                             \
    __typeof__(*(place)) before_ = *(place);       \
    *(place) = NULL;                               \
    kind##_delete(before_);                        \
  } while (0)
#define DROP(kind, array)                          \
  do {                                             \
    __typeof__(&(array)[0]) place_ = PLACE(array); \
    DROP_AT(kind, place_);                         \
  } while (0)
/* What may be refused: the handle stays then. */
#define TRY_DROP(kind, place)                      \
  do {                                             \
    __typeof__(*(place)) handle_ = *(place);       \
    *(place) = NULL;                               \
    stepwell_last_error_clear();                   \
    kind##_delete(handle_);                        \
    if (stepwell_last_error()) *(place) = handle_; \
    stepwell_last_error_clear();                   \
  } while (0)

/* Handles that nobody uses: finalizers delete them. */
static struct { int kind; void *handle; } kept[KEPT];

static void delete_kept(unsigned index) {
  void *handle = kept[index].handle;
  kept[index].handle = NULL;
  switch (kept[index].kind) {
    case 0: wasm_ref_delete(handle); break;
    case 1: wasm_extern_delete(handle); break;
    case 2: wasm_instance_delete(handle); break;
    case 3: wasm_trap_delete(handle); break;
    case 4: wasm_module_delete(handle); break;
    case 5: stepwell_linker_delete(handle); break;
    case 6: stepwell_typed_func_delete(handle); break;
    default: {
      wasm_store_t *store = handle;
      TRY_DROP(wasm_store, &store);
      kept[index].handle = store;
    }
  }
}

/* A second handle, or one that is not to be used any more, for a finalizer to delete. */
static void keep(void) {
  unsigned index = take(KEPT), kind = take(8);
  wasm_module_t *module = *PLACE(modules);
  void *made = NULL;
  if (kept[index].handle) return;
  if (kind == 0 && refs[index % PLACES]) made = wasm_ref_copy(refs[index % PLACES]);
  if (kind == 1 && externs[index % PLACES]) made = wasm_extern_copy(externs[index % PLACES]);
  if (kind == 2 && instances[index % PLACES]) made = wasm_instance_copy(instances[index % PLACES]);
  if (kind == 3 && traps[index % PLACES]) made = wasm_trap_copy(traps[index % PLACES]);
  if (kind == 4 && module) made = wasm_module_copy(module);
  if (kind == 5) made = linkers[index % PLACES], linkers[index % PLACES] = NULL;
  if (kind == 6) made = typed[index % PLACES], typed[index % PLACES] = NULL;
  /* A store whose handle is not in a callback's hands. */
  if (kind == 7 && depth == 0) made = stores[index % STORES], stores[index % STORES] = NULL;
  kept[index].kind = (int)kind;
  kept[index].handle = made;
}

/* What nobody calls any more may take other things with it: those of its own store, of other stores, and stores. A collection inside of
 * one is refused, or is one of another store. */
static void finalize(void *env) {
  (void)env;
  finalized++;
  if (depth >= DEEPEST || callbacks++ > CALLBACKS) return;
  depth++;
  if (take(2)) delete_kept(take(KEPT));
  if (take(4) == 0) {
    wasm_store_t *store = *PLACE(stores);
    stepwell_error_t *error = store ? stepwell_store_collect(store) : NULL;
    stepwell_error_delete(error);
  }
  depth--;
  stepwell_last_error_clear();
}

/* Looks at an error, and forgets it. */
static void seen(stepwell_error_t *error) {
  if (!error) return;
  if (!*stepwell_error_message(error)) abort();
  stepwell_error_delete(error);
}

static void seen_last(void) {
  if (!stepwell_last_error()) return;
  if (!*stepwell_error_message(stepwell_last_error())) abort();
  stepwell_last_error_clear();
}

static void keep_trap(wasm_trap_t *trap) {
  wasm_frame_vec_t trace;
  size_t i;
  if (!trap) return;
  (void)strlen(stepwell_trap_backtrace(trap));
  wasm_trap_trace(trap, &trace);
  for (i = 0; i < trace.size && i < 3; i++) {
    wasm_instance_t *instance = wasm_frame_instance(trace.data[i]);
    (void)wasm_frame_func_index(trace.data[i]);
    (void)wasm_frame_module_offset(trace.data[i]);
    if (instance) {
      wasm_extern_vec_t exports;
      wasm_instance_exports(instance, &exports);
      wasm_extern_vec_delete(&exports);
    }
  }
  PUT(wasm_frame, frames, wasm_trap_origin(trap));
  wasm_frame_vec_delete(&trace);
  PUT(wasm_trap, traps, trap);
}

/* A value of a kind; references are of any store. */
static wasm_val_t value(wasm_valkind_t kind) {
  wasm_val_t val;
  memset(&val, 0, sizeof(val));
  val.kind = kind;
  if (kind == WASM_EXTERNREF || kind == WASM_FUNCREF) {
    wasm_ref_t *ref = take(3) ? *PLACE(refs) : NULL;
    val.of.ref = ref ? wasm_ref_copy(ref) : NULL;
  } else if (kind == WASM_I64 || kind == WASM_F64) {
    val.of.i64 = (int64_t)take(256) << take(60);
  } else {
    val.of.i32 = (int32_t)take(40) - 2;
  }
  return val;
}

/* Keeps a reference that came out, or lets it go. */
static void keep_value(wasm_val_t *val) {
  if (wasm_valkind_is_ref(val->kind) && val->of.ref && take(2)) {
    PUT(wasm_ref, refs, val->of.ref);
    val->of.ref = NULL;
  } else {
    wasm_val_delete(val);
  }
}

static void operations(unsigned count);

/* What a callback does: operations of its own, as long as there are not too many. */
static void inside(void) {
  if (depth >= DEEPEST || callbacks++ > CALLBACKS) return;
  depth++;
  operations(take(4));
  depth--;
}

static wasm_trap_t *finish(const wasm_functype_t *type, wasm_val_vec_t *results) {
  size_t i;
  const wasm_valtype_vec_t *kinds = wasm_functype_results(type);
  for (i = 0; i < results->size && i < kinds->size; i++) results->data[i] = value(wasm_valtype_kind(kinds->data[i]));
  if (take(6) == 0) {
    wasm_trap_t *trap = *PLACE(traps);
    if (trap) return wasm_trap_copy(trap);
  }
  if (take(16) == 0) {
    wasm_store_t *store = *PLACE(stores);
    wasm_message_t message;
    wasm_name_new_from_string_nt(&message, "the host's own trap");
    wasm_trap_t *trap = store ? wasm_trap_new(store, &message) : NULL;
    wasm_byte_vec_delete(&message);
    return trap;
  }
  return NULL;
}

static wasm_trap_t *host(void *env, const wasm_val_vec_t *args, wasm_val_vec_t *results) {
  size_t i;
  for (i = 0; i < args->size; i++) {
    wasm_val_t copy;
    wasm_val_copy(&copy, &args->data[i]);
    keep_value(&copy);
  }
  inside();
  return finish(env, results);
}

/* As a binding has it: the trap stands in the outcome, and "done" may be missing. */
static void host_guarded(void *env, const stepwell_caller_t *caller, const wasm_val_vec_t *args, wasm_val_vec_t *results,
                         stepwell_outcome_t *outcome) {
  (void)caller;
  outcome->trap = host(env, args, results);
  outcome->done = take(8) != 0;
}

/* A function on numbers alone. With an environment it has a result. */
static wasm_trap_t *host_unchecked(void *env, const stepwell_caller_t *caller, union stepwell_raw_val_t *values) {
  wasm_trap_t **place = PLACE(traps);
  (void)caller;
  inside();
  if (env) values[0].i32 = (int32_t)take(20);
  return *place && take(3) == 0 ? wasm_trap_copy(*place) : NULL;
}

static void ask(void *env, stepwell_outcome_t *outcome) {
  (void)env;
  inside();
  outcome->trap = take(4) == 0 && traps[0] ? wasm_trap_copy(traps[0]) : NULL;
  outcome->done = take(8) != 0;
}

static wasm_trap_t *host_caller(void *env, const stepwell_caller_t *caller, const wasm_val_vec_t *args, wasm_val_vec_t *results) {
  PUT(wasm_instance, instances, stepwell_caller_instance(caller));
  PUT(wasm_extern, externs, stepwell_caller_export(caller, "t"));
  return host(env, args, results);
}

static void type_finalize(void *env) {
  wasm_functype_delete(env);
  finalize(NULL);
}

static wasm_functype_t *func_type_of(unsigned which) {
  switch (which) {
    case 0: return wasm_functype_new_0_0();
    case 1: return wasm_functype_new_1_1(wasm_valtype_new_i32(), wasm_valtype_new_i32());
    case 2: return wasm_functype_new_1_1(wasm_valtype_new_externref(), wasm_valtype_new_externref());
    default: return wasm_functype_new_1_1(wasm_valtype_new_funcref(), wasm_valtype_new_funcref());
  }
}

static wasm_functype_t *func_type(void) { return func_type_of(take(4)); }

/* Looks at a stop: everything that it shows. */
static void look(stepwell_stop_t *stop) {
  size_t i, count = stepwell_stop_frame_count(stop);
  (void)stepwell_stop_reason(stop);
  (void)stepwell_stop_trap_code(stop);
  for (i = 0; i < count && i < 4; i++) {
    const stepwell_frame_t *frame = stepwell_stop_frame(stop, i);
    wasm_val_t vals[8]; /* the first ones; there may be more */
    size_t count, j;
    if (!frame) break;
    (void)stepwell_frame_func_index(frame);
    (void)stepwell_frame_offset(frame);
    count = stepwell_frame_locals(frame, vals, 8);
    for (j = 0; j < count && j < 8; j++) keep_value(&vals[j]);
    count = stepwell_frame_operands(frame, vals, 8);
    for (j = 0; j < count && j < 8; j++) wasm_val_delete(&vals[j]);
    if (i == 0) PUT(wasm_instance, instances, stepwell_frame_instance(frame));
  }
  seen_last();
}

/* Takes away the breakpoint that was hit, or sets one near where the guest stands. */
static void edit(stepwell_stop_t *stop) {
  stepwell_debugger_t *debugger = stepwell_stop_debugger(stop);
  if (take(3) == 0 && stepwell_stop_breakpoint_count(stop))
    seen(stepwell_breakpoint_remove(debugger, stepwell_stop_breakpoint(stop, 0)));
  if (take(4) == 0) {
    const stepwell_frame_t *frame = stepwell_stop_frame(stop, take(3));
    wasm_module_t *module = frame ? stepwell_frame_module(frame) : NULL;
    if (module) seen(stepwell_breakpoint_add(debugger, module, stepwell_frame_offset(frame) + take(8), NULL));
    wasm_module_delete(module);
  }
  if (take(8) == 0) (void)stepwell_stop_message_set(stop, "the debugger's own");
  seen_last();
}

static stepwell_action_t on_stop(void *env, stepwell_stop_t *stop) {
  static const stepwell_action_t ACTIONS[] = {STEPWELL_ACTION_CONTINUE, STEPWELL_ACTION_STEP, STEPWELL_ACTION_STEP_OVER, STEPWELL_ACTION_STEP_OUT, STEPWELL_ACTION_TRAP};
  stepwell_stop_t **place = PLACE(stops), *before = *place;
  (void)env;
  if (callbacks > CALLBACKS) {
    (void)!stepwell_debugger_step_always_set(stepwell_stop_debugger(stop), false);
    return STEPWELL_ACTION_CONTINUE;
  }
  *place = stop;
  if (take(2)) look(stop);
  inside();
  edit(stop);
  if (take(2)) look(stop);
  /* One that is over is an error to look at, and may stay. */
  if (take(4)) *place = before;
  return ACTIONS[take(take(8) ? 4 : 5)];
}

static wasm_val_t *make_args(const wasm_valtype_vec_t *kinds, wasm_val_vec_t *vec) {
  size_t i;
  wasm_val_vec_new_uninitialized(vec, kinds->size);
  for (i = 0; i < kinds->size; i++) vec->data[i] = value(wasm_valtype_kind(kinds->data[i]));
  return vec->data;
}

static void call(wasm_func_t *func) {
  wasm_functype_t *type = wasm_func_type(func);
  wasm_val_vec_t args, results;
  wasm_trap_t *trap = NULL;
  size_t i;
  make_args(wasm_functype_params(type), &args);
  wasm_val_vec_new_uninitialized(&results, wasm_functype_results(type)->size);
  for (i = 0; i < results.size; i++) {
    memset(&results.data[i], 0, sizeof(results.data[i]));
    results.data[i].kind = WASM_I32;
  }
  if (take(2)) {
    stepwell_error_t *error = stepwell_func_call(func, &args, &results, &trap);
    if (error || trap) {
      for (i = 0; i < results.size; i++) memset(&results.data[i], 0, sizeof(results.data[i])), results.data[i].kind = WASM_I32;
    }
    seen(error);
  } else {
    trap = wasm_func_call(func, &args, &results);
    if (trap) {
      for (i = 0; i < results.size; i++) memset(&results.data[i], 0, sizeof(results.data[i])), results.data[i].kind = WASM_I32;
    }
  }
  for (i = 0; i < results.size; i++) {
    keep_value(&results.data[i]);
    memset(&results.data[i], 0, sizeof(results.data[i]));
    results.data[i].kind = WASM_I32;
  }
  keep_trap(trap);
  wasm_val_vec_delete(&args);
  wasm_val_vec_delete(&results);
  wasm_functype_delete(type);
}

/* What can be done with an external value. */
static void use_extern(wasm_extern_t *item) {
  wasm_func_t *func = wasm_extern_as_func(item);
  wasm_global_t *global = wasm_extern_as_global(item);
  wasm_table_t *table = wasm_extern_as_table(item);
  wasm_memory_t *memory = wasm_extern_as_memory(item);
  if (func) {
    switch (take(4)) {
      case 0: PUT(wasm_ref, refs, wasm_ref_copy(wasm_func_as_ref(func))); break;
      case 1: {
        wasm_functype_t *type = wasm_func_type(func);
        stepwell_typed_func_t *made = NULL;
        seen(stepwell_typed_func_new(func, type, &made));
        PUT(stepwell_typed_func, typed, made);
        wasm_functype_delete(type);
        break;
      }
      default: call(func);
    }
  } else if (global) {
    wasm_val_t val;
    wasm_globaltype_t *type = wasm_global_type(global);
    if (take(2)) {
      wasm_global_get(global, &val);
      keep_value(&val);
    } else {
      val = value(wasm_valtype_kind(wasm_globaltype_content(type)));
      wasm_global_set(global, &val);
      wasm_val_delete(&val);
    }
    wasm_globaltype_delete(type);
  } else if (table) {
    wasm_ref_t *ref = *PLACE(refs);
    switch (take(3)) {
      case 0: PUT(wasm_ref, refs, wasm_table_get(table, take(12))); break;
      case 1: (void)wasm_table_set(table, take(12), ref); break;
      default: (void)wasm_table_grow(table, take(3), ref);
    }
  } else if (memory) {
    if (take(3) == 0) (void)wasm_memory_grow(memory, take(3));
    if (wasm_memory_data_size(memory)) wasm_memory_data(memory)[take(200)] = 1;
  }
  seen_last();
}

/* Keeps something with an object, whose finalizer deletes other handles. */
static void host_info(void) {
  wasm_ref_t *ref = *PLACE(refs);
  wasm_extern_t *item = *PLACE(externs);
  wasm_instance_t *instance = *PLACE(instances);
  wasm_trap_t *trap = *PLACE(traps);
  wasm_module_t *module = *PLACE(modules);
  switch (take(5)) {
    case 0: if (ref) to_finalize++, wasm_ref_set_host_info_with_finalizer(ref, &finalized, finalize); break;
    case 1: if (item) to_finalize++, wasm_extern_set_host_info_with_finalizer(item, &finalized, finalize); break;
    case 2: if (instance) to_finalize++, wasm_instance_set_host_info_with_finalizer(instance, &finalized, finalize); break;
    case 3: if (trap) to_finalize++, wasm_trap_set_host_info_with_finalizer(trap, &finalized, finalize); break;
    default: if (module) to_finalize++, wasm_module_set_host_info_with_finalizer(module, &finalized, finalize);
  }
  if (refs[0]) (void)wasm_ref_get_host_info(refs[0]);
  seen_last();
}

/* Instantiates by a vector of whatever there is. */
static void instantiate(wasm_store_t *store, wasm_module_t *module) {
  wasm_extern_t *imports[3];
  wasm_extern_vec_t vec = WASM_ARRAY_VEC(imports);
  wasm_instance_t *made = NULL;
  wasm_trap_t *trap = NULL;
  size_t i;
  vec.size = take(4);
  for (i = 0; i < vec.size; i++) {
    imports[i] = *PLACE(externs);
    if (!imports[i]) return;
  }
  if (take(2)) made = wasm_instance_new(store, module, &vec, &trap);
  else seen(stepwell_instance_new(store, module, &vec, &made, &trap));
  PUT(wasm_instance, instances, made);
  keep_trap(trap);
}

static void operation(void) {
  static const char *const IMPORTS[] = {"f", "t", "m", "x"};
  wasm_store_t **store_place = PLACE(stores), *store = *store_place;
  size_t index = (size_t)(store_place - stores);
  wasm_module_t *module = *PLACE(modules);
  wasm_instance_t *instance = *PLACE(instances);
  wasm_extern_t *item = *PLACE(externs);
  stepwell_linker_t *linker = *PLACE(linkers);
  wasm_trap_t *trap = NULL;
  unsigned which = take(52);
  if (!store && which != 0) return;
  switch (which) {
    case 0:
      if (!store && depth == 0) {
        stores[index] = wasm_store_new(engines[take(2)]);
        seen(stepwell_store_limits_set(stores[index], 4 << 20, 1000, 20));
        seen(stepwell_store_fuel_set(stores[index], 20000));
      }
      break;
    case 1:
      if (take(3) == 0) TRY_DROP(wasm_store, store_place);
      break;
    case 2:
    case 3: {
      wasm_module_t *made = NULL;
      unsigned of = take((unsigned)binary_count);
      if (take(8)) made = wasm_module_obtain(store, compiled[take(2)][of]);
      else seen(stepwell_module_new(store, &binaries[of], &made));
      PUT(wasm_module, modules, made);
      break;
    }
    case 4:
      if (module) PUT(wasm_shared_module, shared, wasm_module_share(module));
      break;
    case 5: {
      wasm_shared_module_t *from = *PLACE(shared);
      if (from) PUT(wasm_module, modules, wasm_module_obtain(store, from));
      break;
    }
    case 6:
      if (module) {
        wasm_byte_vec_t bytes = WASM_EMPTY_VEC;
        wasm_module_t *made = NULL;
        seen(stepwell_module_serialize(module, &bytes));
        if (bytes.size) seen(stepwell_module_deserialize(store, &bytes, &made));
        wasm_byte_vec_delete(&bytes);
        PUT(wasm_module, modules, made);
      }
      break;
    case 7: PUT(stepwell_linker, linkers, stepwell_linker_new(engines[take(2)])); break;
    case 8:
      if (linker) seen(stepwell_linker_shadowing_set(linker, take(2)));
      break;
    case 9:
    case 10:
      if (linker && module) seen(stepwell_linker_fill_missing_with_defaults(linker, store, module));
      break;
    case 11:
      if (linker && item) seen(stepwell_linker_define(linker, "e", IMPORTS[take(4)], item));
      break;
    case 12:
      if (linker) {
        wasm_functype_t *type = func_type();
        to_finalize++;
        seen(stepwell_linker_define_caller_func(linker, "e", "f", type, host_caller, wasm_functype_copy(type), type_finalize));
        wasm_functype_delete(type);
      }
      break;
    case 13:
      if (linker && instance) seen(stepwell_linker_define_instance(linker, "e", instance));
      break;
    case 14:
    case 15:
    case 16:
      if (linker && module) {
        wasm_instance_t *made = NULL;
        seen(stepwell_linker_instantiate(linker, store, module, &made, &trap));
        PUT(wasm_instance, instances, made);
        keep_trap(trap);
      }
      break;
    case 17:
      if (linker && module) {
        stepwell_instance_pre_t *made = NULL;
        seen(stepwell_linker_instantiate_pre(linker, module, &made));
        PUT(stepwell_instance_pre, pres, made);
      }
      break;
    case 18: {
      stepwell_instance_pre_t *pre = *PLACE(pres);
      if (pre) {
        wasm_instance_t *made = NULL;
        seen(stepwell_instance_pre_instantiate(pre, store, &made, &trap));
        PUT(wasm_instance, instances, made);
        keep_trap(trap);
      }
      break;
    }
    case 19:
    case 20:
      if (instance) {
        static const char *const NAMES[] = {"f", "g", "h", "t", "m", "x", "up", "call"};
        PUT(wasm_extern, externs, stepwell_instance_export(instance, NAMES[take(8)]));
      }
      break;
    case 21:
    case 22:
    case 23:
    case 24:
      if (item) {
        (void)!stepwell_store_fuel_set(store, 20000);
        use_extern(item);
      }
      break;
    case 25: {
      wasm_functype_t *type = func_type();
      wasm_func_t *made = NULL;
      to_finalize++;
      seen(stepwell_func_new(store, type, host_caller, wasm_functype_copy(type), type_finalize, &made));
      if (made) PUT(wasm_extern, externs, wasm_func_as_extern(made));
      wasm_functype_delete(type);
      break;
    }
    case 26: {
      wasm_foreign_t *made = wasm_foreign_new(store);
      to_finalize++;
      wasm_foreign_set_host_info_with_finalizer(made, made, finalize);
      PUT(wasm_ref, refs, wasm_foreign_as_ref(made));
      break;
    }
    case 27: {
      wasm_globaltype_t *type = wasm_globaltype_new(wasm_valtype_new(take(2) ? WASM_FUNCREF : WASM_EXTERNREF), WASM_VAR);
      wasm_val_t val = value(wasm_valtype_kind(wasm_globaltype_content(type)));
      wasm_global_t *made = wasm_global_new(store, type, &val);
      wasm_val_delete(&val);
      if (made) PUT(wasm_extern, externs, wasm_global_as_extern(made));
      wasm_globaltype_delete(type);
      break;
    }
    case 28: {
      wasm_limits_t limits = {take(8), 10};
      wasm_tabletype_t *type = wasm_tabletype_new(wasm_valtype_new(take(2) ? WASM_FUNCREF : WASM_EXTERNREF), &limits);
      wasm_table_t *made = wasm_table_new(store, type, *PLACE(refs));
      if (made) PUT(wasm_extern, externs, wasm_table_as_extern(made));
      wasm_tabletype_delete(type);
      break;
    }
    case 29: {
      wasm_limits_t limits = {take(2), 3};
      wasm_memorytype_t *type = wasm_memorytype_new(&limits);
      wasm_memory_t *made = wasm_memory_new(store, type);
      if (made) PUT(wasm_extern, externs, wasm_memory_as_extern(made));
      wasm_memorytype_delete(type);
      break;
    }
    case 30: {
      stepwell_typed_func_t *func = *PLACE(typed);
      union stepwell_raw_val_t values[1];
      memset(values, 0, sizeof(values));
      (void)!stepwell_store_fuel_set(store, 20000);
      if (func) seen(stepwell_typed_func_call(func, values, 1, &trap));
      keep_trap(trap);
      break;
    }
    case 31: {
      stepwell_interrupt_t *made = NULL;
      seen(stepwell_interrupt_new(store, &made));
      PUT(stepwell_interrupt, interrupts, made);
      break;
    }
    case 32: {
      stepwell_interrupt_t *interrupt = *PLACE(interrupts);
      if (interrupt) stepwell_interrupt_raise(interrupt);
      if (take(2)) stepwell_store_interrupt_clear(store);
      break;
    }
    case 33:
    case 34:
      if (!debuggers[index]) {
        to_finalize++;
        seen(stepwell_debugger_attach(store, on_stop, NULL, finalize, &debuggers[index]));
      } else if (take(4) == 0) {
        TRY_DROP(stepwell_debugger, &debuggers[index]);
      }
      break;
    case 35:
    case 36:
      if (debuggers[index] && module) {
        stepwell_breakpoint_t breakpoint;
        switch (take(4)) {
          case 0: seen(stepwell_breakpoint_add(debuggers[index], module, take(250), &breakpoint)); break;
          case 1: seen(stepwell_breakpoint_add_at_function_index(debuggers[index], module, take(8), &breakpoint)); break;
          case 2: seen(stepwell_breakpoint_remove(debuggers[index], take(6))); break;
          default: seen(stepwell_debugger_step_always_set(debuggers[index], take(2)));
        }
      }
      break;
    case 37: seen(stepwell_store_collect(store)); break;
    case 38: {
      stepwell_stop_t *stop = *PLACE(stops);
      if (stop) look(stop);
      break;
    }
    case 39:
    case 40: keep(); break;
    case 41: host_info(); break;
    case 42:
      if (module) instantiate(store, module);
      break;
    case 43: {
      wasm_functype_t *type = func_type();
      wasm_func_t *made = NULL;
      to_finalize++;
      seen(stepwell_guarded_func_new(store, type, host_guarded, wasm_functype_copy(type), type_finalize, &made));
      if (made) PUT(wasm_extern, externs, wasm_func_as_extern(made));
      wasm_functype_delete(type);
      break;
    }
    case 44: {
      unsigned of = take(4);
      wasm_functype_t *type = func_type_of(of);
      wasm_func_t *made = NULL;
      void *env = of ? &finalized : NULL;
      to_finalize++;
      if (take(2) && linker) {
        seen(stepwell_linker_define_func_unchecked(linker, "e", "f", type, host_unchecked, env, finalize));
      } else {
        seen(stepwell_func_new_unchecked(store, type, host_unchecked, env, finalize, &made));
      }
      if (made) PUT(wasm_extern, externs, wasm_func_as_extern(made));
      wasm_functype_delete(type);
      break;
    }
    case 45: {
      stepwell_interrupt_t *interrupt = *PLACE(interrupts);
      to_finalize++;
      seen(stepwell_store_ask_set(store, ask, NULL, finalize));
      if (interrupt) stepwell_interrupt_ask(interrupt);
      break;
    }
    case 46:
      seen(stepwell_store_epoch_deadline_set(store, take(3)));
      if (take(2)) stepwell_engine_epoch_increment(engines[take(2)]);
      if (take(4)) seen(stepwell_store_epoch_deadline_set(store, 1000000));
      break;
    case 47:
      if (linker) PUT(wasm_extern, externs, stepwell_linker_get(linker, store, "e", IMPORTS[take(4)]));
      break;
    case 48:
      if (instance) {
        uint32_t of = take(3);
        switch (take(4)) {
          case 0: PUT(wasm_extern, externs, wasm_func_as_extern(stepwell_instance_func(instance, of))); break;
          case 1: PUT(wasm_extern, externs, wasm_global_as_extern(stepwell_instance_global(instance, of))); break;
          case 2: PUT(wasm_extern, externs, wasm_memory_as_extern(stepwell_instance_memory(instance, of))); break;
          default: PUT(wasm_extern, externs, wasm_table_as_extern(stepwell_instance_table(instance, of)));
        }
      }
      break;
    case 49:
      if (linker) seen(stepwell_linker_define_wasi(linker, store, stepwell_wasi_config_new()));
      break;
    case 50: delete_kept(take(KEPT)); break;
    default:
      switch (take(10)) {
        case 0: DROP(wasm_module, modules); break;
        case 1: DROP(wasm_shared_module, shared); break;
        case 2: DROP(wasm_instance, instances); break;
        case 3: DROP(wasm_extern, externs); break;
        case 4: DROP(wasm_ref, refs); break;
        case 5: DROP(wasm_trap, traps); break;
        case 6: DROP(wasm_frame, frames); break;
        case 7: DROP(stepwell_linker, linkers); break;
        case 8: DROP(stepwell_typed_func, typed); break;
        default: {
          wasm_frame_t *frame = *PLACE(frames);
          if (frame) PUT(wasm_instance, instances, wasm_frame_instance(frame) ? wasm_instance_copy(wasm_frame_instance(frame)) : NULL);
        }
      }
  }
  seen_last();
}

static void operations(unsigned count) {
  while (count-- && input < input_end) operation();
}

/* Prepares engines, once, with the modules that inputs choose from. */
void c_api_setup(const uint8_t *const *wasm, const size_t *sizes, size_t count) {
  int i;
  for (i = 0; i < 2; i++) {
    wasm_config_t *config = wasm_config_new();
    stepwell_config_debug_set(config, true);
    stepwell_config_fuel_set(config, true);
    stepwell_config_epoch_set(config, true);
    stepwell_config_parallel_set(config, false);
    if (i) seen(stepwell_config_debug_tier_set(config, STEPWELL_DEBUG_TIER_SIMPLE));
    engines[i] = wasm_engine_new_with_config(config);
  }
  for (binary_count = 0; binary_count < count && binary_count < 8; binary_count++)
    wasm_byte_vec_new(&binaries[binary_count], sizes[binary_count], (const wasm_byte_t *)wasm[binary_count]);
  for (i = 0; i < 2; i++) {
    wasm_store_t *store = wasm_store_new(engines[i]);
    size_t j;
    for (j = 0; j < binary_count; j++) {
      wasm_module_t *module = NULL;
      seen(stepwell_module_new(store, &binaries[j], &module));
      compiled[i][j] = wasm_module_share(module);
      seen(stepwell_shared_module_compile_debug(compiled[i][j], NULL, NULL));
      wasm_module_delete(module);
    }
    wasm_store_delete(store);
  }
}

/* A store with an instance of a module of its own, whose import is the host's, and an external reference. */
static void begin(size_t index) {
  wasm_functype_t *type = func_type_of((unsigned)index + 1);
  wasm_func_t *func = NULL;
  wasm_extern_t *imports[1];
  wasm_extern_vec_t vec = WASM_ARRAY_VEC(imports);
  stores[index] = wasm_store_new(engines[index % 2]);
  seen(stepwell_store_limits_set(stores[index], 4 << 20, 1000, 20));
  seen(stepwell_store_fuel_set(stores[index], 20000));
  modules[index] = wasm_module_obtain(stores[index], compiled[index % 2][index]);
  to_finalize++;
  seen(stepwell_func_new(stores[index], type, host_caller, wasm_functype_copy(type), type_finalize, &func));
  imports[0] = wasm_func_as_extern(func);
  seen(stepwell_instance_new(stores[index], modules[index], &vec, &instances[index], NULL));
  externs[index] = stepwell_instance_export(instances[index], "g");
  externs[STORES + index] = imports[0];
  refs[index] = wasm_foreign_as_ref(wasm_foreign_new(stores[index]));
  linkers[index] = stepwell_linker_new(engines[index % 2]);
  wasm_functype_delete(type);
}

/* Deletes what is at a place of some kind. */
static void drop_any(void) {
  switch (take(15)) {
    case 0: DROP(stepwell_debugger, debuggers); break;
    case 1: DROP(wasm_store, stores); break;
    case 2: DROP(wasm_trap, traps); break;
    case 3: DROP(wasm_frame, frames); break;
    case 4: DROP(wasm_ref, refs); break;
    case 5: DROP(stepwell_linker, linkers); break;
    case 6: DROP(stepwell_instance_pre, pres); break;
    case 7: DROP(wasm_module, modules); break;
    case 8: DROP(wasm_extern, externs); break;
    case 9: DROP(wasm_instance, instances); break;
    case 10: DROP(wasm_shared_module, shared); break;
    case 11: DROP(stepwell_typed_func, typed); break;
    case 12: DROP(stepwell_interrupt, interrupts); break;
    default: delete_kept(take(KEPT));
  }
}

#define DROP_ALL(kind, array) \
  for (i = 0; i < sizeof(array) / sizeof((array)[0]); i++) DROP_AT(kind, &(array)[i])

/* Runs an input, and deletes everything, in an order of its choice. */
void c_api_run(const uint8_t *data, size_t size) {
  size_t i;
  input = data + (size ? 1 : 0);
  input_end = data + size;
  beyond = size ? data[0] : 0;
  depth = 0;
  callbacks = 0;
  finalized = to_finalize = 0;
  for (i = 0; i < STORES; i++) begin(i);
  while (input < input_end) operation();
  callbacks = 0;
  for (i = 0; i < 100; i++) drop_any();
  DROP_ALL(stepwell_debugger, debuggers);
  DROP_ALL(wasm_store, stores);
  DROP_ALL(wasm_trap, traps);
  DROP_ALL(wasm_frame, frames);
  DROP_ALL(wasm_ref, refs);
  DROP_ALL(stepwell_linker, linkers);
  DROP_ALL(stepwell_instance_pre, pres);
  DROP_ALL(wasm_module, modules);
  DROP_ALL(wasm_extern, externs);
  DROP_ALL(wasm_instance, instances);
  DROP_ALL(wasm_shared_module, shared);
  DROP_ALL(stepwell_typed_func, typed);
  DROP_ALL(stepwell_interrupt, interrupts);
  for (i = 0; i < KEPT; i++) delete_kept((unsigned)i);
  memset(stops, 0, sizeof(stops));
  if (finalized != to_finalize) {
    fprintf(stderr, "%ld finalizers ran, %ld were to\n", finalized, to_finalize);
    abort();
  }
}
