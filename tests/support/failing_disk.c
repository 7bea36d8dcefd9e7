/*
 * For glibc and a program that is linked with it dynamically, as cargo links on Linux.
 *
 * A disk that fails as told, for a process started with LD_PRELOAD: writes, syncs, cuts and
 * renames of files below FAILING_DISK_DIR pass through here. tests/support/failing_disk.rs
 * builds it and writes the orders.
 *
 * FAILING_DISK_ORDER names a file; while it is there it holds one line:
 *
 *     OPERATIONS NAME ERRNO FROM TO BYTES
 *
 * Of the operations of these kinds (letters: w write, s sync, t cut, r rename) on a file whose path
 * ends with NAME (or on any, for *), those numbered FROM to TO since the order was given
 * fail with ERRNO, once so many BYTES have been written. FAILING_DISK_REPORT is told, a line each,
 * what failed and, after the first failure, what was still done: `failed s /path`, `passed w /path`.
 *
 * System calls are made directly: nothing here calls what it stands for.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_long seen, written, failures;

static void report(const char *what, char kind, const char *path)
{
    const char *file = getenv("FAILING_DISK_REPORT");
    if (!file)
        return;
    char line[PATH_MAX + 32];
    int length = snprintf(line, sizeof line, "%s %c %s\n", what, kind, path);
    long fd = syscall(SYS_openat, AT_FDCWD, file, O_WRONLY | O_CREAT | O_APPEND, 0644);
    if (fd < 0)
        return;
    syscall(SYS_write, fd, line, (size_t)length);
    syscall(SYS_close, fd);
}

/* How many of the bytes may be written; less than 0 when the operation fails, with errno set. */
static long allowed(char kind, const char *path, long bytes)
{
    const char *dir = getenv("FAILING_DISK_DIR");
    const char *order_file = getenv("FAILING_DISK_ORDER");
    if (!dir || !order_file || strncmp(path, dir, strlen(dir)) != 0)
        return bytes;
    char order[512];
    long fd = syscall(SYS_openat, AT_FDCWD, order_file, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0) {
        atomic_store(&seen, 0);
        atomic_store(&written, 0);
        if (atomic_load(&failures))
            report("passed", kind, path);
        return bytes;
    }
    long length = syscall(SYS_read, fd, order, sizeof order - 1);
    syscall(SYS_close, fd);
    order[length > 0 ? length : 0] = 0;
    char kinds[16], name[256];
    long code, from, to, budget;
    if (sscanf(order, "%15s %255s %ld %ld %ld %ld", kinds, name, &code, &from, &to, &budget) != 6)
        return bytes;
    size_t at = strlen(path) >= strlen(name) ? strlen(path) - strlen(name) : 0;
    if (strchr(kinds, kind) && (strcmp(name, "*") == 0 || strcmp(path + at, name) == 0)) {
        long room = budget - atomic_fetch_add(&written, bytes);
        if (room > 0 && (bytes == 0 || room < bytes))
            return bytes == 0 ? bytes : room;
        long number = room > 0 ? 0 : atomic_fetch_add(&seen, 1) + 1;
        if (number >= from && number <= to) {
            atomic_fetch_add(&failures, 1);
            report("failed", kind, path);
            errno = (int)code;
            return -1;
        }
    }
    if (atomic_load(&failures))
        report("passed", kind, path);
    return bytes;
}

static long allowed_on(char kind, int fd, long bytes)
{
    char link[64], path[PATH_MAX];
    int error = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    long length = syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof path - 1);
    errno = error;
    if (length <= 0)
        return bytes;
    path[length] = 0;
    return allowed(kind, path, bytes);
}

ssize_t write(int fd, const void *data, size_t bytes)
{
    long some = allowed_on('w', fd, (long)bytes);
    return some < 0 ? -1 : syscall(SYS_write, fd, data, (size_t)some);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    return allowed_on('w', fd, 0) < 0 ? -1 : syscall(SYS_writev, fd, parts, count);
}

ssize_t pwrite64(int fd, const void *data, size_t bytes, off64_t at)
{
    long some = allowed_on('w', fd, (long)bytes);
    return some < 0 ? -1 : syscall(SYS_pwrite64, fd, data, (size_t)some, at);
}

ssize_t pwrite(int fd, const void *data, size_t bytes, off_t at)
{
    return pwrite64(fd, data, bytes, at);
}

int fsync(int fd)
{
    return allowed_on('s', fd, 0) < 0 ? -1 : (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    return allowed_on('s', fd, 0) < 0 ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int ftruncate64(int fd, off64_t length)
{
    return allowed_on('t', fd, 0) < 0 ? -1 : (int)syscall(SYS_ftruncate, fd, length);
}

int ftruncate(int fd, off_t length)
{
    return ftruncate64(fd, length);
}

int rename(const char *from, const char *to)
{
    return allowed('r', to, 0) < 0
        ? -1
        : (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}
