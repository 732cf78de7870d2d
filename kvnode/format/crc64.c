/* Eight bytes at a time through eight tables, which are made before main runs. */
#include "kvnode/format/crc64.h"

#define JONES_REFLECTED 0x95ac9329ac4bc9b5ULL

static uint64_t table[8][256];

static void __attribute__((constructor)) make_tables(void)
{
    for (unsigned i = 0; i < 256; i++) {
        uint64_t c = i;
        for (int bit = 0; bit < 8; bit++)
            c = (c >> 1) ^ (c & 1 ? JONES_REFLECTED : 0);
        table[0][i] = c;
    }
    for (unsigned i = 0; i < 256; i++)
        for (int k = 1; k < 8; k++)
            table[k][i] = table[0][table[k - 1][i] & 0xff] ^ (table[k - 1][i] >> 8);
}

uint64_t crc64(uint64_t crc, const void *p, size_t n)
{
    const unsigned char *b = p;

    for (; n >= 8; n -= 8, b += 8) {
        uint64_t w = crc;
        for (int i = 0; i < 8; i++)
            w ^= (uint64_t)b[i] << (8 * i);
        crc = table[7][w & 0xff] ^ table[6][(w >> 8) & 0xff] ^ table[5][(w >> 16) & 0xff] ^
              table[4][(w >> 24) & 0xff] ^ table[3][(w >> 32) & 0xff] ^ table[2][(w >> 40) & 0xff] ^
              table[1][(w >> 48) & 0xff] ^ table[0][w >> 56];
    }
    for (; n > 0; n--, b++)
        crc = table[0][(crc ^ *b) & 0xff] ^ (crc >> 8);
    return crc;
}
