
@VERSION_MACROS@

#ifndef STEPWELL_API
#define STEPWELL_API
#endif

#ifndef own
#define own
#endif

