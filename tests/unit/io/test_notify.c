/* What arrives at a notification socket. */
#include "common/io/notify.h"

#include "tests/support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

START_TEST(says_it_to_systemd)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct loop *l = loop_new();
    char got[256] = {0}, pid[32];

    ck_assert(!notify_under_systemd());
    notify_ready();                          /* nobody to tell: nothing happens */
    snprintf(un.sun_path, sizeof un.sun_path, "/tmp/kvnotify-%d", (int)getpid());
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&un, sizeof un), 0);
    setenv("NOTIFY_SOCKET", un.sun_path, 1);
    ck_assert(notify_under_systemd());
    notify_ready();
    ck_assert_int_gt(recv(fd, got, sizeof got - 1, 0), 0);
    ck_assert_str_eq(got, "READY=1");
    notify_status("serving %d", 3);
    memset(got, 0, sizeof got);
    ck_assert_int_gt(recv(fd, got, sizeof got - 1, 0), 0);
    ck_assert_str_eq(got, "STATUS=serving 3");
    notify_reloading();
    ck_assert_int_gt(recv(fd, got, sizeof got - 1, 0), 0);
    ck_assert_int_eq(strncmp(got, "RELOADING=1\nMONOTONIC_USEC=", 27), 0);
    setenv("WATCHDOG_USEC", "20000", 1);
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    setenv("WATCHDOG_PID", pid, 1);
    notify_watchdog_start(l);
    for (int i = 0; i < 3; i++) {
        memset(got, 0, sizeof got);
        ck_assert_int_gt(recv(fd, got, sizeof got - 1, 0), 0);
        ck_assert_str_eq(got, "WATCHDOG=1");
        loop_run_once(l, true);
    }
    close(fd);
    unlink(un.sun_path);
    loop_free(l);
}
END_TEST

SUITE(notify, says_it_to_systemd)
