/* The least that shows that header and library fit. */
#include <stepwell.h>
#include <stdio.h>

int main(void) {
  wasm_engine_t *engine = wasm_engine_new();
  wasm_store_t *store = wasm_store_new(engine);
  int good = store && stepwell_version_number() == STEPWELL_VERSION_NUMBER;
  printf("stepwell %s\n", stepwell_version_string());
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  return good ? 0 : 1;
}
