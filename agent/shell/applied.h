/* What is in force: for each document, which version was applied last and when, with the
 * digest of each file. On disk so that it is known after a restart. */
#ifndef KV_AGENT_APPLIED_H
#define KV_AGENT_APPLIED_H

#include "agent/core/apply.h"
#include "agent/core/docname.h"
#include "agent/shell/stage.h"

struct applied_file {
    char *root, *path;
    char sha[SHA_MAX];
};

/* A setting of the data node. Values stand as digests: they may be secrets. */
struct applied_setting {
    char *name;
    char want[SHA_MAX], is[SHA_MAX];   /* as the document has it; as the node answered after it was set */
    bool pending;                      /* the node takes it with its next start; is: what it has until then */
};

struct applied {
    bool known;                        /* something was applied once */
    char sha[SHA_MAX];                 /* of the document */
    char fingerprint[SHA_MAX];         /* of all it was made of */
    int64_t at_wall_ms;
    enum ack_status status;
    VEC(struct applied_file) files;
    VEC(struct applied_setting) settings;
    char run_id[48];                   /* of the data node that was asked for them */
};

void applied_init(struct applied *a);
void applied_fini(struct applied *a);
void applied_set(struct applied *a, const char *sha, const char *fingerprint, int64_t wall_ms, enum ack_status status,
                 const struct plan *p, const struct stage *s);
/* To be called after applied_set. */
void applied_add_setting(struct applied *a, const char *name, const char *want, const char *is, bool pending);
const struct applied_setting *applied_setting(const struct applied *a, const char *name);     /* NULL: none */
int  applied_save(const char *state, const struct docname *doc, const struct applied *a, struct err *e);
/* Missing or damaged: a stays unknown (damaged: e says so, ERR_FORMAT). */
int  applied_load(const char *state, const struct docname *doc, struct applied *a, struct err *e);
void applied_forget(const char *state, const struct docname *doc);
/* Calls fn for each document of a type that has a record. */
void applied_each(const char *state, const char *type, void (*fn)(void *arg, const struct docname *doc), void *arg);
bool applied_owns(const struct applied *a, const char *root, const char *path);

/* A fresh folder <state>/lkg/<type>/<component>/<number> for the files that are about to be replaced; older ones
 * beyond `keep` of them are removed. */
int  kept_folder(const char *state, const struct docname *doc, unsigned keep, char **out, struct err *e);

#endif
