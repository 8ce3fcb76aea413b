// The headers for C, as strict projects in C++ see them: no casts in the old style, no initialisers of C's, and `switch`es over every
// enumeration. What it does is what CMakeLists.txt has compilers say of it.
#include <stepwell.h>

wasm_val_t number = WASM_I32_VAL(3);

wasm_val_t numbers[] = {WASM_I32_VAL(1), WASM_I64_VAL(2), WASM_F32_VAL(3), WASM_F64_VAL(4), WASM_REF_VAL(NULL), WASM_INIT_VAL};

wasm_val_t vector_of(const unsigned char (&bytes)[16]) { return STEPWELL_V128_VAL(bytes); }

void *there_and_back(void *pointer) {
  wasm_val_t value = WASM_INIT_VAL;
  wasm_val_init_ptr(&value, pointer);
  return wasm_val_ptr(&value);
}

int kind(const wasm_val_t &value) {
  switch (value.kind) {
    case WASM_I32: return 1;
    case WASM_EXTERNREF: return 2;
    case STEPWELL_VALKIND_V128: return 3;
    case STEPWELL_VALKIND_ANYREF: return 4;
    default: return 0;
  }
}

int reason(const stepwell_stop_t *stop) {
  switch (stepwell_stop_reason(stop)) {
    case STEPWELL_STOP_BREAKPOINT: return 1;
    case STEPWELL_STOP_TRAP: return 2;
    default: return 0;
  }
}

int error(const stepwell_error_t *error) {
  switch (stepwell_error_code(error)) {
    case STEPWELL_ERROR_LINK: return 1;
    default: return 0;
  }
}

int trap(const wasm_trap_t *trap) {
  switch (stepwell_trap_code(trap)) {
    case STEPWELL_TRAP_INTERRUPT: return 1;
    default: return 0;
  }
}

int external(const wasm_extern_t *item) {
  switch (wasm_extern_kind(item)) {
    case WASM_EXTERN_FUNC: return 1;
    default: return 0;
  }
}
