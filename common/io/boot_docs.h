/* What --print-docs and --print-sample print: the daemon's tables, read aloud. */
#ifndef KV_IO_BOOT_DOCS_H
#define KV_IO_BOOT_DOCS_H

#include "common/io/boot.h"

void boot_print_docs(const struct boot_spec *spec);
void boot_print_sample(const struct boot_spec *spec);

#endif
