/* SPDX-License-Identifier: MIT
 *
 * singly.h - the question for comparison: every request is a query of its own, one after the other on
 * one connection, as a thread would ask it. For kinds of databases whose dispatcher has no such mode.
 */
#ifndef PKGAUDIT_SINGLY_H
#define PKGAUDIT_SINGLY_H

#include "store.h"

int singly_create(struct store *store, corio_runtime *runtime, struct question **ret);

#endif
