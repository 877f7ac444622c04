/* SPDX-License-Identifier: MIT */
#include <corio/error.h>

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
