// The header alone, twice, in two units of one program: this one with exceptions, header_b.cpp without.
#include <stepwell.hpp>
#include <stepwell.hpp>

int without_exceptions();

static int with_exceptions() {
  try {
    stepwell::Result<int>(stepwell::Trap("caught")).value();
  } catch (const stepwell::Trap &) {
    return 1;
  }
  return 0;
}

int main() { return with_exceptions() == 1 && without_exceptions() == 2 ? 0 : 1; }
