/* A program of somebody else's: calls a guest, and says which library it runs with. */
#include <stepwell.h>
#include <stdio.h>
#include <string.h>

/* (module (func (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add)) */
static char BINARY[] =
    "\0asm\1\0\0\0\1\7\1\140\2\177\177\1\177\3\2\1\0\7\7\1\3\141\144\144\0\0\12\11\1\7\0\40\0\40\1\152\13";

int main(void) {
  wasm_engine_t *engine = wasm_engine_new();
  wasm_store_t *store = wasm_store_new(engine);
  wasm_byte_vec_t binary = {sizeof BINARY - 1, BINARY};
  wasm_module_t *module = wasm_module_new(store, &binary);
  wasm_extern_vec_t none = WASM_EMPTY_VEC;
  wasm_instance_t *instance = module ? wasm_instance_new(store, module, &none, NULL) : NULL;
  wasm_extern_t *add = instance ? stepwell_instance_export(instance, "add") : NULL;
  wasm_val_t numbers[2] = {WASM_I32_VAL(40), WASM_I32_VAL(2)}, sum[1] = {WASM_INIT_VAL};
  wasm_val_vec_t args = WASM_ARRAY_VEC(numbers), results = WASM_ARRAY_VEC(sum);
  wasm_trap_t *trap = add ? wasm_func_call(wasm_extern_as_func(add), &args, &results) : NULL;
  int good = add && !trap && sum[0].of.i32 == 42 && stepwell_version_number() == STEPWELL_VERSION_NUMBER;
  printf("stepwell %s: %d\n", stepwell_version_string(), (int)sum[0].of.i32);
  wasm_trap_delete(trap);
  wasm_extern_delete(add);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  return good ? 0 : 1;
}
