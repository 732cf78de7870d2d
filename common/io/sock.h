/* Between addresses as values (base/addr) and what the kernel calls an address; and the
 * options every TCP socket of ours has. */
#ifndef KV_IO_SOCK_H
#define KV_IO_SOCK_H

#include "common/base/addr.h"

#include <stdbool.h>
#include <sys/socket.h>

/* host must be a literal v4 or v6 address; false if it is not. */
bool sock_fill(const char *host, uint16_t port, struct sockaddr_storage *out, socklen_t *len);
/* The same for an address to listen on: "*" and "" are all of IPv4, "::*" all of IPv6, "localhost" is 127.0.0.1. */
bool sock_fill_local(const char *host, uint16_t port, struct sockaddr_storage *out, socklen_t *len);
/* Back to a value; of a unix socket the path and port 0. */
struct addr sock_addr(const struct sockaddr_storage *sa);
void sock_nodelay(int fd);
/* Keepalive after idle_s of silence (0 = off), and TCP_USER_TIMEOUT of twice that. */
void sock_keepalive(int fd, int idle_s);

#endif
