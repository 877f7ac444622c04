/* SPDX-License-Identifier: MIT
 *
 * typed.h - a typed face for a dispatcher, so that the compiler checks every use.
 *
 *     CORIO_DISPATCHER(price, struct item, struct money)
 *
 * declares `struct price`, a handle that only fits the functions below, and
 *
 *     int price_add(corio_runtime *, price_dispatch_fn, void *self, struct price *ret);
 *     int price_add_with(corio_runtime *, const corio_dispatcher_options *, struct price *ret);
 *         see corio_dispatcher_add; the second for limits, a hash, dedup or a cache
 *     int price_io(struct price, const struct item *input, struct money *output);
 *         see corio_io
 *     corio_request price_request(struct price, const struct item *input, struct money *output);
 *         for corio_io_all
 *     const struct item *price_input(const corio_batch *, size_t i);
 *     struct money *price_output(const corio_batch *, size_t i);
 *         for the dispatch function
 *     int price_respond(corio_batch *, size_t i, const struct money *value);
 *         copies the value and responds
 *     int price_prime(struct price, const struct item *input, const struct money *output);
 *     int price_invalidate(struct price, const struct item *input);
 *         see cache.h
 */
#ifndef CORIO_TYPED_H
#define CORIO_TYPED_H

#include <corio/batch.h>
#include <corio/cache.h>
#include <corio/io.h>

#include <errno.h>
#include <string.h>

#define CORIO_DISPATCHER(face, input_type, output_type)                                            \
    struct face {                                                                                  \
        corio_dispatcher *dispatcher;                                                              \
    };                                                                                             \
    CORIO_MAYBE_UNUSED static inline int face##_add_with(                                          \
        corio_runtime *runtime, const corio_dispatcher_options *with, struct face *ret)            \
    {                                                                                              \
        corio_dispatcher_options options = *with;                                                  \
        options.size = sizeof options;                                                             \
        options.name = options.name ? options.name : #face;                                        \
        options.input_bytes = sizeof(input_type);                                                  \
        options.output_bytes = sizeof(output_type);                                                \
        return corio_dispatcher_add(runtime, &options, &ret->dispatcher);                          \
    }                                                                                              \
    CORIO_MAYBE_UNUSED static inline int face##_add(                                               \
        corio_runtime *runtime, corio_dispatch_fn *dispatch, void *self, struct face *ret)         \
    {                                                                                              \
        corio_dispatcher_options options;                                                          \
        memset(&options, 0, sizeof options);                                                       \
        options.dispatch = dispatch;                                                               \
        options.self = self;                                                                       \
        return face##_add_with(runtime, &options, ret);                                            \
    }                                                                                              \
    CORIO_MAYBE_UNUSED static inline int face##_io(struct face handle, const input_type *input,    \
                                                   output_type *output)                            \
    {                                                                                              \
        return corio_io(handle.dispatcher, input, output);                                         \
    }                                                                                              \
    CORIO_MAYBE_UNUSED static inline corio_request face##_request(                                 \
        struct face handle, const input_type *input, output_type *output)                          \
    {                                                                                              \
        corio_request request;                                                                     \
        memset(&request, 0, sizeof request);                                                       \
        request.dispatcher = handle.dispatcher;                                                    \
        request.input = input;                                                                     \
        request.output = output;                                                                   \
        return request;                                                                            \
    }                                                                                              \
    CORIO_MAYBE_UNUSED static inline const input_type *face##_input(const corio_batch *batch,      \
                                                                    size_t i)                      \
    {                                                                                              \
        return (const input_type *)corio_batch_input(batch, i);                                    \
    }                                                                                              \
    CORIO_MAYBE_UNUSED static inline output_type *face##_output(const corio_batch *batch,          \
                                                                size_t i)                          \
    {                                                                                              \
        return (output_type *)corio_batch_output(batch, i);                                        \
    }                                                                                              \
    CORIO_MAYBE_UNUSED static inline int face##_respond(corio_batch *batch, size_t i,              \
                                                        const output_type *value)                  \
    {                                                                                              \
        output_type *output = face##_output(batch, i);                                             \
        if (output != NULL)                                                                        \
            *output = *value;                                                                      \
        return corio_batch_respond(batch, i);                                                      \
    }                                                                                              \
    CORIO_MAYBE_UNUSED static inline int face##_prime(struct face handle, const input_type *input, \
                                                      const output_type *output)                   \
    {                                                                                              \
        return corio_cache_prime(handle.dispatcher, input, output);                                \
    }                                                                                              \
    CORIO_MAYBE_UNUSED static inline int face##_invalidate(struct face handle,                     \
                                                           const input_type *input)                \
    {                                                                                              \
        return corio_cache_invalidate(handle.dispatcher, input);                                   \
    }                                                                                              \
    struct face /* ends with the user's semicolon */

#endif
