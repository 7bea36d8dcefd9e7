// Replaces the C library's socket(), so that it fails for IPv6 as on a kernel without IPv6.
// Disabling IPv6 in a network namespace is not enough: a process can then still listen on an IPv6
// address.

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
