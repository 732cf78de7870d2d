/* cJSON at both ends. */
#include "agent/core/pod.h"

#include "common/base/mem.h"

#include <cjson/cJSON.h>
#include <string.h>

#define DEPTH_MAX 64           /* pods come to about ten */

/* cJSON recurses: what is nested deeper than any pod is refused before it. */
static bool too_deep(struct slice s)
{
    int depth = 0;
    bool text = false;

    for (size_t i = 0; i < s.len; i++) {
        if (text && s.p[i] == '\\')
            i++;
        else if (s.p[i] == '"')
            text = !text;
        else if (!text && (s.p[i] == '{' || s.p[i] == '['))
            depth++;
        else if (!text && (s.p[i] == '}' || s.p[i] == ']'))
            depth--;
        if (depth > DEPTH_MAX)
            return true;
    }
    return false;
}

static cJSON *parse(struct slice s) { return too_deep(s) ? NULL : cJSON_ParseWithLength(s.p, s.len); }

static const char *text_of(const cJSON *o, const char *name)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, name);

    return cJSON_IsString(v) ? v->valuestring : NULL;
}

int pod_read(struct slice json, const char *label_key, struct pod *out, struct err *e)
{
    cJSON *o = parse(json);
    const cJSON *meta = cJSON_GetObjectItemCaseSensitive(o, "metadata");
    const char *uid = text_of(meta, "uid"), *version = text_of(meta, "resourceVersion");
    const char *label = text_of(cJSON_GetObjectItemCaseSensitive(meta, "labels"), label_key);
    struct pod p = {0};
    int rc = 0;

    if (!uid || !version || !slice_copy_z(slice_z(uid), p.uid, sizeof p.uid) ||
        !slice_copy_z(slice_z(version), p.version, sizeof p.version)) {
        rc = err_set(e, ERR_FORMAT, "the API's answer is no pod");
    } else {
        p.labelled = label != NULL;
        /* A longer value is none of ours; cut, it still is not. */
        slice_copy_z(slice_z(label ? label : ""), p.label, sizeof p.label);
        p.deleting = text_of(meta, "deletionTimestamp") != NULL;
        *out = p;
    }
    cJSON_Delete(o);
    return rc;
}

void pod_patch_text(const struct pod_patch *p, struct str *out)
{
    cJSON *o = cJSON_CreateObject(), *meta = cJSON_AddObjectToObject(o, "metadata"), *labels;
    char *text;

    if (p->uid)
        cJSON_AddStringToObject(meta, "uid", p->uid);
    if (p->version)
        cJSON_AddStringToObject(meta, "resourceVersion", p->version);
    labels = cJSON_AddObjectToObject(meta, "labels");
    if (p->label)
        cJSON_AddStringToObject(labels, p->label_key, p->label);
    else
        cJSON_AddNullToObject(labels, p->label_key);
    if (p->note_key)
        cJSON_AddStringToObject(cJSON_AddObjectToObject(meta, "annotations"), p->note_key, p->note);
    text = cJSON_PrintUnformatted(o);
    str_append_z(out, text);
    cJSON_free(text);
    cJSON_Delete(o);
}

void pod_status_text(struct slice json, char *out, size_t cap)
{
    cJSON *o = parse(json);
    const char *kind = text_of(o, "kind"), *said = text_of(o, "message");
    size_t n = 0;

    for (; kind && strcmp(kind, "Status") == 0 && said && said[n] && n + 1 < cap; n++)
        out[n] = (unsigned char)said[n] < 0x20 || said[n] == 0x7f || said[n] == '"' ? ' ' : said[n];
    out[n] = 0;
    cJSON_Delete(o);
}

static bool alnum(char c, bool upper)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (upper && c >= 'A' && c <= 'Z');
}

static bool word_ok(struct slice s, size_t max, const char *inside, bool upper)
{
    if (s.len < 1 || s.len > max || !alnum(s.p[0], upper) || !alnum(s.p[s.len - 1], upper))
        return false;
    for (size_t i = 0; i < s.len; i++)
        if (s.p[i] == 0 || (!alnum(s.p[i], upper) && !strchr(inside, s.p[i])))
            return false;
    return true;
}

bool pod_name_ok(struct slice s) { return word_ok(s, POD_NAME_MAX - 1, ".-", false); }
bool pod_label_ok(struct slice s) { return s.len == 0 || word_ok(s, POD_LABEL_MAX - 1, "._-", true); }

bool pod_key_ok(struct slice s)
{
    const char *slash = s.len ? memchr(s.p, '/', s.len) : NULL;
    size_t n = slash ? (size_t)(slash - s.p) : 0;

    if (!slash)
        return word_ok(s, POD_LABEL_MAX - 1, "._-", true);
    return pod_name_ok((struct slice){s.p, n}) && word_ok((struct slice){slash + 1, s.len - n - 1}, POD_LABEL_MAX - 1, "._-", true);
}
