/* The Kubernetes API as an agent in a pod sees it: pods of its own set are read and patched.
 *
 * Where: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT, or `url`. Who we are: the files
 * `token`, `ca.crt` and `namespace` of one folder, as the kubelet projects them. They change
 * while we run: the token is read again every 60 s and at once when the API says 401 (the
 * request is then repeated, once); the CA is read for each new connection. A token that cannot be
 * read leaves the last one in use.
 *
 * What an answer means:
 *
 *   2xx                       KUBE_OK
 *   404                       KUBE_MISSING
 *   409                       KUBE_CONFLICT      read again, decide again
 *   401 (twice), 403          KUBE_DENIED        logged once for each verb and reason
 *   429, 5xx, no answer       KUBE_LATER         again after retry_after_ms, or after the caller's own pause
 *   anything else             KUBE_WRONG         a fault of ours or of the configuration; redirects are not followed
 *
 * Requests take request_ms at most, connecting half of that, answers are at most 1 MiB, and no proxy of
 * the environment is used. */
#ifndef KV_AGENT_KUBE_H
#define KV_AGENT_KUBE_H

#include "common/base/err.h"
#include "common/io/http_client.h"

#define KUBE_FOLDER "/var/run/secrets/kubernetes.io/serviceaccount"

enum kube_how { KUBE_OK, KUBE_MISSING, KUBE_CONFLICT, KUBE_DENIED, KUBE_LATER, KUBE_WRONG, KUBE_HOWS };
const char *kube_how_name(enum kube_how h);          /* "ok", "missing", "conflict", "denied", "later", "wrong" */

struct kube_answer {
    enum kube_how how;
    int status;                      /* 0: no answer */
    int64_t retry_after_ms;          /* 0: it named none */
    struct slice body;
    const char *why;                 /* a sentence unless KUBE_OK */
};
typedef void kube_fn(void *arg, const struct kube_answer *a);

struct kube_opts {
    struct loop *loop;
    struct http_client *http;
    const char *url;                 /* "https://host:port"; NULL: of the environment */
    const char *folder;              /* NULL: KUBE_FOLDER */
    const char *name_space;          /* NULL: the file */
    int64_t request_ms;              /* 5000 when 0 */
    int64_t token_ms;                /* 60000 when 0 */
};

enum kube_verb { KUBE_GET, KUBE_PATCH, KUBE_VERBS };
const char *kube_verb_name(enum kube_verb v);

struct kube_stats {
    uint64_t ended[KUBE_VERBS][KUBE_HOWS];
    uint64_t token_reads;            /* those that brought another token */
    int64_t last_ok_at_ms;           /* loop time; 0 = never */
};

struct kube;
struct kube_call;
/* Is there an API to speak to: the address in the environment, and a token? For `kube auto`. */
bool kube_is_around(const char *url, const char *folder);
/* ERR_MISSING: no address, no token, or no namespace; the sentence names what. */
int  kube_new(const struct kube_opts *o, struct kube **out, struct err *e);
void kube_free(struct kube *k);              /* calls under way end without a word */
/* fn is called once, never from inside. pod: a valid name (pod_name_ok). */
struct kube_call *kube_get_pod(struct kube *k, const char *pod, kube_fn *fn, void *arg);
struct kube_call *kube_patch_pod(struct kube *k, const char *pod, struct slice merge_patch, kube_fn *fn, void *arg);
void kube_cancel(struct kube_call *c);       /* fn will not be called; the API may carry it out all the same */
const struct kube_stats *kube_stats(const struct kube *k);
const char *kube_url(const struct kube *k);
const char *kube_namespace(const struct kube *k);

#endif
