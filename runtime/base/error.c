/* SPDX-License-Identifier: MIT */
#include <corio/error.h>

#include <dlfcn.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *corio_strerror(int code)
{
    switch (code) {
    case 0:
        return "success";
#define ERROR_CASE(name, value, text)                                                              \
    case value:                                                                                    \
        return text;
        CORIO_ERRORS(ERROR_CASE)
#undef ERROR_CASE
    default:
        return code < 0 && code > -4096 ? strerror(-code) : "unknown error";
    }
}

/* -- An error as text -- */

typedef struct text {
    char *at;
    size_t bytes;
    size_t length; /* of the whole, however much of it fits */
} text;

static __attribute__((format(printf, 2, 3))) void add(text *out, const char *format, ...)
{
    va_list args;
    size_t room = out->length < out->bytes ? out->bytes - out->length : 0;
    va_start(args, format);
    int length = vsnprintf(room > 0 ? out->at + out->length : NULL, room, format, args);
    va_end(args);
    if (length > 0)
        out->length += (size_t)length;
}

/* The first `depth` indices of the error's path, behind the number of its root if that has one. */
static void add_path(text *out, const corio_error *error, size_t depth)
{
    add(out, "%.*s(", (int)strcspn(error->path, "("), error->path);
    for (size_t i = 0; i < depth; i++)
        add(out, "%s%" PRIu64, i > 0 ? ", " : "", error->indices[i]);
    add(out, ")");
}

static void add_chain(text *out, const corio_error *error)
{
    for (size_t i = 1; i < error->chain_length && i <= error->depth; i++) {
        add(out, "  passed on by %s ", error->chain[i]);
        add_path(out, error, error->depth - i);
        add(out, "\n");
    }
}

static void add_frames(text *out, const corio_error *error)
{
    for (size_t i = 0; i < error->frame_count; i++) {
        const char *address = error->frames[i];
        Dl_info info;
        /* A return address lies behind the call: that of a noreturn function, maybe in the next. */
        if (dladdr(address - 1, &info) == 0)
            add(out, "  at %p\n", (const void *)address);
        else if (info.dli_sname != NULL)
            add(out, "  at %p %s+0x%tx in %s\n", (const void *)address, info.dli_sname,
                address - (const char *)info.dli_saddr, info.dli_fname);
        else
            add(out, "  at %p in %s+0x%tx\n", (const void *)address, info.dli_fname,
                address - (const char *)info.dli_fbase);
    }
}

size_t corio_error_text(const corio_error *error, char *to, size_t bytes)
{
    text out = {to, bytes, 0};
    const char *head = "";
    if (bytes > 0)
        *to = '\0';
    for (; error != NULL; error = error->cause) {
        add(&out, "%stask %s %s failed with %d (%s)%s%s\n", head, error->task, error->path,
            error->code, corio_strerror(error->code), error->text[0] != '\0' ? ": " : "",
            error->text);
        add_chain(&out, error);
        if (error->others > 0)
            add(&out, "  %" PRIu64 " more failed beside it\n", error->others);
        add_frames(&out, error);
        head = "because ";
    }
    return out.length;
}
