/* SPDX-License-Identifier: MIT
 *
 * frame.c - the frames of a recording, written and read one at a time.
 *
 *     +------+-------+-------+---------+------+
 *     | type | check | count | payload | hash |     in the machine's own byte order, which the header tells
 *     +------+-------+-------+---------+------+
 *        4       4       8      count      8        check: of type and count, so that a damaged count
 *                                                   is known before it is believed
 */
#include "runtime/io/tape.h"

#include "runtime/base/alloc.h"

#include <corio/io.h>
#include <errno.h>
#include <string.h>

enum { version = 1, byte_order = 0x01020304, least_read = 4096 };

typedef struct file_head {
    char magic[8];
    uint32_t version, byte_order, size_bytes, wait_mode;
    uint64_t hash; /* of what stands above */
} file_head;

typedef struct frame_head {
    uint32_t type, check;
    uint64_t count;
} frame_head;

bool cr_bytes_append(cr_bytes *bytes, const void *from, size_t count)
{
    if (count > SIZE_MAX - bytes->count ||
        !cr_grow((void **)&bytes->items, &bytes->capacity, bytes->count + count, 1))
        return false;
    if (count > 0)
        memcpy(bytes->items + bytes->count, from, count);
    bytes->count += count;
    return true;
}

static file_head make_head(uint32_t wait_mode)
{
    file_head made = {"corioREC", version, byte_order, sizeof(size_t), wait_mode, 0};
    made.hash = corio_hash_bytes(CORIO_HASH_BEGIN, &made, offsetof(file_head, hash));
    return made;
}

static uint32_t check_of(const frame_head *head)
{
    uint64_t hash = corio_hash_bytes(CORIO_HASH_BEGIN, &head->type, sizeof head->type);
    return (uint32_t)corio_hash_bytes(hash, &head->count, sizeof head->count);
}

static uint64_t hash_of(const frame_head *head, const void *payload)
{
    uint64_t hash = corio_hash_bytes(CORIO_HASH_BEGIN, head, sizeof *head);
    return corio_hash_bytes(hash, payload, (size_t)head->count);
}

/* -- Writing -- */

static int put(FILE *file, const void *from, size_t count)
{
    errno = 0;
    if (count == 0 || fwrite(from, 1, count, file) == count)
        return 0;
    return errno != 0 ? -errno : -EIO;
}

int cr_frame_begin(FILE *file, uint32_t wait_mode)
{
    file_head made = make_head(wait_mode);
    return put(file, &made, sizeof made);
}

int cr_frame_write(FILE *file, enum cr_frame_type type, const void *payload, size_t count)
{
    frame_head head = {.type = type, .count = count};
    head.check = check_of(&head);
    uint64_t hash = hash_of(&head, payload);
    int rc = put(file, &head, sizeof head);
    if (rc == 0)
        rc = put(file, payload, count);
    return rc == 0 ? put(file, &hash, sizeof hash) : rc;
}

/* -- Reading -- */

static int get(FILE *file, void *to, size_t count)
{
    errno = 0;
    if (fread(to, 1, count, file) == count)
        return 0;
    return ferror(file) ? (errno != 0 ? -errno : -EIO) : CORIO_ERECORDING;
}

int cr_frame_open(FILE *file, uint32_t *ret_wait_mode)
{
    file_head found;
    int rc = get(file, &found, sizeof found);
    if (rc != 0)
        return rc;
    file_head expected = make_head(found.wait_mode);
    if (memcmp(&found, &expected, sizeof found) != 0 || found.wait_mode > CORIO_WAIT_STRICT)
        return CORIO_ERECORDING;
    *ret_wait_mode = found.wait_mode;
    return 0;
}

/* Room for twice what has come already, at most: so a length that lies costs no memory. */
static int get_payload(FILE *file, uint64_t count, cr_bytes *payload)
{
    payload->count = 0;
    while (payload->count < count) {
        size_t more = payload->count < least_read ? least_read : payload->count;
        if (more > count - payload->count)
            more = (size_t)(count - payload->count);
        if (more > SIZE_MAX - payload->count - 1 ||
            !cr_grow((void **)&payload->items, &payload->capacity, payload->count + more + 1, 1))
            return -ENOMEM;
        int rc = get(file, payload->items + payload->count, more);
        if (rc != 0)
            return rc;
        payload->count += more;
    }
    if (!cr_grow((void **)&payload->items, &payload->capacity, payload->count + 1, 1))
        return -ENOMEM;
    payload->items[payload->count] = '\0';
    return 0;
}

int cr_frame_read(FILE *file, enum cr_frame_type *ret_type, cr_bytes *payload)
{
    frame_head head;
    uint64_t hash;
    int rc = get(file, &head, sizeof head);
    if (rc == 0 && head.check != check_of(&head))
        rc = CORIO_ERECORDING;
    if (rc == 0)
        rc = get_payload(file, head.count, payload);
    if (rc == 0)
        rc = get(file, &hash, sizeof hash);
    if (rc == 0 && hash != hash_of(&head, payload->items))
        rc = CORIO_ERECORDING;
    *ret_type = head.type;
    return rc;
}
