/* What --print-docs, --print-man and --print-sample print: the daemon's tables, read aloud. */
#ifndef KV_IO_BOOT_DOCS_H
#define KV_IO_BOOT_DOCS_H

#include "common/io/boot.h"

void boot_print_docs(const struct boot_spec *spec);
void boot_print_man(const struct boot_spec *spec);       /* section 8 */
void boot_print_sample(const struct boot_spec *spec);

/* Of the command line, for the manual (boot.c): the indented lines of usage, the table rows of questions. */
void boot_usage(const struct boot_spec *spec, struct str *out);
void boot_questions(struct str *out);

#endif
