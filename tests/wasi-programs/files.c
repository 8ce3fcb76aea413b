/* Files: created, written, read, sought, cut, with what goes wrong. */
#include "names.h"

static void show(const char *path) {
    char text[256];
    int fd = open(path, O_RDONLY);
    ssize_t len = read(fd, text, sizeof text);
    close(fd);
    printf("%s: %ld bytes:", path, (long)len);
    for (ssize_t i = 0; i < len; i++) {
        printf(text[i] >= ' ' && text[i] <= '~' ? "%c" : "\\%02x", text[i] & 0xff);
    }
    printf("\n");
}

static void stdio(void) {
    FILE *file = fopen("stdio", "w+");
    fprintf(file, "%s %d\n%.3f\n", "line", 1, 2.5);
    for (int i = 0; i < 20000; i++) {
        fprintf(file, "%d\n", i);
    }
    long sum = 0, lines = 0;
    char line[64];
    rewind(file);
    while (fgets(line, sizeof line, file)) {
        sum += atol(line);
        lines++;
    }
    printf("%ld lines, sum %ld, at %ld, eof %d\n", lines, sum, ftell(file), feof(file) != 0);
    fseek(file, -6, SEEK_END);
    printf("the last: %s", fgets(line, sizeof line, file));
    fclose(file);
    file = fopen("stdio", "a");
    fputs("appended", file);
    printf("at %ld after appending\n", ftell(file));
    fclose(file);
    printf("reopened: %s\n", fopen("missing", "r") ? "yes" : error_name(errno));
    printf("exclusive: %s\n", fopen("stdio", "wx") ? "yes" : error_name(errno));
    report("remove", remove("stdio"));
}

int main(void) {
    struct stat stat;
    char text[32];
    int fd = open("file", O_RDWR | O_CREAT | O_EXCL, 0644);
    report("create", fd < 0 ? -1 : 0);
    report("again", open("file", O_RDWR | O_CREAT | O_EXCL, 0644));
    report("write", write(fd, "0123456789", 10));
    report("seek", lseek(fd, 3, SEEK_SET));
    report("read", read(fd, text, 4));
    report("where", lseek(fd, 0, SEEK_CUR));
    report("end", lseek(fd, -1, SEEK_END));
    report("before the start", lseek(fd, -11, SEEK_END));
    report("nonsense", lseek(fd, 0, 77));
    report("pread", pread(fd, text, 32, 8));
    report("pwrite", pwrite(fd, "AB", 2, 12));
    report("pread behind", pread(fd, text, 32, 100));
    report("still", lseek(fd, 0, SEEK_CUR));
    show("file");
    report("cut", ftruncate(fd, 5));
    report("grow", ftruncate(fd, 8));
    report("negative", ftruncate(fd, -1));
    show("file");
    fstat(fd, &stat);
    printf("size %ld, regular %d, links %ld\n", (long)stat.st_size, S_ISREG(stat.st_mode), (long)stat.st_nlink);
    struct timespec times[2] = {{1000000000, 123456789}, {2000000000, 1}};
    report("times", futimens(fd, times));
    fstat(fd, &stat);
    printf("%lld.%09ld %lld.%09ld\n", (long long)stat.st_atim.tv_sec, stat.st_atim.tv_nsec, (long long)stat.st_mtim.tv_sec,
           stat.st_mtim.tv_nsec);
    times[0].tv_nsec = UTIME_OMIT;
    times[1].tv_sec = 7;
    report("by path", utimensat(AT_FDCWD, "file", times, 0));
    lstat("file", &stat);
    printf("%lld.%09ld %lld.%09ld\n", (long long)stat.st_atim.tv_sec, stat.st_atim.tv_nsec, (long long)stat.st_mtim.tv_sec,
           stat.st_mtim.tv_nsec);
    report("sync", fsync(fd));
    report("datasync", fdatasync(fd));
    report("allocate", posix_fallocate(fd, 0, 20));
    report("advise", posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL));
    fstat(fd, &stat);
    printf("size %ld\n", (long)stat.st_size);
    report("close", close(fd));
    report("close again", close(fd));
    report("read closed", read(fd, text, 1));

    fd = open("file", O_WRONLY | O_APPEND);
    report("append", write(fd, "end", 3));
    lseek(fd, 0, SEEK_SET);
    report("append again", write(fd, "!", 1));
    printf("flags %d\n", (fcntl(fd, F_GETFL) & O_APPEND) != 0);
    report("no more", fcntl(fd, F_SETFL, 0));
    lseek(fd, 0, SEEK_SET);
    report("at the start", write(fd, "S", 1));
    close(fd);
    show("file");
    fd = open("file", O_WRONLY | O_TRUNC);
    report("emptied", lseek(fd, 0, SEEK_END));
    close(fd);

    report("missing", open("missing", O_RDONLY));
    report("in nothing", open("missing/file", O_RDWR | O_CREAT, 0644));
    report("below a file", open("file/x", O_RDONLY));
    report("slash", open("file/", O_RDONLY));
    report("as a directory", open("file", O_RDONLY | O_DIRECTORY));
    report("a directory to write", open(".", O_RDWR));
    report("both", open(".", O_RDWR | O_DIRECTORY));
    char name[5000];
    memset(name, 'x', sizeof name);
    name[256] = 0;
    report("long", open(name, O_RDWR | O_CREAT, 0644));
    name[256] = 'x';
    name[4999] = 0;
    report("longer", open(name, O_RDWR | O_CREAT, 0644));
    report("seek a pipe", lseek(0, 0, SEEK_CUR));
    report("pread a pipe", pread(0, text, 1, 0));
    report("access", access("file", R_OK | W_OK));
    report("no access", access("missing", F_OK));
    stdio();
    report("unlink", unlink("file"));
    report("unlink again", unlink("file"));
    return 0;
}
