/* SPDX-License-Identifier: MIT
 *
 * corio.h - structured concurrency with batched I/O on all cores. Includes everything.
 */
#ifndef CORIO_H
#define CORIO_H

#include <corio/batch.h>
#include <corio/error.h>
#include <corio/group.h>
#include <corio/io.h>
#include <corio/mutex.h>
#include <corio/runtime.h>
#include <corio/task.h>
#include <corio/typed.h>

#endif
