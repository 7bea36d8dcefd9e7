/*
 * A name server that a test controls, for a process started with LD_PRELOAD. It resolves the names
 * that end with ".test", and leaves all others to the system. tests/support/machine/resolver.rs
 * builds it and writes the orders.
 *
 * RESOLVER_ORDER names a file of lines, which is read for each query; the first line that matches a
 * name is used:
 *
 *     NAME ADDRESS     the name has this address
 *     NAME fail        the name cannot be resolved for now (EAI_AGAIN)
 *     NAME hang        there is no answer until the file changes
 *     NAME slow MS     the name has the address 127.0.0.1, after this delay
 *
 * NAME is * for any name. A name without a matching line has the address 127.0.0.1. The library
 * writes a line for each answer to the file that RESOLVER_REPORT names, such as `fail NAME`.
 *
 * It works with glibc, and with a program that is linked with glibc dynamically, as cargo links on
 * Linux.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

typedef int resolve(const char *, const char *, const struct addrinfo *, struct addrinfo **);

static void pass_ms(long ms)
{
    struct timespec time = { ms / 1000, ms % 1000 * 1000000 };
    nanosleep(&time, NULL);
}

/* Finds the order for a name: the first line of the file that matches. */
static void order_for(const char *name, char *what, long *ms)
{
    const char *path = getenv("RESOLVER_ORDER");
    FILE *file = path ? fopen(path, "re") : NULL;
    char line[512], of[256];
    strcpy(what, "127.0.0.1");
    *ms = 0;
    while (file && fgets(line, sizeof line, file)) {
        char found[256];
        int fields = sscanf(line, "%255s %255s %ld", of, found, ms);
        if (fields >= 2 && (!strcmp(of, "*") || !strcmp(of, name))) {
            strcpy(what, found);
            break;
        }
    }
    if (file)
        fclose(file);
}

static void report(const char *what, const char *name)
{
    const char *path = getenv("RESOLVER_REPORT");
    char line[512];
    int length = snprintf(line, sizeof line, "%s %s\n", what, name);
    int fd = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644) : -1;
    if (fd < 0)
        return;
    if (write(fd, line, (size_t)length) < 0)
        perror(path);
    close(fd);
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **found)
{
    resolve *system = (resolve *)dlsym(RTLD_NEXT, "getaddrinfo");
    size_t length = name ? strlen(name) : 0;
    char what[256];
    long ms;
    if (length < 5 || length > 200 || strcmp(name + length - 5, ".test"))
        return system(name, service, hints, found);
    order_for(name, what, &ms);
    if (!strcmp(what, "hang")) {
        report(what, name);
        while (!strcmp(what, "hang")) {
            pass_ms(20);
            order_for(name, what, &ms);
        }
    }
    report(what, name);
    if (!strcmp(what, "fail"))
        return EAI_AGAIN;
    if (!strcmp(what, "slow")) {
        pass_ms(ms);
        strcpy(what, "127.0.0.1");
    }
    return system(what, service, hints, found);
}
