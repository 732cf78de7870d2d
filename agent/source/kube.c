/* URLs, the token, one request and its repetition, and what an answer means. */
#include "agent/source/kube.h"

#include "agent/core/pod.h"
#include "common/base/list.h"
#include "common/base/mem.h"
#include "common/base/num.h"
#include "common/io/file.h"
#include "common/io/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOKEN_MAX 65536
#define ANSWER_MAX ((size_t)1 << 20)

struct kube {
    struct loop *loop;
    struct http_client *http;
    char *url, *folder, *ca, *name_space;
    char *token;
    int64_t token_at_ms, token_ms, request_ms;
    struct list_link calls;
    struct kube_stats stats;
    char complaint[KUBE_VERBS][300];     /* said last, so that it is said once */
};

struct kube_call {
    struct list_link link;
    struct kube *k;
    enum kube_verb verb;
    char *pod;
    struct str body;
    struct http_job *job;
    int64_t retry_after_ms;
    bool repeated;
    kube_fn *fn;
    void *arg;
};

static const char *const how_names[] = {"ok", "missing", "conflict", "denied", "later", "wrong"};
static const char *const verb_names[] = {"get", "patch"};
const char *kube_how_name(enum kube_how h) { return how_names[h]; }
const char *kube_verb_name(enum kube_verb v) { return verb_names[v]; }
const struct kube_stats *kube_stats(const struct kube *k) { return &k->stats; }
const char *kube_url(const struct kube *k) { return k->url; }
const char *kube_namespace(const struct kube *k) { return k->name_space; }

/* --- files --- */

static int read_word(const char *folder, const char *name, size_t limit, char **out, struct err *e)
{
    struct str path = {0}, text = {0};
    int rc;

    str_printf(&path, "%s/%s", folder, name);
    rc = file_slurp(str_c(&path), limit, &text, e);
    while (rc == 0 && text.len && (text.p[text.len - 1] == '\n' || text.p[text.len - 1] == '\r' || text.p[text.len - 1] == ' '))
        str_cut(&text, text.len - 1);
    if (rc == 0 && !text.len)
        rc = err_set(e, ERR_MISSING, "%s is empty", str_c(&path));
    for (size_t i = 0; rc == 0 && i < text.len; i++)
        if ((unsigned char)text.p[i] <= 0x20 || (unsigned char)text.p[i] >= 0x7f)
            rc = err_set(e, ERR_FORMAT, "%s holds more than one word", str_c(&path));
    if (rc == 0)
        *out = str_take(&text);
    str_fini(&path);
    str_fini(&text);
    return rc;
}

/* The kubelet swaps the folder under the name: opened anew each time, nothing is kept. */
static int read_token(struct kube *k, struct err *e)
{
    char *fresh = NULL;
    int rc = read_word(k->folder, "token", TOKEN_MAX, &fresh, e);

    k->token_at_ms = loop_now_ms(k->loop);
    if (rc != 0)
        return rc;
    if (!k->token || strcmp(k->token, fresh) != 0)
        k->stats.token_reads++;
    mem_free(k->token);
    k->token = fresh;
    return 0;
}

static void refresh_token(struct kube *k)
{
    struct err e;

    if (read_token(k, &e) != 0)
        log_warning("kubernetes: the token stays as it is: %s", e.text);
}

/* --- one call --- */

static void call_free(void *arg)
{
    struct kube_call *c = arg;

    str_fini(&c->body);
    mem_free(c->pod);
    mem_free(c);
}

static void forget(struct kube_call *c)
{
    list_remove(&c->link);
    loop_park(c->k->loop, c, call_free);
}

static enum kube_how how_of(int status)
{
    if (status >= 200 && status < 300)
        return KUBE_OK;
    switch (status) {
    case 404: return KUBE_MISSING;
    case 409: return KUBE_CONFLICT;
    case 401:
    case 403: return KUBE_DENIED;
    case 0:
    case 408:
    case 429: return KUBE_LATER;
    default: return status >= 500 ? KUBE_LATER : KUBE_WRONG;
    }
}

static void complain(struct kube *k, enum kube_verb v, enum kube_how how, const char *why)
{
    char text[300];

    if (how == KUBE_OK)
        k->complaint[v][0] = 0;
    if (how == KUBE_OK || how == KUBE_CONFLICT || how == KUBE_MISSING)       /* ordinary: the caller knows */
        return;
    snprintf(text, sizeof text, "%.299s", why);
    if (strcmp(text, k->complaint[v]) != 0)
        log_warning("kubernetes: %s: %s", verb_names[v], text);
    memcpy(k->complaint[v], text, sizeof text);
}

static void send_call(struct kube_call *c);

static void on_answer(void *arg, int status, struct slice body, const char *why)
{
    struct kube_call *c = arg;
    struct kube *k = c->k;
    struct kube_answer a = {.how = how_of(status), .status = status, .retry_after_ms = c->retry_after_ms, .body = body, .why = ""};
    char said[200], text[420];

    c->job = NULL;
    if (status == 401 && !c->repeated) {
        refresh_token(k);
        c->repeated = true;
        send_call(c);
        return;
    }
    if (a.how != KUBE_OK) {
        pod_status_text(body, said, sizeof said);
        if (status == 0)
            snprintf(text, sizeof text, "pod %.100s: no answer: %.200s", c->pod, why);
        else
            snprintf(text, sizeof text, "pod %.100s: status %d%s%s", c->pod, status, said[0] ? ": " : "", said);
        a.why = text;
    } else {
        k->stats.last_ok_at_ms = loop_now_ms(k->loop);
    }
    k->stats.ended[c->verb][a.how]++;
    complain(k, c->verb, a.how, a.why);
    forget(c);
    c->fn(c->arg, &a);
}

