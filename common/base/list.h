/* A doubly linked ring whose links live in the element:
 *
 *     struct job { struct list_link link; int x; };
 *     struct list_link jobs;  list_init(&jobs);
 *     list_append(&jobs, &j->link);
 *     list_each(struct job, j, &jobs, link) ...        (do not remove j inside)
 *     list_each_safe(struct job, j, &jobs, link) ...   (removing j is fine, removing its neighbour is not)
 *
 * A link is in no list after list_init and after list_remove. */
#ifndef KV_BASE_LIST_H
#define KV_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list_link {
    struct list_link *prev, *next;
};

static inline void list_init(struct list_link *l) { l->prev = l->next = l; }
static inline bool list_empty(const struct list_link *l) { return l->next == l; }
static inline void list_insert(struct list_link *before, struct list_link *l)
{
    l->prev = before->prev;
    l->next = before;
    before->prev->next = l;
    before->prev = l;
}
static inline void list_append(struct list_link *head, struct list_link *l) { list_insert(head, l); }
static inline void list_prepend(struct list_link *head, struct list_link *l) { list_insert(head->next, l); }
static inline void list_remove(struct list_link *l)
{
    l->prev->next = l->next;
    l->next->prev = l->prev;
    list_init(l);
}

/* Out of the list for good, its memory stays for now (parked): a walk that stands on it, because it removed more than
 * the element it was at, goes on where it would have gone. It must know by itself that this one has left. */
static inline void list_leave(struct list_link *l)
{
    l->prev->next = l->next;
    l->next->prev = l->prev;
}

#define list_of(l, type, member) ((type *)((char *)(l) - offsetof(type, member)))
#define list_first(head, type, member) \
    (list_empty(head) ? (type *)NULL : list_of((head)->next, type, member))
#define list_each(type, it, head, member)                                       \
    for (type *it = list_of((head)->next, type, member); &it->member != (head); \
         it = list_of(it->member.next, type, member))
#define list_each_safe(type, it, head, member)                                          \
    for (type *it = list_of((head)->next, type, member),                                \
              *it##_next_ = list_of(it->member.next, type, member);                     \
         &it->member != (head);                                                         \
         it = it##_next_, it##_next_ = list_of(it->member.next, type, member))

#endif
