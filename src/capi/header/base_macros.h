
/*
 * Ownership (`own`), failure, NULL and threads: see wasm.h. What holds for stepwell.h alone:
 *
 * Text. Every text that a function gives is UTF-8, NUL-terminated and borrowed: nobody deletes it, and the function
 * says how long it is valid. A name of a module's may have NUL bytes inside; such functions tell its length through
 * `size_out`, which may be NULL. Every text that a function takes is NUL-terminated and copied.
 *
 * Bytes, which may be anything, are given as vectors, and are the caller's.
 */

@VERSION_MACROS@

#ifndef STEPWELL_API
#define STEPWELL_API
#endif

/* The result must be looked at: an error that nobody deletes leaks. */
#ifndef STEPWELL_NODISCARD
#if defined(__GNUC__)
#define STEPWELL_NODISCARD __attribute__((warn_unused_result))
#else
#define STEPWELL_NODISCARD
#endif
#endif
