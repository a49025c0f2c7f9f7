/* SPDX-License-Identifier: GPL-2.0-only */
/* A JSON writer that knows where the commas go. */
#ifndef CPROV_JSON_H
#define CPROV_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Of one value; clear @comma before the next one. */
struct json {
	FILE *file;
	bool comma;
};

/* The key is NULL in an array, and for the value itself. */
void json_open(struct json *js, const char *key, char bracket);
void json_close(struct json *js, char bracket);
void json_string(struct json *js, const char *key, const char *value);
void json_number(struct json *js, const char *key, uint64_t value);
void json_integer(struct json *js, const char *key, int64_t value);
void json_real(struct json *js, const char *key, double value, int decimals);
void json_null(struct json *js, const char *key);
void json_ratio(struct json *js, const char *key, uint64_t part, uint64_t all);
void json_bool(struct json *js, const char *key, bool value);

#endif /* CPROV_JSON_H */
