/*
 * Clocks that stop while the process is stopped, like those of a virtual machine that is paused,
 * for a process started with LD_PRELOAD. The file that STOPPED_CLOCK names contains two numbers of
 * 64 bits: the nanoseconds by which CLOCK_MONOTONIC and CLOCK_BOOTTIME are behind. The test writes
 * them while the process is stopped, and the process sees them through a mapping before it reads a
 * clock again. tests/support/machine/stopped_clock.rs builds this library.
 *
 * The kernel's own timers continue. A thread that waits until a given time therefore wakes too
 * early by these clocks, and then checks the time again.
 *
 * It works with glibc, and with a program that is linked with glibc dynamically, as cargo links on
 * Linux.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SECOND_NS 1000000000LL

struct behind {
    long long monotonic_ns;
    long long boottime_ns;
};

static const struct behind *behind;

__attribute__((constructor)) static void map_behind(void)
{
    const char *file = getenv("STOPPED_CLOCK");
    int fd = file ? open(file, O_RDONLY | O_CLOEXEC) : -1;
    void *mapped = fd >= 0 ? mmap(NULL, sizeof *behind, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
    if (mapped == MAP_FAILED)
        abort();
    close(fd);
    behind = mapped;
}

static long long behind_ns(clockid_t clock)
{
    /* The file is not mapped yet: constructors of other libraries may run before map_behind(). */
    if (!behind)
        return 0;
    switch (clock) {
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
        return __atomic_load_n(&behind->monotonic_ns, __ATOMIC_SEQ_CST);
    case CLOCK_BOOTTIME:
    case CLOCK_BOOTTIME_ALARM:
        return __atomic_load_n(&behind->boottime_ns, __ATOMIC_SEQ_CST);
    default:
        return 0;
    }
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = (int)syscall(SYS_clock_gettime, clock, now);
    if (result == 0) {
        long long now_ns = now->tv_sec * SECOND_NS + now->tv_nsec - behind_ns(clock);
        now->tv_sec = now_ns / SECOND_NS;
        now->tv_nsec = now_ns % SECOND_NS;
    }
    return result;
}
