/* Socket addresses and options. */
#include "common/io/sock.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

bool sock_fill(const char *host, uint16_t port, struct sockaddr_storage *out, socklen_t *len)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;

    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        *len = sizeof *v4;
        return true;
    }
    if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        *len = sizeof *v6;
        return true;
    }
    return false;
}

bool sock_fill_local(const char *host, uint16_t port, struct sockaddr_storage *out, socklen_t *len)
{
    if (!host || !host[0] || !strcmp(host, "*"))
        host = "0.0.0.0";
    else if (!strcmp(host, "::*"))
        host = "::";
    else if (!strcmp(host, "localhost"))
        host = "127.0.0.1";
    return sock_fill(host, port, out, len);
}

struct addr sock_addr(const struct sockaddr_storage *sa)
{
    struct addr a = {{0}, 0};

    if (sa->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)sa;
        inet_ntop(AF_INET, &v4->sin_addr, a.host, sizeof a.host);
        a.port = ntohs(v4->sin_port);
    } else if (sa->ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)sa;
        inet_ntop(AF_INET6, &v6->sin6_addr, a.host, sizeof a.host);
        a.port = ntohs(v6->sin6_port);
    } else if (sa->ss_family == AF_UNIX) {
        const struct sockaddr_un *un = (const struct sockaddr_un *)sa;

        /* A path of full length has no '\0'. */
        snprintf(a.host, sizeof a.host, "%.*s", (int)sizeof un->sun_path, un->sun_path);
    }
    return a;
}

void sock_nodelay(int fd)
{
    int on = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);    /* not TCP: no harm */
}

void sock_keepalive(int fd, int idle_s)
{
    int on = idle_s > 0, every = idle_s / 3 > 0 ? idle_s / 3 : 1, count = 3;
    unsigned user_ms = (unsigned)idle_s * 2000u;

    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    if (!on)
        return;
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every, sizeof every);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_ms, sizeof user_ms);
}
