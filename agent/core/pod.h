/* A pod in the words of the Kubernetes API: what we read of it, and the patches we send.
 * Bytes in, bytes out. */
#ifndef KV_AGENT_POD_H
#define KV_AGENT_POD_H

#include "common/base/err.h"
#include "common/base/str.h"

#include <stdbool.h>

#define POD_NAME_MAX 254         /* 253 characters and '\0' */
#define POD_LABEL_MAX 64         /* a label's value: 63 characters and '\0' */
#define POD_KEY_MAX 318          /* 253 + '/' + 63 and '\0' */

struct pod {
    char uid[64];
    char version[64];            /* resourceVersion */
    bool labelled;               /* the label that was asked for is there */
    char label[POD_LABEL_MAX];
    bool deleting;
};

/* ERR_FORMAT: no JSON, nested too deeply, or no object with metadata.uid and metadata.resourceVersion. */
int pod_read(struct slice json, const char *label_key, struct pod *out, struct err *e);

struct pod_patch {
    const char *uid;             /* on condition that it is this pod, not one of the same name; NULL: whichever it is */
    const char *version;         /* on condition that it is this one; NULL: whatever it is */
    const char *label_key;
    const char *label;           /* NULL: the label is taken off */
    const char *note_key;        /* annotation; NULL: none */
    const char *note;
};

/* application/merge-patch+json */
void pod_patch_text(const struct pod_patch *p, struct str *out);
/* What a Status object says ("message"), printable and cut; "" when the bytes are something else. */
void pod_status_text(struct slice json, char *out, size_t cap);

bool pod_name_ok(struct slice s);        /* a DNS subdomain: [a-z0-9.-], 1..253, begins and ends with a letter or digit */
bool pod_label_ok(struct slice s);       /* a label's value: [A-Za-z0-9._-], at most 63, same ends; empty is fine */
bool pod_key_ok(struct slice s);         /* [prefix/]name */

#endif
