
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

#ifndef own
#define own
#endif

