/* Objects for programs. */
#include "sentinel/ctl/json.h"

#include <cjson/cJSON.h>
#include <stdio.h>

cJSON *json_object(const char *kind)
{
    cJSON *o = cJSON_CreateObject();

    cJSON_AddStringToObject(o, "apiVersion", "kvorum/v1");
    cJSON_AddStringToObject(o, "kind", kind);
    return o;
}

void json_print(cJSON *o, bool one_line)
{
    char *text = one_line ? cJSON_PrintUnformatted(o) : cJSON_Print(o);

    puts(text);
    cJSON_free(text);
    cJSON_Delete(o);
}
