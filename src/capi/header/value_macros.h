
/*
 * Values of type `v128`, which wasm.h has no word for. Their kind is STEPWELL_VALKIND_V128, and a value points to its 16
 * bytes, lane 0 first. NULL is 16 zeros. Who frees the bytes follows the rule of references: what is passed is only
 * lent, and may be any bytes of the host's; what a function writes, and what a host function gives away as a result, is
 * owned, made by `stepwell_val_new_v128` and freed by `wasm_val_delete`. A host function may also hand an argument on as
 * a result without a copy, as numbers are.
 */

/* An initialiser for a `v128` that lends these 16 bytes: valid as long as they are, and not to be deleted. */
#ifdef __cplusplus
#define STEPWELL_V128_VAL(bytes) wasm_val_of_bytes(STEPWELL_VALKIND_V128, bytes)
#else
#define STEPWELL_V128_VAL(bytes) {.kind = STEPWELL_VALKIND_V128, .of = {.ref = (wasm_ref_t *)(uintptr_t)(bytes)}}
#endif
