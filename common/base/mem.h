/* Memory that is always there: none of these returns NULL, running out stops the
 * process (sizes that a stranger chooses are limited before they come here).
 * mem_free(NULL) is fine. Everything from here is released with mem_free.
 *
 * mem_used() counts bytes handed out, as the allocator rounds them (what INFO
 * calls used_memory). Not thread-exact: the counter is atomic, the moment is not. */
#ifndef KV_BASE_MEM_H
#define KV_BASE_MEM_H

#include <stddef.h>

void *mem_alloc(size_t n);                      /* contents undefined */
void *mem_zalloc(size_t n);                     /* zeroed */
void *mem_realloc(void *p, size_t n);           /* p may be NULL; n > 0 */
void  mem_free(void *p);
void *mem_dup(const void *p, size_t n);
char *mem_strdup(const char *s);                /* NULL gives NULL */
char *mem_strndup(const char *s, size_t n);     /* n bytes of s, then '\0' */

/* May fail: NULL when memory is short. Only for sizes that come from outside. */
void *mem_try_alloc(size_t n);

size_t mem_size(const void *p);                 /* usable bytes behind p */
size_t mem_used(void);
size_t mem_peak(void);

/* Fault tests: let the n-th mem_try_alloc from now fail (0 = none). */
void mem_fail_try(unsigned nth);

#endif
