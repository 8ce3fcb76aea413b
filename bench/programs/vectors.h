/* Vectors for the programs whose names begin with `simd_`. Natively these run the scalar loops that say what is right. */
#ifndef VECTORS_H
#define VECTORS_H

#include "support.h"

#ifndef NATIVE
#include <wasm_simd128.h>
#endif

/* The bits of a float. */
static inline uint32_t bits_of(float value)
{
    union { float value; uint32_t bits; } both = {value};
    return both.bits;
}

#endif
