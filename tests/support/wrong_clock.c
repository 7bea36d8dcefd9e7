/*
 * For glibc and a program that is linked with it dynamically, as cargo links on Linux.
 *
 * A wall clock that is wrong as told, for a process started with LD_PRELOAD: WRONG_CLOCK names a file; while it
 * is there it holds by how many seconds CLOCK_REALTIME is ahead, or behind. Other clocks are left
 * alone. tests/support/wrong_clock.rs builds it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long ahead_s(void)
{
    const char *file = getenv("WRONG_CLOCK");
    int error = errno;
    long fd = file ? syscall(SYS_openat, AT_FDCWD, file, O_RDONLY | O_CLOEXEC, 0) : -1;
    char text[32];
    long length = 0;
    if (fd >= 0) {
        length = syscall(SYS_read, fd, text, sizeof text - 1);
        syscall(SYS_close, fd);
    }
    text[length > 0 ? length : 0] = 0;
    errno = error;
    return atol(text);
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = (int)syscall(SYS_clock_gettime, clock, now);
    if (result == 0 && clock == CLOCK_REALTIME)
        now->tv_sec += ahead_s();
    return result;
}
