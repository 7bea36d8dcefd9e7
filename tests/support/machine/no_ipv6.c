// Stands before the C library's socket(): there is no IPv6, as on a kernel that was built or booted
// without it. Only where a kernel has it can a network namespace be told to disable it, and then an
// address of IPv6 can still be listened on.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <sys/socket.h>

int socket(int domain, int type, int protocol) {
    if (domain == AF_INET6) {
        errno = EAFNOSUPPORT;
        return -1;
    }
    int (*real)(int, int, int) = (int (*)(int, int, int))dlsym(RTLD_NEXT, "socket");
    return real(domain, type, protocol);
}
