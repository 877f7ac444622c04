/* SPDX-License-Identifier: MIT
 *
 * corio.h - structured concurrency with batched I/O on all cores. Includes everything.
 */
#ifndef CORIO_H
#define CORIO_H

#include <corio/barrier.h>
#include <corio/batch.h>
#include <corio/cache.h>
#include <corio/cancel.h>
#include <corio/channel.h>
#include <corio/condition.h>
#include <corio/error.h>
#include <corio/fail.h>
#include <corio/flight.h>
#include <corio/group.h>
#include <corio/io.h>
#include <corio/mutex.h>
#include <corio/once.h>
#include <corio/parallel.h>
#include <corio/promise.h>
#include <corio/runtime.h>
#include <corio/rwlock.h>
#include <corio/semaphore.h>
#include <corio/statistics.h>
#include <corio/submit.h>
#include <corio/task.h>
#include <corio/time.h>
#include <corio/trace.h>
#include <corio/typed.h>
#include <corio/waitgroup.h>
#include <corio/yield.h>

#endif
