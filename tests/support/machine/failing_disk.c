/*
 * A disk that fails on demand, for a process started with LD_PRELOAD. Writes, syncs, truncations
 * and renames of files below FAILING_DISK_DIR pass through this library.
 * tests/support/machine/failing_disk.rs builds it and writes the orders.
 *
 * FAILING_DISK_ORDER names a file; while it exists it contains one line:
 *
 *     OPERATIONS NAME ERRNO FROM TO BYTES
 *
 * OPERATIONS are letters (w write, s sync, t truncate, r rename). The order selects operations of
 * these kinds on a file whose path ends with NAME, or on any file if NAME is *. The selected
 * operations are counted from the time of the order. Number FROM to number TO fail with ERRNO, once
 * BYTES bytes have been written. If ERRNO is negative, they are delayed by that many milliseconds
 * instead. FAILING_DISK_REPORT names a file to which the library writes a line for each operation
 * that failed or was delayed and, after the first failure, for each operation that succeeded:
 * `failed s /path`, `slowed s /path`, `passed w /path`.
 *
 * FAILING_DISK_UNDO names a directory. The contents that a write or a truncation replaces are kept
 * there until the file is synced, so that a power cut of a killed process can be simulated. For
 * each file it contains a file of the same name with records. A record is a header and the replaced
 * bytes, with zeros after the end of the file. The header has three numbers of 8 bytes, in the byte
 * order of the machine: the offset, the length of the file before the operation, and the number of
 * bytes that follow (the number that the write or truncation requested to replace).
 *
 * The library makes system calls directly, because it must not call a function that it replaces.
 *
 * It works with glibc, and with a program that is linked with glibc dynamically, as cargo links on
 * Linux.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
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

/*
 * Applies the order to an operation: returns how many of the bytes may be written, or less than 0,
 * with errno set, when the operation fails.
 */
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
        if (number >= from && number <= to && code < 0) {
            struct timespec wait = {-code / 1000, -code % 1000 * 1000000};
            report("slowed", kind, path);
            nanosleep(&wait, NULL);
        } else if (number >= from && number <= to) {
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

static int find_path(int fd, char *path)
{
    char link[64];
    int error = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    long length = syscall(SYS_readlinkat, AT_FDCWD, link, path, PATH_MAX - 1);
    errno = error;
    path[length > 0 ? length : 0] = 0;
    return length > 0;
}

static long allowed_on(char kind, int fd, long bytes)
{
    char path[PATH_MAX];
    return find_path(fd, path) ? allowed(kind, path, bytes) : bytes;
}

/*
 * Opens, with these flags, the file in FAILING_DISK_UNDO that keeps the replaced contents of the
 * file `fd`. Returns less than 0 if there is none.
 */
static long undo_of(int fd, int flags)
{
    const char *dir = getenv("FAILING_DISK_DIR");
    const char *undo = getenv("FAILING_DISK_UNDO");
    char path[PATH_MAX], kept[PATH_MAX];
    if (!dir || !undo || !find_path(fd, path) || strncmp(path, dir, strlen(dir)) != 0)
        return -1;
    if (snprintf(kept, sizeof kept, "%s/%s", undo, strrchr(path, '/') + 1) >= (int)sizeof kept)
        return -1;
    return syscall(SYS_openat, AT_FDCWD, kept, flags | O_CLOEXEC, 0644);
}

static void keep(int fd, off64_t at, size_t bytes)
{
    int error = errno;
    struct stat now;
    long undo = undo_of(fd, O_WRONLY | O_CREAT | O_APPEND);
    if (undo >= 0 && fstat(fd, &now) == 0 && S_ISREG(now.st_mode)) {
        /* A truncation replaces everything from its offset to the end of the file. */
        if (bytes == 0 && now.st_size > at)
            bytes = (size_t)(now.st_size - at);
        int64_t header[3] = {at, now.st_size, (int64_t)bytes};
        char *record = calloc(1, sizeof header + bytes);
        if (record) {
            memcpy(record, header, sizeof header);
            syscall(SYS_pread64, fd, record + sizeof header, bytes, at);
            syscall(SYS_write, undo, record, sizeof header + bytes);
            free(record);
        }
    }
    if (undo >= 0)
        syscall(SYS_close, undo);
    errno = error;
}

static void forget(int fd)
{
    int error = errno;
    long undo = undo_of(fd, O_WRONLY | O_TRUNC);
    if (undo >= 0)
        syscall(SYS_close, undo);
    errno = error;
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
    if (some < 0)
        return -1;
    if (some > 0)
        keep(fd, at, (size_t)some);
    return syscall(SYS_pwrite64, fd, data, (size_t)some, at);
}

ssize_t pwrite(int fd, const void *data, size_t bytes, off_t at)
{
    return pwrite64(fd, data, bytes, at);
}

int fsync(int fd)
{
    if (allowed_on('s', fd, 0) < 0 || syscall(SYS_fsync, fd) < 0)
        return -1;
    forget(fd);
    return 0;
}

int fdatasync(int fd)
{
    if (allowed_on('s', fd, 0) < 0 || syscall(SYS_fdatasync, fd) < 0)
        return -1;
    forget(fd);
    return 0;
}

int ftruncate64(int fd, off64_t length)
{
    if (allowed_on('t', fd, 0) < 0)
        return -1;
    keep(fd, length, 0);
    return (int)syscall(SYS_ftruncate, fd, length);
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
