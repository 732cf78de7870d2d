/* CHECK(cond): what must be true. It stays on in release builds: a daemon that
 * restarts is safer than one that guesses. On failure the condition and its place
 * go to descriptor 2 and the process aborts. */
#ifndef KV_BASE_CHECK_H
#define KV_BASE_CHECK_H

#define CHECK(cond) ((cond) ? (void)0 : check_failed(__FILE__, __LINE__, #cond))

_Noreturn void check_failed(const char *file, int line, const char *what);

#endif
