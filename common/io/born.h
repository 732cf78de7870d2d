/* The name of a state folder, and whether it is still the folder that was made under this
 * name: see struct statelog_born in statelog.h, which this is the inside of. */
#ifndef KV_IO_BORN_H
#define KV_IO_BORN_H

#include "common/base/err.h"
#include "common/io/statelog.h"

/* Read <dir>/born. 0: filled in (copied, why); ERR_MISSING: there is none; ERR_FORMAT: rubbish; ERR_SYS. */
int born_read(const char *dir, struct statelog_born *out, struct err *e);
/* Make it, durably; a random id. */
int born_make(const char *dir, struct statelog_born *out, struct err *e);

#endif
