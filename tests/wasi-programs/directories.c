/* Directories: made, listed, renamed, removed. */
#include "names.h"

static int compare(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void list(const char *path) {
    DIR *dir = opendir(path);
    if (!dir) {
        printf("%s: %s\n", path, error_name(errno));
        return;
    }
    char *names[64];
    size_t count = 0;
    struct dirent *entry;
    while ((entry = readdir(dir)) && count < 64) {
        struct stat stat;
        char line[300], full[300];
        snprintf(full, sizeof full, "%s/%s", path, entry->d_name);
        lstat(full, &stat);
        const char *kind = entry->d_type == DT_DIR ? "dir" : entry->d_type == DT_LNK ? "link" : entry->d_type == DT_REG ? "file" : "?";
        int same = entry->d_ino == stat.st_ino || !strcmp(entry->d_name, "..");
        snprintf(line, sizeof line, "%s %s%s", entry->d_name, kind, same ? "" : " with another number");
        names[count++] = strdup(line);
    }
    closedir(dir);
    qsort(names, count, sizeof *names, compare);
    printf("%s:", path);
    for (size_t i = 0; i < count; i++) {
        printf(" [%s]", names[i]);
        free(names[i]);
    }
    printf("\n");
}

static void touch(const char *path) {
    int fd = open(path, O_WRONLY | O_CREAT, 0644);
    write(fd, path, strlen(path));
    close(fd);
}

/* Where reading was can be gone back to. */
static void positions(void) {
    mkdir("many", 0755);
    char path[300];
    for (int i = 0; i < 500; i++) {
        snprintf(path, sizeof path, "many/%0*d", 1 + i % 40, i);
        touch(path);
    }
    DIR *dir = opendir("many");
    long all = 0, again = 0, wrong = 0, positions[600];
    char names[600][64];
    struct dirent *entry;
    positions[0] = telldir(dir);
    while ((entry = readdir(dir))) {
        strcpy(names[all++], entry->d_name);
        positions[all] = telldir(dir);
    }
    for (long i = all - 1; i >= 0; i -= 7) {
        seekdir(dir, positions[i]);
        entry = readdir(dir);
        wrong += !entry || strcmp(entry->d_name, names[i]);
    }
    rewinddir(dir);
    while ((entry = readdir(dir))) {
        again++;
    }
    printf("%ld entries, %ld again, %ld wrong\n", all, again, wrong);
    /* All are removed while they are read. */
    rewinddir(dir);
    long removed = 0;
    while ((entry = readdir(dir))) {
        if (entry->d_name[0] != '.') {
            removed += unlinkat(dirfd(dir), entry->d_name, 0) == 0;
        }
    }
    closedir(dir);
    printf("%ld removed\n", removed);
    report("rmdir", rmdir("many"));
}

int main(void) {
    report("mkdir", mkdir("a", 0755));
    report("mkdir again", mkdir("a", 0755));
    report("mkdir below nothing", mkdir("b/c", 0755));
    report("mkdir slash", mkdir("b/", 0755));
    report("mkdir deep", mkdir("a/deep", 0755));
    touch("a/one");
    touch("a/two");
    touch("a/deep/three");
    report("mkdir on a file", mkdir("a/one", 0755));
    report("mkdir below a file", mkdir("a/one/x", 0755));
    list("a");
    list("a/deep");
    list("./a/../a/deep/.");
    list("a/one");
    list("missing");
    report("rename", rename("a/one", "a/deep/uno"));
    report("rename over", rename("a/two", "a/deep/three"));
    report("rename dir", rename("a/deep", "b/deep"));
    report("rename dir over empty", rename("b/deep", "a"));
    report("rename missing", rename("missing", "x"));
    report("rename into itself", rename("b", "b/x"));
    report("rename file over dir", rename("a/uno", "b"));
    report("rename dir over file", rename("b", "a/uno"));
    report("rename to itself", rename("a/uno", "a/uno"));
    report("rename with slash", rename("b/", "c/"));
    report("rename file with slash", rename("a/uno", "uno/"));
    list("a");
    list(".");
    report("rmdir full", rmdir("a"));
    report("rmdir file", rmdir("a/uno"));
    report("rmdir missing", rmdir("missing"));
    report("unlink dir", unlink("a"));
    report("unlink slash", unlink("a/uno/"));
    report("unlink", unlink("a/uno"));
    report("remove", remove("a/three"));
    report("rmdir", rmdir("a"));
    report("rmdir slash", rmdir("c/"));
    int fd = open(".", O_RDONLY | O_DIRECTORY);
    report("mkdirat", mkdirat(fd, "at", 0755));
    report("renameat", renameat(fd, "at", fd, "at2"));
    struct stat stat;
    report("fstatat", fstatat(fd, "at2", &stat, 0));
    printf("directory %d\n", S_ISDIR(stat.st_mode));
    report("unlinkat", unlinkat(fd, "at2", AT_REMOVEDIR));
    close(fd);
    positions();
    list(".");
    return 0;
}
