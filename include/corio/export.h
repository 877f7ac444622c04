/* SPDX-License-Identifier: MIT
 *
 * export.h - how corio's public symbols are declared.
 */
#ifndef CORIO_EXPORT_H
#define CORIO_EXPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define CORIO_BEGIN_DECLS extern "C" {
#define CORIO_END_DECLS   }
#else
#define CORIO_BEGIN_DECLS
#define CORIO_END_DECLS
#endif

#if defined(__GNUC__)
#define CORIO_API          __attribute__((visibility("default")))
#define CORIO_MUST_CHECK   __attribute__((warn_unused_result))
#define CORIO_MAYBE_UNUSED __attribute__((unused))
#else
#define CORIO_API
#define CORIO_MUST_CHECK
#define CORIO_MAYBE_UNUSED
#endif

#endif
