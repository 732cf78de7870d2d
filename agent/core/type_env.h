/* Documents of type "env": one file of variables, as systemd's EnvironmentFile= and `sh`
 * (". file") read them.
 *
 *   {"v":1,"root":"etc","path":"default/web","env":{"API_URL":"http://x","MAX":"1000"},
 *    "from_hash":"app_config","reload":{"unit":"web.service","how":"restart"}}
 *
 * Variables come from "env", from the hash, or from both; the document wins. One line each,
 * sorted by name, every value in double quotes. Both readers must get back exactly what
 * stands in the directory, so what one of them cannot hold is refused: names that are no
 * names of variables, line breaks and other control characters but the tab, bytes that are
 * not UTF-8, and values too long for a process to be started with. */
#ifndef KV_AGENT_TYPE_ENV_H
#define KV_AGENT_TYPE_ENV_H

#include "agent/core/doctype.h"

#define ENV_MAX 1024                           /* variables of one document, of the hash, and in the file */
#define ENV_VARIABLE_MAX ((size_t)128 * 1024)  /* "name=value" and its end, as Linux passes it to a program */

extern const struct shape env_shape;
int env_sources(const cJSON *doc, struct sources *out, struct err *e);
int env_read(const cJSON *doc, struct plan *p, struct err *e);
int env_render(const cJSON *doc, const struct inputs *in, const struct surroundings *around, struct plan *p,
               struct err *e);

#endif
