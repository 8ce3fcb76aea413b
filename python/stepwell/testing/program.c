/*
 * A small WASI program, for the tests of stepwell-run and of source positions. There is no C library: everything is in this file and
 * in program.h. Its first argument says what it does:
 *
 *   args | env              prints its arguments, its environment, one a line
 *   echo                    copies its standard input to its standard output
 *   cat PATH                prints a file of its first directory
 *   write PATH TEXT         creates such a file
 *   exit STATUS             exits
 *   trap | unreachable | overflow      ends badly: divides by zero, executes `unreachable`, recurses for ever
 *   spin                    runs for ever
 *   grow                    grows its memory until it may not, and prints how many pages it has
 *   fib N                   prints a Fibonacci number
 *
 * Without any, it greets. The exports below _start are for calling one by one.
 */
#include "program.h"

typedef unsigned int size;
#define WASI(name) __attribute__((import_module("wasi_snapshot_preview1"), import_name(#name)))
#define EXPORT(name) __attribute__((export_name(#name), noinline))
#define NOINLINE __attribute__((noinline))

typedef struct slice {
    const char *data;
    size length;
} slice;

WASI(args_sizes_get) int args_sizes_get(size *count, size *bytes);
WASI(args_get) int args_get(char **args, char *bytes);
WASI(environ_sizes_get) int environ_sizes_get(size *count, size *bytes);
WASI(environ_get) int environ_get(char **variables, char *bytes);
WASI(fd_write) int fd_write(int fd, const slice *slices, size count, size *written);
WASI(fd_read) int fd_read(int fd, const slice *slices, size count, size *read);
WASI(path_open) int path_open(int fd, int look_up, const char *path, size length, int flags, unsigned long long rights,
                              unsigned long long inheriting, int descriptor_flags, int *opened);
WASI(proc_exit) __attribute__((noreturn)) void proc_exit(int status);

/* ---- little helpers ---------------------------------------------------------------------------------------- */

static char *texts[256];
static char bytes[1 << 16];

static size length_of(const char *text) {
    size length = 0;
    while (text[length]) {
        length++;
    }
    return length;
}

static int equal(const char *a, const char *b) {
    while (*a && *a == *b) {
        a++, b++;
    }
    return *a == *b;
}

static int number(const char *text) {
    int value = 0, negative = *text == '-';
    for (text += negative; *text >= '0' && *text <= '9'; text++) {
        value = value * 10 + (*text - '0');
    }
    return negative ? -value : value;
}

NOINLINE static void put(int fd, const char *text, size length) {
    slice s = {text, length};
    size written;
    if (fd_write(fd, &s, 1, &written) || written != length) {
        proc_exit(74);
    }
}

static void put_line(const char *text) {
    put(1, text, length_of(text));
    put(1, "\n", 1);
}

static void put_number(int value) {
    char digits[12];
    size at = sizeof digits;
    unsigned left = value < 0 ? 0u - (unsigned)value : (unsigned)value;
    digits[--at] = 0;
    do {
        digits[--at] = (char)('0' + left % 10);
    } while (left /= 10);
    if (value < 0) {
        digits[--at] = '-';
    }
    put_line(digits + at);
}

static void give_up(const char *why) {
    put(2, why, length_of(why));
    put(2, "\n", 1);
    proc_exit(2);
}

/* ---- what it can do ---------------------------------------------------------------------------------------- */

NOINLINE static void copy(int from, int to) {
    size got = 0;
    do {
        slice s = {bytes, sizeof bytes};
        if (fd_read(from, &s, 1, &got)) {
            give_up("cannot read");
        }
        put(to, bytes, got);
    } while (got);
}

static int open_file(const char *path, int create) {
    int fd;
    unsigned long long rights = create ? 1ull << 6 : 1ull << 1; /* fd_write, fd_read */
    if (path_open(3, 0, path, length_of(path), create ? 9 : 0, rights, 0, 0, &fd)) { /* 9: create, truncate */
        give_up("cannot open");
    }
    return fd;
}

static volatile int spun;

NOINLINE static int overflow(int n) {
    spun = n;
    return n < 0 ? 0 : overflow(n + 1) + spun; /* more often than a stack is deep */
}

NOINLINE static void fail_somehow(const char *how, int zero) {
    if (equal(how, "trap")) {
        put_number(ratio(7, zero));
    } else if (equal(how, "overflow")) {
        put_number(overflow(zero));
    } else {
        __builtin_trap();
    }
}

EXPORT(spin) void spin(void) {
    for (;;) {
        spun++;
    }
}

EXPORT(fib) int fib(int n) {
    return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

static int pages(void) {
    while (__builtin_wasm_memory_grow(0, 1) != -1ul) {
    }
    return (int)__builtin_wasm_memory_size(0);
}

static void run(int count) {
    const char *command = texts[1], *operand = count > 2 ? texts[2] : "";
    if (equal(command, "args")) {
        for (int i = 0; i < count; i++) {
            put_line(texts[i]);
        }
    } else if (equal(command, "env")) {
        size variables, length;
        if (environ_sizes_get(&variables, &length) || variables > 256 || length > sizeof bytes ||
            environ_get(texts, bytes)) {
            give_up("cannot get the environment");
        }
        for (size i = 0; i < variables; i++) {
            put_line(texts[i]);
        }
    } else if (equal(command, "echo")) {
        copy(0, 1);
    } else if (equal(command, "cat")) {
        copy(open_file(operand, 0), 1);
    } else if (equal(command, "write") && count > 3) {
        put(open_file(operand, 1), texts[3], length_of(texts[3]));
    } else if (equal(command, "exit")) {
        proc_exit(number(operand));
    } else if (equal(command, "spin")) {
        spin();
    } else if (equal(command, "grow")) {
        put_number(pages());
    } else if (equal(command, "fib")) {
        put_number(fib(number(operand)));
    } else if (equal(command, "trap") || equal(command, "unreachable") || equal(command, "overflow")) {
        fail_somehow(command, (int)length_of(operand));
    } else {
        give_up("what?");
    }
}

EXPORT(_start) void start(void) {
    size count, length;
    if (args_sizes_get(&count, &length) || count > 256 || length > sizeof bytes || args_get(texts, bytes)) {
        give_up("cannot get the arguments");
    }
    if (count < 2) {
        put_line("hello");
    } else {
        run((int)count);
    }
}

/* ---- exports to be called one by one ----------------------------------------------------------------------- */

EXPORT(divide) int divide(int a, int b) {
    return ratio(a, b) + 1;
}

EXPORT(add64) long long add64(long long a, long long b) {
    return a + b;
}

EXPORT(half32) float half32(float x) {
    return x / 2;
}

EXPORT(half64) double half64(double x) {
    return x / 2;
}
