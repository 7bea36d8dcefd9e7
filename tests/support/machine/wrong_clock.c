/*
 * Clocks that are wrong on demand, for a process started with LD_PRELOAD. While the file that
 * WRONG_CLOCK names exists, it contains the seconds by which CLOCK_REALTIME is ahead, or behind.
 * While the file that SLOW_CLOCK names exists, CLOCK_MONOTONIC is slower by the factor in it.
 * tests/support/machine/wrong_clock.rs builds this library.
 *
 * It works with glibc, and with a program that is linked with glibc dynamically, as cargo links on
 * Linux.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SECOND_NS 1000000000LL

/* Returns the number in the file that a variable names, or 0 when the file does not exist. */
static long told(const char *variable)
{
    const char *file = getenv(variable);
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

/* The time at which the clock was slowed down. */
static long long slow_from_ns;

static void slow_down(struct timespec *now)
{
    long factor = told("SLOW_CLOCK");
    long long now_ns = now->tv_sec * SECOND_NS + now->tv_nsec;
    long long from_ns = 0;
    if (factor < 1)
        return;
    if (__atomic_compare_exchange_n(&slow_from_ns, &from_ns, now_ns, 0, __ATOMIC_SEQ_CST,
                                    __ATOMIC_SEQ_CST))
        from_ns = now_ns;
    /* now_ns may be less than from_ns: another thread may have set slow_from_ns after this thread
     * read the clock. */
    if (now_ns > from_ns)
        now_ns = from_ns + (now_ns - from_ns) / factor;
    now->tv_sec = now_ns / SECOND_NS;
    now->tv_nsec = now_ns % SECOND_NS;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = (int)syscall(SYS_clock_gettime, clock, now);
    if (result == 0 && clock == CLOCK_REALTIME)
        now->tv_sec += told("WRONG_CLOCK");
    if (result == 0 && clock == CLOCK_MONOTONIC && getenv("SLOW_CLOCK"))
        slow_down(now);
    return result;
}
