/* Links of both kinds. */
#include "names.h"

static void look(const char *path) {
    struct stat own, led;
    char text[32] = {0};
    int no_own = lstat(path, &own), no_led = stat(path, &led);
    ssize_t len = readlink(path, text, sizeof text - 1);
    printf("%s:", path);
    if (no_own) {
        printf(" %s", error_name(errno));
    } else {
        printf(" link %d, links %ld", S_ISLNK(own.st_mode), (long)own.st_nlink);
    }
    if (!no_led) {
        printf(", leads to a %s of %ld", S_ISDIR(led.st_mode) ? "dir" : "file", S_ISDIR(led.st_mode) ? 0L : (long)led.st_size);
    }
    printf(", says %ld %s\n", (long)len, text);
}

int main(void) {
    char text[8];
    int fd = open("file", O_RDWR | O_CREAT, 0644);
    write(fd, "content", 7);
    close(fd);
    mkdir("dir", 0755);
    report("symlink", symlink("file", "soft"));
    report("symlink again", symlink("file", "soft"));
    report("symlink nowhere", symlink("nowhere", "dangling"));
    report("symlink dir", symlink("../dir", "dir/self"));
    report("symlink loop", symlink("loop", "loop"));
    report("symlink empty", symlink("", "empty"));
    report("symlink slash", symlink("file", "slash/"));
    report("symlink below nothing", symlink("file", "missing/x"));
    look("file");
    look("soft");
    look("dangling");
    look("dir/self");
    look("dir/self/self/self");
    look("loop");
    look("dir");
    printf("short: %ld", (long)readlink("soft", text, 2));
    printf(" %.2s\n", text);
    report("readlink file", readlink("file", text, 8));
    report("readlink missing", readlink("missing", text, 8));

    report("link", link("file", "hard"));
    report("link again", link("file", "hard"));
    report("link dir", link("dir", "hard2"));
    report("link missing", link("missing", "hard2"));
    report("link of a link", link("soft", "soft2"));
    report("link slash", link("file", "hard3/"));
    look("file");
    look("hard");
    look("soft2");
    report("rename over itself", rename("file", "hard"));
    look("hard");
    report("rename link", rename("soft", "soft3"));
    look("soft3");

    report("open through", (fd = open("soft3", O_RDONLY)) < 0 ? -1 : 0);
    report("read through", read(fd, text, 8));
    close(fd);
    report("open not through", open("soft3", O_RDONLY | O_NOFOLLOW));
    report("open dangling", open("dangling", O_RDONLY));
    report("open loop", open("loop", O_RDONLY));
    report("create through", (fd = open("dangling", O_WRONLY | O_CREAT, 0644)) < 0 ? -1 : 0);
    close(fd);
    look("nowhere");
    report("create over a link", open("dangling", O_WRONLY | O_CREAT | O_EXCL, 0644));
    report("below a link", mkdir("dir/self/new", 0755));
    report("rmdir link", rmdir("dir/self"));
    report("unlink link slash", unlink("dir/self/"));
    report("mkdir over dangling", mkdir("loop", 0755));
    report("rmdir", rmdir("dir/new"));
    const char *all[] = {"file", "hard", "soft2", "soft3", "dangling", "nowhere", "loop", "dir/self"};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        report(all[i], unlink(all[i]));
    }
    report("dir", rmdir("dir"));
    return 0;
}
