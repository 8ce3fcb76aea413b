/* What the programs here share: results printed so that they are the same on every system. */
#ifndef NAMES_H
#define NAMES_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* An error number's name: the numbers themselves differ. */
static const char *error_name(int number) {
    static const struct {
        int number;
        const char *name;
    } names[] = {
        {EACCES, "EACCES"}, {EBADF, "EBADF"}, {EEXIST, "EEXIST"}, {EFBIG, "EFBIG"}, {EINVAL, "EINVAL"},
        {EISDIR, "EISDIR"}, {ELOOP, "ELOOP"}, {ENAMETOOLONG, "ENAMETOOLONG"}, {ENOENT, "ENOENT"},
        {ENOTDIR, "ENOTDIR"}, {ENOTEMPTY, "ENOTEMPTY"}, {EPERM, "EPERM"}, {ESPIPE, "ESPIPE"}, {EXDEV, "EXDEV"},
        {EAGAIN, "EAGAIN"}, {ENOTSUP, "ENOTSUP"}, {EOVERFLOW, "EOVERFLOW"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (names[i].number == number) {
            return names[i].name;
        }
    }
    return "another error";
}

/* Prints what a call returned, or why it failed. */
static long report(const char *what, long result) {
    if (result < 0) {
        printf("%s: %s\n", what, error_name(errno));
    } else {
        printf("%s: %ld\n", what, result);
    }
    return result;
}

#endif
