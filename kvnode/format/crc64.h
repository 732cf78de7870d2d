/* The checksum at the end of an RDB: CRC-64 with the Jones polynomial, reflected, start 0.
 * crc64(0, "123456789", 9) == 0xe9c6d914c4b8d9ca. */
#ifndef KV_FORMAT_CRC64_H
#define KV_FORMAT_CRC64_H

#include <stddef.h>
#include <stdint.h>

/* Goes on from crc (0 at the start). Safe from several threads. */
uint64_t crc64(uint64_t crc, const void *p, size_t n);

#endif