static void send_call(struct kube_call *c)
{
    struct kube *k = c->k;
    struct str url = {0}, token = {0};
    const char *headers[4] = {"Accept: application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io, application/json"};
    struct http_request q = {.timeout_ms = k->request_ms, .answer_max = ANSWER_MAX, .ca_file = k->ca, .direct = true,
                             .connect_timeout_ms = k->request_ms / 2 < 1000 ? 1000 : k->request_ms / 2,
                             .retry_after_ms = &c->retry_after_ms, .headers = headers};

    if (loop_now_ms(k->loop) - k->token_at_ms >= k->token_ms)
        refresh_token(k);
    c->retry_after_ms = 0;
    str_printf(&url, "%s/api/v1/namespaces/%s/pods/%s", k->url, k->name_space, c->pod);
    str_printf(&token, "Authorization: Bearer %s", k->token);
    headers[1] = str_c(&token);
    if (c->verb == KUBE_PATCH) {
        headers[2] = "Content-Type: application/merge-patch+json";
        q.method = "PATCH";
        q.body = (struct slice){str_c(&c->body), c->body.len};
    }
    q.url = str_c(&url);
    c->job = http_start(k->http, &q, on_answer, c);
    str_fini(&url);
    str_fini(&token);
}

static struct kube_call *start(struct kube *k, enum kube_verb verb, const char *pod, struct slice body, kube_fn *fn, void *arg)
{
    struct kube_call *c = mem_zalloc(sizeof *c);

    c->k = k;
    c->verb = verb;
    c->pod = mem_strdup(pod);
    str_set(&c->body, body.p, body.len);
    c->fn = fn;
    c->arg = arg;
    list_append(&k->calls, &c->link);
    send_call(c);
    return c;
}

struct kube_call *kube_get_pod(struct kube *k, const char *pod, kube_fn *fn, void *arg)
{
    return start(k, KUBE_GET, pod, (struct slice){"", 0}, fn, arg);
}

struct kube_call *kube_patch_pod(struct kube *k, const char *pod, struct slice merge_patch, kube_fn *fn, void *arg)
{
    return start(k, KUBE_PATCH, pod, merge_patch, fn, arg);
}

void kube_cancel(struct kube_call *c)
{
    if (!c)
        return;
    http_cancel(c->job);
    forget(c);
}

/* --- start --- */

/* NULL: the environment names none, or no port that is one. */
static char *url_of_environment(void)
{
    const char *host = getenv("KUBERNETES_SERVICE_HOST"), *port = getenv("KUBERNETES_SERVICE_PORT");
    struct str url = {0};
    int64_t n;

    if (!host || !host[0] || !port || !num_i64_in(port, strlen(port), 1, 65535, &n))
        return NULL;
    str_printf(&url, strchr(host, ':') ? "https://[%s]:%lld" : "https://%s:%lld", host, (long long)n);
    return str_take(&url);
}

bool kube_is_around(const char *url, const char *folder)
{
    struct str path = {0};
    char *at = url ? mem_strdup(url) : url_of_environment();
    bool yes;

    str_printf(&path, "%s/token", folder ? folder : KUBE_FOLDER);
    yes = at && file_exists(str_c(&path));
    mem_free(at);
    str_fini(&path);
    return yes;
}

int kube_new(const struct kube_opts *o, struct kube **out, struct err *e)
{
    struct kube *k = mem_zalloc(sizeof *k);
    struct str ca = {0};
    int rc = 0;

    k->loop = o->loop;
    k->http = o->http;
    list_init(&k->calls);
    k->request_ms = o->request_ms ? o->request_ms : 5000;
    k->token_ms = o->token_ms ? o->token_ms : 60000;
    k->folder = mem_strdup(o->folder ? o->folder : KUBE_FOLDER);
    str_printf(&ca, "%s/ca.crt", k->folder);
    k->ca = str_take(&ca);
    k->url = o->url ? mem_strdup(o->url) : url_of_environment();
    if (!k->url)
        rc = err_set(e, ERR_MISSING, "no Kubernetes API: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set");
    if (rc == 0 && o->name_space)
        k->name_space = mem_strdup(o->name_space);
    else if (rc == 0)
        rc = read_word(k->folder, "namespace", 1024, &k->name_space, e);
    if (rc == 0 && !pod_name_ok(slice_z(k->name_space)))
        rc = err_set(e, ERR_RANGE, "'%s' is no namespace", k->name_space);
    if (rc == 0)
        rc = read_token(k, e);
    if (rc != 0) {
        kube_free(k);
        return rc;
    }
    *out = k;
    return 0;
}

void kube_free(struct kube *k)
{
    if (!k)
        return;
    list_each_safe(struct kube_call, c, &k->calls, link)
        kube_cancel(c);
    mem_free(k->url);
    mem_free(k->folder);
    mem_free(k->ca);
    mem_free(k->name_space);
    mem_free(k->token);
    mem_free(k);
}
