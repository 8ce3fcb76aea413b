// What the C++ tests share: a check that names its place, and the modules of tests/c.
#ifndef CHECK_HPP
#define CHECK_HPP

#include <stepwell.hpp>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "../c/modules.h"

#define CHECK(condition)                                                                                               \
  do {                                                                                                                 \
    if (!(condition)) {                                                                                                \
      std::fprintf(stderr, "%s:%d: %s is not so\n", __FILE__, __LINE__, #condition);                                   \
      std::exit(1);                                                                                                    \
    }                                                                                                                  \
  } while (0)

/// Checks that a Result failed with this code and a message that contains this text.
#define FAILS(result, wanted, text)                                                                                    \
  do {                                                                                                                 \
    const auto outcome_ = (result);                                                                                    \
    if (outcome_.ok()) {                                                                                               \
      std::fprintf(stderr, "%s:%d: succeeded; \"%s\" was due\n", __FILE__, __LINE__, text);                            \
      std::exit(1);                                                                                                    \
    }                                                                                                                  \
    check_failure(outcome_.error(), wanted, text, __FILE__, __LINE__);                                                 \
  } while (0)

inline void check_failure(const stepwell::Error &error, stepwell::ErrorCode wanted, const char *text, const char *file, int line) {
  if (error.code() == wanted && error.message().find(text) != std::string::npos) return;
  std::fprintf(stderr, "%s:%d: error %d \"%s\"; %d \"%s\" was due\n", file, line, static_cast<int>(error.code()), error.what(),
               static_cast<int>(wanted), text);
  std::exit(1);
}

#if defined(__cpp_exceptions)
/// Checks that this throws a `Type` whose message contains this text.
#define THROWS(expression, Type, text)                                                                                 \
  do {                                                                                                                 \
    bool thrown_ = false;                                                                                              \
    try {                                                                                                              \
      (void)(expression);                                                                                              \
    } catch (const Type &exception_) {                                                                                 \
      thrown_ = std::string(exception_.what()).find(text) != std::string::npos;                                        \
      if (!thrown_) std::fprintf(stderr, "it says: %s\n", exception_.what());                                          \
    }                                                                                                                  \
    CHECK(thrown_ && #expression " throws " #Type);                                                                    \
  } while (0)
#endif

/// A module of modules.h.
template <std::size_t N> stepwell::Span<const std::uint8_t> bytes(const unsigned char (&array)[N]) { return {array, N}; }

#endif
