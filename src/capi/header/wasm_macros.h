
#ifndef WASM_API_EXTERN
#define WASM_API_EXTERN
#endif

/*
 * Ownership. `own` says who deletes:
 *  - an `own` result is the caller's, who deletes it with the type's `_delete`;
 *  - an `own` parameter is the callee's from the call on, also when the call fails;
 *  - `own T *out` is written by the callee, and what was written is the caller's;
 *  - an owned vector owns its elements.
 * Everything else is borrowed: it is valid as long as what it was got from.
 * Handles can be deleted in any order. Deleting NULL does nothing.
 *
 * Failure. A function that returns NULL, false or a trap says why through `stepwell_last_error()` of stepwell/error.h.
 *
 * NULL, or an object of another kind, where none may be, is such a failure too: of a function that returns a pointer, a
 * bool or an error. One that returns a number, or nothing, cannot say so: it ends the process with a message that names
 * function and parameter. So does `wasm_func_call`, whose NULL is success. Each function says which of its parameters
 * may be NULL; `env`, `finalizer` and `trap_out` always may, deleting NULL does nothing, and a conversion (`_as_`) of
 * NULL is NULL.
 *
 * Threads. Each function's comment ends with who may call it:
 *  - `Thread: any.` From any thread, at any time, for each object one at a time.
 *  - `Thread: one at a time per store.` For all objects of a store together, one thread at a time.
 *  - `Thread: inside callback only.` Only during the callback that handed the object out.
 *  - `Thread: any, async-signal-safe.`
 */
#define own

/* Initialisers for vectors. */
#define WASM_EMPTY_VEC {0, NULL}
#define WASM_ARRAY_VEC(array) {sizeof(array) / sizeof(*(array)), array}

/* Initialisers for values. To C++ they are expressions, for it has no such initialisers before C++20. */
#ifdef __cplusplus
#define WASM_I32_VAL(i) wasm_val_of_i32(i)
#define WASM_I64_VAL(i) wasm_val_of_i64(i)
#define WASM_F32_VAL(z) wasm_val_of_f32(z)
#define WASM_F64_VAL(z) wasm_val_of_f64(z)
#define WASM_REF_VAL(r) wasm_val_of_ref(r)
#define WASM_INIT_VAL wasm_val_of_ref(NULL)
#else
#define WASM_I32_VAL(i) {.kind = WASM_I32, .of = {.i32 = i}}
#define WASM_I64_VAL(i) {.kind = WASM_I64, .of = {.i64 = i}}
#define WASM_F32_VAL(z) {.kind = WASM_F32, .of = {.f32 = z}}
#define WASM_F64_VAL(z) {.kind = WASM_F64, .of = {.f64 = z}}
#define WASM_REF_VAL(r) {.kind = WASM_EXTERNREF, .of = {.ref = r}}
#define WASM_INIT_VAL {.kind = WASM_EXTERNREF, .of = {.ref = NULL}}
#endif

/* A name is a byte vector. */
#define wasm_name wasm_byte_vec
#define wasm_name_new wasm_byte_vec_new
#define wasm_name_new_empty wasm_byte_vec_new_empty
#define wasm_name_new_uninitialized wasm_byte_vec_new_uninitialized
#define wasm_name_new_new_uninitialized wasm_byte_vec_new_uninitialized /* the standard's spelling */
#define wasm_name_copy wasm_byte_vec_copy
#define wasm_name_delete wasm_byte_vec_delete

/* `max` of wasm_limits_t for "no limit". */
static const uint32_t wasm_limits_max_default = 0xffffffff;
/* Bytes of a memory's page. */
static const size_t MEMORY_PAGE_SIZE = 0x10000;

