/* Waiting: for times, for files, and for standard input, which is a pipe in which "typed" comes late. */
#include "names.h"

#include <poll.h>
#include <sched.h>
#include <sys/select.h>
#include <sys/time.h>
#include <time.h>

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

int main(void) {
    struct timespec time;
    report("resolution", clock_getres(CLOCK_MONOTONIC, &time));
    double start = now();
    time = (struct timespec){0, 20000000};
    report("nanosleep", nanosleep(&time, NULL));
    printf("slept %d\n", now() - start >= 0.02);
    start = now();
    clock_gettime(CLOCK_REALTIME, &time);
    time.tv_sec -= 1;
    report("until", clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &time, NULL));
    printf("at once %d\n", now() - start < 1);
    report("usleep", usleep(1000));
    report("yield", sched_yield());

    int fd = open("file", O_RDWR | O_CREAT, 0644);
    write(fd, "content", 7);
    lseek(fd, 0, SEEK_SET);
    struct pollfd fds[2] = {{.fd = fd, .events = POLLIN | POLLOUT}, {.fd = 1, .events = POLLOUT}};
    report("poll", poll(fds, 2, 1000));
    printf("file %d %d, output %d\n", (fds[0].revents & POLLIN) != 0, (fds[0].revents & POLLOUT) != 0, (fds[1].revents & POLLOUT) != 0);

    struct pollfd input = {.fd = 0, .events = POLLIN};
    start = now();
    report("nothing yet", poll(&input, 1, 20));
    printf("waited %d\n", now() - start >= 0.019);
    report("wait", poll(&input, 1, 60000));
    printf("readable %d, within time %d\n", (input.revents & POLLIN) != 0, now() - start < 30);
    char text[16] = {0};
    report("read", read(0, text, 15));
    printf("%s\n", text);
    fd_set set;
    FD_ZERO(&set);
    FD_SET(0, &set);
    struct timeval limit = {60, 0};
    report("select", select(1, &set, NULL, NULL, &limit));
    report("end", read(0, text, 15));
    printf("terminal %d %d\n", isatty(0), isatty(fd));
    close(fd);
    report("unlink", unlink("file"));
    return 7;
}
