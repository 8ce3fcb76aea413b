/* Where C tests write: beside their program. Apart from check.h, for it needs POSIX, and some tests are of plain C. */
#ifndef BESIDE_H
#define BESIDE_H

#include "check.h"

#include <unistd.h>

/* Writes a path in the program's own folder, which tests keep to, to `path`: ending in `-XXXXXX`, for mkstemp and mkdtemp. */
static inline void check_beside(const char *name, char *path, size_t size) {
  ssize_t length = readlink("/proc/self/exe", path, size - 1);
  char *slash;
  CHECK(length > 0 && (size_t)length < size - 1);
  path[length] = 0;
  slash = strrchr(path, '/');
  CHECK(slash && (size_t)(slash + 1 - path) + strlen(name) + sizeof("-XXXXXX") <= size);
  strcpy(slash + 1, name);
  strcat(slash + 1, "-XXXXXX");
}

#endif
