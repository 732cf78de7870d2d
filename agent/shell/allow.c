/* Two lists and the questions to them. */
#include "agent/shell/allow.h"

#include "common/base/glob.h"
#include "common/base/mem.h"

#include <string.h>

void allow_fini(struct allow *a)
{
    vec_clear_owned(&a->commands);
    vec_clear_owned(&a->units);
    vec_fini(&a->commands);
    vec_fini(&a->units);
}

int allow_add_command(struct allow *a, const char *path, struct err *e)
{
    if (path[0] != '/' || path[strlen(path) - 1] == '/')
        return err_set(e, ERR_RANGE, "'%s' must be the absolute path of a program", path);
    vec_push(&a->commands, mem_strdup(path));
    return 0;
}

void allow_add_unit(struct allow *a, const char *pattern)
{
    vec_push(&a->units, mem_strdup(pattern));
}

const char *allow_command(const struct allow *a, const char *name, struct err *e)
{
    for (size_t i = 0; i < a->commands.n; i++) {
        const char *path = a->commands.at[i];

        if (strcmp(path, name) == 0 || (!strchr(name, '/') && strcmp(strrchr(path, '/') + 1, name) == 0))
            return path;
    }
    err_set(e, ERR_REFUSED, "the program '%.200s' is not allowed here (allow-command in the agent's configuration)", name);
    return NULL;
}

int allow_unit(const struct allow *a, const char *unit, struct err *e)
{
    if (unit[0] != '-')
        for (size_t i = 0; i < a->units.n; i++)
            if (glob_match_z(a->units.at[i], unit))
                return 0;
    return err_set(e, ERR_REFUSED, "the unit '%.200s' is not allowed here (allow-unit in the agent's configuration)", unit);
}
