/* Documents of type "files": one or more files, each made of a template over values of
 * the directory.
 *
 *   {"v":1,
 *    "files":[{"root":"etc","path":"app/redis.conf","mode":"0640",
 *              "template":"server {{redis.host}}:{{redis.port}}\n",
 *              "data":{"redis":"config:redis:demo"}}],
 *    "check":[["/usr/bin/app","--check","{{staged:app/redis.conf}}"]],
 *    "reload":{"signal":"HUP","pidfile":"/run/app/app.pid"},
 *    "probe":{"tcp":"127.0.0.1:8080"}}
 *
 * Besides its data a template sees node.id, node.group, vars and labels. With "from" the
 * text comes from a document config:tmpl:<name>, {"v":1,"text":"...","parts":{...}}. */
#ifndef KV_AGENT_TYPE_FILES_H
#define KV_AGENT_TYPE_FILES_H

#include "agent/core/doctype.h"

#define FILES_MAX 64           /* files of one document */
#define FILES_MAX_DATA 32      /* data sources of one file */

extern const struct shape files_shape;
int files_sources(const cJSON *doc, struct sources *out, struct err *e);
int files_read(const cJSON *doc, struct plan *p, struct err *e);
int files_render(const cJSON *doc, const struct inputs *in, const struct surroundings *around, struct plan *p,
                 struct err *e);

#endif
