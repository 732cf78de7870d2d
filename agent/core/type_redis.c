/* The type "redis": the keyword arguments that JSON can carry, and what each may be. */
#include "agent/core/type_redis.h"

#include <string.h>

enum { A_TEXT = 1, A_NUMBER = 2, A_WHOLE = 4, A_BOOL = 8, A_LIST = 16, A_MAP = 32 };

/* The column of the smallest value holds the kinds; null (None) is right for all but host and port. */
#define ARGUMENT(name, kinds, summary) {name, SHAPE_ANY, false, kinds, 0, NULL, NULL, summary}

static const struct shape_field redis_fields[] = {
    ARGUMENT("host", A_TEXT, "address of the primary"),
    ARGUMENT("port", A_WHOLE, "1 to 65535"),
    ARGUMENT("db", A_WHOLE, "number of the database"),
    ARGUMENT("username", A_TEXT, ""),
    ARGUMENT("password", A_TEXT, ""),
    ARGUMENT("unix_socket_path", A_TEXT, "instead of host and port"),
    ARGUMENT("client_name", A_TEXT, ""),
    ARGUMENT("socket_timeout", A_NUMBER, "seconds"),
    ARGUMENT("socket_connect_timeout", A_NUMBER, "seconds"),
    ARGUMENT("socket_keepalive", A_BOOL, ""),
    ARGUMENT("socket_keepalive_options", A_MAP, ""),
    ARGUMENT("health_check_interval", A_NUMBER, "seconds"),
    ARGUMENT("retry_on_timeout", A_BOOL, ""),
    ARGUMENT("retry_on_error", A_LIST, ""),
    ARGUMENT("max_connections", A_WHOLE, ""),
    ARGUMENT("single_connection_client", A_BOOL, ""),
    ARGUMENT("encoding", A_TEXT, ""),
    ARGUMENT("encoding_errors", A_TEXT, ""),
    ARGUMENT("charset", A_TEXT, ""),
    ARGUMENT("errors", A_TEXT, ""),
    ARGUMENT("decode_responses", A_BOOL, ""),
    ARGUMENT("protocol", A_WHOLE, "2 or 3"),
    ARGUMENT("lib_name", A_TEXT, ""),
    ARGUMENT("lib_version", A_TEXT, ""),
    ARGUMENT("ssl", A_BOOL, ""),
    ARGUMENT("ssl_keyfile", A_TEXT, ""),
    ARGUMENT("ssl_certfile", A_TEXT, ""),
    ARGUMENT("ssl_cert_reqs", A_TEXT, ""),
    ARGUMENT("ssl_ca_certs", A_TEXT, ""),
    ARGUMENT("ssl_ca_path", A_TEXT, ""),
    ARGUMENT("ssl_ca_data", A_TEXT, ""),
    ARGUMENT("ssl_check_hostname", A_BOOL, ""),
    ARGUMENT("ssl_password", A_TEXT, ""),
    ARGUMENT("ssl_validate_ocsp", A_BOOL, ""),
    ARGUMENT("ssl_validate_ocsp_stapled", A_BOOL, ""),
    ARGUMENT("ssl_min_version", A_WHOLE, ""),
    ARGUMENT("ssl_ciphers", A_TEXT, ""),
};
const struct shape redis_shape = SHAPE(redis_fields);

static const struct { int kind; const char *words; } kinds[] = {
    {A_TEXT, "a text"}, {A_NUMBER, "a number"}, {A_WHOLE, "a whole number"}, {A_BOOL, "true or false"}, {A_LIST, "a list"},
    {A_MAP, "an object"},
};

static bool is_kind(const cJSON *c, int64_t kind)
{
    switch (kind) {
    case A_TEXT: return cJSON_IsString(c);
    case A_NUMBER: return cJSON_IsNumber(c);
    case A_WHOLE: return cJSON_IsNumber(c) && c->valuedouble == (double)(int64_t)c->valuedouble;
    case A_BOOL: return cJSON_IsBool(c);
    case A_LIST: return cJSON_IsArray(c);
    default: return cJSON_IsObject(c);
    }
}

static int check(const struct shape_field *f, const cJSON *c, struct err *e)
{
    bool place = strcmp(f->name, "host") == 0 || strcmp(f->name, "port") == 0;

    if ((cJSON_IsNull(c) && !place) || is_kind(c, f->min))
        return 0;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (kinds[i].kind == f->min)
            return err_set(e, ERR_FORMAT, "%s: must be %s", f->name, kinds[i].words);
    return err_set(e, ERR_FORMAT, "%s: is of the wrong kind", f->name);
}

int redis_read(const cJSON *doc, struct plan *p, struct err *e)
{
    const cJSON *port = tree_at(doc, "port"), *db = tree_at(doc, "db");

    p->carrier = CARRY_NOTHING;
    for (size_t i = 0; i < redis_shape.n; i++) {
        const cJSON *c = tree_at(doc, redis_fields[i].name);
        int rc = c ? check(&redis_fields[i], c, e) : 0;

        if (rc != 0)
            return rc;
    }
    if (!tree_text(doc, "host", "")[0] && !tree_text(doc, "unix_socket_path", "")[0])
        return err_set(e, ERR_MISSING, "there is neither host nor unix_socket_path: programs would connect to their own machine");
    if (port && (port->valuedouble < 1 || port->valuedouble > 65535))
        return err_set(e, ERR_RANGE, "port: must be 1 to 65535");
    if (cJSON_IsNumber(db) && db->valuedouble < 0)
        return err_set(e, ERR_RANGE, "db: must not be negative");
    return 0;
}
