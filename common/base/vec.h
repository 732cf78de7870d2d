/* A growable array of one type, as macros:
 *
 *     VEC(struct node *) nodes = {0};
 *     vec_push(&nodes, n);
 *     for (size_t i = 0; i < nodes.n; i++) use(nodes.at[i]);
 *     vec_fini(&nodes);
 *
 * Elements are plain values; whoever put a pointer in still owns what it points to. */
#ifndef KV_BASE_VEC_H
#define KV_BASE_VEC_H

#include "common/base/check.h"
#include "common/base/mem.h"

#include <string.h>

#define VEC(type)     \
    struct {          \
        type *at;     \
        size_t n;     \
        size_t cap;   \
    }

#define vec_reserve(v, want)                                                        \
    do {                                                                            \
        size_t vec_want_ = (want);                                                  \
        if (vec_want_ > (v)->cap) {                                                 \
            size_t vec_cap_ = (v)->cap ? (v)->cap * 2 : 4;                          \
            if (vec_cap_ < vec_want_)                                               \
                vec_cap_ = vec_want_;                                               \
            (v)->at = mem_realloc((v)->at, vec_cap_ * sizeof *(v)->at);             \
            (v)->cap = vec_cap_;                                                    \
        }                                                                           \
    } while (0)

#define vec_push(v, x)                          \
    do {                                        \
        vec_reserve((v), (v)->n + 1);           \
        (v)->at[(v)->n++] = (x);                \
    } while (0)

/* A new zeroed element at the end; the value is a pointer to it. */
#define vec_add(v)                                                          \
    ({                                                                      \
        vec_reserve((v), (v)->n + 1);                                       \
        memset(&(v)->at[(v)->n], 0, sizeof *(v)->at);                       \
        &(v)->at[(v)->n++];                                                 \
    })

#define vec_pop(v) ({ CHECK((v)->n > 0); (v)->at[--(v)->n]; })
#define vec_last(v) ((v)->at[(v)->n - 1])

/* Remove element i: keeping the order, or quickly by moving the last one in. */
#define vec_remove(v, i)                                                                    \
    do {                                                                                    \
        size_t vec_i_ = (i);                                                                \
        CHECK(vec_i_ < (v)->n);                                                             \
        memmove(&(v)->at[vec_i_], &(v)->at[vec_i_ + 1],                                     \
                ((v)->n - vec_i_ - 1) * sizeof *(v)->at);                                   \
        (v)->n--;                                                                           \
    } while (0)
#define vec_remove_fast(v, i)                       \
    do {                                            \
        size_t vec_i_ = (i);                        \
        CHECK(vec_i_ < (v)->n);                     \
        (v)->at[vec_i_] = (v)->at[--(v)->n];        \
    } while (0)

#define vec_clear(v) ((v)->n = 0)
/* Of pointers to memory of their own (mem_*): that is freed, too. */
#define vec_clear_owned(v)                  \
    do {                                    \
        while ((v)->n > 0)                  \
            mem_free(vec_pop(v));           \
    } while (0)
#define vec_fini(v)                 \
    do {                            \
        mem_free((v)->at);          \
        (v)->at = NULL;             \
        (v)->n = (v)->cap = 0;      \
    } while (0)

#endif
