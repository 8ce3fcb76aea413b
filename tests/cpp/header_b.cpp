// See header_a.cpp.
#include <stepwell.hpp>
#include <stepwell.hpp>

int without_exceptions() {
  stepwell::Engine engine;
  const stepwell::Result<stepwell::Store> store = stepwell::Store::try_make(engine);
  return store.ok() ? 2 : 0;
}
