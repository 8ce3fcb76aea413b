// The same library from C++.
#include <stepwell.h>

#include <iostream>
#include <memory>

int main() {
  std::unique_ptr<wasm_engine_t, void (*)(wasm_engine_t *)> engine(wasm_engine_new(), wasm_engine_delete);
  std::unique_ptr<wasm_store_t, void (*)(wasm_store_t *)> store(wasm_store_new(engine.get()), wasm_store_delete);
  wasm_byte_vec_t nothing = WASM_EMPTY_VEC;
  wasm_module_t *module = nullptr;
  stepwell_error_t *error = stepwell_module_new(store.get(), &nothing, &module);
  bool refused = error && stepwell_error_code(error) == STEPWELL_ERROR_INVALID_MODULE;
  stepwell_error_delete(error);
  std::cout << "stepwell " << stepwell_version_string() << ": " << (refused ? "refused" : "taken") << "\n";
  return refused && stepwell_version_number() == STEPWELL_VERSION_NUMBER ? 0 : 1;
}
