/* Tags of an RDB file. Layout:
 *
 *   "REDIS" "0010"  AUX*  ( SELECTDB [RESIZEDB] ( [EXPIRE] [IDLE] [FREQ] type key value )* )*  EOF crc64
 *
 * Lengths: 00xxxxxx 6 bits · 01xxxxxx +1 byte 14 bits · 0x80 +4 bytes big-endian · 0x81 +8 bytes big-endian ·
 * 11xxxxxx a string in a special form. */
#ifndef KV_FORMAT_RDB_FORMAT_H
#define KV_FORMAT_RDB_FORMAT_H

#define RDB_VERSION_WRITTEN 10     /* what redis-server 7.0 writes */
#define RDB_VERSION_MAX 11         /* 7.2's: nothing that we support changed its bytes */

#define RDB_TYPE_STRING 0
#define RDB_TYPE_HASH 4            /* field, value strings */
#define RDB_TYPE_HASH_ZIPMAP 9     /* one string; up to Redis 2.4 */
#define RDB_TYPE_HASH_ZIPLIST 13   /* one string; up to Redis 6.2 */
#define RDB_TYPE_HASH_LISTPACK 16  /* one string; Redis 7 */

/* Types that we name when we refuse them. */
#define RDB_TYPE_LIST 1
#define RDB_TYPE_SET 2
#define RDB_TYPE_ZSET 3
#define RDB_TYPE_ZSET_2 5          /* scores as binary doubles */
#define RDB_TYPE_MODULE_PRE_GA 6
#define RDB_TYPE_MODULE_2 7
#define RDB_TYPE_LIST_ZIPLIST 10
#define RDB_TYPE_SET_INTSET 11
#define RDB_TYPE_ZSET_ZIPLIST 12
#define RDB_TYPE_LIST_QUICKLIST 14
#define RDB_TYPE_STREAM_LISTPACKS 15
#define RDB_TYPE_ZSET_LISTPACK 17
#define RDB_TYPE_LIST_QUICKLIST_2 18
#define RDB_TYPE_STREAM_LISTPACKS_2 19
#define RDB_TYPE_SET_LISTPACK 20
#define RDB_TYPE_STREAM_LISTPACKS_3 21

#define RDB_OP_FUNCTION2 245       /* source of a function library */
#define RDB_OP_FUNCTION 246        /* the same before 7.0 was released */
#define RDB_OP_MODULE_AUX 247
#define RDB_OP_IDLE 248            /* LRU idle seconds of the next key, a length */
#define RDB_OP_FREQ 249            /* LFU counter of the next key, one byte */
#define RDB_OP_AUX 250             /* name, value: facts beside the data */
#define RDB_OP_RESIZEDB 251        /* two lengths: keys, keys with a deadline */
#define RDB_OP_EXPIRETIME_MS 252   /* 8 bytes little-endian, wall ms */
#define RDB_OP_EXPIRETIME 253      /* 4 bytes little-endian, wall seconds */
#define RDB_OP_SELECTDB 254
#define RDB_OP_EOF 255

#define RDB_LEN_6 0
#define RDB_LEN_14 1
#define RDB_LEN_SPECIAL 3
#define RDB_LEN_32 0x80
#define RDB_LEN_64 0x81

#define RDB_STR_INT8 0
#define RDB_STR_INT16 1
#define RDB_STR_INT32 2
#define RDB_STR_LZF 3

#endif
